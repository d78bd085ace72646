#include "base/rng.h"

#include <Random123/philox.h>
#include <assert.h>
#include <math.h>
#include <string.h>

void rng_init(struct rng *rng, uint64_t seed, uint32_t purpose, uint32_t epoch, uint32_t step) {
    *rng = (struct rng){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .counter = {0, purpose, epoch, step},
        .used = 4,
    };
}

uint32_t rng_u32(struct rng *rng) {
    if (rng->used == 4) {
        philox4x32_ctr_t counter;
        philox4x32_key_t key;
        memcpy(counter.v, rng->counter, sizeof rng->counter);
        memcpy(key.v, rng->key, sizeof rng->key);
        philox4x32_ctr_t block = philox4x32_R(10, counter, key);
        memcpy(rng->block, block.v, sizeof rng->block);
        rng->counter[0]++;
        rng->used = 0;
    }
    return rng->block[rng->used++];
}

void rng_fill(struct rng *rng, uint32_t *out, size_t n) {
    assert(rng->used == 4 && n % 4 == 0);
    philox4x32_ctr_t counter;
    philox4x32_key_t key;
    memcpy(counter.v, rng->counter, sizeof rng->counter);
    memcpy(key.v, rng->key, sizeof rng->key);
    for (size_t i = 0; i < n; i += 4) { // without state between two blocks they run side by side
        const philox4x32_ctr_t block = philox4x32_R(10, counter, key);
        memcpy(out + i, block.v, sizeof block.v);
        counter.v[0]++;
    }
    rng->counter[0] = counter.v[0];
}

uint32_t rng_below(struct rng *rng, uint32_t bound) {
    uint64_t product = (uint64_t)rng_u32(rng) * bound;
    if ((uint32_t)product < bound) {
        uint32_t threshold = -bound % bound; // 2^32 mod bound
        while ((uint32_t)product < threshold) {
            product = (uint64_t)rng_u32(rng) * bound;
        }
    }
    return (uint32_t)(product >> 32);
}

float rng_uniform(struct rng *rng) {
    return (float)(rng_u32(rng) >> 8) * 0x1p-24f;
}

/* strictly between 0 and 1, so that its logarithm is finite */
static double inner_uniform(struct rng *rng) {
    return ((double)rng_u32(rng) + 0.5) * 0x1p-32;
}

double rng_normal(struct rng *rng) {
    double u = inner_uniform(rng);
    double v = (double)rng_u32(rng) * 0x1p-32;
    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

/* The logarithm of a Gamma(shape, 1) number.  Below 1: Gamma(shape + 1) * U^(1 / shape). */
static double log_gamma_number(struct rng *rng, double shape) {
    double boost = shape < 1 ? log(inner_uniform(rng)) / shape : 0;
    double d = (shape < 1 ? shape + 1 : shape) - 1 / 3.0, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = rng_normal(rng), u = inner_uniform(rng), t = 1 + c * x, v = t * t * t;
        if (t > 0 && log(u) < x * x / 2 + d - d * v + d * log(v)) {
            return boost + log(d) + log(v);
        }
    }
}

double rng_beta(struct rng *rng, double a, double b) {
    double x = log_gamma_number(rng, a), y = log_gamma_number(rng, b);
    return 1 / (1 + exp(y - x)); // an overflow is the 0 that it should be
}

void rng_shuffle(struct rng *rng, uint32_t *order, uint32_t n) {
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = rng_below(rng, i);
        uint32_t held = order[i - 1];
        order[i - 1] = order[j];
        order[j] = held;
    }
}
