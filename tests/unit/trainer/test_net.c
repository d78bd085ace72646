#include "net_testing.h"

#include "base/err.h"
#include "trainer/net.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 4, BATCH_MAX = 17 };

static const struct shape INPUT = {1, 8, 8};
enum { FEATURES = 8 * 8 };

/* One of everything that is not in BLOCKS. */
static const struct layer_spec LAYERS[] = {
    CONV2D(4, 3, 1, 1), ACTIVATION(PRELU), MAXPOOL(2, 2), CONV2D(6, 3, 1, 0),
    ACTIVATION(MAXOUT), AVGPOOL(2, 1),     FLATTEN,       DROPOUT(0.25f),
    DENSE(20),          ACTIVATION(TANH),  DROPOUT(0.5f), DENSE(CLASSES),
};
enum { LAYER_TOTAL = sizeof LAYERS / sizeof *LAYERS };

/* Batch normalization, and residual blocks with and without layers in the shortcut. */
static const struct layer_spec BLOCKS[] = {
    CONV2D(4, 3, 1, 1),
    BATCH_NORM(1e-5, 0.1),
    ACTIVATION(RELU),
    RESIDUAL,
    CONV2D(4, 3, 1, 1),
    BATCH_NORM(1e-5, 0.1),
    SHORTCUT,
    JOIN,
    RESIDUAL,
    CONV2D(6, 3, 2, 1),
    ACTIVATION(PRELU),
    SHORTCUT,
    CONV2D(6, 1, 2, 0),
    BATCH_NORM(1e-5, 0.1),
    JOIN,
    GLOBALAVGPOOL,
    DENSE(5),
    BATCH_NORM(1e-5, 0.1),
    DENSE(CLASSES),
};
enum { BLOCKS_TOTAL = sizeof BLOCKS / sizeof *BLOCKS };

static struct net *make(const struct layer_spec *layers, int count, struct shape input) {
    struct net *net = NULL;
    struct err err = {0};
    if (net_new(&net, layers, count, input, CLASSES, NULL, BATCH_MAX, &err) < 0) {
        fail_msg("%s", err.msg);
    }
    net_init(net, 3);
    return net;
}

/* Puts `n` samples of number `set` into the net, and `filler` into the columns past them. */
static void load(struct net *net, uint8_t *labels, int n, uint64_t set, float filler) {
    const int lanes = net_lanes(n);
    float *x = net_input(net);
    for (int i = 0; i < lanes; i++) {
        uint64_t random = set * 1000 + (uint64_t)i; // sample i is the same in batches of any size
        for (int f = 0; f < FEATURES; f++) {
            x[f * lanes + i] = i < n ? test_uniform(&random) : filler * test_uniform(&random);
        }
        if (i < n) {
            labels[i] = (uint8_t)(test_random(&random) % CLASSES);
        }
    }
}

/* What a training step leaves behind; gradients are owned. */
struct outcome {
    float *grads;
    struct net_stats stats;
};

static struct outcome step(struct net *net, int n, uint64_t set, float filler) {
    struct outcome outcome = {0};
    uint8_t labels[BATCH_MAX];
    load(net, labels, n, set, filler);
    net_train(net, LABELS(labels), n, 9, 2, 4, &outcome.stats);
    const size_t bytes = net_param_count(net) * sizeof(float);
    outcome.grads = malloc(bytes);
    assert_non_null(outcome.grads);
    memcpy(outcome.grads, net_grads(net), bytes);
    return outcome;
}

/* Bit for bit, and not for want of a gradient.  Frees both. */
static void check_same(const struct net *net, struct outcome a, struct outcome b) {
    double sum = 0.0;
    for (size_t i = 0; i < net_param_count(net); i++) {
        sum += fabs((double)a.grads[i]);
    }
    assert_true(isfinite(sum) && sum > 0.1);
    assert_memory_equal(a.grads, b.grads, net_param_count(net) * sizeof(float));
    assert_memory_equal(&a.stats.loss_sum, &b.stats.loss_sum, sizeof(double));
    assert_int_equal(a.stats.correct, b.stats.correct);
    assert_int_equal(a.stats.samples, b.stats.samples);
    free(a.grads);
    free(b.grads);
}

/* ---- a step is a function of its arguments ---- */

static void check_same_step(const struct layer_spec *layers, int count) {
    struct net *first = make(layers, count, INPUT);
    struct net *second = make(layers, count, INPUT);
    for (int n = 1; n <= BATCH_MAX; n += 4) {
        check_same(first, step(first, n, 1, 0.0f), step(first, n, 1, 0.0f));
        check_same(first, step(first, n, 1, 0.0f), step(second, n, 1, 0.0f));
    }
    net_free(first);
    net_free(second);
}

static void same_step_gives_the_same_bits(void **state) {
    (void)state;
    check_same_step(LAYERS, LAYER_TOTAL);
    check_same_step(BLOCKS, BLOCKS_TOTAL);
}

