/* trainer/numerics.h - what the bits of a result hang on besides the config.
 *
 *     part       chosen by                                     pinned by
 *     openblas   the library that is installed                 nothing
 *     core       the library, from the processor, at load      OPENBLAS_CORETYPE, in a new process
 *     threads    1                                             OPENBLAS_NUM_THREADS, or a call
 *     kernels    ours, at start (trainer/choice.h)             BESOM_KERNELS
 *
 * A version of the program may compute with the same parts and other bits: it is recorded beside them.
 *
 * A part that pins itself is pinned by its variable, so that nothing that runs later chooses anew. */
#ifndef TRAINER_NUMERICS_H
#define TRAINER_NUMERICS_H

#include <stdbool.h>

struct buf;

enum { NUMERICS_NAME_MAX = 31 };

struct numerics {
    char openblas[NUMERICS_NAME_MAX + 1]; // "0.3.21"
    char core[NUMERICS_NAME_MAX + 1];     // "Haswell"
    int threads;
    char kernels[NUMERICS_NAME_MAX + 1]; // "x86-64-v3"
};

/* One BLAS thread, unless OPENBLAS_NUM_THREADS says otherwise.  Results with 1 and with 2 threads
 * differ in their last bits, and the pool already keeps every core busy. */
void numerics_pin(void);

/* What this process computes with. */
void numerics_now(struct numerics *out);
bool numerics_equal(const struct numerics *a, const struct numerics *b);

/* "openblas 0.3.21 Haswell 1 thread, kernels x86-64-v3" */
void numerics_print(struct buf *out, const struct numerics *numerics);
void numerics_describe(struct buf *out); // of this process

/* Whether this processor has what OpenBLAS's code for `core` uses; false for a core that is not known
 * here. */
bool numerics_core_runs(const char *core);

enum numerics_adopted {
    NUMERICS_SAME,   // nothing was to be done
    NUMERICS_PINNED, // this process now computes as `then`
    NUMERICS_AGAIN,  // so will this program when it is executed again: the environment is set
    NUMERICS_OTHER,  // some part cannot be had; the others are pinned
};

/* Makes this process compute as `then`, which a training began with, as far as it can.  A variable of the
 * table that the user has set wins.  OPENBLAS_NUM_THREADS=1 under a runner is not the user's: the
 * runner sets it.  `again`: it was executed again for that, and is not to be another time.
 * `obstacles` gets, after NUMERICS_OTHER, why each part is another one: "BESOM_KERNELS=v4 is set, ..." */
enum numerics_adopted numerics_adopt(const struct numerics *then, bool again,
                                     struct buf *obstacles);

#endif
