/* results/compare.h - which point of a sweep is best, and what each axis does.
 *
 * The value of a trial is the best that its metric reached over its epochs, in the direction of the
 * goal.  Only complete trials count; how many are missing is told, because an axis value whose bad
 * trials failed looks better than it is.
 *
 * A grid point's row is the mean over its replicates, with the sample standard deviation and the 95%
 * confidence interval of the mean (Student's t, n - 1 degrees of freedom).
 *
 * An axis value's marginal mean is taken over all other axes.  Its spread over trials would be that of
 * the other axes, so its confidence comes from the replicates instead: with m_r the mean over the
 * trials of replicate r, the interval is that of the mean of the m_r. */
#ifndef RESULTS_COMPARE_H
#define RESULTS_COMPARE_H

#include "results/stats.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct store;

struct compare_point {
    int rank;           // from 1, by mean
    char **level;       // (axis_count) the axes' values in short
    struct stats value; // over replicates
    double ci_half;     // NaN for n < 2
    int64_t best_trial;
};

struct compare_level {
    char *name;
    int trials, complete; // planned, and counted
    double mean;          // over the complete ones; NaN when there is none
    double ci_half;       // over replicates; NaN for fewer than 2
    int replicates;
};

struct compare_axis {
    char *path;
    struct compare_level *levels; // best first
    int level_count;
};

struct compare {
    char *sweep, *metric;
    bool maximize;
    int trials, complete, failed;
    struct compare_axis
        *axes; // those that have two values or more, first `axis_count` of the sweep's
    int axis_count;
    struct compare_point *points; // best first
    int point_count;
};

/* `metric` NULL: the objective's.  Another metric's direction is down when its name contains "loss" or
 * "error".  ERR_NOT_FOUND names the metrics that the sweep has. */
int compare_load(struct compare *compare, struct store *store, const char *sweep,
                 const char *metric, struct err *err);
void compare_release(struct compare *compare);

/* The axis of this path; NULL, with ERR_NOT_FOUND and the nearest one, when there is none. */
const struct compare_axis *compare_axis(const struct compare *compare, const char *path,
                                        struct err *err);

#endif
