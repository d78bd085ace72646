#include "results/report_column.h"

#include <stdint.h>
#include <string.h>

static void put_little(struct column *column, uint64_t bits, int bytes) {
    char text[8];
    for (int i = 0; i < bytes; i++) {
        text[i] = (char)(bits >> (8 * i));
    }
    buf_put(&column->bytes, text, (size_t)bytes);
}

void column_put_u8(struct column *column, uint8_t value) {
    put_little(column, value, 1);
}

void column_put_i32(struct column *column, int64_t value) {
    int64_t fitting = value < INT32_MIN ? INT32_MIN : value > INT32_MAX ? INT32_MAX : value;
    put_little(column, (uint64_t)fitting, 4);
}

void column_put_f32(struct column *column, double value) {
    float narrow = (float)value;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    put_little(column, bits, 4);
}

void column_put_f64(struct column *column, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_little(column, bits, 8);
}

void column_put_base64(struct buf *out, const void *data, size_t len) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = data;
    size_t full = (len + 2) / 3 * 4;
    char *at = buf_reserve(out, full);
    for (size_t i = 0; i < len; i += 3) {
        uint32_t b1 = i + 1 < len ? in[i + 1] : 0, b2 = i + 2 < len ? in[i + 2] : 0;
        uint32_t group = (uint32_t)in[i] << 16 | b1 << 8 | b2;
        *at++ = digits[group >> 18];
        *at++ = digits[group >> 12 & 63];
        *at++ = i + 1 < len ? digits[group >> 6 & 63] : '=';
        *at++ = i + 2 < len ? digits[group & 63] : '=';
    }
    out->len += full;
    out->data[out->len] = '\0';
}

void column_put_json(struct buf *json, const struct column *column) {
    buf_putc(json, '"');
    column_put_base64(json, column->bytes.data, column->bytes.len);
    buf_putc(json, '"');
}

void column_release(struct column *column) {
    buf_release(&column->bytes);
}
