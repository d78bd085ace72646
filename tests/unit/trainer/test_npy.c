/* NumPy's arrays: what numpy itself writes is read, and every fault that a file can have is named. */
#include "trainer/npy.h"

#include "base/buf.h"
#include "tests/unit/trainer/data_testing.h"

/* A file of version 1.0 with this header, padded as numpy pads it, and these bytes behind it. */
static void put_array(const char *name, const char *header, const void *data, size_t len) {
    struct buf file = {0};
    size_t padded = (10 + strlen(header) + 1 + 63) / 64 * 64 - 10;
    const char size[] = {(char)(padded & 255), (char)(padded >> 8)};
    buf_put(&file, "\x93NUMPY\1\0", 8);
    buf_put(&file, size, 2);
    buf_printf(&file, "%-*s\n", (int)padded - 1, header);
    buf_put(&file, data, len);
    put(name, file.data, file.len);
    buf_release(&file);
}

static int load(struct npy *npy, const char *name, struct err *err) {
    char *path = mem_printf("%s/%s", folder, name);
    int rc = npy_load(npy, path, err);
    if (rc != ERR_OK && strncmp(err->msg, path, strlen(path)) != 0 && rc != ERR_NOT_FOUND) {
        fail_msg("\"%s\" does not begin with %s", err->msg, path);
    }
    free(path);
    return rc;
}

static void assert_refused(const char *name, int code, const char *text) {
    struct npy npy = {0};
    struct err err = {0};
    int rc = load(&npy, name, &err);
    npy_release(&npy);
    if (rc != code || strstr(err.msg, text) == NULL) {
        fail_msg("%s \"%s\", expected %s \"%s\"", err_name(rc), err.msg, err_name(code), text);
    }
}

static const uint8_t six[] = {9, 8, 7, 6, 5, 4};
#define SIX "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 3), }"

static void an_array_is_read(void **state) {
    (void)state;
    put_array("a", SIX, six, sizeof six);
    struct npy npy;
    struct err err;
    assert_int_equal(load(&npy, "a", &err), ERR_OK);
    assert_int_equal(npy.type, NPY_U1);
    assert_int_equal(npy.dim_count, 3);
    assert_int_equal(npy.dims[0], 2);
    assert_int_equal(npy.dims[1], 1);
    assert_int_equal(npy.dims[2], 3);
    assert_int_equal(npy.dims[3], 1);
    assert_int_equal(npy.len, 6);
    assert_memory_equal(npy.data, six, sizeof six);
    npy_release(&npy);
}

static void every_spelling_of_a_header_is_read(void **state) {
    (void)state;
    static const char *const headers[] = {
        "{\"shape\":(6,),\"descr\":\"|u1\",\"fortran_order\":False}",
        "{ 'fortran_order' : False , 'shape' : ( 6 , ) , 'descr' : '|u1' }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (6,), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, )}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        put_array("a", headers[i], six, sizeof six);
        struct npy npy;
        struct err err;
        if (load(&npy, "a", &err) != ERR_OK) {
            fail_msg("%s", err.msg);
        }
        assert_int_equal(npy.len, 6);
        npy_release(&npy);
    }
}

static void a_wrong_header_is_refused_with_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *header;
        int code;
        const char *text;
    } cases[] = {
        {"", ERR_PARSE, "expected '{'"},
        {"{", ERR_PARSE, "expected a string"},
        {"{'descr'}", ERR_PARSE, "expected ':'"},
        {"{'descr': '|u1', 'fortran_order': False}", ERR_PARSE, "is missing"},
        {"{'descr': '|u1', 'descr': '|u1'}", ERR_PARSE, "a repeated key"},
        {"{'descr': '|u1', 'colour': 1}", ERR_PARSE, "an unknown key"},
        {"{'descr': '|u1' 'shape': (6,)}", ERR_PARSE, "expected ',' or '}'"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (6,)} x", ERR_PARSE,
         "something behind the dict"},
        {"{'descr': '|u1", ERR_PARSE, "a character that does not belong"},
        {"{'descr': '|u\\1'", ERR_PARSE, "a character that does not belong"},
        {"{'a very long name that nobody would give a key': 1}", ERR_PARSE, "too long"},
        {"{'descr': '|u1', 'fortran_order': Falsch, 'shape': (6,)}", ERR_PARSE, "True or False"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (6)}", ERR_PARSE, "tuple of one"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2 3)}", ERR_PARSE, "',' or ')'"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (-6,)}", ERR_PARSE,
         "expected a dimension"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (6L,)}", ERR_PARSE, "',' or ')'"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': ()}", ERR_RANGE, "a single number"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (0, 6)}", ERR_RANGE,
         "dimension 1 is 0, not from 1 to 10000000"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 99999999999999999999)}", ERR_RANGE,
         "dimension 2 is 9999999999 or more"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (6, 4194304, 2)}", ERR_RANGE,
         "more than 4194304 elements an image"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (6, 1, 1, 1, 1)}", ERR_RANGE,
         "more than 4 dimensions"},
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (6,)}", ERR_RANGE,
         "ascontiguousarray() makes it C order"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (6,)}", ERR_RANGE, "type '>f4'"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (6,)}", ERR_RANGE, "astype()"},
        {"{'descr': '', 'fortran_order': False, 'shape': (6,)}", ERR_RANGE, "type ''"},
        {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (6,)}", ERR_RANGE,
         "a structured array"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (7,)}", ERR_PARSE, "truncated"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (5,)}", ERR_PARSE,
         "bytes behind the array"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_array("a", cases[i].header, six, sizeof six);
        assert_refused("a", cases[i].code, cases[i].text);
    }
}

