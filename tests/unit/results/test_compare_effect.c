/* Differences, groups and sets of points of small grids, whose figures are worked out by hand. */
#include "results/compare_effect.h"

#include "base/err.h"
#include "results/point_set.h"
#include "tests/unit/results/compare_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void near(double got, double want) {
    if (!(fabs(got - want) <= 1e-12 * fmax(1, fabs(want)))) {
        fail_msg("got %.17g, want %.17g", got, want);
    }
}

static const double FAILED = NAN;
#define EXCLUDED (-INFINITY)
#define NEVER    INFINITY

/* ---- differences ---- */

/* A0 - A1 is 3, 1, 2 at B0 and 1, 3, 2.9 at B1: over both places 2, 2, 2.45 */
static void differences_are_averaged_over_places_and_tested_over_seeds(void **state) {
    (void)state;
    const double value[] = {13, 21, 32, 5, 17, 26.9, 10, 20, 30, 4, 14, 24};
    struct compare c;
    struct compare_effect e;
    testing_compare(&c, &(struct testing_grid){2, 3, {2, 2}, value, false, TRIAL_VALUE_BEST});
    compare_effect_init(&e, &c, 0, -1, 0);
    assert_int_equal(e.best, 0);
    assert_string_equal(c.axes[0].levels[e.levels[0].level].name, "A0");
    const struct compare_difference *d = &e.levels[1].difference;
    assert_int_equal(d->seeds, 3);
    assert_int_equal(d->places, 2);
    assert_int_equal(d->places_both, 2);
    near(d->paired.difference.mean, -2.15);
    near(d->paired.difference.std, sqrt(0.0675));
    near(d->mean_a, 17);
    near(d->mean_b, 19.15);
    double t = 2.15 / sqrt(0.0675 / 3);
    near(d->paired.p, 1 - t / sqrt(2 + t * t)); // two degrees of freedom
    assert_int_equal(e.levels[1].verdict, COMPARE_WORSE);
    assert_int_equal(e.levels[1].more_seeds, 0);
    compare_effect_release(&e);

    int b0 = strcmp(c.axes[1].levels[0].name, "B0") == 0 ? 0 : 1;
    compare_effect_init(&e, &c, 0, 1, b0);
    d = &e.levels[1].difference;
    near(d->paired.difference.mean, -2);
    near(d->paired.difference.std, 1);
    near(d->paired.t, -2 * sqrt(3));
    near(d->paired.ci_half, 4.302652729749464 / sqrt(3));
    near(d->paired.p_exact, 0.25);
    assert_int_equal(d->places, 1);
    near(e.levels[1].p_holm, 1 - 2 * sqrt(3) / sqrt(14));
    assert_int_equal(e.levels[1].verdict, COMPARE_UNDECIDED);
    assert_int_equal(e.levels[1].more_seeds, 2); // an effect of 2 standard deviations takes 5 pairs
    compare_effect_release(&e);
    compare_release(&c);
}

/* The picture of compare_pair.h: seed 3 failed at one of three places. */
static void what_failed_takes_its_place_out_for_all_seeds(void **state) {
    (void)state;
    const double value[] = {2, 2, 2, 5, 5, 5, 9, 9, FAILED, 1, 1, 1, 3, 3, 3, 1, 1, 1};
    struct compare c;
    struct compare_effect e;
    testing_compare(&c, &(struct testing_grid){2, 3, {2, 3}, value, false, TRIAL_VALUE_BEST});
    compare_effect_init(&e, &c, 0, -1, 0);
    const struct compare_difference *d = &e.levels[1].difference;
    assert_int_equal(d->places_both, 3);
    assert_int_equal(d->places, 2);
    assert_int_equal(d->seeds, 3);
    near(d->paired.difference.mean, -1.5); // of 1 and 2; with the third place it would be more
    compare_effect_release(&e);
    compare_release(&c);
}

/* One seed failed everywhere but at one place: it is left out, not the places. */
static void a_seed_that_hardly_has_anything_is_left_out(void **state) {
    (void)state;
    const double value[] = {2, 2, 2, 2, FAILED, 5, 5, 5, 5, FAILED, 9, 9, 9, 9, 9,
                            1, 1, 1, 1, 1,      3, 3, 3, 3, 3,      1, 1, 1, 1, 1};
    struct compare c;
    struct compare_effect e;
    testing_compare(&c, &(struct testing_grid){2, 5, {2, 3}, value, false, TRIAL_VALUE_BEST});
    compare_effect_init(&e, &c, 0, -1, 0);
    assert_int_equal(e.levels[1].difference.seeds, 4);
    assert_int_equal(e.levels[1].difference.places, 3);
    compare_effect_release(&e);
    compare_release(&c);
}

