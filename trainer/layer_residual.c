/* trainer/layer_residual.c - y = body(x) + shortcut(x) (He et al. 2015).
 *
 * In the list of layers a block lies flat, between three marks of its own:
 *
 *     residual, body ..., shortcut, layers of the shortcut ..., join
 *
 *     forward     residual hands x on to the body; shortcut keeps the body's result h and hands on
 *                 the x of residual; join gets s and gives h + s
 *     backward    join keeps dy and hands it on to the shortcut's layers; shortcut keeps what they
 *                 make of it, the gradient of x by that way, and hands the kept dy on to the body;
 *                 residual adds the gradients of both ways
 *
 * so that the walk over the layers stays a line.  Without layers the shortcut is the identity: dy
 * itself is then the gradient of x by that way, and is kept once. */
#include "base/err.h"
#include "trainer/kernels/kernels.h"
#include "trainer/layer.h"

#include <string.h>

/* Another part of the block, by its index: layers lie in one array. */
static struct layer *part(struct layer *layer, int index) {
    return layer + (index - layer->index);
}

static bool is_identity(const struct layer *layer) {
    return layer->block.join == layer->block.shortcut + 1;
}

static size_t bytes(struct shape shape, const struct pass *pass) {
    return shape_len(shape) * (size_t)pass->N * sizeof(float);
}

/* What comes out depends on more than the input: net_measure() knows the block, and sets it. */
static int part_shape(const struct layer_spec *spec, struct shape in, struct shape *out,
                      struct err *err) {
    (void)spec;
    (void)err;
    *out = in;
    return ERR_OK;
}

/* ---- the beginning ---- */

static const float *residual_forward(struct layer *layer, const float *x, const struct pass *pass) {
    (void)pass;
    layer->x = x;
    return x;
}

static float *residual_backward(struct layer *layer, float *dy, float *dx,
                                const struct pass *pass) {
    const struct layer *other =
        part(layer, is_identity(layer) ? layer->block.join : layer->block.shortcut);
    pass->kernels->add(dx, dy, other->state, shape_len(layer->out) * (size_t)pass->N);
    return dx;
}

const struct layer_ops layer_residual_ops = {
    .passes = true,
    .shape = part_shape,
    .forward = residual_forward,
    .backward = residual_backward,
};

/* ---- between body and shortcut ---- */

static size_t shortcut_state(const struct layer *layer, int N) {
    return shape_len(layer->out) * (size_t)N * sizeof(float);
}

static const float *shortcut_forward(struct layer *layer, const float *x, const struct pass *pass) {
    (void)pass;
    layer->x = x;
    return part(layer, layer->block.fork)->x;
}

static float *shortcut_backward(struct layer *layer, float *dy, float *dx,
                                const struct pass *pass) {
    if (is_identity(layer)) {
        return dy;
    }
    memcpy(layer->state, dy, bytes(layer->out, pass));
    memcpy(dx, part(layer, layer->block.join)->state, bytes(layer->in, pass));
    return dx;
}

const struct layer_ops layer_shortcut_ops = {
    .passes = true,
    .shape = part_shape,
    .state_len = shortcut_state,
    .forward = shortcut_forward,
    .backward = shortcut_backward,
};

/* ---- the end ---- */

static size_t join_state(const struct layer *layer, int N) {
    return shape_len(layer->out) * (size_t)N * sizeof(float);
}

static const float *join_forward(struct layer *layer, const float *x, const struct pass *pass) {
    const float *h = part(layer, layer->block.shortcut)->x;
    pass->kernels->add(layer->y, h, x, shape_len(layer->out) * (size_t)pass->N);
    return layer->y;
}

static float *join_backward(struct layer *layer, float *dy, float *dx, const struct pass *pass) {
    (void)dx;
    memcpy(layer->state, dy, bytes(layer->out, pass));
    return dy;
}

const struct layer_ops layer_join_ops = {
    .shape = part_shape,
    .state_len = join_state,
    .forward = join_forward,
    .backward = join_backward,
};
