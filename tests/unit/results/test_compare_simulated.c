/* Sweeps whose truth is known, by the thousand: whether the intervals hold what they promise, and whether what is alike is
 * called different no more often than promised.  Normal noise from Philox with fixed seeds; every seed of a sweep moves all its
 * points alike, as real ones do.
 *
 * A share over SWEEPS sweeps is itself uncertain: a promise of 5% is taken for broken where the share is beyond it by more
 * than three of its standard errors. */
#include "results/compare_effect.h"

#include "base/rng.h"
#include "tests/unit/results/compare_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { VALUES_MAX = 1024 };

struct design {
    int axis_count, levels[TESTING_AXES_MAX], replicates;
    double seed_std;  // of what a seed does to all points
    double noise_std; // of each trial beside that
    double fail;      // share of trials that fail
};

static int points_of(const struct design *d) {
    int points = 1;
    for (int a = 0; a < d->axis_count; a++) {
        points *= d->levels[a];
    }
    return points;
}

/* true_mean (points) */
static void draw(struct compare *c, const struct design *d, const double *true_mean,
                 uint32_t purpose, uint32_t sweep) {
    static double value[VALUES_MAX];
    struct rng rng;
    double seed[64];
    int points = points_of(d);
    rng_init(&rng, 1908, RNG_TEST, purpose, sweep);
    for (int r = 0; r < d->replicates; r++) {
        seed[r] = d->seed_std * rng_normal(&rng);
    }
    for (int p = 0; p < points; p++) {
        for (int r = 0; r < d->replicates; r++) {
            double v = true_mean[p] + seed[r] + d->noise_std * rng_normal(&rng);
            value[p * d->replicates + r] = rng_uniform(&rng) < (float)d->fail ? (double)NAN : v;
        }
    }
    struct testing_grid grid = {
        .axis_count = d->axis_count, .replicates = d->replicates, .value = value};
    for (int a = 0; a < d->axis_count; a++) {
        grid.levels[a] = d->levels[a];
    }
    testing_compare(c, &grid);
}

static void expect_coverage(const char *what, int covered, int all) {
    double share = (double)covered / all;
    print_message("%s: %.4f of %d intervals\n", what, share, all);
    if (!(share >= 0.93 && share <= 0.97)) {
        fail_msg("%s: %.4f of %d intervals hold the truth, not 0.93 to 0.97", what, share, all);
    }
}

static double limit(double promised, int n) {
    return promised + 3 * sqrt(promised * (1 - promised) / n);
}

static void expect_at_most(const char *what, int called, int sweeps) {
    print_message("%s: %.4f of %d sweeps\n", what, (double)called / sweeps, sweeps);
    if ((double)called / sweeps > limit(0.05, sweeps)) {
        fail_msg("%s: in %.4f of %d sweeps something alike was called different", what,
                 (double)called / sweeps, sweeps);
    }
}

/* Each point's interval over n seeds, the points' means being far apart so that their order does not select. */
static void intervals_of_points_cover(void **state) {
    (void)state;
    static const int seeds[] = {2, 3, 5, 10};
    enum { SWEEPS = 2500 };
    for (size_t s = 0; s < sizeof seeds / sizeof *seeds; s++) {
        const struct design d = {1, {2}, seeds[s], 1, 0.5, 0};
        const double mean[] = {0, 100};
        int covered = 0, all = 0;
        for (uint32_t i = 0; i < SWEEPS; i++) {
            struct compare c;
            draw(&c, &d, mean, 1 + (uint32_t)s, i);
            for (int p = 0; p < c.point_count; p++) {
                double truth = c.points[p].level[0][1] == '0' ? 0 : 100;
                covered += fabs(c.points[p].value.mean - truth) <= c.points[p].ci_half;
                all++;
            }
            compare_release(&c);
        }
        expect_coverage("points", covered, all);
    }
}

/* Marginal means and paired differences to the best, with a tenth of the trials failed or with none. */
static void intervals_of_axis_values_cover(void **state) {
    (void)state;
    enum { SWEEPS = 2500 };
    static const double fail[] = {0, 0.1};
    for (int f = 0; f < 2; f++) {
        const struct design d = {2, {2, 3}, 4, 1, 0.5, fail[f]};
        // An effect of A alone: where points are missing, marginal means are over what is there
        const double mean[] = {0, 0, 0, 100, 100, 100};
        int covered = 0, differences = 0, all = 0, tested = 0;
        for (uint32_t i = 0; i < SWEEPS; i++) {
            struct compare c;
            struct compare_effect e;
            draw(&c, &d, mean, 11 + (uint32_t)f, i);
            compare_effect_init(&e, &c, 0, -1, 0);
            for (int l = 0; l < 2; l++) {
                const struct compare_level *level = &c.axes[0].levels[l];
                double truth = level->name[1] == '0' ? 0 : 100;
                covered += fabs(level->mean - truth) <= level->ci_half;
                all += !isnan(level->ci_half);
            }
            const struct paired *p = &e.levels[1].difference.paired;
            if (!isnan(p->ci_half)) {
                differences += fabs(p->difference.mean + 100) <= p->ci_half;
                tested++;
            }
            compare_effect_release(&e);
            compare_release(&c);
        }
        expect_coverage("axis values", covered, all);
        expect_coverage("differences", differences, tested);
    }
}

