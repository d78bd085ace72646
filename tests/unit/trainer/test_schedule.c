#include "net_testing.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
