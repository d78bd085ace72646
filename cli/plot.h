/* cli/plot.h - learning curves as text: a Braille plot with axes, a legend, and what is to be said about it.
 *
 *     quickstart: val_accuracy by optimizer
 *      0.8000 ┤        ⢀⣀⡠⠤⠒⠊  adam
 *             │   ⢀⠔⠉          sgd
 *      0.6000 ┤⡠⠊⠁
 *             └┬──────┬──────┬
 *        epoch 1      5      10
 *
 *        optimizer  epoch    last  95% interval  n
 *     ━━ adam          10  0.8123  ±0.0021       3 of 3
 *
 * A curve is drawn where all of its trials are, and dotted where some are missing.  Without colours, or with more
 * curves than there are, each has a letter, which stands on its line, too. */
#ifndef CLI_PLOT_H
#define CLI_PLOT_H

#include <stdbool.h>
#include <stdio.h>

struct buf;
struct curves;

enum { PLOT_INK_COUNT = 6, PLOT_STYLE_MAX = 16 };

/* Codes by ink, from 1; all "" without colours. */
struct plot_style {
    bool colored;
    char line[PLOT_INK_COUNT + 1][PLOT_STYLE_MAX], shade[PLOT_INK_COUNT + 1][PLOT_STYLE_MAX];
    const char *bold, *dim, *warn, *reset;
};
void plot_style_init(struct plot_style *style, FILE *stream);

struct plot_options {
    int width;  // columns, all of it
    int height; // rows of the plot itself
    bool log, log_epochs;
    int top; // curves at most, the best by their last value; 0: all
};

/* Appends the picture: lines of at most `width` columns (44 at least). */
void plot_put(struct buf *out, const struct curves *curves, const struct plot_options *options,
              const struct plot_style *style);

/* Appends `text` without control characters, cut with "…" or padded to `columns`. */
void plot_put_text(struct buf *out, const char *text, int columns, bool pad);

#endif
