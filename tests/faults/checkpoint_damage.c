/* checkpoint_damage FILE - damages a copy of a checkpoint in every simple way, and requires that checkpoint_open()
 * refuses each as corrupt: every single bit flipped, every length that is shorter, every length up to a page longer
 * (zeros, as a file system may leave them), every aligned block of 16 bytes zeroed that was not zero.
 * Prints "REFUSED ACCEPTED", and where each that was accepted was changed. */
#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "trainer/checkpoint.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20, LONGER = 4096, BLOCK = 16 };

static char path[] = "/tmp/checkpoint_damage.XXXXXX";
static long refused, accepted;

static bool opens(int *code) {
    struct checkpoint *checkpoint = NULL;
    struct err err = {0};
    *code = checkpoint_open(&checkpoint, path, &err);
    checkpoint_close(checkpoint);
    return *code == ERR_OK;
}

static void try(const char *what, long place) {
    int code;
    (void)opens(&code);
    // A changed format string is a version that is not known: refused as well.
    if (code == ERR_CORRUPT || code == ERR_VERSION) {
        refused++;
    } else {
        accepted++;
        (void)printf("%s %ld: error %d\n", what, place, code);
    }
}

static void put(int fd, const void *bytes, size_t len, long place) {
    if (pwrite(fd, bytes, len, place) != (ssize_t)len) {
        perror(path);
        exit(2);
    }
}

static void set_length(int fd, long len) {
    if (ftruncate(fd, len) != 0) {
        perror(path);
        exit(2);
    }
}

static void change_bits(int fd, const struct buf *whole) {
    for (long bit = 0; bit < 8 * (long)whole->len; bit++) {
        const char flipped = (char)(whole->data[bit / 8] ^ 1 << bit % 8);
        put(fd, &flipped, 1, bit / 8);
        try("bit", bit);
        put(fd, &whole->data[bit / 8], 1, bit / 8);
    }
}

static void clear_blocks(int fd, const struct buf *whole) {
    static const char zeros[BLOCK];
    for (size_t at = 0; at + BLOCK <= whole->len; at += BLOCK) {
        if (memcmp(whole->data + at, zeros, BLOCK) != 0) {
            put(fd, zeros, BLOCK, (long)at);
            try("block", (long)at);
            put(fd, whole->data + at, BLOCK, (long)at);
        }
    }
}

static void change_length(int fd, const struct buf *whole) {
    for (long more = 1; more <= LONGER; more += more < 16 ? 1 : 40) {
        set_length(fd, (long)whole->len + more);
        try("longer by", more);
    }
    for (long len = (long)whole->len - 1; len >= 0; len--) {
        set_length(fd, len);
        try("cut to", len);
    }
}

int main(int argc, char **argv) {
    struct buf whole = {0};
    struct err err;
    if (argc != 2 || fs_read(argv[1], FILE_MAX, &whole, &err) != ERR_OK) {
        (void)fprintf(stderr, "usage: checkpoint_damage FILE (of at most 1 MiB)\n");
        return 2;
    }
    int fd = mkstemp(path), code;
    if (fd < 0) {
        perror(path);
        return 2;
    }
    put(fd, whole.data, whole.len, 0);
    if (!opens(&code)) {
        (void)fprintf(stderr, "%s is no valid checkpoint to begin with\n", argv[1]);
        return 2;
    }
    change_bits(fd, &whole);
    clear_blocks(fd, &whole);
    if (!opens(&code)) {
        (void)fprintf(stderr, "not everything was put back\n");
        return 2;
    }
    change_length(fd, &whole);
    (void)close(fd);
    (void)unlink(path);
    buf_release(&whole);
    (void)printf("%ld %ld\n", refused, accepted);
    return 0;
}
