/* runner/check_plan.h - when `besom check` ends a trainer.
 *
 * A check is so many rounds; a round is one training in a fresh folder, ended and resumed until it is done:
 *
 *     KILL    killed up to CHECK_KILLS times, then left alone
 *     TERM    asked to stop (SIGTERM) up to CHECK_KILLS times, then left alone
 *     EXTEND  trained to half of its epochs, then called again for all of them
 *     LOST    killed up to CHECK_KILLS times right after a save, and the last line before it does not count, as if
 *             besom had died before it was stored
 *
 * Every other kill comes at a time drawn uniformly over what is left to do.  The others come when it matters: at
 * a change of a file in the trainer's folder, after an epoch drawn uniformly (the first change, the last, the
 * second, any; in turn, so that a save that is not atomic is met for certain), or right after an epoch's
 * line.  Requests to stop come after a line and at a time, in turn.
 *
 * A stop is a function of (seed, round, attempt) and of what the uninterrupted run looked like.  This module
 * draws and does no I/O. */
#ifndef RUNNER_CHECK_PLAN_H
#define RUNNER_CHECK_PLAN_H

#include <stdbool.h>
#include <stdint.h>

enum { CHECK_KILLS = 3, CHECK_ROUNDS_MIN = 6, CHECK_ROUNDS_MAX = 16, CHECK_ROUNDS_LIMIT = 100000 };

/* An uninterrupted run.  Arrays are owned by the caller. */
struct check_profile {
    double seconds;
    int epochs;
    const double *told_s; // [epochs + 1]: when each line came, from the start; [0] is 0
    const int
        *changes; // [epochs + 1]: of files, after the line of each epoch; [0]: before the first
};

enum check_round {
    CHECK_ROUND_KILL,
    CHECK_ROUND_TERM,
    CHECK_ROUND_EXTEND,
    CHECK_ROUND_LOST,
    CHECK_ROUND_KINDS
};

enum check_stop_kind {
    CHECK_GO_ON, // left alone
    CHECK_AT_TIME,
    CHECK_AT_CHANGE,
    CHECK_AT_LINE,
};

struct check_stop {
    enum check_stop_kind kind;
    double after_s; // AT_TIME: from the start of the attempt
    int epoch; // AT_LINE: that epoch's line; AT_CHANGE: after that epoch is told, 0: from the start
    int change; // AT_CHANGE: which one, from 1
};

/* What a round does; rounds count from 1. */
enum check_round check_plan_round(int round, int rounds, bool can_extend);

/* When an attempt (from 1) at it is to end, `done` epochs being told already. */
struct check_stop check_plan_stop(const struct check_profile *profile, uint64_t seed, int round,
                                  enum check_round kind, int attempt, int done);

/* How many rounds a trainer gets that needs so many seconds: enough for a quick one to take seconds. */
int check_plan_count(double seconds);

/* About how long they take, one after the other. */
double check_plan_seconds(const struct check_profile *profile, int rounds);

#endif
