/* The view of a sweep: sweep_<name>.
 *
 *     trial, status, <each axis>, replicate, <metric>_best, <metric>_last, ..., <each part>
 *
 * A metric is known when a trial has measured it, so the view is made anew whenever one comes up, in the
 * transaction that stores its first value: a reader never sees a column without the value that made it.
 * Each metric's columns are look-ups in `summary` by primary key; one that a query does not ask
 * for costs nothing. */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "results/store_internal.h"
#include "results/sweep_view.h"

#include <stdlib.h>
#include <string.h>

/* The columns' names so far.  SQL does not tell upper from lower case in them, and two alike would be
 * shown as "a" and "a:1": the later gets an underscore instead. */
struct columns {
    struct buf sql;
    char **name;
    int count;
};

static bool is_taken(const struct columns *columns, const char *name) {
    for (int i = 0; i < columns->count; i++) {
        if (sqlite3_stricmp(columns->name[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* ` AS "name",` behind the expression that the caller has put */
static void put_name(struct columns *columns, const char *name) {
    struct buf unique = {0};
    buf_puts(&unique, name);
    while (is_taken(columns, buf_text(&unique))) {
        buf_putc(&unique, '_');
    }
    columns->name = mem_resize(columns->name, (size_t)columns->count + 1, sizeof *columns->name);
    columns->name[columns->count] = buf_detach(&unique);
    char *quoted = sqlite3_mprintf(" AS \"%w\"", columns->name[columns->count++]);
    buf_puts(&columns->sql, quoted);
    sqlite3_free(quoted);
}

/* Reserved first, so that an axis called "status" does not take the name from the column. */
static void reserve_name(struct columns *columns, const char *name) {
    columns->name = mem_resize(columns->name, (size_t)columns->count + 1, sizeof *columns->name);
    columns->name[columns->count++] = mem_strdup(name);
}

static void columns_release(struct columns *columns) {
    for (int i = 0; i < columns->count; i++) {
        free(columns->name[i]);
    }
    free(columns->name);
    buf_release(&columns->sql);
}

struct view {
    int64_t sweep, objective; // ids
    bool maximize;
    char *name, *axes, *parts;
};

/* One column for each name of a JSON array of headings. */
static int put_cells(struct store *store, struct columns *columns, const struct view *view,
                     const char *names, struct err *err) {
    struct json_doc *doc;
    int rc = json_parse(&doc, "columns", names, strlen(names), JSON_STRICT, err);
    if (rc != ERR_OK) {
        return rc;
    }
    for (struct cJSON *n = json_first(json_root(doc)); n != NULL && rc == ERR_OK;
         n = json_next(n)) {
        int64_t heading;
        rc = store_intern(store, STMT_HEADING_FIND, STMT_HEADING_ADD, json_text(n), &heading, err);
        if (rc == ERR_OK) {
            buf_printf(&columns->sql,
                       ", (SELECT c.value FROM cell c WHERE c.sweep = %lld AND c.trial = m.trial"
                       " AND c.heading = %lld)",
                       (long long)view->sweep, (long long)heading);
            put_name(columns, json_text(n));
        }
    }
    json_free(doc);
    return rc;
}

static bool higher_is_better(const struct view *view, int64_t metric, const char *name) {
    if (metric == view->objective) {
        return view->maximize;
    }
    return sweep_view_metric_rises(name);
}

static void put_metric(struct columns *columns, const struct view *view, int64_t id,
                       const char *name) {
    static const char look_up[] = ", (SELECT s.%s FROM summary s WHERE s.trial = m.trial"
                                  " AND s.metric = %lld)";
    char *best = mem_printf("%s_best", name), *last = mem_printf("%s_last", name);
    buf_printf(&columns->sql, look_up, higher_is_better(view, id, name) ? "high" : "low",
               (long long)id);
    put_name(columns, best);
    buf_printf(&columns->sql, look_up, "last", (long long)id);
    put_name(columns, last);
    free(best);
    free(last);
}

static int put_metrics(struct store *store, struct columns *columns, const struct view *view,
                       struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_MEASURED_LIST, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, view->sweep);
    int rc;
    while ((rc = store_step(store, stmt, err)) > 0) {
        put_metric(columns, view, sqlite3_column_int64(stmt, 0),
                   (const char *)sqlite3_column_text(stmt, 1));
    }
    store_done(stmt);
    return rc;
}

static int put_columns(struct store *store, struct columns *columns, const struct view *view,
                       struct err *err) {
    reserve_name(columns, "trial");
    reserve_name(columns, "status");
    reserve_name(columns, "replicate");
    buf_puts(&columns->sql, "m.trial AS trial, t.status AS status");
    int rc = put_cells(store, columns, view, view->axes, err);
    buf_puts(&columns->sql, ", m.replicate AS replicate");
    rc = rc == ERR_OK ? put_metrics(store, columns, view, err) : rc;
    return rc == ERR_OK ? put_cells(store, columns, view, view->parts, err) : rc;
}

static int load_view(struct store *store, int64_t sweep_id, struct view *view, struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_SWEEP_VIEW, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, sweep_id);
    int rc = store_step(store, stmt, err);
    if (rc > 0) {
        *view = (struct view){
            .sweep = sweep_id,
            .name = mem_strdup((const char *)sqlite3_column_text(stmt, 0)),
            .axes = mem_strdup((const char *)sqlite3_column_text(stmt, 1)),
            .parts = mem_strdup((const char *)sqlite3_column_text(stmt, 2)),
            .objective = sqlite3_column_int64(stmt, 3),
            .maximize = strcmp((const char *)sqlite3_column_text(stmt, 4), "maximize") == 0};
    }
    store_done(stmt);
    return rc == 0 ? err_set(err, ERR_NOT_FOUND, "no sweep %lld", (long long)sweep_id)
                   : (rc < 0 ? rc : ERR_OK);
}

/* The SQL of the view as it is stored; "" when there is none. */
static int stored_sql(struct store *store, const char *name, struct buf *sql, struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_VIEW_SQL, err);
    if (stmt == NULL) {
        return err->code;
    }
    store_bind_text(stmt, 1, name);
    int rc = store_step(store, stmt, err);
    if (rc > 0) {
        buf_puts(sql, (const char *)sqlite3_column_text(stmt, 0));
    }
    store_done(stmt);
    return rc < 0 ? rc : ERR_OK;
}

/* What the tables make of a sweep's view. */
struct view_sql {
    char *drop, *create; // sqlite3_free()
    bool is_stored;      // it is there, to the letter
};

static int write_sql(struct store *store, const struct view *view, const char *columns,
                     struct view_sql *sql, struct err *err) {
    sql->create = sqlite3_mprintf("CREATE VIEW \"%w\" AS SELECT %s FROM member m"
                                  " JOIN trial t ON t.id = m.trial"
                                  " WHERE m.sweep = %lld AND m.present",
                                  view->name, columns, (long long)view->sweep);
    sql->drop = sqlite3_mprintf("DROP VIEW IF EXISTS \"%w\"", view->name);
    struct buf now = {0};
    int rc = stored_sql(store, view->name, &now, err);
    sql->is_stored = strcmp(buf_text(&now), sql->create) == 0;
    buf_release(&now);
    return rc;
}

static void view_sql_release(struct view_sql *sql) {
    sqlite3_free(sql->create);
    sqlite3_free(sql->drop);
}

static int view_sql_of(struct store *store, int64_t sweep_id, struct view_sql *sql,
                       struct err *err) {
    struct view view = {0};
    struct columns columns = {0};
    int rc = load_view(store, sweep_id, &view, err);
    rc = rc == ERR_OK ? put_columns(store, &columns, &view, err) : rc;
    rc = rc == ERR_OK ? write_sql(store, &view, buf_text(&columns.sql), sql, err) : rc;
    columns_release(&columns);
    free(view.name);
    free(view.axes);
    free(view.parts);
    return rc;
}

/* A view that is right already is left alone: a new one makes every connection prepare its statements
 * anew. */
int store_make_view(struct store *store, int64_t sweep_id, struct err *err) {
    struct view_sql sql = {0};
    int rc = view_sql_of(store, sweep_id, &sql, err);
    if (rc == ERR_OK && !sql.is_stored) {
        rc = store_exec(store, sql.drop, err);
        rc = rc == ERR_OK ? store_exec(store, sql.create, err) : rc;
    }
    view_sql_release(&sql);
    return rc;
}

int store_check_view(struct store *store, int64_t sweep_id, bool *right, struct err *err) {
    struct view_sql sql = {0};
    int rc = view_sql_of(store, sweep_id, &sql, err);
    *right = rc == ERR_OK && sql.is_stored;
    view_sql_release(&sql);
    return rc;
}

/* ---- when a metric comes up ---- */

static int add_measured(struct store *store, int64_t sweep, int64_t metric, bool *added,
                        struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_MEASURED_ADD, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, sweep);
    (void)sqlite3_bind_int64(stmt, 2, metric);
    (void)sqlite3_bind_int(stmt, 3, SWEEP_METRICS_MAX);
    int rc = store_run(store, stmt, err);
    *added = rc == ERR_OK && sqlite3_changes(store->db) > 0;
    return rc;
}

/* All sweeps of a trial first, then their views: a statement that is being read would be in the way. */
static int sweeps_of(struct store *store, int64_t trial, int64_t **sweeps, int *count,
                     struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_MEMBER_SWEEPS, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, trial);
    int rc;
    while ((rc = store_step(store, stmt, err)) > 0) {
        *sweeps = mem_resize(*sweeps, (size_t)*count + 1, sizeof **sweeps);
        (*sweeps)[(*count)++] = sqlite3_column_int64(stmt, 0);
    }
    store_done(stmt);
    return rc;
}

int store_note_metric(struct store *store, int64_t trial, int64_t metric, struct err *err) {
    int64_t *sweeps = NULL;
    int count = 0;
    int rc = sweeps_of(store, trial, &sweeps, &count, err);
    for (int i = 0; i < count && rc == ERR_OK; i++) {
        bool added = false;
        rc = add_measured(store, sweeps[i], metric, &added, err);
        rc = rc == ERR_OK && added ? store_make_view(store, sweeps[i], err) : rc;
    }
    free(sweeps);
    return rc;
}
