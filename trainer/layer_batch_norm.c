/* trainer/layer_batch_norm.c - batch normalization (Ioffe, Szegedy 2015), PyTorch's BatchNorm1d and
 * BatchNorm2d.
 *
 *     training    mean and variance of the batch, a channel; the running statistics r move towards
 *                 them: r = (1 - momentum) r + momentum r', the variance there divided by m - 1
 *     evaluation  the running statistics
 *     y = weight (x - mean) / sqrt(var + eps) + bias
 *
 * for the m = H W n values of a channel.  With m = 1 there is no spread: y is the bias, no gradient
 * goes further, and the running statistics stay as they are.  (PyTorch refuses such a batch.  Here the
 * check refuses only a training that has no other; it can be the last batch of an epoch.) */
#include "base/err.h"
#include "trainer/kernels/kernels.h"
#include "trainer/layer.h"

#include <assert.h>
#include <math.h>

enum { WEIGHT, BIAS, RUNNING_MEAN, RUNNING_VAR };

static int batch_norm_shape(const struct layer_spec *spec, struct shape in, struct shape *out,
                            struct err *err) {
    if (!(spec->eps > 0.0 && isfinite(spec->eps))) {
        return err_set(err, ERR_RANGE, "eps must be above 0, not %g", spec->eps);
    }
    if (!(spec->momentum >= 0.0 && spec->momentum <= 1.0)) {
        return err_set(err, ERR_RANGE, "momentum must be from 0 to 1, not %g", spec->momentum);
    }
    *out = in;
    return ERR_OK;
}

static int batch_norm_tensors(const struct layer_spec *spec, struct shape in,
                              struct net_tensor tensors[LAYER_TENSOR_MAX]) {
    (void)spec;
    tensors[WEIGHT] = (struct net_tensor){.name = "weight", .dims = {in.C}, .dim_count = 1};
    tensors[BIAS] = (struct net_tensor){.name = "bias", .dims = {in.C}, .dim_count = 1};
    tensors[RUNNING_MEAN] = (struct net_tensor){
        .name = "running_mean", .dims = {in.C}, .dim_count = 1, .is_buffer = true};
    tensors[RUNNING_VAR] = (struct net_tensor){
        .name = "running_var", .dims = {in.C}, .dim_count = 1, .is_buffer = true};
    return RUNNING_VAR + 1;
}

static void batch_norm_init(const struct layer *layer, struct rng *rng) {
    (void)rng; // the start is a constant
    for (int c = 0; c < layer->in.C; c++) {
        layer->tensors[WEIGHT]->value[c] = 1.0f;
        layer->tensors[RUNNING_VAR]->value[c] = 1.0f;
    }
}

/* The state: mean (C), then invstd (C). */
static size_t batch_norm_state(const struct layer *layer, int N) {
    (void)N;
    return 2 * (size_t)layer->in.C * sizeof(double);
}

static struct norm_shape geometry(const struct layer *layer, const struct pass *pass,
                                  int channels) {
    return (struct norm_shape){.C = channels,
                               .pixels = (size_t)layer->in.H * (size_t)layer->in.W,
                               .N = pass->N,
                               .n = pass->n};
}

/* Moves the running statistics of a channel towards those of a batch with m values of it. */
static void update_running(const struct layer *layer, int c, double mean, double var, double m) {
    float *running_mean = layer->tensors[RUNNING_MEAN]->value + c;
    float *running_var = layer->tensors[RUNNING_VAR]->value + c;
    const double momentum = layer->spec.momentum;
    if (m > 1.0) {
        const double unbiased = var * (m / (m - 1.0));
        *running_mean = (float)((1.0 - momentum) * (double)*running_mean + momentum * mean);
        *running_var = (float)((1.0 - momentum) * (double)*running_var + momentum * unbiased);
    }
}

/* Channel by channel, so that each is in a cache when it is read again. */
static const float *batch_norm_forward(struct layer *layer, const float *x,
                                       const struct pass *pass) {
    const struct norm_shape channel = geometry(layer, pass, 1);
    const size_t len = channel.pixels * (size_t)channel.N;
    double *mean = layer->state, *invstd = mean + layer->in.C;
    layer->x = x;
    for (int c = 0; c < layer->in.C; c++) {
        const size_t at = (size_t)c * len;
        double var = (double)layer->tensors[RUNNING_VAR]->value[c];
        mean[c] = (double)layer->tensors[RUNNING_MEAN]->value[c];
        if (pass->by_batch) {
            pass->kernels->batch_norm_moments(&mean[c], &var, x + at, &channel);
        }
        if (pass->train) {
            update_running(layer, c, mean[c], var, (double)channel.pixels * channel.n);
        }
        invstd[c] = 1.0 / sqrt(var + layer->spec.eps);
        pass->kernels->batch_norm_forward(layer->y + at, x + at, &mean[c], &invstd[c],
                                          &layer->tensors[WEIGHT]->value[c],
                                          &layer->tensors[BIAS]->value[c], &channel);
    }
    return layer->y;
}

static float *batch_norm_backward(struct layer *layer, float *dy, float *dx,
                                  const struct pass *pass) {
    assert(pass->by_batch); // with the running ones the gradient would be another
    const struct norm_shape shape = geometry(layer, pass, layer->in.C);
    const double *mean = layer->state, *invstd = mean + shape.C;
    (void)dx; // in place
    pass->kernels->batch_norm_backward(layer->needs_dx ? dy : NULL, layer->tensors[WEIGHT]->grad,
                                       layer->tensors[BIAS]->grad, dy, layer->x, mean, invstd,
                                       layer->tensors[WEIGHT]->value, &shape);
    return dy;
}

const struct layer_ops layer_batch_norm_ops = {
    .shape = batch_norm_shape,
    .tensors = batch_norm_tensors,
    .init = batch_norm_init,
    .state_len = batch_norm_state,
    .forward = batch_norm_forward,
    .backward = batch_norm_backward,
};
