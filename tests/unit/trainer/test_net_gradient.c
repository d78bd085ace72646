/* Gradients, in two steps: the chain rule of the double-precision reference is held against its own
 * central differences, and the network's float32 gradient against the reference.
 *
 * A central difference in double with a step of 1e-5 has an error of about h^2 + 1e-16 / h = 1e-10;
 * in float32 it would be good to 1e-3 at best.  The float32 gradient itself is good to some 1e-6 of
 * its tensor's norm. */
#include "net_testing.h"
#include "reference_net.h"

#include "base/err.h"
#include "trainer/net.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLASSES = 4,
    BATCH_MAX = 17,
    INPUT_MAX = 256,
    PARAMS_MAX = 4096,
    BUFFERS_MAX = 256,
    LAYERS_MAX = 20
};

static const double DIFFERENCE_STEP = 1e-5;
static const double REFERENCE_TOLERANCE = 1e-7; // of a tensor's norm
static const double FLOAT_TOLERANCE = 1e-5;     // of a tensor's norm

struct example {
    const char *name;
    struct shape input;
    int count;
    struct layer_spec layers[LAYERS_MAX];
};

/* What it shall come to. */
struct task {
    struct loss_spec loss;
    bool mixed; // targets of two labels
};
static const struct task plain = {.loss = {.kind = LOSS_CROSS_ENTROPY}};

/* What an example is trained on, and the network under test. */
struct bench {
    struct net *net;
    struct reference_net reference;
    double x[BATCH_MAX * INPUT_MAX];
    uint8_t labels[BATCH_MAX], others[BATCH_MAX];
    struct net_targets targets;
    double params[PARAMS_MAX], expected[PARAMS_MAX], difference[PARAMS_MAX];
    double buffers[BUFFERS_MAX], moved[BUFFERS_MAX];
};

static void make_data(struct bench *bench, const struct example *example, int n, uint64_t *random) {
    const struct shape in = example->input;
    const size_t features = (size_t)(in.C * in.H * in.W);
    const int lanes = net_lanes(n);
    assert_in_range(features, 1, INPUT_MAX);

    float *input = net_input(bench->net);
    memset(input, 0, features * (size_t)lanes * sizeof *input);
    for (int i = 0; i < n; i++) {
        bench->labels[i] = (uint8_t)(test_random(random) % CLASSES);
        bench->others[i] = (uint8_t)(test_random(random) % CLASSES);
        for (size_t f = 0; f < features; f++) {
            float value = test_uniform(random);
            input[f * (size_t)lanes + (size_t)i] = value;
            bench->x[(size_t)i * features + f] = (double)value;
        }
    }
}

/* Weights by their init; biases, slopes and buffers moved from where they start, so that all is
 * exercised. */
static void make_params(struct bench *bench, uint64_t *random) {
    net_init(bench->net, 7);
    for (int t = 0; t < net_tensor_count(bench->net); t++) {
        const struct net_tensor *tensor = net_tensor(bench->net, t);
        for (size_t i = 0; i < tensor->len && !tensor->decays; i++) {
            tensor->value[i] += 0.1f * test_uniform(random);
        }
    }
    for (size_t i = 0; i < net_param_count(bench->net); i++) {
        bench->params[i] = (double)net_params(bench->net)[i];
    }
    size_t at = 0;
    for (int t = 0; t < net_tensor_count(bench->net); t++) {
        const struct net_tensor *tensor = net_tensor(bench->net, t);
        for (size_t i = 0; i < tensor->len && tensor->is_buffer; i++) {
            assert_in_range(at, 0, BUFFERS_MAX - 1);
            bench->buffers[at++] = (double)tensor->value[i];
        }
    }
}

