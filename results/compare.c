#include "results/compare.h"

#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "results/level.h"
#include "results/query.h"
#include "results/sweep_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A trial of the sweep, as the view sweep_<name> shows it. */
struct row {
    int64_t trial;
    int point, replicate;
    int *level; // (axis_count) index into the axis's levels
    bool complete;
    double value; // NaN: has none
};

struct rows {
    struct row *at;
    int count, cap;
    char **params; // (point_count) the grid points' identities, in order of appearance
    int point_count;
    int replicate_max;
};

static const double LEVEL = 0.95; // of the confidence intervals

/* ---- what to compare ---- */

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
        c->maximize = query_int(&q, 1) != 0;
        const char *metric = query_text(&q, 0);
        if (c->metric == NULL) {
            c->metric = mem_strdup(metric);
        } else if (strcmp(c->metric, metric) != 0) {
            c->maximize = strstr(c->metric, "loss") == NULL && strstr(c->metric, "error") == NULL;
        }
        struct json_doc *doc;
        const char *axes = query_text(&q, 2);
        rc = json_parse(&doc, "axes", axes, strlen(axes), JSON_STRICT, err);
        if (rc == ERR_OK) {
            c->axes = mem_zalloc((size_t)json_count(json_root(doc)) + 1, sizeof *c->axes);
            for (struct cJSON *a = json_first(json_root(doc)); a != NULL; a = json_next(a)) {
                c->axes[c->axis_count++].path = mem_strdup(json_text(a));
            }
            json_free(doc);
        }
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

static int level_of(struct compare_axis *axis, const char *name) {
    for (int i = 0; i < axis->level_count; i++) {
        if (strcmp(axis->levels[i].name, name) == 0) {
            return i;
        }
    }
    axis->levels = mem_resize(axis->levels, (size_t)axis->level_count + 1, sizeof *axis->levels);
    axis->levels[axis->level_count] =
        (struct compare_level){.name = mem_strdup(name), .mean = NAN, .ci_half = NAN};
    return axis->level_count++;
}

static void rows_release(struct rows *rows) {
    for (int i = 0; i < rows->count; i++) {
        free(rows->at[i].level);
    }
    for (int i = 0; i < rows->point_count; i++) {
        free(rows->params[i]);
    }
    free(rows->at);
    free(rows->params);
}

static void add_row(struct compare *c, struct rows *rows, const struct query *q) {
    if (rows->count == rows->cap) {
        rows->cap = rows->cap == 0 ? 256 : 2 * rows->cap;
        rows->at = mem_resize(rows->at, (size_t)rows->cap, sizeof *rows->at);
    }
    struct row *row = &rows->at[rows->count++];
    const char *params = query_text(q, 4);
    // Rows come ordered by params, so that a new one is always the next point.
    if (rows->point_count == 0 || strcmp(rows->params[rows->point_count - 1], params) != 0) {
        rows->params =
            mem_resize(rows->params, (size_t)rows->point_count + 1, sizeof *rows->params);
        rows->params[rows->point_count++] = mem_strdup(params);
    }
    *row = (struct row){.trial = query_int(q, 0),
                        .point = rows->point_count - 1,
                        .replicate = (int)query_int(q, 2),
                        .level = mem_zalloc((size_t)c->axis_count + 1, sizeof *row->level),
                        .complete = strcmp(query_text(q, 1), "complete") == 0,
                        .value = query_double(q, 3)};
    rows->replicate_max =
        row->replicate > rows->replicate_max ? row->replicate : rows->replicate_max;
    row->complete = row->complete && !isnan(row->value);
    c->trials++;
    c->complete += row->complete;
    c->failed += strcmp(query_text(q, 1), "failed") == 0;
    for (int a = 0; a < c->axis_count; a++) {
        row->level[a] = level_of(&c->axes[a], query_text(q, 5 + a));
    }
}

