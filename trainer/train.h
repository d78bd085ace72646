/* trainer/train.h - the training loop of one trial: from its latest checkpoint to its last epoch.
 *
 *     lock the folder, open the data, build the network
 *     open the latest valid checkpoint, or initialize
 *     at the first start, write down how it begins: origin.json
 *     print the start event and the records that the checkpoint carries
 *     for each epoch: shuffle; for each batch: gather, forward, backward, step
 *                     evaluate (the averaged weights, with `ema`); checkpoint if due; print the record;
 *                     drop surplus checkpoints
 *                     until all epochs are done or `stop` says that it is enough
 *     print the done event
 *
 * Invariants
 *   1. The record of an epoch is printed after its checkpoint, if one is due, is durable.
 *   2. Everything random comes from streams keyed by (seed, purpose, epoch, step), and the sums of an
 *      epoch under way are saved with their bits; so a training that was interrupted anywhere ends
 *      with the records and the checkpoint of one that was not.
 *   3. A batch allocates nothing.
 *   4. A checkpoint is due after every `checkpoint.every` epochs and every `checkpoint.every_batches`
 *      batches, counted from the beginning, after the last epoch, with `checkpoint.best` after an epoch with
 *      a val_accuracy above all before it, and with `checkpoint.initial` before the first batch.
 *   5. On a full disk it waits until there is room, and says so by the events waiting and resumed; asked to stop
 *      meanwhile it leaves with ERR_FULL.
 *   6. When it ends, the folder is, file by file, as if the training had not been interrupted. */
#ifndef TRAINER_TRAIN_H
#define TRAINER_TRAIN_H

#include "trainer/config.h"

#include <stdbool.h>
#include <stdio.h>

struct err;

enum train_result {
    TRAIN_DONE,     // it is at its end, and the final checkpoint is in place
    TRAIN_SAVED,    // was asked to stop; a checkpoint has all of it
    TRAIN_DIVERGED, // a loss was not finite; `err` says where, and a failed event was printed
    TRAIN_UNHEARD,  // nobody reads the output any more (EPIPE)
};

/* Whether the training shall save and leave; asked before every batch, also of an evaluation. */
typedef bool train_stop_fn(void *context);

struct train_options {
    const char *checkpoint_dir; // exists; locked for the time of the training
    const char *cache_dir;
    const char *program; // name and version, for the start event and origin.json; NULL: no version
    FILE *out;           // records and events, one JSON object a line; flushed
    FILE *log;           // text for people
    train_stop_fn *stop;
    void *stop_context;
};

enum { TRAIN_LOCK_WAIT_MS = 5000 }; // for the former worker of the folder, which may be dying

/* Fails with ERR_BUSY when another process trains in the folder,
 * ERR_RANGE when the layers do not fit the data, ERR_DIFFERS when the folder belongs to another trial
 * or it began with other data, ERR_* of the data, of the disk. */
int train_run(const struct config *config, const struct train_options *options,
              enum train_result *result, struct err *err);

#endif
