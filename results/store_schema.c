/* The tables and views of a file: made in a new one, brought up to date in an older one.
 *
 *     writer, empty file       schema.sql, views.sql
 *     writer, older version    the columns it lacks, then the views anew, in one transaction: a file is of one
 *                              version or of the next, never between
 *     reader, older version    the file stays as it is; TEMP views of this connection stand before its tables
 *                              and views and show NULL where a column is missing
 *
 *     writer                   what is there is compared with what would be made
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

/* ---- as it was made? ---- */

/* A definition without what means nothing: its blanks and comments. */
static char *without_blanks(const char *sql) {
    struct buf text = {0};
    for (const char *c = sql; *c != '\0'; c++) {
        if (c[0] == '-' && c[1] == '-') {
            c += strcspn(c, "\n") - 1; // the newline is next
        } else if (strchr(" \t\n", *c) == NULL) {
            buf_putc(&text, *c);
        }
    }
    return buf_detach(&text);
}

struct pieces {
    char *text;   // owned
    char *at[80]; // into it; no table of ours has so many
    int count;
};

/* The columns and constraints of a table each by itself, with what stands before and behind them. */
static void split(struct pieces *p, const char *sql) {
    int depth = 0;
    *p = (struct pieces){.text = without_blanks(sql)};
    p->at[p->count++] = p->text;
    for (char *c = p->text; *c != '\0'; c++) {
        bool ends = depth == 1 && (*c == ',' || *c == ')');
        depth += (*c == '(') - (*c == ')');
        if ((ends || (depth == 1 && *c == '(')) && p->count < (int)(sizeof p->at / sizeof *p->at)) {
            p->at[p->count++] = c + 1;
            *c = '\0';
        }
    }
}

static bool has_piece(const struct pieces *p, const char *piece) {
    for (int i = 0; i < p->count; i++) {
        if (strcmp(p->at[i], piece) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether it is a column that a file of this version does not have yet. */
static bool is_to_come(const char *table, const char *piece, int version) {
    for (int i = 0; i < ADDED_COUNT; i++) {
        const struct added_column *c = &added_columns[i];
        size_t len = strlen(c->name);
        if (c->version > version && strcmp(c->table, table) == 0 &&
            strncmp(piece, c->name, len) == 0 && strcmp(piece + len, c->type) == 0) {
            return true;
        }
    }
    return false;
}

/* In any order: what an upgrade adds stands behind all other columns. */
static bool is_same_table(const char *table, const char *wanted_sql, const char *found_sql,
                          int version) {
    struct pieces wanted, found;
    split(&wanted, wanted_sql);
    split(&found, found_sql);
    int count = 0;
    bool same = true;
    for (int i = 0; i < wanted.count && same; i++) {
        bool to_come = is_to_come(table, wanted.at[i], version);
        same = has_piece(&found, wanted.at[i]) != to_come;
        count += !to_come;
    }
    same = same && count == found.count;
    free(wanted.text);
    free(found.text);
    return same;
}

static const char *text_of(sqlite3_stmt *stmt, int column) {
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return text != NULL ? text : "";
}

/* The object of the row of `wanted`: type, name, table, definition. */
static int check_object(struct store *store, sqlite3_stmt *wanted, sqlite3_stmt *find, int version,
                        struct err *err) {
    const char *type = text_of(wanted, 0), *name = text_of(wanted, 1), *sql = text_of(wanted, 3);
    store_done(find);
    store_bind_text(find, 1, type);
    store_bind_text(find, 2, name);
    int rc = store_step(store, find, err);
    if (rc < 0) {
        return rc;
    }
    bool same = rc > 0 && strcmp(text_of(find, 0), text_of(wanted, 2)) == 0 &&
                (strcmp(type, "table") == 0 ? is_same_table(name, sql, text_of(find, 1), version)
                                            : strcmp(sql, text_of(find, 1)) == 0);
    return same ? ERR_OK
                : store_damaged(store, err, "damaged (the %s %s is %s)", type, name,
                                rc > 0 ? "not as it was made" : "missing");
}

/* A failure of the copy in memory, with which nothing should be wrong. */
static int memory_failed(const struct store *store, sqlite3 *made, struct err *err) {
    return err_set(err, ERR_IO, "%s: compare its tables: %s", store->path, sqlite3_errmsg(made));
}

static int check_objects(struct store *store, sqlite3 *made, int version, bool views,
                         struct err *err) {
    sqlite3_stmt *wanted = NULL, *find = NULL;
    int rc = sqlite3_prepare_v2(made,
                                "SELECT type, name, tbl_name, sql FROM sqlite_schema"
                                " WHERE sql IS NOT NULL AND (?1 OR type <> 'view')",
                                -1, &wanted, NULL);
    if (rc != SQLITE_OK) {
        return memory_failed(store, made, err);
    }
    rc = sqlite3_prepare_v2(store->db,
                            "SELECT tbl_name, sql FROM sqlite_schema WHERE type = ?1 AND name = ?2",
                            -1, &find, NULL);
    rc = rc == SQLITE_OK ? ERR_OK : store_fail(store, rc, err);
    (void)sqlite3_bind_int(wanted, 1, views); // a fresh statement with that parameter
    int step = SQLITE_ROW;
    while (rc == ERR_OK && (step = sqlite3_step(wanted)) == SQLITE_ROW) {
        rc = check_object(store, wanted, find, version, err);
    }
    rc = rc == ERR_OK && step != SQLITE_DONE ? memory_failed(store, made, err) : rc;
    (void)sqlite3_finalize(find);   // the step told what there was to tell
    (void)sqlite3_finalize(wanted); // likewise
    return rc;
}

int store_schema_check(struct store *store, int version, bool views, struct err *err) {
    sqlite3 *made = NULL;
    int rc = sqlite3_open_v2(":memory:", &made, SQLITE_OPEN_READWRITE, NULL);
    rc = rc == SQLITE_OK ? sqlite3_exec(made, schema_sql, NULL, NULL, NULL) : rc;
    rc = rc == SQLITE_OK ? sqlite3_exec(made, views_sql, NULL, NULL, NULL) : rc;
    rc = rc == SQLITE_OK
             ? check_objects(store, made, version, views && version == STORE_VERSION, err)
             : memory_failed(store, made, err);
    (void)sqlite3_close(made); // in memory; NULL is fine
    return rc;
}
