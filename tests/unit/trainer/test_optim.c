#include "net_testing.h"

#include "trainer/optim.h"

#include <math.h>
#include <string.h>

/* Rates of 0.05, everything else PyTorch's default. */
static struct optimizer_spec spec_of(enum optimizer_kind kind) {
    return (struct optimizer_spec){.kind = kind,
                                   .lr = 0.05,
                                   .momentum = 0.9,
                                   .alpha = 0.99,
                                   .beta1 = 0.9,
                                   .beta2 = 0.999,
                                   .rho = 0.9,
                                   .momentum_decay = 0.004,
                                   .eps = kind == OPTIMIZER_ADAGRAD    ? 1e-10
                                          : kind == OPTIMIZER_ADADELTA ? 1e-6
                                                                       : 1e-8};
}

/* ---- against numbers computed elsewhere ---- */

/* Three weights that start at 1, -2, 0.5 and have the gradients (i + 1) w[i] + cos(t (i + 1)) in step
 * t = 1, 2, ..., i = 0, 1, 2.  The numbers are from Python 3.11:
 *
 *     def run(rule, steps):
 *         w = [1.0, -2.0, 0.5]; a = [0.0] * 3; b = [0.0] * 3
 *         for t in range(1, steps + 1):
 *             for i in range(3):
 *                 g = (i + 1) * w[i] + cos(t * (i + 1))
 *                 w[i], a[i], b[i] = rule(w[i], g, a[i], b[i], t)
 *         return w
 *     def sgd(w, g, a, b, t): return w - 0.05 * g, a, b
 *     def momentum(w, g, v, b, t): v = 0.9 * v + g; return w - 0.05 * v, v, b
 *     def nesterov(w, g, v, b, t): v = 0.9 * v + g; return w - 0.05 * (g + 0.9 * v), v, b
 *     def adagrad(w, g, s, b, t): s += g * g; return w - 0.05 * g / (sqrt(s) + 1e-10), s, b
 *     def rmsprop(w, g, s, b, t):
 *         s = 0.99 * s + 0.01 * g * g; return w - 0.05 * g / (sqrt(s) + 1e-8), s, b
 *     def adam(w, g, m, s, t):
 *         m = 0.9 * m + 0.1 * g; s = 0.999 * s + 0.001 * g * g
 *         return w - 0.05 * (m / (1 - 0.9**t)) / (sqrt(s / (1 - 0.999**t)) + 1e-8), m, s
 */
static const struct {
    enum optimizer_kind kind;
    int steps;
    double w[3];
} from_python[] = {
    {OPTIMIZER_SGD, 1, {0.9229848847, -1.7791926582, 0.4744996248}},
    {OPTIMIZER_SGD, 100, {0.0052336759, 0.0008272707, 0.0023582036}},
    {OPTIMIZER_MOMENTUM, 1, {0.9229848847, -1.7791926582, 0.4744996248}},
    {OPTIMIZER_MOMENTUM, 100, {0.0456985647, 0.0037051719, 0.0013067503}},
    {OPTIMIZER_NESTEROV, 1, {0.8536712809, -1.5804660505, 0.4515492872}},
    {OPTIMIZER_NESTEROV, 100, {0.0433719672, 0.0105083823, 0.0044924453}},
    {OPTIMIZER_ADAGRAD, 1, {0.9500000000, -1.9500000000, 0.4500000000}},
    {OPTIMIZER_ADAGRAD, 100, {0.4191862467, -1.1840990512, 0.0385730307}},
    {OPTIMIZER_RMSPROP, 1, {0.5000000325, -1.5000000113, 0.0000000980}},
    {OPTIMIZER_RMSPROP, 100, {-0.0043329472, 0.0006719107, 0.0035945622}},
    {OPTIMIZER_ADAM, 1, {0.9500000003, -1.9500000001, 0.4500000010}},
    {OPTIMIZER_ADAM, 100, {0.0100163590, 0.0161898620, 0.0023331682}},
};

