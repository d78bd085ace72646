#include "trainer/optim.h"

#include "base/mem.h"
#include "trainer/kernels/kernels.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* PyTorch's names of the state vectors; a rule has as many as it has names. */
static const char *const slot_names[OPTIMIZER_COUNT][OPTIM_SLOT_MAX] = {
    [OPTIMIZER_MOMENTUM] = {"momentum_buffer"},
    [OPTIMIZER_NESTEROV] = {"momentum_buffer"},
    [OPTIMIZER_ADAGRAD] = {"sum"},
    [OPTIMIZER_RMSPROP] = {"square_avg"},
    [OPTIMIZER_ADAM] = {"exp_avg", "exp_avg_sq"},
    [OPTIMIZER_ADAMW] = {"exp_avg", "exp_avg_sq"},
    [OPTIMIZER_ADAMAX] = {"exp_avg", "exp_inf"},
    [OPTIMIZER_NADAM] = {"exp_avg", "exp_avg_sq"},
    [OPTIMIZER_ADADELTA] = {"square_avg", "acc_delta"},
    [OPTIMIZER_LION] = {"exp_avg"},
};

int optim_slot_count(enum optimizer_kind kind) {
    assert((unsigned)kind < OPTIMIZER_COUNT);
    int count = 0;
    while (count < OPTIM_SLOT_MAX && slot_names[kind][count]) {
        count++;
    }
    return count;
}

const char *optim_slot_name(enum optimizer_kind kind, int slot) {
    assert(slot >= 0 && slot < optim_slot_count(kind));
    return slot_names[kind][slot];
}

/* Decoupled: the weights shrink by themselves, whatever the rule does with the gradient. */
static bool decay_is_decoupled(enum optimizer_kind kind) {
    return kind == OPTIMIZER_ADAMW || kind == OPTIMIZER_LION;
}

void optim_init(struct optim *optim, const struct optimizer_spec *spec, size_t n) {
    *optim = (struct optim){.spec = *spec, .n = n, .mu_product = 1.0};
    if (spec->weight_decay > 0 && !decay_is_decoupled(spec->kind)) {
        optim->decayed = mem_aligned(n, sizeof(float));
    }
    for (int slot = 0; slot < optim_slot_count(spec->kind); slot++) {
        optim->state[slot] = mem_aligned(n, sizeof(float));
    }
}

void optim_release(struct optim *optim) {
    if (!optim) {
        return;
    }
    for (int slot = 0; slot < OPTIM_SLOT_MAX; slot++) {
        free(optim->state[slot]);
        optim->state[slot] = NULL;
    }
    free(optim->decayed);
    optim->decayed = NULL;
}

void optim_assign(struct optim *to, const struct optim *from) {
    assert(to->n == from->n && to->spec.kind == from->spec.kind);
    for (int slot = 0; slot < optim_slot_count(from->spec.kind); slot++) {
        memcpy(to->state[slot], from->state[slot], from->n * sizeof(float));
    }
    to->steps = from->steps;
    to->mu_product = from->mu_product;
    to->mu_steps = from->mu_steps;
}

/* Below 1 also in float32: what 1 - 1e-9 would round up to is no decay. */
static float beta_of(double beta) {
    return fminf((float)beta, 0x1.fffffep-1f);
}

/* The corrections are taken with the float32 betas that the kernel decays by.  1 - 0.999 rounded to
 * float32 is off by 1.3e-5, which cancels only between two uses of the same number. */
static void adam_step(struct optim *optim, float *w, const float *g, double lr) {
    const float beta1 = beta_of(optim->spec.beta1), beta2 = beta_of(optim->spec.beta2);
    const double t = (double)optim->steps; // counted already: 1 in the first step
    const double correction1 = 1.0 - pow((double)beta1, t);
    const double correction2 = 1.0 - pow((double)beta2, t);
    kernels_get()->adam(w, g, optim->state[0], optim->state[1], optim->n, (float)(lr / correction1),
                        beta1, beta2, (float)sqrt(correction2), (float)optim->spec.eps);
}

static void adamax_step(struct optim *optim, float *w, const float *g, double lr) {
    const float beta1 = beta_of(optim->spec.beta1);
    const double correction = 1.0 - pow((double)beta1, (double)optim->steps);
    kernels_get()->adamax(w, g, optim->state[0], optim->state[1], optim->n,
                          (float)(lr / correction), beta1, (float)optim->spec.beta2,
                          (float)optim->spec.eps);
}

