/* Gains of activations against PyTorch's table, closed forms and figures of another quadrature; and which
 * activation a layer's gain is of. */
#include "net_testing.h"

#include "base/err.h"
#include "base/json.h"
#include "trainer/config.h"
#include "trainer/gain.h"

#include <stdlib.h>
#include <string.h>

static void gains_are_those_of_pytorch_where_it_has_them(void **state) {
    (void)state;
    static const struct {
        struct activation_spec spec;
        double gain; // torch.nn.init.calculate_gain(...) of PyTorch 1.13
    } cases[] = {
        {{.kind = ACTIVATION_SIGMOID}, 1.0},
        {{.kind = ACTIVATION_TANH}, 1.6666666666666667},
        {{.kind = ACTIVATION_RELU}, 1.4142135623730951},
        {{.kind = ACTIVATION_LEAKY_RELU, .negative_slope = 0.0f}, 1.4142135623730951},
        {{.kind = ACTIVATION_LEAKY_RELU, .negative_slope = 0.5f}, 1.2649110640673518},
        {{.kind = ACTIVATION_PRELU, .init = 0.25f}, 1.3719886811400708},
        {{.kind = ACTIVATION_SELU}, 0.75},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_NEAR(gain_of(&cases[i].spec), cases[i].gain, 1e-15);
    }
}

/* elu: 1/2 + alpha^2 (e^2 F(-2) - 2 e^(1/2) F(-1) + 1/2), gelu: 1/3 + 1/(2 pi sqrt 3), maxout of 2: 1, of 3:
 * 1 + sqrt(3)/(2 pi) are E f^2 in closed form, F the normal distribution function.  The others are by
 * Gauss and Legendre's rule of 200 points on each piece. */
static void others_keep_the_second_moment_of_a_normal_input(void **state) {
    (void)state;
    static const struct {
        struct activation_spec spec;
        double gain;
    } cases[] = {
        {{.kind = ACTIVATION_ELU, .alpha = 1.0f}, 1.2451983007007066},
        {{.kind = ACTIVATION_ELU, .alpha = 0.5f}, 1.3655948588382179},
        {{.kind = ACTIVATION_ELU, .alpha = 0.0f}, 1.4142135623730951}, // relu
        {{.kind = ACTIVATION_GELU}, 1.5335304411955353},
        {{.kind = ACTIVATION_MAXOUT, .pieces = 2}, 1.0},
        {{.kind = ACTIVATION_MAXOUT, .pieces = 3}, 0.8853842130347279},
        {{.kind = ACTIVATION_MAXOUT, .pieces = 5}, 0.745351761405},
        {{.kind = ACTIVATION_SILU}, 1.676532470331},
        {{.kind = ACTIVATION_MISH}, 1.486847581273},
        {{.kind = ACTIVATION_SOFTPLUS}, 1.041866835535},
        {{.kind = ACTIVATION_HARDSWISH}, 1.736657212767},
        {{.kind = ACTIVATION_RELU6}, 1.414213565095},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message("%s\n", activation_names[cases[i].spec.kind]);
        CHECK_NEAR(gain_of(&cases[i].spec), cases[i].gain, 1e-11);
    }
}

static void fail_on_complaint(void *context, const struct config_complaint *complaint) {
    (void)context;
    fail_msg("%s: %s", complaint->path, complaint->message);
}

