/* NumPy's arrays: one that is accepted has all its elements, and its integers are what their text says. */
#include "base/err.h"
#include "base/num.h"
#include "tests/fuzz/fuzz.h"
#include "trainer/npy.h"

#include <string.h>

static volatile unsigned sink; // reads every byte, for the sanitizer

static void check_integers(const struct npy *npy) {
    for (size_t i = 0; i < npy->len; i++) {
        char text[32];
        uint64_t value = 0;
        int64_t read = -1;
        npy_format(npy, i, text);
        bool small = num_parse_int(text, 0, 255, &read);
        FUZZ_REQUIRE(npy_integer(npy, i, 255, &value) == small);
        FUZZ_REQUIRE(!small || (int64_t)value == read);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = fuzz_file(data, size);
    struct npy npy;
    struct err err;
    if (npy_load(&npy, path, &err) != ERR_OK) {
        FUZZ_REQUIRE(strncmp(err.msg, path, strlen(path)) == 0);
        fuzz_require_printable(err.msg, strlen(err.msg));
        return 0;
    }
    size_t len = 1;
    for (int d = 0; d < NPY_DIM_MAX; d++) {
        FUZZ_REQUIRE(npy.dims[d] >= 1 && (d < npy.dim_count || npy.dims[d] == 1));
        len *= (size_t)npy.dims[d];
    }
    FUZZ_REQUIRE(npy.dim_count >= 1 && len == npy.len);
    for (size_t i = 0; i < npy.len * npy_item_size(npy.type); i++) {
        sink += ((const uint8_t *)npy.data)[i];
    }
    if (npy.type != NPY_F4) {
        check_integers(&npy);
    }
    npy_release(&npy);
    return 0;
}