static int load_rows(struct compare *c, struct store *store, struct rows *rows, struct err *err) {
    struct buf sql = {0};
    buf_printf(&sql,
               "SELECT s.trial, s.status, s.replicate, (SELECT %s(v.value) FROM curves v WHERE "
               "v.trial = s.trial AND v.metric = ?1), t.params",
               c->maximize ? "max" : "min");
    for (int a = 0; a < c->axis_count; a++) {
        buf_puts(&sql, ", s.");
        sweep_view_put_identifier(&sql, c->axes[a].path);
    }
    buf_puts(&sql, " FROM ");
    sweep_view_put_name(&sql, c->sweep);
    buf_puts(&sql, " s JOIN trials t ON t.trial = s.trial AND t.sweep = ?2 ORDER BY t.params, 3");

    struct query q;
    int rc = query_open(&q, store, buf_text(&sql), err);
    buf_release(&sql);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&q, 1, c->metric);
    query_bind_text(&q, 2, c->sweep);
    while ((rc = query_next(&q, err)) > 0) {
        add_row(c, rows, &q);
    }
    query_close(&q);
    return rc;
}

/* ---- the figures ---- */

/* true when `a` is better than `b`; NaN is worse than any number */
static bool better(const struct compare *c, double a, double b) {
    if (isnan(a) || isnan(b)) {
        return !isnan(a);
    }
    return c->maximize ? a > b : a < b;
}

static void fill_point(const struct compare *c, const struct rows *rows, int first, int last,
                       struct compare_point *point, double *values) {
    size_t n = 0;
    double best = NAN;
    for (int i = first; i < last; i++) {
        const struct row *row = &rows->at[i];
        if (row->complete) {
            values[n++] = row->value;
            if (better(c, row->value, best)) {
                best = row->value;
                point->best_trial = row->trial;
            }
        }
    }
    point->value = stats_of(values, n);
    point->ci_half = stats_ci_half(&point->value, LEVEL);
    point->level = mem_zalloc((size_t)c->axis_count + 1, sizeof *point->level);
    for (int a = 0; a < c->axis_count; a++) {
        point->level[a] = mem_strdup(c->axes[a].levels[rows->at[first].level[a]].name);
    }
}

static void fill_points(struct compare *c, const struct rows *rows) {
    double *values = mem_zalloc((size_t)rows->count + 1, sizeof *values);
    c->points = mem_zalloc((size_t)rows->point_count + 1, sizeof *c->points);
    for (int first = 0; first < rows->count;) {
        int last = first;
        bool any = false;
        for (; last < rows->count && rows->at[last].point == rows->at[first].point; last++) {
            any = any || rows->at[last].complete;
        }
        if (any) {
            fill_point(c, rows, first, last, &c->points[c->point_count++], values);
        }
        first = last;
    }
    free(values);
}

static void fill_level(const struct rows *rows, int axis, int index, struct compare_level *level) {
    size_t replicates = (size_t)rows->replicate_max;
    double *sum = mem_zalloc(replicates + 1, sizeof *sum);
    int *count = mem_zalloc(replicates + 1, sizeof *count);
    double total = 0;
    for (int i = 0; i < rows->count; i++) {
        const struct row *row = &rows->at[i];
        if (row->level[axis] == index) {
            level->trials++;
            if (row->complete) {
                level->complete++;
                total += row->value;
                sum[row->replicate] += row->value;
                count[row->replicate]++;
            }
        }
    }
    size_t n = 0;
    for (size_t r = 0; r <= replicates; r++) {
        if (count[r] > 0) {
            sum[n++] = sum[r] / count[r]; // n <= r: what is overwritten was read
        }
    }
    struct stats over_replicates = stats_of(sum, n);
    level->mean = level->complete > 0 ? total / level->complete : (double)NAN;
    level->ci_half = stats_ci_half(&over_replicates, LEVEL);
    level->replicates = (int)n;
    free(sum);
    free(count);
}

/* ---- order ---- */

static int order_of(bool maximize, double a, double b) {
    if (isnan(a) || isnan(b)) {
        return isnan(a) - isnan(b);
    }
    int up = (a > b) - (a < b);
    return maximize ? -up : up;
}

static int by_mean_down(const void *a, const void *b) {
    const struct compare_point *x = a, *y = b;
    int order = order_of(true, x->value.mean, y->value.mean);
    return order != 0 ? order : (x->best_trial > y->best_trial) - (x->best_trial < y->best_trial);
}

static int by_mean_up(const void *a, const void *b) {
    const struct compare_point *x = a, *y = b;
    int order = order_of(false, x->value.mean, y->value.mean);
    return order != 0 ? order : (x->best_trial > y->best_trial) - (x->best_trial < y->best_trial);
}

static int level_down(const void *a, const void *b) {
    const struct compare_level *x = a, *y = b;
    int order = order_of(true, x->mean, y->mean);
    return order != 0 ? order : strcmp(x->name, y->name);
}

