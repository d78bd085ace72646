/* What a look says, against the double-precision reference network, loops that follow the definitions, and
 * figures worked out by hand. */
#include "net_testing.h"
#include "reference_net.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "trainer/look.h"
#include "trainer/look_log.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 37, CLASSES = 4, FEATURES = 36, VALUES_MAX = 1 << 14 };

/* ---- a network and its samples ---- */

static const struct layer_spec layers[] = {
    CONV2D(3, 3, 1, 1), ACTIVATION(RELU), MAXPOOL(3, 3), FLATTEN,
    DENSE(5),           ACTIVATION(TANH), DROPOUT(0.5f), DENSE(CLASSES),
};
enum { LAYERS = sizeof layers / sizeof *layers, CONV = 0, POOL = 2, HIDDEN = 4, TANH = 5 };
static const struct shape input = {1, 6, 6};

struct bench {
    struct net *net;
    struct look look;
    float x[SAMPLES * FEATURES]; // (n, features)
    double x64[SAMPLES * FEATURES], params[1024];
    uint8_t labels[SAMPLES];
    int features;
};

static void load(void *context, int first, int n, struct net_targets *targets) {
    struct bench *b = context;
    float *to = net_input(b->net);
    int lanes = net_lanes(n);
    memset(to, 0, (size_t)b->features * (size_t)lanes * sizeof *to);
    for (int i = 0; i < n; i++) {
        for (int f = 0; f < b->features; f++) {
            to[f * lanes + i] = b->x[(first + i) * b->features + f];
        }
    }
    *targets = (struct net_targets){.labels = b->labels + first};
}

