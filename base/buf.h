/* base/buf.h - a byte string that grows.
 *
 *     struct buf out = {0};
 *     buf_printf(&out, "%d trials", n);
 *     fputs(buf_text(&out), stdout);
 *     buf_release(&out);
 *
 * Always NUL terminated one byte past `len`; may hold NULs of its own. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

struct buf {
    char *data; // NULL while nothing was ever put in
    size_t len, cap;
};

void buf_put(struct buf *buf, const void *data, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* `text` as a JSON string with its quotes; control characters (below U+0020, U+007F to U+009F) are
 * escaped, and bytes that are not UTF-8 become U+FFFD.  So it can be shown on a terminal, too. */
void buf_json_string(struct buf *buf, const char *text, size_t len);

/* A number in its shortest round-trip form; NaN and infinities as "nan", "inf", "-inf" in quotes. */
void buf_json_number(struct buf *buf, double value);

/* Makes room for `extra` bytes more and returns where they go; the caller then adds to `len`. */
char *buf_reserve(struct buf *buf, size_t extra);

/* The contents, "" when empty.  Valid until the next change. */
const char *buf_text(const struct buf *buf);

void buf_clear(struct buf *buf);   // keeps the memory
void buf_release(struct buf *buf); // zeroes the struct

/* Gives the contents to the caller, who frees them, and zeroes the struct.  Never NULL. */
char *buf_detach(struct buf *buf);

#endif
