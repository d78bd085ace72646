/* cli/print.h - tables and bars of a comparison. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include "results/compare.h"
#include "results/table.h"

#include <stdio.h>

/* The leaderboard: at most `rows` points (0: all).  For people it keeps to the terminal's width: the deviation and
 * the best trial's number give way. */
void print_leaderboard(const struct compare *compare, int rows, enum table_format format,
                       FILE *out);

/* The marginal means of one axis with bars. */
void print_axis(const struct compare *compare, const struct compare_axis *axis,
                enum table_format format, FILE *out);

/* What the values are called above their column: the metric, "epochs" or "seconds". */
const char *print_title(const struct compare *compare);

/* "1 seed", "3 seeds" */
const char *print_plural(int n);

#endif
