#include "runner/slot.h"

#include "base/err.h"
#include "base/mem.h"
#include "runner/launch.h"
#include "runner/ledger.h"
#include "runner/room.h"
#include "runner/run_internal.h"
#include "runner/slot_lines.h"
#include "runner/slot_wait.h"
#include "runner/slot_watch.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void slot_init(struct slot *slot, struct run *run, int index) {
    *slot = (struct slot){.run = run, .index = index};
    (void)uv_timer_init(&run->loop, &slot->timer); // always succeeds
    slot->timer.data = slot;
}

static void clear_attempt(struct slot *slot) {
    struct slot_attempt *a = &slot->attempt;
    free(a->program);
    free(a->drift);
    free(a->stopped);
    free(a->failed_reason);
    free(a->failed_message);
    free(a->differs);
    free(a->spawn_failure);
    free(a->end.tail);
    *a = (struct slot_attempt){.end.exit_status = -1};
}

void slot_release(struct slot *slot) {
    clear_attempt(slot);
    store_job_release(&slot->job);
    slot->run->slot_views[slot->index].label = NULL;
}

static struct run_event event_of(const struct slot *slot, enum run_event_kind kind) {
    return (struct run_event){.kind = kind,
                              .slot = slot->index,
                              .trial = slot->trial,
                              .attempt = slot->attempt.number,
                              .label = slot->job.label};
}

/* ---- beginning ---- */

static struct ledger_item *new_begin(struct slot *slot, int64_t trial) {
    struct ledger_item *item = ledger_item_new(LEDGER_BEGIN, slot, trial, 0);
    item->begin.slot = slot->index + 1;
    return item;
}

static void begin_attempt(struct slot *slot) {
    clear_attempt(slot);
    slot->state = SLOT_BEGINNING;
    ledger_push(slot->run->ledger, new_begin(slot, slot->trial));
}

static void take_trial(struct slot *slot, int64_t trial) {
    slot->trial = trial;
    slot->next = 0;
    slot->begun = slot->next_begun = false;
    slot->barren = slot->idle_saves = slot->epochs_best = slot->bad_lines = slot->roomless = 0;
    slot->needs_room = false;
    memset(slot->drift_told, 0, sizeof slot->drift_told);
}

void slot_run(struct slot *slot, int64_t trial) {
    take_trial(slot, trial);
    begin_attempt(slot);
}

void slot_go_on(struct slot *slot) {
    take_trial(slot, slot->next);
    clear_attempt(slot);
    slot->state = SLOT_BEGINNING; // the answer is on its way
}

static void line(void *context, const char *text, size_t len, bool cut) {
    slot_line(context, text, len, cut);
}

/* ---- closing: which rows are there? ---- */

/* How the attempt went; what the rows tell is not in it. */
static struct attempt_outcome outcome_of(const struct slot *slot) {
    const struct slot_attempt *a = &slot->attempt;
    bool started = a->spawn_failure == NULL && !a->asked && !a->killed;
    bool roomless = started && room_was_the_cause(a->room_left, a->end.tail);
    return (struct attempt_outcome){.no_room = roomless,
                                    .exit_status = a->end.exit_status,
                                    .signal = a->end.signal,
                                    .spawn_failure = a->spawn_failure,
                                    .done_event = a->done_event,
                                    .stopped = a->stopped,
                                    .failed_reason = a->failed_reason,
                                    .failed_message = a->failed_message,
                                    .differs = a->differs,
                                    .stopping = a->asked,
                                    .killed = a->killed,
                                    .watch = a->watch.cause,
                                    .limit_s = a->watch.cause == WATCHDOG_HANG
                                                   ? a->watch.limits.epoch_s
                                                   : a->watch.limits.trial_s,
                                    .memory_mb = a->over_mb,
                                    .memory_limit_mb = slot->run->sweep->memory_mb,
                                    .out_of_memory = a->out_of_memory,
                                    .epochs = slot->job.epochs};
}

/* From so many epochs done on the attempt has got on. */
static int progress_from(const struct slot *slot) {
    int more = slot->job.epochs_done + 1;
    return more > slot->epochs_best ? more : slot->epochs_best;
}

static struct ledger_item *new_end(struct slot *slot, enum trial_status status) {
    const struct slot_attempt *a = &slot->attempt;
    struct ledger_item *item = ledger_item_new(LEDGER_END, slot, slot->trial, a->number);
    item->end.end = (struct store_end){.status = status,
                                       .exit_status = a->end.exit_status,
                                       .signal = a->end.signal,
                                       .peak_mb = (double)a->end.report.peak_bytes * 1e-6,
                                       .seconds = watchdog_ran_s(&a->watch, 0)};
    return item;
}

