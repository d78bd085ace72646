#include "cli/plot_axis.h"

#include "base/buf.h"
#include "base/mem.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double plot_scaled(const struct plot_scale *scale, double value) {
    return scale->log ? log10(value) : value;
}

double plot_dot_exact(const struct plot_scale *scale, double value) {
    double at = plot_scaled(scale, value);
    double far = 4.0 * scale->dots;
    if (isnan(at)) { // the logarithm of less than 0
        at = -INFINITY;
    }
    double dot = (at - scale->low) / (scale->high - scale->low) * (scale->dots - 1);
    dot = scale->down ? scale->dots - 1 - dot : dot;
    return fmax(-far, fmin(far, dot));
}

int plot_dot(const struct plot_scale *scale, double value) {
    return (int)lround(plot_dot_exact(scale, value));
}

/* 1, 2 or 5 times a power of ten, at least `least`. */
static double round_step(double least) {
    double power = pow(10, floor(log10(least)));
    double times = least / power;
    return power * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10);
}

/* ---- the y axis ---- */

static void add_tick(struct plot_view *view, double value, int digits) {
    int row = plot_dot(&view->y, value) / CANVAS_DOTS_Y;
    for (int t = 0; t < view->tick_count; t++) {
        if (abs(view->ticks[t].row - row) < 2) {
            return;
        }
    }
    view->ticks = mem_resize(view->ticks, (size_t)view->tick_count + 1, sizeof *view->ticks);
    struct plot_tick *tick = &view->ticks[view->tick_count++];
    tick->row = row;
    int width = (int)num_steady(tick->text, value, digits);
    view->margin = width + 2 > view->margin ? width + 2 : view->margin;
}

static void add_even_ticks(struct plot_view *view, double low, double high, int wanted) {
    double step = round_step((high - low) / wanted);
    if (!(step > 0) || !isfinite(step)) { // a range that a double cannot divide
        return;
    }
    double most = fmax(fabs(low), fabs(high)), first = ceil(low / step - 1e-9);
    int digits = (int)(floor(log10(most)) - floor(log10(step))) + 1;
    digits = digits < 4 ? 4 : digits > 15 ? 15 : digits;
    for (int i = 0; i <= wanted + 1; i++) { // by number: a sum may not change any more
        double at = (first + i) * step;
        if (at <= high + step * 1e-9) {
            add_tick(view, at == 0 ? 0 : at, digits); // no -0
        }
    }
}

/* Powers of ten, every few of them in a long range; in a short one 2 and 5 times them, too. */
static void add_log_ticks(struct plot_view *view, int wanted) {
    static const int times[] = {2, 5};
    int low = (int)floor(view->y.low), high = (int)ceil(view->y.high);
    int every = (high - low + wanted - 1) / wanted;
    every = every < 1 ? 1 : every;
    for (int k = low; k <= high; k++) {
        if (k % every == 0 && k >= view->y.low - 1e-9 && k <= view->y.high + 1e-9) {
            add_tick(view, pow(10, k), 4);
        }
    }
    for (int i = 0; i < 2 && high - low <= 4; i++) {
        for (int k = low; k < high; k++) {
            double at = k + log10(times[i]);
            if (at >= view->y.low && at <= view->y.high) {
                add_tick(view, times[i] * pow(10, k), 4);
            }
        }
    }
}

void plot_find_ticks(struct plot_view *view, int rows) {
    int wanted = rows / 3 < 2 ? 2 : rows / 3;
    view->margin = (int)strlen("  epoch ");
    if (view->y.log) {
        add_log_ticks(view, wanted);
    }
    int enough = view->y.log ? 3 : 2;
    for (; view->tick_count < enough && wanted <= 8 * rows; wanted *= 2) {
        view->tick_count = view->y.log ? view->tick_count : 0; // evenly or not at all
        double low = view->y.low, high = view->y.high;
        add_even_ticks(view, view->y.log ? pow(10, low) : low, view->y.log ? pow(10, high) : high,
                       wanted);
    }
}

void plot_put_tick(struct buf *out, const struct plot_view *view, int row) {
    const char *text = "";
    for (int t = 0; t < view->tick_count; t++) {
        text = view->ticks[t].row == row ? view->ticks[t].text : text;
    }
    buf_printf(out, "%s%*s %s%s", view->style->dim, view->margin - 1, text,
               text[0] != '\0' ? "┤" : "│", view->style->reset);
}

/* ---- the x axis ---- */

struct epochs {
    char *marked; // (columns) there is a tick
    char *text;   // (columns + margin) what stands below
    int margin, columns;
};

/* Unless another label is in the way. */
static void add_epoch(struct epochs *e, const struct plot_scale *x, double epoch) {
    char number[NUM_TEXT_MAX];
    int len = snprintf(number, sizeof number, "%.0f", epoch);
    int column = plot_dot(x, epoch) / CANVAS_DOTS_X;
    if (column < 0 || column >= e->columns) {
        return;
    }
    int first = column - (len - 1) / 2, end = e->columns + e->margin;
    first = first < 0 ? 0 : first + len > end ? end - len : first;
    for (int i = first - 2; i < first + len + 2; i++) {
        if (i >= 0 && i < end && e->text[i] != ' ') {
            return;
        }
    }
    memcpy(&e->text[first], number, (size_t)len);
    e->marked[column] = 1;
}

static void add_epochs(struct epochs *e, const struct plot_scale *x, int first, int last) {
    add_epoch(e, x, first);
    add_epoch(e, x, last);
    if (last <= first) {
        return;
    }
    if (x->log) {
        static const int times[] = {1, 2, 5};
        for (int i = 0; i < 3; i++) {
            for (int64_t k = times[i]; k <= last; k *= 10) {
                add_epoch(e, x, (double)k);
            }
        }
        return;
    }
    double wanted = e->columns / 10.0 + 1;
    int64_t step = (int64_t)fmax(1, round_step(((double)last - first) / wanted));
    for (int64_t k = (first + step - 1) / step * step; k <= last; k += step) {
        add_epoch(e, x, (double)k);
    }
}

void plot_put_epochs(struct buf *out, const struct plot_view *view) {
    struct epochs e = {.columns = view->canvas.columns, .margin = 4};
    e.marked = mem_zalloc((size_t)e.columns + 1, 1);
    e.text = mem_zalloc((size_t)e.columns + (size_t)e.margin + 1, 1);
    memset(e.text, ' ', (size_t)e.columns + (size_t)e.margin);
    add_epochs(&e, &view->x, view->first_epoch, view->last_epoch);
    buf_printf(out, "%s%*s└", view->style->dim, view->margin, "");
    for (int c = 0; c < e.columns; c++) {
        buf_puts(out, e.marked[c] ? "┬" : "─");
    }
    size_t len = strlen(e.text);
    while (len > 0 && e.text[len - 1] == ' ') {
        len--;
    }
    buf_printf(out, "\n%*s  %.*s%s\n", view->margin - 1, "epoch", (int)len, e.text,
               view->style->reset);
    free(e.marked);
    free(e.text);
}
