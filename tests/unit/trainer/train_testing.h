/* tests/unit/trainer/train_testing.h - what the tests of whole trainings share: a small image set in a
 * folder of the test's own, a training there that is stopped where it is wanted, and its files. */
#ifndef TESTS_UNIT_TRAINER_TRAIN_TESTING_H
#define TESTS_UNIT_TRAINER_TRAIN_TESTING_H

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "trainer/train.h"

// cmocka.h wants these four before it
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRAIN = 100, TEST = 40, PIXELS = 28 * 28 };

/* ---- a small image set: class c has a bright bar in row 2c + 4, in noise ---- */

static inline uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u; // LCG, Numerical Recipes
    return *state >> 8;
}

static inline void put_file(const char *dir, const char *name, const struct buf *content) {
    struct err err;
    const struct fs_part part = {content->data, content->len};
    if (fs_write_atomic(dir, name, &part, 1, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
}

static inline void put_be32(struct buf *out, uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        buf_putc(out, (char)(value >> shift));
    }
}

static inline void write_split(const char *dir, const char *images_name, const char *labels_name,
                               uint32_t count, uint32_t seed) {
    struct buf images = {0}, labels = {0};
    put_be32(&images, 0x803);
    put_be32(&images, count);
    put_be32(&images, 28);
    put_be32(&images, 28);
    put_be32(&labels, 0x801);
    put_be32(&labels, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t label = i < 10 ? i : next_random(&seed) % 10; // every class occurs
        buf_putc(&labels, (char)label);
        for (uint32_t p = 0; p < PIXELS; p++) {
            uint32_t bar = p / 28 == 2 * label + 4 ? 128 : 0;
            buf_putc(&images, (char)(bar + next_random(&seed) % 128));
        }
    }
    put_file(dir, images_name, &images);
    put_file(dir, labels_name, &labels);
    buf_release(&images);
    buf_release(&labels);
}

static inline void write_set(const char *dir, uint32_t seed) {
    write_split(dir, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", TRAIN, seed);
    write_split(dir, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", TEST, seed + 1);
}

/* ---- a folder for each test ---- */

static char root[64]; // the folder of the test that runs

static inline int set_up(void **state) {
    (void)state;
    struct err err;
    strcpy(root, "/tmp/test_train.XXXXXX");
    if (mkdtemp(root) == NULL) {
        return -1;
    }
    char *data = mem_printf("%s/data", root);
    int rc = fs_mkdirs(data, &err);
    if (rc == ERR_OK) {
        write_set(data, 1);
    }
    free(data);
    return rc;
}

static inline int tear_down(void **state) {
    (void)state;
    char *command = mem_printf("rm -r %s", root);
    int rc = system(command);
    free(command);
    return rc;
}

/* ---- running ---- */

struct run {
    enum train_result result;
    int rc;
    struct err err;
    char *out;  // owned: what was printed
    long asked; // how often the training asked whether to stop
};

struct countdown {
    long asked, stop_at; // true from the stop_at'th time on; 0: never
    bool dies;           // instead
};

static inline bool count_down(void *context) {
    struct countdown *countdown = context;
    countdown->asked++;
    if (countdown->dies && countdown->asked == countdown->stop_at) {
        _exit(0); // nothing is flushed or saved: as by SIGKILL
    }
    return countdown->stop_at > 0 && countdown->asked >= countdown->stop_at;
}

static inline void fail_on_complaint(void *context, const struct config_complaint *complaint) {
    (void)context;
    fail_msg("%s: %s", complaint->path, complaint->message);
}

static inline void parse_config(struct config *config, const char *keys) {
    char *text = mem_printf("{\"dataset\": \"%s/data\", %s}", root, keys);
    struct json_doc *doc = NULL;
    struct err err;
    if (json_parse(&doc, "test", text, strlen(text), JSON_STRICT, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(config_parse(config, json_root(doc), fail_on_complaint, NULL), ERR_OK);
    json_free(doc);
    free(text);
}

static inline char *folder(const char *name) {
    char *path = mem_printf("%s/%s", root, name);
    struct err err;
    assert_int_equal(fs_mkdirs(path, &err), ERR_OK);
    return path;
}

/* Trains in root/`dir`; what it says to people goes to root/`dir`.log. */
static inline struct run train_with(const char *keys, const char *dir, struct countdown countdown) {
    struct run run = {0};
    char *checkpoints = folder(dir), *cache = folder("cache");
    char *log_path = mem_printf("%s/%s.log", root, dir);
    size_t len = 0;
    FILE *out = open_memstream(&run.out, &len), *log = fopen(log_path, "w");
    free(log_path);
    assert_non_null(out);
    assert_non_null(log);
    const struct train_options options = {.checkpoint_dir = checkpoints,
                                          .cache_dir = cache,
                                          .out = out,
                                          .log = log,
                                          .stop = count_down,
                                          .stop_context = &countdown};
    struct config config;
    parse_config(&config, keys);
    run.rc = train_run(&config, &options, &run.result, &run.err);
    run.asked = countdown.asked;
    config_release(&config);
    (void)fclose(out);
    (void)fclose(log);
    free(checkpoints);
    free(cache);
    return run;
}

/* Likewise, to be stopped at the stop_at'th question. */
static inline struct run train(const char *keys, const char *dir, long stop_at) {
    return train_with(keys, dir, (struct countdown){.stop_at = stop_at});
}

static inline void train_to(enum train_result expected, const char *keys, const char *dir,
                            long stop_at) {
    struct run run = train(keys, dir, stop_at);
    if (run.rc != ERR_OK) {
        fail_msg("%s, stop %ld: %s", dir, stop_at, run.err.msg);
    }
    assert_int_equal(run.result, expected);
    free(run.out);
}

static inline bool exists(const char *dir, const char *name) {
    char *path = mem_printf("%s/%s/%s", root, dir, name);
    bool found = access(path, F_OK) == 0;
    free(path);
    return found;
}

static inline void read_checkpoint(const char *dir, const char *name, struct buf *out) {
    char *path = mem_printf("%s/%s/%s", root, dir, name);
    struct err err;
    if (fs_read(path, 100 << 20, out, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    free(path);
}

static inline void assert_same_file(const char *dir_a, const char *dir_b, const char *name) {
    struct buf a = {0}, b = {0};
    read_checkpoint(dir_a, name, &a);
    read_checkpoint(dir_b, name, &b);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    buf_release(&a);
    buf_release(&b);
}

/* The epoch records among the lines of `out`, without their timings. */
static inline char *records_of(const char *out) {
    struct buf records = {0};
    for (const char *line = out; *line != '\0';) {
        const char *end = strchr(line, '\n');
        assert_non_null(end); // every line is whole
        const char *timings = strstr(line, ", \"seconds\"");
        if (strncmp(line, "{\"epoch\": ", 10) == 0) {
            const char *cut = timings != NULL && timings < end ? timings : end - 1;
            buf_put(&records, line, (size_t)(cut - line));
            buf_putc(&records, '\n');
        }
        line = end + 1;
    }
    return buf_detach(&records);
}

/* Interrupted before any of its batches, of which there are `least` or more, evaluations counted, a training ends
 * with the records and the checkpoint `last` of one that was not. */
static inline void check_interruptions(const char *keys, const char *last, long least) {
    struct run whole = train(keys, "whole", 0);
    assert_int_equal(whole.rc, ERR_OK);
    assert_int_equal(whole.result, TRAIN_DONE);
    char *expected = records_of(whole.out);
    assert_true(whole.asked >= least);
    for (long stop_at = 1; stop_at <= whole.asked; stop_at++) {
        char dir[32];
        (void)snprintf(dir, sizeof dir, "stop%ld", stop_at);
        train_to(TRAIN_SAVED, keys, dir, stop_at);
        struct run rest = train(keys, dir, 0);
        assert_int_equal(rest.rc, ERR_OK);
        assert_int_equal(rest.result, TRAIN_DONE);
        char *records = records_of(rest.out);
        assert_string_equal(records, expected);
        assert_same_file("whole", dir, last);
        free(records);
        free(rest.out);
    }
    free(expected);
    free(whole.out);
}

/* A test with a folder. */
#define TRAIN_CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
