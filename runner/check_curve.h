/* runner/check_curve.h - the metrics of one training, epoch by epoch, and where two of them part.
 *
 * Two values are the same when they have the same bits; every NaN is the same.  How far two others are
 * apart is told by their relative difference, |a - b| / max(|a|, |b|): 0 for equal numbers (0.0 and -0.0
 * included), infinite where one is missing or one alone is finite. */
#ifndef RUNNER_CHECK_CURVE_H
#define RUNNER_CHECK_CURVE_H

#include "base/wire.h"

#include <stdbool.h>

struct check_epoch {
    int epoch, metric_count;
    struct wire_metric *metrics; // owned
};

/* Zeroed before first use; sorted by epoch. */
struct check_curve {
    struct check_epoch *epochs; // owned
    int count, cap;
};

/* The epoch's record; NULL when it was never told.  Borrowed until the next change. */
const struct check_epoch *check_curve_find(const struct check_curve *curve, int epoch);

/* Keeps an epoch record; an epoch that is there already stays as it is. */
void check_curve_add(struct check_curve *curve, const struct wire_record *record);

/* How many epochs are there without a gap, from 1. */
int check_curve_contiguous(const struct check_curve *curve);
int check_curve_last(const struct check_curve *curve); // the highest epoch; 0: none

void check_curve_release(struct check_curve *curve);

/* A metric with two values. */
struct check_difference {
    int epoch;
    char metric[WIRE_NAME_MAX + 1];
    bool has_want, has_got; // false: the metric is not there at all
    double want, got;
    double relative;
};

double check_relative(double a, double b);

/* Compares a record with what its epoch should have.  Returns the number of metrics whose bits differ;
 * `worst` receives the one that is farthest off, the first of equals.  0 leaves it alone. */
int check_epoch_compare(const struct check_epoch *want, const struct wire_record *got,
                        struct check_difference *worst);

#endif
