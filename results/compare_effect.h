/* results/compare_effect.h - the values of one axis against the best of them.
 *
 * Every value is set against the best by compare_difference(): the same values of the other axes, the same seed.  The best is
 * the one with the best mean that has two seeds or more; where points are missing, means are over different ones, and
 * should another value be better at the points that both have, then that is the best instead, and so on.  (Values that beat
 * each other in a circle leave it at the one with the best mean.)
 *
 * Which one is the best, the same numbers have
 * said; so the family of Holm's correction are all k (k - 1) / 2 pairs of the k values that have a mean, not
 * the k - 1 with the best in them (results/holm.h).  With the k - 1 alone, something would be called
 * different in 10% of sweeps with ten values that are all alike and six seeds (simulated).
 *
 * More seeds: at the level 0.05 / family, which is what Holm's correction asks of the smallest p. */
#ifndef RESULTS_COMPARE_EFFECT_H
#define RESULTS_COMPARE_EFFECT_H

#include "results/compare.h"
#include "results/compare_pair.h"

enum compare_verdict {
    COMPARE_BEST,
    COMPARE_WORSE,     // Holm-corrected p below 0.05
    COMPARE_BETTER,    // likewise: in such a circle
    COMPARE_UNDECIDED, // the data does not tell it from the best
    COMPARE_UNTESTED,  // fewer than two seeds in common with the best
    COMPARE_VERDICT_COUNT,
};
extern const char *const compare_verdict_names[COMPARE_VERDICT_COUNT];

struct compare_effect_level {
    int level; // index into the axis's levels
    struct compare_marginal over;
    struct compare_difference difference; // it minus the best; of the best itself zeroed
    double p_holm;                        // NaN where untested
    int64_t more_seeds;                   // until it would be decided; 0 where it is
    enum compare_verdict verdict;
};

struct compare_effect {
    int axis;
    int given, given_level;              // -1, 0: over all points
    struct compare_effect_level *levels; // best first
    int level_count;
    int best;      // index into `levels`, mostly 0; -1: none has two seeds
    double family; // pairs of values
};

/* `given` -1, or an axis of whose values only one is looked at. */
void compare_effect_init(struct compare_effect *effect, const struct compare *compare, int axis,
                         int given, int given_level);
void compare_effect_release(struct compare_effect *effect);

#endif
