/* trainer/layer_pool.c - maximum and mean over square windows, without padding; mean over all.
 *
 * max(f(a), f(b)) = f(max(a, b)) for an activation f that rises: the maximum is taken first, and f, and its
 * derivative, of a quarter of the values.  The same numbers go on, and the gradient to the same pixels, but where f
 * rounds two values to one: then the larger has it, not the first. */
#include "base/err.h"
#include "trainer/kernels/kernels.h"
#include "trainer/layer.h"

enum { MAXPOOL_KERNEL_MAX = 16 }; // the place of the maximum is kept in a byte

static int pool_shape(const struct layer_spec *spec, struct shape in, struct shape *out,
                      struct err *err) {
    if (spec->kernel < 1 || spec->stride < 1) {
        return err_set(err, ERR_RANGE, "kernel %d and stride %d must each be at least 1",
                       spec->kernel, spec->stride);
    }
    if (spec->kernel > in.H || spec->kernel > in.W) {
        return err_set(err, ERR_RANGE, "a %dx%d kernel does not fit into the input (%d, %d, %d)",
                       spec->kernel, spec->kernel, in.C, in.H, in.W);
    }
    *out = (struct shape){in.C, (in.H - spec->kernel) / spec->stride + 1,
                          (in.W - spec->kernel) / spec->stride + 1};
    return ERR_OK;
}

static int maxpool_shape(const struct layer_spec *spec, struct shape in, struct shape *out,
                         struct err *err) {
    if (spec->kernel > MAXPOOL_KERNEL_MAX) {
        return err_set(err, ERR_RANGE, "kernel %d is above the largest possible, %d", spec->kernel,
                       MAXPOOL_KERNEL_MAX);
    }
    return pool_shape(spec, in, out, err);
}

static struct pool_shape geometry(const struct layer *layer, int N) {
    return (struct pool_shape){
        .N = N,
        .C = layer->in.C,
        .H = layer->in.H,
        .W = layer->in.W,
        .kernel = layer->spec.kernel,
        .stride = layer->spec.stride,
        .P = layer->out.H,
        .Q = layer->out.W,
    };
}

static size_t y_len(const struct layer *layer, int N) {
    return shape_len(layer->out) * (size_t)N;
}

/* A byte for each value of y. */
static size_t maxpool_state(const struct layer *layer, int N) {
    return y_len(layer, N);
}

static const float *maxpool_forward(struct layer *layer, const float *x, const struct pass *pass) {
    struct pool_shape shape = geometry(layer, pass->N);
    pass->kernels->maxpool_forward(layer->y, pass->learns ? layer->state : NULL, x, &shape);
    if (layer->late != NULL && !pass->whole) {
        pass->kernels->activation_forward(layer->y, layer->y, y_len(layer, pass->N), layer->late);
    }
    return layer->y;
}

static float *maxpool_backward(struct layer *layer, float *dy, float *dx, const struct pass *pass) {
    struct pool_shape shape = geometry(layer, pass->N);
    if (layer->late != NULL && !pass->whole) {
        pass->kernels->activation_backward(dy, dy, NULL, layer->y, y_len(layer, pass->N),
                                           layer->late);
    }
    pass->kernels->maxpool_backward(dx, dy, layer->state, &shape);
    return dx;
}

static const float *avgpool_forward(struct layer *layer, const float *x, const struct pass *pass) {
    struct pool_shape shape = geometry(layer, pass->N);
    pass->kernels->avgpool_forward(layer->y, x, &shape);
    return layer->y;
}

static float *avgpool_backward(struct layer *layer, float *dy, float *dx, const struct pass *pass) {
    struct pool_shape shape = geometry(layer, pass->N);
    pass->kernels->avgpool_backward(dx, dy, &shape);
    return dx;
}

const struct layer_ops layer_maxpool_ops = {
    .shape = maxpool_shape,
    .state_len = maxpool_state,
    .forward = maxpool_forward,
    .backward = maxpool_backward,
};

const struct layer_ops layer_avgpool_ops = {
    .shape = pool_shape,
    .forward = avgpool_forward,
    .backward = avgpool_backward,
};

/* ---- the whole of a channel ---- */

static int global_shape(const struct layer_spec *spec, struct shape in, struct shape *out,
                        struct err *err) {
    (void)spec; // has no fields of its own, and nothing can be wrong
    (void)err;
    *out = (struct shape){in.C, 1, 1};
    return ERR_OK;
}

static const float *global_forward(struct layer *layer, const float *x, const struct pass *pass) {
    pass->kernels->globalavgpool_forward(layer->y, x, layer->in.C,
                                         (size_t)layer->in.H * (size_t)layer->in.W, pass->N);
    return layer->y;
}

static float *global_backward(struct layer *layer, float *dy, float *dx, const struct pass *pass) {
    pass->kernels->globalavgpool_backward(dx, dy, layer->in.C,
                                          (size_t)layer->in.H * (size_t)layer->in.W, pass->N);
    return dx;
}

const struct layer_ops layer_globalavgpool_ops = {
    .shape = global_shape,
    .forward = global_forward,
    .backward = global_backward,
};
