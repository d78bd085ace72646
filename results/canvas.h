/* results/canvas.h - lines drawn with Braille characters: 2 x 4 dots a character (U+2800..U+28FF).
 *
 *     struct canvas c;
 *     canvas_init(&c, 60, 15);
 *     canvas_line(&c, x0, y0, x1, y1, 1);     // dots; (0, 0) is the upper left one
 *     canvas_row(&c, row, color_of, ctx, &out);
 *     canvas_release(&c); */
#ifndef RESULTS_CANVAS_H
#define RESULTS_CANVAS_H

#include <stdint.h>

struct buf;

enum { CANVAS_DOTS_X = 2, CANVAS_DOTS_Y = 4 };

struct canvas {
    int columns, rows; // characters
    uint8_t *dots;     // (rows, columns) a bit a dot, owned
    uint8_t *ink;      // (rows, columns) who drew last, owned
};

void canvas_init(struct canvas *canvas, int columns, int rows);
void canvas_release(struct canvas *canvas);

/* A straight line between two dots (Bresenham 1965); what lies outside is left out.  ink >= 1. */
void canvas_line(struct canvas *canvas, int x0, int y0, int x1, int y1, uint8_t ink);

/* Appends one row of characters; `style[ink]` is put in front of a change of ink, and `reset` behind
 * the last one.  Both may hold "". */
void canvas_row(const struct canvas *canvas, int row, const char *const *style, const char *reset,
                struct buf *out);

#endif