/* Most attempts end well: then their end, and the beginning of the slot's next trial, are committed with their last
 * rows.  Not where anything else is known of it, or has to be told. */
static void close_attempt(struct slot *slot) {
    const struct attempt_outcome outcome = outcome_of(slot);
    struct ledger_item *item =
        ledger_item_new(LEDGER_CLOSE, slot, slot->trial, slot->attempt.number);
    bool plain = outcome.exit_status == 0 && outcome.stopped == NULL &&
                 outcome.failed_reason == NULL && outcome.differs == NULL && !outcome.stopping &&
                 !outcome.killed && outcome.watch == WATCHDOG_NONE && outcome.memory_mb == 0.0;
    if (plain) {
        if (slot->next == 0) {
            slot->next = run_next_trial(slot->run);
        }
        item->close.end = new_end(slot, TRIAL_COMPLETE);
        item->close.next = slot->next != 0 ? new_begin(slot, slot->next) : NULL;
        item->close.outcome = outcome;
        item->close.retries = slot->run->retries;
        item->close.barren = slot->barren;
        item->close.progress_from = progress_from(slot);
    }
    slot->state = SLOT_CLOSING;
    ledger_push(slot->run->ledger, item);
}

static void go_idle(struct slot *slot) {
    slot_wait_over(slot);
    slot_release(slot);
    slot->state = SLOT_IDLE;
    slot->run->slot_views[slot->index].busy = false;
    run_slot_is_idle(slot->run, slot);
}

/* The shim is there, but it could not execute the trainer. */
static void note_not_started(struct slot_attempt *a) {
    int cause = (int)a->end.report.not_started;
    bool is_there = a->program != NULL && access(a->program, F_OK) == 0;
    a->spawn_failure = mem_printf(
        "cannot start %s: %s%s", a->program != NULL ? a->program : "the trainer", strerror(cause),
        cause == ENOENT && is_there ? "; it is there, but not its interpreter (see its first line)"
                                    : "");
    a->end.exit_status = -1; // the shim's, not the trainer's
}

static void ended(void *context, const struct worker_end *end) {
    struct slot *slot = context;
    slot->worker = NULL;
    slot->attempt.end = *end;
    if (end->reported && end->report.not_started != 0) {
        note_not_started(&slot->attempt);
    }
    slot->attempt.room_left = room_left(slot->run->site.out_dir);
    slot_wait_over(slot); // what the trainer waited for
    slot_watch_end(slot);
    if (!end->reported) {
        run_kill_strays(slot->run);
    }
    if (slot->run->failed) {
        go_idle(slot);
        return;
    }
    if (end->log_cause != 0) {
        run_warn(slot->run, slot->trial, "the log of trial %lld is not complete: %s",
                 (long long)slot->trial, strerror(end->log_cause));
    }
    close_attempt(slot);
}

static int spawn(struct slot *slot, struct err *err) {
    struct launch launch;
    const struct launch_place place = {.attempt = slot->attempt.number,
                                       .slot = slot->index + 1,
                                       .group = cgroup_path(slot->group),
                                       .afresh = slot->attempt.afresh};
    int rc = launch_prepare(&launch, &slot->run->site, &slot->job, &place, err);
    if (rc != ERR_OK) {
        return rc;
    }
    const struct worker_spec spec = {.argv = launch.argv,
                                     .env = launch.env,
                                     .log_path = launch.log_path,
                                     .attempt = slot->attempt.number,
                                     .log_limit = RUN_LOG_MAX,
                                     .reports = true};
    const struct worker_calls calls = {line, ended, slot};
    rc = worker_start(&slot->worker, &slot->run->loop, &spec, &calls, err);
    slot->attempt.program = rc == ERR_OK ? mem_strdup(launch.program) : NULL;
    launch_release(&launch);
    return rc;
}

static void on_start_again(uv_timer_t *timer);

/* Once the worker is started, or there is none to be. */
static void start_worker(struct slot *slot) {
    struct err err;
    slot->mark_ns = run_clock(slot->run);
    if (slot->run->stopping) {
        slot_wait_over(slot);
        slot->attempt.asked = true; // between its row and its process: none is needed any more
        close_attempt(slot);
        return;
    }
    if (!slot_watch_begin(slot)) {
        slot_wait_over(slot);
        close_attempt(slot); // its time is used up
        return;
    }
    int rc = spawn(slot, &err);
    if (rc != ERR_OK && slot_wait_to_start(slot, &err)) {
        slot->state = SLOT_STARTING;
        (void)uv_timer_start(&slot->timer, on_start_again, SLOT_AGAIN_MS, 0); // not closing
        return;
    }
    slot_wait_over(slot);
    if (rc != ERR_OK) {
        slot_watch_end(slot);
        slot->attempt.spawn_failure = mem_strdup(err.msg);
        close_attempt(slot);
    } else {
        slot->state = SLOT_RUNNING;
        struct run_event event = event_of(slot, RUN_TRIAL_STARTED);
        run_emit(slot->run, &event);
    }
}

