/* runner/axis.h - multiplying out {"values": [...]} in the values of an axis.
 *
 *     {"name": "sgd", "lr": {"values": [0.01, 0.1]}}   ->   {"name": "sgd", "lr": 0.01}
 *                                                           {"name": "sgd", "lr": 0.1}
 *
 * At any depth; several in one value multiply each other, the last fastest.  A plain list stays a list:
 * only an object whose one key is "values", with a list, multiplies. */
#ifndef RUNNER_AXIS_H
#define RUNNER_AXIS_H

#include <stdbool.h>
#include <stdint.h>

struct cJSON;

enum axis_problem {
    AXIS_FINE,
    AXIS_VALUES_EMPTY,    // {"values": []}
    AXIS_VALUES_NO_LIST,  // {"values": 0.1}
    AXIS_VALUES_NOT_ALONE // {"values": [...], "other": ...}
};

/* The first misuse of "values" in `value`; `where` receives the object. */
enum axis_problem axis_check(const struct cJSON *value, const struct cJSON **where);

/* How many values `value` makes, at most `limit` + 1.  It has passed axis_check(). */
int64_t axis_multiplicity(const struct cJSON *value, int64_t limit);

/* Puts them, owned by the caller, into out[0 .. axis_multiplicity). */
void axis_multiply(const struct cJSON *value, struct cJSON **out);

/* The place in `source` of what stands at `path` ("lr", "layers[2].units") in `made`, one of the values
 * that it makes; the nearest thing around it when that is not there.  `made` NULL: `source` is no axis
 * value, and "values" means nothing in it. */
const struct cJSON *axis_locate(const struct cJSON *source, const struct cJSON *made,
                                const char *path);

#endif
