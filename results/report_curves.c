/* The curves of a sweep's trials, as columns.
 *
 * A row is an epoch of a trial that has a value of any metric.  All metrics share the rows, so that a number needs
 * no place of its own; where a metric has no value there is NaN.  A value is told as float32, seven digits, unless
 * the metric has one that a float32 cannot hold. */
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "results/report.h"
#include "results/report_column.h"
#include "results/report_internal.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct metric {
    int64_t id;
    char *name;
    bool maximize, wide;
    double *value; // (row_cap)
    struct column best, best_epoch, last;
};

struct curves {
    struct metric *metric;
    size_t metric_count;
    int64_t stride;
    size_t row_count, row_cap;
    int32_t *rows; // (trial_count)
    struct column epoch;
};

static void release(struct curves *curves) {
    for (size_t m = 0; m < curves->metric_count; m++) {
        struct metric *metric = &curves->metric[m];
        free(metric->name);
        free(metric->value);
        column_release(&metric->best);
        column_release(&metric->best_epoch);
        column_release(&metric->last);
    }
    free(curves->metric);
    free(curves->rows);
    column_release(&curves->epoch);
}

#define OF_THE_SWEEP "(SELECT trial FROM member WHERE sweep = ?1 AND present)"

/* The objective first, then by name. */
static int load_metrics(struct curves *curves, const struct report *report, struct err *err) {
    struct query q;
    int rc =
        report_query(&q, report,
                     "SELECT m.id, m.name, CASE WHEN m.id = s.metric_id THEN s.goal = 'maximize'"
                     " ELSE instr(m.name, 'loss') = 0 AND instr(m.name, 'error') = 0 END"
                     " FROM sweep s, metric m WHERE s.id = ?1 AND m.id IN"
                     " (SELECT metric FROM summary WHERE trial IN " OF_THE_SWEEP ")"
                     " ORDER BY m.id <> s.metric_id, m.name",
                     err);
    if (rc != ERR_OK) {
        return rc;
    }
    while ((rc = query_next(&q, err)) > 0) {
        curves->metric =
            mem_resize(curves->metric, curves->metric_count + 1, sizeof *curves->metric);
        curves->metric[curves->metric_count++] =
            (struct metric){.id = query_int(&q, 0),
                            .name = mem_strdup(query_text(&q, 1)),
                            .maximize = query_int(&q, 2) != 0};
    }
    query_close(&q);
    return rc;
}

