/* cli/plot_view.h - what the parts of a plot share: plot.c, plot_axis.c, plot_legend.c. */
#ifndef CLI_PLOT_VIEW_H
#define CLI_PLOT_VIEW_H

#include "base/num.h"
#include "cli/plot.h"
#include "results/canvas.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;

/* From values to dots, 0 to dots - 1; low and high are logarithms when `log` is set. */
struct plot_scale {
    bool log;
    bool down; // the highest value is dot 0
    double low, high;
    int dots;
};

struct plot_look {
    uint8_t ink;
    char letter; // ' ': none
    int order;   // among those shown, as the sweep has them
};

struct plot_tick {
    int row;
    char text[NUM_TEXT_MAX];
};

struct plot_view {
    const struct curves *curves;
    const struct plot_style *style;
    struct canvas canvas;
    struct plot_scale x, y;
    int first_epoch, last_epoch;
    int *ranked; // (curves->count) best first; the first `count` of them are shown
    int count;
    struct plot_look *look; // (curves->count)
    bool lettered;
    struct plot_tick *ticks;
    int tick_count;
    int margin; // columns in front of the plot's edge
    int label_width;
    int width;
    int *at_row;  // (rows) the curve whose name stands there; -1: none
    int unscaled; // means that a log scale has no place for
    bool dotted;  // some part is
    bool cut;     // some band leaves the plot
};

#endif
