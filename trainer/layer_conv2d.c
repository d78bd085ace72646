/* trainer/layer_conv2d.c - convolution with square filters, by the direct kernels. */
#include "base/err.h"
#include "trainer/init.h"
#include "trainer/kernels/kernels.h"
#include "trainer/layer.h"

#include <limits.h>

static int conv2d_shape(const struct layer_spec *spec, struct shape in, struct shape *out,
                        struct err *err) {
    if (spec->channels < 1 || spec->kernel < 1 || spec->stride < 1) {
        return err_set(err, ERR_RANGE,
                       "channels %d, kernel %d and stride %d must each be at least 1",
                       spec->channels, spec->kernel, spec->stride);
    }
    // More padding than that adds outputs which see no pixel at all.
    if (spec->padding < 0 || spec->padding >= spec->kernel) {
        return err_set(err, ERR_RANGE, "padding %d must be at least 0 and below the kernel, %d",
                       spec->padding, spec->kernel);
    }
    int64_t height = (int64_t)in.H + 2 * (int64_t)spec->padding;
    int64_t width = (int64_t)in.W + 2 * (int64_t)spec->padding;
    if (spec->kernel > height || spec->kernel > width || height > INT_MAX || width > INT_MAX) {
        return err_set(err, ERR_RANGE,
                       "a %dx%d kernel does not fit into the input (%d, %d, %d) with padding %d",
                       spec->kernel, spec->kernel, in.C, in.H, in.W, spec->padding);
    }
    *out = (struct shape){spec->channels, (int)((height - spec->kernel) / spec->stride + 1),
                          (int)((width - spec->kernel) / spec->stride + 1)};
    return ERR_OK;
}

static int conv2d_tensors(const struct layer_spec *spec, struct shape in,
                          struct net_tensor tensors[LAYER_TENSOR_MAX]) {
    tensors[0] = (struct net_tensor){.name = "weight",
                                     .dims = {spec->channels, in.C, spec->kernel, spec->kernel},
                                     .dim_count = 4,
                                     .decays = true};
    tensors[1] = (struct net_tensor){.name = "bias", .dims = {spec->channels}, .dim_count = 1};
    return 2;
}

static void conv2d_init(const struct layer *layer, struct rng *rng) {
    const struct net_tensor *w = layer->tensors[0];
    const struct net_tensor *b = layer->tensors[1];
    const int area = layer->spec.kernel * layer->spec.kernel, fan_in = layer->in.C * area;
    init_fill(w->value, w->len, &layer->spec.init, fan_in, layer->out.C * area, rng);
    init_fill_bias(b->value, b->len, &layer->spec.init, fan_in, rng);
}

static struct conv2d_shape geometry(const struct layer *layer, int N) {
    return (struct conv2d_shape){
        .N = N,
        .C = layer->in.C,
        .H = layer->in.H,
        .W = layer->in.W,
        .K = layer->out.C,
        .R = layer->spec.kernel,
        .S = layer->spec.kernel,
        .stride = layer->spec.stride,
        .pad = layer->spec.padding,
        .P = layer->out.H,
        .Q = layer->out.W,
    };
}

static size_t conv2d_scratch(const struct layer *layer, int N) {
    struct conv2d_shape shape = geometry(layer, N);
    return conv2d_scratch_len(&shape);
}

static const float *conv2d_forward(struct layer *layer, const float *x, const struct pass *pass) {
    struct conv2d_shape shape = geometry(layer, pass->N);
    layer->x = x;
    pass->kernels->conv2d_forward(layer->y, x, layer->tensors[0]->value, layer->tensors[1]->value,
                                  pass->scratch, &shape);
    return layer->y;
}

static float *conv2d_backward(struct layer *layer, float *dy, float *dx, const struct pass *pass) {
    struct conv2d_shape shape = geometry(layer, pass->N);
    pass->kernels->conv2d_backward_weight(layer->tensors[0]->grad, layer->tensors[1]->grad, dy,
                                          layer->x, pass->scratch, &shape);
    if (layer->needs_dx) {
        pass->kernels->conv2d_backward_data(dx, dy, layer->tensors[0]->value, pass->scratch,
                                            &shape);
    }
    return dx;
}

const struct layer_ops layer_conv2d_ops = {
    .shape = conv2d_shape,
    .tensors = conv2d_tensors,
    .init = conv2d_init,
    .scratch_len = conv2d_scratch,
    .forward = conv2d_forward,
    .backward = conv2d_backward,
};
