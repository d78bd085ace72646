/* IDX files: gzipped by the gzip program, and every fault that a file can have. */
#include "trainer/idx.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "trainer/stream.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], plain[96], zipped[96];

static int set_up(void **state) {
    (void)state;
    strcpy(dir, "/tmp/test_idx.XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(plain, sizeof plain, "%s/a", dir);
    (void)snprintf(zipped, sizeof zipped, "%s/a.gz", dir);
    return 0;
}

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *fmt, ...) {
    char command[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    if (system(command) != 0) {
        fail_msg("failed: %s", command);
    }
}

static int tear_down(void **state) {
    (void)state;
    run("rm -r %s", dir);
    return 0;
}

static void put_file(const char *path, const void *data, size_t len) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    assert_int_equal(close(fd), 0);
}

static void get_file(const char *path, struct buf *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n;
    while ((n = read(fd, buf_reserve(out, 4096), 4096)) > 0) {
        out->len += (size_t)n;
    }
    (void)close(fd);
}

static void assert_refused(const char *path, int dim_count, int code, const char *text) {
    struct idx idx = {0};
    struct err err = {0};
    int rc = idx_load(&idx, path, dim_count, &err);
    idx_release(&idx);
    if (rc != code || strstr(err.msg, text) == NULL || strstr(err.msg, path) == NULL) {
        fail_msg("%s \"%s\", expected %s \"%s\"", err_name(rc), err.msg, err_name(code), text);
    }
}

static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0,
                                 1, 0, 0, 0, 3, 9, 8, 7, 6, 5, 4}; // 2 of 1 x 3
static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 5, 255};

