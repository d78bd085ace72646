/* The steps of an atomic write, watched and failed one by one.
 *
 * The linker puts the functions below between base/fs.c and the system calls (--wrap).  Each notes its
 * name, so that a barrier left out or out of order shows, and fails when it is its turn. */
#include "base/fs.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
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

static char dir[] = "/tmp/test_fs_faults.XXXXXX";

/* What happened, and what shall fail. */
static struct {
    struct buf calls;
    const char *failing; // a name below, NULL for none
    int cause;           // its errno
    int skip;            // so many calls of that name succeed first
    size_t most;         // bytes that one write() takes
    int interrupted;     // so many write() calls answer EINTR first
} script;

static bool fails(const char *call) {
    buf_printf(&script.calls, "%s ", call);
    if (script.failing == NULL || strcmp(call, script.failing) != 0 || script.skip-- > 0) {
        return false;
    }
    errno = script.cause;
    return true;
}

int __real_openat(int dir_fd, const char *name, int flags, mode_t mode);
int __wrap_openat(int dir_fd, const char *name, int flags, mode_t mode);
ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_close(int fd);
int __wrap_close(int fd);
int __real_renameat(int old_fd, const char *old, int new_fd, const char *new);
int __wrap_renameat(int old_fd, const char *old, int new_fd, const char *new);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_openat(int dir_fd, const char *name, int flags, mode_t mode) {
    // a file is made anew, never through a link that somebody laid there, and kept from children
    const int guards = O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    bool bare = (flags & O_CREAT) != 0 && (flags & guards) != guards;
    return fails(bare ? "openat-unguarded" : "openat") ? -1
                                                       : __real_openat(dir_fd, name, flags, mode);
}

ssize_t __wrap_write(int fd, const void *data, size_t len) {
    if (script.interrupted > 0) {
        script.interrupted--;
        errno = EINTR;
        return -1;
    }
    size_t taken = script.most > 0 && len > script.most ? script.most : len;
    return fails("write") ? -1 : __real_write(fd, data, taken);
}

int __wrap_fdatasync(int fd) {
    return fails("fdatasync") ? -1 : __real_fdatasync(fd);
}

int __wrap_close(int fd) {
    bool failing = fails("close"); // lets go of the descriptor either way, as Linux does
    int cause = errno, rc = __real_close(fd);
    errno = cause;
    return failing ? -1 : rc;
}

int __wrap_renameat(int old_fd, const char *old, int new_fd, const char *new) {
    return fails("renameat") ? -1 : __real_renameat(old_fd, old, new_fd, new);
}

int __wrap_fsync(int fd) {
    return fails("fsync") ? -1 : __real_fsync(fd);
}

static void reset(void) {
    buf_release(&script.calls);
    memset(&script, 0, sizeof script);
}

static int open_descriptors(void) {
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    int count = 0;
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

static void assert_content(const char *name, const char *expected) {
    char *path = mem_printf("%s/%s", dir, name);
    struct buf text = {0};
    struct err err;
    assert_int_equal(fs_read(path, 1 << 20, &text, &err), ERR_OK);
    assert_string_equal(buf_text(&text), expected);
    buf_release(&text);
    free(path);
}

static void assert_absent(const char *name) {
    char *path = mem_printf("%s/%s", dir, name);
    assert_int_equal(access(path, F_OK), -1);
    free(path);
}

static void put(const char *name, const char *text) {
    const struct fs_part part = {text, strlen(text)};
    struct err err;
    assert_int_equal(fs_write_atomic(dir, name, &part, 1, &err), ERR_OK);
}

static void the_data_is_safe_before_its_name_and_the_name_before_the_return(void **state) {
    (void)state;
    reset();
    put("order", "x");
    // the second close is the folder's
    assert_string_equal(buf_text(&script.calls),
                        "openat write fdatasync close renameat fsync close ");
}

static void a_cache_is_not_waited_for(void **state) {
    (void)state;
    reset();
    const struct fs_part part = {"x", 1};
    struct err err;
    assert_int_equal(fs_write_cache(dir, "cache", &part, 1, &err), ERR_OK);
    assert_string_equal(buf_text(&script.calls), "openat write close renameat close ");
    reset();
    assert_content("cache", "x");
}

static void each_step_that_fails_is_named_and_leaves_the_old_file(void **state) {
    (void)state;
    static const struct {
        const char *call;
        int cause, skip, code;
        const char *step, *content;
    } cases[] = {
        {"openat", EACCES, 0, ERR_IO, "open ", "old"},
        {"openat", ENOSPC, 0, ERR_FULL, "open ", "old"},
        {"write", ENOSPC, 0, ERR_FULL, "write ", "old"},
        {"write", EDQUOT, 1, ERR_FULL, "write ", "old"}, // in the second part
        {"write", EIO, 0, ERR_IO, "write ", "old"},
        {"fdatasync", EIO, 0, ERR_IO, "fdatasync ", "old"},
        {"fdatasync", ENOSPC, 0, ERR_FULL, "fdatasync ", "old"},
        {"close", EDQUOT, 0, ERR_FULL, "close ", "old"}, // NFS tells so late
        {"renameat", EROFS, 0, ERR_IO, "rename ", "old"},
        {"fsync", EIO, 0, ERR_IO, "fsync folder of ", "new"}, // renamed already
    };
    int descriptors = open_descriptors();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reset();
        put("f", "old");
        reset();
        script.failing = cases[i].call;
        script.cause = cases[i].cause;
        script.skip = cases[i].skip;
        const struct fs_part parts[] = {{"ne", 2}, {"w", 1}};
        struct err err = {0};
        assert_int_equal(fs_write_atomic(dir, "f", parts, 2, &err), cases[i].code);
        char *message = mem_printf("%s%s/f: %s", cases[i].step, dir, strerror(cases[i].cause));
        assert_string_equal(err.msg, message);
        free(message);
        assert_int_equal(err.code, cases[i].code);
        reset();
        assert_content("f", cases[i].content);
        assert_absent(".f.tmp");
        assert_int_equal(open_descriptors(), descriptors);
    }
}

