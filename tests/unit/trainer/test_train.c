/* The training loop: interruption and resumption at every point, what is saved when, what fails. */
#include "trainer/train.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TRAIN = 100, TEST = 40, PIXELS = 28 * 28 };

/* ---- a small image set: class c has a bright bar in row 2c + 4, in noise ---- */

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u; // LCG, Numerical Recipes
    return *state >> 8;
}

static void put_file(const char *dir, const char *name, const struct buf *content) {
    struct err err;
    const struct fs_part part = {content->data, content->len};
    if (fs_write_atomic(dir, name, &part, 1, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
}

static void put_be32(struct buf *out, uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        buf_putc(out, (char)(value >> shift));
    }
}

static void write_split(const char *dir, const char *images_name, const char *labels_name,
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

static void write_set(const char *dir, uint32_t seed) {
    write_split(dir, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", TRAIN, seed);
    write_split(dir, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", TEST, seed + 1);
}

/* ---- a folder for each test ---- */

static char root[64];

static int set_up(void **state) {
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

static int tear_down(void **state) {
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
};

static bool count_down(void *context) {
    struct countdown *countdown = context;
    countdown->asked++;
    return countdown->stop_at > 0 && countdown->asked >= countdown->stop_at;
}

static void fail_on_complaint(void *context, const struct config_complaint *complaint) {
    (void)context;
    fail_msg("%s: %s", complaint->path, complaint->message);
}

static void parse_config(struct config *config, const char *keys) {
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

static char *folder(const char *name) {
    char *path = mem_printf("%s/%s", root, name);
    struct err err;
    assert_int_equal(fs_mkdirs(path, &err), ERR_OK);
    return path;
}

/* Trains in root/`dir`, to be stopped at the stop_at'th question. */
static struct run train(const char *keys, const char *dir, long stop_at) {
    struct run run = {0};
    struct countdown countdown = {.stop_at = stop_at};
    char *checkpoints = folder(dir), *cache = folder("cache");
    size_t len = 0;
    FILE *out = open_memstream(&run.out, &len), *log = fopen("/dev/null", "w");
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

static void train_to(enum train_result expected, const char *keys, const char *dir, long stop_at) {
    struct run run = train(keys, dir, stop_at);
    if (run.rc != ERR_OK) {
        fail_msg("%s, stop %ld: %s", dir, stop_at, run.err.msg);
    }
    assert_int_equal(run.result, expected);
    free(run.out);
}

static bool exists(const char *dir, const char *name) {
    char *path = mem_printf("%s/%s/%s", root, dir, name);
    bool found = access(path, F_OK) == 0;
    free(path);
    return found;
}

static void read_checkpoint(const char *dir, const char *name, struct buf *out) {
    char *path = mem_printf("%s/%s/%s", root, dir, name);
    struct err err;
    if (fs_read(path, 100 << 20, out, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    free(path);
}

static void assert_same_file(const char *dir_a, const char *dir_b, const char *name) {
    struct buf a = {0}, b = {0};
    read_checkpoint(dir_a, name, &a);
    read_checkpoint(dir_b, name, &b);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    buf_release(&a);
    buf_release(&b);
}

/* The epoch records among the lines of `out`, without their timings. */
static char *records_of(const char *out) {
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

/* ---- tests ---- */

/* 100 images in batches of 48: the last one is partial.  Dropout, a schedule, L2 and an optimizer with
 * two state vectors take part. */
static const char small[] =
    "\"model\": {\"layers\": [\"flatten\", {\"type\": \"dense\", \"units\": 20, "
    "\"activation\": \"prelu\"}, \"dropout\", {\"type\": \"dense\", \"units\": "
    "10}]}, \"batch_size\": 48, \"epochs\": 3, \"l2\": 0.001, \"schedule\": "
    "\"exponential\"";
static const char last[] = "cp-0003.safetensors";

static void interrupted_at_any_batch_it_ends_as_if_it_had_not_been(void **state) {
    (void)state;
    struct run whole = train(small, "whole", 0);
    assert_int_equal(whole.rc, ERR_OK);
    assert_int_equal(whole.result, TRAIN_DONE);
    char *expected = records_of(whole.out);
    assert_true(whole.asked >= 12); // 3 epochs of 3 batches and an evaluation
    for (long stop_at = 1; stop_at <= whole.asked; stop_at++) {
        char dir[32];
        (void)snprintf(dir, sizeof dir, "stop%ld", stop_at);
        train_to(TRAIN_SAVED, small, dir, stop_at);
        struct run rest = train(small, dir, 0);
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

static void interrupted_again_and_again_it_ends_as_if_it_had_not_been(void **state) {
    (void)state;
    train_to(TRAIN_DONE, small, "whole", 0);
    int stops = 0;
    for (;;) {
        struct run run = train(small, "often", 2); // one batch at a time
        assert_int_equal(run.rc, ERR_OK);
        enum train_result result = run.result;
        free(run.out);
        if (result == TRAIN_DONE) {
            break;
        }
        assert_int_equal(result, TRAIN_SAVED);
        assert_true(++stops < 100); // there is progress
    }
    assert_true(stops >= 9);
    assert_same_file("whole", "often", last);
}

static void a_convolution_with_momentum_resumes_bit_for_bit(void **state) {
    (void)state;
    static const char lenet[] =
        "\"model\": \"lenet5\", \"optimizer\": {\"name\": \"momentum\", \"lr\": "
        "0.05}, \"batch_size\": 32, \"epochs\": 2, \"dropout\": 0.1";
    train_to(TRAIN_DONE, lenet, "whole", 0);
    train_to(TRAIN_SAVED, lenet, "cut", 3);
    train_to(TRAIN_DONE, lenet, "cut", 0);
    assert_same_file("whole", "cut", "cp-0002.safetensors");
}

static void more_epochs_go_on_from_the_last_checkpoint(void **state) {
    (void)state;
    static const char four[] = "\"model\": \"logistic\", \"batch_size\": 32, \"epochs\": 4";
    static const char two[] = "\"model\": \"logistic\", \"batch_size\": 32, \"epochs\": 2";
    train_to(TRAIN_DONE, four, "whole", 0);
    train_to(TRAIN_DONE, two, "extended", 0);
    struct run rest = train(four, "extended", 0);
    assert_int_equal(rest.rc, ERR_OK);
    assert_non_null(strstr(rest.out, "\"event\": \"start\", \"from_epoch\": 2, "));
    assert_same_file("whole", "extended", "cp-0004.safetensors");
    free(rest.out);
}

static void a_finished_training_repeats_its_records_and_is_done(void **state) {
    (void)state;
    static const char keys[] = "\"model\": \"logistic\", \"epochs\": 2";
    struct run first = train(keys, "done", 0), again = train(keys, "done", 0);
    assert_int_equal(first.rc, ERR_OK);
    assert_int_equal(again.rc, ERR_OK);
    assert_int_equal(again.result, TRAIN_DONE);
    assert_int_equal(again.asked, 0); // no batch
    char *a = records_of(first.out), *b = records_of(again.out);
    assert_string_equal(a, b);
    assert_null(strstr(again.out, "seconds")); // repeated records have no timings
    assert_non_null(strstr(again.out, "{\"event\": \"done\"}\n"));
    free(a);
    free(b);
    free(first.out);
    free(again.out);
}

static void it_learns(void **state) {
    (void)state;
    struct run run = train("\"model\": \"mlp\", \"epochs\": 8, \"batch_size\": 16", "learn", 0);
    assert_int_equal(run.rc, ERR_OK);
    const char *record = strstr(run.out, "{\"epoch\": 8");
    assert_non_null(record);
    double accuracy = 0;
    const char *at = strstr(record, "\"val_accuracy\": ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"val_accuracy\": %lf", &accuracy), 1);
    if (accuracy < 0.8) { // the bars are easy
        fail_msg("val_accuracy is %g after 8 epochs", accuracy);
    }
    free(run.out);
}

static void checkpoints_are_made_when_due_and_surplus_is_dropped(void **state) {
    (void)state;
    train_to(TRAIN_DONE,
             "\"model\": \"logistic\", \"epochs\": 5, \"checkpoint\": {\"every\": 2, \"keep\": 0, "
             "\"best\": false}",
             "every", 0);
    static const bool due[6] = {false, false, true, false, true, true};
    for (int epoch = 1; epoch <= 5; epoch++) {
        char name[64];
        (void)snprintf(name, sizeof name, "cp-%04d.safetensors", epoch);
        assert_int_equal(exists("every", name), due[epoch]);
    }
    train_to(
        TRAIN_DONE,
        "\"model\": \"logistic\", \"epochs\": 5, \"checkpoint\": {\"keep\": 1, \"best\": false}",
        "keep", 0);
    assert_false(exists("keep", "cp-0004.safetensors"));
    assert_true(exists("keep", "cp-0005.safetensors"));
}

static void surplus_of_a_trainer_that_died_early_is_dropped_on_resuming(void **state) {
    (void)state;
    train_to(TRAIN_DONE, "\"model\": \"logistic\", \"epochs\": 4, \"checkpoint\": {\"keep\": 0}",
             "surplus", 0);
    train_to(
        TRAIN_DONE,
        "\"model\": \"logistic\", \"epochs\": 4, \"checkpoint\": {\"keep\": 1, \"best\": false}",
        "surplus", 0);
    assert_false(exists("surplus", "cp-0001.safetensors"));
    assert_false(exists("surplus", "cp-0003.safetensors"));
    assert_true(exists("surplus", "cp-0004.safetensors"));
}

static void a_loss_that_is_not_finite_fails_as_diverged(void **state) {
    (void)state;
    struct run run =
        train("\"model\": \"lenet5\", \"optimizer\": {\"name\": \"sgd\", \"lr\": 1e10}, "
              "\"batch_size\": 8",
              "diverged", 0);
    assert_int_equal(run.rc, ERR_OK);
    assert_int_equal(run.result, TRAIN_DIVERGED);
    assert_int_equal(run.err.code, ERR_DIVERGED);
    assert_non_null(strstr(run.err.msg, "the loss of epoch 1, batch "));
    assert_non_null(strstr(
        run.out, "{\"event\": \"failed\", \"reason\": \"diverged\", \"message\": \"the loss of"));
    assert_null(strstr(run.out, "\"done\""));
    free(run.out);
}

static void a_folder_of_another_trial_is_refused(void **state) {
    (void)state;
    train_to(TRAIN_DONE, "\"model\": \"logistic\", \"epochs\": 1", "shared", 0);
    struct run run = train("\"model\": \"logistic\", \"epochs\": 1, \"seed\": 2", "shared", 0);
    assert_int_equal(run.rc, ERR_DIFFERS);
    assert_non_null(strstr(run.err.msg, "holds checkpoints of another trial"));
    free(run.out);
}

static void other_data_than_the_checkpoints_is_refused(void **state) {
    (void)state;
    static const char one[] = "\"model\": \"logistic\", \"epochs\": 1";
    static const char two[] = "\"model\": \"logistic\", \"epochs\": 2";
    train_to(TRAIN_DONE, one, "data-changed", 0);
    char *data = folder("data");
    write_set(data, 77);
    free(data);
    struct run run = train(two, "data-changed", 0);
    assert_int_equal(run.rc, ERR_DIFFERS);
    assert_non_null(strstr(run.err.msg, "is not the one of the checkpoints"));
    assert_non_null(strstr(run.out, "{\"event\": \"failed\", \"reason\": \"differs\""));
    free(run.out);
}

static void layers_that_do_not_fit_the_images_are_refused(void **state) {
    (void)state;
    struct run run = train(
        "\"model\": {\"layers\": [\"flatten\", {\"type\": \"dense\", \"units\": 9}]}", "misfit", 0);
    assert_int_equal(run.rc, ERR_RANGE);
    free(run.out);
}

static void asked_to_stop_while_it_waits_for_the_folder_it_leaves(void **state) {
    (void)state;
    char *dir = folder("locked"), *path = mem_printf("%s/.lock", dir);
    int fd = -1;
    struct err err;
    assert_int_equal(fs_lock(path, &fd, &err), ERR_OK);
    train_to(TRAIN_SAVED, small, "locked", 2);
    (void)close(fd);
    train_to(TRAIN_DONE, small, "locked", 0);
    free(path);
    free(dir);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(interrupted_at_any_batch_it_ends_as_if_it_had_not_been),
        CASE(interrupted_again_and_again_it_ends_as_if_it_had_not_been),
        CASE(a_convolution_with_momentum_resumes_bit_for_bit),
        CASE(more_epochs_go_on_from_the_last_checkpoint),
        CASE(a_finished_training_repeats_its_records_and_is_done),
        CASE(it_learns),
        CASE(checkpoints_are_made_when_due_and_surplus_is_dropped),
        CASE(surplus_of_a_trainer_that_died_early_is_dropped_on_resuming),
        CASE(a_loss_that_is_not_finite_fails_as_diverged),
        CASE(a_folder_of_another_trial_is_refused),
        CASE(other_data_than_the_checkpoints_is_refused),
        CASE(layers_that_do_not_fit_the_images_are_refused),
        CASE(asked_to_stop_while_it_waits_for_the_folder_it_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
