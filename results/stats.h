/* results/stats.h - what replicates say: means, spreads and how sure one may be of them. */
#ifndef RESULTS_STATS_H
#define RESULTS_STATS_H

#include <stddef.h>

struct stats {
    size_t n;
    double mean;
    double std; // of the sample (n - 1); NaN for n < 2
};

/* Two passes (Chan, Golub, LeVeque 1983), so that nearly equal values keep their digits. */
struct stats stats_of(const double *values, size_t n);

/* How sure the intervals are, and 1 - what tests are allowed to get wrong. */
static const double STATS_LEVEL = 0.95;

/* Half the width of the `level` (0.95) confidence interval of the mean under Student's t with n - 1
 * degrees of freedom; NaN for n < 2. */
double stats_ci_half(const struct stats *stats, double level);

/* Quantile of Student's t with `df` > 0 degrees of freedom, 0 < p < 1, by Newton's iteration on the
 * regularized incomplete beta function (continued fraction, Lentz).  Relative error below 1e-10. */
double stats_t_quantile(double p, double df);
double stats_t_cdf(double t, double df);
/* P(|T| >= |t|), the two-sided p-value, with all its digits where it is small; NaN for NaN. */
double stats_t_two_sided(double t, double df);

#endif
