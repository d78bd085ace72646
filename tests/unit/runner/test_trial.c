#include "runner/trial.h"

#include "base/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- the rules, by hand ---- */

struct row {
    const char *name;
    struct attempt_outcome outcome;
    enum trial_status status; // with no attempt without progress before and two retries
    const char *reason;
};

#define DEAD                    .exit_status = -1
#define ROWS(done, last, asked) .epochs_done = done, .epoch_last = last, .epochs = asked

static const struct row rows[] = {
    // epochs are known
    {"all epochs", {.exit_status = 0, ROWS(3, 3, 3)}, TRIAL_COMPLETE, NULL},
    {"all epochs, done", {.done_event = true, ROWS(3, 3, 3)}, TRIAL_COMPLETE, NULL},
    {"all epochs, as it was asked to stop",
     {.stopping = true, ROWS(3, 3, 3)},
     TRIAL_COMPLETE,
     NULL},
    {"more epochs than asked", {ROWS(4, 4, 3)}, TRIAL_COMPLETE, NULL},
    {"all epochs, then a crash", {DEAD, .signal = SIGSEGV, ROWS(3, 3, 3)}, TRIAL_PENDING, "signal"},
    {"all epochs, done, then status 1",
     {.done_event = true, .exit_status = 1, ROWS(3, 3, 3)},
     TRIAL_PENDING,
     "exit"},
    {"too few", {ROWS(2, 2, 3)}, TRIAL_PENDING, "incomplete"},
    {"too few, done", {.done_event = true, ROWS(2, 2, 3)}, TRIAL_PENDING, "incomplete"},
    {"none", {ROWS(0, 0, 3)}, TRIAL_PENDING, "incomplete"},
    {"one skipped", {ROWS(1, 3, 3)}, TRIAL_FAILED, "missing epochs"},
    {"one skipped, done", {.done_event = true, ROWS(1, 3, 3)}, TRIAL_FAILED, "missing epochs"},
    {"all, and one far beyond", {ROWS(3, 9, 3)}, TRIAL_FAILED, "missing epochs"},
    {"one skipped, then killed", {DEAD, .signal = SIGKILL, ROWS(1, 3, 3)}, TRIAL_PENDING, "signal"},
    {"too few, as it was asked to stop",
     {.stopping = true, ROWS(2, 2, 3)},
     TRIAL_PAUSED,
     "interrupted"},
    // its trainer ended it before
    {"stopped early",
     {.done_event = true, .stopped = "patience", ROWS(2, 2, 3)},
     TRIAL_COMPLETE,
     NULL},
    {"stopped early, as it was asked to stop",
     {.done_event = true, .stopped = "time", .stopping = true, ROWS(2, 2, 3)},
     TRIAL_COMPLETE,
     NULL},
    {"stopped early, one skipped",
     {.done_event = true, .stopped = "patience", ROWS(1, 3, 4)},
     TRIAL_FAILED,
     "missing epochs"},
    {"stopped early, without an epoch",
     {.done_event = true, .stopped = "patience", ROWS(0, 0, 3)},
     TRIAL_PENDING,
     "incomplete"},
    {"stopped early, then status 1",
     {.done_event = true, .stopped = "patience", .exit_status = 1, ROWS(2, 2, 3)},
     TRIAL_PENDING,
     "exit"},
    {"stopped early, then killed",
     {.done_event = true, .stopped = "patience", DEAD, .signal = SIGKILL, ROWS(2, 2, 3)},
     TRIAL_PENDING,
     "signal"},
    // epochs are not known
    {"any number", {ROWS(7, 7, 0)}, TRIAL_COMPLETE, NULL},
    {"any number, none", {ROWS(0, 0, 0)}, TRIAL_COMPLETE, NULL},
    {"any number, first skipped", {ROWS(0, 2, 0)}, TRIAL_FAILED, "missing epochs"},
    {"any number, status 1", {.exit_status = 1, ROWS(7, 7, 0)}, TRIAL_PENDING, "exit"},
    {"any number, as it was asked to stop",
     {.stopping = true, ROWS(7, 7, 0)},
     TRIAL_PAUSED,
     "interrupted"},
    {"any number, stopping, done",
     {.stopping = true, .done_event = true, ROWS(7, 7, 0)},
     TRIAL_COMPLETE,
     NULL},
    // saved
    {"saved", {.exit_status = WIRE_EXIT_SAVED, ROWS(2, 2, 3)}, TRIAL_PENDING, "saved"},
    {"saved as asked",
     {.exit_status = WIRE_EXIT_SAVED, .stopping = true, ROWS(2, 2, 3)},
     TRIAL_PAUSED,
     "interrupted"},
    {"saved, all epochs there",
     {.exit_status = WIRE_EXIT_SAVED, ROWS(3, 3, 3)},
     TRIAL_PENDING,
     "saved"},
    // the runner's doing
    {"killed as it would not stop",
     {DEAD, .signal = SIGKILL, .stopping = true, .killed = true, ROWS(2, 2, 3)},
     TRIAL_PAUSED,
     "interrupted"},
    {"crashed when asked to stop",
     {DEAD, .signal = SIGSEGV, .stopping = true, ROWS(2, 2, 3)},
     TRIAL_PAUSED,
     "interrupted"},
    {"never started", {DEAD, .spawn_failure = "fork: no", ROWS(0, 0, 3)}, TRIAL_PENDING, "spawn"},
    {"never started, stopping",
     {DEAD, .spawn_failure = "fork: no", .stopping = true, ROWS(0, 0, 3)},
     TRIAL_PAUSED,
     "interrupted"},
    // nothing to be gained by another attempt
    {"diverged",
     {.exit_status = 1, .failed_reason = "diverged", ROWS(2, 2, 3)},
     TRIAL_FAILED,
     "diverged"},
    {"diverged, status 0, all epochs",
     {.failed_reason = "diverged", ROWS(3, 3, 3)},
     TRIAL_FAILED,
     "diverged"},
    {"diverged, stopping",
     {.exit_status = 1, .stopping = true, .failed_reason = "diverged", ROWS(2, 2, 3)},
     TRIAL_FAILED,
     "diverged"},
    {"differs",
     {DEAD, .signal = SIGKILL, .killed = true, .differs = "epoch 2", ROWS(2, 2, 3)},
     TRIAL_FAILED,
     "nondeterministic"},
    {"differs and diverged",
     {.differs = "epoch 2", .failed_reason = "diverged", ROWS(3, 3, 3)},
     TRIAL_FAILED,
     "nondeterministic"},
};

