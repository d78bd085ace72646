/* What becomes of a program that gets no memory. */
#include "base/mem.h"

#include "base/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void *volatile sink; // so that no allocation is optimized away

static void too_many_zeroed(void) {
    sink = mem_zalloc(SIZE_MAX / 2, 4);
}

static void too_long(void) {
    sink = mem_resize(NULL, SIZE_MAX, 1);
}

static void too_long_aligned(void) {
    sink = mem_aligned(SIZE_MAX, 1);
}

static void too_long_for_a_library(void) {
    sink = mem_malloc(SIZE_MAX);
}

static void too_many_for_a_library(void) {
    sink = mem_calloc(SIZE_MAX, SIZE_MAX);
}

static void library_failed(void) {
    mem_exhausted();
}

/* Runs it in a child; its exit status, and what it said on stderr. */
static int status_of(void (*run)(void), char said[256]) {
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(fd[1], STDERR_FILENO);
        (void)fputs("half a line", stdout); // must not come out
        run();
        _exit(0);
    }
    (void)close(fd[1]);
    ssize_t len = read(fd[0], said, 255);
    said[len < 0 ? 0 : len] = '\0';
    (void)close(fd[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status)); // no signal, so no core
    return WEXITSTATUS(status);
}

static void without_memory_a_program_says_so_and_leaves(void **state) {
    (void)state;
    static void (*const ways[])(void) = {too_many_zeroed,        too_long,
                                         too_long_aligned,       too_long_for_a_library,
                                         too_many_for_a_library, library_failed};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char said[256];
        assert_int_equal(status_of(ways[i], said), WIRE_EXIT_NO_MEMORY);
        assert_non_null(strstr(said, ": out of memory"));
        assert_int_equal(said[strlen(said) - 1], '\n');
    }
}

static void nothing_is_something(void **state) {
    (void)state;
    void *all[] = {mem_zalloc(0, 8), mem_resize(NULL, 0, 0), mem_aligned(0, 1),
                   mem_malloc(0),    mem_calloc(0, 0),       mem_realloc(NULL, 0)};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_non_null(all[i]);
        free(all[i]);
    }
}

static void what_is_aligned_is_zeroed_on_a_line_or_if_large_on_a_huge_page(void **state) {
    (void)state;
    static const size_t sizes[] = {1,      64, 65, 4096, (2 << 20) - 64, 2 << 20, (2 << 20) + 1,
                                   5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int times = 0; times < 2; times++) { // the second may be what the first gave back
            unsigned char *p = mem_aligned(sizes[i], 1);
            assert_int_equal((uintptr_t)p % (sizes[i] < 2 << 20 ? 64 : 2 << 20), 0);
            for (size_t at = 0; at < sizes[i]; at++) {
                assert_int_equal(p[at], 0);
                p[at] = 1;
            }
            free(p);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_a_program_says_so_and_leaves),
        cmocka_unit_test(nothing_is_something),
        cmocka_unit_test(what_is_aligned_is_zeroed_on_a_line_or_if_large_on_a_huge_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
