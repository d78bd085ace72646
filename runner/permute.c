#include "runner/permute.h"

#include "base/rng.h"

#include <assert.h>

enum { ROUNDS = 4 };

static uint64_t feistel(uint64_t value, int bits, uint64_t seed) {
    uint32_t mask = (1u << bits) - 1;
    uint32_t left = (uint32_t)(value >> bits), right = (uint32_t)value & mask;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct rng rng;
        rng_init(&rng, seed, RNG_SWEEP, round, right);
        uint32_t next = left ^ (rng_u32(&rng) & mask);
        left = right;
        right = next;
    }
    return (uint64_t)left << bits | right;
}

uint64_t permute_index(uint64_t n, uint64_t seed, uint64_t index) {
    assert(index < n && n <= UINT64_C(1) << 2 * PERMUTE_BITS_MAX);
    int bits = 1;
    while (UINT64_C(1) << 2 * bits < n) {
        bits++;
    }
    do {
        index = feistel(index, bits, seed);
    } while (index >= n);
    return index;
}
