#include "results/export.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/num.h"
#include "base/utf8.h"
#include "results/export_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

static bool is_nan_word(const struct query *q, int column, enum export_kind kind) {
    return kind == EXPORT_METRIC && strcmp(query_text(q, column), "NaN") == 0;
}

static void put_json_double(struct buf *out, double value, bool words) {
    if (value == 0 && signbit(value)) {
        buf_puts(out, "-0.0"); // of "-0" readers make the whole number, which has no sign
    } else if (words || isfinite(value)) {
        buf_json_number(out, value);
    } else {
        buf_puts(out, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
    }
}

void export_put_json(struct buf *out, const struct query *q, int column, enum export_kind kind,
                     bool words) {
    if (query_is_null(q, column)) {
        buf_puts(out, "null");
    } else if (query_is_integer(q, column)) {
        buf_printf(out, "%lld", (long long)query_int(q, column));
    } else if (query_is_number(q, column) || is_nan_word(q, column, kind)) {
        double value = query_is_number(q, column) ? query_double(q, column) : (double)NAN;
        put_json_double(out, value, words);
    } else if (kind == EXPORT_PARAMS) {
        buf_puts(out, query_text(q, column));
    } else {
        buf_json_string(out, query_text(q, column), strlen(query_text(q, column)));
    }
}

/* A field of RFC 4180.  An empty text has quotes, nothing at all has none. */
static void put_csv_text(struct buf *out, const char *text) {
    bool quoted = text[0] == '\0' || strpbrk(text, ",\"\r\n") != NULL || text[0] == ' ' ||
                  text[strlen(text) - 1] == ' ';
    buf_puts(out, quoted ? "\"" : "");
    for (size_t left = strlen(text), n; left > 0; text += n, left -= n) {
        n = utf8_len((const unsigned char *)text, left);
        if (n == 0) {
            buf_puts(out, "\xef\xbf\xbd"); // U+FFFD
            n = 1;
            continue;
        }
        buf_puts(out, *text == '"' ? "\"" : "");
        buf_put(out, text, n);
    }
    buf_puts(out, quoted ? "\"" : "");
}

static void put_csv_double(struct buf *out, double value) {
    char text[NUM_TEXT_MAX];
    num_format(text, value);
    buf_puts(out, isnan(value) ? "NaN" : text);
}

static void put_csv(struct buf *out, const struct query *q, int column) {
    if (query_is_null(q, column)) {
        return;
    }
    if (query_is_integer(q, column)) {
        buf_printf(out, "%lld", (long long)query_int(q, column));
    } else if (query_is_number(q, column)) {
        put_csv_double(out, query_double(q, column));
    } else {
        put_csv_text(out, query_text(q, column)); // "NaN" is one, too
    }
}

/* ---- rows ---- */

struct sink {
    FILE *out;
    const char *name;
    struct buf row;
    int64_t rows;
};

static int end_row(struct sink *sink, struct err *err) {
    errno = 0;
    size_t written = fwrite(buf_text(&sink->row), 1, sink->row.len, sink->out);
    if (written != sink->row.len) {
        return err_io(err, errno, "write %s", sink->name);
    }
    buf_clear(&sink->row);
    sink->rows++;
    return ERR_OK;
}

static int put_trial(struct sink *sink, const struct export_trials *trials, bool json,
                     struct err *err) {
    struct buf *row = &sink->row;
    for (int i = 0; i < trials->count; i++) {
        if (json) {
            buf_puts(row, i == 0 ? "{" : ", ");
            buf_json_string(row, trials->column[i].name, strlen(trials->column[i].name));
            buf_puts(row, ": ");
            export_put_json(row, &trials->query, i, trials->column[i].kind, false);
        } else {
            buf_puts(row, i == 0 ? "" : ",");
            put_csv(row, &trials->query, i);
        }
    }
    buf_puts(row, json ? "}\n" : "\r\n");
    return end_row(sink, err);
}

static int put_trials(struct sink *sink, struct store *store, const char *sweep,
                      const struct export_options *options, struct err *err) {
    struct export_trials trials;
    int rc = export_trials_open(&trials, store, sweep, options->active, err);
    if (rc != ERR_OK) {
        return rc;
    }
    for (int i = 0; !options->json && i < trials.count; i++) {
        buf_puts(&sink->row, i == 0 ? "" : ",");
        put_csv_text(&sink->row, trials.column[i].name);
    }
    if (!options->json) {
        buf_puts(&sink->row, "\r\n");
        rc = end_row(sink, err);
    }
    while (rc == ERR_OK && (rc = query_next(&trials.query, err)) > 0) {
        rc = put_trial(sink, &trials, options->json, err);
    }
    export_trials_close(&trials);
    return rc;
}

/* A value from its bits: the REAL beside them has lost NaN and the sign of -0. */
static int put_curve(struct sink *sink, const struct query *q, bool json, struct err *err) {
    struct buf *row = &sink->row;
    int64_t bits = query_int(q, 3);
    double value;
    memcpy(&value, &bits, sizeof value);
    long long trial = query_int(q, 0), epoch = query_int(q, 1);
    if (json) {
        buf_printf(row, "{\"trial\": %lld, \"epoch\": %lld, \"metric\": ", trial, epoch);
        buf_json_string(row, query_text(q, 2), strlen(query_text(q, 2)));
        buf_puts(row, ", \"value\": ");
        put_json_double(row, value, false);
        buf_puts(row, "}\n");
    } else {
        buf_printf(row, "%lld,%lld,", trial, epoch);
        put_csv_text(row, query_text(q, 2));
        buf_putc(row, ',');
        put_csv_double(row, value);
        buf_puts(row, "\r\n");
    }
    return end_row(sink, err);
}

static int put_curves(struct sink *sink, struct store *store, const char *sweep,
                      const struct export_options *options, struct err *err) {
    struct query q;
    // CROSS: in the order of the primary keys, which is the one that is asked for: nothing is sorted
    int rc = query_open(&q, store,
                        "SELECT m.trial, v.epoch, n.name, v.bits FROM sweep s"
                        " CROSS JOIN member m ON m.sweep = s.id AND m.present"
                        " CROSS JOIN value v ON v.trial = m.trial"
                        " CROSS JOIN metric n ON n.id = v.metric"
                        " WHERE s.name = ?1 ORDER BY m.trial, v.epoch, v.metric",
                        err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&q, 1, sweep);
    if (!options->json) {
        buf_puts(&sink->row, "trial,epoch,metric,value\r\n");
        rc = end_row(sink, err);
    }
    while (rc == ERR_OK && (rc = query_next(&q, err)) > 0) {
        rc = put_curve(sink, &q, options->json, err);
    }
    query_close(&q);
    return rc;
}

int export_rows(FILE *out, const char *name, struct store *store, const char *sweep,
                const struct export_options *options, int64_t *rows, struct err *err) {
    struct sink sink = {.out = out, .name = name};
    int rc = export_begin(store, err);
    if (rc == ERR_OK) {
        rc = options->what == EXPORT_TRIALS ? put_trials(&sink, store, sweep, options, err)
                                            : put_curves(&sink, store, sweep, options, err);
        export_end(store);
    }
    if (rc == ERR_OK && fflush(out) != 0) {
        rc = err_io(err, errno, "write %s", name);
    }
    if (rc == ERR_OK) {
        *rows = sink.rows - (options->json ? 0 : 1);
    }
    buf_release(&sink.row);
    return rc;
}
