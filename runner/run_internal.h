/* runner/run_internal.h - what run.c, run_signals.c and the slots share. */
#ifndef RUNNER_RUN_INTERNAL_H
#define RUNNER_RUN_INTERNAL_H

#include "base/err.h"
#include "base/wire.h"
#include "runner/launch.h"
#include "runner/oom.h"
#include "runner/progress.h"
#include "runner/run.h"
#include "runner/slot.h"
#include "runner/strays.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum { RUN_SIGNALS = 5 };

/* What a run can wait for, all of which pass by themselves. */
enum run_wait {
    RUN_WAIT_ROOM,      // on the disk
    RUN_WAIT_LOCK,      // another program's, on results.db
    RUN_WAIT_RESOURCES, // processes, descriptors, memory
    RUN_WAIT_COUNT,
};

struct run {
    const struct sweep *sweep;
    const struct plan *plan;
    const struct run_options *options;
    struct launch_site site;
    int retries;
    run_observer_fn *observer;
    void *context;

    uv_loop_t loop;
    uv_timer_t tick, grace;
    uv_signal_t signals[RUN_SIGNALS];
    struct ledger *ledger;
    struct ahead *ahead;

    struct slot *slots;
    int slot_count;
    int64_t next;      // in the plan's queue
    int64_t *returned; // owned: trials before it that are to be run still
    int returned_count;

    bool stopping; // nothing is started any more, workers are to leave
    bool draining; // no new trial is started, running ones end as they like
    bool killing;  // workers were killed
    int signal;    // the first that asked to stop
    bool failed;   // the storage; `err` says how
    struct err err;

    int waits[RUN_WAIT_COUNT]; // how many wait for it

    uint64_t start_ns, paused_ns; // paused: how long the whole run was stopped
    uint64_t tick_ns,
        lag_ns; // when it ticked last; time that no limit counts, see run_watch_clock()
    struct oom_watch oom;
    struct strays strays;
    char *cgroup_place; // owned: where groups go; NULL
    struct progress progress;
    struct run_view view;
    struct run_slot_view *slot_views;
    struct wire_record line;  // the line that is being looked at
    struct wire_record shown; // the record of a RUN_EPOCH
};

/* ---- run.c ---- */

/* Nanoseconds of the monotonic clock, less the time that the run was stopped. */
uint64_t run_clock(const struct run *run);
double run_seconds_since(const struct run *run, uint64_t start_ns);

/* The clock of limits: run_clock() less the time in which the run could not look, since its loop was held up or
 * somebody had stopped it, and in which it waited for its storage.  Who was not watched has not hung. */
uint64_t run_watch_clock(const struct run *run);

/* Tells the observer, with the view brought up to date. */
void run_emit(struct run *run, const struct run_event *event);
void run_warn(struct run *run, int64_t trial, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The next trial of the queue, which is the caller's to run; 0: no more is to be started. */
int64_t run_next_trial(struct run *run);
/* The caller does not run it after all. */
void run_return_trial(struct run *run, int64_t trial);
/* A slot has become idle. */
void run_slot_is_idle(struct run *run, struct slot *slot);
/* A trial failed for good: does the halt policy say to stop? */
void run_check_halt(struct run *run);

/* Asks all workers to leave; `why` is shown.  `signal`: 0 when it is the halt policy. */
void run_stop(struct run *run, int signal, const char *why);
void run_kill(struct run *run);

/* A shim has ended that could not end what was below it. */
void run_kill_strays(struct run *run);

/* ---- run_wait.c ---- */

/* Somebody waits, having met `met`; and does no more.  Each begin has its end. */
void run_wait_begin(struct run *run, enum run_wait what, const char *met);
void run_wait_end(struct run *run, enum run_wait what);

/* ---- run_signals.c ---- */

void run_signals_init(struct run *run);
int run_signals_start(struct run *run, struct err *err);
void run_signals_close(struct run *run);

#endif
