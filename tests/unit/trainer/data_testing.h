/* tests/unit/trainer/data_testing.h - a folder with the files of a data set, for the tests of readers. */
#ifndef TESTS_UNIT_TRAINER_DATA_TESTING_H
#define TESTS_UNIT_TRAINER_DATA_TESTING_H

#include "base/err.h"
#include "base/mem.h"
#include "trainer/data.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], cache[80];

static inline int set_up(void **state) {
    (void)state;
    strcpy(folder, "/tmp/test_reader.XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(cache, sizeof cache, "%s/cache", folder);
    return 0;
}

static inline int tear_down(void **state) {
    (void)state;
    char *command = mem_printf("rm -r %s", folder);
    int rc = system(command);
    free(command);
    return rc;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Makes a file of the folder. */
static inline void put(const char *name, const void *bytes, size_t len) {
    char *path = mem_printf("%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(close(fd), 0);
    free(path);
}

static inline void put_text(const char *name, const char *text) {
    put(name, text, strlen(text));
}

static inline void drop(const char *name) {
    char *path = mem_printf("%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
    free(path);
}

/* A spec of this folder with all at its defaults. */
static inline struct dataset_spec folder_spec(void) {
    return (struct dataset_spec){.kind = DATASET_FILES, .name = folder, .split = EMNIST_UNSAID};
}

static inline void open_good(struct dataset *set, const struct dataset_spec *spec) {
    struct err err;
    *set = (struct dataset){0};
    if (dataset_open(set, spec, cache, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
}

static inline void open_bad(const struct dataset_spec *spec, int code, const char *text) {
    struct dataset set = {0};
    struct err err = {0};
    int rc = dataset_open(&set, spec, cache, &err);
    if (rc != code || strstr(err.msg, text) == NULL) {
        fail_msg("%s \"%s\", expected %s \"%s\"", err_name(rc), err.msg, err_name(code), text);
    }
    assert_null(set.map); // written on success only
    dataset_close(&set);
}

#endif
