/* When a training ends early: tables worked out by hand. */
#include "trainer/stop.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "trainer/time_spent.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { EPOCHS = 8 };

static struct history history_of(const double values[], int count, int metric) {
    struct history history = {0};
    for (int i = 0; i < count; i++) {
        struct record record = {.epoch = i + 1};
        if (metric == HISTORY_METRIC_val_accuracy) {
            record.val_accuracy = values[i];
        } else if (metric == HISTORY_METRIC_train_loss) {
            record.train_loss = values[i];
        } else {
            record.val_loss = values[i];
        }
        history_add(&history, &record);
    }
    return history;
}

static const struct {
    const char *what;
    struct stop_spec spec;
    double values[EPOCHS];
    enum stop_reason reason;
    int epoch;
} cases[] = {
#define LOSS     .metric = HISTORY_METRIC_val_loss
#define ACCURACY .metric = HISTORY_METRIC_val_accuracy
#define NO_GOAL  .target = NAN
    {"nothing asked for", {LOSS, NO_GOAL}, {5, 5, 5, 5, 5, 5, 5, 5}, STOP_NONE, 0},
    {"the best is epoch 3, and two more",
     {LOSS, NO_GOAL, .patience = 2},
     {5, 4, 3, 3, 3, 1, 1, 1},
     STOP_PATIENCE,
     5},
    {"an equal value is no improvement",
     {LOSS, NO_GOAL, .patience = 1},
     {5, 5, 1, 1, 1, 1, 1, 1},
     STOP_PATIENCE,
     2},
    {"each improvement begins a new count",
     {LOSS, NO_GOAL, .patience = 2},
     {5, 6, 4, 6, 3, 6, 2, 6},
     STOP_NONE,
     0},
    {"it comes with the last epoch", // the best is epoch 2
     {LOSS, NO_GOAL, .patience = 6},
     {5, 4, 4, 4, 4, 4, 4, 4},
     STOP_PATIENCE,
     8},
    {"not more than min_delta is none: small steps add up to nothing against the best",
     {LOSS, NO_GOAL, .patience = 2, .min_delta = 1},
     {5, 4.5, 4, 3, 3, 3, 3, 3}, // 4 is better by exactly 1
     STOP_PATIENCE,
     3},
    {"against the best, not against the epoch before",
     {LOSS, NO_GOAL, .patience = 2, .min_delta = 1},
     {5, 4.5, 3.9, 3.5, 2.8, 2.5, 2.5, 1},
     STOP_PATIENCE,
     7},
    {"an accuracy goes up",
     {ACCURACY, NO_GOAL, .patience = 2},
     {.1, .2, .3, .2, .2, .9, .9, .9},
     STOP_PATIENCE,
     5},
    {"another metric of the record",
     {.metric = HISTORY_METRIC_train_loss, NO_GOAL, .patience = 1},
     {5, 4, 3, 3.5, 1, 1, 1, 1},
     STOP_PATIENCE,
     4},
    {"a NaN improves nothing",
     {LOSS, NO_GOAL, .patience = 2},
     {5, NAN, NAN, 1, 1, 1, 1, 1},
     STOP_PATIENCE,
     3},
    {"an accuracy reaches its target",
     {ACCURACY, .target = .3},
     {.1, .2, .3, .4, .5, .6, .7, .8},
     STOP_TARGET,
     3},
    {"a loss reaches its target", {LOSS, .target = 2}, {5, 4, 1.9, 3, 3, 3, 3, 3}, STOP_TARGET, 3},
    {"0 is a target", {LOSS, .target = 0}, {5, 4, 3, 2, 1, 0, 0, 0}, STOP_TARGET, 6},
    {"a target that is not reached",
     {LOSS, .target = 0.5},
     {5, 4, NAN, 2, 1, 1, 1, 1},
     STOP_NONE,
     0},
    {"the first of both counts",
     {LOSS, .target = 1, .patience = 2},
     {5, 5, 5, 1, 1, 1, 1, 1},
     STOP_PATIENCE,
     3},
    {"of both in one epoch the target",
     {ACCURACY, .target = .5, .patience = 1},
     {.5, .5, .5, .5, .5, .5, .5, .5},
     STOP_TARGET,
     1},
};

