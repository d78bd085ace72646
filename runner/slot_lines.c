#include "runner/slot_lines.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/wire.h"
#include "runner/layer_event.h"
#include "runner/ledger.h"
#include "runner/run_internal.h"
#include "runner/slot_wait.h"
#include "runner/start_event.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- lines ---- */

static void on_start(struct slot *slot, const struct cJSON *event) {
    struct start_event start;
    start_event_read(&start, event);
    slot->attempt.deterministic = start.deterministic;
    struct ledger_item *item =
        ledger_item_new(LEDGER_START, slot, slot->trial, slot->attempt.number);
    item->start.from_epoch = start.from_epoch;
    item->start.numerics = start.numerics; // both are the item's from now on
    item->start.program = start.program;
    ledger_push(slot->run->ledger, item);
}

enum { REASON_MAX = 63 };

static void on_done(struct slot *slot, const struct cJSON *event) {
    struct slot_attempt *a = &slot->attempt;
    a->done_event = true;
    if (a->stopped == NULL) { // the first counts
        a->stopped = event_text(json_get(event, "stopped"), REASON_MAX);
    }
}

static void on_failed(struct slot *slot, const struct cJSON *event) {
    enum { MESSAGE_MAX = 400 };
    struct slot_attempt *a = &slot->attempt;
    if (a->failed_reason == NULL) { // the first counts
        char *reason = event_text(json_get(event, "reason"), REASON_MAX);
        a->failed_reason = reason != NULL ? reason : mem_strdup("failed");
        a->failed_message = event_text(json_get(event, "message"), MESSAGE_MAX);
    }
}

static size_t bytes_of(const struct ledger_item *item) {
    if (item->kind == LEDGER_LAYER) {
        return sizeof *item + layer_event_bytes(item->layer.row);
    }
    return sizeof *item + (size_t)item->epoch.metric_count * sizeof *item->epoch.metrics;
}

static void on_bad(struct slot *slot, const char *problem) {
    if (slot->bad_lines++ == 0) {
        run_warn(slot->run, slot->trial,
                 "trial %lld prints lines that begin with { but are no records (see its log): %s",
                 (long long)slot->trial, problem);
    }
}

/* A worker's share of the rows that may wait: what one has waiting, the others' next epochs wait for, too. */
static int rows_max(const struct slot *slot) {
    int share = RUN_QUEUED_ROWS / slot->run->slot_count;
    return share > RUN_QUEUED_ROWS_LEAST ? share : RUN_QUEUED_ROWS_LEAST;
}

/* An item that takes memory until it is stored.  With too much of it waiting, the worker waits, too. */
static void push_row(struct slot *slot, struct ledger_item *item) {
    struct slot_attempt *a = &slot->attempt;
    a->queued_rows++;
    a->queued_bytes += bytes_of(item);
    ledger_push(slot->run->ledger, item);
    if (!a->paused &&
        (a->queued_rows >= rows_max(slot) || a->queued_bytes > RUN_QUEUED_BYTES_MAX)) {
        a->paused = true;
        watchdog_hold(&a->watch, run_watch_clock(slot->run));
        worker_pause(slot->worker);
        ledger_hurry(slot->run->ledger);
    }
}

static void on_layer(struct slot *slot, const struct cJSON *event) {
    struct slot_attempt *a = &slot->attempt;
    if (a->layers == RUN_LAYERS_MAX) {
        return; // told when the limit was met
    }
    const char *problem;
    struct store_layer *row = layer_event_read(event, &problem);
    if (row == NULL) {
        on_bad(slot, problem);
        return;
    }
    struct ledger_item *item = ledger_item_new(LEDGER_LAYER, slot, slot->trial, a->number);
    item->layer.row = row;
    item->layer.deterministic = a->deterministic;
    push_row(slot, item);
    if (++a->layers == RUN_LAYERS_MAX) {
        run_warn(slot->run, slot->trial,
                 "trial %lld has told of %d layers in this attempt: of more only its log will know",
                 (long long)slot->trial, RUN_LAYERS_MAX);
    }
}

static void on_epoch(struct slot *slot, const struct wire_record *line) {
    struct slot_attempt *a = &slot->attempt;
    watchdog_progress(&a->watch, run_watch_clock(slot->run)); // told, whenever it is stored
    struct ledger_item *item = ledger_item_new(LEDGER_EPOCH, slot, slot->trial, a->number);
    item->epoch.deterministic = a->deterministic;
    ledger_pack(item, line);
    push_row(slot, item);
}

/* It waits for room, as the runner would. */
static void on_waiting(struct slot *slot, const struct cJSON *event) {
    const struct cJSON *reason = json_get(event, "reason");
    if (reason != NULL && json_type(reason) == JSON_STRING &&
        strcmp(json_text(reason), "disk full") == 0) {
        slot_wait_for_room(slot, "disk full");
    }
}

static void on_event(struct slot *slot, const struct wire_record *line) {
    if (strcmp(line->event, "start") == 0) {
        on_start(slot, line->object);
    } else if (strcmp(line->event, "layers") == 0) {
        on_layer(slot, line->object);
    } else if (strcmp(line->event, "done") == 0) {
        on_done(slot, line->object);
    } else if (strcmp(line->event, "failed") == 0) {
        on_failed(slot, line->object);
    } else if (strcmp(line->event, "waiting") == 0) {
        on_waiting(slot, line->object);
    } else if (strcmp(line->event, "resumed") == 0) {
        slot_wait_over(slot);
    } // all others are in the log
}

