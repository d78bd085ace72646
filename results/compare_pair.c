#include "results/compare_pair.h"

#include "base/mem.h"
#include "results/compare.h"
#include "results/permutation.h"
#include "results/power.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double POWER = 0.8;

/* Compares two points by the axes that tell places apart. */
struct place_order {
    const struct compare *compare;
    const bool *differ;
};

static int by_place(const void *a, const void *b, void *order) {
    const struct place_order *o = order;
    const struct compare *c = o->compare;
    const int *x = compare_levels(c, *(const int *)a);
    const int *y = compare_levels(c, *(const int *)b);
    for (int i = 0; i < c->axis_total; i++) {
        if (!o->differ[i] && x[i] != y[i]) {
            return x[i] < y[i] ? -1 : 1;
        }
    }
    return 0;
}

/* The mean of a side at one place and seed, over those of its points that are there; NaN unless each has a value. */
static double side_value(const struct compare *c, const bool *side, const int *points, int count,
                         int replicate) {
    long double sum = 0;
    int n = 0;
    for (int i = 0; i < count; i++) {
        if (side[points[i]]) {
            sum += compare_values(c, points[i])[replicate]; // NaN stays
            n++;
        }
    }
    return n == 0 ? (double)NAN : (double)(sum / n);
}

static bool has_side(const bool *side, const int *points, int count) {
    for (int i = 0; i < count; i++) {
        if (side[points[i]]) {
            return true;
        }
    }
    return false;
}

/* What both sides have: places x seeds, NaN where either lacks a value. */
struct table {
    double *a, *b; // (places, replicates)
    int places, replicates;
};

static void fill_table(struct table *t, const struct compare *c,
                       const struct compare_sides *sides) {
    const struct compare_grid *grid = &c->grid;
    int *points = mem_zalloc((size_t)grid->count + 1, sizeof *points), count = 0;
    for (int p = 0; p < grid->count; p++) {
        if (sides->a[p] || sides->b[p]) {
            points[count++] = p;
        }
    }
    struct place_order order = {c, sides->differ};
    qsort_r(points, (size_t)count, sizeof *points, by_place, &order);
    size_t cells = (size_t)count * (size_t)grid->replicates + 1;
    *t = (struct table){.a = mem_zalloc(cells, sizeof *t->a),
                        .b = mem_zalloc(cells, sizeof *t->b),
                        .replicates = grid->replicates};
    for (int first = 0, last; first < count; first = last) {
        for (last = first + 1; last < count && by_place(&points[first], &points[last], &order) == 0;
             last++) {
        }
        if (!has_side(sides->a, points + first, last - first) ||
            !has_side(sides->b, points + first, last - first)) {
            continue;
        }
        for (int r = 0; r < grid->replicates; r++) {
            size_t at = (size_t)t->places * (size_t)grid->replicates + (size_t)r;
            t->a[at] = side_value(c, sides->a, points + first, last - first, r);
            t->b[at] = side_value(c, sides->b, points + first, last - first, r);
        }
        t->places++;
    }
    free(points);
}

static bool is_there(const struct table *t, int place, int replicate) {
    size_t at = (size_t)place * (size_t)t->replicates + (size_t)replicate;
    return isfinite(t->a[at]) && isfinite(t->b[at]);
}

/* ---- the rectangle ---- */

struct seed_count {
    int replicate, places;
};

static int most_places_first(const void *a, const void *b) {
    const struct seed_count *x = a, *y = b;
    return x->places != y->places ? y->places - x->places : x->replicate - y->replicate;
}

static int in_order(const void *a, const void *b) {
    const struct seed_count *x = a, *y = b;
    return x->replicate - y->replicate;
}

/* whole[k]: how many places are complete in the first k + 1 of the seeds */
static void count_whole(const struct table *t, const struct seed_count *seeds, int *whole) {
    for (int p = 0; p < t->places; p++) {
        for (int k = 0; k < t->replicates && is_there(t, p, seeds[k].replicate); k++) {
            whole[k]++;
        }
    }
}

