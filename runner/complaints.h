/* runner/complaints.h - what a trainer's check has against the points of a sweep.
 *
 * A wrong value of an axis is wrong in many points: each distinct complaint is kept once, with the first
 * point that has it and their number, and is told at the place in the sweep file that it is about. */
#ifndef RUNNER_COMPLAINTS_H
#define RUNNER_COMPLAINTS_H

#include "runner/sweep.h"

#include <stdint.h>

struct diag;
struct grid_point;

enum { COMPLAINTS_MAX = 1000 }; // distinct ones; further ones are counted

struct complaint {
    char *path, *message, *label; // owned
    const struct cJSON *place;    // borrowed from the sweep's document
    int64_t count;                // trials
};

struct complaints {
    struct complaint *item; // owned
    int count;
    int64_t beyond;
};

/* `path` ("optimizer.lr", "model.layers[2].units", "" for the whole) and `message` are the trainer's. */
void complaints_add(struct complaints *list, const struct sweep *sweep,
                    const struct grid_point *point, const char *path, const char *message);

/* Puts them into `diag`, in the order of their first points; `trials` were checked. */
void complaints_tell(const struct complaints *list, const struct sweep *sweep, int64_t trials,
                     struct diag *diag);
void complaints_release(struct complaints *list);

/* The place in the sweep file of what the point at `ordinal` has at `path`: in the value of an axis, else
 * in `config`, else the nearest thing around it. */
const struct cJSON *complaints_place(const struct sweep *sweep, int64_t ordinal, const char *path);

#endif
