/* runner/rebuild.h - a lost results.db made anew from the files beside it.
 *
 *     lock the folder
 *     results.db looks intact?                                compared below, unless forced
 *     DIR/rebuild.tmp/results.db:   snapshots of sweeps and trials (results/restore.h)
 *                                   has results.db all of that?   refused in either case, told what it has not
 *                                 + epochs that only the logs have (runner/log_rows.h)
 *                                 + attempts left open are closed, as after a runner that died
 *                                   COMMIT, integrity_check, foreign_key_check
 *     results.db, -wal, -shm    ->  results.db.damaged-TIME, -wal, -shm        fsync(DIR)
 *     rebuild.tmp/results.db    ->  results.db                                 fsync(DIR)
 *
 * Invariants
 *   1. Nothing of the trials' folders is written, nothing at all is deleted but rebuild.tmp.
 *   2. The database goes aside before its write-ahead log: at every moment there is either the old pair, or a
 *      log without a database or nothing, which store_open() refuses, or the new one.  A log never stands beside
 *      a database that it is not of.
 *   3. Interrupted anywhere, it can be done again, with the same outcome. */
#ifndef RUNNER_REBUILD_H
#define RUNNER_REBUILD_H

#include "results/restore.h"
#include "runner/log_rows.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

struct rebuild_result {
    int64_t sweeps, trials, epochs; // that the new database has
    struct log_rows from_logs;
    struct restore_report report;
    char *kept; // owned: where the database is that was there; NULL when there was none
};
void rebuild_result_release(struct rebuild_result *result);

/* `force`: also when results.db is intact, or seems to be none of ours: one flipped bit says so.
 *
 *     ERR_RANGE      it is intact and has what its copies have, and not forced
 *     ERR_CORRUPT    it looks intact and differs from its copies, in what the report's problems say; not forced
 *     ERR_VERSION    it is another application's, or a newer besom's, and not forced
 *     ERR_NOT_FOUND  no such folder, or nothing in it to make the database from
 *     ERR_BUSY       a run holds the folder, or somebody locks the database
 *     ERR_IO, ERR_FULL, ERR_CORRUPT   what is there stays as it is; rebuild.tmp is removed by the next one */
int rebuild_run(const char *out_dir, bool force, struct rebuild_result *result, struct err *err);

#endif
