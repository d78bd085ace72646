/* CIFAR's records: as many as the bytes make, labels within their classes, twice the same file twice the
 * records. */
#include "base/err.h"
#include "tests/fuzz/fuzz.h"
#include "trainer/cifar.h"

#include <string.h>

static volatile unsigned sink; // reads every byte, for the sanitizer

static void load(const char *path, enum cifar_labels which) {
    struct cifar cifar = {0};
    struct err err;
    if (cifar_load(&cifar, path, which, &err) != ERR_OK) {
        FUZZ_REQUIRE(strncmp(err.msg, path, strlen(path)) == 0);
        fuzz_require_printable(err.msg, strlen(err.msg));
        cifar_release(&cifar);
        return;
    }
    int count = cifar.count;
    FUZZ_REQUIRE(count >= 1);
    FUZZ_REQUIRE(cifar_load(&cifar, path, which, &err) == ERR_OK);
    FUZZ_REQUIRE(cifar.count == 2 * count);
    for (int i = 0; i < cifar.count; i++) {
        FUZZ_REQUIRE(cifar.labels[i] < cifar_classes(which));
        FUZZ_REQUIRE(cifar.labels[i] == cifar.labels[i % count]);
    }
    for (size_t i = 0; i < (size_t)cifar.count * CIFAR_PIXELS; i++) {
        sink += cifar.images[i];
    }
    cifar_release(&cifar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = fuzz_file(data, size);
    load(path, CIFAR_10);
    load(path, CIFAR_100_COARSE);
    load(path, CIFAR_100_FINE);
    return 0;
}