static void check_batches_before(const struct layer_spec *layers, int count) {
    struct net *used = make(layers, count, INPUT);
    static const int before[] = {BATCH_MAX, 16, 3, 1};
    for (int i = 0; i < 4; i++) {
        struct net *fresh = make(layers, count, INPUT);
        struct net_stats stats = {0};
        uint8_t labels[BATCH_MAX];
        free(step(used, before[i], 77, 0.0f).grads);
        load(used, labels, before[i], 78, 0.0f);
        net_eval(used, LABELS(labels), before[i], &stats);
        check_same(used, step(used, 5, 1, 0.0f), step(fresh, 5, 1, 0.0f));
        net_free(fresh);
    }
    net_free(used);
}

static void step_does_not_depend_on_the_batches_before(void **state) {
    (void)state;
    check_batches_before(LAYERS, LAYER_TOTAL);
    check_batches_before(BLOCKS, BLOCKS_TOTAL);
}

static void check_columns(const struct layer_spec *layers, int count) {
    struct net *net = make(layers, count, INPUT);
    static const int sizes[] = {1, 15, 16, 17};
    for (int i = 0; i < 4; i++) {
        check_same(net, step(net, sizes[i], 1, 0.0f), step(net, sizes[i], 1, 50.0f));
    }
    net_free(net);
}

static void columns_past_the_batch_do_not_matter(void **state) {
    (void)state;
    check_columns(LAYERS, LAYER_TOTAL);
    check_columns(BLOCKS, BLOCKS_TOTAL);
}

/* What lies past the batch could otherwise grow by 1 / sqrt(eps) a layer, until it is infinite. */
static void columns_past_the_batch_stay_finite_in_a_deep_network(void **state) {
    (void)state;
    enum { DEPTH = 60 };
    struct layer_spec layers[2 * DEPTH + 2] = {FLATTEN};
    for (int i = 0; i < DEPTH; i++) {
        layers[1 + 2 * i] = (struct layer_spec)DENSE(4);
        layers[2 + 2 * i] = (struct layer_spec)BATCH_NORM(1e-12, 0.1);
    }
    layers[2 * DEPTH + 1] = (struct layer_spec)DENSE(CLASSES);
    struct net *net = make(layers, 2 * DEPTH + 2, INPUT);
    uint8_t labels[BATCH_MAX];
    load(net, labels, 2, 1, 1.0f);
    labels[1] = labels[0];
    for (int f = 0; f < FEATURES; f++) { // two samples that are the same: no variance, no gradient
        net_input(net)[f * NET_LANES + 1] = net_input(net)[f * NET_LANES];
    }
    struct net_stats stats = {0};
    net_train(net, LABELS(labels), 2, 1, 1, 1, &stats);
    for (size_t i = 0; i < net_param_count(net); i++) {
        assert_true(isfinite(net_grads(net)[i]));
    }
    net_free(net);
}

/* Without dropout, whose masks belong to a place in the batch. */
static const struct layer_spec PLAIN[] = {
    CONV2D(4, 3, 1, 1), ACTIVATION(ELU), MAXPOOL(2, 2), FLATTEN, DENSE(CLASSES),
};
enum { PLAIN_TOTAL = sizeof PLAIN / sizeof *PLAIN };

static void gradient_of_a_batch_is_the_mean_over_its_samples(void **state) {
    (void)state;
    struct net *net = make(PLAIN, PLAIN_TOTAL, INPUT);
    const size_t count = net_param_count(net);
    double *mean = calloc(count, sizeof *mean);
    assert_non_null(mean);
    double loss = 0.0;
    for (int i = 0; i < BATCH_MAX; i++) { // one at a time, each in the first column
        uint8_t labels[BATCH_MAX];
        struct net_stats stats = {0};
        load(net, labels, BATCH_MAX, 1, 0.0f);
        float sample[FEATURES];
        for (int f = 0; f < FEATURES; f++) {
            sample[f] = net_input(net)[f * net_lanes(BATCH_MAX) + i];
        }
        memset(net_input(net), 0, (size_t)FEATURES * NET_LANES * sizeof(float));
        for (int f = 0; f < FEATURES; f++) {
            net_input(net)[f * NET_LANES] = sample[f];
        }
        net_train(net, LABELS(&labels[i]), 1, 0, 0, 0, &stats);
        loss += stats.loss_sum;
        for (size_t k = 0; k < count; k++) {
            mean[k] += (double)net_grads(net)[k] / BATCH_MAX;
        }
    }
    struct outcome whole = step(net, BATCH_MAX, 1, 0.0f);
    CHECK_NEAR(whole.stats.loss_sum, loss, 1e-5 * loss);
    for (size_t k = 0; k < count; k++) {
        CHECK_NEAR((double)whole.grads[k], mean[k], 2e-6);
    }
    free(whole.grads);
    free(mean);
    net_free(net);
}

