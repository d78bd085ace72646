/* trainer/idx.h - the file format of MNIST: one array of bytes behind its dimensions.
 *
 *     00 00 08 D     magic: element type 08 (unsigned byte), D dimensions
 *     D times u32    the dimensions, big-endian
 *     ...            the elements, the last dimension running fastest
 *
 * (Yann LeCun, "The MNIST database of handwritten digits".)  Files may be gzipped, see stream.h. */
#ifndef TRAINER_IDX_H
#define TRAINER_IDX_H

#include <stddef.h>
#include <stdint.h>

struct err;

enum {
    IDX_DIM_MAX = 3,
    IDX_COUNT_MAX = 10 * 1000 * 1000, // of the first dimension
    IDX_SIDE_MAX = 1024,              // of each further one
};

struct idx {
    int dim_count;
    int dims[IDX_DIM_MAX]; // 1 where there is no such dimension
    uint8_t *data;         // owned
    size_t len;
};

/* Reads a file that must have `dim_count` dimensions, each at least 1.  A name that ends in ".gz" must
 * hold gzip data; elsewhere the content decides.
 *
 * Errors begin with the path.  ERR_NOT_FOUND; ERR_IO; ERR_PARSE: truncated, damaged, not gzip, wrong
 * magic, bytes behind the array; ERR_RANGE: other dimensions, or more than the limits above.  The
 * memory asked for is bounded by what a file of that length can hold, and is touched only as data
 * arrives. */
int idx_load(struct idx *idx, const char *path, int dim_count, struct err *err);
void idx_release(struct idx *idx); // a zeroed or released one is fine

#endif
