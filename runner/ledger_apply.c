#include "runner/ledger_apply.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/wire.h"
#include "results/query.h"
#include "runner/ahead.h"
#include "runner/layer_event.h"
#include "runner/ledger.h"

#include <stdlib.h>
#include <string.h>

struct applier {
    struct store *store;
    int64_t sweep_id;
    struct ahead *ahead;       // NULL
    struct wire_record record; // epochs are unpacked into it
    struct refused {           // attempts that differ, until they end
        int64_t trial;
        int attempt;
    } * refused;
    int refused_count;
};

/* A query about this trial, ?1, and attempt, ?2. */
static int open_about(struct query *query, struct applier *a, const struct ledger_item *item,
                      const char *sql, struct err *err) {
    int rc = query_open(query, a->store, sql, err);
    if (rc == ERR_OK) {
        query_bind_int(query, 1, item->trial);
        query_bind_int(query, 2, item->attempt);
    }
    return rc;
}

/* One value of the first row that `sql` gives for this trial and attempt, as text; NULL without a row. */
static int ask(struct applier *a, const struct ledger_item *item, const char *sql, char **answer,
               struct err *err) {
    struct query query;
    *answer = NULL;
    int rc = open_about(&query, a, item, sql, err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = query_next(&query, err);
    if (rc > 0 && !query_is_null(&query, 0)) {
        *answer = mem_strdup(query_text(&query, 0));
    }
    query_close(&query);
    return rc < 0 ? rc : ERR_OK;
}

static int apply_begin(struct applier *a, struct ledger_item *item, struct err *err) {
    if (a->ahead != NULL) {
        ahead_begin(a->ahead, item->trial);
    }
    store_job_release(&item->begin.job); // of a batch that was rolled back
    char *paused, *missing;
    int rc = store_get_job(a->store, a->sweep_id, item->trial, &item->begin.job, err);
    rc = rc == ERR_OK ? ask(a, item,
                            "SELECT 1 FROM trial WHERE id = ?1 AND status = 'paused'"
                            " AND ?2 IS NOT NULL",
                            &paused, err)
                      : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    item->begin.was_paused = paused != NULL;
    free(paused);
    item->attempt = item->begin.job.attempts;
    rc =
        ask(a, item,
            "SELECT 1 FROM attempt WHERE trial = ?1 AND attempt = ?2 AND reason = 'missing epochs'",
            &missing, err);
    if (rc != ERR_OK) {
        return rc;
    }
    item->begin.afresh = missing != NULL;
    free(missing);
    item->attempt = item->begin.job.attempts + 1;
    return store_begin_attempt(a->store, item->trial, item->attempt, item->begin.slot, err);
}

/* What the latest attempt that said otherwise than this one said, of those that have left epochs: one that was refused or
 * died before has no share in the results.  Nor is there anything other than nothing. */
#define SAID_BEFORE(column)                                                                        \
    "SELECT b." column " FROM attempt a JOIN attempt b ON b.trial = a.trial"                       \
    " AND b.attempt < a.attempt AND b." column " <> a." column                                     \
    " WHERE a.trial = ?1 AND a.attempt = ?2"                                                       \
    " AND EXISTS (SELECT 1 FROM epoch e WHERE e.trial = b.trial AND e.attempt = b.attempt)"        \
    " ORDER BY b.attempt DESC LIMIT 1"

static int apply_start(struct applier *a, struct ledger_item *item, struct err *err) {
    free(item->start.numerics_before); // of a batch that was rolled back
    free(item->start.program_before);
    item->start.numerics_before = item->start.program_before = NULL;
    int rc = store_put_start(a->store, item->trial, item->attempt, item->start.from_epoch,
                             item->start.numerics, item->start.program, err);
    rc = rc == ERR_OK ? ask(a, item, SAID_BEFORE("numerics"), &item->start.numerics_before, err)
                      : rc;
    return rc == ERR_OK ? ask(a, item, SAID_BEFORE("program"), &item->start.program_before, err)
                        : rc;
}

/* Its place in the list of refused attempts, or -1. */
static int find_refused(const struct applier *a, const struct ledger_item *item) {
    for (int i = 0; i < a->refused_count; i++) {
        if (a->refused[i].trial == item->trial && a->refused[i].attempt == item->attempt) {
            return i;
        }
    }
    return -1;
}

static void refuse(struct applier *a, struct ledger_item *item, const struct err *err) {
    item->epoch.differs = mem_strdup(err->msg);
    a->refused = mem_resize(a->refused, (size_t)a->refused_count + 1, sizeof *a->refused);
    a->refused[a->refused_count++] = (struct refused){item->trial, item->attempt};
}

/* Attempts that have ended send no more epochs.  After the commit: a batch may be applied twice. */
static void forget_refused(struct applier *a, const struct ledger_item *batch) {
    for (const struct ledger_item *item = batch; item != NULL; item = item->next) {
        int at = item->kind == LEDGER_END ? find_refused(a, item) : -1;
        if (at >= 0) {
            a->refused[at] = a->refused[--a->refused_count];
        }
    }
}

static int apply_epoch(struct applier *a, struct ledger_item *item, struct err *err) {
    free(item->epoch.differs);
    item->epoch.differs = NULL;
    item->epoch.dropped = find_refused(a, item) >= 0;
    if (item->epoch.dropped) {
        return ERR_OK;
    }
    ledger_unpack(item, &a->record);
    int rc = store_put_epoch(a->store, item->trial, item->attempt, &a->record,
                             item->epoch.deterministic, &item->epoch.result, err);
    if (rc != ERR_DIFFERS) {
        return rc;
    }
    refuse(a, item, err);
    return ERR_OK; // the trial's trouble, not the storage's
}

static int apply_end(struct applier *a, struct ledger_item *item, struct err *err) {
    item->end.end.reason = item->end.reason;
    item->end.end.message = item->end.message;
    item->end.end.stopped = item->end.stopped;
    item->end.end.log_tail = item->end.log_tail;
    return store_end_attempt(a->store, item->trial, item->attempt, &item->end.end, err);
}

/* Whether the trial is complete, now that the rows are known. */
static bool is_complete(const struct applier *a, struct ledger_item *item) {
    struct attempt_outcome outcome = item->close.outcome;
    struct trial_verdict verdict = {0};
    int barren = item->close.barren;
    if (item->close.end == NULL || find_refused(a, item) >= 0) {
        return false;
    }
    outcome.epochs_done = item->close.epochs_done;
    outcome.epoch_last = item->close.epoch_last;
    outcome.progressed = outcome.epochs_done >= item->close.progress_from;
    outcome.beyond = item->close.beyond;
    trial_judge(&outcome, item->close.retries, &barren, &verdict);
    item->close.end->end.end.barren = barren;
    return verdict.status == TRIAL_COMPLETE;
}

/* What the trial's rows tell: its epochs, this attempt's start, and the attempts before that left out an epoch or were lost.  Of one whose end
 * cannot complete the trial, or completes it early, `outcome` has no epochs: then its start's word alone counts. */
static int read_close(struct applier *a, struct ledger_item *item, struct err *err) {
    static const char sql[] =
        "WITH before AS (SELECT attempt, reason FROM attempt WHERE trial = ?1 AND attempt < ?2)"
        " SELECT (SELECT count(*) FROM before WHERE reason = 'missing epochs'),"
        " EXISTS (SELECT 1 FROM before WHERE reason = 'runner died' AND attempt >"
        " (SELECT coalesce(max(attempt), 0) FROM before WHERE reason = 'missing epochs')),"
        " (SELECT from_epoch FROM attempt WHERE trial = ?1 AND attempt = ?2),"
        " (SELECT epoch FROM epoch WHERE trial = ?1 ORDER BY epoch DESC LIMIT 1)";
    struct query query;
    int rc = store_contiguous_epochs(a->store, item->trial, &item->close.epochs_done, err);
    rc = rc == ERR_OK ? open_about(&query, a, item, sql, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    rc = query_next(&query, err);
    if (rc > 0) {
        item->close.epoch_last = (int)query_int(&query, 3); // NULL is 0, without any
        item->close.missing = (int)query_int(&query, 0);
        const struct trial_ahead ahead = {.from_epoch = (int)query_int(&query, 2), // NULL is 0
                                          .lost = query_int(&query, 1) != 0,
                                          .progressed =
                                              item->close.epochs_done >= item->close.progress_from,
                                          .epochs_done = item->close.epochs_done,
                                          .epochs = item->close.outcome.epochs};
        item->close.beyond = trial_is_beyond(&ahead);
    }
    query_close(&query);
    return rc < 0 ? rc : ERR_OK;
}

static int apply_close(struct applier *a, struct ledger_item *item, struct err *err) {
    int rc = read_close(a, item, err);
    item->close.complete = rc == ERR_OK && is_complete(a, item);
    if (item->close.complete) {
        rc = apply_end(a, item->close.end, err);
        rc = rc == ERR_OK && item->close.next != NULL ? apply_begin(a, item->close.next, err) : rc;
    }
    return rc;
}

static int apply(struct applier *a, struct ledger_item *item, struct err *err) {
    switch (item->kind) {
    case LEDGER_BEGIN:
        return apply_begin(a, item, err);
    case LEDGER_START:
        return apply_start(a, item, err);
    case LEDGER_EPOCH:
        return apply_epoch(a, item, err);
    case LEDGER_LAYER:
        return find_refused(a, item) >= 0 ? ERR_OK
                                          : store_put_layer(a->store, item->trial, item->layer.row,
                                                            !item->layer.deterministic, err);
    case LEDGER_CLOSE:
        return apply_close(a, item, err);
    case LEDGER_END:
        return apply_end(a, item, err);
    case LEDGER_WAIT:
    case LEDGER_NOTICE:
        break;
    }
    return ERR_OK;
}

int applier_write(struct applier *a, struct ledger_item *batch, struct err *err) {
    int refused_before = a->refused_count;
    int rc = store_begin(a->store, err);
    if (rc != ERR_OK) {
        return rc;
    }
    for (struct ledger_item *item = batch; item != NULL && rc == ERR_OK; item = item->next) {
        rc = apply(a, item, err);
    }
    rc = rc == ERR_OK ? store_commit(a->store, err) : rc;
    if (rc == ERR_OK) {
        forget_refused(a, batch);
    } else {
        store_rollback(a->store);
        a->refused_count = refused_before;
    }
    return rc;
}

struct applier *applier_new(struct store *store, int64_t sweep_id, struct ahead *ahead) {
    struct applier *a = mem_zalloc(1, sizeof *a);
    a->store = store;
    a->sweep_id = sweep_id;
    a->ahead = ahead;
    return a;
}

void applier_free(struct applier *a) {
    if (a != NULL) {
        wire_record_release(&a->record);
        free(a->refused);
        free(a);
    }
}
