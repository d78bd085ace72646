#include "runner/trial.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
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
    // its state is beyond an epoch that was lost
    {"too few, beyond", {.beyond = true, ROWS(2, 2, 3)}, TRIAL_FAILED, "missing epochs"},
    {"too few, beyond, with a state",
     {.beyond = true, .has_state = true, .done_event = true, ROWS(2, 2, 3)},
     TRIAL_PENDING,
     "missing epochs"},
    {"all epochs, beyond",
     {.beyond = true, .has_state = true, ROWS(3, 3, 3)},
     TRIAL_COMPLETE,
     NULL},
    {"stopped early, beyond",
     {.beyond = true, .has_state = true, .done_event = true, .stopped = "patience", ROWS(2, 2, 3)},
     TRIAL_PENDING,
     "missing epochs"},
    {"any number, beyond",
     {.beyond = true, .has_state = true, .done_event = true, ROWS(7, 7, 0)},
     TRIAL_PENDING,
     "missing epochs"},
    {"too few, beyond, then killed",
     {.beyond = true, .has_state = true, DEAD, .signal = SIGKILL, ROWS(2, 2, 3)},
     TRIAL_PENDING,
     "signal"},
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

/* ---- failures: which they are, and their rules ---- */

/* Written down from docs/protocol.md: class and reason, and whether it is tried again when the attempt brought
 * nothing for the first time, when it did so once too often, and when it brought an epoch. */
static const struct {
    struct attempt_outcome outcome;
    const char *class, *reason;
    bool first, last, progressed;
} failures[] = {
    {{.differs = "epoch 2", ROWS(2, 2, 3)}, "protocol", "nondeterministic", false, false, false},
    {{.failed_reason = "diverged", ROWS(2, 2, 3)}, "diverged", "diverged", false, false, false},
    {{.failed_reason = "no data", ROWS(0, 0, 3)}, "exit", "no data", false, false, false},
    {{.watch = WATCHDOG_TIMEOUT, .exit_status = WIRE_EXIT_SAVED, ROWS(2, 2, 3)},
     "timeout",
     "timeout",
     false,
     false,
     false},
    {{.watch = WATCHDOG_TIMEOUT, DEAD, .signal = SIGKILL, ROWS(2, 2, 3)},
     "timeout",
     "timeout",
     false,
     false,
     false},
    {{.watch = WATCHDOG_TIMEOUT, ROWS(2, 2, 0)}, "timeout", "timeout", false, false, false},
    {{.watch = WATCHDOG_HANG, DEAD, .signal = SIGTERM, ROWS(2, 2, 3)},
     "hang",
     "hang",
     true,
     false,
     true},
    {{.watch = WATCHDOG_HANG, .exit_status = WIRE_EXIT_SAVED, ROWS(2, 2, 3)},
     "hang",
     "hang",
     true,
     false,
     true},
    {{.watch = WATCHDOG_HANG, ROWS(2, 2, 0)}, "hang", "hang", true, false, true},
    {{.memory_mb = 2104.3, .memory_limit_mb = 2000, DEAD, .signal = SIGKILL, ROWS(2, 2, 3)},
     "memory",
     "memory limit",
     false,
     false,
     true},
    {{.out_of_memory = true, DEAD, .signal = SIGKILL, ROWS(2, 2, 3)},
     "memory",
     "out of memory",
     true,
     false,
     true},
    {{.exit_status = WIRE_EXIT_NO_MEMORY, ROWS(2, 2, 3)},
     "memory",
     "out of memory",
     true,
     false,
     true},
    {{.no_room = true, .exit_status = 74, ROWS(2, 2, 3)}, "storage", "disk full", true, true, true},
    {{.no_room = true, .watch = WATCHDOG_HANG, DEAD, .signal = SIGKILL, ROWS(2, 2, 3)},
     "storage",
     "disk full",
     true,
     true,
     true},
    {{DEAD, .signal = SIGSEGV, ROWS(2, 2, 3)}, "signal", "signal", true, false, true},
    {{.exit_status = 3, ROWS(2, 2, 3)}, "exit", "exit", true, false, true},
    {{DEAD, .spawn_failure = "fork: no", ROWS(0, 0, 3)}, "exit", "spawn", true, false, true},
    {{ROWS(2, 2, 3)}, "protocol", "incomplete", true, false, true},
    {{.done_event = true, ROWS(2, 2, 3)}, "protocol", "incomplete", true, false, true},
    {{ROWS(1, 3, 3)}, "protocol", "missing epochs", false, false, false},
    {{.has_state = true, ROWS(1, 3, 3)}, "protocol", "missing epochs", true, true, true},
    {{.has_state = true, .afresh = 1, ROWS(1, 3, 3)},
     "protocol",
     "missing epochs",
     true,
     true,
     true},
    {{.has_state = true, .afresh = 2, ROWS(1, 3, 3)},
     "protocol",
     "missing epochs",
     false,
     false,
     false},
};