static struct bench *bench_new(const struct example *example, const struct task *task, int n) {
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    struct err err = {0};
    uint64_t random = 1;
    if (net_new(&bench->net, example->layers, example->count, example->input, CLASSES, &task->loss,
                n, &err) < 0) {
        fail_msg("%s: %s", example->name, err.msg);
    }
    make_data(bench, example, n, &random);
    make_params(bench, &random);
    bench->targets = (struct net_targets){
        .labels = bench->labels, .others = task->mixed ? bench->others : NULL, .share = 0.375f};
    bench->reference = (struct reference_net){.layers = example->layers,
                                              .count = example->count,
                                              .input = example->input,
                                              .classes = CLASSES,
                                              .n = n,
                                              .x = bench->x,
                                              .labels = bench->labels,
                                              .others = bench->targets.others,
                                              .share = (double)bench->targets.share,
                                              .loss = task->loss,
                                              .buffers = bench->buffers,
                                              .train = true,
                                              .seed = 11,
                                              .epoch = 3,
                                              .step = 5};
    assert_int_equal(reference_param_count(&bench->reference), net_param_count(bench->net));
    assert_in_range(net_param_count(bench->net), 1, PARAMS_MAX);
    return bench;
}

static void bench_free(struct bench *bench) {
    net_free(bench->net);
    free(bench);
}

static void central_differences(struct bench *bench) {
    const size_t count = net_param_count(bench->net);
    for (size_t i = 0; i < count; i++) {
        const double kept = bench->params[i];
        bench->params[i] = kept + DIFFERENCE_STEP;
        double above = reference_loss(&bench->reference, bench->params, NULL, NULL);
        bench->params[i] = kept - DIFFERENCE_STEP;
        double below = reference_loss(&bench->reference, bench->params, NULL, NULL);
        bench->params[i] = kept;
        bench->difference[i] = (above - below) / (2.0 * DIFFERENCE_STEP);
    }
}

static double norm(const double *v, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += v[i] * v[i];
    }
    return sqrt(sum);
}

/* Fails with names and numbers when |actual - expected| > tolerance * |expected| in a tensor.  Where
 * the reference has no gradient but its own rounding, as for a bias that batch normalization takes
 * away again, the others must have none, either. */
static void compare(const char *name, const struct net_tensor *tensor, const double *actual,
                    const double *expected, double tolerance) {
    double error = 0.0, size = norm(expected, tensor->len);
    for (size_t i = 0; i < tensor->len; i++) {
        error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    }
    error = sqrt(error);
    if (size < 1e-9) {
        size = 1.0;
    }
    if (size < 1e-3) {
        fail_msg("%s, %s: a gradient of norm %g tests nothing", name, tensor->name, size);
    }
    if (!(error <= tolerance * size)) {
        fail_msg("%s, %s: gradient off by %g of %g, allowed %g of it", name, tensor->name, error,
                 size, tolerance);
    }
}

/* Running statistics are where the reference has moved them to. */
static void check_buffers(const char *name, const struct bench *bench) {
    size_t at = 0;
    for (int t = 0; t < net_tensor_count(bench->net); t++) {
        const struct net_tensor *tensor = net_tensor(bench->net, t);
        for (size_t i = 0; i < tensor->len && tensor->is_buffer; i++, at++) {
            if (!(fabs((double)tensor->value[i] - bench->moved[at]) <= 2e-6)) {
                fail_msg("%s, %s[%zu]: %.9g, expected %.9g", name, tensor->name, i,
                         (double)tensor->value[i], bench->moved[at]);
            }
        }
    }
}

