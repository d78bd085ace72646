#include "runner/process.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_child(uv_signal_t *child, int number) {
    struct process *p = (struct process *)child; // its first member
    int how;
    (void)number;
    pid_t pid = waitpid(p->pid, &how, WNOHANG);
    if (pid == 0 || (pid < 0 && errno == EINTR)) {
        return; // another one's
    }
    (void)uv_signal_stop(child); // always succeeds
    if (pid < 0) {
        how = SIGKILL; // somebody else took it in: how it ended is not known
    }
    p->ended(p, WIFEXITED(how) ? WEXITSTATUS(how) : -1, WIFSIGNALED(how) ? WTERMSIG(how) : 0);
}

/* What the child does before the exec.  These fail for want of memory only. */
static int prepare(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes, const int *fds,
                   int fd_count) {
    sigset_t set;
    int rc = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    for (int i = 0; i < fd_count && rc == 0; i++) {
        rc = posix_spawn_file_actions_adddup2(files, fds[i], i + 1);
    }
    (void)sigemptyset(&set); // these cannot fail
    (void)posix_spawnattr_setsigmask(attributes, &set);
    (void)sigfillset(&set);
    (void)posix_spawnattr_setsigdefault(attributes, &set);
    (void)posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return rc;
}

static int spawn(pid_t *pid, char *const *argv, char *const *env, const int *fds, int fd_count) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&files);
    if (rc != 0) {
        return rc;
    }
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        rc = prepare(&files, &attributes, fds, fd_count);
        rc = rc == 0 ? posix_spawn(pid, argv[0], &files, &attributes, argv, env) : rc;
        (void)posix_spawnattr_destroy(&attributes); // neither can fail
    }
    (void)posix_spawn_file_actions_destroy(&files);
    return rc;
}

int process_start(struct process *p, uv_loop_t *loop, char *const *argv, char *const *env,
                  const int *fds, int fd_count, process_ended_fn *ended, struct err *err) {
    *p = (struct process){.ended = ended};
    int rc = uv_signal_init(loop, &p->child);
    p->has_handle = rc == 0;
    rc = rc == 0 ? uv_signal_start(&p->child, on_child, SIGCHLD) : rc;    // before there is one
    int cause = rc == 0 ? spawn(&p->pid, argv, env, fds, fd_count) : -rc; // libuv negates errno
    return cause == 0 ? ERR_OK : err_io(err, cause, "start %s", argv[0]);
}