static void every_failure_has_its_class_and_rule(void **state) {
    (void)state;
    enum { RETRIES = 2 };
    for (size_t i = 0; i < COUNT(failures); i++) {
        const bool again[] = {failures[i].first, failures[i].last, failures[i].progressed};
        for (int n = 0; n < 3; n++) {
            struct attempt_outcome o = failures[i].outcome;
            o.progressed = n == 2;
            int barren = n == 1 ? RETRIES : 0;
            struct trial_verdict v;
            trial_judge(&o, RETRIES, &barren, &v);
            print_message("%zu.%d %s: %s\n", i, n, failures[i].reason, v.message);
            assert_string_equal(v.class, failures[i].class);
            assert_string_equal(v.reason, failures[i].reason);
            assert_int_equal(v.status, again[n] ? TRIAL_PENDING : TRIAL_FAILED);
            assert_true(v.message[0] != '\0');
        }
    }
}

/* Each kind is met by a row of `failures`, but the one that is not judged here. */
static void no_failure_is_left_out(void **state) {
    (void)state;
    for (int kind = 0; kind < FAILURE_COUNT; kind++) {
        const struct trial_failure_kind *k = &trial_failures[kind];
        bool met = kind == FAILURE_RUNNER_DIED;
        for (size_t i = 0; i < COUNT(failures); i++) {
            bool same = k->reason == NULL ? strcmp(failures[i].reason, "no data") == 0
                                          : strcmp(failures[i].reason, k->reason) == 0;
            met = met || (same && strcmp(failures[i].class, k->class) == 0);
        }
        assert_true(met);
    }
}

static void the_page_has_a_row_for_each(void **state) {
    (void)state;
    struct buf page = {0};
    struct err err;
    assert_int_equal(fs_read(PROTOCOL, 1 << 20, &page, &err), ERR_OK);
    for (int kind = 0; kind < FAILURE_COUNT; kind++) {
        const struct trial_failure_kind *k = &trial_failures[kind];
        if (k->reason == NULL) {
            continue; // "its own word"
        }
        char *row = mem_printf("\n| `%s` | %s |", k->reason, k->class);
        const char *at = strstr(buf_text(&page), row);
        if (at == NULL) {
            fail_msg("%s has no row%s", PROTOCOL, row);
        }
        size_t len = strcspn(at + 1, "\n");
        const char *again = strstr(at, "| tried again");
        bool retried = again != NULL && again < at + 1 + len;
        assert_int_equal(retried, k->rule == RULE_BARREN || k->rule == RULE_PROGRESS);
        free(row);
    }
    buf_release(&page);
}

static void an_end_that_was_asked_for_is_no_failure_and_does_not_count(void **state) {
    (void)state;
    static const struct attempt_outcome ends[] = {
        {.exit_status = WIRE_EXIT_SAVED, .stopping = true, ROWS(2, 2, 3)},
        {DEAD, .signal = SIGTERM, .stopping = true, ROWS(2, 2, 3)},
        {DEAD, .signal = SIGKILL, .stopping = true, .killed = true, ROWS(0, 0, 3)},
        {DEAD, .signal = SIGKILL, .stopping = true, .watch = WATCHDOG_HANG, ROWS(0, 0, 3)},
    };
    for (size_t i = 0; i < COUNT(ends); i++) {
        int barren = 2;
        struct trial_verdict v;
        trial_judge(&ends[i], 2, &barren, &v);
        assert_int_equal(v.status, TRIAL_PAUSED);
        assert_string_equal(v.reason, "interrupted");
        assert_null(v.class);
        assert_int_equal(barren, i == 0 ? 0 : 2); // a saved state is one that got on
    }
}

/* The limit was met as the last epoch came: what was asked for is there. */
static void a_trial_that_ends_well_although_it_was_overdue_is_complete(void **state) {
    (void)state;
    const enum watchdog_cause causes[] = {WATCHDOG_HANG, WATCHDOG_TIMEOUT};
    for (int i = 0; i < 2; i++) {
        int barren = 0;
        struct trial_verdict v;
        trial_judge(&(struct attempt_outcome){.watch = causes[i], ROWS(3, 3, 3)}, 0, &barren, &v);
        assert_int_equal(v.status, TRIAL_COMPLETE);
        assert_null(v.class);
    }
}

