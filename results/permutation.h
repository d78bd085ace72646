/* results/permutation.h - the exact test of paired differences: Fisher's, by flipping signs.
 *
 * Were there no difference between two choices, each pair's difference could as well have had the other
 * sign.  So of all 2^n patterns of signs, the p-value is the share whose sum is at least as extreme as the
 * one observed (Fisher, "The Design of Experiments", 1935, section 21).  It assumes nothing about how
 * the differences are distributed, and so can never be smaller than permutation_smallest(n): with few
 * pairs it cannot convince anybody, however large the differences are. */
#ifndef RESULTS_PERMUTATION_H
#define RESULTS_PERMUTATION_H

#include <stddef.h>

enum { PERMUTATION_PAIRS_MAX = 40 };

enum permutation_side {
    PERMUTATION_TWO_SIDED, // |sum| at least as large as observed
    PERMUTATION_GREATER,   // sum at least as large as observed; for "less" negate the differences
};

/* The p-value over all 2^n patterns, n <= PERMUTATION_PAIRS_MAX; NaN for n = 0, for more pairs and for
 * differences that are not finite.  A pattern ties with the observed one, and counts, when their sums differ
 * by no more than 1e-9 of the sum of all |d|: rounding in the last digits decides nothing.
 *
 * By meeting in the middle (Horowitz, Sahni 1974): the 2^(n/2) sums of either half, in ascending order, and
 * two fingers that count the pairs of them.  Cost and memory O(2^(n/2)): 1 us for 10 pairs, 20 ms and
 * 32 MiB for 40. */
double permutation_test(const double *difference, size_t n, enum permutation_side side);

/* The smallest that the two-sided p-value of n pairs can be: 2 / 2^n. */
double permutation_smallest(size_t n);

#endif