/* The reference itself is checked on the smaller batch only: that is what takes the time. */
static void check_gradients(const struct example *example, const struct task *task, int n,
                            bool differences) {
    struct bench *bench = bench_new(example, task, n);
    bench->reference.moved = bench->moved;
    double loss = reference_loss(&bench->reference, bench->params, bench->expected, NULL);
    bench->reference.moved = NULL;
    if (differences) {
        central_differences(bench);
    }
    struct net_stats stats = {0};
    net_train(bench->net, &bench->targets, n, 11, 3, 5, &stats);
    assert_int_equal(stats.samples, n);
    CHECK_NEAR(stats.loss_sum / n, loss, 3e-6 * loss);

    double actual[PARAMS_MAX];
    for (size_t i = 0; i < net_param_count(bench->net); i++) {
        actual[i] = (double)net_grads(bench->net)[i];
    }
    for (int t = 0; t < net_tensor_count(bench->net); t++) {
        const struct net_tensor *tensor = net_tensor(bench->net, t);
        if (tensor->is_buffer) {
            break; // they come last
        }
        const size_t at = (size_t)(tensor->value - net_params(bench->net));
        if (differences) {
            compare(example->name, tensor, bench->expected + at, bench->difference + at,
                    REFERENCE_TOLERANCE);
        }
        compare(example->name, tensor, actual + at, bench->expected + at, FLOAT_TOLERANCE);
    }
    check_buffers(example->name, bench);
    bench_free(bench);
}

/* Part of a vector of lanes, and one lane more than a vector. */
static void check_examples(const struct example *examples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        check_gradients(&examples[i], &plain, 5, true);
        check_gradients(&examples[i], &plain, BATCH_MAX, false);
    }
}
#define CHECK_EXAMPLES(examples) check_examples((examples), sizeof(examples) / sizeof *(examples))

static void dense_has_the_gradient_of_its_definition(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"one dense", {7, 1, 1}, 1, {DENSE(4)}},
        {"dense on dense", {7, 1, 1}, 3, {DENSE(19), DENSE(5), DENSE(4)}},
        {"flatten, dense", {2, 3, 4}, 2, {FLATTEN, DENSE(4)}},
    };
    CHECK_EXAMPLES(examples);
}

static void conv2d_has_the_gradient_of_its_definition(void **state) {
    (void)state;
    // Two convolutions each, so that the gradient of the data is exercised as well.
    static const struct example examples[] = {
        {"3x3", {2, 6, 5}, 4, {CONV2D(3, 3, 1, 0), CONV2D(2, 3, 1, 0), FLATTEN, DENSE(4)}},
        {"3x3 padded", {2, 6, 5}, 4, {CONV2D(9, 3, 1, 1), CONV2D(2, 3, 1, 1), FLATTEN, DENSE(4)}},
        {"5x5 padded", {1, 7, 7}, 4, {CONV2D(2, 5, 1, 2), CONV2D(3, 5, 1, 1), FLATTEN, DENSE(4)}},
        {"stride 2", {2, 9, 8}, 4, {CONV2D(3, 3, 2, 0), CONV2D(2, 2, 2, 0), FLATTEN, DENSE(4)}},
        {"stride 2 padded",
         {2, 9, 8},
         4,
         {CONV2D(3, 3, 1, 1), CONV2D(10, 3, 2, 1), FLATTEN, DENSE(4)}},
        {"stride 3 padded",
         {2, 9, 10},
         4,
         {CONV2D(2, 1, 1, 0), CONV2D(3, 4, 3, 2), FLATTEN, DENSE(4)}},
        {"to one pixel", {1, 4, 4}, 3, {CONV2D(3, 2, 1, 0), CONV2D(5, 3, 1, 0), DENSE(4)}},
        {"conv2d last", {1, 4, 4}, 2, {CONV2D(3, 2, 1, 0), CONV2D(4, 3, 1, 0)}},
    };
    CHECK_EXAMPLES(examples);
}

static void maxpool_has_the_gradient_of_its_definition(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"2x2", {1, 6, 8}, 4, {CONV2D(3, 3, 1, 1), MAXPOOL(2, 2), FLATTEN, DENSE(4)}},
        {"overlapping", {1, 7, 9}, 4, {CONV2D(3, 3, 1, 1), MAXPOOL(3, 2), FLATTEN, DENSE(4)}},
        {"gaps", {1, 9, 8}, 4, {CONV2D(3, 3, 1, 1), MAXPOOL(2, 3), FLATTEN, DENSE(4)}},
        {"cut edge", {1, 7, 5}, 4, {CONV2D(3, 3, 1, 1), MAXPOOL(2, 2), FLATTEN, DENSE(4)}},
    };
    CHECK_EXAMPLES(examples);
}

