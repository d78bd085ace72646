/* trainer/gain.h - the gain of initial weights that an activation asks for.
 *
 * The standard deviation of weights is gain / sqrt(fan_in), or what xavier has in its place.  gain makes up
 * for what the activation behind the layer takes from the signal:
 *
 *     no activation, sigmoid   1         sqrt 2 of relu is He's (2015), the others are conventions of
 *     tanh                     5/3       torch.nn.init.calculate_gain, where PyTorch has them
 *     relu                     sqrt 2
 *     leaky_relu, prelu        sqrt(2 / (1 + slope^2)), slope as it is at the start
 *     selu                     3/4
 *     all others               1 / sqrt(E f(z)^2), z ~ N(0, 1): what keeps the second moment, as the
 *                              formulas for relu and leaky_relu do; of maxout E of the largest of so many
 *                              independent z, squared */
#ifndef TRAINER_GAIN_H
#define TRAINER_GAIN_H

#include "trainer/spec.h"

/* Cost: at most 6145 evaluations of the activation. */
double gain_of(const struct activation_spec *activation);

/* Puts the gain into each dense and conv2d layer of a list of `count` whose gain is NAN: that of the
 * first activation between it and the next such layer, 1 where there is none.  Behind the body and the
 * shortcut of a residual block comes what is behind the block. */
void gain_settle(struct layer_spec *layers, int count);

#endif
