#include "results/report.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "results/compare.h"
#include "results/compare_json.h"
#include "results/report_internal.h"
#include "results/stats.h"
#include "results/store.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

size_t report_row(const struct report *report, int64_t trial) {
    size_t low = 0, high = report->trial_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (report->trial[middle] < trial) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < report->trial_count && report->trial[low] == trial ? low : report->trial_count;
}

int report_query(struct query *q, const struct report *report, const char *sql, struct err *err) {
    int rc = query_open(q, report->store, sql, err);
    if (rc == ERR_OK) {
        query_bind_int(q, 1, report->sweep_id);
    }
    return rc;
}

void report_put_string(struct buf *json, const char *text) {
    buf_json_string(json, text, strlen(text));
}

void report_put_text(struct buf *json, const struct query *q, int column) {
    if (query_is_null(q, column)) {
        buf_puts(json, "null");
    } else {
        report_put_string(json, query_text(q, column));
    }
}

/* Its number, or null. */
static void put_number(struct buf *json, const struct query *q, int column) {
    if (query_is_null(q, column)) {
        buf_puts(json, "null");
    } else if (query_is_integer(q, column)) {
        buf_printf(json, "%lld", (long long)query_int(q, column));
    } else {
        buf_json_number(json, query_double(q, column));
    }
}

/* ---- the sweep ---- */

static void put_made_at(struct buf *json) {
    const char *fixed = getenv("SOURCE_DATE_EPOCH");
    time_t now = fixed != NULL ? (time_t)strtoll(fixed, NULL, 10) : time(NULL);
    struct tm utc;
    char text[32] = "";
    if (gmtime_r(&now, &utc) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc); // fits
    }
    report_put_string(json, text);
}

#define ISO(column) "strftime('%Y-%m-%dT%H:%M:%SZ', " column ", 'unixepoch')"

static int put_sweep(struct buf *json, struct report *report, struct err *err) {
    struct query q;
    int rc = query_open(&q, report->store,
                        "SELECT id, description, spec, trainer, metric, goal, " ISO(
                            "created_at") ", " ISO("planned_at") " FROM sweep WHERE name = ?1",
                        err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&q, 1, report->sweep);
    rc = query_next(&q, err);
    if (rc > 0) {
        report->sweep_id = query_int(&q, 0);
        buf_puts(json, ",\n\"sweep\": {\"name\": ");
        report_put_string(json, report->sweep);
        static const char *const names[] = {"description", "file",       "trainer",   "metric",
                                            "goal",        "created_at", "planned_at"};
        for (int i = 0; i < 7; i++) {
            buf_printf(json, ", \"%s\": ", names[i]);
            if (i == 2) {
                buf_puts(json, query_text(&q, 1 + i)); // a JSON array already
            } else {
                report_put_text(json, &q, 1 + i);
            }
        }
        buf_putc(json, '}');
    } else if (rc == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "no sweep \"%s\"", report->sweep);
    }
    query_close(&q);
    return rc < 0 ? rc : ERR_OK;
}

/* The texts of a query's first column as an array. */
static int put_texts(struct buf *json, const struct report *report, const char *sql,
                     struct err *err) {
    struct query q;
    int rc = report_query(&q, report, sql, err);
    if (rc != ERR_OK) {
        return rc;
    }
    buf_putc(json, '[');
    for (const char *comma = ""; (rc = query_next(&q, err)) > 0; comma = ", ") {
        buf_puts(json, comma);
        report_put_text(json, &q, 0);
    }
    buf_putc(json, ']');
    query_close(&q);
    return rc;
}

#define OF_THE_SWEEP " trial IN (SELECT trial FROM member WHERE sweep = ?1 AND present)"

