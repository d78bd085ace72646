/* trainer/kernels/reference.c - see the header.  One loop nest a definition. */
#include "trainer/kernels/reference.h"

#include <math.h>
#include <stdbool.h>

/* ---- convolution ---- */

/* The pixel of x under tap (r, s) of output (p, q), as an index of x for n = 0; negative outside. */
static ptrdiff_t pixel_under(const struct conv2d_shape *shape, int c, int p, int q, int r, int s) {
    const int h = p * shape->stride + r - shape->pad, v = q * shape->stride + s - shape->pad;
    if (h < 0 || h >= shape->H || v < 0 || v >= shape->W) {
        return -1;
    }
    return (((ptrdiff_t)c * shape->H + h) * shape->W + v) * shape->N;
}

typedef void term_fn(void *context, size_t y_at, size_t x_at, size_t w_at);

/* Calls term() with the indices of every product y[y_at] += w[w_at] * x[x_at] of a convolution. */
static void each_term(const struct conv2d_shape *shape, term_fn *term, void *context) {
    size_t y_at = 0;
    for (int k = 0; k < shape->K; k++) {
        for (int pq = 0; pq < shape->P * shape->Q; pq++) {
            for (int n = 0; n < shape->N; n++, y_at++) {
                size_t w_at = (size_t)k * shape->C * shape->R * shape->S;
                for (int c = 0; c < shape->C; c++) {
                    for (int r = 0; r < shape->R; r++) {
                        for (int s = 0; s < shape->S; s++, w_at++) {
                            const ptrdiff_t pixel =
                                pixel_under(shape, c, pq / shape->Q, pq % shape->Q, r, s);
                            if (pixel >= 0) {
                                term(context, y_at, (size_t)(pixel + n), w_at);
                            }
                        }
                    }
                }
            }
        }
    }
}

struct conv2d_operands {
    double *out;
    const float *y, *x, *w; // the two that are inputs
};

static void forward_term(void *context, size_t y_at, size_t x_at, size_t w_at) {
    const struct conv2d_operands *o = context;
    o->out[y_at] += (double)o->w[w_at] * (double)o->x[x_at];
}

static void data_term(void *context, size_t y_at, size_t x_at, size_t w_at) {
    const struct conv2d_operands *o = context;
    o->out[x_at] += (double)o->w[w_at] * (double)o->y[y_at];
}

static void weight_term(void *context, size_t y_at, size_t x_at, size_t w_at) {
    const struct conv2d_operands *o = context;
    o->out[w_at] += (double)o->x[x_at] * (double)o->y[y_at];
}

static void clear(double *to, size_t n) {
    for (size_t i = 0; i < n; i++) {
        to[i] = 0.0;
    }
}

void reference_conv2d_forward(double *y, const float *x, const float *w, const float *b,
                              const struct conv2d_shape *shape) {
    const size_t image = (size_t)shape->P * shape->Q * shape->N;
    struct conv2d_operands operands = {.out = y, .x = x, .w = w};
    for (size_t i = 0; i < (size_t)shape->K * image; i++) {
        y[i] = (double)b[i / image];
    }
    each_term(shape, forward_term, &operands);
}

void reference_conv2d_backward_data(double *dx, const float *dy, const float *w,
                                    const struct conv2d_shape *shape) {
    struct conv2d_operands operands = {.out = dx, .y = dy, .w = w};
    clear(dx, (size_t)shape->C * shape->H * shape->W * shape->N);
    each_term(shape, data_term, &operands);
}

void reference_conv2d_backward_weight(double *dw, double *db, const float *dy, const float *x,
                                      const struct conv2d_shape *shape) {
    struct conv2d_operands operands = {.out = dw, .y = dy, .x = x};
    clear(dw, (size_t)shape->K * shape->C * shape->R * shape->S);
    each_term(shape, weight_term, &operands);
    reference_bias_grad(db, dy, shape->K, (size_t)shape->P * shape->Q * shape->N);
}

/* ---- pools ---- */

