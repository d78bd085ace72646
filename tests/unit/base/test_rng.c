/* Philox against the known answers of its authors (Random123, kat_vectors), and the streams' statistics. */
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void philox4x32_10_gives_the_published_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct rng rng;
        rng_init(&rng, 0, 0, 0, 0);
        memcpy(rng.counter, known[i].counter, sizeof rng.counter);
        memcpy(rng.key, known[i].key, sizeof rng.key);
        for (int w = 0; w < 4; w++) {
            assert_int_equal(rng_u32(&rng), known[i].answer[w]);
        }
    }
}

static void the_key_is_the_seed_and_the_counter_the_place(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, 0x123456789abcdef0, 2, 3, 4);
    static const uint32_t key[] = {0x9abcdef0, 0x12345678}, counter[] = {0, 2, 3, 4};
    assert_memory_equal(rng.key, key, sizeof key);
    assert_memory_equal(rng.counter, counter, sizeof counter);
}

/* Philox4x32-10 in Python by the paper's figures: key (0x9abcdef0, 0x12345678), counters (b, 2, 3, 4). */
static void the_blocks_of_a_stream_follow_each_other(void **state) {
    (void)state;
    static const uint32_t blocks[3][4] = {
        {0x00f4bc03, 0xc3e49359, 0x0d925dde, 0x253dcb0e},
        {0x70538c98, 0x18bdcc1c, 0x0cbf6709, 0x0bb05d21},
        {0x280804ad, 0xf465a06f, 0x080733bb, 0x2b8c45f8},
    };
    struct rng rng;
    rng_init(&rng, 0x123456789abcdef0, 2, 3, 4);
    for (int b = 0; b < 3; b++) {
        for (int w = 0; w < 4; w++) {
            assert_int_equal(rng_u32(&rng), blocks[b][w]);
        }
    }
}

static void every_part_of_the_place_makes_another_stream(void **state) {
    (void)state;
    uint32_t first[6];
    for (int i = 0; i < 6; i++) {
        struct rng rng;
        rng_init(&rng,
                 i == 1   ? 2
                 : i == 2 ? 1ULL << 32
                          : 1,
                 i == 3 ? 2 : 1, i == 4 ? 2 : 1, i == 5 ? 2 : 1);
        first[i] = rng_u32(&rng);
        for (int j = 0; j < i; j++) {
            assert_int_not_equal(first[i], first[j]);
        }
    }
}

enum { DRAWS = 200000 };

static void below_is_uniform(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, 1, RNG_TEST, 0, 0);
    int count[7] = {0};
    for (int i = 0; i < DRAWS; i++) {
        count[rng_below(&rng, 7)]++;
    }
    double chi2 = 0, mean = DRAWS / 7.0;
    for (int i = 0; i < 7; i++) {
        chi2 += (count[i] - mean) * (count[i] - mean) / mean;
    }
    assert_true(chi2 < 22.46); // 6 degrees of freedom, p = 0.001
    for (int i = 0; i < 100; i++) {
        assert_int_equal(rng_below(&rng, 1), 0);
    }
    for (int i = 0; i < 100; i++) { // a bound just above 2^31 rejects nearly half: it still ends
        assert_true(rng_below(&rng, 0x80000001) <= 0x80000000);
    }
}

static void uniform_and_normal_have_their_moments(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, 2, RNG_TEST, 0, 0);
    double sum = 0, sum2 = 0, n1 = 0, n2 = 0, n3 = 0, n4 = 0;
    for (int i = 0; i < DRAWS; i++) {
        double u = (double)rng_uniform(&rng), z = rng_normal(&rng);
        assert_true(u >= 0 && u < 1);
        sum += u;
        sum2 += u * u;
        n1 += z;
        n2 += z * z;
        n3 += z * z * z;
        n4 += z * z * z * z;
    }
    // within 4 standard errors: of u sqrt(1/12), of u^2 sqrt(4/45), of z^k sqrt(E z^2k - (E z^k)^2)
    double root = 4 / sqrt(DRAWS);
    assert_true(fabs(sum / DRAWS - 0.5) < root * sqrt(1 / 12.0));
    assert_true(fabs(sum2 / DRAWS - 1 / 3.0) < root * sqrt(4 / 45.0));
    assert_true(fabs(n1 / DRAWS) < root);
    assert_true(fabs(n2 / DRAWS - 1) < root * sqrt(2));
    assert_true(fabs(n3 / DRAWS) < root * sqrt(15));
    assert_true(fabs(n4 / DRAWS - 3) < root * sqrt(96));
}

