#include "cli/show_layers.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/spark.h"
#include "cli/term.h"
#include "results/query.h"
#include "results/table.h"

#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char sql[] =
    "SELECT layer, mean, std, dead, saturated, gradient_std, update_ratio, histogram, "
    "histogram_low,"
    " histogram_high, epoch, (SELECT count(DISTINCT epoch) FROM layers WHERE trial = ?1)"
    " FROM layers WHERE trial = ?1 AND epoch = (SELECT max(epoch) FROM layers WHERE trial = ?1)"
    " ORDER BY position, layer";

enum { NUMBERS = 6 };
static const char *const number_names[NUMBERS] = {"mean",      "std",      "dead",
                                                  "saturated", "gradient", "update"};

struct row {
    char *name;
    double number[NUMBERS];
    double *counts; // of the histogram; NULL: it has none
    int bins;
    double low, high;
};

struct rows {
    struct row *row;
    int count;
};

static void read_bins(struct row *row, const char *text) {
    struct json_doc *doc;
    struct err ignored; // what cannot be read has no histogram
    if (json_parse(&doc, "histogram", text, strlen(text), JSON_STRICT, &ignored) != ERR_OK) {
        return;
    }
    const struct cJSON *array = json_root(doc);
    bool usable = json_type(array) == JSON_ARRAY && json_count(array) > 0 && row->low < row->high &&
                  isfinite(row->high - row->low);
    for (const struct cJSON *bin = usable ? json_first(array) : NULL; bin != NULL;
         bin = json_next(bin)) {
        row->counts = mem_resize(row->counts, (size_t)row->bins + 1, sizeof *row->counts);
        row->counts[row->bins++] = json_type(bin) == JSON_NUMBER ? json_number(bin) : 0;
    }
    json_free(doc);
}

static void add_row(struct rows *rows, const struct query *q) {
    rows->row = mem_resize(rows->row, (size_t)rows->count + 1, sizeof *rows->row);
    struct row *row = &rows->row[rows->count++];
    *row = (struct row){.name = mem_strdup(query_text(q, 0)),
                        .low = query_double(q, 1 + NUMBERS + 1),
                        .high = query_double(q, 1 + NUMBERS + 2)};
    for (int i = 0; i < NUMBERS; i++) {
        row->number[i] = query_double(q, 1 + i);
    }
    read_bins(row, query_text(q, 1 + NUMBERS));
}

static void rows_release(struct rows *rows) {
    for (int i = 0; i < rows->count; i++) {
        free(rows->row[i].name);
        free(rows->row[i].counts);
    }
    free(rows->row);
}

/* "tanh" of "3 tanh": layers of a kind share the range of their histograms, so that they can be compared. */
static const char *kind_of(const struct row *row) {
    const char *space = strrchr(row->name, ' ');
    return space == NULL ? "" : space + 1;
}

static void range_of(const struct rows *rows, const char *kind, double *low, double *high) {
    *low = (double)INFINITY;
    *high = -(double)INFINITY;
    for (int i = 0; i < rows->count; i++) {
        const struct row *row = &rows->row[i];
        if (row->counts != NULL && strcmp(kind_of(row), kind) == 0) {
            *low = fmin(*low, row->low);
            *high = fmax(*high, row->high);
        }
    }
}

static void put_histogram(struct table *t, const struct rows *rows, const struct row *row,
                          int width) {
    if (row->counts == NULL) {
        table_text(t, NULL);
        return;
    }
    struct buf text = {0};
    double low, high;
    range_of(rows, kind_of(row), &low, &high);
    spark_put(&text, &(struct spark_bins){row->counts, row->bins, row->low, row->high}, low, high,
              width, strcmp(nl_langinfo(CODESET), "UTF-8") == 0);
    table_text(t, buf_text(&text));
    buf_release(&text);
}

static void print_rows(const struct rows *rows) {
    enum { OTHERS = 75, LEAST = 10, MOST = 40 };
    int left = term_width(stdout) - OTHERS;
    int width = left < LEAST ? LEAST : left > MOST ? MOST : left;
    struct table *t = table_new();
    table_column(t, "layer", TABLE_LEFT);
    for (int i = 0; i < NUMBERS; i++) {
        table_column(t, number_names[i], TABLE_RIGHT);
    }
    table_column(t, "outputs", TABLE_LEFT);
    for (int i = 0; i < rows->count; i++) {
        const struct row *row = &rows->row[i];
        table_text(t, row->name);
        for (int n = 0; n < NUMBERS; n++) {
            table_number(t, row->number[n], 2);
        }
        put_histogram(t, rows, row, width);
    }
    table_print(t, TABLE_TEXT, stdout);
    table_free(t);
}

/* The range of each kind's histograms, which the picture alone does not tell. */
static void print_ranges(const struct rows *rows) {
    for (int i = 0; i < rows->count; i++) {
        const char *kind = kind_of(&rows->row[i]);
        int first = 0;
        while (strcmp(kind_of(&rows->row[first]), kind) != 0) {
            first++;
        }
        double low, high;
        range_of(rows, kind, &low, &high);
        if (first == i && low < high) {
            printf("  outputs%s%s are shown from %.3g to %.3g\n", *kind == '\0' ? "" : " of ", kind,
                   low, high);
        }
    }
}

int show_layers(struct store *store, int64_t trial, struct err *err) {
    struct query q;
    struct rows rows = {0};
    int rc = query_open(&q, store, sql, err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_int(&q, 1, trial);
    int64_t epoch = 0, looks = 0;
    while ((rc = query_next(&q, err)) > 0) {
        add_row(&rows, &q);
        epoch = query_int(&q, 1 + NUMBERS + 3);
        looks = query_int(&q, 1 + NUMBERS + 4);
    }
    query_close(&q);
    if (rc == ERR_OK && rows.count > 0) {
        printf("\nlayers after epoch %lld (the view layers has %lld epoch(s))\n\n",
               (long long)epoch, (long long)looks);
        print_rows(&rows);
        print_ranges(&rows);
    }
    rows_release(&rows);
    return rc;
}
