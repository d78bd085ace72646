/* Update rules against their formulas in double, the sums over all parameters, and the choice of the
 * set. */
#include "tests/unit/trainer/test_kernels_common.h"

enum { LEN = 133, STEPS = 5 }; // a length that fills no vector; started one float off a cache line

/* Parameters and two state vectors, as float32 for a kernel and as double for its twin. */
struct run {
    float *w, *m, *s;
    double *w_, *m_, *s_;
};

static struct run run_new(uint64_t *random) {
    struct run r = {.w = random_floats(random, LEN + 1, 1.0f),
                    .m = random_floats(random, LEN + 1, 0.0f),
                    .s = random_floats(random, LEN + 1, 0.0f),
                    .w_ = zero_doubles(LEN + 1),
                    .m_ = zero_doubles(LEN + 1),
                    .s_ = zero_doubles(LEN + 1)};
    for (int i = 0; i <= LEN; i++) {
        r.w_[i] = (double)r.w[i];
    }
    return r;
}

static void run_release(struct run *r) {
    free(r->w);
    free(r->m);
    free(r->s);
    free(r->w_);
    free(r->m_);
    free(r->s_);
}

typedef void step_fn(const struct kernels *set, struct run *r, const float *g, int step);

/* STEPS steps of both with the same gradients.  The hyperparameters are powers of two or nearly, so
 * that both are given the same ones; values are of the order of 1, and a step rounds a few times. */
static void check_rule(const char *name, step_fn *step) {
    EACH_SET(set) {
        uint64_t random = 1;
        struct run r = run_new(&random);
        for (int i = 1; i <= STEPS; i++) {
            float *g = random_floats(&random, LEN + 1, i == 3 ? 1e-3f : 1.0f);
            step(set, &r, g + 1, i);
            free(g);
        }
        CHECK_ALL_NEAR(name, set, r.w + 1, r.w_ + 1, NULL, 0.0, 4 * STEPS * ULP, LEN);
        CHECK_ALL_NEAR(name, set, r.m + 1, r.m_ + 1, NULL, 0.0, 4 * STEPS * ULP, LEN);
        CHECK_ALL_NEAR(name, set, r.s + 1, r.s_ + 1, NULL, 4 * STEPS * ULP, 0.0, LEN);
        assert_true((double)r.w[0] == r.w_[0]); // not before the first
        run_release(&r);
    }
}

static void sgd(const struct kernels *set, struct run *r, const float *g, int step) {
    (void)step;
    set->sgd(r->w + 1, g, LEN, 0.125f);
    reference_sgd(r->w_ + 1, g, LEN, 0.125);
}

static void momentum(const struct kernels *set, struct run *r, const float *g, int step) {
    (void)step;
    set->momentum(r->w + 1, g, r->m + 1, LEN, 0.125f, 0.875f, 0);
    reference_momentum(r->w_ + 1, g, r->m_ + 1, LEN, 0.125, 0.875, 0);
}

static void nesterov(const struct kernels *set, struct run *r, const float *g, int step) {
    (void)step;
    set->momentum(r->w + 1, g, r->m + 1, LEN, 0.125f, 0.875f, 1);
    reference_momentum(r->w_ + 1, g, r->m_ + 1, LEN, 0.125, 0.875, 1);
}

static void adagrad(const struct kernels *set, struct run *r, const float *g, int step) {
    (void)step;
    set->adagrad(r->w + 1, g, r->s + 1, LEN, 0.125f, 0x1p-10f);
    reference_adagrad(r->w_ + 1, g, r->s_ + 1, LEN, 0.125, 0x1p-10);
}

static void rmsprop(const struct kernels *set, struct run *r, const float *g, int step) {
    (void)step;
    set->rmsprop(r->w + 1, g, r->s + 1, LEN, 0.0625f, 0.9375f, 0x1p-10f);
    reference_rmsprop(r->w_ + 1, g, r->s_ + 1, LEN, 0.0625, 0.9375, 0x1p-10);
}

static void adam(const struct kernels *set, struct run *r, const float *g, int step) {
    const float step_size = (float)(0.0625 / (1.0 - pow(0.875, step)));
    const float correction = (float)sqrt(1.0 - pow(0.9375, step));
    set->adam(r->w + 1, g, r->m + 1, r->s + 1, LEN, step_size, 0.875f, 0.9375f, correction,
              0x1p-10f);
    reference_adam(r->w_ + 1, g, r->m_ + 1, r->s_ + 1, LEN, (double)step_size, 0.875, 0.9375,
                   (double)correction, 0x1p-10);
}

