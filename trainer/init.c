#include "trainer/init.h"

#include "base/mem.h"
#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* A distribution: its kind, and its standard deviation, half width or value. */
struct spread {
    enum { CONSTANT, NORMAL, TRUNCATED, UNIFORM } kind;
    double scale;
};

static struct spread spread_of(const struct init_spec *spec, double fan_in, double fan_out) {
    switch (spec->kind) {
    case INIT_NORMAL:
        return (struct spread){NORMAL, spec->std};
    case INIT_UNIFORM:
        return (struct spread){UNIFORM, spec->bound};
    case INIT_XAVIER_UNIFORM:
        return (struct spread){UNIFORM, spec->gain * sqrt(6.0 / (fan_in + fan_out))};
    case INIT_XAVIER_NORMAL:
        return (struct spread){NORMAL, spec->gain * sqrt(2.0 / (fan_in + fan_out))};
    case INIT_HE_UNIFORM:
        return (struct spread){UNIFORM, spec->gain * sqrt(3.0 / fan_in)};
    case INIT_HE_NORMAL:
        return (struct spread){NORMAL, spec->gain / sqrt(fan_in)};
    case INIT_LECUN_UNIFORM:
        return (struct spread){UNIFORM, sqrt(3.0 / fan_in)};
    case INIT_LECUN_NORMAL:
        return (struct spread){NORMAL, 1.0 / sqrt(fan_in)};
    case INIT_TRUNCATED_NORMAL:
        return (struct spread){TRUNCATED, spec->std};
    case INIT_CONSTANT:
        return (struct spread){CONSTANT, spec->value};
    case INIT_ORTHOGONAL:
    case INIT_LSUV:
        return (struct spread){NORMAL, 1.0}; // to be made orthogonal
    case INIT_TORCH_DEFAULT:
        return (struct spread){UNIFORM, 1.0 / sqrt(fan_in)};
    case INIT_ZEROS:
    case INIT_COUNT:
        break;
    }
    assert(spec->kind == INIT_ZEROS);
    return (struct spread){CONSTANT, 0.0};
}

/* Of 22 numbers one is outside: as good as PyTorch's inverse, and without its tables. */
static double truncated_normal(struct rng *rng) {
    double x;
    do {
        x = rng_normal(rng);
    } while (fabs(x) > 2.0);
    return x;
}

static void fill(float *w, size_t n, const struct spread *spread, struct rng *rng) {
    for (size_t i = 0; i < n; i++) {
        switch (spread->kind) {
        case CONSTANT:
            w[i] = (float)spread->scale;
            break;
        case TRUNCATED:
            w[i] = (float)(spread->scale * truncated_normal(rng));
            break;
        case NORMAL:
            w[i] = (float)(spread->scale * rng_normal(rng));
            break;
        case UNIFORM:
            w[i] = (float)(spread->scale * (2.0 * (double)rng_uniform(rng) - 1.0));
            break;
        }
    }
}

/* ---- orthogonal ---- */

/* In lanes of its own, so that the compiler may use vectors of any width and the sum stays the same. */
static double dot(const double *a, const double *b, size_t n) {
    enum { WIDTH = 8 };
    double lane[WIDTH] = {0}, sum = 0.0;
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
        for (int j = 0; j < WIDTH; j++) {
            lane[j] += a[i + j] * b[i + j];
        }
    }
    for (; i < n; i++) {
        sum += a[i] * b[i];
    }
    for (int j = 0; j < WIDTH; j++) {
        sum += lane[j];
    }
    return sum;
}

/* Takes from v what it has of q (n), of length 1. */
static void remove_part(double *v, const double *q, size_t n) {
    const double share = dot(v, q, n);
    for (size_t i = 0; i < n; i++) {
        v[i] -= share * q[i];
    }
}

/* Gram and Schmidt, each vector twice: after that they are orthogonal to the last bits (Giraud et al. 2005).
 * v (count, n), count <= n; what makes R's diagonal positive is that lengths are. */
static void orthonormalize(double *v, size_t count, size_t n) {
    for (size_t k = 0; k < count; k++) {
        double *now = v + k * n;
        for (int pass = 0; pass < 2; pass++) {
            for (size_t before = 0; before < k; before++) {
                remove_part(now, v + before * n, n);
            }
        }
        const double length = sqrt(dot(now, now, n));
        for (size_t i = 0; i < n; i++) {
            now[i] /= length; // normal vectors depend on each other with a probability of 0
        }
    }
}

/* w (rows, cols) of normal numbers becomes gain times an orthogonal one. */
static void make_orthogonal(float *w, size_t rows, size_t cols, double gain) {
    const bool wide = cols > rows; // then rows are the vectors, else columns
    const size_t count = wide ? rows : cols, n = wide ? cols : rows;
    double *v = mem_zalloc(count * n, sizeof *v);
    for (size_t k = 0; k < count; k++) {
        for (size_t i = 0; i < n; i++) {
            v[k * n + i] = (double)w[wide ? k * n + i : i * count + k];
        }
    }
    orthonormalize(v, count, n);
    for (size_t k = 0; k < count; k++) {
        for (size_t i = 0; i < n; i++) {
            w[wide ? k * n + i : i * count + k] = (float)(gain * v[k * n + i]);
        }
    }
    free(v);
}

/* ---- all ---- */

void init_fill(float *w, size_t n, const struct init_spec *spec, int fan_in, int fan_out,
               struct rng *rng) {
    assert(fan_in >= 1 && fan_out >= 1);
    const struct spread spread = spread_of(spec, fan_in, fan_out);
    fill(w, n, &spread, rng);
    if (spec->kind == INIT_ORTHOGONAL || spec->kind == INIT_LSUV) {
        const size_t cols = (size_t)fan_in;
        assert(n % cols == 0);
        make_orthogonal(w, n / cols, cols, spec->kind == INIT_LSUV ? 1.0 : spec->gain);
    }
}

void init_fill_bias(float *b, size_t n, const struct init_spec *spec, int fan_in, struct rng *rng) {
    struct spread spread = {CONSTANT, 0.0};
    if (spec->kind == INIT_TORCH_DEFAULT) {
        spread = spread_of(spec, fan_in, fan_in);
    }
    fill(b, n, &spread, rng);
}