/* Dense layers of few and of many samples are computed by different code. */
static void samples_many_times_over_give_the_gradient_of_them_once(void **state) {
    (void)state;
    enum { FEW = 16, TIMES = 20, MANY = FEW * TIMES };
    static const struct layer_spec layers[] = {FLATTEN, DENSE(20), ACTIVATION(TANH),
                                               DENSE(CLASSES)};
    struct net *net = NULL;
    struct err err = {0};
    assert_int_equal(net_new(&net, layers, 4, INPUT, CLASSES, NULL, MANY, &err), ERR_OK);
    net_init(net, 3);
    struct outcome once = step(net, FEW, 1, 0.0f);
    uint8_t labels[MANY];
    float *x = net_input(net);
    load(net, labels, FEW, 1, 0.0f);
    for (int at = FEATURES * FEW - 1; at >= 0;
         at--) { // from behind, as they are spread out in place
        for (int i = at * TIMES; i < (at + 1) * TIMES; i++) {
            x[i] = x[at];
        }
    }
    for (int i = MANY - 1; i >= 0; i--) {
        labels[i] = labels[i / TIMES];
    }
    struct net_stats stats = {0};
    net_train(net, LABELS(labels), MANY, 9, 2, 4, &stats);
    CHECK_NEAR(stats.loss_sum, TIMES * once.stats.loss_sum, 1e-5 * stats.loss_sum);
    for (size_t k = 0; k < net_param_count(net); k++) {
        CHECK_NEAR((double)net_grads(net)[k], (double)once.grads[k], 1e-6);
    }
    free(once.grads);
    net_free(net);
}

static void dropout_differs_between_seeds_epochs_and_steps(void **state) {
    (void)state;
    struct net *net = make(LAYERS, LAYER_TOTAL, INPUT);
    uint8_t labels[BATCH_MAX];
    load(net, labels, BATCH_MAX, 1, 0.0f);
    static const uint32_t keys[][3] = {{9, 2, 4}, {8, 2, 4}, {9, 3, 4}, {9, 2, 5}, {9, 4, 2}};
    double loss[5];
    for (int i = 0; i < 5; i++) {
        struct net_stats stats = {0};
        net_train(net, LABELS(labels), BATCH_MAX, keys[i][0], keys[i][1], keys[i][2], &stats);
        loss[i] = stats.loss_sum;
        for (int j = 0; j < i; j++) {
            assert_true(fabs(loss[i] - loss[j]) > 1e-4);
        }
    }
    net_free(net);
}

/* Two layers of one net, and one layer in two steps, must not share masks: with p = 0.5 two masks
 * agree on half of the values. */
static void dropout_keeps_the_share_it_should_and_layers_draw_apart(void **state) {
    (void)state;
    enum { WIDTH = 1000, N = 16 };
    struct layer_spec layers[] = {
        {.kind = LAYER_DENSE, .units = WIDTH},
        DROPOUT(0.5f),
        DROPOUT(0.5f),
        {.kind = LAYER_DENSE, .units = CLASSES},
    };
    struct net *net = make(layers, 4, (struct shape){1, 1, 1});
    // All weights 0 and first biases 1: dropout sees ones, and the gradient of the second layer's
    // weights is dlogits times what came out, so the share shows in it.
    memset(net_params(net), 0, net_param_count(net) * sizeof(float));
    for (int i = 0; i < WIDTH; i++) {
        net_tensor(net, 1)->value[i] = 1.0f;
    }
    uint8_t labels[N] = {0};
    struct net_stats stats = {0};
    net_train(net, LABELS(labels), N, 1, 0, 0, &stats);
    // dlogits of class 1 is 1/4 / 16 for every sample: the gradient is the mean of the outputs / 4
    double sum = 0.0;
    for (int i = 0; i < WIDTH; i++) {
        sum += 4.0 * (double)net_tensor(net, 2)->grad[WIDTH + i] / WIDTH;
    }
    // Outputs are 4 with probability 1/4: mean 1, variance 3, over 16,000 draws.  Equal masks would
    // make them 4 with probability 1/2: mean 2.
    CHECK_NEAR(sum, 1.0, 5.0 * sqrt(3.0 / (WIDTH * N)));
    net_free(net);
}

/* ---- learning ---- */

static void tiny_network_learns_a_tiny_set_by_heart(void **state) {
    (void)state;
    struct net *net = make(PLAIN, PLAIN_TOTAL, INPUT);
    uint8_t labels[BATCH_MAX];
    load(net, labels, 12, 5, 0.0f);
    struct net_stats first = {0}, last = {0};
    net_eval(net, LABELS(labels), 12, &first);
    for (int t = 0; t < 300; t++) {
        struct net_stats stats = {0};
        net_train(net, LABELS(labels), 12, 1, 0, (uint32_t)t, &stats);
        for (size_t i = 0; i < net_param_count(net); i++) {
            net_params(net)[i] -= 0.1f * net_grads(net)[i];
        }
    }
    net_eval(net, LABELS(labels), 12, &last);
    assert_true(first.correct < 12);
    assert_int_equal(last.correct, 12);
    CHECK_BELOW(last.loss_sum, 0.05 * first.loss_sum);
    net_free(net);
}

static void stats_add_up_over_batches(void **state) {
    (void)state;
    struct net *net = make(PLAIN, PLAIN_TOTAL, INPUT);
    uint8_t labels[BATCH_MAX];
    struct net_stats a = {0}, b = {0}, sum = {0};
    load(net, labels, 9, 1, 0.0f);
    net_eval(net, LABELS(labels), 9, &a);
    net_eval(net, LABELS(labels), 9, &sum);
    load(net, labels, 4, 2, 0.0f);
    net_eval(net, LABELS(labels), 4, &b);
    net_eval(net, LABELS(labels), 4, &sum);
    assert_int_equal(sum.samples, 13);
    assert_int_equal(sum.correct, a.correct + b.correct);
    CHECK_NEAR(sum.loss_sum, a.loss_sum + b.loss_sum, 1e-12);
    net_free(net);
}

