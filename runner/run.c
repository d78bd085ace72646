#include "runner/run.h"

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "runner/ahead.h"
#include "runner/ledger.h"
#include "runner/loop.h"
#include "runner/program.h"
#include "runner/run_internal.h"
#include "runner/slot_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the clock and the observer ---- */

uint64_t run_clock(const struct run *run) {
    return uv_hrtime() - run->paused_ns;
}

uint64_t run_watch_clock(const struct run *run) {
    return run_clock(run) - run->lag_ns;
}

double run_seconds_since(const struct run *run, uint64_t start_ns) {
    return (double)(run_clock(run) - start_ns) * 1e-9;
}

static int count_running(const struct run *run) {
    int n = 0;
    for (int i = 0; i < run->slot_count; i++) {
        n += run->slot_views[i].busy;
    }
    return n;
}

void run_emit(struct run *run, const struct run_event *event) {
    const struct progress *p = &run->progress;
    struct run_view *v = &run->view;
    v->total = p->total;
    v->complete = p->complete;
    v->failed = p->failed;
    v->paused = p->paused;
    v->complete_now = p->complete_now;
    v->failed_now = p->failed_now;
    v->has_best = p->has_best;
    v->best = p->best;
    v->best_label = p->best_label;
    v->running = count_running(run);
    v->elapsed_s = run_seconds_since(run, run->start_ns);
    v->eta_s = progress_eta(p);
    v->stopping = run->stopping;
    if (run->observer != NULL) {
        run->observer(run->context, event, v);
    }
}

void run_warn(struct run *run, int64_t trial, const char *fmt, ...) {
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); // a long one is cut
    va_end(args);
    run_emit(run, &(struct run_event){.kind = RUN_WARNING, .trial = trial, .message = text});
}

/* ---- the pool ---- */

int64_t run_next_trial(struct run *run) {
    if (run->stopping || run->draining || run->failed) {
        return 0;
    }
    if (run->returned_count > 0) {
        return run->returned[--run->returned_count];
    }
    return run->next < run->plan->queue_count ? run->plan->queue[run->next++] : 0;
}

void run_slot_is_idle(struct run *run, struct slot *slot) {
    if (slot->next_begun && !run->failed) {
        slot_go_on(slot); // it ends at once when the run is stopping
        return;
    }
    int64_t trial = run_next_trial(run);
    if (trial != 0) {
        slot_run(slot, trial);
    }
}

void run_return_trial(struct run *run, int64_t trial) {
    run->returned[run->returned_count++] = trial; // each slot has one at most
    for (int i = 0; i < run->slot_count; i++) {
        if (run->slots[i].state == SLOT_IDLE) {
            run_slot_is_idle(run, &run->slots[i]);
        }
    }
}

static bool is_busy(const struct run *run) {
    for (int i = 0; i < run->slot_count; i++) {
        if (run->slots[i].state != SLOT_IDLE) {
            return true;
        }
    }
    return false;
}

/* ---- stopping ---- */

static void on_grace(uv_timer_t *timer) {
    struct run *run = timer->data;
    if (!run->killing) {
        run_kill(run);
        return;
    }
    for (int i = 0; i < run->slot_count; i++) {
        slot_signal(&run->slots[i],
                    SIGKILL); // the shim hangs; the kernel kills the trainer with it
    }
}

void run_kill(struct run *run) {
    if (!run->killing) { // else its time goes on: to ask again gives no more of it
        // These timers fail while closing only.
        (void)uv_timer_start(&run->grace, on_grace, RUN_KILL_GRACE_MS, RUN_KILL_GRACE_MS);
    }
    run->killing = true;
    for (int i = 0; i < run->slot_count; i++) {
        slot_kill(&run->slots[i]);
    }
}

void run_kill_strays(struct run *run) {
    pid_t shims[RUN_SLOT_MAX];
    int count = 0;
    for (int i = 0; i < run->slot_count; i++) {
        if (run->slots[i].worker != NULL) {
            shims[count++] = worker_pid(run->slots[i].worker);
        }
    }
    strays_kill(&run->strays, shims, count);
}