static void momentum_damped(const struct kernels *set, struct run *r, const float *g, int step) {
    (void)step;
    set->momentum_damped(r->w + 1, g, r->m + 1, LEN, 0.125f, 0.875f, 0.25f);
    reference_momentum_damped(r->w_ + 1, g, r->m_ + 1, LEN, 0.125, 0.875, 0.25);
}

static void adamax(const struct kernels *set, struct run *r, const float *g, int step) {
    const float step_size = (float)(0.0625 / (1.0 - pow(0.875, step)));
    set->adamax(r->w + 1, g, r->m + 1, r->s + 1, LEN, step_size, 0.875f, 0.9375f, 0x1p-10f);
    reference_adamax(r->w_ + 1, g, r->m_ + 1, r->s_ + 1, LEN, (double)step_size, 0.875, 0.9375,
                     0x1p-10);
}

static void nadam(const struct kernels *set, struct run *r, const float *g, int step) {
    const float correction = (float)(1.0 - pow(0.9375, step));
    set->nadam(r->w + 1, g, r->m + 1, r->s + 1, LEN, 0.0625f, 0.125f, 0.875f, 0.9375f, correction,
               0x1p-10f);
    reference_nadam(r->w_ + 1, g, r->m_ + 1, r->s_ + 1, LEN, 0.0625, 0.125, 0.875, 0.9375,
                    (double)correction, 0x1p-10);
}

static void adadelta(const struct kernels *set, struct run *r, const float *g, int step) {
    (void)step;
    set->adadelta(r->w + 1, g, r->s + 1, r->m + 1, LEN, 0.5f, 0.875f, 0x1p-10f);
    reference_adadelta(r->w_ + 1, g, r->s_ + 1, r->m_ + 1, LEN, 0.5, 0.875, 0x1p-10);
}

static void lion(const struct kernels *set, struct run *r, const float *g, int step) {
    (void)step;
    set->lion(r->w + 1, g, r->m + 1, LEN, 0.125f, 0.875f, 0.9375f);
    reference_lion(r->w_ + 1, g, r->m_ + 1, LEN, 0.125, 0.875, 0.9375);
}

/* g stands in for the weights that are averaged. */
static void ema(const struct kernels *set, struct run *r, const float *g, int step) {
    (void)step;
    set->ema(r->w + 1, g, 0.125f, LEN);
    reference_ema(r->w_ + 1, g, 0.875, LEN);
}

/* The three in-place operations on a gradient, as if they were a rule. */
static void in_place(const struct kernels *set, struct run *r, const float *g, int step) {
    (void)step;
    set->add_sign(r->w + 1, g, 0.375f, LEN);
    reference_add_sign(r->w_ + 1, g, 0.375, LEN);
    set->scale(r->w + 1, 0.875f, LEN);
    reference_scale(r->w_ + 1, 0.875, LEN);
    set->clamp(r->w + 1, 0.75f, LEN);
    reference_clamp(r->w_ + 1, 0.75, LEN);
}

static void a_nan_gets_through_every_operation(void **state) {
    (void)state;
    EACH_SET(set) {
        float w = 1.0f, m = 0.0f, s = 0.0f, g = NAN;
        set->lion(&w, &g, &m, 1, 0.1f, 0.9f, 0.99f);
        assert_true(isnan(w) && isnan(m));
        w = 1.0f, m = 0.0f;
        set->adamax(&w, &g, &m, &s, 1, 0.1f, 0.9f, 0.999f, 1e-8f);
        assert_true(isnan(w) && isnan(m) && isnan(s));
        w = 1.0f;
        set->ema(&w, &g, 0.1f, 1);
        assert_true(isnan(w));
        set->clamp(&g, 1.0f, 1);
        assert_true(isnan(g));
    }
}

static void update_rules_match_their_formulas(void **state) {
    (void)state;
    check_rule("sgd", sgd);
    check_rule("momentum", momentum);
    check_rule("nesterov", nesterov);
    check_rule("adagrad", adagrad);
    check_rule("rmsprop", rmsprop);
    check_rule("adam", adam);
    check_rule("momentum_damped", momentum_damped);
    check_rule("adamax", adamax);
    check_rule("nadam", nadam);
    check_rule("adadelta", adadelta);
    check_rule("lion", lion);
    check_rule("ema", ema);
    check_rule("add_sign, scale, clamp", in_place);
}

