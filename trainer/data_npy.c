/* trainer/data_npy.c - four arrays that NumPy saved. */
#include "trainer/npy.h"

#include "base/err.h"
#include "base/mem.h"
#include "trainer/data_internal.h"

#include <stdlib.h>
#include <string.h>

enum file { TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS, FILES };

static int check_images(const struct npy *npy, const char *path, struct err *err) {
    if (npy->type != NPY_U1 && npy->type != NPY_F4) {
        return err_set(err, ERR_RANGE, "%s: images of %s, not of uint8 or float32", path,
                       npy_type_name(npy->type));
    }
    if (npy->dim_count < 2) {
        return err_set(
            err, ERR_RANGE,
            "%s: %d dimension, where images have (n, features), (n, H, W) or (n, C, H, W)", path,
            npy->dim_count);
    }
    return ERR_OK;
}

static int check_labels(const struct npy *npy, const char *path, struct err *err) {
    if (npy->type == NPY_F4) {
        return err_set(err, ERR_RANGE, "%s: labels of float32, not of an integer type", path);
    }
    if (npy->dim_count != 1) {
        return err_set(err, ERR_RANGE, "%s: %d dimensions, where labels have one", path,
                       npy->dim_count);
    }
    return ERR_OK;
}

static struct shape shape_of(const struct npy *npy) {
    const int *dims = npy->dims;
    switch (npy->dim_count) {
    case 2:
        return (struct shape){dims[1], 1, 1};
    case 3:
        return (struct shape){1, dims[1], dims[2]};
    default:
        return (struct shape){dims[1], dims[2], dims[3]};
    }
}

static int take_labels(struct data_part *part, const struct npy *npy, const char *path,
                       struct err *err) {
    part->labels = mem_zalloc(npy->len, 1);
    for (size_t i = 0; i < npy->len; i++) {
        uint64_t value = 0;
        if (!npy_integer(npy, i, DATA_CLASS_MAX - 1, &value)) {
            char text[32];
            npy_format(npy, i, text);
            return err_set(err, ERR_RANGE, "%s: label %zu is %s, not from 0 to %d", path, i, text,
                           DATA_CLASS_MAX - 1);
        }
        part->labels[i] = (uint8_t)value;
    }
    return ERR_OK;
}

static int check_pair(const struct data_source *s, const struct npy *npy, int images,
                      struct err *err) {
    if (npy[images].dims[0] != npy[images + 1].dims[0]) {
        return err_set(err, ERR_RANGE, "%s has %d images, but %s has %d labels", s->path[images],
                       npy[images].dims[0], s->path[images + 1], npy[images + 1].dims[0]);
    }
    return ERR_OK;
}

static int check_parts(const struct data_source *s, const struct npy npy[FILES], struct err *err) {
    const struct npy *train = &npy[TRAIN_IMAGES], *test = &npy[TEST_IMAGES];
    struct shape a = shape_of(train), b = shape_of(test);
    if (a.C != b.C || a.H != b.H || a.W != b.W) {
        return err_set(err, ERR_RANGE, "%s has images of %dx%dx%d, but %s of %dx%dx%d",
                       s->path[TRAIN_IMAGES], a.C, a.H, a.W, s->path[TEST_IMAGES], b.C, b.H, b.W);
    }
    if (train->type != test->type) {
        return err_set(err, ERR_RANGE, "%s is of %s, but %s of %s", s->path[TRAIN_IMAGES],
                       npy_type_name(train->type), s->path[TEST_IMAGES], npy_type_name(test->type));
    }
    return ERR_OK;
}

static int take(struct data_part *part, struct npy *npy, const struct data_source *s, int images,
                const struct data_raw *raw, struct err *err) {
    part->count = npy[images].dims[0];
    part->images = npy[images].data;
    npy[images].data = NULL;
    int rc = take_labels(part, &npy[images + 1], s->path[images + 1], err);
    return rc == ERR_OK ? data_check_finite(raw, part, s->path[images], err) : rc;
}

int data_decode_npy(struct data_raw *raw, const struct data_source *s, struct err *err) {
    struct npy npy[FILES] = {0};
    int rc = ERR_OK;
    for (int i = 0; i < FILES && rc == ERR_OK; i++) {
        rc = npy_load(&npy[i], s->path[i], err);
        if (rc == ERR_OK) {
            rc = i % 2 == 0 ? check_images(&npy[i], s->path[i], err)
                            : check_labels(&npy[i], s->path[i], err);
        }
    }
    rc = rc == ERR_OK ? check_pair(s, npy, TRAIN_IMAGES, err) : rc;
    rc = rc == ERR_OK ? check_pair(s, npy, TEST_IMAGES, err) : rc;
    rc = rc == ERR_OK ? check_parts(s, npy, err) : rc;
    if (rc == ERR_OK) {
        raw->type = npy[TRAIN_IMAGES].type == NPY_U1 ? DATA_UINT8 : DATA_FLOAT32;
        raw->shape = shape_of(&npy[TRAIN_IMAGES]);
        rc = take(&raw->train, npy, s, TRAIN_IMAGES, raw, err);
    }
    rc = rc == ERR_OK ? take(&raw->test, npy, s, TEST_IMAGES, raw, err) : rc;
    for (int i = 0; i < FILES; i++) {
        npy_release(&npy[i]);
    }
    return rc == ERR_OK ? data_count_classes(raw, 1, s, err) : rc;
}
