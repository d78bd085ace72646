/* trainer/layer_dense.c - y = W x + b, for the whole batch one SGEMM.
 *
 *     y (out, N) = W (out, in) x (in, N) + b (out)
 *     dW = dy x^T     db = sum over n of dy     dx = W^T dy
 *
 * Batch innermost makes all three plain row-major products: nothing is transposed in memory. */
#include "base/err.h"
#include "trainer/init.h"
#include "trainer/kernels/kernels.h"
#include "trainer/layer.h"

#include <cblas.h>

static int dense_shape(const struct layer_spec *spec, struct shape in, struct shape *out,
                       struct err *err) {
    if (spec->units < 1) {
        return err_set(err, ERR_RANGE, "units must be at least 1, not %d", spec->units);
    }
    if (in.H != 1 || in.W != 1) {
        return err_set(err, ERR_RANGE,
                       "needs a vector, but the input is (%d, %d, %d): put a \"flatten\" before it",
                       in.C, in.H, in.W);
    }
    *out = (struct shape){spec->units, 1, 1};
    return ERR_OK;
}

static int dense_tensors(const struct layer_spec *spec, struct shape in,
                         struct net_tensor tensors[LAYER_TENSOR_MAX]) {
    tensors[0] = (struct net_tensor){
        .name = "weight", .dims = {spec->units, in.C}, .dim_count = 2, .decays = true};
    tensors[1] = (struct net_tensor){.name = "bias", .dims = {spec->units}, .dim_count = 1};
    return 2;
}

static void dense_init(const struct layer *layer, struct rng *rng) {
    const struct net_tensor *w = layer->tensors[0], *b = layer->tensors[1];
    init_fill(w->value, w->len, &layer->spec.init, layer->in.C, layer->out.C, rng);
    init_fill_bias(b->value, b->len, &layer->spec.init, layer->in.C, rng);
}

static const float *dense_forward(struct layer *layer, const float *x, const struct pass *pass) {
    const int in = layer->in.C, out = layer->out.C, N = pass->N;
    layer->x = x;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, out, N, in, 1.0f,
                layer->tensors[0]->value, in, x, N, 0.0f, layer->y, N);
    pass->kernels->bias_add(layer->y, layer->tensors[1]->value, out, (size_t)N);
    return layer->y;
}

static float *dense_backward(struct layer *layer, float *dy, float *dx, const struct pass *pass) {
    const int in = layer->in.C, out = layer->out.C, N = pass->N;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, out, in, N, 1.0f, dy, N, layer->x, N, 0.0f,
                layer->tensors[0]->grad, in);
    pass->kernels->bias_grad(layer->tensors[1]->grad, dy, out, (size_t)N);
    if (layer->needs_dx) {
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, in, N, out, 1.0f,
                    layer->tensors[0]->value, in, dy, N, 0.0f, dx, N);
    }
    return dx;
}

const struct layer_ops layer_dense_ops = {
    .shape = dense_shape,
    .tensors = dense_tensors,
    .init = dense_init,
    .forward = dense_forward,
    .backward = dense_backward,
};