/* Index in x of element (i, j) of the window of y[c,p,q,n], where `y_at` counts c,p,q,n. */
static size_t window_at(const struct pool_shape *s, size_t y_at, int i, int j) {
    const size_t n = y_at % s->N, q = y_at / s->N % s->Q, p = y_at / s->N / s->Q % s->P;
    const size_t c = y_at / s->N / s->Q / s->P;
    return ((c * s->H + p * s->stride + i) * s->W + q * s->stride + j) * s->N + n;
}

static size_t pool_outputs(const struct pool_shape *s) {
    return (size_t)s->C * s->P * s->Q * s->N;
}

/* Does `value` replace `best`?  A NaN does, as in PyTorch. */
static bool wins(float value, double best) {
    return (double)value > best || isnan(value);
}

void reference_maxpool_forward(double *y, uint8_t *arg, const float *x,
                               const struct pool_shape *shape) {
    for (size_t at = 0; at < pool_outputs(shape); at++) {
        y[at] = -INFINITY;
        arg[at] = 0;
        for (int i = 0; i < shape->kernel; i++) {
            for (int j = 0; j < shape->kernel; j++) {
                const float value = x[window_at(shape, at, i, j)];
                if (wins(value, y[at])) {
                    y[at] = (double)value;
                    arg[at] = (uint8_t)(i * shape->kernel + j);
                }
            }
        }
    }
}

void reference_maxpool_backward(double *dx, const float *dy, const uint8_t *arg,
                                const struct pool_shape *shape) {
    clear(dx, (size_t)shape->C * shape->H * shape->W * shape->N);
    for (size_t at = 0; at < pool_outputs(shape); at++) {
        const int i = arg[at] / shape->kernel, j = arg[at] % shape->kernel;
        dx[window_at(shape, at, i, j)] += (double)dy[at];
    }
}

void reference_avgpool_forward(double *y, const float *x, const struct pool_shape *shape) {
    for (size_t at = 0; at < pool_outputs(shape); at++) {
        y[at] = 0.0;
        for (int i = 0; i < shape->kernel; i++) {
            for (int j = 0; j < shape->kernel; j++) {
                y[at] += (double)x[window_at(shape, at, i, j)];
            }
        }
        y[at] /= shape->kernel * shape->kernel;
    }
}

void reference_avgpool_backward(double *dx, const float *dy, const struct pool_shape *shape) {
    clear(dx, (size_t)shape->C * shape->H * shape->W * shape->N);
    for (size_t at = 0; at < pool_outputs(shape); at++) {
        for (int i = 0; i < shape->kernel; i++) {
            for (int j = 0; j < shape->kernel; j++) {
                dx[window_at(shape, at, i, j)] += (double)dy[at] / (shape->kernel * shape->kernel);
            }
        }
    }
}

void reference_globalavgpool_forward(double *y, const float *x, int C, size_t pixels, int N) {
    clear(y, (size_t)C * N);
    for (size_t i = 0; i < (size_t)C * pixels * N; i++) {
        y[i / (pixels * N) * N + i % N] += (double)x[i] / (double)pixels;
    }
}

void reference_globalavgpool_backward(double *dx, const float *dy, int C, size_t pixels, int N) {
    for (size_t i = 0; i < (size_t)C * pixels * N; i++) {
        dx[i] = (double)dy[i / (pixels * N) * N + i % N] / (double)pixels;
    }
}

/* ---- nonlinearities ---- */

