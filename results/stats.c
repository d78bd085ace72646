#include "results/stats.h"

#include <assert.h>
#include <float.h>
#include <math.h>

enum { ITERATIONS_MAX = 500 };

struct stats stats_of(const double *values, size_t n) {
    struct stats s = {.n = n, .mean = NAN, .std = NAN};
    if (n == 0) {
        return s;
    }
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += values[i];
    }
    s.mean = sum / (double)n;

    // In exact arithmetic the deviations add up to 0; what they do add up to is the rounding error of
    // the mean, and taking it out of the squares is the correction of Chan, Golub and LeVeque.
    double squares = 0, rest = 0;
    for (size_t i = 0; i < n; i++) {
        double d = values[i] - s.mean;
        squares += d * d;
        rest += d;
    }
    if (n >= 2) {
        double corrected = squares - rest * rest / (double)n;
        s.std = sqrt(fmax(corrected, 0) / (double)(n - 1));
        s.std = isnan(squares) ? (double)NAN : s.std; // fmax() would hide it
    }
    if (isfinite(rest)) {
        s.mean += rest / (double)n;
    }
    return s;
}

double stats_ci_half(const struct stats *stats, double level) {
    if (stats->n < 2) {
        return NAN;
    }
    double n = (double)stats->n;
    return stats_t_quantile(0.5 + level / 2, n - 1) * stats->std / sqrt(n);
}

/* The continued fraction of I_x(a, b) by Lentz's method as modified by Thompson and Barnett (1986):
 *
 *     I_x(a,b) = x^a (1-x)^b / (a B(a,b)) * 1/(1 + d1/(1 + d2/(1 + ...)))
 *     d[2m+1] = -(a+m)(a+b+m) x / ((a+2m)(a+2m+1)),   d[2m] = m(b-m) x / ((a+2m-1)(a+2m))
 *
 * It converges fast for x < (a+1)/(a+b+2). */
static long double beta_fraction(long double a, long double b, long double x) {
    const long double tiny = LDBL_MIN / LDBL_EPSILON; // in place of a denominator that is 0
    long double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabsl(d) < tiny ? tiny : d);
    long double fraction = d;
    for (int m = 1; m <= ITERATIONS_MAX * 100; m++) {
        long double before = fraction;
        for (int odd = 0; odd <= 1; odd++) {
            long double k = a + 2 * m;
            long double term = odd == 0 ? m * (b - m) * x / ((k - 1) * k)
                                        : -(a + m) * (a + b + m) * x / (k * (k + 1));
            d = 1 + term * d;
            d = 1 / (fabsl(d) < tiny ? tiny : d);
            c = 1 + term / c;
            c = fabsl(c) < tiny ? tiny : c;
            fraction *= d * c;
        }
        if (fabsl(fraction - before) <= 1e-17L * fabsl(fraction)) {
            break;
        }
    }
    return fraction;
}

/* I_x(a, b), with y = 1 - x given apart so that neither loses its digits near 0.  long double: the
 * gamma functions are large for many degrees of freedom and nearly cancel. */
static long double beta_regularized(long double a, long double b, long double x, long double y) {
    if (x <= 0 || y <= 0) {
        return x <= 0 ? 0 : 1;
    }
    long double log_front = lgammal(a + b) - lgammal(a) - lgammal(b) + a * logl(x) + b * logl(y);
    if (x < (a + 1) / (a + b + 2)) {
        return expl(log_front) * beta_fraction(a, b, x) / a;
    }
    return 1 - expl(log_front) * beta_fraction(b, a, y) / b;
}

/* P(T > t) for t >= 0: half of I_x(df/2, 1/2) with x = df / (df + t^2). */
static long double upper_tail(long double t, long double df) {
    long double x = df / (df + t * t), y = t * t / (df + t * t);
    return beta_regularized(df / 2, 0.5L, x, y) / 2;
}

static long double density(long double t, long double df) {
    const long double pi = 3.14159265358979323846264338327950288L;
    return expl(lgammal((df + 1) / 2) - lgammal(df / 2) - (df + 1) / 2 * log1pl(t * t / df)) /
           sqrtl(df * pi);
}

double stats_t_cdf(double t, double df) {
    assert(df > 0);
    if (isnan(t)) {
        return NAN;
    }
    if (isinf(t)) {
        return t > 0;
    }
    long double tail = upper_tail(fabsl((long double)t), df);
    return (double)(t > 0 ? 1 - tail : tail);
}

double stats_t_two_sided(double t, double df) {
    assert(df > 0);
    if (!isfinite(t)) {
        return isnan(t) ? (double)NAN : 0;
    }
    return (double)(2 * upper_tail(fabsl((long double)t), df));
}

/* Near the t > 0 with P(T > t) = tail: the normal quantile z, and the expansion of Abramowitz and Stegun (1964),
 * 26.7.5, whose terms fall with df. */
static long double guess_quantile(double tail, double df) {
    const double root_2pi = 2.506628274631000502;
    double z = 0;
    for (int i = 0; i < 12; i++) { // from the left without overshooting; far tails are the caller's
        z += (erfc(z / sqrt(2)) / 2 - tail) * root_2pi * exp(z * z / 2);
    }
    double z2 = z * z;
    double t = z * (1 + (z2 + 1) / (4 * df) + ((5 * z2 + 16) * z2 + 3) / (96 * df * df) +
                    (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * df * df * df));
    return t > 0 && t < 1e300 ? t : 1;
}

/* The t > 0 with P(T > t) = tail, 0 < tail < 1/2.  Newton's steps inside a bracket; where a step would
 * leave it (the tails are heavy for few degrees of freedom), the bracket is halved instead.  Far below, where
 * Newton's steps are short, t doubles first. */
static long double tail_quantile(long double tail, long double df) {
    long double low = 0, high = INFINITY, t = guess_quantile((double)tail, (double)df);
    while (upper_tail(t, df) > 2 * tail && t < 1e300L) {
        low = t;
        t *= 2;
    }
    for (int i = 0; i < ITERATIONS_MAX; i++) {
        long double excess = upper_tail(t, df) - tail;
        if (excess > 0) {
            low = t;
        } else {
            high = t;
        }
        long double step = excess / density(t, df);
        if (fabsl(step) <= 1e-16L * t) {
            return t + step;
        }
        t += step;
        if (!(t > low && t < high)) {
            t = (low + high) / 2;
        }
    }
    return t;
}

double stats_t_quantile(double p, double df) {
    assert(p > 0 && p < 1 && df > 0);
    if (p == 0.5) {
        return 0;
    }
    // 1 - p in long double, as its digits are what the answer depends on.
    long double tail = p < 0.5 ? (long double)p : 1 - (long double)p;
    long double t = tail_quantile(tail, df);
    return (double)(p < 0.5 ? -t : t);
}
