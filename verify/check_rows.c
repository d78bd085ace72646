/* The rows of a copy against the database: each has to be there as it is.  Of an older copy a row may be gone that a later
 * attempt measured anew:
 *
 *     value          it is in `superseded` then
 *     epoch          a value of it or of an earlier epoch was superseded by a later attempt than its own
 *     layer          a later attempt began at or before its epoch, or did not say where, or is not besom-trainer's
 *     attempt, superseded     never
 *     trial          key and seed stay, the rest is planned and counted anew
 *     sweep, member, cell     are what the last plan made of them: looked at in a copy of that plan
 *
 * Things are known by names, since a database that was made anew may number them otherwise. */
#include "verify/checks.h"
#include "verify/db.h"
#include "verify/facts.h"
#include "verify/report.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct copy {
    const struct checking *c;
    const struct facts *f; // NULL: a sweep's
    int64_t sweep;         // 0: the database has no such sweep
    const char *name;      // of the sweep
    const char *path;
    bool current;

    char *table; // the rows of which come now
    cJSON *columns;
    sqlite3_stmt *stmt; // finds a row; NULL: its rows are not compared
    int64_t attempts;   // that the copy knows
    int64_t values, epochs;
};

/* ---- a statement for the rows of a table ---- */

/* What a column with a thing's number is written as; NULL: as it is. */
static const char *thing_of(const char *column) {
    static const char *const things[][2] = {
        {"metric", "metric"},   {"metric_id", "metric"}, {"sweep", "sweep"},
        {"heading", "heading"}, {"trial", "trial"},
    };
    for (size_t i = 0; i < sizeof things / sizeof *things; i++) {
        if (strcmp(column, things[i][0]) == 0) {
            return things[i][1];
        }
    }
    return NULL;
}

/* A sweep's own `metric` is a name, and no number. */
static bool is_name(const char *table, const char *column) {
    return strcmp(table, "sweep") == 0 && strcmp(column, "metric") == 0;
}

static char *condition(const char *table, const char *column, int number) {
    const char *thing = is_name(table, column) ? NULL : thing_of(column);
    return thing == NULL
               ? sqlite3_mprintf("t.\"%w\" IS ?%d", column, number)
               : sqlite3_mprintf("t.\"%w\" = (SELECT id FROM %s WHERE %s = ?%d)", column, thing,
                                 strcmp(thing, "trial") == 0 ? "key" : "name", number);
}

static bool is_compared(const struct copy *copy, const char *table) {
    static const char *const measured[] = {"attempt", "epoch", "superseded", "layer"};
    static const char *const planned[] = {"sweep", "member", "cell"};
    const char *const *tables = copy->f != NULL ? measured : planned;
    int count = copy->f != NULL ? 4 : copy->current ? 3 : 0;
    for (int i = 0; i < count; i++) {
        if (strcmp(tables[i], table) == 0) {
            return true;
        }
    }
    return false;
}

static sqlite3_stmt *find_rows(const struct copy *copy) {
    bool of_owner = strcmp(copy->table, "sweep") != 0;
    char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\" t WHERE %s", copy->table,
                                !of_owner         ? "?1 = ?1"
                                : copy->f != NULL ? "t.trial = ?1"
                                                  : "t.sweep = ?1");
    int number = 2;
    for (const cJSON *name = copy->columns->child; name != NULL; name = name->next, number++) {
        if (cJSON_IsString(name) && strcmp(name->valuestring, "id") != 0) {
            char *one = condition(copy->table, name->valuestring, number);
            char *longer = sqlite3_mprintf("%s AND %s", sql, one);
            sqlite3_free(one);
            sqlite3_free(sql);
            sql = longer;
        }
    }
    sqlite3_stmt *stmt = NULL; // stays NULL for a column that an older database lacks
    (void)sqlite3_prepare_v2(copy->c->db->db, sql, -1, &stmt, NULL);
    sqlite3_free(sql);
    return stmt;
}

static void enter_table(struct copy *copy, const char *table, const cJSON *columns) {
    (void)sqlite3_finalize(copy->stmt); // only read
    free(copy->table);
    cJSON_Delete(copy->columns);
    copy->table = checked_copy(table);
    copy->columns = cJSON_IsArray(columns) ? cJSON_Duplicate(columns, 1) : cJSON_CreateArray();
    copy->stmt = is_compared(copy, table) ? find_rows(copy) : NULL;
}

/* ---- a row ---- */

