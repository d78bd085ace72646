#include "trainer/schedule.h"

#include <assert.h>
#include <math.h>

static int whole_steps(const struct schedule_spec *spec, int t) {
    return t / spec->step_size;
}

/* `from` at 0, `to` at 1. */
static double half_cosine(double from, double to, double share) {
    return to + (from - to) * (1.0 + cos(M_PI * share)) / 2.0;
}

/* The peak is at step pct_start * total - 1, a fraction when it must be, as PyTorch counts. */
static double one_cycle(const struct schedule_spec *spec, double lr, double step, double total) {
    const double low = lr / spec->div_factor, peak = spec->pct_start * total - 1.0;
    if (step <= peak) {
        return peak > 0.0 ? half_cosine(low, lr, step / peak) : lr;
    }
    const double last = total - 1.0;
    return half_cosine(lr, low / spec->final_div_factor, fmin(1.0, (step - peak) / (last - peak)));
}

static double rate(const struct schedule_spec *spec, double lr, int t, int step, int steps) {
    switch (spec->kind) {
    case SCHEDULE_EXPONENTIAL:
        return lr * exp(-spec->k * t);
    case SCHEDULE_INVERSE:
        return lr / (1.0 + spec->k * t);
    case SCHEDULE_STEP:
        assert(spec->step_size >= 1);
        return lr * pow(spec->gamma, whole_steps(spec, t));
    case SCHEDULE_COSINE:
        assert(spec->T_max >= 1);
        return half_cosine(lr, spec->eta_min, (double)t / spec->T_max);
    case SCHEDULE_ONE_CYCLE:
        return one_cycle(spec, lr, (double)t * steps + step, (double)spec->epochs * steps);
    case SCHEDULE_CONSTANT:
    case SCHEDULE_COUNT:
        break;
    }
    assert(spec->kind == SCHEDULE_CONSTANT);
    return lr;
}

double schedule_lr(const struct schedule_spec *spec, double lr, int t, int step, int steps) {
    assert(t >= 0 && step >= 0 && step < steps);
    const double scheduled = rate(spec, lr, t, step, steps);
    const double done = (double)t * steps + step + 1.0, ramp = spec->warmup * steps;
    return done < ramp ? scheduled * (done / ramp) : scheduled;
}
