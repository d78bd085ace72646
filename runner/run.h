/* runner/run.h - the scheduler: a pool of slots, a trial in each, on one libuv loop.
 *
 *     plan -> queue of trials -> slot: begin attempt -> COMMIT -> spawn -> lines -> ledger -> COMMIT -> observer
 *                                  ^                                |
 *                                  |              process ended, pipes at their end
 *                                  |                                v
 *                                  +-- again -- COMMIT <- judge <- which epochs are there?
 *
 * Signals while it runs (those that are ignored when it begins stay so; SIGPIPE is ignored):
 *
 *     SIGINT, SIGTERM, SIGHUP   no trial is started any more; workers get SIGTERM, to save and leave
 *     SIGINT after any of them  workers are killed at once; the sweep's timeout.grace_s later they are anyway
 *     SIGTERM after SIGINT      likewise
 *     SIGTSTP                   workers are stopped, then the runner; the pause does not count as time
 *     SIGUSR1                   RUN_STATUS
 *
 * Threads: the main thread owns the loop, the slots and the processes (PR_SET_PDEATHSIG fires when the
 * forking thread ends, so it is the main one that forks); the ledger's thread owns the writing
 * connection.  They share one queue.
 *
 * Invariants
 *   1. One run holds the folder (flock on DIR/lock).
 *   2. An attempt row is committed before its worker is spawned; an epoch is shown to the observer after
 *      its row is committed; a verdict (status) is committed before it is shown.
 *   3. A trial has at most one worker.
 *   4. What a worker prints is bounded: lines by WIRE_LINE_MAX, the ledger's queue by back-pressure
 *      (reading stops), the log by RUN_LOG_MAX.
 *   5. No worker outlives the runner: the shim ends its whole tree when the runner is gone, and the runner that of a shim
 *      which was killed. */
#ifndef RUNNER_RUN_H
#define RUNNER_RUN_H

#include "results/store.h"
#include "runner/plan.h"
#include "runner/sweep.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

enum {
    RUN_SLOT_MAX = 1024,
    RUN_LOG_MAX = 16 << 20,      // bytes of a trial's log
    RUN_KILL_GRACE_MS = 15000,   // for the shim to have killed all, before it is killed itself
    RUN_TICK_MS = 100,           // between two RUN_TICK
    RUN_LAG_MS = 250,            // a tick that comes later was held up: no limit counts that time
    RUN_QUEUED_ROWS = 512,       // of all workers, waiting for their commit, shared out among them:
    RUN_QUEUED_ROWS_LEAST = 16,  // of one; with its share waiting it is read no more until
    RUN_QUEUED_ROWS_DRAINED = 4, // so small a part of it is left (a quarter)
    RUN_QUEUED_BYTES_MAX = 4 << 20, // of one
    RUN_LAYERS_MAX = 50000,         // layers events of an attempt that are stored
};

/* --halt never | now,fail=N | soon,fail=N | soon,fail=P% | now,fail=P% */
struct run_halt {
    enum {
        HALT_NEVER,
        HALT_SOON,
        HALT_NOW
    } when;         // soon: no new trials; now: running ones are stopped
    int64_t fail;   // that many failed trials
    double percent; // or that share of the sweep; 0: `fail` counts
};
int run_parse_halt(struct run_halt *halt, const char *text, struct err *err);

struct run_options {
    const char *out_dir;
    int jobs;    // slots; 0: the processors that this process may use
    int retries; // -1: the sweep's
    struct run_halt halt;
    const char *shim; // the program besom-shim; NULL: beside this program, else in PATH
};

/* ---- what the observer sees ---- */

struct run_slot_view {
    bool busy;
    int64_t trial;
    const char *label;
    int epoch;      // last committed
    int64_t epochs; // 0: not known
    bool has_value;
    double value;              // of the objective's metric at `epoch`
    double samples_per_second; // NaN when not told
};

