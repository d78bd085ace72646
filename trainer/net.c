/* trainer/net.c - the network's memory and the walk through its layers.
 *
 *     input --> layer 0 --> layer 1 --> ... --> logits --> loss
 *                  ^           ^                   |
 *                  +-----------+---- dy, dx -------+
 *
 * Every layer has a y of its own, because backward passes read it.  Gradients of activations are
 * dead once the layer below has used them, so two blocks that change roles will do: dy is in one,
 * dx goes to the other. */
#include "trainer/net.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "trainer/kernels/kernels.h"
#include "trainer/layer.h"
#include "trainer/net_shape.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct net {
    const struct kernels *kernels;
    struct loss_spec loss;
    int classes, batch_max;
    int layer_count, tensor_count;
    size_t param_count, buffer_count;
    struct layer *layers;       // (layer_count)
    struct net_tensor *tensors; // (tensor_count)
    float *params, *grads;      // (param_count) each
    float *buffers;             // (buffer_count)
    float *activations;         // the input, every y, every state, then the two of `gradient`
    float *input;               // into activations
    float *gradient[2];         // into activations
    float *scratch;
    const float *output; // (classes, N): the logits of the last forward pass; NULL before
};

int net_lanes(int n) {
    return (n + NET_LANES - 1) / NET_LANES * NET_LANES;
}

/* ---- life ---- */

/* Gives the parameters of a layer, or its buffers, their names and their places in the blocks, the
 * next at *offset. */
static void place_tensors(struct net *net, struct layer *layer, bool buffers, size_t *offset) {
    struct net_tensor made[LAYER_TENSOR_MAX];
    int count = layer->ops->tensors ? layer->ops->tensors(&layer->spec, layer->in, made) : 0;
    for (int i = 0; i < count; i++) {
        if (made[i].is_buffer != buffers) {
            continue;
        }
        struct net_tensor *tensor = &net->tensors[net->tensor_count++];
        *tensor = made[i];
        (void)snprintf(tensor->name, sizeof tensor->name, "%.*s.%.14s", LAYER_NAME_MAX, layer->name,
                       made[i].name); // fits
        tensor->len = 1;
        for (int d = 0; d < tensor->dim_count; d++) {
            tensor->len *= (size_t)tensor->dims[d];
        }
        tensor->value = (buffers ? net->buffers : net->params) + *offset;
        tensor->grad = buffers ? NULL : net->grads + *offset;
        *offset += tensor->len;
        layer->tensors[i] = tensor;
    }
}

/* Cuts the block of activations: pieces are multiples of a cache line. */
static void place_activations(struct net *net, struct shape input, size_t gradient, int N) {
    float *at = net->activations;
    net->input = at;
    at += net_padded(shape_len(input) * (size_t)N);
    for (int i = 0; i < net->layer_count; i++) {
        struct layer *layer = &net->layers[i];
        if (!layer->ops->passes) {
            layer->y = at;
            at += net_padded(shape_len(layer->out) * (size_t)N);
        }
        if (layer->ops->state_len) {
            layer->state = at;
            at += net_state_floats(layer->ops->state_len(layer, N));
        }
    }
    net->gradient[0] = at;
    net->gradient[1] = at + gradient;
}

static void allocate(struct net *net, struct shape input, const struct net_size *size) {
    net->tensors = mem_zalloc((size_t)size->tensors, sizeof *net->tensors);
    net->params = mem_aligned(size->params, sizeof(float));
    net->grads = mem_aligned(size->params, sizeof(float));
    net->buffers = mem_aligned(size->buffers + 1, sizeof(float)); // + 1: never of no size
    net->activations =
        mem_aligned(size->activations + size->state + 2 * size->gradient, sizeof(float));
    net->scratch = mem_aligned(size->scratch + 1, sizeof(float)); // likewise
    net->param_count = size->params;
    net->buffer_count = size->buffers;

    size_t params = 0, buffers = 0;
    for (int i = 0; i < net->layer_count; i++) {
        place_tensors(net, &net->layers[i], false, &params);
    }
    for (int i = 0; i < net->layer_count; i++) {
        place_tensors(net, &net->layers[i], true, &buffers);
    }
    assert(params == size->params && buffers == size->buffers);
    assert(net->tensor_count == size->tensors);
    place_activations(net, input, size->gradient, net_lanes(net->batch_max));
}

