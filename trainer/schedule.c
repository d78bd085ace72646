#include "trainer/schedule.h"

#include <assert.h>
#include <math.h>

static int whole_steps(const struct schedule_spec *spec, int t) {
    return t / spec->step_size;
}

double schedule_lr(const struct schedule_spec *spec, double lr, int t) {
    assert(t >= 0);
    switch (spec->kind) {
    case SCHEDULE_EXPONENTIAL:
        return lr * exp(-spec->k * t);
    case SCHEDULE_INVERSE:
        return lr / (1.0 + spec->k * t);
    case SCHEDULE_STEP:
        assert(spec->step_size >= 1);
        return lr * pow(spec->gamma, whole_steps(spec, t));
    case SCHEDULE_CONSTANT:
    case SCHEDULE_COUNT:
        break;
    }
    assert(spec->kind == SCHEDULE_CONSTANT);
    return lr;
}
