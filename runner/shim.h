/* runner/shim.h - how besom-shim, the small program between the runner and a trainer, is called.
 *
 *     besom-shim RUNNER_PID PROGRAM [ARG...]
 *
 *     runner -- uv_spawn --> besom-shim -- fork, exec --> trainer --> whatever it starts
 *
 * libuv has no hook between fork and exec, so the shim does there what a worker needs: it asks to be
 * told when the runner dies (PR_SET_PDEATHSIG, then checks getppid, as it may be dead already), leaves
 * the runner's session, becomes the subreaper of everything below it, closes all descriptors above 2
 * and resets signals.  Then it starts the trainer, in a process group of its own, and stays: a
 * trainer's children can outlive it and leave its group (setsid), and only a subreaper finds them.
 *
 * What the runner can do is send signals to the shim, whose process id it knows:
 *
 *     SIGTERM           ->  SIGTERM to the trainer's group
 *     SIGTSTP, SIGCONT  ->  everything below is stopped, goes on; the shim itself is never stopped
 *     SIGQUIT           ->  everything below is killed at once
 *     (runner dies)     ->  the same
 *
 * The shim ends when nothing is left below it: after the trainer's end it kills what that left behind,
 * then ends as the trainer did, with the same status or by the same signal (without a second core).
 * When the shim itself is killed, the kernel kills the trainer.
 *
 * It is linked statically (a dynamic loader would cost more than all of its work) and uses only libc.
 * When PROGRAM cannot be started it says why on stderr and exits 127 (not found) or 126.  Called
 * wrongly, or when the runner is gone before the trainer was started, it exits 125. */
#ifndef RUNNER_SHIM_H
#define RUNNER_SHIM_H

enum { SHIM_EXIT_NOT_FOUND = 127, SHIM_EXIT_NOT_EXECUTABLE = 126, SHIM_EXIT_NOT_STARTED = 125 };

#endif