void run_stop(struct run *run, int signal, const char *why) {
    bool first = run->signal == 0 && signal != 0;
    if (first) {
        run->signal = signal; // also of a run that the halt policy is stopping already
        ledger_end_waits(run->ledger);
    }
    if (run->stopping) {
        if (first) {
            run_emit(run,
                     &(struct run_event){.kind = RUN_STOPPING,
                                         .message = "stopping already (Ctrl-C again to kill)"});
        }
        return;
    }
    run->stopping = true;
    uint64_t grace_ms = (uint64_t)(run->sweep->timeout.grace_s * 1e3);
    (void)uv_timer_start(&run->grace, on_grace, grace_ms, RUN_KILL_GRACE_MS);
    int running = count_running(run);
    char message[256];
    if (running == 0) {
        (void)snprintf(message, sizeof message, "stopping (%s)", why); // a long one is cut
    } else {
        (void)snprintf(message, sizeof message, "stopping: %d trial%s %s (%s)", running,
                       running == 1 ? "" : "s",
                       running == 1 ? "saves its state" : "save their state", why); // likewise
    }
    run_emit(run, &(struct run_event){.kind = RUN_STOPPING, .message = message});
    for (int i = 0; i < run->slot_count; i++) {
        slot_ask_to_stop(&run->slots[i]);
    }
}

static bool is_too_many(const struct run_halt *halt, int64_t failed, int64_t total) {
    if (halt->when == HALT_NEVER) {
        return false;
    }
    return halt->percent > 0.0 ? 100.0 * (double)failed >= halt->percent * (double)total
                               : failed >= halt->fail;
}

void run_check_halt(struct run *run) {
    const struct run_halt *halt = &run->options->halt;
    int64_t failed = run->progress.failed_now;
    if (run->stopping || run->draining || !is_too_many(halt, failed, run->progress.total)) {
        return;
    }
    run->draining = true;
    char why[128];
    (void)snprintf(why, sizeof why, "%lld trial%s failed, as --halt says", (long long)failed,
                   failed == 1 ? "" : "s"); // fits
    if (halt->when == HALT_NOW) {
        run_stop(run, 0, why);
        return;
    }
    char message[256];
    (void)snprintf(message, sizeof message, "starting no more trials (%s)", why); // fits
    run_emit(run, &(struct run_event){.kind = RUN_STOPPING, .message = message});
}

/* ---- the ledger ---- */

static void on_ack(void *context, struct ledger_item *item) {
    struct run *run = context;
    if (run->failed) {
        return;
    }
    if (item->kind == LEDGER_WAIT) {
        enum run_wait what = item->wait.cause == ERR_FULL ? RUN_WAIT_ROOM : RUN_WAIT_LOCK;
        if (item->wait.over) {
            run_wait_end(run, what);
        } else {
            run_wait_begin(run, what, item->wait.message);
        }
    } else if (item->kind == LEDGER_NOTICE) {
        run_warn(run, 0, "%s", item->notice);
    } else {
        slot_ack(item->owner, item);
    }
}

static void on_ledger_failed(void *context, const struct err *err, bool given_up) {
    struct run *run = context;
    run->failed = true;
    run->err = *err;
    if (given_up) { // workers were asked to leave, and may save meanwhile
        for (int i = 0; i < run->slot_count; i++) {
            slot_let_go(&run->slots[i]);
        }
        return;
    }
    (void)uv_timer_start(&run->grace, on_grace, RUN_KILL_GRACE_MS, RUN_KILL_GRACE_MS);
    run->killing = true;
    for (int i = 0; i < run->slot_count; i++) {
        slot_abandon(&run->slots[i]);
    }
}

/* ---- setting up ---- */

/* A tick that comes late tells how long nothing could be looked at; and while the storage is waited for, nobody can
 * get on. */
