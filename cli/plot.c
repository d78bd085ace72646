#include "cli/plot.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"
#include "cli/plot_axis.h"
#include "cli/plot_legend.h"
#include "cli/term.h"
#include "results/canvas.h"
#include "results/curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MIN = 20, COLUMNS_MAX = 160, LABEL_MIN = 8, MARK_EVERY = 18, WIDTH_MIN = 44 };

void plot_style_init(struct plot_style *style, FILE *stream) {
    static const enum term_style inks[PLOT_INK_COUNT] = {TERM_CYAN,  TERM_YELLOW, TERM_MAGENTA,
                                                         TERM_GREEN, TERM_RED,    TERM_BLUE};
    *style = (struct plot_style){.bold = term_style(stream, TERM_BOLD),
                                 .dim = term_style(stream, TERM_DIM),
                                 .warn = term_style(stream, TERM_YELLOW),
                                 .reset = term_style(stream, TERM_RESET)};
    style->colored = style->reset[0] != '\0';
    for (int i = 0; i < PLOT_INK_COUNT; i++) {
        const char *code = term_style(stream, inks[i]);
        snprintf(style->line[i + 1], PLOT_STYLE_MAX, "%s", code);
        snprintf(style->shade[i + 1], PLOT_STYLE_MAX, "%s%s", style->dim, code);
    }
}

/* ---- which curves ---- */

static double last_mean(const struct curve *curve) {
    for (int p = curve->count - 1; p >= 0; p--) {
        if (isfinite(curve->points[p].mean)) {
            return p == curve->count - 1 ? curve->points[p].mean : (double)NAN;
        }
    }
    return (double)NAN;
}

/* Whether `a` comes before `b`: the better last mean, NaN last, else the sweep's order. */
static bool is_before(const struct curves *curves, int a, int b) {
    double x = last_mean(&curves->curves[a]), y = last_mean(&curves->curves[b]);
    if (isnan(x) || isnan(y) || x == y) {
        return isnan(x) == isnan(y) ? a < b : isnan(y);
    }
    return curves->maximize ? x > y : x < y;
}

/* All curves, best first. */
static void rank(struct plot_view *view) {
    const struct curves *curves = view->curves;
    view->ranked = mem_zalloc((size_t)curves->count + 1, sizeof *view->ranked);
    for (int i = 0; i < curves->count; i++) {
        int at = i;
        for (; at > 0 && is_before(curves, i, view->ranked[at - 1]); at--) {
            view->ranked[at] = view->ranked[at - 1];
        }
        view->ranked[at] = i;
    }
}

