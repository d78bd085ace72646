/* The exact test against all 2^n patterns counted one by one, and figures worked out by hand. */
#include "results/permutation.h"

#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(double got, double want) {
    if (!(got == want) && !(isnan(got) && isnan(want))) {
        fail_msg("got %.17g, want %.17g", got, want);
    }
}

/* Integers: every sum is exact, and ties are ties. */
static double count_all(const int *d, int n, enum permutation_side side) {
    int observed = 0, extreme = 0;
    for (int i = 0; i < n; i++) {
        observed += d[i];
    }
    for (int pattern = 0; pattern < 1 << n; pattern++) {
        int sum = 0;
        for (int i = 0; i < n; i++) {
            sum += pattern >> i & 1 ? d[i] : -d[i];
        }
        extreme += side == PERMUTATION_GREATER
                       ? sum >= observed
                       : (sum < 0 ? -sum : sum) >= (observed < 0 ? -observed : observed);
    }
    return ldexp(extreme, -n);
}

static void it_counts_what_counting_one_by_one_counts(void **state) {
    (void)state;
    struct rng rng;
    for (uint32_t round = 0; round < 2000; round++) {
        rng_init(&rng, 7, RNG_TEST, round, 0);
        int n = 1 + (int)rng_below(&rng, 12), whole[12];
        uint32_t width = 1 + rng_below(&rng, 8); // small numbers: many ties
        double scaled[12];
        for (int i = 0; i < n; i++) {
            whole[i] = (int)rng_below(&rng, 2 * width + 1) - (int)(width / 2);
            scaled[i] =
                whole[i] * 0.001; // not exact in binary: sums that tie differ in their last bits
        }
        for (int side = 0; side <= PERMUTATION_GREATER; side++) {
            double got = permutation_test(scaled, (size_t)n, side),
                   want = count_all(whole, n, side);
            if (got != want) {
                fail_msg("seed 7, round %u, side %d: got %.17g, want %.17g", round, side, got,
                         want);
            }
        }
    }
}

/* Darwin's 15 pairs of Zea mays, in eighths of an inch.  Fisher 1935, section 21: of the 2^15 patterns 863 have a
 * sum of 314 or more, so that the test of both sides has 5.267%. */
static void it_has_fishers_figure_for_darwins_maize(void **state) {
    (void)state;
    static const double darwin[15] = {49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};
    expect(permutation_test(darwin, 15, PERMUTATION_TWO_SIDED), 2 * 863 / 32768.0);
    expect(permutation_test(darwin, 15, PERMUTATION_GREATER), 863 / 32768.0);
}

static void few_pairs_cannot_convince(void **state) {
    (void)state;
    const double huge[] = {1000, 1001, 1002, 1003, 1004, 1005};
    for (size_t n = 1; n <= 6; n++) {
        expect(permutation_test(huge, n, PERMUTATION_TWO_SIDED), permutation_smallest(n));
    }
    expect(permutation_smallest(5), 0.0625);
    expect(permutation_smallest(6), 0.03125);
}

static void no_difference_is_no_evidence(void **state) {
    (void)state;
    const double none[] = {0, 0, 0}, opposite[] = {0.1, -0.1, 0.3, -0.3};
    expect(permutation_test(none, 3, PERMUTATION_TWO_SIDED), 1);
    expect(permutation_test(none, 3, PERMUTATION_GREATER), 1);
    expect(permutation_test(opposite, 4, PERMUTATION_TWO_SIDED), 1);
}

static void what_cannot_be_tested_is_nan(void **state) {
    (void)state;
    double many[PERMUTATION_PAIRS_MAX + 1] = {0};
    const double infinite[] = {1, INFINITY}, unknown[] = {NAN, 1};
    expect(permutation_test(many, 0, PERMUTATION_TWO_SIDED), NAN);
    expect(permutation_test(many, PERMUTATION_PAIRS_MAX + 1, PERMUTATION_TWO_SIDED), NAN);
    expect(permutation_test(infinite, 2, PERMUTATION_TWO_SIDED), NAN);
    expect(permutation_test(unknown, 2, PERMUTATION_GREATER), NAN);
}

/* All alike: the sum of n signs is binomial. */
static void forty_pairs_are_counted_exactly(void **state) {
    (void)state;
    double d[PERMUTATION_PAIRS_MAX];
    for (int i = 0; i < PERMUTATION_PAIRS_MAX; i++) {
        d[i] = i < 38 ? 0.1 : -0.1;
    }
    // 38 or more of 40 with the same sign: 1 + 40 + 780 patterns a side
    expect(permutation_test(d, PERMUTATION_PAIRS_MAX, PERMUTATION_TWO_SIDED), ldexp(821, -39));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_counts_what_counting_one_by_one_counts),
        cmocka_unit_test(it_has_fishers_figure_for_darwins_maize),
        cmocka_unit_test(few_pairs_cannot_convince),
        cmocka_unit_test(no_difference_is_no_evidence),
        cmocka_unit_test(what_cannot_be_tested_is_nan),
        cmocka_unit_test(forty_pairs_are_counted_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
