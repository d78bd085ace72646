/* base/utf8.h - what is valid UTF-8. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the valid sequence at `s`, of which `left` (at least 1) bytes are there; 0 when it is not
 * valid.  Table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t utf8_len(const unsigned char *s, size_t left);

/* Puts '?' in the place of every control character (below U+0020, U+007F to U+009F), so that the text
 * takes one line and cannot steer a terminal.  Never makes it longer. */
void utf8_plain(char *text);

/* Whether the valid sequence at `s` is a control character: below U+0020, U+007F to U+009F. */
bool utf8_is_control(const unsigned char *s);

/* Whether valid UTF-8 has control characters: below U+0020, U+007F to U+009F. */
bool utf8_has_control(const char *text);

#endif
