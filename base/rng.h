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
    RNG_AUGMENT =
        5,         // epoch, step = batch; an operation adds its number << 8, see trainer/augment.h
    RNG_DATA = 6,  // epoch = part, step = sample: data sets that are made
    RNG_PROBE = 7, // epoch 0, step = sample: what a network is probed with
    RNG_CHECK = 8, // epoch = round, step = attempt: when besom check ends a trainer
    RNG_TEST = 255,
};

struct rng {
    uint32_t key[2], counter[4];
    uint32_t block[4]; // the current four numbers
    int used;          // how many of them are gone
};

void rng_init(struct rng *rng, uint64_t seed, uint32_t purpose, uint32_t epoch, uint32_t step);

uint32_t rng_u32(struct rng *rng);
/* What the next n calls of rng_u32() would give, several times as fast.  The numbers taken from the
 * stream so far, and n, are multiples of 4. */
void rng_fill(struct rng *rng, uint32_t *out, size_t n);
/* Uniform in [0, bound), without bias (Lemire 2019).  bound >= 1 */
uint32_t rng_below(struct rng *rng, uint32_t bound);
float rng_uniform(struct rng *rng); // in [0, 1), a multiple of 2^-24
double rng_normal(struct rng *rng); // mean 0, variance 1 (Box-Muller, one number a call)
/* Beta(a, b), in [0, 1]; a, b > 0.  Of two Gamma numbers (Marsaglia, Tsang: "A simple method for
 * generating gamma variables", 2000), as logarithms, so that small a and b do not underflow.  Draws as
 * many numbers as it needs. */
double rng_beta(struct rng *rng, double a, double b);

/* A uniform permutation of the `n` indices in `order` (Fisher-Yates). */
void rng_shuffle(struct rng *rng, uint32_t *order, uint32_t n);

#endif
