/* cli/plot_axis.h - the scales of a plot and their ticks. */
#ifndef CLI_PLOT_AXIS_H
#define CLI_PLOT_AXIS_H

#include "cli/plot_view.h"

/* The value as the scale measures it: itself or its logarithm to base 10; not finite where it has none. */
double plot_scaled(const struct plot_scale *scale, double value);
/* Its dot, also outside; far outside for a value that the scale has no place for. */
double plot_dot_exact(const struct plot_scale *scale, double value);
int plot_dot(const struct plot_scale *scale, double value);

/* Ticks of the y axis at round values with 4 significant digits, or as many as tell them apart. */
void plot_find_ticks(struct plot_view *view, int rows);
void plot_put_tick(struct buf *out, const struct plot_view *view, int row);

/* The x axis: two lines. */
void plot_put_epochs(struct buf *out, const struct plot_view *view);

#endif
