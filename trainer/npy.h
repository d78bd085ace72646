/* trainer/npy.h - arrays as numpy.save() writes them.
 *
 *     93 'N' 'U' 'M' 'P' 'Y'   magic
 *     major minor              the format's version: 1.0 or 2.0
 *     length                   of the header: u16 in version 1, u32 in 2; little-endian
 *     header                   {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }
 *     ...                      the elements, the last dimension running fastest
 *
 * (NumPy, "numpy.lib.format", NEP 1.)  Of the header's language, Python, exactly this is read: one dict
 * with these three keys, each once, in any order; strings in single or double quotes; blanks between
 * tokens.  Files may be gzipped, see stream.h. */
#ifndef TRAINER_NPY_H
#define TRAINER_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum { NPY_DIM_MAX = 4, NPY_HEADER_MAX = 1 << 16 };

/* Little-endian, as the name says what numpy calls it. */
enum npy_type {
    NPY_U1,
    NPY_I1,
    NPY_U2,
    NPY_I2,
    NPY_U4,
    NPY_I4,
    NPY_U8,
    NPY_I8,
    NPY_F4,
    NPY_TYPE_COUNT,
};

struct npy {
    enum npy_type type;
    int dim_count;         // 1 to NPY_DIM_MAX
    int dims[NPY_DIM_MAX]; // each at least 1; 1 where there is no such dimension
    size_t len;            // elements
    void *data;            // owned, aligned for any element
};

/* "uint8", "float32", ... */
const char *npy_type_name(enum npy_type type);
size_t npy_item_size(enum npy_type type);

/* Element `i` of an array of integers; false when outside [0, max]. */
bool npy_integer(const struct npy *npy, size_t i, uint64_t max, uint64_t *value);
/* The same in decimal, whatever it is. */
void npy_format(const struct npy *npy, size_t i, char out[32]);

/* Errors begin with the path.  ERR_NOT_FOUND; ERR_IO; ERR_PARSE: truncated, not .npy, a header that is not
 * as above, bytes behind the array; ERR_VERSION: another version; ERR_RANGE: another element type (also
 * big-endian), Fortran order, another number of dimensions, an empty array, above 10^7 times 2^22 elements.
 * The memory asked for is bounded by what a file of that length can hold. */
int npy_load(struct npy *npy, const char *path, struct err *err);
void npy_release(struct npy *npy); // a zeroed or released one is fine

#endif
