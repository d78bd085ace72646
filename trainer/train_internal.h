/* trainer/train_internal.h - what train.c, train_output.c and train_checkpoints.c share: a training under
 * way. */
#ifndef TRAINER_TRAIN_INTERNAL_H
#define TRAINER_TRAIN_INTERNAL_H

#include "base/buf.h"
#include "trainer/augment.h"
#include "trainer/checkpoint.h"
#include "trainer/data.h"
#include "trainer/ema.h"
#include "trainer/evaluate.h"
#include "trainer/history.h"
#include "trainer/net.h"
#include "trainer/optim.h"
#include "trainer/time_spent.h"
#include "trainer/train.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

struct training {
    const struct config *config;
    const struct train_options *options;
    int lock; // descriptor, -1 before
    struct dataset set;
    struct net *net;
    struct optim optim;
    struct ema ema; // of the weights; the two have changed places only within evaluate_average()
    struct history history;
    struct epoch_sums sums;    // of the epoch under way
    struct position at, saved; // where it is, and what the newest whole checkpoint holds
    struct time_spent spent;   // for a time limit
    struct batch batch;
    struct augment augment;     // of the config, where it has any
    uint32_t *order;            // the training images as the epoch under way takes them
    struct buf line, past, now; // kept for their memory: output, history, partial sums
    bool stopped, unheard;
    bool foreign; // the folder has checkpoints of another trial
};

/* ---- train_output.c ---- */

/* Prints t->line, and empties it.  Flushed at once: the runner shows a record when it has the line. */
int training_say(struct training *t, struct err *err);
int training_say_failed(struct training *t, const char *reason, const char *message,
                        struct err *err);

/* STOP_NONE: all epochs are done. */
int training_say_done(struct training *t, enum stop_reason why, struct err *err);

/* The start event, and what a reader of the output has missed, if it has missed anything. */
int training_repeat_records(struct training *t, struct err *err);

/* ---- train.c ---- */

/* Batches of an epoch. */
int training_batch_count(const struct training *t);

/* ---- train_checkpoints.c ---- */

/* The state of the latest checkpoint that the training can go on from, or that of the beginning. */
int training_resume(struct training *t, struct err *err);

/* Whether nothing is left to do; `why` is STOP_NONE when all epochs are done. */
bool training_is_over(const struct training *t, enum stop_reason *why);

/* See invariant 4 of train.h; after the record of epoch t->at.epoch was added to the history. */
bool training_is_due(const struct training *t);

/* Writes the checkpoint of t->at that is due, and tells. */
int training_save_due(struct training *t, struct err *err);

/* Deletes what the config does not want kept. */
int training_prune(struct training *t, struct err *err);

/* Saves what was done since the last whole checkpoint, if anything was; whole, whatever the config says. */
int training_leave_saved(struct training *t, struct err *err);

/* After the end: what interruptions left is undone. */
int training_tidy(struct training *t, struct err *err);

#endif
