/* Control groups: where they would go by what the kernel tells of mounts; then real ones, where they can be made.
 * Also the count of the kernel's kills, which they are asked about together. */
#include "runner/cgroup.h"

#include "base/mem.h"
#include "runner/oom.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Lines as in proc(5) and cgroups(7). */
#define PURE "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define HYBRID                                                                                     \
    "30 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"                            \
    "41 31 0:31 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
#define BLANK   "29 23 0:26 / /mnt/a\\040b rw - cgroup2 none rw\n"
#define WITHIN  "29 23 0:26 /box/1 /sys/fs/cgroup rw - cgroup2 cgroup rw\n"
#define SELF_V1 "9:name=systemd:/\n4:memory:/some\n"

static void the_place_is_below_the_mount_of_the_second_version(void **state) {
    (void)state;
    static const struct {
        const char *mounts, *self, *place;
    } rows[] = {
        {PURE, "0::/user.slice/a.scope\n", "/sys/fs/cgroup/user.slice/a.scope"},
        {PURE, "0::/\n", "/sys/fs/cgroup"},
        {HYBRID, SELF_V1 "0::/\n", "/sys/fs/cgroup/unified"},
        {HYBRID, SELF_V1 "0::/deep/er", "/sys/fs/cgroup/unified/deep/er"},
        {BLANK, "0::/x\n", "/mnt/a b/x"},
        {WITHIN, "0::/box/1\n", "/sys/fs/cgroup"},
        {WITHIN, "0::/box/1/c\n", "/sys/fs/cgroup/c"},
        {WITHIN, "0::/box/12\n", NULL}, // not within what is mounted
        {WITHIN, "0::/\n", NULL},
        {PURE, "0::/../other\n", NULL}, // outside of our namespace
        {PURE, SELF_V1, NULL},
        {SELF_V1, "0::/\n", NULL},
        {"", "", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *place = cgroup_place(rows[i].mounts, rows[i].self);
        assert_string_equal(place == NULL ? "-" : place,
                            rows[i].place == NULL ? "-" : rows[i].place);
        free(place);
    }
}

static void without_a_place_nothing_happens(void **state) {
    (void)state;
    cgroup_remove_stale(NULL, "x");
    cgroup_remove_stale("/no/such/folder", "x");
    assert_null(cgroup_open(NULL, "x", 1, 0));
    assert_null(cgroup_open("/no/such/folder", "x", 1, 0));
    assert_null(cgroup_path(NULL));
    cgroup_kill(NULL);
    cgroup_close(NULL);
    assert_int_equal(cgroup_new_events(NULL).kills, 0);
}

/* ---- a folder with files in the place of the kernel's ---- */

static char fake[32];

static int make_fake(void **state) {
    (void)state;
    strcpy(fake, "/tmp/test_cgroup.XXXXXX");
    return mkdtemp(fake) == NULL ? -1 : 0;
}

static int remove_fake(void **state) {
    (void)state;
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf %s", fake); // fits
    return system(command);
}

static void put(const char *name, const char *text) {
    char *path = mem_printf("%s/besom-f-%d-1/%s", fake, (int)getpid(), name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    free(path);
}

static void expect_file(const char *name, const char *text) {
    char *path = mem_printf("%s/besom-f-%d-1/%s", fake, (int)getpid(), name), got[64] = "";
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(got, sizeof got, file));
    assert_int_equal(fclose(file), 0);
    assert_string_equal(got, text);
    free(path);
}

static void a_limit_is_written_where_the_controller_is(void **state) {
    (void)state;
    char *group = mem_printf("%s/besom-f-%d-1", fake, (int)getpid());
    assert_int_equal(mkdir(group, 0755), 0); // as the kernel would, with its files
    put("memory.max", "");
    put("memory.swap.max", "");
    put("memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 3\noom_group_kill 0\n");
    struct cgroup *c = cgroup_open(fake, "f", 1, 2000000000);
    assert_non_null(c);
    assert_string_equal(cgroup_path(c), group);
    expect_file("memory.max", "2000000000");
    expect_file("memory.swap.max", "0");

    struct cgroup_events events = cgroup_new_events(c); // what was there before is not ours
    assert_int_equal(events.limit, 0);
    assert_int_equal(events.kills, 0);
    put("memory.events", "max 9\noom 3\noom_kill 5\n");
    events = cgroup_new_events(c);
    assert_int_equal(events.limit, 1);
    assert_int_equal(events.kills, 2);
    assert_int_equal(cgroup_new_events(c).kills, 0); // told once

    put("cgroup.kill", "");
    cgroup_kill(c);
    expect_file("cgroup.kill", "1");
    cgroup_close(c); // rmdir() refuses a folder with real files: it gives up
    assert_int_equal(access(group, F_OK), 0);
    free(group);
}

static void make_folder(const char *name) {
    char *path = mem_printf("%s/%s", fake, name);
    assert_int_equal(mkdir(path, 0755), 0);
    free(path);
}

static bool is_there(const char *name) {
    char *path = mem_printf("%s/%s", fake, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

static void empty_groups_of_dead_runners_are_removed(void **state) {
    (void)state;
    char live[64];
    (void)snprintf(live, sizeof live, "besom-ab12-%d-1", (int)getpid()); // fits
    make_folder(live);
    make_folder("besom-ab12-99999999-1"); // no process has such a number
    make_folder("besom-ab12-99999999-2");
    make_folder(
        "besom-ab12-99999999-2/in-use"); // rmdir() refuses it, as the kernel does one with processes
    make_folder("besom-mine-99999999-1");
    make_folder("somebody-else");
    cgroup_remove_stale(fake, "mine");
    assert_true(is_there(live));
    assert_false(is_there("besom-ab12-99999999-1"));
    assert_true(is_there("besom-ab12-99999999-2"));
    assert_false(is_there("besom-mine-99999999-1"));
    assert_true(is_there("somebody-else"));
}

static void the_kernels_kills_are_counted_in_vmstat(void **state) {
    (void)state;
    assert_int_equal(oom_count("nr_free_pages 1\noom_kill 42\nnuma_hit 3\n"), 42);
    assert_int_equal(oom_count("oom_kill 7"), 7);
    assert_int_equal(oom_count("my_oom_kill 7\nnr 1\n"), 0);
    assert_int_equal(oom_count(""), 0);
    struct oom_watch w = {0};
    assert_false(oom_has_grown(&w)); // never looked
    oom_look(&w, 1000000000);
    assert_false(oom_has_grown(&w)); // nobody was killed just now
    w.older -= 1;
    assert_true(oom_has_grown(&w));
    oom_look(&w, 2000000000); // too early to look again
    assert_true(oom_has_grown(&w));
    oom_look(&w, UINT64_C(7000000000));
    assert_false(oom_has_grown(&w)); // long ago
}

/* ---- the kernel's own ---- */

static void a_killed_runners_group_is_emptied_and_removed(void **state) {
    (void)state;
    char *place = cgroup_find();
    struct cgroup *c = cgroup_open(place, "unit-test", 1, 0);
    if (c == NULL) {
        print_message("no control group can be made here: skipped\n");
        free(place);
        skip();
    }
    char *procs = mem_printf("%s/cgroup.procs", cgroup_path(c));
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(procs, O_WRONLY | O_CLOEXEC);
        _exit(fd >= 0 && write(fd, "0", 1) == 1 && setsid() > 0 && pause() != 0 ? 1 : 2);
    }
    char line[16] = "";
    for (int i = 0; i < 500 && line[0] == '\0'; i++) {
        FILE *file = fopen(procs, "re");
        assert_non_null(file);
        (void)!fgets(line, sizeof line, file);
        (void)fclose(file);
        (void)usleep(10000);
    }
    assert_int_equal(atoi(line), pid);
    cgroup_remove_stale(place, "unit"); // another folder's
    assert_int_equal(kill(pid, 0), 0);
    cgroup_remove_stale(place, "unit-test"); // as the next runner does
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_not_equal(access(cgroup_path(c), F_OK), 0);
    cgroup_close(c);
    free(procs);
    free(place);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_place_is_below_the_mount_of_the_second_version),
        cmocka_unit_test(without_a_place_nothing_happens),
        cmocka_unit_test_setup_teardown(a_limit_is_written_where_the_controller_is, make_fake,
                                        remove_fake),
        cmocka_unit_test_setup_teardown(empty_groups_of_dead_runners_are_removed, make_fake,
                                        remove_fake),
        cmocka_unit_test(the_kernels_kills_are_counted_in_vmstat),
        cmocka_unit_test(a_killed_runners_group_is_emptied_and_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