static void fill_gives_what_single_calls_give(void **state) {
    (void)state;
    uint32_t filled[48];
    struct rng rng, other;
    rng_init(&rng, 5, RNG_TEST, 6, 7);
    other = rng;
    rng_fill(&rng, filled, 8);
    for (int i = 8; i < 12; i++) { // it goes on where the other ended
        filled[i] = rng_u32(&rng);
    }
    rng_fill(&rng, filled + 12, 36);
    for (int i = 0; i < 48; i++) {
        assert_int_equal(filled[i], rng_u32(&other));
    }
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The largest distance of the empirical distribution function from `cdf`, times sqrt(DRAWS). */
static double kolmogorov(double *drawn, double (*cdf)(double x)) {
    qsort(drawn, DRAWS, sizeof *drawn, compare_doubles);
    double most = 0;
    for (int i = 0; i < DRAWS; i++) {
        const double expected = cdf(drawn[i]);
        most = fmax(most, fmax(expected - i / (double)DRAWS, (i + 1) / (double)DRAWS - expected));
    }
    return most * sqrt(DRAWS);
}

static double beta_half_half(double x) { // the arcsine distribution
    return 2 / M_PI * asin(sqrt(x));
}

static double beta_1_1(double x) {
    return x;
}

static double beta_2_2(double x) {
    return x * x * (3 - 2 * x);
}

static double beta_1_3(double x) {
    return 1 - (1 - x) * (1 - x) * (1 - x);
}

static void beta_has_its_distribution(void **state) {
    (void)state;
    static const struct {
        double a, b, (*cdf)(double x);
    } cases[] = {{0.5, 0.5, beta_half_half}, {1, 1, beta_1_1}, {2, 2, beta_2_2}, {1, 3, beta_1_3}};
    double *drawn = malloc(DRAWS * sizeof *drawn);
    assert_non_null(drawn);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct rng rng;
        rng_init(&rng, 4, RNG_TEST, 0, (uint32_t)c);
        for (int i = 0; i < DRAWS; i++) {
            drawn[i] = rng_beta(&rng, cases[c].a, cases[c].b);
        }
        assert_true(kolmogorov(drawn, cases[c].cdf) < 1.95); // p = 0.001
    }
    free(drawn);
}

/* Of Beta(a, a): variance 1 / (4 (2a + 1)), fourth central moment 3 / (16 (2a + 1) (2a + 3)). */
static void beta_has_its_moments_and_stays_within_0_and_1(void **state) {
    (void)state;
    static const double as[] = {1e-6, 0.01, 0.1, 0.2, 0.4, 1, 1.5, 8, 1e6};
    for (size_t c = 0; c < sizeof as / sizeof *as; c++) {
        const double a = as[c], variance = 1 / (4 * (2 * a + 1));
        const double fourth = 3 / (16 * (2 * a + 1) * (2 * a + 3));
        struct rng rng;
        rng_init(&rng, 5, RNG_TEST, 0, (uint32_t)c);
        double sum = 0, squares = 0;
        for (int i = 0; i < DRAWS; i++) {
            double x = rng_beta(&rng, a, a);
            assert_true(x >= 0 && x <= 1);
            sum += x - 0.5;
            squares += (x - 0.5) * (x - 0.5);
        }
        // within 4 standard errors, and a little: where a is small, (x - 1/2)^2 has no variance left
        const double root = 4 / sqrt(DRAWS), error = sqrt(fmax(fourth - variance * variance, 0));
        assert_true(fabs(sum / DRAWS) < root * sqrt(variance));
        assert_true(fabs(squares / DRAWS - variance) < root * error + 1e-9);
    }
}

static void shuffle_reaches_every_permutation_alike(void **state) {
    (void)state;
    int count[24] = {0};
    for (uint32_t step = 0; step < 24000; step++) {
        uint32_t order[4] = {0, 1, 2, 3};
        struct rng rng;
        rng_init(&rng, 3, RNG_SHUFFLE, 1, step);
        rng_shuffle(&rng, order, 4);
        int rank = 0, seen = 0;
        for (int i = 0; i < 4; i++) { // Lehmer code
            int smaller = 0;
            for (int j = i + 1; j < 4; j++) {
                smaller += order[j] < order[i];
            }
            rank = rank * (4 - i) + smaller;
            seen |= 1 << order[i];
        }
        assert_int_equal(seen, 15);
        count[rank]++;
    }
    double chi2 = 0;
    for (int i = 0; i < 24; i++) {
        chi2 += (count[i] - 1000.0) * (count[i] - 1000.0) / 1000.0;
    }
    assert_true(chi2 < 49.73); // 23 degrees of freedom, p = 0.001
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox4x32_10_gives_the_published_answers),
        cmocka_unit_test(the_key_is_the_seed_and_the_counter_the_place),
        cmocka_unit_test(the_blocks_of_a_stream_follow_each_other),
        cmocka_unit_test(every_part_of_the_place_makes_another_stream),
        cmocka_unit_test(below_is_uniform),
        cmocka_unit_test(uniform_and_normal_have_their_moments),
        cmocka_unit_test(fill_gives_what_single_calls_give),
        cmocka_unit_test(beta_has_its_distribution),
        cmocka_unit_test(beta_has_its_moments_and_stays_within_0_and_1),
        cmocka_unit_test(shuffle_reaches_every_permutation_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