static struct bench *bench_new(const struct layer_spec *list, int count, struct shape in,
                               const struct optimizer_spec *optimizer) {
    struct bench *b = mem_zalloc(1, sizeof *b);
    struct err err;
    if (net_new(&b->net, list, count, in, CLASSES, NULL, SAMPLES, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    b->features = in.C * in.H * in.W;
    net_init(b->net, 3);
    uint64_t random = 5;
    for (int t = 0; t < net_tensor_count(b->net); t++) { // biases start at 0, which shows nothing
        const struct net_tensor *tensor = net_tensor(b->net, t);
        for (size_t i = 0; i < tensor->len && !tensor->decays; i++) {
            tensor->value[i] = 0.25f * test_uniform(&random);
        }
    }
    for (size_t i = 0; i < net_param_count(b->net); i++) {
        b->params[i] = (double)net_params(b->net)[i];
    }
    for (int i = 0; i < SAMPLES * b->features; i++) {
        b->x[i] = test_uniform(&random);
        b->x64[i] = (double)b->x[i];
    }
    for (int i = 0; i < SAMPLES; i++) {
        b->labels[i] = (uint8_t)(test_random(&random) % CLASSES);
    }
    look_init(&b->look, b->net, optimizer);
    return b;
}

static void bench_free(struct bench *b) {
    look_release(&b->look);
    net_free(b->net);
    free(b);
}

static const struct look_layer *shown(const struct bench *b, int index) {
    for (int i = 0; i < b->look.count; i++) {
        if (b->look.layers[i].index == index) {
            return &b->look.layers[i];
        }
    }
    fail_msg("layer %d is not shown", index);
    return NULL;
}

/* ---- naive ---- */

static void check_spread(const struct look_spread *s, const double *values, int count,
                         double tolerance) {
    double sum = 0, squares = 0, low = INFINITY, high = -INFINITY;
    for (int i = 0; i < count; i++) {
        sum += values[i];
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    for (int i = 0; i < count; i++) {
        squares += pow(values[i] - sum / count, 2);
    }
    double scale = high - low;
    assert_int_equal(s->count, count);
    CHECK_NEAR(s->mean, sum / count, tolerance * scale);
    CHECK_NEAR(s->std, sqrt(squares / count), tolerance * scale);
    CHECK_NEAR(s->min, low, tolerance * scale);
    CHECK_NEAR(s->max, high, tolerance * scale);
    CHECK_NEAR(s->low, low, tolerance * scale);
    CHECK_NEAR(s->high, high, tolerance * scale);

    // A value is in the bin between whose edges it is; one within the tolerance of an edge may be in either.
    for (int bin = 0; bin < LOOK_BINS; bin++) {
        double from = low + scale * bin / LOOK_BINS, to = low + scale * (bin + 1) / LOOK_BINS;
        double slack = tolerance * scale;
        int surely = 0, perhaps = 0;
        for (int i = 0; i < count; i++) {
            bool above = bin == 0 || values[i] >= from + slack;
            bool below = bin == LOOK_BINS - 1 || values[i] < to - slack;
            surely += above && below;
            perhaps += (bin == 0 || values[i] >= from - slack) &&
                       (bin == LOOK_BINS - 1 || values[i] < to + slack);
        }
        assert_in_range(s->bins[bin], surely, perhaps);
    }
    int64_t all = 0;
    for (int bin = 0; bin < LOOK_BINS; bin++) {
        all += s->bins[bin];
    }
    assert_int_equal(all, count);
}

/* The outputs of layer `index` of all samples: the logits of the network that ends there. */
static int reference_outputs(const struct bench *b, int index, double *values) {
    struct net_layer layer = net_layer(b->net, index);
    int len = layer.out.C * layer.out.H * layer.out.W;
    assert_true(len * SAMPLES <= VALUES_MAX);
    const struct reference_net net = {.layers = layers,
                                      .count = index + 1,
                                      .input = input,
                                      .classes = len,
                                      .n = SAMPLES,
                                      .x = b->x64,
                                      .labels = b->labels};
    (void)reference_loss(&net, b->params, NULL, values);
    return len * SAMPLES;
}

/* The gradient of the mean loss by the outputs of layer `index`, which are vectors: the bias gradient of an
 * identity put behind it, for a sample at a time. */
static int reference_gradients(const struct bench *b, int index, double *gradients) {
    static double outputs[VALUES_MAX];
    int count = reference_outputs(b, index, outputs), len = count / SAMPLES;
    struct layer_spec tail[LAYERS + 1] = {DENSE(len)};
    memcpy(tail + 1, layers + index + 1, (size_t)(LAYERS - index - 1) * sizeof *tail);

    double params[1024] = {0}, grads[1024];
    for (int i = 0; i < len; i++) {
        params[i * len + i] = 1.0;
    }
    struct reference_net head = {.layers = layers, .count = index + 1, .input = input};
    size_t before = reference_param_count(&head), own = (size_t)(len * len + len);
    memcpy(params + own, b->params + before, (net_param_count(b->net) - before) * sizeof *params);
    for (int s = 0; s < SAMPLES; s++) {
        const struct reference_net net = {.layers = tail,
                                          .count = LAYERS - index,
                                          .input = {len, 1, 1},
                                          .classes = CLASSES,
                                          .n = 1,
                                          .x = outputs + s * len,
                                          .labels = b->labels + s};
        (void)reference_loss(&net, params, grads, NULL);
        for (int i = 0; i < len; i++) {
            gradients[s * len + i] = grads[len * len + i] / SAMPLES;
        }
    }
    return count;
}

/* ---- spreads ---- */

static void outputs_are_spread_as_those_of_the_reference(void **state) {
    (void)state;
    static double values[VALUES_MAX];
    struct bench *b = bench_new(layers, LAYERS, input, NULL);
    static const int batches[] = {16, SAMPLES, 5, 1};
    for (int k = 0; k < 4; k++) { // the last batch is partial, whole, ...
        look_take(&b->look, SAMPLES, batches[k], load, b);
        for (int i = 0; i < b->look.count; i++) {
            const struct look_layer *layer = &b->look.layers[i];
            int count = reference_outputs(b, layer->index, values);
            check_spread(&layer->output, values, count, 1e-6);
        }
    }
    bench_free(b);
}

static void gradients_are_spread_as_those_of_the_reference(void **state) {
    (void)state;
    static double values[VALUES_MAX];
    struct bench *b = bench_new(layers, LAYERS, input, NULL);
    look_take(&b->look, SAMPLES, 16, load, b);
    static const int vectors[] = {POOL, HIDDEN,
                                  TANH}; // a pool's output is flattened right behind it
    for (int k = 0; k < 3; k++) {
        int count = reference_gradients(b, vectors[k], values);
        check_spread(&shown(b, vectors[k])->gradient, values, count, 1e-6);
    }
    bench_free(b);
}

/* A convolution's bias gets the sum of the gradient of all places and samples. */
static void a_convolutions_gradient_sums_to_its_bias_gradient(void **state) {
    (void)state;
    static double grads[1024];
    struct bench *b = bench_new(layers, LAYERS, input, NULL);
    look_take(&b->look, SAMPLES, 16, load, b);
    const struct reference_net net = {.layers = layers,
                                      .count = LAYERS,
                                      .input = input,
                                      .classes = CLASSES,
                                      .n = SAMPLES,
                                      .x = b->x64,
                                      .labels = b->labels};
    (void)reference_loss(&net, b->params, grads, NULL);
    double sum = grads[27] + grads[28] + grads[29]; // behind 3 x 1 x 3 x 3 weights
    const struct look_spread *seen = &shown(b, CONV)->gradient;
    CHECK_NEAR(seen->mean * (double)seen->count, sum, 1e-6 * fabs(sum));

    // and what the optimizer gets is the gradient of the mean over all samples, whatever the batches
    for (size_t i = 0; i < net_param_count(b->net); i++) {
        CHECK_NEAR((double)net_grads(b->net)[i], grads[i], 1e-7);
    }
    bench_free(b);
}

static void what_only_hands_on_is_not_shown(void **state) {
    (void)state;
    struct bench *b = bench_new(layers, LAYERS, input, NULL);
    static const char *const names[] = {"0 conv2d", "1 relu", "2 maxpool",
                                        "4 dense",  "5 tanh", "7 dense"};
    assert_int_equal(b->look.count, 6);
    for (int i = 0; i < 6; i++) {
        assert_string_equal(b->look.layers[i].name, names[i]);
    }
    bench_free(b);
}

static void what_is_not_finite_is_told_and_in_no_bin(void **state) {
    (void)state;
    struct bench *b = bench_new(layers, LAYERS, input, NULL);
    net_params(b->net)[27] = INFINITY; // a bias: one channel of three is infinite
    look_take(&b->look, SAMPLES, 16, load, b);
    const struct look_spread *conv = &shown(b, CONV)->output, *top = &shown(b, 7)->output;
    assert_true(isinf(conv->mean) && conv->max == (double)INFINITY && isfinite(conv->min));
    assert_true(isnan(conv->std) && isfinite(conv->low) && isfinite(conv->high));
    int64_t all = 0;
    for (int bin = 0; bin < LOOK_BINS; bin++) {
        all += conv->bins[bin];
        assert_true(top->bins[bin] >= 0);
    }
    assert_int_equal(all, conv->count / 3 * 2);
    bench_free(b);
}

static void a_layer_of_one_value_has_bins_around_it(void **state) {
    (void)state;
    struct bench *b = bench_new(layers, LAYERS, input, NULL);
    memset(net_params(b->net), 0, net_param_count(b->net) * sizeof(float));
    look_take(&b->look, SAMPLES, 16, load, b);
    const struct look_layer *conv = shown(b, CONV);
    assert_true(conv->output.low == -0.5 && conv->output.high == 0.5); // as numpy.histogram()
    assert_int_equal(conv->output.bins[LOOK_BINS / 2], conv->output.count);
    assert_true(conv->output.mean == 0.0 && conv->output.std == 0.0 && conv->dead == 1.0);
    bench_free(b);
}

/* ---- dead units ---- */

/* Four units on two inputs from [-1, 1): the first is always below -1, the second is above 0 for a sample
 * of zeros only, as the columns past the batch are, and so is dead. */
static void dead_units_are_zero_for_every_sample_of_the_batch(void **state) {
    (void)state;
    static const struct layer_spec list[] = {DENSE(4), ACTIVATION(RELU), DENSE(CLASSES)};
    struct bench *b = bench_new(list, 3, (struct shape){2, 1, 1}, NULL);
    for (int i = 0; i < SAMPLES * 2; i++) {
        b->x[i] = 0.5f + 0.25f * b->x[i]; // 0.25 to 0.75
    }
    static const float w[] = {-1, -1, -9, -9, 1, 0, 0, 1}, bias[] = {-1, 1, 0, 0};
    memcpy(net_tensor(b->net, 0)->value, w, sizeof w);
    memcpy(net_tensor(b->net, 1)->value, bias, sizeof bias);
    look_take(&b->look, SAMPLES, 16, load, b);
    assert_true(shown(b, 0)->dead == 0.0);
    assert_true(shown(b, 1)->dead == 0.5);
    assert_true(shown(b, 1)->saturated == 0.5);
    assert_true(shown(b, 1)->output.min == 0.0);
    bench_free(b);
}

/* ---- flat ends ---- */

static double slope(enum activation_kind kind, double alpha, double x) {
    const double s = 1 / (1 + exp(-x)), phi = exp(-x * x / 2) / sqrt(2 * acos(-1.0));
    const double m = tanh(log1p(exp(x)));
    switch (kind) {
    case ACTIVATION_SIGMOID:
        return s * (1 - s);
    case ACTIVATION_TANH:
        return 1 - tanh(x) * tanh(x);
    case ACTIVATION_RELU:
        return x > 0;
    case ACTIVATION_RELU6:
        return x > 0 && x < 6;
    case ACTIVATION_LEAKY_RELU:
        return x > 0 ? 1 : 0.125;
    case ACTIVATION_ELU:
        return x > 0 ? 1 : alpha * exp(x);
    case ACTIVATION_SELU:
        return 1.0507009873554805 * (x > 0 ? 1 : 1.6732632423543772 * exp(x));
    case ACTIVATION_SOFTPLUS:
        return s;
    case ACTIVATION_SILU:
        return s * (1 + x * (1 - s));
    case ACTIVATION_GELU:
        return 0.5 * erfc(-x / sqrt(2)) + x * phi;
    case ACTIVATION_MISH:
        return m + x * (1 - m * m) * s;
    case ACTIVATION_HARDSWISH:
        return x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6;
    default:
        return 1;
    }
}

/* The definition, on a grid of 1/1024: from where the slope stays below a twentieth of its steepest. */
static void check_ends(enum activation_kind kind, double alpha) {
    const struct activation_spec spec = {
        .kind = kind, .alpha = (float)alpha, .negative_slope = 0.125f, .init = 0.25f, .pieces = 2};
    const int reach = 30 * 1024;
    double steepest = 0, low, high;
    for (int i = -reach; i <= reach; i++) {
        steepest = fmax(steepest, slope(kind, alpha, i / 1024.0));
    }
    int from = -reach, to = reach;
    while (from <= reach && fabs(slope(kind, alpha, from / 1024.0)) < 0.05 * steepest) {
        from++;
    }
    while (to >= -reach && fabs(slope(kind, alpha, to / 1024.0)) < 0.05 * steepest) {
        to--;
    }
    look_flat_ends(&spec, &low, &high);
    double expected_low = from == -reach ? -(double)INFINITY : from / 1024.0;
    double expected_high = to == reach ? (double)INFINITY : to / 1024.0;
    if (!(low == expected_low || fabs(low - expected_low) <= 1.1 / 1024) ||
        !(high == expected_high || fabs(high - expected_high) <= 1.1 / 1024)) {
        fail_msg("%s, alpha %g: flat below %g and above %g, expected %g and %g",
                 activation_names[kind], alpha, low, high, expected_low, expected_high);
    }
}

static void flat_ends_are_where_the_slope_is_a_twentieth(void **state) {
    (void)state;
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++) {
        check_ends((enum activation_kind)kind, 1.0);
    }
    check_ends(ACTIVATION_ELU, 0.75);
    check_ends(ACTIVATION_ELU, 2.0);
    check_ends(ACTIVATION_ELU, 0.01);
}

/* ---- the update ---- */

static double length(const float *v, size_t len) {
    double sum = 0;
    for (size_t i = 0; i < len; i++) {
        sum += (double)v[i] * (double)v[i];
    }
    return sqrt(sum);
}

static void the_update_ratio_is_that_of_the_step_not_taken(void **state) {
    (void)state;
    const struct optimizer_spec sgd = {.kind = OPTIMIZER_SGD, .lr = 0.5};
    struct bench *b = bench_new(layers, LAYERS, input, &sgd);
    struct optim optim;
    optim_init(&optim, &sgd, net_param_count(b->net));
    look_take(&b->look, SAMPLES, 16, load, b);
    look_update(&b->look, &optim, 0.5);
    const struct net_tensor *w = net_layer(b->net, HIDDEN).weight;
    assert_string_equal(w->name, "4.weight");
    double expected = 0.5 * length(w->grad, w->len) / length(w->value, w->len);
    CHECK_NEAR(shown(b, HIDDEN)->update_ratio, expected, 1e-5 * expected); // w - lr g is rounded
    assert_true(isnan(shown(b, TANH)->update_ratio));
    optim_release(&optim);
    bench_free(b);
}

/* The first step of Adam is lr for every weight with a gradient, whatever its size; and its state after some
 * steps counts in the next. */
static void it_leaves_parameters_and_optimizer_as_they_are(void **state) {
    (void)state;
    const struct optimizer_spec adam = {
        .kind = OPTIMIZER_NADAM, .beta1 = 0.9, .beta2 = 0.999, .momentum_decay = 0.004, .eps = 0};
    struct bench *b = bench_new(layers, LAYERS, input, &adam);
    size_t params = net_param_count(b->net), bytes = params * sizeof(float);
    struct optim optim;
    optim_init(&optim, &adam, params);
    look_take(&b->look, SAMPLES, 16, load, b);
    for (int step = 0; step < 3; step++) {
        optim_step(&optim, net_params(b->net), net_grads(b->net), 0.01);
    }
    float *w = mem_zalloc(params, sizeof *w), *m = mem_zalloc(params, sizeof *m);
    memcpy(w, net_params(b->net), bytes);
    memcpy(m, optim.state[0], bytes);

    look_take(&b->look, SAMPLES, 16, load, b);
    look_update(&b->look, &optim, 0.01);
    double ratio = shown(b, HIDDEN)->update_ratio;
    assert_memory_equal(net_params(b->net), w, bytes);
    assert_memory_equal(optim.state[0], m, bytes);
    assert_int_equal(optim.steps, 3);

    const struct net_tensor *tensor = net_layer(b->net, HIDDEN).weight;
    size_t at = (size_t)(tensor->value - net_params(b->net));
    optim_step(&optim, net_params(b->net), net_grads(b->net), 0.01); // now it is taken
    for (size_t i = 0; i < tensor->len; i++) {
        m[i] = tensor->value[i] - w[at + i];
    }
    double expected = length(m, tensor->len) / length(w + at, tensor->len);
    CHECK_NEAR(ratio, expected, 1e-6 * expected);
    free(w);
    free(m);
    optim_release(&optim);
    bench_free(b);
}

static void the_next_step_of_a_training_has_the_same_bits_after_a_look(void **state) {
    (void)state;
    const struct optimizer_spec sgd = {.kind = OPTIMIZER_SGD, .lr = 0.5};
    float *grads[2];
    for (int looked = 0; looked < 2; looked++) {
        struct bench *b = bench_new(layers, LAYERS, input, &sgd);
        if (looked) {
            look_take(&b->look, SAMPLES, 16, load, b);
        }
        struct net_targets targets;
        struct net_stats stats = {0};
        load(b, 0, SAMPLES, &targets);
        net_train(b->net, &targets, SAMPLES, 1, 1, 0, &stats);
        size_t params = net_param_count(b->net);
        grads[looked] = mem_zalloc(params, sizeof(float));
        memcpy(grads[looked], net_grads(b->net), params * sizeof(float));
        if (looked) {
            assert_memory_equal(grads[0], grads[1], params * sizeof(float));
        }
        bench_free(b);
    }
    free(grads[0]);
    free(grads[1]);
}

/* ---- events and their log ---- */

static void an_event_has_what_was_seen(void **state) {
    (void)state;
    const struct optimizer_spec sgd = {.kind = OPTIMIZER_SGD, .lr = 0.5};
    struct bench *b = bench_new(layers, LAYERS, input, &sgd);
    look_take(&b->look, SAMPLES, 16, load, b);
    struct buf line = {0};
    look_print(&line, shown(b, TANH), 7);
    struct json_doc *doc = NULL;
    struct err err;
    assert_int_equal(json_parse(&doc, "event", line.data, line.len, JSON_STRICT, &err), ERR_OK);
    const struct cJSON *event = json_root(doc);
    const struct look_layer *layer = shown(b, TANH);
    assert_true(json_is_string(json_get(event, "event"), "layers"));
    assert_true(json_is_string(json_get(event, "layer"), "5 tanh"));
    assert_true(json_number(json_get(event, "at_epoch")) == 7);
    assert_true(json_number(json_get(event, "index")) == 5);
    assert_true(json_number(json_get(event, "std")) == layer->output.std);
    assert_true(json_number(json_get(event, "saturated")) == layer->saturated);
    assert_true(json_number(json_get(event, "histogram_low")) == layer->output.low);
    assert_true(json_number(json_get(event, "gradient_high")) == layer->gradient.high);
    assert_int_equal(json_count(json_get(event, "histogram")), LOOK_BINS);
    assert_int_equal(json_count(json_get(event, "gradient_histogram")), LOOK_BINS);
    assert_null(json_get(event, "update_ratio")); // it has no weights
    json_free(doc);
    buf_release(&line);
    bench_free(b);
}

static void a_log_reads_back_what_it_printed(void **state) {
    (void)state;
    struct bench *b = bench_new(layers, LAYERS, input, NULL);
    net_params(b->net)[27] = INFINITY; // so that there are "inf" and "nan" among the numbers
    look_take(&b->look, SAMPLES, 16, load, b);
    struct look_log log = {0}, again = {0};
    struct buf text = {0}, second = {0}, line = {0};
    for (int epoch = 0; epoch <= 4; epoch += 2) {
        for (int i = 0; i < b->look.count; i++) {
            buf_clear(&line);
            look_print(&line, &b->look.layers[i], epoch);
            look_log_add(&log, epoch, buf_text(&line));
        }
    }
    look_log_print(&text, &log);
    struct err err;
    assert_int_equal(look_log_parse(&again, buf_text(&text), 4, &err), ERR_OK);
    assert_int_equal(again.count, 3 * b->look.count);
    assert_int_equal(again.lines[b->look.count].at_epoch, 2);
    look_log_print(&second, &again);
    assert_string_equal(buf_text(&second), buf_text(&text));
    look_log_release(&again);
    assert_int_equal(look_log_parse(&again, buf_text(&text), 3, &err), ERR_CORRUPT); // of epoch 4
    assert_int_equal(again.count, 0);
    look_log_release(&log);
    buf_release(&text);
    buf_release(&second);
    buf_release(&line);
    bench_free(b);
}

static void a_log_that_is_none_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "{}",
        "[1]",
        "[{}]",
        "[{\"event\": \"layers\"}]",
        "[{\"event\": \"layers\", \"at_epoch\": -1}]",
        "[{\"event\": \"checkpoint\", \"at_epoch\": 0}]",
        "[{\"event\": \"layers\", \"at_epoch\": 2}, {\"event\": \"layers\", \"at_epoch\": 1}]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct look_log log = {0};
        struct err err;
        if (look_log_parse(&log, bad[i], 9, &err) != ERR_CORRUPT || log.count != 0) {
            fail_msg("taken: %s", bad[i]);
        }
        look_log_release(&log);
    }
}

