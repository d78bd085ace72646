/* runner/strays.h - what a shim that was itself killed has left behind.
 *
 * A shim ends everything below it, but nothing can end what is below a shim that was killed: its trainer dies (the kernel
 * sees to it), and the trainer's children come to the next subreaper, which is the runner.  Children that were there
 * before the run (of a shell that became besom by exec) are none of it. */
#ifndef RUNNER_STRAYS_H
#define RUNNER_STRAYS_H

#include <sys/types.h>

enum {
    STRAYS_GIVE_UP_MS = 2000
}; // what has not died by then hangs in the kernel, or is another user's

struct strays {
    pid_t *before; // owned: the children that there were
    int before_count;
};

/* Makes this process a subreaper; no more. */
void strays_init(struct strays *strays);
void strays_release(struct strays *strays);

/* Kills and reaps all children but those of before and `known`, and what is below them.  Waits until they are gone:
 * milliseconds, as a rule. */
void strays_kill(const struct strays *strays, const pid_t *known, int known_count);

#endif
