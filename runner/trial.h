/* runner/trial.h - the life of one trial, apart from processes and storage.
 *
 *      QUEUED --- spawned ---> RUNNING --- completed -------------------------> COMPLETE
 *        ^                     |  |  |---- saved, or died while stopping ------> PAUSED
 *        |                     |  |------- refused (diverged, differs) --------> FAILED
 *        +--- died, may retry -+  +------- died, retries used up --------------> FAILED
 *
 * Invariants
 *   1. COMPLETE, PAUSED and FAILED are final for this run.
 *   2. `barren` counts the attempts in a row that ended without a new epoch or a saved state; a trial
 *      fails when it exceeds `retries`.  So a trial that gets on is retried for ever, one that does not
 *      is tried retries + 1 times.
 *   3. The attempt is committed before its worker is spawned.
 *
 * This module decides and does no I/O: every path is tested without a process. */
#ifndef RUNNER_TRIAL_H
#define RUNNER_TRIAL_H

#include "results/store.h"

#include <stdbool.h>

/* How a worker's attempt ended, as seen from outside. */
struct attempt_outcome {
    int exit_status; // -1 when killed by a signal or never started
    int signal;
    bool spawn_failed;
    bool done_event;            // {"event": "done"}
    const char *failed_reason;  // of {"event": "failed"}; NULL
    const char *failed_message; // NULL
    bool differs;               // an epoch came out with other bits
    bool progressed;            // at least one new epoch row
    bool stopping;              // the runner had asked it to stop
    bool killed;                // the runner killed it
    int epochs_done;            // contiguous from 1, committed
    int epoch_last;             // the highest committed
    int64_t epochs;             // asked for; 0: not known
};

struct trial_verdict {
    enum trial_status status; // TRIAL_PENDING: run it again
    const char *reason;       // NULL when complete; else a word for `failures`
    char message[256];
};

/* Applies the rules above; `barren` is updated. */
void trial_judge(const struct attempt_outcome *outcome, int retries, int *barren,
                 struct trial_verdict *verdict);

#endif
