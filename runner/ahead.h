/* runner/ahead.h - the folders of the trials that come next, made many at a time.
 *
 * A trial's folder and its config.json have to be durable before the trainer keeps anything in there: three flushes, which
 * a short trial would wait for longer than it runs.  So they are made ahead, AHEAD_COUNT at a time, when nobody
 * waits.  launch_prepare() makes what is not there, as it does for a trial that is tried again: this module
 * only saves it the time, and fails silently.
 *
 * Invariant: a folder is made, with all its flushes, before the attempt of its trial begins or not at all.  So nobody is in it. */
#ifndef RUNNER_AHEAD_H
#define RUNNER_AHEAD_H

#include <stdint.h>

struct ahead;
struct store;

enum { AHEAD_COUNT = 16 };

/* For the thread that has the store.  `queue`: the trials in the order in which they are begun, more or less; borrowed. */
struct ahead *ahead_new(struct store *store, const char *out_dir, const int64_t *queue,
                        int64_t count);
void ahead_free(struct ahead *ahead); // NULL is fine

/* An attempt of this trial is about to begin. */
void ahead_begin(struct ahead *ahead, int64_t trial);

/* Makes some more when few are left. */
void ahead_make(struct ahead *ahead);

#endif
