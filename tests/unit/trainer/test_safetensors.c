/* The file format: what is written byte for byte, as independent readers see it, and what every kind of
 * damage gets. */
#include "trainer/safetensors.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cmocka.h>

static char dir[64], path[96];

static int set_up(void **state) {
    (void)state;
    strcpy(dir, "/tmp/test_safetensors.XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/t.safetensors", dir);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    char *command = mem_printf("rm -r %s", dir);
    int rc = system(command);
    free(command);
    return rc;
}

static const float weights[6] = {1.0f, -2.5f, 0.0f, -0.0f, 3e-42f, 1e30f};
static const float bias[1] = {0.5f};

static void write_small(const char *name) {
    const struct safetensors_entry tensors[] = {
        {.name = "0.weight", .dim_count = 2, .dims = {2, 3}, .data = weights, .len = 6},
        {.name = "0.bias", .dim_count = 1, .dims = {1}, .data = bias, .len = 1},
    };
    const struct safetensors_meta meta[] = {{"zeta", "last"}, {"alpha", "a \"b\"\n\xc3\xa9"}};
    struct err err;
    if (safetensors_write(dir, name, tensors, 2, meta, 2, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
}

static void read_all(struct buf *out) {
    struct err err;
    if (fs_read(path, 1 << 26, out, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
}

static void put_bytes(const void *data, size_t len) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    assert_int_equal(close(fd), 0);
}

/* A file of this header and of `data_len` zero bytes, as another program could have made it. */
static void put_file(const char *header, size_t data_len) {
    struct buf out = {0};
    uint64_t len = strlen(header);
    for (int i = 0; i < 8; i++) {
        buf_putc(&out, (char)(len >> (8 * i)));
    }
    buf_puts(&out, header);
    for (size_t i = 0; i < data_len; i++) {
        buf_putc(&out, 0);
    }
    put_bytes(out.data, out.len);
    buf_release(&out);
}

static struct safetensors *open_good(void) {
    struct safetensors *file = NULL;
    struct err err;
    if (safetensors_open(&file, path, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    return file;
}

static void assert_refused(int code, const char *text) {
    struct safetensors *file = NULL;
    struct err err = {0};
    int rc = safetensors_open(&file, path, &err);
    safetensors_close(file);
    if (rc != code || strstr(err.msg, text) == NULL || strstr(err.msg, path) == NULL) {
        fail_msg("%s \"%s\", expected %s \"%s\"", err_name(rc), err.msg, err_name(code), text);
    }
    assert_null(file);
}

/* ---- writing and reading back ---- */

static void what_is_written_is_read_back_bit_for_bit(void **state) {
    (void)state;
    write_small("t.safetensors");
    struct safetensors *file = open_good();
    assert_true(safetensors_is_checked(file));
    assert_int_equal(safetensors_count(file), 2);
    const struct safetensors_entry *w = safetensors_at(file, 0);
    assert_string_equal(w->name, "0.weight");
    assert_int_equal(w->dim_count, 2);
    assert_int_equal(w->dims[0], 2);
    assert_int_equal(w->dims[1], 3);
    assert_int_equal(w->len, 6);
    assert_memory_equal(w->data, weights, sizeof weights);
    const struct safetensors_entry *b = safetensors_find(file, "0.bias");
    assert_ptr_equal(b, safetensors_at(file, 1));
    assert_memory_equal(b->data, bias, sizeof bias);
    assert_null(safetensors_find(file, "0.bia"));
    assert_string_equal(safetensors_meta_get(file, "alpha"), "a \"b\"\n\xc3\xa9");
    assert_null(safetensors_meta_get(file, "beta"));
    static const char *const keys[] = {"alpha", "checksum", "zeta"};
    assert_int_equal(safetensors_meta_count(file), 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(safetensors_meta_at(file, i).key, keys[i]);
    }
    safetensors_close(file);
}

/* The bytes as the format's description has them, put together by hand. */
static void the_bytes_are_those_of_the_format(void **state) {
    (void)state;
    static const char header[] =
        "{\"__metadata__\":{\"alpha\":\"a \\\"b\\\"\\n\xc3\xa9\","
        "\"checksum\":\"00000000000000000000000000000000\",\"zeta\":\"last\"},"
        "\"0.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
        "\"0.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[24,28]}}";
    size_t padded = (sizeof header - 1 + 7) / 8 * 8;
    struct buf expected = {0}, actual = {0};
    for (int i = 0; i < 8; i++) {
        buf_putc(&expected, (char)(padded >> (8 * i)));
    }
    buf_puts(&expected, header);
    while (expected.len < 8 + padded) {
        buf_putc(&expected, ' ');
    }
    buf_put(&expected, weights, sizeof weights);
    buf_put(&expected, bias, sizeof bias);

    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, XXH3_128bits(expected.data, expected.len));
    char *digits = strstr(expected.data + 8, "\"checksum\":\"") + 12;
    for (size_t i = 0; i < sizeof digest.digest; i++) {
        static const char hex[] = "0123456789abcdef";
        digits[2 * i] = hex[digest.digest[i] >> 4];
        digits[2 * i + 1] = hex[digest.digest[i] & 15];
    }
    write_small("t.safetensors");
    read_all(&actual);
    assert_int_equal(actual.len, expected.len);
    assert_memory_equal(actual.data, expected.data, expected.len);
    buf_release(&expected);
    buf_release(&actual);
}

static void a_header_that_no_reader_takes_is_not_written(void **state) {
    (void)state;
    char *value = mem_zalloc(SAFETENSORS_HEADER_MAX + 1, 1);
    memset(value, 'x', SAFETENSORS_HEADER_MAX);
    const struct safetensors_meta meta[] = {{"history", value}};
    struct err err;
    assert_int_equal(safetensors_write(dir, "t.safetensors", NULL, 0, meta, 1, &err), ERR_RANGE);
    assert_non_null(strstr(err.msg, "header"));
    assert_int_equal(access(path, F_OK), -1);
    free(value);
}

static void no_tensors_and_no_metadata_make_a_file(void **state) {
    (void)state;
    struct err err;
    assert_int_equal(safetensors_write(dir, "t.safetensors", NULL, 0, NULL, 0, &err), ERR_OK);
    struct safetensors *file = open_good();
    assert_int_equal(safetensors_count(file), 0);
    assert_true(safetensors_is_checked(file));
    safetensors_close(file);
}

/* ---- damage ---- */

static void a_file_cut_at_any_byte_is_refused(void **state) {
    (void)state;
    write_small("t.safetensors");
    struct buf whole = {0};
    read_all(&whole);
    buf_putc(&whole, 0);
    put_bytes(whole.data, whole.len);
    assert_refused(ERR_CORRUPT, "longer");
    assert_int_equal(truncate(path, (off_t)--whole.len), 0);
    safetensors_close(open_good());
    while (whole.len-- > 0) {
        assert_int_equal(truncate(path, (off_t)whole.len), 0);
        assert_refused(ERR_CORRUPT, "");
    }
    buf_release(&whole);
}

static void put_byte(size_t at, char byte) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    (void)close(fd);
}

/* Either an error, or a file that says of itself that it was not checked: no change goes unnoticed. */
static void no_flipped_bit_passes_as_checked(void **state) {
    (void)state;
    write_small("t.safetensors");
    struct buf whole = {0};
    read_all(&whole);
    int unchecked = 0;
    for (size_t bit = 0; bit < 8 * whole.len; bit++) {
        put_byte(bit / 8, (char)(whole.data[bit / 8] ^ 1 << bit % 8));
        struct safetensors *file = NULL;
        struct err err = {0};
        if (safetensors_open(&file, path, &err) == ERR_OK) {
            if (safetensors_is_checked(file)) {
                fail_msg("bit %zu of %zu was flipped, and the file opens as checked", bit,
                         8 * whole.len);
            }
            unchecked++;
        } else {
            assert_int_equal(err.code, ERR_CORRUPT);
        }
        safetensors_close(file);
        put_byte(bit / 8, whole.data[bit / 8]);
    }
    assert_in_range(unchecked, 1, 8 * (strlen("checksum") + 32)); // only in its name and its digits
    safetensors_close(open_good());                               // each bit was put back
    buf_release(&whole);
}

static void faults_of_the_header_have_their_messages(void **state) {
    (void)state;
#define T(shape, begin, end)                                                                       \
    "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"
    static const struct {
        const char *header;
        size_t data_len;
        const char *text;
    } cases[] = {
        {"[]", 0, "no object"},
        {"{", 0, "header:1:"},
        {"{} x", 0, "header:1:"},
        {"{\"a\":" T("[1]", 0, 4) ",\"a\":" T("[1]", 4, 8) "}", 8, "repeated name \"a\""},
        {"{\"__metadata__\":[]}", 0, "__metadata__ is no object"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "something else than strings"},
        {"{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "not F32"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4],\"x\":0}}", 4, "not F32"},
        {"{\"a\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "fit its shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "not an object of dtype"},
        {"{\"a\":7}", 0, "not an object of dtype"},
        {"{\"a\":" T("[1,1,1,1,1]", 0, 4) "}", 4, "at most 4"},
        {"{\"a\":" T("7", 0, 28) "}", 28, "at most 4"},
        {"{\"a\":" T("[-1]", 0, 4) "}", 4, "out of range"},
        {"{\"a\":" T("[1.5]", 0, 4) "}", 4, "out of range"},
        {"{\"a\":" T("[1e12,1e12,1e12,1e12]", 0, 4) "}", 4, "out of range"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "not two numbers"},
        {"{\"a\":" T("[1]", -4, 0) "}", 0, "not two numbers"},
        {"{\"a\":" T("[2]", 0, 4) "}", 4, "fit its shape"},
        {"{\"a\":" T("[1]", 0, 4) ",\"b\":" T("[1]", 8, 12) "}", 12, "follow each other"},
        {"{\"a\":" T("[2]", 0, 8) ",\"b\":" T("[1]", 4, 8) "}", 8, "follow each other"},
        {"{\"a\":" T("[2]", 0, 8) ",\"b\":" T("[1]", 4, 12) "}", 12, "follow each other"},
        {"{\"a\":" T("[1]", 0, 4) "}", 3, "cut"},
        {"{\"a\":" T("[1]", 0, 4) "}", 5, "longer"},
        {"{\"a\":" T("[1000000000]", 0, 4000000000) "}", 4, "cut"},
        {"{\"\\u0000\":" T("[1]", 0, 4) "}", 4, "header:1:"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_file(cases[i].header, cases[i].data_len);
        assert_refused(ERR_CORRUPT, cases[i].text);
    }
}

static void a_declared_length_is_not_believed(void **state) {
    (void)state;
    static const uint8_t lengths[][8] = {
        {3, 0, 0, 0, 0, 0, 0, 0},
        {0, 0, 0, 8, 0, 0, 0, 0},
        {255, 255, 255, 255, 255, 255, 255, 255},
        {0xf8, 255, 255, 255, 255, 255, 255, 255},
    };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint8_t bytes[10] = {[8] = '{', [9] = '}'};
        memcpy(bytes, lengths[i], 8);
        put_bytes(bytes, sizeof bytes);
        assert_refused(ERR_CORRUPT, "does not fit");
    }
    uint8_t bytes[10] = {2, [8] = '{', [9] = '}'};
    put_bytes(bytes, sizeof bytes);
    assert_int_equal(truncate(path, (off_t)8 << 30), 0); // sparse: 8 GiB that nobody declared
    assert_refused(ERR_CORRUPT, "longer than its tensors");
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    assert_refused(ERR_CORRUPT, "longer than any");
}

static void what_is_no_file_is_an_error_and_does_not_hang(void **state) {
    (void)state;
    assert_refused(ERR_NOT_FOUND, "No such file");
    assert_int_equal(mkfifo(path, 0644), 0);
    assert_refused(ERR_IO, "not a regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_refused(ERR_IO, "not a regular file");
}

/* ---- files of other programs ---- */

static void files_of_other_programs_open_unchecked(void **state) {
    (void)state;
    // in another order than their data, an empty tensor, a scalar, blanks, a header of an odd length
    put_file("{ \"b\": " T("[2]", 4, 12) ",\n\"e\": " T("[0,9]", 4, 4) ", \"a\":" T("[]", 0, 4) "}",
             12);
    struct safetensors *file = open_good();
    assert_false(safetensors_is_checked(file));
    assert_int_equal(safetensors_count(file), 3);
    static const char *const names[] = {"a", "e", "b"};
    static const size_t lens[] = {1, 0, 2};
    for (int i = 0; i < 3; i++) {
        assert_string_equal(safetensors_at(file, i)->name, names[i]);
        assert_int_equal(safetensors_at(file, i)->len, lens[i]);
        assert_int_equal((uintptr_t)safetensors_at(file, i)->data % sizeof(float), 0);
    }
    assert_int_equal(safetensors_meta_count(file), 0);
    safetensors_close(file);
}

/* As torch saves a batch normalization's num_batches_tracked. */
static void counters_are_passed_over(void **state) {
    (void)state;
    struct buf out = {0};
    static const char header[] =
        "{\"a\":" T("[1]", 0, 4) ",\"n\":{\"dtype\":\"I64\",\"shape\":[],"
                                 "\"data_offsets\":[4,12]},\"b\":" T("[2]", 12, 20) "}";
    static const float values[] = {1.5f, NAN, NAN, 2.5f, 3.5f}; // the counter is where the NaNs are
    uint64_t len = strlen(header);
    buf_put(&out, &len, sizeof len);
    buf_puts(&out, header);
    buf_put(&out, values, sizeof values);
    put_bytes(out.data, out.len);
    struct safetensors *file = open_good();
    assert_int_equal(safetensors_count(file), 2);
    assert_null(safetensors_find(file, "n"));
    assert_true(safetensors_find(file, "a")->data[0] == 1.5f);
    assert_true(safetensors_find(file, "b")->data[0] == 2.5f);
    assert_true(safetensors_find(file, "b")->data[1] == 3.5f);
    safetensors_close(file);
    buf_release(&out);
}

static void a_checksum_of_another_kind_is_just_metadata(void **state) {
    (void)state;
    put_file("{\"__metadata__\":{\"checksum\":\"sha256:1f\"}}", 0);
    struct safetensors *file = open_good();
    assert_false(safetensors_is_checked(file));
    assert_string_equal(safetensors_meta_get(file, "checksum"), "sha256:1f");
    safetensors_close(file);
    put_file("{\"__metadata__\":{\"checksum\":\"00000000000000000000000000000000\"}}", 0);
    assert_refused(ERR_CORRUPT, "does not fit its content");
}

#ifdef PYTHON3
/* Python's json and struct know nothing of this code. */
static void python_reads_the_same(void **state) {
    (void)state;
    write_small("t.safetensors");
    char *command = mem_printf(
        PYTHON3 " -c '"
                "import json, struct, sys\n"
                "b = open(sys.argv[1], \"rb\").read()\n"
                "n, = struct.unpack_from(\"<Q\", b)\n"
                "h = json.loads(b[8:8 + n])\n"
                "m = h.pop(\"__metadata__\")\n"
                "assert n %% 8 == 0 and list(h) == [\"0.weight\", \"0.bias\"], h\n"
                "assert m[\"alpha\"] == \"a \\\"b\\\"\\n\\u00e9\" and m[\"zeta\"] == \"last\", m\n"
                "w = h[\"0.weight\"]\n"
                "assert w[\"dtype\"] == \"F32\" and w[\"shape\"] == [2, 3], w\n"
                "s, e = w[\"data_offsets\"]\n"
                "v = struct.unpack(\"<6f\", b[8 + n + s:8 + n + e])\n"
                "assert v[:2] == (1.0, -2.5) and str(v[3]) == \"-0.0\", v\n"
                "s, e = h[\"0.bias\"][\"data_offsets\"]\n"
                "assert struct.unpack(\"<f\", b[8 + n + s:]) == (0.5,) and 8 + n + e == len(b)\n"
                "' %s",
        path);
    assert_int_equal(system(command), 0);
    free(command);
}
#endif

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(what_is_written_is_read_back_bit_for_bit),
        CASE(the_bytes_are_those_of_the_format),
        CASE(a_header_that_no_reader_takes_is_not_written),
        CASE(no_tensors_and_no_metadata_make_a_file),
        CASE(a_file_cut_at_any_byte_is_refused),
        CASE(no_flipped_bit_passes_as_checked),
        CASE(faults_of_the_header_have_their_messages),
        CASE(a_declared_length_is_not_believed),
        CASE(what_is_no_file_is_an_error_and_does_not_hang),
        CASE(files_of_other_programs_open_unchecked),
        CASE(counters_are_passed_over),
        CASE(a_checksum_of_another_kind_is_just_metadata),
#ifdef PYTHON3
        CASE(python_reads_the_same),
#endif
    };
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
