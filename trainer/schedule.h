/* trainer/schedule.h - the learning rate of an epoch. */
#ifndef TRAINER_SCHEDULE_H
#define TRAINER_SCHEDULE_H

#include "trainer/spec.h"

/* The rate in the epoch after `t` complete ones, from the base rate `lr`. */
double schedule_lr(const struct schedule_spec *spec, double lr, int t);

#endif
