#include "trainer/optim.h"

#include "base/mem.h"
#include "trainer/kernels/kernels.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* PyTorch's names of the state vectors; a rule has as many as it has names. */
static const char *const slot_names[OPTIMIZER_COUNT][OPTIM_SLOT_MAX] = {
    [OPTIMIZER_MOMENTUM] = {"momentum_buffer"},
    [OPTIMIZER_NESTEROV] = {"momentum_buffer"},
    [OPTIMIZER_ADAGRAD] = {"sum"},
    [OPTIMIZER_RMSPROP] = {"square_avg"},
    [OPTIMIZER_ADAM] = {"exp_avg", "exp_avg_sq"},
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

void optim_init(struct optim *optim, const struct optimizer_spec *spec, size_t n) {
    *optim = (struct optim){.spec = *spec, .n = n};
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
}

/* The corrections are taken with the float32 betas that the kernel decays by.  1 - 0.999 rounded to
 * float32 is off by 1.3e-5, which cancels only between two uses of the same number. */
static void adam_step(struct optim *optim, float *w, const float *g, double lr) {
    const float below_one = 0x1.fffffep-1f; // what 1 - 1e-9 would round up to is no decay
    const float beta1 = fminf((float)optim->spec.beta1, below_one);
    const float beta2 = fminf((float)optim->spec.beta2, below_one);
    const double t = (double)optim->steps; // counted already: 1 in the first step
    const double correction1 = 1.0 - pow((double)beta1, t);
    const double correction2 = 1.0 - pow((double)beta2, t);
    kernels_get()->adam(w, g, optim->state[0], optim->state[1], optim->n, (float)(lr / correction1),
                        beta1, beta2, (float)sqrt(correction2), (float)optim->spec.eps);
}

void optim_step(struct optim *optim, float *w, const float *g, double lr) {
    const struct optimizer_spec *spec = &optim->spec;
    const struct kernels *kernels = kernels_get();
    float *state = optim->state[0];

    optim->steps++;
    switch (spec->kind) {
    case OPTIMIZER_SGD:
        kernels->sgd(w, g, optim->n, (float)lr);
        return;
    case OPTIMIZER_MOMENTUM:
    case OPTIMIZER_NESTEROV:
        kernels->momentum(w, g, state, optim->n, (float)lr, (float)spec->momentum,
                          spec->kind == OPTIMIZER_NESTEROV);
        return;
    case OPTIMIZER_ADAGRAD:
        kernels->adagrad(w, g, state, optim->n, (float)lr, (float)spec->eps);
        return;
    case OPTIMIZER_RMSPROP:
        kernels->rmsprop(w, g, state, optim->n, (float)lr, (float)spec->alpha, (float)spec->eps);
        return;
    case OPTIMIZER_ADAM:
        adam_step(optim, w, g, lr);
        return;
    case OPTIMIZER_COUNT:
        break;
    }
    assert(!"an optimizer without a rule");
}