static void note_lag(struct run *run) {
    uint64_t now = run_clock(run), last = run->tick_ns;
    bool waits = run->waits[RUN_WAIT_ROOM] > 0 || run->waits[RUN_WAIT_LOCK] > 0;
    uint64_t counted_ns = waits ? 0 : RUN_LAG_MS * UINT64_C(1000000);
    if (last != 0 && now - last > counted_ns) {
        run->lag_ns += now - last - counted_ns;
    }
    run->tick_ns = now;
}

static void on_tick(uv_timer_t *timer) {
    struct run *run = timer->data;
    note_lag(run);
    oom_look(&run->oom, run_clock(run));
    for (int i = 0; i < run->slot_count; i++) {
        slot_watch(&run->slots[i]);
    }
    run_emit(run, &(struct run_event){.kind = RUN_TICK});
}

static int find_shim(struct run *run, struct err *err) {
    char *shim = NULL;
    int rc =
        program_find(&shim, run->options->shim != NULL ? run->options->shim : "besom-shim", err);
    run->site.shim = shim;
    return rc;
}

/* A trainer that is not there fails every trial: better said once, before anything starts. */
static int check_trainer(const struct sweep *sweep, struct err *err) {
    char *program = NULL;
    if (strchr(sweep->trainer[0], '{') != NULL) {
        return ERR_OK; // depends on the trial
    }
    int rc = program_find(&program, sweep->trainer[0], err);
    free(program);
    return rc == ERR_OK ? rc : err_wrap(err, "the sweep's trainer");
}

static int find_site(struct run *run, struct err *err) {
    char *out_dir = realpath(run->options->out_dir, NULL);
    if (out_dir == NULL) {
        return err_io(err, errno, "%s", run->options->out_dir);
    }
    run->site.out_dir = out_dir;
    run->site.memory_bytes = (int64_t)(run->sweep->memory_mb * 1e6);
    run->site.trainer = run->sweep->trainer;
    int rc = find_shim(run, err);
    return rc == ERR_OK ? check_trainer(run->sweep, err) : rc;
}

static void make_slots(struct run *run) {
    int jobs = run->options->jobs > 0 ? run->options->jobs : run_default_jobs();
    jobs = jobs < RUN_SLOT_MAX ? jobs : RUN_SLOT_MAX;
    run->slot_count = jobs;
    run->slots = mem_zalloc((size_t)jobs, sizeof *run->slots);
    run->returned = mem_zalloc((size_t)jobs, sizeof *run->returned);
    run->slot_views = mem_zalloc((size_t)jobs, sizeof *run->slot_views);
    for (int i = 0; i < jobs; i++) {
        slot_init(&run->slots[i], run, i);
        run->slot_views[i].samples_per_second = NAN;
    }
    run->view.sweep = run->sweep;
    run->view.slots = run->slot_views;
    run->view.slot_count = jobs;
}

/* A name for the folder that no other on this machine has, nor one of a container's that has the same path. */
static void name_folder(const struct run *run, char name[HASH_HEX_LEN + 1]) {
    struct stat at = {0}, space = {0};
    (void)stat(run->site.out_dir, &at); // is there: realpath() found it
    (void)stat("/proc/self/ns/pid", &space);
    char *text = mem_printf("%llu:%llu:%llu:%s", (unsigned long long)at.st_dev,
                            (unsigned long long)at.st_ino, (unsigned long long)space.st_ino,
                            run->site.out_dir);
    hash_hex(name, text, strlen(text));
    free(text);
}

/* Where that is allowed. */
static void make_groups(struct run *run) {
    char name[HASH_HEX_LEN + 1];
    run->cgroup_place = cgroup_find();
    name_folder(run, name);
    cgroup_remove_stale(run->cgroup_place, name); // we hold the folder: whose it was is dead
    for (int i = 0; i < run->slot_count; i++) {
        run->slots[i].group = cgroup_open(run->cgroup_place, name, i + 1, run->site.memory_bytes);
    }
}

