#include "cli/curves_request.h"

#include "base/buf.h"
#include "base/err.h"

#include <stdlib.h>

enum { TOP = 12 };

void curves_request_release(struct curves_request *request) {
    for (int m = 0; m < request->metric_count; m++) {
        free(request->metric[m]);
    }
}

int curves_request_load(const struct curves_request *request, struct store *store,
                        const char *sweep, struct curves *curves, struct err *err) {
    for (int m = 0; m < request->metric_count; m++) {
        const struct curves_options options = {.by = request->by,
                                               .metric = request->metric[m],
                                               .where = request->where,
                                               .band = request->band,
                                               .under_way = request->follow};
        curves[m] = (struct curves){0};
        int rc = curves_load(&curves[m], store, sweep, &options, err);
        if (rc != ERR_OK) {
            while (m > 0) {
                curves_release(&curves[--m]);
            }
            return rc;
        }
    }
    return ERR_OK;
}

void curves_request_drop(const struct curves_request *request, struct curves *curves) {
    for (int m = 0; m < request->metric_count; m++) {
        curves_release(&curves[m]);
    }
}

void curves_request_draw(struct buf *out, const struct curves_request *request,
                         const struct curves *curves, int width, int height) {
    struct plot_style style;
    plot_style_init(&style, stdout);
    struct plot_options plot = request->plot;
    plot.width = width;
    plot.height = height;
    plot.top = request->top < 0 ? TOP : request->top;
    for (int m = 0; m < request->metric_count; m++) {
        buf_puts(out, m > 0 ? "\n" : "");
        plot_put(out, &curves[m], &plot, &style);
    }
}

void curves_put_columns(struct table *table, const struct curves_request *request,
                        const struct curves *curves) {
    table_column(table, curves->axis != NULL ? curves->axis : "trials", TABLE_LEFT);
    table_column(table, "epoch", TABLE_RIGHT);
    if (request->metric_count > 1) {
        table_column(table, "metric", TABLE_LEFT);
    }
    table_column(table, request->metric_count > 1 ? "mean" : curves->metric, TABLE_RIGHT);
    static const char *const rest[] = {"n", "low", "high", "trials", "not_finite"};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        table_column(table, rest[i], TABLE_RIGHT);
    }
}

void curves_put_point(struct table *table, const struct curves_request *request,
                      const struct curves *curves, const struct curve *curve,
                      const struct curve_point *point) {
    table_text(table, curve->name);
    table_int(table, point->epoch);
    if (request->metric_count > 1) {
        table_text(table, curves->metric);
    }
    table_number(table, point->mean, 4);
    table_int(table, point->n);
    table_number(table, point->low, 4);
    table_number(table, point->high, 4);
    table_int(table, curve->trials);
    table_int(table, point->not_finite);
}