static void on_start_again(uv_timer_t *timer) {
    start_worker(timer->data);
}

static void ack_begin(struct slot *slot, struct ledger_item *item) {
    store_job_release(&slot->job);
    slot->job = item->begin.job; // taken over
    item->begin.job = (struct store_job){0};
    slot->attempt.number = item->attempt;
    slot->attempt.afresh = item->begin.afresh;
    struct run_slot_view *view = &slot->run->slot_views[slot->index];
    if (!slot->begun) {
        slot->begun = true;
        slot->start_ns = run_clock(slot->run);
        slot->epochs_best = slot->job.epochs_done;
        slot->barren = slot->job.barren; // of earlier runs
        progress_begin(&slot->run->progress, item->begin.was_paused);
        *view = (struct run_slot_view){.samples_per_second = NAN};
    }
    view->busy = true;
    view->trial = slot->trial;
    view->label = slot->job.label;
    view->epoch = slot->job.epochs_done;
    view->epochs = slot->job.epochs;
    start_worker(slot);
}

/* ---- ending ---- */

static bool has_state(const struct slot *slot) {
    char *dir = mem_printf("%s/trials/%s", slot->run->site.out_dir, slot->job.key);
    bool has = launch_has_state(dir);
    free(dir);
    return has;
}

/* Why the trial is complete although it has fewer epochs than were asked for; NULL when it has not. */
static const char *stopped_early(const struct slot *slot, int epochs_done) {
    bool all = slot->job.epochs > 0 && epochs_done >= slot->job.epochs;
    bool complete = slot->attempt.verdict.status == TRIAL_COMPLETE;
    return complete && !all ? slot->attempt.stopped : NULL;
}

/* All rows of the attempt are committed: judges, and commits the verdict, unless it was committed with them. */
static void ack_close(struct slot *slot, const struct ledger_item *item) {
    struct slot_attempt *a = &slot->attempt;
    int done = item->close.epochs_done;
    struct attempt_outcome outcome = outcome_of(slot);
    outcome.epochs_done = done;
    outcome.epoch_last = item->close.epoch_last;
    bool matters = done < outcome.epoch_last || item->close.beyond;
    outcome.has_state = matters && has_state(slot);
    outcome.beyond = item->close.beyond && outcome.has_state;
    outcome.afresh = item->close.missing;
    outcome.progressed = done >= progress_from(slot);
    trial_judge(&outcome, slot->run->retries, &slot->barren, &a->verdict);
    slot->idle_saves = outcome.progressed ? 0 : slot->idle_saves + 1;
    slot->epochs_best = done > slot->epochs_best ? done : slot->epochs_best;
    slot->state = SLOT_ENDING;
    if (item->close.complete) {
        slot->next_begun = slot->next != 0;
        return; // its end is the next answer
    }
    if (slot->next != 0) {
        run_return_trial(slot->run, slot->next); // this one may take long still
        slot->next = 0;
    }
    const struct trial_verdict *v = &a->verdict;
    // Between two attempts a trial is paused: that is what it is when the runner dies now.
    struct ledger_item *end = new_end(slot, v->status == TRIAL_PENDING ? TRIAL_PAUSED : v->status);
    end->end.end.class = v->class;
    end->end.end.barren = slot->barren;
    const char *stopped = stopped_early(slot, done);
    if (stopped != NULL) {
        end->end.stopped = mem_strdup(stopped);
    }
    if (v->reason != NULL) {
        end->end.reason = mem_strdup(v->reason);
        end->end.message = mem_strdup(v->message);
        end->end.log_tail = a->end.tail == NULL ? NULL : mem_strdup(a->end.tail);
    }
    ledger_push(slot->run->ledger, end);
}

