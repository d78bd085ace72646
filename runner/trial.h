/* runner/trial.h - the life of one trial, apart from processes and storage.
 *
 *      QUEUED --- spawned ---> RUNNING --- completed -------------------------> COMPLETE
 *        ^                     |  |  |---- saved, or died while stopping ------> PAUSED
 *        |                     |  |------- refused (diverged, differs) --------> FAILED
 *        +-- saved, or died ---+  +------- died, retries used up --------------> FAILED
 *            and may retry
 *
 * Invariants
 *   1. COMPLETE, PAUSED and FAILED are final for this run.
 *   2. `barren` counts the attempts in a row that ended without a new epoch or a saved state; a trial
 *      fails when it exceeds `retries`.  So a trial that gets on is retried for ever, one that does not
 *      is tried retries + 1 times.
 *   3. The attempt is committed before its worker is spawned.
 *   4. A complete trial has every epoch from 1 to its last, and at least as many as were asked for, unless
 *      its trainer said that it is done before.
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
    const char *spawn_failure;  // why it was never started; NULL
    bool done_event;            // {"event": "done"}
    const char *stopped;        // of {"event": "done", "stopped": ...}; NULL
    const char *failed_reason;  // of {"event": "failed"}; NULL
    const char *failed_message; // NULL
    const char *differs;        // an epoch came out with other bits: which, and both values; NULL
    bool progressed;            // at least one new epoch row
    bool stopping;              // the runner had asked it to stop
    bool killed;                // the runner killed it
    bool no_room;               // there was no room on the disk when it ended (runner/room.h)
    int epochs_done;            // contiguous from 1, committed
    int epoch_last;             // the highest committed
    int64_t epochs;             // asked for; 0: not known
};

struct trial_verdict {
    enum trial_status status; // TRIAL_PENDING: run it again
    const char *reason;       // NULL when complete; else a word for `failures`, borrowed
    bool
        no_room; // it died of a full disk, which is not its fault: wait for room before it runs again
    char message[512]; // "" when complete
};

/* The first line that fits decides:
 *
 *     an epoch came out with other bits             FAILED    "nondeterministic"
 *     the trainer said "failed"                     FAILED    its reason
 *     status 0, epochs known, 1..epochs are there   COMPLETE
 *     status 0, "done" and "stopped", 1..last are   COMPLETE  (where epochs are known: one at least)
 *     status 0, epochs not known, 1..last are there COMPLETE  (when asked to stop: with "done" alone)
 *     asked to stop                                 PAUSED    "interrupted"
 *     status 85                                     PENDING   "saved"
 *     status 0, an epoch was skipped                FAILED    "missing epochs"
 *     it died, and the disk had no room             PENDING   "disk full", does not count
 *     anything else                                 PENDING, or FAILED when retries are used up:
 *                                                   "spawn", "signal", "exit" or "incomplete"
 *
 * Status 0 of a trainer that was asked to stop proves nothing where the count of epochs is not known:
 * srun, for one, answers so when its task was cancelled.
 *
 * `barren` is updated: 0 after progress or a saved state, as it was without room, else one more. */
void trial_judge(const struct attempt_outcome *outcome, int retries, int *barren,
                 struct trial_verdict *verdict);

/* How long to wait before a trial that failed to get on `times` times in a row runs again: nothing, then
 * 100 ms, 500 ms, 2.5 s, then 10 s. */
int trial_retry_delay_ms(int times);

#endif
