/* Comparison and curves of a sweep whose figures are worked out by hand. */
#include "results/compare.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/wire.h"
#include "results/curves.h"
#include "results/level.h"
#include "results/store.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* optimizer x activation x constant, 2 replicates; two epochs each, the first one the better. */
struct sample {
    const char *optimizer, *activation;
    int replicate;
    double value; // NaN: failed
};
static const struct sample samples[] = {
    {"sgd", "tanh", 1, 0.50},  {"sgd", "tanh", 2, 0.60},  {"sgd", "relu", 1, 0.70},
    {"sgd", "relu", 2, 0.72},  {"adam", "tanh", 1, 0.80}, {"adam", "tanh", 2, 0.82},
    {"adam", "relu", 1, 0.90}, {"adam", "relu", 2, NAN},
};
enum { SAMPLE_COUNT = sizeof samples / sizeof *samples };

static char *dir;

static void ok(int rc, const struct err *err) {
    if (rc != ERR_OK) {
        fail_msg("%s", err->msg);
    }
}

static void put_sample(struct store *store, int64_t sweep, int i) {
    const struct sample *s = &samples[i];
    struct err err;
    char key[HASH_HEX_LEN + 1], label[64], params[128];
    snprintf(key, sizeof key, "%032x", i + 1);
    snprintf(label, sizeof label, "%s %s", s->optimizer, s->activation);
    snprintf(params, sizeof params,
             "{\"optimizer\":\"%s\",\"activation\":\"%s\",\"batch_size\":64}", s->optimizer,
             s->activation);
    const struct store_point point = {.key = key,
                                      .ordinal = i,
                                      .label = label,
                                      .params = params,
                                      .config = "{}",
                                      .replicate = s->replicate,
                                      .seed = s->replicate,
                                      .epochs = 2};
    struct store_planned planned;
    ok(store_put_point(store, sweep, &point, &planned, &err), &err);
    ok(store_begin_attempt(store, planned.trial, 1, 0, &err), &err);
    static struct wire_record record;
    for (int epoch = 1; epoch <= 2 && !isnan(s->value); epoch++) {
        record.kind = WIRE_EPOCH;
        record.epoch = epoch;
        record.metric_count = 2;
        strcpy(record.metrics[0].name, "val_accuracy");
        record.metrics[0].value = s->value - (epoch - 1) * 0.1;
        strcpy(record.metrics[1].name, "val_loss");
        record.metrics[1].value = 1 - s->value;
        enum store_epoch_result result;
        ok(store_put_epoch(store, planned.trial, 1, &record, true, &result, &err), &err);
    }
    const struct store_end end = {.status = isnan(s->value) ? TRIAL_FAILED : TRIAL_COMPLETE,
                                  .reason = isnan(s->value) ? "exit" : NULL,
                                  .exit_status = isnan(s->value) ? 1 : 0};
    ok(store_end_attempt(store, planned.trial, 1, &end, &err), &err);
}

static int make(void **state) {
    dir = mem_strdup("/tmp/test_compare.XXXXXX");
    assert_non_null(mkdtemp(dir));
    struct err err;
    struct store *store;
    int64_t sweep;
    const struct store_sweep spec = {.name = "by-hand",
                                     .spec = "{}",
                                     .axes = "[\"optimizer\",\"batch_size\",\"activation\"]",
                                     .trainer = "[\"t\"]",
                                     .metric = "val_accuracy",
                                     .maximize = true};
    ok(store_open(&store, dir, STORE_WRITE, &err), &err);
    ok(store_begin(store, &err), &err);
    ok(store_put_sweep(store, &spec, &sweep, &err), &err);
    for (int i = 0; i < SAMPLE_COUNT; i++) {
        put_sample(store, sweep, i);
    }
    ok(store_end_plan(store, sweep, &err), &err);
    ok(store_commit(store, &err), &err);
    *state = store;
    return 0;
}

static int drop(void **state) {
    struct err err;
    ok(store_close(*state, &err), &err);
    char *command = mem_printf("rm -r %s", dir);
    int rc = system(command);
    free(command);
    free(dir);
    return rc;
}

static void near(double got, double want) {
    if (!(fabs(got - want) <= 1e-12)) {
        fail_msg("got %.17g, want %.17g", got, want);
    }
}

