/* base/rng.h - random streams that need no state to be saved.
 *
 * A stream is a function of (seed, purpose, epoch, step): Philox4x32-10 (Salmon, Moraes, Dror, Shaw:
 * "Parallel random numbers: as easy as 1, 2, 3", SC 2011; Random123) with
 *
 *     key      (seed low, seed high)
 *     counter  (block, purpose, epoch, step)       block = 0, 1, 2, ... within the stream
 *
 * so that any stream can be opened at any time, in any order, on any worker, and a resumed run draws
 * what an uninterrupted one would have drawn.  2^34 numbers a stream. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* What a stream is for.  Stored results depend on these numbers: only ever add. */
enum rng_purpose {
    RNG_INIT = 1,    // epoch 0, step = parameter tensor
    RNG_SHUFFLE = 2, // epoch, step 0: the order of the training set
    RNG_DROPOUT = 3, // epoch, step = batch; a layer adds its index << 8 to the purpose
    RNG_SWEEP = 4,   // the order of trials
    RNG_TEST = 255,
};

struct rng {
    uint32_t key[2], counter[4];
    uint32_t block[4]; // the current four numbers
    int used;          // how many of them are gone
};

void rng_init(struct rng *rng, uint64_t seed, uint32_t purpose, uint32_t epoch, uint32_t step);

uint32_t rng_u32(struct rng *rng);
/* Uniform in [0, bound), without bias (Lemire 2019).  bound >= 1 */
uint32_t rng_below(struct rng *rng, uint32_t bound);
float rng_uniform(struct rng *rng); // in [0, 1), a multiple of 2^-24
double rng_normal(struct rng *rng); // mean 0, variance 1 (Box-Muller, one number a call)

/* A uniform permutation of the `n` indices in `order` (Fisher-Yates). */
void rng_shuffle(struct rng *rng, uint32_t *order, uint32_t n);

#endif