static int64_t read_integer(const cJSON *json) { // beyond 2^53 it is a string
    return cJSON_IsString(json)   ? strtoll(json->valuestring, NULL, 10)
           : cJSON_IsNumber(json) ? (int64_t)json->valuedouble
                                  : 0;
}

static const cJSON *field(const struct copy *copy, const cJSON *row, const char *column) {
    const cJSON *value = row->child;
    for (const cJSON *name = copy->columns->child; name != NULL && value != NULL;
         name = name->next, value = value->next) {
        if (cJSON_IsString(name) && strcmp(name->valuestring, column) == 0) {
            return value;
        }
    }
    return NULL;
}

static bool is_real(const struct copy *copy, const char *column) {
    const char *type = NULL;
    return sqlite3_table_column_metadata(copy->c->db->db, NULL, copy->table, column, &type, NULL,
                                         NULL, NULL, NULL) == SQLITE_OK &&
           type != NULL && strcasecmp(type, "REAL") == 0;
}

static bool is_infinite(const char *text) {
    return strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0;
}

static void bind(const struct copy *copy, int number, const char *column, const cJSON *value) {
    const char *text = cJSON_GetStringValue(value);
    if (cJSON_IsNumber(value)) {
        (void)sqlite3_bind_double(copy->stmt, number, value->valuedouble);
    } else if (text != NULL && is_infinite(text) && is_real(copy, column)) {
        (void)sqlite3_bind_double(copy->stmt, number, strtod(text, NULL));
    } else if (text != NULL) { // of an integer beyond 2^53 SQLite makes a number
        (void)sqlite3_bind_text(copy->stmt, number, text, -1, SQLITE_TRANSIENT);
    } // null stays NULL
}

static bool is_there(const struct copy *copy, const cJSON *row) {
    (void)sqlite3_reset(copy->stmt);          // its last step told
    (void)sqlite3_clear_bindings(copy->stmt); // cannot fail
    (void)sqlite3_bind_int64(copy->stmt, 1, copy->f != NULL ? copy->f->trial : copy->sweep);
    int number = 2;
    const cJSON *value = row->child;
    for (const cJSON *name = copy->columns->child; name != NULL && value != NULL;
         name = name->next, value = value->next, number++) {
        bind(copy, number, name->valuestring, value);
    }
    int rc = sqlite3_step(copy->stmt);
    (void)sqlite3_reset(copy->stmt); // likewise
    return rc != SQLITE_DONE;        // a failure of the database is told by who checks its pages
}

/* ---- what may be gone ---- */

static bool was_superseded(const struct facts *f, int64_t epoch, int64_t metric, int64_t bits) {
    for (int i = 0; i < f->superseded_count; i++) {
        const struct fact_value *v = &f->superseded[i].value;
        if (v->epoch == epoch && v->metric == metric && v->bits == bits) {
            return true;
        }
    }
    return false;
}

static bool was_measured_anew(const struct facts *f, int64_t epoch, int64_t attempt) {
    for (int i = 0; i < f->superseded_count; i++) {
        if (f->superseded[i].value.epoch <= epoch && f->superseded[i].by > attempt) {
            return true;
        }
    }
    return false;
}

static bool was_told_again(const struct copy *copy, int64_t epoch) {
    char *sql =
        checked_printf("SELECT count(*) FROM attempt WHERE trial = ?1 AND attempt > %" PRId64
                       " AND (coalesce(from_epoch, 0) <= %" PRId64
                       " OR coalesce(program, '') NOT GLOB 'besom-trainer *')",
                       copy->attempts, epoch);
    int64_t count = db_number(copy->c->db, sql, copy->f->trial);
    free(sql);
    return count > 0;
}

static bool may_be_gone(const struct copy *copy, const cJSON *row) {
    int64_t epoch = read_integer(field(copy, row, "epoch"));
    if (copy->current) {
        return false;
    }
    if (strcmp(copy->table, "epoch") == 0) {
        return was_measured_anew(copy->f, epoch, read_integer(field(copy, row, "attempt")));
    }
    return strcmp(copy->table, "layer") == 0 && was_told_again(copy, epoch);
}

/* ---- comparing ---- */

