/* When a death was a full disk's doing. */
#include "runner/room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void with_next_to_no_room_it_was_the_cause_whatever_was_said(void **state) {
    (void)state;
    assert_true(room_was_the_cause(0, NULL));
    assert_true(room_was_the_cause(ROOM_NONE_BYTES - 1, "Segmentation fault"));
    assert_false(room_was_the_cause(ROOM_NONE_BYTES, NULL));
    assert_false(room_was_the_cause(ROOM_NONE_BYTES, "Segmentation fault"));
}

static void with_little_room_the_last_words_count(void **state) {
    (void)state;
    static const char *const words[] = {"OSError: [Errno 28] No space left on device: 'x'",
                                        "Error: ENOSPC: no space left on device, write",
                                        "cp: error writing 'x': Disk quota exceeded"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        assert_true(room_was_the_cause(50 << 20, words[i]));
        assert_false(room_was_the_cause(ROOM_LITTLE_BYTES, words[i])); // of another disk, then
    }
}

/* df(1) asks the same kernel its own way. */
static void the_room_is_that_of_df(void **state) {
    (void)state;
    long long expected = 0;
    FILE *df = popen("df --output=avail -B1 /dev/shm | tail -n 1", "r");
    assert_non_null(df);
    assert_int_equal(fscanf(df, "%lld", &expected), 1);
    assert_int_equal(pclose(df), 0);
    int64_t left = room_left("/dev/shm");
    assert_in_range(left, expected - (64 << 20) > 0 ? expected - (64 << 20) : 0,
                    expected + (64 << 20)); // others write, too
    assert_true(room_left("/no/such/folder") == INT64_MAX);
    assert_false(room_is_none("/no/such/folder"));
}

static void a_file_system_without_a_size_has_no_end(void **state) {
    (void)state;
    assert_true(room_left("/proc") == INT64_MAX);
    assert_false(room_is_none("/proc"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_next_to_no_room_it_was_the_cause_whatever_was_said),
        cmocka_unit_test(with_little_room_the_last_words_count),
        cmocka_unit_test(the_room_is_that_of_df),
        cmocka_unit_test(a_file_system_without_a_size_has_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
