/* Paired comparison, Holm's correction and sample sizes, against figures worked out by hand and published
 * ones.  tests/statistics holds them to SciPy over wide grids. */
#include "results/paired.h"

#include "results/holm.h"
#include "results/power.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void near(double got, double want, double relative) {
    if (!(fabs(got - want) <= relative * fabs(want))) {
        fail_msg("got %.17g, want %.17g", got, want);
    }
}

/* Student 1908, the hours of sleep gained by ten patients with two drugs: t = -4.0621 with 9 degrees of
 * freedom, p = 0.002833 (as R's t.test(extra ~ group, data = sleep, paired = TRUE) prints). */
static void it_has_students_figures_for_two_drugs(void **state) {
    (void)state;
    static const double one[] = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
    static const double two[] = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
    struct paired p = paired_of(one, two, 10);
    assert_int_equal(p.difference.n, 10);
    near(p.difference.mean, -1.58, 1e-14);
    near(p.t, -4.0621, 1e-5);
    near(p.p, 0.002833, 2e-4);
    near(p.difference.mean - p.ci_half, -2.4598858, 1e-7);
    near(p.difference.mean + p.ci_half, -0.7001142, 1e-7);
    near(p.p_exact, 4 / 1024.0,
         0); // all of the nine that are not 0 have one sign: 2 patterns, twice
}

static void equal_values_are_no_difference_and_equal_differences_are_not_certain(void **state) {
    (void)state;
    const double a[] = {0.1 + 0.2, 0.3, 0.7}, b[] = {0.3, 0.3, 0.7}, c[] = {1.25, 1.25, 1.25},
                 d[] = {1, 1, 1};
    struct paired p = paired_of(a, b, 3);
    near(p.p, 1, 0);
    near(p.p_exact, 1, 0);
    assert_true(p.difference.mean == 0); // 0.1 + 0.2 is 0.3 but for rounding
    p = paired_of(d, c, 3);
    assert_true(isinf(p.t) && p.t < 0);
    near(p.p, 0.25, 0); // three seeds that agree to the last bit are three seeds
    near(paired_p(d, c, 3), 0.25, 0);
}

static void one_pair_says_nothing(void **state) {
    (void)state;
    const double a[] = {1}, b[] = {2};
    struct paired p = paired_of(a, b, 1);
    assert_true(isnan(p.p) && isnan(p.t) && isnan(p.ci_half));
    near(p.p_exact, 1, 0);
    p = paired_of(a, b, 0);
    assert_true(isnan(p.p) && isnan(p.p_exact) && isnan(p.difference.mean));
}

/* 0.01 * 4 = 0.04; 0.04 * 2 is below 0.03 * 3 = 0.09, which it takes over; 0.005 * 4 = 0.02 ... */
static void holms_correction_is_worked_out_by_hand(void **state) {
    (void)state;
    double p[] = {0.01, 0.04, 0.03, 0.005}, with_nan[] = {0.2, NAN, 0.01}, family[] = {0.01, 0.02};
    holm_adjust(p, 4, 4);
    near(p[3], 0.02, 1e-15);
    near(p[0], 0.03, 1e-15);
    near(p[2], 0.06, 1e-15);
    near(p[1], 0.06, 1e-15);
    holm_adjust(with_nan, 3, 2);
    near(with_nan[2], 0.02, 1e-15);
    near(with_nan[0], 0.2, 1e-15);
    assert_true(isnan(with_nan[1]));
    holm_adjust(family, 2, 10);
    near(family[0], 0.1, 1e-15);
    near(family[1], 0.18, 1e-15);
    double many[] = {0.5, 0.6};
    holm_adjust(many, 2, 2);
    assert_true(many[0] == 1 && many[1] == 1);
    near(holm_pairs(5), 10, 0);
    assert_true(holm_pairs(0) == 0 && holm_pairs(1) == 0);
}

/* Cohen 1988 and G*Power 3.1, two-sided, alpha 0.05, power 0.80: 199, 34 and 15 pairs for effects of 0.2, 0.5 and
 * 0.8; R's power.t.test(delta = 1, sd = 1, power = 0.9, type = "paired") says 12.6. */
static void sample_sizes_are_the_published_ones(void **state) {
    (void)state;
    assert_int_equal(power_pairs_needed(0.2, 0.05, 0.8), 199);
    assert_int_equal(power_pairs_needed(-0.5, 0.05, 0.8), 34);
    assert_int_equal(power_pairs_needed(0.8, 0.05, 0.8), 15);
    assert_int_equal(power_pairs_needed(1, 0.05, 0.9), 13);
}

static void a_sample_size_is_the_smallest_that_is_enough(void **state) {
    (void)state;
    for (double effect = 0.05; effect < 500; effect *= 1.37) {
        for (double alpha = 0.05; alpha > 1e-5; alpha /= 7) {
            size_t n = power_pairs_needed(effect, alpha, 0.8);
            assert_true(n >= 2 && power_paired_t(effect, n, alpha) >= 0.8);
            if (n > 2 && power_paired_t(effect, n - 1, alpha) >= 0.8) {
                fail_msg("effect %g, alpha %g: %zu pairs would do", effect, alpha, n - 1);
            }
        }
    }
}

/* Two pairs and a large effect: W is |N(0, 1)|, and T > c where W < delta / c, but for 1 / c^2. */
static void steep_rises_are_not_stepped_over(void **state) {
    (void)state;
    for (double effect = 300; effect < 3000; effect *= 1.1) {
        double ratio = effect * sqrt(2) / stats_t_quantile(1 - 1e-4 / 2, 1);
        near(power_paired_t(effect, 2, 1e-4), erf(ratio / sqrt(2)), 1e-6);
    }
}

static void no_effect_needs_more_pairs_than_there_are(void **state) {
    (void)state;
    assert_int_equal(power_pairs_needed(0, 0.05, 0.8), 0);
    assert_int_equal(power_pairs_needed(NAN, 0.05, 0.8), 0);
    assert_int_equal(power_pairs_needed(1e-4, 0.05, 0.8), 0);
    assert_int_equal(power_pairs_needed(INFINITY, 0.05, 0.8), 2);
    near(power_paired_t(0, 7, 0.05), 0.05, 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_students_figures_for_two_drugs),
        cmocka_unit_test(equal_values_are_no_difference_and_equal_differences_are_not_certain),
        cmocka_unit_test(one_pair_says_nothing),
        cmocka_unit_test(holms_correction_is_worked_out_by_hand),
        cmocka_unit_test(sample_sizes_are_the_published_ones),
        cmocka_unit_test(a_sample_size_is_the_smallest_that_is_enough),
        cmocka_unit_test(steep_rises_are_not_stepped_over),
        cmocka_unit_test(no_effect_needs_more_pairs_than_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