static double activation(double x, const struct activation_spec *spec) {
    switch (spec->kind) {
    case ACTIVATION_SIGMOID:
        return 1.0 / (1.0 + exp(-x));
    case ACTIVATION_TANH:
        return tanh(x);
    case ACTIVATION_RELU:
        return x < 0.0 ? 0.0 : x;
    case ACTIVATION_LEAKY_RELU:
        return x < 0.0 ? (double)spec->negative_slope * x : x;
    case ACTIVATION_ELU:
        return x < 0.0 ? (double)spec->alpha * expm1(x) : x;
    case ACTIVATION_GELU:
        return x * erfc(-x / sqrt(2.0)) / 2.0;
    case ACTIVATION_SILU:
        return x / (1.0 + exp(-x));
    case ACTIVATION_SELU:
        return 1.0507009873554805 * (x < 0.0 ? 1.6732632423543772 * expm1(x) : x);
    case ACTIVATION_MISH:
        return x * tanh(log1p(exp(x)));
    case ACTIVATION_SOFTPLUS:
        return x > 100.0 ? x : log1p(exp(x));
    case ACTIVATION_HARDSWISH:
        return x <= -3.0 ? 0.0 : x >= 3.0 ? x : x * (x + 3.0) / 6.0;
    case ACTIVATION_RELU6:
        return x < 0.0 ? 0.0 : x > 6.0 ? 6.0 : x;
    default:
        return NAN;
    }
}

static double activation_slope(double x, const struct activation_spec *spec) {
    switch (spec->kind) {
    case ACTIVATION_SIGMOID:
        return exp(-fabs(x)) / pow(1.0 + exp(-fabs(x)), 2.0);
    case ACTIVATION_TANH:
        return 1.0 / pow(cosh(x), 2.0);
    case ACTIVATION_RELU:
        return x > 0.0 ? 1.0 : 0.0;
    case ACTIVATION_LEAKY_RELU:
        return x > 0.0 ? 1.0 : (double)spec->negative_slope;
    case ACTIVATION_ELU:
        return x > 0.0 ? 1.0 : (double)spec->alpha * exp(x);
    case ACTIVATION_GELU:
        return erfc(-x / sqrt(2.0)) / 2.0 +
               x * exp(-x * x / 2.0) / sqrt(2.0 * 3.14159265358979323846);
    case ACTIVATION_SILU:
        return 1.0 / (1.0 + exp(-x)) + x * exp(-fabs(x)) / pow(1.0 + exp(-fabs(x)), 2.0);
    case ACTIVATION_SELU:
        return 1.0507009873554805 * (x > 0.0 ? 1.0 : 1.6732632423543772 * exp(x));
    case ACTIVATION_MISH:
        return tanh(log1p(exp(x))) + x / (1.0 + exp(-x)) / pow(cosh(log1p(exp(x))), 2.0);
    case ACTIVATION_SOFTPLUS:
        return 1.0 / (1.0 + exp(-x));
    case ACTIVATION_HARDSWISH:
        return x < -3.0 ? 0.0 : x > 3.0 ? 1.0 : (2.0 * x + 3.0) / 6.0;
    case ACTIVATION_RELU6:
        return x > 0.0 && x < 6.0 ? 1.0 : 0.0;
    default:
        return NAN;
    }
}

void reference_activation_forward(double *y, const float *x, size_t n,
                                  const struct activation_spec *spec) {
    for (size_t i = 0; i < n; i++) {
        y[i] = activation((double)x[i], spec);
    }
}

void reference_activation_backward(double *dx, const float *dy, const float *x, size_t n,
                                   const struct activation_spec *spec) {
    for (size_t i = 0; i < n; i++) {
        dx[i] = (double)dy[i] * activation_slope((double)x[i], spec);
    }
}

void reference_prelu_forward(double *y, const float *x, const float *slope, int C, size_t M) {
    for (size_t i = 0; i < (size_t)C * M; i++) {
        y[i] = (double)x[i] * (x[i] > 0.0f ? 1.0 : (double)slope[i / M]);
    }
}

void reference_prelu_backward(double *dx, double *dslope, const float *dy, const float *x,
                              const float *slope, int C, size_t M) {
    clear(dslope, (size_t)C);
    for (size_t i = 0; i < (size_t)C * M; i++) {
        dx[i] = (double)dy[i] * (x[i] > 0.0f ? 1.0 : (double)slope[i / M]);
        dslope[i / M] += x[i] > 0.0f ? 0.0 : (double)x[i] * (double)dy[i];
    }
}

