/* cli/plot_legend.h - the words around a plot: what it shows, each curve's last value, and what is to be known. */
#ifndef CLI_PLOT_LEGEND_H
#define CLI_PLOT_LEGEND_H

#include "cli/plot_view.h"

/* The sweep, the metric, and which trials count. */
void plot_put_heading(struct buf *out, const struct plot_view *view);
/* A line a curve, best first. */
void plot_put_legend(struct buf *out, const struct plot_view *view);
/* Gaps, and what is not or not wholly drawn. */
void plot_put_notes(struct buf *out, const struct plot_view *view);

#endif
