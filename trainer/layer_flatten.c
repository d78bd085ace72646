/* trainer/layer_flatten.c - (C, H, W) -> (C*H*W, 1, 1).  The batch is innermost, so that memory
 * does not change and the layer costs nothing. */
#include "base/err.h"
#include "trainer/layer.h"

#include <limits.h>

static int flatten_shape(const struct layer_spec *spec, struct shape in, struct shape *out,
                         struct err *err) {
    (void)spec; // has no fields of its own
    size_t len = shape_len(in);
    if (len > INT_MAX) {
        return err_set(err, ERR_RANGE, "the input (%d, %d, %d) has too many values", in.C, in.H,
                       in.W);
    }
    *out = (struct shape){(int)len, 1, 1};
    return ERR_OK;
}

static const float *flatten_forward(struct layer *layer, const float *x, const struct pass *pass) {
    (void)layer;
    (void)pass;
    return x;
}

static float *flatten_backward(struct layer *layer, float *dy, float *dx, const struct pass *pass) {
    (void)layer;
    (void)dx;
    (void)pass;
    return dy;
}

const struct layer_ops layer_flatten_ops = {
    .passes = true,
    .shape = flatten_shape,
    .forward = flatten_forward,
    .backward = flatten_backward,
};
