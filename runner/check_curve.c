#include "runner/check_curve.h"

#include "base/mem.h"
#include "base/num.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- keeping ---- */

/* Where the epoch is, or would go. */
static int place_of(const struct check_curve *curve, int epoch) {
    int low = 0, high = curve->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (curve->epochs[middle].epoch < epoch) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct check_epoch *check_curve_find(const struct check_curve *curve, int epoch) {
    int at = place_of(curve, epoch);
    return at < curve->count && curve->epochs[at].epoch == epoch ? &curve->epochs[at] : NULL;
}

void check_curve_add(struct check_curve *curve, const struct wire_record *record) {
    int at = place_of(curve, record->epoch);
    if (at < curve->count && curve->epochs[at].epoch == record->epoch) {
        return;
    }
    if (curve->count == curve->cap) {
        curve->cap = curve->cap == 0 ? 16 : 2 * curve->cap;
        curve->epochs = mem_resize(curve->epochs, (size_t)curve->cap, sizeof *curve->epochs);
    }
    memmove(&curve->epochs[at + 1], &curve->epochs[at],
            (size_t)(curve->count - at) * sizeof *curve->epochs);
    size_t count = (size_t)record->metric_count;
    struct check_epoch *epoch = &curve->epochs[at];
    *epoch = (struct check_epoch){.epoch = record->epoch, .metric_count = record->metric_count};
    epoch->metrics = mem_zalloc(count + 1, sizeof *epoch->metrics); // an epoch may have none
    memcpy(epoch->metrics, record->metrics, count * sizeof *epoch->metrics);
    curve->count++;
}

int check_curve_contiguous(const struct check_curve *curve) {
    int n = 0;
    while (n < curve->count && curve->epochs[n].epoch == n + 1) {
        n++;
    }
    return n;
}

int check_curve_last(const struct check_curve *curve) {
    return curve->count == 0 ? 0 : curve->epochs[curve->count - 1].epoch;
}

void check_curve_release(struct check_curve *curve) {
    for (int i = 0; i < curve->count; i++) {
        free(curve->epochs[i].metrics);
    }
    free(curve->epochs);
    *curve = (struct check_curve){0};
}

/* ---- comparing ---- */

static bool is_same(double a, double b) {
    return num_same_bits(a, b) || (isnan(a) && isnan(b));
}

double check_relative(double a, double b) {
    if (is_same(a, b) || a == b) {
        return 0.0;
    }
    if (!isfinite(a) || !isfinite(b)) {
        return (double)INFINITY;
    }
    double scale = fmax(fabs(a), fabs(b));
    return fabs(a / scale - b / scale); // a - b could overflow
}

static const struct wire_metric *find(const struct wire_metric *metrics, int count,
                                      const char *name) {
    for (int i = 0; i < count; i++) {
        if (strcmp(metrics[i].name, name) == 0) {
            return &metrics[i];
        }
    }
    return NULL;
}

/* One of the two may be NULL.  true when they differ. */
static bool compare(const char *name, const struct wire_metric *want, const struct wire_metric *got,
                    struct check_difference *d) {
    if (want != NULL && got != NULL && is_same(want->value, got->value)) {
        return false;
    }
    *d = (struct check_difference){.has_want = want != NULL, .has_got = got != NULL};
    d->want = want != NULL ? want->value : (double)NAN;
    d->got = got != NULL ? got->value : (double)NAN;
    memcpy(d->metric, name, strlen(name) + 1); // of a wire_metric: it fits
    d->relative = want != NULL && got != NULL ? check_relative(d->want, d->got) : (double)INFINITY;
    return true;
}

int check_epoch_compare(const struct check_epoch *want, const struct wire_record *got,
                        struct check_difference *worst) {
    int count = 0;
    struct check_difference d;
    for (int i = 0; i < want->metric_count + got->metric_count; i++) {
        bool of_want = i < want->metric_count;
        const struct wire_metric *m =
            of_want ? &want->metrics[i] : &got->metrics[i - want->metric_count];
        const struct wire_metric *there = of_want
                                              ? find(got->metrics, got->metric_count, m->name)
                                              : find(want->metrics, want->metric_count, m->name);
        if (!of_want && there != NULL) {
            continue; // compared already
        }
        if (compare(m->name, of_want ? m : NULL, of_want ? there : m, &d)) {
            d.epoch = got->epoch;
            if (count++ == 0 || d.relative > worst->relative) {
                *worst = d;
            }
        }
    }
    return count;
}
