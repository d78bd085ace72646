#include "cli/plot_legend.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cli/term.h"
#include "results/curves.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAND_MAX = 2 * NUM_TEXT_MAX + 8, NAME_MIN = 8 };

/* Words, on as many lines as they need. */
static void put_words(struct buf *out, const struct plot_view *view, const char *style,
                      const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void put_words(struct buf *out, const struct plot_view *view, const char *style,
                      const char *fmt, ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); // the end of a very long name may be cut off
    va_end(args);
    utf8_plain(text);
    const char *at = text;
    while (*at != '\0') {
        const char *indent = at == text ? "" : "  ";
        size_t len = term_fit(at, view->width - 1 - (int)strlen(indent)), fits = len;
        while (at[len] != '\0' && at[len] != ' ' && len > 0) {
            len--; // back to a space
        }
        len = len > 0 ? len : fits;
        buf_printf(out, "%s%s%.*s%s\n", style, indent, (int)len, at,
                   style[0] != '\0' ? view->style->reset : "");
        at += len;
        at += *at == ' ';
    }
}

/* ---- the heading ---- */

static const char *band_words(const struct curves *c) {
    if (c->band != CURVES_BAND_MINMAX && c->band != CURVES_BAND_NONE && c->counted < 2) {
        return "no band: a single trial";
    }
    switch (c->band) {
    case CURVES_BAND_CI:
        return c->replicates < 2 ? "no interval, as there is one replicate; --band std or minmax"
                                 : "band: 95% interval of the mean over replicates";
    case CURVES_BAND_STD:
        return "band: a standard deviation of the trials to both sides";
    case CURVES_BAND_MINMAX:
        return "band: from the lowest trial to the highest";
    case CURVES_BAND_NONE:
        break;
    }
    return "";
}

void plot_put_heading(struct buf *out, const struct plot_view *view) {
    const struct curves *c = view->curves;
    bool of_points = c->axis != NULL && strcmp(c->axis, "label") == 0;
    put_words(out, view, view->style->bold, "%s: %s%s%s%s%s%s", c->sweep, c->metric,
              c->axis == NULL ? ""
              : of_points     ? ", each grid point"
                              : " by ",
              c->axis == NULL || of_points ? "" : c->axis, c->where != NULL ? ", " : "",
              c->where != NULL ? c->where : "", view->y.log ? ", log scale" : "");
    struct buf text = {0};
    if (!c->under_way || (c->complete > 0 && c->unfinished == 0)) {
        buf_printf(&text, "means over the %d complete of %d trials", c->complete, c->trials);
    } else if (c->complete == 0) {
        buf_printf(&text, "no trial is complete; means over %d under way, of %d", c->counted,
                   c->trials);
    } else {
        buf_printf(&text, "means over %d complete trials and %d under way, of %d", c->complete,
                   c->unfinished, c->trials);
    }
    if (c->failed > 0) {
        buf_printf(&text, "; %d failed", c->failed);
    }
    put_words(out, view, view->style->dim, "%s", buf_text(&text));
    buf_release(&text);
    if (band_words(c)[0] != '\0') {
        put_words(out, view, view->style->dim, "%s", band_words(c));
    }
}

/* ---- the legend ---- */

/* "±0.0021", "0.81 to 0.85", "" */
static void band_text(char out[BAND_MAX], const struct curves *c, const struct curve_point *point) {
    char low[NUM_TEXT_MAX], high[NUM_TEXT_MAX];
    out[0] = '\0';
    if (point == NULL || isnan(point->low) || c->band == CURVES_BAND_NONE) {
        return;
    }
    if (c->band == CURVES_BAND_MINMAX) {
        (void)num_steady(low, point->low, 4);
        (void)num_steady(high, point->high, 4);
        (void)snprintf(out, BAND_MAX, "%s to %s", low, high);
    } else {
        (void)num_human(low, point->high - point->mean, 2);
        (void)snprintf(out, BAND_MAX, "±%s", low);
    }
}

struct row {
    const struct curve *curve;
    const struct plot_look *look;
    char epoch[16], mean[NUM_TEXT_MAX], band[BAND_MAX], n[48];
};

/* Columns that its fields need. */
struct widths {
    int name, epoch, mean, band;
};

static int larger(int a, int b) {
    return a > b ? a : b;
}

static void fill_row(struct row *row, const struct plot_view *view, int i) {
    const struct curve *curve = &view->curves->curves[i];
    const struct curve_point *last = curve_last(curve);
    *row = (struct row){.curve = curve, .look = &view->look[i], .epoch = "-", .mean = "-"};
    if (last != NULL) {
        (void)snprintf(row->epoch, sizeof row->epoch, "%d", last->epoch);
        (void)num_steady(row->mean, last->mean, 4);
        if (last->not_finite > 0) {
            strcpy(row->mean, "gap");
        }
    }
    band_text(row->band, view->curves, last);
    int n = last != NULL ? last->n : 0;
    (void)snprintf(row->n, sizeof row->n, n == curve->trials ? "%d" : "%d of %d", n, curve->trials);
}

