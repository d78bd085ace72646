/* trainer/csv.h - a table of numbers, one column of which is the label.
 *
 * As RFC 4180 has it: rows end in LF or CRLF, fields are separated by commas, a field may be in double
 * quotes, and a double quote within is written twice.  Blanks around a field that is not in quotes do not
 * count, nor do empty lines and a byte order mark.  The first row is a header when one of its fields is
 * no number.  Files may be gzipped, see stream.h. */
#ifndef TRAINER_CSV_H
#define TRAINER_CSV_H

#include "trainer/spec.h"

#include <stdint.h>

struct err;

enum { CSV_FIELD_MAX = 1024 }; // bytes of a field

struct csv {
    float *values;   // owned, (rows, features): all columns but the label's, in their order
    uint8_t *labels; // owned, (rows)
    int rows, features;
    char **names; // owned: the header's, features + 1 of them, printable; NULL without a header
    int label;    // the label's column, from 0
};

/* With no `label` said, the label is the column that the header calls "label", else the first.  At least one row and one feature.  Errors begin with "path:line: column N: " as far as there are such:
 * ERR_NOT_FOUND; ERR_IO; ERR_PARSE: quotes, a NUL, a lone carriage return, another number of fields than in the
 * first row, a value that is no finite number of float32's range; ERR_RANGE: no such label column, a
 * label that is not from 0 to 255, an empty table, above 10^7 rows or 2^22 features. */
int csv_load(struct csv *csv, const char *path, const struct label_spec *label, struct err *err);
void csv_release(struct csv *csv); // a zeroed or released one is fine

#endif
