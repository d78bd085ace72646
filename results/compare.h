/* results/compare.h - which point of a sweep is best, and what each axis does.
 *
 * The value of a trial is what results/trial_value.h says, by default the best that its metric reached over
 * its epochs, in the direction of the goal.  Only complete trials count; how many are missing is told, because
 * an axis value whose bad trials failed looks better than it is.
 *
 * A grid point's row is the mean over its replicates, with the sample standard deviation and the 95%
 * confidence interval of the mean (Student's t, n - 1 degrees of freedom).
 *
 * An axis value's marginal mean is taken over all other axes.  Its spread over trials would be that of
 * the other axes, so its confidence comes from the replicates instead: with m_r the mean over the
 * trials of replicate r, the interval is that of the mean of the m_r.
 *
 *     compare_load()  ->  struct compare      what was measured, ranked
 *        compare_group()                      which points the data tells apart
 *        compare_effect_init()                an axis's values against its best one        compare_effect.h
 *        compare_difference()                 two sets of points, seed by seed             compare_pair.h
 *        importance_init()                    how much of the variance each axis makes     importance.h
 *        compare_put_json()                   all of it for machines                       compare_json.h
 *
 * docs/compare.md says what the figures mean. */
#ifndef RESULTS_COMPARE_H
#define RESULTS_COMPARE_H

#include "results/stats.h"
#include "results/trial_value.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct store;

enum compare_state { COMPARE_NONE, COMPARE_PLANNED, COMPARE_COMPLETE };

/* What was measured: the points as planned, in no order that matters, over the seeds. */
struct compare_grid {
    int count, replicates;
    int *level;    // (count, axis_total) indexes into the axes' levels
    double *value; // (count, replicates) NaN: none
    char *
        state; // (count, replicates) enum compare_state; without a value never COMPLETE, but with reach
    int64_t *trial;  // (count, replicates)
    int64_t *number; // (replicates) the replicates' numbers, ascending
};

struct compare_point {
    int rank;           // from 1, by mean
    const char **level; // (axis_total) the axes' values in short; borrowed from the axes
    struct stats value; // over replicates
    double ci_half;     // NaN for n < 2
    int complete;       // complete trials: more than value.n where some never reach the target
    int64_t best_trial; // 0: none reached the target
    int cell;           // its place in the grid
    int group;          // from 1, by compare_group(); 0: cannot be told
};

/* What all trials with an axis value have in common, over all other axes. */
struct compare_marginal {
    int trials, complete; // planned, and counted
    int n; // of the complete ones, those with a value: fewer where some never reach the target
    double mean;    // over the n; NaN when there is none
    double ci_half; // over replicates; NaN for fewer than 2
    int replicates;
};

struct compare_level {
    char *name; // in short, as shown
    char *full; // as in the sweep's view
    int trials, complete, n;
    double mean, ci_half;
    int replicates;
};

struct compare_axis {
    char *path;
    struct compare_level *levels; // best first
    int level_count;
};

struct compare {
    char *sweep, *metric;
    struct trial_value what;
    bool metric_maximize; // the metric's own direction
    bool maximize;        // that of the values: down for the time to reach a target
    int trials, complete, failed;
    int unvalued; // complete trials without a value, which count as missing: NaN, or too few epochs
    int reached;  // complete trials with a value
    struct compare_axis
        *axes; // those that have two values or more, first `axis_count`, then the others
    int axis_count, axis_total;
    struct compare_point *points; // best first
    int point_count;
    struct compare_grid grid;
};

/* Of a point of the grid: its levels (axis_total), and its values (replicates). */
static inline const int *compare_levels(const struct compare *compare, int cell) {
    return &compare->grid.level[(size_t)cell * (size_t)compare->axis_total];
}
static inline const double *compare_values(const struct compare *compare, int cell) {
    return &compare->grid.value[(size_t)cell * (size_t)compare->grid.replicates];
}

struct compare_options {
    const char *metric; // NULL: the objective's
    struct trial_value what;
};

/* `metric` NULL: the objective's.  Another metric's direction is down when its name contains "loss" or
 * "error".  ERR_NOT_FOUND names the metrics that the sweep has. */
int compare_load_by(struct compare *compare, struct store *store, const char *sweep,
                    const struct compare_options *options, struct err *err);
/* Each trial's best. */
int compare_load(struct compare *compare, struct store *store, const char *sweep,
                 const char *metric, struct err *err);
void compare_release(struct compare *compare);

/* The axis of this path; NULL, with ERR_NOT_FOUND and the nearest one, when there is none. */
const struct compare_axis *compare_axis(const struct compare *compare, const char *path,
                                        struct err *err);

/* Below 0, 0 or above as the value `a` comes before `b`: the better first, NaN last. */
int compare_order(const struct compare *compare, double a, double b);

/* `out` (level_count): the marginal means of an axis's levels, over the points whose axis `given` has the level
 * `given_level`; `given` -1: over all. */
void compare_marginals(const struct compare *compare, int axis, int given, int given_level,
                       struct compare_marginal *out);
/* As the leaderboard orders: first by the share of trials that reach the target, where it is about that, then by mean. */
int compare_marginal_order(const struct compare *compare, const struct compare_marginal *a,
                           const struct compare_marginal *b);

/* Sets the points' groups.  The best point leads group 1, which takes all that are not told from it; the best of the
 * others leads group 2, and so on.  Two points are told apart by the paired t test over the seeds that both have, with
 * Holm's correction over all pairs of points: of all that the groups say, anything is wrong with probability 5% at most.
 *
 * So a point is told from the leaders of the groups above its own, not from all their members; and with few seeds
 * and many points there is one large group, which is what is known.  Points with fewer than two seeds, or that did
 * not reach the target with each, and those beyond the first COMPARE_GROUPED_MAX have none. */
enum { COMPARE_GROUPED_MAX = 1000 };
void compare_group(struct compare *compare);

#endif