static void every_rule_gives_the_numbers_of_an_independent_script(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof from_python / sizeof *from_python; k++) {
        struct optimizer_spec spec = spec_of(from_python[k].kind);
        struct optim optim;
        optim_init(&optim, &spec, 3);
        float w[3] = {1.0f, -2.0f, 0.5f}, g[3];
        for (int t = 1; t <= from_python[k].steps; t++) {
            for (int i = 0; i < 3; i++) {
                g[i] = (float)((i + 1) * (double)w[i] + cos(t * (i + 1)));
            }
            optim_step(&optim, w, g, spec.lr);
        }
        print_message("%s, %d steps\n", optimizer_names[spec.kind], from_python[k].steps);
        for (int i = 0; i < 3; i++) {
            CHECK_NEAR((double)w[i], from_python[k].w[i], 2e-6);
        }
        optim_release(&optim);
    }
}

/* ---- against the rules written down again, on many weights and a changing rate ---- */

/* One weight in double, after the pseudocode of the PyTorch documentation. */
struct scalar {
    double w, m, v;
};

static double nadam_mu(int t) {
    return 0.9 * (1.0 - 0.5 * pow(0.96, t * 0.004));
}

static double nadam_product(int t) {
    return t == 0 ? 1.0 : nadam_mu(t) * nadam_product(t - 1);
}

static void scalar_step(struct scalar *p, enum optimizer_kind kind, double g, double lr, int t) {
    switch (kind) {
    case OPTIMIZER_SGD:
        p->w -= lr * g;
        break;
    case OPTIMIZER_MOMENTUM:
    case OPTIMIZER_NESTEROV:
        p->m = t > 1 ? 0.9 * p->m + g : g;
        p->w -= lr * (kind == OPTIMIZER_NESTEROV ? g + 0.9 * p->m : p->m);
        break;
    case OPTIMIZER_ADAGRAD:
        p->v += pow(g, 2.0);
        p->w -= lr * g / (sqrt(p->v) + 1e-10);
        break;
    case OPTIMIZER_RMSPROP:
        p->v = 0.99 * p->v + (1.0 - 0.99) * pow(g, 2.0);
        p->w -= lr * g / (sqrt(p->v) + 1e-8);
        break;
    case OPTIMIZER_ADAM:
        p->m = 0.9 * p->m + (1.0 - 0.9) * g;
        p->v = 0.999 * p->v + (1.0 - 0.999) * pow(g, 2.0);
        p->w -= lr * (p->m / (1.0 - pow(0.9, t))) / (sqrt(p->v / (1.0 - pow(0.999, t))) + 1e-8);
        break;
    case OPTIMIZER_ADAMW: // without decay; with it below
        scalar_step(p, OPTIMIZER_ADAM, g, lr, t);
        break;
    case OPTIMIZER_ADAMAX:
        p->m = 0.9 * p->m + (1.0 - 0.9) * g;
        p->v = fmax(0.999 * p->v, fabs(g) + 1e-8);
        p->w -= lr / (1.0 - pow(0.9, t)) * p->m / p->v;
        break;
    case OPTIMIZER_NADAM:
        p->m = 0.9 * p->m + (1.0 - 0.9) * g;
        p->v = 0.999 * p->v + (1.0 - 0.999) * pow(g, 2.0);
        p->w -= lr *
                (nadam_mu(t + 1) * p->m / (1.0 - nadam_product(t + 1)) +
                 (1.0 - nadam_mu(t)) * g / (1.0 - nadam_product(t))) /
                (sqrt(p->v / (1.0 - pow(0.999, t))) + 1e-8);
        break;
    case OPTIMIZER_ADADELTA: {
        p->v = 0.9 * p->v + (1.0 - 0.9) * pow(g, 2.0);
        const double delta = sqrt(p->m + 1e-6) / sqrt(p->v + 1e-6) * g;
        p->m = 0.9 * p->m + (1.0 - 0.9) * pow(delta, 2.0);
        p->w -= lr * delta;
        break;
    }
    case OPTIMIZER_LION: {
        const double c = 0.9 * p->m + (1.0 - 0.9) * g;
        p->w -= lr * (double)((c > 0.0) - (c < 0.0));
        p->m = 0.999 * p->m + (1.0 - 0.999) * g;
        break;
    }
    case OPTIMIZER_COUNT:
        break;
    }
}

