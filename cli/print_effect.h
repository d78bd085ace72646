/* cli/print_effect.h - the values of an axis against the best, and two sets of points against each other. */
#ifndef CLI_PRINT_EFFECT_H
#define CLI_PRINT_EFFECT_H

#include "results/compare.h"
#include "results/compare_effect.h"
#include "results/compare_pair.h"
#include "results/importance.h"
#include "results/table.h"

#include <stdio.h>

/* For people: the differences to the best, and below what the columns are.  For machines: a row for each value, with the
 * columns of print_axis() first. */
void print_effect(const struct compare *compare, const struct compare_effect *effect,
                  enum table_format format, FILE *out);

/* The sides by the names that they were given. */
void print_pair(const struct compare *compare, const struct compare_difference *difference,
                const char *const names[2], enum table_format format, FILE *out);

/* For people: shares with bars, the largest first. */
void print_importance(const struct compare *compare, const struct importance *importance,
                      FILE *out);

/* Why nothing can be tested with a seed a point, and what to do; for people. */
void print_one_seed(const struct compare *compare, FILE *out);

#endif