/* ---- parts ---- */

/* LeNet-5 on 28x28 images, as in every text: 61,706 parameters. */
static const struct layer_spec LENET5[] = {
    CONV2D(6, 5, 1, 2), ACTIVATION(TANH), AVGPOOL(2, 2),    CONV2D(16, 5, 1, 0),
    ACTIVATION(TANH),   AVGPOOL(2, 2),    FLATTEN,          DENSE(120),
    ACTIVATION(TANH),   DENSE(84),        ACTIVATION(TANH), DENSE(10),
};
enum { LENET5_TOTAL = sizeof LENET5 / sizeof *LENET5 };

static void lenet5_has_the_shapes_and_parameters_of_the_textbook(void **state) {
    (void)state;
    static const struct shape expected[LENET5_TOTAL] = {
        {6, 28, 28}, {6, 28, 28}, {6, 14, 14}, {16, 10, 10}, {16, 10, 10}, {16, 5, 5},
        {400, 1, 1}, {120, 1, 1}, {120, 1, 1}, {84, 1, 1},   {84, 1, 1},   {10, 1, 1},
    };
    struct shape shapes[LENET5_TOTAL];
    size_t params = 0;
    struct err err = {0};
    int rc =
        net_check(LENET5, LENET5_TOTAL, (struct shape){1, 28, 28}, 10, 1, shapes, &params, &err);
    assert_int_equal(rc, ERR_OK);
    assert_int_equal(params, 61706);
    for (int i = 0; i < LENET5_TOTAL; i++) {
        assert_int_equal(shapes[i].C, expected[i].C);
        assert_int_equal(shapes[i].H, expected[i].H);
        assert_int_equal(shapes[i].W, expected[i].W);
    }
}

static void tensors_are_named_and_shaped_as_in_pytorch(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int dim_count, dims[4];
        bool decays;
    } expected[] = {
        {"0.weight", 4, {4, 1, 3, 3}, true}, {"0.bias", 1, {4}, false},
        {"1.weight", 1, {4}, false},         {"3.weight", 4, {6, 4, 3, 3}, true},
        {"3.bias", 1, {6}, false},           {"8.weight", 2, {20, 2}, true},
        {"8.bias", 1, {20}, false},          {"11.weight", 2, {4, 20}, true},
        {"11.bias", 1, {4}, false},
    };
    enum { COUNT = sizeof expected / sizeof *expected };
    struct net *net = make(LAYERS, LAYER_TOTAL, INPUT);
    size_t at = 0;
    assert_int_equal(net_tensor_count(net), COUNT);
    for (int i = 0; i < COUNT; i++) {
        const struct net_tensor *tensor = net_tensor(net, i);
        size_t len = 1;
        assert_string_equal(tensor->name, expected[i].name);
        assert_int_equal(tensor->dim_count, expected[i].dim_count);
        for (int d = 0; d < tensor->dim_count; d++) {
            assert_int_equal(tensor->dims[d], expected[i].dims[d]);
            len *= (size_t)expected[i].dims[d];
        }
        assert_int_equal(tensor->len, len);
        assert_int_equal(tensor->decays, expected[i].decays);
        // one vector, without gaps
        assert_ptr_equal(tensor->value, net_params(net) + at);
        assert_ptr_equal(tensor->grad, net_grads(net) + at);
        at += len;
    }
    assert_int_equal(at, net_param_count(net));
    net_free(net);
}

static void layers_of_a_block_are_named_within_it(void **state) {
    (void)state;
    static const char *const expected[] = {
        "0.weight", "0.bias", "1.weight", "1.bias", // conv2d, batch_norm
        "3.body.0.weight", "3.body.0.bias", "3.body.1.weight", "3.body.1.bias", // the first block
        "4.body.0.weight", "4.body.0.bias", "4.body.1.weight", // the second, with prelu
        "4.shortcut.0.weight", "4.shortcut.0.bias", "4.shortcut.1.weight", "4.shortcut.1.bias",
        "6.weight", "6.bias", "7.weight", "7.bias", "8.weight", "8.bias", // behind globalavgpool
        // buffers come last
        "1.running_mean", "1.running_var", "3.body.1.running_mean", "3.body.1.running_var",
        "4.shortcut.1.running_mean", "4.shortcut.1.running_var", "7.running_mean", "7.running_var"};
    enum { COUNT = sizeof expected / sizeof *expected, BUFFERS = 8 };
    struct net *net = make(BLOCKS, BLOCKS_TOTAL, INPUT);
    assert_int_equal(net_tensor_count(net), COUNT);
    size_t at = 0;
    for (int i = 0; i < COUNT; i++) {
        const struct net_tensor *tensor = net_tensor(net, i);
        assert_string_equal(tensor->name, expected[i]);
        assert_int_equal(tensor->is_buffer, i >= COUNT - BUFFERS);
        if (tensor->is_buffer) {
            assert_null(tensor->grad);
        } else {
            assert_ptr_equal(tensor->value, net_params(net) + at);
            at += tensor->len;
        }
    }
    assert_int_equal(at, net_param_count(net));
    net_free(net);
}

