/* Epoch records: what is added, what repeats, what differs, and what all of it does to the summaries. */
#include "results/store.h"

#include "base/mem.h"
#include "base/wire.h"
#include "results/query.h"
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

static const char ALL[] = "SELECT * FROM value; SELECT * FROM epoch; SELECT * FROM summary;"
                          "SELECT * FROM superseded; SELECT * FROM metric; SELECT * FROM trials;"
                          "SELECT sql FROM sqlite_schema WHERE name = 'sweep_s';";

static void expect_result(struct fixture *f, int attempt, int epoch, const char *metrics,
                          bool deterministic, enum store_epoch_result expected) {
    enum store_epoch_result result;
    expect_ok(f, put_epoch(f, 1, attempt, epoch, metrics, deterministic, &result));
    assert_int_equal(result, expected);
}

static int epochs_done(struct fixture *f) {
    int n = -1;
    expect_ok(f, store_contiguous_epochs(f->store, 1, &n, &f->err));
    return n;
}

/* ---- bits ---- */

static void every_number_keeps_its_bits(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    epoch(f, 1, 1, 1,
          "nan nan inf inf minus_inf -inf minus_zero -0.0 tenth 0.1 tiny 4.9e-324 big 1e308");
    expect_shell(f,
                 "SELECT m.name, kind, value, printf('%016llx', bits) FROM value"
                 " JOIN metric m ON m.id = metric ORDER BY m.id;",
                 "nan|1|NULL|7ff8000000000000\n"
                 "inf|2|Inf|7ff0000000000000\n"
                 "minus_inf|3|-Inf|fff0000000000000\n"
                 "minus_zero|0|0.0|8000000000000000\n"
                 "tenth|0|0.1|3fb999999999999a\n"
                 "tiny|0|4.94065645841247e-324|0000000000000001\n"
                 "big|0|1.0e+308|7fe1ccf385ebc8a0\n");
}

static void a_repeat_is_judged_by_bits_and_not_by_equality(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    epoch(f, 1, 1, 1, "zero 0.0 none nan");
    expect_result(f, 1, 1, "zero 0.0 none nan", true, STORE_REPEATED);
    enum store_epoch_result result;
    expect_code(f, put_epoch(f, 1, 1, 1, "zero -0.0", true, &result), ERR_DIFFERS);
}

/* ---- added, repeated, differing ---- */

static void the_same_epoch_again_changes_nothing(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 2);
    epoch(f, 1, 1, 1, "val_accuracy 0.5 loss 1.25");
    char *before = mem_strdup(shell(f, ALL));
    expect_result(f, 2, 1, "val_accuracy 0.5 loss 1.25", true, STORE_REPEATED);
    expect_result(f, 2, 1, "loss 1.25", false, STORE_REPEATED); // less than it had
    expect_shell(f, ALL, before);
    free(before);
}

static void a_metric_that_the_epoch_lacked_is_added(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 2);
    epoch(f, 1, 1, 1, "val_accuracy 0.5");
    expect_result(f, 1, 1, "val_accuracy 0.5 loss 1.25", true, STORE_REPEATED);
    expect_shell(f, "SELECT metric, value FROM curves; SELECT loss_best FROM sweep_s;",
                 "val_accuracy|0.5\nloss|1.25\n1.25\n");
}

static void other_bits_are_refused_and_change_nothing(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 2);
    epoch(f, 1, 1, 1, "loss 1.25 val_accuracy 0.5");
    epoch(f, 1, 1, 2, "loss 1.0 val_accuracy 0.6");
    char *before = mem_strdup(shell(f, ALL));
    enum store_epoch_result result = STORE_SUPERSEDED;
    expect_code(f, put_epoch(f, 1, 2, 1, "loss 1.25 new 7 val_accuracy 0.25", true, &result),
                ERR_DIFFERS);
    expect_message(f, "trial 1: epoch 1");
    expect_message(f, "val_accuracy 0.25");
    expect_message(f, "stored is 0.5");
    assert_int_equal(result, STORE_SUPERSEDED); // not written
    expect_shell(f, ALL, before);
    free(before);
}

