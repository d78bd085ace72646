/* Curves against what the plain sqlite3 program says of the same file. */
#include "results/curves.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "tests/unit/results/store_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { REPLICATES = 3, EPOCHS = 4 };

/* optimizer (sgd, adam) x activation (tanh, relu, elu), three replicates; values without a pattern that an order of
 * summation could hide behind.  adam elu's third replicate failed after two epochs, adam relu's is running. */
static void fill(struct fixture *f) {
    static const char *const optimizers[] = {"sgd lr=0.1", "adam"};
    static const char *const activations[] = {"tanh", "relu", "elu"};
    int64_t id = sweep(f, "s", "[\"optimizer\",\"activation\"]", "val_accuracy", true);
    int64_t trials[18];
    for (int i = 0; i < 18; i++) {
        char key[8], label[64], params[128];
        const char *optimizer = optimizers[i / 9], *activation = activations[i / 3 % 3];
        snprintf(key, sizeof key, "k%02d", i);
        snprintf(label, sizeof label, "%s %s", optimizer, activation);
        snprintf(params, sizeof params, "{\"optimizer\":\"%s\",\"activation\":\"%s\"}", optimizer,
                 activation);
        trials[i] = point(f, id, key, label, params, i % 3 + 1, EPOCHS).trial;
    }
    end_plan(f, id);
    for (int i = 0; i < 18; i++) {
        bool failed = i == 17, running = i == 14;
        attempt(f, trials[i], 1);
        for (int e = 1; e <= (failed ? 2 : running ? 3 : EPOCHS); e++) {
            char metrics[96];
            snprintf(metrics, sizeof metrics, "val_accuracy %.17g val_loss %s",
                     0.5 + 0.4 * sin(i * 7.31 + e * 1.7),
                     i == 4 && e == 2   ? "nan"
                     : i == 4 && e == 3 ? "inf"
                                        : "1.5");
            epoch(f, trials[i], 1, e, metrics);
        }
        if (!running) {
            end(f, trials[i], 1, failed ? TRIAL_FAILED : TRIAL_COMPLETE, failed ? "exit" : NULL);
        }
    }
}

static int setup(void **state) {
    int rc = fixture_setup(state);
    if (rc == 0) {
        fill(*state);
    }
    return rc;
}

static struct curves load(struct fixture *f, struct curves_options options) {
    struct curves curves = {0};
    expect_ok(f, curves_load(&curves, f->store, "s", &options, &f->err));
    return curves;
}

/* "name|epoch|mean|n" with 12 digits, a line a point */
static char *told(const struct curves *curves) {
    struct buf out = {0};
    for (int i = 0; i < curves->count; i++) {
        for (int p = 0; p < curves->curves[i].count; p++) {
            const struct curve_point *point = &curves->curves[i].points[p];
            buf_printf(&out, "%s|%d|%.12f|%d\n", curves->curves[i].name, point->epoch, point->mean,
                       point->n);
        }
    }
    return buf_detach(&out);
}

static void expect_told(struct fixture *f, struct curves_options options, const char *sql) {
    struct curves curves = load(f, options);
    char *got = told(&curves);
    const char *want = shell(f, sql);
    assert_true(strlen(got) > 40);
    while (want[strlen(want) - 1] != '\n' && got[strlen(got) - 1] == '\n') {
        got[strlen(got) - 1] = '\0'; // as the program's answer comes without its last one
    }
    assert_string_equal(got, want);
    free(got);
    curves_release(&curves);
}

#define MEANS " epoch, printf('%.12f', avg(value)), count(*) FROM curves JOIN sweep_s USING (trial)"

