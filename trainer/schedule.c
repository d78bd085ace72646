#include "trainer/schedule.h"

#include "trainer/config_table.h"
#include "trainer/history.h"
#include "trainer/stop.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

/* ---- the config ---- */

#define KIND(k) (1u << (k))

static const struct table threshold_table = {.what = "threshold mode",
                                             .name_key = "name",
                                             .kinds = threshold_names,
                                             .kind_count = THRESHOLD_COUNT,
                                             .kind = THRESHOLD_REL,
                                             .kind_offset = 0};

static const struct table_key schedule_keys[] = {
    {.name = "k",
     .type = TABLE_NUMBER,
     .kinds = KIND(SCHEDULE_EXPONENTIAL) | KIND(SCHEDULE_INVERSE),
     .offset = offsetof(struct schedule_spec, k),
     .max = 1e6,
     .value = 0.1},
    {.name = "step_size",
     .type = TABLE_INTEGER,
     .kinds = KIND(SCHEDULE_STEP),
     .offset = offsetof(struct schedule_spec, step_size),
     .min = 1,
     .max = 1e6,
     .value = 10},
    {.name = "gamma",
     .type = TABLE_NUMBER,
     .kinds = KIND(SCHEDULE_STEP),
     .offset = offsetof(struct schedule_spec, gamma),
     .max = 1e6,
     .flags = TABLE_ABOVE_MIN,
     .value = 0.1},
    {.name = "T_max",
     .type = TABLE_INTEGER,
     .kinds = KIND(SCHEDULE_COSINE),
     .offset = offsetof(struct schedule_spec, T_max),
     .max = 1e6},
    {.name = "eta_min",
     .type = TABLE_NUMBER,
     .kinds = KIND(SCHEDULE_COSINE),
     .offset = offsetof(struct schedule_spec, eta_min),
     .max = INFINITY},
    {.name = "pct_start",
     .type = TABLE_NUMBER,
     .kinds = KIND(SCHEDULE_ONE_CYCLE),
     .offset = offsetof(struct schedule_spec, pct_start),
     .max = 1,
     .flags = TABLE_BELOW_MAX,
     .value = 0.3},
    {.name = "div_factor",
     .type = TABLE_NUMBER,
     .kinds = KIND(SCHEDULE_ONE_CYCLE),
     .offset = offsetof(struct schedule_spec, div_factor),
     .min = 1,
     .max = 1e9,
     .value = 25},
    {.name = "final_div_factor",
     .type = TABLE_NUMBER,
     .kinds = KIND(SCHEDULE_ONE_CYCLE),
     .offset = offsetof(struct schedule_spec, final_div_factor),
     .min = 1,
     .max = 1e9,
     .value = 1e4},
    {.name = "factor",
     .type = TABLE_NUMBER,
     .kinds = KIND(SCHEDULE_REDUCE_ON_PLATEAU),
     .offset = offsetof(struct schedule_spec, factor),
     .max = 1,
     .flags = TABLE_ABOVE_MIN | TABLE_BELOW_MAX,
     .value = 0.1},
    {.name = "metric",
     .type = TABLE_OBJECT,
     .kinds = KIND(SCHEDULE_REDUCE_ON_PLATEAU),
     .offset = offsetof(struct schedule_spec, metric),
     .table = &metric_table},
    {.name = "patience",
     .type = TABLE_INTEGER,
     .kinds = KIND(SCHEDULE_REDUCE_ON_PLATEAU),
     .offset = offsetof(struct schedule_spec, patience),
     .max = 1e6,
     .value = 10},
    {.name = "cooldown",
     .type = TABLE_INTEGER,
     .kinds = KIND(SCHEDULE_REDUCE_ON_PLATEAU),
     .offset = offsetof(struct schedule_spec, cooldown),
     .max = 1e6},
    {.name = "threshold",
     .type = TABLE_NUMBER,
     .kinds = KIND(SCHEDULE_REDUCE_ON_PLATEAU),
     .offset = offsetof(struct schedule_spec, threshold),
     .max = INFINITY,
     .value = 1e-4},
    {.name = "threshold_mode",
     .type = TABLE_OBJECT,
     .kinds = KIND(SCHEDULE_REDUCE_ON_PLATEAU),
     .offset = offsetof(struct schedule_spec, threshold_mode),
     .table = &threshold_table},
    {.name = "min_lr",
     .type = TABLE_NUMBER,
     .kinds = KIND(SCHEDULE_REDUCE_ON_PLATEAU),
     .offset = offsetof(struct schedule_spec, min_lr),
     .max = INFINITY},
    {.name = "eps",
     .type = TABLE_NUMBER,
     .kinds = KIND(SCHEDULE_REDUCE_ON_PLATEAU),
     .offset = offsetof(struct schedule_spec, eps),
     .max = INFINITY,
     .value = 1e-8},
    {.name = "warmup",
     .type = TABLE_NUMBER,
     .offset = offsetof(struct schedule_spec, warmup),
     .max = 1e6},
};
const struct table schedule_table = {.what = "schedule",
                                     .name_key = "name",
                                     .kinds = schedule_names,
                                     .kind_count = SCHEDULE_COUNT,
                                     .kind = SCHEDULE_CONSTANT,
                                     .kind_offset = offsetof(struct schedule_spec, kind),
                                     .keys = schedule_keys,
                                     .key_count =
                                         (int)(sizeof schedule_keys / sizeof *schedule_keys)};