void reference_maxout_forward(double *y, uint8_t *arg, const float *x, int C, int pieces,
                              size_t M) {
    for (size_t i = 0; i < (size_t)C * M; i++) {
        y[i] = -INFINITY;
        arg[i] = 0;
        for (int j = 0; j < pieces; j++) {
            const float value = x[(i / M * pieces + j) * M + i % M];
            if (wins(value, y[i])) {
                y[i] = (double)value;
                arg[i] = (uint8_t)j;
            }
        }
    }
}

void reference_maxout_backward(double *dx, const float *dy, const uint8_t *arg, int C, int pieces,
                               size_t M) {
    clear(dx, (size_t)C * pieces * M);
    for (size_t i = 0; i < (size_t)C * M; i++) {
        dx[(i / M * pieces + arg[i]) * M + i % M] = (double)dy[i];
    }
}

void reference_bias_add(double *y, const float *x, const float *b, int rows, size_t M) {
    for (size_t i = 0; i < (size_t)rows * M; i++) {
        y[i] = (double)x[i] + (double)b[i / M];
    }
}

void reference_bias_grad(double *db, const float *dy, int rows, size_t M) {
    clear(db, (size_t)rows);
    for (size_t i = 0; i < (size_t)rows * M; i++) {
        db[i / M] += (double)dy[i];
    }
}

/* ---- batches ---- */

/* The share of class k in what sample i should be, before smoothing. */
static double target(const struct loss_batch *b, int i, int k) {
    const double share = b->others ? (double)b->share : 1.0;
    return (k == b->labels[i] ? share : 0.0) + (b->others && k == b->others[i] ? 1.0 - share : 0.0);
}

/* Is the first of the largest logits of sample i its label, and none of them NaN? */
static bool is_hit(const struct loss_batch *b, int i) {
    int best = 0;
    for (int k = 0; k < b->classes; k++) {
        if (isnan(b->logits[k * b->N + i])) {
            return false;
        }
        best = b->logits[k * b->N + i] > b->logits[best * b->N + i] ? k : best;
    }
    return best == b->labels[i];
}

void reference_softmax_xent(double *dlogits, const struct loss_batch *b, double *loss_sum,
                            int64_t *correct) {
    const double smoothing = (double)b->smoothing;
    clear(dlogits, (size_t)b->classes * b->N);
    for (int i = 0; i < b->n; i++) {
        double max = -INFINITY, total = 0.0;
        for (int k = 0; k < b->classes; k++) {
            max = fmax(max, (double)b->logits[k * b->N + i]);
        }
        for (int k = 0; k < b->classes; k++) {
            total += exp((double)b->logits[k * b->N + i] - max);
        }
        for (int k = 0; k < b->classes; k++) {
            const double z = (double)b->logits[k * b->N + i] - max;
            const double t = (1.0 - smoothing) * target(b, i, k) + smoothing / b->classes;
            dlogits[k * b->N + i] = (exp(z) / total - t) / b->n;
            *loss_sum += t * (log(total) - z);
        }
        *correct += is_hit(b, i);
    }
}

void reference_squared_error(double *dlogits, const struct loss_batch *b, double *loss_sum,
                             int64_t *correct) {
    clear(dlogits, (size_t)b->classes * b->N);
    for (int i = 0; i < b->n; i++) {
        for (int k = 0; k < b->classes; k++) {
            const double error = (double)b->logits[k * b->N + i] - target(b, i, k);
            dlogits[k * b->N + i] = 2.0 * error / b->classes / b->n;
            *loss_sum += error * error / b->classes;
        }
        *correct += is_hit(b, i);
    }
}

void reference_dropout(double *y, const float *x, const uint32_t *random, float p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const bool kept = (double)random[i] >= (double)p * 4294967296.0;
        y[i] = kept ? (double)x[i] / (1.0 - (double)p) : (double)x[i] * 0.0;
    }
}

