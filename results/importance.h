/* results/importance.h - how much of the variance of all trials each axis makes: functional analysis of variance.
 *
 * The trials' values are a sum of a part for each axis (main effects), a part for each pair of axes (their
 * interaction: what the two do together beyond what each does alone), the rest (what three or more axes do together), and
 * noise: how far the seeds of one point are apart.
 *
 *     SS_total = sum over all trials of (value - mean of all)^2
 *     SS_noise = sum over all trials of (value - mean of its point)^2,   MSE = SS_noise / (trials - points)
 *     SS(axis) = what the axis adds to a model of all other axes' main effects              (type II)
 *     SS(pair) = what the pair adds to a model of all main effects and all other pairs      (type II)
 *     SS(rest) = what the points add to a model of all main effects and all pairs
 *
 *     share = epsilon^2 = (SS - df * MSE) / SS_total            (Kelley 1935)
 *
 * SS / SS_total alone would give every axis a share of the noise, and with few seeds a large one; epsilon^2 takes out what
 * df parameters pick up of it by chance.  A share can come out a little below 0: then there is nothing to see.  Where
 * no point has two seeds there is no MSE: shares are then SS / SS_total, and noise and rest cannot be told apart.
 *
 * All of it is least squares over the trials that are there, so that excluded and failed points are no trouble: then the
 * parts overlap or leave gaps, and the shares need not add up to 1.  Where a failed point leaves a parameter undetermined, it
 * is not counted in df. */
#ifndef RESULTS_IMPORTANCE_H
#define RESULTS_IMPORTANCE_H

#include <stdbool.h>

struct compare;

struct importance_data {
    int axis_count, trial_count;
    const int *level_count; // (axis_count)
    const int *level;       // (trial_count, axis_count) from 0
    const int *point; // (trial_count) equal for trials that differ in their seed alone; ascending
    const double *value; // (trial_count) finite
};

struct importance_term {
    int first, second; // axes; second -1: a main effect; both -1: the rest
    double ss;
    int df;
    double share;
};

struct importance {
    struct importance_term *terms; // main effects in the axes' order, pairs, the rest
    int term_count;
    int trial_count, point_count;
    double ss_total, ss_noise;
    int df_noise;       // trials - points; 0: shares are SS / SS_total
    double noise_share; // df_noise > 0: MSE (trials - 1) / SS_total; else NaN
    bool has_pairs;     // false: too many parameters; what pairs do is in the rest
};

/* Pairs are left out when they bring the parameters beyond this: the cost grows with their cube. */
enum { IMPORTANCE_PARAMETERS_MAX = 400 };

/* false, and nothing to release, where nothing can be said: fewer than three trials, all values the same, or axes
 * with more values than IMPORTANCE_PARAMETERS_MAX together. */
bool importance_of(struct importance *importance, const struct importance_data *data);

/* Of the axes with several values, over the trials that have one. */
bool importance_init(struct importance *importance, const struct compare *compare);
void importance_release(struct importance *importance);

#endif
