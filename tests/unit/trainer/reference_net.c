#include "reference_net.h"

#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS_MAX = 32 };

/* A layer at work.  Forward reads x and fills y; backward reads dy and adds to dx and dw. */
struct work {
    const struct reference_net *net;
    const struct layer_spec *spec;
    int index;
    struct shape in, out;
    const double *w; // its parameters
    double *dw;
    double *x, *dx;                     // (n, in)
    double *y, *dy;                     // (n, out)
    size_t buffer;                      // where its running statistics are
    const struct work *fork, *shortcut; // shortcut and join: parts of their block
};

static size_t len_of(struct shape s) {
    return (size_t)s.C * (size_t)s.H * (size_t)s.W;
}

static size_t at(struct shape s, int n, int c, int h, int w) {
    return (((size_t)n * (size_t)s.C + (size_t)c) * (size_t)s.H + (size_t)h) * (size_t)s.W +
           (size_t)w;
}

static struct shape shape_after(const struct layer_spec *spec, struct shape in) {
    switch (spec->kind) {
    case LAYER_DENSE:
        return (struct shape){spec->units, 1, 1};
    case LAYER_CONV2D:
        return (struct shape){spec->channels,
                              (in.H + 2 * spec->padding - spec->kernel) / spec->stride + 1,
                              (in.W + 2 * spec->padding - spec->kernel) / spec->stride + 1};
    case LAYER_MAXPOOL:
    case LAYER_AVGPOOL:
        return (struct shape){in.C, (in.H - spec->kernel) / spec->stride + 1,
                              (in.W - spec->kernel) / spec->stride + 1};
    case LAYER_FLATTEN:
        return (struct shape){in.C * in.H * in.W, 1, 1};
    case LAYER_GLOBALAVGPOOL:
        return (struct shape){in.C, 1, 1};
    case LAYER_ACTIVATION:
        if (spec->activation.kind == ACTIVATION_MAXOUT) {
            return (struct shape){in.C / spec->activation.pieces, in.H, in.W};
        }
        return in;
    case LAYER_BATCH_NORM:
    case LAYER_DROPOUT:
    case LAYER_RESIDUAL:
    case LAYER_SHORTCUT: // the walk knows better
    case LAYER_JOIN:
    case LAYER_COUNT:
        break;
    }
    return in;
}

static size_t params_of(const struct layer_spec *spec, struct shape in) {
    if (spec->kind == LAYER_DENSE) {
        return (size_t)spec->units * (size_t)in.C + (size_t)spec->units;
    }
    if (spec->kind == LAYER_CONV2D) {
        size_t filter = (size_t)in.C * (size_t)spec->kernel * (size_t)spec->kernel;
        return (size_t)spec->channels * (filter + 1);
    }
    if (spec->kind == LAYER_ACTIVATION && spec->activation.kind == ACTIVATION_PRELU) {
        return (size_t)in.C;
    }
    if (spec->kind == LAYER_BATCH_NORM) {
        return 2 * (size_t)in.C;
    }
    return 0;
}

/* ---- dense ---- */

static void dense(struct work *k, bool back) {
    const int in = k->in.C, out = k->out.C;
    const double *w = k->w, *b = k->w + (size_t)in * (size_t)out;
    for (int n = 0; n < k->net->n; n++) {
        for (int o = 0; o < out; o++) {
            double *y = &k->y[(size_t)n * out + o];
            *y = back ? *y : b[o];
            double dy = back ? k->dy[(size_t)n * out + o] : 0.0;
            for (int i = 0; i < in; i++) {
                size_t wi = (size_t)o * in + i, xi = (size_t)n * in + i;
                if (!back) {
                    *y += w[wi] * k->x[xi];
                } else {
                    k->dw[wi] += dy * k->x[xi];
                    k->dx[xi] += dy * w[wi];
                }
            }
            if (back) {
                k->dw[(size_t)in * out + o] += dy;
            }
        }
    }
}

