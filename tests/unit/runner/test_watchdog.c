/* The clocks of an attempt and the ladder, on a clock of the test's own. */
#include "runner/watchdog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S(seconds) ((uint64_t)((seconds)*1e9))

static const struct watchdog_limits both = {.epoch_s = 10.0, .trial_s = 60.0, .grace_s = 5.0};

static struct watchdog begun(double epoch_s, double trial_s, double before_s) {
    const struct watchdog_limits limits = {epoch_s, trial_s, 5.0};
    struct watchdog w;
    watchdog_begin(&w, &limits, before_s, S(100));
    return w;
}

static void without_limits_nothing_ever_comes(void **state) {
    (void)state;
    struct watchdog w = begun(0.0, 0.0, 1e9);
    assert_int_equal(watchdog_check(&w, S(1e9)), WATCHDOG_WAIT);
    assert_int_equal(w.cause, WATCHDOG_NONE);
}

static void no_epoch_for_epoch_s_is_a_hang_before_the_first_too(void **state) {
    (void)state;
    struct watchdog w = begun(10.0, 0.0, 0.0);
    assert_int_equal(watchdog_check(&w, S(109.9)), WATCHDOG_WAIT);
    watchdog_progress(&w, S(109.9));
    assert_int_equal(watchdog_check(&w, S(119.8)), WATCHDOG_WAIT);
    assert_int_equal(watchdog_check(&w, S(120.0)), WATCHDOG_ASK);
    assert_int_equal(w.cause, WATCHDOG_HANG);
    w = begun(10.0, 0.0, 0.0);
    assert_int_equal(watchdog_check(&w, S(110.1)), WATCHDOG_ASK);
}

static void epochs_do_not_stretch_the_trial(void **state) {
    (void)state;
    struct watchdog w = begun(10.0, 60.0, 0.0);
    for (int s = 100; s < 160; s += 5) {
        watchdog_progress(&w, S(s));
        assert_int_equal(watchdog_check(&w, S(s)), WATCHDOG_WAIT);
    }
    assert_int_equal(watchdog_check(&w, S(160.1)), WATCHDOG_ASK);
    assert_int_equal(w.cause, WATCHDOG_TIMEOUT);
}

static void earlier_attempts_count(void **state) {
    (void)state;
    struct watchdog w = begun(0.0, 60.0, 50.0);
    assert_int_equal(w.cause, WATCHDOG_NONE);
    assert_int_equal(watchdog_check(&w, S(109.0)), WATCHDOG_WAIT);
    assert_int_equal(watchdog_check(&w, S(110.1)), WATCHDOG_ASK);
    w = begun(0.0, 60.0, 60.0);
    assert_int_equal(w.cause, WATCHDOG_TIMEOUT); // not to be started at all
    w = begun(0.0, 60.0, 59.0);
    assert_int_equal(w.cause, WATCHDOG_NONE);
}

static void the_ladder_is_asked_then_killed_then_its_shim(void **state) {
    (void)state;
    struct watchdog w = begun(10.0, 0.0, 0.0);
    assert_int_equal(watchdog_check(&w, S(111)), WATCHDOG_ASK);
    assert_int_equal(watchdog_check(&w, S(111)), WATCHDOG_WAIT); // told once
    watchdog_progress(&w, S(112));                               // too late
    assert_int_equal(watchdog_check(&w, S(115.9)), WATCHDOG_WAIT);
    assert_int_equal(watchdog_check(&w, S(116.1)), WATCHDOG_KILL);
    assert_int_equal(watchdog_check(&w, S(131.0)), WATCHDOG_WAIT);
    assert_int_equal(watchdog_check(&w, S(131.2)), WATCHDOG_KILL_SHIM);
    assert_int_equal(watchdog_check(&w, S(1000)), WATCHDOG_WAIT);
    assert_int_equal(w.cause, WATCHDOG_HANG);
}

static void nothing_runs_while_it_is_held(void **state) {
    (void)state;
    struct watchdog w;
    watchdog_begin(&w, &both, 0.0, S(100));
    watchdog_hold(&w, S(108));
    watchdog_hold(&w, S(300)); // held already
    assert_int_equal(watchdog_check(&w, S(1000)), WATCHDOG_WAIT);
    assert_true(watchdog_ran_s(&w, S(1000)) == 8.0);
    watchdog_go_on(&w, S(1008));
    watchdog_go_on(&w, S(2000)); // not held any more
    assert_int_equal(watchdog_check(&w, S(1009.9)), WATCHDOG_WAIT);
    assert_int_equal(watchdog_check(&w, S(1010.1)), WATCHDOG_ASK); // 8 s before and 2 s after
    watchdog_hold(&w, S(1012));
    watchdog_go_on(&w, S(1112));
    assert_int_equal(watchdog_check(&w, S(1115.0)), WATCHDOG_WAIT); // the ladder's time, too
    assert_int_equal(watchdog_check(&w, S(1115.2)), WATCHDOG_KILL);
    assert_true(watchdog_ran_s(&w, S(1120)) < 20.001);
}

static void after_the_end_the_seconds_stand(void **state) {
    (void)state;
    struct watchdog w = begun(10.0, 60.0, 0.0);
    watchdog_hold(&w, S(101));
    watchdog_end(&w, S(103));
    assert_true(watchdog_ran_s(&w, S(500)) == 1.0);
    assert_int_equal(watchdog_check(&w, S(500)), WATCHDOG_WAIT);
    watchdog_end(&w, S(600)); // once
    assert_true(watchdog_ran_s(&w, S(700)) == 1.0);
    assert_true(watchdog_ran_s(&(struct watchdog){0}, S(5)) == 0.0); // never began
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_limits_nothing_ever_comes),
        cmocka_unit_test(no_epoch_for_epoch_s_is_a_hang_before_the_first_too),
        cmocka_unit_test(epochs_do_not_stretch_the_trial),
        cmocka_unit_test(earlier_attempts_count),
        cmocka_unit_test(the_ladder_is_asked_then_killed_then_its_shim),
        cmocka_unit_test(nothing_runs_while_it_is_held),
        cmocka_unit_test(after_the_end_the_seconds_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