static void avgpool_has_the_gradient_of_its_definition(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"2x2", {1, 6, 8}, 4, {CONV2D(3, 3, 1, 1), AVGPOOL(2, 2), FLATTEN, DENSE(4)}},
        {"overlapping", {1, 7, 9}, 4, {CONV2D(3, 3, 1, 1), AVGPOOL(3, 2), FLATTEN, DENSE(4)}},
        {"gaps", {1, 9, 8}, 4, {CONV2D(3, 3, 1, 1), AVGPOOL(2, 3), FLATTEN, DENSE(4)}},
        {"whole", {1, 5, 5}, 3, {CONV2D(6, 3, 1, 1), AVGPOOL(5, 5), DENSE(4)}},
    };
    CHECK_EXAMPLES(examples);
}

/* The activation between dense layers, and between convolutions, where a channel has many values. */
static void check_activation(struct layer_spec activation) {
    const struct example examples[] = {
        {"dense", {9, 1, 1}, 3, {DENSE(12), activation, DENSE(4)}},
        {"conv2d",
         {1, 6, 5},
         5,
         {CONV2D(6, 3, 1, 1), activation, CONV2D(2, 3, 1, 0), FLATTEN, DENSE(4)}},
    };
    CHECK_EXAMPLES(examples);
}

#define ACTIVATION_TEST(function, name)                                                            \
    static void function(void **state) {                                                           \
        (void)state;                                                                               \
        check_activation((struct layer_spec)ACTIVATION(name));                                     \
    }
ACTIVATION_TEST(sigmoid_has_the_gradient_of_its_definition, SIGMOID)
ACTIVATION_TEST(tanh_has_the_gradient_of_its_definition, TANH)
ACTIVATION_TEST(relu_has_the_gradient_of_its_definition, RELU)
ACTIVATION_TEST(leaky_relu_has_the_gradient_of_its_definition, LEAKY_RELU)
ACTIVATION_TEST(elu_has_the_gradient_of_its_definition, ELU)
ACTIVATION_TEST(prelu_has_the_gradient_of_its_definition, PRELU)
ACTIVATION_TEST(maxout_has_the_gradient_of_its_definition, MAXOUT)
ACTIVATION_TEST(gelu_has_the_gradient_of_its_definition, GELU)
ACTIVATION_TEST(silu_has_the_gradient_of_its_definition, SILU)
ACTIVATION_TEST(selu_has_the_gradient_of_its_definition, SELU)
ACTIVATION_TEST(mish_has_the_gradient_of_its_definition, MISH)
ACTIVATION_TEST(softplus_has_the_gradient_of_its_definition, SOFTPLUS)
ACTIVATION_TEST(hardswish_has_the_gradient_of_its_definition, HARDSWISH)
ACTIVATION_TEST(relu6_has_the_gradient_of_its_definition, RELU6)

static void prelu_learns_also_as_the_first_layer(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"prelu first", {3, 3, 2}, 3, {ACTIVATION(PRELU), FLATTEN, DENSE(4)}},
        {"maxout first", {6, 3, 2}, 3, {ACTIVATION(MAXOUT), FLATTEN, DENSE(4)}},
    };
    CHECK_EXAMPLES(examples);
}

