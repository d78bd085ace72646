#include "results/store.h"

#include "base/err.h"
#include "base/mem.h"
#include "results/store_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const stmt_sql[] = {
#define X(name, sql) sql,
    STORE_STMT_MAP(X)
#undef X
};

const char *const trial_status_names[TRIAL_STATUS_COUNT] = {
    "pending", "running", "paused", "complete", "failed", "pruned", "cancelled",
};

const char *const store_plan_names[PLAN_COUNT] = {"new", "done", "continue", "extend", "failed"};

/* ---- errors ---- */

/* Of those that store_fail() does not know itself. */
static enum err_code code_of(int sqlite_code) {
    switch (sqlite_code & 0xff) {
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE:
        return ERR_RANGE;
    default:
        return ERR_IO;
    }
}

int store_damaged(const struct store *store, struct err *err, const char *fmt, ...) {
    va_list args;
    char what[sizeof err->msg];
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args); // a long one is cut
    va_end(args);
    return err_set(err, ERR_CORRUPT,
                   "%s: %.600s; \"besom rebuild\" makes it anew from the trial folders",
                   store->path, what);
}

static int locked(const struct store *store, struct err *err) {
    char *text = store_describe_lock(store);
    int rc = err_set(err, ERR_BUSY, "%s", text);
    free(text);
    return rc;
}

/* Whether SQLite could not do this for want of room, or of quota, and may be asked to again.  A sync that fails for it
 * is another matter: what it should have made durable may be lost, and the next one would not tell. */
static bool is_want_of_room(int sqlite_code, int cause) {
    switch (sqlite_code) {
    case SQLITE_IOERR_WRITE: // ENOSPC is SQLITE_FULL
        return cause == EDQUOT;
    case SQLITE_IOERR_SHMOPEN: // memory that is shared by a file, and never durable
    case SQLITE_IOERR_SHMSIZE:
        return cause == ENOSPC || cause == EDQUOT;
    default:
        return sqlite_code == SQLITE_FULL;
    }
}

/* A file that SQLite cannot make it tries to open for reading, and so has a misleading errno: the true one, ENOENT when
 * a file can be made there. */
static int why_not_made(const struct store *store) {
    char *path = mem_printf("%s.tmp", store->path);
    (void)unlink(path); // of who died here; absent as a rule
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int cause = fd < 0 ? errno : ENOENT;
    if (fd >= 0) {
        (void)close(fd); // nothing was written
        (void)unlink(path);
    }
    free(path);
    return cause;
}

static int cannot_open(struct store *store, const char *said, struct err *err) {
    int cause = sqlite3_system_errno(store->db); // a want of descriptors is none of the storage
    cause = cause == ENOENT ? why_not_made(store) : cause;
    int rc = cause == 0 ? err_set(err, ERR_IO, "%s: %s", store->path, said)
                        : err_io(err, cause, "%s: %s", store->path, said);
    if (rc == ERR_FULL) {
        store_rollback(store);
    }
    return rc;
}

int store_fail(struct store *store, int sqlite_code, struct err *err) {
    int cause = errno; // of the system call that failed, as store_step() and store_exec() make sure
    const char *said = sqlite3_errmsg(store->db);
    if (sqlite3_system_errno(store->db) != 0) { // of a COMMIT it is not kept
        cause = sqlite3_system_errno(store->db);
    }
    bool full = is_want_of_room(sqlite_code, cause);
    switch (sqlite_code & 0xff) {
    case SQLITE_IOERR:
        store->dead |= !full; // a COMMIT that failed may be followed by one that seems to succeed
        (void)err_set(err, full ? ERR_FULL : ERR_IO, "%s: %s%s%s%s", store->path, said,
                      cause == 0 ? "" : " (", cause == 0 ? "" : strerror(cause),
                      cause == 0 ? "" : ")");
        if (full) {
            store_rollback(store);
        }
        return err->code;
    case SQLITE_ERROR: // of a statement of ours: the tables are not those that it was written for
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return store_damaged(store, err, "%s", said);
    case SQLITE_BUSY:
        return locked(store, err);
    case SQLITE_FULL:
        (void)err_set(err, ERR_FULL, "%s: %s", store->path, said);
        store_rollback(store);
        return ERR_FULL;
    case SQLITE_CANTOPEN:
        return cannot_open(store, said, err);
    default:
        return err_set(err, code_of(sqlite_code), "%s: %s", store->path, said);
    }
}

