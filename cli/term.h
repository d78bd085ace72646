/* cli/term.h - what the terminal is: colour, width, animation. */
#ifndef CLI_TERM_H
#define CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* "auto", "always", "never"; false for another word.  auto: colour on a terminal, unless NO_COLOR is
 * set and not empty or TERM is dumb. */
bool term_set_color(const char *when);

/* SGR codes for a stream, "" where it gets no colour. */
enum term_style {
    TERM_RESET,
    TERM_BOLD,
    TERM_DIM,
    TERM_GREEN,
    TERM_RED,
    TERM_YELLOW,
    TERM_CYAN,
    TERM_MAGENTA,
    TERM_BLUE,
};
const char *term_style(FILE *stream, enum term_style style);

/* true when something may be redrawn on `stream`: a terminal, not dumb, and not under CI=true */
bool term_animates(FILE *stream);

int term_width(FILE *stream);  // columns; 80 where unknown
int term_height(FILE *stream); // rows; 24 where unknown

/* Columns that a terminal needs for `text`, by wcwidth(); a byte that is no character in the locale takes one. */
int term_columns(const char *text);
/* How many bytes of `text` fit into `columns`, whole characters. */
size_t term_fit(const char *text, int columns);

/* "0:58", "1:02:03"; "?" for NaN or a negative number.  `out` holds 32 bytes. */
const char *term_duration(char out[32], double seconds);

#endif
