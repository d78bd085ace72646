/* runner/shim.h - how besom-shim, the small program between the runner and a trainer, is called.
 *
 *     besom-shim RUNNER_PID PROGRAM [ARG...]
 *
 *     runner -- uv_spawn --> besom-shim -- fork, exec --> trainer --> whatever it starts
 *
 * libuv has no hook between fork and exec, so the shim does there what a worker needs: it asks to be
 * told when the runner dies (PR_SET_PDEATHSIG, then checks getppid, as it may be dead already), makes
 * a process group, becomes the subreaper of everything below it, closes all descriptors above 2 and
 * resets signals.  Then it starts the trainer and stays: a trainer's children outlive it and its group
 * (setsid), and only a parent can find them.
 *
 *     runner dies       ->  kill all below, exit
 *     trainer ends      ->  kill what is left below, end as it did: same status, or same signal
 *     SIGTERM to group  ->  the trainer handles it; the shim does not react
 *     SIGQUIT to shim   ->  kill all below at once, end as the trainer did
 *
 * It is linked statically (a dynamic loader would cost more than all of its work) and uses only libc.
 * When PROGRAM cannot be started it says why on stderr and exits 127 (not found) or 126. */
#ifndef RUNNER_SHIM_H
#define RUNNER_SHIM_H

enum { SHIM_EXIT_NOT_FOUND = 127, SHIM_EXIT_NOT_EXECUTABLE = 126 };

#endif