static void means_are_those_that_sqlite3_computes(void **state) {
    expect_told(*state, (struct curves_options){.by = "activation"},
                "SELECT activation," MEANS " WHERE metric = 'val_accuracy' AND status = 'complete'"
                " GROUP BY activation, epoch ORDER BY min(trial), epoch");
    // the first axis; names in short where the first word tells
    expect_told(*state, (struct curves_options){0},
                "SELECT substr(optimizer, 1, instr(optimizer || ' ', ' ') - 1)," MEANS
                " WHERE metric = 'val_accuracy' AND status = 'complete'"
                " GROUP BY optimizer, epoch ORDER BY min(trial), epoch");
    expect_told(*state, (struct curves_options){.by = "none"},
                "SELECT 'all'," MEANS " WHERE metric = 'val_accuracy' AND status = 'complete'"
                " GROUP BY epoch ORDER BY epoch");
    expect_told(*state, (struct curves_options){.by = "label"},
                "SELECT label, epoch, printf('%.12f', avg(value)), count(*) FROM curves c"
                " JOIN trials t USING (trial) WHERE metric = 'val_accuracy' AND status ="
                " 'complete' GROUP BY label, epoch ORDER BY min(trial), epoch");
}

static void where_leaves_the_points_that_it_names(void **state) {
    expect_told(*state,
                (struct curves_options){.by = "activation",
                                        .where = "optimizer=sgd,activation=elu,activation=tanh"},
                "SELECT activation," MEANS " WHERE metric = 'val_accuracy' AND status = 'complete'"
                " AND optimizer = 'sgd lr=0.1' AND activation <> 'relu'"
                " GROUP BY activation, epoch ORDER BY min(trial), epoch");
    struct fixture *f = *state;
    struct curves curves;
    const struct curves_options wrong = {.where = "optimizer=adan"};
    expect_code(f, curves_load(&curves, f->store, "s", &wrong, &f->err), ERR_NOT_FOUND);
    expect_message(f, "adam");
}

static void those_under_way_count_when_asked_for_and_failed_ones_never(void **state) {
    expect_told(*state, (struct curves_options){.by = "activation", .under_way = true},
                "SELECT activation," MEANS " WHERE metric = 'val_accuracy' AND status <> 'failed'"
                " GROUP BY activation, epoch ORDER BY min(trial), epoch");
    struct curves curves =
        load(*state, (struct curves_options){.by = "activation", .under_way = true});
    const struct curve *relu = &curves.curves[1], *elu = &curves.curves[2];
    assert_int_equal(relu->trials, 6);
    assert_int_equal(relu->counted, 6);
    assert_int_equal(relu->points[2].n, 6);
    assert_int_equal(relu->points[3].n, 5); // one has not got there
    assert_int_equal(elu->trials, 6);
    assert_int_equal(elu->counted, 5);
    assert_int_equal(elu->points[0].n, 5);
    assert_int_equal(curves.trials, 18);
    assert_int_equal(curves.complete, 16);
    assert_int_equal(curves.failed, 1);
    assert_int_equal(curves.counted, 17);
    assert_int_equal(curves.unfinished, 1);
    assert_int_equal(curves.replicates, 3);
    curves_release(&curves);
}

/* As besom compare: the mean of each replicate over the other axis, then Student's t over the replicates. */
static void the_interval_is_that_of_the_mean_over_replicates(void **state) {
    struct fixture *f = *state;
    struct curves curves = load(f, (struct curves_options){.by = "optimizer"});
    for (int i = 0; i < 2; i++) {
        for (int p = 0; p < EPOCHS; p++) {
            const struct curve_point *point = &curves.curves[i].points[p];
            char *sql = mem_printf(
                "WITH r AS (SELECT replicate, avg(value) m FROM curves JOIN sweep_s USING (trial)"
                " WHERE metric = 'val_accuracy' AND status = 'complete' AND optimizer LIKE '%s%%'"
                " AND epoch = %d GROUP BY replicate) SELECT printf('%%.10f', sqrt(sum((m - a) *"
                " (m - a)) / (count(*) - 1)) * (SELECT t FROM student_t WHERE df = 2) /"
                " sqrt(count(*))) FROM r, (SELECT avg(m) a FROM r)",
                curves.curves[i].name, point->epoch);
            char got[2][32];
            snprintf(got[0], 32, "%.10f", point->high - point->mean);
            snprintf(got[1], 32, "%.10f", point->mean - point->low);
            assert_string_equal(got[0], got[1]);
            assert_memory_equal(shell(f, sql), got[0], strlen(got[0]));
            free(sql);
        }
    }
    curves_release(&curves);
}

