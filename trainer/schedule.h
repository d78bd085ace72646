/* trainer/schedule.h - the learning rate of a step; t complete epochs came before its epoch.
 *
 *     constant     lr
 *     exponential  lr * exp(-k t)
 *     inverse      lr / (1 + k t)
 *     step         lr * gamma^floor(t / step_size)
 *     cosine       eta_min + (lr - eta_min) * (1 + cos(pi t / T_max)) / 2     (Loshchilov, Hutter 2017)
 *     one_cycle    by half cosines over the steps of the whole training, from lr / div_factor up to lr
 *                  and down to lr / (div_factor * final_div_factor)          (Smith, Topin 2018)
 *
 *     reduce_on_plateau  lr, multiplied by `factor` after every plateau of a metric, see schedule_base()
 *
 * and, for the first `warmup` epochs, that times the share of them that is done after the step.
 *
 * cosine, one_cycle and reduce_on_plateau are PyTorch's CosineAnnealingLR, OneCycleLR (without its cycle of
 * the momentum) and ReduceLROnPlateau.  Past T_max the cosine rises again, as PyTorch's.  Only one_cycle, and cosine where T_max
 * is the length of the training, have an end: with any other a longer training begins as a shorter
 * one did. */
#ifndef TRAINER_SCHEDULE_H
#define TRAINER_SCHEDULE_H

#include "trainer/spec.h"

struct history;
struct table;

extern const struct table schedule_table; // of a struct schedule_spec

/* The base rate after these epochs: what plateaus have left of `lr`; of any other schedule `lr`.  A function of
 * the records alone, so nothing of it is saved.
 *
 *     an epoch is better when its metric beats the best so far by the threshold:
 *         rel: loss < best * (1 - threshold), accuracy > best * (1 + threshold)
 *         abs: loss < best - threshold, accuracy > best + threshold
 *     of the epochs since the best one, those of a cooldown do not count
 *     more than `patience` of them: lr = max(lr * factor, min_lr), unless that takes less than eps off; the
 *     count begins anew, after `cooldown` epochs */
double schedule_base(const struct schedule_spec *spec, double lr, const struct history *history);

/* The rate of step `step` (from 0, below `steps` an epoch) in the epoch after `t` complete ones, from
 * the base rate `lr` (schedule_base()). */
double schedule_lr(const struct schedule_spec *spec, double lr, int t, int step, int steps);

#endif
