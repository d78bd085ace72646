#include "results/holm.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b) {
    double x = **(double *const *)a, y = **(double *const *)b;
    return (x > y) - (x < y);
}

void holm_adjust(double *p, size_t n, double family) {
    double **order = mem_zalloc(n + 1, sizeof *order);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(p[i])) {
            order[count++] = &p[i];
        }
    }
    assert(family >= (double)count);
    qsort(order, count, sizeof *order, ascending);
    double adjusted = 0;
    for (size_t j = 0; j < count; j++) {
        adjusted = fmax(adjusted, (family - (double)j) * *order[j]);
        *order[j] = fmin(adjusted, 1);
    }
    free(order);
}

double holm_pairs(size_t k) {
    return k < 2 ? 0 : (double)k * (double)(k - 1) / 2;
}
