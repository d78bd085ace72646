#include "tests/unit/trainer/net_testing.h"
#include "tests/unit/trainer/train_testing.h"

#include "trainer/history.h"
#include "trainer/schedule.h"

static void constant_keeps_the_rate(void **state) {
    (void)state;
    const struct schedule_spec spec = {.kind = SCHEDULE_CONSTANT, .k = 1, .step_size = 1};
    CHECK_NEAR(schedule_lr(&spec, 0.3, 0, 6, 7), 0.3, 0.0);
    CHECK_NEAR(schedule_lr(&spec, 0.3, 1000, 6, 7), 0.3, 0.0);
}

static void exponential_shrinks_by_the_same_factor_every_epoch(void **state) {
    (void)state;
    const struct schedule_spec spec = {.kind = SCHEDULE_EXPONENTIAL, .k = 0.1};
    // e^-0.1, e^-1, e^-5 from tables
    CHECK_NEAR(schedule_lr(&spec, 0.5, 0, 6, 7), 0.5, 0.0);
    CHECK_NEAR(schedule_lr(&spec, 0.5, 1, 6, 7), 0.5 * 0.90483741803595957316, 1e-16);
    CHECK_NEAR(schedule_lr(&spec, 0.5, 10, 6, 7), 0.5 * 0.36787944117144232160, 1e-16);
    CHECK_NEAR(schedule_lr(&spec, 0.5, 50, 6, 7), 0.5 * 0.00673794699908546710, 1e-17);
}

static void inverse_halves_the_rate_when_k_t_is_one(void **state) {
    (void)state;
    const struct schedule_spec spec = {.kind = SCHEDULE_INVERSE, .k = 0.25};
    static const double expected[] = {1.0, 0.8, 2.0 / 3.0, 4.0 / 7.0, 0.5};
    for (int t = 0; t < 5; t++) {
        CHECK_NEAR(schedule_lr(&spec, 1.0, t, 6, 7), expected[t], 1e-16);
    }
}

static void step_falls_after_every_step_size_epochs_and_not_between(void **state) {
    (void)state;
    const struct schedule_spec spec = {.kind = SCHEDULE_STEP, .step_size = 3, .gamma = 0.5};
    static const double expected[] = {0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.1};
    for (int t = 0; t < 10; t++) {
        CHECK_NEAR(schedule_lr(&spec, 0.8, t, 6, 7), expected[t], 1e-16);
    }
}

static void step_of_the_defaults_divides_by_ten_in_the_eleventh_epoch(void **state) {
    (void)state;
    const struct schedule_spec spec = {.kind = SCHEDULE_STEP, .step_size = 10, .gamma = 0.1};
    CHECK_NEAR(schedule_lr(&spec, 0.01, 9, 6, 7), 0.01, 0.0);
    CHECK_NEAR(schedule_lr(&spec, 0.01, 10, 6, 7), 0.001, 1e-18);
    CHECK_NEAR(schedule_lr(&spec, 0.01, 29, 6, 7), 0.0001, 1e-19);
}

static void a_coefficient_of_zero_decays_nothing(void **state) {
    (void)state;
    for (int kind = SCHEDULE_EXPONENTIAL; kind <= SCHEDULE_INVERSE; kind++) {
        const struct schedule_spec spec = {.kind = (enum schedule_kind)kind, .k = 0.0};
        CHECK_NEAR(schedule_lr(&spec, 0.07, 400, 6, 7), 0.07, 0.0);
    }
}

static void cosine_is_halfway_in_the_middle_and_ends_at_eta_min(void **state) {
    (void)state;
    const struct schedule_spec spec = {.kind = SCHEDULE_COSINE, .T_max = 6, .eta_min = 0.1};
    // cos of 0, 60, 90, 120 and 180 degrees
    CHECK_NEAR(schedule_lr(&spec, 0.9, 0, 0, 7), 0.9, 1e-16);
    CHECK_NEAR(schedule_lr(&spec, 0.9, 2, 6, 7), 0.1 + 0.8 * 0.75, 1e-15);
    CHECK_NEAR(schedule_lr(&spec, 0.9, 3, 0, 7), 0.5, 1e-15);
    CHECK_NEAR(schedule_lr(&spec, 0.9, 4, 0, 7), 0.1 + 0.8 * 0.25, 1e-15);
    CHECK_NEAR(schedule_lr(&spec, 0.9, 6, 0, 7), 0.1, 1e-16);
}