enum { WEIGHTS = 67, STEPS = 100 }; // no multiple of a vector

/* Sizes from 1e-3 to 1e3, and now and then none. */
static float gradient(uint64_t *random, int i) {
    float g = test_uniform(random);
    return i % 7 == 3 && test_random(random) % 2 ? 0.0f : g * powf(10.0f, (float)(i % 7 - 3));
}

static void check_rule(enum optimizer_kind kind) {
    struct optimizer_spec spec = spec_of(kind);
    struct optim optim;
    optim_init(&optim, &spec, WEIGHTS);
    struct scalar expected[WEIGHTS] = {{0}};
    float w[WEIGHTS], g[WEIGHTS];
    double path[WEIGHTS] = {0}; // how far each has gone: rounding errors grow with it
    uint64_t random = 3;
    for (int i = 0; i < WEIGHTS; i++) {
        w[i] = test_uniform(&random);
        expected[i].w = (double)w[i];
    }
    for (int t = 1; t <= STEPS; t++) {
        const double lr = t <= STEPS / 2 ? 0.05 : 0.005;
        for (int i = 0; i < WEIGHTS; i++) {
            g[i] = gradient(&random, i);
        }
        optim_step(&optim, w, g, lr);
        for (int i = 0; i < WEIGHTS; i++) {
            const double before = expected[i].w;
            scalar_step(&expected[i], kind, (double)g[i], lr, t);
            path[i] += fabs(expected[i].w - before);
            CHECK_NEAR((double)w[i], expected[i].w, 3e-6 * (1.0 + path[i]));
        }
    }
    assert_int_equal(optim.steps, STEPS);
    optim_release(&optim);
}

static void every_rule_follows_its_definition_for_100_steps(void **state) {
    (void)state;
    for (int kind = 0; kind < OPTIMIZER_COUNT; kind++) {
        print_message("%s\n", optimizer_names[kind]);
        check_rule((enum optimizer_kind)kind);
    }
}

/* ---- what tells the rules from similar ones ---- */

static void velocity_is_scaled_by_the_rate_of_the_step_that_applies_it(void **state) {
    (void)state;
    struct optimizer_spec spec = spec_of(OPTIMIZER_MOMENTUM);
    spec.momentum = 0.5;
    struct optim optim;
    optim_init(&optim, &spec, 1);
    // With g = 1: v = 1, 1.5, 1.75, 1.875.  All numbers are exact in binary.
    static const double lr[] = {0.25, 0.25, 0.0, 1.0};
    static const double w_after[] = {-0.25, -0.625, -0.625, -2.5};
    const float g = 1.0f;
    float w = 0.0f;
    for (int t = 0; t < 4; t++) {
        optim_step(&optim, &w, &g, lr[t]);
        CHECK_NEAR((double)w, w_after[t], 0.0);
    }
    CHECK_NEAR((double)optim.state[0][0], 1.875, 0.0);
    optim_release(&optim);
}

static void first_step_of_adam_is_the_rate_whatever_the_gradient(void **state) {
    (void)state;
    // Bias correction makes m = g and s = g^2 in step 1; without it the step were 0.1 / sqrt(0.001)
    // of the rate.
    const struct optimizer_spec spec = spec_of(OPTIMIZER_ADAM);
    static const float g[] = {1e-4f, -0.3f, 20.0f, -1e4f};
    float w[4] = {0};
    struct optim optim;
    optim_init(&optim, &spec, 4);
    optim_step(&optim, w, g, 0.01);
    for (int i = 0; i < 4; i++) {
        CHECK_NEAR((double)w[i], g[i] > 0.0f ? -0.01 : 0.01, 2e-6);
    }
    optim_release(&optim);
}

