/* results/point_set.h - points of a sweep as people name them.
 *
 *     "3"                                  the point of this rank in the leaderboard
 *     "optimizer=adam"                     all points with this value
 *     "optimizer=adam,activation=relu"     all with both
 *     "optimizer=adam,optimizer=sgd"       all with either: values of one axis are alternatives
 *
 * Values are written as tables show them, or as the sweep's view has them ("adam lr=0.001"); a comma within one is
 * no trouble, since the longest value that fits is taken. */
#ifndef RESULTS_POINT_SET_H
#define RESULTS_POINT_SET_H

#include <stdbool.h>

struct compare;
struct err;

struct point_set {
    bool *has; // (grid.count)
    bool *
        named; // (axis_total) the axes that it says something about; of a rank all with several values
    int count;
};

/* ERR_NOT_FOUND for an axis, a value or a rank that is not there, with the nearest; ERR_RANGE for text of another form. */
int point_set_parse(struct point_set *set, const struct compare *compare, const char *text,
                    struct err *err);
void point_set_release(struct point_set *set);

#endif
