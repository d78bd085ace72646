/* results/rows_internal.h - what writing, reading and comparing rows share: a table's columns, as SQLite knows them, and
 * the place in a file. */
#ifndef RESULTS_ROWS_INTERNAL_H
#define RESULTS_ROWS_INTERNAL_H

#include "results/rows.h"

#include <stdbool.h>
#include <stdint.h>

struct cJSON;
struct err;
struct sqlite3_stmt;
struct store;

enum { ROWS_COLUMNS_MAX = 64, ROWS_HASH_TAIL = 35 /* 32 digits, "}, newline */ };

enum rows_type { ROWS_INTEGER, ROWS_REAL, ROWS_TEXT, ROWS_ANY };

struct rows_column {
    char *name;
    enum rows_type type;
    char *refers; // the table whose row this column has the number of; NULL
};

struct rows_columns {
    struct rows_column at[ROWS_COLUMNS_MAX];
    int count;
    bool has_id; // a table of things with numbers and names of their own
};

/* `table` is a name of ours. */
int rows_columns_load(struct rows_columns *columns, struct store *store, const char *table,
                      struct err *err);
void rows_columns_release(struct rows_columns *columns);

/* The column by which a thing of this table is known outside of the database. */
const char *rows_name_column(const char *table);

/* ---- reading and comparing: rows_read.c, rows_compare.c ---- */

struct rows_reader {
    struct store *store, *like; // whose columns are the current ones
    const struct rows_kind *kind;
    const char *owner; // key or name
    int first, last;   // of the kind's tables
    int64_t line;
    bool begun, in_table, ended;

    bool comparing; // instead of writing
    enum rows_extent extent;
    int64_t attempts; // of a trial, when the file was written; known behind its row

    const struct rows_table *table; // NULL: rows are passed over
    struct rows_columns columns;    // of the table
    int column[ROWS_COLUMNS_MAX];   // of the file: places in `columns`
    int column_count;
    struct sqlite3_stmt *stmt;
    int param[ROWS_COLUMNS_MAX]; // of a column of the file; 0: it is not bound
};

bool rows_has_column(const struct rows_reader *r, int place);
/* False: it is of another type than its column. */
bool rows_bind_value(struct sqlite3_stmt *stmt, int index, const struct rows_column *column,
                     const struct cJSON *value);

/* The statement that looks for a row, and what to do with its answer: ERR_DIFFERS when there is none. */
int rows_match_prepare(struct rows_reader *r, struct err *err);
int rows_match(struct rows_reader *r, const struct cJSON *row, struct err *err);
bool rows_is_compared(const struct rows_reader *r, const struct rows_table *table);

#endif
