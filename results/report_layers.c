/* What the layers of a sweep's networks looked like, as columns.
 *
 * The heights of a histogram are told in steps of a 255th of its highest bin, since they are there to be
 * drawn; a bin that has anything in it has a step at least.  When there are too many rows, epochs are left out (never
 * the first look nor the last), and, where that is not enough, all replicates but the first. */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "results/report.h"
#include "results/report_column.h"
#include "results/report_internal.h"
#include "results/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Places in the query: trial, epoch, layer, the numbers, the histograms. */
enum {
    FIRST_NUMBER = 3,
    HISTOGRAM = FIRST_NUMBER + STORE_LAYER_NUMBER_COUNT,
    GRADIENT_HISTOGRAM,
};

static const char *const number_names[STORE_LAYER_NUMBER_COUNT] = {
#define X(name) #name,
    STORE_LAYER_NUMBERS(X)
#undef X
};

struct layers {
    char **name;
    size_t name_count;
    int64_t *epoch; // (epoch_count) looks, ascending
    int64_t *count; // rows of each
    size_t epoch_count;
    size_t stride; // every how many looks are told
    bool first_replicate;
    size_t row_count;
    struct column trial, at, layer, number[STORE_LAYER_NUMBER_COUNT];
    struct column bins[2], heights[2]; // of outputs, of gradients
};

static void release(struct layers *layers) {
    for (size_t i = 0; i < layers->name_count; i++) {
        free(layers->name[i]);
    }
    free(layers->name);
    free(layers->epoch);
    free(layers->count);
    column_release(&layers->trial);
    column_release(&layers->at);
    column_release(&layers->layer);
    for (int i = 0; i < STORE_LAYER_NUMBER_COUNT; i++) {
        column_release(&layers->number[i]);
    }
    for (int i = 0; i < 2; i++) {
        column_release(&layers->bins[i]);
        column_release(&layers->heights[i]);
    }
}

#define OF_THE_SWEEP "m.sweep = ?1 AND m.present AND (NOT ?2 OR m.replicate = 1)"

