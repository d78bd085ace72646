#include "runner/check_resume.h"

#include "base/buf.h"
#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What the trainer says goes through the same reader as in the runner. */
static struct wire_record record;
static struct check_resume judge;
static struct check_curve told;

static int setup(void **state) {
    (void)state;
    check_resume_init(&judge, 0.0, 0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    check_resume_release(&judge);
    check_curve_release(&told);
    wire_record_release(&record);
    return 0;
}

static const struct wire_record *line(const char *text) {
    wire_parse(&record, text, strlen(text));
    assert_int_equal(record.kind, WIRE_EPOCH);
    return &record;
}

static void tell(int round, int attempt, const char *text) {
    const struct check_where where = {round, attempt, "killed at 0.1 s (epoch 1)"};
    check_resume_told(&judge, &where, line(text), false);
    if (round > 0) {
        check_curve_add(&told, &record);
    }
}

static void done(int round, int attempt) {
    const struct check_where where = {round, attempt, "killed at 0.1 s (epoch 1)"};
    check_resume_done(&judge, &where, round > 0 ? &told : &judge.reference, false);
}

/* Two uninterrupted runs of two epochs. */
static void two_runs(void) {
    for (int run = 1; run <= 2; run++) {
        tell(0, run, "{\"epoch\": 1, \"loss\": 0.5, \"acc\": \"nan\"}");
        tell(0, run, "{\"epoch\": 2, \"loss\": 0.25, \"acc\": 0.75}");
        done(0, run);
    }
}

static void assert_verdict(enum check_verdict verdict, bool passed) {
    assert_string_equal(check_verdict_word(check_resume_verdict(&judge)),
                        check_verdict_word(verdict));
    assert_int_equal(check_resume_passed(&judge), passed);
}

static void assert_explains(const char *words) {
    struct buf text = {0};
    check_resume_explain(&judge, &text);
    if (strstr(buf_text(&text), words) == NULL) {
        fail_msg("no \"%s\" in: %s", words, buf_text(&text));
    }
    buf_release(&text);
}

/* ---- the verdicts ---- */

static void the_same_bits_are_exact_also_when_told_again(void **state) {
    (void)state;
    two_runs();
    tell(1, 1, "{\"epoch\": 1, \"loss\": 0.5, \"acc\": \"nan\"}");
    tell(1, 2, "{\"epoch\": 1, \"acc\": \"nan\", \"loss\": 5e-1}");
    tell(1, 2, "{\"epoch\": 2, \"loss\": 0.25, \"acc\": 0.75, \"seconds\": 3}");
    done(1, 2);
    assert_verdict(CHECK_EXACT, true);
    assert_int_equal(judge.rounds, 1);
}

static void another_number_is_told_with_its_place_and_both_values(void **state) {
    (void)state;
    two_runs();
    tell(3, 2, "{\"epoch\": 2, \"loss\": 0.26, \"acc\": 0.75}");
    assert_verdict(CHECK_DIFFERS, false);
    assert_int_equal(judge.finding.round, 3);
    assert_int_equal(judge.finding.attempt, 2);
    assert_explains("round 3, killed at 0.1 s (epoch 1)");
    assert_explains("epoch 2, loss: 0.25 uninterrupted, 0.26 resumed");
}

static void of_a_record_the_worst_metric_is_named(void **state) {
    (void)state;
    two_runs();
    tell(1, 1, "{\"epoch\": 2, \"loss\": 0.26, \"acc\": 0.1}");
    assert_string_equal(judge.finding.difference.metric, "acc");
}

static void a_metric_that_is_missing_or_new_differs(void **state) {
    (void)state;
    two_runs();
    tell(1, 1, "{\"epoch\": 2, \"loss\": 0.25}");
    assert_verdict(CHECK_DIFFERS, false);
    assert_explains("acc: 0.75 uninterrupted, nothing resumed");
    teardown(NULL);
    setup(NULL);
    two_runs();
    tell(1, 1, "{\"epoch\": 2, \"loss\": 0.25, \"acc\": 0.75, \"f1\": 1}");
    assert_verdict(CHECK_DIFFERS, false);
    assert_explains("f1: nothing uninterrupted, 1 resumed");
}

static void nan_in_the_place_of_a_number_is_no_rounding(void **state) {
    (void)state;
    judge.tolerance = 10.0;
    two_runs();
    tell(1, 1, "{\"epoch\": 2, \"loss\": 0.25, \"acc\": \"nan\"}");
    assert_verdict(CHECK_DIFFERS, false);
}

static void rounding_is_told_with_how_much_and_passes_by_the_tolerance_alone(void **state) {
    (void)state;
    two_runs();
    tell(1, 1, "{\"epoch\": 1, \"loss\": 0.50000001, \"acc\": \"nan\"}");
    tell(1, 1, "{\"epoch\": 2, \"loss\": 0.2500000001, \"acc\": 0.75}");
    done(1, 1);
    assert_verdict(CHECK_WITHIN, false);
    assert_explains("within a relative difference of 2e-08");
    assert_explains("epoch 1, loss: 0.5 uninterrupted, 0.50000001 resumed");
    assert_explains("--tolerance 4e-08");
    judge.tolerance = 1e-9;
    assert_verdict(CHECK_WITHIN, false);
    judge.tolerance = 4e-8;
    assert_verdict(CHECK_WITHIN, true);
}

static void a_tolerance_widens_what_counts_as_rounding(void **state) {
    (void)state;
    judge.tolerance = 0.1;
    two_runs();
    tell(1, 1, "{\"epoch\": 2, \"loss\": 0.26, \"acc\": 0.75}");
    assert_verdict(CHECK_WITHIN, true);
}

static void minus_zero_is_not_zero(void **state) {
    (void)state;
    tell(0, 1, "{\"epoch\": 1, \"loss\": 0.0}");
    done(0, 1);
    tell(0, 2, "{\"epoch\": 1, \"loss\": 0.0}");
    done(0, 2);
    tell(1, 1, "{\"epoch\": 1, \"loss\": -0.0}");
    done(1, 1);
    assert_verdict(CHECK_WITHIN, false);
}

static void an_epoch_that_was_never_told_is_skipped(void **state) {
    (void)state;
    two_runs();
    tell(2, 2, "{\"epoch\": 2, \"loss\": 0.25, \"acc\": 0.75}");
    done(2, 2);
    assert_verdict(CHECK_SKIPS, false);
    assert_explains("epoch 1 was never told");
}

static void an_epoch_beyond_the_last_is_not_right(void **state) {
    (void)state;
    two_runs();
    tell(1, 2, "{\"epoch\": 3, \"loss\": 0.1}");
    assert_verdict(CHECK_REPEATS, false);
    assert_explains("epoch 3; the uninterrupted run ends with epoch 2");
}

static void two_uninterrupted_runs_that_differ_end_the_matter(void **state) {
    (void)state;
    tell(0, 1, "{\"epoch\": 1, \"loss\": 0.5}");
    done(0, 1);
    tell(0, 2, "{\"epoch\": 1, \"loss\": 0.50000001}"); // not even rounding is allowed here
    assert_verdict(CHECK_NONDETERMINISTIC, false);
    assert_explains("epoch 1, loss: 0.5 uninterrupted, 0.50000001 the second time");
}

static void but_within_the_tolerance_they_may(void **state) {
    (void)state;
    judge.tolerance = 1e-6;
    tell(0, 1, "{\"epoch\": 1, \"loss\": 0.5}");
    done(0, 1);
    tell(0, 2, "{\"epoch\": 1, \"loss\": 0.50000001}");
    done(0, 2);
    assert_verdict(CHECK_WITHIN, true);
}

static void a_second_run_of_other_epochs_is_not_deterministic(void **state) {
    (void)state;
    tell(0, 1, "{\"epoch\": 1, \"loss\": 0.5}");
    done(0, 1);
    tell(0, 2, "{\"epoch\": 2, \"loss\": 0.5}");
    assert_verdict(CHECK_NONDETERMINISTIC, false);
    assert_explains("epoch 2 was told by one of them only");
}

static void death_tells_status_and_output(void **state) {
    (void)state;
    two_runs();
    const struct check_where where = {2, 3, "killed at 0.2 s (epoch 1, state made)"};
    check_resume_died(&judge, &where, 1, 0, NULL, "ValueError: torn\n");
    assert_verdict(CHECK_DIES, false);
    assert_explains("round 2, killed at 0.2 s (epoch 1, state made): then it left with status 1");
    assert_string_equal(judge.finding.output, "ValueError: torn\n");
}

static void death_by_signal_names_it(void **state) {
    (void)state;
    two_runs();
    const struct check_where where = {2, 3, ""};
    check_resume_died(&judge, &where, -1, 11, NULL, NULL);
    assert_explains("signal 11 (Segmentation fault)");
}

static void a_hang_is_told(void **state) {
    (void)state;
    two_runs();
    const struct check_where where = {2, 3, ""};
    check_resume_hung(&judge, &where, 2.5, NULL);
    assert_verdict(CHECK_HANGS, false);
    assert_explains("not done after 2.5 s");
}

static void what_fails_uninterrupted_cannot_be_judged(void **state) {
    (void)state;
    const struct check_where where = {0, 1, NULL};
    check_resume_died(&judge, &where, 2, 0, NULL, "usage\n");
    assert_verdict(CHECK_FAILS, false);
    assert_explains("even when nobody interrupts it; then it left with status 2");
}

static void a_reference_needs_its_epochs(void **state) {
    (void)state;
    done(0, 1);
    assert_verdict(CHECK_FAILS, false); // none at all
    teardown(NULL);
    check_resume_init(&judge, 0.0, 3);
    tell(0, 1, "{\"epoch\": 1, \"loss\": 0.5}");
    done(0, 1);
    assert_verdict(CHECK_FAILS, false);
    assert_explains("1 of 3 epochs");
    teardown(NULL);
    check_resume_init(&judge, 0.0, 3);
    tell(0, 1, "{\"epoch\": 1, \"loss\": 0.5}");
    check_resume_done(&judge, &(struct check_where){0, 1, ""}, &judge.reference, true);
    assert_verdict(CHECK_EXACT, true); // it ended early and said so
    teardown(NULL);
    setup(NULL);
    tell(0, 1, "{\"epoch\": 1, \"loss\": 0.5}");
    tell(0, 1, "{\"epoch\": 3, \"loss\": 0.5}");
    done(0, 1);
    assert_verdict(CHECK_FAILS, false);
    assert_explains("never told epoch 2");
}

static void of_two_findings_the_one_of_the_lower_round_counts(void **state) {
    (void)state;
    two_runs();
    const struct check_where late = {5, 1, ""}, early = {2, 1, ""};
    check_resume_died(&judge, &late, 1, 0, NULL, NULL);
    check_resume_hung(&judge, &early, 1.0, NULL);
    check_resume_died(&judge, &late, 1, 0, NULL, NULL);
    assert_verdict(CHECK_HANGS, false);
}

/* ---- starting over ---- */

static void where_an_attempt_begins_is_judged_by_what_it_does(void **state) {
    (void)state;
    static const struct {
        struct check_begin begin;
        int over;
        const char *why;
    } cases[] = {
        {{.done = 1, .first = 1, .last = 1, .from_epoch = -1, .has_files = true},
         -1,
         "little done"},
        {{.done = 3, .first = 0, .from_epoch = -1, .has_files = true}, -1, "killed at once"},
        {{.done = 3, .first = 4, .from_epoch = -1, .has_files = true}, 0, "goes on"},
        {{.done = 3, .first = 3, .last = 3, .from_epoch = -1, .has_files = true}, 0, "one back"},
        {{.done = 3, .first = 1, .last = 3, .from_epoch = 3, .has_files = true}, 0, "says so"},
        {{.done = 3, .first = 1, .last = 3, .from_epoch = 0, .has_files = false}, 1, "no files"},
        {{.done = 3, .first = 1, .last = 1, .from_epoch = -1, .has_files = true}, -1, "too short"},
        {{.done = 3, .first = 1, .last = 3, .from_epoch = -1, .changes = 2, .has_files = true},
         1,
         "saves again"},
        {{.done = 3,
          .first = 1,
          .last = 3,
          .from_epoch = -1,
          .seconds = 1.1,
          .expected_s = 1.0,
          .has_files = true},
         1,
         "takes its time"},
        {{.done = 3,
          .first = 1,
          .last = 3,
          .from_epoch = -1,
          .seconds = 0.01,
          .expected_s = 1.0,
          .has_files = true},
         0,
         "tells its history"},
        {{.done = 3,
          .first = 1,
          .last = 3,
          .from_epoch = -1,
          .seconds = 0.001,
          .expected_s = 0.1,
          .has_files = true},
         -1,
         "too quick to tell"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int over = check_started_over(&cases[i].begin);
        if (over != cases[i].over) {
            fail_msg("%s: %d, want %d", cases[i].why, over, cases[i].over);
        }
    }
}

static void starting_over_at_each_kill_is_the_verdict_once_would_not_be(void **state) {
    (void)state;
    two_runs();
    const struct check_begin over = {
        .done = 3, .first = 1, .last = 3, .changes = 2, .has_files = true, .from_epoch = -1};
    const struct check_begin on = {.done = 3, .first = 4, .has_files = true, .from_epoch = -1};
    check_resume_began(&judge, &over);
    assert_verdict(CHECK_EXACT, true);
    check_resume_began(&judge, &over);
    assert_verdict(CHECK_STARTS_OVER, false);
    assert_explains("it began at epoch 1 again");
    check_resume_began(&judge, &on);
    assert_verdict(CHECK_EXACT, true);
}

static void an_epoch_that_is_told_once_counts_less_than_what_is_wrong(void **state) {
    (void)state;
    two_runs();
    const struct check_where later = {.round = 10, .attempt = 2, .how = "later"};
    const struct check_where where = {.round = 4, .attempt = 3, .how = "killed at 0.5 s"};
    check_resume_lost(&judge, &later, 1);
    check_resume_lost(&judge, &where, 2);
    assert_verdict(CHECK_TELLS_ONCE, false);
    assert_explains(
        "round 4, killed at 0.5 s: epoch 2 was told and then saved, and not told again");
    tell(2, 2, "{\"epoch\": 2, \"loss\": 0.25, \"acc\": 0.75}");
    done(2, 2);
    assert_verdict(CHECK_SKIPS, false);
}

/* ---- curves ---- */

static void epochs_are_kept_in_order_and_once(void **state) {
    (void)state;
    check_curve_add(&told, line("{\"epoch\": 3, \"a\": 3}"));
    check_curve_add(&told, line("{\"epoch\": 1, \"a\": 1}"));
    check_curve_add(&told, line("{\"epoch\": 3, \"a\": 33}"));
    assert_int_equal(told.count, 2);
    assert_int_equal(check_curve_contiguous(&told), 1);
    assert_int_equal(check_curve_last(&told), 3);
    check_curve_add(&told, line("{\"epoch\": 2}"));
    assert_int_equal(check_curve_contiguous(&told), 3);
    assert_true(check_curve_find(&told, 3)->metrics[0].value == 3.0);
    assert_null(check_curve_find(&told, 4));
}

static void relative_differences(void **state) {
    (void)state;
    assert_true(check_relative(1.0, 1.0) == 0.0);
    assert_true(check_relative(0.0, -0.0) == 0.0);
    assert_true(check_relative((double)NAN, (double)NAN) == 0.0);
    assert_true(isinf(check_relative((double)NAN, 1.0)));
    assert_true(isinf(check_relative((double)INFINITY, 1.0)));
    assert_true(check_relative(4.0, 3.0) == 0.25);
    assert_true(check_relative(3.0, 4.0) == 0.25);
    assert_true(check_relative(-1.0, 1.0) == 2.0);
    assert_true(check_relative(-1.7e308, 1.7e308) == 2.0); // their difference overflows
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_same_bits_are_exact_also_when_told_again),
        CASE(another_number_is_told_with_its_place_and_both_values),
        CASE(of_a_record_the_worst_metric_is_named),
        CASE(a_metric_that_is_missing_or_new_differs),
        CASE(nan_in_the_place_of_a_number_is_no_rounding),
        CASE(rounding_is_told_with_how_much_and_passes_by_the_tolerance_alone),
        CASE(a_tolerance_widens_what_counts_as_rounding),
        CASE(minus_zero_is_not_zero),
        CASE(an_epoch_that_was_never_told_is_skipped),
        CASE(an_epoch_beyond_the_last_is_not_right),
        CASE(two_uninterrupted_runs_that_differ_end_the_matter),
        CASE(but_within_the_tolerance_they_may),
        CASE(a_second_run_of_other_epochs_is_not_deterministic),
        CASE(death_tells_status_and_output),
        CASE(death_by_signal_names_it),
        CASE(a_hang_is_told),
        CASE(what_fails_uninterrupted_cannot_be_judged),
        CASE(a_reference_needs_its_epochs),
        CASE(of_two_findings_the_one_of_the_lower_round_counts),
        CASE(where_an_attempt_begins_is_judged_by_what_it_does),
        CASE(starting_over_at_each_kill_is_the_verdict_once_would_not_be),
        CASE(an_epoch_that_is_told_once_counts_less_than_what_is_wrong),
        CASE(epochs_are_kept_in_order_and_once),
        CASE(relative_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
