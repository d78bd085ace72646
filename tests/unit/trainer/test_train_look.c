/* Looks while a training runs: when, in which order with the records, and that they disturb nothing. */
#include "tests/unit/trainer/train_testing.h"

#define SMALL                                                                                      \
    "\"model\": {\"layers\": [\"flatten\", {\"type\": \"dense\", \"units\": 20, "                  \
    "\"activation\": \"prelu\"}, \"dropout\", {\"type\": \"dense\", \"units\": 10}]}, "            \
    "\"batch_size\": 48, \"epochs\": 3, \"l2\": 0.001, \"schedule\": \"exponential\", "            \
    "\"ema\": {\"decay\": 0.9}"

static const char plain_keys[] = SMALL;
static const char keys[] = SMALL ", \"inspect\": {\"every\": 2}";
static const char last[] = "cp-0003.safetensors";

/* The layers events among the lines of `out`, with the beginnings of the records between them. */
static char *looks_of(const char *out) {
    struct buf looks = {0};
    for (const char *line = out; *line != '\0'; line = strchr(line, '\n') + 1) {
        bool look = strncmp(line, "{\"event\": \"layers\"", 18) == 0;
        if (look || strncmp(line, "{\"epoch\": ", 10) == 0) {
            buf_put(&looks, line, look ? strcspn(line, "\n") : strlen("{\"epoch\": 1"));
            buf_putc(&looks, '\n');
        }
    }
    return buf_detach(&looks);
}

static int lines_of(const char *text) {
    int lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

/* What is behind a checkpoint's header. */
static const char *tensors_of(const struct buf *file, size_t *len) {
    uint64_t header;
    memcpy(&header, file->data, sizeof header);
    *len = file->len - 8 - header;
    return file->data + 8 + header;
}

static void a_look_disturbs_nothing(void **state) {
    (void)state;
    struct run plain = train(plain_keys, "plain", 0), looked = train(keys, "looked", 0);
    assert_int_equal(plain.rc, ERR_OK);
    assert_int_equal(looked.rc, ERR_OK);
    char *a = records_of(plain.out), *b = records_of(looked.out);
    assert_string_equal(a, b);
    struct buf one = {0}, two = {0};
    read_checkpoint("plain", last, &one);
    read_checkpoint("looked", last, &two);
    assert_true(one.len < two.len); // the looks are in its metadata
    size_t len_one, len_two;
    const char *tensors_one = tensors_of(&one, &len_one), *tensors_two = tensors_of(&two, &len_two);
    assert_int_equal(len_one, len_two);
    assert_memory_equal(tensors_one, tensors_two, len_one);
    buf_release(&one);
    buf_release(&two);
    free(a);
    free(b);
    free(plain.out);
    free(looked.out);
}

static void looks_come_at_the_start_and_before_the_records_of_their_epochs(void **state) {
    (void)state;
    struct run run = train(keys, "order", 0);
    assert_int_equal(run.rc, ERR_OK);
    char *looks = looks_of(run.out);
    assert_int_equal(lines_of(looks), 3 + 1 + 3 + 2); // dense, prelu, dense: twice
    assert_non_null(strstr(looks, "\"at_epoch\": 0, \"index\": 1, \"layer\": \"1 dense\""));
    assert_non_null(strstr(looks, "{\"epoch\": 1\n{\"event\": \"layers\", \"at_epoch\": 2, "));
    assert_non_null(strstr(looks, "{\"epoch\": 2\n{\"epoch\": 3\n"));
    const char *checkpoint = strstr(run.out, "cp-0002.safetensors");
    assert_true(checkpoint < strstr(run.out, "\"at_epoch\": 2, \"index\"")); // saved, then told
    free(looks);
    free(run.out);
}

static void the_one_at_the_start_can_be_left_out(void **state) {
    (void)state;
    struct run run = train(SMALL ", \"inspect\": {\"every\": 3, \"initial\": false}", "later", 0);
    assert_int_equal(run.rc, ERR_OK);
    char *looks = looks_of(run.out);
    assert_int_equal(lines_of(looks), 3 + 3);
    assert_null(strstr(looks, "\"at_epoch\": 0"));
    free(looks);
    free(run.out);
}

static void interrupted_at_any_batch_the_looks_are_the_same(void **state) {
    (void)state;
    struct run whole = train(keys, "whole", 0);
    assert_int_equal(whole.rc, ERR_OK);
    char *expected = looks_of(whole.out);
    for (long stop_at = 1; stop_at <= whole.asked; stop_at++) {
        char dir[32];
        (void)snprintf(dir, sizeof dir, "stop%ld", stop_at);
        train_to(TRAIN_SAVED, keys, dir, stop_at);
        struct run rest = train(keys, dir, 0);
        assert_int_equal(rest.rc, ERR_OK);
        char *looks = looks_of(rest.out); // repeated or taken
        assert_string_equal(looks, expected);
        assert_same_file("whole", dir, last);
        free(looks);
        free(rest.out);
    }
    free(expected);
    free(whole.out);
}

/* The looks are no part of the trial: one that began without them goes on with them. */
static void a_trial_can_get_them_later(void **state) {
    (void)state;
    train_to(TRAIN_SAVED, plain_keys, "changed", 5); // within the second epoch
    struct run rest = train(keys, "changed", 0);
    assert_int_equal(rest.rc, ERR_OK);
    char *looks = looks_of(rest.out);
    assert_int_equal(lines_of(looks), 3 + 3); // of epoch 2, and the records
    free(looks);
    free(rest.out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TRAIN_CASE(a_look_disturbs_nothing),
        TRAIN_CASE(looks_come_at_the_start_and_before_the_records_of_their_epochs),
        TRAIN_CASE(the_one_at_the_start_can_be_left_out),
        TRAIN_CASE(interrupted_at_any_batch_the_looks_are_the_same),
        TRAIN_CASE(a_trial_can_get_them_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
