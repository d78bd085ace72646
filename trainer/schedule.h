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
 * and, for the first `warmup` epochs, that times the share of them that is done after the step.
 *
 * cosine and one_cycle are PyTorch's CosineAnnealingLR and OneCycleLR (without its cycle of the
 * momentum).  Past T_max the cosine rises again, as PyTorch's.  Only one_cycle, and cosine where T_max
 * is the length of the training, have an end: with any other a longer training begins as a shorter
 * one did. */
#ifndef TRAINER_SCHEDULE_H
#define TRAINER_SCHEDULE_H

#include "trainer/spec.h"

/* The rate of step `step` (from 0, below `steps` an epoch) in the epoch after `t` complete ones, from
 * the base rate `lr`. */
double schedule_lr(const struct schedule_spec *spec, double lr, int t, int step, int steps);

#endif
