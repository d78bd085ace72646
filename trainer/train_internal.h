/* trainer/train_internal.h - what train.c and the train_*.c share: a training under
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
#include "trainer/look.h"
#include "trainer/look_log.h"
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
    double base_lr;            // of the epoch under way: schedule_base() of the history
    struct epoch_sums sums;    // of the epoch under way
    struct position at, saved; // where it is, and what the newest whole checkpoint holds
    struct time_spent spent;   // for a time limit
    struct weights *weights;   // of init_from; NULL: none
    struct batch batch;
    struct augment augment;           // of the config, where it has any
    struct look look;                 // zeroed unless the config asks for it
    struct look_log looks;            // layers events so far
    uint32_t *order;                  // the training images as the epoch under way takes them
    struct buf line, past, now, seen; // kept for their memory: output, history, partial sums, looks
    bool stopped, unheard;
    bool waiting; // for room on the disk, since:
    double waiting_since;
    bool foreign; // the folder has checkpoints of another trial
};

/* ---- train.c ---- */

/* Batches of an epoch. */
int training_batch_count(const struct training *t);

/* From the gradient of a batch's mean loss to what the optimizer gets: l1, l2 and clipping.  Returns its
 * length before clipping. */
double training_finish_gradient(struct training *t);

/* ---- train_output.c ---- */

/* Prints t->line, and empties it.  Flushed at once: the runner shows a record when it has the line. */
int training_say(struct training *t, struct err *err);
int training_say_failed(struct training *t, const char *reason, const char *message,
                        struct err *err);

/* STOP_NONE: all epochs are done. */
int training_say_done(struct training *t, enum stop_reason why, struct err *err);

/* The start event, and what a reader of the output has missed, if it has missed anything. */
int training_repeat_records(struct training *t, struct err *err);

/* ---- train_origin.c ---- */

/* Once data and checkpoints are known: leaves origin.json at the first start, and refuses, with ERR_DIFFERS,
 * other data than it names. */
int training_settle_origin(struct training *t, struct err *err);

/* ERR_DIFFERS: the data's content was `then`. */
int training_complain_data(const struct training *t, const char *then, struct err *err);

/* ---- train_room.c ---- */

/* After each try of something that writes, with its outcome: whether to try once more.  When the disk is full it says
 * so once, rests a moment and returns true, unless the training was asked to stop.
 *
 *     do {
 *         rc = save(...);
 *     } while (training_try_again(t, rc, err)); */
bool training_try_again(struct training *t, int rc, const struct err *err);

/* ---- train_look.c ---- */

/* Once the network is there; nothing when the config does not ask for looks. */
void training_look_init(struct training *t);

/* Whether the config asks for a look at this moment, and there was none yet. */
bool training_look_is_due(const struct training *t);

/* Looks, and adds the events to t->looks.  `lr`: of the step whose size is shown, which is not taken.  The
 * training goes on as if nothing had happened. */
void training_look(struct training *t, double lr);

/* Prints the events of one epoch. */
int training_say_looks(struct training *t, int at_epoch, struct err *err);

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
