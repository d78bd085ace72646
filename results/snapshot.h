/* results/snapshot.h - what lies beside results.db so that it can be made anew when it is lost.
 *
 *     DIR/trials/<key>/rows.jsonl    all rows of a trial: written when one of its attempts has ended
 *     DIR/sweeps/<name>.jsonl        a sweep, the names, numbers and parameters of all its trials: written when
 *                                    it has been planned
 *
 * Both are files of results/rows.h.  results/restore.h reads them.
 *
 * What is durable when.  The database is the durable copy: a row is told when its commit is.  The snapshots serve
 * when that copy is lost.  They are atomic (a temporary, renamed), so that a reader finds a whole old file or a
 * whole new one whoever is killed.  A trial's is not flushed with fsync: two of them a trial cost more than all
 * commits of a short one.  The kernel writes it within half a minute or so; what a power cut takes away before
 * is still in the database, is seen at the next start by the file's last line, and made up for.  Only a power cut
 * that takes the database too, within that time, finds the snapshots older than it, and then the trial's log has
 * the epochs.  A sweep's file is flushed: once a plan.
 *
 * Invariants
 *   1. A snapshot is written from committed rows, after the commit.
 *   2. That a snapshot cannot be written harms nothing else.  snapshots_catch_up() makes up for it.
 *   3. A snapshot is current exactly when its last line has the number of the trial's last attempt and its end:
 *      the rows of a trial change with its attempts, and otherwise only by plans, which are in the sweep's file.
 *   4. A whole snapshot is replaced only when the database has all that it has and that stays: what a flipped bit
 *      makes of a row, which SQLite takes for a value like any other, never reaches the good copy.  One that is kept
 *      because of that is not current, and so is met again by each run and by besom verify. */
#ifndef RESULTS_SNAPSHOT_H
#define RESULTS_SNAPSHOT_H

#include "results/rows.h"

#include <stdint.h>

struct err;
struct snapshots;
struct store;

#define SNAPSHOT_TRIAL_FILE "rows.jsonl" // in the trial's folder
#define SNAPSHOT_SWEEP_END  ".jsonl"     // behind the sweep's name

/* The tables of either kind, and how many of the sweep's name the sweep alone. */
extern const struct rows_kind snapshot_trial, snapshot_sweep;
enum { SNAPSHOT_SWEEP_HEAD = 3 };
/* A trial with what follows from its rows, and a sweep without its trials: together all that a database has. */
extern const struct rows_kind snapshot_whole_trial, snapshot_sweep_head;

/* For a store that is open for writing; the folder is the one that its file is in.  Used by the thread that has
 * the store; freed before it is closed. */
struct snapshots *snapshots_new(struct store *store);
void snapshots_free(struct snapshots *snapshots); // NULL is fine

/* Writes the file of a trial, whose folder is made if need be.  Nothing is done for one that is running or has
 * never been started.  ERR_FULL, ERR_IO: the older file, if there is one, is as it was.  ERR_DIFFERS: likewise, since
 * the database has not what it has; the message says what, and the way out.  Cost: its rows, and those of the older
 * file. */
int snapshots_put_trial(struct snapshots *snapshots, int64_t trial, struct err *err);

int snapshots_put_sweep(struct snapshots *snapshots, int64_t sweep, struct err *err);

/* Writes those of all trials whose file is missing or not current, in any sweep.  *written may be NULL.  The
 * first failure ends it, but for ERR_DIFFERS, which is told when the others are written.  Cost: a look at the end of
 * each file. */
int snapshots_catch_up(struct snapshots *snapshots, int64_t *written, struct err *err);

/* Before a run: compares the files that it may replace, those of sweeps, of trials that go on, and those that are not
 * current, with the database.  ERR_DIFFERS as above, and the store is then of use for nothing but
 * closing, which writes nothing.  Cost: likewise, and the rows of what is compared. */
int snapshots_check(struct snapshots *snapshots, struct err *err);

#endif