static void what_is_in_front_of_the_header_is_looked_at(void **state) {
    (void)state;
    put("a", "PK\3\4 an .npz file is no .npy file", 30);
    assert_refused("a", ERR_PARSE, "not a .npy file: it starts with 50 4b 03 04");
    put("a", "\x93NUMPY\3\0\0\0\0\0", 12);
    assert_refused("a", ERR_VERSION, "version 3.0 of the format, not 1.0 or 2.0");
    put("a", "\x93NUMPY\1\1\0\0", 10);
    assert_refused("a", ERR_VERSION, "version 1.1");
    put("a", "\x93NUMPY\2\0\1\0\1\0", 12);
    assert_refused("a", ERR_RANGE, "a header of 65537 bytes, more than 65536");
    assert_refused("b", ERR_NOT_FOUND, "No such file");
}

static void a_file_cut_at_any_byte_is_refused(void **state) {
    (void)state;
    put_array("a", SIX, six, sizeof six);
    uint8_t whole[256];
    char *path = mem_printf("%s/a", folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = read(fd, whole, sizeof whole);
    (void)close(fd);
    free(path);
    assert_in_range(len, 100, 255);
    for (ssize_t cut = 0; cut < len; cut++) {
        put("a", whole, (size_t)cut);
        assert_refused("a", ERR_PARSE, "truncated");
    }
    put("a", whole, (size_t)len);
    struct npy npy;
    struct err err;
    assert_int_equal(load(&npy, "a", &err), ERR_OK);
    npy_release(&npy);
}

static void integers_of_every_type_are_read(void **state) {
    (void)state;
    static const struct {
        const char *descr;
        size_t size;
        bool is_signed;
    } types[] = {{"|u1", 1, false}, {"|i1", 1, true}, {"<u2", 2, false}, {"<i2", 2, true},
                 {"<u4", 4, false}, {"<i4", 4, true}, {"<u8", 8, false}, {"<i8", 8, true}};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        char header[128];
        uint8_t bytes[16];
        memset(bytes, 0, sizeof bytes);
        bytes[0] = 100;                                    // 100
        memset(bytes + types[t].size, 255, types[t].size); // the largest, or -1
        (void)snprintf(header, sizeof header,
                       "{'descr': '%s', 'fortran_order': False, 'shape': (2,), }", types[t].descr);
        put_array("a", header, bytes, 2 * types[t].size);
        struct npy npy;
        struct err err;
        uint64_t value = 0;
        char text[32], expected[32];
        if (load(&npy, "a", &err) != ERR_OK) {
            fail_msg("%s", err.msg);
        }
        assert_true(npy_integer(&npy, 0, 255, &value));
        assert_int_equal(value, 100);
        assert_false(npy_integer(&npy, 0, 99, &value));
        assert_int_equal(npy_integer(&npy, 1, 255, &value),
                         types[t].size == 1 && !types[t].is_signed);
        npy_format(&npy, 1, text);
        unsigned long long largest = types[t].size == 8 ? ~0ull : (1ull << 8 * types[t].size) - 1;
        (void)snprintf(expected, sizeof expected, "%llu", largest);
        assert_string_equal(text, types[t].is_signed ? "-1" : expected);
        npy_release(&npy);
    }
}

/* ---- as sets ---- */

static void put_set(void) {
    static const float train[] = {0.5f, -1, 2, 0.25f, 3, 4, 5, 6}, test[] = {1, 2, 3, 4};
    put_array("train-images.npy",
              "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2, 2), }", train,
              sizeof train);
    put_array("train-labels.npy", "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }",
              (const int64_t[]){0, 200}, 16);
    put_array("test-images.npy",
              "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 2, 2), }", test,
              sizeof test);
    put_array("test-labels.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }", "\7",
              1);
}

