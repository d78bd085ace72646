/* runner/slot_wait.h - a slot waits for what passes by itself: room on the disk, processes, descriptors, memory.
 *
 * It is not the trial's fault: no attempt is counted for it.  A slot waits for one thing at a time; the user is told by
 * run_wait_begin(). */
#ifndef RUNNER_SLOT_WAIT_H
#define RUNNER_SLOT_WAIT_H

#include <stdbool.h>

struct err;
struct slot;

enum { SLOT_AGAIN_MS = 500 }; // between two tries

/* A trainer could not be started, with this error: whether trying again can help.  If so the slot waits from now on. */
bool slot_wait_to_start(struct slot *slot, const struct err *err);

/* For room on the disk of the results, having met `met`. */
void slot_wait_for_room(struct slot *slot, const char *met);

/* No more; nothing when it did not. */
void slot_wait_over(struct slot *slot);

#endif
