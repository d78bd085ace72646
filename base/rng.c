#include "base/rng.h"

#include <Random123/philox.h>
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

double rng_normal(struct rng *rng) {
    // u lies strictly between 0 and 1, so that the logarithm is finite
    double u = ((double)rng_u32(rng) + 0.5) * 0x1p-32;
    double v = (double)rng_u32(rng) * 0x1p-32;
    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

void rng_shuffle(struct rng *rng, uint32_t *order, uint32_t n) {
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = rng_below(rng, i);
        uint32_t held = order[i - 1];
        order[i - 1] = order[j];
        order[j] = held;
    }
}
