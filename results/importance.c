/* Each axis is coded by an indicator for every level but its first, each pair by the products of those.  The normal
 * equations over the points, weighted by their trials, are factored (Cholesky) column by column: a column that
 * depends on the earlier ones leaves nothing of its diagonal and is skipped.  With the columns of a term last, what each
 * of them takes off the sum of squares is what the term adds to all others, without a difference of large numbers:
 *
 *     L L' = X'X,   L z = X'y,   SS(term | others) = sum of z[j]^2 over its columns,   df = those not skipped
 *
 * Sums of indicators are small whole numbers, so that nothing and something differ clearly. */
#include "results/importance.h"

#include "base/mem.h"
#include "results/compare.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static const double DEPENDENT = 1e-9; // of the column's own length: a smaller rest is none

/* A point's mean and how many trials it is of. */
struct cell {
    const int *level; // (axis_count), borrowed
    int n;
    double mean;
};

struct columns {
    int term, first; // of a term: its place in the list, and its first column
    int count;
};

struct model {
    const struct importance_data *data;
    struct cell *cells;
    int cell_count;
    const struct importance_term *terms; // whose columns are in it
    int term_count;
    struct columns *columns; // (term_count)
    int column_count;
    double *xx; // (column_count, column_count) X'X, without the mean
    double *xy; // (column_count)
    double total;
};

static int parameters_of(const struct importance_data *data, const struct importance_term *term) {
    int first = data->level_count[term->first] - 1;
    return term->second < 0 ? first : first * (data->level_count[term->second] - 1);
}

/* The one column of the term that is 1 for these levels, or -1: counted within the term. */
static int column_at(const struct importance_data *data, const struct importance_term *term,
                     const int *level) {
    int first = level[term->first];
    if (first == 0 || term->second < 0) {
        return first - 1;
    }
    int second = level[term->second];
    return second == 0 ? -1 : (first - 1) * (data->level_count[term->second] - 1) + second - 1;
}

