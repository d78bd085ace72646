/* Writing.  What a table is made of comes from PRAGMA table_info and foreign_key_list. */
#include "results/rows.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "results/rows_internal.h"
#include "results/store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- columns ---- */

const char *rows_name_column(const char *table) {
    return strcmp(table, "trial") == 0 ? "key" : "name";
}

static enum rows_type type_of(const char *declared) {
    static const char *const names[] = {"INTEGER", "REAL", "TEXT"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(declared, names[i]) == 0) {
            return (enum rows_type)i;
        }
    }
    return ROWS_ANY;
}

/* Calls `each` for the rows of a pragma on `table`. */
static int each_row(struct store *store, const char *pragma, const char *table,
                    void (*each)(struct rows_columns *, sqlite3_stmt *),
                    struct rows_columns *columns, struct err *err) {
    char *sql = mem_printf("PRAGMA %s(%s)", pragma, table);
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);
    free(sql);
    if (rc != SQLITE_OK) {
        return store_fail(store, rc, err);
    }
    while ((rc = store_step(store, stmt, err)) > 0) {
        each(columns, stmt);
    }
    (void)sqlite3_finalize(stmt); // the step told what there was to tell
    return rc;
}

static void add_column(struct rows_columns *columns, sqlite3_stmt *stmt) {
    if (columns->count == ROWS_COLUMNS_MAX) {
        return; // no table of ours is so wide, which a test sees to
    }
    struct rows_column *c = &columns->at[columns->count++];
    *c = (struct rows_column){.name = mem_strdup((const char *)sqlite3_column_text(stmt, 1)),
                              .type = type_of((const char *)sqlite3_column_text(stmt, 2))};
    columns->has_id = columns->has_id || strcmp(c->name, "id") == 0;
}

static void add_reference(struct rows_columns *columns, sqlite3_stmt *stmt) {
    const char *from = (const char *)sqlite3_column_text(stmt, 3);
    for (int i = 0; i < columns->count; i++) {
        if (strcmp(columns->at[i].name, from) == 0 && columns->at[i].refers == NULL) {
            columns->at[i].refers = mem_strdup((const char *)sqlite3_column_text(stmt, 2));
        }
    }
}

int rows_columns_load(struct rows_columns *columns, struct store *store, const char *table,
                      struct err *err) {
    *columns = (struct rows_columns){0};
    int rc = each_row(store, "table_info", table, add_column, columns, err);
    rc =
        rc == ERR_OK ? each_row(store, "foreign_key_list", table, add_reference, columns, err) : rc;
    if (rc != ERR_OK) {
        rows_columns_release(columns);
    }
    return rc;
}

void rows_columns_release(struct rows_columns *columns) {
    for (int i = 0; i < columns->count; i++) {
        free(columns->at[i].name);
        free(columns->at[i].refers);
    }
    *columns = (struct rows_columns){0};
}

/* ---- the statements ---- */

struct section {
    sqlite3_stmt *stmt; // NULL: not prepared yet
    char *head;         // its line, with the columns' names
};

struct rows_writer {
    struct store *store;
    const struct rows_kind *kind;
    struct section *sections;
};

struct rows_writer *rows_writer_new(struct store *store, const struct rows_kind *kind) {
    struct rows_writer *w = mem_zalloc(1, sizeof *w);
    w->store = store;
    w->kind = kind;
    w->sections = mem_zalloc((size_t)kind->table_count, sizeof *w->sections);
    return w;
}

void rows_writer_free(struct rows_writer *w) {
    if (w == NULL) {
        return;
    }
    for (int i = 0; i < w->kind->table_count; i++) {
        (void)sqlite3_finalize(w->sections[i].stmt); // repeats an earlier failure
        free(w->sections[i].head);
    }
    free(w->sections);
    free(w);
}

/* The owner of all rows of the file goes without saying. */
static bool is_left_out(const struct rows_kind *kind, const struct rows_columns *columns,
                        const struct rows_column *column) {
    return !columns->has_id && column->refers != NULL && strcmp(column->refers, kind->owner) == 0;
}

static void put_expression(struct buf *sql, const struct rows_table *table,
                           const struct rows_column *column) {
    if (table->blank != NULL && strcmp(table->blank, column->name) == 0) {
        buf_puts(sql, "''");
    } else if (column->refers != NULL) {
        buf_printf(sql, "(SELECT r.%s FROM %s r WHERE r.id = x.%s)",
                   rows_name_column(column->refers), column->refers, column->name);
    } else {
        buf_printf(sql, "x.%s", column->name);
    }
}

static int prepare(struct rows_writer *w, int index, struct err *err) {
    const struct rows_table *table = &w->kind->tables[index];
    struct section *section = &w->sections[index];
    struct rows_columns columns;
    int rc = rows_columns_load(&columns, w->store, table->name, err);
    if (rc != ERR_OK) {
        return rc;
    }
    struct buf sql = {0}, head = {0};
    buf_printf(&head, "{\"table\":\"%s\",\"columns\":[", table->name);
    const char *separator = "SELECT ";
    for (int i = 0; i < columns.count; i++) {
        if (!is_left_out(w->kind, &columns, &columns.at[i])) {
            buf_puts(&sql, separator);
            put_expression(&sql, table, &columns.at[i]);
            buf_printf(&head, "%s\"%s\"", *separator == ',' ? "," : "", columns.at[i].name);
            separator = ", ";
        }
    }
    buf_puts(&head, "]}\n");
    buf_printf(&sql, " FROM %s x WHERE %s ORDER BY %s", table->name, table->where, table->order);
    rows_columns_release(&columns);
    rc = sqlite3_prepare_v3(w->store->db, buf_text(&sql), -1, SQLITE_PREPARE_PERSISTENT,
                            &section->stmt, NULL);
    buf_release(&sql);
    section->head = buf_detach(&head);
    if (rc == SQLITE_OK) {
        return ERR_OK;
    }
    free(section->head);
    section->head = NULL;
    return store_fail(w->store, rc, err);
}

