#include "base/buf.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *buf_reserve(struct buf *buf, size_t extra) {
    size_t need = buf->len + extra + 1;
    if (need > buf->cap) {
        size_t cap = buf->cap < 64 ? 64 : buf->cap;
        while (cap < need) {
            cap *= 2;
        }
        buf->data = mem_resize(buf->data, cap, 1);
        buf->cap = cap;
        buf->data[buf->len] = '\0';
    }
    return buf->data + buf->len;
}

void buf_put(struct buf *buf, const void *data, size_t len) {
    char *to = buf_reserve(buf, len);
    if (len > 0) { // memcpy() wants a pointer even for nothing
        memcpy(to, data, len);
    }
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_puts(struct buf *buf, const char *text) {
    buf_put(buf, text, strlen(text));
}

void buf_putc(struct buf *buf, char c) {
    buf_put(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len > 0) {
        char *to = buf_reserve(buf, (size_t)len);
        (void)vsnprintf(to, (size_t)len + 1, fmt, again); // measured above
        buf->len += (size_t)len;
    }
    va_end(again);
}

void buf_json_string(struct buf *buf, const char *text, size_t len) {
    const unsigned char *s = (const unsigned char *)text;
    buf_putc(buf, '"');
    for (size_t i = 0; i < len;) {
        size_t n = utf8_len(s + i, len - i);
        if (n == 0) {
            buf_puts(buf, "\xef\xbf\xbd"); // U+FFFD
            n = 1;
        } else if (s[i] == '"' || s[i] == '\\') {
            buf_printf(buf, "\\%c", s[i]);
        } else if (s[i] == '\n') {
            buf_puts(buf, "\\n");
        } else if (s[i] == '\t') {
            buf_puts(buf, "\\t");
        } else if (s[i] < 0x20 || s[i] == 0x7f) {
            buf_printf(buf, "\\u%04x", s[i]);
        } else if (s[i] == 0xc2 && s[i + 1] < 0xa0) { // U+0080 to U+009F: some terminals obey them
            buf_printf(buf, "\\u%04x", s[i + 1]);
        } else {
            buf_put(buf, s + i, n);
        }
        i += n;
    }
    buf_putc(buf, '"');
}

void buf_json_number(struct buf *buf, double value) {
    char text[NUM_TEXT_MAX];
    size_t len = num_format(text, value);
    const char *quote = isfinite(value) ? "" : "\"";
    buf_puts(buf, quote);
    buf_put(buf, text, len);
    buf_puts(buf, quote);
}

const char *buf_text(const struct buf *buf) {
    return buf->data == NULL ? "" : buf->data;
}

void buf_clear(struct buf *buf) {
    buf->len = 0;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

void buf_release(struct buf *buf) {
    free(buf->data);
    *buf = (struct buf){0};
}

char *buf_detach(struct buf *buf) {
    char *data = buf_reserve(buf, 0) - buf->len;
    *buf = (struct buf){0};
    return data;
}
