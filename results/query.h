/* results/query.h - a prepared statement, for those who read the store.
 *
 *     struct query q;
 *     query_open(&q, store, "SELECT label, mean FROM leaderboard WHERE sweep = ?1", &err);
 *     query_bind_text(&q, 1, name);
 *     while (query_next(&q, &err) > 0) { ... query_text(&q, 0) ... }
 *     query_close(&q);
 *
 * Column values are valid until the next query_next(). */
#ifndef RESULTS_QUERY_H
#define RESULTS_QUERY_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct sqlite3_stmt;
struct store;

struct query {
    struct sqlite3_stmt *stmt;
    struct store *store;
};

int query_open(struct query *query, struct store *store, const char *sql, struct err *err);
void query_bind_text(struct query *query, int index, const char *value); // from 1; NULL binds NULL
void query_bind_int(struct query *query, int index, int64_t value);
void query_bind_double(struct query *query, int index, double value);
int query_next(struct query *query, struct err *err); // 1 a row, 0 the end, < 0 an error
void query_reset(struct query *query); // before other values are bound, to begin again
void query_close(struct query *query);

int query_columns(const struct query *query);
const char *query_name(const struct query *query, int column);
bool query_is_null(const struct query *query, int column);
bool query_is_number(const struct query *query, int column);
bool query_is_integer(const struct query *query, int column);
const char *query_text(const struct query *query, int column); // "" for NULL
int64_t query_int(const struct query *query, int column);
double query_double(const struct query *query, int column); // NaN for NULL

#endif
