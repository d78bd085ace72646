/* runner/permute.h - a shuffled order without a table.
 *
 *     index -> (L, R), k bits each, the least k with 4^k >= n
 *     four times:  (L, R) -> (R, L ^ F(round, R))      F: the low k bits of a Philox stream
 *     while the result is not below n: once more       (cycle walking: Black, Rogaway 2002)
 *
 * A Feistel network is a bijection whatever F is, and walking its cycles keeps it one on [0, n).  4^k is
 * below 4 n, so that the expected number of walks is below 4. */
#ifndef RUNNER_PERMUTE_H
#define RUNNER_PERMUTE_H

#include <stdint.h>

enum { PERMUTE_BITS_MAX = 16 }; // of a half: n is at most 2^32

/* The place of `index` in the permutation of [0, n) that `seed` names.  index < n <= 2^32 */
uint64_t permute_index(uint64_t n, uint64_t seed, uint64_t index);

#endif