static void batch_norm_starts_as_in_pytorch_and_does_not_decay(void **state) {
    (void)state;
    struct net *net = make(BLOCKS, BLOCKS_TOTAL, INPUT);
    static const struct {
        const char *name;
        float start;
    } expected[] = {{"7.weight", 1}, {"7.bias", 0}, {"7.running_mean", 0}, {"7.running_var", 1}};
    uint8_t labels[BATCH_MAX];
    struct net_stats stats = {0};
    load(net, labels, 5, 1, 0.0f);
    net_train(net, LABELS(labels), 5, 1, 1, 1, &stats);
    net_init(net, 3); // also of what was moved
    for (int e = 0; e < 4; e++) {
        int found = 0;
        for (int i = 0; i < net_tensor_count(net); i++) {
            const struct net_tensor *tensor = net_tensor(net, i);
            if (strcmp(tensor->name, expected[e].name) == 0) {
                found++;
                assert_int_equal(tensor->dim_count, 1);
                assert_int_equal(tensor->dims[0], 5);
                assert_false(tensor->decays);
                for (size_t k = 0; k < tensor->len; k++) {
                    assert_true(tensor->value[k] == expected[e].start);
                }
            }
        }
        assert_int_equal(found, 1);
    }
    net_free(net);
}

/* A batch of one sample has no variance behind globalavgpool: it teaches the layers before nothing, and
 * says nothing of the data. */
static void a_single_value_moves_no_running_statistics(void **state) {
    (void)state;
    const struct layer_spec layers[] = {FLATTEN, DENSE(5), BATCH_NORM(1e-5, 0.1), DENSE(CLASSES)};
    struct net *net = make(layers, 4, INPUT);
    uint8_t labels[BATCH_MAX];
    struct net_stats stats = {0};
    load(net, labels, 1, 1, 0.0f);
    net_train(net, LABELS(labels), 1, 1, 1, 1, &stats);
    assert_true(isfinite(stats.loss_sum));
    assert_int_equal(net_tensor_count(net), 8);
    for (size_t k = 0; k < 5; k++) {
        assert_true(net_tensor(net, 6)->value[k] == 0.0f);
        assert_true(net_tensor(net, 7)->value[k] == 1.0f);
    }
    for (size_t k = 0; k < net_tensor(net, 0)->len; k++) {
        assert_true(net_tensor(net, 0)->grad[k] == 0.0f);
    }
    struct err err = {0};
    assert_int_equal(net_check_training(layers, 4, INPUT, CLASSES, 2, &err), ERR_OK);
    assert_int_equal(net_check_training(layers, 4, INPUT, CLASSES, 1, &err), ERR_RANGE);
    assert_string_equal(err.msg,
                        "layer 2 (batch_norm): gets one value a channel from a batch of one "
                        "sample, and nothing is left when its mean is taken away: "
                        "batch_size must be at least 2");
    const struct layer_spec maps[] = {CONV2D(4, 3, 1, 1), BATCH_NORM(1e-5, 0.1), FLATTEN,
                                      DENSE(CLASSES)}; // 64 values a channel
    assert_int_equal(net_check_training(maps, 4, INPUT, CLASSES, 1, &err), ERR_OK);
    net_free(net);
}

static void ignore_sight(void *context, const struct net_sight *sight) {
    (void)context;
    (void)sight;
}

/* What is looked at is what training does, and moves nothing. */
static void a_look_sees_the_gradient_of_training_and_moves_no_running_statistics(void **state) {
    (void)state;
    struct net *net = make(BLOCKS, BLOCKS_TOTAL, INPUT), *other = make(BLOCKS, BLOCKS_TOTAL, INPUT);
    uint8_t labels[BATCH_MAX];
    struct net_stats seen = {0}, trained = {0};
    load(net, labels, 7, 1, 0.0f);
    load(other, labels, 7, 1, 0.0f);
    net_look(net, LABELS(labels), 7, ignore_sight, NULL, &seen);
    net_train(other, LABELS(labels), 7, 1, 1, 1, &trained);
    assert_memory_equal(&seen.loss_sum, &trained.loss_sum, sizeof seen.loss_sum);
    assert_memory_equal(net_grads(net), net_grads(other), net_param_count(net) * sizeof(float));
    for (int i = 0; i < net_tensor_count(net); i++) {
        const struct net_tensor *tensor = net_tensor(net, i), *moved = net_tensor(other, i);
        const float start = strstr(tensor->name, "var") != NULL ? 1.0f : 0.0f;
        for (size_t k = 0; k < tensor->len && tensor->is_buffer; k++) {
            assert_true(tensor->value[k] == start);
            assert_true(moved->value[k] != start);
        }
    }
    net_free(net);
    net_free(other);
}

