/* trainer/train.h - the training loop of one trial: from its latest checkpoint to its last epoch.
 *
 *     open the latest valid checkpoint, or initialize
 *     repeat the records that it carries
 *     for each epoch: shuffle, for each batch: gather, forward, backward, step
 *                     evaluate; checkpoint if due; print the record; drop surplus checkpoints
 *
 * Invariants
 *   1. The record of an epoch is printed after its checkpoint, if one is due, is durable.
 *   2. Everything random comes from streams keyed by (seed, purpose, epoch, step), so that a training
 *      that was interrupted anywhere computes the same bits as one that was not.
 *   3. A batch allocates nothing. */
#ifndef TRAINER_TRAIN_H
#define TRAINER_TRAIN_H

#include "trainer/config.h"

#include <signal.h>
#include <stdio.h>

struct err;

enum train_result { TRAIN_DONE, TRAIN_SAVED, TRAIN_DIVERGED };

struct train_options {
    const char *checkpoint_dir; // exists; locked for the time of the training
    const char *cache_dir;
    FILE *out;                           // records and events, one JSON object a line
    FILE *log;                           // text for people
    const volatile sig_atomic_t *stop;   // becomes 1 when the training shall save and leave
};

/* ERR_BUSY when another process trains in the folder; ERR_* of the data, of the disk. */
int train_run(const struct config *config, const struct train_options *options,
              enum train_result *result, struct err *err);

#endif