/* A1 has the higher mean, as its bad place was excluded; at the same places it is worse. */
static void missing_points_do_not_fool_the_difference(void **state) {
    (void)state;
    const double value[] = {1, 1.1, 1.2, 9, 9.1, 9.2, EXCLUDED, EXCLUDED, EXCLUDED, 8, 8.2, 8.1};
    struct compare c;
    struct compare_effect e;
    testing_compare(&c, &(struct testing_grid){2, 3, {2, 2}, value, false, TRIAL_VALUE_BEST});
    assert_string_equal(c.axes[0].levels[0].name, "A1");
    compare_effect_init(&e, &c, 0, -1, 0);
    assert_int_equal(e.best, 1);
    assert_string_equal(c.axes[0].levels[e.levels[1].level].name, "A0");
    assert_int_equal(e.levels[0].difference.places_both, 1);
    near(e.levels[0].difference.paired.difference.mean, -1);
    assert_int_equal(e.levels[0].verdict, COMPARE_WORSE);
    compare_effect_release(&e);
    compare_release(&c);
}

/* A0 beats A1 at B0, A1 beats A2 at B1, A2 beats A0 at B2, and no two are together elsewhere. */
static void values_that_beat_each_other_in_a_circle_come_to_an_end(void **state) {
    (void)state;
    const double value[] = {9,   9.1,      EXCLUDED, EXCLUDED, 1,        1.3, 5,   5.1, 9,
                            9.2, EXCLUDED, EXCLUDED, EXCLUDED, EXCLUDED, 5,   5.3, 9,   9.3};
    struct compare c;
    struct compare_effect e;
    testing_compare(&c, &(struct testing_grid){2, 2, {3, 3}, value, false, TRIAL_VALUE_BEST});
    compare_effect_init(&e, &c, 0, -1, 0);
    assert_int_equal(e.best, 0); // of the best mean
    int better = 0;
    for (int l = 0; l < 3; l++) {
        better += e.levels[l].difference.paired.difference.mean > 0;
    }
    assert_int_equal(better, 1);
    compare_effect_release(&e);
    compare_release(&c);
}

static void one_seed_tests_nothing(void **state) {
    (void)state;
    const double value[] = {1, 2, 3, 4};
    struct compare c;
    struct compare_effect e;
    testing_compare(&c, &(struct testing_grid){2, 1, {2, 2}, value, true, TRIAL_VALUE_BEST});
    compare_effect_init(&e, &c, 0, -1, 0);
    assert_int_equal(e.best, -1);
    assert_int_equal(e.levels[0].verdict, COMPARE_UNTESTED);
    assert_string_equal(c.axes[0].levels[e.levels[0].level].name, "A0"); // lower is better
    compare_group(&c);
    assert_int_equal(c.points[0].group, 0);
    compare_effect_release(&e);
    compare_release(&c);
}

/* The family is of all pairs: three values, three pairs, of which two are with the best. */
static void the_best_was_chosen_too(void **state) {
    (void)state;
    const double value[] = {10, 11, 12.5, 9, 10.5, 11, 5, 6.5, 7};
    struct compare c;
    struct compare_effect e;
    testing_compare(&c, &(struct testing_grid){1, 3, {3}, value, false, TRIAL_VALUE_BEST});
    compare_effect_init(&e, &c, 0, -1, 0);
    near(e.family, 3);
    double near_p = e.levels[1].difference.paired.p, far_p = e.levels[2].difference.paired.p;
    assert_true(far_p < near_p);
    near(e.levels[2].p_holm, 3 * far_p);
    near(e.levels[1].p_holm, fmin(1, 2 * near_p));
    compare_effect_release(&e);
    compare_release(&c);
}

/* ---- groups ---- */

static void points_that_are_not_told_from_the_first_share_its_group(void **state) {
    (void)state;
    const double value[] = {
        10, 11,     12,     13,   // A0
        10, 11,     12,     12.9, // A1: hardly different
        5,  6,      7.1,    8,    // A2: clearly worse, and so
        0,  20,     3,      1,    // A3: nothing is known about it, whatever its mean
        5,  6,      7,      8.1,  // A4: as A2
        1,  FAILED, FAILED, FAILED,
    };
    static const int groups[] = {1, 1, 2, 1, 2, 0};
    struct compare c;
    testing_compare(&c, &(struct testing_grid){1, 4, {6}, value, false, TRIAL_VALUE_BEST});
    compare_group(&c);
    for (int i = 0; i < c.point_count; i++) {
        int a = c.points[i].level[0][1] - '0';
        if (c.points[i].group != groups[a]) {
            fail_msg("A%d: group %d, want %d", a, c.points[i].group, groups[a]);
        }
    }
    compare_release(&c);
}

/* ---- the time to reach a target ---- */