/* From how many epochs one is taken, so that there are not too many values. */
static int find_stride(struct curves *curves, const struct report *report, struct err *err) {
    struct query q;
    int rc =
        report_query(&q, report, "SELECT count(*) FROM epoch WHERE trial IN " OF_THE_SWEEP, err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = query_next(&q, err);
    if (rc > 0) {
        int64_t values = query_int(&q, 0) * (int64_t)curves->metric_count;
        curves->stride = (values + report->values_max - 1) / report->values_max;
        curves->stride = curves->stride < 1 ? 1 : curves->stride;
    }
    query_close(&q);
    return rc < 0 ? rc : ERR_OK;
}

static struct metric *metric_of(struct curves *curves, int64_t id) {
    for (size_t m = 0; m < curves->metric_count; m++) {
        if (curves->metric[m].id == id) {
            return &curves->metric[m];
        }
    }
    return NULL;
}

static void add_row(struct curves *curves, size_t trial, int64_t epoch) {
    if (curves->row_count == curves->row_cap) {
        curves->row_cap = curves->row_cap == 0 ? 1024 : 2 * curves->row_cap;
        for (size_t m = 0; m < curves->metric_count; m++) {
            struct metric *metric = &curves->metric[m];
            metric->value = mem_resize(metric->value, curves->row_cap, sizeof *metric->value);
        }
    }
    for (size_t m = 0; m < curves->metric_count; m++) {
        curves->metric[m].value[curves->row_count] = (double)NAN;
    }
    curves->row_count++;
    curves->rows[trial]++;
    column_put_i32(&curves->epoch, epoch);
}

/* true for a number that as float32 would be infinite, or 0, or have fewer digits */
static bool needs_double(double value) {
    double size = fabs(value);
    return isfinite(value) && value != 0 && (size > (double)FLT_MAX || size < (double)FLT_MIN);
}

static int load_values(struct curves *curves, const struct report *report, struct err *err) {
    struct query q;
    int rc =
        report_query(&q, report,
                     "SELECT v.trial, v.epoch, v.metric, v.value FROM value v"
                     " WHERE v.trial IN " OF_THE_SWEEP " AND ((v.epoch - 1) % ?2 = 0 OR v.epoch ="
                     " (SELECT max(l.epoch) FROM value l WHERE l.trial = v.trial))"
                     " ORDER BY v.trial, v.epoch",
                     err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_int(&q, 2, curves->stride);
    int64_t trial = -1, epoch = -1;
    while ((rc = query_next(&q, err)) > 0) {
        if (query_int(&q, 0) != trial || query_int(&q, 1) != epoch) {
            trial = query_int(&q, 0);
            epoch = query_int(&q, 1);
            add_row(curves, report_row(report, trial), epoch);
        }
        struct metric *metric = metric_of(curves, query_int(&q, 2));
        if (metric != NULL) { // each has a row in `summary`
            double value = query_double(&q, 3);
            metric->value[curves->row_count - 1] = value;
            metric->wide = metric->wide || needs_double(value);
        }
    }
    query_close(&q);
    return rc;
}

/* Best and last of each trial, out of all epochs. */
static int load_summary(struct metric *metric, const struct report *report, struct err *err) {
    struct query q;
    int rc = report_query(
        &q, report,
        metric->maximize
            ? "SELECT m.trial, u.high, u.high_epoch, u.last FROM member m LEFT JOIN summary u"
              " ON u.trial = m.trial AND u.metric = ?2 WHERE m.sweep = ?1 AND m.present ORDER BY 1"
            : "SELECT m.trial, u.low, u.low_epoch, u.last FROM member m LEFT JOIN summary u"
              " ON u.trial = m.trial AND u.metric = ?2 WHERE m.sweep = ?1 AND m.present ORDER BY 1",
        err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_int(&q, 2, metric->id);
    while ((rc = query_next(&q, err)) > 0) {
        column_put_f64(&metric->best, query_double(&q, 1));
        column_put_i32(&metric->best_epoch, query_int(&q, 2));
        column_put_f64(&metric->last, query_double(&q, 3));
    }
    query_close(&q);
    return rc;
}

static void put_metric(struct buf *json, const struct metric *metric, size_t rows) {
    buf_puts(json, "{\"name\": ");
    report_put_string(json, metric->name);
    buf_printf(json, ", \"goal\": \"%s\", \"type\": \"%s\", \"value\": ",
               metric->maximize ? "maximize" : "minimize", metric->wide ? "f64" : "f32");
    struct column values = {0};
    for (size_t r = 0; r < rows; r++) {
        (metric->wide ? column_put_f64 : column_put_f32)(&values, metric->value[r]);
    }
    column_put_json(json, &values);
    column_release(&values);
    buf_puts(json, ",\n\"best\": ");
    column_put_json(json, &metric->best);
    buf_puts(json, ", \"best_epoch\": ");
    column_put_json(json, &metric->best_epoch);
    buf_puts(json, ", \"last\": ");
    column_put_json(json, &metric->last);
    buf_putc(json, '}');
}

static void put(struct buf *json, const struct curves *curves, const struct report *report) {
    buf_printf(json, ",\n\"curves\": {\"stride\": %lld, \"rows\": [", (long long)curves->stride);
    for (size_t i = 0; i < report->trial_count; i++) {
        buf_printf(json, "%s%d", i > 0 ? "," : "", curves->rows[i]);
    }
    buf_puts(json, "], \"epoch\": ");
    column_put_json(json, &curves->epoch);
    buf_puts(json, ",\n\"metrics\": [");
    for (size_t m = 0; m < curves->metric_count; m++) {
        buf_puts(json, m > 0 ? ",\n" : "");
        put_metric(json, &curves->metric[m], curves->row_count);
    }
    buf_puts(json, "]}");
}

int report_put_curves(struct buf *json, const struct report *report, struct err *err) {
    struct curves curves = {.rows = mem_zalloc(report->trial_count + 1, sizeof(int32_t))};
    int rc = load_metrics(&curves, report, err);
    rc = rc == ERR_OK ? find_stride(&curves, report, err) : rc;
    rc = rc == ERR_OK ? load_values(&curves, report, err) : rc;
    for (size_t m = 0; m < curves.metric_count && rc == ERR_OK; m++) {
        rc = load_summary(&curves.metric[m], report, err);
    }
    if (rc == ERR_OK) {
        put(json, &curves, report);
    }
    release(&curves);
    return rc;
}
