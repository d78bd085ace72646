/* besom-shim - starts a trainer so that neither it nor anything below it outlives the runner.
 *
 *     signals blocked --> fork --> wait for a signal <---------------------------+
 *                                   |        |                                   |
 *                       trainer ended,    SIGTERM, SIGTSTP, SIGCONT: passed on --+
 *                       runner gone,
 *                       SIGQUIT
 *                                   v
 *                          kill all below until wait() says that there is nothing --> end alike
 *
 * Invariants
 *   1. All signals are blocked for the shim's whole life: it acts on those that sigwaitinfo() hands
 *      over and cannot be interrupted by any other.
 *   2. As the subreaper it is the ancestor of every process below, whatever they do, so that wait()
 *      failing with ECHILD proves that none is left. */
#include "runner/shim.h"
#include "runner/shim_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h> // struct clone_args
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    RUNNER_GONE_SIGNAL = SIGHUP,
    KILL_AGAIN_MS = 5,      // until processes that were forked meanwhile are looked for again
    KILL_GIVE_UP_MS = 10000 // what has not died by then hangs in the kernel, or is another user's
};

/* How it was called, and what is told at the end. */
struct shim {
    pid_t runner, trainer;
    char **argv;        // of the trainer
    const char *group;  // NULL: none
    int64_t most_bytes; // 0: no limit
    bool reports;
    int status; // of the trainer; -1: it has not ended
    int *
        exec_failure; // shared with the child: its errno when the trainer could not be executed; NULL
    struct shim_report report;
};

/* ---- the end of everything below ---- */

/* Takes in the dead.  Notes how the trainer ended; false when no child is left. */
static bool reap(struct shim *shim) {
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid == shim->trainer) {
            shim->status = status;
        } else if (pid <= 0) {
            return pid == 0; // all signals are blocked: the only failure is ECHILD
        }
    }
}

static long now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* At one stroke, also what forks faster than it could be found. */
static void kill_group(const char *group) {
    char path[4096 + 16];
    int n = snprintf(path, sizeof path, "%s/cgroup.kill", group);
    int fd = n < (int)sizeof path ? open(path, O_WRONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)!write(fd, "1", 1); // whom it misses is found below
        (void)close(fd);
    }
}

static void kill_all_below(struct shim *shim) {
    sigset_t child;
    (void)sigemptyset(&child); // these cannot fail
    (void)sigaddset(&child, SIGCHLD);
    const struct timespec again = {.tv_nsec = KILL_AGAIN_MS * 1000000L};
    long deadline = now_ms() + KILL_GIVE_UP_MS;
    while (reap(shim) && now_ms() < deadline) {
        if (shim->group != NULL && !shim->report.killed_group) {
            kill_group(shim->group);
            shim->report.killed_group = 1;
        }
        tree_signal(getpid(), SIGKILL);
        (void)sigtimedwait(&child, NULL, &again); // a death or the time, either will do
    }
    if (shim->group != NULL && getppid() != shim->runner) {
        (void)rmdir(shim->group); // nobody else will, unless the sweep is run again
    }
}

/* ---- the trainer ---- */

static void reset_signals(void) {
    for (int number = 1; number < NSIG; number++) {
        (void)signal(number, SIG_DFL); // fails for SIGKILL, SIGSTOP and libc's own
    }
}

/* In the child. */
static _Noreturn void become_trainer(const struct shim *shim, pid_t shim_pid) {
    char **argv = shim->argv;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); // known to every kernel since 2.1.57
    if (getppid() != shim_pid) {
        _exit(SHIM_EXIT_NOT_STARTED);
    }
    (void)setpgid(0, 0); // as the shim does, so that it is done before either goes on
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execvp(argv[0], argv); // returns only when it failed
    int cause = errno;
    if (shim->exec_failure != NULL) {
        *shim->exec_failure = cause;
    }
    (void)dprintf(STDERR_FILENO, "besom-shim: cannot start \"%s\": %s\n", argv[0], strerror(cause));
    _exit(cause == ENOENT ? SHIM_EXIT_NOT_FOUND : SHIM_EXIT_NOT_EXECUTABLE);
}

/* A number that both sides of a fork() see, and no exec() leaves open as it would a pipe. */
static int *share_number(void) {
    int *number =
        mmap(NULL, sizeof *number, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return number != MAP_FAILED ? number : NULL; // the exit status has to do then
}

/* fork() into the group.  To join it later would take a lock of the whole kernel, for milliseconds. */
static pid_t fork_into(const char *group) {
    int fd = group != NULL ? open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return fork();
    }
    struct clone_args args = {
        .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)fd};
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid != 0) {
        (void)close(fd); // nothing was written
    }
    return pid < 0 ? fork() : pid; // an older kernel, a sandbox, a group that takes no processes
}

static _Noreturn void end_alike(int status) {
    if (WIFSIGNALED(status)) {
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core); // the trainer's core is there already
        (void)prctl(PR_SET_DUMPABLE, 0);        // keeps a core_pattern pipe from starting, too
        sigset_t none;
        (void)sigemptyset(&none);
        (void)raise(WTERMSIG(status)); // waits, blocked
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        _exit(128 + WTERMSIG(status)); // a signal that does not end this process after all
    }
    _exit(WEXITSTATUS(status));
}

static void tell(struct shim *shim) {
    struct rusage usage;
    if (!shim->reports) {
        return;
    }
    (void)getrusage(RUSAGE_CHILDREN,
                    &usage); // cannot fail; the largest of all that were waited for
    int64_t resident = (int64_t)usage.ru_maxrss * 1024;
    if (resident > shim->report.peak_bytes) {
        shim->report.peak_bytes = resident;
    }
    // Nobody reads it when the runner is gone; SIGPIPE is blocked.
    (void)!write(SHIM_REPORT_FD, &shim->report, sizeof shim->report);
}

