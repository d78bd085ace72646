/* results/rows_internal.h - what writing and reading rows share: a table's columns, as SQLite knows them. */
#ifndef RESULTS_ROWS_INTERNAL_H
#define RESULTS_ROWS_INTERNAL_H

#include <stdbool.h>

struct err;
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

#endif