/* Lets every maximum go before the activation that it follows, where it makes no difference. */
static void put_activations_off(struct net *net) {
    for (int i = 0; i + 1 < net->layer_count; i++) {
        struct layer *layer = &net->layers[i], *next = layer + 1;
        if (next->spec.kind == LAYER_MAXPOOL && layer_may_follow_maximum(layer)) {
            layer->put_off = true;
            next->late = &layer->spec.activation;
        }
    }
}

int net_new(struct net **net, const struct layer_spec *layers, int count, struct shape input,
            int classes, const struct loss_spec *loss, int batch_max, struct err *err) {
    struct net_size size;
    struct layer made[NET_LAYER_MAX];
    int rc = net_measure(made, layers, count, input, classes, batch_max, &size, err);
    if (rc < 0) {
        return rc;
    }
    struct net *n = mem_zalloc(1, sizeof *n);
    n->kernels = kernels_get();
    n->loss = loss ? *loss : (struct loss_spec){.kind = LOSS_CROSS_ENTROPY};
    n->classes = classes;
    n->batch_max = batch_max;
    n->layer_count = count;
    n->layers = mem_zalloc((size_t)count, sizeof *n->layers);
    memcpy(n->layers, made, (size_t)count * sizeof *made);
    allocate(n, input, &size);
    put_activations_off(n);
    *net = n;
    return ERR_OK;
}

void net_free(struct net *net) {
    if (!net) {
        return;
    }
    free(net->layers);
    free(net->tensors);
    free(net->params);
    free(net->grads);
    free(net->buffers);
    free(net->activations);
    free(net->scratch);
    free(net);
}

void net_init(struct net *net, uint64_t seed) {
    memset(net->params, 0, net->param_count * sizeof(float));
    memset(net->buffers, 0, net->buffer_count * sizeof(float));
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *layer = &net->layers[i];
        if (layer->ops->init) {
            struct rng rng;
            rng_init(&rng, seed, RNG_INIT, 0, (uint32_t)(layer->tensors[0] - net->tensors));
            layer->ops->init(layer, &rng);
        }
    }
}

/* ---- parts ---- */

int net_tensor_count(const struct net *net) {
    return net->tensor_count;
}

const struct net_tensor *net_tensor(const struct net *net, int index) {
    assert(index >= 0 && index < net->tensor_count);
    return &net->tensors[index];
}

size_t net_param_count(const struct net *net) {
    return net->param_count;
}

float *net_params(struct net *net) {
    return net->params;
}

float *net_grads(struct net *net) {
    return net->grads;
}

float *net_input(struct net *net) {
    return net->input;
}

const float *net_output(const struct net *net) {
    return net->output;
}

/* ---- passes ---- */

static void forward(struct net *net, const struct pass *pass) {
    const float *at = net->input;
    for (int i = 0; i < net->layer_count; i++) {
        const float *x = at;
        at = net->layers[i].ops->forward(&net->layers[i], x, pass);
        if (pass->look) {
            pass->look(pass->look_context, &(struct net_sight){.layer = i, .x = x, .y = at});
        }
    }
    net->output = at;
}

/* The gradient of the logits is in net->gradient[0]. */
static void backward(struct net *net, const struct pass *pass) {
    float *dy = net->gradient[0], *dx = net->gradient[1];
    for (int i = net->layer_count - 1; i >= 0; i--) {
        struct layer *layer = &net->layers[i];
        if (pass->look) {
            pass->look(pass->look_context,
                       &(struct net_sight){.layer = i, .y = layer->y, .dy = dy});
        }
        float *result = layer->ops->backward(layer, dy, dx, pass);
        if (!layer->needs_dx) {
            return; // nothing below learns
        }
        if (result == dx) {
            dx = dy;
            dy = result;
        }
    }
}

