/* cli/print.h - tables and bars on stdout. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include "results/compare.h"
#include "results/table.h"

#include <stdio.h>

void print_table(const struct table *table, enum table_format format, FILE *out);

/* The leaderboard: at most `rows` points (0: all). */
void print_leaderboard(const struct compare *compare, int rows, enum table_format format,
                       FILE *out);

/* The marginal means of one axis with bars; all axes, each in a block, for people. */
void print_axis(const struct compare *compare, const struct compare_axis *axis,
                enum table_format format, FILE *out);

#endif