static void dropout_has_the_gradient_of_its_mask(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"after dense", {9, 1, 1}, 4, {DENSE(40), ACTIVATION(TANH), DROPOUT(0.25f), DENSE(4)}},
        {"twice",
         {9, 1, 1},
         6,
         {DROPOUT(0.2f), DENSE(20), ACTIVATION(TANH), DROPOUT(0.5f), DROPOUT(0.5f), DENSE(4)}},
        {"of nothing", {9, 1, 1}, 3, {DENSE(20), DROPOUT(0.0f), DENSE(4)}},
        {"on channels", {1, 5, 5}, 4, {CONV2D(3, 3, 1, 0), DROPOUT(0.3f), FLATTEN, DENSE(4)}},
    };
    CHECK_EXAMPLES(examples);
}

static void globalavgpool_has_the_gradient_of_its_definition(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"behind conv2d", {2, 6, 5}, 3, {CONV2D(7, 3, 1, 1), GLOBALAVGPOOL, DENSE(4)}},
        {"of more than 64 pixels", {1, 9, 9}, 3, {CONV2D(3, 3, 1, 1), GLOBALAVGPOOL, DENSE(4)}},
        {"of one pixel", {5, 1, 1}, 3, {DENSE(6), GLOBALAVGPOOL, DENSE(4)}},
        {"last", {1, 5, 5}, 2, {CONV2D(4, 3, 1, 1), GLOBALAVGPOOL}},
    };
    CHECK_EXAMPLES(examples);
}

static void batch_norm_has_the_gradient_of_its_definition(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"behind dense",
         {9, 1, 1},
         4,
         {DENSE(12), BATCH_NORM(1e-5, 0.1), ACTIVATION(TANH), DENSE(4)}},
        {"behind conv2d",
         {2, 6, 5},
         5,
         {CONV2D(5, 3, 1, 1), BATCH_NORM(1e-5, 0.25), ACTIVATION(ELU), FLATTEN, DENSE(4)}},
        {"first", {3, 4, 3}, 3, {BATCH_NORM(0.01, 0.5), FLATTEN, DENSE(4)}},
        {"last", {9, 1, 1}, 2, {DENSE(4), BATCH_NORM(1e-3, 1.0)}},
        {"twice, with a large eps",
         {9, 1, 1},
         4,
         {DENSE(6), BATCH_NORM(0.5, 0.0), BATCH_NORM(2.0, 0.1), DENSE(4)}},
        {"before maxout",
         {1, 6, 5},
         5,
         {CONV2D(6, 3, 1, 1), BATCH_NORM(1e-5, 0.1), ACTIVATION(MAXOUT), FLATTEN, DENSE(4)}},
    };
    CHECK_EXAMPLES(examples);
}

static void residual_blocks_have_the_gradient_of_their_definition(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"identity",
         {9, 1, 1},
         7,
         {DENSE(6), RESIDUAL, DENSE(6), ACTIVATION(TANH), SHORTCUT, JOIN, DENSE(4)}},
        {"projection",
         {2, 6, 5},
         9,
         {CONV2D(3, 3, 1, 1), RESIDUAL, CONV2D(5, 3, 2, 1), ACTIVATION(ELU), SHORTCUT,
          CONV2D(5, 1, 2, 0), JOIN, GLOBALAVGPOOL, DENSE(4)}},
        {"longer ways",
         {2, 6, 5},
         16,
         {CONV2D(3, 3, 1, 1), RESIDUAL, CONV2D(5, 3, 2, 1), BATCH_NORM(1e-5, 0.1), ACTIVATION(TANH),
          CONV2D(4, 3, 1, 1), BATCH_NORM(1e-5, 0.1), SHORTCUT, CONV2D(4, 1, 2, 0),
          BATCH_NORM(1e-5, 0.1), ACTIVATION(ELU), JOIN, ACTIVATION(TANH), FLATTEN, DROPOUT(0.25f),
          DENSE(4)}},
        {"two in a row",
         {9, 1, 1},
         11,
         {DENSE(6), RESIDUAL, DENSE(6), SHORTCUT, JOIN, RESIDUAL, DENSE(8), SHORTCUT, DENSE(8),
          JOIN, DENSE(4)}},
        {"first, identity",
         {4, 4, 3},
         6,
         {RESIDUAL, CONV2D(4, 3, 1, 1), SHORTCUT, JOIN, FLATTEN, DENSE(4)}},
        {"first, projection",
         {2, 4, 3},
         7,
         {RESIDUAL, CONV2D(4, 3, 1, 1), SHORTCUT, CONV2D(4, 1, 1, 0), JOIN, FLATTEN, DENSE(4)}},
        {"learns in its shortcut alone",
         {6, 1, 1},
         6,
         {RESIDUAL, ACTIVATION(TANH), SHORTCUT, DENSE(6), JOIN, DENSE(4)}},
        {"learns in its shortcut alone, on a layer that learns",
         {6, 1, 1},
         7,
         {DENSE(5), RESIDUAL, ACTIVATION(TANH), SHORTCUT, DENSE(5), JOIN, DENSE(4)}},
        {"shortcut without parameters",
         {1, 6, 6},
         8,
         {CONV2D(3, 3, 1, 1), RESIDUAL, CONV2D(3, 3, 2, 1), SHORTCUT, MAXPOOL(2, 2), JOIN, FLATTEN,
          DENSE(4)}},
        {"ends in what hands its input on",
         {9, 1, 1},
         7,
         {DENSE(6), RESIDUAL, DENSE(6), FLATTEN, SHORTCUT, JOIN, DENSE(4)}},
        {"last", {9, 1, 1}, 5, {DENSE(4), RESIDUAL, DENSE(4), SHORTCUT, JOIN}},
    };
    CHECK_EXAMPLES(examples);
}

