/* trainer/optim.h - update rules, over the parameters as one vector.
 *
 * g is the gradient, w the parameters, all of length n; each rule is PyTorch's of the same name
 * (single-tensor form, float32 state; scalars are worked out in double and then rounded).
 *
 *     sgd       w -= lr * g
 *     momentum  v = momentum * v + g;  w -= lr * v                     (Polyak 1964)
 *     nesterov  v = momentum * v + g;  w -= lr * (g + momentum * v)    (Sutskever et al. 2013)
 *     adagrad   s += g^2;  w -= lr * g / (sqrt(s) + eps)               (Duchi et al. 2011)
 *     rmsprop   s = alpha * s + (1 - alpha) * g^2;  w -= lr * g / (sqrt(s) + eps)   (Hinton 2012)
 *     adam      m = beta1 * m + (1 - beta1) * g;  s = beta2 * s + (1 - beta2) * g^2;
 *               w -= lr / (1 - beta1^t) * m / (sqrt(s) / sqrt(1 - beta2^t) + eps)
 *                                                                      (Kingma, Ba 2015)
 *
 * PyTorch's momentum scales the velocity by lr when it is applied, not when it is gathered: the two
 * forms agree as long as lr is constant.  t counts the steps from 1; dividing by 1 - beta^t undoes
 * the bias of moments that start at 0, which makes both larger at the start.
 *
 * Use:  optim_init, then optim_step for each batch.  `state` and `steps` are all there is to
 * save. */
#ifndef TRAINER_OPTIM_H
#define TRAINER_OPTIM_H

#include "trainer/spec.h"

#include <stddef.h>
#include <stdint.h>

enum { OPTIM_SLOT_MAX = 2 };

struct optim {
    struct optimizer_spec spec;
    size_t n;
    int64_t steps;                // taken so far; the t of adam is steps + 1
    float *state[OPTIM_SLOT_MAX]; // (n) each, owned, zero at the start
};

/* How many state vectors the rule keeps: 0, 1 or 2. */
int optim_slot_count(enum optimizer_kind kind);
/* PyTorch's name of one: "momentum_buffer", "sum", "square_avg", "exp_avg", "exp_avg_sq". */
const char *optim_slot_name(enum optimizer_kind kind, int slot);

/* For n parameters.  Copies the spec; the state starts at zero. */
void optim_init(struct optim *optim, const struct optimizer_spec *spec, size_t n);
void optim_release(struct optim *optim); // NULL, a zeroed and a released one are fine

/* One step with learning rate `lr` (the spec's, as the schedule has changed it): changes w (n) and
 * the state, reads the gradient g (n).  Element by element: one's result depends on no other's. */
void optim_step(struct optim *optim, float *w, const float *g, double lr);

#endif
