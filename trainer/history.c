#include "trainer/history.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

const char *const history_metric_names[HISTORY_METRIC_COUNT] = {
#define X(name) #name,
    HISTORY_METRICS(X)
#undef X
};

double record_metric(const struct record *record, int metric) {
    const double values[HISTORY_METRIC_COUNT] = {
#define X(name) record->name,
        HISTORY_METRICS(X)
#undef X
    };
    return values[metric];
}

bool metric_goes_up(int metric) {
    static const char suffix[] = "accuracy";
    size_t len = strlen(history_metric_names[metric]), tail = strlen(suffix);
    return len >= tail && strcmp(history_metric_names[metric] + len - tail, suffix) == 0;
}

void history_add(struct history *history, const struct record *record) {
    if (history->count == history->cap) {
        history->cap = history->cap == 0 ? 16 : 2 * history->cap;
        history->records =
            mem_resize(history->records, (size_t)history->cap, sizeof *history->records);
    }
    history->records[history->count++] = *record;
}

void history_release(struct history *history) {
    free(history->records);
    *history = (struct history){0};
}

int history_best(const struct history *history) {
    const struct record *best = NULL;
    for (int i = 0; i < history->count; i++) {
        const struct record *record = &history->records[i];
        if (best == NULL || record->val_accuracy > best->val_accuracy) {
            best = record;
        }
    }
    return best == NULL ? 0 : best->epoch;
}

bool history_was_best(const struct history *history, int epoch) {
    struct history until = *history;
    until.count = epoch < until.count ? epoch : until.count;
    return epoch > 0 && history_best(&until) == epoch;
}

void record_print(struct buf *out, const struct record *record,
                  const struct record_timing *timing) {
    buf_printf(out, "{\"epoch\": %d", record->epoch);
#define X(name)                                                                                    \
    buf_puts(out, ", \"" #name "\": ");                                                            \
    buf_json_number(out, record->name);
    HISTORY_METRICS(X)
    if (record->has_test) {
        HISTORY_TEST_METRICS(X)
    }
#undef X
    if (timing != NULL) {
        buf_printf(out, ", \"seconds\": %.3f, \"samples_per_second\": %.0f", timing->seconds,
                   timing->samples_per_second);
    }
    buf_putc(out, '}');
}

void history_print(struct buf *out, const struct history *history) {
    buf_putc(out, '[');
    for (int i = 0; i < history->count; i++) {
        buf_puts(out, i == 0 ? "" : ", ");
        record_print(out, &history->records[i], NULL);
    }
    buf_putc(out, ']');
}

static bool get_metric(const struct cJSON *object, const char *name, double *out) {
    const struct cJSON *value = json_get(object, name);
    return value != NULL && json_metric(value, out);
}

static bool read_record(const struct cJSON *json, int epoch, struct record *record) {
    int64_t number;
    if (json_type(json) != JSON_OBJECT || json_get(json, "epoch") == NULL ||
        !json_integer(json_get(json, "epoch"), epoch, epoch, &number)) {
        return false;
    }
    *record = (struct record){.epoch = epoch};
    bool good = true;
#define X(name) record->has_test = record->has_test || json_get(json, #name) != NULL;
    HISTORY_TEST_METRICS(X)
#undef X
#define X(name) good = good && get_metric(json, #name, &record->name);
    HISTORY_METRICS(X)
    if (record->has_test) {
        HISTORY_TEST_METRICS(X)
    }
#undef X
    return good;
}

int history_parse(struct history *history, const char *text, struct err *err) {
    struct json_doc *doc = NULL;
    int rc = json_parse(&doc, "history", text, strlen(text), JSON_STRICT, err);
    if (rc != ERR_OK) {
        err->code = ERR_CORRUPT; // text that a checkpoint holds, not input of a user
        return ERR_CORRUPT;
    }
    const struct cJSON *root = json_root(doc);
    if (json_type(root) != JSON_ARRAY) {
        rc = err_set(err, ERR_CORRUPT, "the history is not a list");
    }
    const struct cJSON *item = rc == ERR_OK ? json_first(root) : NULL;
    for (; item != NULL && rc == ERR_OK; item = json_next(item)) {
        struct record record;
        if (read_record(item, history->count + 1, &record)) {
            history_add(history, &record);
        } else {
            rc = err_set(err, ERR_CORRUPT, "the history has no proper record of epoch %d",
                         history->count + 1);
        }
    }
    json_free(doc);
    if (rc != ERR_OK) {
        history_release(history);
    }
    return rc;
}

void epoch_sums_print(struct buf *out, const struct epoch_sums *sums) {
    if (sums->samples == 0) {
        buf_puts(out, "{}");
        return;
    }
    buf_puts(out, "{\"loss_sum\": ");
    buf_json_number(out, sums->loss_sum);
    buf_puts(out, ", \"grad_norm_sum\": ");
    buf_json_number(out, sums->grad_norm_sum);
    buf_printf(out, ", \"correct\": %lld, \"samples\": %lld}", (long long)sums->correct,
               (long long)sums->samples);
}

int epoch_sums_parse(struct epoch_sums *sums, const char *text, struct err *err) {
    struct json_doc *doc = NULL;
    if (json_parse(&doc, "partial sums", text, strlen(text), JSON_STRICT, err) != ERR_OK) {
        err->code = ERR_CORRUPT;
        return ERR_CORRUPT;
    }
    const struct cJSON *root = json_root(doc);
    struct epoch_sums read = {0};
    bool good = json_type(root) == JSON_OBJECT;
    if (good && json_count(root) > 0) {
        const struct cJSON *correct = json_get(root, "correct");
        const struct cJSON *samples = json_get(root, "samples");
        good = get_metric(root, "loss_sum", &read.loss_sum) &&
               get_metric(root, "grad_norm_sum", &read.grad_norm_sum) && samples != NULL &&
               json_integer(samples, 1, INT_MAX, &read.samples) && correct != NULL &&
               json_integer(correct, 0, read.samples, &read.correct);
    }
    json_free(doc);
    if (!good) {
        return err_set(err, ERR_CORRUPT, "the sums of an epoch under way cannot be read");
    }
    *sums = read;
    return ERR_OK;
}
