/* results/table.h - a table for people and for machines, from the same cells.
 *
 *     struct table *t = table_new();
 *     table_column(t, "optimizer", TABLE_LEFT);
 *     table_column(t, "val_accuracy", TABLE_RIGHT);
 *     table_text(t, "adam");
 *     table_number(t, 0.8466231, 4);
 *     table_print(t, TABLE_TEXT, stdout);
 *
 *       optimizer  val_accuracy
 *       adam             0.8466
 *
 * Cells are added row by row, left to right.  People get the given significant digits, with the decimal
 * points of a column below each other as far as that needs no more of them; machines get the
 * shortest form that reads back; absent values are "-", an empty CSV field or null.  Control characters
 * are '?' everywhere but in JSON. */
#ifndef RESULTS_TABLE_H
#define RESULTS_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct table;

enum table_align { TABLE_LEFT, TABLE_RIGHT };
enum table_format { TABLE_TEXT, TABLE_CSV, TABLE_MD, TABLE_JSON };

struct table *table_new(void);
void table_free(struct table *table); // NULL is fine

void table_column(struct table *table, const char *name, enum table_align align);

void table_text(struct table *table, const char *text); // NULL: absent
void table_int(struct table *table, int64_t value);
void table_number(struct table *table, double value, int digits); // NaN: absent
/* `shown` for people, `json` (a JSON value's text) for machines. */
void table_json(struct table *table, const char *shown, const char *json);

int64_t table_rows(const struct table *table);

/* Writes the table; ferror(out) tells whether all of it could be written.  Text: aligned by the width that a terminal gives each character (the program
 * has set LC_CTYPE), each line indented by two spaces.  CSV: RFC 4180 with a header.  JSON: an array
 * of objects with a newline at the end. */
void table_print(const struct table *table, enum table_format format, FILE *out);

/* "text", "csv", "md", "json"; false when unknown. */
bool table_parse_format(const char *name, enum table_format *format);

#endif