void reference_gather(double *x, const uint8_t *bytes, const uint32_t *index, int features, int n,
                      int N) {
    for (int f = 0; f < features; f++) {
        for (int i = 0; i < N; i++) {
            x[f * N + i] = i < n ? bytes[(size_t)index[i] * features + f] / 255.0 : 0.0;
        }
    }
}

void reference_gather_floats(double *x, const float *samples, const uint32_t *index, int features,
                             int n, int N) {
    for (int f = 0; f < features; f++) {
        for (int i = 0; i < N; i++) {
            const size_t row = i >= n ? 0 : index == NULL ? (size_t)i : index[i];
            x[f * N + i] = i < n ? (double)samples[row * features + f] : 0.0;
        }
    }
}

void reference_bytes_to_floats(double *y, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] = bytes[i] / 255.0;
    }
}

void reference_normalize(double *y, const float *x, const float *mean, const float *std, int C,
                         size_t M) {
    for (size_t i = 0; i < C * M; i++) {
        y[i] = ((double)x[i] - (double)mean[i / M]) / (double)std[i / M];
    }
}

/* ---- optimizers ---- */

/* A pixel of the channel within the frame of zeros; 0 outside of it. */
static double framed_pixel(const float *x, int H, int W, double r, double c) {
    if (r < 0.0 || r > H - 1 || c < 0.0 || c > W - 1) {
        return 0.0;
    }
    return (double)x[((int)r + 1) * (W + 3) + (int)c + 1];
}

void reference_rotate(double *y, const float *x, int H, int W, double cosine, double sine) {
    const double cy = (H - 1) / 2.0, cx = (W - 1) / 2.0;
    for (int r = 0; r < H; r++) {
        for (int c = 0; c < W; c++) {
            const double row = cy + sine * (c - cx) + cosine * (r - cy);
            const double column = cx + cosine * (c - cx) - sine * (r - cy);
            double sum = 0.0;
            for (int i = 0; i < 2; i++) {
                for (int j = 0; j < 2; j++) {
                    const double at_row = floor(row) + i, at_column = floor(column) + j;
                    sum += (1.0 - fabs(row - at_row)) * (1.0 - fabs(column - at_column)) *
                           framed_pixel(x, H, W, at_row, at_column);
                }
            }
            y[r * W + c] = sum;
        }
    }
}

void reference_adjust(double *y, const float *x, float a, float b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const double value = (double)a * (double)x[i] + (double)b;
        y[i] = isnan(value) ? value : fmin(fmax(value, 0.0), 1.0);
    }
}

void reference_noise(double *y, const float *x, const uint32_t *random, float std, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const size_t pair = i / 32 * 32 + i % 16;
        const float whole = (float)(random[pair] / 2); // a float32 of 31 bits
        const double u = (double)(whole + 0.5f) / 2147483648.0;
        const double v = (random[pair + 16] / 256) / 16777216.0;
        const double turn = 2.0 * 3.14159265358979323846 * v;
        const double wave = i % 32 < 16 ? cos(turn) : sin(turn);
        y[i] = (double)x[i] + (double)std * sqrt(-2.0 * log(u)) * wave;
    }
}

void reference_mix(double *y, const float *x, const float *other, float share, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] = (double)share * (double)x[i] + (1.0 - (double)share) * (double)other[i];
    }
}

void reference_sgd(double *w, const float *g, size_t n, double lr) {
    for (size_t i = 0; i < n; i++) {
        w[i] -= lr * (double)g[i];
    }
}

void reference_momentum(double *w, const float *g, double *v, size_t n, double lr, double momentum,
                        int nesterov) {
    for (size_t i = 0; i < n; i++) {
        v[i] = momentum * v[i] + (double)g[i];
        w[i] -= lr * (nesterov ? (double)g[i] + momentum * v[i] : v[i]);
    }
}

void reference_adagrad(double *w, const float *g, double *s, size_t n, double lr, double eps) {
    for (size_t i = 0; i < n; i++) {
        s[i] += (double)g[i] * (double)g[i];
        w[i] -= lr * (double)g[i] / (sqrt(s[i]) + eps);
    }
}

