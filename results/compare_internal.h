/* results/compare_internal.h - between reading the trials and comparing them. */
#ifndef RESULTS_COMPARE_INTERNAL_H
#define RESULTS_COMPARE_INTERNAL_H

#include "results/compare.h"

/* A trial of the sweep, as the view sweep_<name> shows it. */
struct compare_row {
    int64_t trial, replicate;
    int point;
    int *level; // (axis_total) index into the axis's levels; owned
    bool complete, failed;
    bool reached;
    double value; // NaN: has none
};

struct compare_rows {
    struct compare_row *at; // ordered by point, then replicate
    int count, cap;
};

/* The index of the level of this name, which is added when it is new. */
int compare_level_of(struct compare_axis *axis, const char *name);

/* Fills in all that follows from the rows, whose levels it reorders.  `compare` has its axes with their levels. */
void compare_fill(struct compare *compare, struct compare_rows *rows);

void compare_rows_release(struct compare_rows *rows);

#endif
