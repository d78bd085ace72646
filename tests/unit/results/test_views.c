/* The views, with the sqlite3 program: their columns in order, and values worked out by hand. */
#include "results/store.h"

#include "base/mem.h"
#include "base/wire.h"
#include "tests/unit/results/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_columns(struct fixture *f, const char *view, const char *columns) {
    char *sql = mem_printf("SELECT group_concat(name, ' ') FROM pragma_table_info('%s');", view);
    char *line = mem_printf("%s\n", columns);
    expect_shell(f, sql, line);
    free(sql);
    free(line);
}

/* "g": sgd and adam with two replicates each, and one that fails.
 *
 *     trial  optimizer  replicate  best val_accuracy
 *     1      sgd        1          0.5
 *     2      sgd        2          0.7
 *     3      adam       1          0.8
 *     4      adam       2          0.9
 *     5      rmsprop    1          failed, with 0.99 at its only epoch */
static int64_t grid(struct fixture *f) {
    static const double sgd1[] = {0.4, 0.5}, sgd2[] = {0.7, 0.6}, adam1[] = {0.8, 0.8},
                        adam2[] = {0.1, 0.9};
    static const char sgd[] = "{\"optimizer\":{\"name\":\"sgd\",\"lr\":0.1}}",
                      adam[] = "{\"optimizer\":\"adam\"}", rms[] = "{\"optimizer\":\"rmsprop\"}";
    int64_t id = sweep(f, "g", "[\"optimizer\"]", "val_accuracy", true);
    (void)point(f, id, "1", "sgd lr=0.1", sgd, 1, 2);
    (void)point(f, id, "2", "sgd lr=0.1", sgd, 2, 2);
    (void)point(f, id, "3", "adam", adam, 1, 2);
    (void)point(f, id, "4", "adam", adam, 2, 2);
    (void)point(f, id, "5", "rmsprop", rms, 1, 2);
    end_plan(f, id);
    run_complete(f, 1, 2, sgd1);
    run_complete(f, 2, 2, sgd2);
    run_complete(f, 3, 2, adam1);
    run_complete(f, 4, 2, adam2);
    attempt(f, 5, 1);
    epoch(f, 5, 1, 1, "val_accuracy 0.99");
    end(f, 5, 1, TRIAL_PENDING, "signal");
    attempt(f, 5, 2);
    end(f, 5, 2, TRIAL_FAILED, "exit");
    return id;
}

static void columns_are_the_documented_ones_in_their_order(void **state) {
    struct fixture *f = *state;
    (void)grid(f);
    expect_columns(f, "trials",
                   "sweep trial key label status replicate seed params config attempts epochs_done "
                   "epochs best_value best_epoch last_value seconds error stopped");
    expect_columns(f, "curves", "sweep trial epoch metric value");
    expect_columns(f, "epochs", "sweep trial epoch attempt seconds samples_per_second at");
    expect_columns(f, "leaderboard",
                   "sweep rank label params n mean std ci_low ci_high best_trial");
    expect_columns(f, "layers",
                   "sweep trial epoch layer mean std min max dead saturated histogram position"
                   " histogram_low histogram_high gradient_mean gradient_std gradient_histogram"
                   " gradient_low gradient_high update_ratio");
    expect_columns(f, "failures", "sweep trial attempt reason exit_status signal log_tail class");
    expect_columns(f, "sweep_g",
                   "trial status optimizer replicate val_accuracy_best val_accuracy_last "
                   "optimizer.lr");
}

static void trials_has_all_of_a_trial(void **state) {
    struct fixture *f = *state;
    (void)grid(f);
    expect_shell(f, "SELECT * FROM trials WHERE trial IN (2, 5);",
                 "g|2|20000000000000000000000000000000|sgd lr=0.1|complete|2|2|"
                 "{\"optimizer\":{\"name\":\"sgd\",\"lr\":0.1}}|{\"epochs\":2,\"key\":\"2\"}|"
                 "1|2|2|0.7|1|0.6|3.0|NULL|NULL\n"
                 "g|5|50000000000000000000000000000000|rmsprop|failed|1|1|"
                 "{\"optimizer\":\"rmsprop\"}|{\"epochs\":2,\"key\":\"5\"}|"
                 "2|1|2|0.99|1|0.99|1.5|message of attempt 2|NULL\n");
}

