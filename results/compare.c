#include "results/compare_internal.h"

#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/mem.h"
#include "results/holm.h"
#include "results/level.h"
#include "results/paired.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- order ---- */

int compare_order(const struct compare *c, double a, double b) {
    if (isnan(a) || isnan(b)) {
        return isnan(a) - isnan(b);
    }
    int up = (a > b) - (a < b);
    return c->maximize ? -up : up;
}

/* By k of n first, the larger share before the smaller, and nothing at all last; then by mean. */
static int order_shares(const struct compare *c, int k, int n, double mean, int other_k,
                        int other_n, double other_mean) {
    if (n == 0 || other_n == 0) {
        return (n == 0) - (other_n == 0);
    }
    int64_t here = (int64_t)k * other_n, there = (int64_t)other_k * n;
    return here != there ? (here < there ? 1 : -1) : compare_order(c, mean, other_mean);
}

int compare_marginal_order(const struct compare *c, const struct compare_marginal *a,
                           const struct compare_marginal *b) {
    return order_shares(c, a->n, a->complete, a->mean, b->n, b->complete, b->mean);
}

static int by_share_and_mean(const void *a, const void *b, void *compare) {
    const struct compare_point *x = a, *y = b;
    int order = order_shares(compare, (int)x->value.n, x->complete, x->value.mean, (int)y->value.n,
                             y->complete, y->value.mean);
    return order != 0 ? order : (x->best_trial > y->best_trial) - (x->best_trial < y->best_trial);
}

static int level_order(const void *a, const void *b, void *compare) {
    const struct compare_level *x = a, *y = b;
    int order = order_shares(compare, x->n, x->complete, x->mean, y->n, y->complete, y->mean);
    return order != 0 ? order : strcmp(x->name, y->name);
}

/* ---- axes ---- */

int compare_level_of(struct compare_axis *axis, const char *name) {
    for (int i = 0; i < axis->level_count; i++) {
        if (strcmp(axis->levels[i].full, name) == 0) {
            return i;
        }
    }
    axis->levels = mem_resize(axis->levels, (size_t)axis->level_count + 1, sizeof *axis->levels);
    axis->levels[axis->level_count] = (struct compare_level){
        .name = mem_strdup(name), .full = mem_strdup(name), .mean = NAN, .ci_half = NAN};
    return axis->level_count++;
}

/* Axes of one value tell nothing: they go behind the others, which keep their order. */
static void put_constant_axes_last(struct compare *c, struct compare_rows *rows) {
    size_t total = (size_t)c->axis_total;
    struct compare_axis *axes = mem_zalloc(total + 1, sizeof *axes);
    int *from = mem_zalloc(total + 1, sizeof *from), *level = mem_zalloc(total + 1, sizeof *level);
    int count = 0;
    for (int constant = 0; constant <= 1; constant++) {
        for (int a = 0; a < c->axis_total; a++) {
            if ((c->axes[a].level_count < 2) == constant) {
                from[count] = a;
                axes[count++] = c->axes[a];
            }
        }
        c->axis_count = constant ? c->axis_count : count;
    }
    for (int i = 0; i < rows->count; i++) {
        memcpy(level, rows->at[i].level, total * sizeof *level);
        for (int a = 0; a < c->axis_total; a++) {
            rows->at[i].level[a] = level[from[a]];
        }
    }
    free(c->axes);
    c->axes = axes;
    free(from);
    free(level);
}

static void shorten_names(struct compare_axis *axis) {
    char **names = mem_zalloc((size_t)axis->level_count + 1, sizeof *names);
    for (int l = 0; l < axis->level_count; l++) {
        names[l] = axis->levels[l].name;
    }
    level_shorten(names, axis->level_count);
    free(names);
}

/* ---- the grid ---- */

