/* results/export_internal.h - what the files of the export share; nobody else includes it.
 *
 *     export.c         rows of CSV and JSON
 *     export_trials.c  the query behind the rows of trials
 *     export_optuna.c  the database of Optuna's
 *     export_axis.c    an axis as a distribution of Optuna's */
#ifndef RESULTS_EXPORT_INTERNAL_H
#define RESULTS_EXPORT_INTERNAL_H

#include "results/query.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct cJSON;
struct err;
struct store;

/* ---- export_trials.c ---- */

enum export_kind {
    EXPORT_FIXED,
    EXPORT_AXIS,
    EXPORT_PART,
    EXPORT_METRIC, // its text "NaN" is the number
    EXPORT_PARAMS, // JSON
};

struct export_column {
    char *name; // unique
    enum export_kind kind;
};

/* The columns that have a place of their own. */
enum {
    EXPORT_TRIAL,
    EXPORT_KEY,
    EXPORT_LABEL,
    EXPORT_STATUS,
    EXPORT_REPLICATE,
    EXPORT_SEED,
    EXPORT_AXES, // the first axis
};

struct export_trials {
    struct query query; // a row a trial, by its number; a column for each of:
    struct export_column *column;
    int count, axis_count;
    int best_value, last_value, params; // columns
};

int export_trials_open(struct export_trials *trials, struct store *store, const char *sweep,
                       bool active, struct err *err);
void export_trials_close(struct export_trials *trials); // a zeroed one is fine

/* One moment of the store for all queries until export_end(). */
int export_begin(struct store *store, struct err *err);
void export_end(struct store *store);

/* ---- export.c ---- */

/* A column's value as JSON.  `words`: NaN and infinities as the strings "nan", "inf", "-inf". */
void export_put_json(struct buf *out, const struct query *q, int column, enum export_kind kind,
                     bool words);

/* ---- export_axis.c ---- */

struct export_level {
    char *key;     // canonical JSON
    char *choice;  // JSON: what Optuna is told
    int64_t first; // place in the sweep's order where it stands first
    int index;     // among the choices
};

struct export_axis {
    char *distribution; // JSON, of Optuna's
    struct export_level *level;
    int count, room; // levels, sorted by `key`
    bool categorical, whole;
    double low, high;
};

/* Collects an axis's value; `shown` is its short text. */
void export_axis_add(struct export_axis *axis, const struct cJSON *value, const char *shown,
                     int64_t ordinal);
/* After the last. */
void export_axis_finish(struct export_axis *axis);
/* The number that Optuna keeps of a value: itself, or the index of its choice. */
double export_axis_value(const struct export_axis *axis, const struct cJSON *value);
void export_axis_release(struct export_axis *axis);

#endif
