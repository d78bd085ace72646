/* base/spark.h - a histogram in a line of a terminal.
 *
 *     ▁▂▃▅█▅▃▂▁     or, where the terminal has no UTF-8,    .,:-#-:,.
 *
 * The height of a character is the count that falls into its part of the range, by the highest one; what is
 * not empty is seen. */
#ifndef BASE_SPARK_H
#define BASE_SPARK_H

#include <stdbool.h>

struct buf;

enum { SPARK_WIDTH_MAX = 256 };

/* Counts in equal bins from `low` to `high`. */
struct spark_bins {
    const double *counts;
    int count;
    double low, high;
};

/* Appends `width` characters for the range from `from` to `to`: the bins' own, or a wider one.  A bin that
 * reaches over several characters is spread over them. */
void spark_put(struct buf *out, const struct spark_bins *bins, double from, double to, int width,
               bool utf8);

#endif
