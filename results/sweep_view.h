/* results/sweep_view.h - how a sweep's own view and its columns are written in SQL, and which way they go. */
#ifndef RESULTS_SWEEP_VIEW_H
#define RESULTS_SWEEP_VIEW_H

#include <stdbool.h>

struct buf;

/* "name" with its quotes doubled: safe for any axis path or metric. */
void sweep_view_put_identifier(struct buf *sql, const char *name);

/* sweep_<name>, '-' as '_', as a quoted identifier. */
void sweep_view_put_name(struct buf *sql, const char *sweep);

/* Whether the larger value of a metric that is not the objective is its better one: unless "loss" or "error" is in its name. */
bool sweep_view_metric_rises(const char *metric);

#endif