static void four_arrays_are_a_set(void **state) {
    (void)state;
    put_set();
    struct dataset set;
    const struct dataset_spec spec = folder_spec();
    open_good(&set, &spec);
    assert_int_equal(set.type, DATA_FLOAT32);
    assert_int_equal(set.classes, 201);
    assert_int_equal(set.train.count, 2);
    assert_int_equal(set.shape.C, 1);
    assert_int_equal(set.shape.H, 2);
    assert_int_equal(set.shape.W, 2);
    assert_true(((const float *)set.train.images)[3] == 0.25f);
    assert_int_equal(set.train.labels[1], 200);
    assert_int_equal(set.test.labels[0], 7);
    dataset_close(&set);
    put_array("train-images.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }",
              six, sizeof six);
    put_array("test-images.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3), }", six,
              3);
    open_good(&set, &spec); // vectors of bytes
    assert_int_equal(set.type, DATA_UINT8);
    assert_int_equal(set.shape.C, 3);
    assert_int_equal(set.shape.H, 1);
    assert_memory_equal(set.train.images, six, sizeof six);
    dataset_close(&set);
}

static void arrays_must_fit_together(void **state) {
    (void)state;
    static const float bad[] = {1, 2, 3, 4, 5, 0.0f / 0.0f, 7, 8};
    const struct {
        const char *name, *header;
        const void *data;
        size_t len;
        const char *text;
    } cases[] = {
        {"train-images.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2, 2), }",
         bad, sizeof bad, "train-images.npy: value 1 of image 1 is nan"},
        {"train-labels.npy", "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }",
         (const int32_t[]){0, -3}, 8, "train-labels.npy: label 1 is -3, not from 0 to 255"},
        {"train-labels.npy", "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }",
         (const int32_t[]){256, 0}, 8, "label 0 is 256"},
        {"train-labels.npy", "{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }",
         (const int32_t[]){0}, 4, "has 2 images, but"},
        {"train-labels.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", bad, 8,
         "labels of float32"},
        {"train-labels.npy", "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 1), }",
         (const int32_t[]){0, 1}, 8, "2 dimensions, where labels have one"},
        {"test-images.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4, 1, 1), }",
         bad, 16, "has images of 1x2x2, but"},
        {"test-images.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 2, 2), }",
         bad, 4, "is of float32, but"},
        {"test-images.npy", "{'descr': '<i4', 'fortran_order': False, 'shape': (1, 1, 2, 2), }",
         bad, 16, "images of int32, not of uint8 or float32"},
        {"test-images.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", bad, 16,
         "1 dimension, where images have"},
    };
    const struct dataset_spec spec = folder_spec();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_set();
        put_array(cases[i].name, cases[i].header, cases[i].data, cases[i].len);
        open_bad(&spec, ERR_RANGE, cases[i].text);
    }
    put_set();
    put_array("train-labels.npy", "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }",
              (const int64_t[]){0, 0}, 16);
    put_array("test-labels.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }", "\0",
              1);
    open_bad(&spec, ERR_RANGE, "all labels are 0");
}

/* What numpy writes is the reference, where there is a numpy. */
static void what_numpy_saves_is_read(void **state) {
    (void)state;
    char *command = mem_printf(
        "/usr/bin/python3 -c \"import numpy as n; "
        "n.save('%s/a.npy', n.arange(24, dtype='float32').reshape(2, 3, 4) / 7); "
        "f = open('%s/b.npy', 'wb'); "
        "n.lib.format.write_array(f, n.array([3, -1, 70000]), version=(2, 0)); f.close()\" 2>&-",
        folder, folder);
    int status = system(command);
    free(command);
    if (status != 0) {
        skip();
    }
    struct npy npy;
    struct err err;
    assert_int_equal(load(&npy, "a.npy", &err), ERR_OK);
    assert_int_equal(npy.type, NPY_F4);
    assert_int_equal(npy.dim_count, 3);
    for (int i = 0; i < 24; i++) {
        assert_true(((const float *)npy.data)[i] == (float)i / 7);
    }
    npy_release(&npy);
    assert_int_equal(load(&npy, "b.npy", &err), ERR_OK);
    assert_int_equal(npy.type, NPY_I8);
    char text[32];
    npy_format(&npy, 1, text);
    assert_string_equal(text, "-1");
    npy_format(&npy, 2, text);
    assert_string_equal(text, "70000");
    npy_release(&npy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(an_array_is_read),
        CASE(every_spelling_of_a_header_is_read),
        CASE(a_wrong_header_is_refused_with_what_is_wrong),
        CASE(what_is_in_front_of_the_header_is_looked_at),
        CASE(a_file_cut_at_any_byte_is_refused),
        CASE(integers_of_every_type_are_read),
        CASE(four_arrays_are_a_set),
        CASE(arrays_must_fit_together),
        CASE(what_numpy_saves_is_read),
    };
    return cmocka_run_group_tests_name("npy", tests, NULL, NULL);
}