static void adam_stays_finite_with_a_decay_that_rounds_to_one(void **state) {
    (void)state;
    struct optimizer_spec spec = spec_of(OPTIMIZER_ADAM);
    spec.beta2 = 1.0 - 1e-9;
    const float g = 0.5f;
    float w = 0.0f;
    struct optim optim;
    optim_init(&optim, &spec, 1);
    optim_step(&optim, &w, &g, 0.01);
    CHECK_NEAR((double)w, -0.01, 1e-5);
    optim_release(&optim);
}

static void no_gradient_moves_no_weight(void **state) {
    (void)state;
    const float g[20] = {0};
    for (int kind = 0; kind < OPTIMIZER_COUNT; kind++) {
        const struct optimizer_spec spec = spec_of((enum optimizer_kind)kind);
        struct optim optim;
        optim_init(&optim, &spec, 20);
        float w[20];
        for (int i = 0; i < 20; i++) {
            w[i] = (float)i - 8.0f;
        }
        optim_step(&optim, w, g, 0.1);
        for (int i = 0; i < 20; i++) {
            CHECK_NEAR((double)w[i], i - 8.0, 0.0);
        }
        optim_release(&optim);
    }
}

/* ---- decay and clipping ---- */

static void coupled_decay_is_a_gradient_and_decoupled_decay_a_factor(void **state) {
    (void)state;
    static const struct {
        enum optimizer_kind kind;
        double lr, w;
    } cases[] = {
        {OPTIMIZER_SGD, 0.5, 2.0 - 0.5 * (1.0 + 0.25 * 2.0)},
        {OPTIMIZER_ADAM, 0.5, 2.0 - 0.5},          // Adam's first step hides any scale
        {OPTIMIZER_ADAMW, 0.5, 2.0 * 0.875 - 0.5}, // 1 - 0.5 * 0.25
        {OPTIMIZER_LION, 0.5, 2.0 * 0.875 - 0.5},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct optimizer_spec spec = spec_of(cases[k].kind);
        spec.weight_decay = 0.25;
        const float g = 1.0f;
        float w = 2.0f;
        struct optim optim;
        optim_init(&optim, &spec, 1);
        optim_step(&optim, &w, &g, cases[k].lr);
        CHECK_NEAR((double)w, cases[k].w, 1e-6);
        optim_release(&optim);
    }
}

static void dampening_spares_the_first_gradient(void **state) {
    (void)state;
    struct optimizer_spec spec = spec_of(OPTIMIZER_MOMENTUM);
    spec.momentum = 0.5;
    spec.dampening = 0.75;
    static const double w_after[] = {-1.0, -1.75, -2.375}; // v = 1, 0.75, 0.625
    const float g = 1.0f;
    float w = 0.0f;
    struct optim optim;
    optim_init(&optim, &spec, 1);
    for (int t = 0; t < 3; t++) {
        optim_step(&optim, &w, &g, 1.0);
        CHECK_NEAR((double)w, w_after[t], 0.0);
    }
    optim_release(&optim);
}

static void clipping_by_norm_keeps_the_direction_and_by_value_does_not(void **state) {
    (void)state;
    float g[2] = {3.0f, -4.0f};
    optim_clip(g, 2, 5.0, 10.0, 0.0); // short enough
    CHECK_NEAR((double)g[0], 3.0, 0.0);
    optim_clip(g, 2, 5.0, 0.0, 3.5);
    CHECK_NEAR((double)g[0], 3.0, 0.0);
    CHECK_NEAR((double)g[1], -3.5, 0.0);
    float h[2] = {3.0f, -4.0f};
    optim_clip(h, 2, 5.0, 2.5, 1.75); // to 1.5, -2, then the second alone
    CHECK_NEAR((double)h[0], 1.5, 1e-6);
    CHECK_NEAR((double)h[1], -1.75, 0.0);
}

