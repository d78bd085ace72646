#include "results/paired.h"

#include "base/mem.h"
#include "results/permutation.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static double difference_of(double a, double b) {
    double d = a - b;
    return fabs(d) <= 4 * DBL_EPSILON * fmax(fabs(a), fabs(b)) ? 0 : d;
}

static double *differences_of(const double *a, const double *b, size_t n) {
    double *d = mem_zalloc(n + 1, sizeof *d);
    for (size_t i = 0; i < n; i++) {
        d[i] = difference_of(a[i], b[i]);
    }
    return d;
}

/* *t and the result are as in struct paired. */
static double t_test(const struct stats *difference, double *t) {
    if (difference->n < 2) {
        *t = NAN;
        return NAN;
    }
    double n = (double)difference->n;
    *t = difference->mean == 0 ? 0 : difference->mean / (difference->std / sqrt(n));
    return isinf(*t) ? permutation_smallest(difference->n) : stats_t_two_sided(*t, n - 1);
}

struct paired paired_of(const double *a, const double *b, size_t n) {
    double *d = differences_of(a, b, n);
    struct paired p = {.difference = stats_of(d, n)};
    p.ci_half = stats_ci_half(&p.difference, STATS_LEVEL);
    p.p = t_test(&p.difference, &p.t);
    p.p_exact = permutation_test(d, n, PERMUTATION_TWO_SIDED);
    free(d);
    return p;
}

double paired_p(const double *a, const double *b, size_t n) {
    double *d = differences_of(a, b, n), t;
    struct stats difference = stats_of(d, n);
    free(d);
    return t_test(&difference, &t);
}
