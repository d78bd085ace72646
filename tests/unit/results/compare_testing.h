/* tests/unit/results/compare_testing.h - a comparison without a store: a full grid of points from an array of values. */
#ifndef TESTS_UNIT_RESULTS_COMPARE_TESTING_H
#define TESTS_UNIT_RESULTS_COMPARE_TESTING_H

#include "results/compare_internal.h"

#include "base/mem.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { TESTING_AXES_MAX = 4 };

struct testing_grid {
    int axis_count, replicates;
    int levels[TESTING_AXES_MAX];
    const double
        *value; // (points, replicates), the last axis innermost; NaN: failed, -INFINITY: excluded
    bool minimize;
    enum trial_value_at at;
};

/* Axes are called "A", "B", ...; their values "A0", "A1", ...  With a time to reach a target +INFINITY is never. */
static inline void testing_compare(struct compare *c, const struct testing_grid *g) {
    struct compare_rows rows = {0};
    int points = 1;
    *c = (struct compare){.sweep = mem_strdup("s"),
                          .metric = mem_strdup("m"),
                          .what = {.at = g->at},
                          .metric_maximize = !g->minimize,
                          .maximize = !g->minimize,
                          .axis_total = g->axis_count};
    c->axes = mem_zalloc((size_t)g->axis_count + 1, sizeof *c->axes);
    for (int a = 0; a < g->axis_count; a++) {
        c->axes[a].path = mem_printf("%c", 'A' + a);
        points *= g->levels[a];
    }
    rows.at = mem_zalloc((size_t)points * (size_t)g->replicates + 1, sizeof *rows.at);
    int kept = 0;
    for (int p = 0; p < points; p++) {
        bool there = false;
        for (int r = 0; r < g->replicates; r++) {
            double value = g->value[p * g->replicates + r];
            if (isinf(value) && value < 0) {
                continue;
            }
            struct compare_row *row = &rows.at[rows.count++];
            bool never = isinf(value);
            *row = (struct compare_row){.trial = 1 + p * g->replicates + r,
                                        .replicate = 1 + r,
                                        .point = kept,
                                        .complete = !isnan(value),
                                        .failed = isnan(value),
                                        .reached = !never,
                                        .value = never ? (double)NAN : value};
            row->level = mem_zalloc((size_t)g->axis_count + 1, sizeof *row->level);
            for (int a = g->axis_count - 1, rest = p; a >= 0; rest /= g->levels[a--]) {
                char *name = mem_printf("%c%d", 'A' + a, rest % g->levels[a]);
                row->level[a] = compare_level_of(&c->axes[a], name);
                free(name);
            }
            there = true;
        }
        kept += there;
    }
    compare_fill(c, &rows);
    compare_rows_release(&rows);
}

#endif
