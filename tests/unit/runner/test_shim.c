/* besom-shim with real processes.  The path of the built program is SHIM. */
#include "runner/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[32];
};

static int setup(void **state) {
    static struct fixture f; // one at a time
    strcpy(f.dir, "/tmp/test_shim.XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    assert_int_equal(chdir(f.dir), 0);
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf %s", f->dir); // fits
    return system(command);
}

static void sleep_ms(int ms) {
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    (void)nanosleep(&time, NULL); // shorter when a signal comes: harmless
}

/* Starts "besom-shim OUR_PID /bin/sh -c SCRIPT" in the temporary folder, with "-g GROUP" unless it is NULL. */
static pid_t start_in(const char *group, const char *script) {
    char runner[16];
    (void)snprintf(runner, sizeof runner, "%d", (int)getpid()); // fits
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (group != NULL) {
            (void)execl(SHIM, "besom-shim", "-g", group, runner, "/bin/sh", "-c", script,
                        (char *)NULL);
        } else {
            (void)execl(SHIM, "besom-shim", runner, "/bin/sh", "-c", script, (char *)NULL);
        }
        _exit(99);
    }
    return pid;
}

static pid_t start(const char *script) {
    return start_in(NULL, script);
}

static int wait_end(pid_t pid) {
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int run(const char *script) {
    return wait_end(start(script));
}

/* Alive by the state in /proc: kill(pid, 0) also finds the dead that nobody waits for. */
static bool is_alive(int pid) {
    char path[32], text[256] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid); // fits
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    size_t n = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    const char *state = strrchr(text, ')');
    return state != NULL && state[2] != 'Z' && state[2] != 'X';
}

static bool dies_within_ms(int pid, int ms) {
    for (int waited = 0; waited < ms && is_alive(pid); waited += 10) {
        sleep_ms(10);
    }
    return !is_alive(pid);
}

/* The number that a script wrote into a file; waits for it. */
static int read_pid(const char *name) {
    int pid = 0;
    for (int i = 0; i < 500 && pid == 0; i++) {
        FILE *file = fopen(name, "re");
        if (file != NULL) {
            if (fscanf(file, "%d\n", &pid) != 1) {
                pid = 0;
            }
            (void)fclose(file);
        }
        if (pid == 0) {
            sleep_ms(10);
        }
    }
    assert_int_not_equal(pid, 0);
    return pid;
}

/* Three generations: the trainer, a child, and a daemon in a session of its own whose parent is gone. */
static const char family[] =
    "sleep 60 & echo $! >child\n"
    "(setsid sh -c 'trap \"\" TERM HUP INT; echo $$ >daemon.new; mv daemon.new daemon;"
    " while :; do sleep 1; done' &)\n"
    "while [ ! -s daemon ]; do sleep 0.02; done\n"
    "echo $$ >trainer.new; mv trainer.new trainer\n";

static char *family_then(char *out, size_t size, const char *then) {
    (void)snprintf(out, size, "%s%s", family, then); // fits
    return out;
}

static void assert_family_dies(int ms) {
    static const char *const names[] = {"trainer", "child", "daemon"};
    for (size_t i = 0; i < 3; i++) {
        int pid = read_pid(names[i]);
        if (!dies_within_ms(pid, ms)) {
            fail_msg("%s (%d) is alive after %d ms", names[i], pid, ms);
        }
    }
}

/* ---- tests ---- */

static void exit_status_is_passed_on(void **state) {
    (void)state;
    for (int status = 0; status < 256; status += 85) {
        char script[16];
        (void)snprintf(script, sizeof script, "exit %d", status); // fits
        int got = run(script);
        assert_true(WIFEXITED(got));
        assert_int_equal(WEXITSTATUS(got), status);
    }
}

