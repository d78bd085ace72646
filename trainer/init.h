/* trainer/init.h - initial weights.
 *
 *     zeros           0
 *     normal          N(0, std^2)
 *     uniform         U(-bound, bound)
 *     xavier_normal   N(0, gain^2 * 2 / (fan_in + fan_out))           (Glorot, Bengio 2010)
 *     xavier_uniform  U(-b, b), b = gain * sqrt(6 / (fan_in + fan_out))
 *     he_normal       N(0, gain^2 / fan_in)                           (He et al. 2015)
 *     he_uniform      U(-b, b), b = gain * sqrt(3 / fan_in)
 *     lecun_normal    N(0, 1 / fan_in)                                (LeCun et al. 1998)
 *     lecun_uniform   U(-b, b), b = sqrt(3 / fan_in)
 *     truncated_normal  N(0, std^2) where it is within 2 std of 0: what lies outside is drawn again
 *     constant        value
 *     orthogonal      gain * Q, W = Q R for a W of N(0, 1) seen as n / fan_in rows of fan_in, with R's
 *                     diagonal positive; where there are more columns than rows, of W transposed: rows or
 *                     columns, the fewer, are orthonormal                (Saxe et al. 2014)
 *     torch_default   U(-b, b), b = 1 / sqrt(fan_in), and so the biases: what PyTorch gives its Linear
 *                     and Conv2d
 *     lsuv            orthogonal of gain 1, which trainer/lsuv.h then scales
 *
 * Fans as PyTorch counts them: dense (out, in): fan_in = in, fan_out = out; conv2d (K, C, R, S):
 * fan_in = C*R*S, fan_out = K*R*S.
 *
 * Numbers are computed in double and rounded once; those of W also before the factorization. */
#ifndef TRAINER_INIT_H
#define TRAINER_INIT_H

#include "trainer/spec.h"

#include <stddef.h>

struct rng;

/* Fills w (n) from `rng`, in order; zeros and constant draw nothing.  Fans are at least 1, and n is a
 * multiple of fan_in for orthogonal and lsuv.  Their cost is 4 * n * min(fan_in, n / fan_in) flop, and
 * 8 n bytes for the time of the call. */
void init_fill(float *w, size_t n, const struct init_spec *spec, int fan_in, int fan_out,
               struct rng *rng);

/* Fills the biases b (n) of a layer after its weights: 0, but torch_default's. */
void init_fill_bias(float *b, size_t n, const struct init_spec *spec, int fan_in, struct rng *rng);

#endif
