/* results/curves.h - the mean learning curve of each value of an axis.
 *
 * The mean at an epoch is over the complete trials that have the axis value (over all trials, while
 * none is complete), so that a curve does not jump where trials leave it. */
#ifndef RESULTS_CURVES_H
#define RESULTS_CURVES_H

struct err;
struct store;

struct curve_point {
    int epoch;
    double mean; // NaN where a trial had a value that is not finite
    int n;       // trials
};

struct curve {
    char *name; // the axis value in short
    struct curve_point *points;
    int count;
};

struct curves {
    char *sweep, *axis, *metric;
    struct curve *curves; // in the order of the sweep
    int count;
};

/* `axis` NULL: the sweep's first; `metric` NULL: the objective's.  ERR_NOT_FOUND names what there is. */
int curves_load(struct curves *curves, struct store *store, const char *sweep, const char *axis,
                const char *metric, struct err *err);
void curves_release(struct curves *curves);

#endif