static void without_the_promise_other_bits_supersede(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 4);
    for (int e = 1; e <= 4; e++) {
        static const char *const metrics[] = {
            "val_accuracy 0.5 loss 3.0", "val_accuracy 0.9 loss nan", "val_accuracy 0.6 loss 1.0",
            "val_accuracy 0.7 loss 2.0 extra 1"};
        epoch(f, 1, 1, e, metrics[e - 1]);
    }
    assert_int_equal(epochs_done(f), 4);
    attempt(f, 1, 2);
    expect_result(f, 2, 1, "val_accuracy 0.5 loss 3.0", false, STORE_REPEATED);
    expect_result(f, 2, 2, "val_accuracy 0.55 loss 4.0", false, STORE_SUPERSEDED);
    assert_int_equal(epochs_done(f), 2);
    expect_shell(f,
                 "SELECT epoch, metric, value FROM curves WHERE metric <> 'extra';"
                 "SELECT epoch, attempt FROM epochs;"
                 "SELECT epoch, m.name, value, printf('%016llx', bits), attempt, by"
                 " FROM superseded JOIN metric m ON m.id = metric ORDER BY epoch, metric;"
                 "SELECT best_value, best_epoch, last_value, epochs_done FROM trials;"
                 "SELECT * FROM sweep_s;",
                 "1|val_accuracy|0.5\n1|loss|3.0\n2|val_accuracy|0.55\n2|loss|4.0\n"
                 "1|1\n2|2\n"
                 "2|val_accuracy|0.9|3feccccccccccccd|1|2\n"
                 "2|loss|NULL|7ff8000000000000|1|2\n"
                 "3|val_accuracy|0.6|3fe3333333333333|1|2\n"
                 "3|loss|1.0|3ff0000000000000|1|2\n"
                 "4|val_accuracy|0.7|3fe6666666666666|1|2\n"
                 "4|loss|2.0|4000000000000000|1|2\n"
                 "4|extra|1.0|3ff0000000000000|1|2\n"
                 "0.55|2|0.55|2\n"
                 "1|running|adam|1|0.55|0.55|3.0|4.0|NULL|NULL\n");
}

static void a_number_of_a_trial_is_unique(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 2);
    epoch(f, 1, 1, 1, "a 1 b 2 a 3");
    expect_shell(f, "SELECT epoch, metric, value FROM curves;", "1|a|1.0\n1|b|2.0\n");
    expect_shell(f, "INSERT INTO value SELECT * FROM value;",
                 "Runtime error near line 1: UNIQUE constraint failed: value.trial, value.epoch,"
                 " value.metric (19)\n");
}

static void a_record_without_metrics_is_an_epoch(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    epoch(f, 1, 1, 1, "");
    assert_int_equal(epochs_done(f), 1);
    expect_shell(f, "SELECT epoch, seconds FROM epochs; SELECT * FROM curves;", "1|1.5\n");
}

static void timings_that_are_absent_are_null(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    struct wire_record *record = mem_zalloc(1, sizeof *record);
    record->epoch = 1;
    record->seconds = NAN;
    record->samples_per_second = NAN;
    enum store_epoch_result result;
    begin(f);
    expect_ok(f, store_put_epoch(f->store, 1, 1, record, true, &result, &f->err));
    commit(f);
    free(record);
    expect_shell(f, "SELECT seconds, samples_per_second FROM epochs; SELECT seconds FROM trials;",
                 "NULL|NULL\nNULL\n");
}

static void an_epoch_of_no_trial_is_refused(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    enum store_epoch_result result;
    int rc = put_epoch(f, 99, 1, 1, "a 1", true, &result);
    expect_code(f, rc, ERR_RANGE); // the foreign key
    expect_message(f, "trial 99");
    expect_shell(f, "SELECT count(*) FROM epoch; SELECT count(*) FROM value;", "0\n0\n");
}

/* ---- epochs in any order ---- */

static void only_an_unbroken_row_of_epochs_counts(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 6);
    static const int order[] = {2, 3, 5, 1, 4, 7};
    static const int done[] = {0, 0, 0, 3, 5, 5};
    assert_int_equal(epochs_done(f), 0);
    for (int i = 0; i < 6; i++) {
        epoch(f, 1, 1, order[i], "a 1");
        assert_int_equal(epochs_done(f), done[i]);
    }
    expect_shell(f, "SELECT epochs_done FROM trials;", "5\n");
    int n;
    expect_code(f, store_contiguous_epochs(f->store, 99, &n, &f->err), ERR_NOT_FOUND);
}

static void superseding_a_later_epoch_keeps_the_earlier_ones(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 6);
    epoch(f, 1, 1, 1, "a 1");
    epoch(f, 1, 1, 2, "a 1");
    epoch(f, 1, 1, 5, "a 1");
    expect_result(f, 2, 5, "a 2", false, STORE_SUPERSEDED);
    assert_int_equal(epochs_done(f), 2);
    epoch(f, 1, 1, 3, "a 1");
    epoch(f, 1, 1, 4, "a 1");
    assert_int_equal(epochs_done(f), 5);
}

