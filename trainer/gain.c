#include "trainer/gain.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>

/* ---- the activations that have no formula for it, in double ---- */

static double clamped(double x, double low, double high) {
    return fmin(fmax(x, low), high);
}

/* log(1 + exp(x)), without overflow */
static double softplus(double x) {
    return fmax(x, 0.0) + log1p(exp(-fabs(x)));
}

/* The distribution function of the normal distribution. */
static double normal_cdf(double x) {
    return 0.5 * erfc(-x * M_SQRT1_2);
}

static double value_at(const struct activation_spec *spec, double x) {
    switch (spec->kind) {
    case ACTIVATION_ELU:
        return x > 0.0 ? x : (double)spec->alpha * expm1(x);
    case ACTIVATION_GELU:
        return x * normal_cdf(x);
    case ACTIVATION_SILU:
        return x / (1.0 + exp(-x));
    case ACTIVATION_MISH:
        return x * tanh(softplus(x));
    case ACTIVATION_SOFTPLUS:
        return softplus(x);
    case ACTIVATION_HARDSWISH:
        return x * clamped(x + 3.0, 0.0, 6.0) / 6.0;
    case ACTIVATION_RELU6:
        return clamped(x, 0.0, 6.0);
    default:
        assert(spec->kind == ACTIVATION_MAXOUT); // the value is the argument
        return x;
    }
}

/* The density of z: normal, or that of the largest of `pieces` normal ones. */
static double density_at(const struct activation_spec *spec, double z) {
    const double normal = exp(-0.5 * z * z) / sqrt(2.0 * M_PI);
    if (spec->kind != ACTIVATION_MAXOUT) {
        return normal;
    }
    return spec->pieces * pow(normal_cdf(z), spec->pieces - 1) * normal;
}

/* Simpson's rule over [-12, 12], outside of which there is less than 1e-30; the corners of the activations,
 * at -3, 0, 3 and 6, are ends of panels. */
static double second_moment(const struct activation_spec *spec) {
    enum { EDGE = 12, PER_UNIT = 256, LAST = 2 * EDGE * PER_UNIT };
    double sum = 0.0;
    for (int i = 0; i <= LAST; i++) {
        const double z = (double)i / PER_UNIT - EDGE, f = value_at(spec, z);
        const double weight = i == 0 || i == LAST ? 1.0 : i % 2 == 1 ? 4.0 : 2.0;
        sum += weight * f * f * density_at(spec, z);
    }
    return sum / (3.0 * PER_UNIT);
}

double gain_of(const struct activation_spec *activation) {
    double slope = 0.0;
    switch (activation->kind) {
    case ACTIVATION_SIGMOID:
        return 1.0;
    case ACTIVATION_TANH:
        return 5.0 / 3.0;
    case ACTIVATION_SELU:
        return 0.75;
    case ACTIVATION_RELU:
        return M_SQRT2;
    case ACTIVATION_LEAKY_RELU:
        slope = (double)activation->negative_slope;
        return sqrt(2.0 / (1.0 + slope * slope));
    case ACTIVATION_PRELU:
        slope = (double)activation->init;
        return sqrt(2.0 / (1.0 + slope * slope));
    default:
        return 1.0 / sqrt(second_moment(activation));
    }
}

static bool has_gain(const struct layer_spec *layer) {
    return layer->kind == LAYER_DENSE || layer->kind == LAYER_CONV2D;
}

/* The first activation behind layer i; NULL when a layer of weights or the end comes first.  What leaves the
 * body of a residual block goes on behind the block, not through the layers of its shortcut. */
static const struct activation_spec *activation_behind(const struct layer_spec *layers, int count,
                                                       int i) {
    for (i++; i < count && !has_gain(&layers[i]); i++) {
        if (layers[i].kind == LAYER_ACTIVATION) {
            return &layers[i].activation;
        }
        if (layers[i].kind == LAYER_SHORTCUT) {
            while (layers[i].kind != LAYER_JOIN) { // each block has one
                i++;
            }
        }
    }
    return NULL;
}

void gain_settle(struct layer_spec *layers, int count) {
    for (int i = 0; i < count; i++) {
        if (has_gain(&layers[i]) && isnan(layers[i].init.gain)) {
            const struct activation_spec *activation = activation_behind(layers, count, i);
            layers[i].init.gain = activation != NULL ? gain_of(activation) : 1.0;
        }
    }
}