/* How many seeds the rectangle has; `seeds` begins with them. */
static int choose_seeds(const struct table *t, struct seed_count *seeds) {
    int *whole = mem_zalloc((size_t)t->replicates + 1, sizeof *whole), best = 0;
    for (int r = 0; r < t->replicates; r++) {
        seeds[r].replicate = r;
        for (int p = 0; p < t->places; p++) {
            seeds[r].places += is_there(t, p, r);
        }
    }
    qsort(seeds, (size_t)t->replicates, sizeof *seeds, most_places_first);
    count_whole(t, seeds, whole);
    double narrowest = INFINITY;
    for (int k = 1; k <= t->replicates && whole[k - 1] > 0; k++) {
        double width = k == 1 ? (double)INFINITY
                              : stats_t_quantile(0.5 + STATS_LEVEL / 2, k - 1) /
                                    sqrt((double)k * whole[k - 1]);
        if (width <= narrowest) {
            narrowest = width;
            best = k;
        }
    }
    free(whole);
    qsort(seeds, (size_t)best, sizeof *seeds, in_order);
    return best;
}

static bool is_whole(const struct table *t, int place, const struct seed_count *seeds, int count) {
    for (int s = 0; s < count; s++) {
        if (!is_there(t, place, seeds[s].replicate)) {
            return false;
        }
    }
    return count > 0;
}

static double mean_of(const double *values, int n) {
    struct stats s = stats_of(values, (size_t)n);
    return s.mean;
}

/* long double: what is left of a difference that is none stays below paired_of()'s limit. */
static void fill_difference(struct compare_difference *d, const struct table *t,
                            const struct seed_count *seeds) {
    size_t n = (size_t)d->seeds;
    double *a = mem_zalloc(2 * n + 1, sizeof *a), *b = a + n;
    long double *sum = mem_zalloc(2 * n + 1, sizeof *sum);
    for (int p = 0; p < t->places; p++) {
        if (is_whole(t, p, seeds, d->seeds)) {
            d->places++;
            for (size_t s = 0; s < n; s++) {
                size_t at = (size_t)p * (size_t)t->replicates + (size_t)seeds[s].replicate;
                sum[s] += t->a[at];
                sum[n + s] += t->b[at];
            }
        }
    }
    for (size_t s = 0; s < 2 * n; s++) {
        a[s] = (double)(sum[s] / d->places);
    }
    d->paired = paired_of(a, b, n);
    d->mean_a = mean_of(a, d->seeds);
    d->mean_b = mean_of(b, d->seeds);
    free(a);
    free(sum);
}

void compare_difference(struct compare_difference *out, const struct compare *compare,
                        const struct compare_sides *sides) {
    struct table t;
    fill_table(&t, compare, sides);
    struct seed_count *seeds = mem_zalloc((size_t)t.replicates + 1, sizeof *seeds);
    *out = (struct compare_difference){.places_both = t.places};
    out->seeds = choose_seeds(&t, seeds);
    fill_difference(out, &t, seeds);
    free(seeds);
    free(t.a);
    free(t.b);
}

/* Where all differences are the same, the exact test decides. */
static size_t seeds_if_all_alike(double alpha) {
    size_t n = 2;
    while (permutation_smallest(n) >= alpha) {
        n++;
    }
    return n;
}

int64_t compare_more_seeds(const struct compare_difference *difference, double alpha) {
    const struct stats *s = &difference->paired.difference;
    if (s->n < 2 || s->mean == 0) {
        return COMPARE_MORE_UNKNOWN;
    }
    size_t needed =
        s->std > 0 ? power_pairs_needed(s->mean / s->std, alpha, POWER) : seeds_if_all_alike(alpha);
    if (needed == 0) {
        return COMPARE_MORE_UNKNOWN;
    }
    return needed > s->n ? (int64_t)(needed - s->n) : 1;
}
