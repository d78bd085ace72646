#include "results/canvas.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>

void canvas_init(struct canvas *canvas, int columns, int rows) {
    size_t cells = (size_t)columns * (size_t)rows;
    *canvas = (struct canvas){
        .columns = columns, .rows = rows, .cells = mem_zalloc(cells, sizeof *canvas->cells)};
}

void canvas_release(struct canvas *canvas) {
    free(canvas->cells);
    *canvas = (struct canvas){0};
}

/* The character of a dot; NULL: outside. */
static struct canvas_cell *cell_at(const struct canvas *canvas, int x, int y) {
    if (x < 0 || y < 0 || x >= canvas->columns * CANVAS_DOTS_X ||
        y >= canvas->rows * CANVAS_DOTS_Y) {
        return NULL;
    }
    return &canvas->cells[y / CANVAS_DOTS_Y * canvas->columns + x / CANVAS_DOTS_X];
}

static uint8_t bit_of(int x, int y) {
    // The bits of a Braille pattern, by row and column of its dots (Unicode 15, 21.1).
    static const uint8_t bit[CANVAS_DOTS_Y][CANVAS_DOTS_X] = {
        {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    return bit[y % CANVAS_DOTS_Y][x % CANVAS_DOTS_X];
}

static void dot(struct canvas *canvas, int x, int y, uint8_t ink) {
    struct canvas_cell *cell = cell_at(canvas, x, y);
    if (cell != NULL) {
        cell->dots |= bit_of(x, y);
        cell->ink = ink;
    }
}

/* Every dot whose place in the longer direction is a multiple of `every`. */
static void line(struct canvas *canvas, int x0, int y0, int x1, int y1, int every, uint8_t ink) {
    int dx = abs(x1 - x0), step_x = x0 < x1 ? 1 : -1;
    int dy = -abs(y1 - y0), step_y = y0 < y1 ? 1 : -1;
    int error = dx + dy;
    for (;;) {
        if ((dx >= -dy ? x0 : y0) % every == 0) {
            dot(canvas, x0, y0, ink);
        }
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

void canvas_line(struct canvas *canvas, int x0, int y0, int x1, int y1, uint8_t ink) {
    line(canvas, x0, y0, x1, y1, 1, ink);
}

void canvas_dotted(struct canvas *canvas, int x0, int y0, int x1, int y1, uint8_t ink) {
    line(canvas, x0, y0, x1, y1, 2, ink);
}

void canvas_shade(struct canvas *canvas, int x, int y0, int y1, uint8_t ink) {
    int bottom = canvas->rows * CANVAS_DOTS_Y - 1;
    for (int y = y0 > 0 ? y0 : 0; y <= y1 && y <= bottom; y++) {
        struct canvas_cell *cell = cell_at(canvas, x, y);
        if (cell == NULL || y % 2 != 0 || (x + y / 2) % 2 != 0) {
            continue;
        }
        if (cell->shade != 0 && cell->shade_ink != ink) {
            if ((x / CANVAS_DOTS_X + y / CANVAS_DOTS_Y) % 2 == 0) {
                continue; // its first one keeps it
            }
            cell->shade = 0;
        }
        cell->shade |= bit_of(x, y);
        cell->shade_ink = ink;
    }
}

bool canvas_mark(struct canvas *canvas, int x, int y, char letter, uint8_t ink) {
    struct canvas_cell *cell = cell_at(canvas, x, y);
    if (cell == NULL || cell->mark != 0) {
        return false;
    }
    cell->mark = letter;
    cell->mark_ink = ink;
    return true;
}

static void put_braille(struct buf *out, int dots) {
    buf_putc(out, (char)0xe2); // UTF-8 of U+2800 + dots
    buf_putc(out, (char)(0xa0 | dots >> 6));
    buf_putc(out, (char)(0x80 | (dots & 0x3f)));
}

void canvas_row(const struct canvas *canvas, int row, const struct canvas_style *style,
                struct buf *out) {
    const char *now = NULL; // the style that is on
    bool shaded = false;    // it is a shade's, which another one may not undo
    for (int column = 0; column < canvas->columns; column++) {
        const struct canvas_cell *cell = &canvas->cells[row * canvas->columns + column];
        bool shade = cell->mark == 0 && cell->dots == 0;
        if (shade && cell->shade == 0) {
            buf_putc(out, ' ');
            continue;
        }
        const char *wanted = shade             ? style->shade[cell->shade_ink]
                             : cell->mark != 0 ? style->line[cell->mark_ink]
                                               : style->line[cell->ink];
        if (wanted != now) {
            buf_puts(out, shaded ? style->reset : "");
            buf_puts(out, wanted);
            now = wanted;
            shaded = shade;
        }
        if (cell->mark != 0) {
            buf_putc(out, cell->mark);
        } else {
            put_braille(out, shade ? cell->shade : cell->dots);
        }
    }
    if (now != NULL) {
        buf_puts(out, style->reset);
    }
}
