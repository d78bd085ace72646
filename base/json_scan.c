#include "base/json_scan.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool fail_at(struct json_scan *s, size_t at, const char *what) {
    s->at = at;
    (void)snprintf(s->what, sizeof s->what, "%s", what); // all callers fit
    return false;
}

/* "expected WANTED, found ..." with the character that is there */
static bool unexpected(struct json_scan *s, const char *wanted) {
    unsigned char c = s->at < s->len ? (unsigned char)s->text[s->at] : 0;
    const char *tail = " (// comments are not allowed here)";
    bool comment = c == '/' && !s->comments;
    if (s->at >= s->len) {
        (void)snprintf(s->what, sizeof s->what, "expected %s, found the end", wanted);
    } else if (c >= 0x20 && c < 0x7f) {
        (void)snprintf(s->what, sizeof s->what, "expected %s, found '%c'%s", wanted, c,
                       comment ? tail : "");
    } else {
        (void)snprintf(s->what, sizeof s->what, "expected %s, found byte 0x%02x", wanted, c);
    }
    return false;
}

static void skip_blanks(struct json_scan *s) {
    while (s->at < s->len) {
        char c = s->text[s->at];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            s->at++;
        } else if (s->comments && c == '/' && s->at + 1 < s->len && s->text[s->at + 1] == '/') {
            while (s->at < s->len && s->text[s->at] != '\n') {
                s->text[s->at++] = ' ';
            }
        } else {
            return;
        }
    }
}

static bool take(struct json_scan *s, char c) {
    if (s->at < s->len && s->text[s->at] == c) {
        s->at++;
        return true;
    }
    return false;
}

static void note_value(struct json_scan *s, size_t at) {
    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? 256 : 2 * s->cap;
        s->offset = mem_resize(s->offset, s->cap, sizeof *s->offset);
    }
    s->offset[s->count++] = (uint32_t)at;
}

/* The four digits after "\u"; -1 when they are not. */
static int hex4(const struct json_scan *s, size_t at) {
    int code = 0;
    for (size_t i = at; i < at + 4; i++) {
        if (i >= s->len || !isxdigit((unsigned char)s->text[i])) {
            return -1;
        }
        char c = s->text[i];
        code = 16 * code + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return code;
}

static bool scan_escape(struct json_scan *s) {
    size_t start = s->at++; // the backslash
    char c = s->at < s->len ? s->text[s->at] : '\0';
    if (c != '\0' && strchr("\"\\/bfnrt", c) != NULL) {
        s->at++;
        return true;
    }
    int code = c == 'u' ? hex4(s, s->at + 1) : -1;
    if (code < 0) {
        return fail_at(s, start, "unknown escape sequence in a string");
    }
    s->at += 5;
    if (code == 0) {
        return fail_at(s, start, "\\u0000 in a string");
    }
    if (code >= 0xd800 && code < 0xdc00) { // the first half of a pair
        int low = s->at + 1 < s->len && s->text[s->at] == '\\' && s->text[s->at + 1] == 'u'
                      ? hex4(s, s->at + 2)
                      : -1;
        if (low < 0xdc00 || low > 0xdfff) {
            return fail_at(s, start, "half of a surrogate pair in a string");
        }
        s->at += 6;
    } else if (code >= 0xdc00 && code < 0xe000) {
        return fail_at(s, start, "half of a surrogate pair in a string");
    }
    return true;
}

static bool scan_string(struct json_scan *s) {
    size_t start = s->at++; // the quote
    while (s->at < s->len) {
        unsigned char c = (unsigned char)s->text[s->at];
        if (c == '"') {
            s->at++;
            return true;
        }
        if (c == '\\') {
            if (!scan_escape(s)) {
                return false;
            }
            continue;
        }
        if (c < 0x20) {
            return fail_at(s, s->at, "control character in a string");
        }
        size_t n = utf8_len((const unsigned char *)s->text + s->at, s->len - s->at);
        if (n == 0) {
            return fail_at(s, s->at, "a string that is not UTF-8");
        }
        s->at += n;
    }
    return fail_at(s, start, "a string without its closing quote");
}

static size_t skip_digits(struct json_scan *s) {
    size_t start = s->at;
    while (s->at < s->len && isdigit((unsigned char)s->text[s->at])) {
        s->at++;
    }
    return s->at - start;
}

static bool scan_number(struct json_scan *s) {
    size_t start = s->at;
    (void)take(s, '-'); // there or not
    size_t first = s->at, digits = skip_digits(s);
    if (digits == 0) {
        return unexpected(s, "a digit");
    }
    if (digits > 1 && s->text[first] == '0') {
        return fail_at(s, start, "a number with a leading zero");
    }
    if (take(s, '.') && skip_digits(s) == 0) {
        return unexpected(s, "a digit");
    }
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+')) {
            (void)take(s, '-'); // there or not
        }
        if (skip_digits(s) == 0) {
            return unexpected(s, "a digit");
        }
    }
    if (!isfinite(strtod(s->text + start, NULL))) {
        return fail_at(s, start, "a number that is too large");
    }
    return true;
}

static bool scan_value(struct json_scan *s, int depth);

static bool scan_member(struct json_scan *s, int depth) {
    skip_blanks(s);
    size_t name = s->at;
    if (s->at >= s->len || s->text[s->at] != '"') {
        return unexpected(s, "a name in quotes");
    }
    if (!scan_string(s)) {
        return false;
    }
    skip_blanks(s);
    if (!take(s, ':')) {
        return unexpected(s, "':' after the name");
    }
    skip_blanks(s);
    size_t index = s->count;
    if (!scan_value(s, depth)) {
        return false;
    }
    s->offset[index] = (uint32_t)name; // a member is where its name is
    return true;
}

static bool scan_container(struct json_scan *s, int depth, char close) {
    s->at++; // the opening one
    skip_blanks(s);
    if (take(s, close)) {
        return true;
    }
    for (;;) {
        if (close == '}' ? !scan_member(s, depth + 1) : !scan_value(s, depth + 1)) {
            return false;
        }
        skip_blanks(s);
        if (take(s, close)) {
            return true;
        }
        if (!take(s, ',')) {
            return unexpected(s, close == '}' ? "',' or '}'" : "',' or ']'");
        }
    }
}

static bool scan_word(struct json_scan *s) {
    static const char *const words[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++) {
        size_t len = strlen(words[i]);
        if (s->len - s->at >= len && memcmp(s->text + s->at, words[i], len) == 0) {
            s->at += len;
            return true;
        }
    }
    return unexpected(s, "a value");
}

static bool scan_value(struct json_scan *s, int depth) {
    skip_blanks(s);
    if (depth > JSON_DEPTH_MAX) {
        return fail_at(s, s->at, "nesting that is too deep");
    }
    note_value(s, s->at);
    char c = s->at < s->len ? s->text[s->at] : '\0';
    switch (c) {
    case '{':
        return scan_container(s, depth, '}');
    case '[':
        return scan_container(s, depth, ']');
    case '"':
        return scan_string(s);
    case '-':
        return scan_number(s);
    default:
        return isdigit((unsigned char)c) ? scan_number(s) : scan_word(s);
    }
}

bool json_scan_run(struct json_scan *scan) {
    if (!scan_value(scan, 1)) {
        return false;
    }
    skip_blanks(scan);
    return scan->at == scan->len || unexpected(scan, "the end");
}
