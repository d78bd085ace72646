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

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    RUNNER_GONE_SIGNAL = SIGHUP,
    KILL_AGAIN_MS = 5,      // until processes that were forked meanwhile are looked for again
    KILL_GIVE_UP_MS = 10000 // what has not died by then hangs in the kernel, or is another user's
};

/* ---- everything below ---- */

static void signal_below(pid_t pid, int number, int depth);

/* /proc/PID/task/TID/children: "12 13 " */
static void signal_children_of_thread(pid_t pid, const char *tid, int number, int depth) {
    char path[80], text[32];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%.16s/children", (int)pid, tid); // fits
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return; // it has died meanwhile; its children are ours now, and found the next time
    }
    while (fscanf(file, "%31s", text) == 1) {
        pid_t child = (pid_t)atoi(text);
        if (child > 1) {
            (void)kill(child, number); // before its children, so that it starts no more of them
            signal_below(child, number, depth + 1);
        }
    }
    (void)fclose(file); // only read
}

/* Signals all descendants of `pid`.  Those that it misses because the tree changes meanwhile are met
 * when it is called again. */
static void signal_below(pid_t pid, int number, int depth) {
    enum { DEPTH_MAX = 64 }; // killing from above makes deeper ones our own children
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid); // fits
    DIR *threads = depth < DEPTH_MAX ? opendir(path) : NULL;
    if (threads == NULL) {
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(threads)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            signal_children_of_thread(pid, entry->d_name, number, depth);
        }
    }
    (void)closedir(threads); // only read
}

/* Takes in the dead.  Notes how the trainer ended; false when no child is left. */
static bool reap(pid_t trainer, int *trainer_status) {
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid == trainer) {
            *trainer_status = status;
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

static void kill_all_below(pid_t trainer, int *trainer_status) {
    sigset_t child;
    (void)sigemptyset(&child); // these cannot fail
    (void)sigaddset(&child, SIGCHLD);
    const struct timespec again = {.tv_nsec = KILL_AGAIN_MS * 1000000L};
    long deadline = now_ms() + KILL_GIVE_UP_MS;
    while (reap(trainer, trainer_status) && now_ms() < deadline) {
        signal_below(getpid(), SIGKILL, 0);
        (void)sigtimedwait(&child, NULL, &again); // a death or the time, either will do
    }
}

/* ---- the trainer ---- */

static void reset_signals(void) {
    for (int number = 1; number < NSIG; number++) {
        (void)signal(number, SIG_DFL); // fails for SIGKILL, SIGSTOP and libc's own
    }
}

/* In the child. */
static _Noreturn void become_trainer(char **argv, pid_t shim) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); // known to every kernel since 2.1.57
    if (getppid() != shim) {
        _exit(SHIM_EXIT_NOT_STARTED);
    }
    (void)setpgid(0, 0); // as the shim does, so that it is done before either goes on
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execvp(argv[0], argv); // returns only when it failed
    int cause = errno;
    (void)dprintf(STDERR_FILENO, "besom-shim: cannot start \"%s\": %s\n", argv[0], strerror(cause));
    _exit(cause == ENOENT ? SHIM_EXIT_NOT_FOUND : SHIM_EXIT_NOT_EXECUTABLE);
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

/* ---- waiting ---- */

/* Acts on signals until the trainer has ended or everything is to be ended. */
static void watch(pid_t runner, pid_t trainer, int *trainer_status) {
    sigset_t all;
    (void)sigfillset(&all);
    while (*trainer_status < 0) {
        int number = sigwaitinfo(&all, NULL);
        switch (number) {
        case SIGCHLD:
            (void)reap(trainer, trainer_status); // also of orphans that came to us
            break;
        case SIGTERM:
            (void)kill(-trainer, SIGTERM); // not reaped yet, so the group is its own
            break;
        case SIGTSTP:
            signal_below(getpid(), SIGSTOP, 0);
            break;
        case SIGCONT:
            signal_below(getpid(), SIGCONT, 0);
            break;
        case RUNNER_GONE_SIGNAL:
            if (getppid() == runner) {
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

int main(int argc, char **argv) {
    if (argc < 3) {
        (void)dprintf(STDERR_FILENO, "usage: besom-shim RUNNER_PID PROGRAM [ARG...]\n");
        return SHIM_EXIT_NOT_STARTED;
    }
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL); // invariant 1
    reset_signals();

    pid_t runner = (pid_t)atoi(argv[1]);
    (void)prctl(PR_SET_PDEATHSIG, RUNNER_GONE_SIGNAL); // these two fail on no kernel that has
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);            // close_range()
    if (getppid() != runner) {
        return SHIM_EXIT_NOT_STARTED; // it died before we asked to be told
    }
    (void)setsid(); // fails for the leader of a group: started by hand, where it does not matter
    if (close_range(3, ~0U, 0) != 0) {
        (void)dprintf(STDERR_FILENO, "besom-shim: close_range: %s\n", strerror(errno));
        return SHIM_EXIT_NOT_STARTED;
    }

    pid_t shim = getpid(), trainer = fork();
    if (trainer == 0) {
        become_trainer(argv + 2, shim);
    }
    if (trainer < 0) {
        (void)dprintf(STDERR_FILENO, "besom-shim: fork: %s\n", strerror(errno));
        return SHIM_EXIT_NOT_STARTED;
    }
    (void)setpgid(trainer, trainer); // both do it: whoever is late fails, and it is done already
    int status = -1;
    watch(runner, trainer, &status);
    kill_all_below(trainer, &status);
    end_alike(status < 0 ? SIGKILL
                         : status); // -1: it could not be killed; a plain SIGKILL's status
}
