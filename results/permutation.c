#include "results/permutation.h"

#include "base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static const double TIE = 1e-9; // of the sum of all |d|

/* The sums of all patterns of signs, ascending.  Each difference more makes two copies of what there is, one
 * moved up by |d| and one down, which are merged: so nothing need be sorted. */
static double *sums_of(const double *difference, size_t n) {
    size_t count = 1;
    double *sums = mem_zalloc((size_t)1 << n, sizeof *sums);
    double *merged = mem_zalloc((size_t)1 << n, sizeof *merged);
    for (size_t i = 0; i < n; i++) {
        double step = fabs(difference[i]);
        size_t down = 0, up = 0;
        for (size_t k = 0; k < 2 * count; k++) {
            bool low = down < count && (up == count || sums[down] - step <= sums[up] + step);
            merged[k] = low ? sums[down++] - step : sums[up++] + step;
        }
        count *= 2;
        double *other = sums;
        sums = merged;
        merged = other;
    }
    free(merged);
    return sums;
}

/* How many of the patterns sum up to `least` or more. */
static uint64_t count_from(const double *difference, size_t n, double least) {
    size_t half = n / 2, left_count = (size_t)1 << half, right_count = (size_t)1 << (n - half);
    double *left = sums_of(difference, half), *right = sums_of(difference + half, n - half);
    uint64_t count = 0;
    size_t first = right_count; // right[first...] are large enough for left[i]
    for (size_t i = 0; i < left_count; i++) {
        while (first > 0 && left[i] + right[first - 1] >= least) {
            first--;
        }
        count += right_count - first;
    }
    free(left);
    free(right);
    return count;
}

double permutation_test(const double *difference, size_t n, enum permutation_side side) {
    if (n == 0 || n > PERMUTATION_PAIRS_MAX) {
        return NAN;
    }
    double sum = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        sum += difference[i];
        size += fabs(difference[i]);
    }
    if (!isfinite(size)) {
        return NAN;
    }
    double tie = TIE * size;
    if (side == PERMUTATION_GREATER) {
        return ldexp((double)count_from(difference, n, sum - tie), -(int)n);
    }
    if (fabs(sum) <= tie) {
        return 1; // every pattern is as far from 0
    }
    // A pattern and its opposite have opposite sums: both tails are alike.
    return ldexp((double)count_from(difference, n, fabs(sum) - tie), 1 - (int)n);
}

double permutation_smallest(size_t n) {
    return n == 0 ? 1 : ldexp(2, -(int)n);
}
