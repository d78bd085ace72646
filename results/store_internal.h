/* results/store_internal.h - what the files of the store share; nobody else includes it.
 *
 *     store.c        opening, closing, transactions, statements, errors
 *     store_open.c   is this file ours, and may it lie here
 *     store_wait.c   waiting for a lock of another program
 *     store_schema.c tables and views, made and brought up to date
 *     store_plan.c   sweeps and their points
 *     store_cells.c  a point's params as the cells of the sweep's view
 *     store_run.c    attempts
 *     store_epoch.c  epochs and their values
 *     store_layer.c  their layers
 *     store_views.c  the view of each sweep
 *
 * How a statement is used.  Each is prepared once and kept; store_stmt() hands it out, reset.
 *
 *     sqlite3_stmt *stmt = store_stmt(store, STMT_X, &err);     NULL: err is set
 *     sqlite3_bind_...(stmt, 1, ...);
 *     rc = store_step(store, stmt, &err);                       1 a row, 0 the end, < 0 an error
 *     ... sqlite3_column_...(stmt, 0) ...
 *     store_done(stmt);
 *
 * store_run() is for statements without rows: steps and resets at once.  A statement that is left at a row
 * would keep views from being made anew: each one is done before the function that took it returns.
 * The results of sqlite3_bind_* are not looked at: the index is a constant of ours, and memory that ran out
 * shows at the next step as a constraint that a NULL violates. */
#ifndef RESULTS_STORE_INTERNAL_H
#define RESULTS_STORE_INTERNAL_H

#include "base/wire.h"
#include "results/store.h"
#include "results/store_sql.h"

#include <sqlite3.h>

enum {
    METRIC_CACHE = 512,      // places in the cache of interned names, a power of two
    SWEEP_METRICS_MAX = 200, // metrics that a sweep's view has columns for
    SWEEP_PARTS_MAX = 64,    // "axis.member" columns of a sweep's view
    STUDENT_T_MAX = 1000,    // degrees of freedom in the table student_t
    STORE_PATH_MAX = 4096,
};

enum store_stmt {
#define X(name, sql) STMT_##name,
    STORE_STMT_MAP(X)
#undef X
        STMT_COUNT,
};

/* A column of a sweep's view that shows params: its name and its row in `heading`. */
struct heading {
    char *name;
    int64_t id;
};

/* The sweep being planned: its axes and the parts found so far, so that a point needs no look-up. */
struct plan_names {
    int64_t sweep; // 0: none
    struct heading *axis;
    int axis_count;
    struct heading part[SWEEP_PARTS_MAX];
    int part_count;
};

struct store {
    sqlite3 *db;
    char *path;
    enum store_mode mode;
    bool dead; // after SQLITE_IOERR: nothing that this connection says can be trusted
    sqlite3_stmt *stmt[STMT_COUNT];
    struct store_patience patience;
    bool waiting; // for a lock, since:
    int64_t waiting_since_ms;
    bool retrying; // by tries of its own: what succeeds within one ends no wait

    // All below mirrors rows that a rollback may take away: store_rollback() forgets it.
    struct plan_names plan;
    struct {
        int64_t id; // 0: free
        char name[WIRE_NAME_MAX + 1];
    } metric[METRIC_CACHE];
};

/* ---- store.c ---- */

sqlite3_stmt *store_stmt(struct store *store, enum store_stmt which, struct err *err);
int store_step(struct store *store, sqlite3_stmt *stmt, struct err *err);
int store_run(struct store *store, sqlite3_stmt *stmt, struct err *err);
void store_done(sqlite3_stmt *stmt);
int store_exec(struct store *store, const char *sql, struct err *err);

/* Turns the connection's last failure into an error with the file's path; SQLITE_IOERR kills the
 * store, SQLITE_FULL rolls back. */
int store_fail(struct store *store, int sqlite_code, struct err *err);

/* ERR_CORRUPT: the file, what is wrong with it, and the way out. */
int store_damaged(const struct store *store, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

void store_bind_text(sqlite3_stmt *stmt, int index, const char *text); // NULL binds NULL; borrowed
void store_bind_number(sqlite3_stmt *stmt, int index, double value);   // NaN binds NULL
double store_now(void);                                                // seconds since 1970

/* A write outside a transaction is an error of the caller's: refused before anything happens. */
int store_check_writing(struct store *store, struct err *err);

/* ---- store_open.c ---- */

/* The name of a network file system by its statfs() magic, on which a WAL cannot work; NULL: fine. */
const char *store_network_fs(unsigned long magic);

/* Opens the connection and makes sure that the file is ours.  *version is that of its tables, 0 when it is
 * empty still; at most STORE_VERSION. */
int store_connect(struct store *store, const char *dir, int *version, struct err *err);

/* ---- store_wait.c ---- */

void store_wait_init(struct store *store); // of a new connection
/* Before another try of what found a lock `count` times: waits a moment, and asks whether to go on. */
bool store_wait_again(struct store *store, int count);
/* Something succeeded: whoever was told of a wait is told of its end. */
void store_wait_over(struct store *store);

/* ---- store_schema.c ---- */

/* For a writer: the tables and views of an empty file; or of one of an older version, brought up to
 * STORE_VERSION.  Each in one transaction. */
int store_schema_make(struct store *store, struct err *err);

/* ERR_CORRUPT unless the tables and indexes of a file of this version are defined as store_schema_make() would, and with
 * `views` the views, too.  Others are none of ours and may be there. */
int store_schema_check(struct store *store, int version, bool views, struct err *err);
int store_schema_upgrade(struct store *store, int version, struct err *err);

/* For a reader of a file of an older version: makes it look like one of STORE_VERSION, with NULL in the columns
 * that it lacks.  The file stays as it is. */
int store_schema_overlay(struct store *store, int version, struct err *err);

/* ---- store_plan.c ---- */

/* The id of the row of `name`, made if new; for tables of ids and names. */
int store_intern(struct store *store, enum store_stmt find, enum store_stmt add, const char *name,
                 int64_t *id, struct err *err);
/* The number of a metric's name, made if new. */
int store_metric_id(struct store *store, const char *name, int64_t *id, struct err *err);
/* As above; 0 when it is not known. */
int store_metric_find(struct store *store, const char *name, int64_t *id, struct err *err);

/* ---- store_cells.c ---- */

/* Reads the names of a sweep that is about to be planned. */
int store_plan_begin(struct store *store, int64_t sweep_id, struct err *err);
void store_plan_forget(struct plan_names *plan);

struct cells; // what a point's params show

int store_cells_make(struct store *store, const char *params, struct cells **cells,
                     struct err *err);
int store_cells_write(struct store *store, const struct cells *cells, int64_t trial,
                      struct err *err);
void store_cells_free(struct cells *cells); // NULL is fine

/* ---- store_views.c ---- */

int store_make_view(struct store *store, int64_t sweep_id, struct err *err);
/* Whether the view that is there is the one that store_make_view() would make. */
int store_check_view(struct store *store, int64_t sweep_id, bool *right, struct err *err);
/* A trial has a value of this metric for the first time: the views of its sweeps get columns for it. */
int store_note_metric(struct store *store, int64_t trial, int64_t metric, struct err *err);

/* ---- memory ---- */

/* Makes SQLite allocate by base/mem.h's rule; before the first connection. */
void store_use_our_memory(void);

#endif
