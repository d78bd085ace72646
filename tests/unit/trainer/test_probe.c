/* Networks right after initialization, against what theory says of them.
 *
 * Let q be the mean square of a layer's outputs.  With independent weights of variance v the next layer's
 * inputs are normal with variance s = fan_in v q, and then q' = E f(sqrt(s) z)^2 for a normal z: for relu
 * s / 2 (He et al. 2015), for tanh an integral (Glorot, Bengio 2010; Poole et al. 2016).  Networks of 500 units
 * follow it within a few percent, relu, whose fluctuations add up over the layers, within more. */
#include "trainer/probe.h"

#include "base/err.h"
#include "base/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { DEPTH = 10, WIDTH = 500 };

static void fail_on_complaint(void *context, const struct config_complaint *complaint) {
    (void)context;
    fail_msg("%s: %s", complaint->path, complaint->message);
}

static void take(struct probe *probe, const char *text, int samples) {
    struct json_doc *doc = NULL;
    struct err err;
    struct config config;
    assert_int_equal(json_parse(&doc, "test", text, strlen(text), JSON_STRICT, &err), ERR_OK);
    assert_int_equal(config_parse(&config, json_root(doc), fail_on_complaint, NULL), ERR_OK);
    const struct probe_options options = {.samples = samples, .unit_normal = true, .no_data = true};
    if (probe_take(probe, &config, &options, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(probe->samples, samples);
    config_release(&config);
    json_free(doc);
}

/* Of the l-th of the dense layers or of the activations behind them, l from 0. */
static const struct look_layer *dense(const struct probe *probe, int l) {
    return &probe->look.layers[2 * l];
}
static const struct look_layer *active(const struct probe *probe, int l) {
    return &probe->look.layers[2 * l + 1];
}

static double mean_square(const struct look_spread *s) {
    return s->mean * s->mean + s->std * s->std;
}

static void check_near(const char *what, int layer, double actual, double expected, double share) {
    if (!(fabs(actual - expected) <= share * expected)) {
        fail_msg("%s of layer %d is %g, expected %g within %g%%", what, layer + 1, actual, expected,
                 100 * share);
    }
}

/* E tanh(sqrt(s) z)^2, by the trapezoidal rule, which is exact to many digits for such integrals. */
static double tanh_square(double s) {
    double sum = 0, step = 1.0 / 1024;
    for (int i = -10 * 1024; i <= 10 * 1024; i++) {
        double z = i * step;
        sum += pow(tanh(sqrt(s) * z), 2) * exp(-z * z / 2);
    }
    return sum * step / sqrt(2 * acos(-1.0));
}

/* `gain`: fan_in times the variance of a weight. */
static void check_tanh(const struct probe *probe, double gain) {
    assert_int_equal(probe->look.count, 2 * DEPTH + 1);
    double q = 1; // of the samples
    for (int l = 0; l < DEPTH; l++) {
        double s = gain * q;
        q = tanh_square(s);
        check_near("the std", l, dense(probe, l)->output.std, sqrt(s), 0.05);
        check_near("the root mean square behind tanh", l,
                   sqrt(mean_square(&active(probe, l)->output)), sqrt(q), 0.05);
        assert_true(dense(probe, l)->dead == 0 && active(probe, l)->dead == 0);
    }
}

static void small_normal_weights_make_tanh_collapse(void **state) { // I3
    (void)state;
    struct probe probe = {0};
    take(&probe,
         "{\"model\": \"deep10\", \"activation\": \"tanh\","
         " \"init\": {\"name\": \"normal\", \"std\": 0.02}}",
         PROBE_SAMPLES);
    check_tanh(&probe, WIDTH * 0.02 * 0.02);
    const struct look_layer *top = active(&probe, DEPTH - 1), *bottom = active(&probe, 0);
    assert_true(top->output.std < pow(sqrt(WIDTH) * 0.02, DEPTH)); // |tanh x| <= |x|
    assert_true(top->output.max < 0.01 && top->output.min > -0.01);
    // and the gradient is gone as it comes down: each layer multiplies it by at most 0.447
    double ratio = bottom->gradient.std / top->gradient.std;
    assert_true(ratio < 1.1 * pow(sqrt(WIDTH) * 0.02, DEPTH - 1));
    probe_release(&probe);
}

static void unit_normal_weights_saturate_tanh(void **state) { // I4
    (void)state;
    struct probe probe = {0};
    take(&probe,
         "{\"model\": \"deep10\", \"activation\": \"tanh\","
         " \"init\": {\"name\": \"normal\", \"std\": 1}}",
         PROBE_SAMPLES);
    check_tanh(&probe, WIDTH);
    for (int l = 0; l < DEPTH; l++) {
        // inputs with a std of 22: within 2.178, where tanh is not flat, are erf(2.178 / 22 / sqrt 2)
        double s = WIDTH * (l == 0 ? 1 : mean_square(&active(&probe, l - 1)->output));
        check_near("what is saturated", l, active(&probe, l)->saturated,
                   1 - erf(2.178272 / sqrt(2 * s)), 0.02);
        assert_true(active(&probe, l)->saturated > 0.9);
        const int64_t *bins = active(&probe, l)->output.bins; // piled on the ends
        assert_true(bins[0] > 20 * bins[LOOK_BINS / 2] &&
                    bins[LOOK_BINS - 1] > 20 * bins[LOOK_BINS / 2]);
    }
    probe_release(&probe);
}

static void xavier_weights_keep_the_spread_of_tanh(void **state) { // I5
    (void)state;
    struct probe probe = {0};
    take(&probe, "{\"model\": \"deep10\", \"activation\": \"tanh\", \"init\": \"xavier_normal\"}",
         PROBE_SAMPLES);
    check_tanh(&probe, 1);
    for (int l = 0; l < DEPTH; l++) {
        assert_true(active(&probe, l)->output.std > 0.2);
        assert_true(active(&probe, l)->saturated < 0.05);
    }
    // the gradient neither vanishes nor explodes on its way
    double ratio = active(&probe, 0)->gradient.std / active(&probe, DEPTH - 1)->gradient.std;
    assert_true(ratio > 0.1 && ratio < 10);
    probe_release(&probe);
}

/* The std of every dense layer by that of the first, which is exact; `keeps`: the share of the mean square that
 * is left by a layer. */
static void check_relu(const char *init, double keeps) {
    struct probe probe = {0};
    char text[128];
    (void)snprintf(text, sizeof text,
                   "{\"model\": \"deep10\", \"activation\": \"relu\", \"init\": \"%s\"}", init);
    take(&probe, text, PROBE_SAMPLES);
    check_near("the std", 0, dense(&probe, 0)->output.std, sqrt(2 * keeps), 0.05);
    for (int l = 0; l < DEPTH; l++) {
        double expected = dense(&probe, 0)->output.std * pow(keeps, l / 2.0);
        check_near("the std", l, sqrt(mean_square(&dense(&probe, l)->output)), expected, 0.3);
        // half of the inputs are below 0, and half of their square is lost
        check_near("what is saturated", l, active(&probe, l)->saturated, 0.5, 0.1);
        check_near("the mean square behind relu", l, mean_square(&active(&probe, l)->output),
                   mean_square(&dense(&probe, l)->output) / 2, 0.2);
    }
    probe_release(&probe);
}

static void xavier_weights_make_relu_shrink_by_half_a_layer(void **state) { // I6
    (void)state;
    check_relu("xavier_normal", 0.5);
    check_relu("xavier_uniform", 0.5);
}

static void he_weights_keep_the_spread_of_relu(void **state) { // I7
    (void)state;
    check_relu("he_normal", 1);
    check_relu("he_uniform", 1);
}

static void zeros_are_dead_and_have_no_gradient(void **state) { // I1
    (void)state;
    struct probe probe = {0};
    take(&probe, "{\"model\": \"deep10\", \"activation\": \"tanh\", \"init\": \"zeros\"}", 100);
    for (int l = 0; l < DEPTH; l++) {
        assert_true(dense(&probe, l)->dead == 1 && active(&probe, l)->dead == 1);
        assert_true(dense(&probe, l)->gradient.std == 0 && dense(&probe, l)->gradient.mean == 0);
    }
    assert_true(dense(&probe, DEPTH)->gradient.std > 0); // of the logits: there is a loss
    probe_release(&probe);
}

static void the_samples_are_unit_normal_and_of_the_seed(void **state) {
    (void)state;
    struct probe a = {0}, b = {0}, c = {0};
    // one unit with the sum of 500 numbers
    static const char text[] =
        "{\"model\": {\"layers\": [{\"type\": \"dense\", \"units\": 10, \"init\": "
        "{\"name\": \"constant\", \"value\": 1}}]}}";
    take(&a, text, 4000);
    take(&b, text, 4000);
    take(&c,
         "{\"seed\": 2, \"model\": {\"layers\": [{\"type\": \"dense\", \"units\": 10, \"init\": "
         "{\"name\": \"constant\", \"value\": 1}}]}}",
         4000);
    const struct look_spread *sums = &a.look.layers[0].output;
    assert_true(fabs(sums->mean) < 4 * sqrt(WIDTH / 4000.0));
    check_near("the std of sums", 0, sums->std, sqrt(WIDTH), 4 / sqrt(2 * 4000.0));
    assert_memory_equal(sums, &b.look.layers[0].output, sizeof *sums);
    assert_true(c.look.layers[0].output.mean != sums->mean);
    probe_release(&a);
    probe_release(&b);
    probe_release(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_normal_weights_make_tanh_collapse),
        cmocka_unit_test(unit_normal_weights_saturate_tanh),
        cmocka_unit_test(xavier_weights_keep_the_spread_of_tanh),
        cmocka_unit_test(xavier_weights_make_relu_shrink_by_half_a_layer),
        cmocka_unit_test(he_weights_keep_the_spread_of_relu),
        cmocka_unit_test(zeros_are_dead_and_have_no_gradient),
        cmocka_unit_test(the_samples_are_unit_normal_and_of_the_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
