/* results/compare_pair.h - two sets of points, seed by seed.
 *
 * The sides differ in some axes, those that either of them names; a place is one combination of values of all the
 * other axes.  At a place and a seed a side's value is the mean over its points there.  What is compared are the
 * places and seeds at which both sides have all of them complete, as a full rectangle, so that every seed's mean is over
 * the same places:
 *
 *                  place 1   place 2   place 3             seeds in the order of how many places they have; of
 *     seed 1         x         x         x                 the first k of them and the places complete in all k
 *     seed 2         x         x         x                 those are taken whose interval would be narrowest, were
 *     seed 3         x         x         -  (failed)       all trials equally noisy: t(k - 1) / sqrt(k * places)
 *
 * is least.  Here: 3 seeds x 2 places.
 *
 *     D[seed] = mean over the places of (a - b)
 *
 * The seeds are what is repeated, so they are the n of the test: places are no repetition, they are different questions. */
#ifndef RESULTS_COMPARE_PAIR_H
#define RESULTS_COMPARE_PAIR_H

#include "results/paired.h"

#include <stdbool.h>
#include <stdint.h>

struct compare;

struct compare_sides {
    const bool *a, *b;  // (grid.count) the points of either side; one may be in both
    const bool *differ; // (axis_total) the axes in which they differ
};

struct compare_difference {
    int places_both; // where both sides have points
    int places;      // of these, those that count: complete for both sides with each of the seeds
    int seeds;
    double mean_a, mean_b; // over the rectangle; NaN when it is empty
    struct paired paired;  // of D
};

void compare_difference(struct compare_difference *out, const struct compare *compare,
                        const struct compare_sides *sides);

enum { COMPARE_MORE_UNKNOWN = -1 }; // no difference to be seen, or more than a million

/* How many more seeds than there are a paired t test at level `alpha` would need to find a difference
 * of the size seen with probability 0.8; at least 1. */
int64_t compare_more_seeds(const struct compare_difference *difference, double alpha);

#endif