/* For this run the trial is over. */
static void conclude(struct slot *slot, enum trial_status status) {
    struct run *run = slot->run;
    const struct trial_verdict *v = &slot->attempt.verdict;
    double seconds = run_seconds_since(run, slot->start_ns);
    int64_t left = slot->job.epochs - slot->epochs_best;
    progress_end(&run->progress, status, slot->job.epochs > 0, left > 0 ? left : 0, seconds);
    run->slot_views[slot->index].busy = false;
    slot->state = SLOT_IDLE;

    struct run_event event = event_of(slot, RUN_TRIAL_ENDED);
    event.status = status;
    event.reason = v->reason;
    event.message = v->message[0] == '\0' ? NULL : v->message;
    event.stopped = status == TRIAL_COMPLETE ? stopped_early(slot, slot->epochs_best) : NULL;
    event.epoch = run->slot_views[slot->index].epoch;
    event.seconds = seconds;
    run_emit(run, &event);
    if (status == TRIAL_FAILED) {
        run_check_halt(run);
    }
    go_idle(slot);
}

/* After a death of a full disk not before there is some room. */
static void on_retry(uv_timer_t *timer) {
    struct slot *slot = timer->data;
    if (slot->needs_room && room_is_none(slot->run->site.out_dir)) {
        slot_wait_for_room(slot, slot->attempt.verdict.message);
        (void)uv_timer_start(timer, on_retry, SLOT_AGAIN_MS, 0); // not closing
        return;
    }
    slot_wait_over(slot);
    begin_attempt(slot);
}

static void retry(struct slot *slot) {
    const struct trial_verdict *v = &slot->attempt.verdict;
    bool saved = v->class == NULL; // tried again without having failed
    if (!saved) {
        struct run_event event = event_of(slot, RUN_ATTEMPT_DIED);
        event.reason = v->reason;
        event.message = v->message;
        run_emit(slot->run, &event);
    }
    // A state that is saved again and again without an epoch must not become a busy loop.
    int delay_ms = trial_retry_delay_ms(saved ? slot->idle_saves - 1 : slot->barren);
    slot->needs_room = v->no_room;
    slot->roomless = v->no_room ? slot->roomless + 1 : 0;
    delay_ms = v->no_room ? trial_retry_delay_ms(slot->roomless) : delay_ms;
    slot->state = SLOT_WAITING;
    (void)uv_timer_start(&slot->timer, on_retry, (uint64_t)delay_ms, 0); // fails while closing only
}

static void ack_end(struct slot *slot) {
    enum trial_status status = slot->attempt.verdict.status;
    if (status != TRIAL_PENDING) {
        conclude(slot, status);
    } else if (slot->run->stopping) {
        conclude(slot, TRIAL_PAUSED);
    } else {
        retry(slot);
    }
}

void slot_ack(struct slot *slot, struct ledger_item *item) {
    switch (item->kind) {
    case LEDGER_BEGIN:
        ack_begin(slot, item);
        break;
    case LEDGER_START:
        slot_ack_start(slot, item);
        break;
    case LEDGER_EPOCH:
        slot_ack_epoch(slot, item);
        break;
    case LEDGER_LAYER:
        slot_ack_layer(slot, item);
        break;
    case LEDGER_CLOSE:
        ack_close(slot, item);
        break;
    case LEDGER_END:
        ack_end(slot);
        break;
    case LEDGER_WAIT:
    case LEDGER_NOTICE:
        break; // not for a slot
    }
}

/* ---- from outside ---- */

void slot_ask_to_stop(struct slot *slot) {
    if (slot->state == SLOT_RUNNING && slot->worker != NULL) {
        slot->attempt.asked = true;
        worker_signal(slot->worker, SIGTERM);
    } else if (slot->state == SLOT_WAITING) {
        (void)uv_timer_stop(&slot->timer); // always succeeds
        slot_wait_over(slot);
        conclude(slot, TRIAL_PAUSED);
    } else if (slot->state == SLOT_STARTING) {
        (void)uv_timer_stop(&slot->timer); // always succeeds
        start_worker(slot);                // it sees that none is needed
    }
}

void slot_kill(struct slot *slot) {
    if (slot->worker != NULL) {
        slot->attempt.killed = true;
        worker_signal(slot->worker, SIGQUIT); // the shim's word for it
    }
}

void slot_signal(struct slot *slot, int number) {
    if (slot->worker != NULL) {
        worker_signal(slot->worker, number);
    }
}

void slot_abandon(struct slot *slot) {
    slot_kill(slot);
    slot_let_go(slot);
}

void slot_let_go(struct slot *slot) {
    if (slot->worker != NULL) { // it becomes idle when the worker has ended
        if (slot->attempt.paused) {
            worker_resume(slot->worker); // nothing is queued any more
        }
    } else if (slot->state != SLOT_IDLE) {
        (void)uv_timer_stop(&slot->timer); // always succeeds
        go_idle(slot);
    }
}
