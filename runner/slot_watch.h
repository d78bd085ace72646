/* runner/slot_watch.h - a slot's limits: seconds, memory, and what is done to a worker that exceeds them. */
#ifndef RUNNER_SLOT_WATCH_H
#define RUNNER_SLOT_WATCH_H

#include <stdbool.h>

struct slot;

/* Starts the clocks of an attempt whose worker is about to be spawned; false when the trial has no time left. */
bool slot_watch_begin(struct slot *slot);

/* To be called at every tick: sends a worker that is overdue down the ladder. */
void slot_watch(struct slot *slot);

/* The worker has ended (attempt.end says how), or was never started: was it its memory? */
void slot_watch_end(struct slot *slot);

#endif
