/* Reading.  A line is a row of the table that was named last; its values are bound by the columns' declared types. */
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "results/rows.h"
#include "results/rows_internal.h"
#include "results/store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* ---- is it whole? ---- */

int rows_verify(FILE *file, struct err *err) {
    static const char ends[] = "\"}\n";
    char chunk[1 << 14], kept[ROWS_HASH_TAIL]; // the last bytes are no part of what is hashed
    size_t have = 0, n;
    struct hash *hash = hash_new();
    rewind(file);
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0) {
        size_t pass = have + n > ROWS_HASH_TAIL ? have + n - ROWS_HASH_TAIL : 0;
        size_t old = pass < have ? pass : have;
        hash_add(hash, kept, old);
        hash_add(hash, chunk, pass - old);
        memmove(kept, kept + old, have - old);
        memcpy(kept + (have - old), chunk + (pass - old), n - (pass - old));
        have = have + n - pass;
    }
    char digits[HASH_HEX_LEN + 1];
    hash_finish(hash, digits);
    if (ferror(file)) {
        return err_io(err, errno, "read");
    }
    rewind(file);
    bool good = have == ROWS_HASH_TAIL && memcmp(kept, digits, HASH_HEX_LEN) == 0 &&
                memcmp(kept + HASH_HEX_LEN, ends, sizeof ends - 1) == 0;
    return good ? ERR_OK : err_set(err, ERR_CORRUPT, "damaged: its checksum does not match");
}

/* ---- a table ---- */

static int bad(struct rows_reader *r, struct err *err, const char *what) {
    return err_set(err, ERR_CORRUPT, "line %lld: %s", (long long)r->line, what);
}

static void leave_table(struct rows_reader *r) {
    (void)sqlite3_finalize(r->stmt); // each step told what there was to tell
    r->stmt = NULL;
    r->table = NULL;
    r->column_count = 0;
    rows_columns_release(&r->columns);
}

bool rows_has_column(const struct rows_reader *r, int place) {
    for (int i = 0; i < r->column_count; i++) {
        if (r->column[i] == place) {
            return true;
        }
    }
    return false;
}

static int add_columns(struct rows_reader *r, const struct cJSON *names, struct err *err) {
    if (names == NULL || json_type(names) != JSON_ARRAY) {
        return bad(r, err, "a table without its columns");
    }
    for (const struct cJSON *n = json_first(names); n != NULL; n = json_next(n)) {
        int place = 0;
        while (place < r->columns.count && !json_is_string(n, r->columns.at[place].name)) {
            place++;
        }
        if (place == r->columns.count) {
            return err_set(err, ERR_VERSION,
                           "line %lld: %s has a column that this version does not know: written by "
                           "a newer besom",
                           (long long)r->line, r->table->name);
        }
        if (rows_has_column(r, place)) {
            return bad(r, err, "a column comes twice");
        }
        r->column[r->column_count++] = place;
    }
    return r->column_count > 0 ? ERR_OK : bad(r, err, "a table without columns");
}

/* What becomes of the value ?`number` of a column.  `owner_number`: the owner's name is that parameter. */
static void put_value(struct buf *sql, const struct rows_reader *r,
                      const struct rows_column *column, int number, int owner_number) {
    if (r->columns.has_id && strcmp(column->name, "id") == 0) {
        buf_printf(sql, "CASE WHEN EXISTS (SELECT 1 FROM %s WHERE id = ?%d) THEN NULL ELSE ?%d END",
                   r->table->name, number, number);
    } else if (column->refers == NULL) {
        buf_printf(sql, "?%d", number);
    } else {
        const char *name = rows_name_column(column->refers);
        buf_printf(sql, "coalesce((SELECT id FROM %s WHERE %s = ?%d)", column->refers, name,
                   number);
        if (strcmp(column->refers, r->kind->owner) == 0) {
            buf_printf(sql, ", (SELECT id FROM %s WHERE %s = ?%d)", column->refers, name,
                       owner_number);
        } else {
            buf_puts(sql, ", NULL");
        }
        buf_putc(sql, ')');
    }
}

