/* results/canvas.h - lines, shaded bands and letters, drawn with Braille characters: 2 x 4 dots a character
 * (U+2800..U+28FF).
 *
 *     struct canvas c;
 *     canvas_init(&c, 60, 15);
 *     canvas_shade(&c, x, y0, y1, 1);         // dots; (0, 0) is the upper left one
 *     canvas_line(&c, x0, y0, x1, y1, 1);
 *     canvas_mark(&c, x, y, 'a', 1);
 *     canvas_row(&c, row, &style, &out);
 *     canvas_release(&c);
 *
 * A character shows one thing: the letter, where it has one; else its lines; else its shade.  So a line stays clear
 * of the bands that it runs through. */
#ifndef RESULTS_CANVAS_H
#define RESULTS_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

struct buf;

enum { CANVAS_DOTS_X = 2, CANVAS_DOTS_Y = 4 };

struct canvas_cell {
    uint8_t dots, ink;        // of lines: a bit a dot, and who drew last
    uint8_t shade, shade_ink; // likewise
    char mark;                // 0: none
    uint8_t mark_ink;
};

struct canvas {
    int columns, rows;         // characters
    struct canvas_cell *cells; // (rows, columns), owned
};

/* What is put in front of a change of ink, by ink, and behind the last one.  All may be "". */
struct canvas_style {
    const char *const *line, *const *shade;
    const char *reset;
};

void canvas_init(struct canvas *canvas, int columns, int rows);
void canvas_release(struct canvas *canvas);

/* A straight line between two dots (Bresenham 1965); what lies outside is left out.  ink >= 1. */
void canvas_line(struct canvas *canvas, int x0, int y0, int x1, int y1, uint8_t ink);
/* Likewise, but of every second dot in its longer direction, the even ones. */
void canvas_dotted(struct canvas *canvas, int x0, int y0, int x1, int y1, uint8_t ink);

/* Every fourth dot of a column from y0 to y1, either of which may be outside, so that the columns of an area make an
 * even grid.  Where two areas meet in a character, one of them has it, by turns. */
void canvas_shade(struct canvas *canvas, int x, int y0, int y1, uint8_t ink);

/* A letter in the character of a dot; false when it is outside, or has one already. */
bool canvas_mark(struct canvas *canvas, int x, int y, char letter, uint8_t ink);

/* Appends one row of characters. */
void canvas_row(const struct canvas *canvas, int row, const struct canvas_style *style,
                struct buf *out);

#endif