static void who_never_gets_there_is_behind_and_counted(void **state) {
    (void)state;
    const double value[] = {2,     NEVER, NEVER, 5,      5, 6, NEVER, NEVER,
                            NEVER, 4,     4,     FAILED, 1, 1, NEVER};
    static const char *const order[] = {"A3", "A1", "A4", "A0", "A2"};
    static const int reached[] = {2, 3, 2, 1, 0}, complete[] = {2, 3, 3, 3, 3};
    struct compare c;
    testing_compare(&c, &(struct testing_grid){1, 3, {5}, value, true, TRIAL_VALUE_REACH_EPOCHS});
    assert_int_equal(c.complete, 14);
    assert_int_equal(c.reached, 8);
    assert_int_equal(c.point_count, 5);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(c.points[i].level[0], order[i]);
        assert_string_equal(c.axes[0].levels[i].name, order[i]);
        assert_int_equal(c.points[i].value.n, reached[i]);
        assert_int_equal(c.points[i].complete, complete[i]);
        assert_int_equal(c.axes[0].levels[i].n, reached[i]);
    }
    assert_int_equal(c.points[4].best_trial, 0);
    assert_true(isnan(c.points[4].value.mean));
    compare_group(&c); // those that do not always get there have no group
    assert_int_equal(c.points[0].group, 1);
    assert_int_equal(c.points[1].group, 1); // two seeds an epoch apart each: 2 / 2^2
    assert_int_equal(c.points[2].group, 0);
    compare_release(&c);
}

/* ---- sets of points ---- */

static void points_are_found_by_rank_and_by_value(void **state) {
    (void)state;
    const double value[] = {1, 2, 3, 4, 5, 6};
    struct compare c;
    struct point_set set;
    struct err err;
    testing_compare(&c, &(struct testing_grid){2, 1, {3, 2}, value, false, TRIAL_VALUE_BEST});
    free(c.axes[1].levels[0].name);
    c.axes[1].levels[0].name = mem_strdup("[1,2]"); // B1, with a comma
    free(c.axes[1].levels[1].name);
    c.axes[1].levels[1].name = mem_strdup("[1"); // B0, which the other begins with
    static const struct {
        const char *text;
        int count;
    } cases[] = {{"1", 1},         {"6", 1},         {"A=A0", 2},
                 {"A=A0,B=B0", 1}, {"A=A0,A=A2", 4}, {"B=[1,2],A=A1", 1},
                 {"B=B1", 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (point_set_parse(&set, &c, cases[i].text, &err) != ERR_OK) {
            fail_msg("%s: %s", cases[i].text, err.msg);
        }
        assert_int_equal(set.count, cases[i].count);
        point_set_release(&set);
    }
    static const struct {
        const char *text;
        int code;
        const char *said;
    } bad[] = {{"7", ERR_NOT_FOUND, "6 points"},   {"A=A", ERR_NOT_FOUND, "did you mean"},
               {"AB=1", ERR_NOT_FOUND, "no axis"}, {"A", ERR_RANGE, "neither"},
               {"A=A0,", ERR_RANGE, "neither"},    {"A=A0x,B=B0", ERR_NOT_FOUND, "\"A0x\""},
               {"", ERR_RANGE, "neither"},         {"0", ERR_RANGE, "neither"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int rc = point_set_parse(&set, &c, bad[i].text, &err);
        if (rc != bad[i].code || strstr(err.msg, bad[i].said) == NULL) {
            fail_msg("\"%s\": %d, %s", bad[i].text, rc, err.msg);
        }
    }
    compare_release(&c);
}

/* Either side names another axis: at each value of the third both are means of two points. */
static void sides_may_name_different_axes(void **state) {
    (void)state;
    const double value[] = {1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8};
    struct compare c;
    struct point_set a, b;
    struct err err;
    struct compare_difference d;
    testing_compare(&c, &(struct testing_grid){3, 2, {2, 2, 2}, value, false, TRIAL_VALUE_BEST});
    assert_int_equal(point_set_parse(&a, &c, "A=A0", &err), ERR_OK);
    assert_int_equal(point_set_parse(&b, &c, "B=B1", &err), ERR_OK);
    for (int i = 0; i < 3; i++) {
        a.named[i] = a.named[i] || b.named[i];
    }
    compare_difference(&d, &c, &(struct compare_sides){a.has, b.has, a.named});
    assert_int_equal(d.places, 2);
    near(d.mean_a, (1 + 2 + 3 + 4) / 4.0);
    near(d.mean_b, (3 + 4 + 7 + 8) / 4.0);
    point_set_release(&a);
    point_set_release(&b);
    compare_release(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_averaged_over_places_and_tested_over_seeds),
        cmocka_unit_test(what_failed_takes_its_place_out_for_all_seeds),
        cmocka_unit_test(a_seed_that_hardly_has_anything_is_left_out),
        cmocka_unit_test(missing_points_do_not_fool_the_difference),
        cmocka_unit_test(values_that_beat_each_other_in_a_circle_come_to_an_end),
        cmocka_unit_test(one_seed_tests_nothing),
        cmocka_unit_test(the_best_was_chosen_too),
        cmocka_unit_test(points_that_are_not_told_from_the_first_share_its_group),
        cmocka_unit_test(who_never_gets_there_is_behind_and_counted),
        cmocka_unit_test(points_are_found_by_rank_and_by_value),
        cmocka_unit_test(sides_may_name_different_axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
