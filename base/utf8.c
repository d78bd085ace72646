#include "base/utf8.h"

size_t utf8_len(const unsigned char *s, size_t left) {
    unsigned char first = s[0];
    size_t len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (len == 0 || len > left || first > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((first == 0xe0 && s[1] < 0xa0) || (first == 0xed && s[1] > 0x9f) ||
        (first == 0xf0 && s[1] < 0x90) || (first == 0xf4 && s[1] > 0x8f)) {
        return 0;
    }
    return len;
}

void utf8_plain(char *text) {
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        unsigned char c = (unsigned char)*from, next = (unsigned char)from[1];
        if (c == 0xc2 && next >= 0x80 && next < 0xa0) { // U+0080 to U+009F
            *to++ = '?';
            from++;
        } else {
            *to++ = c < 0x20 || c == 0x7f ? '?' : (char)c;
        }
    }
    *to = '\0';
}

bool utf8_is_control(const unsigned char *s) {
    return *s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0);
}

bool utf8_has_control(const char *text) {
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (utf8_is_control(c)) {
            return true;
        }
    }
    return false;
}