static int prepare(struct rows_reader *r, struct err *err) {
    int owner_number = r->column_count + 1;
    struct buf names = {0}, values = {0};
    for (int i = 0; i < r->column_count; i++) {
        const struct rows_column *column = &r->columns.at[r->column[i]];
        buf_printf(&names, "%s%s", i > 0 ? ", " : "", column->name);
        buf_puts(&values, i > 0 ? ", " : "");
        put_value(&values, r, column, i + 1, owner_number);
    }
    for (int i = 0; i < r->columns.count; i++) { // the owner goes without saying
        const struct rows_column *column = &r->columns.at[i];
        if (!rows_has_column(r, i) && column->refers != NULL &&
            strcmp(column->refers, r->kind->owner) == 0) {
            buf_printf(&names, ", %s", column->name);
            buf_printf(&values, ", (SELECT id FROM %s WHERE %s = ?%d)", r->kind->owner,
                       rows_name_column(r->kind->owner), owner_number);
        }
    }
    char *sql = mem_printf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT %s", r->table->name,
                           buf_text(&names), buf_text(&values),
                           r->table->conflict != NULL ? r->table->conflict : "DO NOTHING");
    int rc = sqlite3_prepare_v2(r->store->db, sql, -1, &r->stmt, NULL);
    free(sql);
    buf_release(&names);
    buf_release(&values);
    if (rc != SQLITE_OK) {
        return store_fail(r->store, rc, err);
    }
    (void)sqlite3_bind_text(r->stmt, owner_number, r->owner, -1, SQLITE_STATIC); // may be unused
    for (int i = 0; i < r->column_count; i++) {
        r->param[i] = i + 1;
    }
    return ERR_OK;
}

static int enter_table(struct rows_reader *r, const struct cJSON *head, const struct cJSON *name,
                       struct err *err) {
    leave_table(r);
    r->in_table = true;
    int i = 0;
    while (i < r->kind->table_count && !json_is_string(name, r->kind->tables[i].name)) {
        i++;
    }
    if (i == r->kind->table_count) {
        return err_set(err, ERR_VERSION, "line %lld: a table that this version does not know",
                       (long long)r->line);
    }
    bool wanted = i >= r->first && i < r->last;
    if (!wanted || (r->comparing && !rows_is_compared(r, &r->kind->tables[i]))) {
        return ERR_OK;
    }
    r->table = &r->kind->tables[i];
    int rc = rows_columns_load(&r->columns, r->like, r->table->name, err);
    rc = rc == ERR_OK ? add_columns(r, json_get(head, "columns"), err) : rc;
    if (rc == ERR_OK) {
        rc = r->comparing ? rows_match_prepare(r, err) : prepare(r, err);
    }
    return rc;
}

/* ---- a row ---- */

static bool bind_integer(sqlite3_stmt *stmt, int index, const struct cJSON *value) {
    const int64_t exact = (int64_t)1 << 53;
    int64_t integer;
    bool good = json_type(value) == JSON_STRING
                    ? num_parse_int(json_text(value), INT64_MIN, INT64_MAX, &integer)
                    : json_integer(value, -exact, exact, &integer);
    if (good) {
        (void)sqlite3_bind_int64(stmt, index, integer);
    }
    return good;
}

static void bind_text(sqlite3_stmt *stmt, int index, const struct cJSON *value) {
    (void)sqlite3_bind_text(stmt, index, json_text(value), -1, SQLITE_STATIC);
}

bool rows_bind_value(sqlite3_stmt *stmt, int index, const struct rows_column *column,
                     const struct cJSON *value) {
    bool is_text = json_type(value) == JSON_STRING;
    double number;
    if (json_type(value) == JSON_NULL) {
        (void)sqlite3_bind_null(stmt, index);
        return true;
    }
    if (column->refers != NULL || column->type == ROWS_TEXT ||
        (column->type == ROWS_ANY && is_text)) {
        if (is_text) {
            bind_text(stmt, index, value);
        }
        return is_text;
    }
    if (column->type == ROWS_INTEGER) {
        return bind_integer(stmt, index, value);
    }
    if (column->type == ROWS_ANY && json_type(value) == JSON_NUMBER &&
        bind_integer(stmt, index, value)) {
        return true; // as store_cells.c binds them: 10000 and not 10000.0
    }
    bool good = json_metric(value, &number);
    if (good) {
        (void)sqlite3_bind_double(stmt, index, number);
    }
    return good;
}

/* The row of the owner itself has to be the one that the file is said to be about. */
static bool is_foreign(const struct rows_reader *r, int place, const struct cJSON *value) {
    return strcmp(r->table->name, r->kind->owner) == 0 &&
           strcmp(r->columns.at[place].name, rows_name_column(r->kind->owner)) == 0 &&
           !json_is_string(value, r->owner);
}

