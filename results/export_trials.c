/* The query behind the rows of trials: the view `trials` beside the sweep's own view, which knows the axes and
 * metrics.  What the columns of that one are follows from their order (docs/schema.md):
 *
 *     trial, status, <axes>, replicate, <metric>_best, <metric>_last, ..., <parts>
 *
 * A view cannot tell NaN from absent.  Here a metric's last value that is NULL, of a trial that has it, is NaN. */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "results/export_internal.h"
#include "results/sweep_view.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { VIEW_AXES = 2 }; // the view's column with the first axis

struct select {
    struct buf sql;
    struct export_trials *trials;
    int64_t *metric; // ids of the metrics that the view shows
    int metric_count;
};

static const char *const fixed_names[] = {
    "trial",    "key",         "label",    "status",     "replicate",  "seed",
    "attempts", "epochs_done", "epochs",   "best_value", "best_epoch", "last_value",
    "seconds",  "started_at",  "ended_at", "error",      "stopped",    "params"};
enum { FIXED_COUNT = sizeof fixed_names / sizeof *fixed_names };

static bool is_taken(const struct export_trials *trials, const char *name, bool fixed) {
    for (int i = 0; !fixed && i < FIXED_COUNT; i++) {
        if (strcasecmp(fixed_names[i], name) == 0) {
            return true;
        }
    }
    for (int i = 0; i < trials->count; i++) {
        if (strcasecmp(trials->column[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Names the column whose expression the caller puts next. */
static void add_column(struct select *select, const char *name, enum export_kind kind) {
    struct export_trials *trials = select->trials;
    struct buf unique = {0};
    buf_puts(&unique, name);
    while (is_taken(trials, buf_text(&unique), kind == EXPORT_FIXED || kind == EXPORT_PARAMS)) {
        buf_putc(&unique, '_');
    }
    trials->column = mem_resize(trials->column, (size_t)trials->count + 1, sizeof *trials->column);
    trials->column[trials->count++] = (struct export_column){buf_detach(&unique), kind};
    if (trials->count > 1) {
        buf_puts(&select->sql, ", ");
    }
}

static void add_fixed(struct select *select, const char *name, const char *sql) {
    add_column(select, name, EXPORT_FIXED);
    buf_puts(&select->sql, sql);
}

static void add_view(struct select *select, const struct query *view, int column,
                     enum export_kind kind) {
    add_column(select, query_name(view, column), kind);
    buf_puts(&select->sql, "v.");
    sweep_view_put_identifier(&select->sql, query_name(view, column));
}

/* An expression, or NaN where it is NULL and the trial has the metric. */
static void put_number(struct buf *sql, const char *expression, const char *metric) {
    buf_printf(
        sql,
        "CASE WHEN %s IS NULL AND EXISTS (SELECT 1 FROM summary u WHERE u.trial = t.trial AND "
        "u.metric = %s) THEN 'NaN' ELSE %s END",
        expression, metric, expression);
}

static void add_last(struct select *select, const struct query *view, int column, int64_t metric) {
    struct buf name = {0};
    add_column(select, query_name(view, column), EXPORT_METRIC);
    buf_puts(&name, "v.");
    sweep_view_put_identifier(&name, query_name(view, column));
    char *id = mem_printf("%lld", (long long)metric);
    put_number(&select->sql, buf_text(&name), id);
    free(id);
    buf_release(&name);
}

#define ISO(what)                                                                                  \
    "(SELECT strftime('%Y-%m-%dT%H:%M:%fZ', " what                                                 \
    ", 'unixepoch') FROM attempt a WHERE a.trial = t.trial)"

static void put_columns(struct select *select, const struct query *view, bool active) {
    struct export_trials *trials = select->trials;
    int metrics = VIEW_AXES + trials->axis_count + 1;
    int parts = metrics + 2 * select->metric_count;
    add_fixed(select, "trial", "t.trial");
    add_fixed(select, "key", "t.key");
    add_fixed(select, "label", "t.label");
    add_fixed(select, "status",
              active ? "t.status" : "CASE t.status WHEN 'running' THEN 'paused' ELSE t.status END");
    add_fixed(select, "replicate", "t.replicate");
    add_fixed(select, "seed", "t.seed");
    for (int i = VIEW_AXES; i < VIEW_AXES + trials->axis_count; i++) {
        add_view(select, view, i, EXPORT_AXIS);
    }
    for (int i = parts; i < query_columns(view); i++) {
        add_view(select, view, i, EXPORT_PART);
    }
    add_fixed(select, "attempts", "t.attempts");
    add_fixed(select, "epochs_done", "t.epochs_done");
    add_fixed(select, "epochs", "t.epochs");
    trials->best_value = trials->count;
    add_fixed(select, "best_value", "t.best_value");
    add_fixed(select, "best_epoch", "t.best_epoch");
    trials->last_value = trials->count;
    add_fixed(select, "last_value", "");
    trials->column[trials->last_value].kind = EXPORT_METRIC;
    put_number(&select->sql, "t.last_value", "(SELECT w.metric_id FROM sweep w WHERE w.name = ?1)");
    for (int i = 0; i < select->metric_count; i++) {
        add_view(select, view, metrics + 2 * i, EXPORT_METRIC);
        add_last(select, view, metrics + 2 * i + 1, select->metric[i]);
    }
    add_fixed(select, "seconds", "t.seconds");
    add_fixed(select, "started_at", ISO("min(a.started_at)"));
    add_fixed(select, "ended_at",
              "CASE WHEN t.status IN ('complete', 'failed', 'pruned', 'cancelled') THEN " ISO(
                  "max(a.ended_at)") " END");
    add_fixed(select, "error", "t.error");
    add_fixed(select, "stopped", "t.stopped");
    trials->params = trials->count;
    add_column(select, "params", EXPORT_PARAMS);
    buf_puts(&select->sql, "t.params");
}

/* ---- what the view shows ---- */

static int count_axes(struct store *store, const char *sweep, int *count, struct err *err) {
    struct query q;
    int rc = query_open(&q, store, "SELECT axes FROM sweep WHERE name = ?1", err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&q, 1, sweep);
    rc = query_next(&q, err);
    if (rc > 0) {
        struct json_doc *doc = NULL;
        const char *text = query_text(&q, 0);
        rc = json_parse(&doc, "axes", text, strlen(text), JSON_STRICT, err);
        if (rc == ERR_OK) {
            *count = json_count(json_root(doc));
        }
        json_free(doc);
    } else if (rc == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "no sweep \"%s\"", sweep);
    }
    query_close(&q);
    return rc;
}

/* The metrics in the order of the view's columns. */
static int load_metrics(struct select *select, struct store *store, const char *sweep,
                        struct err *err) {
    struct query q;
    int rc =
        query_open(&q, store,
                   "SELECT id FROM metric WHERE id IN (SELECT d.metric FROM measured d JOIN sweep s"
                   " ON s.id = d.sweep WHERE s.name = ?1 UNION SELECT metric_id FROM sweep"
                   " WHERE name = ?1) ORDER BY id",
                   err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&q, 1, sweep);
    while ((rc = query_next(&q, err)) > 0) {
        select->metric =
            mem_resize(select->metric, (size_t)select->metric_count + 1, sizeof *select->metric);
        select->metric[select->metric_count++] = query_int(&q, 0);
    }
    query_close(&q);
    return rc;
}

static int open_view(struct query *view, struct store *store, const char *sweep, struct err *err) {
    struct buf sql = {0};
    buf_puts(&sql, "SELECT * FROM ");
    sweep_view_put_name(&sql, sweep);
    int rc = query_open(view, store, buf_text(&sql), err);
    buf_release(&sql);
    return rc;
}

int export_trials_open(struct export_trials *trials, struct store *store, const char *sweep,
                       bool active, struct err *err) {
    *trials = (struct export_trials){0};
    struct select select = {.trials = trials};
    struct query view = {0};
    int rc = count_axes(store, sweep, &trials->axis_count, err);
    rc = rc == ERR_OK ? load_metrics(&select, store, sweep, err) : rc;
    rc = rc == ERR_OK ? open_view(&view, store, sweep, err) : rc;
    if (rc == ERR_OK &&
        query_columns(&view) < VIEW_AXES + trials->axis_count + 1 + 2 * select.metric_count) {
        rc = err_set(err, ERR_CORRUPT, "the view of the sweep \"%s\" lacks columns", sweep);
    }
    if (rc == ERR_OK) {
        buf_puts(&select.sql, "SELECT ");
        put_columns(&select, &view, active);
        buf_puts(&select.sql, " FROM trials t JOIN ");
        sweep_view_put_name(&select.sql, sweep);
        buf_puts(&select.sql, " v ON v.trial = t.trial WHERE t.sweep = ?1 ORDER BY t.trial");
        rc = query_open(&trials->query, store, buf_text(&select.sql), err);
    }
    if (rc == ERR_OK) {
        query_bind_text(&trials->query, 1, sweep);
    } else {
        export_trials_close(trials);
    }
    query_close(&view);
    free(select.metric);
    buf_release(&select.sql);
    return rc;
}

void export_trials_close(struct export_trials *trials) {
    query_close(&trials->query);
    for (int i = 0; i < trials->count; i++) {
        free(trials->column[i].name);
    }
    free(trials->column);
    *trials = (struct export_trials){0};
}

int export_begin(struct store *store, struct err *err) {
    struct query q;
    int rc = query_open(&q, store, "BEGIN", err);
    rc = rc == ERR_OK ? query_next(&q, err) : rc;
    query_close(&q);
    return rc;
}

void export_end(struct store *store) {
    struct query q;
    struct err ignored; // it was only read
    if (query_open(&q, store, "COMMIT", &ignored) == ERR_OK) {
        (void)query_next(&q, &ignored);
    }
    query_close(&q);
}
