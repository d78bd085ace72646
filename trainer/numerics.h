/* trainer/numerics.h - what the bits of a result hang on besides the config. */
#ifndef TRAINER_NUMERICS_H
#define TRAINER_NUMERICS_H

struct buf;

/* One BLAS thread, unless OPENBLAS_NUM_THREADS says otherwise.  Results with 1 and with 2 threads
 * differ in their last bits, and the pool already keeps every core busy. */
void numerics_pin(void);

/* "openblas 0.3.21 Haswell 1 thread, kernels x86-64-v3" */
void numerics_describe(struct buf *out);

#endif
