/* runner/layer_event.h - a layers event of a trainer, read and checked. */
#ifndef RUNNER_LAYER_EVENT_H
#define RUNNER_LAYER_EVENT_H

#include "results/store.h"

#include <stddef.h>

struct cJSON;

enum {
    LAYER_NAME_MAX = 127, // bytes
    LAYER_BINS_MAX = 256, // of a histogram
    LAYER_INDEX_MAX = 999999,
};

/* The row that the event asks for, owned by the caller; or NULL, and *problem says what is wrong with it.
 * Needed are `at_epoch`, an integer from 0, and `layer`, a name; all else may be missing. */
struct store_layer *layer_event_read(const struct cJSON *event, const char **problem);
void layer_event_free(struct store_layer *layer); // NULL is fine

size_t layer_event_bytes(const struct store_layer *layer); // of memory

#endif
