/* results/sweep_view.h - how a sweep's own view and its columns are written in SQL. */
#ifndef RESULTS_SWEEP_VIEW_H
#define RESULTS_SWEEP_VIEW_H

struct buf;

/* "name" with its quotes doubled: safe for any axis path or metric. */
void sweep_view_put_identifier(struct buf *sql, const char *name);

/* sweep_<name>, '-' as '_', as a quoted identifier. */
void sweep_view_put_name(struct buf *sql, const char *sweep);

#endif