static int level_up(const void *a, const void *b) {
    const struct compare_level *x = a, *y = b;
    int order = order_of(false, x->mean, y->mean);
    return order != 0 ? order : strcmp(x->name, y->name);
}

/* Axes of one value tell nothing: they go behind the others and are not counted any more. */
static void drop_constant_axes(struct compare *c) {
    int kept = 0;
    for (int a = 0; a < c->axis_count; a++) {
        if (c->axes[a].level_count > 1) {
            struct compare_axis axis = c->axes[a];
            c->axes[a] = c->axes[kept];
            c->axes[kept] = axis;
            for (int p = 0; p < c->point_count; p++) {
                char *level = c->points[p].level[a];
                c->points[p].level[a] = c->points[p].level[kept];
                c->points[p].level[kept] = level;
            }
            kept++;
        }
    }
    c->axis_count = kept;
}

static void shorten_names(struct compare_axis *axis) {
    char **names = mem_zalloc((size_t)axis->level_count + 1, sizeof *names);
    for (int l = 0; l < axis->level_count; l++) {
        names[l] = axis->levels[l].name;
    }
    level_shorten(names, axis->level_count);
    free(names);
}

static void fill(struct compare *c, const struct rows *rows) {
    for (int a = 0; a < c->axis_count; a++) {
        shorten_names(&c->axes[a]);
    }
    fill_points(c, rows);
    qsort(c->points, (size_t)c->point_count, sizeof *c->points,
          c->maximize ? by_mean_down : by_mean_up);
    for (int i = 0; i < c->point_count; i++) {
        c->points[i].rank = i + 1;
    }
    for (int a = 0; a < c->axis_count; a++) {
        for (int l = 0; l < c->axes[a].level_count; l++) {
            fill_level(rows, a, l, &c->axes[a].levels[l]);
        }
    }
    for (int a = 0; a < c->axis_count; a++) { // after all: rows refer to levels by index
        qsort(c->axes[a].levels, (size_t)c->axes[a].level_count, sizeof *c->axes[a].levels,
              c->maximize ? level_down : level_up);
    }
    drop_constant_axes(c);
}

int compare_load(struct compare *compare, struct store *store, const char *sweep,
                 const char *metric, struct err *err) {
    struct compare c = {.sweep = mem_strdup(sweep),
                        .metric = metric == NULL ? NULL : mem_strdup(metric)};
    struct rows rows = {0};
    int rc = load_objective(&c, store, err);
    if (rc == ERR_OK) {
        rc = check_metric(&c, store, err);
    }
    if (rc == ERR_OK) {
        rc = load_rows(&c, store, &rows, err);
    }
    if (rc == ERR_OK) {
        fill(&c, &rows);
        *compare = c;
    } else {
        compare_release(&c);
    }
    rows_release(&rows);
    return rc;
}

const struct compare_axis *compare_axis(const struct compare *compare, const char *path,
                                        struct err *err) {
    const char *names[64];
    size_t count = 0;
    for (int a = 0; a < compare->axis_count; a++) {
        if (strcmp(compare->axes[a].path, path) == 0) {
            return &compare->axes[a];
        }
        if (count < sizeof names / sizeof *names) {
            names[count++] = compare->axes[a].path;
        }
    }
    struct buf text = {0};
    diag_suggest(&text, path, names, count);
    err_set(err, ERR_NOT_FOUND, "sweep \"%s\" has no axis \"%s\" with several values%s",
            compare->sweep, path, buf_text(&text));
    buf_release(&text);
    return NULL;
}

void compare_release(struct compare *compare) {
    // All axes, the dropped ones too, are in the array, which ends in one without a path.
    int axes = 0;
    for (; compare->axes != NULL && compare->axes[axes].path != NULL; axes++) {
        struct compare_axis *axis = &compare->axes[axes];
        for (int l = 0; l < axis->level_count; l++) {
            free(axis->levels[l].name);
        }
        free(axis->levels);
        free(axis->path);
    }
    for (int p = 0; p < compare->point_count; p++) {
        for (int a = 0; a < axes; a++) {
            free(compare->points[p].level[a]);
        }
        free(compare->points[p].level);
    }
    free(compare->points);
    free(compare->axes);
    free(compare->sweep);
    free(compare->metric);
    *compare = (struct compare){0};
}
