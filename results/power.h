/* results/power.h - how many pairs it takes to find a difference of a given size.
 *
 * The t statistic of n pairs whose differences have mean d and standard deviation s follows the noncentral t
 * distribution with n - 1 degrees of freedom and noncentrality (d / s) sqrt(n).  The power of the test is
 * the probability that it lies beyond the critical value, on either side.  With Z normal and V
 * chi-squared of n - 1 degrees of freedom,
 *
 *     T = (Z + delta) / W,  W = sqrt(V / (n - 1)),  P(T > c) = E[Phi(delta - c W)]
 *
 * which is one integral over the density of W. */
#ifndef RESULTS_POWER_H
#define RESULTS_POWER_H

#include <stddef.h>

enum { POWER_PAIRS_MAX = 1000000 };

/* Of the two-sided paired t test at level `alpha`, 0 < alpha < 1, with n >= 2 pairs; `effect` is |d| / s.  The integral is
 * taken by the trapezoidal rule in log W, where it converges faster than any power of the step. */
double power_paired_t(double effect, size_t n, double alpha);

/* The smallest n with at least that power; 0 when that is more than POWER_PAIRS_MAX, and 2 for an infinite
 * effect.  NaN gives 0. */
size_t power_pairs_needed(double effect, double alpha, double power);

#endif
