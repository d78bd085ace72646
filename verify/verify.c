/* The order of the checks, and what to do when the folder changes under them. */
#include "verify/verify.h"

#include "verify/checks.h"
#include "verify/db.h"
#include "verify/facts.h"
#include "verify/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether a run holds the folder.  The lock is taken, shared, for the moment of asking. */
static bool is_run_going_on(const char *dir) {
    char *path = checked_printf("%s/lock", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0) {
        (void)close(fd); // lets go of the lock, too
    }
    free(path);
    return held;
}

static void check_trials(const struct checking *c) {
    for (sqlite3_stmt *q = db_ask(c->db, "SELECT id FROM trial ORDER BY id", 0);
         db_next(c->db, &q);) {
        struct facts f;
        if (!facts_load(&f, c->db, sqlite3_column_int64(q, 0), c->live)) {
            continue;
        }
        check_attempts(c, &f);
        check_status(c, &f);
        check_epochs(c, &f);
        check_values(c, &f);
        check_summaries(c, &f);
        check_superseded(c, &f);
        check_layers(c, &f);
        check_folder(c, &f);
        c->report->trials++;
        facts_release(&f);
    }
}

/* What is in doubt only while something is open: asking for the lock otherwise could turn a run away. */
static bool has_open_attempts(struct db *db) {
    return !db_wal_is_empty(db) ||
           db_number(db, "SELECT count(*) FROM attempt WHERE ended_at IS NULL", 0) > 0 ||
           db_number(db, "SELECT count(*) FROM trial WHERE status = 'running'", 0) > 0;
}

static void check_all(struct db *db, const char *dir, struct verify_report *report) {
    struct metrics metrics;
    report->run_going_on = has_open_attempts(db) && is_run_going_on(dir);
    db_check(db);
    metrics_load(&metrics, db);
    const struct checking c = {report, db, &metrics, dir, report->run_going_on};
    check_trials(&c);
    check_sweeps(&c);
    check_leaderboard(&c);
    check_strangers(&c);
    check_sweep_snapshots(&c);
    metrics_release(&metrics);
}

/* True: a run began while this read the file as one that nobody changes; what was found is void. */
static bool check_once(struct verify_report **report, const char *dir, int show, bool live) {
    struct db db;
    *report = report_new(dir, show);
    if (db_open(&db, dir, live, *report)) {
        check_all(&db, dir, *report);
    }
    bool again = db.immutable && !live && db_has_changed(&db);
    db_close(&db);
    return again;
}

enum verify_outcome verify_folder(struct verify_report **report, const char *dir, int show) {
    struct stat st;
    int cause = stat(dir, &st) != 0 ? errno : S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
    if (cause != 0) {
        *report = report_new(dir, show);
        report_unreadable(*report, "%s: %s", dir, strerror(cause));
        return VERIFY_NO_FOLDER;
    }
    if (check_once(report, dir, show, false)) {
        verify_free(*report);
        (void)check_once(report, dir, show, true); // one transaction of a file that may change
    }
    if ((*report)->message != NULL) {
        return VERIFY_UNREADABLE;
    }
    return report_violations(*report) == 0 ? VERIFY_HOLDS : VERIFY_VIOLATED;
}
