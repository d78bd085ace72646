#include "runner/check_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Six epochs of a tenth of a second after half a second to get ready; five changes a save, none after the
 * last line. */
static const double told_s[] = {0, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1};
static const int changes[] = {5, 5, 5, 5, 5, 5, 0};
static const struct check_profile profile = {1.2, 6, told_s, changes};

static void a_stop_is_a_function_of_seed_round_and_attempt(void **state) {
    (void)state;
    int others = 0;
    for (int round = 1; round <= 50; round++) {
        struct check_stop a = check_plan_stop(&profile, 7, round, CHECK_ROUND_KILL, 2, 1);
        struct check_stop b = check_plan_stop(&profile, 7, round, CHECK_ROUND_KILL, 2, 1);
        struct check_stop c = check_plan_stop(&profile, 8, round, CHECK_ROUND_KILL, 2, 1);
        assert_int_equal(a.kind, b.kind);
        assert_int_equal(a.epoch, b.epoch);
        assert_int_equal(a.change, b.change);
        assert_true(a.after_s == b.after_s);
        others += a.after_s != c.after_s || a.epoch != c.epoch || a.change != c.change;
    }
    assert_in_range(others, 25, 50);
}

static void half_of_the_kills_are_at_random_times_within_what_is_left(void **state) {
    (void)state;
    int kinds[4] = {0}, early = 0;
    for (int round = 1; round <= 1000; round++) {
        for (int attempt = 1; attempt <= CHECK_KILLS; attempt++) {
            struct check_stop s = check_plan_stop(&profile, 1, round, CHECK_ROUND_KILL, attempt, 3);
            kinds[s.kind]++;
            if (s.kind == CHECK_AT_TIME) {
                assert_true(s.after_s >= 0.0 && s.after_s < 0.6 + 0.4); // ready, and three epochs
                early += s.after_s < 0.5;
            }
        }
    }
    assert_int_equal(kinds[CHECK_GO_ON], 0);
    assert_in_range(kinds[CHECK_AT_TIME], 1400, 1600);
    assert_in_range(kinds[CHECK_AT_CHANGE], 1100, 1400);
    assert_in_range(kinds[CHECK_AT_LINE], 150, 300);
    assert_in_range(early, 650, 850); // half of 1,500
}

static void moments_are_ahead_and_have_a_change(void **state) {
    (void)state;
    int first = 0, last = 0, of_epoch[7] = {0};
    for (int round = 1; round <= 1000; round++) {
        for (int attempt = 1; attempt <= CHECK_KILLS; attempt++) {
            struct check_stop s = check_plan_stop(&profile, 2, round, CHECK_ROUND_KILL, attempt, 2);
            if (s.kind == CHECK_AT_CHANGE) {
                assert_in_range(s.epoch, 2, 5);
                assert_in_range(s.change, 1, 5);
                first += s.change == 1;
                last += s.change == 5;
                of_epoch[s.epoch]++;
            } else if (s.kind == CHECK_AT_LINE) {
                assert_in_range(s.epoch, 3, 6);
            }
        }
    }
    assert_in_range(first, 400, 700);
    assert_in_range(last, 400, 700);
    for (int e = 2; e <= 5; e++) {
        assert_in_range(of_epoch[e], 250, 450); // a quarter of 1,300
    }
}

static void six_rounds_meet_the_first_and_the_last_change_with_any_seed(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        int first = 0, last = 0;
        for (int round = 1; round <= CHECK_ROUNDS_MIN; round++) {
            enum check_round kind = check_plan_round(round, CHECK_ROUNDS_MIN, true);
            for (int attempt = 1; attempt <= CHECK_KILLS; attempt++) {
                struct check_stop s = check_plan_stop(&profile, seed, round, kind, attempt, 1);
                first += s.kind == CHECK_AT_CHANGE && s.change == 1;
                last += s.kind == CHECK_AT_CHANGE && s.change == 5;
            }
        }
        assert_true(first >= 2);
        assert_true(last >= 2);
    }
}

static void lines_are_lost_when_their_epoch_is_saved(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct check_stop s = check_plan_stop(&profile, seed, 4, CHECK_ROUND_LOST, 1, 2);
        assert_int_equal(s.kind, CHECK_AT_CHANGE);
        assert_in_range(s.epoch, 3, 5); // is new in this attempt, and has changes behind it
        assert_int_equal(s.change, 5);
    }
}