void slot_line(struct slot *slot, const char *text, size_t len, bool cut) {
    if (slot->run->failed || len == 0 || text[0] != '{') {
        return;
    }
    if (cut) {
        on_bad(slot, "longer than 65536 bytes");
        return;
    }
    struct wire_record *line = &slot->run->line;
    wire_parse(line, text, len);
    switch (line->kind) {
    case WIRE_TEXT:
        break;
    case WIRE_EPOCH:
        on_epoch(slot, line);
        break;
    case WIRE_EVENT:
        on_event(slot, line);
        break;
    case WIRE_BAD:
        on_bad(slot, line->problem);
        break;
    }
}

/* ---- after the commit ---- */

/* One thing of the trainer is not as it was: told once a trial, and kept for the case that bits differ. */
static void note_drift(struct slot *slot, enum slot_drift what, const char *before,
                       const char *now) {
    static const char *const names[] = {"numerics", "program"};
    static const char *const effects[] = {"goes on with other numerics, so its bits may differ",
                                          "goes on with another program"};
    if (before == NULL) {
        return;
    }
    struct slot_attempt *a = &slot->attempt;
    char *drift = a->drift; // the numerics, when this is the program
    a->drift = mem_printf("%s%sits %s %s changed (\"%.80s\" before, \"%.80s\" now)",
                          drift != NULL ? drift : "", drift != NULL ? " and " : "", names[what],
                          what == SLOT_DRIFT_NUMERICS ? "have" : "has", before, now);
    free(drift);
    if (!slot->drift_told[what]) {
        slot->drift_told[what] = true;
        run_warn(slot->run, slot->trial, "trial %lld %s: \"%s\" before, \"%s\" now",
                 (long long)slot->trial, effects[what], before, now);
    }
}

void slot_ack_start(struct slot *slot, const struct ledger_item *item) {
    note_drift(slot, SLOT_DRIFT_NUMERICS, item->start.numerics_before, item->start.numerics);
    note_drift(slot, SLOT_DRIFT_PROGRAM, item->start.program_before, item->start.program);
}

/* What came out with other bits, with the likely cause where one is known, and the way out. */
static char *explain_differs(const struct slot *slot, const char *differs) {
    const char *drift = slot->attempt.drift;
    return drift == NULL
               ? mem_strdup(differs)
               : mem_printf("%s; %s, the likely cause: run it as it began, "
                            "by --retry-failed and without the checkpoints made since, or anew "
                            "with another --out",
                            differs, drift);
}

static void resume_if_drained(struct slot *slot) {
    struct slot_attempt *a = &slot->attempt;
    if (a->paused && a->queued_rows <= rows_max(slot) / RUN_QUEUED_ROWS_DRAINED) {
        a->paused = false;
        watchdog_go_on(&a->watch, run_watch_clock(slot->run));
        if (slot->worker != NULL) {
            worker_resume(slot->worker);
        }
    }
}

/* NaN when the record lacks the metric. */
static double value_of(const struct ledger_item *item, const char *metric) {
    for (int i = 0; i < item->epoch.metric_count; i++) {
        if (strcmp(item->epoch.metrics[i].name, metric) == 0) {
            return item->epoch.metrics[i].value;
        }
    }
    return NAN;
}

static void note_epoch(struct slot *slot, const struct ledger_item *item) {
    struct run *run = slot->run;
    struct run_slot_view *view = &run->slot_views[slot->index];
    double value = value_of(item, run->sweep->metric);
    view->epoch = item->epoch.epoch;
    view->has_value = !isnan(value);
    view->value = value;
    view->samples_per_second = item->epoch.samples_per_second;
    progress_value(&run->progress, value, slot->job.label);
    if (item->epoch.result == STORE_REPEATED) {
        return; // out of a checkpoint, or computed again: known already
    }
    uint64_t now = run_clock(run);
    bool left = slot->job.epochs > 0 && item->epoch.epoch > slot->epochs_best &&
                item->epoch.epoch <= slot->job.epochs;
    progress_epoch(&run->progress, (double)(now - slot->mark_ns) * 1e-9, left);
    slot->mark_ns = now;
    slot->epochs_best += left;
    ledger_unpack(item, &run->shown);
    run_emit(run, &(struct run_event){.kind = RUN_EPOCH,
                                      .slot = slot->index,
                                      .trial = slot->trial,
                                      .attempt = item->attempt,
                                      .epoch = item->epoch.epoch,
                                      .label = slot->job.label,
                                      .record = &run->shown});
}

void slot_ack_epoch(struct slot *slot, const struct ledger_item *item) {
    struct slot_attempt *a = &slot->attempt;
    a->queued_rows--;
    a->queued_bytes -= bytes_of(item);
    if (item->epoch.differs == NULL && !item->epoch.dropped) {
        note_epoch(slot, item);
    } else if (a->differs == NULL) {
        a->differs = explain_differs(slot, item->epoch.differs);
        slot_kill(slot); // what it goes on to compute is worth nothing
    }
    resume_if_drained(slot);
}

void slot_ack_layer(struct slot *slot, const struct ledger_item *item) {
    slot->attempt.queued_rows--;
    slot->attempt.queued_bytes -= bytes_of(item);
    resume_if_drained(slot);
}
