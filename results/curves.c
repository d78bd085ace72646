#include "results/curves.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "results/compare.h"
#include "results/level.h"
#include "results/query.h"
#include "results/sweep_view.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct curve *curve_of(struct curves *curves, const char *name) {
    for (int i = 0; i < curves->count; i++) {
        if (strcmp(curves->curves[i].name, name) == 0) {
            return &curves->curves[i];
        }
    }
    curves->curves = mem_resize(curves->curves, (size_t)curves->count + 1, sizeof *curves->curves);
    struct curve *curve = &curves->curves[curves->count++];
    *curve = (struct curve){.name = mem_strdup(name)};
    return curve;
}

static void add_point(struct curve *curve, struct curve_point point) {
    curve->points = mem_resize(curve->points, (size_t)curve->count + 1, sizeof *curve->points);
    curve->points[curve->count++] = point;
}

/* One row a (value of the axis, epoch), values in the order in which the sweep has them. */
static void put_sql(struct buf *sql, const struct curves *curves) {
    buf_puts(sql, "WITH s AS (SELECT trial, status, ");
    if (curves->axis != NULL) {
        sweep_view_put_identifier(sql, curves->axis);
    } else {
        buf_puts(sql, "'all'");
    }
    buf_puts(sql, " AS level FROM ");
    sweep_view_put_name(sql, curves->sweep);
    buf_puts(sql, "), used AS (SELECT trial, level FROM s WHERE status = 'complete' OR NOT EXISTS"
                  " (SELECT 1 FROM s WHERE status = 'complete'))"
                  " SELECT level, epoch, avg(value), count(*), count(value),"
                  " min(min(used.trial)) OVER (PARTITION BY level) AS place"
                  " FROM curves JOIN used USING (trial) WHERE metric = ?1"
                  " GROUP BY level, epoch ORDER BY place, level, epoch");
}

static void shorten_names(struct curves *curves) {
    char **names = mem_zalloc((size_t)curves->count + 1, sizeof *names);
    for (int i = 0; i < curves->count; i++) {
        names[i] = curves->curves[i].name;
    }
    level_shorten(names, curves->count);
    free(names);
}

int curves_load(struct curves *curves, struct store *store, const char *sweep, const char *axis,
                const char *metric, struct err *err) {
    // The comparison knows which axes and metrics there are, and says so when they are not.
    struct compare compare;
    int rc = compare_load(&compare, store, sweep, metric, err);
    if (rc != ERR_OK) {
        return rc;
    }
    struct curves c = {.sweep = mem_strdup(sweep), .metric = mem_strdup(compare.metric)};
    if (axis == NULL && compare.axis_count > 0) {
        c.axis = mem_strdup(compare.axes[0].path);
    } else if (axis != NULL && compare_axis(&compare, axis, err) == NULL) {
        rc = err->code;
    } else if (axis != NULL) {
        c.axis = mem_strdup(axis);
    }
    compare_release(&compare);

    struct query q = {0};
    if (rc == ERR_OK) {
        struct buf sql = {0};
        put_sql(&sql, &c);
        rc = query_open(&q, store, buf_text(&sql), err);
        buf_release(&sql);
    }
    if (rc == ERR_OK) {
        query_bind_text(&q, 1, c.metric);
        while ((rc = query_next(&q, err)) > 0) {
            bool finite = query_int(&q, 3) == query_int(&q, 4); // NaN is NULL there
            add_point(curve_of(&c, query_text(&q, 0)),
                      (struct curve_point){.epoch = (int)query_int(&q, 1),
                                           .mean = finite ? query_double(&q, 2) : (double)NAN,
                                           .n = (int)query_int(&q, 3)});
        }
        query_close(&q);
    }
    if (rc == ERR_OK) {
        shorten_names(&c);
        *curves = c;
    } else {
        curves_release(&c);
    }
    return rc;
}

void curves_release(struct curves *curves) {
    for (int i = 0; i < curves->count; i++) {
        free(curves->curves[i].name);
        free(curves->curves[i].points);
    }
    free(curves->curves);
    free(curves->sweep);
    free(curves->axis);
    free(curves->metric);
    *curves = (struct curves){0};
}
