/* verify/tensorfile.h - a safetensors file, read by docs/checkpoint-format.md alone.
 *
 * Memory is that of the header, at most 64 MiB; the tensors pass through for the checksum. */
#ifndef VERIFY_TENSORFILE_H
#define VERIFY_TENSORFILE_H

#include <stdbool.h>
#include <stdint.h>

struct cJSON;

struct tensor {
    const char *name; // borrowed
    int64_t dim[4];
    int dims;
    int64_t begin, end;
};

enum tensorfile_checksum { CHECKSUM_NONE, CHECKSUM_TRUE, CHECKSUM_FALSE };

struct tensorfile {
    struct cJSON *header;
    struct tensor *tensor; // in the order of the header
    int count;
    int64_t size;
    enum tensorfile_checksum checksum;
    bool gone;     // there was no such file
    char *problem; // what is wrong with its form; NULL
};

/* Reads `name` in the folder `dir_fd`.  False: it is gone, or has a problem.  Release it in any case. */
bool tensorfile_read(struct tensorfile *file, int dir_fd, const char *name);
void tensorfile_release(struct tensorfile *file);

/* A string of __metadata__; NULL when there is none. */
const char *tensorfile_meta(const struct tensorfile *file, const char *name);
const struct tensor *tensorfile_find(const struct tensorfile *file, const char *name);

#endif
