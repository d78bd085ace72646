#include "results/canvas.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>

void canvas_init(struct canvas *canvas, int columns, int rows) {
    size_t cells = (size_t)columns * (size_t)rows;
    *canvas = (struct canvas){.columns = columns,
                              .rows = rows,
                              .dots = mem_zalloc(cells, 1),
                              .ink = mem_zalloc(cells, 1)};
}

void canvas_release(struct canvas *canvas) {
    free(canvas->dots);
    free(canvas->ink);
    *canvas = (struct canvas){0};
}

static void dot(struct canvas *canvas, int x, int y, uint8_t ink) {
    // The bits of a Braille pattern, by row and column of its dots (Unicode 15, 21.1).
    static const uint8_t bit[CANVAS_DOTS_Y][CANVAS_DOTS_X] = {
        {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    if (x < 0 || y < 0 || x >= canvas->columns * CANVAS_DOTS_X ||
        y >= canvas->rows * CANVAS_DOTS_Y) {
        return;
    }
    int cell = y / CANVAS_DOTS_Y * canvas->columns + x / CANVAS_DOTS_X;
    canvas->dots[cell] |= bit[y % CANVAS_DOTS_Y][x % CANVAS_DOTS_X];
    canvas->ink[cell] = ink;
}

void canvas_line(struct canvas *canvas, int x0, int y0, int x1, int y1, uint8_t ink) {
    int dx = abs(x1 - x0), step_x = x0 < x1 ? 1 : -1;
    int dy = -abs(y1 - y0), step_y = y0 < y1 ? 1 : -1;
    int error = dx + dy;
    for (;;) {
        dot(canvas, x0, y0, ink);
        if (x0 == x1 && y0 == y1) {
            return;
        }
        int twice = 2 * error;
        if (twice >= dy) {
            error += dy;
            x0 += step_x;
        }
        if (twice <= dx) {
            error += dx;
            y0 += step_y;
        }
    }
}

void canvas_row(const struct canvas *canvas, int row, const char *const *style, const char *reset,
                struct buf *out) {
    int ink = 0;
    for (int column = 0; column < canvas->columns; column++) {
        int cell = row * canvas->columns + column;
        int dots = canvas->dots[cell];
        if (dots == 0) {
            buf_putc(out, ' ');
            continue;
        }
        if (canvas->ink[cell] != ink) {
            ink = canvas->ink[cell];
            buf_puts(out, style[ink]);
        }
        buf_putc(out, (char)0xe2); // UTF-8 of U+2800 + dots
        buf_putc(out, (char)(0xa0 | dots >> 6));
        buf_putc(out, (char)(0x80 | (dots & 0x3f)));
    }
    if (ink != 0) {
        buf_puts(out, reset);
    }
}
