/* results/paired.h - two series that belong together pair by pair: what the seeds say of a difference.
 *
 * A seed's data order and starting weights move both of its values alike; in the difference of a pair that is gone.
 * With d[i] = a[i] - b[i], mean d and standard deviation s (n - 1),
 *
 *     t = d / (s / sqrt(n)),  n - 1 degrees of freedom          (Student, "The probable error of a mean", 1908)
 *
 * which assumes that the differences are about normal; the exact test beside it (results/permutation.h) does not.
 *
 * Differences that are all the same (whole epochs, a trainer that its seed does not move) have no spread to judge them
 * by, and t would make certainty of two seeds.  There the smallest exact p-value, 2 / 2^n, stands in. */
#ifndef RESULTS_PAIRED_H
#define RESULTS_PAIRED_H

#include "results/stats.h"

struct paired {
    struct stats difference; // of a[i] - b[i]
    double ci_half;          // half the 95% interval of its mean; NaN for n < 2
    double t;                // +-inf where all differences are the same and not 0; NaN for n < 2
    double
        p; // two-sided; 1 where all differences are 0, 2 / 2^n where they are all the same; NaN for n < 2
    double p_exact; // two-sided; NaN beyond PERMUTATION_PAIRS_MAX pairs
};

/* Differences within 4 units of the last place of the larger value are taken for 0: they come from
 * rounding, where means of several values are compared. */
struct paired paired_of(const double *a, const double *b, size_t n);

/* Its `p` alone, for those who have many to ask for. */
double paired_p(const double *a, const double *b, size_t n);

#endif
