/* trainer/data.h - data sets, decoded once and mapped by every worker.
 *
 *     files of a folder  -- first use -->  one cache file  -- mmap, read-only -->  workers
 *
 * A set is named ("fashion-mnist", "mnist": a folder of that name in /usr/share/datasets) or is a
 * folder (a name with a '/', or "." or ".."), which holds the files of one format: MNIST's or EMNIST's
 * IDX files, CIFAR's records, NumPy's arrays, CSV tables.  Which, their names tell: see data_files.c.
 * Others ("blobs", "spirals", "sparse") are made in memory, see data_synthetic.c.
 *
 * The cache file, NAME-XXXXXXXX.cache with a hash of the folder's path and of what is taken from it,
 * holds the decoded arrays behind a header with the sizes, the length and times (of content and
 * inode) of the source files, and hashes of the content, of its pieces and of itself.  On every use it is compared with
 * the sources, and what the spec takes is rehashed: whatever does not fit is made again, atomically, by one process at a time
 * (a lock file beside it) while others wait for it.  N workers share the pages.
 *
 * Cost for Fashion-MNIST, 55 MB, on the machine it was written on: 4 ms for an open, a third of that for the first 12,000
 * images and the test's, 0.4 s for the first; 20 ms to measure its mean and standard deviation.
 * Truncating a cache file while it is mapped kills its users with SIGBUS; besom only ever replaces one. */
#ifndef TRAINER_DATA_H
#define TRAINER_DATA_H

#include "base/hash.h"
#include "trainer/spec.h"

#include <stddef.h>
#include <stdint.h>

struct data_raw;
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
    void *map;                   // owned: the arrays of files
    size_t map_len;
    struct data_raw *made; // owned: the arrays of a synthetic set
    uint32_t *chosen;      // owned: what the parts' indexes point into
};

/* Opens a set, making its cache file in `cache_dir` (made if absent) where needed, and takes from it
 * what `spec` asks for.  Errors name the file and what is wrong with it, or the key: ERR_NOT_FOUND (with
 * the Debian package to install, for "fashion-mnist"), ERR_PARSE (truncated, damaged, trailing bytes),
 * ERR_VERSION, ERR_RANGE (wrong dimensions or types, labels out of range, values that are not finite,
 * parts that do not agree, an empty set, fewer images than are wanted, keys of another format), ERR_DIFFERS
 * (its content has another fingerprint than `spec` names), ERR_IO
 * and ERR_FULL (also for a cache that cannot be made), ERR_BUSY when another process holds the cache for
 * two minutes. */
int dataset_open(struct dataset *set, const struct dataset_spec *spec, const char *cache_dir,
                 struct err *err);
void dataset_close(struct dataset *set); // a zeroed or closed one is fine

/* The part that val_* metrics are of: the validation images where there are some, else the test images. */
const struct split *dataset_val(const struct dataset *set);

#endif