/* In training a maximum may go before the activation that it follows, in a look it does not. */
static void check_maximum_first(struct activation_spec activation, float tolerance) {
    const struct layer_spec act = {.kind = LAYER_ACTIVATION, .activation = activation};
    const struct layer_spec layers[] = {
        CONV2D(4, 3, 1, 1), act,     MAXPOOL(2, 2), CONV2D(4, 3, 1, 1), act,
        MAXPOOL(3, 1),      FLATTEN, DENSE(CLASSES)};
    struct net *net = make(layers, 8, INPUT), *other = make(layers, 8, INPUT);
    uint8_t labels[BATCH_MAX];
    struct net_stats seen = {0}, trained = {0}, valued = {0};
    load(net, labels, 7, 1, 0.0f);
    load(other, labels, 7, 1, 0.0f);
    net_look(net, LABELS(labels), 7, ignore_sight, NULL, &seen);
    net_train(other, LABELS(labels), 7, 1, 1, 1, &trained);
    assert_true(fabs(seen.loss_sum - trained.loss_sum) <= (double)tolerance);
    double sum = 0.0;
    for (size_t i = 0; i < net_param_count(net); i++) {
        const float a = net_grads(net)[i], b = net_grads(other)[i];
        sum += fabs((double)a);
        assert_true(fabsf(a - b) <= tolerance * fmaxf(1.0f, fabsf(a)));
    }
    assert_true(isfinite(sum) && sum > 0.1);
    net_eval(other, LABELS(labels), 7, &valued);
    assert_memory_equal(&valued.loss_sum, &trained.loss_sum, sizeof valued.loss_sum);
    net_free(net);
    net_free(other);
}

static void a_maximum_before_its_activation_is_the_same_as_behind_it(void **state) {
    (void)state;
    check_maximum_first((struct activation_spec){.kind = ACTIVATION_RELU}, 0.0f);
    check_maximum_first((struct activation_spec){.kind = ACTIVATION_RELU6}, 0.0f);
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++) {
        struct activation_spec activation = {.kind = (enum activation_kind)kind,
                                             .negative_slope = 0.125f,
                                             .alpha = 0.75f,
                                             .init = 0.25f,
                                             .pieces = 2};
        check_maximum_first(activation, 1e-5f);
    }
    // these fall below 0: there it would make a difference
    check_maximum_first((struct activation_spec){.kind = ACTIVATION_ELU, .alpha = -0.75f}, 0.0f);
    check_maximum_first(
        (struct activation_spec){.kind = ACTIVATION_LEAKY_RELU, .negative_slope = -0.5f}, 0.0f);
}

static void batches_are_rounded_up_to_whole_vectors(void **state) {
    (void)state;
    static const int pairs[][2] = {{1, 16}, {15, 16}, {16, 16}, {17, 32}, {32, 32}, {100, 112}};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(net_lanes(pairs[i][0]), pairs[i][1]);
    }
}

static void freeing_nothing_is_fine(void **state) {
    (void)state;
    net_free(NULL);
}

/* ---- what does not fit ---- */

struct misfit {
    struct layer_spec layers[4];
    int count;
    const char *message;
};