/* ---- the base rate of a step ---- */

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
    case SCHEDULE_REDUCE_ON_PLATEAU: // the base rate has it
    case SCHEDULE_COUNT:
        break;
    }
    assert(spec->kind == SCHEDULE_CONSTANT || spec->kind == SCHEDULE_REDUCE_ON_PLATEAU);
    return lr;
}

/* ---- plateaus ---- */

static bool is_better(const struct schedule_spec *spec, double value, double best) {
    const bool up = metric_goes_up(spec->metric);
    const double threshold = spec->threshold;
    if (spec->threshold_mode == THRESHOLD_ABS) {
        return up ? value > best + threshold : value < best - threshold;
    }
    return up ? value > best * (1.0 + threshold) : value < best * (1.0 - threshold);
}

static double reduced(const struct schedule_spec *spec, double lr) {
    const double lower = fmax(lr * spec->factor, spec->min_lr);
    return lr - lower > spec->eps ? lower : lr;
}

/* PyTorch's order: an epoch of a cooldown is one also when it sets a new best. */
double schedule_base(const struct schedule_spec *spec, double lr, const struct history *history) {
    if (spec->kind != SCHEDULE_REDUCE_ON_PLATEAU) {
        return lr;
    }
    double best = metric_goes_up(spec->metric) ? -INFINITY : INFINITY;
    int barren = 0, cooldown = 0; // epochs without a better one; epochs that will not count
    for (int i = 0; i < history->count; i++) {
        const double value = record_metric(&history->records[i], spec->metric);
        barren++;
        if (is_better(spec, value, best)) {
            best = value;
            barren = 0;
        }
        if (cooldown > 0) {
            cooldown--;
            barren = 0;
        }
        if (barren > spec->patience) {
            lr = reduced(spec, lr);
            cooldown = spec->cooldown;
            barren = 0;
        }
    }
    return lr;
}

/* ---- the rate of a step ---- */

double schedule_lr(const struct schedule_spec *spec, double lr, int t, int step, int steps) {
    assert(t >= 0 && step >= 0 && step < steps);
    const double scheduled = rate(spec, lr, t, step, steps);
    const double done = (double)t * steps + step + 1.0, ramp = spec->warmup * steps;
    return done < ramp ? scheduled * (done / ramp) : scheduled;
}
