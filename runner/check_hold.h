/* runner/check_hold.h - holds a trainer so tightly that it can be killed between two of its instructions.
 *
 * A save that is not atomic is torn for some ten microseconds: a signal that is sent when another processor
 * notices the change comes too late about every other time.  So, before a moment that matters, this process
 * and everything below the shim are put on one and the same processor, and the trainer is given long time
 * slices, this process short ones.  A system call of the trainer that changes a file or writes a line then
 * wakes this process, which preempts the trainer before it returns from that call.
 *
 *     trainer   ... write() --+                         (killed: never returns)
 *     besom                   +--> inotify --> SIGKILL
 *
 * Needs no privilege.  Kernels from 6.6 to 6.11 have no such slices, and others may share the processor: then the
 * kill is late at times, and nothing else.
 *
 * The trainer itself is killed through a pidfd, everything below it by the shim afterwards. */
#ifndef RUNNER_CHECK_HOLD_H
#define RUNNER_CHECK_HOLD_H

#include <sched.h>
#include <stdbool.h>
#include <sys/types.h>

/* This process's part, for all trainers that it holds.  Zeroed before first use. */
struct check_holder {
    int count;     // trainers that are held
    int processor; // the one for all, while there are any
    cpu_set_t own; // the processors before
};

/* One trainer's.  Zeroed is: not held. */
struct check_hold {
    bool held;
    int pidfd; // of the trainer while held; -1
};

/* Holds what is below the shim now; what it starts later inherits it.  Again: nothing. */
void check_hold(struct check_hold *hold, struct check_holder *holder, pid_t shim);

/* SIGKILL to the trainer, at once; nothing when it is not held. */
void check_hold_kill(const struct check_hold *hold);

/* Ends it; the trainer is gone, or on its way. */
void check_hold_release(struct check_hold *hold, struct check_holder *holder);

/* Around the start of another trainer, which would inherit this process's processor. */
void check_holder_loosen(const struct check_holder *holder);
void check_holder_tighten(const struct check_holder *holder);

#endif