/* On an input of (3, 8, 6), with 4 classes. */
static const struct misfit MISFITS[] = {
    {{DENSE(4)},
     1,
     "layer 0 (dense): needs a vector, but the input is (3, 8, 6): put a \"flatten\" before it"},
    {{CONV2D(4, 3, 1, 0), ACTIVATION(RELU), DENSE(4)},
     3,
     "layer 2 (dense): needs a vector, but the input is (4, 6, 4): put a \"flatten\" before it"},
    {{FLATTEN, DENSE(0)}, 2, "layer 1 (dense): units must be at least 1, not 0"},
    {{FLATTEN, DENSE(5)},
     2,
     "layer 1 (dense): the last layer gives (5, 1, 1), but there are 4 classes"},
    {{FLATTEN, DENSE(4), ACTIVATION(MAXOUT)},
     3,
     "layer 2 (maxout): the 4 channels of the input are no multiple of 3 pieces"},
    {{CONV2D(4, 3, 1, 1)},
     1,
     "layer 0 (conv2d): the last layer gives (4, 8, 6), but there are 4 classes"},
    {{CONV2D(4, 8, 1, 1)},
     1,
     "layer 0 (conv2d): the last layer gives (4, 3, 1), but there are 4 classes"},
    {{CONV2D(4, 6, 1, 0)},
     1,
     "layer 0 (conv2d): the last layer gives (4, 3, 1), but there are 4 classes"},
    {{CONV2D(4, 7, 1, 0)},
     1,
     "layer 0 (conv2d): a 7x7 kernel does not fit into the input (3, 8, 6) with padding 0"},
    {{CONV2D(4, 3, 1, 0), CONV2D(4, 9, 1, 2)},
     2,
     "layer 1 (conv2d): a 9x9 kernel does not fit into the input (4, 6, 4) with padding 2"},
    {{CONV2D(4, 3, 0, 0)},
     1,
     "layer 0 (conv2d): channels 4, kernel 3 and stride 0 must each be at least 1"},
    {{CONV2D(0, 3, 1, 0)},
     1,
     "layer 0 (conv2d): channels 0, kernel 3 and stride 1 must each be at least 1"},
    {{CONV2D(4, -1, 1, 0)},
     1,
     "layer 0 (conv2d): channels 4, kernel -1 and stride 1 must each be at least 1"},
    {{CONV2D(4, 3, 1, -1)},
     1,
     "layer 0 (conv2d): padding -1 must be at least 0 and below the kernel, 3"},
    {{CONV2D(4, 3, 1, 3)},
     1,
     "layer 0 (conv2d): padding 3 must be at least 0 and below the kernel, 3"},
    {{MAXPOOL(7, 1)}, 1, "layer 0 (maxpool): a 7x7 kernel does not fit into the input (3, 8, 6)"},
    {{AVGPOOL(7, 1)}, 1, "layer 0 (avgpool): a 7x7 kernel does not fit into the input (3, 8, 6)"},
    {{MAXPOOL(2, 0)}, 1, "layer 0 (maxpool): kernel 2 and stride 0 must each be at least 1"},
    {{AVGPOOL(0, 2)}, 1, "layer 0 (avgpool): kernel 0 and stride 2 must each be at least 1"},
    {{MAXPOOL(17, 1)}, 1, "layer 0 (maxpool): kernel 17 is above the largest possible, 16"},
    {{DROPOUT(1.0f)}, 1, "layer 0 (dropout): p must be at least 0 and below 1, not 1"},
    {{DROPOUT(-0.5f)}, 1, "layer 0 (dropout): p must be at least 0 and below 1, not -0.5"},
    {{DROPOUT(NAN)}, 1, "layer 0 (dropout): p must be at least 0 and below 1, not nan"},
    {{{.kind = LAYER_ACTIVATION, .activation = {.kind = ACTIVATION_MAXOUT, .pieces = 1}}},
     1,
     "layer 0 (maxout): pieces must be from 2 to 256, not 1"},
    {{{.kind = LAYER_COUNT}}, 1, "layer 0 (unknown): no such kind of layer"},
    {{FLATTEN}, 0, "a network has from 1 to 512 layers, not 0"},
    {{FLATTEN}, 513, "a network has from 1 to 512 layers, not 513"},
    {{BATCH_NORM(0.0, 0.1)}, 1, "layer 0 (batch_norm): eps must be above 0, not 0"},
    {{BATCH_NORM(NAN, 0.1)}, 1, "layer 0 (batch_norm): eps must be above 0, not nan"},
    {{BATCH_NORM(1e-5, 1.5)}, 1, "layer 0 (batch_norm): momentum must be from 0 to 1, not 1.5"},
    {{BATCH_NORM(1e-5, -1.0)}, 1, "layer 0 (batch_norm): momentum must be from 0 to 1, not -1"},
    {{FLATTEN, RESIDUAL, DENSE(4)}, 3, "layer 1 (residual): has no end"},
    {{FLATTEN, RESIDUAL, RESIDUAL, DENSE(4)},
     4,
     "layer 1.body.0 (residual): is within another residual block: blocks do not nest"},
    {{FLATTEN, SHORTCUT, DENSE(4)}, 3, "layer 1 (shortcut): stands outside of a residual block"},
    {{RESIDUAL, SHORTCUT, SHORTCUT}, 3, "layer 0 (shortcut): stands outside of a residual block"},
    {{FLATTEN, JOIN, DENSE(4)}, 3, "layer 1 (residual): ends, but has no beginning or no shortcut"},
    {{RESIDUAL, JOIN}, 2, "layer 0 (residual): ends, but has no beginning or no shortcut"},
    {{RESIDUAL, CONV2D(4, 3, 2, 1), SHORTCUT, JOIN},
     4,
     "layer 0 (residual): the body gives (4, 4, 3), the shortcut (3, 8, 6), and they are added: "
     "put "
     "a conv2d with the body's channels and strides into \"shortcut\""},
    {{RESIDUAL, FLATTEN, DENSE(0)}, 3, "layer 0.body.1 (dense): units must be at least 1, not 0"},
    {{RESIDUAL, SHORTCUT, DENSE(4)}, 3, "layer 0.shortcut.0 (dense): needs a vector"},
    {{FLATTEN, DENSE(INT_MAX), DENSE(INT_MAX), DENSE(4)},
     4,
     "layer 1 (dense): too large: parameters, their gradients and the activations of a batch need "
     "more than 8 GiB"},
    {{CONV2D(INT_MAX, INT_MAX, 1, INT_MAX - 1), FLATTEN, DENSE(4)},
     3,
     "layer 0 (conv2d): a 2147483647x2147483647 kernel does not fit"},
    {{CONV2D(INT_MAX, 1000000001, 1, 1000000000), FLATTEN, DENSE(4)},
     3,
     "layer 0 (conv2d): too large"},
};

static void misfits_are_refused_with_layer_and_reason(void **state) {
    (void)state;
    const struct shape input = {3, 8, 6};
    for (size_t i = 0; i < sizeof MISFITS / sizeof *MISFITS; i++) {
        const struct misfit *misfit = &MISFITS[i];
        struct shape shapes[513] = {{.C = -7}};
        size_t params = 12345;
        struct err err = {0};
        struct net *net = NULL;
        int rc = net_check(misfit->layers, misfit->count, input, 4, 1, shapes, &params, &err);
        if (rc != ERR_RANGE || strncmp(err.msg, misfit->message, strlen(misfit->message)) != 0) {
            fail_msg("expected \"%s\", got %d, \"%s\"", misfit->message, rc, err.msg);
        }
        // outputs are written on success only
        assert_int_equal(params, 12345);
        assert_int_equal(shapes[0].C, -7);
        rc = net_new(&net, misfit->layers, misfit->count, input, 4, NULL, 2, &err);
        assert_int_equal(rc, ERR_RANGE);
        assert_null(net);
    }
}