static void other_bands_are_over_trials(void **state) {
    struct fixture *f = *state;
    static const char *const sql[] = {
        [CURVES_BAND_STD] = "printf('%.10f %.10f', a - s, a + s)",
        [CURVES_BAND_MINMAX] = "printf('%.10f %.10f', low, high)",
    };
    for (enum curves_band band = CURVES_BAND_STD; band <= CURVES_BAND_MINMAX; band++) {
        struct curves curves = load(f, (struct curves_options){.by = "none", .band = band});
        char got[64];
        char *query = mem_printf(
            "WITH v AS (SELECT value x FROM curves JOIN sweep_s USING (trial) WHERE metric ="
            " 'val_accuracy' AND status = 'complete' AND epoch = 1), m AS (SELECT avg(x) a,"
            " min(x) low, max(x) high FROM v) SELECT %s FROM m, (SELECT sqrt(sum((x - a) *"
            " (x - a)) / (count(*) - 1)) s FROM v, m)",
            sql[band]);
        snprintf(got, sizeof got, "%.10f %.10f", curves.curves[0].points[0].low,
                 curves.curves[0].points[0].high);
        assert_memory_equal(shell(f, query), got, strlen(got));
        free(query);
        curves_release(&curves);
    }
    struct curves curves = load(f, (struct curves_options){.by = "none", .band = CURVES_BAND_NONE});
    assert_true(isnan(curves.curves[0].points[0].low));
    curves_release(&curves);
    curves = load(f, (struct curves_options){.by = "label", .where = "2"});
    assert_int_equal(curves.count, 1); // a rank names a point
    curves_release(&curves);
}

static void a_value_that_is_not_finite_makes_a_gap(void **state) {
    struct curves curves =
        load(*state, (struct curves_options){.by = "activation", .metric = "val_loss"});
    const struct curve *relu = &curves.curves[1];
    assert_false(curves.maximize);
    for (int p = 0; p < EPOCHS; p++) {
        const struct curve_point *point = &relu->points[p];
        assert_int_equal(point->n, 5);
        assert_int_equal(point->not_finite, p == 1 || p == 2);
        assert_int_equal(isnan(point->mean), p == 1 || p == 2);
        assert_int_equal(isnan(point->low), p == 1 || p == 2);
    }
    assert_int_equal(curves.curves[0].points[1].not_finite, 0);
    curves_release(&curves);
}

static void while_none_is_complete_all_count(void **state) {
    struct fixture *f = *state;
    (void)one_running_trial(f, 4);
    bool have = true;
    expect_ok(f, curves_have_values(f->store, "s", &have, &f->err));
    assert_false(have);
    struct curves curves;
    const struct curves_options options = {0};
    expect_code(f, curves_load(&curves, f->store, "s", &options, &f->err), ERR_NOT_FOUND);
    epoch(f, 1, 1, 1, "val_accuracy 0.25");
    expect_ok(f, curves_have_values(f->store, "s", &have, &f->err));
    assert_true(have);
    curves = load(f, options);
    assert_true(curves.under_way);
    assert_int_equal(curves.complete, 0);
    assert_int_equal(curves.count, 1);
    assert_null(curves.axis); // of one value: no axis to tell apart by
    assert_int_equal(curves.curves[0].count, 1);
    assert_true(curves.curves[0].points[0].mean == 0.25);
    assert_true(isnan(curves.curves[0].points[0].low)); // of one replicate
    curves_release(&curves);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(means_are_those_that_sqlite3_computes, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(where_leaves_the_points_that_it_names, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(those_under_way_count_when_asked_for_and_failed_ones_never,
                                        setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(the_interval_is_that_of_the_mean_over_replicates, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(other_bands_are_over_trials, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_value_that_is_not_finite_makes_a_gap, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(while_none_is_complete_all_count, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
