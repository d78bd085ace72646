#include "cli/visible.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <stdbool.h>

static const char replacement[] = "\xef\xbf\xbd"; // U+FFFD

/* Whether a valid sequence may begin here and go on behind the end. */
static bool is_begun(const unsigned char *s, size_t left) {
    size_t whole = *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : 2;
    if (*s < 0xc2 || *s > 0xf4 || left >= whole) {
        return false;
    }
    for (size_t i = 1; i < left; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return false;
        }
    }
    return true;
}

size_t visible_put(struct buf *out, const char *text, size_t len) {
    const unsigned char *s = (const unsigned char *)text, *end = s + len;
    while (s < end) {
        size_t taken = utf8_len(s, (size_t)(end - s));
        if (taken == 0 && is_begun(s, (size_t)(end - s))) {
            break;
        }
        if (taken == 0 || (taken > 1 && utf8_is_control(s))) {
            buf_puts(out, replacement);
        } else if (!utf8_is_control(s) || *s == '\n' || *s == '\t' || *s == '\r') {
            buf_put(out, s, taken);
        } else {
            buf_putc(out, '^');
            buf_putc(out, (char)(*s ^ 0x40)); // ESC, 0x1b: ^[     DEL, 0x7f: ^?
        }
        s += taken > 0 ? taken : 1;
    }
    return len - (size_t)(end - s);
}