static void a_trial_that_has_not_started_is_listed(void **state) {
    struct fixture *f = *state;
    int64_t id = sweep(f, "s", "[]", "loss", false);
    (void)point(f, id, "a", "", "{}", 1, 2);
    end_plan(f, id);
    expect_shell(f,
                 "SELECT status, attempts, epochs_done, best_value, best_epoch, last_value,"
                 " seconds, error FROM trials; SELECT * FROM sweep_s; SELECT * FROM leaderboard;",
                 "pending|0|0|NULL|NULL|NULL|NULL|NULL\n1|pending|1|NULL|NULL\n");
}

static void curves_join_the_sweep_by_trial(void **state) {
    struct fixture *f = *state;
    (void)grid(f);
    expect_shell(f,
                 "SELECT optimizer, epoch, avg(value) FROM curves JOIN sweep_g USING (trial)"
                 " WHERE metric = 'val_accuracy' AND status = 'complete' GROUP BY 1, 2;",
                 "adam|1|0.45\nadam|2|0.85\nsgd lr=0.1|1|0.55\nsgd lr=0.1|2|0.55\n");
}

static void epochs_tell_the_time_as_text(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    epoch(f, 1, 1, 1, "a 1");
    expect_shell(f,
                 "SELECT sweep, trial, epoch, attempt, seconds, samples_per_second,"
                 " abs(unixepoch(at) - unixepoch('now')) < 60, at GLOB"
                 " '20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9]*Z'"
                 " FROM epochs;",
                 "s|1|1|1|1.5|100.0|1|1\n");
}

static void failures_are_the_attempts_that_did_not_complete(void **state) {
    struct fixture *f = *state;
    (void)grid(f);
    expect_shell(f, "SELECT * FROM failures ORDER BY attempt;",
                 "g|5|1|signal|NULL|9|the last words\n|NULL\n"
                 "g|5|2|exit|3|NULL|the last words\n|NULL\n");
}

static void layers_show_what_the_table_has(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    expect_shell(f,
                 "INSERT INTO layer VALUES (1, 1, 'conv1', 0.5, 1, -2, 3, 0.25, 0.125, '[1,2]',"
                 " 2, -2.5, 3.5, 0.0625, 4, '[3]', -1, 1.5, 1e-3);"
                 "SELECT * FROM layers;",
                 "s|1|1|conv1|0.5|1.0|-2.0|3.0|0.25|0.125|[1,2]"
                 "|2|-2.5|3.5|0.0625|4.0|[3]|-1.0|1.5|0.001\n");
}

/* ---- leaderboard ----
 * adam: 0.8, 0.9: mean 0.85, std 0.0707107, t(0.975, 1) = 12.7062: half width 12.7062 * 0.05 = 0.63531
 * sgd:  0.5, 0.7: mean 0.6, std 0.141421, half width 1.27062 */
static void the_leaderboard_is_over_replicates(void **state) {
    struct fixture *f = *state;
    (void)grid(f);
    expect_shell(f,
                 "SELECT sweep, rank, label, params, n, round(mean, 6), round(std, 6),"
                 " round(ci_low, 4), round(ci_high, 4), best_trial FROM leaderboard;",
                 "g|1|adam|{\"optimizer\":\"adam\"}|2|0.85|0.070711|0.2147|1.4853|4\n"
                 "g|2|sgd lr=0.1|{\"optimizer\":{\"name\":\"sgd\",\"lr\":0.1}}|2|0.6|0.141421|"
                 "-0.6706|1.8706|2\n");
}

static void one_replicate_has_a_mean_and_no_spread(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    epoch(f, 1, 1, 1, "val_accuracy 0.5");
    end(f, 1, 1, TRIAL_COMPLETE, NULL);
    expect_shell(f, "SELECT n, mean, std, ci_low, ci_high FROM leaderboard;",
                 "1|0.5|NULL|NULL|NULL\n");
}

