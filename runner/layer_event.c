#include "runner/layer_event.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "base/wire.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const number_names[STORE_LAYER_NUMBER_COUNT] = {
#define X(name) #name,
    STORE_LAYER_NUMBERS(X)
#undef X
};

static const char *read_place(struct store_layer *layer, const struct cJSON *event) {
    const struct cJSON *at = json_get(event, "at_epoch"), *name = json_get(event, "layer");
    const struct cJSON *index = json_get(event, "index");
    int64_t epoch, position = -1;
    if (at == NULL || !json_integer(at, 0, WIRE_EPOCH_MAX, &epoch)) {
        return "\"at_epoch\" of a layers event is not an integer from 0 to 1000000000";
    }
    if (name == NULL || json_type(name) != JSON_STRING || *json_text(name) == '\0' ||
        strlen(json_text(name)) > LAYER_NAME_MAX || utf8_has_control(json_text(name))) {
        return "\"layer\" of a layers event is not a name of at most 127 bytes without control "
               "characters";
    }
    if (index != NULL && !json_integer(index, 0, LAYER_INDEX_MAX, &position)) {
        return "\"index\" of a layers event is not an integer from 0 to 999999";
    }
    layer->epoch = (int)epoch;
    layer->position = (int)position;
    layer->name = mem_strdup(json_text(name));
    return NULL;
}

static const char *read_numbers(struct store_layer *layer, const struct cJSON *event) {
    for (int i = 0; i < STORE_LAYER_NUMBER_COUNT; i++) {
        const struct cJSON *value = json_get(event, number_names[i]);
        layer->number[i] = (double)NAN;
        if (value != NULL && json_type(value) != JSON_NULL &&
            !json_metric(value, &layer->number[i])) {
            return "a number of a layers event is not one";
        }
    }
    return NULL;
}

/* Counts, as JSON again: nothing but what was looked at gets into the store. */
static const char *read_bins(char **text, const struct cJSON *bins) {
    if (bins == NULL || json_type(bins) == JSON_NULL) {
        return NULL;
    }
    if (json_type(bins) != JSON_ARRAY || json_count(bins) > LAYER_BINS_MAX) {
        return "a histogram of a layers event is not an array of at most 256 counts";
    }
    struct buf out = {0};
    const char *separator = "[";
    for (const struct cJSON *bin = json_first(bins); bin != NULL; bin = json_next(bin)) {
        int64_t count;
        if (!json_integer(bin, 0, INT64_MAX, &count)) {
            buf_release(&out);
            return "a histogram of a layers event has what is no count";
        }
        buf_printf(&out, "%s%lld", separator, (long long)count);
        separator = ",";
    }
    buf_puts(&out, out.len == 0 ? "[]" : "]");
    *text = buf_detach(&out);
    return NULL;
}

struct store_layer *layer_event_read(const struct cJSON *event, const char **problem) {
    struct store_layer *layer = mem_zalloc(1, sizeof *layer);
    *problem = read_place(layer, event);
    *problem = *problem == NULL ? read_numbers(layer, event) : *problem;
    *problem =
        *problem == NULL ? read_bins(&layer->histogram, json_get(event, "histogram")) : *problem;
    *problem = *problem == NULL
                   ? read_bins(&layer->gradient_histogram, json_get(event, "gradient_histogram"))
                   : *problem;
    if (*problem != NULL) {
        layer_event_free(layer);
        return NULL;
    }
    return layer;
}

void layer_event_free(struct store_layer *layer) {
    if (layer != NULL) {
        free(layer->name);
        free(layer->histogram);
        free(layer->gradient_histogram);
        free(layer);
    }
}

static size_t bytes_of(const char *text) {
    return text == NULL ? 0 : strlen(text) + 1;
}

size_t layer_event_bytes(const struct store_layer *layer) {
    return sizeof *layer + bytes_of(layer->name) + bytes_of(layer->histogram) +
           bytes_of(layer->gradient_histogram);
}