static void one_cycle_starts_low_peaks_and_ends_far_lower(void **state) {
    (void)state;
    const struct schedule_spec spec = {.kind = SCHEDULE_ONE_CYCLE,
                                       .epochs = 4,
                                       .pct_start = 0.25,
                                       .div_factor = 10,
                                       .final_div_factor = 100};
    // 4 epochs of 5 steps: the peak is at step 0.25 * 20 - 1 = 4, the end at step 19
    CHECK_NEAR(schedule_lr(&spec, 1.0, 0, 0, 5), 0.1, 1e-15);
    CHECK_NEAR(schedule_lr(&spec, 1.0, 0, 2, 5), 0.55, 1e-15);
    CHECK_NEAR(schedule_lr(&spec, 1.0, 0, 4, 5), 1.0, 1e-15);
    CHECK_NEAR(schedule_lr(&spec, 1.0, 1, 4, 5), 0.001 + 0.999 * 0.75, 1e-15); // a third of the way
    CHECK_NEAR(schedule_lr(&spec, 1.0, 3, 4, 5), 0.001, 1e-15);
}

static void warmup_rises_step_by_step_to_the_rate_of_any_schedule(void **state) {
    (void)state;
    struct schedule_spec spec = {.kind = SCHEDULE_CONSTANT, .warmup = 1.5};
    CHECK_NEAR(schedule_lr(&spec, 0.6, 0, 0, 4), 0.1, 1e-16);
    CHECK_NEAR(schedule_lr(&spec, 0.6, 0, 2, 4), 0.3, 1e-16);
    CHECK_NEAR(schedule_lr(&spec, 0.6, 1, 0, 4), 0.5, 1e-16);
    CHECK_NEAR(schedule_lr(&spec, 0.6, 1, 1, 4), 0.6, 0.0);
    CHECK_NEAR(schedule_lr(&spec, 0.6, 9, 3, 4), 0.6, 0.0);
    spec =
        (struct schedule_spec){.kind = SCHEDULE_STEP, .step_size = 1, .gamma = 0.5, .warmup = 1.5};
    CHECK_NEAR(schedule_lr(&spec, 0.6, 1, 0, 4), 0.25, 1e-16);
}

/* ---- plateaus ---- */

static const struct schedule_spec plateau = {.kind = SCHEDULE_REDUCE_ON_PLATEAU,
                                             .factor = 0.5,
                                             .metric = HISTORY_METRIC_val_loss,
                                             .patience = 2,
                                             .threshold = 0.1,
                                             .threshold_mode = THRESHOLD_REL,
                                             .eps = 1e-8};

/* The base rate of every epoch, of 1 in the first, with these values of the metric after each; counted in
 * expected[]: one more than there are values. */
static void check_plateaus(const struct schedule_spec *spec, const double *values, int count,
                           const double *expected) {
    struct record records[32] = {0};
    for (int i = 0; i < count; i++) {
        records[i].val_loss = records[i].val_accuracy = values[i];
    }
    for (int i = 0; i <= count; i++) {
        const struct history history = {.records = records, .count = i};
        print_message("after %d epochs\n", i);
        CHECK_NEAR(schedule_base(spec, 1.0, &history), expected[i], 0.0);
    }
}

static void a_plateau_longer_than_the_patience_reduces_the_rate(void **state) {
    (void)state;
    // 9.1 is not 10 % below 10, 8.9 is; then three that are not
    static const double losses[] = {10, 9.1, 8.9, 8.8, 8.5, 8.2, 8.1, 8.1, 8.1, 7};
    static const double rates[] = {1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25};
    check_plateaus(&plateau, losses, 10, rates);
}

static void an_accuracy_shall_rise(void **state) {
    (void)state;
    struct schedule_spec spec = plateau;
    spec.metric = HISTORY_METRIC_val_accuracy;
    static const double accuracies[] = {0.5, 0.54, 0.56, 0.1, 0.6, 0.61, 0.7};
    static const double rates[] = {1, 1, 1, 1, 1, 1, 0.5, 0.5}; // 0.61 is not 10 % above 0.56
    check_plateaus(&spec, accuracies, 7, rates);
}

static void a_threshold_may_be_a_difference(void **state) {
    (void)state;
    struct schedule_spec spec = plateau;
    spec.threshold_mode = THRESHOLD_ABS;
    spec.patience = 0;
    static const double losses[] = {2, 1.95, 1.85, 1.75, 1.6};
    static const double rates[] = {1, 1, 0.5, 0.5, 0.25, 0.25}; // 1.75 is not 0.1 below 1.85
    check_plateaus(&spec, losses, 5, rates);
}