/* A trainer that hangs, and saves what it had when it is asked to leave, would do so for ever. */
static void a_state_saved_out_of_a_hang_is_no_progress(void **state) {
    (void)state;
    int barren = 0, attempts = 1;
    const struct attempt_outcome o = {
        .watch = WATCHDOG_HANG, .exit_status = WIRE_EXIT_SAVED, ROWS(1, 1, 3)};
    struct trial_verdict v;
    for (trial_judge(&o, 2, &barren, &v); v.status == TRIAL_PENDING && attempts < 10; attempts++) {
        trial_judge(&o, 2, &barren, &v);
    }
    assert_int_equal(attempts, 3);
}

static void limits_are_told_in_their_messages(void **state) {
    (void)state;
    int barren = 0;
    struct trial_verdict v;
    trial_judge(&(struct attempt_outcome){DEAD, .signal = SIGKILL, .memory_mb = 2104.3,
                                          .memory_limit_mb = 2000, ROWS(0, 0, 3)},
                2, &barren, &v);
    assert_string_equal(v.message, "used 2,104 MB, its limit is 2,000 MB");
    trial_judge(&(struct attempt_outcome){DEAD, .signal = SIGKILL, .memory_mb = 1234567,
                                          .memory_limit_mb = 999, ROWS(0, 0, 3)},
                2, &barren, &v);
    assert_string_equal(v.message, "used 1,234,567 MB, its limit is 999 MB");
    trial_judge(&(struct attempt_outcome){DEAD, .signal = SIGTERM, .watch = WATCHDOG_HANG,
                                          .limit_s = 600, ROWS(0, 0, 3)},
                2, &barren, &v);
    assert_string_equal(v.message, "no epoch for 600 s (timeout.epoch_s)");
    trial_judge(&(struct attempt_outcome){DEAD, .signal = SIGTERM, .watch = WATCHDOG_TIMEOUT,
                                          .limit_s = 7200, ROWS(2, 2, 3)},
                2, &barren, &v);
    assert_non_null(strstr(v.message, "7200 s"));
    assert_non_null(strstr(v.message, "--retry-failed"));
    trial_judge(
        &(struct attempt_outcome){DEAD, .signal = SIGKILL, .out_of_memory = true, ROWS(0, 0, 3)}, 2,
        &barren, &v);
    assert_non_null(strstr(v.message, "out of memory"));
}

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
    assert_string_equal(verdict.message,
                        "epoch 2 is missing, the last is 4: its trainer never told it");
}

static void a_state_is_beyond_by_its_own_word_or_where_lines_may_be_lost(void **state) {
    (void)state;
    static const struct {
        struct trial_ahead ahead;
        bool beyond;
    } cases[] = {
        {{.from_epoch = 3, .epochs_done = 2, .epochs = 6}, true},
        {{.from_epoch = 3, .epochs_done = 2, .epochs = 0}, true},
        {{.from_epoch = 3, .epochs_done = 3, .epochs = 6}, false},
        {{.from_epoch = 0, .epochs_done = 3, .epochs = 6}, false},
        {{.from_epoch = 0, .epochs_done = 3, .epochs = 6, .lost = true}, true},
        {{.from_epoch = 0, .epochs_done = 6, .epochs = 6, .lost = true}, false},
        {{.from_epoch = 0, .epochs_done = 3, .epochs = 0, .lost = true}, false},
        {{.from_epoch = 0, .epochs_done = 3, .epochs = 6, .lost = true, .progressed = true}, false},
        {{.from_epoch = 3, .epochs_done = 3, .epochs = 6, .lost = true},
         false}, // it says where it is
        {{.from_epoch = 4, .epochs_done = 3, .epochs = 6, .lost = true}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (trial_is_beyond(&cases[i].ahead) != cases[i].beyond) {
            fail_msg("case %zu", i);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_judged_by_the_rules),
        cmocka_unit_test(a_state_is_beyond_by_its_own_word_or_where_lines_may_be_lost),
        cmocka_unit_test(every_failure_has_its_class_and_rule),
        cmocka_unit_test(no_failure_is_left_out),
        cmocka_unit_test(the_page_has_a_row_for_each),
        cmocka_unit_test(an_end_that_was_asked_for_is_no_failure_and_does_not_count),
        cmocka_unit_test(a_trial_that_ends_well_although_it_was_overdue_is_complete),
        cmocka_unit_test(a_state_saved_out_of_a_hang_is_no_progress),
        cmocka_unit_test(limits_are_told_in_their_messages),
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
