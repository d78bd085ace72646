/* Reference values: Student's t from mpmath 1.x with 30 digits (regularized incomplete beta, or the
 * integral of the density), the usual table of 0.975 quantiles, and closed forms for 1, 2 and 4 degrees of
 * freedom; means and deviations from exact rational arithmetic (Python's fractions). */
#include "results/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PI 3.14159265358979323846

static void expect_near(double actual, double expected, double relative, const char *what) {
    if (!(fabs(actual - expected) <= relative * fabs(expected))) {
        print_error("%s: got %.17g, expected %.17g\n", what, actual, expected);
        fail();
    }
}

static void expect_nan(double actual, const char *what) {
    if (!isnan(actual)) {
        print_error("%s: got %.17g, expected nan\n", what, actual);
        fail();
    }
}

/* ---- means ---- */

static void nearly_equal_values_keep_their_digits(void **state) {
    (void)state;
    const double shifted[] = {1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16};
    struct stats s = stats_of(shifted, 4);
    expect_near(s.mean, 1000000010.0, 0, "mean");
    expect_near(s.std, 5.477225575051661, 1e-15, "std");

    const double coarse[] = {1e15 + 0.125, 1e15 + 0.25, 1e15 + 0.5};
    s = stats_of(coarse, 3);
    expect_near(s.mean, 1000000000000000.2, 1e-15, "mean");
    expect_near(s.std, 0.19094065395649334, 1e-12, "std");
}

static void small_samples_agree_with_exact_arithmetic(void **state) {
    (void)state;
    const double values[] = {0.8466, 0.8441, 0.8412};
    struct stats s = stats_of(values, 3);
    assert_int_equal(s.n, 3);
    expect_near(s.mean, 0.8439666666666666, 4e-16, "mean");
    expect_near(s.std, 0.0027024680078279414, 1e-13, "std");
}

static void many_values_agree_with_a_long_double_version(void **state) {
    (void)state;
    enum { N = 10000 };
    static double values[N];
    uint32_t random = 1;
    long double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        random = random * 1664525u + 1013904223u;
        values[i] = 1000 + random / 4294967296.0;
        sum += values[i];
    }
    for (int i = 0; i < N; i++) {
        squares += (values[i] - sum / N) * (values[i] - sum / N);
    }
    struct stats s = stats_of(values, N);
    expect_near(s.mean, (double)(sum / N), 2e-16, "mean");
    expect_near(s.std, (double)sqrtl(squares / (N - 1)), 1e-14, "std");
}

static void too_few_values_have_no_spread(void **state) {
    (void)state;
    const double one = 7;
    struct stats none = stats_of(NULL, 0), single = stats_of(&one, 1);
    expect_nan(none.mean, "mean of nothing");
    expect_nan(none.std, "std of nothing");
    expect_near(single.mean, 7, 0, "mean of one");
    expect_nan(single.std, "std of one");
    expect_nan(stats_ci_half(&single, 0.95), "interval of one");
}

static void values_that_are_not_finite_show_in_the_result(void **state) {
    (void)state;
    const double with_nan[] = {1, NAN, 3}, with_inf[] = {1, INFINITY, 3};
    struct stats s = stats_of(with_nan, 3);
    expect_nan(s.mean, "mean with nan");
    expect_nan(s.std, "std with nan");
    s = stats_of(with_inf, 3);
    assert_true(isinf(s.mean) && s.mean > 0);
    expect_nan(s.std, "std with inf");
}

/* ---- Student's t ---- */

static void quantiles_agree_with_the_table(void **state) {
    (void)state;
    static const struct {
        double df, t;
    } table[] = {{1, 12.706204736}, {2, 4.302652730}, {3, 3.182446305},
                 {4, 2.776445105},  {5, 2.570581836}, {10, 2.228138852}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect_near(stats_t_quantile(0.975, table[i].df), table[i].t, 3e-10, "t(0.975)");
    }
}

/* t = z + (z^3 + z) / (4 df) + O(1/df^2), z = 1.959963984540054 (Fisher, Cornish) */
static void many_degrees_of_freedom_approach_the_normal_distribution(void **state) {
    (void)state;
    expect_near(stats_t_quantile(0.975, 1e9), 1.959963984540054 + 2.372292e-9, 1e-10, "df 1e9");
}

