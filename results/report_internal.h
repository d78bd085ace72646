/* results/report_internal.h - what the parts of the data document share. */
#ifndef RESULTS_REPORT_INTERNAL_H
#define RESULTS_REPORT_INTERNAL_H

#include "results/query.h"

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct store;

/* The sweep and its trials, in the order of their numbers. */
struct report {
    struct store *store;
    const char *sweep;
    int64_t sweep_id;
    int64_t *trial; // (trial_count) their numbers, ascending
    size_t trial_count;
    int64_t values_max, layer_rows_max;
};

/* Row of this trial's number among the trials; `trial_count` when it is none of them. */
size_t report_row(const struct report *report, int64_t trial);

/* Prepares `sql`, whose parameter 1 is the sweep's id. */
int report_query(struct query *q, const struct report *report, const char *sql, struct err *err);

void report_put_text(struct buf *json, const struct query *q, int column); // null for NULL
void report_put_string(struct buf *json, const char *text);

/* `"curves": {...}` and `"layers": {...}` */
int report_put_curves(struct buf *json, const struct report *report, struct err *err);
int report_put_layers(struct buf *json, const struct report *report, struct err *err);

#endif
