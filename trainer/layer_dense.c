/* trainer/layer_dense.c - y = W x + b, a product of matrices for the whole batch.
 *
 *     y (out, N) = W (out, in) x (in, N) + b (out)
 *     dW = dy x^T     db = sum over n of dy     dx = W^T dy
 *
 * Batch innermost makes all three plain row-major products.  Up to a few hundred samples they are our
 * kernels', which spend no time on copies of the weights; above, where copies no longer count and blocks
 * in three dimensions do, they are OpenBLAS's SGEMM. */
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

/* Up to here the three products together were measured, for 84 -> 10 to 3136 -> 256, to take no longer than SGEMM's
 * but for 84 -> 10 with AVX-512: for 500 -> 500 and 32 samples 0.6 of the time, and 0.9 for 256.  With AVX2 a
 * thousand are slower. */
enum { KERNELS_N_MAX = 256 };

static struct dense_shape geometry(const struct layer *layer, int N) {
    return (struct dense_shape){.N = N, .in = layer->in.C, .out = layer->out.C};
}

/* Of a large batch, for the last one of an epoch. */
static size_t dense_scratch(const struct layer *layer, int N) {
    const struct dense_shape shape = geometry(layer, N < KERNELS_N_MAX ? N : KERNELS_N_MAX);
    return dense_scratch_len(&shape);
}

static const float *dense_forward(struct layer *layer, const float *x, const struct pass *pass) {
    const struct dense_shape shape = geometry(layer, pass->N);
    const int in = shape.in, out = shape.out, N = shape.N;
    const float *w = layer->tensors[0]->value, *b = layer->tensors[1]->value;
    layer->x = x;
    if (N <= KERNELS_N_MAX) {
        pass->kernels->dense_forward(layer->y, x, w, b, pass->scratch, &shape);
        return layer->y;
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, out, N, in, 1.0f, w, in, x, N, 0.0f,
                layer->y, N);
    pass->kernels->bias_add(layer->y, b, out, (size_t)N);
    return layer->y;
}

static void weight_gradient(const struct layer *layer, const float *dy, const struct pass *pass) {
    const struct dense_shape shape = geometry(layer, pass->N);
    const int in = shape.in, out = shape.out, N = shape.N;
    float *dw = layer->tensors[0]->grad;
    if (N <= KERNELS_N_MAX) {
        pass->kernels->dense_backward_weight(dw, dy, layer->x, pass->scratch, &shape);
    } else {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, out, in, N, 1.0f, dy, N, layer->x, N,
                    0.0f, dw, in);
    }
}

static void data_gradient(const struct layer *layer, float *dx, const float *dy,
                          const struct pass *pass) {
    const struct dense_shape shape = geometry(layer, pass->N);
    const int in = shape.in, out = shape.out, N = shape.N;
    const float *w = layer->tensors[0]->value;
    if (N <= KERNELS_N_MAX) {
        pass->kernels->dense_backward_data(dx, dy, w, pass->scratch, &shape);
    } else {
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, in, N, out, 1.0f, w, in, dy, N, 0.0f,
                    dx, N);
    }
}

static float *dense_backward(struct layer *layer, float *dy, float *dx, const struct pass *pass) {
    weight_gradient(layer, dy, pass);
    pass->kernels->bias_grad(layer->tensors[1]->grad, dy, layer->out.C, (size_t)pass->N);
    if (layer->needs_dx) {
        data_gradient(layer, dx, dy, pass);
    }
    return dx;
}

const struct layer_ops layer_dense_ops = {
    .shape = dense_shape,
    .tensors = dense_tensors,
    .init = dense_init,
    .scratch_len = dense_scratch,
    .forward = dense_forward,
    .backward = dense_backward,
};
