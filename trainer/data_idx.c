/* trainer/data_idx.c - MNIST and its kin: four IDX files. */
#include "trainer/data_internal.h"

#include "base/err.h"
#include "trainer/idx.h"

enum file { TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS, FILES };

/* Classes of each split, as Cohen et al. ("EMNIST: an extension of MNIST to handwritten letters", 2017)
 * count them; those of letters start at 1, and 0 is never used. */
static const int emnist_classes[EMNIST_COUNT] = {
    [EMNIST_BALANCED] = 47, [EMNIST_BYCLASS] = 62, [EMNIST_BYMERGE] = 47,
    [EMNIST_DIGITS] = 10,   [EMNIST_LETTERS] = 27, [EMNIST_MNIST] = 10,
};

static int check_labels(const struct idx *labels, const char *path, int classes, struct err *err) {
    for (int i = 0; i < labels->dims[0]; i++) {
        if (labels->data[i] >= classes) {
            return err_set(err, ERR_RANGE, "%s: label %d is %d, not from 0 to %d", path, i,
                           labels->data[i], classes - 1);
        }
    }
    return ERR_OK;
}

static int check_pair(const struct data_source *s, const struct idx *idx, int images, int classes,
                      struct err *err) {
    int labels = images + 1;
    if (idx[images].dims[0] != idx[labels].dims[0]) {
        return err_set(err, ERR_RANGE, "%s has %d images, but %s has %d labels", s->path[images],
                       idx[images].dims[0], s->path[labels], idx[labels].dims[0]);
    }
    return check_labels(&idx[labels], s->path[labels], classes, err);
}

static int check_sides(const struct data_source *s, const struct idx idx[FILES], struct err *err) {
    const int *train = idx[TRAIN_IMAGES].dims, *test = idx[TEST_IMAGES].dims;
    if (train[1] == test[1] && train[2] == test[2]) {
        return ERR_OK;
    }
    return err_set(err, ERR_RANGE, "%s has images of %dx%d, but %s of %dx%d", s->path[TRAIN_IMAGES],
                   train[1], train[2], s->path[TEST_IMAGES], test[1], test[2]);
}

/* Hands the arrays over. */
static struct data_part take(struct idx *images, struct idx *labels) {
    const struct data_part part = {images->data, labels->data, images->dims[0]};
    images->data = labels->data = NULL;
    return part;
}

static int decode(struct data_raw *raw, const struct data_source *s, int classes, struct err *err) {
    struct idx idx[FILES] = {0};
    int rc = ERR_OK;
    for (int i = 0; i < FILES && rc == ERR_OK; i++) {
        rc = idx_load(&idx[i], s->path[i], i % 2 == 0 ? 3 : 1, err);
    }
    rc = rc == ERR_OK ? check_pair(s, idx, TRAIN_IMAGES, classes, err) : rc;
    rc = rc == ERR_OK ? check_pair(s, idx, TEST_IMAGES, classes, err) : rc;
    rc = rc == ERR_OK ? check_sides(s, idx, err) : rc;
    if (rc == ERR_OK) {
        raw->type = DATA_UINT8;
        raw->shape = (struct shape){1, idx[TRAIN_IMAGES].dims[1], idx[TRAIN_IMAGES].dims[2]};
        raw->train = take(&idx[TRAIN_IMAGES], &idx[TRAIN_LABELS]);
        raw->test = take(&idx[TEST_IMAGES], &idx[TEST_LABELS]);
    }
    for (int i = 0; i < FILES; i++) {
        idx_release(&idx[i]);
    }
    return rc;
}

int data_decode_mnist(struct data_raw *raw, const struct data_source *s, struct err *err) {
    enum { CLASSES = 10 };
    int rc = decode(raw, s, CLASSES, err);
    return rc == ERR_OK ? data_count_classes(raw, CLASSES, s, err) : rc;
}

int data_decode_emnist(struct data_raw *raw, const struct data_source *s, struct err *err) {
    int rc = decode(raw, s, emnist_classes[s->split], err);
    return rc == ERR_OK ? data_count_classes(raw, 1, s, err) : rc;
}
