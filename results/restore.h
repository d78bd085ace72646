/* results/restore.h - a new store out of the files of results/snapshot.h.
 *
 *     1. DIR/sweeps/ *.jsonl          the sweeps, in the order of their last plans: then their trials, all of
 *                                     them by number, also those that were never started
 *     2. DIR/trials/ * /rows.jsonl    each trial's attempts, epochs, values, layers
 *     3. what other rows decide       summaries, the views of the sweeps
 *
 * Where both tell of a trial the one that knows more attempts is the later one; with as many it is the plan, which
 * may have asked for more epochs since.  A trial that was started and whose snapshot is lost is pending again.
 *
 * Every file is verified first.  One that is damaged is named in the report and otherwise passed over: with a
 * sweep's file its trials that were never started are lost until it is planned again, and its text; with a
 * trial's, its epochs until they are read from its log or told again by its trainer.
 *
 * Equal to what was lost are all rows but: names of metrics and headings that no row uses any more; `superseded`
 * rows stand in another order.  (The numbers of trials, sweeps, metrics and headings come back too, unless two
 * files claim one number, as when folders were copied together.) */
#ifndef RESULTS_RESTORE_H
#define RESULTS_RESTORE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct store;

struct restore_report {
    int64_t sweep_files, trial_files; // that were read
    int64_t damaged;                  // and that were not
    int64_t without;                  // trials' folders without such a file
    int64_t reset;       // trials that were started, of which no more than the plan is known
    struct buf problems; // a line each: "PATH: what is wrong with it"
};
void restore_report_release(struct restore_report *report);

/* Fills the empty store, in the open transaction, from the files of the results folder `dir`, which need not be
 * the one that the store is in.  ERR_NOT_FOUND when there is nothing to make it from. */
int restore_folder(struct store *store, const char *dir, struct restore_report *report,
                   struct err *err);

/* PRAGMA integrity_check and foreign_key_check: ERR_CORRUPT with the first complaint. */
int restore_check(struct store *store, struct err *err);

/* When an attempt that is known from its log began.  Its epochs are put at the times that follow from the seconds
 * that they took, as far as they were told. */
int restore_set_times(struct store *store, int64_t trial, int attempt, double started_at,
                      struct err *err);

/* Epochs of an attempt that were put at or after `since`, and were told at `told_at` at the latest, get that time. */
int restore_put_back(struct store *store, int64_t trial, int attempt, double since, double told_at,
                     struct err *err);

/* Whether a database that looks intact has all that the copies have, `made` being what restore_folder() made of them.  Of a
 * trial that has attempts or a plan which no copy has, what lasts (results/snapshot.c) is compared; of the others all, what follows
 * from the rows, too; of a sweep's older plan nothing.  Appends a line for each trial and sweep that differs, with the first row of it, to `text`; `count`
 * of them.  What `present` has besides is no difference. */
int restore_compare(struct store *made, struct store *present, struct buf *text, int64_t *count,
                    struct err *err);

/* Likewise, when `made` has the rest of the logs: an attempt is in the database before it is in a log.  Adds to `count`. */
int restore_compare_attempts(struct store *made, struct store *present, struct buf *text,
                             int64_t *count, struct err *err);

#endif