static void losses_have_the_gradient_of_their_definition(void **state) {
    (void)state;
    static const struct example example = {
        "losses", {9, 1, 1}, 3, {DENSE(12), ACTIVATION(TANH), DENSE(4)}};
    static const struct task tasks[] = {
        {{LOSS_CROSS_ENTROPY, 0.125}, false},
        {{LOSS_CROSS_ENTROPY, 0.0}, true},
        {{LOSS_CROSS_ENTROPY, 0.5}, true},
        {{LOSS_MSE, 0.0}, false},
        {{LOSS_MSE, 0.0}, true},
    };
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        check_gradients(&example, &tasks[i], 5, true);
        check_gradients(&example, &tasks[i], BATCH_MAX, false);
    }
}

static void whole_network_has_the_gradient_of_its_definition(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"small lenet",
         {1, 12, 12},
         10,
         {CONV2D(3, 5, 1, 2), ACTIVATION(TANH), AVGPOOL(2, 2), CONV2D(5, 3, 1, 0), ACTIVATION(ELU),
          MAXPOOL(2, 2), FLATTEN, DENSE(15), ACTIVATION(SIGMOID), DENSE(4)}},
        {"small vgg",
         {1, 8, 8},
         13,
         {CONV2D(3, 3, 1, 1), BATCH_NORM(1e-5, 0.1), ACTIVATION(RELU), CONV2D(4, 3, 1, 1),
          BATCH_NORM(1e-5, 0.1), ACTIVATION(RELU), MAXPOOL(2, 2), FLATTEN, DENSE(12),
          BATCH_NORM(1e-5, 0.1), ACTIVATION(RELU), DROPOUT(0.25f), DENSE(4)}},
    };
    CHECK_EXAMPLES(examples);
}

static void evaluation_is_without_dropout(void **state) {
    (void)state;
    static const struct example example = {
        "dropout", {9, 1, 1}, 4, {DENSE(40), ACTIVATION(TANH), DROPOUT(0.5f), DENSE(4)}};
    struct bench *bench = bench_new(&example, &plain, 6);
    double logits[6 * CLASSES];
    double trained = reference_loss(&bench->reference, bench->params, NULL, NULL);
    bench->reference.train = false;
    double loss = reference_loss(&bench->reference, bench->params, NULL, logits);
    assert_true(fabs(trained - loss) > 1e-3); // the two do differ

    struct net_stats stats = {0};
    net_eval(bench->net, LABELS(bench->labels), 6, &stats);
    CHECK_NEAR(stats.loss_sum / 6, loss, 3e-6 * loss);
    for (int n = 0; n < 6; n++) {
        for (int c = 0; c < CLASSES; c++) {
            CHECK_NEAR((double)net_output(bench->net)[c * net_lanes(6) + n],
                       logits[n * CLASSES + c], 1e-5);
        }
    }
    bench_free(bench);
}