/* ---- conv2d ---- */

/* One output value (back: its share of every gradient). */
static void conv2d_at(struct work *k, int n, int f, int p, int q, bool back) {
    const int K = k->spec->kernel;
    const size_t yi = at(k->out, n, f, p, q);
    const size_t bias = (size_t)k->out.C * k->in.C * K * K + f;
    const double dy = back ? k->dy[yi] : 0.0;
    double sum = k->w[bias];
    for (int c = 0; c < k->in.C; c++) {
        for (int r = 0; r < K; r++) {
            for (int s = 0; s < K; s++) {
                int h = p * k->spec->stride + r - k->spec->padding;
                int v = q * k->spec->stride + s - k->spec->padding;
                if (h < 0 || h >= k->in.H || v < 0 || v >= k->in.W) {
                    continue;
                }
                size_t xi = at(k->in, n, c, h, v);
                size_t wi = (((size_t)f * k->in.C + c) * K + r) * K + s;
                if (back) {
                    k->dw[wi] += dy * k->x[xi];
                    k->dx[xi] += dy * k->w[wi];
                }
                sum += k->w[wi] * k->x[xi];
            }
        }
    }
    if (back) {
        k->dw[bias] += dy;
    } else {
        k->y[yi] = sum;
    }
}

/* ---- pools ---- */

static void maxpool_at(struct work *k, int n, int c, int p, int q, bool back) {
    const int stride = k->spec->stride;
    size_t best = at(k->in, n, c, p * stride, q * stride);
    for (int r = 0; r < k->spec->kernel; r++) {
        for (int s = 0; s < k->spec->kernel; s++) {
            size_t xi = at(k->in, n, c, p * stride + r, q * stride + s);
            best = k->x[xi] > k->x[best] ? xi : best;
        }
    }
    if (back) {
        k->dx[best] += k->dy[at(k->out, n, c, p, q)];
    } else {
        k->y[at(k->out, n, c, p, q)] = k->x[best];
    }
}

static void avgpool_at(struct work *k, int n, int c, int p, int q, bool back) {
    const int stride = k->spec->stride, kernel = k->spec->kernel;
    const size_t yi = at(k->out, n, c, p, q);
    double sum = 0.0;
    for (int r = 0; r < kernel; r++) {
        for (int s = 0; s < kernel; s++) {
            size_t xi = at(k->in, n, c, p * stride + r, q * stride + s);
            sum += k->x[xi];
            if (back) {
                k->dx[xi] += k->dy[yi] / (kernel * kernel);
            }
        }
    }
    if (!back) {
        k->y[yi] = sum / (kernel * kernel);
    }
}

static void globalavgpool_at(struct work *k, int n, int c, int p, int q, bool back) {
    (void)p; // the output is one pixel
    (void)q;
    const size_t yi = at(k->out, n, c, 0, 0);
    const int pixels = k->in.H * k->in.W;
    for (int i = 0; i < pixels; i++) {
        const size_t xi = at(k->in, n, c, i / k->in.W, i % k->in.W);
        if (back) {
            k->dx[xi] += k->dy[yi] / pixels;
        } else {
            k->y[yi] += k->x[xi] / pixels;
        }
    }
}

/* ---- batch normalization ---- */

/* Calls for the m values of a channel, one after the other. */
#define EACH_VALUE(k, c, i)                                                                        \
    for (int n_ = 0; n_ < (k)->net->n; n_++)                                                       \
        for (size_t i = at((k)->in, n_, (c), 0, 0), end_ = i + (size_t)((k)->in.H * (k)->in.W);    \
             i < end_; i++)

