/* trainer/layer_dropout.c - zeroes each value with probability p while training, and scales the
 * rest by 1 / (1 - p), so that evaluation is the identity (Srivastava et al. 2014, inverted form).
 *
 * The random number of element i of (C, H, W, N) is number i of the stream (seed, RNG_DROPOUT +
 * (layer << 8), epoch, step).  They are kept for the backward pass: drawing them twice costs
 * more. */
#include "base/err.h"
#include "base/rng.h"
#include "trainer/kernels/kernels.h"
#include "trainer/layer.h"

static int dropout_shape(const struct layer_spec *spec, struct shape in, struct shape *out,
                         struct err *err) {
    if (!(spec->p >= 0.0f && spec->p < 1.0f)) {
        return err_set(err, ERR_RANGE, "p must be at least 0 and below 1, not %g", (double)spec->p);
    }
    *out = in;
    return ERR_OK;
}

static size_t dropout_state(const struct layer *layer, int N) {
    return shape_len(layer->out) * (size_t)N * sizeof(uint32_t);
}

/* len is a multiple of 4, being one of NET_LANES. */
static void draw(uint32_t *random, size_t len, const struct layer *layer, const struct pass *pass) {
    struct rng rng;
    rng_init(&rng, pass->seed, RNG_DROPOUT + ((uint32_t)layer->index << 8), pass->epoch,
             pass->step);
    rng_fill(&rng, random, len);
}

static bool idle(const struct layer *layer, const struct pass *pass) {
    return !pass->train || layer->spec.p == 0.0f;
}

static const float *dropout_forward(struct layer *layer, const float *x, const struct pass *pass) {
    if (idle(layer, pass)) {
        return x;
    }
    const size_t len = shape_len(layer->out) * (size_t)pass->N;
    draw(layer->state, len, layer, pass);
    pass->kernels->dropout(layer->y, x, layer->state, layer->spec.p, len);
    return layer->y;
}

static float *dropout_backward(struct layer *layer, float *dy, float *dx, const struct pass *pass) {
    if (idle(layer, pass)) {
        return dy;
    }
    // The same mask and scale, applied to the gradient.
    pass->kernels->dropout(dx, dy, layer->state, layer->spec.p,
                           shape_len(layer->out) * (size_t)pass->N);
    return dx;
}

const struct layer_ops layer_dropout_ops = {
    .shape = dropout_shape,
    .state_len = dropout_state,
    .forward = dropout_forward,
    .backward = dropout_backward,
};
