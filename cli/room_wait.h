/* cli/room_wait.h - the waits of besom run for room on the disk, before its workers start and after they have ended.
 *
 * While they run the scheduler waits (runner/run_wait.c); to the user it is the same: the words, what --json has, and
 * how long it is between two tries.
 *
 * SIGINT, SIGTERM and SIGHUP end the process while it waits, in a try, too: nothing is under way that could be lost. */
#ifndef CLI_ROOM_WAIT_H
#define CLI_ROOM_WAIT_H

#include "cli/live.h"

struct err;

/* Something that may meet a full disk.  After ERR_FULL it is called again, as if for the first time. */
typedef int room_step_fn(void *context, struct err *err);

/* Takes the step until it brings something else than ERR_FULL, and returns that.  Says once that it waits, and when it has
 * ended well, that it goes on. */
int room_wait(const char *out_dir, enum live_voice voice, room_step_fn *step, void *context,
              struct err *err);

#endif