/* {4, 7, 13, 16} + 10^9: mean 10, std sqrt(30) = 5.477226, t(0.975, 3) = 3.182446 */
static void nearly_equal_replicates_keep_their_digits(void **state) {
    struct fixture *f = *state;
    static const double values[] = {1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16};
    static const char *const keys[] = {"a", "b", "c", "d"};
    int64_t id = sweep(f, "s", "[]", "val_accuracy", true);
    for (int i = 0; i < 4; i++) {
        (void)point(f, id, keys[i], "", "{}", i + 1, 1);
    }
    end_plan(f, id);
    for (int i = 0; i < 4; i++) {
        run_complete(f, i + 1, 1, &values[i]);
    }
    expect_shell(f,
                 "SELECT n, mean - 1e9, round(std, 6), round(ci_high - mean, 5) FROM leaderboard;",
                 "4|10.0|5.477226|8.71549\n");
}

static void minimizing_ranks_the_smallest_first(void **state) {
    struct fixture *f = *state;
    static const double values[3][2] = {{3, 2}, {1, 4}, {2.5, 2}};
    static const char *const labels[] = {"z", "b", "a"};
    int64_t id = sweep(f, "s", "[\"x\"]", "val_accuracy", false);
    for (int i = 0; i < 3; i++) {
        char params[32];
        (void)snprintf(params, sizeof params, "{\"x\":\"%s\"}", labels[i]);
        (void)point(f, id, labels[i], labels[i], params, 1, 2);
    }
    end_plan(f, id);
    for (int i = 0; i < 3; i++) {
        run_complete(f, i + 1, 2, values[i]);
    }
    expect_shell(f,
                 "SELECT rank, label, mean, best_trial FROM leaderboard;"
                 "SELECT trial, best_value, best_epoch FROM trials;"
                 "SELECT x, val_accuracy_best FROM sweep_s;",
                 "1|b|1.0|2\n2|z|2.0|1\n3|a|2.0|3\n" // z before a: the lower trial
                 "1|2.0|2\n2|1.0|1\n3|2.0|2\n"
                 "z|2.0\nb|1.0\na|2.0\n");
}

static void a_value_that_is_nan_is_never_on_the_leaderboard(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    epoch(f, 1, 1, 1, "val_accuracy nan");
    end(f, 1, 1, TRIAL_COMPLETE, NULL);
    expect_shell(f, "SELECT count(*) FROM leaderboard; SELECT status, best_value FROM trials;",
                 "0\ncomplete|NULL\n");
}

static void the_sweep_planned_last_leads_the_leaderboard(void **state) {
    struct fixture *f = *state;
    (void)grid(f);
    int64_t id = sweep(f, "later", "[]", "val_accuracy", true);
    (void)point(f, id, "1", "x", "{}", 1, 2);
    end_plan(f, id);
    expect_shell(f, "SELECT sweep, rank FROM leaderboard;", "later|1\ng|1\ng|2\n");
}

static void the_t_of_the_intervals_is_students(void **state) {
    struct fixture *f = *state;
    expect_shell(f,
                 "SELECT df, round(t, 9) FROM student_t WHERE df IN (1, 2, 3, 4, 5, 10);"
                 "SELECT count(*), min(df), max(df) FROM student_t;",
                 "1|12.706204736\n2|4.30265273\n3|3.182446305\n4|2.776445105\n5|2.570581836\n"
                 "10|2.228138852\n1000|1|1000\n");
}

/* ---- sweep_<name> ---- */

