#include "trainer/cifar.h"

#include "base/err.h"
#include "base/mem.h"
#include "trainer/data_internal.h"
#include "trainer/stream.h"

#include <stdlib.h>
#include <string.h>

/* Where the labels of a record are, and which of them is the class. */
static const struct form {
    int labels;     // bytes in front of the pixels
    int used;       // which of them
    int classes[2]; // of each
    const char *names[2];
} forms[] = {
    [CIFAR_10] = {1, 0, {10}, {"label"}},
    [CIFAR_100_COARSE] = {2, 0, {20, 100}, {"coarse label", "fine label"}},
    [CIFAR_100_FINE] = {2, 1, {20, 100}, {"coarse label", "fine label"}},
};

int cifar_classes(enum cifar_labels which) {
    return forms[which].classes[forms[which].used];
}

static void reserve(struct cifar *cifar) {
    if (cifar->count == cifar->cap) {
        cifar->cap = cifar->cap == 0 ? 64 : 2 * cifar->cap;
        cifar->images = mem_resize(cifar->images, (size_t)cifar->cap, CIFAR_PIXELS);
        cifar->labels = mem_resize(cifar->labels, (size_t)cifar->cap, 1);
    }
}

static int check_labels(const struct form *form, const uint8_t *record, const char *path, int index,
                        struct err *err) {
    for (int i = 0; i < form->labels; i++) {
        if (record[i] >= form->classes[i]) {
            return err_set(err, ERR_RANGE, "%s: %s %d is %d, not from 0 to %d", path,
                           form->names[i], index, record[i], form->classes[i] - 1);
        }
    }
    return ERR_OK;
}

static int read_records(struct cifar *cifar, struct stream *s, const struct form *form,
                        struct err *err) {
    uint8_t record[2 + CIFAR_PIXELS];
    size_t size = (size_t)form->labels + CIFAR_PIXELS, got = size;
    int index = 0;
    for (;; index++) {
        int rc = stream_read(s, record, size, &got, err);
        if (rc == ERR_OK && got > 0 && got < size) {
            rc = err_set(err, ERR_PARSE, "%s: truncated: record %d has %zu of %zu bytes",
                         stream_path(s), index, got, size);
        }
        if (rc != ERR_OK || got == 0) {
            return rc == ERR_OK && index == 0
                       ? err_set(err, ERR_PARSE, "%s: truncated: it is empty", stream_path(s))
                       : rc;
        }
        rc = check_labels(form, record, stream_path(s), index, err);
        if (rc == ERR_OK && cifar->count == DATA_COUNT_MAX) {
            rc = err_set(err, ERR_RANGE, "%s: more than %d images", stream_path(s), DATA_COUNT_MAX);
        }
        if (rc != ERR_OK) {
            return rc;
        }
        reserve(cifar);
        memcpy(cifar->images + (size_t)cifar->count * CIFAR_PIXELS, record + form->labels,
               CIFAR_PIXELS);
        cifar->labels[cifar->count++] = record[form->used];
    }
}

int cifar_load(struct cifar *cifar, const char *path, enum cifar_labels which, struct err *err) {
    struct stream *s = NULL;
    int rc = stream_open(&s, path, err);
    rc = rc == ERR_OK ? read_records(cifar, s, &forms[which], err) : rc;
    stream_close(s);
    return rc;
}

void cifar_release(struct cifar *cifar) {
    free(cifar->images);
    free(cifar->labels);
    *cifar = (struct cifar){0};
}
