/* cli/print_given.h - an axis given another: a table of means, coloured where the terminal has colour. */
#ifndef CLI_PRINT_GIVEN_H
#define CLI_PRINT_GIVEN_H

#include "results/compare.h"
#include "results/table.h"

#include <stdio.h>

/* A row for each value of `axis`, a column for each of `given`; the best of each column is marked, and below stands what
 * the data does not tell from it.  For machines a row for each pair of values. */
void print_given(const struct compare *compare, int axis, int given, enum table_format format,
                 FILE *out);

#endif