static void a_log_keeps_the_newest(void **state) {
    (void)state;
    enum { LINE = 1 << 10 };
    struct look_log log = {0};
    char *text = mem_zalloc(LINE + 1, 1);
    memset(text, 'x', LINE);
    const int all = LOOK_LOG_MAX / LINE + 100;
    for (int i = 0; i < all; i++) {
        look_log_add(&log, i, text);
    }
    assert_int_equal(log.bytes, LOOK_LOG_MAX);
    assert_int_equal(log.count, LOOK_LOG_MAX / LINE);
    assert_int_equal(log.lines[0].at_epoch, 100);
    assert_int_equal(log.lines[log.count - 1].at_epoch, all - 1);
    free(text);
    look_log_release(&log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_are_spread_as_those_of_the_reference),
        cmocka_unit_test(gradients_are_spread_as_those_of_the_reference),
        cmocka_unit_test(a_convolutions_gradient_sums_to_its_bias_gradient),
        cmocka_unit_test(what_only_hands_on_is_not_shown),
        cmocka_unit_test(what_is_not_finite_is_told_and_in_no_bin),
        cmocka_unit_test(a_layer_of_one_value_has_bins_around_it),
        cmocka_unit_test(dead_units_are_zero_for_every_sample_of_the_batch),
        cmocka_unit_test(flat_ends_are_where_the_slope_is_a_twentieth),
        cmocka_unit_test(the_update_ratio_is_that_of_the_step_not_taken),
        cmocka_unit_test(it_leaves_parameters_and_optimizer_as_they_are),
        cmocka_unit_test(the_next_step_of_a_training_has_the_same_bits_after_a_look),
        cmocka_unit_test(an_event_has_what_was_seen),
        cmocka_unit_test(a_log_reads_back_what_it_printed),
        cmocka_unit_test(a_log_that_is_none_is_refused),
        cmocka_unit_test(a_log_keeps_the_newest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
