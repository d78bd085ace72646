/* trainer/safetensors.h - the file format of checkpoints (huggingface/safetensors).
 *
 *     8 bytes   length L of the header, little-endian, a multiple of 8
 *     L bytes   JSON: {"__metadata__": {string: string}, NAME: {"dtype": "F32", "shape": [..],
 *               "data_offsets": [begin, end]}, ...}, padded with spaces
 *     ...       the tensors, in the order of their offsets, without gaps
 *
 * What besom adds: the metadata entry "checksum", the XXH3-128 of the whole file taken with the 32 digits
 * of the checksum itself as zeros, so that any change of any byte is noticed.  docs/checkpoint-format.md
 * has the rule byte by byte.
 *
 * Files of other programs are read as well, as long as their tensors are float32; counters of int64, as
 * PyTorch's num_batches_tracked, are checked like any tensor and then passed over.  They have no such
 * checksum: safetensors_is_checked() tells, and whoever needs a checked file (a checkpoint) asks.
 *
 * Bytes written depend on the arguments alone. */
#ifndef TRAINER_SAFETENSORS_H
#define TRAINER_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum { SAFETENSORS_DIM_MAX = 4, SAFETENSORS_HEADER_MAX = 64 << 20 };

struct safetensors_entry {
    const char *name;
    int dim_count;
    int64_t dims[SAFETENSORS_DIM_MAX];
    const float *data; // borrowed; in a file that was read, into the file's memory
    size_t len;        // elements
};

struct safetensors_meta {
    const char *key, *value; // UTF-8
};

/* Writes `dir`/`name` by fs_write_atomic().  Metadata is stored sorted by key; "checksum" is added.
 * Tensors are stored in the order given.  Names of tensors and keys are each unique; no tensor is called
 * "__metadata__" and no key "checksum"; `len` is the product of the dims.  ERR_IO, ERR_FULL, or ERR_RANGE
 * when the header would be longer than SAFETENSORS_HEADER_MAX. */
int safetensors_write(const char *dir, const char *name, const struct safetensors_entry *tensors,
                      int tensor_count, const struct safetensors_meta *meta, int meta_count,
                      struct err *err);

struct safetensors; // a file that was read and found valid

/* Reads and validates a whole file before anything is made of it: declared lengths against the size,
 * strict JSON, known dtype (F32, or I64), shapes of at most SAFETENSORS_DIM_MAX dimensions that give the lengths,
 * offsets without gap or overlap, no repeated names, string metadata, and the checksum if there is one.
 * Total: any bytes give a file or an error.  The tensors take memory only after the header agreed with
 * the file's length.  ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT; the text begins with the path. */
int safetensors_open(struct safetensors **file, const char *path, struct err *err);
void safetensors_close(struct safetensors *file);

/* Whether the file carries the checksum described above; then it was found right. */
bool safetensors_is_checked(const struct safetensors *file);

int safetensors_count(const struct safetensors *file);
const struct safetensors_entry *safetensors_at(const struct safetensors *file, int index);
const struct safetensors_entry *safetensors_find(const struct safetensors *file, const char *name);
const char *safetensors_meta_get(const struct safetensors *file, const char *key); // NULL if absent
int safetensors_meta_count(const struct safetensors *file);
struct safetensors_meta safetensors_meta_at(const struct safetensors *file, int index);

#endif