static int check_alive(const struct store *store, struct err *err) {
    return store->dead ? err_set(err, ERR_IO, "%s: not used any more after an input/output error",
                                 store->path)
                       : ERR_OK;
}

int store_check_writing(struct store *store, struct err *err) {
    assert(store->mode == STORE_WRITE);
    int rc = check_alive(store, err);
    if (rc == ERR_OK && sqlite3_get_autocommit(store->db)) {
        rc = err_set(err, ERR_RANGE, "%s: no transaction is open", store->path);
    }
    return rc;
}

/* ---- statements ---- */

sqlite3_stmt *store_stmt(struct store *store, enum store_stmt which, struct err *err) {
    if (check_alive(store, err) != ERR_OK) {
        return NULL;
    }
    sqlite3_stmt **stmt = &store->stmt[which];
    if (*stmt == NULL) {
        int rc = sqlite3_prepare_v3(store->db, stmt_sql[which], -1, SQLITE_PREPARE_PERSISTENT, stmt,
                                    NULL);
        if (rc != SQLITE_OK) {
            (void)store_fail(store, rc, err);
            return NULL;
        }
    }
    store_done(*stmt);
    return *stmt;
}

void store_done(sqlite3_stmt *stmt) {
    (void)sqlite3_reset(stmt); // repeats the failure that the step told already
}

int store_step(struct store *store, sqlite3_stmt *stmt, struct err *err) {
    errno = 0;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        store_wait_over(store);
        return rc == SQLITE_ROW;
    }
    int failed = store_fail(store, rc, err);
    store_done(stmt);
    return failed;
}

int store_run(struct store *store, sqlite3_stmt *stmt, struct err *err) {
    int rc = store_step(store, stmt, err);
    store_done(stmt);
    return rc < 0 ? rc : ERR_OK;
}

int store_exec(struct store *store, const char *sql, struct err *err) {
    errno = 0;
    int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        return store_fail(store, rc, err);
    }
    store_wait_over(store);
    return ERR_OK;
}

void store_bind_text(sqlite3_stmt *stmt, int index, const char *text) {
    (void)sqlite3_bind_text(stmt, index, text, -1, SQLITE_STATIC);
}

void store_bind_number(sqlite3_stmt *stmt, int index, double value) {
    (void)(isnan(value) ? sqlite3_bind_null(stmt, index) : sqlite3_bind_double(stmt, index, value));
}

double store_now(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); // cannot fail for this clock
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- transactions ---- */

/* A file that has lost its name takes all that is written to it, and nobody finds it afterwards. */
static int check_named(struct store *store, struct err *err) {
    int moved = 0;
    (void)sqlite3_file_control(store->db, NULL, SQLITE_FCNTL_HAS_MOVED, &moved); // 0 where unknown
    if (moved == 0) {
        return ERR_OK;
    }
    store->dead = true;
    return err_set(
        err, ERR_IO,
        "%s: removed or replaced during the run; \"besom rebuild\" makes it anew from the"
        " trial folders",
        store->path);
}

/* Nor is what is in a log without a name safe.  SQLite has it open, so that closing the store still moves it into the
 * file. */
static int check_log_named(const struct store *store, struct err *err) {
    char *wal = mem_printf("%s-wal", store->path);
    int rc = access(wal, F_OK) == 0 || errno != ENOENT
                 ? ERR_OK
                 : err_set(err, ERR_IO, "%s: removed during the run", wal);
    free(wal);
    return rc;
}

int store_begin(struct store *store, struct err *err) {
    assert(store->mode == STORE_WRITE);
    sqlite3_stmt *stmt = store_stmt(store, STMT_BEGIN, err);
    return stmt == NULL ? (int)err->code : store_run(store, stmt, err);
}

int store_commit(struct store *store, struct err *err) {
    int rc = store_check_writing(store, err);
    if (rc != ERR_OK) {
        return rc;
    }
    sqlite3_stmt *stmt = store_stmt(store, STMT_COMMIT, err);
    rc = stmt == NULL ? (int)err->code : store_run(store, stmt, err);
    rc = rc == ERR_OK ? check_named(store, err) : rc;
    return rc == ERR_OK ? check_log_named(store, err) : rc;
}

