/* trainer/data.h - image sets, decoded once and mapped by every worker.
 *
 *     four IDX files, gzipped or not  -- first use -->  one cache file  -- mmap, read-only -->  workers
 *
 * A set is named ("fashion-mnist", "mnist": a folder of that name in /usr/share/datasets) or is a
 * folder (a name with a '/', or "." or ".."), which holds the four files by MNIST's names:
 * train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte,
 * each with or without ".gz".
 *
 * The cache file, NAME-XXXXXXXX.cache with a hash of the folder's path, holds the decoded bytes behind a
 * header with the sizes, the length and modification time of the four source files, and hashes of the
 * content and of itself.  On every use it is compared with the sources and rehashed: whatever does not fit
 * is made again, atomically, by one process at a time (a lock file beside it) while others wait for it.
 * N workers share the pages.
 *
 * Cost for Fashion-MNIST, 55 MB, on the machine it was written on: 4 ms for an open, 0.4 s for the first.
 * Truncating a cache file while it is mapped kills its users with SIGBUS; besom only ever replaces one. */
#ifndef TRAINER_DATA_H
#define TRAINER_DATA_H

#include "base/hash.h"
#include "trainer/spec.h"

#include <stddef.h>
#include <stdint.h>

struct err;

enum data_type {
    DATA_UINT8,   // a byte stands for itself / 255
    DATA_FLOAT32, // finite, as it is
};

/* One part of a set: `count` of the images that the arrays hold. */
struct split {
    const void *images;    // (.., C, H, W) of the set's type
    const uint8_t *labels; // (..), each below the set's `classes`
    const uint32_t *index; // (count): which images of the arrays; NULL: the first `count`
    int count;
};

struct dataset {
    struct split train, test;
    struct split validation; // split off the training images; count 0 where it was not asked for
    struct shape shape;
    enum data_type type;
    int classes;
    float *mean, *std;           // (C) each, owned: inputs are (x - mean) / std; NULL: x
    char hash[HASH_HEX_LEN + 1]; // of shapes, images and labels: the identity of the content
    void *map;                   // owned
    size_t map_len;
};

/* Opens a set, making its cache file in `cache_dir` (made if absent) where needed, and takes from it
 * what `spec` asks for.  Errors name the file and what is wrong with it: ERR_NOT_FOUND (with the Debian
 * package to install, for "fashion-mnist"), ERR_PARSE (truncated, not gzip, wrong magic, trailing
 * bytes), ERR_RANGE (dimensions other than 3 or 1 or above idx.h's limits, images and labels of
 * different number, training and test images of different size, a label out of range with its index, an
 * empty set, fewer images than are wanted), ERR_IO and ERR_FULL (also for a cache that cannot be made),
 * ERR_BUSY when another process holds the cache for two minutes. */
int dataset_open(struct dataset *set, const struct dataset_spec *spec, const char *cache_dir,
                 struct err *err);
void dataset_close(struct dataset *set); // a zeroed or closed one is fine

/* The part that val_* metrics are of: the validation images where there are some, else the test images. */
const struct split *dataset_val(const struct dataset *set);

#endif
