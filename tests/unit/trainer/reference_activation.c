/* Activations and their derivatives by their formulas, in double; see reference_net.h. */
#include "reference_net.h"

#include <assert.h>
#include <math.h>

double reference_activate(const struct activation_spec *spec, double x, double slope, double *df) {
    double f = x, d = 1.0;
    switch (spec->kind) {
    case ACTIVATION_SIGMOID:
        f = 1.0 / (1.0 + exp(-x));
        d = f * (1.0 - f);
        break;
    case ACTIVATION_TANH:
        f = tanh(x);
        d = 1.0 - f * f;
        break;
    case ACTIVATION_RELU:
        d = x > 0.0 ? 1.0 : 0.0;
        f = d * x;
        break;
    case ACTIVATION_LEAKY_RELU:
        d = x > 0.0 ? 1.0 : (double)spec->negative_slope;
        f = d * x;
        break;
    case ACTIVATION_ELU:
        f = x > 0.0 ? x : (double)spec->alpha * (exp(x) - 1.0);
        d = x > 0.0 ? 1.0 : (double)spec->alpha * exp(x);
        break;
    case ACTIVATION_GELU:
        d = (1.0 + erf(x / sqrt(2.0))) / 2.0;
        f = x * d;
        d += x * exp(-x * x / 2.0) / sqrt(2.0 * acos(-1.0));
        break;
    case ACTIVATION_SILU:
        d = 1.0 / (1.0 + exp(-x));
        f = x * d;
        d += f * (1.0 - d);
        break;
    case ACTIVATION_SELU:
        f = 1.0507009873554805 * (x > 0.0 ? x : 1.6732632423543772 * (exp(x) - 1.0));
        d = 1.0507009873554805 * (x > 0.0 ? 1.0 : 1.6732632423543772 * exp(x));
        break;
    case ACTIVATION_MISH:
        d = tanh(log(1.0 + exp(x)));
        f = x * d;
        d += x * (1.0 - d * d) / (1.0 + exp(-x));
        break;
    case ACTIVATION_SOFTPLUS:
        f = log(1.0 + exp(x));
        d = 1.0 / (1.0 + exp(-x));
        break;
    case ACTIVATION_HARDSWISH:
        d = fmin(fmax(x + 3.0, 0.0), 6.0) / 6.0;
        f = x * d;
        d += x > -3.0 && x < 3.0 ? x / 6.0 : 0.0;
        break;
    case ACTIVATION_RELU6:
        f = fmin(fmax(x, 0.0), 6.0);
        d = x > 0.0 && x < 6.0 ? 1.0 : 0.0;
        break;
    case ACTIVATION_PRELU:
        d = x > 0.0 ? 1.0 : slope;
        f = d * x;
        break;
    case ACTIVATION_MAXOUT:
    case ACTIVATION_COUNT:
        assert(!"not elementwise");
    }
    if (df) {
        *df = d;
    }
    return f;
}