static void signal_is_passed_on_without_a_second_core(void **state) {
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
    limit.rlim_cur = limit.rlim_max; // cores are wanted, where they are allowed
    assert_int_equal(setrlimit(RLIMIT_CORE, &limit), 0);
    static const int signals[] = {SIGSEGV, SIGKILL, SIGTERM, SIGABRT, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        char script[32];
        (void)snprintf(script, sizeof script, "kill -%d $$", signals[i]); // fits
        int got = run(script);
        assert_true(WIFSIGNALED(got));
        assert_int_equal(WTERMSIG(got), signals[i]);
        assert_false(WCOREDUMP(got));
    }
}

static void program_that_cannot_start_is_told_apart(void **state) {
    (void)state;
    static const struct {
        const char *program;
        int status;
    } cases[] = {{"/nonexistent/program", SHIM_EXIT_NOT_FOUND},
                 {"no-such-program-in-path", SHIM_EXIT_NOT_FOUND},
                 {"/etc/passwd", SHIM_EXIT_NOT_EXECUTABLE},
                 {"/tmp", SHIM_EXIT_NOT_EXECUTABLE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char runner[16];
        (void)snprintf(runner, sizeof runner, "%d", (int)getpid()); // fits
        pid_t pid = fork();
        if (pid == 0) {
            int fd = open("said", O_WRONLY | O_CREAT | O_TRUNC, 0600);
            (void)dup2(fd, 2); // if not, the message is looked for in vain
            (void)execl(SHIM, "besom-shim", runner, cases[i].program, (char *)NULL);
            _exit(99);
        }
        int got = wait_end(pid);
        assert_true(WIFEXITED(got));
        assert_int_equal(WEXITSTATUS(got), cases[i].status);
        char said[256] = "";
        FILE *file = fopen("said", "re");
        assert_non_null(file);
        assert_non_null(fgets(said, sizeof said, file));
        (void)fclose(file);
        assert_non_null(strstr(said, cases[i].program));
    }
}

static void descriptors_above_two_are_closed(void **state) {
    (void)state;
    int fd = open("held", O_WRONLY | O_CREAT, 0600); // not close-on-exec
    assert_true(fd > 2);
    assert_int_equal(dup2(fd, 200), 200);
    assert_int_equal(run("ls /proc/self/fd >list"), 0);
    (void)close(fd);
    (void)close(200);
    char list[256] = "";
    FILE *file = fopen("list", "re");
    assert_non_null(file);
    list[fread(list, 1, sizeof list - 1, file)] = '\0';
    (void)fclose(file);
    assert_string_equal(list, "0\n1\n2\n3\n"); // 3: the folder that ls reads
}

static void signals_are_reset_for_the_trainer(void **state) {
    (void)state;
    sigset_t blocked;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &blocked, NULL);
    (void)signal(SIGUSR1, SIG_IGN);
    int got = run("cat /proc/self/status >status; grep -E 'Sig(Blk|Ign|Cgt)' status >mask");
    (void)sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    (void)signal(SIGUSR1, SIG_DFL);
    assert_int_equal(got, 0);
    FILE *file = fopen("mask", "re");
    assert_non_null(file);
    char name[16];
    unsigned long bits;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fscanf(file, "%15s %lx\n", name, &bits), 2);
        assert_int_equal(bits & 0x7fffffff, 0);
    }
    (void)fclose(file);
}

static void what_the_trainer_leaves_behind_is_killed(void **state) {
    (void)state;
    char script[1024];
    int got = run(family_then(script, sizeof script, "exit 5\n"));
    assert_int_equal(WEXITSTATUS(got), 5);
    assert_family_dies(0); // at once: the shim has waited for them
}

static void quit_kills_all_at_once(void **state) {
    (void)state;
    char script[1024];
    pid_t shim =
        start(family_then(script, sizeof script, "trap '' TERM; while :; do sleep 1; done\n"));
    (void)read_pid("trainer");
    assert_int_equal(kill(shim, SIGQUIT), 0);
    int got = wait_end(shim);
    assert_true(WIFSIGNALED(got));
    assert_int_equal(WTERMSIG(got), SIGKILL);
    assert_family_dies(0);
}