void reference_rmsprop(double *w, const float *g, double *s, size_t n, double lr, double alpha,
                       double eps) {
    for (size_t i = 0; i < n; i++) {
        s[i] = alpha * s[i] + (1.0 - alpha) * (double)g[i] * (double)g[i];
        w[i] -= lr * (double)g[i] / (sqrt(s[i]) + eps);
    }
}

void reference_adam(double *w, const float *g, double *m, double *s, size_t n, double step_size,
                    double beta1, double beta2, double bias_correction2_sqrt, double eps) {
    for (size_t i = 0; i < n; i++) {
        m[i] = beta1 * m[i] + (1.0 - beta1) * (double)g[i];
        s[i] = beta2 * s[i] + (1.0 - beta2) * (double)g[i] * (double)g[i];
        w[i] -= step_size * m[i] / (sqrt(s[i]) / bias_correction2_sqrt + eps);
    }
}

void reference_momentum_damped(double *w, const float *g, double *v, size_t n, double lr,
                               double momentum, double share) {
    for (size_t i = 0; i < n; i++) {
        v[i] = momentum * v[i] + share * (double)g[i];
        w[i] -= lr * v[i];
    }
}

void reference_adamax(double *w, const float *g, double *m, double *u, size_t n, double step_size,
                      double beta1, double beta2, double eps) {
    for (size_t i = 0; i < n; i++) {
        m[i] = beta1 * m[i] + (1.0 - beta1) * (double)g[i];
        u[i] = fmax(beta2 * u[i], fabs((double)g[i]) + eps);
        w[i] -= step_size * m[i] / u[i];
    }
}

void reference_nadam(double *w, const float *g, double *m, double *s, size_t n, double step_size_g,
                     double step_size_m, double beta1, double beta2, double bias_correction2,
                     double eps) {
    for (size_t i = 0; i < n; i++) {
        m[i] = beta1 * m[i] + (1.0 - beta1) * (double)g[i];
        s[i] = beta2 * s[i] + (1.0 - beta2) * (double)g[i] * (double)g[i];
        const double divisor = sqrt(s[i] / bias_correction2) + eps;
        w[i] -= step_size_g * (double)g[i] / divisor;
        w[i] -= step_size_m * m[i] / divisor;
    }
}

void reference_adadelta(double *w, const float *g, double *s, double *d, size_t n, double lr,
                        double rho, double eps) {
    for (size_t i = 0; i < n; i++) {
        s[i] = rho * s[i] + (1.0 - rho) * (double)g[i] * (double)g[i];
        const double delta = sqrt((d[i] + eps) / (s[i] + eps)) * (double)g[i];
        d[i] = rho * d[i] + (1.0 - rho) * delta * delta;
        w[i] -= lr * delta;
    }
}

static double sign(double x) {
    return (double)((x > 0.0) - (x < 0.0));
}

void reference_lion(double *w, const float *g, double *m, size_t n, double lr, double beta1,
                    double beta2) {
    for (size_t i = 0; i < n; i++) {
        w[i] -= lr * sign(beta1 * m[i] + (1.0 - beta1) * (double)g[i]);
        m[i] = beta2 * m[i] + (1.0 - beta2) * (double)g[i];
    }
}

void reference_scale(double *y, double a, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] *= a;
    }
}

void reference_clamp(double *y, double limit, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] = fmax(fmin(y[i], limit), -limit);
    }
}

void reference_add_sign(double *y, const float *x, double a, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] += a * sign((double)x[i]);
    }
}

/* ---- sums ---- */

void reference_ema(double *e, const float *w, double decay, size_t n) {
    for (size_t i = 0; i < n; i++) {
        e[i] = decay * e[i] + (1.0 - decay) * (double)w[i];
    }
}

double reference_sum_squares(const float *x, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    return sum;
}

void reference_add(double *y, const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] = (double)a[i] + (double)b[i];
    }
}

void reference_axpy(double *y, const float *x, double a, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] += a * (double)x[i];
    }
}