static void put_row(struct buf *out, const struct plot_view *view, const struct row *row,
                    const struct widths *widths) {
    const struct plot_style *style = view->style;
    buf_printf(out, "  %s", style->line[row->look->ink]);
    if (view->lettered) {
        buf_printf(out, "%c ", row->look->letter);
    } else if (style->colored) {
        buf_puts(out, "━ ");
    }
    plot_put_text(out, row->curve->name, widths->name, true);
    buf_printf(out, "%s  %*s  %*s", style->reset, widths->epoch, row->epoch, widths->mean,
               row->mean);
    if (widths->band > 0) {
        buf_puts(out, "  ");
        plot_put_text(out, row->band, widths->band, true);
    }
    buf_printf(out, "  %s\n", row->n);
}

void plot_put_legend(struct buf *out, const struct plot_view *view) {
    static const char *const bands[] = {"95% interval", "std", "range", ""};
    const struct curves *c = view->curves;
    const char *title = c->axis != NULL ? c->axis : "trials", *band = bands[c->band];
    struct row *rows = mem_zalloc((size_t)view->count + 1, sizeof *rows);
    struct widths widths = {larger(term_columns(title), NAME_MIN), (int)strlen("epoch"),
                            (int)strlen("mean"), 0};
    int n_width = 1;
    for (int k = 0; k < view->count; k++) {
        struct row *row = &rows[k];
        fill_row(row, view, view->ranked[k]);
        widths.name = larger(widths.name, term_columns(row->curve->name));
        widths.epoch = larger(widths.epoch, (int)strlen(row->epoch));
        widths.mean = larger(widths.mean, (int)strlen(row->mean));
        widths.band = larger(widths.band, term_columns(row->band));
        n_width = larger(n_width, (int)strlen(row->n));
    }
    widths.band = widths.band > 0 ? larger(widths.band, term_columns(band)) : 0;
    int key = view->lettered || view->style->colored ? 2 : 0;
    int room = view->width - 1 - 2 - key - 2 - widths.epoch - 2 - widths.mean - 2 - n_width -
               (widths.band > 0 ? widths.band + 2 : 0);
    if (room < NAME_MIN && widths.band > 0) { // then it gives way
        room += widths.band + 2;
        widths.band = 0;
    }
    widths.name = widths.name < room ? widths.name : larger(room, NAME_MIN);

    buf_printf(out, "\n%s  %*s", view->style->dim, key, "");
    plot_put_text(out, title, widths.name, true);
    buf_printf(out, "  %*s  %*s", widths.epoch, "epoch", widths.mean, "mean");
    if (widths.band > 0) {
        buf_puts(out, "  ");
        plot_put_text(out, band, widths.band, true);
    }
    buf_printf(out, "  n%s\n", view->style->reset);
    for (int k = 0; k < view->count; k++) {
        put_row(out, view, &rows[k], &widths);
    }
    free(rows);
}

/* ---- notes ---- */

static void put_gaps(struct buf *out, const struct plot_view *view, const struct curve *curve) {
    int gaps = 0;
    const struct curve_point *first = NULL;
    for (int p = 0; p < curve->count; p++) {
        const struct curve_point *point = &curve->points[p];
        gaps += point->not_finite > 0;
        first = first == NULL && point->not_finite > 0 ? point : first;
    }
    if (gaps == 1) {
        put_words(out, view, view->style->warn,
                  "%s: a gap at epoch %d, nan or infinite in %d of %d", curve->name, first->epoch,
                  first->not_finite, first->n);
    } else if (gaps > 1) {
        put_words(out, view, view->style->warn,
                  "%s: %d gaps, the first at epoch %d: nan or infinite in %d of %d trials",
                  curve->name, gaps, first->epoch, first->not_finite, first->n);
    }
}

void plot_put_notes(struct buf *out, const struct plot_view *view) {
    const struct curves *c = view->curves;
    for (int k = 0; k < view->count; k++) {
        put_gaps(out, view, &c->curves[view->ranked[k]]);
    }
    if (view->unscaled > 0) {
        put_words(out, view, view->style->warn,
                  "a log scale has no place for %d mean%s of 0 or below", view->unscaled,
                  view->unscaled == 1 ? "" : "s");
    }
    if (view->dotted) {
        put_words(out, view, view->style->dim,
                  "dotted: not all of a curve's trials have that epoch");
    }
    if (view->cut) {
        put_words(out, view, view->style->dim, "a band goes on beyond the plot");
    }
    if (view->count < c->count) {
        put_words(out, view, view->style->dim, "the %d best of %d curves; --top 0 draws all",
                  view->count, c->count);
    }
}