static void a_zero_gradient_moves_nothing(void **state) {
    (void)state;
    EACH_SET(set) {
        float w = 1.0f, m = 0.0f, s = 0.0f;
        const float g = 0.0f;
        set->adagrad(&w, &g, &s, 1, 0.1f, 1e-10f);
        set->rmsprop(&w, &g, &s, 1, 0.1f, 0.99f, 1e-8f);
        set->adam(&w, &g, &m, &s, 1, 0.1f, 0.9f, 0.999f, 0.03f, 1e-8f);
        assert_true(w == 1.0f && m == 0.0f && s == 0.0f);
    }
}

/* ---- sums ---- */

static void sum_of_squares_has_the_same_bits_in_every_set(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 15, 16, 17, 100, 61706};
    uint64_t random = 2;
    float *x = random_floats(&random, 61707, 1.0f);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const double expected = reference_sum_squares(x + 1, lengths[i]);
        const struct kernels *sets[4];
        const double first = (kernels_all(sets), sets[0]->sum_squares(x + 1, lengths[i]));
        EACH_SET(set) {
            const double sum = set->sum_squares(x + 1, lengths[i]);
            if (!(fabs(sum - expected) <= 1e-11 * expected) || sum != first) {
                fail_msg("%s, n %zu: %.17g, expected %.17g, in %s %.17g", set->name, lengths[i],
                         sum, expected, sets[0]->name, first);
            }
        }
    }
    free(x);
}

static void sum_of_squares_sees_a_nan_in_any_place(void **state) {
    (void)state;
    EACH_SET(set) {
        for (int at = 0; at < 37; at++) {
            float x[37] = {0};
            x[at] = NAN;
            assert_true(isnan(set->sum_squares(x, 37)));
        }
    }
}

static void axpy_adds_a_multiple(void **state) {
    (void)state;
    uint64_t random = 3;
    float *x = random_floats(&random, LEN, 1.0f), *y = random_floats(&random, LEN, 1.0f);
    double *expected = zero_doubles(LEN);
    for (int i = 0; i < LEN; i++) {
        expected[i] = (double)y[i];
    }
    reference_axpy(expected, x, 0.375, LEN);
    EACH_SET(set) {
        float *to = mem_aligned(LEN, sizeof *to);
        memcpy(to, y, LEN * sizeof *to);
        set->axpy(to, x, 0.375f, LEN);
        CHECK_ALL_NEAR("axpy", set, to, expected, NULL, 0.0, 2 * ULP, LEN);
        free(to);
    }
    free(x);
    free(y);
    free(expected);
}

/* ---- which set ---- */

static void the_best_set_is_first_and_the_environment_pins_another(void **state) {
    (void)state;
    const struct kernels *sets[4];
    const int count = kernels_all(sets);
    assert_int_equal(unsetenv("BESOM_KERNELS"), 0);
    assert_ptr_equal(kernels_get(), sets[0]);
    for (int i = 0; i < count; i++) {
        const char *dash = strrchr(sets[i]->name, '-');
        assert_int_equal(setenv("BESOM_KERNELS", sets[i]->name, 1), 0);
        assert_ptr_equal(kernels_get(), sets[i]);
        assert_int_equal(setenv("BESOM_KERNELS", dash ? dash + 1 : sets[i]->name, 1), 0);
        assert_ptr_equal(kernels_get(), sets[i]);
    }
    assert_int_equal(setenv("BESOM_KERNELS", "v5", 1), 0);
    assert_ptr_equal(kernels_get(), sets[0]);
    assert_int_equal(unsetenv("BESOM_KERNELS"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(update_rules_match_their_formulas),
        cmocka_unit_test(a_nan_gets_through_every_operation),
        cmocka_unit_test(a_zero_gradient_moves_nothing),
        cmocka_unit_test(sum_of_squares_has_the_same_bits_in_every_set),
        cmocka_unit_test(sum_of_squares_sees_a_nan_in_any_place),
        cmocka_unit_test(axpy_adds_a_multiple),
        cmocka_unit_test(the_best_set_is_first_and_the_environment_pins_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
