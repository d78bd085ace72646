/* cli/curves_request.h - what `besom curves` was asked for, and how it is answered once or again and again. */
#ifndef CLI_CURVES_REQUEST_H
#define CLI_CURVES_REQUEST_H

#include "cli/plot.h"
#include "results/curves.h"
#include "results/table.h"

#include <stdbool.h>

struct buf;
struct err;
struct store;

enum { CURVES_METRICS_MAX = 16 };

struct curves_request {
    const char *out_dir;
    const char *sweep; // as the user calls it; NULL: the one that ran last
    const char *by, *where;
    char *metric[CURVES_METRICS_MAX]; // owned; a single NULL: the objective
    int metric_count;
    enum curves_band band;
    bool follow;
    int top;                  // -1: not said
    struct plot_options plot; // width 0: the terminal's
    enum table_format format;
};
void curves_request_release(struct curves_request *request);

/* A struct curves for each metric into `curves` (metric_count), which curves_request_drop() frees. */
int curves_request_load(const struct curves_request *request, struct store *store,
                        const char *sweep, struct curves *curves, struct err *err);
void curves_request_drop(const struct curves_request *request, struct curves *curves);

/* The plots of all metrics, one below the other, of `width` columns and `height` rows each. */
void curves_request_draw(struct buf *out, const struct curves_request *request,
                         const struct curves *curves, int width, int height);

/* The columns and, for each point, the rows of the table that machines get.  With several metrics there are columns
 * `metric` and `mean` instead of one of the metric's name. */
void curves_put_columns(struct table *table, const struct curves_request *request,
                        const struct curves *curves);
void curves_put_point(struct table *table, const struct curves_request *request,
                      const struct curves *curves, const struct curve *curve,
                      const struct curve_point *point);

/* Draws, or prints points that are new, until the run that holds the folder ends or SIGINT or SIGTERM come.  Opens the
 * store itself.  Returns the exit status. */
int curves_follow(const struct curves_request *request);

#endif
