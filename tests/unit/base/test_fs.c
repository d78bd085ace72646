/* Atomic writes, reads, folders and locks, each in a fresh folder. */
#include "base/fs.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test_fs.XXXXXX";

static char *in_dir(const char *name) {
    return mem_printf("%s/%s", dir, name);
}

static void assert_content(const char *name, const char *expected) {
    char *path = in_dir(name);
    struct buf text = {0};
    struct err err;
    assert_int_equal(fs_read(path, 1 << 20, &text, &err), ERR_OK);
    assert_string_equal(buf_text(&text), expected);
    buf_release(&text);
    free(path);
}

static bool exists(const char *name) {
    char *path = in_dir(name);
    bool found = access(path, F_OK) == 0;
    free(path);
    return found;
}

static void a_write_replaces_the_whole_file_and_leaves_no_temporary(void **state) {
    (void)state;
    struct err err;
    const struct fs_part old[] = {{"old and long", 12}}, new[] = {{"ne", 2}, {"", 0}, {"w", 1}};
    assert_int_equal(fs_write_atomic(dir, "a", old, 1, &err), ERR_OK);
    assert_int_equal(fs_write_atomic(dir, "a", new, 3, &err), ERR_OK);
    assert_content("a", "new");
    assert_false(exists(".a.tmp"));
}

static void a_stale_temporary_of_a_dead_writer_is_in_nobodys_way(void **state) {
    (void)state;
    struct err err;
    char *tmp = in_dir(".b.tmp");
    int fd = open(tmp, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "half", 4), 4);
    close(fd);
    const struct fs_part part = {"whole", 5};
    assert_int_equal(fs_write_atomic(dir, "b", &part, 1, &err), ERR_OK);
    assert_content("b", "whole");
    assert_false(exists(".b.tmp"));
    free(tmp);
}

static void a_symbolic_link_in_the_temporary_s_place_is_not_followed(void **state) {
    (void)state;
    struct err err;
    char *target = in_dir("target"), *tmp = in_dir(".c.tmp");
    const struct fs_part part = {"x", 1};
    assert_int_equal(symlink(target, tmp), 0);
    assert_int_equal(fs_write_atomic(dir, "c", &part, 1, &err), ERR_OK);
    assert_false(exists("target"));
    free(target);
    free(tmp);
}

static void failures_name_the_step_and_the_path_and_leave_the_old(void **state) {
    (void)state;
    struct err err;
    const struct fs_part part = {"x", 1};
    assert_int_equal(fs_write_atomic("/no/such/folder", "a", &part, 1, &err), ERR_IO);
    assert_string_equal(err.msg, "open folder of /no/such/folder/a: No such file or directory");

    char *folder = in_dir("folder");
    assert_int_equal(mkdir(folder, 0755), 0); // rename() cannot put a file over a folder
    assert_int_equal(fs_write_atomic(dir, "folder", &part, 1, &err), ERR_IO);
    assert_non_null(strstr(err.msg, "rename "));
    assert_false(exists(".folder.tmp"));
    free(folder);
}

/* A file size limit stands for a full disk: write() fails in the middle. */
static void a_write_that_fails_midway_keeps_the_old_file(void **state) {
    (void)state;
    struct err err;
    const struct fs_part old = {"old", 3};
    assert_int_equal(fs_write_atomic(dir, "d", &old, 1, &err), ERR_OK);
    pid_t child = fork();
    if (child == 0) {
        static char big[100000];
        const struct fs_part part = {big, sizeof big};
        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096});
        int rc = fs_write_atomic(dir, "d", &part, 1, &err);
        _exit(rc == ERR_IO && strstr(err.msg, "write ") != NULL ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_content("d", "old");
    assert_false(exists(".d.tmp"));
}

static void reading_refuses_what_is_absent_too_long_or_no_file(void **state) {
    (void)state;
    struct err err;
    struct buf text = {0};
    const struct fs_part part = {"12345", 5};
    assert_int_equal(fs_write_atomic(dir, "e", &part, 1, &err), ERR_OK);
    char *path = in_dir("e"), *absent = in_dir("absent");
    assert_int_equal(fs_read(path, 5, &text, &err), ERR_OK);
    assert_int_equal(fs_read(path, 4, &text, &err), ERR_RANGE);
    assert_int_equal(fs_read(absent, 4, &text, &err), ERR_NOT_FOUND);
    assert_int_equal(fs_read(dir, 4, &text, &err), ERR_IO);
    assert_int_equal(text.len, 5); // failures add nothing
    buf_release(&text);
    free(path);
    free(absent);
}

