/* runner/shim.h - how besom-shim, the small program between the runner and a trainer, is called.
 *
 *     besom-shim [-r] [-m BYTES] [-g GROUP] RUNNER_PID PROGRAM [ARG...]
 *
 *     runner -- posix_spawn --> besom-shim -- fork, exec --> trainer --> whatever it starts
 *
 * There is no hook between fork and exec, so the shim does there what a worker needs: it asks to be
 * told when the runner dies (PR_SET_PDEATHSIG, then checks getppid, as it may be dead already), leaves
 * the runner's session, becomes the subreaper of everything below it, closes all descriptors above 2
 * and resets signals.  Then it starts the trainer, in a process group of its own, and stays: a
 * trainer's children can outlive it and leave its group (setsid), and only a subreaper finds them.
 *
 * What the runner can do is send signals to the shim, whose process id it knows:
 *
 *     SIGTERM           ->  SIGTERM to the trainer's group, and SIGCONT: who is stopped would not get it
 *     SIGTSTP, SIGCONT  ->  everything below is stopped, goes on; the shim itself is never stopped
 *     SIGQUIT           ->  everything below is killed at once
 *     (runner dies)     ->  the same
 *
 * The shim ends when nothing is left below it: after the trainer's end it kills what that left behind,
 * then ends as the trainer did, with the same status or by the same signal (without a second core).
 * When the shim itself is killed, the kernel kills the trainer, and the runner what the trainer leaves (runner/strays.h).
 * In ps and pkill it is called sweep-shim: what is meant for besom by name is not to take it along.
 *
 *     -g GROUP   the folder of a control group: the trainer is started in it, and all that is in it is killed
 *                with the rest.  Where that is refused it is as if there were none.  When the runner has died
 *                the shim removes it.
 *     -m BYTES   kills everything when what is below uses more memory: private pages, those of all processes
 *                together, looked at every SHIM_LOOK_MS
 *     -r         descriptor 3 is a pipe, into which a struct shim_report is written at the end
 *
 * It is linked statically (a dynamic loader would cost more than all of its work) and uses only libc.
 * When PROGRAM cannot be started it says why, in its report and on stderr, and exits 127 (not found), 126, or 125 when
 * there was no process to be had.  Called wrongly, or when the runner is gone before the trainer was started, it
 * exits 125. */
#ifndef RUNNER_SHIM_H
#define RUNNER_SHIM_H

#include <stdint.h>

enum { SHIM_EXIT_NOT_FOUND = 127, SHIM_EXIT_NOT_EXECUTABLE = 126, SHIM_EXIT_NOT_STARTED = 125 };
enum { SHIM_REPORT_FD = 3, SHIM_LOOK_MS = 100 };

/* From one program of a machine to another of the same build: in its own byte order. */
struct shim_report {
    int64_t
        peak_bytes; // the most that was resident in one process, or private in all together if that was more
    int64_t over_bytes;   // what was used when it was killed for that; 0: it was not
    int64_t not_started;  // the errno for which PROGRAM could not be; 0: it was
    int64_t killed;       // 1: the shim killed the trainer, for whatever reason
    int64_t killed_group; // 1: it killed the control group, which is of no further use then
};

#endif