static void term_is_for_the_trainer_and_its_group(void **state) {
    (void)state;
    pid_t shim = start("(trap 'echo 1 >child-asked; exit' TERM; echo 1 >ready;"
                       " while :; do sleep 0.02; done) &\n"
                       "trap 'sleep 0.2; exit 85' TERM\n"
                       "while :; do sleep 0.02; done");
    (void)read_pid("ready");
    sleep_ms(100); // for the trainer's own trap
    assert_int_equal(kill(shim, SIGTERM), 0);
    int got = wait_end(shim);
    assert_true(WIFEXITED(got));
    assert_int_equal(WEXITSTATUS(got), 85);
    assert_int_equal(access("child-asked", F_OK), 0);
}

/* A runner that dies: a child of ours starts the shim and is killed. */
static void nothing_outlives_a_killed_runner(void **state) {
    (void)state;
    char script[1024];
    (void)family_then(script, sizeof script, "trap '' TERM HUP; while :; do sleep 1; done\n");
    pid_t runner = fork();
    assert_true(runner >= 0);
    if (runner == 0) {
        pid_t shim = start(script);
        FILE *file = fopen("shim", "we");
        (void)fprintf(file, "%d\n", (int)shim);
        (void)fclose(file);
        (void)pause();
        _exit(0);
    }
    (void)read_pid("trainer");
    int shim = read_pid("shim");
    assert_int_equal(kill(runner, SIGKILL), 0);
    (void)wait_end(runner);
    assert_family_dies(1000);
    assert_true(dies_within_ms(shim, 1000));
}

static void a_killed_shim_takes_the_trainer_along(void **state) {
    (void)state;
    pid_t shim = start("echo $$ >trainer; trap '' TERM HUP; while :; do sleep 1; done");
    int trainer = read_pid("trainer");
    assert_int_equal(kill(shim, SIGKILL), 0);
    (void)wait_end(shim);
    assert_true(dies_within_ms(trainer, 1000));
}

static void a_foreign_hangup_is_no_death_of_the_runner(void **state) {
    (void)state;
    pid_t shim = start("echo $$ >trainer; sleep 0.3; exit 9");
    (void)read_pid("trainer");
    assert_int_equal(kill(shim, SIGHUP), 0);
    int got = wait_end(shim);
    assert_true(WIFEXITED(got));
    assert_int_equal(WEXITSTATUS(got), 9);
}

static void a_runner_that_is_gone_already_starts_nothing(void **state) {
    (void)state;
    pid_t pid = fork();
    if (pid == 0) { // process 1 is not our parent's id
        (void)execl(SHIM, "besom-shim", "1", "/bin/sh", "-c", "echo 1 >ran", (char *)NULL);
        _exit(99);
    }
    assert_int_equal(WEXITSTATUS(wait_end(pid)), SHIM_EXIT_NOT_STARTED);
    assert_int_equal(access("ran", F_OK), -1);
}

static void stop_and_continue_reach_all_below_but_the_shim(void **state) {
    (void)state;
    pid_t shim = start("(setsid sh -c 'echo $$ >daemon; while :; do date +%s%N >>ticks;"
                       " sleep 0.02; done' &)\n"
                       "sleep 20");
    (void)read_pid("daemon");
    (void)read_pid("ticks");
    assert_int_equal(kill(shim, SIGTSTP), 0);
    sleep_ms(200);
    FILE *ticks = fopen("ticks", "re");
    assert_non_null(ticks);
    (void)fseek(ticks, 0, SEEK_END);
    long stopped = ftell(ticks);
    sleep_ms(200);
    (void)fseek(ticks, 0, SEEK_END);
    assert_int_equal(ftell(ticks), stopped);
    assert_int_equal(kill(shim, SIGCONT), 0);
    sleep_ms(300);
    (void)fseek(ticks, 0, SEEK_END);
    assert_true(ftell(ticks) > stopped);
    (void)fclose(ticks);
    assert_int_equal(kill(shim, SIGTSTP), 0); // stopped ones can be killed, too
    sleep_ms(50);
    assert_int_equal(kill(shim, SIGQUIT), 0);
    (void)wait_end(shim);
}

