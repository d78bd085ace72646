/* results/curves.h - mean learning curves of a sweep's trials, with a band over replicates.
 *
 * A curve is that of an axis value, of a grid point, or of all trials.  Which trials count: the complete ones, so
 * that a curve does not jump where trials leave it; with `under_way`, or while none is complete, also those that
 * are running, paused or wait to go on.  Failed ones never do.  A mean at an epoch is over the trials that count and
 * have that epoch, `n` of them: where n is less than the curve's `counted` it is a mean over others than beside it.
 *
 * A value that is NaN or infinite makes a gap: the mean over the other trials would look better than it is.
 *
 * The band, as besom compare has it:
 *     ci      95% interval of the mean over replicates: with m_r the mean over the trials of replicate r, that of
 *             the mean of the m_r by Student's t, around the mean over all.  None for fewer than two replicates
 *     std     a standard deviation of the trials (n - 1) to both sides.  None for fewer than two
 *     minmax  from the lowest trial to the highest */
#ifndef RESULTS_CURVES_H
#define RESULTS_CURVES_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct store;

enum curves_band { CURVES_BAND_CI, CURVES_BAND_STD, CURVES_BAND_MINMAX, CURVES_BAND_NONE };

/* "ci", "std", "minmax", "none"; false for another word. */
bool curves_parse_band(const char *word, enum curves_band *band);

struct curve_point {
    int epoch;
    double mean;      // NaN where a trial's value is not finite
    double low, high; // the band; NaN: none
    int n;            // trials, those without a finite value included
    int not_finite;   // of them
};

struct curve {
    char *name;                 // in short
    struct curve_point *points; // by epoch
    int count;
    int trials;  // planned
    int counted; // of them, those that count and have a value at any epoch
};

struct curves {
    char *sweep, *metric;
    char *axis;    // what the curves differ in, a path or "label"; NULL: one curve of all
    char *where;   // what --where left, as it was written; NULL: all
    bool maximize; // the metric's direction
    enum curves_band band;
    bool under_way;       // others than complete trials count, too
    struct curve *curves; // in the order of the sweep; some may have no points
    int count;
    int trials, complete, failed, counted; // of those that `where` leaves
    int unfinished;                        // of the counted ones, those under way
    int replicates;                        // that the counted ones have, at most
};

struct curves_options {
    const char *by;     // an axis, "label" (each grid point), "none"; NULL: the sweep's first axis
    const char *metric; // NULL: the objective's
    const char *where;  // as results/point_set.h; NULL: all
    enum curves_band band;
    bool under_way;
};

/* ERR_NOT_FOUND names what there is. */
int curves_load(struct curves *curves, struct store *store, const char *sweep,
                const struct curves_options *options, struct err *err);
void curves_release(struct curves *curves);

/* The last of its points; NULL when it has none. */
const struct curve_point *curve_last(const struct curve *curve);

/* Whether any trial of the sweep has a value of any metric yet. */
int curves_have_values(struct store *store, const char *sweep, bool *have, struct err *err);

#endif