/* The moments go on where the round of kills before has left them, whatever comes between. */
static void rounds_between_leave_out_no_moment(void **state) {
    (void)state;
    int moments = 0, lines = 0;
    for (int round = 1; round <= 16; round++) {
        enum check_round kind = check_plan_round(round, 100, true);
        for (int attempt = 1; attempt <= CHECK_KILLS && kind == CHECK_ROUND_KILL; attempt++) {
            struct check_stop s = check_plan_stop(&profile, 1, round, kind, attempt, 1);
            moments += s.kind != CHECK_AT_TIME;
            lines += s.kind == CHECK_AT_LINE;
            if (moments % 7 == 4 && s.kind != CHECK_AT_TIME) {
                assert_int_equal(s.kind, CHECK_AT_LINE); // every fourth of seven
            }
        }
    }
    assert_true(moments >= 14);
    assert_int_equal(lines, (moments + 3) / 7);
}

static void a_trainer_that_saves_nothing_is_killed_at_lines(void **state) {
    (void)state;
    static const int none[7] = {0};
    const struct check_profile p = {1.2, 6, told_s, none};
    struct check_stop s = check_plan_stop(&p, 1, 1, CHECK_ROUND_KILL, 1, 0);
    assert_int_equal(s.kind, CHECK_AT_LINE);
}

static void after_all_epochs_only_times_are_left(void **state) {
    (void)state;
    for (int round = 1; round <= 50; round++) {
        struct check_stop s = check_plan_stop(&profile, 1, round, CHECK_ROUND_KILL, 1, 6);
        assert_int_equal(s.kind, CHECK_AT_TIME);
        assert_true(s.after_s < 0.6 + 0.1 + 1e-9);
    }
}

static void the_attempt_after_the_last_kill_is_left_alone(void **state) {
    (void)state;
    assert_int_equal(check_plan_stop(&profile, 1, 1, CHECK_ROUND_KILL, CHECK_KILLS + 1, 0).kind,
                     CHECK_GO_ON);
    assert_int_equal(check_plan_stop(&profile, 1, 3, CHECK_ROUND_EXTEND, 1, 0).kind, CHECK_GO_ON);
}

static void every_kind_of_round_comes(void **state) {
    (void)state;
    for (int rounds = CHECK_ROUNDS_MIN; rounds <= 20; rounds++) {
        int count[CHECK_ROUND_KINDS] = {0}, without[CHECK_ROUND_KINDS] = {0};
        for (int round = 1; round <= rounds; round++) {
            count[check_plan_round(round, rounds, true)]++;
            without[check_plan_round(round, rounds, false)]++;
        }
        assert_int_equal(count[CHECK_ROUND_EXTEND], 1);
        assert_in_range(count[CHECK_ROUND_TERM], 1, 2);
        assert_in_range(count[CHECK_ROUND_LOST], 1, 3);
        assert_true(count[CHECK_ROUND_KILL] >= rounds / 2);
        assert_int_equal(without[CHECK_ROUND_EXTEND], 0);
    }
}

static void a_quick_trainer_gets_more_rounds(void **state) {
    (void)state;
    assert_int_equal(check_plan_count(0.05), CHECK_ROUNDS_MAX);
    assert_int_equal(check_plan_count(1.0), 9);
    assert_int_equal(check_plan_count(1000.0), CHECK_ROUNDS_MIN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_is_a_function_of_seed_round_and_attempt),
        cmocka_unit_test(half_of_the_kills_are_at_random_times_within_what_is_left),
        cmocka_unit_test(moments_are_ahead_and_have_a_change),
        cmocka_unit_test(six_rounds_meet_the_first_and_the_last_change_with_any_seed),
        cmocka_unit_test(lines_are_lost_when_their_epoch_is_saved),
        cmocka_unit_test(rounds_between_leave_out_no_moment),
        cmocka_unit_test(a_trainer_that_saves_nothing_is_killed_at_lines),
        cmocka_unit_test(after_all_epochs_only_times_are_left),
        cmocka_unit_test(the_attempt_after_the_last_kill_is_left_alone),
        cmocka_unit_test(every_kind_of_round_comes),
        cmocka_unit_test(a_quick_trainer_gets_more_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