static void quantiles_agree_with_many_digits(void **state) {
    (void)state;
    static const struct {
        double p, df, t;
    } cases[] = {
        {0.975, 3, 3.1824463052837084},       {0.975, 30, 2.0422724563012379},
        {0.975, 1000, 1.9623390808264081},    {0.975, 100000, 1.9599877075346093},
        {0.95, 7, 1.8945786050900068},        {0.995, 5, 4.0321429835552272},
        {0.75, 2.5, 0.7850136829923011},      {0.9, 0.5, 10.270324410234511},
        {0.9995, 12, 4.3177912836062473},     {0.999999, 3, 103.29946777942897},
        {0.51, 4, 0.02667061830263903},       {1e-300, 1, -3.1830988618379067e299},
        {1e-300, 2, -7.0710678118654752e149}, {1e-300, 10000, -38.356384321004242},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_near(stats_t_quantile(cases[i].p, cases[i].df), cases[i].t, 1e-13, "t");
    }
}

/* df 1: tan(pi (p - 1/2)).  df 2: 2 a / sqrt(2 b), a = p - 1/2, b = 4 p (1 - p) / 2.
 * df 4: sign(a) 2 sqrt(q - 1), q = cos(acos(sqrt(c)) / 3) / sqrt(c), c = 4 p (1 - p) (Shaw 2006). */
static void quantiles_agree_with_closed_forms(void **state) {
    (void)state;
    static const double levels[] = {0.001, 0.025, 0.2, 0.4, 0.6, 0.9, 0.975, 0.999};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        double p = levels[i], c = 4 * p * (1 - p);
        expect_near(stats_t_quantile(p, 1), tan(PI * (p - 0.5)), 1e-13, "df 1");
        expect_near(stats_t_quantile(p, 2), 2 * (p - 0.5) * sqrt(2 / c), 1e-13, "df 2");
        double q = cos(acos(sqrt(c)) / 3) / sqrt(c);
        expect_near(stats_t_quantile(p, 4), copysign(2 * sqrt(q - 1), p - 0.5), 1e-12, "df 4");
    }
}

static void the_distribution_function_keeps_digits_in_its_tail(void **state) {
    (void)state;
    static const struct {
        double t, df, p;
    } cases[] = {
        {0.5, 1, 0.64758361765043327},       {2, 3, 0.93033701572057841},
        {-3, 8, 0.0085358406168913255},      {-40, 2.5, 7.0978171452466915e-5},
        {-12, 30, 2.790092707599628e-13},    {-1.96, 100000, 0.024999281597150819},
        {1.96, 100000, 0.97500071840284918},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_near(stats_t_cdf(cases[i].t, cases[i].df), cases[i].p, 1e-12, "cdf");
    }
}

static void quantile_and_distribution_function_are_inverse(void **state) {
    (void)state;
    for (double df = 0.5; df < 2000; df *= 1.7) {
        for (double p = 0.0001; p < 1; p += 0.0371) {
            expect_near(stats_t_cdf(stats_t_quantile(p, df), df), p, 1e-12, "cdf(quantile(p))");
        }
    }
}

static void the_ends_of_the_distribution_are_exact(void **state) {
    (void)state;
    expect_near(stats_t_quantile(0.5, 7), 0, 0, "median");
    expect_near(stats_t_cdf(0, 7), 0.5, 1e-15, "cdf(0)");
    expect_near(stats_t_cdf(INFINITY, 7), 1, 0, "cdf(inf)");
    expect_near(stats_t_cdf(-INFINITY, 7), 0, 0, "cdf(-inf)");
    expect_nan(stats_t_cdf(NAN, 7), "cdf(nan)");
}

/* 3.182446305 * 2 / sqrt(4) */
static void the_interval_is_t_times_the_standard_error(void **state) {
    (void)state;
    struct stats s = {.n = 4, .mean = 10, .std = 2};
    expect_near(stats_ci_half(&s, 0.95), 3.1824463052837084, 1e-13, "half width");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearly_equal_values_keep_their_digits),
        cmocka_unit_test(small_samples_agree_with_exact_arithmetic),
        cmocka_unit_test(many_values_agree_with_a_long_double_version),
        cmocka_unit_test(too_few_values_have_no_spread),
        cmocka_unit_test(values_that_are_not_finite_show_in_the_result),
        cmocka_unit_test(quantiles_agree_with_the_table),
        cmocka_unit_test(many_degrees_of_freedom_approach_the_normal_distribution),
        cmocka_unit_test(quantiles_agree_with_many_digits),
        cmocka_unit_test(quantiles_agree_with_closed_forms),
        cmocka_unit_test(the_distribution_function_keeps_digits_in_its_tail),
        cmocka_unit_test(quantile_and_distribution_function_are_inverse),
        cmocka_unit_test(the_ends_of_the_distribution_are_exact),
        cmocka_unit_test(the_interval_is_t_times_the_standard_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