static void points_are_ranked_by_the_mean_of_their_replicates(void **state) {
    struct compare c;
    struct err err;
    ok(compare_load(&c, *state, "by-hand", NULL, &err), &err);
    assert_int_equal(c.trials, 8);
    assert_int_equal(c.complete, 7);
    assert_int_equal(c.failed, 1);
    assert_int_equal(c.point_count, 4);
    assert_string_equal(c.metric, "val_accuracy");

    // adam relu has its one replicate that did not fail, the rest two each
    static const double means[] = {0.90, 0.81, 0.71, 0.55};
    static const int n[] = {1, 2, 2, 2}, best[] = {7, 6, 4, 2};
    for (int i = 0; i < 4; i++) {
        near(c.points[i].value.mean, means[i]);
        assert_int_equal(c.points[i].value.n, n[i]);
        assert_int_equal(c.points[i].best_trial, best[i]);
        assert_int_equal(c.points[i].rank, i + 1);
    }
    assert_true(isnan(c.points[0].value.std));
    near(c.points[3].value.std, sqrt(0.005));             // of 0.5 and 0.6
    near(c.points[3].ci_half, 12.706204736174698 * 0.05); // t(0.975, 1) * std / sqrt(2)
    assert_string_equal(c.points[0].level[0], "adam");
    assert_string_equal(c.points[0].level[1], "relu");
    compare_release(&c);
}

static void marginal_means_are_over_the_other_axes(void **state) {
    struct compare c;
    struct err err;
    ok(compare_load(&c, *state, "by-hand", NULL, &err), &err);
    assert_int_equal(c.axis_count, 2); // batch_size has one value: it tells nothing
    assert_string_equal(c.axes[0].path, "optimizer");
    assert_string_equal(c.axes[1].path, "activation");

    const struct compare_level *adam = &c.axes[0].levels[0], *sgd = &c.axes[0].levels[1];
    assert_string_equal(adam->name, "adam");
    near(adam->mean, (0.80 + 0.82 + 0.90) / 3);
    assert_int_equal(adam->trials, 4);
    assert_int_equal(adam->complete, 3);
    near(sgd->mean, 0.63);
    // replicate 1: (0.5 + 0.7) / 2, replicate 2: (0.6 + 0.72) / 2
    assert_int_equal(sgd->replicates, 2);
    near(sgd->ci_half, 12.706204736174698 * 0.03);
    compare_release(&c);
}

static void another_metric_has_its_own_direction(void **state) {
    struct compare c;
    struct err err;
    ok(compare_load(&c, *state, "by-hand", "val_loss", &err), &err);
    assert_false(c.maximize);
    near(c.points[0].value.mean, 0.10);
    assert_string_equal(c.axes[0].levels[0].name, "adam");
    compare_release(&c);
}

static void what_is_not_there_is_named_with_what_is(void **state) {
    struct compare c;
    struct err err;
    assert_int_equal(compare_load(&c, *state, "by-hand", "val_acc", &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.msg, "val_accuracy, val_loss"));
    assert_int_equal(compare_load(&c, *state, "other", NULL, &err), ERR_NOT_FOUND);
    ok(compare_load(&c, *state, "by-hand", NULL, &err), &err);
    assert_null(compare_axis(&c, "optimiser", &err));
    assert_non_null(strstr(err.msg, "did you mean \"optimizer\""));
    compare_release(&c);
}

static void curves_are_means_of_complete_trials(void **state) {
    struct curves c;
    struct err err;
    const struct curves_options by = {.by = "activation"}, constant = {.by = "batch_size"};
    ok(curves_load(&c, *state, "by-hand", &by, &err), &err);
    assert_int_equal(c.count, 2);
    assert_string_equal(c.curves[0].name, "tanh"); // the sweep's order
    assert_int_equal(c.curves[0].count, 2);
    assert_int_equal(c.curves[0].points[0].n, 4);
    near(c.curves[0].points[0].mean, (0.50 + 0.60 + 0.80 + 0.82) / 4);
    near(c.curves[0].points[1].mean, (0.50 + 0.60 + 0.80 + 0.82) / 4 - 0.1);
    assert_int_equal(c.curves[1].points[0].n, 3);
    near(c.curves[1].points[0].mean, (0.70 + 0.72 + 0.90) / 3);
    curves_release(&c);
    assert_int_equal(curves_load(&c, *state, "by-hand", &constant, &err), ERR_NOT_FOUND);
}

static void names_are_cut_where_the_first_word_tells(void **state) {
    (void)state;
    char a[] = "sgd lr=0.1", b[] = "adam lr=0.001", c[] = "adam lr=0.1";
    char *two[] = {a, b}, *three[] = {a, b, c};
    level_shorten(three, 3);
    assert_string_equal(a, "sgd lr=0.1");
    assert_string_equal(b, "adam lr=0.001");
    level_shorten(two, 2);
    assert_string_equal(a, "sgd");
    assert_string_equal(b, "adam");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_are_ranked_by_the_mean_of_their_replicates),
        cmocka_unit_test(marginal_means_are_over_the_other_axes),
        cmocka_unit_test(another_metric_has_its_own_direction),
        cmocka_unit_test(what_is_not_there_is_named_with_what_is),
        cmocka_unit_test(curves_are_means_of_complete_trials),
        cmocka_unit_test(names_are_cut_where_the_first_word_tells),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
