#include "runner/progress.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_close(double got, double want) {
    if (!(fabs(got - want) <= 1e-9 * fabs(want))) {
        fail_msg("%.17g, want %.17g", got, want);
    }
}

static void eta_is_unknown_until_something_was_measured(void **state) {
    (void)state;
    struct progress p = {.slots = 2, .total = 4, .trials_left = 4, .epochs_left = 12};
    assert_true(isnan(progress_eta(&p)));
    progress_epoch(&p, 3.0, true);
    // 11 epochs of 3 s on 2 workers
    assert_close(progress_eta(&p), 16.5);
    progress_epoch(&p, 1.0, true);
    // 10 epochs of 2 s on average
    assert_close(progress_eta(&p), 10.0);
}

static void eta_counts_no_more_workers_than_trials(void **state) {
    (void)state;
    struct progress p = {.slots = 8, .total = 2, .trials_left = 2, .epochs_left = 8};
    progress_epoch(&p, 1.0, true);
    assert_close(progress_eta(&p), 3.5);
    progress_end(&p, TRIAL_COMPLETE, true, 0, 4.0);
    assert_close(progress_eta(&p), 7.0);
}

static void eta_of_trials_of_unknown_length_is_by_the_trial(void **state) {
    (void)state;
    struct progress p = {.slots = 1, .total = 3, .trials_left = 3, .unknown_left = 3};
    progress_epoch(&p, 1.0, false);
    assert_true(isnan(progress_eta(&p)));
    progress_end(&p, TRIAL_COMPLETE, false, 0, 5.0);
    assert_close(progress_eta(&p), 10.0);
}

static void epochs_that_a_failed_trial_will_not_do_are_not_waited_for(void **state) {
    (void)state;
    struct progress p = {.slots = 1, .total = 2, .trials_left = 2, .epochs_left = 10};
    progress_epoch(&p, 2.0, true);
    progress_end(&p, TRIAL_FAILED, true, 4, 2.0);
    assert_close(progress_eta(&p), 10.0); // the other trial's five
    assert_int_equal(p.failed, 1);
    assert_int_equal(p.failed_now, 1);
}

static void nothing_left_takes_no_time(void **state) {
    (void)state;
    struct progress p = {.slots = 1, .total = 1, .trials_left = 1, .epochs_left = 1};
    progress_end(&p, TRIAL_PAUSED, true, 1, 1.0);
    assert_true(progress_eta(&p) == 0.0);
    assert_int_equal(p.epochs_left, 0);
}

static void the_best_follows_the_goal_and_passes_over_nan(void **state) {
    (void)state;
    static const double values[] = {NAN, 0.5, 0.7, 0.7, 0.2, NAN, 0.6};
    static const char *const labels[] = {"a", "b", "c", "d", "e", "f", "g"};
    for (int maximize = 0; maximize < 2; maximize++) {
        struct progress p = {.maximize = maximize};
        for (int i = 0; i < 7; i++) {
            assert_int_equal(p.has_best, i > 1);
            progress_value(&p, values[i], labels[i]);
        }
        assert_true(p.best == (maximize ? 0.7 : 0.2));
        assert_string_equal(p.best_label, maximize ? "c" : "e"); // of equal ones the first
        progress_release(&p);
    }
}

static void a_paused_trial_that_runs_is_paused_no_more(void **state) {
    (void)state;
    struct progress p = {.slots = 1, .total = 2, .paused = 1, .trials_left = 2};
    progress_begin(&p, true);
    assert_int_equal(p.paused, 0);
    progress_begin(&p, false);
    assert_int_equal(p.paused, 0);
    progress_end(&p, TRIAL_PAUSED, true, 0, 1.0);
    assert_int_equal(p.paused, 1);
    assert_int_equal(p.paused_now, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eta_is_unknown_until_something_was_measured),
        cmocka_unit_test(eta_counts_no_more_workers_than_trials),
        cmocka_unit_test(eta_of_trials_of_unknown_length_is_by_the_trial),
        cmocka_unit_test(epochs_that_a_failed_trial_will_not_do_are_not_waited_for),
        cmocka_unit_test(nothing_left_takes_no_time),
        cmocka_unit_test(the_best_follows_the_goal_and_passes_over_nan),
        cmocka_unit_test(a_paused_trial_that_runs_is_paused_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
