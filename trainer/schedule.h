/* trainer/schedule.h - the learning rate of an epoch; t complete epochs came before it.
 *
 *     constant     lr
 *     exponential  lr * exp(-k t)
 *     inverse      lr / (1 + k t)
 *     step         lr * gamma^floor(t / step_size)
 *
 * No schedule has an end, so that a longer training begins as a shorter one did. */
#ifndef TRAINER_SCHEDULE_H
#define TRAINER_SCHEDULE_H

#include "trainer/spec.h"

/* The rate in the epoch after `t` complete ones, from the base rate `lr`. */
double schedule_lr(const struct schedule_spec *spec, double lr, int t);

#endif
