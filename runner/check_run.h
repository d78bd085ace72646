/* runner/check_run.h - runs a trainer, ends it, resumes it: the hands of `besom check`.
 *
 *     run 1, run 2, uninterrupted --> profile, reference --> rounds 1 .. N, `jobs` at a time --> the judge
 *
 * Everything happens in one folder: trials/run-1, trials/run-2, trials/round-0001, ..., each removed when its
 * round is over, and cache.  The trainer is started as a sweep starts it, by besom-shim, so that nothing that it
 * leaves behind outlives an attempt.
 *
 * SIGINT, SIGTERM and SIGHUP end it: all trainers are killed at once.  SIGTSTP stops the trainers, too.
 *
 * Main thread only, as for runner/worker.h. */
#ifndef RUNNER_CHECK_RUN_H
#define RUNNER_CHECK_RUN_H

#include "runner/check_resume.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

enum { CHECK_JOBS_MAX = 64 };

struct check_options {
    const char *dir;      // exists, empty, absolute
    char *const *trainer; // argv, with placeholders
    const char *config;   // JSON
    const char
        *config_extend; // the same with fewer epochs, to be raised in an EXTEND round; NULL: none
    int extend_from;    // that number of epochs
    int64_t seed;       // the trial's
    int epochs;         // that the config asks for; 0: it does not say
    bool
        epochs_promised; // a run with fewer epochs is not complete; false: they are a mere suggestion
    int rounds;          // 0: by the time that the trainer takes
    uint64_t draw_seed;
    double tolerance;
    double
        timeout_s; // of an attempt; 0: none for the uninterrupted runs, ten times what they took for others
    int jobs;
    bool keep; // rounds' folders stay
};

enum check_event_kind {
    CHECK_RUN_DONE,    // an uninterrupted run is over
    CHECK_ROUNDS_NEXT, // both are, and the rounds begin
    CHECK_ROUND_DONE,
};

/* What an observer is told; strings are borrowed for the call. */
struct check_event {
    enum check_event_kind kind;
    int round;       // or which run
    int rounds;      // of all
    int epochs;      // the reference's, where it is known
    double seconds;  // that it took; ROUNDS_NEXT: that the rounds may take
    int changes;     // of files, in an uninterrupted run
    const char *how; // ROUND_DONE: "killed after 0.31 s (epoch 2), ..."
    bool good;       // nothing speaks against the trainer so far
    int attempts;
};

typedef void check_observer_fn(void *context, const struct check_event *event);

struct check_result {
    struct check_resume judge; // check_resume_release()
    int rounds;                // that were planned
    int signal;                // that ended the check; 0
    double seconds;            // of the uninterrupted run
    int changes;               // of files in it
};

/* Failure: of besom itself, e.g. ERR_IO; never what the trainer does. */
int check_run(const struct check_options *options, check_observer_fn *observer, void *context,
              struct check_result *result, struct err *err);

/* Removes a folder and all in it, as far as it can. */
void check_remove_tree(const char *path);

#endif