/* The loss of the last forward pass; its gradient goes to `dlogits`, unless that is NULL. */
static void take_loss(struct net *net, const struct net_targets *targets, const struct pass *pass,
                      float *dlogits, struct net_stats *stats) {
    const struct loss_batch batch = {
        .logits = net->output,
        .dlogits = dlogits,
        .labels = targets->labels,
        .others = targets->others,
        .share = targets->share,
        .smoothing = (float)net->loss.label_smoothing,
        .classes = net->classes,
        .N = pass->N,
        .n = pass->n,
    };
    if (net->loss.kind == LOSS_MSE) {
        net->kernels->squared_error(&batch, &stats->loss_sum, &stats->correct);
    } else {
        net->kernels->softmax_xent(&batch, &stats->loss_sum, &stats->correct);
    }
    stats->samples += pass->n;
}

void net_train(struct net *net, const struct net_targets *targets, int n, uint64_t seed,
               uint32_t epoch, uint32_t step, struct net_stats *stats) {
    assert(n >= 1 && n <= net->batch_max);
    const struct pass pass = {.kernels = net->kernels,
                              .n = n,
                              .N = net_lanes(n),
                              .train = true,
                              .learns = true,
                              .by_batch = true,
                              .seed = seed,
                              .epoch = epoch,
                              .step = step,
                              .scratch = net->scratch};
    forward(net, &pass);
    take_loss(net, targets, &pass, net->gradient[0], stats);
    backward(net, &pass);
}

void net_forward(struct net *net, int n) {
    assert(n >= 1 && n <= net->batch_max);
    const struct pass pass = {.kernels = net->kernels,
                              .n = n,
                              .N = net_lanes(n),
                              .by_batch = true,
                              .whole = true,
                              .scratch = net->scratch};
    forward(net, &pass);
}

void net_eval(struct net *net, const struct net_targets *targets, int n, struct net_stats *stats) {
    assert(n >= 1 && n <= net->batch_max);
    const struct pass pass = {
        .kernels = net->kernels, .n = n, .N = net_lanes(n), .scratch = net->scratch};
    forward(net, &pass);
    take_loss(net, targets, &pass, NULL, stats);
}

/* ---- looking inside ---- */

int net_layer_count(const struct net *net) {
    return net->layer_count;
}

struct net_layer net_layer(const struct net *net, int index) {
    assert(index >= 0 && index < net->layer_count);
    const struct layer *layer = &net->layers[index];
    const struct net_tensor *first = layer->tensors[0];
    return (struct net_layer){.name = layer->name,
                              .spec = &layer->spec,
                              .out = layer->out,
                              .hands_on = layer->ops->passes || layer->spec.kind == LAYER_DROPOUT,
                              .weight = first && !first->is_buffer ? first : NULL,
                              .y = layer->y};
}

void net_look(struct net *net, const struct net_targets *targets, int n, net_look_fn *look,
              void *context, struct net_stats *stats) {
    assert(n >= 1 && n <= net->batch_max);
    const struct pass pass = {.kernels = net->kernels,
                              .n = n,
                              .N = net_lanes(n),
                              .by_batch = true,
                              .whole = true,
                              .learns = true,
                              .scratch = net->scratch,
                              .look = look,
                              .look_context = context};
    forward(net, &pass);
    take_loss(net, targets, &pass, net->gradient[0], stats);
    backward(net, &pass);
}

void net_add_l2(struct net *net, double l2) {
    for (int i = 0; i < net->tensor_count; i++) {
        const struct net_tensor *tensor = &net->tensors[i];
        if (tensor->decays) {
            net->kernels->axpy(tensor->grad, tensor->value, (float)(2.0 * l2), tensor->len);
        }
    }
}

void net_add_l1(struct net *net, double l1) {
    for (int i = 0; i < net->tensor_count; i++) {
        const struct net_tensor *tensor = &net->tensors[i];
        if (tensor->decays) {
            net->kernels->add_sign(tensor->grad, tensor->value, (float)l1, tensor->len);
        }
    }
}
