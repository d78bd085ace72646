/* trainer/kernels/loss.c - what logits cost and the gradient of it, a sample a column.
 *
 * Softmax and cross-entropy in one, for a target t that adds up to 1:
 *
 *     m = max over k of z[k]    total = sum over k of exp(z[k] - m)
 *     loss = log(total) - sum over k of t[k] (z[k] - m)
 *     dz[k] = (exp(z[k] - m) / total - t[k]) / n
 *
 * No exponential overflows, since z - m <= 0.  The total is kept in double: next to a sure winner,
 * whose term is 1, float32 would lose every term below 6e-8 and call the loss 0.  Smoothing takes the
 * share s of the target away and gives it to all classes alike (Szegedy et al. 2016), as PyTorch's
 * CrossEntropyLoss does.
 *
 * Squared error, as PyTorch's MSELoss against the target as a vector:
 *
 *     loss = sum over k of (z[k] - t[k])^2 / classes        dz[k] = 2 (z[k] - t[k]) / (classes n) */
#include "trainer/kernels/isa.h"
#include "trainer/kernels/vmath.h"

#include <math.h>

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

/* What class k has of the target of sample i, without what smoothing adds to all classes. */
KERNEL_INLINE float target_of(const struct loss_batch *b, int i, int k, float kept) {
    const float own = b->labels[i] == k ? kept : 0.0f;
    if (!b->others) {
        return own;
    }
    return own * b->share + (b->others[i] == k ? kept * (1.0f - b->share) : 0.0f);
}

/* ---- softmax ---- */

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

/* sum over k of t[k] (z[k] - max) of sample i, z its column. */
static double expected_logit(const struct loss_batch *b, const float *z, int i, double max) {
    const double own = (double)z[b->labels[i] * (ptrdiff_t)b->N] - max;
    double sum = own;
    if (b->others) {
        const double other = (double)z[b->others[i] * (ptrdiff_t)b->N] - max;
        sum = (double)b->share * own + (1.0 - (double)b->share) * other;
    }
    if (b->smoothing > 0.0f) {
        double all = 0.0;
        for (int k = 0; k < b->classes; k++) {
            all += (double)z[k * (ptrdiff_t)b->N] - max;
        }
        sum += (double)b->smoothing * (all / b->classes - sum);
    }
    return sum;
}

/* Exponentials to gradients, for the first `left` of the columns from `first` on; 0 in the others. */
KERNEL_INLINE void gradients(const struct loss_batch *b, const struct columns *columns, int first,
                             int left) {
    float inverse[LANES] __attribute__((aligned(64)));
    for (int i = 0; i < LANES; i++) {
        inverse[i] = (float)(1.0 / columns->total[i]);
    }
    const vec scale = vec_load(inverse);
    const float kept = 1.0f - b->smoothing, all = b->smoothing / (float)b->classes;
    for (int k = 0; k < b->classes; k++) {
        float *row = b->dlogits + k * (ptrdiff_t)b->N + first;
        vec_store(row, vec_load(row) * scale);
        for (int i = 0; i < LANES; i++) {
            row[i] = i >= left ? 0.0f
                               : (row[i] - (target_of(b, first + i, k, kept) + all)) / (float)b->n;
        }
    }
}

void KERNEL(softmax_xent)(const struct loss_batch *b, double *loss_sum, int64_t *correct) {
    double loss = *loss_sum;
    for (int first = 0; first < b->N; first += LANES) {
        const float *z = b->logits + first;
        const int left = b->n - first < LANES ? b->n - first : LANES;
        struct columns columns;

        exponentials(&columns, b->dlogits ? b->dlogits + first : NULL, z, b->classes, b->N);
        for (int i = 0; i < left; i++) {
            loss +=
                log(columns.total[i]) - expected_logit(b, z + i, first + i, (double)columns.max[i]);
            *correct += is_correct(z + i, b->classes, b->N, b->labels[first + i]);
        }
        if (b->dlogits) {
            gradients(b, &columns, first, left);
        }
    }
    *loss_sum = loss;
}

/* ---- squared error ---- */

void KERNEL(squared_error)(const struct loss_batch *b, double *loss_sum, int64_t *correct) {
    const double scale = 2.0 / ((double)b->classes * b->n);
    double loss = *loss_sum;
    for (int i = 0; i < b->n; i++) {
        const float *z = b->logits + i;
        double sum = 0.0;
        for (int k = 0; k < b->classes; k++) {
            const ptrdiff_t at = k * (ptrdiff_t)b->N;
            const double error = (double)z[at] - (double)target_of(b, i, k, 1.0f);
            sum += error * error;
            if (b->dlogits) {
                b->dlogits[at + i] = (float)(scale * error);
            }
        }
        loss += sum / b->classes;
        *correct += is_correct(z, b->classes, b->N, b->labels[i]);
    }
    for (int k = 0; k < b->classes && b->dlogits; k++) {
        for (int i = b->n; i < b->N; i++) {
            b->dlogits[k * (ptrdiff_t)b->N + i] = 0.0f;
        }
    }
    *loss_sum = loss;
}
