#include "results/query.h"

#include "base/err.h"
#include "results/store_internal.h"

#include <math.h>

int query_open(struct query *query, struct store *store, const char *sql, struct err *err) {
    *query = (struct query){.store = store};
    if (store->dead) {
        return err_set(err, ERR_IO, "%s: not used any more after an input/output error",
                       store->path);
    }
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &query->stmt, NULL);
    return rc == SQLITE_OK ? ERR_OK : store_fail(store, rc, err);
}

void query_bind_text(struct query *query, int index, const char *value) {
    // A copy: the caller's text may be gone before the first row is asked for.
    (void)sqlite3_bind_text(query->stmt, index, value, -1, SQLITE_TRANSIENT);
}

void query_bind_int(struct query *query, int index, int64_t value) {
    (void)sqlite3_bind_int64(query->stmt, index, value);
}

void query_bind_double(struct query *query, int index, double value) {
    store_bind_number(query->stmt, index, value);
}

int query_next(struct query *query, struct err *err) {
    return store_step(query->store, query->stmt, err);
}

void query_reset(struct query *query) {
    store_done(query->stmt);
}

void query_close(struct query *query) {
    (void)sqlite3_finalize(query->stmt); // repeats what query_next() told
    query->stmt = NULL;
}

int query_columns(const struct query *query) {
    return sqlite3_column_count(query->stmt);
}

const char *query_name(const struct query *query, int column) {
    return sqlite3_column_name(query->stmt, column);
}

bool query_is_null(const struct query *query, int column) {
    return sqlite3_column_type(query->stmt, column) == SQLITE_NULL;
}

bool query_is_number(const struct query *query, int column) {
    int type = sqlite3_column_type(query->stmt, column);
    return type == SQLITE_INTEGER || type == SQLITE_FLOAT;
}

bool query_is_integer(const struct query *query, int column) {
    return sqlite3_column_type(query->stmt, column) == SQLITE_INTEGER;
}

const char *query_text(const struct query *query, int column) {
    const char *text = (const char *)sqlite3_column_text(query->stmt, column);
    return text != NULL ? text : "";
}

int64_t query_int(const struct query *query, int column) {
    return sqlite3_column_int64(query->stmt, column);
}

double query_double(const struct query *query, int column) {
    return query_is_null(query, column) ? (double)NAN : sqlite3_column_double(query->stmt, column);
}
