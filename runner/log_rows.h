/* runner/log_rows.h - the epochs that only a trial's log knows of.
 *
 * Each line is in the log before it is in the database (runner/worker.h), so that the log of an attempt has what the
 * database lacks:
 *
 *     the runner was killed     the attempt is open: what its trainer had told and the ledger had not committed
 *     results.db was lost       what came after the snapshot in the trial's folder: the rest of the open attempt
 *                               and attempts that the snapshot does not know
 *
 * Reading it again by the same rules as the ledger's gives at least the rows that were lost.
 *
 *     --- attempt 1, TIME      has its end in the store: passed over
 *     --- attempt 2, TIME      open in the store: passed over up to the last record that is stored
 *     {"epoch": 7, ...}        put, as the ledger would have
 *     --- attempt 3, TIME      begun in the store
 *
 * A trainer that saves an epoch right after it was told never tells it again: without this a kill of the runner would
 * lose it.
 *
 * A trainer cannot pretend: trial_log_line() puts a space before a line of its that looks like a header, and before
 * one of stderr that looks like a record.  (Logs of versions before that may hold such lines: at worst an epoch is
 * then another attempt's.) */
#ifndef RUNNER_LOG_ROWS_H
#define RUNNER_LOG_ROWS_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct store;

struct log_rows {
    int64_t attempts, epochs; // that were added
};

/* Adds what the log at `path` has of attempts after the `known` first ones, and of the last of these where it is open,
 * in the open transaction.  The attempts stay open: store_recover() closes them.  No log is no failure.  `added` is
 * added to.  ERR_IO and the store's errors. */
int log_rows_read(struct store *store, const char *path, int64_t trial, int known,
                  struct log_rows *added, struct err *err);

/* The same for all trials of a results folder, or for those alone that have an open attempt. */
int log_rows_read_all(struct store *store, const char *out_dir, bool only_open,
                      struct log_rows *added, struct err *err);

#endif
