/* results/report_column.h - a column of numbers as it stands in the report's data document.
 *
 * A column is the little-endian bytes of its numbers, one behind the other, in base64: a third longer than
 * the numbers are, and read by the page in one step.  As text the same float32 takes twice as much. */
#ifndef RESULTS_REPORT_COLUMN_H
#define RESULTS_REPORT_COLUMN_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

struct column {
    struct buf bytes;
};

void column_put_u8(struct column *column, uint8_t value);
void column_put_i32(struct column *column,
                    int64_t value); // what does not fit becomes the nearest that does
void column_put_f32(struct column *column, double value);
void column_put_f64(struct column *column, double value);

/* The column as a JSON string. */
void column_put_json(struct buf *json, const struct column *column);
void column_release(struct column *column);

/* The bytes in base64, with the padding of RFC 4648. */
void column_put_base64(struct buf *out, const void *data, size_t len);

#endif
