/* The tables and views of a file: made in a new one, brought up to date in an older one.
 *
 *     writer, empty file       schema.sql, views.sql
 *     writer, older version    the columns it lacks, then the views anew, in one transaction: a file is of one
 *                              version or of the next, never between
 *     reader, older version    the file stays as it is; TEMP views of this connection stand before its tables
 *                              and views and show NULL where a column is missing
 *
 * What a version may change: columns are added to tables, views are changed at will.  So every older file can
 * be read and upgraded by two rules, and each change is one row of `added_columns`. */
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "results/stats.h"
#include "results/store_internal.h"

#include <stdlib.h>
#include <string.h>

static const char schema_sql[] =
#include "results/schema.inc"
    ;

static const char views_sql[] =
#include "results/views.inc"
    ;

/* As in schema.sql, in its order; rows of a table stand together. */
static const struct added_column {
    int version; // that has it first
    const char *table, *name, *type;
} added_columns[] = {
    {2, "trial", "stopped", "TEXT"},        {3, "attempt", "class", "TEXT"},
    {3, "attempt", "program", "TEXT"},      {3, "attempt", "peak_mb", "REAL"},
    {3, "attempt", "seconds", "REAL"},      {3, "attempt", "barren", "INTEGER"},
    {2, "layer", "position", "INTEGER"},    {2, "layer", "histogram_low", "REAL"},
    {2, "layer", "histogram_high", "REAL"}, {2, "layer", "gradient_mean", "REAL"},
    {2, "layer", "gradient_std", "REAL"},   {2, "layer", "gradient_histogram", "TEXT"},
    {2, "layer", "gradient_low", "REAL"},   {2, "layer", "gradient_high", "REAL"},
    {2, "layer", "update_ratio", "REAL"},
};
enum { ADDED_COUNT = sizeof added_columns / sizeof *added_columns };

/* views.sql with each CREATE VIEW made into `create`; with `drop`, the view of that name is dropped first. */
static void put_views(struct buf *sql, const char *create, bool drop) {
    static const char mark[] = "CREATE VIEW ";
    const char *from = views_sql;
    for (const char *at; (at = strstr(from, mark)) != NULL; from = at + strlen(mark)) {
        buf_put(sql, from, (size_t)(at - from));
        if (drop) {
            const char *name = at + strlen(mark);
            buf_printf(sql, "DROP VIEW IF EXISTS %.*s;\n", (int)strcspn(name, " "), name);
        }
        buf_puts(sql, create);
    }
    buf_puts(sql, from);
}

static int exec_buf(struct store *store, struct buf *sql, struct err *err) {
    int rc = store_exec(store, buf_text(sql), err);
    buf_release(sql);
    return rc;
}

/* ---- a new file ---- */

static int fill_student_t(struct store *store, struct err *err) {
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(store->db, "INSERT INTO student_t (df, t) VALUES (?1, ?2)", -1,
                                &stmt, NULL);
    if (rc != SQLITE_OK) {
        return store_fail(store, rc, err);
    }
    for (int df = 1; df <= STUDENT_T_MAX && rc == ERR_OK; df++) {
        (void)sqlite3_bind_int(stmt, 1, df);
        (void)sqlite3_bind_double(stmt, 2, stats_t_quantile(0.975, df));
        rc = store_run(store, stmt, err);
    }
    (void)sqlite3_finalize(stmt); // its last step told what there was to tell
    return rc;
}

static int commit_version(struct store *store, struct err *err) {
    char *ids = mem_printf("PRAGMA application_id = %d; PRAGMA user_version = %d",
                           STORE_APPLICATION_ID, STORE_VERSION);
    int rc = store_exec(store, ids, err);
    free(ids);
    return rc == ERR_OK ? store_exec(store, "COMMIT", err) : rc;
}

int store_schema_make(struct store *store, struct err *err) {
    int rc = store_exec(store, "BEGIN EXCLUSIVE", err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = store_exec(store, schema_sql, err);
    rc = rc == ERR_OK ? store_exec(store, views_sql, err) : rc;
    rc = rc == ERR_OK ? fill_student_t(store, err) : rc;
    rc = rc == ERR_OK ? commit_version(store, err) : rc;
    return rc == ERR_OK ? rc : err_wrap(err, "make the tables");
}

/* ---- an older one ---- */

int store_schema_upgrade(struct store *store, int version, struct err *err) {
    int rc = store_exec(store, "BEGIN EXCLUSIVE", err);
    if (rc != ERR_OK) {
        return rc;
    }
    struct buf sql = {0};
    for (int i = 0; i < ADDED_COUNT; i++) {
        const struct added_column *c = &added_columns[i];
        if (c->version > version) {
            buf_printf(&sql, "ALTER TABLE %s ADD COLUMN %s %s;\n", c->table, c->name, c->type);
        }
    }
    put_views(&sql, "CREATE VIEW ", true);
    rc = exec_buf(store, &sql, err);
    rc = rc == ERR_OK ? commit_version(store, err) : rc;
    return rc == ERR_OK
               ? rc
               : err_wrap(err, "bring the tables from version %d to %d", version, STORE_VERSION);
}

int store_schema_overlay(struct store *store, int version, struct err *err) {
    struct buf sql = {0};
    buf_puts(&sql, "PRAGMA temp_store = MEMORY;\n");
    for (int i = 0; i < ADDED_COUNT;) {
        const char *table = added_columns[i].table;
        buf_printf(&sql, "CREATE TEMP VIEW %s AS SELECT *", table);
        for (; i < ADDED_COUNT && strcmp(added_columns[i].table, table) == 0; i++) {
            if (added_columns[i].version > version) {
                buf_printf(&sql, ", NULL AS %s", added_columns[i].name);
            }
        }
        buf_printf(&sql, " FROM main.%s;\n", table);
    }
    put_views(&sql, "CREATE TEMP VIEW ", false);
    int rc = exec_buf(store, &sql, err);
    return rc == ERR_OK ? rc : err_wrap(err, "read a file of version %d", version);
}
