#include "verify/db.h"

#include "verify/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- failures ---- */

static const char way_out[] = "; \"besom rebuild\" makes it anew from the trial folders";

/* What a failed call means: the file is damaged, or it cannot be got at. */
static void fail(struct db *db, const char *doing) {
    int code = db->db == NULL ? SQLITE_NOMEM : sqlite3_errcode(db->db) & 0xff;
    const char *text = db->db == NULL ? "out of memory" : sqlite3_errmsg(db->db);
    db->failed = true;
    if (code == SQLITE_NOTADB) {
        report_unreadable(db->report, "%s: %s%s", db->path, text, way_out);
    } else if (code == SQLITE_CORRUPT || code == SQLITE_ERROR || code == SQLITE_MISMATCH) {
        const struct place place = {.file = "results.db"};
        report_bad(db->report, VERIFY_DATABASE, &place, "%s: %s%s", doing, text, way_out);
    } else {
        report_unreadable(db->report, "%s: %s: %s", db->path, doing, text);
    }
}

/* ---- asking ---- */

sqlite3_stmt *db_ask(struct db *db, const char *sql, int64_t id) {
    sqlite3_stmt *stmt = NULL;
    if (db->failed) {
        return NULL;
    }
    if (sqlite3_prepare_v2(db->db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        fail(db, "ask");
        return NULL;
    }
    if (sqlite3_bind_parameter_count(stmt) > 0) {
        (void)sqlite3_bind_int64(stmt, 1, id); // a fresh statement with that parameter: cannot fail
    }
    return stmt;
}

bool db_next(struct db *db, sqlite3_stmt **stmt) {
    if (*stmt == NULL) {
        return false;
    }
    int rc = sqlite3_step(*stmt);
    if (rc == SQLITE_ROW) {
        return true;
    }
    if (rc != SQLITE_DONE) {
        fail(db, "read");
    }
    (void)sqlite3_finalize(*stmt); // repeats the step's failure
    *stmt = NULL;
    return false;
}

int64_t db_number(struct db *db, const char *sql, int64_t id) {
    int64_t number = 0;
    for (sqlite3_stmt *q = db_ask(db, sql, id); db_next(db, &q);) {
        number = sqlite3_column_int64(q, 0);
    }
    return number;
}

const char *db_text(sqlite3_stmt *stmt, int column) {
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return text != NULL ? text : "";
}

bool db_is_null(sqlite3_stmt *stmt, int column) {
    return sqlite3_column_type(stmt, column) == SQLITE_NULL;
}

/* ---- opening ---- */

static struct stat look(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) {
        memset(&st, 0, sizeof st);
    }
    return st;
}

