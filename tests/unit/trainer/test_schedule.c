#include "net_testing.h"

#include "trainer/schedule.h"

static void constant_keeps_the_rate(void **state) {
    (void)state;
    const struct schedule_spec spec = {.kind = SCHEDULE_CONSTANT, .k = 1, .step_size = 1};
    CHECK_NEAR(schedule_lr(&spec, 0.3, 0), 0.3, 0.0);
    CHECK_NEAR(schedule_lr(&spec, 0.3, 1000), 0.3, 0.0);
}

static void exponential_shrinks_by_the_same_factor_every_epoch(void **state) {
    (void)state;
    const struct schedule_spec spec = {.kind = SCHEDULE_EXPONENTIAL, .k = 0.1};
    // e^-0.1, e^-1, e^-5 from tables
    CHECK_NEAR(schedule_lr(&spec, 0.5, 0), 0.5, 0.0);
    CHECK_NEAR(schedule_lr(&spec, 0.5, 1), 0.5 * 0.90483741803595957316, 1e-16);
    CHECK_NEAR(schedule_lr(&spec, 0.5, 10), 0.5 * 0.36787944117144232160, 1e-16);
    CHECK_NEAR(schedule_lr(&spec, 0.5, 50), 0.5 * 0.00673794699908546710, 1e-17);
}

static void inverse_halves_the_rate_when_k_t_is_one(void **state) {
    (void)state;
    const struct schedule_spec spec = {.kind = SCHEDULE_INVERSE, .k = 0.25};
    static const double expected[] = {1.0, 0.8, 2.0 / 3.0, 4.0 / 7.0, 0.5};
    for (int t = 0; t < 5; t++) {
        CHECK_NEAR(schedule_lr(&spec, 1.0, t), expected[t], 1e-16);
    }
}

static void step_falls_after_every_step_size_epochs_and_not_between(void **state) {
    (void)state;
    const struct schedule_spec spec = {.kind = SCHEDULE_STEP, .step_size = 3, .gamma = 0.5};
    static const double expected[] = {0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.1};
    for (int t = 0; t < 10; t++) {
        CHECK_NEAR(schedule_lr(&spec, 0.8, t), expected[t], 1e-16);
    }
}

static void step_of_the_defaults_divides_by_ten_in_the_eleventh_epoch(void **state) {
    (void)state;
    const struct schedule_spec spec = {.kind = SCHEDULE_STEP, .step_size = 10, .gamma = 0.1};
    CHECK_NEAR(schedule_lr(&spec, 0.01, 9), 0.01, 0.0);
    CHECK_NEAR(schedule_lr(&spec, 0.01, 10), 0.001, 1e-18);
    CHECK_NEAR(schedule_lr(&spec, 0.01, 29), 0.0001, 1e-19);
}

static void a_coefficient_of_zero_decays_nothing(void **state) {
    (void)state;
    for (int kind = SCHEDULE_EXPONENTIAL; kind <= SCHEDULE_INVERSE; kind++) {
        const struct schedule_spec spec = {.kind = (enum schedule_kind)kind, .k = 0.0};
        CHECK_NEAR(schedule_lr(&spec, 0.07, 400), 0.07, 0.0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_keeps_the_rate),
        cmocka_unit_test(exponential_shrinks_by_the_same_factor_every_epoch),
        cmocka_unit_test(inverse_halves_the_rate_when_k_t_is_one),
        cmocka_unit_test(step_falls_after_every_step_size_epochs_and_not_between),
        cmocka_unit_test(step_of_the_defaults_divides_by_ten_in_the_eleventh_epoch),
        cmocka_unit_test(a_coefficient_of_zero_decays_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