static void epochs_of_a_cooldown_do_not_count(void **state) {
    (void)state;
    struct schedule_spec spec = plateau;
    spec.patience = 1;
    spec.cooldown = 3;
    static const double losses[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    // reduced after 2 barren epochs; 3 of the cooldown and 2 barren ones later again
    static const double rates[] = {1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25};
    check_plateaus(&spec, losses, 9, rates);
}

static void the_rate_ends_at_its_minimum_and_ignores_steps_below_eps(void **state) {
    (void)state;
    struct schedule_spec spec = plateau;
    spec.patience = 0;
    spec.min_lr = 0.3;
    static const double losses[] = {1, 1, 1, 1, 1};
    check_plateaus(&spec, losses, 5, (double[]){1, 1, 0.5, 0.3, 0.3, 0.3});
    spec.min_lr = 0;
    spec.eps = 0.25; // 0.5 to 0.25 is no more than that
    check_plateaus(&spec, losses, 5, (double[]){1, 1, 0.5, 0.5, 0.5, 0.5});
}

static void plateaus_are_for_the_one_schedule_and_warm_up_is_for_all(void **state) {
    (void)state;
    struct record records[9] = {0};
    const struct history history = {.records = records, .count = 9};
    struct schedule_spec spec = plateau;
    const double base = schedule_base(&spec, 0.8, &history);
    CHECK_NEAR(base, 0.2, 1e-17); // 0 is not better than 0: reduced after the 4th and the 7th
    spec.warmup = 10;
    CHECK_NEAR(schedule_lr(&spec, base, 9, 1, 4), base * 0.95, 1e-17);
    CHECK_NEAR(schedule_lr(&spec, base, 10, 0, 4), base, 0.0);
    spec.kind = SCHEDULE_CONSTANT;
    CHECK_NEAR(schedule_base(&spec, 0.8, &history), 0.8, 0.0);
}

/* ---- in a training ---- */

/* No epoch is better than the first by so much: the rate halves after each but that. */
static const char halving[] =
    "\"model\": {\"layers\": [\"flatten\", {\"type\": \"dense\", \"units\": 10}]}, \"batch_size\": "
    "48, \"epochs\": 4, \"optimizer\": {\"name\": \"sgd\", \"lr\": 0.25}, \"schedule\": {\"name\": "
    "\"reduce_on_plateau\", \"metric\": \"val_accuracy\", \"patience\": 0, \"factor\": 0.5, "
    "\"threshold\": 1, \"threshold_mode\": \"abs\"}";

static void interrupted_anywhere_the_plateaus_are_the_same(void **state) {
    (void)state;
    struct run whole = train(halving, "whole", 0);
    assert_int_equal(whole.result, TRAIN_DONE);
    static const char *const rates[] = {"\"lr\": 0.25,", "\"lr\": 0.25,", "\"lr\": 0.125,",
                                        "\"lr\": 0.0625,"};
    char *expected = records_of(whole.out);
    const char *at = expected;
    for (int i = 0; i < 4; i++) {
        at = strstr(at, rates[i]);
        assert_non_null(at);
        at++;
    }
    for (long stop_at = 1; stop_at <= whole.asked; stop_at++) {
        char dir[32];
        (void)snprintf(dir, sizeof dir, "stop%ld", stop_at);
        train_to(TRAIN_SAVED, halving, dir, stop_at);
        struct run rest = train(halving, dir, 0);
        char *records = records_of(rest.out);
        assert_string_equal(records, expected);
        assert_same_file("whole", dir, "cp-0004.safetensors");
        free(records);
        free(rest.out);
    }
    free(expected);
    free(whole.out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_keeps_the_rate),
        cmocka_unit_test(exponential_shrinks_by_the_same_factor_every_epoch),
        cmocka_unit_test(inverse_halves_the_rate_when_k_t_is_one),
        cmocka_unit_test(step_falls_after_every_step_size_epochs_and_not_between),
        cmocka_unit_test(step_of_the_defaults_divides_by_ten_in_the_eleventh_epoch),
        cmocka_unit_test(a_coefficient_of_zero_decays_nothing),
        cmocka_unit_test(cosine_is_halfway_in_the_middle_and_ends_at_eta_min),
        cmocka_unit_test(one_cycle_starts_low_peaks_and_ends_far_lower),
        cmocka_unit_test(warmup_rises_step_by_step_to_the_rate_of_any_schedule),
        cmocka_unit_test(a_plateau_longer_than_the_patience_reduces_the_rate),
        cmocka_unit_test(an_accuracy_shall_rise),
        cmocka_unit_test(a_threshold_may_be_a_difference),
        cmocka_unit_test(epochs_of_a_cooldown_do_not_count),
        cmocka_unit_test(the_rate_ends_at_its_minimum_and_ignores_steps_below_eps),
        cmocka_unit_test(plateaus_are_for_the_one_schedule_and_warm_up_is_for_all),
        TRAIN_CASE(interrupted_anywhere_the_plateaus_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