static void network_without_parameters_is_refused(void **state) {
    (void)state;
    const struct layer_spec layers[] = {FLATTEN};
    struct err err = {0};
    int rc = net_check(layers, 1, (struct shape){2, 2, 1}, 4, 1, NULL, NULL, &err);
    assert_int_equal(rc, ERR_RANGE);
    assert_string_equal(err.msg, "no layer has parameters: there is nothing to train");
}

static void inputs_out_of_range_are_refused(void **state) {
    (void)state;
    const struct layer_spec layers[] = {FLATTEN, DENSE(4)};
    static const struct shape inputs[] = {
        {0, 8, 8}, {1, -1, 8}, {1, 8, 0}, {INT_MAX, INT_MAX, INT_MAX}, {1 << 16, 1 << 16, 1}};
    for (int i = 0; i < 5; i++) {
        struct err err = {0};
        int rc = net_check(layers, 2, inputs[i], 4, 1, NULL, NULL, &err);
        assert_int_equal(rc, ERR_RANGE);
        assert_non_null(strstr(err.msg, "is out of range"));
    }
    struct err err = {0};
    assert_int_equal(net_check(layers, 2, INPUT, 0, 1, NULL, NULL, &err), ERR_RANGE);
    assert_non_null(strstr(err.msg, "0 classes"));
}

static void batches_are_measured_before_memory_is_taken(void **state) {
    (void)state;
    // 2^20 floats a sample and layer: fine for a small batch, more than 12 GiB for 1,024 samples.
    const struct layer_spec layers[] = {CONV2D(16, 3, 1, 1), ACTIVATION(RELU), MAXPOOL(16, 16),
                                        FLATTEN, DENSE(4)};
    const struct shape input = {1, 256, 256};
    struct err err = {0};
    struct net *net = NULL;
    assert_int_equal(net_check(layers, 5, input, 4, 1, NULL, NULL, &err), ERR_OK);
    assert_int_equal(net_new(&net, layers, 5, input, 4, NULL, 1024, &err), ERR_RANGE);
    assert_string_equal(err.msg, "layer 0 (conv2d): too large: parameters, their gradients and the "
                                 "activations of a batch need more than 8 GiB");
    static const int batches[] = {0, -1, INT_MAX};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(net_new(&net, layers, 5, input, 4, NULL, batches[i], &err), ERR_RANGE);
        assert_non_null(strstr(err.msg, "batch"));
    }
    assert_null(net);
}

static void many_layers_count_together(void **state) {
    (void)state;
    // 64 MiB a layer with the smallest batch: 2 for the gradients, so 126 fit into 8 GiB, less the
    // input and the weights.
    struct layer_spec layers[160] = {CONV2D(16, 3, 1, 1)};
    const struct shape input = {1, 256, 256};
    struct err err = {0};
    for (int i = 1; i < 158; i++) {
        layers[i] = (struct layer_spec)ACTIVATION(TANH);
    }
    layers[158] = (struct layer_spec)FLATTEN;
    layers[159] = (struct layer_spec)DENSE(4);
    assert_int_equal(net_check(layers, 160, input, 4, 1, NULL, NULL, &err), ERR_RANGE);
    assert_ptr_equal(strstr(err.msg, "layer 125 (tanh): too large"), err.msg);
    layers[120] = (struct layer_spec)MAXPOOL(16, 16);
    assert_int_equal(net_check(layers, 160, input, 4, 1, NULL, NULL, &err), ERR_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_step_gives_the_same_bits),
        cmocka_unit_test(step_does_not_depend_on_the_batches_before),
        cmocka_unit_test(columns_past_the_batch_do_not_matter),
        cmocka_unit_test(columns_past_the_batch_stay_finite_in_a_deep_network),
        cmocka_unit_test(gradient_of_a_batch_is_the_mean_over_its_samples),
        cmocka_unit_test(samples_many_times_over_give_the_gradient_of_them_once),
        cmocka_unit_test(dropout_differs_between_seeds_epochs_and_steps),
        cmocka_unit_test(dropout_keeps_the_share_it_should_and_layers_draw_apart),
        cmocka_unit_test(tiny_network_learns_a_tiny_set_by_heart),
        cmocka_unit_test(stats_add_up_over_batches),
        cmocka_unit_test(lenet5_has_the_shapes_and_parameters_of_the_textbook),
        cmocka_unit_test(tensors_are_named_and_shaped_as_in_pytorch),
        cmocka_unit_test(layers_of_a_block_are_named_within_it),
        cmocka_unit_test(batch_norm_starts_as_in_pytorch_and_does_not_decay),
        cmocka_unit_test(a_single_value_moves_no_running_statistics),
        cmocka_unit_test(a_maximum_before_its_activation_is_the_same_as_behind_it),
        cmocka_unit_test(a_look_sees_the_gradient_of_training_and_moves_no_running_statistics),
        cmocka_unit_test(batches_are_rounded_up_to_whole_vectors),
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(misfits_are_refused_with_layer_and_reason),
        cmocka_unit_test(network_without_parameters_is_refused),
        cmocka_unit_test(inputs_out_of_range_are_refused),
        cmocka_unit_test(batches_are_measured_before_memory_is_taken),
        cmocka_unit_test(many_layers_count_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