static int start(struct run *run, struct store *store, struct err *err) {
    const struct ledger_calls calls = {on_ack, on_ledger_failed, run};
    int rc = find_site(run, err);
    rc = rc == ERR_OK ? progress_load(&run->progress, store, run->sweep, run->slot_count, err) : rc;
    store_slim(store);
    rc = rc == ERR_OK ? run_signals_start(run, err) : rc;
    if (rc == ERR_OK) {
        make_groups(run);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    run->ahead = ahead_new(store, run->site.out_dir, run->plan->queue, run->plan->queue_count);
    return ledger_new(&run->ledger, &run->loop, store, run->plan->sweep_id, run->ahead, &calls,
                      err);
}

/* ---- running ---- */

static void run_all(struct run *run) {
    (void)uv_timer_start(&run->tick, on_tick, RUN_TICK_MS, RUN_TICK_MS); // not closing
    run_emit(run, &(struct run_event){.kind = RUN_STARTED});
    for (int i = 0; i < run->slot_count; i++) {
        run_slot_is_idle(run, &run->slots[i]);
    }
    while (is_busy(run)) {
        (void)uv_run(&run->loop, UV_RUN_ONCE); // tells whether handles are active: they are
    }
    run_emit(run, &(struct run_event){.kind = RUN_FINISHED});
}

static void close_all(struct run *run) {
    ledger_close(run->ledger);
    ahead_free(run->ahead);
    run_signals_close(run);
    uv_close((uv_handle_t *)&run->tick, NULL);
    uv_close((uv_handle_t *)&run->grace, NULL);
    for (int i = 0; i < run->slot_count; i++) {
        uv_close((uv_handle_t *)&run->slots[i].timer, NULL);
    }
    (void)uv_run(&run->loop, UV_RUN_DEFAULT); // until all are closed
    (void)uv_loop_close(&run->loop);          // fails with open handles only
    for (int i = 0; i < run->slot_count; i++) {
        slot_release(&run->slots[i]);
        cgroup_close(run->slots[i].group);
    }
    free(run->cgroup_place);
    strays_release(&run->strays);
    progress_release(&run->progress);
    wire_record_release(&run->line);
    wire_record_release(&run->shown);
    free((char *)(uintptr_t)run->site.shim); // both are ours
    free((char *)(uintptr_t)run->site.out_dir);
    free(run->slots);
    free(run->returned);
    free(run->slot_views);
}

static void fill_result(const struct run *run, struct run_result *result) {
    *result = (struct run_result){.complete = run->progress.complete_now,
                                  .failed = run->progress.failed_now,
                                  .paused = run->progress.paused_now,
                                  .signal = run->signal,
                                  .halted = run->draining,
                                  .seconds = run_seconds_since(run, run->start_ns)};
}

int run_sweep(struct store *store, const struct sweep *sweep, const struct plan *plan,
              const struct run_options *options, run_observer_fn *observer, void *context,
              struct run_result *result, struct err *err) {
    struct run *run = mem_zalloc(1, sizeof *run);
    run->sweep = sweep;
    run->plan = plan;
    run->options = options;
    run->retries = options->retries >= 0 ? options->retries : sweep->retries;
    run->observer = observer;
    run->context = context;
    int rc = loop_init(&run->loop, err);
    if (rc != ERR_OK) {
        free(run);
        return rc;
    }
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); // a closed stdout is the observer's affair
    (void)uv_timer_init(&run->loop, &run->tick);    // these two always succeed
    (void)uv_timer_init(&run->loop, &run->grace);
    run_signals_init(run);
    strays_init(&run->strays);
    run->tick.data = run->grace.data = run;
    run->start_ns = uv_hrtime();
    make_slots(run);
    rc = start(run, store, err);
    if (rc == ERR_OK) {
        run_all(run);
        fill_result(run, result);
        if (run->failed) {
            *err = run->err;
            rc = err->code;
        }
    }
    close_all(run);
    (void)signal(SIGPIPE, before); // was in force before
    free(run);
    return rc;
}