/* ---- state, as checkpoints see it ---- */

static void slots_have_the_names_of_pytorch(void **state) {
    (void)state;
    static const struct {
        enum optimizer_kind kind;
        int count;
        const char *names[2];
    } expected[] = {
        {OPTIMIZER_SGD, 0, {NULL}},
        {OPTIMIZER_MOMENTUM, 1, {"momentum_buffer"}},
        {OPTIMIZER_NESTEROV, 1, {"momentum_buffer"}},
        {OPTIMIZER_ADAGRAD, 1, {"sum"}},
        {OPTIMIZER_RMSPROP, 1, {"square_avg"}},
        {OPTIMIZER_ADAM, 2, {"exp_avg", "exp_avg_sq"}},
        {OPTIMIZER_ADAMW, 2, {"exp_avg", "exp_avg_sq"}},
        {OPTIMIZER_ADAMAX, 2, {"exp_avg", "exp_inf"}},
        {OPTIMIZER_NADAM, 2, {"exp_avg", "exp_avg_sq"}},
        {OPTIMIZER_ADADELTA, 2, {"square_avg", "acc_delta"}},
        {OPTIMIZER_LION, 1, {"exp_avg"}},
    };
    assert_int_equal(sizeof expected / sizeof *expected, OPTIMIZER_COUNT);
    for (int k = 0; k < OPTIMIZER_COUNT; k++) {
        assert_int_equal(optim_slot_count(expected[k].kind), expected[k].count);
        for (int slot = 0; slot < expected[k].count; slot++) {
            assert_string_equal(optim_slot_name(expected[k].kind, slot), expected[k].names[slot]);
        }
    }
}

static void run(struct optim *optim, float *w, int steps, uint64_t *random) {
    float g[WEIGHTS];
    for (int t = 0; t < steps; t++) {
        for (int i = 0; i < WEIGHTS; i++) {
            g[i] = gradient(random, i);
        }
        optim_step(optim, w, g, 0.01);
    }
}

static void slots_and_step_count_are_the_whole_state(void **state) {
    (void)state;
    for (int kind = 0; kind < OPTIMIZER_COUNT; kind++) {
        const struct optimizer_spec spec = spec_of((enum optimizer_kind)kind);
        struct optim first, second;
        optim_init(&first, &spec, WEIGHTS);
        optim_init(&second, &spec, WEIGHTS);
        float w[WEIGHTS] = {0}, v[WEIGHTS];
        uint64_t random = 9;
        run(&first, w, 10, &random);

        memcpy(v, w, sizeof v);
        second.steps = first.steps;
        for (int slot = 0; slot < optim_slot_count(spec.kind); slot++) {
            memcpy(second.state[slot], first.state[slot], WEIGHTS * sizeof(float));
        }
        uint64_t again = random;
        run(&first, w, 10, &random);
        run(&second, v, 10, &again);
        assert_memory_equal(v, w, sizeof v);
        optim_release(&first);
        optim_release(&second);
        optim_release(&second); // a second time is fine
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_gives_the_numbers_of_an_independent_script),
        cmocka_unit_test(every_rule_follows_its_definition_for_100_steps),
        cmocka_unit_test(velocity_is_scaled_by_the_rate_of_the_step_that_applies_it),
        cmocka_unit_test(first_step_of_adam_is_the_rate_whatever_the_gradient),
        cmocka_unit_test(adam_stays_finite_with_a_decay_that_rounds_to_one),
        cmocka_unit_test(no_gradient_moves_no_weight),
        cmocka_unit_test(coupled_decay_is_a_gradient_and_decoupled_decay_a_factor),
        cmocka_unit_test(dampening_spares_the_first_gradient),
        cmocka_unit_test(clipping_by_norm_keeps_the_direction_and_by_value_does_not),
        cmocka_unit_test(slots_have_the_names_of_pytorch),
        cmocka_unit_test(slots_and_step_count_are_the_whole_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
