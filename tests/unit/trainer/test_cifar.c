/* CIFAR's records: what is read, and every fault that a file can have. */
#include "trainer/cifar.h"

#include "tests/unit/trainer/data_testing.h"

static char *path_of(const char *name) {
    return mem_printf("%s/%s", folder, name);
}

/* Record `i` of a file of CIFAR-10 (one label) or CIFAR-100 (two). */
static size_t add_record(uint8_t *out, const uint8_t *labels, int label_count, int i) {
    memcpy(out, labels, (size_t)label_count);
    for (int p = 0; p < CIFAR_PIXELS; p++) {
        out[label_count + p] = (uint8_t)(p * 7 + i * 31);
    }
    return (size_t)label_count + CIFAR_PIXELS;
}

static void assert_refused(const char *name, enum cifar_labels which, int code, const char *text) {
    struct cifar cifar = {0};
    struct err err = {0};
    char *path = path_of(name);
    int rc = cifar_load(&cifar, path, which, &err);
    if (rc != code || strstr(err.msg, text) == NULL || strstr(err.msg, path) == NULL) {
        fail_msg("%s \"%s\", expected %s \"%s\"", err_name(rc), err.msg, err_name(code), text);
    }
    free(path);
    cifar_release(&cifar);
}

static void records_of_several_files_are_put_together(void **state) {
    (void)state;
    static uint8_t bytes[200 * (1 + CIFAR_PIXELS)];
    size_t len = 0;
    for (int i = 0; i < 200; i++) {
        len += add_record(bytes + len, &(uint8_t){(uint8_t)(i % 10)}, 1, i);
    }
    put("a", bytes, len / 2);
    put("b", bytes + len / 2, len / 2);
    char *zip = mem_printf("gzip %s/b", folder);
    assert_int_equal(system(zip), 0);
    free(zip);
    struct cifar cifar = {0};
    struct err err;
    char *a = path_of("a"), *b = path_of("b.gz");
    assert_int_equal(cifar_load(&cifar, a, CIFAR_10, &err), ERR_OK);
    assert_int_equal(cifar_load(&cifar, b, CIFAR_10, &err), ERR_OK);
    assert_int_equal(cifar.count, 200);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(cifar.labels[i], i % 10);
        assert_memory_equal(cifar.images + (size_t)i * CIFAR_PIXELS,
                            bytes + (size_t)i * (1 + CIFAR_PIXELS) + 1, CIFAR_PIXELS);
    }
    cifar_release(&cifar);
    free(a);
    free(b);
}

static void either_label_of_cifar_100_can_be_had(void **state) {
    (void)state;
    uint8_t bytes[2 * (2 + CIFAR_PIXELS)];
    size_t len = add_record(bytes, (const uint8_t[]){19, 99}, 2, 0);
    len += add_record(bytes + len, (const uint8_t[]){3, 0}, 2, 1);
    put("train.bin", bytes, len);
    char *path = path_of("train.bin");
    struct err err;
    for (int which = CIFAR_100_COARSE; which <= CIFAR_100_FINE; which++) {
        struct cifar cifar = {0};
        assert_int_equal(cifar_load(&cifar, path, (enum cifar_labels)which, &err), ERR_OK);
        assert_int_equal(cifar.count, 2);
        assert_int_equal(cifar.labels[0], which == CIFAR_100_FINE ? 99 : 19);
        assert_int_equal(cifar.labels[1], which == CIFAR_100_FINE ? 0 : 3);
        cifar_release(&cifar);
    }
    free(path);
}

static void a_file_cut_within_a_record_is_refused(void **state) {
    (void)state;
    uint8_t bytes[2 * (1 + CIFAR_PIXELS)];
    size_t record = add_record(bytes, (const uint8_t[]){1}, 1, 0);
    (void)add_record(bytes + record, (const uint8_t[]){2}, 1, 1);
    for (size_t len = 0; len < sizeof bytes; len += len < 20 ? 1 : 97) {
        if (len != record) {
            put("a", bytes, len);
            assert_refused("a", CIFAR_10, ERR_PARSE, "truncated");
        }
    }
    put("a", bytes, record + 5);
    assert_refused("a", CIFAR_10, ERR_PARSE, "record 1 has 5 of 3073 bytes");
    put("a", bytes, 0);
    assert_refused("a", CIFAR_10, ERR_PARSE, "it is empty");
}