static void a_failed_fdatasync_is_not_tried_again(void **state) {
    (void)state;
    reset();
    script.failing = "fdatasync";
    script.cause = EIO;
    const struct fs_part part = {"x", 1};
    struct err err;
    assert_int_equal(fs_write_atomic(dir, "once", &part, 1, &err), ERR_IO);
    assert_string_equal(buf_text(&script.calls), "openat write fdatasync close close ");
    reset();
    assert_absent("once");
}

/* A second close() could hit a file that another thread has opened in between. */
static void a_failed_close_is_not_tried_again(void **state) {
    (void)state;
    reset();
    script.failing = "close";
    script.cause = EIO;
    const struct fs_part part = {"x", 1};
    struct err err;
    assert_int_equal(fs_write_atomic(dir, "closed", &part, 1, &err), ERR_IO);
    // the second close is the folder's
    assert_string_equal(buf_text(&script.calls), "openat write fdatasync close close ");
    reset();
    assert_absent("closed");
}

static void short_and_interrupted_writes_are_continued(void **state) {
    (void)state;
    reset();
    script.most = 3;
    script.interrupted = 2;
    put("short", "0123456789");
    assert_string_equal(buf_text(&script.calls),
                        "openat write write write write fdatasync close renameat fsync close ");
    reset();
    assert_content("short", "0123456789");
}

static void each_folder_made_is_made_durable_in_its_parent(void **state) {
    (void)state;
    struct err err;
    char *path = mem_printf("%s/a/b/c", dir);
    reset();
    assert_int_equal(fs_mkdirs(path, &err), ERR_OK);
    assert_string_equal(buf_text(&script.calls), "fsync close fsync close fsync close ");
    reset();
    assert_int_equal(fs_mkdirs(path, &err), ERR_OK); // all there: nothing to make durable
    assert_string_equal(buf_text(&script.calls), "");
    free(path);

    path = mem_printf("%s/d", dir);
    script.failing = "fsync";
    script.cause = EIO;
    assert_int_equal(fs_mkdirs(path, &err), ERR_IO);
    assert_non_null(strstr(err.msg, "fsync folder "));
    reset();
    free(path);
}

/* Callers try again on a full disk, and to them a folder that is there is made. */
static void a_folder_that_could_not_be_made_durable_is_made_again(void **state) {
    (void)state;
    struct err err;
    char *path = mem_printf("%s/e", dir);
    reset();
    script.failing = "fsync";
    script.cause = ENOSPC;
    assert_int_equal(fs_mkdirs(path, &err), ERR_IO); // not ERR_FULL
    assert_absent("e");
    reset();
    assert_int_equal(fs_mkdirs(path, &err), ERR_OK);
    assert_string_equal(buf_text(&script.calls), "fsync close ");
    reset();
    free(path);
}

static void a_name_without_room_for_its_temporary_is_refused(void **state) {
    (void)state;
    reset();
    char name[252];
    memset(name, 'n', sizeof name);
    name[251] = '\0';
    const struct fs_part part = {"x", 1};
    struct err err;
    assert_int_equal(fs_write_atomic(dir, name, &part, 1, &err), ERR_RANGE);
    assert_string_equal(buf_text(&script.calls), "");
    name[250] = '\0';
    put(name, "fits");
    reset();
    assert_content(name, "fits");
}

