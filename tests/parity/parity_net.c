/* tests/parity/parity_net.c - the modes of parity_driver about whole networks.
 *
 * A batch on stdin is  n (uint32), share (float32), x (n, C, H, W), labels (n bytes), others (n bytes);
 * a share of 1 makes the labels plain.  On stdout a result is  logits (n, classes), mean loss (float64).
 * Tensors come in the order of net_tensor(), parameters before buffers, in PyTorch's shapes. */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/parity/parity_io.h"
#include "trainer/kernels/kernels.h"
#include "trainer/net.h"
#include "trainer/optim.h"

#include <math.h>
#include <stdlib.h>

static struct net *make_net(const struct config *config, char **argv, size_t batch) {
    struct shape shape = {(int)parity_count(argv[1]), (int)parity_count(argv[2]),
                          (int)parity_count(argv[3])};
    int classes = (int)parity_count(argv[4]), count;
    struct layer_spec *layers;
    struct net *net;
    struct err err;
    config_layers(config, classes, &layers, &count);
    if (net_new(&net, layers, count, shape, classes, &config->loss, (int)batch, &err) != ERR_OK) {
        parity_fail(err.msg);
    }
    free(layers);
    net_init(net, config->seed);
    return net;
}

static void write_tensors(const struct net *net) {
    for (int i = 0; i < net_tensor_count(net); i++) {
        const struct net_tensor *tensor = net_tensor(net, i);
        parity_write(tensor->value, sizeof(float), tensor->len);
    }
}

void parity_tensors(const struct config *config, char **argv) {
    struct net *net = make_net(config, argv, 1);
    struct buf text = {0};
    for (int i = 0; i < net_tensor_count(net); i++) {
        const struct net_tensor *tensor = net_tensor(net, i);
        buf_printf(&text, "%s{\"name\": \"%s\", \"buffer\": %s, \"shape\": [", i == 0 ? "[" : ", ",
                   tensor->name, tensor->is_buffer ? "true" : "false");
        for (int d = 0; d < tensor->dim_count; d++) {
            buf_printf(&text, "%s%d", d == 0 ? "" : ", ", tensor->dims[d]);
        }
        buf_puts(&text, "]}");
    }
    buf_puts(&text, "]\n");
    parity_write(text.data, 1, text.len);
    write_tensors(net);
    buf_release(&text);
    net_free(net);
}

struct batch {
    uint32_t n;
    float share;
    float *x; // (most, features)
    uint8_t *labels, *others;
    size_t most, features, classes;
};

static void read_batch(struct batch *batch) {
    parity_read(&batch->n, sizeof batch->n, 1);
    parity_read(&batch->share, sizeof batch->share, 1);
    if (batch->n < 1 || batch->n > batch->most) {
        parity_fail("a batch is too large");
    }
    parity_read(batch->x, sizeof(float), batch->n * batch->features);
    parity_read(batch->labels, 1, batch->n);
    parity_read(batch->others, 1, batch->n);
}

static struct net_targets put_batch(struct net *net, const struct batch *batch) {
    int lanes = net_lanes((int)batch->n);
    float *input = net_input(net);
    for (size_t i = 0; i < batch->features; i++) {
        for (int n = 0; n < lanes; n++) {
            input[i * (size_t)lanes + (size_t)n] =
                n < (int)batch->n ? batch->x[(size_t)n * batch->features + i] : 0;
        }
    }
    const uint8_t *others = batch->share < 1 ? batch->others : NULL;
    return (struct net_targets){batch->labels, others, batch->share};
}

static void write_result(const struct net *net, const struct batch *batch,
                         const struct net_stats *stats) {
    size_t lanes = (size_t)net_lanes((int)batch->n);
    const float *logits = net_output(net);
    for (size_t n = 0; n < batch->n; n++) {
        for (size_t k = 0; k < batch->classes; k++) {
            parity_write(&logits[k * lanes + n], sizeof *logits, 1);
        }
    }
    double loss = stats->loss_sum / batch->n;
    parity_write(&loss, sizeof loss, 1);
}

static void evaluate_batch(struct net *net, const struct batch *batch) {
    struct net_targets targets = put_batch(net, batch);
    struct net_stats stats = {0};
    net_eval(net, &targets, (int)batch->n, &stats);
    write_result(net, batch, &stats);
}

/* As a training does it, with a constant rate. */
static void train_batch(struct net *net, struct optim *optim, const struct config *config,
                        const struct batch *batch, uint32_t step) {
    struct net_targets targets = put_batch(net, batch);
    struct net_stats stats = {0};
    net_train(net, &targets, (int)batch->n, config->seed, 1, step, &stats);
    write_result(net, batch, &stats);
    net_add_l2(net, config->l2);
    net_add_l1(net, config->l1);
    float *grads = net_grads(net);
    size_t params = net_param_count(net);
    if (step == 0) {
        parity_write(grads, sizeof *grads, params);
    }
    optim_clip(grads, params, sqrt(kernels_get()->sum_squares(grads, params)), config->clip_norm,
               config->clip_value);
    optim_step(optim, net_params(net), grads, config->optimizer.lr);
}

/* in:   tensors, STEPS batches
 * out:  the first batch evaluated; each batch's result in training, the first followed by the gradients of
 *       all parameters; the last batch evaluated; tensors */
void parity_train(const struct config *config, char **argv) {
    struct batch batch = {.most = parity_count(argv[5])};
    uint32_t steps = (uint32_t)parity_count(argv[6]);
    struct net *net = make_net(config, argv, batch.most);
    batch.features = parity_count(argv[1]) * parity_count(argv[2]) * parity_count(argv[3]);
    batch.classes = parity_count(argv[4]);
    batch.x = mem_zalloc(batch.most * batch.features, sizeof *batch.x);
    batch.labels = mem_zalloc(batch.most, 1);
    batch.others = mem_zalloc(batch.most, 1);
    struct optim optim;
    optim_init(&optim, &config->optimizer, net_param_count(net));
    for (int i = 0; i < net_tensor_count(net); i++) {
        parity_read(net_tensor(net, i)->value, sizeof(float), net_tensor(net, i)->len);
    }
    for (uint32_t step = 0; step < steps; step++) {
        read_batch(&batch);
        if (step == 0) {
            evaluate_batch(net, &batch);
        }
        train_batch(net, &optim, config, &batch, step);
    }
    evaluate_batch(net, &batch);
    write_tensors(net);
    optim_release(&optim);
    net_free(net);
    free(batch.x);
    free(batch.labels);
    free(batch.others);
}

/* The order of the images in an epoch of a training: uint32. */
void parity_order(const struct config *config, char **argv) {
    uint32_t count = (uint32_t)parity_count(argv[1]), epoch = (uint32_t)parity_count(argv[2]);
    uint32_t *order = mem_zalloc(count, sizeof *order);
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
    }
    struct rng rng;
    rng_init(&rng, config->seed, RNG_SHUFFLE, epoch, 0);
    rng_shuffle(&rng, order, count);
    parity_write(order, sizeof *order, count);
    free(order);
}
