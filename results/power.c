#include "results/power.h"

#include "results/stats.h"

#include <assert.h>
#include <math.h>

/* log of the density of log W at x, without its constant; its largest value, 0, is at x = 0. */
static double log_density(double x, double df) {
    return df * (x - expm1(2 * x) / 2);
}

/* How far from 0, in the direction of `step`, the density is still worth adding. */
static double end_of(double step, double df) {
    double x = step;
    while (log_density(x, df) > -45) { // e^-45 = 3e-20
        x *= 1.25;
    }
    return x;
}

static double normal_cdf(double z) {
    return erfc(-z * M_SQRT1_2) / 2;
}

double power_paired_t(double effect, size_t n, double alpha) {
    assert(n >= 2 && alpha > 0 && alpha < 1);
    double df = (double)n - 1, delta = effect * sqrt((double)n);
    double critical = stats_t_quantile(1 - alpha / 2, df);
    double low = end_of(-0.01 / sqrt(df), df), high = end_of(0.01 / sqrt(df), df);
    // Phi() rises over 1 / delta in log W: no step may go over it.
    int steps = 400 + (int)((high - low) * fmin(delta, 2000) * 4);
    double sum = 0, weight = 0;
    for (int i = 0; i <= steps; i++) {
        double x = low + (high - low) * i / steps, w = exp(x);
        double density = exp(log_density(x, df));
        weight += density; // the same rule for the constant that was left out
        sum += density * (normal_cdf(delta - critical * w) + normal_cdf(-delta - critical * w));
    }
    return sum / weight;
}

size_t power_pairs_needed(double effect, double alpha, double power) {
    effect = fabs(effect);
    if (!(effect > 0)) {
        return 0;
    }
    if (isinf(effect)) {
        return 2;
    }
    // Were s known, the normal distribution would do with fewer: (z + z)^2 / effect^2 pairs.
    double normal = stats_t_quantile(1 - alpha / 2, 1e6) + stats_t_quantile(power, 1e6);
    double least = normal * normal / (effect * effect) * 0.9999 - 1;
    if (least > POWER_PAIRS_MAX) {
        return 0;
    }
    size_t low = least > 1 ? (size_t)least : 1, step = 1,
           high = low + 1; // too few, and perhaps enough
    while (power_paired_t(effect, high, alpha) < power) {
        low = high;
        step *= 2;
        high += step;
    }
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (power_paired_t(effect, middle, alpha) < power) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high > POWER_PAIRS_MAX ? 0 : high;
}