static void l2_adds_twice_the_weights_but_not_the_biases(void **state) {
    (void)state;
    static const struct example example = {
        "l2", {1, 5, 5}, 4, {CONV2D(3, 3, 1, 0), ACTIVATION(PRELU), FLATTEN, DENSE(4)}};
    struct bench *bench = bench_new(&example, &plain, 4);
    struct net_stats stats = {0};
    net_train(bench->net, LABELS(bench->labels), 4, 1, 1, 1, &stats);
    float before[PARAMS_MAX];
    memcpy(before, net_grads(bench->net), net_param_count(bench->net) * sizeof *before);
    net_add_l2(bench->net, 0.05);

    // conv2d weight and bias, slopes, dense weight and bias
    static const double factor[] = {0.1, 0.0, 0.0, 0.1, 0.0};
    assert_int_equal(net_tensor_count(bench->net), 5);
    for (int t = 0; t < 5; t++) {
        const struct net_tensor *tensor = net_tensor(bench->net, t);
        const float *was = before + (tensor->value - net_params(bench->net));
        for (size_t i = 0; i < tensor->len; i++) {
            CHECK_NEAR((double)tensor->grad[i],
                       (double)was[i] + factor[t] * (double)tensor->value[i], 1e-7);
        }
    }
    bench_free(bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_has_the_gradient_of_its_definition),
        cmocka_unit_test(conv2d_has_the_gradient_of_its_definition),
        cmocka_unit_test(maxpool_has_the_gradient_of_its_definition),
        cmocka_unit_test(avgpool_has_the_gradient_of_its_definition),
        cmocka_unit_test(sigmoid_has_the_gradient_of_its_definition),
        cmocka_unit_test(tanh_has_the_gradient_of_its_definition),
        cmocka_unit_test(relu_has_the_gradient_of_its_definition),
        cmocka_unit_test(leaky_relu_has_the_gradient_of_its_definition),
        cmocka_unit_test(elu_has_the_gradient_of_its_definition),
        cmocka_unit_test(prelu_has_the_gradient_of_its_definition),
        cmocka_unit_test(maxout_has_the_gradient_of_its_definition),
        cmocka_unit_test(gelu_has_the_gradient_of_its_definition),
        cmocka_unit_test(silu_has_the_gradient_of_its_definition),
        cmocka_unit_test(selu_has_the_gradient_of_its_definition),
        cmocka_unit_test(mish_has_the_gradient_of_its_definition),
        cmocka_unit_test(softplus_has_the_gradient_of_its_definition),
        cmocka_unit_test(hardswish_has_the_gradient_of_its_definition),
        cmocka_unit_test(relu6_has_the_gradient_of_its_definition),
        cmocka_unit_test(prelu_learns_also_as_the_first_layer),
        cmocka_unit_test(dropout_has_the_gradient_of_its_mask),
        cmocka_unit_test(globalavgpool_has_the_gradient_of_its_definition),
        cmocka_unit_test(batch_norm_has_the_gradient_of_its_definition),
        cmocka_unit_test(residual_blocks_have_the_gradient_of_their_definition),
        cmocka_unit_test(losses_have_the_gradient_of_their_definition),
        cmocka_unit_test(whole_network_has_the_gradient_of_its_definition),
        cmocka_unit_test(evaluation_is_without_dropout),
        cmocka_unit_test(l2_adds_twice_the_weights_but_not_the_biases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