static int find_epochs(struct layers *layers, const struct report *report, struct err *err) {
    struct query q;
    int rc = report_query(&q, report,
                          "SELECT l.epoch, count(*) FROM member m JOIN layer l ON l.trial = m.trial"
                          " WHERE " OF_THE_SWEEP " GROUP BY 1 ORDER BY 1",
                          err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_int(&q, 2, layers->first_replicate);
    layers->epoch_count = 0;
    while ((rc = query_next(&q, err)) > 0) {
        size_t n = layers->epoch_count++;
        layers->epoch = mem_resize(layers->epoch, n + 1, sizeof *layers->epoch);
        layers->count = mem_resize(layers->count, n + 1, sizeof *layers->count);
        layers->epoch[n] = query_int(&q, 0);
        layers->count[n] = query_int(&q, 1);
    }
    query_close(&q);
    return rc;
}

static bool is_told(const struct layers *layers, size_t look) {
    return look % layers->stride == 0 || look + 1 == layers->epoch_count;
}

/* The smallest stride that leaves few enough rows; false when there is none. */
static bool find_stride(struct layers *layers, const struct report *report) {
    for (layers->stride = 1; layers->stride <= layers->epoch_count + 1; layers->stride++) {
        int64_t rows = 0;
        for (size_t i = 0; i < layers->epoch_count; i++) {
            rows += is_told(layers, i) ? layers->count[i] : 0;
        }
        if (rows <= report->layer_rows_max) {
            return true;
        }
    }
    layers->stride--;
    return false;
}

static size_t name_of(struct layers *layers, const char *name) {
    for (size_t i = 0; i < layers->name_count; i++) {
        if (strcmp(layers->name[i], name) == 0) {
            return i;
        }
    }
    layers->name = mem_resize(layers->name, layers->name_count + 1, sizeof *layers->name);
    layers->name[layers->name_count] = mem_strdup(name);
    return layers->name_count++;
}

/* What cannot be read has no bins. */
static void add_histogram(struct column *bins, struct column *heights, const char *text) {
    enum { BINS_MAX = 255 };
    double count[BINS_MAX], most = 0;
    int n = 0;
    struct json_doc *doc;
    struct err ignored;
    if (*text == '\0' ||
        json_parse(&doc, "histogram", text, strlen(text), JSON_STRICT, &ignored) != ERR_OK) {
        column_put_u8(bins, 0);
        return;
    }
    const struct cJSON *root = json_root(doc);
    bool array = json_type(root) == JSON_ARRAY && json_count(root) <= BINS_MAX;
    for (const struct cJSON *b = array ? json_first(root) : NULL; b != NULL; b = json_next(b)) {
        count[n] = json_type(b) == JSON_NUMBER ? fmax(json_number(b), 0) : 0;
        most = fmax(most, count[n++]);
    }
    json_free(doc);
    column_put_u8(bins, (uint8_t)n);
    for (int i = 0; i < n; i++) {
        double height = most > 0 ? count[i] / most * 255 : 0;
        column_put_u8(heights, (uint8_t)(count[i] > 0 ? fmax(1, round(height)) : 0));
    }
}

static void add_row(struct layers *layers, size_t trial, const struct query *q) {
    layers->row_count++;
    column_put_i32(&layers->trial, (int64_t)trial);
    column_put_i32(&layers->at, query_int(q, 1));
    column_put_i32(&layers->layer, (int64_t)name_of(layers, query_text(q, 2)));
    for (int i = 0; i < STORE_LAYER_NUMBER_COUNT; i++) {
        column_put_f32(&layers->number[i], query_double(q, FIRST_NUMBER + i));
    }
    add_histogram(&layers->bins[0], &layers->heights[0], query_text(q, HISTOGRAM));
    add_histogram(&layers->bins[1], &layers->heights[1], query_text(q, GRADIENT_HISTOGRAM));
}

static int load_rows(struct layers *layers, const struct report *report, struct err *err) {
    struct buf sql = {0};
    struct query q;
    buf_puts(&sql, "SELECT l.trial, l.epoch, l.layer");
    for (int i = 0; i < STORE_LAYER_NUMBER_COUNT; i++) {
        buf_printf(&sql, ", l.%s", number_names[i]);
    }
    buf_puts(&sql, ", l.histogram, l.gradient_histogram FROM member m"
                   " JOIN layer l ON l.trial = m.trial AND l.epoch = ?3"
                   " WHERE " OF_THE_SWEEP " ORDER BY l.trial, l.position, l.layer LIMIT ?4");
    int rc = report_query(&q, report, buf_text(&sql), err);
    buf_release(&sql);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_int(&q, 2, layers->first_replicate);
    for (size_t look = 0; look < layers->epoch_count && rc == ERR_OK; look++) {
        if (is_told(layers, look)) {
            query_bind_int(&q, 3, layers->epoch[look]);
            query_bind_int(&q, 4, report->layer_rows_max - (int64_t)layers->row_count);
            while ((rc = query_next(&q, err)) > 0) {
                add_row(layers, report_row(report, query_int(&q, 0)), &q);
            }
            query_reset(&q);
        }
    }
    query_close(&q);
    return rc;
}

static void put_epochs(struct buf *json, const struct layers *layers) {
    buf_puts(json, ", \"epochs\": [");
    const char *comma = "";
    for (size_t i = 0; i < layers->epoch_count; i++) {
        if (is_told(layers, i)) {
            buf_printf(json, "%s%lld", comma, (long long)layers->epoch[i]);
            comma = ",";
        }
    }
    buf_printf(json, "], \"epochs_known\": %zu, \"first_replicate\": %s", layers->epoch_count,
               layers->first_replicate ? "true" : "false");
}

static void put_column(struct buf *json, const char *name, const struct column *column) {
    buf_printf(json, ",\n\"%s\": ", name);
    column_put_json(json, column);
}

static void put(struct buf *json, const struct layers *layers) {
    buf_puts(json, "{\"names\": [");
    for (size_t i = 0; i < layers->name_count; i++) {
        buf_puts(json, i > 0 ? ", " : "");
        report_put_string(json, layers->name[i]);
    }
    buf_putc(json, ']');
    put_epochs(json, layers);
    put_column(json, "trial", &layers->trial);
    put_column(json, "epoch", &layers->at);
    put_column(json, "layer", &layers->layer);
    for (int i = 0; i < STORE_LAYER_NUMBER_COUNT; i++) {
        put_column(json, number_names[i], &layers->number[i]);
    }
    put_column(json, "bins", &layers->bins[0]);
    put_column(json, "histogram", &layers->heights[0]);
    put_column(json, "gradient_bins", &layers->bins[1]);
    put_column(json, "gradient_histogram", &layers->heights[1]);
    buf_putc(json, '}');
}

int report_put_layers(struct buf *json, const struct report *report, struct err *err) {
    struct layers layers = {0};
    int rc = find_epochs(&layers, report, err);
    if (rc == ERR_OK && !find_stride(&layers, report)) {
        layers.first_replicate = true;
        rc = find_epochs(&layers, report, err);
        (void)find_stride(&layers, report); // what is too much even so is cut
    }
    rc = rc == ERR_OK ? load_rows(&layers, report, err) : rc;
    if (rc == ERR_OK) {
        buf_puts(json, ",\n\"layers\": ");
        if (layers.row_count > 0) {
            put(json, &layers);
        } else {
            buf_puts(json, "null");
        }
    }
    release(&layers);
    return rc;
}