static void a_chain_of_daemons_is_ended(void **state) {
    (void)state;
    // Generation after generation, each in a session of its own, each gone when the next starts.
    pid_t shim = start(
        "echo 'echo $$ >>hops; [ $1 = 0 ] || setsid sh ./hop $(($1 - 1)) & sleep 0.01; sleep 0.02' "
        ">hop; sh ./hop 300 & echo $$ >trainer; sleep 0.3; exit 0");
    int got = wait_end(shim);
    assert_int_equal(got, 0);
    sleep_ms(100);
    assert_int_equal(system("cat hops | while read pid; do"
                            " grep -qs hop /proc/$pid/cmdline && exit 1; done; exit 0"),
                     0);
    assert_int_equal(system("[ $(wc -l <hops) -gt 3 ]"), 0);
}

/* ---- what a kernel or a system may refuse ---- */

/* Has a system call fail from here on, also behind an exec. */
static void refuse(int call, int cause) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | cause),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_fprog filter = {sizeof program / sizeof *program, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        _exit(98);
    }
}

static void what_is_refused_is_told_and_starts_nothing(void **state) {
    (void)state;
    static const struct {
        int call, cause;
        const char *word;
    } cases[] = {{SYS_close_range, ENOSYS, "close_range: Function not implemented"},
                 {SYS_clone, EAGAIN, "fork: Resource temporarily unavailable"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            char runner[16];
            (void)snprintf(runner, sizeof runner, "%d", (int)getppid()); // fits
            int fd = open("said", O_WRONLY | O_CREAT | O_TRUNC, 0600);
            (void)dup2(fd, 2); // if not, the message is looked for in vain
            (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1); // its detector clones, too
            refuse(cases[i].call, cases[i].cause);
            (void)execl(SHIM, "besom-shim", runner, "/bin/sh", "-c", "echo 1 >ran", (char *)NULL);
            _exit(99);
        }
        int got = wait_end(pid);
        assert_true(WIFEXITED(got));
        assert_int_equal(WEXITSTATUS(got), SHIM_EXIT_NOT_STARTED);
        assert_int_equal(access("ran", F_OK), -1);
        char said[256] = "";
        FILE *file = fopen("said", "re");
        assert_non_null(file);
        assert_non_null(fgets(said, sizeof said, file));
        (void)fclose(file);
        assert_non_null(strstr(said, cases[i].word));
    }
}

static void who_calls_it_wrongly_gets_the_usage_and_no_trainer(void **state) {
    (void)state;
    assert_int_equal(system(SHIM " 2>said; [ $? = 125 ] && grep -q '^usage: besom-shim' said"), 0);
    assert_int_equal(system(SHIM " $$ 2>said; [ $? = 125 ] && grep -q '^usage: besom-shim' said"),
                     0);
    assert_int_equal(system(SHIM " -x $$ touch ran 2>said; [ $? = 125 ] && grep -q '^usage' said"),
                     0);
    // a report without a pipe for it
    assert_int_equal(system(SHIM " -r $$ touch ran 3>&-; [ $? = 125 ] && [ ! -e ran ]"), 0);
}

static void a_group_that_takes_no_processes_is_as_none_but_is_killed(void **state) {
    (void)state;
    assert_int_equal(system("mkdir group && touch group/cgroup.kill"), 0); // a folder as any other
    char script[1024];
    int got = wait_end(start_in("group", family_then(script, sizeof script, "exit 5\n")));
    assert_true(WIFEXITED(got));
    assert_int_equal(WEXITSTATUS(got), 5);
    assert_family_dies(0);
    assert_int_equal(system("[ \"$(cat group/cgroup.kill)\" = 1 ]"), 0);
}