/* ---- the file ---- */

struct out {
    int fd;
    struct buf text; // not written yet
    struct hash *hash;
    int64_t bytes; // written, or in `text`
};

static int flush(struct out *out, struct err *err) {
    const char *data = buf_text(&out->text);
    size_t left = out->text.len;
    hash_add(out->hash, data, left);
    while (left > 0) {
        ssize_t n = write(out->fd, data, left);
        if (n < 0 && errno != EINTR) {
            int cause = errno;
            (void)err_io(err, cause, "write");
            err->code = cause == ENOSPC || cause == EDQUOT ? ERR_FULL : ERR_IO;
            return err->code;
        }
        data += n < 0 ? 0 : n;
        left -= n < 0 ? 0 : (size_t)n;
    }
    buf_clear(&out->text);
    return ERR_OK;
}

static void put_integer(struct buf *text, int64_t value) {
    const int64_t exact = (int64_t)1 << 53;
    bool plain = value >= -exact && value <= exact;
    buf_printf(text, plain ? "%lld" : "\"%lld\"", (long long)value);
}

static void put_value(struct buf *text, sqlite3_stmt *stmt, int column) {
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_INTEGER:
        put_integer(text, sqlite3_column_int64(stmt, column));
        break;
    case SQLITE_FLOAT:
        buf_json_number(text, sqlite3_column_double(stmt, column));
        break;
    case SQLITE_NULL:
        buf_puts(text, "null");
        break;
    default: // no table of ours has a BLOB
        buf_json_string(text, (const char *)sqlite3_column_text(stmt, column),
                        (size_t)sqlite3_column_bytes(stmt, column));
        break;
    }
}

static int put_row(struct out *out, sqlite3_stmt *stmt, struct err *err) {
    enum { PIECE = 1 << 16 };
    int count = sqlite3_column_count(stmt);
    for (int i = 0; i < count; i++) {
        buf_putc(&out->text, i == 0 ? '[' : ',');
        put_value(&out->text, stmt, i);
    }
    buf_puts(&out->text, "]\n");
    if (out->text.len < PIECE) {
        return ERR_OK;
    }
    out->bytes += (int64_t)out->text.len;
    return flush(out, err);
}

/* A table without rows leaves no trace. */
static int put_table(struct rows_writer *w, struct out *out, int index, int64_t id,
                     struct err *err) {
    struct section *section = &w->sections[index];
    int rc = section->stmt == NULL ? prepare(w, index, err) : ERR_OK;
    if (rc != ERR_OK) {
        return rc;
    }
    store_done(section->stmt);
    (void)sqlite3_bind_int64(section->stmt, 1, id);
    bool first = true;
    while ((rc = store_step(w->store, section->stmt, err)) > 0) {
        if (first) {
            buf_puts(&out->text, section->head);
            first = false;
        }
        rc = put_row(out, section->stmt, err);
        if (rc != ERR_OK) {
            break;
        }
    }
    store_done(section->stmt);
    return rc;
}

static int put_end(struct out *out, const char *owner, const char *stamp, struct err *err) {
    char digits[HASH_HEX_LEN + 1];
    out->bytes += (int64_t)out->text.len;
    buf_printf(&out->text, "{\"end\":\"%s\",%s,\"bytes\":%lld,\"xxh3\":\"", owner, stamp,
               (long long)out->bytes);
    int rc = flush(out, err);
    hash_finish(out->hash, digits);
    out->hash = hash_new(); // of nobody's interest: flush() adds to one
    buf_printf(&out->text, "%s\"}\n", digits);
    return rc == ERR_OK ? flush(out, err) : rc;
}

int rows_write(struct rows_writer *w, int fd, int64_t id, const char *stamp, struct err *err) {
    struct out out = {.fd = fd, .hash = hash_new()};
    int rc = ERR_OK;
    if (w->store->dead) {
        rc = err_set(err, ERR_IO, "%s: not used any more after an input/output error",
                     w->store->path);
    }
    buf_printf(&out.text, "{\"besom\":\"%s\",\"version\":%d}\n", w->kind->owner, ROWS_VERSION);
    for (int i = 0; i < w->kind->table_count && rc == ERR_OK; i++) {
        rc = put_table(w, &out, i, id, err);
    }
    rc = rc == ERR_OK ? put_end(&out, w->kind->owner, stamp, err) : rc;
    char ignored[HASH_HEX_LEN + 1];
    hash_finish(out.hash, ignored); // frees it
    buf_release(&out.text);
    return rc;
}

/* ---- looking at the end ---- */

int rows_is_current(int fd, const char *owner, const char *stamp) {
    struct stat st;
    char tail[512];
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return 0;
    }
    size_t want = st.st_size < (off_t)sizeof tail ? (size_t)st.st_size : sizeof tail - 1;
    ssize_t n = pread(fd, tail, want, st.st_size - (off_t)want);
    if (n < 2 || (size_t)n != want || tail[n - 1] != '\n') {
        return 0;
    }
    tail[n - 1] = '\0';
    const char *newline = strrchr(tail, '\n'), *line = newline == NULL ? tail : newline + 1;
    long long before = (long long)st.st_size - (long long)strlen(line) - 1;
    char *wanted =
        mem_printf("{\"end\":\"%s\",%s,\"bytes\":%lld,\"xxh3\":\"", owner, stamp, before);
    bool same = strncmp(line, wanted, strlen(wanted)) == 0 &&
                strlen(line) == strlen(wanted) + ROWS_HASH_TAIL - 1;
    free(wanted);
    return same;
}
