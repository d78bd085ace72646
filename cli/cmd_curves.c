#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/cmd.h"
#include "cli/find.h"
#include "cli/options.h"
#include "cli/print.h"
#include "cli/term.h"
#include "results/canvas.h"
#include "results/curves.h"
#include "results/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char doc[] =
    "Draws learning curves: for each value of an axis the mean over the complete trials that have "
    "it, epoch by epoch.\n\n"
    "  besom curves quickstart --by optimizer\n"
    "  besom curves quickstart --by init --metric train_loss\n"
    "  besom curves quickstart --format csv          the numbers\n\n"
    "SWEEP is a name or a sweep file; without it, the one that ran last.\n\nOptions:";

struct curves_args {
    const char *sweep, *by, *metric;
    int height;
};

static const struct argp_option list[] = {
    {"by", 'b', "AXIS", 0, "a curve for each value of this axis (the sweep's first)", 1},
    {"metric", 'm', "NAME", 0, "this metric instead of the sweep's objective", 1},
    {"height", 'H', "ROWS", 0, "of the plot (16)", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct curves_args *args = state->input;
    int64_t n;
    switch (key) {
    case 'b':
        args->by = arg;
        return 0;
    case 'm':
        args->metric = arg;
        return 0;
    case 'H':
        if (!num_parse_int(arg, 4, 200, &n)) {
            options_bad(state, "--height", arg, "a number of rows from 4 to 200");
        }
        args->height = (int)n;
        return 0;
    case ARGP_KEY_ARG:
        options_take(state, &args->sweep, arg, "sweep");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- numbers ---- */

static void print_points(const struct curves *curves, enum table_format format) {
    struct table *t = table_new();
    table_column(t, curves->axis != NULL ? curves->axis : "trials", TABLE_LEFT);
    table_column(t, "epoch", TABLE_RIGHT);
    table_column(t, curves->metric, TABLE_RIGHT);
    table_column(t, "n", TABLE_RIGHT);
    for (int i = 0; i < curves->count; i++) {
        for (int p = 0; p < curves->curves[i].count; p++) {
            const struct curve_point *point = &curves->curves[i].points[p];
            table_text(t, curves->curves[i].name);
            table_int(t, point->epoch);
            table_number(t, point->mean, 4);
            table_int(t, point->n);
        }
    }
    print_table(t, format, stdout);
    table_free(t);
}

/* ---- the plot ---- */

enum { AXIS_WIDTH = 9, LABEL_WIDTH_MAX = 28, INK_COUNT = 6 };

struct plot {
    const struct curves *curves;
    struct canvas canvas;
    int first, last; // epochs
    double low, high;
    int *label_row; // (count) the row of each curve's name
};

static void find_ranges(struct plot *plot) {
    *plot = (struct plot){.curves = plot->curves, .first = 1, .last = 1, .low = NAN, .high = NAN};
    for (int i = 0; i < plot->curves->count; i++) {
        for (int p = 0; p < plot->curves->curves[i].count; p++) {
            const struct curve_point *point = &plot->curves->curves[i].points[p];
            plot->last = point->epoch > plot->last ? point->epoch : plot->last;
            if (isfinite(point->mean)) {
                plot->low = !(plot->low <= point->mean) ? point->mean : plot->low;
                plot->high = !(plot->high >= point->mean) ? point->mean : plot->high;
            }
        }
    }
    if (isnan(plot->low)) {
        plot->low = 0;
        plot->high = 1;
    } else if (plot->low == plot->high) {
        plot->high = plot->low + (plot->low == 0 ? 1 : fabs(plot->low) * 0.1);
    }
}

static int dot_x(const struct plot *plot, int epoch) {
    int dots = plot->canvas.columns * CANVAS_DOTS_X - 1;
    return plot->last == plot->first
               ? 0
               : (int)lround((double)(epoch - plot->first) * dots / (plot->last - plot->first));
}

static int dot_y(const struct plot *plot, double value) {
    int dots = plot->canvas.rows * CANVAS_DOTS_Y - 1;
    return (int)lround((plot->high - value) / (plot->high - plot->low) * dots);
}

static void draw_curve(struct plot *plot, const struct curve *curve, uint8_t ink) {
    const struct curve_point *before = NULL;
    for (int p = 0; p < curve->count; p++) {
        const struct curve_point *point = &curve->points[p];
        if (!isfinite(point->mean)) {
            before = NULL;
            continue;
        }
        const struct curve_point *from = before != NULL ? before : point;
        canvas_line(&plot->canvas, dot_x(plot, from->epoch), dot_y(plot, from->mean),
                    dot_x(plot, point->epoch), dot_y(plot, point->mean), ink);
        before = point;
    }
}

static double last_value(const struct curve *curve) {
    return curve->count > 0 ? curve->points[curve->count - 1].mean : (double)NAN;
}

/* The name of a curve stands at the row where it ends; names that would share a row move down to the
 * next free one, or up when the plot is full below. */
static void place_labels(struct plot *plot) {
    int rows = plot->canvas.rows, count = plot->curves->count;
    bool *taken = mem_zalloc((size_t)rows, sizeof *taken);
    bool *placed = mem_zalloc((size_t)count + 1, sizeof *placed);
    plot->label_row = mem_zalloc((size_t)count + 1, sizeof *plot->label_row);
    for (int k = 0; k < count; k++) {
        int top = -1; // the highest curve without a place
        for (int i = 0; i < count; i++) {
            if (!placed[i] && (top < 0 || !(last_value(&plot->curves->curves[i]) <=
                                            last_value(&plot->curves->curves[top])))) {
                top = i;
            }
        }
        placed[top] = true;
        double value = last_value(&plot->curves->curves[top]);
        int row = isfinite(value) ? dot_y(plot, value) / CANVAS_DOTS_Y : rows - 1;
        while (row < rows - 1 && taken[row]) {
            row++;
        }
        while (row > 0 && taken[row]) {
            row--;
        }
        plot->label_row[top] = taken[row] ? -1 : row; // more curves than rows: some have no name
        taken[row] = true;
    }
    free(taken);
    free(placed);
}

static void put_axis(struct buf *out, const struct plot *plot, int row) {
    char number[NUM_TEXT_MAX] = "";
    int rows = plot->canvas.rows;
    if (row == 0 || row == rows - 1 || row == (rows - 1) / 2) {
        double value = plot->high - (plot->high - plot->low) * row / (rows - 1);
        num_steady(number, value, 4);
    }
    buf_printf(out, "%*s %s", AXIS_WIDTH - 2, number, number[0] != '\0' ? "┤" : "│");
}

static void put_label(struct buf *out, const struct plot *plot, int row, const char *const *style) {
    for (int i = 0; i < plot->curves->count; i++) {
        if (plot->label_row[i] == row) {
            char number[NUM_TEXT_MAX];
            const struct curve *curve = &plot->curves->curves[i];
            num_steady(number, last_value(curve), 4);
            buf_printf(out, " %s%.*s %s%s", style[i % INK_COUNT + 1], LABEL_WIDTH_MAX, curve->name,
                       number, term_style(stdout, TERM_RESET));
        }
    }
}

static void print_plot(const struct curves *curves, int height) {
    const char *style[INK_COUNT + 1] = {"",
                                        term_style(stdout, TERM_CYAN),
                                        term_style(stdout, TERM_YELLOW),
                                        term_style(stdout, TERM_GREEN),
                                        term_style(stdout, TERM_RED),
                                        term_style(stdout, TERM_BOLD),
                                        term_style(stdout, TERM_DIM)};
    struct plot plot = {.curves = curves};
    find_ranges(&plot);
    int columns = term_width(stdout) - AXIS_WIDTH - LABEL_WIDTH_MAX;
    columns = columns < 20 ? 20 : columns > 100 ? 100 : columns;
    canvas_init(&plot.canvas, columns, height);
    for (int i = 0; i < curves->count; i++) {
        draw_curve(&plot, &curves->curves[i], (uint8_t)(i % INK_COUNT + 1));
    }
    place_labels(&plot);

    struct buf out = {0};
    buf_printf(&out, "%s: %s%s%s, mean over the rest\n", curves->sweep, curves->metric,
               curves->axis != NULL ? " by " : "", curves->axis != NULL ? curves->axis : "");
    for (int row = 0; row < height; row++) {
        put_axis(&out, &plot, row);
        canvas_row(&plot.canvas, row, style, term_style(stdout, TERM_RESET), &out);
        put_label(&out, &plot, row, style);
        buf_putc(&out, '\n');
    }
    buf_printf(&out, "%*s└", AXIS_WIDTH - 1, "");
    for (int c = 0; c < columns; c++) {
        buf_puts(&out, "─");
    }
    buf_printf(&out, "\n%*s epoch %-*d%d\n", AXIS_WIDTH - 1, "", columns - 6, plot.first,
               plot.last);
    (void)fputs(buf_text(&out), stdout); // main() looks at ferror(stdout)
    buf_release(&out);
    free(plot.label_row);
    canvas_release(&plot.canvas);
}

int cmd_curves(int argc, char **argv) {
    struct curves_args args = {.height = 16};
    struct options options = {0};
    const struct argp argp = {list, parse, "[SWEEP]", doc, NULL, NULL, NULL};
    options_parse(&argp, OPTION_OUT | OPTION_JSON | OPTION_FORMAT | OPTION_COLOR, argc, argv,
                  &options, &args);

    struct store *store;
    int status = cmd_open_store(options.out, &store);
    if (status != EXIT_DONE) {
        return status;
    }
    struct err err;
    struct curves curves = {0};
    char *sweep = NULL;
    int rc = find_sweep(store, args.sweep, &sweep, &err);
    if (rc == ERR_OK) {
        rc = curves_load(&curves, store, sweep, args.by, args.metric, &err);
    }
    if (rc != ERR_OK) {
        status = cmd_fail(&err);
    } else if (options.format == TABLE_TEXT) {
        print_plot(&curves, args.height);
    } else {
        print_points(&curves, options.format);
    }
    curves_release(&curves);
    free(sweep);
    (void)store_close(store, &err); // a reader has nothing to lose
    return status;
}