static void cells_are_scalars_names_or_short_texts(void **state) {
    struct fixture *f = *state;
    static const char *const params[] = {
        "{\"a\":\"relu\",\"b.c\":10000}",
        "{\"a\":{\"name\":\"relu\"},\"b.c\":0.1}",
        "{\"a\":{\"slope\":0.2,\"name\":\"leaky_relu\"},\"b.c\":true}",
        "{\"a\":{\"name\":\"elu\",\"x\":{\"y\":\"z\",\"w\":[1,2]}},\"b.c\":[1,\"two\"]}",
        "{\"a\":{\"lr\":1,\"on\":false},\"b.c\":null}",
        "{\"b.c\":-3}",
        "{\"a\":{},\"b.c\":1}",
    };
    int64_t id = sweep(f, "s", "[\"a\",\"b.c\"]", "loss", false);
    for (int i = 0; i < 7; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "%d", i + 1);
        (void)point(f, id, key, "", params[i], 1, 1);
    }
    end_plan(f, id);
    expect_shell(f,
                 "SELECT a, \"b.c\", typeof(\"b.c\"), \"a.slope\", \"a.x.y\", \"a.lr\", \"a.on\""
                 " FROM sweep_s;"
                 "SELECT count(*) FROM pragma_table_info('sweep_s');",
                 "relu|10000|integer|NULL|NULL|NULL|NULL\n"
                 "relu|0.1|real|NULL|NULL|NULL|NULL\n"
                 "leaky_relu slope=0.2|true|text|0.2|NULL|NULL|NULL\n"
                 "elu x.y=z x.w=[1,2]|[1,\"two\"]|text|NULL|z|NULL|NULL\n"
                 "lr=1 on=false|null|text|NULL|NULL|1|false\n"
                 "NULL|-3|integer|NULL|NULL|NULL|NULL\n"
                 "{}|1|integer|NULL|NULL|NULL|NULL\n"
                 "11\n");
}

static void odd_names_of_axes_and_metrics_are_columns(void **state) {
    struct fixture *f = *state;
    static const char axes[] = "[\"it's \\\"q\\\" ; DROP TABLE trial; --\",\"trial\",\"Status\","
                               "\"acc_best\",\"%s%n\"]";
    static const char params[] = "{\"it's \\\"q\\\" ; DROP TABLE trial; --\":1,\"trial\":2,"
                                 "\"Status\":3,\"acc_best\":4,\"%s%n\":5}";
    int64_t id = sweep(f, "s", axes, "acc", true);
    (void)point(f, id, "a", "l", params, 1, 1);
    end_plan(f, id);
    attempt(f, 1, 1);
    epoch(f, 1, 1, 1, "acc 6 ACC 7 \"'];-- 8 loss\xc3\xa9 9");
    expect_columns(f, "sweep_s",
                   "trial status it's \"q\" ; DROP TABLE trial; -- trial_ Status_ acc_best %s%n "
                   "replicate acc_best_ acc_last ACC_best__ ACC_last_ \"'];--_best \"'];--_last "
                   "loss\xc3\xa9_best loss\xc3\xa9_last");
    expect_shell(f, "SELECT * FROM sweep_s;",
                 "1|running|1|2|3|4|5|1|6.0|6.0|7.0|7.0|8.0|8.0|9.0|9.0\n");
}

static void a_new_metric_gets_columns_at_once(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3);
    expect_columns(f, "sweep_s",
                   "trial status optimizer replicate val_accuracy_best val_accuracy_last");
    epoch(f, 1, 1, 1, "val_accuracy 0.5 train_loss 2");
    epoch(f, 1, 1, 2, "val_accuracy 0.4 train_loss 1 top5_error 0.25 grad_norm 3");
    epoch(f, 1, 1, 3, "val_accuracy 0.3 train_loss 3 top5_error 0.5 grad_norm 1");
    expect_columns(f, "sweep_s",
                   "trial status optimizer replicate val_accuracy_best val_accuracy_last "
                   "train_loss_best train_loss_last top5_error_best top5_error_last grad_norm_best "
                   "grad_norm_last");
    expect_shell(f, "SELECT * FROM sweep_s;",
                 "1|running|adam|1|0.5|0.3|1.0|3.0|0.25|0.5|3.0|1.0\n");
}

