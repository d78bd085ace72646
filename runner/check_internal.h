/* runner/check_internal.h - what check_run.c (the whole check) and check_lane.c (one round at a time) share. */
#ifndef RUNNER_CHECK_INTERNAL_H
#define RUNNER_CHECK_INTERNAL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/wire.h"
#include "runner/check_hold.h"
#include "runner/check_plan.h"
#include "runner/check_run.h"
#include "runner/launch.h"
#include "runner/worker.h"

#include <uv.h>

struct check_watch;

enum { CHECK_SIGNALS = 4 };

/* An attempt that is going on. */
struct check_attempt {
    int number; // from 1
    uint64_t start_ns;
    struct check_stop stop;
    int hold_epoch;  // from whose line on it is held; at most `done`: from its start
    int done;        // epochs that were told before it
    int first, last; // the first epoch told; the highest of those told before that it told again
    int latest;      // the epoch of its latest record; 0
    double first_s, last_s; // when
    int changes_at_first, changes_at_last;
    int changes;      // of files so far
    int changes_open; // since the moment that the stop waits for
    int from_epoch;   // of its start event; -1
    bool open;        // AT_CHANGE: that moment has come
    bool killed, asked, timed_out;
    bool failed_event, stopped;
    bool had_files; // when it began
    char failed_message[256];
};

/* A place in the pool: one round, attempt after attempt. */
struct check_lane {
    struct check *check;
    int index; // from 0
    bool busy;
    int round; // 0: an uninterrupted run
    int run;   // which of them
    enum check_round kind;
    bool extended; // EXTEND: the epochs are raised
    int barren;    // states saved in a row without a new epoch
    int ours;      // ends that were our doing
    char key[32];
    struct check_curve told; // by all attempts of the round
    int lost
        [CHECK_KILLS]; // LOST: epochs whose line did not count, until they are told again; 0: none
    struct buf how;
    struct check_attempt attempt;
    struct worker *worker;
    struct check_watch *watch;
    struct check_hold hold;
    uv_timer_t stop_timer, timeout_timer;
};

struct check {
    const struct check_options *options;
    uv_loop_t loop;
    uv_signal_t signals[CHECK_SIGNALS];
    struct launch_site site;
    struct check_result *result;
    struct check_resume *judge; // the result's
    struct check_holder holder;
    struct check_lane *lanes;
    int lane_count;
    struct wire_record line;
    struct check_profile profile;
    double *told_s; // of the profile
    int *changes;
    int profile_cap;
    double first_line_s; // of the first uninterrupted run: its first line, and its end
    double first_run_s;
    int rounds, next_round;
    bool failed; // of besom itself: `err` says how
    struct err err;
    check_observer_fn *observer;
    void *observer_context;
};

/* Begins a round, or the uninterrupted run `run` where round is 0. */
void check_lane_begin(struct check_lane *lane, int round, int run);
void check_lane_init(struct check_lane *lane, struct check *check, int index);
void check_lane_close(struct check_lane *lane); // its handles; then the loop has to turn
void check_lane_release(struct check_lane *lane);
void check_lane_kill(struct check_lane *lane);
void check_lane_signal(struct check_lane *lane, int number);

/* A lane's round is over; `seconds` of its last attempt. */
void check_lane_is_done(struct check_lane *lane, double seconds);

/* The check itself cannot go on; the first reason counts. */
void check_fail(struct check *check, const struct err *err);

/* true when nothing more is to be started. */
bool check_is_over(const struct check *check);

#endif
