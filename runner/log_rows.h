/* runner/log_rows.h - the epochs of attempts that only a trial's log knows of.
 *
 * When results.db is lost, the snapshot in a trial's folder has all rows up to the end of an attempt.  What came
 * after it was committed to the lost database, and printed: each line is in the log before its commit.  So reading
 * the log again, by the same rules as the ledger's, gives at least the rows that were lost.
 *
 *     --- attempt 2, TIME      known from the snapshot: passed over
 *     --- attempt 3, TIME      begun in the store
 *     {"epoch": 7, ...}        put, as the ledger would have
 *
 * A trainer cannot pretend: trial_log_line() puts a space before a line of its that looks like a header, and before
 * one of stderr that looks like a record.  (Logs of versions before that may hold such lines: at worst an epoch is
 * then another attempt's.) */
#ifndef RUNNER_LOG_ROWS_H
#define RUNNER_LOG_ROWS_H

#include <stdint.h>

struct err;
struct store;

struct log_rows {
    int64_t attempts, epochs; // that were added
};

/* Adds what the log at `path` has of attempts after the `known` first ones, in the open transaction.  The attempts
 * stay open, as those of a runner that died: store_recover() closes them.  No log is no failure.  `added` is
 * added to.  ERR_IO and the store's errors. */
int log_rows_read(struct store *store, const char *path, int64_t trial, int known,
                  struct log_rows *added, struct err *err);

#endif
