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
 *     adamw     w *= 1 - lr * weight_decay, then adam              (Loshchilov, Hutter 2019)
 *     adamax    m as adam;  u = max(beta2 * u, |g| + eps);  w -= lr / (1 - beta1^t) * m / u
 *                                                                      (Kingma, Ba 2015)
 *     nadam     m, s as adam;  mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2), M_t = mu_1...mu_t;
 *               w -= lr * ((1 - mu_t) / (1 - M_t) * g + mu_(t+1) / (1 - M_(t+1)) * m)
 *                    / (sqrt(s / (1 - beta2^t)) + eps)                 (Dozat 2016)
 *     adadelta  s = rho * s + (1 - rho) * g^2;  e = sqrt(d + eps) / sqrt(s + eps) * g;
 *               d = rho * d + (1 - rho) * e^2;  w -= lr * e            (Zeiler 2012)
 *     lion      w *= 1 - lr * weight_decay;  w -= lr * sign(beta1 * m + (1 - beta1) * g);
 *               m = beta2 * m + (1 - beta2) * g                        (Chen et al. 2023)
 *
 * lion is not in PyTorch; it is the paper's.  With `dampening` d, momentum adds (1 - d) * g to v from
 * the second step on.  In all rules but adamw and lion, weight_decay adds weight_decay * w to g first.
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
    float *decayed;               // (n), owned: g with weight decay in it; NULL without

    /* nadam's M after `mu_steps` steps; follows from the spec, and is never saved. */
    double mu_product;
    int64_t mu_steps;
};

/* How many state vectors the rule keeps: 0, 1 or 2. */
int optim_slot_count(enum optimizer_kind kind);
/* PyTorch's name of one: "momentum_buffer", "sum", "square_avg", "exp_avg", "exp_avg_sq", "exp_inf",
 * "acc_delta". */
const char *optim_slot_name(enum optimizer_kind kind, int slot);

/* For n parameters.  Copies the spec; the state starts at zero. */
void optim_init(struct optim *optim, const struct optimizer_spec *spec, size_t n);
void optim_release(struct optim *optim); // NULL, a zeroed and a released one are fine

/* The state of `from` in `to`, which was made for the same spec and n. */
void optim_assign(struct optim *to, const struct optim *from);

/* One step with learning rate `lr` (the spec's, as the schedule has changed it): changes w (n) and
 * the state, reads the gradient g (n).  Element by element: one's result depends on no other's. */
void optim_step(struct optim *optim, float *w, const float *g, double lr);

/* Cuts a gradient g (n) of length `norm` down: by clip_norm / (norm + 1e-6) where that is below 1, then
 * each value to [-clip_value, clip_value]; as clip_grad_norm_ and clip_grad_value_ of PyTorch do.  A
 * limit of 0 is none. */
void optim_clip(float *g, size_t n, double norm, double clip_norm, double clip_value);

#endif