/* X'X and X'y of columns from which their means are taken: the model has a mean of its own. */
static void fill_model(struct model *m) {
    size_t n = (size_t)m->column_count;
    double *count = mem_zalloc(n + 1, sizeof *count), trials = 0, sum = 0;
    int *on = mem_zalloc((size_t)m->term_count + 1, sizeof *on);
    for (int c = 0; c < m->cell_count; c++) {
        trials += m->cells[c].n;
        sum += m->cells[c].n * m->cells[c].mean;
    }
    double mean = sum / trials;
    for (int c = 0; c < m->cell_count; c++) {
        const struct cell *cell = &m->cells[c];
        int ones = 0;
        for (int t = 0; t < m->term_count; t++) {
            int column = column_at(m->data, &m->terms[t], cell->level);
            if (column >= 0) {
                on[ones++] = m->columns[t].first + column;
            }
        }
        for (int i = 0; i < ones; i++) {
            count[on[i]] += cell->n;
            m->xy[on[i]] += cell->n * (cell->mean - mean);
            for (int j = 0; j < ones; j++) {
                m->xx[(size_t)on[i] * n + (size_t)on[j]] += cell->n;
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            m->xx[i * n + j] -= count[i] * count[j] / trials;
        }
    }
    free(count);
    free(on);
}

static void model_init(struct model *m, const struct importance_data *data, struct cell *cells,
                       int cell_count, const struct importance_term *terms, int term_count) {
    *m = (struct model){.data = data,
                        .cells = cells,
                        .cell_count = cell_count,
                        .terms = terms,
                        .term_count = term_count};
    m->columns = mem_zalloc((size_t)term_count + 1, sizeof *m->columns);
    for (int t = 0; t < term_count; t++) {
        m->columns[t] = (struct columns){
            .term = t, .first = m->column_count, .count = parameters_of(data, &terms[t])};
        m->column_count += m->columns[t].count;
    }
    size_t n = (size_t)m->column_count;
    m->xx = mem_zalloc(n * n + 1, sizeof *m->xx);
    m->xy = mem_zalloc(n + 1, sizeof *m->xy);
    fill_model(m);
}

static void model_release(struct model *m) {
    free(m->columns);
    free(m->xx);
    free(m->xy);
}

/* Factors the columns in this order; z[k]^2 is what column k adds to those before it, used[k] whether anything. */
static void factor(const struct model *m, const int *order, double *z, bool *used) {
    size_t n = (size_t)m->column_count;
    long double *l = mem_zalloc(n * n + 1, sizeof *l), *rest = mem_zalloc(n + 1, sizeof *rest);
    for (size_t k = 0; k < n; k++) {
        long double *row = &l[k * n];
        const double *x = &m->xx[(size_t)order[k] * n];
        long double diagonal = x[order[k]], y = m->xy[order[k]];
        for (size_t j = 0; j < k; j++) {
            if (!used[j]) {
                continue;
            }
            long double sum = x[order[j]];
            const long double *other = &l[j * n];
            for (size_t i = 0; i < j; i++) {
                sum -= row[i] * other[i]; // 0 for skipped ones
            }
            row[j] = sum / other[j];
            diagonal -= row[j] * row[j];
            y -= row[j] * rest[j];
        }
        used[k] = diagonal > DEPENDENT * x[order[k]] && x[order[k]] > 0;
        if (used[k]) {
            row[k] = sqrtl(diagonal);
            rest[k] = y / row[k];
        }
        z[k] = (double)rest[k];
    }
    free(l);
    free(rest);
}

/* What the columns of `last` add to all others; `last` -1: what all add to the mean. */
static void add_last(const struct model *m, int last, double *ss, int *df) {
    size_t n = (size_t)m->column_count;
    int *order = mem_zalloc(n + 1, sizeof *order), count = 0, from = 0;
    double *z = mem_zalloc(n + 1, sizeof *z);
    bool *used = mem_zalloc(n + 1, sizeof *used);
    for (int pass = 0; pass <= 1; pass++) {
        from = last < 0 ? 0 : count;
        for (int t = 0; t < m->term_count; t++) {
            for (int i = 0; (t == last) == pass && i < m->columns[t].count; i++) {
                order[count++] = m->columns[t].first + i;
            }
        }
    }
    factor(m, order, z, used);
    *ss = 0;
    *df = 0;
    for (int k = from; k < count; k++) {
        *ss += used[k] ? z[k] * z[k] : 0;
        *df += used[k];
    }
    free(order);
    free(z);
    free(used);
}

/* ---- the parts ---- */

static struct cell *cells_of(const struct importance_data *data, struct importance *im) {
    struct cell *cells = mem_zalloc((size_t)data->trial_count + 1, sizeof *cells);
    double sum = 0;
    for (int i = 0; i < data->trial_count; i++) {
        sum += data->value[i];
    }
    double mean = sum / data->trial_count;
    for (int first = 0, last; first < data->trial_count; first = last) {
        double total = 0;
        for (last = first; last < data->trial_count && data->point[last] == data->point[first];
             last++) {
            total += data->value[last] - mean;
        }
        struct cell *cell = &cells[im->point_count++];
        *cell = (struct cell){.level = &data->level[(size_t)first * (size_t)data->axis_count],
                              .n = last - first,
                              .mean = total / (last - first)};
        for (int i = first; i < last; i++) {
            double d = data->value[i] - mean;
            im->ss_total += d * d;
            im->ss_noise += (d - cell->mean) * (d - cell->mean);
        }
    }
    im->df_noise = im->trial_count - im->point_count;
    return cells;
}

static void fill_mains(struct importance *im, const struct importance_data *data,
                       struct cell *cells) {
    struct model mains;
    model_init(&mains, data, cells, im->point_count, im->terms, data->axis_count);
    for (int t = 0; t < data->axis_count; t++) {
        add_last(&mains, t, &im->terms[t].ss, &im->terms[t].df);
    }
    model_release(&mains);
}

/* The pairs, and the rest behind them. */
static void fill_others(struct importance *im, const struct importance_data *data,
                        struct cell *cells) {
    int fitted = im->has_pairs ? im->term_count - 1 : data->axis_count, df;
    struct model all;
    double ss;
    model_init(&all, data, cells, im->point_count, im->terms, fitted);
    for (int t = data->axis_count; t < fitted; t++) {
        add_last(&all, t, &im->terms[t].ss, &im->terms[t].df);
    }
    add_last(&all, -1, &ss, &df);
    struct importance_term *rest = &im->terms[im->term_count - 1];
    rest->df = im->point_count - 1 - df;
    rest->ss = rest->df > 0 ? fmax(im->ss_total - im->ss_noise - ss, 0) : 0;
    model_release(&all);
}

static void list_terms(struct importance *im, const struct importance_data *data) {
    int k = data->axis_count;
    int64_t parameters = 0;
    im->terms = mem_zalloc((size_t)(k + k * (k - 1) / 2 + 1), sizeof *im->terms);
    for (int a = 0; a < k; a++) {
        im->terms[im->term_count++] = (struct importance_term){.first = a, .second = -1};
        parameters += data->level_count[a] - 1;
        for (int b = a + 1; b < k; b++) {
            parameters += (int64_t)(data->level_count[a] - 1) * (data->level_count[b] - 1);
        }
    }
    im->has_pairs = parameters <= IMPORTANCE_PARAMETERS_MAX;
    for (int a = 0; im->has_pairs && a < k; a++) {
        for (int b = a + 1; b < k; b++) {
            im->terms[im->term_count++] = (struct importance_term){.first = a, .second = b};
        }
    }
    im->terms[im->term_count++] = (struct importance_term){.first = -1, .second = -1};
}

static bool can_be_told(const struct importance_data *data) {
    int64_t parameters = 0;
    for (int a = 0; a < data->axis_count; a++) {
        parameters += data->level_count[a] - 1;
    }
    return data->axis_count > 0 && data->trial_count >= 3 &&
           parameters <= IMPORTANCE_PARAMETERS_MAX;
}

bool importance_of(struct importance *importance, const struct importance_data *data) {
    struct importance im = {.trial_count = data->trial_count};
    if (!can_be_told(data)) {
        return false;
    }
    struct cell *cells = cells_of(data, &im);
    if (!(im.ss_total > 0)) {
        free(cells);
        return false;
    }
    list_terms(&im, data);
    fill_mains(&im, data, cells);
    fill_others(&im, data, cells);
    free(cells);
    double mse = im.df_noise > 0 ? im.ss_noise / im.df_noise : 0;
    for (int t = 0; t < im.term_count; t++) {
        im.terms[t].share = (im.terms[t].ss - im.terms[t].df * mse) / im.ss_total;
    }
    im.noise_share = im.df_noise > 0 ? mse * (im.trial_count - 1) / im.ss_total : (double)NAN;
    *importance = im;
    return true;
}

bool importance_init(struct importance *importance, const struct compare *c) {
    const struct compare_grid *grid = &c->grid;
    size_t axes = (size_t)c->axis_count, cells = (size_t)grid->count * (size_t)grid->replicates;
    int *counts = mem_zalloc(axes + 1, sizeof *counts), n = 0;
    int *level = mem_zalloc(cells * axes + 1, sizeof *level);
    int *point = mem_zalloc(cells + 1, sizeof *point);
    double *value = mem_zalloc(cells + 1, sizeof *value);
    for (size_t a = 0; a < axes; a++) {
        counts[a] = c->axes[a].level_count;
    }
    for (int p = 0; p < grid->count; p++) {
        for (int r = 0; r < grid->replicates; r++) {
            double v = compare_values(c, p)[r];
            if (isfinite(v)) {
                for (size_t a = 0; a < axes; a++) {
                    level[(size_t)n * axes + a] = compare_levels(c, p)[a];
                }
                point[n] = p;
                value[n++] = v;
            }
        }
    }
    bool told = importance_of(importance, &(struct importance_data){.axis_count = c->axis_count,
                                                                    .trial_count = n,
                                                                    .level_count = counts,
                                                                    .level = level,
                                                                    .point = point,
                                                                    .value = value});
    free(counts);
    free(level);
    free(point);
    free(value);
    return told;
}

void importance_release(struct importance *importance) {
    free(importance->terms);
    *importance = (struct importance){0};
}
