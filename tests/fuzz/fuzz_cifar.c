/* CIFAR's records: as many as the bytes make, labels within their classes, twice the same file twice the
 * records. */
#include "base/err.h"
#include "tests/fuzz/fuzz.h"
#include "trainer/cifar.h"

#include <string.h>

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
    for (int i = 0; i < count; i++) {
        FUZZ_REQUIRE(cifar.labels[i] < cifar_classes(which));
    }
    size_t half = (size_t)count * CIFAR_PIXELS; // every byte of both is looked at
    FUZZ_REQUIRE(memcmp(cifar.labels, cifar.labels + count, (size_t)count) == 0);
    FUZZ_REQUIRE(memcmp(cifar.images, cifar.images + half, half) == 0);
    cifar_release(&cifar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = fuzz_file(data, size);
    load(path, CIFAR_10);
    load(path, CIFAR_100_COARSE);
    load(path, CIFAR_100_FINE);
    return 0;
}
