/* trainer/time_spent.h - how long a trial has been trained, over all its attempts.
 *
 * Checkpoints know no clock: their bytes depend on the trial alone.  So the seconds are in a file of their
 * own beside them, written after each checkpoint, and only for a trial that has a time limit:
 *
 *     time.json   {"epoch": 7, "seconds": 81.25}
 *
 * What was trained since the last checkpoint when a trainer was killed is trained again, and counts once. */
#ifndef TRAINER_TIME_SPENT_H
#define TRAINER_TIME_SPENT_H

#include <stdbool.h>

struct err;

struct time_spent {
    double before;  // seconds of earlier attempts
    double started; // of this one, by the monotonic clock
    int epoch;      // the furthest that was ever reached
};

/* Of a clock that never goes back. */
double time_now(void);

/* Reads the file of `dir`; without one nothing was spent.  This attempt begins now.  ERR_IO; ERR_CORRUPT
 * names the file and says what to do. */
int time_spent_load(struct time_spent *spent, const char *dir, struct err *err);

/* Writes it, after a checkpoint of `epoch`.  ERR_IO, ERR_FULL. */
int time_spent_save(struct time_spent *spent, const char *dir, int epoch, struct err *err);

/* Whether a training that stands after `epoch` has had its seconds: never before its first epoch, nor before
 * it is where it was already. */
bool time_spent_is_up(const struct time_spent *spent, double seconds, int epoch);

#endif