/* ---- many folders ---- */

enum { FOLDERS = 3 };

static void make_folders(void) {
    struct fs_folder folders[FOLDERS];
    for (int i = 0; i < FOLDERS; i++) {
        folders[i] = (struct fs_folder){.path = mem_printf("%s/many/%d", dir, i),
                                        .parts = {{"{}", 2}, {"\n", 1}}};
    }
    char *parent = mem_printf("%s/many", dir);
    fs_make_folders(parent, "config", folders, FOLDERS);
    for (int i = 0; i < FOLDERS; i++) {
        free(folders[i].path); // all of them, in any order
    }
    free(parent);
}

/* What is there of the folders: "F" a whole one, "." none, "?" anything else. */
static const char *look_at_folders(void) {
    static char seen[FOLDERS + 1];
    for (int i = 0; i < FOLDERS; i++) {
        char *path = mem_printf("%s/many/%d", dir, i), *file = mem_printf("%s/config", path);
        char *tmp = mem_printf("%s/.config.tmp", path);
        bool whole = access(file, F_OK) == 0 && access(tmp, F_OK) != 0;
        seen[i] = whole ? 'F' : access(path, F_OK) != 0 ? '.' : '?';
        free(path);
        free(file);
        free(tmp);
    }
    return seen;
}

static void remake_many(void) {
    char *command = mem_printf("rm -rf %s/many && mkdir %s/many", dir, dir);
    assert_int_equal(system(command), 0);
    free(command);
    reset();
}

static void of_many_folders_each_step_is_done_for_all_before_the_next(void **state) {
    (void)state;
    remake_many();
    make_folders();
    assert_string_equal(
        buf_text(&script.calls),
        "openat write write openat write write openat write write "
        "fdatasync close renameat fdatasync close renameat fdatasync close renameat "
        "fsync close fsync close fsync close " // the folders, and
        "fsync close ");                       // the one that they are in
    reset();
    assert_string_equal(look_at_folders(), "FFF");
    assert_content("many/1/config", "{}\n");
}

static void folders_that_meet_a_failure_are_taken_back_alone(void **state) {
    (void)state;
    static const struct {
        const char *call;
        int skip;
        const char *left;
    } cases[] = {
        {"openat", 1, "F.."},    {"write", 2, "F.."}, {"write", 3, "F.."},
        {"fdatasync", 1, "F.."}, {"close", 1, "F.."}, {"renameat", 2, "FF."},
    };
    int descriptors = open_descriptors();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        remake_many();
        script.failing = cases[i].call;
        script.cause = ENOSPC;
        script.skip = cases[i].skip;
        make_folders();
        reset();
        assert_int_equal(open_descriptors(), descriptors);
        assert_string_equal(look_at_folders(), cases[i].left);
    }
}

static void folders_that_are_not_durable_are_taken_back(void **state) {
    (void)state;
    for (int skip = 0; skip <= FOLDERS; skip++) {
        remake_many();
        script.failing = "fsync";
        script.cause = EIO;
        script.skip = skip;
        make_folders();
        reset();
        assert_string_equal(look_at_folders(), "...");
    }
}

static void a_folder_that_is_there_is_left_alone(void **state) {
    (void)state;
    remake_many();
    char *path = mem_printf("%s/many/1", dir);
    assert_int_equal(mkdir(path, 0755), 0);
    make_folders();
    reset();
    assert_string_equal(look_at_folders(), "F?F");
    assert_absent("many/1/config");
    free(path);
}

static int setup(void **state) {
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int teardown(void **state) {
    (void)state;
    reset();
    char *command = mem_printf("rm -r %s", dir);
    int rc = system(command);
    free(command);
    return rc;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_data_is_safe_before_its_name_and_the_name_before_the_return),
        cmocka_unit_test(a_cache_is_not_waited_for),
        cmocka_unit_test(each_step_that_fails_is_named_and_leaves_the_old_file),
        cmocka_unit_test(a_failed_fdatasync_is_not_tried_again),
        cmocka_unit_test(a_failed_close_is_not_tried_again),
        cmocka_unit_test(short_and_interrupted_writes_are_continued),
        cmocka_unit_test(each_folder_made_is_made_durable_in_its_parent),
        cmocka_unit_test(a_folder_that_could_not_be_made_durable_is_made_again),
        cmocka_unit_test(a_name_without_room_for_its_temporary_is_refused),
        cmocka_unit_test(of_many_folders_each_step_is_done_for_all_before_the_next),
        cmocka_unit_test(folders_that_meet_a_failure_are_taken_back_alone),
        cmocka_unit_test(folders_that_are_not_durable_are_taken_back),
        cmocka_unit_test(a_folder_that_is_there_is_left_alone),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