/* ---- waiting ---- */

/* Whether too much memory is used.  *again_ms: when to look again. */
static bool is_over(struct shim *shim, int *again_ms) {
    enum { DEAR = 10 }; // the exact figure can take milliseconds: less often
    int64_t bytes = tree_private_bytes(getpid());
    *again_ms = SHIM_LOOK_MS;
    if (bytes > shim->most_bytes) {
        bytes = tree_proportional_bytes(getpid());
        *again_ms = SHIM_LOOK_MS * DEAR;
    }
    if (bytes > shim->report.peak_bytes) {
        shim->report.peak_bytes = bytes;
    }
    if (bytes > shim->most_bytes) {
        shim->report.over_bytes = bytes;
    }
    return bytes > shim->most_bytes;
}

/* The next signal; 0 when it is time to look at the memory. */
static int next_signal(const struct shim *shim, const sigset_t *all, long look_ms) {
    if (shim->most_bytes == 0) {
        return sigwaitinfo(all, NULL);
    }
    long left_ms = look_ms - now_ms();
    left_ms = left_ms < 0 ? 0 : left_ms;
    const struct timespec left = {left_ms / 1000, left_ms % 1000 * 1000000L};
    int number = sigtimedwait(all, NULL, &left);
    return number < 0 ? 0 : number;
}

/* Acts on signals until the trainer has ended or everything is to be ended. */
static void watch(struct shim *shim) {
    sigset_t all;
    (void)sigfillset(&all);
    long look_ms = now_ms() + SHIM_LOOK_MS;
    while (shim->status < 0) {
        int number = next_signal(shim, &all, look_ms), again_ms;
        switch (number) {
        case 0:
            if (is_over(shim, &again_ms)) {
                return;
            }
            look_ms = now_ms() + again_ms;
            break;
        case SIGCHLD:
            (void)reap(shim); // also of orphans that came to us
            break;
        case SIGTERM:
            (void)kill(-shim->trainer, SIGTERM); // not reaped yet, so the group is its own
            tree_signal(getpid(), SIGCONT);
            break;
        case SIGTSTP:
            tree_signal(getpid(), SIGSTOP);
            break;
        case SIGCONT:
            tree_signal(getpid(), SIGCONT);
            break;
        case RUNNER_GONE_SIGNAL:
            if (getppid() == shim->runner) {
                break; // somebody else's
            }
            return;
        case SIGQUIT:
            return;
        default:
            break; // nothing that concerns us
        }
    }
}

/* ---- beginning ---- */

/* false when it was called wrongly.  Options come first: what follows PROGRAM is the trainer's. */
static bool read_arguments(struct shim *shim, int argc, char **argv) {
    int option;
    while ((option = getopt(argc, argv, "+rm:g:")) != -1) {
        switch (option) {
        case 'r':
            shim->reports = true;
            break;
        case 'm':
            shim->most_bytes = strtoll(optarg, NULL, 10); // the runner's
            break;
        case 'g':
            shim->group = optarg;
            break;
        default:
            return false;
        }
    }
    if (argc - optind < 2) {
        return false;
    }
    shim->runner = (pid_t)atoi(argv[optind]);
    shim->argv = argv + optind + 1;
    return true;
}

/* Out of the runner's session, with no descriptor of its own. */
static bool leave_runner(const struct shim *shim) {
    (void)prctl(PR_SET_NAME,
                "sweep-shim"); // "pkill -9 besom" is not to kill who tidies up behind it
    (void)prctl(PR_SET_PDEATHSIG, RUNNER_GONE_SIGNAL); // these two fail on no kernel that has
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);            // close_range()
    if (getppid() != shim->runner) {
        return false; // it died before we asked to be told
    }
    (void)setsid(); // fails for the leader of a group: started by hand, where it does not matter
    if (close_range(shim->reports ? SHIM_REPORT_FD + 1 : SHIM_REPORT_FD, ~0U, 0) != 0) {
        (void)dprintf(STDERR_FILENO, "besom-shim: close_range: %s\n", strerror(errno));
        return false;
    }
    return !shim->reports || fcntl(SHIM_REPORT_FD, F_SETFD, FD_CLOEXEC) == 0;
}

int main(int argc, char **argv) {
    struct shim shim = {.status = -1};
    if (!read_arguments(&shim, argc, argv)) {
        (void)dprintf(STDERR_FILENO, "usage: besom-shim [-r] [-m BYTES] [-g GROUP] RUNNER_PID "
                                     "PROGRAM [ARG...]\n");
        return SHIM_EXIT_NOT_STARTED;
    }
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL); // invariant 1
    reset_signals();
    if (!leave_runner(&shim)) {
        return SHIM_EXIT_NOT_STARTED;
    }
    pid_t self = getpid();
    shim.exec_failure = share_number();
    shim.trainer = fork_into(shim.group);
    if (shim.trainer == 0) {
        become_trainer(&shim, self);
    }
    if (shim.trainer < 0) {
        shim.report.not_started = errno;
        (void)dprintf(STDERR_FILENO, "besom-shim: fork: %s\n", strerror(errno));
        tell(&shim);
        return SHIM_EXIT_NOT_STARTED;
    }
    (void)setpgid(shim.trainer, shim.trainer); // both do it: whoever is late fails, and it is done
    watch(&shim);
    shim.report.killed = shim.status < 0;
    kill_all_below(&shim);
    shim.report.not_started = shim.exec_failure != NULL ? *shim.exec_failure : 0;
    tell(&shim);
    // -1: it could not be killed; a plain SIGKILL's status
    end_alike(shim.status < 0 ? SIGKILL : shim.status);
}