/* All values of the axis are alike: whether any is called worse or better. */
static void alike_values_are_rarely_called_different(void **state) {
    (void)state;
    static const struct {
        struct design design;
        int sweeps;
    } cases[] = {
        {{1, {2}, 3, 1, 1, 0}, 4000},    {{1, {3}, 5, 1, 1, 0}, 2000},
        {{1, {5}, 3, 3, 0.5, 0}, 1500},  {{1, {10}, 6, 1, 1, 0}, 1000},
        {{2, {4, 3}, 4, 1, 1, 0}, 1000}, {{2, {4, 3}, 5, 1, 1, 0.15}, 1000},
    };
    static const double none[VALUES_MAX];
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        int called = 0;
        for (int i = 0; i < cases[k].sweeps; i++) {
            struct compare c;
            struct compare_effect e;
            draw(&c, &cases[k].design, none, 21 + (uint32_t)k, (uint32_t)i);
            compare_effect_init(&e, &c, 0, -1, 0);
            bool any = false;
            for (int l = 0; l < e.level_count; l++) {
                any = any || e.levels[l].verdict == COMPARE_WORSE ||
                      e.levels[l].verdict == COMPARE_BETTER;
            }
            called += any;
            compare_effect_release(&e);
            compare_release(&c);
        }
        char *what = mem_printf("%d values, %d seeds", cases[k].design.levels[0],
                                cases[k].design.replicates);
        expect_at_most(what, called, cases[k].sweeps);
        free(what);
    }
}

/* Points that are all alike, and points of which half are worse by much: whether any two alike ones are told apart. */
static void alike_points_are_rarely_told_apart(void **state) {
    (void)state;
    enum { SWEEPS = 1500, POINTS = 12 };
    static const double worse[] = {0, 1000};
    for (int w = 0; w < 2; w++) {
        const struct design d = {1, {POINTS}, 5, 1, 1, 0};
        double mean[POINTS];
        for (int p = 0; p < POINTS; p++) {
            mean[p] = p % 2 == 0 ? 0 : -worse[w];
        }
        int called = 0;
        for (uint32_t i = 0; i < SWEEPS; i++) {
            struct compare c;
            draw(&c, &d, mean, 31 + (uint32_t)w, i);
            compare_group(&c);
            int group[2] = {0}; // of those alike
            bool apart = false;
            for (int p = 0; p < POINTS; p++) {
                int kind = worse[w] > 0 && c.points[p].value.mean < -worse[w] / 2;
                apart = apart || (group[kind] != 0 && group[kind] != c.points[p].group);
                group[kind] = c.points[p].group;
            }
            called += apart;
            if (w == 1 && group[0] == group[1]) {
                fail_msg("points that are 1000 apart share a group");
            }
            compare_release(&c);
        }
        expect_at_most("points", called, SWEEPS);
    }
}

/* With the seeds that it asks for, the difference that it saw is found in 80% of sweeps. */
static void the_seeds_asked_for_are_enough(void **state) {
    (void)state;
    enum { SWEEPS = 1500 };
    const double effects[] = {0.7, 1, 1.6};
    for (size_t k = 0; k < sizeof effects / sizeof *effects; k++) {
        // An effect of a standard deviation: the noise of a difference is sqrt(2) of a trial's
        const struct design two = {1, {2}, 2, 0, 1, 0};
        struct compare_difference seen = {
            .paired.difference = {.n = 2, .mean = effects[k], .std = 1}};
        struct design d = two;
        d.replicates = 2 + (int)compare_more_seeds(&seen, 0.05);
        const double mean[] = {0, effects[k] * sqrt(2)};
        int found = 0;
        for (uint32_t i = 0; i < SWEEPS; i++) {
            struct compare c;
            struct compare_effect e;
            draw(&c, &d, mean, 41 + (uint32_t)k, i);
            compare_effect_init(&e, &c, 0, -1, 0);
            found += e.levels[1].verdict == COMPARE_WORSE;
            compare_effect_release(&e);
            compare_release(&c);
        }
        double share = (double)found / SWEEPS;
        print_message("effect %g: %d seeds, found in %.3f\n", effects[k], d.replicates, share);
        if (share < 0.8 - 3 * sqrt(0.16 / SWEEPS) || share > 0.9) {
            fail_msg("effect %g: %d seeds find it in %.3f of sweeps", effects[k], d.replicates,
                     share);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_of_points_cover),
        cmocka_unit_test(intervals_of_axis_values_cover),
        cmocka_unit_test(alike_values_are_rarely_called_different),
        cmocka_unit_test(alike_points_are_rarely_told_apart),
        cmocka_unit_test(the_seeds_asked_for_are_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