struct run_view {
    const struct sweep *sweep;
    int64_t total;                    // trials of the sweep
    int64_t complete, failed, paused; // of the whole sweep, earlier runs included
    int64_t complete_now, failed_now; // of this run
    int running, slot_count;
    const struct run_slot_view *slots;
    bool has_best;
    double best; // of the objective, over the whole sweep
    const char *best_label;
    double elapsed_s;
    double eta_s; // NaN while unknown; from measured epochs
    bool stopping;
    const char *waiting; // for what the run waits, in a few words ("disk full"); NULL: for nothing
};

enum run_event_kind {
    RUN_STARTED,       // the plan is made, workers are about to start
    RUN_TRIAL_STARTED, // slot, trial, attempt
    RUN_EPOCH,         // slot, trial, epoch, value
    RUN_ATTEMPT_DIED,  // slot, trial, attempt, reason, message; it will be retried
    RUN_TRIAL_ENDED,   // slot, trial, status, reason, message
    RUN_WARNING,       // message
    RUN_PAUSED,        // waits for room on the disk, a lock, processes; message
    RUN_RESUMED,       // it is there; message
    RUN_STOPPING,      // a signal or the halt policy; message
    RUN_TICK,          // ten times a second
    RUN_STATUS,        // SIGUSR1
    RUN_FINISHED,
};

struct run_event {
    enum run_event_kind kind;
    int slot;
    int64_t trial;
    int attempt, epoch;
    const char *label, *reason, *message; // may be NULL
    const char *stopped; // RUN_TRIAL_ENDED, complete: why before the last epoch asked for; NULL
    enum trial_status status;
    const struct wire_record *record; // RUN_EPOCH: the whole record
    double seconds;                   // RUN_TRIAL_ENDED: in this run
};

typedef void run_observer_fn(void *context, const struct run_event *event,
                             const struct run_view *view);

struct run_result {
    int64_t complete, failed, paused; // of this run's queue
    int signal;                       // that stopped it; 0
    bool halted;                      // by the halt policy
    double seconds;
};

/* Runs what `plan` has queued.  Takes over `store` (its thread writes it) and gives it back when it
 * returns.  ERR_IO, ERR_FULL when the storage failed: workers were stopped, nothing committed is lost.
 *
 * A full disk is no failure, nor is another program's lock on results.db, nor a lack of processes, descriptors or
 * memory: the run waits for as long as it takes (RUN_PAUSED, RUN_RESUMED).  A run that is asked to stop while it waits
 * for the disk or a lock lets its workers save, gives up what it cannot write, and fails with ERR_FULL or ERR_IO. */
int run_sweep(struct store *store, const struct sweep *sweep, const struct plan *plan,
              const struct run_options *options, run_observer_fn *observer, void *context,
              struct run_result *result, struct err *err);

/* What is said when a run begins to wait for room on the folder's disk, and when there is some.  On the heap. */
char *run_room_words(const char *out_dir, bool is_over);

/* Opens the folder for writing: makes it, takes its lock, opens the store, closes what a killed runner
 * left open, with the epochs that only its logs have (runner/log_rows.h).  ERR_BUSY names the folder.  `patience` is the store's, NULL the usual one.  `lock_fd`, -1 before, is closed by the
 * caller after store_close().  After ERR_FULL the lock, if it was had, stays in `lock_fd`, for another try: nobody comes
 * in between. */
int run_open(const char *out_dir, const struct store_patience *patience, struct store **store,
             int *lock_fd, int *recovered, struct err *err);

/* Takes a folder away that run_open() has made and in which nothing was planned; after store_close(), with the lock
 * still held. */
void run_discard(const char *out_dir);

/* A runner that is killed while it starts a trainer leaves a child that has its lock until its exec. */
enum { RUN_LOCK_WAIT_MS = 500 };

/* Takes the lock of the folder, which is there, alone.  ERR_BUSY when somebody has it that long. */
int run_lock(const char *out_dir, int *fd, struct err *err);

/* The processors that this process may use (sched_getaffinity, cgroup quota). */
int run_default_jobs(void);

#endif