static int ascending(const void *a, const void *b) {
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The replicates' numbers as they are, however they are counted. */
static void number_replicates(struct compare_grid *grid, const struct compare_rows *rows) {
    grid->number = mem_zalloc((size_t)rows->count + 1, sizeof *grid->number);
    for (int i = 0; i < rows->count; i++) {
        grid->number[i] = rows->at[i].replicate;
    }
    qsort(grid->number, (size_t)rows->count, sizeof *grid->number, ascending);
    for (int i = 0; i < rows->count; i++) {
        if (i == 0 || grid->number[i] != grid->number[i - 1]) {
            grid->number[grid->replicates++] = grid->number[i]; // never ahead of i
        }
    }
}

static void fill_cell(struct compare *c, const struct compare_row *row) {
    struct compare_grid *grid = &c->grid;
    const int64_t *number = bsearch(&row->replicate, grid->number, (size_t)grid->replicates,
                                    sizeof *grid->number, ascending);
    size_t i = (size_t)row->point * (size_t)grid->replicates + (size_t)(number - grid->number);
    bool reach = trial_value_is_reach(&c->what);
    bool missed = reach && row->complete && !row->reached; // which is known, and not missing
    bool counts = row->complete && (missed || !isnan(row->value));
    memcpy(&grid->level[(size_t)row->point * (size_t)c->axis_total], row->level,
           (size_t)c->axis_total * sizeof *row->level);
    grid->state[i] = counts ? COMPARE_COMPLETE : COMPARE_PLANNED;
    grid->value[i] = counts && !missed ? row->value : (double)NAN;
    grid->trial[i] = row->trial;
    c->trials++;
    c->failed += row->failed;
    c->complete += counts;
    c->unvalued += row->complete && !counts;
    c->reached += counts && !missed;
}

static void fill_grid(struct compare *c, const struct compare_rows *rows) {
    struct compare_grid *grid = &c->grid;
    number_replicates(grid, rows);
    grid->count = rows->count == 0 ? 0 : rows->at[rows->count - 1].point + 1;
    size_t cells = (size_t)grid->count * (size_t)grid->replicates + 1;
    grid->level = mem_zalloc((size_t)grid->count * (size_t)c->axis_total + 1, sizeof *grid->level);
    grid->value = mem_zalloc(cells, sizeof *grid->value);
    grid->state = mem_zalloc(cells, sizeof *grid->state);
    grid->trial = mem_zalloc(cells, sizeof *grid->trial);
    for (size_t i = 0; i < cells; i++) {
        grid->value[i] = NAN;
    }
    for (int i = 0; i < rows->count; i++) {
        fill_cell(c, &rows->at[i]);
    }
}

/* ---- marginal means ---- */

/* sum[r] and count[r] over the trials of replicate r, of one level */
static void end_marginal(struct compare_marginal *m, double *sum, const int *count,
                         int replicates) {
    double total = 0;
    size_t n = 0;
    for (int r = 0; r < replicates; r++) {
        if (count[r] > 0) {
            total += sum[r];
            sum[n++] = sum[r] / count[r]; // n <= r: what is overwritten was read
        }
    }
    struct stats over_replicates = stats_of(sum, n);
    m->mean = m->n > 0 ? total / m->n : (double)NAN;
    m->ci_half = stats_ci_half(&over_replicates, STATS_LEVEL);
    m->replicates = (int)n;
}

void compare_marginals(const struct compare *c, int axis, int given, int given_level,
                       struct compare_marginal *out) {
    const struct compare_grid *grid = &c->grid;
    int levels = c->axes[axis].level_count, replicates = grid->replicates;
    size_t cells = (size_t)levels * (size_t)replicates + 1;
    double *sum = mem_zalloc(cells, sizeof *sum);
    int *count = mem_zalloc(cells, sizeof *count);
    memset(out, 0, (size_t)levels * sizeof *out);
    for (int p = 0; p < grid->count; p++) {
        const int *level = compare_levels(c, p);
        if (given >= 0 && level[given] != given_level) {
            continue;
        }
        struct compare_marginal *m = &out[level[axis]];
        for (int r = 0; r < replicates; r++) {
            size_t i = (size_t)p * (size_t)replicates + (size_t)r;
            size_t at = (size_t)level[axis] * (size_t)replicates + (size_t)r;
            m->trials += grid->state[i] != COMPARE_NONE;
            m->complete += grid->state[i] == COMPARE_COMPLETE;
            if (!isnan(grid->value[i])) {
                m->n++;
                sum[at] += grid->value[i];
                count[at]++;
            }
        }
    }
    for (int l = 0; l < levels; l++) {
        size_t first = (size_t)l * (size_t)replicates;
        end_marginal(&out[l], &sum[first], &count[first], replicates);
    }
    free(sum);
    free(count);
}

static void fill_levels(struct compare *c, int a) {
    struct compare_axis *axis = &c->axes[a];
    size_t levels = (size_t)axis->level_count;
    struct compare_marginal *m = mem_zalloc(levels + 1, sizeof *m);
    compare_marginals(c, a, -1, 0, m);
    for (size_t l = 0; l < levels; l++) {
        struct compare_level *level = &axis->levels[l];
        *level = (struct compare_level){.name = level->name,
                                        .full = level->full,
                                        .trials = m[l].trials,
                                        .complete = m[l].complete,
                                        .n = m[l].n,
                                        .mean = m[l].mean,
                                        .ci_half = m[l].ci_half,
                                        .replicates = m[l].replicates};
    }
    free(m);
}

/* Best first; the grid refers to levels by index and follows. */
static void sort_levels(struct compare *c, int a) {
    struct compare_axis *axis = &c->axes[a];
    size_t levels = (size_t)axis->level_count;
    char **before = mem_zalloc(levels + 1, sizeof *before);
    int *now = mem_zalloc(levels + 1, sizeof *now);
    for (size_t l = 0; l < levels; l++) {
        before[l] = axis->levels[l].name;
    }
    qsort_r(axis->levels, levels, sizeof *axis->levels, level_order, c);
    for (size_t l = 0; l < levels; l++) {
        for (size_t old = 0; old < levels; old++) {
            if (before[old] == axis->levels[l].name) {
                now[old] = (int)l;
            }
        }
    }
    for (int p = 0; p < c->grid.count; p++) {
        int *level = &c->grid.level[(size_t)p * (size_t)c->axis_total + (size_t)a];
        *level = now[*level];
    }
    free(before);
    free(now);
}

/* ---- points ---- */

/* false: none of its trials is complete */
static bool fill_point(const struct compare *c, int cell, struct compare_point *point,
                       double *values) {
    const struct compare_grid *grid = &c->grid;
    size_t n = 0;
    double best = NAN;
    *point = (struct compare_point){.cell = cell};
    for (int r = 0; r < grid->replicates; r++) {
        size_t i = (size_t)cell * (size_t)grid->replicates + (size_t)r;
        double value = grid->value[i];
        point->complete += grid->state[i] == COMPARE_COMPLETE;
        if (!isnan(value)) {
            values[n++] = value;
            if (compare_order(c, value, best) < 0) {
                best = value;
                point->best_trial = grid->trial[i];
            }
        }
    }
    point->value = stats_of(values, n);
    point->ci_half = stats_ci_half(&point->value, STATS_LEVEL);
    return point->complete > 0;
}

static void fill_points(struct compare *c) {
    const struct compare_grid *grid = &c->grid;
    double *values = mem_zalloc((size_t)grid->replicates + 1, sizeof *values);
    c->points = mem_zalloc((size_t)grid->count + 1, sizeof *c->points);
    for (int p = 0; p < grid->count; p++) {
        c->point_count += fill_point(c, p, &c->points[c->point_count], values);
    }
    qsort_r(c->points, (size_t)c->point_count, sizeof *c->points, by_share_and_mean, c);
    for (int i = 0; i < c->point_count; i++) {
        struct compare_point *point = &c->points[i];
        point->rank = i + 1;
        point->level = mem_zalloc((size_t)c->axis_total + 1, sizeof *point->level);
        for (int a = 0; a < c->axis_total; a++) {
            int level = compare_levels(c, point->cell)[a];
            point->level[a] = c->axes[a].levels[level].name;
        }
    }
    free(values);
}

void compare_fill(struct compare *c, struct compare_rows *rows) {
    put_constant_axes_last(c, rows);
    fill_grid(c, rows);
    for (int a = 0; a < c->axis_total; a++) {
        shorten_names(&c->axes[a]);
        fill_levels(c, a);
        sort_levels(c, a);
    }
    fill_points(c);
}

/* ---- groups ---- */

/* The p-value of the paired t test over the seeds that both points have; NaN for fewer than two. */
static double pair_p(const struct compare *c, int a, int b, double *x, double *y) {
    const double *of_a = compare_values(c, a);
    const double *of_b = compare_values(c, b);
    size_t n = 0;
    for (int r = 0; r < c->grid.replicates; r++) {
        if (!isnan(of_a[r]) && !isnan(of_b[r])) {
            x[n] = of_a[r];
            y[n++] = of_b[r];
        }
    }
    return paired_p(x, y, n);
}

static bool can_be_grouped(const struct compare_point *point) {
    return point->value.n >= 2 && (int)point->value.n == point->complete &&
           isfinite(point->value.mean);
}

/* The points that are left, `count` of them, against the first: those that are not told from it join its
 * group, the others stay left.  Returns how many. */
static int take_group(struct compare *c, struct compare_point **left, int count, int group,
                      double family) {
    size_t replicates = (size_t)c->grid.replicates;
    double *p = mem_zalloc((size_t)count, sizeof *p);
    double *x = mem_zalloc(2 * replicates + 1, sizeof *x);
    for (int i = 1; i < count; i++) {
        p[i - 1] = pair_p(c, left[0]->cell, left[i]->cell, x, x + replicates);
    }
    holm_adjust(p, (size_t)count - 1, family);
    int stay = 0;
    left[0]->group = group;
    for (int i = 1; i < count; i++) {
        if (p[i - 1] < 1 - STATS_LEVEL) {
            left[stay++] = left[i];
        } else {
            left[i]->group = group;
        }
    }
    free(p);
    free(x);
    return stay;
}

void compare_group(struct compare *c) {
    struct compare_point **left = mem_zalloc((size_t)c->point_count + 1, sizeof *left);
    int count = 0;
    for (int i = 0; i < c->point_count; i++) {
        c->points[i].group = 0;
        if (count < COMPARE_GROUPED_MAX && can_be_grouped(&c->points[i])) {
            left[count++] = &c->points[i];
        }
    }
    double family = holm_pairs((size_t)count);
    for (int group = 1; count > 0; group++) {
        count = take_group(c, left, count, group, family);
    }
    free(left);
}

/* ---- */

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
    for (int a = 0; a < compare->axis_total; a++) {
        struct compare_axis *axis = &compare->axes[a];
        for (int l = 0; l < axis->level_count; l++) {
            free(axis->levels[l].name);
            free(axis->levels[l].full);
        }
        free(axis->levels);
        free(axis->path);
    }
    for (int p = 0; p < compare->point_count; p++) {
        free(compare->points[p].level);
    }
    free(compare->grid.level);
    free(compare->grid.value);
    free(compare->grid.state);
    free(compare->grid.trial);
    free(compare->grid.number);
    free(compare->points);
    free(compare->axes);
    free(compare->sweep);
    free(compare->metric);
    *compare = (struct compare){0};
}