static void assert_images(const char *path) {
    struct idx idx;
    struct err err;
    if (idx_load(&idx, path, 3, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(idx.dims[0], 2);
    assert_int_equal(idx.dims[1], 1);
    assert_int_equal(idx.dims[2], 3);
    assert_int_equal(idx.len, 6);
    assert_memory_equal(idx.data, images + 16, 6);
    struct stat st;
    struct file_stamp stamp;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(file_stamp_of(path, &stamp, &err), ERR_OK);
    assert_int_equal(stamp.size, st.st_size);
    assert_true(stamp.mtime_ns == st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
    idx_release(&idx);
}

static void plain_and_gzipped_files_are_read(void **state) {
    (void)state;
    put_file(plain, images, sizeof images);
    assert_images(plain);
    run("gzip -k %s && cp %s %s/zipped-without-its-ending", plain, zipped, dir);
    assert_images(zipped);
    char other[128];
    (void)snprintf(other, sizeof other, "%s/zipped-without-its-ending", dir);
    assert_images(other);
    put_file(plain, labels, sizeof labels);
    struct idx idx;
    struct err err;
    assert_int_equal(idx_load(&idx, plain, 1, &err), ERR_OK);
    assert_int_equal(idx.dims[0], 2);
    assert_memory_equal(idx.data, labels + 8, 2);
    idx_release(&idx);
}

static void gzip_members_are_put_together(void **state) {
    (void)state;
    put_file(plain, images, sizeof images);
    run("(head -c 7 %s | gzip; tail -c +8 %s | gzip; gzip < /dev/null) > %s", plain, plain, zipped);
    assert_images(zipped);
}

/* Larger than the reader's chunk, compressible and not: against the gzip program's output. */
static void large_files_are_read_as_gzip_reads_them(void **state) {
    (void)state;
    enum { COUNT = 300, SIDE = 28, LEN = COUNT * SIDE * SIDE };
    struct buf bytes = {0};
    const uint8_t head[] = {0, 0, 8, 3,    0, 0, COUNT >> 8, COUNT & 255,
                            0, 0, 0, SIDE, 0, 0, 0,          SIDE};
    buf_put(&bytes, head, sizeof head);
    uint32_t x = 1;
    for (int i = 0; i < LEN; i++) {
        x = x * 1664525u + 1013904223u;
        buf_putc(&bytes, i < LEN / 2 ? 0 : (char)(x >> 24));
    }
    put_file(plain, bytes.data, bytes.len);
    run("gzip -k %s", plain);
    struct idx idx;
    struct err err;
    assert_int_equal(idx_load(&idx, zipped, 3, &err), ERR_OK);
    assert_int_equal(idx.len, LEN);
    assert_memory_equal(idx.data, bytes.data + 16, LEN);
    idx_release(&idx);
    // of two members of one length, which are decoded piece by piece
    run("(head -c 117608 %s | gzip; tail -c +117609 %s | gzip) > %s", plain, plain, zipped);
    assert_int_equal(idx_load(&idx, zipped, 3, &err), ERR_OK);
    assert_int_equal(idx.len, LEN);
    assert_memory_equal(idx.data, bytes.data + 16, LEN);
    idx_release(&idx);
    buf_release(&bytes);
}

static void a_file_cut_at_any_byte_is_refused(void **state) {
    (void)state;
    for (size_t len = 0; len < sizeof images; len++) {
        put_file(plain, images, len);
        assert_refused(plain, 3, ERR_PARSE, "truncated");
    }
    put_file(plain, images, sizeof images);
    run("gzip -f %s", plain);
    struct buf whole = {0};
    get_file(zipped, &whole);
    for (size_t len = 0; len < whole.len; len++) {
        put_file(zipped, whole.data, len);
        assert_refused(zipped, 3, ERR_PARSE, len < 2 ? "not a gzip file" : "truncated");
    }
    put_file(zipped, whole.data, whole.len);
    assert_images(zipped);
    buf_release(&whole);
}

static void bytes_behind_the_array_are_refused(void **state) {
    (void)state;
    uint8_t more[sizeof images + 1] = {0};
    memcpy(more, images, sizeof images);
    put_file(plain, more, sizeof more);
    assert_refused(plain, 3, ERR_PARSE, "bytes behind the array");
    run("gzip -k %s", plain);
    assert_refused(zipped, 3, ERR_PARSE, "bytes behind the array");
    put_file(plain, images, sizeof images);
    run("(gzip < %s; echo garbage) > %s", plain, zipped);
    assert_refused(zipped, 3, ERR_PARSE, "damaged gzip data");
}

static void damaged_gzip_data_is_refused(void **state) {
    (void)state;
    put_file(plain, images, sizeof images);
    assert_int_equal(rename(plain, zipped), 0);
    assert_refused(zipped, 3, ERR_PARSE, "not a gzip file");
    assert_int_equal(rename(zipped, plain), 0);
    run("gzip -kn %s", plain);
    struct buf whole = {0};
    get_file(zipped, &whole);
    whole.data[whole.len - 8] ^= 1; // of gzip's own checksum
    put_file(zipped, whole.data, whole.len);
    assert_refused(zipped, 3, ERR_PARSE, "damaged gzip data: incorrect data check");
    whole.data[whole.len - 8] ^= 1;
    for (size_t i = 1; i <= 4; i++) { // of the length, which says how much room to make
        for (int bit = 0; bit < 8; bit++) {
            whole.data[whole.len - i] ^= (char)(1 << bit);
            put_file(zipped, whole.data, whole.len);
            assert_refused(zipped, 3, ERR_PARSE, "damaged gzip data: incorrect length check");
            whole.data[whole.len - i] ^= (char)(1 << bit);
        }
    }
    put_file(zipped, whole.data, whole.len);
    assert_images(zipped);
    buf_release(&whole);
}

static void a_wrong_header_is_refused_with_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
        int code;
        const char *text;
    } cases[] = {
        {0, 'P', ERR_PARSE, "not an IDX file: it starts with 50 00 08 03"},
        {1, 1, ERR_PARSE, "not an IDX file"},
        {2, 0x0d, ERR_PARSE, "elements of type 0x0d"},
        {3, 1, ERR_RANGE, "an array of 1 dimension, not of 3"},
        {3, 4, ERR_RANGE, "an array of 4 dimensions, not of 3"},
        {7, 0, ERR_RANGE, "dimension 1 is 0, not from 1 to 10000000"},
        {4, 1, ERR_RANGE, "dimension 1 is 16777218"},
        {4, 255, ERR_RANGE, "dimension 1 is 4278190082"},
        {15, 0, ERR_RANGE, "dimension 3 is 0, not from 1 to 1024"},
        {10, 4, ERR_RANGE, "dimension 2 is 1025"},
        {7, 1, ERR_PARSE, "bytes behind the array"},
        {7, 3, ERR_PARSE, "truncated: 22 bytes, where its dimensions make 25"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[sizeof images];
        memcpy(bytes, images, sizeof images);
        bytes[cases[i].at] = cases[i].value;
        put_file(plain, bytes, sizeof bytes);
        assert_refused(plain, 3, cases[i].code, cases[i].text);
    }
}

/* 10^7 images of 1024 x 1024 would be 10 TB. */
static void what_a_file_cannot_hold_is_refused_before_memory_is_taken(void **state) {
    (void)state;
    static const uint8_t huge[] = {0, 0, 8, 3, 0, 0x98, 0x96, 0x80, 0, 0, 4, 0, 0, 0, 4, 0, 1, 2};
    put_file(plain, huge, sizeof huge);
    assert_refused(plain, 3, ERR_PARSE, "truncated");
    run("gzip -k %s", plain);
    assert_refused(zipped, 3, ERR_PARSE, "cannot hold");
}

static void what_is_no_file_is_an_error_and_does_not_hang(void **state) {
    (void)state;
    assert_refused(plain, 3, ERR_NOT_FOUND, "No such file");
    assert_int_equal(mkfifo(plain, 0644), 0);
    assert_refused(plain, 3, ERR_IO, "not a regular file");
    assert_refused(dir, 3, ERR_IO, "not a regular file");
    struct file_stamp stamp;
    struct err err;
    assert_int_equal(file_stamp_of(plain, &stamp, &err), ERR_IO);
    assert_int_equal(file_stamp_of(zipped, &stamp, &err), ERR_NOT_FOUND);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(plain_and_gzipped_files_are_read),
        CASE(gzip_members_are_put_together),
        CASE(large_files_are_read_as_gzip_reads_them),
        CASE(a_file_cut_at_any_byte_is_refused),
        CASE(bytes_behind_the_array_are_refused),
        CASE(damaged_gzip_data_is_refused),
        CASE(a_wrong_header_is_refused_with_what_is_wrong),
        CASE(what_a_file_cannot_hold_is_refused_before_memory_is_taken),
        CASE(what_is_no_file_is_an_error_and_does_not_hang),
    };
    return cmocka_run_group_tests_name("idx", tests, NULL, NULL);
}
