/* results/holm.h - several tests at once (Holm, "A simple sequentially rejective multiple test
 * procedure", Scandinavian Journal of Statistics 6, 1979).
 *
 * Of the p-values in ascending order p(1) <= ... <= p(n), taken from a family of m >= n tests,
 *
 *     adjusted p(i) = min(1, max over j <= i of (m - j + 1) p(j))
 *
 * Calling different what has an adjusted p below 0.05 calls any two that are alike different with
 * probability 0.05 at most, for the whole family together, whichever of its hypotheses are true and however
 * the tests depend on each other.
 *
 * m > n is for tests that were chosen by looking at the data.  "Each value against the best one" is n = k - 1 tests
 * of the m = k (k - 1) / 2 pairs of k values: which one is the best, and so which pairs are tested, the
 * same numbers have decided.  What is called different then is a part of what Holm's procedure over
 * all m pairs calls different: p(j) of the chosen ones is at least the j-th smallest of all. */
#ifndef RESULTS_HOLM_H
#define RESULTS_HOLM_H

#include <stddef.h>

/* Replaces the n p-values by the adjusted ones, in their places; NaN stays NaN and counts as no test.  `family` is m. */
void holm_adjust(double *p, size_t n, double family);

/* k (k - 1) / 2 */
double holm_pairs(size_t k);

#endif
