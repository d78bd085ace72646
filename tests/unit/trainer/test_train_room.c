/* Trainings whose disk has no room for a while.  The linker puts the functions below between the trainer and the
 * system calls (--wrap); the disk has room again when a training has rested a few times. */
#include "tests/unit/trainer/train_testing.h"

#include <errno.h>
#include <time.h>

static struct {
    const char *failing; // "write" or "fdatasync"; NULL: there is room
    int cause;
    int skip;  // so many calls of it succeed first
    int rests; // until there is room
    int rested;
} disk;

ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_nanosleep(const struct timespec *pause, struct timespec *left);

static bool fails(const char *call) {
    if (disk.failing == NULL || strcmp(disk.failing, call) != 0 || disk.skip-- > 0) {
        return false;
    }
    errno = disk.cause;
    return true;
}

ssize_t __wrap_write(int fd, const void *data, size_t len) {
    return fails("write") ? -1 : __real_write(fd, data, len);
}

int __wrap_fdatasync(int fd) {
    return fails("fdatasync") ? -1 : __real_fdatasync(fd);
}

int __wrap_nanosleep(const struct timespec *pause, struct timespec *left) {
    (void)pause;
    (void)left;
    if (++disk.rested >= disk.rests) {
        disk.failing = NULL;
    }
    return 0;
}

static const char keys[] =
    "\"model\": \"logistic\", \"batch_size\": 20, \"epochs\": 3, \"checkpoint\": {\"every\": 1, "
    "\"keep\": 0}, \"stop\": {\"seconds\": 1000}";

static int count(const char *text, const char *part) {
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++) {
        n++;
    }
    return n;
}

static void assert_same_checkpoints(const char *a, const char *b) {
    char *command =
        mem_printf("cd %s && diff -r -x .lock -x time.json -x origin.json %s %s >&2", root, a, b);
    assert_int_equal(system(command), 0);
    free(command);
}

static void a_training_waits_for_room_and_ends_as_if_there_had_been_some(void **state) {
    (void)state;
    static const struct {
        const char *failing;
        int cause;
    } cases[] = {{"write", ENOSPC}, {"write", EDQUOT}, {"fdatasync", ENOSPC}};
    struct run whole = train(keys, "whole", 0);
    assert_int_equal(whole.rc, ERR_OK);
    char *expected = records_of(whole.out);
    int waited = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int skip = 0; skip < 12;
             skip++) { // another file each time, also the cache's and time.json
            char dir[32], cache[64];
            (void)snprintf(dir, sizeof dir, "full%zu-%d", i, skip);
            (void)snprintf(cache, sizeof cache, "rm -rf %.40s/cache", root);
            assert_int_equal(system(cache), 0);
            memset(&disk, 0, sizeof disk);
            disk.failing = cases[i].failing;
            disk.cause = cases[i].cause;
            disk.skip = skip;
            disk.rests = 3;
            struct run run = train(keys, dir, 0);
            if (run.rc != ERR_OK) {
                fail_msg("%s %d: %s", cases[i].failing, skip, run.err.msg);
            }
            assert_int_equal(run.result, TRAIN_DONE);
            bool met = disk.rested > 0;
            waited += met;
            disk.failing = NULL;
            assert_int_equal(count(run.out, "{\"event\": \"waiting\", \"reason\": \"disk full\"}"),
                             met);
            assert_int_equal(count(run.out, "{\"event\": \"resumed\"}"), met);
            assert_int_equal(disk.rested, met ? 3 : 0);
            char *records = records_of(run.out);
            assert_string_equal(records, expected);
            assert_same_checkpoints("whole", dir);
            free(records);
            free(run.out);
        }
    }
    assert_in_range(waited, 15, 36);
    free(expected);
    free(whole.out);
}

static void asked_to_stop_it_does_not_wait(void **state) {
    (void)state;
    struct run whole = train(keys, "first", 0);
    assert_int_equal(whole.rc, ERR_OK);
    disk.failing = "fdatasync"; // from the first checkpoint on: the cache is there
    disk.cause = ENOSPC;
    disk.skip = 0;
    disk.rests = 1000;
    disk.rested = 0;
    struct run run = train(keys, "left", whole.asked);
    disk.failing = NULL;
    assert_int_equal(run.rc, ERR_FULL);
    assert_in_range(disk.rested, 1, 999);
    assert_int_equal(count(run.out, "\"resumed\""), 0);

    struct run rest = train(keys, "left", 0);
    assert_int_equal(rest.rc, ERR_OK);
    assert_same_checkpoints("first", "left");
    free(whole.out);
    free(run.out);
    free(rest.out);
}

static void another_failure_is_not_waited_for(void **state) {
    (void)state;
    memset(&disk, 0, sizeof disk);
    disk.failing = "fdatasync";
    disk.cause = EIO;
    disk.rests = 3;
    struct run run = train(keys, "failing", 0);
    disk.failing = NULL;
    assert_int_equal(run.rc, ERR_IO);
    assert_int_equal(disk.rested, 0);
    free(run.out);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_training_waits_for_room_and_ends_as_if_there_had_been_some),
        CASE(asked_to_stop_it_does_not_wait),
        CASE(another_failure_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