static void it_ends_where_the_table_says(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        // A function of the history: of each shorter one, too, and never taken back by a longer one.
        for (int count = 0; count <= EPOCHS; count++) {
            struct history history = history_of(cases[i].values, count, cases[i].spec.metric);
            int epoch = -1;
            enum stop_reason reason = stop_judge(&cases[i].spec, &history, &epoch);
            bool ended = cases[i].epoch > 0 && count >= cases[i].epoch;
            if (reason != (ended ? cases[i].reason : STOP_NONE) ||
                epoch != (ended ? cases[i].epoch : 0)) {
                fail_msg("%s: after %d epochs \"%s\" at %d", cases[i].what, count,
                         stop_reason_names[reason], epoch);
            }
            history_release(&history);
        }
    }
}

/* ---- the seconds ---- */

static char dir[64];

static int set_up(void **state) {
    (void)state;
    strcpy(dir, "/tmp/test_stop.XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int tear_down(void **state) {
    (void)state;
    char *command = mem_printf("rm -r %s", dir);
    int rc = system(command);
    free(command);
    return rc;
}

static void put(const char *text) {
    struct err err;
    const struct fs_part part = {text, strlen(text)};
    assert_int_equal(fs_write_atomic(dir, "time.json", &part, 1, &err), ERR_OK);
}

static void seconds_add_up_over_attempts(void **state) {
    (void)state;
    struct time_spent spent;
    struct err err;
    assert_int_equal(time_spent_load(&spent, dir, &err), ERR_OK);
    assert_true(spent.before == 0 && spent.epoch == 0);
    put("{\"epoch\": 3, \"seconds\": 80.5}\n");
    assert_int_equal(time_spent_load(&spent, dir, &err), ERR_OK);
    assert_true(spent.before == 80.5);
    spent.started -= 10; // ten seconds later
    assert_int_equal(time_spent_save(&spent, dir, 4, &err), ERR_OK);
    assert_int_equal(time_spent_load(&spent, dir, &err), ERR_OK);
    assert_int_equal(spent.epoch, 4);
    if (spent.before < 90.5 || spent.before > 95) {
        fail_msg("80.5 s and 10 s are %g s", spent.before);
    }
    // An attempt that begins again from an older state does not hide how far the trial was.
    assert_int_equal(time_spent_save(&spent, dir, 1, &err), ERR_OK);
    assert_int_equal(time_spent_load(&spent, dir, &err), ERR_OK);
    assert_int_equal(spent.epoch, 4);
}

static void time_is_up_after_an_epoch_that_was_not_passed_before(void **state) {
    (void)state;
    const struct time_spent spent = {.before = 60, .started = time_now(), .epoch = 3};
    assert_true(time_spent_is_up(&spent, 60, 3));
    assert_true(time_spent_is_up(&spent, 59, 4));
    assert_false(time_spent_is_up(&spent, 1e6, 3));
    assert_false(time_spent_is_up(&spent, 60, 2)); // rows up to 3 are known of it
    assert_false(time_spent_is_up(&spent, 0, 3));  // no limit
    const struct time_spent first = {.before = 60, .started = time_now()};
    assert_false(time_spent_is_up(&first, 60, 0)); // nothing there to keep
    assert_true(time_spent_is_up(&first, 60, 1));
}

static void another_file_of_this_name_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "12.5",
                                      "{}",
                                      "[]",
                                      "{\"epoch\": 3}",
                                      "{\"epoch\": -1, \"seconds\": 1}",
                                      "{\"epoch\": 1, \"seconds\": -1}",
                                      "{\"epoch\": 1, \"seconds\": \"1\"}",
                                      "{\"epoch\": 1, \"seconds\": 1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct time_spent spent;
        struct err err = {0};
        put(bad[i]);
        assert_int_equal(time_spent_load(&spent, dir, &err), ERR_CORRUPT);
        assert_non_null(strstr(err.msg, "time.json"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_ends_where_the_table_says),
        cmocka_unit_test_setup_teardown(seconds_add_up_over_attempts, set_up, tear_down),
        cmocka_unit_test(time_is_up_after_an_epoch_that_was_not_passed_before),
        cmocka_unit_test_setup_teardown(another_file_of_this_name_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("stop", tests, NULL, NULL);
}
