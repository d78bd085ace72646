/* Comparing.  A row of a file is looked for by all the columns that the file has of it; where there is none, for what
 * its table's `lasting` says.  So one statement a table answers a row, and what differs is asked for only then. */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "results/rows.h"
#include "results/rows_internal.h"
#include "results/store_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool rows_is_compared(const struct rows_reader *r, const struct rows_table *table) {
    return r->extent == ROWS_ALL || table->lasting != NULL;
}

/* ---- the statement ---- */

static void put_condition(struct buf *sql, const struct rows_column *column) {
    const char *name = column->name;
    buf_printf(sql, " AND x.%s ", name);
    if (column->refers == NULL) {
        buf_printf(sql, "IS :%s", name);
    } else {
        buf_printf(sql, "= (SELECT id FROM %s WHERE %s = :%s)", column->refers,
                   rows_name_column(column->refers), name);
    }
}

/* Of a row that is written without it, the file's owner is the one that it belongs to. */
static bool belongs_to_owner(const struct rows_reader *r, int place) {
    const char *refers = r->columns.at[place].refers;
    return refers != NULL && strcmp(refers, r->kind->owner) == 0 && !rows_has_column(r, place);
}

static bool is_blank(const struct rows_reader *r, const char *column) {
    return r->table->blank != NULL && strcmp(r->table->blank, column) == 0;
}

static char *make_sql(const struct rows_reader *r) {
    struct buf sql = {0};
    buf_printf(&sql, "SELECT CASE WHEN EXISTS (SELECT 1 FROM %s x WHERE 1", r->table->name);
    for (int i = 0; i < r->columns.count; i++) {
        const struct rows_column *column = &r->columns.at[i];
        bool number = r->columns.has_id && strcmp(column->name, "id") == 0;
        if (belongs_to_owner(r, i) ||
            (rows_has_column(r, i) && !number && !is_blank(r, column->name))) {
            put_condition(&sql, column);
        }
    }
    buf_printf(&sql, ") THEN 1 ELSE %s END", r->extent == ROWS_LASTING ? r->table->lasting : "0");
    return buf_detach(&sql);
}

static int param_of(const struct rows_reader *r, const char *name) {
    char *param = mem_printf(":%s", name);
    int index = sqlite3_bind_parameter_index(r->stmt, param);
    free(param);
    return index;
}

int rows_match_prepare(struct rows_reader *r, struct err *err) {
    char *sql = make_sql(r);
    int rc = sqlite3_prepare_v2(r->store->db, sql, -1, &r->stmt, NULL);
    free(sql);
    if (rc != SQLITE_OK) {
        return store_fail(r->store, rc, err);
    }
    for (int i = 0; i < r->columns.count; i++) {
        if (belongs_to_owner(r, i)) {
            (void)sqlite3_bind_text(r->stmt, param_of(r, r->columns.at[i].name), r->owner, -1,
                                    SQLITE_STATIC);
        }
    }
    for (int i = 0; i < r->column_count; i++) {
        r->param[i] = param_of(r, r->columns.at[r->column[i]].name);
    }
    (void)sqlite3_bind_int64(r->stmt, param_of(r, "attempts"), r->attempts); // 0: of no use here
    return ERR_OK;
}

/* ---- what differs ---- */

static const struct cJSON *field(const struct rows_reader *r, const struct cJSON *row,
                                 const char *name) {
    const struct cJSON *value = json_first(row);
    for (int i = 0; i < r->column_count && value != NULL; i++, value = json_next(value)) {
        if (strcmp(r->columns.at[r->column[i]].name, name) == 0) {
            return value;
        }
    }
    return NULL;
}

/* A value with its bits: either of the two may be what differs. */
struct said {
    char text[NUM_TEXT_MAX + 32];
};

static void say_number(struct said *said, bool is_null, double value, int64_t bits) {
    char number[NUM_TEXT_MAX];
    if (is_null) {
        (void)strcpy(number, "nan");
    } else {
        (void)num_format(number, value); // its length is not needed
    }
    (void)snprintf(said->text, sizeof said->text, "%s (bits %016" PRIx64 ")", number,
                   (uint64_t)bits); // fits
}

static const char in_store[] =
    "SELECT value, bits FROM value WHERE trial = (SELECT id FROM trial WHERE key = ?1)"
    " AND epoch = ?2 AND metric = (SELECT id FROM metric WHERE name = ?3)";

/* What the store has of a value of the owner's: ERR_OK, or an error. */
static int find_value(const struct rows_reader *r, int64_t epoch, const char *metric,
                      struct said *said, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(r->store->db, in_store, -1, &stmt, NULL);
    if (rc != SQLITE_OK) {
        return store_fail(r->store, rc, err);
    }
    store_bind_text(stmt, 1, r->owner);
    (void)sqlite3_bind_int64(stmt, 2, epoch);
    store_bind_text(stmt, 3, metric);
    rc = store_step(r->store, stmt, err);
    if (rc > 0) {
        say_number(said, sqlite3_column_type(stmt, 0) == SQLITE_NULL,
                   sqlite3_column_double(stmt, 0), sqlite3_column_int64(stmt, 1));
    } else {
        (void)strcpy(said->text, "none");
    }
    (void)sqlite3_finalize(stmt); // the step told
    return rc < 0 ? rc : ERR_OK;
}

static int64_t integer_of(const struct cJSON *value) {
    int64_t integer = 0;
    if (value != NULL && json_type(value) == JSON_STRING) { // beyond 2^53
        (void)num_parse_int(json_text(value), INT64_MIN, INT64_MAX, &integer);
    } else if (value != NULL) {
        (void)json_integer(value, INT64_MIN, INT64_MAX, &integer);
    }
    return integer;
}

static int say_value(const struct rows_reader *r, const struct cJSON *row, struct err *err) {
    const struct cJSON *metric = field(r, row, "metric"), *value = field(r, row, "value");
    int64_t epoch = integer_of(field(r, row, "epoch"));
    struct said was, is = {""};
    double number = 0.0;
    bool is_null = value == NULL || !json_metric(value, &number);
    say_number(&was, is_null, number, integer_of(field(r, row, "bits")));
    const char *name = metric == NULL ? "?" : json_text(metric);
    int rc = find_value(r, epoch, name, &is, err);
    return rc != ERR_OK ? rc
                        : err_set(err, ERR_DIFFERS, "epoch %lld, %.200s: %s there, %s here",
                                  (long long)epoch, name, was.text, is.text);
}

/* Of another table: the row as it stands in the file, which the reader of the message can look up. */
static int say_row(const struct rows_reader *r, const struct cJSON *row, struct err *err) {
    struct buf text = {0};
    json_print(&text, row);
    int rc = err_set(err, ERR_DIFFERS, "a row of table %s is other here, or is not: %.200s%s",
                     r->table->name, buf_text(&text), text.len > 200 ? "..." : "");
    buf_release(&text);
    return rc;
}

/* ---- a row ---- */

int rows_match(struct rows_reader *r, const struct cJSON *row, struct err *err) {
    int rc = store_step(r->store, r->stmt, err);
    if (rc < 0) {
        return rc;
    }
    if (strcmp(r->table->name, "trial") == 0 && strcmp(r->kind->owner, "trial") == 0) {
        r->attempts = integer_of(field(r, row, "attempts"));
    }
    if (rc > 0 && sqlite3_column_int(r->stmt, 0) != 0) {
        return ERR_OK;
    }
    (void)sqlite3_reset(r->stmt); // before others are asked
    return strcmp(r->table->name, "value") == 0 ? say_value(r, row, err) : say_row(r, row, err);
}
