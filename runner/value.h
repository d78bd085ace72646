/* runner/value.h - when two values of a sweep mean the same.
 *
 * Numbers by value, whatever their spelling; objects in any order; and "x" is {"name": "x"}. */
#ifndef RUNNER_VALUE_H
#define RUNNER_VALUE_H

#include <stdbool.h>

struct buf;
struct cJSON;

bool value_same(const struct cJSON *a, const struct cJSON *b);

/* Appends a text that is equal for values that mean the same, and for no others. */
void value_print_normal(struct buf *out, const struct cJSON *value);

#endif
