#include "runner/progress.h"

#include "base/err.h"
#include "base/mem.h"
#include "results/query.h"
#include "runner/sweep.h"

#include <math.h>
#include <stdlib.h>

/* ---- where the sweep stands ---- */

static int load_counts(struct progress *p, struct store *store, const char *sweep,
                       struct err *err) {
    static const char sql[] =
        "SELECT count(*), count(*) FILTER (WHERE status = 'complete'),"
        " count(*) FILTER (WHERE status = 'failed'), count(*) FILTER (WHERE status = 'paused'),"
        " count(*) FILTER (WHERE status IN ('pending', 'paused')),"
        " count(*) FILTER (WHERE status IN ('pending', 'paused') AND epochs IS NULL),"
        " total(max(epochs - epochs_done, 0)) FILTER (WHERE status IN ('pending', 'paused'))"
        " FROM trials WHERE sweep = ?1";
    struct query query;
    int rc = query_open(&query, store, sql, err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&query, 1, sweep);
    rc = query_next(&query, err);
    if (rc > 0) {
        p->total = query_int(&query, 0);
        p->complete = query_int(&query, 1);
        p->failed = query_int(&query, 2);
        p->paused = query_int(&query, 3);
        p->trials_left = query_int(&query, 4);
        p->unknown_left = query_int(&query, 5);
        p->epochs_left = query_int(&query, 6);
    }
    query_close(&query);
    return rc < 0 ? rc : ERR_OK;
}

static int load_best(struct progress *p, struct store *store, const char *sweep, struct err *err) {
    struct query query;
    int rc = query_open(&query, store,
                        p->maximize ? "SELECT best_value, label FROM trials WHERE sweep = ?1"
                                      " AND best_value IS NOT NULL ORDER BY 1 DESC LIMIT 1"
                                    : "SELECT best_value, label FROM trials WHERE sweep = ?1"
                                      " AND best_value IS NOT NULL ORDER BY 1 LIMIT 1",
                        err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&query, 1, sweep);
    rc = query_next(&query, err);
    if (rc > 0) {
        progress_value(p, query_double(&query, 0), query_text(&query, 1));
    }
    query_close(&query);
    return rc < 0 ? rc : ERR_OK;
}

int progress_load(struct progress *p, struct store *store, const struct sweep *sweep, int slots,
                  struct err *err) {
    *p = (struct progress){.maximize = sweep->maximize, .slots = slots};
    int rc = load_counts(p, store, sweep->name, err);
    return rc == ERR_OK ? load_best(p, store, sweep->name, err) : rc;
}

void progress_release(struct progress *p) {
    free(p->best_label);
    p->best_label = NULL;
}

/* ---- what happens ---- */

void progress_begin(struct progress *p, bool was_paused) {
    p->paused -= was_paused;
}

void progress_epoch(struct progress *p, double seconds, bool left) {
    p->epoch_s += seconds;
    p->epochs_n++;
    p->epochs_left -= left && p->epochs_left > 0;
}

void progress_value(struct progress *p, double value, const char *label) {
    bool better = p->maximize ? value > p->best : value < p->best;
    if (isnan(value) || (p->has_best && !better)) {
        return;
    }
    p->has_best = true;
    p->best = value;
    free(p->best_label);
    p->best_label = mem_strdup(label);
}

void progress_end(struct progress *p, enum trial_status status, bool epochs_known,
                  int64_t epochs_left, double seconds) {
    switch (status) {
    case TRIAL_COMPLETE:
        p->complete++;
        p->complete_now++;
        p->trial_s += seconds;
        p->trials_n++;
        break;
    case TRIAL_FAILED:
        p->failed++;
        p->failed_now++;
        break;
    default:
        p->paused++;
        p->paused_now++;
        break;
    }
    p->trials_left--;
    p->unknown_left -= !epochs_known;
    p->epochs_left -= epochs_left < p->epochs_left ? epochs_left : p->epochs_left;
}

double progress_eta(const struct progress *p) {
    if (p->trials_left <= 0) {
        return 0.0;
    }
    bool measured =
        (p->epochs_left == 0 || p->epochs_n > 0) && (p->unknown_left == 0 || p->trials_n > 0);
    if (!measured) {
        return NAN;
    }
    double work = 0.0;
    if (p->epochs_left > 0) {
        work += (double)p->epochs_left * p->epoch_s / (double)p->epochs_n;
    }
    if (p->unknown_left > 0) {
        work += (double)p->unknown_left * p->trial_s / (double)p->trials_n;
    }
    int64_t workers = p->trials_left < p->slots ? p->trials_left : p->slots;
    return work / (double)workers;
}