static int by_index(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* Inks and letters go by the sweep's order, so that a curve keeps its own when another overtakes it. */
static void choose(struct plot_view *view, int top) {
    rank(view);
    view->count = top > 0 && top < view->curves->count ? top : view->curves->count;
    view->look = mem_zalloc((size_t)view->curves->count + 1, sizeof *view->look);
    int *shown = mem_zalloc((size_t)view->count + 1, sizeof *shown);
    memcpy(shown, view->ranked, (size_t)view->count * sizeof *shown);
    qsort(shown, (size_t)view->count, sizeof *shown, by_index);
    view->lettered = view->count > (view->style->colored ? PLOT_INK_COUNT : 1);
    for (int k = 0; k < view->count; k++) {
        char letter = k < 26 ? (char)('a' + k) : k < 52 ? (char)('A' + k - 26) : '*';
        view->look[shown[k]] = (struct plot_look){.ink = (uint8_t)(k % PLOT_INK_COUNT + 1),
                                                  .letter = view->lettered ? letter : ' ',
                                                  .order = k};
    }
    free(shown);
}

/* ---- ranges ---- */

struct range {
    double low, high; // NaN: nothing in it yet
};

static void widen(struct range *range, double at) {
    if (isfinite(at)) {
        range->low = range->low <= at ? range->low : at;
        range->high = range->high >= at ? range->high : at;
    }
}

/* The means are all inside; bands, which few replicates make wide, as far as half the means' range beyond. */
static void find_ranges(struct plot_view *view) {
    struct range means = {(double)NAN, (double)NAN}, bands = means, epochs = means;
    for (int k = 0; k < view->count; k++) {
        const struct curve *curve = &view->curves->curves[view->ranked[k]];
        for (int p = 0; p < curve->count; p++) {
            const struct curve_point *point = &curve->points[p];
            double mean = plot_scaled(&view->y, point->mean);
            view->unscaled += isfinite(point->mean) && !isfinite(mean);
            widen(&epochs, point->epoch);
            widen(&means, mean);
            if (isfinite(mean)) {
                widen(&bands, plot_scaled(&view->y, point->low));
                widen(&bands, plot_scaled(&view->y, point->high));
            }
        }
    }
    if (isnan(means.low)) {
        means = view->y.log ? (struct range){-1, 0} : (struct range){0, 1};
    }
    double room = (means.high - means.low) / 2;
    if (means.low == means.high) {
        room = !isnan(bands.low) && bands.high > bands.low ? bands.high - bands.low
               : view->y.log || means.low == 0             ? 1
                                                           : fabs(means.low) * 0.05;
        widen(&bands, means.low - room);
        widen(&bands, means.high + room);
    }
    view->y.low = bands.low < means.low ? fmax(bands.low, means.low - room) : means.low;
    view->y.high = bands.high > means.high ? fmin(bands.high, means.high + room) : means.high;
    view->first_epoch = isnan(epochs.low) ? 1 : (int)epochs.low;
    view->last_epoch = isnan(epochs.low) ? 1 : (int)epochs.high;
    view->x.low = plot_scaled(&view->x, view->first_epoch);
    view->x.high = plot_scaled(&view->x, view->last_epoch);
    if (view->x.low == view->x.high) { // a single epoch stands in the middle
        view->x.low -= 1;
        view->x.high += 1;
    }
}

/* ---- drawing ---- */

/* The band of a part of a curve, column by column; a point that stands alone has that of its own. */
static void shade(struct plot_view *view, const struct curve_point *a, const struct curve_point *b,
                  uint8_t ink) {
    if (isnan(a->low) || isnan(b->low)) {
        return;
    }
    int x0 = plot_dot(&view->x, a->epoch), x1 = plot_dot(&view->x, b->epoch);
    // On a log scale a band that goes to 0 or below goes to the bottom.
    double low0 = plot_dot_exact(&view->y, a->low), low1 = plot_dot_exact(&view->y, b->low);
    double high0 = plot_dot_exact(&view->y, a->high), high1 = plot_dot_exact(&view->y, b->high);
    int bottom = view->canvas.rows * CANVAS_DOTS_Y;
    view->cut = view->cut || low0 > bottom || low1 > bottom || high0 < -1 || high1 < -1;
    for (int x = x0; x <= x1; x++) {
        double t = x1 > x0 ? (double)(x - x0) / (x1 - x0) : 0;
        canvas_shade(&view->canvas, x, (int)lround(high0 + (high1 - high0) * t),
                     (int)lround(low0 + (low1 - low0) * t), ink);
    }
}

static bool is_drawn(const struct plot_view *view, const struct curve_point *point) {
    return isfinite(plot_scaled(&view->y, point->mean));
}

/* Lines join points that follow each other; a gap is left open. */
static void draw_part(struct plot_view *view, const struct curve *curve,
                      const struct curve_point *a, const struct curve_point *b, uint8_t ink) {
    bool whole = a->n == curve->counted && b->n == curve->counted;
    (whole ? canvas_line : canvas_dotted)(&view->canvas, plot_dot(&view->x, a->epoch),
                                          plot_dot(&view->y, a->mean), plot_dot(&view->x, b->epoch),
                                          plot_dot(&view->y, b->mean), ink);
    view->dotted = view->dotted || !whole;
}

static void draw_alone(struct plot_view *view, const struct curve_point *point, uint8_t ink) {
    int x = plot_dot(&view->x, point->epoch), y = plot_dot(&view->y, point->mean);
    canvas_line(&view->canvas, x - 1, y, x + 1, y, ink);
    canvas_line(&view->canvas, x, y - 1, x, y + 1, ink);
}

static void draw_curve(struct plot_view *view, const struct curve *curve, uint8_t ink, bool band) {
    for (int p = 0; p < curve->count; p++) {
        const struct curve_point *point = &curve->points[p];
        if (!is_drawn(view, point)) {
            continue;
        }
        bool before = p > 0 && is_drawn(view, point - 1);
        bool after = p + 1 < curve->count && is_drawn(view, point + 1);
        const struct curve_point *next = after ? point + 1 : point;
        if (band && (after || !before)) {
            shade(view, point, next, ink);
        } else if (!band && after) {
            draw_part(view, curve, point, next, ink);
        } else if (!band && !before) {
            draw_alone(view, point, ink);
        }
    }
}

/* The height of a curve's line at a column of dots; false where it has none. */
static bool height_at(const struct plot_view *view, const struct curve *curve, int x, int *y) {
    for (int p = 0; p + 1 < curve->count; p++) {
        const struct curve_point *a = &curve->points[p], *b = a + 1;
        int x0 = plot_dot(&view->x, a->epoch), x1 = plot_dot(&view->x, b->epoch);
        if (x0 <= x && x <= x1 && is_drawn(view, a) && is_drawn(view, b)) {
            double t = x1 > x0 ? (double)(x - x0) / (x1 - x0) : 0;
            double y0 = plot_dot_exact(&view->y, a->mean), y1 = plot_dot_exact(&view->y, b->mean);
            *y = (int)lround(y0 + (y1 - y0) * t);
            return true;
        }
    }
    return false;
}

/* Letters on the lines, each curve's at columns of its own. */
static void put_letters(struct plot_view *view) {
    int every = view->count > MARK_EVERY / 2 ? 2 * view->count : MARK_EVERY;
    for (int k = 0; k < view->count; k++) {
        const struct curve *curve = &view->curves->curves[view->ranked[k]];
        const struct plot_look *look = &view->look[view->ranked[k]];
        int first = (2 * look->order + 1) * every / (2 * view->count);
        for (int column = first; column < view->canvas.columns; column += every) {
            int y, x = column * CANVAS_DOTS_X;
            if (height_at(view, curve, x, &y)) {
                (void)canvas_mark(&view->canvas, x, y, look->letter, look->ink); // or is hidden
            }
        }
        if (curve->count == 1 && is_drawn(view, curve->points)) {
            (void)canvas_mark(&view->canvas, plot_dot(&view->x, curve->points->epoch),
                              plot_dot(&view->y, curve->points->mean), look->letter, look->ink);
        }
    }
}

static void draw(struct plot_view *view) {
    for (int pass = 0; pass < 2; pass++) { // the best last, as it then lies on top
        for (int k = view->count - 1; k >= 0; k--) {
            int i = view->ranked[k];
            draw_curve(view, &view->curves->curves[i], view->look[i].ink, pass == 0);
        }
    }
    if (view->lettered) {
        put_letters(view);
    }
}

/* ---- labels at the ends ---- */

/* The name of a curve stands at the row where it ends, or as near below or above as others leave room. */
static void place_labels(struct plot_view *view) {
    int rows = view->canvas.rows, placed = 0;
    view->at_row = mem_zalloc((size_t)rows, sizeof *view->at_row);
    for (int row = 0; row < rows; row++) {
        view->at_row[row] = -1;
    }
    int *order = mem_zalloc((size_t)view->count + 1, sizeof *order); // from the top down
    int *row_of = mem_zalloc((size_t)view->count + 1, sizeof *row_of);
    for (int k = 0; k < view->count && placed < rows; k++) {
        int i = view->curves->maximize ? view->ranked[k] : view->ranked[view->count - 1 - k];
        if (isfinite(plot_scaled(&view->y, last_mean(&view->curves->curves[i])))) {
            order[placed] = i;
            row_of[placed] =
                plot_dot(&view->y, last_mean(&view->curves->curves[i])) / CANVAS_DOTS_Y;
            placed++;
        }
    }
    for (int k = 1; k < placed; k++) { // down, where two would share a row
        row_of[k] = row_of[k] > row_of[k - 1] ? row_of[k] : row_of[k - 1] + 1;
    }
    for (int k = placed - 1, limit = rows - 1; k >= 0; k--, limit--) { // and up again from the end
        row_of[k] = row_of[k] < limit ? row_of[k] : limit;
        limit = row_of[k];
    }
    for (int k = 0; k < placed; k++) {
        view->at_row[row_of[k]] = order[k];
    }
    free(order);
    free(row_of);
}

static void put_label(struct buf *out, const struct plot_view *view, int row) {
    int i = view->at_row[row];
    if (i < 0 || view->label_width == 0) {
        return;
    }
    const struct plot_look *look = &view->look[i];
    buf_printf(out, " %s", view->style->line[look->ink]);
    int room = view->label_width - 1;
    if (view->lettered) {
        buf_printf(out, "%c ", look->letter);
        room -= 2;
    }
    plot_put_text(out, view->curves->curves[i].name, room, false);
    buf_puts(out, view->style->reset);
}

/* How much room names get beside the plot; long ones are in the legend alone. */
static void find_widths(struct plot_view *view, const struct plot_options *options) {
    int longest = 0, width = options->width < WIDTH_MIN ? WIDTH_MIN : options->width;
    for (int k = 0; k < view->count; k++) {
        int columns = term_columns(view->curves->curves[view->ranked[k]].name);
        longest = columns > longest ? columns : longest;
    }
    longest += view->lettered ? 3 : 1;
    int most = width / 4 < LABEL_MIN ? LABEL_MIN : width / 4;
    view->label_width = longest < most ? longest : most;
    view->width = width;
    int columns = width - view->margin - 2 - view->label_width;
    columns = columns < COLUMNS_MIN ? COLUMNS_MIN : columns > COLUMNS_MAX ? COLUMNS_MAX : columns;
    canvas_init(&view->canvas, columns, options->height);
    view->x.dots = columns * CANVAS_DOTS_X;
}

/* ---- all of it ---- */

static void put_rows(struct buf *out, const struct plot_view *view) {
    const char *line[PLOT_INK_COUNT + 1], *shaded[PLOT_INK_COUNT + 1];
    for (int i = 0; i <= PLOT_INK_COUNT; i++) {
        line[i] = view->style->line[i];
        shaded[i] = view->style->shade[i];
    }
    const struct canvas_style style = {line, shaded, view->style->reset};
    for (int row = 0; row < view->canvas.rows; row++) {
        plot_put_tick(out, view, row);
        canvas_row(&view->canvas, row, &style, out);
        put_label(out, view, row);
        buf_putc(out, '\n');
    }
    plot_put_epochs(out, view);
}

void plot_put(struct buf *out, const struct curves *curves, const struct plot_options *options,
              const struct plot_style *style) {
    struct plot_view view = {.curves = curves,
                             .style = style,
                             .x = {.log = options->log_epochs},
                             .y = {.log = options->log, .down = true}};
    choose(&view, options->top);
    find_ranges(&view);
    view.y.dots = options->height * CANVAS_DOTS_Y;
    plot_find_ticks(&view, options->height);
    find_widths(&view, options);
    draw(&view);
    place_labels(&view);

    plot_put_heading(out, &view);
    put_rows(out, &view);
    plot_put_legend(out, &view);
    plot_put_notes(out, &view);

    canvas_release(&view.canvas);
    free(view.ranked);
    free(view.look);
    free(view.at_row);
    free(view.ticks);
}

void plot_put_text(struct buf *out, const char *text, int columns, bool pad) {
    char *plain = mem_strdup(text);
    utf8_plain(plain);
    int used = term_columns(plain);
    if (used > columns) {
        plain[term_fit(plain, columns > 1 ? columns - 1 : 0)] = '\0';
        used = term_columns(plain) + 1;
        buf_printf(out, "%s…", plain);
    } else {
        buf_puts(out, plain);
    }
    for (; pad && used < columns; used++) {
        buf_putc(out, ' ');
    }
    free(plain);
}