void store_rollback(struct store *store) {
    for (int i = 0; i < STMT_COUNT; i++) {
        store_done(store->stmt[i]); // NULL is fine
    }
    if (store->db != NULL && !sqlite3_get_autocommit(store->db)) {
        // SQLite rolls back by itself what this cannot, at the latest when the file is opened again.
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
    store_plan_forget(&store->plan);
    memset(store->metric, 0, sizeof store->metric);
}

/* ---- opening and closing ---- */

/* Only after it is known that the file is ours: journal_mode writes to it. */
static int prepare_writer(struct store *store, int version, struct err *err) {
    int rc = store_exec(store,
                        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                        "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"
                        "PRAGMA cache_size = -65536; PRAGMA journal_size_limit = 67108864",
                        err);
    if (rc == ERR_OK && version < STORE_VERSION) {
        rc = version == 0 ? store_schema_make(store, err)
                          : store_schema_upgrade(store, version, err);
    }
    if (rc == ERR_OK) {
        rc = store_exec(store, "CREATE TEMP TABLE planned (trial INTEGER PRIMARY KEY)", err);
    }
    return rc;
}

void store_slim(struct store *store) {
    struct err ignored; // it would be larger, not wrong
    (void)store_exec(store, "PRAGMA cache_size = -2048; PRAGMA shrink_memory", &ignored);
    (void)malloc_trim(0); // tells whether there was anything
}

int store_open_patiently(struct store **store, const char *dir, enum store_mode mode,
                         const struct store_patience *patience, struct err *err) {
    store_use_our_memory();
    struct store *s = mem_zalloc(1, sizeof *s);
    s->mode = mode;
    s->patience = patience != NULL ? *patience : (struct store_patience){0};
    s->path = mem_printf("%s/results.db", dir);
    int version = 0;
    int rc = store_connect(s, dir, &version, err);
    if (rc == ERR_OK && mode == STORE_WRITE) {
        rc = prepare_writer(s, version, err);
    } else if (rc == ERR_OK && version < STORE_VERSION) {
        rc = store_schema_overlay(s, version, err);
    }
    if (rc != ERR_OK) {
        struct err ignored; // the first failure is the one to tell
        s->dead = true;     // nothing to checkpoint
        (void)store_close(s, &ignored);
        return rc;
    }
    *store = s;
    return ERR_OK;
}

int store_open(struct store **store, const char *dir, enum store_mode mode, struct err *err) {
    return store_open_patiently(store, dir, mode, NULL, err);
}

/* From then on closing the connection removes the WAL. */
int store_settle(struct store *store, struct err *err) {
    enum { WAIT_MS = 5000 };
    assert(store->mode == STORE_WRITE);
    if (store->dead) {
        return ERR_OK; // what failed is told, and nothing is written any more
    }
    if (check_named(store, err) != ERR_OK) {
        return err->code;
    }
    (void)sqlite3_busy_timeout(store->db, WAIT_MS);
    int rc = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (rc == SQLITE_OK) {
        (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL); // valid
    }
    if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY) {
        return ERR_OK;
    }
    if (store_fail(store, rc, err) != ERR_FULL) {
        return err->code;
    }
    const struct err cause = *err;
    return err_set(err, ERR_FULL,
                   "%.600s; nothing is lost: the last rows are in results.db-wal, beside it",
                   cause.msg);
}

int store_close(struct store *store, struct err *err) {
    if (store == NULL) {
        return ERR_OK;
    }
    store_rollback(store);
    for (int i = 0; i < STMT_COUNT; i++) {
        (void)sqlite3_finalize(store->stmt[i]); // repeats an earlier failure
        store->stmt[i] = NULL; // a checkpoint that fails rolls back, and looks here
    }
    int rc = store->mode == STORE_WRITE ? store_settle(store, err) : ERR_OK;
    int closed = sqlite3_close(store->db);
    if (closed != SQLITE_OK && rc == ERR_OK) {
        rc = err_set(err, ERR_BUSY, "%s: closed while a query is open", store->path);
    }
    free(store->path);
    free(store);
    return rc;
}