static bool is_same(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool db_has_changed(const struct db *db) {
    struct stat now = look(db->path), now_wal = look(db->wal);
    return !is_same(&now, &db->seen) || !is_same(&now_wal, &db->seen_wal);
}

bool db_wal_is_empty(const struct db *db) {
    return db->seen_wal.st_size == 0;
}

/* file:PATH?OPTIONS, everything but letters, digits and a few more escaped */
static char *make_uri(const char *path, const char *options) {
    char *uri = checked_alloc(3 * strlen(path) + strlen(options) + 8), *to = uri;
    to = stpcpy(to, path[0] == '/' ? "file://" : "file:");
    for (const unsigned char *c = (const unsigned char *)path; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("/._-", *c) != NULL;
        if (plain) {
            *to++ = (char)*c;
        } else {
            static const char hex[] = "0123456789ABCDEF";
            *to++ = '%';
            *to++ = hex[*c >> 4];
            *to++ = hex[*c & 15];
        }
    }
    (void)stpcpy(to, options);
    return uri;
}

static ssize_t copy_some(int in, int out) {
    char part[65536];
    ssize_t n = read(in, part, sizeof part);
    for (ssize_t done = 0; done < n;) {
        ssize_t wrote = write(out, part + done, (size_t)(n - done));
        if (wrote < 0) {
            return -1;
        }
        done += wrote;
    }
    return n;
}

static bool copy_file(const char *from, const char *to) {
    int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
    ssize_t n = -1;
    if (in >= 0) {
        out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    while (out >= 0 && (n = copy_some(in, out)) > 0) {
    }
    bool good = out >= 0 && n == 0;
    if (in >= 0) {
        (void)close(in); // only read
    }
    if (out >= 0) {
        good = close(out) == 0 && good;
    }
    return good;
}

/* Both files, where SQLite can make its -shm beside them.  The path to open, to be freed; NULL: failed. */
static char *copy_aside(struct db *db) {
    const char *tmp = getenv("TMPDIR");
    db->copy_dir =
        checked_printf("%s/besom-verify-XXXXXX", tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
    if (mkdtemp(db->copy_dir) == NULL) {
        report_unreadable(db->report, "%s: make a folder for a copy: %s: %s", db->path,
                          db->copy_dir, strerror(errno));
        free(db->copy_dir);
        db->copy_dir = NULL;
        return NULL;
    }
    char *copy = checked_printf("%s/results.db", db->copy_dir);
    char *copy_wal = checked_printf("%s-wal", copy);
    if (!copy_file(db->path, copy) || !copy_file(db->wal, copy_wal)) {
        report_unreadable(db->report, "%s: copy it to %s: %s", db->path, db->copy_dir,
                          strerror(errno));
        free(copy);
        copy = NULL;
    }
    free(copy_wal);
    return copy;
}

enum { WAIT_MS = 5000 }; // for who has the file locked

#define LOOK "PRAGMA query_only = ON; BEGIN; SELECT count(*) FROM sqlite_schema"

static int connect_as(struct db *db, const char *name, int flags, const char *sql) {
    (void)sqlite3_close(db->db); // no statement is open yet; NULL is fine
    db->db = NULL;
    int rc = sqlite3_open_v2(name, &db->db, flags | SQLITE_OPEN_URI, NULL);
    if (rc == SQLITE_OK) {
        (void)sqlite3_extended_result_codes(db->db, 1); // these three: of an open connection
        (void)sqlite3_db_config(db->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        (void)sqlite3_busy_timeout(db->db, WAIT_MS);
        rc = sqlite3_exec(db->db, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON", NULL,
                          NULL, NULL);
        rc = rc == SQLITE_OK ? sqlite3_exec(db->db, sql, NULL, NULL, NULL) : rc;
    }
    return rc;
}

/* SQLite could not make its -shm, or not all of it. */
static bool lacks_shm(int rc) {
    return rc == SQLITE_IOERR_SHMSIZE || rc == SQLITE_IOERR_SHMOPEN ||
           (rc & 0xff) == SQLITE_CANTOPEN;
}

/* Alone with the file, which the lock makes sure of, SQLite needs no -shm.  The lock is held while the pages are copied
 * into a database of SQLite's own, in memory and what is much of it in TMPDIR.  Nothing is written to the file. */
static int connect_aside(struct db *db, const char *uri) {
    enum { STEP_MS = 20 };
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    // In this mode SQLite keeps a shared lock while it waits for its own: of two at one instant neither would get it.
    const char *lock_it = "PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE;" LOOK;
    int rc = connect_as(db, uri, SQLITE_OPEN_READWRITE, lock_it);
    for (int waited = 0; (rc & 0xff) == SQLITE_BUSY && waited < WAIT_MS; waited += STEP_MS) {
        (void)sqlite3_close(db->db); // lets go of its lock for another's sake
        db->db = NULL;
        (void)nanosleep(&step, NULL);
        rc = connect_as(db, uri, SQLITE_OPEN_READWRITE, lock_it);
    }
    sqlite3 *from = db->db;
    db->db = NULL;
    rc = rc == SQLITE_OK ? connect_as(db, "", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                      "PRAGMA cache_size = -65536")
                         : rc;
    if (rc == SQLITE_OK) {
        sqlite3_backup *backup = sqlite3_backup_init(db->db, "main", from, "main");
        (void)sqlite3_backup_step(backup, -1); // its end tells of it
        rc = sqlite3_backup_finish(backup);
        rc = rc == SQLITE_OK ? sqlite3_exec(db->db, LOOK, NULL, NULL, NULL) : rc;
    }
    if (db->db == NULL) {
        db->db = from; // has the message
    } else {
        (void)sqlite3_close_v2(from); // lets go of the lock
    }
    return rc;
}

static bool connect_to(struct db *db, const char *dir) {
    char *copy = NULL;
    if (!db->immutable && access(dir, W_OK) != 0) {
        copy = copy_aside(db);
        if (copy == NULL) {
            return false;
        }
    }
    char *uri = make_uri(copy != NULL ? copy : db->path, db->immutable ? "?immutable=1" : "");
    int rc = connect_as(db, uri, SQLITE_OPEN_READONLY, LOOK);
    bool aside = lacks_shm(rc) && copy == NULL && access(db->path, R_OK) == 0;
    rc = aside ? connect_aside(db, uri) : rc;
    free(uri);
    free(copy);
    if (rc != SQLITE_OK) {
        const char *text = db->db == NULL ? "out of memory" : sqlite3_errmsg(db->db);
        bool damaged = (rc & 0xff) == SQLITE_NOTADB || (rc & 0xff) == SQLITE_CORRUPT;
        report_unreadable(db->report, "%s: %s%s", db->path, text,
                          damaged ? way_out
                          : aside ? "; SQLite cannot make a file beside it, nor could it be copied "
                                    "aside: make room on its disk, or name a folder with room in "
                                    "TMPDIR"
                                  : "");
    }
    return rc == SQLITE_OK;
}

/* The header's two numbers.  A file of another application or of a version to come is not ours to judge. */
static bool is_ours(struct db *db) {
    int64_t application = db_number(db, "PRAGMA application_id", 0);
    db->version = (int)db_number(db, "PRAGMA user_version", 0);
    bool has_tables =
        db_number(db,
                  "SELECT count(*) FROM sqlite_schema WHERE name IN ('trial', 'epoch', 'value')",
                  0) == 3;
    if (db->failed) {
        return db->report->message == NULL;
    }
    if (application != DB_APPLICATION_ID && !has_tables) {
        report_unreadable(db->report, "%s: no database of besom (application_id 0x%08x)", db->path,
                          (unsigned)application);
        return false;
    }
    if (application == DB_APPLICATION_ID && db->version > DB_VERSION_MAX) {
        report_unreadable(db->report, "%s: written by a newer besom (schema %d, this one knows %d)",
                          db->path, db->version, DB_VERSION_MAX);
        return false;
    }
    const struct place place = {.file = "results.db"};
    if (application != DB_APPLICATION_ID) {
        report_bad(db->report, VERIFY_DATABASE, &place,
                   "application_id is 0x%08x, besom's is 0x%08x", (unsigned)application,
                   (unsigned)DB_APPLICATION_ID);
    }
    if (db->version < 1 || db->version > DB_VERSION_MAX) {
        report_bad(db->report, VERIFY_DATABASE, &place, "user_version is %d, known are 1 to %d",
                   db->version, DB_VERSION_MAX);
        db->version = DB_VERSION_MAX;
    }
    return true;
}

bool db_open(struct db *db, const char *dir, bool live, struct verify_report *report) {
    *db = (struct db){.report = report,
                      .path = checked_printf("%s/results.db", dir),
                      .wal = checked_printf("%s/results.db-wal", dir)};
    db->seen = look(db->path);
    db->seen_wal = look(db->wal);
    if (db->seen.st_size == 0) {
        char *sweeps = checked_printf("%s/sweeps", dir); // whose copies a rebuild reads
        report_unreadable(report, "%s: %s%s%s", db->path,
                          db->seen.st_ino == 0 ? strerror(ENOENT) : "empty",
                          db->seen_wal.st_size > 0 ? ", but its write-ahead log is not" : "",
                          access(sweeps, F_OK) == 0 ? way_out : "");
        free(sweeps);
        return false;
    }
    db->immutable = db->seen_wal.st_size == 0 && (!live || access(dir, W_OK) != 0);
    if (!connect_to(db, dir) || !is_ours(db)) {
        return false;
    }
    report->version = db->version;
    return true;
}

void db_close(struct db *db) {
    (void)sqlite3_close_v2(db->db); // only read; NULL is fine
    if (db->copy_dir != NULL) {
        static const char *const names[] = {"results.db", "results.db-wal", "results.db-shm"};
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            char *path = checked_printf("%s/%s", db->copy_dir, names[i]);
            (void)unlink(path); // not each of them is there
            free(path);
        }
        (void)rmdir(db->copy_dir); // what cannot be removed lies in a folder for such things
    }
    free(db->copy_dir);
    free(db->path);
    free(db->wal);
    *db = (struct db){0};
}

/* ---- checking ---- */

static void check_pages(struct db *db) {
    const struct place place = {.file = "results.db"};
    for (sqlite3_stmt *q = db_ask(db, "PRAGMA integrity_check", 0); db_next(db, &q);) {
        const char *text = db_text(q, 0);
        if (strcmp(text, "ok") != 0) {
            report_bad(db->report, VERIFY_DATABASE, &place, "%s", text);
        }
    }
    for (sqlite3_stmt *q = db_ask(db, "PRAGMA foreign_key_check", 0); db_next(db, &q);) {
        report_bad(db->report, VERIFY_DATABASE, &place,
                   "a row of table %s (rowid %s) refers to a row of %s that is not there",
                   db_text(q, 0), db_is_null(q, 1) ? "none" : db_text(q, 1), db_text(q, 2));
    }
    report_count(db->report, VERIFY_DATABASE,
                 db_number(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'", 0));
}

static void check_view(struct db *db, const char *name, const char *sweep) {
    const struct place place = {.sweep = sweep, .file = "results.db"};
    char *sql = sqlite3_mprintf("SELECT * FROM \"%w\" LIMIT 1", name);
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        report_bad(db->report, VERIFY_VIEWS, &place, "view %s: %s", name, sqlite3_errmsg(db->db));
    }
    (void)sqlite3_finalize(stmt); // the step told
    sqlite3_free(sql);
    report_count(db->report, VERIFY_VIEWS, 1);
}

/* The view of a sweep is sweep_<name>, each '-' as '_'. */
static void check_sweep_view(struct db *db, const char *name, const char *view) {
    char *want = checked_printf("sweep_%s", name);
    for (char *c = want; *c != '\0'; c++) {
        *c = *c == '-' ? '_' : *c;
    }
    if (strcmp(want, view) != 0) {
        const struct place place = {.sweep = name};
        report_bad(db->report, VERIFY_VIEWS, &place, "its view is %s instead of %s", view, want);
    }
    check_view(db, want, name);
    free(want);
}

void db_check(struct db *db) {
    static const char *const views[] = {"trials",      "curves", "epochs",
                                        "leaderboard", "layers", "failures"};
    check_pages(db);
    for (size_t i = 0; i < sizeof views / sizeof *views && !db->failed; i++) {
        check_view(db, views[i], NULL);
    }
    for (sqlite3_stmt *q = db_ask(db, "SELECT name, view FROM sweep", 0); db_next(db, &q);) {
        check_sweep_view(db, db_text(q, 0), db_text(q, 1));
    }
}
