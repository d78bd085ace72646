/* trainer/kernels/softmax.c - softmax and cross-entropy in one, a sample a column.
 *
 *     m = max over k of z[k]    total = sum over k of exp(z[k] - m)
 *     loss = log(total) - (z[label] - m)
 *     dz[k] = (exp(z[k] - m) / total - [k is the label]) / n
 *
 * No exponential overflows, since z - m <= 0.  The total is kept in double: next to a sure winner,
 * whose term is 1, float32 would lose every term below 6e-8 and call the loss 0. */
#include "trainer/kernels/isa.h"
#include "trainer/kernels/vmath.h"

#include <math.h>

/* LANES columns of the logits. */
struct columns {
    float max[LANES];
    double total[LANES];
} __attribute__((aligned(64)));

/* Fills in `columns`; the exponentials go to `e`, unless that is NULL. */
KERNEL_INLINE void exponentials(struct columns *columns, float *e, const float *z, int classes,
                                int N) {
    vec max = vec_load(z);
    for (int k = 1; k < classes; k++) {
        const vec logit = vec_load(z + k * (ptrdiff_t)N);
        max = vec_pick(logit > max, logit, max); // a NaN may stay or go: the total has it
    }
    vec_store(columns->max, max);
    for (int i = 0; i < LANES; i++) {
        columns->total[i] = 0.0;
    }
    for (int k = 0; k < classes; k++) {
        float term[LANES] __attribute__((aligned(64)));
        vec_store(term, vec_exp(vec_load(z + k * (ptrdiff_t)N) - max));
        for (int i = 0; i < LANES; i++) {
            columns->total[i] += (double)term[i];
        }
        if (e) {
            vec_store(e + k * (ptrdiff_t)N, vec_load(term));
        }
    }
}

/* Is the label the largest logit, and the first of several?  Never true next to a NaN. */
static int is_correct(const float *z, int classes, int N, int label) {
    const float own = z[label * (ptrdiff_t)N];
    for (int k = 0; k < classes; k++) {
        const float other = z[k * (ptrdiff_t)N];
        if (!(k < label ? other < own : other <= own)) {
            return 0;
        }
    }
    return 1;
}

/* Exponentials to gradients, for the columns below `n`; 0 in the others. */
KERNEL_INLINE void gradients(float *d, const struct columns *columns, const uint8_t *labels,
                             int classes, int N, int columns_left, int n) {
    float inverse[LANES] __attribute__((aligned(64)));
    for (int i = 0; i < LANES; i++) {
        inverse[i] = (float)(1.0 / columns->total[i]);
    }
    const vec scale = vec_load(inverse);
    for (int k = 0; k < classes; k++) {
        float *row = d + k * (ptrdiff_t)N;
        vec_store(row, vec_load(row) * scale);
        for (int i = 0; i < LANES; i++) {
            row[i] =
                i >= columns_left ? 0.0f : (row[i] - (labels[i] == k ? 1.0f : 0.0f)) / (float)n;
        }
    }
}

void KERNEL(softmax_xent)(float *dlogits, const float *logits, const uint8_t *labels, int classes,
                          int N, int n, double *loss_sum, int64_t *correct) {
    double loss = *loss_sum;
    for (int first = 0; first < N; first += LANES) {
        const float *z = logits + first;
        float *d = dlogits ? dlogits + first : NULL;
        const int left = n - first < LANES ? n - first : LANES;
        struct columns columns;

        exponentials(&columns, d, z, classes, N);
        for (int i = 0; i < left; i++) {
            const int label = labels[first + i];
            const double own = (double)z[label * (ptrdiff_t)N + i] - (double)columns.max[i];
            loss += log(columns.total[i]) - own;
            *correct += is_correct(z + i, classes, N, label);
        }
        if (d) {
            gradients(d, &columns, labels + first, classes, N, left, n);
        }
    }
    *loss_sum = loss;
}