/* Nothing that the store remembers may outlive the rows it stands for. */
static void a_metric_goes_when_its_transaction_is_rolled_back(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3);
    struct wire_record *record = mem_zalloc(1, sizeof *record);
    record->metric_count = 1;
    strcpy(record->metrics[0].name, "fleeting");
    enum store_epoch_result result;
    begin(f);
    for (record->epoch = 1; record->epoch <= 2; record->epoch++) {
        expect_ok(f, store_put_epoch(f->store, 1, 1, record, true, &result, &f->err));
    }
    store_rollback(f->store);
    free(record);
    expect_columns(f, "sweep_s",
                   "trial status optimizer replicate val_accuracy_best val_accuracy_last");
    epoch(f, 1, 1, 1, "other 1 fleeting 2");
    expect_shell(f, "SELECT metric, value FROM curves; SELECT fleeting_best FROM sweep_s;",
                 "other|1.0\nfleeting|2.0\n2.0\n");
}

/* The metrics that a shared trial has brought along are columns of the second sweep, too. */
static void a_shared_trial_brings_its_metrics_along(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    epoch(f, 1, 1, 1, "val_accuracy 0.5 train_loss 2");
    end(f, 1, 1, TRIAL_COMPLETE, NULL);
    int64_t id = sweep(f, "t", "[]", "val_accuracy", true);
    (void)point(f, id, "a", "", "{}", 1, 1);
    end_plan(f, id);
    expect_columns(f, "sweep_t",
                   "trial status replicate val_accuracy_best val_accuracy_last train_loss_best "
                   "train_loss_last");
    attempt(f, 1, 2);
    epoch(f, 1, 2, 2, "later 3"); // and what it measures from now on
    expect_shell(f, "SELECT later_best FROM sweep_t; SELECT later_best FROM sweep_s;",
                 "3.0\n3.0\n");
}

/* A trainer that invents a name for each epoch gets rows, but not a view without bounds. */
static void the_number_of_columns_is_bounded(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 250);
    for (int e = 1; e <= 250; e++) {
        char metrics[32];
        (void)snprintf(metrics, sizeof metrics, "m%d 1", e);
        epoch(f, 1, 1, e, metrics);
    }
    expect_shell(f,
                 "SELECT count(*) FROM pragma_table_info('sweep_s');"
                 "SELECT count(DISTINCT metric) FROM curves; SELECT m200_best FROM sweep_s;",
                 "406\n250\n1.0\n"); // 4, the objective's 2, and 200 metrics' 2
}

static void the_axis_that_a_plan_adds_gets_a_column(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    int64_t id = sweep(f, "s", "[\"init\",\"optimizer\"]", "val_accuracy", true);
    (void)point(f, id, "a", "zeros adam", "{\"init\":\"zeros\",\"optimizer\":\"adam\"}", 1, 1);
    end_plan(f, id);
    expect_shell(f, "SELECT * FROM sweep_s;", "1|running|zeros|adam|1|NULL|NULL\n");
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_STORE(columns_are_the_documented_ones_in_their_order),
        WITH_STORE(trials_has_all_of_a_trial),
        WITH_STORE(a_trial_that_has_not_started_is_listed),
        WITH_STORE(curves_join_the_sweep_by_trial),
        WITH_STORE(epochs_tell_the_time_as_text),
        WITH_STORE(failures_are_the_attempts_that_did_not_complete),
        WITH_STORE(layers_show_what_the_table_has),
        WITH_STORE(the_leaderboard_is_over_replicates),
        WITH_STORE(one_replicate_has_a_mean_and_no_spread),
        WITH_STORE(nearly_equal_replicates_keep_their_digits),
        WITH_STORE(minimizing_ranks_the_smallest_first),
        WITH_STORE(a_value_that_is_nan_is_never_on_the_leaderboard),
        WITH_STORE(the_sweep_planned_last_leads_the_leaderboard),
        WITH_STORE(the_t_of_the_intervals_is_students),
        WITH_STORE(cells_are_scalars_names_or_short_texts),
        WITH_STORE(odd_names_of_axes_and_metrics_are_columns),
        WITH_STORE(a_new_metric_gets_columns_at_once),
        WITH_STORE(a_metric_goes_when_its_transaction_is_rolled_back),
        WITH_STORE(a_shared_trial_brings_its_metrics_along),
        WITH_STORE(the_number_of_columns_is_bounded),
        WITH_STORE(the_axis_that_a_plan_adds_gets_a_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
