/* trainer/layer_activation.c - the nonlinearities; their formulas are with the kernels.
 *
 * Most are elementwise without parameters; some of their derivatives need the input, some the output.
 * PReLU learns a slope a channel and needs its input.  Maxout takes k*c channels to c and needs to
 * know which piece won.
 *
 * Before a maxpool a rising activation is put off: of the values of a window only the largest is worth it. */
#include "base/err.h"
#include "trainer/kernels/kernels.h"
#include "trainer/layer.h"

enum { MAXOUT_PIECES_MAX = 256 }; // the winner is kept in a byte

/* ---- elementwise, without parameters ---- */

static int same_shape(const struct layer_spec *spec, struct shape in, struct shape *out,
                      struct err *err) {
    (void)spec; // any finite slope or alpha will do, and the reader of the config looks at those
    (void)err;
    *out = in;
    return ERR_OK;
}

bool layer_may_follow_maximum(const struct layer *layer) {
    const struct activation_spec *spec = &layer->spec.activation;
    if (layer->spec.kind != LAYER_ACTIVATION) {
        return false;
    }
    switch (spec->kind) {
    case ACTIVATION_SIGMOID:
    case ACTIVATION_TANH:
    case ACTIVATION_RELU:
    case ACTIVATION_RELU6:
    case ACTIVATION_SELU:
        return true;
    case ACTIVATION_LEAKY_RELU:
        return spec->negative_slope >= 0;
    case ACTIVATION_ELU:
        return spec->alpha >= 0;
    default:
        return false;
    }
}

static const float *elementwise_forward(struct layer *layer, const float *x,
                                        const struct pass *pass) {
    if (layer->put_off && !pass->whole) {
        return x;
    }
    layer->x = x;
    pass->kernels->activation_forward(layer->y, x, shape_len(layer->out) * (size_t)pass->N,
                                      &layer->spec.activation);
    return layer->y;
}

static float *elementwise_backward(struct layer *layer, float *dy, float *dx,
                                   const struct pass *pass) {
    (void)dx; // in place: half the memory to go through
    if (layer->put_off && !pass->whole) {
        return dy;
    }
    pass->kernels->activation_backward(dy, dy, layer->x, layer->y,
                                       shape_len(layer->out) * (size_t)pass->N,
                                       &layer->spec.activation);
    return dy;
}

const struct layer_ops layer_elementwise_ops = {
    .shape = same_shape,
    .forward = elementwise_forward,
    .backward = elementwise_backward,
};

/* ---- prelu ---- */

/* H*W*N, the values of a channel. */
static size_t channel_len(struct shape shape, int N) {
    return (size_t)shape.H * (size_t)shape.W * (size_t)N;
}

static int prelu_tensors(const struct layer_spec *spec, struct shape in,
                         struct net_tensor tensors[LAYER_TENSOR_MAX]) {
    (void)spec;
    tensors[0] = (struct net_tensor){.name = "weight", .dims = {in.C}, .dim_count = 1};
    return 1;
}

static void prelu_init(const struct layer *layer, struct rng *rng) {
    (void)rng; // the start is a constant
    const struct net_tensor *slope = layer->tensors[0];
    for (size_t i = 0; i < slope->len; i++) {
        slope->value[i] = layer->spec.activation.init;
    }
}

static const float *prelu_forward(struct layer *layer, const float *x, const struct pass *pass) {
    layer->x = x;
    pass->kernels->prelu_forward(layer->y, x, layer->tensors[0]->value, layer->in.C,
                                 channel_len(layer->in, pass->N));
    return layer->y;
}

static float *prelu_backward(struct layer *layer, float *dy, float *dx, const struct pass *pass) {
    (void)dx; // in place
    pass->kernels->prelu_backward(dy, layer->tensors[0]->grad, dy, layer->x,
                                  layer->tensors[0]->value, layer->in.C,
                                  channel_len(layer->in, pass->N));
    return dy;
}

const struct layer_ops layer_prelu_ops = {
    .shape = same_shape,
    .tensors = prelu_tensors,
    .init = prelu_init,
    .forward = prelu_forward,
    .backward = prelu_backward,
};

/* ---- maxout ---- */

static int maxout_shape(const struct layer_spec *spec, struct shape in, struct shape *out,
                        struct err *err) {
    const int pieces = spec->activation.pieces;
    if (pieces < 2 || pieces > MAXOUT_PIECES_MAX) {
        return err_set(err, ERR_RANGE, "pieces must be from 2 to %d, not %d", MAXOUT_PIECES_MAX,
                       pieces);
    }
    if (in.C % pieces != 0) {
        return err_set(err, ERR_RANGE, "the %d channels of the input are no multiple of %d pieces",
                       in.C, pieces);
    }
    *out = (struct shape){in.C / pieces, in.H, in.W};
    return ERR_OK;
}

static size_t maxout_state(const struct layer *layer, int N) {
    return shape_len(layer->out) * (size_t)N;
}

static const float *maxout_forward(struct layer *layer, const float *x, const struct pass *pass) {
    pass->kernels->maxout_forward(layer->y, layer->state, x, layer->out.C,
                                  layer->spec.activation.pieces, channel_len(layer->out, pass->N));
    return layer->y;
}

static float *maxout_backward(struct layer *layer, float *dy, float *dx, const struct pass *pass) {
    pass->kernels->maxout_backward(dx, dy, layer->state, layer->out.C,
                                   layer->spec.activation.pieces, channel_len(layer->out, pass->N));
    return dx;
}

const struct layer_ops layer_maxout_ops = {
    .shape = maxout_shape,
    .state_len = maxout_state,
    .forward = maxout_forward,
    .backward = maxout_backward,
};