static void ends_are_judged_by_the_rules(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int barren = 0;
        struct trial_verdict verdict;
        trial_judge(&rows[i].outcome, 2, &barren, &verdict);
        print_message("%s\n", rows[i].name);
        assert_string_equal(trial_status_names[verdict.status], trial_status_names[rows[i].status]);
        assert_string_equal(verdict.reason == NULL ? "-" : verdict.reason,
                            rows[i].reason == NULL ? "-" : rows[i].reason);
        assert_int_equal(verdict.message[0] == '\0', rows[i].status == TRIAL_COMPLETE);
    }
}

/* ---- every combination, against what must hold whatever the rules ---- */

/* The n-th combination; false past the last. */
static bool combination(int n, struct attempt_outcome *o) {
    static const int status[] = {0, 1, WIRE_EXIT_SAVED, 127, -1};
    static const int done[] = {0, 2, 3, 4};
    *o = (struct attempt_outcome){.exit_status = status[n % 5]};
    n /= 5;
    o->signal = o->exit_status < 0 ? SIGKILL : 0;
    o->epochs_done = done[n % 4];
    n /= 4;
    o->epoch_last = o->epochs_done + (n % 2) * 2; // a hole, or none
    n /= 2;
    o->epochs = n % 2 * 3;
    n /= 2;
    o->done_event = n & 1;
    o->stopping = n >> 1 & 1;
    o->killed = n >> 2 & 1;
    o->progressed = n >> 3 & 1;
    o->failed_reason = n >> 4 & 1 ? "diverged" : NULL;
    o->differs = n >> 5 & 1 ? "epoch 2: loss" : NULL;
    o->spawn_failure = n >> 6 & 1 && o->exit_status < 0 ? "fork" : NULL;
    o->stopped = n >> 7 & 1 ? "patience" : NULL;
    return n < 1 << 8;
}

