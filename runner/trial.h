/* runner/trial.h - the life of one trial, apart from processes and storage.
 *
 *      QUEUED --- spawned ---> RUNNING --- completed -------------------------> COMPLETE
 *        ^                     |  |  |---- saved, or died while stopping ------> PAUSED
 *        |                     |  |------- no other attempt would help --------> FAILED
 *        +-- saved, or died ---+  +------- died, retries used up --------------> FAILED
 *            and may retry
 *
 * Invariants
 *   1. COMPLETE, PAUSED and FAILED are final for this run.
 *   2. `barren` counts the attempts in a row that ended without a new epoch or a saved state; a trial
 *      fails when it exceeds `retries`.  So a trial that gets on is retried for ever, one that does not
 *      is tried retries + 1 times, however often the runner is started meanwhile: the count is stored.
 *      Attempts that the user or a dying runner cut short leave it as it was.
 *   3. The attempt is committed before its worker is spawned.
 *   4. A complete trial has every epoch from 1 to its last, and at least as many as were asked for, unless
 *      its trainer said that it is done before.
 *
 * This module decides and does no I/O: every path is tested without a process. */
#ifndef RUNNER_TRIAL_H
#define RUNNER_TRIAL_H

#include "results/store.h"
#include "runner/watchdog.h"

#include <stdbool.h>

/* What happens after a failure. */
enum trial_rule {
    RULE_NEVER,    // failed at once
    RULE_PROGRESS, // tried again when the attempt brought an epoch, else failed
    RULE_BARREN,   // tried again until `retries` attempts in a row more brought nothing
    RULE_AFRESH,   // begun again without its state, if it has one, `retries` times at most
    RULE_FREE      // tried again, and does not count
};

/* Every failure: its reason and its class, two words that are stored with the attempt, and its rule.  NULL: the
 * reason is the trainer's own word.  RUNNER_DIED is store_recover()'s to write; the others are judged here. */
#define TRIAL_FAILURES(X)                                                                          \
    X(DIFFERS, "nondeterministic", "protocol", RULE_NEVER)   /* promised the same bits */          \
    X(DIVERGED, "diverged", "diverged", RULE_NEVER)          /* the trainer said so */             \
    X(GAVE_UP, NULL, "exit", RULE_NEVER)                     /* it said "failed", and why */       \
    X(TIMEOUT, "timeout", "timeout", RULE_NEVER)             /* timeout.trial_s is used up */      \
    X(MISSING, "missing epochs", "protocol", RULE_AFRESH)    /* status 0, an epoch was skipped */  \
    X(OVER_LIMIT, "memory limit", "memory", RULE_PROGRESS)   /* beyond limits.memory_mb */         \
    X(OUT_OF_MEMORY, "out of memory", "memory", RULE_BARREN) /* the kernel killed it */            \
    X(HANG, "hang", "hang", RULE_BARREN)                     /* no epoch for timeout.epoch_s */    \
    X(NOT_STARTED, "spawn", "exit", RULE_BARREN)             /* its process could not be made */   \
    X(SIGNAL, "signal", "signal", RULE_BARREN)               /* died of one */                     \
    X(EXIT, "exit", "exit", RULE_BARREN)                     /* any status but 0 and 85 */         \
    X(INCOMPLETE, "incomplete", "protocol", RULE_BARREN)     /* status 0 before the last epoch */  \
    X(NO_ROOM, "disk full", "storage", RULE_FREE)            /* died as the disk was full */       \
    X(RUNNER_DIED, "runner died", "lost", RULE_FREE)

enum trial_failure {
#define X(name, reason, class, rule) FAILURE_##name,
    TRIAL_FAILURES(X)
#undef X
        FAILURE_COUNT,
};

struct trial_failure_kind {
    const char *reason, *class;
    enum trial_rule rule;
};
extern const struct trial_failure_kind trial_failures[FAILURE_COUNT];

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
    enum watchdog_cause watch;  // the limit in seconds that it exceeded
    double limit_s;             // how many
    double memory_mb;           // what it used when it was killed for it; 0: it was not
    double memory_limit_mb;
    bool out_of_memory; // the kernel killed it for want of memory
    bool has_state;     // the trainer has something in its folder
    bool beyond; // that is the state after an epoch that was never told, or lost: trial_is_beyond()
    int afresh;  // how often it was begun again without it
    int epochs_done; // contiguous from 1, committed
    int epoch_last;  // the highest committed
    int64_t epochs;  // asked for; 0: not known
};

/* What tells of an attempt that the state it went on from has epochs after the last row. */
struct trial_ahead {
    int from_epoch; // that its start event told; 0: none
    bool
        lost; // the runner has died since the trial was last begun without a state: what it was told may be lost
    bool progressed; // as in the outcome
    int epochs_done;
    int64_t epochs; // asked for; 0: not known
};

/* By its own word; or, where it says nothing and lines may be lost, as it brings nothing although epochs are to be done. */
bool trial_is_beyond(const struct trial_ahead *ahead);

struct trial_verdict {
    enum trial_status status; // TRIAL_PENDING: run it again
    const char *reason;       // NULL when complete; else a word for `failures`, borrowed
    const char *class;        // of a failure; NULL when complete, interrupted or saved
    bool
        no_room; // it died of a full disk, which is not its fault: wait for room before it runs again
    char message[512]; // "" when complete
};

/* The first line that fits decides:
 *
 *     an epoch came out with other bits             DIFFERS
 *     the trainer said "failed"                     DIVERGED, GAVE_UP
 *     status 0, epochs known, 1..epochs are there   COMPLETE
 *     status 0, "done" and "stopped", 1..last are   COMPLETE  (where epochs are known: one at least)
 *     status 0, epochs not known, 1..last are there COMPLETE  (when asked to stop: with "done" alone)
 *     its seconds were used up                      TIMEOUT
 *     asked to stop                                 PAUSED    "interrupted"
 *     killed for its memory                         OVER_LIMIT, OUT_OF_MEMORY
 *     it died, and the disk had no room             NO_ROOM
 *     no epoch for too long, however it left then   HANG
 *     status 85                                     PENDING   "saved"
 *     status 0, an epoch was skipped, or is lost    MISSING
 *     anything else                                 NOT_STARTED, SIGNAL, EXIT, INCOMPLETE
 *
 * A failure is FAILED or PENDING by its rule.  Where an epoch is missing, the state that is there is beyond it, so that
 * no attempt that goes on from it would tell it: the next one begins without (launch_place.afresh).  Status 0 of a trainer that was asked to stop proves nothing where
 * the count of epochs is not known: srun, for one, answers so when its task was cancelled.
 *
 * `barren` is updated: 0 after progress or a saved state, as it was after "interrupted" and without room, else one
 * more. */
void trial_judge(const struct attempt_outcome *outcome, int retries, int *barren,
                 struct trial_verdict *verdict);

/* How long to wait before a trial that failed to get on `times` times in a row runs again: nothing, then
 * 100 ms, 500 ms, 2.5 s, then 10 s. */
int trial_retry_delay_ms(int times);

#endif
