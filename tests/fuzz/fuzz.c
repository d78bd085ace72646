#include "tests/fuzz/fuzz.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void fuzz_fail(const char *file, int line, const char *what) {
    (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what); // aborts anyway
    abort();
}

const char *fuzz_file(const void *data, size_t size) {
    static char path[64]; // one file for the whole process: making one a call would cost the most
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        FUZZ_REQUIRE(fd >= 0);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd); // fits
    }
    FUZZ_REQUIRE(ftruncate(fd, 0) == 0);
    FUZZ_REQUIRE(pwrite(fd, data, size, 0) == (ssize_t)size);
    return path;
}

void fuzz_require_printable(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        FUZZ_REQUIRE(c >= 0x20 && c != 0x7f);
    }
}

void fuzz_mend_checksum(uint8_t *file, size_t size) {
    static const char before[] = "\"checksum\":\"";
    enum { BEFORE_LEN = sizeof before - 1 };
    uint8_t *found = memmem(file, size, before, BEFORE_LEN);
    if (found == NULL || size - (size_t)(found - file) < BEFORE_LEN + HASH_HEX_LEN) {
        return;
    }
    uint8_t *digits = found + BEFORE_LEN;
    char digest[HASH_HEX_LEN + 1];
    memset(digits, '0', HASH_HEX_LEN);
    hash_hex(digest, file, size);
    memcpy(digits, digest, HASH_HEX_LEN);
}