/* Mean and variance that a channel is normalized with; a training moves the running ones. */
static void moments(const struct work *k, int c, double *mean, double *var) {
    const double *running = k->net->buffers ? k->net->buffers + k->buffer : NULL;
    if (!k->net->train) {
        *mean = running[c];
        *var = running[k->in.C + c];
        return;
    }
    const double m = (double)k->net->n * k->in.H * k->in.W;
    *mean = *var = 0.0;
    EACH_VALUE(k, c, i) {
        *mean += k->x[i] / m;
    }
    EACH_VALUE(k, c, i) {
        *var += (k->x[i] - *mean) * (k->x[i] - *mean) / m;
    }
    if (k->net->moved) {
        const double share = k->spec->momentum;
        double *moved = k->net->moved + k->buffer;
        moved[c] = running[c] * (1.0 - share) + *mean * share;
        moved[k->in.C + c] = running[k->in.C + c] * (1.0 - share) + *var * m / (m - 1.0) * share;
    }
}

static void batch_norm(struct work *k, bool back) {
    const double m = (double)k->net->n * k->in.H * k->in.W;
    for (int c = 0; c < k->in.C; c++) {
        double mean, var, sum = 0.0, product = 0.0;
        moments(k, c, &mean, &var);
        const double deviation = sqrt(var + k->spec->eps);
        EACH_VALUE(k, c, i) {
            const double xh = (k->x[i] - mean) / deviation;
            if (!back) {
                k->y[i] = k->w[c] * xh + k->w[k->in.C + c];
            } else {
                sum += k->dy[i];
                product += k->dy[i] * xh;
            }
        }
        if (!back) {
            continue;
        }
        k->dw[c] += product;
        k->dw[k->in.C + c] += sum;
        EACH_VALUE(k, c, i) {
            const double xh = (k->x[i] - mean) / deviation;
            k->dx[i] += k->w[c] / deviation * (k->dy[i] - sum / m - xh * product / m);
        }
    }
}

/* ---- residual blocks ---- */

static void add_all(double *to, const double *from, const struct work *k, struct shape shape) {
    for (size_t i = 0; i < len_of(shape) * (size_t)k->net->n; i++) {
        to[i] += from[i];
    }
}

/* y is 0 before; x of the shortcut's mark is what the body gave. */
static void residual(struct work *k, bool back) {
    const struct work *source = k->spec->kind == LAYER_SHORTCUT ? k->fork : k;
    if (!back) {
        add_all(k->y, source->x, k, k->out);
    } else {
        add_all(source->dx, k->dy, k, k->out);
    }
    if (k->spec->kind == LAYER_JOIN && !back) {
        add_all(k->y, k->shortcut->x, k, k->out);
    } else if (k->spec->kind == LAYER_JOIN) {
        add_all(k->shortcut->dx, k->dy, k, k->out);
    }
}

/* ---- activations ---- */

static void activation_at(struct work *k, int n, int c, int h, int w, bool back) {
    const size_t i = at(k->in, n, c, h, w);
    const bool learned = k->spec->activation.kind == ACTIVATION_PRELU;
    double df;
    double f = reference_activate(&k->spec->activation, k->x[i], learned ? k->w[c] : 0.0, &df);
    if (!back) {
        k->y[i] = f;
        return;
    }
    k->dx[i] += k->dy[i] * df;
    if (learned && k->x[i] < 0.0) {
        k->dw[c] += k->dy[i] * k->x[i];
    }
}

static void maxout_at(struct work *k, int n, int c, int h, int w, bool back) {
    const int pieces = k->spec->activation.pieces;
    size_t best = at(k->in, n, c * pieces, h, w);
    for (int j = 1; j < pieces; j++) {
        size_t xi = at(k->in, n, c * pieces + j, h, w);
        best = k->x[xi] > k->x[best] ? xi : best;
    }
    if (back) {
        k->dx[best] += k->dy[at(k->out, n, c, h, w)];
    } else {
        k->y[at(k->out, n, c, h, w)] = k->x[best];
    }
}

/* ---- dropout ---- */

/* The masks are numbers of the stream in the order of the product's memory, (C, H, W, N) with N
 * rounded up to 16: that much of it is part of the definition. */