static void a_fifo_without_a_writer_is_refused_at_once(void **state) {
    (void)state;
    struct err err;
    struct buf text = {0};
    char *path = in_dir("fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    (void)alarm(10); // a read that hangs ends the test
    assert_int_equal(fs_read(path, 100, &text, &err), ERR_IO);
    (void)alarm(0);
    assert_non_null(strstr(err.msg, "not a regular file"));
    buf_release(&text);
    free(path);
}

static void folders_are_made_on_the_way(void **state) {
    (void)state;
    struct err err;
    char *path = in_dir("x/y//z/"), *under_file = in_dir("a/b");
    assert_int_equal(fs_mkdirs(path, &err), ERR_OK);
    assert_int_equal(fs_mkdirs(path, &err), ERR_OK);
    assert_true(exists("x/y/z"));
    assert_int_equal(fs_mkdirs(under_file, &err), ERR_IO);
    assert_non_null(strstr(err.msg, "is a file, not a folder"));
    free(path);
    free(under_file);
}

static void a_lock_has_one_holder_and_ends_with_it(void **state) {
    (void)state;
    struct err err;
    char *path = in_dir("lock");
    int fd, second;
    assert_int_equal(fs_lock(path, &fd, &err), ERR_OK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fs_lock(path, &second, &err), ERR_BUSY);
    assert_non_null(strstr(err.msg, path));
    close(fd);
    assert_int_equal(fs_lock(path, &second, &err), ERR_OK);
    close(second);
    free(path);
}

static void looking_at_a_lock_takes_nothing(void **state) {
    (void)state;
    struct err err;
    char *path = in_dir("watched");
    assert_false(fs_lock_is_held(path));
    int fd, second;
    assert_int_equal(fs_lock(path, &fd, &err), ERR_OK);
    assert_true(fs_lock_is_held(path)); // also of this process, by another description
    pid_t child = fork();
    if (child == 0) {
        _exit(fs_lock_is_held(path) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(fs_lock(path, &second, &err), ERR_BUSY);
    close(fd);
    assert_false(fs_lock_is_held(path));

    // Somebody looks all the time: who takes the lock is never refused.
    child = fork();
    if (child == 0) {
        for (;;) {
            (void)fs_lock_is_held(path);
        }
    }
    int refused = 0;
    for (int i = 0; i < 2000; i++) {
        if (fs_lock(path, &fd, &err) == ERR_OK) {
            close(fd);
        } else {
            refused++;
        }
    }
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(refused, 0);
    free(path);
}

/* Its holder unlinks a lock's file: nobody may end up with a lock that the next one cannot see. */
static void a_lock_of_an_unlinked_file_is_none(void **state) {
    (void)state;
    struct err err;
    char *path = in_dir("gone");
    enum { ROUNDS = 2000 };
    pid_t child = fork();
    for (int i = 0; i < ROUNDS; i++) {
        int fd, second;
        int rc = fs_lock(path, &fd, &err);
        if (rc == ERR_OK) {
            int beside = fs_lock(path, &second, &err);
            (void)unlink(path);
            close(fd);
            if (beside != ERR_BUSY) {
                if (child == 0) {
                    _exit(1);
                }
                fail_msg("a second holder in round %d", i);
            }
        }
    }
    if (child == 0) {
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    free(path);
}

static int setup(void **state) {
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int teardown(void **state) {
    (void)state;
    char *command = mem_printf("rm -r %s", dir);
    int rc = system(command);
    free(command);
    return rc;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_replaces_the_whole_file_and_leaves_no_temporary),
        cmocka_unit_test(a_stale_temporary_of_a_dead_writer_is_in_nobodys_way),
        cmocka_unit_test(a_symbolic_link_in_the_temporary_s_place_is_not_followed),
        cmocka_unit_test(failures_name_the_step_and_the_path_and_leave_the_old),
        cmocka_unit_test(a_write_that_fails_midway_keeps_the_old_file),
        cmocka_unit_test(reading_refuses_what_is_absent_too_long_or_no_file),
        cmocka_unit_test(a_fifo_without_a_writer_is_refused_at_once),
        cmocka_unit_test(folders_are_made_on_the_way),
        cmocka_unit_test(a_lock_has_one_holder_and_ends_with_it),
        cmocka_unit_test(looking_at_a_lock_takes_nothing),
        cmocka_unit_test(a_lock_of_an_unlinked_file_is_none),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