static int put_run(struct buf *json, const struct report *report,
                   const struct report_options *options, struct err *err) {
    struct query q;
    int rc =
        report_query(&q, report,
                     "SELECT " ISO("min(started_at)") ", " ISO(
                         "max(coalesce(ended_at, started_at))") ", count(*)"
                                                                " FROM attempt WHERE" OF_THE_SWEEP,
                     err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = query_next(&q, err);
    if (rc > 0) {
        buf_puts(json, ",\n\"run\": {\"first\": ");
        report_put_text(json, &q, 0);
        buf_puts(json, ", \"last\": ");
        report_put_text(json, &q, 1);
        buf_printf(json, ", \"attempts\": %lld, \"active\": %s, \"programs\": ",
                   (long long)query_int(&q, 2), options->active ? "true" : "false");
    }
    query_close(&q);
    if (rc > 0) {
        rc = put_texts(json, report,
                       "SELECT DISTINCT program FROM attempt WHERE program IS NOT NULL"
                       " AND" OF_THE_SWEEP " ORDER BY 1 LIMIT 20",
                       err);
    }
    if (rc == ERR_OK) {
        buf_puts(json, ", \"numerics\": ");
        rc = put_texts(json, report,
                       "SELECT DISTINCT numerics FROM attempt WHERE numerics IS NOT NULL"
                       " AND" OF_THE_SWEEP " ORDER BY 1 LIMIT 20",
                       err);
    }
    buf_putc(json, '}');
    return rc;
}

static void put_quantiles(struct buf *json) {
    enum { DEGREES = 100 };
    buf_puts(json, ",\n\"t95\": [");
    for (int df = 1; df <= DEGREES; df++) {
        buf_printf(json, "%s%.7g", df > 1 ? ", " : "", stats_t_quantile(0.975, df));
    }
    buf_putc(json, ']');
}

/* ---- trials and axes ---- */

enum { TRIAL_COLUMNS = 12 };

/* In the order of the query's columns. */
static const char *const trial_columns[TRIAL_COLUMNS] = {
    "trial",    "key",         "label",  "status",  "replicate", "seed",
    "attempts", "epochs_done", "epochs", "seconds", "error",     "stopped"};

static const char trial_sql[] = "SELECT t.trial, t.key, t.label, CASE WHEN t.status = 'running' "
                                "AND NOT ?2 THEN 'paused' ELSE t.status END,"
                                " t.replicate, CAST(t.seed AS TEXT), t.attempts, t.epochs_done, "
                                "t.epochs, t.seconds, t.error, t.stopped,"
                                " dense_rank() OVER (ORDER BY m.params) - 1"
                                " FROM member m JOIN sweep s ON s.id = m.sweep JOIN trials t ON "
                                "t.sweep = s.name AND t.trial = m.trial"
                                " WHERE m.sweep = ?1 AND m.present ORDER BY t.trial";

static void add_trial(struct report *report, struct buf columns[TRIAL_COLUMNS + 1],
                      const struct query *q) {
    report->trial = mem_resize(report->trial, report->trial_count + 1, sizeof *report->trial);
    const char *comma = report->trial_count > 0 ? "," : "";
    report->trial[report->trial_count++] = query_int(q, 0);
    for (int c = 0; c <= TRIAL_COLUMNS; c++) {
        buf_puts(&columns[c], comma);
        if (query_is_number(q, c)) {
            put_number(&columns[c], q, c);
        } else {
            report_put_text(&columns[c], q, c);
        }
    }
}

static int put_trials(struct buf *json, struct report *report, bool active, struct err *err) {
    struct query q;
    int rc = report_query(&q, report, trial_sql, err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_int(&q, 2, active);
    struct buf columns[TRIAL_COLUMNS + 1] = {0};
    while ((rc = query_next(&q, err)) > 0) {
        add_trial(report, columns, &q);
    }
    query_close(&q);
    buf_puts(json, ",\n\"trials\": {");
    for (int c = 0; c <= TRIAL_COLUMNS; c++) {
        buf_printf(json, "\"%s\": [%s],\n", c < TRIAL_COLUMNS ? trial_columns[c] : "point",
                   buf_text(&columns[c]));
        buf_release(&columns[c]);
    }
    return rc;
}

/* The axes' paths and levels; for each trial the levels that it has are put into `columns`. */
struct axis_writer {
    struct buf axes, columns; // JSON
    char **level;             // names so far, of the axis at hand
    int *row_level;           // (trial_count) of the axis at hand; -1: none
    int level_count;
    bool open; // an axis is at hand
};

static void end_axis(struct axis_writer *w, const struct report *report) {
    if (!w->open) {
        return;
    }
    for (int l = 0; l < w->level_count; l++) {
        buf_puts(&w->axes, l > 0 ? ", " : "");
        report_put_string(&w->axes, w->level[l]);
        free(w->level[l]);
    }
    buf_puts(&w->axes, "]}");
    buf_puts(&w->columns, w->columns.len > 0 ? ",\n[" : "[");
    for (size_t i = 0; i < report->trial_count; i++) {
        buf_printf(&w->columns, "%s%d", i > 0 ? "," : "", w->row_level[i]);
        w->row_level[i] = -1;
    }
    buf_putc(&w->columns, ']');
    w->level_count = 0;
    w->open = false;
}

static void begin_axis(struct axis_writer *w, const char *path) {
    buf_puts(&w->axes, w->axes.len > 0 ? ",\n{\"path\": " : "{\"path\": ");
    report_put_string(&w->axes, path);
    buf_puts(&w->axes, ", \"levels\": [");
    w->open = true;
}

/* Names arrive in the order of the sweep, each as often as there are trials: the last few are likeliest. */
static int level_of(struct axis_writer *w, const char *name) {
    for (int l = w->level_count - 1; l >= 0; l--) {
        if (strcmp(w->level[l], name) == 0) {
            return l;
        }
    }
    w->level = mem_resize(w->level, (size_t)w->level_count + 1, sizeof *w->level);
    w->level[w->level_count] = mem_strdup(name);
    return w->level_count++;
}

static int put_axes(struct buf *json, const struct report *report, struct err *err) {
    struct query q;
    int rc = report_query(
        &q, report,
        "SELECT a.key, a.value, m.trial, coalesce(c.value, '') FROM sweep s, json_each(s.axes) a"
        " JOIN member m ON m.sweep = s.id AND m.present"
        " LEFT JOIN heading h ON h.name = a.value"
        " LEFT JOIN cell c ON c.sweep = s.id AND c.trial = m.trial AND c.heading = h.id"
        " WHERE s.id = ?1 ORDER BY a.key, m.ordinal, m.trial",
        err);
    if (rc != ERR_OK) {
        return rc;
    }
    struct axis_writer w = {.row_level = mem_zalloc(report->trial_count + 1, sizeof(int))};
    for (size_t i = 0; i < report->trial_count; i++) {
        w.row_level[i] = -1;
    }
    int64_t axis = -1;
    while ((rc = query_next(&q, err)) > 0) {
        if (query_int(&q, 0) != axis) {
            end_axis(&w, report);
            axis = query_int(&q, 0);
            begin_axis(&w, query_text(&q, 1));
        }
        size_t row = report_row(report, query_int(&q, 2));
        if (row < report->trial_count) {
            w.row_level[row] = level_of(&w, query_text(&q, 3));
        }
    }
    query_close(&q);
    end_axis(&w, report);
    buf_printf(json, "\"levels\": [%s]},\n\"axes\": [%s]", buf_text(&w.columns), buf_text(&w.axes));
    buf_release(&w.axes);
    buf_release(&w.columns);
    free(w.level);
    free(w.row_level);
    return rc;
}

/* ---- the comparison ---- */

static int put_compare(struct buf *json, const struct report *report, struct err *err) {
    struct compare c;
    int rc = compare_load(&c, report->store, report->sweep, NULL, err);
    buf_puts(json, ",\n\"compare\": ");
    if (rc == ERR_NOT_FOUND) { // the sweep is there: no trial has a value yet
        buf_puts(json, "null");
        return ERR_OK;
    }
    if (rc != ERR_OK) {
        return rc;
    }
    compare_group(&c);
    compare_put_json(json, &c, 1); // the points are told again, and in full, behind the first keys
    compare_release(&c);
    return ERR_OK;
}

/* ---- failures ---- */

/* The end of a text, from the beginning of a line or at least of a character. */
static const char *tail_of(const char *text, size_t max) {
    size_t len = strlen(text);
    if (len <= max) {
        return text;
    }
    const char *tail = text + len - max, *line = strchr(tail, '\n');
    if (line != NULL && line[1] != '\0') {
        return line + 1;
    }
    while ((*tail & 0xC0) == 0x80) {
        tail++;
    }
    return tail;
}

static void put_failure(struct buf *json, const struct query *q) {
    static const char *const names[] = {"trial",   "attempt",     "reason", "class",
                                        "message", "exit_status", "signal"};
    for (int c = 0; c < 7; c++) {
        buf_printf(json, "%s\"%s\": ", c > 0 ? ", " : "{", names[c]);
        if (query_is_number(q, c)) {
            put_number(json, q, c);
        } else {
            report_put_text(json, q, c);
        }
    }
    buf_puts(json, ", \"log_tail\": ");
    report_put_string(json, tail_of(query_text(q, 7), REPORT_LOG_TAIL_MAX));
    buf_putc(json, '}');
}

static int put_failures(struct buf *json, const struct report *report, struct err *err) {
    struct query q;
    int rc =
        report_query(&q, report,
                     "SELECT trial, attempt, reason, class, message, exit_status, signal, log_tail"
                     " FROM attempt WHERE reason IS NOT NULL AND" OF_THE_SWEEP
                     " ORDER BY trial DESC, attempt DESC",
                     err);
    if (rc != ERR_OK) {
        return rc;
    }
    int count = 0;
    buf_puts(json, ",\n\"failures\": [");
    while ((rc = query_next(&q, err)) > 0) {
        if (count++ < REPORT_FAILURES_MAX) {
            buf_puts(json, count > 1 ? ",\n" : "");
            put_failure(json, &q);
        }
    }
    query_close(&q);
    buf_printf(json, "],\n\"failures_more\": %d",
               count > REPORT_FAILURES_MAX ? count - REPORT_FAILURES_MAX : 0);
    return rc;
}

/* ---- all of it ---- */

static int put_all(struct buf *json, struct report *report, const struct report_options *options,
                   struct err *err) {
    buf_printf(json, "{\"format\": %d,\n\"besom\": ", REPORT_FORMAT);
    report_put_string(json, options->version);
    buf_puts(json, ", \"made_at\": ");
    put_made_at(json);
    int rc = put_sweep(json, report, err);
    rc = rc == ERR_OK ? put_run(json, report, options, err) : rc;
    put_quantiles(json);
    rc = rc == ERR_OK ? put_trials(json, report, options->active, err) : rc;
    rc = rc == ERR_OK ? put_axes(json, report, err) : rc;
    rc = rc == ERR_OK ? put_compare(json, report, err) : rc;
    rc = rc == ERR_OK ? report_put_curves(json, report, err) : rc;
    rc = rc == ERR_OK ? report_put_layers(json, report, err) : rc;
    rc = rc == ERR_OK ? put_failures(json, report, err) : rc;
    buf_puts(json, "}\n");
    return rc;
}

int report_put_data(struct buf *json, struct store *store, const char *sweep,
                    const struct report_options *options, struct err *err) {
    struct report report = {.store = store,
                            .sweep = sweep,
                            .values_max =
                                options->values_max > 0 ? options->values_max : REPORT_VALUES_MAX,
                            .layer_rows_max = options->layer_rows_max > 0 ? options->layer_rows_max
                                                                          : REPORT_LAYER_ROWS_MAX};
    struct query snapshot; // one read transaction around all queries: a run may go on meanwhile
    int rc = query_open(&snapshot, store, "BEGIN", err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = query_next(&snapshot, err);
    query_close(&snapshot);
    if (rc == 0) {
        struct buf whole = {0};
        rc = put_all(&whole, &report, options, err);
        if (rc == ERR_OK) {
            buf_put(json, whole.data, whole.len);
        }
        buf_release(&whole);
    }
    free(report.trial);
    store_rollback(store); // nothing was written
    return rc;
}