static void dropout(struct work *k, bool back) {
    const struct reference_net *net = k->net;
    const int lanes = (net->n + 15) / 16 * 16;
    const size_t len = len_of(k->in);
    const double p = (double)k->spec->p;
    struct rng rng;
    rng_init(&rng, net->seed, RNG_DROPOUT + ((uint32_t)k->index << 8), net->epoch, net->step);
    for (size_t f = 0; f < len; f++) {
        for (int n = 0; n < lanes; n++) {
            double r = net->train ? (double)rng_u32(&rng) / 4294967296.0 : 1.0;
            double scale = !net->train ? 1.0 : r < p ? 0.0 : 1.0 / (1.0 - p);
            size_t i = (size_t)n * len + f;
            if (n < net->n && back) {
                k->dx[i] += k->dy[i] * scale;
            } else if (n < net->n) {
                k->y[i] = k->x[i] * scale;
            }
        }
    }
}

/* ---- the walk ---- */

typedef void at_fn(struct work *k, int n, int c, int h, int w, bool back);

static void everywhere(struct work *k, at_fn *fn, bool back) {
    for (int n = 0; n < k->net->n; n++) {
        for (int c = 0; c < k->out.C; c++) {
            for (int h = 0; h < k->out.H; h++) {
                for (int w = 0; w < k->out.W; w++) {
                    fn(k, n, c, h, w, back);
                }
            }
        }
    }
}

static void run(struct work *k, bool back) {
    const size_t bytes = len_of(k->in) * (size_t)k->net->n * sizeof(double);
    switch (k->spec->kind) {
    case LAYER_DENSE:
        dense(k, back);
        return;
    case LAYER_CONV2D:
        everywhere(k, conv2d_at, back);
        return;
    case LAYER_MAXPOOL:
        everywhere(k, maxpool_at, back);
        return;
    case LAYER_AVGPOOL:
        everywhere(k, avgpool_at, back);
        return;
    case LAYER_ACTIVATION:
        everywhere(k, k->spec->activation.kind == ACTIVATION_MAXOUT ? maxout_at : activation_at,
                   back);
        return;
    case LAYER_DROPOUT:
        dropout(k, back);
        return;
    case LAYER_FLATTEN: // (C, H, W) of a sample is contiguous here too
        memcpy(back ? k->dx : k->y, back ? k->dy : k->x, bytes);
        return;
    case LAYER_GLOBALAVGPOOL:
        everywhere(k, globalavgpool_at, back);
        return;
    case LAYER_BATCH_NORM:
        batch_norm(k, back);
        return;
    case LAYER_RESIDUAL:
    case LAYER_SHORTCUT:
    case LAYER_JOIN:
        residual(k, back);
        return;
    case LAYER_COUNT:
        break;
    }
    assert(!"unknown layer");
}

/* ---- losses ---- */

/* What class c should have of sample n, before smoothing. */
static double target(const struct reference_net *net, int n, int c) {
    if (net->others == NULL) {
        return c == net->labels[n];
    }
    return net->share * (c == net->labels[n]) + (1.0 - net->share) * (c == net->others[n]);
}

static double cross_entropy(const struct reference_net *net, int n, const double *z, double *dz) {
    double top = z[0], sum = 0.0, loss = 0.0;
    for (int c = 1; c < net->classes; c++) {
        top = fmax(top, z[c]);
    }
    for (int c = 0; c < net->classes; c++) {
        sum += exp(z[c] - top);
    }
    for (int c = 0; c < net->classes; c++) {
        const double t = target(net, n, c) * (1.0 - net->loss.label_smoothing) +
                         net->loss.label_smoothing / net->classes;
        loss -= t * (z[c] - top - log(sum));
        dz[c] = exp(z[c] - top) / sum - t;
    }
    return loss;
}

static double squared_error(const struct reference_net *net, int n, const double *z, double *dz) {
    double loss = 0.0;
    for (int c = 0; c < net->classes; c++) {
        const double error = z[c] - target(net, n, c);
        loss += error * error / net->classes;
        dz[c] = 2.0 * error / net->classes;
    }
    return loss;
}

