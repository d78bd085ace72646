/* trainer/data_cifar.c - CIFAR-10: five files and one; CIFAR-100: one and one. */
#include "trainer/cifar.h"

#include "base/err.h"
#include "trainer/data_internal.h"

static int decode_part(struct data_part *part, const struct data_source *s, int first, int count,
                       enum cifar_labels which, struct err *err) {
    struct cifar cifar = {0};
    int rc = ERR_OK;
    for (int i = first; i < first + count && rc == ERR_OK; i++) {
        rc = cifar_load(&cifar, s->path[i], which, err);
    }
    if (rc == ERR_OK) {
        *part = (struct data_part){cifar.images, cifar.labels, cifar.count};
    } else {
        cifar_release(&cifar);
    }
    return rc;
}

/* The last file is the test part. */
static int decode(struct data_raw *raw, const struct data_source *s, enum cifar_labels which,
                  struct err *err) {
    int rc = decode_part(&raw->train, s, 0, s->count - 1, which, err);
    rc = rc == ERR_OK ? decode_part(&raw->test, s, s->count - 1, 1, which, err) : rc;
    raw->type = DATA_UINT8;
    raw->shape = (struct shape){CIFAR_CHANNELS, CIFAR_SIDE, CIFAR_SIDE};
    return rc == ERR_OK ? data_count_classes(raw, cifar_classes(which), s, err) : rc;
}

int data_decode_cifar10(struct data_raw *raw, const struct data_source *s, struct err *err) {
    return decode(raw, s, CIFAR_10, err);
}

int data_decode_cifar100(struct data_raw *raw, const struct data_source *s, struct err *err) {
    return decode(raw, s, s->spec->coarse ? CIFAR_100_COARSE : CIFAR_100_FINE, err);
}
