/* IDX files, plain and gzipped: an array that is accepted has all its elements, and what is refused is
 * said in printable words. */
#include "base/err.h"
#include "tests/fuzz/fuzz.h"
#include "trainer/idx.h"

#include <string.h>

static volatile unsigned sink; // reads every byte, for the sanitizer

static void load(const char *path, int dim_count) {
    struct idx idx;
    struct err err;
    if (idx_load(&idx, path, dim_count, &err) != ERR_OK) {
        FUZZ_REQUIRE(strncmp(err.msg, path, strlen(path)) == 0);
        fuzz_require_printable(err.msg, strlen(err.msg));
        return;
    }
    size_t len = 1;
    for (int d = 0; d < IDX_DIM_MAX; d++) {
        FUZZ_REQUIRE(idx.dims[d] >= 1 && (d < dim_count || idx.dims[d] == 1));
        len *= (size_t)idx.dims[d];
    }
    FUZZ_REQUIRE(len == idx.len);
    for (size_t i = 0; i < idx.len; i++) {
        sink += idx.data[i];
    }
    idx_release(&idx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = fuzz_file(data, size);
    load(path, 3);
    load(path, 1);
    return 0;
}