static void compare_value(struct copy *copy, const cJSON *row) {
    const struct facts *f = copy->f;
    const char *metric = cJSON_GetStringValue(field(copy, row, "metric"));
    int64_t epoch = read_integer(field(copy, row, "epoch"));
    int64_t bits = read_integer(field(copy, row, "bits"));
    int64_t id = metric == NULL ? 0 : metrics_find(copy->c->metrics, metric);
    const struct place place = {
        .trial = f->trial, .epoch = epoch, .metric = metric, .file = copy->path};
    const struct fact_value *v = facts_value(f, epoch, id);
    copy->values++;
    if (!copy->current && was_superseded(f, epoch, id, bits)) {
        return;
    }
    if (v == NULL) {
        report_bad(copy->c->report, VERIFY_SNAPSHOTS, &place, "is here, and not in the database");
    } else if (v->bits != bits) {
        report_bad(copy->c->report, VERIFY_SNAPSHOTS, &place,
                   "has the bits 0x%016" PRIx64 " here, 0x%016" PRIx64 " in the database",
                   (uint64_t)bits, (uint64_t)v->bits);
    }
}

static void compare_trial(struct copy *copy, const cJSON *row) {
    const char *key = cJSON_GetStringValue(field(copy, row, "key"));
    int64_t seed = read_integer(field(copy, row, "seed"));
    char *sql = sqlite3_mprintf("SELECT id, seed FROM trial WHERE key = %Q", key);
    int64_t id = 0, stored = 0;
    for (sqlite3_stmt *q = db_ask(copy->c->db, sql, 0); db_next(copy->c->db, &q);) {
        id = sqlite3_column_int64(q, 0);
        stored = sqlite3_column_int64(q, 1);
    }
    sqlite3_free(sql);
    const struct place place = {.trial = id, .file = copy->path};
    if (id == 0) {
        report_bad(copy->c->report, VERIFY_SNAPSHOTS, &place,
                   "has a trial %s, the database has none", key != NULL ? key : "without a key");
    } else if (stored != seed) {
        report_bad(copy->c->report, VERIFY_SNAPSHOTS, &place,
                   "has the seed %" PRId64 " here, %" PRId64 " in the database", seed, stored);
    }
    copy->attempts = read_integer(field(copy, row, "attempts"));
}

static void compare_row(struct copy *copy, const cJSON *row, const char *line, int len) {
    copy->epochs += strcmp(copy->table, "epoch") == 0;
    if (strcmp(copy->table, "trial") == 0) {
        compare_trial(copy, row);
    } else if (copy->f != NULL && strcmp(copy->table, "value") == 0) {
        compare_value(copy, row);
    }
    if (copy->stmt == NULL || is_there(copy, row) || may_be_gone(copy, row)) {
        return;
    }
    const struct place place = {.trial = copy->f != NULL ? copy->f->trial : 0,
                                .epoch = read_integer(field(copy, row, "epoch")),
                                .attempt = read_integer(field(copy, row, "attempt")),
                                .sweep = copy->name,
                                .file = copy->path};
    report_bad(copy->c->report, VERIFY_SNAPSHOTS, &place,
               "has a row of table %s which the database has otherwise, or not: %.*s", copy->table,
               len > 200 ? 200 : len, line);
}

static void compare_lines(struct copy *copy, char *text) {
    for (char *line = text, *next; *line != '\0'; line = next) {
        size_t len = strcspn(line, "\n");
        next = line + len + (line[len] == '\n');
        cJSON *json = cJSON_ParseWithLength(line, len);
        const char *table = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "table"));
        if (table != NULL) {
            enter_table(copy, table, cJSON_GetObjectItemCaseSensitive(json, "columns"));
        } else if (cJSON_IsArray(json) && copy->table != NULL) {
            compare_row(copy, json, line, (int)len);
        }
        cJSON_Delete(json);
    }
    (void)sqlite3_finalize(copy->stmt); // only read
    free(copy->table);
    cJSON_Delete(copy->columns);
}

void compare_trial_rows(const struct checking *c, const struct facts *f, char *text,
                        const char *path, bool current) {
    struct copy copy = {.c = c, .f = f, .path = path, .current = current};
    compare_lines(&copy, text);
    if (current && (copy.values != f->value_count || copy.epochs != f->epoch_count)) {
        const struct place place = {.trial = f->trial, .file = path};
        report_bad(c->report, VERIFY_SNAPSHOTS, &place,
                   "has %" PRId64 " epochs and %" PRId64 " values, the database %d and %d",
                   copy.epochs, copy.values, f->epoch_count, f->value_count);
    }
}

void compare_sweep_rows(const struct checking *c, int64_t sweep, const char *name, char *text,
                        const char *path, bool current) {
    struct copy copy = {.c = c, .sweep = sweep, .name = name, .path = path, .current = current};
    compare_lines(&copy, text);
}