static void a_label_that_there_is_not_is_named(void **state) {
    (void)state;
    uint8_t bytes[2 * (2 + CIFAR_PIXELS)];
    size_t len = add_record(bytes, (const uint8_t[]){1}, 1, 0);
    len += add_record(bytes + len, (const uint8_t[]){10}, 1, 1);
    put("a", bytes, len);
    assert_refused("a", CIFAR_10, ERR_RANGE, "label 1 is 10, not from 0 to 9");
    len = add_record(bytes, (const uint8_t[]){20, 0}, 2, 0);
    put("a", bytes, len);
    assert_refused("a", CIFAR_100_FINE, ERR_RANGE, "coarse label 0 is 20, not from 0 to 19");
    len = add_record(bytes, (const uint8_t[]){0, 100}, 2, 0);
    put("a", bytes, len);
    assert_refused("a", CIFAR_100_COARSE, ERR_RANGE, "fine label 0 is 100, not from 0 to 99");
    assert_refused("b", CIFAR_10, ERR_NOT_FOUND, "No such file");
}

/* ---- as sets ---- */

static void put_records(const char *name, int count, int labels, int first) {
    uint8_t bytes[4 * (2 + CIFAR_PIXELS)];
    size_t len = 0;
    for (int i = 0; i < count; i++) {
        const uint8_t label[] = {(uint8_t)(first + i), (uint8_t)(first + i + 20)};
        len += add_record(bytes + len, label, labels, first + i);
    }
    put(name, bytes, len);
}

static void six_files_are_cifar_10(void **state) {
    (void)state;
    for (int i = 1; i <= 5; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "data_batch_%d.bin", i);
        put_records(name, 2, 1, i);
    }
    put_records("test_batch.bin", 3, 1, 7);
    struct dataset set;
    struct dataset_spec spec = folder_spec();
    open_good(&set, &spec);
    assert_int_equal(set.train.count, 10);
    assert_int_equal(set.test.count, 3);
    assert_int_equal(set.classes, 10);
    assert_int_equal(set.type, DATA_UINT8);
    assert_int_equal(set.shape.C, 3);
    assert_int_equal(set.shape.H, 32);
    assert_int_equal(set.shape.W, 32);
    assert_int_equal(set.train.labels[4], 3); // the first of the third file
    assert_int_equal(set.test.labels[2], 9);
    dataset_close(&set);
    spec.coarse = true;
    open_bad(&spec, ERR_RANGE, "\"labels\" is for CIFAR-100");
    spec.coarse = false;
    drop("data_batch_3.bin");
    open_bad(&spec, ERR_NOT_FOUND, "no data_batch_3.bin[.gz] in");
}

static void two_files_are_cifar_100_with_either_label(void **state) {
    (void)state;
    put_records("train.bin", 4, 2, 5);
    put_records("test.bin", 1, 2, 9);
    struct dataset fine, coarse;
    struct dataset_spec spec = folder_spec();
    open_good(&fine, &spec);
    assert_int_equal(fine.classes, 100);
    assert_int_equal(fine.train.count, 4);
    assert_int_equal(fine.train.labels[1], 26);
    spec.coarse = true;
    open_good(&coarse, &spec); // another cache file, in the same folder
    assert_int_equal(coarse.classes, 20);
    assert_int_equal(coarse.train.labels[1], 6);
    assert_memory_equal(coarse.train.images, fine.train.images, 4 * CIFAR_PIXELS);
    assert_string_not_equal(coarse.hash, fine.hash);
    dataset_close(&coarse);
    dataset_close(&fine);
    spec.coarse = false;
    open_good(&fine, &spec);
    assert_int_equal(fine.classes, 100);
    dataset_close(&fine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(records_of_several_files_are_put_together),
        CASE(either_label_of_cifar_100_can_be_had),
        CASE(a_file_cut_within_a_record_is_refused),
        CASE(a_label_that_there_is_not_is_named),
        CASE(six_files_are_cifar_10),
        CASE(two_files_are_cifar_100_with_either_label),
    };
    return cmocka_run_group_tests_name("cifar", tests, NULL, NULL);
}
