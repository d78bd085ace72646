/* trainer/data_internal.h - what the files of the data module share: a set's files, found, and a set,
 * decoded into memory.
 *
 *     data.c           opens a set: finds, caches, takes what is asked for
 *     data_files.c     which format a folder holds, and in which files
 *     data_idx.c, data_cifar.c, data_npy.c, data_csv.c
 *                      files into memory, a format each
 *     data_synthetic.c sets that are made
 *     data_cache.c     memory to cache file, cache file to mapping
 *     data_split.c     training, validation and test part
 *     data_normalize.c mean and standard deviation of inputs
 *
 * Errors name the file, and the place in it. */
#ifndef TRAINER_DATA_INTERNAL_H
#define TRAINER_DATA_INTERNAL_H

#include "trainer/data.h"
#include "trainer/stream.h"

enum {
    DATA_FILE_MAX = 6,
    DATA_CLASS_MAX = 256,              // labels are bytes
    DATA_COUNT_MAX = 10 * 1000 * 1000, // images of a part
    DATA_FEATURE_MAX = 1 << 22,        // values of an image
    DATA_MADE_MAX_MIB = 2048,          // images of a synthetic set
};

/* Images and labels of a part. */
struct data_part {
    void *images;    // owned, (count, C, H, W)
    uint8_t *labels; // owned, (count)
    int count;
};

/* A set in memory. */
struct data_raw {
    struct shape shape;
    enum data_type type;
    int classes;
    struct data_part train, test;
};

void data_raw_release(struct data_raw *raw); // a zeroed one is fine

/* The bytes of an image. */
size_t data_sample_size(enum data_type type, struct shape shape);

/* The identity of the content. */
void data_content_hash(char out[HASH_HEX_LEN + 1], const struct data_raw *raw);

/* ---- files ---- */

struct data_source;

/* Decodes the files of `source` into a zeroed `raw`, which after a failure may be half full.
 * Train and test agree in shape; every label is below `classes`; every float is finite. */
typedef int data_decode_fn(struct data_raw *raw, const struct data_source *source, struct err *err);
data_decode_fn data_decode_mnist, data_decode_emnist, data_decode_cifar10, data_decode_cifar100,
    data_decode_npy, data_decode_csv;

struct data_source {
    const struct dataset_spec *spec; // borrowed
    data_decode_fn *decode;
    char *folder;              // owned, resolved
    char *path[DATA_FILE_MAX]; // owned, in the order of the format's names
    struct file_stamp stamp[DATA_FILE_MAX];
    int count;
    enum emnist_split split; // the one that was found
    char *variant; // owned: which of the sets that the folder can stand for: "emnist letters"
};

/* Finds the files that spec->name stands for.  ERR_NOT_FOUND, ERR_IO; ERR_RANGE for keys of another
 * format, and for a folder with files of several. */
int data_find(struct data_source *source, const struct dataset_spec *spec, struct err *err);
void data_source_release(struct data_source *source); // a zeroed one is fine

/* What every format checks at last: as many classes as its labels say, at least `least`; ERR_RANGE when
 * that is one. */
int data_count_classes(struct data_raw *raw, int least, const struct data_source *source,
                       struct err *err);

/* ERR_RANGE naming the first value of an image that is not finite. */
int data_check_finite(const struct data_raw *raw, const struct data_part *part, const char *path,
                      struct err *err);

/* ---- the rest ---- */

/* Maps the set's cache file, made from `source` where it is not there or does not fit. */
int data_map_cache(struct dataset *set, const struct data_source *source, const char *cache_dir,
                   struct err *err);

/* Makes the set of a synthetic spec.  ERR_RANGE for more than DATA_MADE_MAX_MIB. */
int data_make(struct data_raw *raw, const struct dataset_spec *spec, struct err *err);

/* The parts that `spec` asks for, of a set with all its training and test images.  ERR_RANGE. */
int data_split(struct dataset *set, const struct dataset_spec *spec, struct err *err);

/* set->mean and set->std as `spec` says, computed over the images of the training part.  ERR_RANGE. */
int data_normalize(struct dataset *set, const struct normalize_spec *spec, struct err *err);

#endif
