/* runner/grid.h - the points of a sweep, one at a time.
 *
 * A point is a function of its index: nothing is expanded beforehand, so a grid costs memory for one
 * point.  Index -> digits in the mixed radix of the axes' lengths, the last axis fastest; replicates
 * are fastest of all.  In shuffled order the index first passes a keyed permutation (permute.h).
 *
 *     ordinal -- shuffled? permute --> index -> digits of the axes, replicate -> config, params, label
 *
 * Invariant: the set of points does not depend on the order, and a point's config not on its index. */
#ifndef RUNNER_GRID_H
#define RUNNER_GRID_H

#include "runner/sweep.h"

#include <stdbool.h>
#include <stdint.h>

struct cJSON;
struct err;

struct grid_point {
    int64_t ordinal;      // its place in the sweep's order
    struct cJSON *config; // owned: the full config, with its seed
    struct cJSON *params; // owned: axis -> value
    char *label;          // owned: the values in short, "adam relu he_normal"; never empty
    int replicate;        // from 1
    int64_t seed, epochs; // epochs: 0 when the config does not say
};
void grid_point_release(struct grid_point *point);

/* Trials before excludes: points * replicates. */
int64_t grid_size(const struct sweep *sweep);

/* Which value of each axis the point at `ordinal` has, and which replicate (from 1) it is. */
void grid_digits(const struct sweep *sweep, int64_t ordinal, int digits[SWEEP_AXIS_MAX],
                 int *replicate);

/* Makes the point at `ordinal`, below grid_size().  *excluded tells that the sweep leaves it out; the
 * point is then empty.  ERR_RANGE when an axis's path meets something that is no object, or the seed is
 * no integer: sweep_load() has complained about either. */
int grid_at(const struct sweep *sweep, int64_t ordinal, struct grid_point *point, bool *excluded,
            struct err *err);

#endif
