/* trainer/cifar.h - the binary files of CIFAR-10 and CIFAR-100: records, and nothing else.
 *
 *     CIFAR-10    label (1 byte, 0 to 9), 3072 bytes
 *     CIFAR-100   coarse label (0 to 19), fine label (0 to 99), 3072 bytes
 *
 * The bytes are 32 x 32 pixels in red, then in green, then in blue, row by row: (3, 32, 32).
 * (Alex Krizhevsky, "Learning multiple layers of features from tiny images", 2009, and the page of the
 * data sets.)  Files may be gzipped, see stream.h. */
#ifndef TRAINER_CIFAR_H
#define TRAINER_CIFAR_H

#include <stdint.h>

struct err;

enum {
    CIFAR_CHANNELS = 3,
    CIFAR_SIDE = 32,
    CIFAR_PIXELS = CIFAR_CHANNELS * CIFAR_SIDE * CIFAR_SIDE
};

enum cifar_labels { CIFAR_10, CIFAR_100_COARSE, CIFAR_100_FINE };

/* Images and their labels, of a file or several. */
struct cifar {
    uint8_t *images; // owned, (count, 3, 32, 32)
    uint8_t *labels; // owned
    int count, cap;
};

/* How many classes there are. */
int cifar_classes(enum cifar_labels which);

/* Appends the records of a file, at least one.  ERR_NOT_FOUND; ERR_IO; ERR_PARSE: empty, or cut within
 * a record; ERR_RANGE: a label that there is not, with its index in the file, or above 10^7 records.  After
 * a failure `cifar` holds some of them. */
int cifar_load(struct cifar *cifar, const char *path, enum cifar_labels which, struct err *err);
void cifar_release(struct cifar *cifar); // a zeroed or released one is fine

#endif