/* A runner that dies: what else it had made is the next run's to remove, but the group is nobody's. */
static void a_killed_runners_group_is_removed(void **state) {
    (void)state;
    assert_int_equal(mkdir("group", 0700), 0);
    pid_t runner = fork();
    assert_true(runner >= 0);
    if (runner == 0) {
        (void)start_in("group", "echo $$ >trainer.new; mv trainer.new trainer; sleep 60");
        (void)pause();
        _exit(0);
    }
    int trainer = read_pid("trainer");
    assert_int_equal(access("group", F_OK), 0);
    assert_int_equal(kill(runner, SIGKILL), 0);
    (void)wait_end(runner);
    assert_true(dies_within_ms(trainer, 1000));
    for (int i = 0; i < 100 && access("group", F_OK) == 0; i++) {
        sleep_ms(10);
    }
    assert_int_equal(access("group", F_OK), -1);
}

/* ---- memory ---- */

/* Runs a script with at most so many bytes; what the shim reports of it. */
static struct shim_report report_of(const char *most, const char *script, int *status) {
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    pid_t pid = fork(); // descriptor 3 is for it alone
    assert_true(pid >= 0);
    if (pid == 0) {
        char runner[16];
        (void)snprintf(runner, sizeof runner, "%d", (int)getppid()); // fits
        if (dup2(fd[1], SHIM_REPORT_FD) == SHIM_REPORT_FD) {
            (void)execl(SHIM, "besom-shim", "-r", "-m", most, runner, "/bin/sh", "-c", script,
                        (char *)NULL);
        }
        _exit(99);
    }
    (void)close(fd[1]);
    *status = wait_end(pid);
    struct shim_report report;
    assert_int_equal(read(fd[0], &report, sizeof report), sizeof report);
    (void)close(fd[0]);
    return report;
}

static void more_memory_than_allowed_ends_all_and_is_reported(void **state) {
    (void)state;
    int status;
    const struct shim_report over = report_of(
        "40000000", "x=$(head -c 90000000 /dev/zero | tr '\\0' x); sleep 60; echo $x", &status);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_int_equal(over.killed, 1);
    assert_true(over.over_bytes > 40000000);
    assert_true(over.peak_bytes >= over.over_bytes);
    const struct shim_report within = report_of("4000000000", "sleep 0.5; exit 6", &status);
    assert_int_equal(WEXITSTATUS(status), 6);
    assert_int_equal(within.killed, 0);
    assert_int_equal(within.over_bytes, 0);
    assert_in_range(within.peak_bytes, 1, 39999999);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(exit_status_is_passed_on),
        CASE(signal_is_passed_on_without_a_second_core),
        CASE(program_that_cannot_start_is_told_apart),
        CASE(descriptors_above_two_are_closed),
        CASE(signals_are_reset_for_the_trainer),
        CASE(what_the_trainer_leaves_behind_is_killed),
        CASE(quit_kills_all_at_once),
        CASE(term_is_for_the_trainer_and_its_group),
        CASE(nothing_outlives_a_killed_runner),
        CASE(a_killed_shim_takes_the_trainer_along),
        CASE(a_foreign_hangup_is_no_death_of_the_runner),
        CASE(a_runner_that_is_gone_already_starts_nothing),
        CASE(stop_and_continue_reach_all_below_but_the_shim),
        CASE(a_chain_of_daemons_is_ended),
        CASE(what_is_refused_is_told_and_starts_nothing),
        CASE(who_calls_it_wrongly_gets_the_usage_and_no_trainer),
        CASE(a_group_that_takes_no_processes_is_as_none_but_is_killed),
        CASE(a_killed_runners_group_is_removed),
        CASE(more_memory_than_allowed_ends_all_and_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
