/* runner/process.h - one child process, started without a copy of ourselves, its end told by the loop.
 *
 *     posix_spawn (CLONE_VM | CLONE_VFORK) --> pid --> SIGCHLD --> waitpid --> ended()
 *
 * uv_spawn() forks: the kernel copies the runner's page tables and then each page that is written to before the
 * exec, which was a quarter of what the runner's part of a short trial cost.
 *
 * The program gets /dev/null as stdin and the given descriptors as 1, 2, ...; every signal at its default, none
 * blocked.  All else is up to close-on-exec. */
#ifndef RUNNER_PROCESS_H
#define RUNNER_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

struct err;
struct process;

/* `exit_status` is -1 when a signal ended it; `signal` 0 when none did. */
typedef void process_ended_fn(struct process *process, int exit_status, int signal);

struct process {
    uv_signal_t child; // the caller closes it, if `has_handle`; before the end, too
    bool has_handle;
    pid_t pid; // 0: none
    process_ended_fn *ended;
};

/* To be called on the main thread: PR_SET_PDEATHSIG of the child refers to the thread that forks.  Fails as err_io() says,
 * and then nothing runs; the handle may have been made all the same. */
int process_start(struct process *process, uv_loop_t *loop, char *const *argv, char *const *env,
                  const int *fds, int fd_count, process_ended_fn *ended, struct err *err);

#endif