static void a_complete_trial_has_all_its_epochs_and_ended_well(void **state) {
    (void)state;
    struct attempt_outcome o;
    int complete = 0;
    for (int n = 0; combination(n, &o); n++) {
        int barren = 0;
        struct trial_verdict verdict;
        trial_judge(&o, 0, &barren, &verdict);
        if (verdict.status == TRIAL_COMPLETE) {
            complete++;
            assert_int_equal(o.exit_status, 0);
            assert_int_equal(o.epochs_done, o.epoch_last);
            assert_true(o.epochs_done >= o.epochs ||
                        (o.done_event && o.stopped != NULL && o.epochs_done > 0));
            assert_null(o.differs);
            assert_null(o.failed_reason);
            assert_null(verdict.reason);
        }
    }
    assert_in_range(complete, 10, 1000);
}

static void a_run_that_stops_starts_nothing_again(void **state) {
    (void)state;
    struct attempt_outcome o;
    for (int n = 0; combination(n, &o); n++) {
        int barren = 0;
        struct trial_verdict verdict;
        trial_judge(&o, 5, &barren, &verdict);
        if (o.stopping) {
            assert_int_not_equal(verdict.status, TRIAL_PENDING);
        } else {
            assert_int_not_equal(verdict.status, TRIAL_PAUSED);
        }
        assert_true((verdict.status == TRIAL_COMPLETE) == (verdict.reason == NULL));
    }
}

/* ---- retries ---- */

static struct trial_verdict die(int retries, int *barren, bool progressed) {
    const struct attempt_outcome o = {.exit_status = 3, .progressed = progressed, .epochs = 3};
    struct trial_verdict verdict;
    trial_judge(&o, retries, barren, &verdict);
    return verdict;
}

static void a_trial_without_progress_is_tried_retries_plus_one_times(void **state) {
    (void)state;
    for (int retries = 0; retries < 4; retries++) {
        int barren = 0, attempts = 1;
        while (die(retries, &barren, false).status == TRIAL_PENDING) {
            attempts++;
        }
        assert_int_equal(attempts, retries + 1);
    }
}

static void progress_starts_the_count_of_retries_anew(void **state) {
    (void)state;
    int barren = 0;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(die(1, &barren, false).status, TRIAL_PENDING);
        assert_int_equal(barren, 1);
        assert_int_equal(die(1, &barren, true).status, TRIAL_PENDING);
        assert_int_equal(barren, 0);
    }
    assert_int_equal(die(1, &barren, false).status, TRIAL_PENDING);
    assert_int_equal(die(1, &barren, false).status, TRIAL_FAILED);
}

static void a_saved_state_counts_as_progress(void **state) {
    (void)state;
    int barren = 2;
    const struct attempt_outcome o = {.exit_status = WIRE_EXIT_SAVED, .epochs = 3};
    struct trial_verdict verdict;
    trial_judge(&o, 0, &barren, &verdict);
    assert_int_equal(verdict.status, TRIAL_PENDING);
    assert_int_equal(barren, 0);
}

static void delays_between_attempts_grow_to_a_limit(void **state) {
    (void)state;
    assert_int_equal(trial_retry_delay_ms(0), 0);
    for (int i = 0; i < 4; i++) {
        assert_true(trial_retry_delay_ms(i) < trial_retry_delay_ms(i + 1));
    }
    assert_int_equal(trial_retry_delay_ms(1000), 10000);
}

static void messages_say_what_happened(void **state) {
    (void)state;
    int barren = 0;
    struct trial_verdict verdict;
    trial_judge(&(struct attempt_outcome){DEAD, .signal = SIGSEGV, ROWS(0, 0, 3)}, 2, &barren,
                &verdict);
    assert_string_equal(verdict.message, "killed by signal 11 (SIGSEGV)");
    trial_judge(&(struct attempt_outcome){ROWS(2, 2, 5)}, 2, &barren, &verdict);
    assert_string_equal(verdict.message, "ended with status 0 after 2 of 5 epochs");
    trial_judge(&(struct attempt_outcome){ROWS(1, 4, 0)}, 2, &barren, &verdict);
    assert_string_equal(verdict.message, "epoch 2 is missing; the last is 4");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_judged_by_the_rules),
        cmocka_unit_test(a_complete_trial_has_all_its_epochs_and_ended_well),
        cmocka_unit_test(a_run_that_stops_starts_nothing_again),
        cmocka_unit_test(a_trial_without_progress_is_tried_retries_plus_one_times),
        cmocka_unit_test(progress_starts_the_count_of_retries_anew),
        cmocka_unit_test(a_saved_state_counts_as_progress),
        cmocka_unit_test(delays_between_attempts_grow_to_a_limit),
        cmocka_unit_test(messages_say_what_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
