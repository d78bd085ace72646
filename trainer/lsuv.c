#include "trainer/lsuv.h"

#include "trainer/evaluate.h"
#include "trainer/kernels/kernels.h"
#include "trainer/layer.h"
#include "trainer/net.h"

#include <math.h>
#include <stdbool.h>

static const double TOLERANCE = 0.1;

static bool is_scaled(const struct net_layer *layer) {
    const struct layer_spec *spec = layer->spec;
    return (spec->kind == LAYER_DENSE || spec->kind == LAYER_CONV2D) &&
           spec->init.kind == INIT_LSUV;
}

/* Of all values of y (values, N), the first n columns; two passes, in double. */
static double variance(const float *y, size_t values, int n) {
    const size_t N = (size_t)net_lanes(n);
    const double count = (double)values * n;
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < values; i++) {
        for (int j = 0; j < n; j++) {
            sum += (double)y[i * N + (size_t)j];
        }
    }
    for (size_t i = 0; i < values; i++) {
        for (int j = 0; j < n; j++) {
            const double d = (double)y[i * N + (size_t)j] - sum / count;
            squares += d * d;
        }
    }
    return squares / count;
}

void lsuv_scale(struct net *net, int n) {
    net_forward(net, n);
    for (int i = 0; i < net_layer_count(net); i++) {
        const struct net_layer layer = net_layer(net, i);
        for (int tries = 0; is_scaled(&layer) && tries < LSUV_TRIES; tries++) {
            const double v = variance(layer.y, shape_len(layer.out), n);
            if (!(v > 0.0) || !isfinite(v) || fabs(v - 1.0) < TOLERANCE) {
                break;
            }
            const struct net_tensor *w = layer.weight;
            kernels_get()->scale(w->value, (float)(1.0 / sqrt(v)), w->len);
            net_forward(net, n); // also for the layers behind it
        }
    }
}

void lsuv_init(struct net *net, const struct dataset *set, struct batch *batch) {
    bool wanted = false;
    for (int i = 0; i < net_layer_count(net); i++) {
        const struct net_layer layer = net_layer(net, i);
        wanted = wanted || is_scaled(&layer);
    }
    if (!wanted) {
        return;
    }
    const int n = batch->max < set->train.count ? batch->max : set->train.count;
    for (int i = 0; i < n; i++) {
        batch->index[i] = (uint32_t)i;
    }
    batch_load(batch, set, &set->train, n, NULL, net);
    lsuv_scale(net, n);
}