/* mu of step t; 0.96 is a constant of the rule. */
static double nadam_mu(const struct optim *optim, int64_t t) {
    const double decay = pow(0.96, (double)t * optim->spec.momentum_decay);
    return (double)beta_of(optim->spec.beta1) * (1.0 - 0.5 * decay);
}

static void nadam_step(struct optim *optim, float *w, const float *g, double lr) {
    if (optim->mu_steps != optim->steps - 1) { // `steps` was restored: the same product once more
        optim->mu_product = 1.0;
        optim->mu_steps = 0;
    }
    while (optim->mu_steps < optim->steps) {
        optim->mu_product *= nadam_mu(optim, ++optim->mu_steps);
    }
    const float beta1 = beta_of(optim->spec.beta1), beta2 = beta_of(optim->spec.beta2);
    const double mu = nadam_mu(optim, optim->steps), next = nadam_mu(optim, optim->steps + 1);
    const double correction2 = 1.0 - pow((double)beta2, (double)optim->steps);
    kernels_get()->nadam(w, g, optim->state[0], optim->state[1], optim->n,
                         (float)(lr * (1.0 - mu) / (1.0 - optim->mu_product)),
                         (float)(lr * next / (1.0 - optim->mu_product * next)), beta1, beta2,
                         (float)correction2, (float)optim->spec.eps);
}

static void momentum_step(struct optim *optim, float *w, const float *g, double lr) {
    const struct optimizer_spec *spec = &optim->spec;
    if (spec->dampening > 0) { // PyTorch starts with v = g
        const double share = optim->steps == 1 ? 1.0 : 1.0 - spec->dampening;
        kernels_get()->momentum_damped(w, g, optim->state[0], optim->n, (float)lr,
                                       (float)spec->momentum, (float)share);
    } else {
        kernels_get()->momentum(w, g, optim->state[0], optim->n, (float)lr, (float)spec->momentum,
                                spec->kind == OPTIMIZER_NESTEROV);
    }
}

/* Decays the weights or returns the gradient that does, as the rule has it. */
static const float *decay(struct optim *optim, float *w, const float *g, double lr) {
    const double weight_decay = optim->spec.weight_decay;
    if (decay_is_decoupled(optim->spec.kind)) {
        kernels_get()->scale(w, (float)(1.0 - lr * weight_decay), optim->n);
    } else if (optim->decayed) {
        memcpy(optim->decayed, g, optim->n * sizeof *g);
        kernels_get()->axpy(optim->decayed, w, (float)weight_decay, optim->n);
        return optim->decayed;
    }
    return g;
}

void optim_clip(float *g, size_t n, double norm, double clip_norm, double clip_value) {
    const double share = clip_norm / (norm + 1e-6);
    if (clip_norm > 0 && share < 1.0) {
        kernels_get()->scale(g, (float)share, n);
    }
    if (clip_value > 0) {
        kernels_get()->clamp(g, (float)clip_value, n);
    }
}

void optim_step(struct optim *optim, float *w, const float *g, double lr) {
    const struct optimizer_spec *spec = &optim->spec;
    const struct kernels *kernels = kernels_get();
    float *state = optim->state[0];

    optim->steps++;
    g = decay(optim, w, g, lr);
    switch (spec->kind) {
    case OPTIMIZER_SGD:
        kernels->sgd(w, g, optim->n, (float)lr);
        return;
    case OPTIMIZER_MOMENTUM:
    case OPTIMIZER_NESTEROV:
        momentum_step(optim, w, g, lr);
        return;
    case OPTIMIZER_ADAGRAD:
        kernels->adagrad(w, g, state, optim->n, (float)lr, (float)spec->eps);
        return;
    case OPTIMIZER_RMSPROP:
        kernels->rmsprop(w, g, state, optim->n, (float)lr, (float)spec->alpha, (float)spec->eps);
        return;
    case OPTIMIZER_ADAM:
    case OPTIMIZER_ADAMW:
        adam_step(optim, w, g, lr);
        return;
    case OPTIMIZER_ADAMAX:
        adamax_step(optim, w, g, lr);
        return;
    case OPTIMIZER_NADAM:
        nadam_step(optim, w, g, lr);
        return;
    case OPTIMIZER_ADADELTA:
        kernels->adadelta(w, g, state, optim->state[1], optim->n, (float)lr, (float)spec->rho,
                          (float)spec->eps);
        return;
    case OPTIMIZER_LION:
        kernels->lion(w, g, state, optim->n, (float)lr, beta_of(spec->beta1), beta_of(spec->beta2));
        return;
    case OPTIMIZER_COUNT:
        break;
    }
    assert(!"an optimizer without a rule");
}