/* The mean over the samples. */
static double loss_of(const struct reference_net *net, const double *logits, double *dlogits) {
    double total = 0.0;
    for (int n = 0; n < net->n; n++) {
        const double *z = &logits[(size_t)n * net->classes];
        double *dz = &dlogits[(size_t)n * net->classes];
        total += net->loss.kind == LOSS_MSE ? squared_error(net, n, z, dz)
                                            : cross_entropy(net, n, z, dz);
        for (int c = 0; c < net->classes; c++) {
            dz[c] /= net->n;
        }
    }
    return total / net->n;
}

/* ---- the whole ---- */

/* Goes from the input of layer i to its output; `fork` keeps the input of the block that is open. */
static struct shape step(const struct layer_spec *spec, struct shape in, struct shape *fork) {
    if (spec->kind == LAYER_RESIDUAL) {
        *fork = in;
    }
    return spec->kind == LAYER_SHORTCUT ? *fork : shape_after(spec, in);
}

size_t reference_param_count(const struct reference_net *net) {
    size_t params = 0;
    struct shape in = net->input, fork = in;
    for (int i = 0; i < net->count; i++) {
        params += params_of(&net->layers[i], in);
        in = step(&net->layers[i], in, &fork);
    }
    return params;
}

static double *zeros(struct shape shape, int n) {
    double *made = calloc(len_of(shape) * (size_t)n, sizeof *made);
    assert(made);
    return made;
}

/* Lays out the layers over (n, ...) arrays: y of one is x of the next. */
static void prepare(const struct reference_net *net, const double *params, double *grads,
                    struct work work[LAYERS_MAX]) {
    struct shape in = net->input, fork_in = in;
    size_t offset = 0, buffer = 0;
    const struct work *fork = NULL, *shortcut = NULL;
    double *x = zeros(in, net->n), *dx = zeros(in, net->n);
    memcpy(x, net->x, len_of(in) * (size_t)net->n * sizeof *x);
    for (int i = 0; i < net->count; i++) {
        struct work *k = &work[i];
        const struct layer_spec *spec = &net->layers[i];
        *k = (struct work){.net = net, .spec = spec, .index = i, .in = in, .x = x, .dx = dx};
        fork = spec->kind == LAYER_RESIDUAL ? k : fork;
        shortcut = spec->kind == LAYER_SHORTCUT ? k : shortcut;
        k->fork = fork;
        k->shortcut = shortcut;
        k->out = step(spec, in, &fork_in);
        k->w = params + offset;
        k->dw = grads ? grads + offset : NULL;
        offset += params_of(spec, in);
        k->buffer = buffer;
        buffer += spec->kind == LAYER_BATCH_NORM ? 2 * (size_t)in.C : 0;
        in = k->out;
        k->y = x = zeros(in, net->n);
        k->dy = dx = zeros(in, net->n);
    }
}

double reference_loss(const struct reference_net *net, const double *params, double *grads,
                      double *logits) {
    assert(net->count <= LAYERS_MAX);
    struct work work[LAYERS_MAX];
    prepare(net, params, grads, work);
    for (int i = 0; i < net->count; i++) {
        run(&work[i], false);
    }
    struct work *last = &work[net->count - 1];
    double loss = loss_of(net, last->y, last->dy);
    if (logits) {
        memcpy(logits, last->y, (size_t)net->n * (size_t)net->classes * sizeof *logits);
    }
    if (grads) {
        memset(grads, 0, reference_param_count(net) * sizeof *grads);
        for (int i = net->count - 1; i >= 0; i--) {
            run(&work[i], true);
        }
    }
    free(work[0].x);
    free(work[0].dx);
    for (int i = 0; i < net->count; i++) {
        free(work[i].y);
        free(work[i].dy);
    }
    return loss;
}
