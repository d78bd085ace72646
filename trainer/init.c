#include "trainer/init.h"

#include "base/rng.h"

#include <assert.h>
#include <math.h>

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

void init_fill(float *w, size_t n, const struct init_spec *spec, int fan_in, int fan_out,
               struct rng *rng) {
    assert(fan_in >= 1 && fan_out >= 1);
    struct spread spread = spread_of(spec, fan_in, fan_out);
    for (size_t i = 0; i < n; i++) {
        switch (spread.kind) {
        case CONSTANT:
            w[i] = (float)spread.scale;
            break;
        case TRUNCATED:
            w[i] = (float)(spread.scale * truncated_normal(rng));
            break;
        case NORMAL:
            w[i] = (float)(spread.scale * rng_normal(rng));
            break;
        case UNIFORM:
            w[i] = (float)(spread.scale * (2.0 * (double)rng_uniform(rng) - 1.0));
            break;
        }
    }
}