static int put_row(struct rows_reader *r, const struct cJSON *row, struct err *err) {
    if (json_type(row) != JSON_ARRAY || json_count(row) != r->column_count) {
        return bad(r, err, "not a row of its table");
    }
    (void)sqlite3_reset(r->stmt); // the step told what there was to tell
    int i = 0;
    for (const struct cJSON *v = json_first(row); v != NULL; v = json_next(v), i++) {
        if (r->param[i] > 0 &&
            !rows_bind_value(r->stmt, r->param[i], &r->columns.at[r->column[i]], v)) {
            return bad(r, err, "a value of another type than its column's");
        }
        if (is_foreign(r, r->column[i], v)) {
            return bad(r, err,
                       "this file is about another " /* trial or sweep */
                       "one than its name says");
        }
    }
    int rc = r->comparing ? rows_match(r, row, err) : store_step(r->store, r->stmt, err);
    (void)sqlite3_reset(r->stmt); // its texts are the line's, and go with it
    if (rc == ERR_RANGE) {
        return bad(r, err, "a row that breaks a rule of the tables");
    }
    return rc;
}

/* ---- lines ---- */

static int read_object(struct rows_reader *r, const struct cJSON *object, struct err *err) {
    if (!r->begun) {
        const struct cJSON *version = json_get(object, "version");
        int64_t n;
        if (json_get(object, "besom") == NULL ||
            !json_is_string(json_get(object, "besom"), r->kind->owner) || version == NULL ||
            !json_integer(version, 1, INT32_MAX, &n)) {
            return bad(r, err, "not a file of this kind");
        }
        r->begun = true;
        return n <= ROWS_VERSION ? ERR_OK : err_set(err, ERR_VERSION, "written by a newer besom");
    }
    const struct cJSON *table = json_get(object, "table");
    if (table != NULL) {
        return enter_table(r, object, table, err);
    }
    if (json_get(object, "end") == NULL) {
        return bad(r, err, "neither a table nor the end");
    }
    r->ended = true;
    return ERR_OK;
}

static int read_line(struct rows_reader *r, const char *text, size_t len, struct err *err) {
    r->line++;
    if (r->ended) {
        return bad(r, err, "something behind the end");
    }
    bool is_row = text[0] == '[';
    if (is_row && !r->in_table) {
        return bad(r, err, "a row without a table");
    }
    if (is_row && r->table == NULL) {
        return ERR_OK; // not asked for
    }
    struct json_doc *doc;
    int rc = json_parse(&doc, "row", text, len, JSON_STRICT, err);
    if (rc != ERR_OK) {
        return bad(r, err, "no JSON");
    }
    const struct cJSON *root = json_root(doc);
    if (is_row) {
        rc = put_row(r, root, err);
    } else if (json_type(root) == JSON_OBJECT) {
        rc = read_object(r, root, err);
    } else {
        rc = bad(r, err, "not a file of this kind");
    }
    json_free(doc);
    return rc;
}

static int read_lines(struct rows_reader *r, FILE *file, struct err *err) {
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    int rc = ERR_OK;
    while (rc == ERR_OK && (len = getline(&line, &room, file)) > 0) {
        rc = read_line(r, line, (size_t)len, err);
    }
    free(line);
    if (rc == ERR_OK && ferror(file)) {
        rc = err_io(err, errno, "read");
    }
    return rc == ERR_OK && !r->ended ? bad(r, err, "it ends too early") : rc;
}

int rows_read(struct store *store, FILE *file, const struct rows_kind *kind, const char *owner,
              int first, int last, struct err *err) {
    struct rows_reader r = {
        .store = store, .like = store, .kind = kind, .owner = owner, .first = first, .last = last};
    int rc = store_check_writing(store, err);
    rc = rc == ERR_OK ? store_exec(store, "SAVEPOINT rows", err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    rc = read_lines(&r, file, err);
    leave_table(&r);
    struct err second;
    if (rc == ERR_OK) {
        return store_exec(store, "RELEASE rows", err);
    }
    if (!sqlite3_get_autocommit(store->db)) { // after SQLITE_FULL all is rolled back already
        (void)store_exec(store, "ROLLBACK TO rows; RELEASE rows", &second); // the first counts
    }
    return rc;
}

int rows_compare(struct store *store, struct store *like, FILE *file, const struct rows_kind *kind,
                 const char *owner, enum rows_extent extent, struct err *err) {
    struct rows_reader r = {.store = store,
                            .like = like,
                            .kind = kind,
                            .owner = owner,
                            .last = kind->table_count,
                            .comparing = true,
                            .extent = extent};
    int rc = read_lines(&r, file, err);
    leave_table(&r);
    return rc;
}