static void the_best_is_the_earliest_and_never_nan(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 6);
    static const char *const metrics[] = {"val_accuracy nan loss nan", "val_accuracy 0.7 loss 0.3",
                                          "val_accuracy 0.7 loss 0.3", "val_accuracy 0.2 loss 0.9",
                                          "val_accuracy nan loss nan"};
    for (int e = 1; e <= 5; e++) {
        epoch(f, 1, 1, e, metrics[e - 1]);
    }
    expect_shell(f,
                 "SELECT best_value, best_epoch, last_value FROM trials;"
                 "SELECT low, low_epoch, high, high_epoch, last, last_epoch FROM summary;"
                 "SELECT val_accuracy_best, val_accuracy_last, loss_best, loss_last FROM sweep_s;",
                 "0.7|2|NULL\n"
                 "0.2|4|0.7|2|NULL|5\n0.3|2|0.9|4|NULL|5\n"
                 "0.7|NULL|0.3|NULL\n");
    expect_result(f, 1, 6, "val_accuracy 0.99", true, STORE_ADDED);
    expect_result(f, 1, 6, "val_accuracy 0.98", false, STORE_SUPERSEDED);
    expect_shell(f, "SELECT high, high_epoch FROM summary WHERE metric = 1;", "0.98|6\n");
}

static void epochs_out_of_order_leave_best_and_last_right(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3);
    epoch(f, 1, 1, 3, "val_accuracy 0.7 loss 0.7");
    epoch(f, 1, 1, 1, "val_accuracy 0.7 loss 0.7");
    epoch(f, 1, 1, 2, "val_accuracy 0.1 loss 0.9");
    expect_shell(f,
                 "SELECT best_value, best_epoch, last_value FROM trials;"
                 "SELECT low, low_epoch, last FROM summary WHERE metric = 2;",
                 "0.7|1|0.7\n0.7|1|0.7\n");
}

/* The summaries against the same asked from all epochs. */
static void expect_summaries(struct fixture *f) {
    expect_shell(
        f,
        "WITH v AS (SELECT * FROM value WHERE trial = 1), expected AS ("
        " SELECT 1 AS trial, metric, min(value) AS low, max(value) AS high, max(epoch) AS "
        "last_epoch"
        " FROM v GROUP BY metric)"
        "SELECT count(*) > 0, sum((s.low IS e.low AND s.high IS e.high"
        " AND s.last_epoch = e.last_epoch"
        " AND s.low_epoch IS (SELECT min(epoch) FROM v WHERE metric = e.metric AND value = e.low)"
        " AND s.high_epoch IS (SELECT min(epoch) FROM v WHERE metric = e.metric AND value = e.high)"
        " AND s.last IS (SELECT value FROM v WHERE metric = e.metric AND epoch = e.last_epoch))"
        " IS NOT 1) FROM expected e LEFT JOIN summary s USING (trial, metric);"
        "SELECT count(*) FROM summary s WHERE NOT EXISTS (SELECT 1 FROM value v"
        " WHERE v.trial = s.trial AND v.metric = s.metric);"
        "SELECT (SELECT epochs_done FROM trials) = (SELECT min(epoch) FROM ("
        " SELECT epoch FROM epoch UNION ALL SELECT 0)"
        " AS e WHERE NOT EXISTS (SELECT 1 FROM epoch n WHERE n.epoch = e.epoch + 1));",
        "1|0\n0\n1\n");
}

/* Many records in random order, with repeats and superseding. */
static void summaries_equal_what_the_epochs_say(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 40);
    uint32_t random = 7;
    for (int i = 0; i < 300; i++) {
        random = random * 1664525u + 1013904223u;
        int e = 1 + (int)(random >> 16) % 40, value = (int)(random >> 24) % 5;
        char metrics[64];
        (void)snprintf(metrics, sizeof metrics, value == 4 ? "a nan b %d" : "a %d", value);
        enum store_epoch_result result;
        expect_ok(f, put_epoch(f, 1, i, e, metrics, false, &result));
        if (i % 10 == 0 || result == STORE_SUPERSEDED) {
            expect_summaries(f);
        }
    }
    expect_shell(f, "SELECT count(*) > 100 FROM superseded;", "1\n");
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_STORE(every_number_keeps_its_bits),
        WITH_STORE(a_repeat_is_judged_by_bits_and_not_by_equality),
        WITH_STORE(the_same_epoch_again_changes_nothing),
        WITH_STORE(a_metric_that_the_epoch_lacked_is_added),
        WITH_STORE(other_bits_are_refused_and_change_nothing),
        WITH_STORE(without_the_promise_other_bits_supersede),
        WITH_STORE(a_number_of_a_trial_is_unique),
        WITH_STORE(a_record_without_metrics_is_an_epoch),
        WITH_STORE(timings_that_are_absent_are_null),
        WITH_STORE(an_epoch_of_no_trial_is_refused),
        WITH_STORE(only_an_unbroken_row_of_epochs_counts),
        WITH_STORE(superseding_a_later_epoch_keeps_the_earlier_ones),
        WITH_STORE(the_best_is_the_earliest_and_never_nan),
        WITH_STORE(epochs_out_of_order_leave_best_and_last_right),
        WITH_STORE(summaries_equal_what_the_epochs_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
