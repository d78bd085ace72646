/* runner/worker.h - one child process: its pipes, its lines, its end.
 *
 *     worker_start --> reading <--> paused
 *                         |
 *        process exited AND both pipes at their end --> ended(), and it frees itself
 *
 * stdin is /dev/null; stdout and stderr are pipes, not socket pairs (which /dev/stdout cannot be opened
 * on).  Every line of either goes to the log; those of stdout also to `line`, once they are in the log's file.
 *
 * Pipes can stay open after the process is gone, when something that it left behind holds them: then
 * they are read for WORKER_GRACE_MS more, and given up. */
#ifndef RUNNER_WORKER_H
#define RUNNER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/shim.h"

struct err;
struct uv_loop_s;
struct worker;

enum { WORKER_GRACE_MS = 300 };

struct worker_spec {
    char **argv, **env; // NULL terminated; borrowed during worker_start()
    const char *log_path;
    int attempt;       // for the log's header
    int64_t log_limit; // bytes
    bool reports;      // the program is the shim, called with -r
};

struct worker_end {
    int exit_status; // -1 when a signal ended it
    int signal;      // 0: none
    int log_cause;   // errno of the log's failed write; 0
    char *tail;      // the end of its output, UTF-8; owned by whom it is told
    bool reported;   // the shim lived to write its report:
    struct shim_report report;
};

/* Both are called from the loop; `line` may call any function below, `ended` none. */
struct worker_calls {
    void (*line)(void *context, const char *text, size_t len, bool cut);
    void (*ended)(void *context, const struct worker_end *end);
    void *context;
};

/* Starts the program.  To be called on the main thread: PR_SET_PDEATHSIG of the child refers to the
 * thread that forks.  When it fails nothing is called and nothing is left. */
int worker_start(struct worker **worker, struct uv_loop_s *loop, const struct worker_spec *spec,
                 const struct worker_calls *calls, struct err *err);

/* Stops reading, so that a full pipe holds the program up; goes on. */
void worker_pause(struct worker *worker);
void worker_resume(struct worker *worker);

/* Sends a signal; nothing happens when the process has ended. */
void worker_signal(struct worker *worker, int number);

int worker_pid(const struct worker *worker);

#endif