/* The gains of the dense and conv2d layers of a config, in order; how many. */
static int gains_of(const char *text, double gains[8]) {
    struct json_doc *doc = NULL;
    struct err err;
    struct config config;
    if (json_parse(&doc, "test", text, strlen(text), JSON_STRICT, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(config_parse(&config, json_root(doc), fail_on_complaint, NULL), ERR_OK);
    struct layer_spec *layers = NULL;
    int count = 0, found = 0;
    config_layers(&config, 10, &layers, &count);
    for (int i = 0; i < count; i++) {
        if (layers[i].kind == LAYER_DENSE || layers[i].kind == LAYER_CONV2D) {
            assert_true(found < 8);
            gains[found++] = layers[i].init.gain;
        }
    }
    free(layers);
    config_release(&config);
    json_free(doc);
    return found;
}

static void auto_is_the_gain_of_the_activation_behind_each_layer(void **state) {
    (void)state;
    double gains[8];
    static const char list[] =
        "{\"init\": {\"name\": \"xavier_normal\", \"gain\": \"auto\"}, \"activation\": \"tanh\","
        " \"model\": {\"layers\": ["
        "{\"type\": \"conv2d\", \"channels\": 4, \"kernel\": 3}, {\"type\": \"maxpool\", "
        "\"kernel\": 2}, {\"type\": \"activation\", \"name\": \"selu\"}," // behind a pool
        "\"flatten\","
        "{\"type\": \"dense\", \"units\": 20, \"activation\": {\"name\": \"leaky_relu\", "
        "\"negative_slope\": 0.5}},"
        "{\"type\": \"dense\", \"units\": 20}," // the activation is the next layer's
        "{\"type\": \"dense\", \"units\": 20, \"init\": {\"name\": \"he_normal\"}}, \"activation\","
        "{\"type\": \"dense\", \"units\": 20, \"init\": {\"name\": \"orthogonal\", \"gain\": 3}}, "
        "\"activation\","
        "{\"type\": \"dense\", \"units\": 20}, \"dropout\", \"activation\","
        "{\"type\": \"dense\", \"units\": 10}]}}";
    assert_int_equal(gains_of(list, gains), 7);
    CHECK_NEAR(gains[0], 0.75, 1e-15);
    CHECK_NEAR(gains[1], 1.2649110640673518, 1e-15);
    CHECK_NEAR(gains[2], 1.0, 0.0);
    CHECK_NEAR(gains[3], 1.4142135623730951, 1e-15); // its own init's default
    CHECK_NEAR(gains[4], 3.0, 0.0);                  // a number is left alone
    CHECK_NEAR(gains[5], 5.0 / 3.0, 1e-15);
    CHECK_NEAR(gains[6], 1.0, 0.0);
}

static void auto_in_a_named_model(void **state) {
    (void)state;
    double gains[8];
    assert_int_equal(gains_of("{\"init\": {\"name\": \"he_uniform\", \"gain\": \"auto\"},"
                              " \"activation\": \"sigmoid\"}",
                              gains),
                     5); // lenet5
    for (int i = 0; i < 5; i++) {
        CHECK_NEAR(gains[i], 1.0, 0.0);
    }
    assert_int_equal(gains_of("{\"init\": {\"name\": \"orthogonal\", \"gain\": \"auto\"},"
                              " \"activation\": {\"name\": \"maxout\", \"pieces\": 3}}",
                              gains),
                     5);
    CHECK_NEAR(gains[3], 0.8853842130347279, 1e-11);
    CHECK_NEAR(gains[4], 1.0, 0.0); // the logits
}

static void auto_in_residual_blocks(void **state) {
    (void)state;
    static const char list[] =
        "{\"init\": {\"name\": \"he_normal\", \"gain\": \"auto\"}, \"model\": {\"layers\": ["
        "{\"type\": \"conv2d\", \"channels\": 4, \"kernel\": 3}, \"batch_norm\","
        "{\"type\": \"activation\", \"name\": \"selu\"},"
        "{\"type\": \"residual\", \"layers\": ["
        "{\"type\": \"conv2d\", \"channels\": 4, \"kernel\": 3, \"padding\": 1, \"activation\": "
        "\"tanh\"}, {\"type\": \"conv2d\", \"channels\": 4, \"kernel\": 3, \"padding\": 1}],"
        "\"shortcut\": [{\"type\": \"conv2d\", \"channels\": 4, \"kernel\": 1}]},"
        "{\"type\": \"activation\", \"name\": \"relu\"}, \"flatten\","
        "{\"type\": \"dense\", \"units\": 10}]}}";
    double gains[8];
    assert_int_equal(gains_of(list, gains), 5);
    CHECK_NEAR(gains[0], 0.75, 0.0); // behind batch normalization
    CHECK_NEAR(gains[1], 5.0 / 3.0, 1e-15);
    CHECK_NEAR(gains[2], 1.4142135623730951, 1e-15); // the end of the body: behind the block
    CHECK_NEAR(gains[3], 1.4142135623730951, 1e-15); // that of the shortcut
    CHECK_NEAR(gains[4], 1.0, 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gains_are_those_of_pytorch_where_it_has_them),
        cmocka_unit_test(others_keep_the_second_moment_of_a_normal_input),
        cmocka_unit_test(auto_is_the_gain_of_the_activation_behind_each_layer),
        cmocka_unit_test(auto_in_a_named_model),
        cmocka_unit_test(auto_in_residual_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
