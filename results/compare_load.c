/* The trials of a sweep out of the store, for compare.c. */
#include "results/compare_internal.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "results/query.h"
#include "results/sweep_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what to compare ---- */

static int load_axes(struct compare *c, const char *text, struct err *err) {
    struct json_doc *doc;
    int rc = json_parse(&doc, "axes", text, strlen(text), JSON_STRICT, err);
    if (rc != ERR_OK) {
        return rc;
    }
    c->axes = mem_zalloc((size_t)json_count(json_root(doc)) + 1, sizeof *c->axes);
    for (struct cJSON *a = json_first(json_root(doc)); a != NULL; a = json_next(a)) {
        c->axes[c->axis_total++].path = mem_strdup(json_text(a));
    }
    json_free(doc);
    return ERR_OK;
}

static int load_objective(struct compare *c, struct store *store, struct err *err) {
    struct query q;
    int rc = query_open(&q, store,
                        "SELECT metric, goal = 'maximize', axes FROM sweep WHERE name = ?1", err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&q, 1, c->sweep);
    rc = query_next(&q, err);
    if (rc > 0) {
        c->metric_maximize = query_int(&q, 1) != 0;
        const char *metric = query_text(&q, 0);
        if (c->metric == NULL) {
            c->metric = mem_strdup(metric);
        } else if (strcmp(c->metric, metric) != 0) {
            c->metric_maximize = sweep_view_metric_rises(c->metric);
        }
        c->maximize = c->metric_maximize && !trial_value_is_reach(&c->what);
        rc = load_axes(c, query_text(&q, 2), err);
    } else if (rc == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "no sweep \"%s\"", c->sweep);
    }
    query_close(&q);
    return rc;
}

static int check_metric(const struct compare *c, struct store *store, struct err *err) {
    struct query q;
    int rc = query_open(&q, store,
                        "SELECT DISTINCT c.metric FROM curves c JOIN trials t USING (trial) "
                        "WHERE t.sweep = ?1 ORDER BY 1",
                        err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&q, 1, c->sweep);
    struct buf known = {0};
    bool found = false;
    while ((rc = query_next(&q, err)) > 0) {
        found = found || strcmp(query_text(&q, 0), c->metric) == 0;
        buf_printf(&known, "%s%s", known.len > 0 ? ", " : "", query_text(&q, 0));
    }
    query_close(&q);
    if (rc == 0 && !found) {
        rc = known.len == 0
                 ? err_set(err, ERR_NOT_FOUND, "sweep \"%s\" has no metrics yet", c->sweep)
                 : err_set(err, ERR_NOT_FOUND, "sweep \"%s\" has no metric \"%s\"; it has %s",
                           c->sweep, c->metric, buf_text(&known));
    }
    buf_release(&known);
    return rc;
}

/* ---- the trials ---- */

void compare_rows_release(struct compare_rows *rows) {
    for (int i = 0; i < rows->count; i++) {
        free(rows->at[i].level);
    }
    free(rows->at);
    *rows = (struct compare_rows){0};
}

/* Columns: trial, status, replicate, value, reached, params, the axes. */
static void add_row(struct compare *c, struct compare_rows *rows, const struct query *q,
                    int point) {
    if (rows->count == rows->cap) {
        rows->cap = rows->cap == 0 ? 256 : 2 * rows->cap;
        rows->at = mem_resize(rows->at, (size_t)rows->cap, sizeof *rows->at);
    }
    struct compare_row *row = &rows->at[rows->count++];
    *row = (struct compare_row){.trial = query_int(q, 0),
                                .replicate = query_int(q, 2),
                                .point = point,
                                .level = mem_zalloc((size_t)c->axis_total + 1, sizeof *row->level),
                                .complete = strcmp(query_text(q, 1), "complete") == 0,
                                .failed = strcmp(query_text(q, 1), "failed") == 0,
                                .value = query_double(q, 3),
                                .reached = query_int(q, 4) != 0};
    for (int a = 0; a < c->axis_total; a++) {
        row->level[a] = compare_level_of(&c->axes[a], query_text(q, 6 + a));
    }
}

static void put_sql(struct buf *sql, const struct compare *c) {
    buf_puts(sql, "SELECT s.trial, s.status, s.replicate, ");
    trial_value_put_sql(sql, &c->what, c->metric_maximize);
    buf_puts(sql, ", t.params");
    for (int a = 0; a < c->axis_total; a++) {
        buf_puts(sql, ", s.");
        sweep_view_put_identifier(sql, c->axes[a].path);
    }
    buf_puts(sql, " FROM ");
    sweep_view_put_name(sql, c->sweep);
    buf_puts(sql, " s JOIN trials t ON t.trial = s.trial AND t.sweep = ?2 ORDER BY t.params, 3");
}

static int load_rows(struct compare *c, struct store *store, struct compare_rows *rows,
                     struct err *err) {
    struct buf sql = {0};
    struct query q;
    put_sql(&sql, c);
    int rc = query_open(&q, store, buf_text(&sql), err);
    buf_release(&sql);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&q, 1, c->metric);
    query_bind_text(&q, 2, c->sweep);
    query_bind_double(&q, 3, trial_value_parameter(&c->what));
    char *params = NULL; // rows come ordered by them, so that a new one is always the next point
    int point = -1;
    while ((rc = query_next(&q, err)) > 0) {
        if (params == NULL || strcmp(params, query_text(&q, 5)) != 0) {
            free(params);
            params = mem_strdup(query_text(&q, 5));
            point++;
        }
        add_row(c, rows, &q, point);
    }
    free(params);
    query_close(&q);
    return rc;
}

int compare_load_by(struct compare *compare, struct store *store, const char *sweep,
                    const struct compare_options *options, struct err *err) {
    struct compare c = {.sweep = mem_strdup(sweep), .what = options->what};
    c.metric = options->metric == NULL ? NULL : mem_strdup(options->metric);
    struct compare_rows rows = {0};
    int rc = load_objective(&c, store, err);
    if (rc == ERR_OK) {
        rc = check_metric(&c, store, err);
    }
    if (rc == ERR_OK) {
        rc = load_rows(&c, store, &rows, err);
    }
    if (rc == ERR_OK) {
        compare_fill(&c, &rows);
        *compare = c;
    } else {
        compare_release(&c);
    }
    compare_rows_release(&rows);
    return rc;
}

int compare_load(struct compare *compare, struct store *store, const char *sweep,
                 const char *metric, struct err *err) {
    const struct compare_options options = {.metric = metric};
    return compare_load_by(compare, store, sweep, &options, err);
}
