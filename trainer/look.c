#include "trainer/look.h"

#include "base/buf.h"
#include "base/mem.h"
#include "trainer/kernels/kernels.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PASS_RANGES, PASS_BINS };

/* What a look gathers of a layer before it can say anything. */
struct look_sums {
    struct spread_sums {
        double sum, squares; // squares: of the deviations from the mean
        double low, high;    // of the finite values
        bool has_nan;
    } output, gradient;
    int64_t flat;         // outputs at the flat ends
    unsigned char *alive; // (C), into look->alive
};

/* ---- flat ends ---- */

/* Where the slope, as a share of its steepest, is 1/20.  tanh: 1 - tanh^2 = 1/20; sigmoid: s(1 - s) = 1/80;
 * softplus, whose slope is the sigmoid: s = 1/20; elu and selu, whose slope is alpha e^x below 0 and 1
 * above: where alpha e^x is 1/20 of the larger of alpha and 1.  gelu, silu and mish dip below 0 before they become flat: the outermost place. */
void look_flat_ends(const struct activation_spec *spec, double *low, double *high) {
    static const double share = 0.05;
    *low = -INFINITY;
    *high = INFINITY;
    switch (spec->kind) {
    case ACTIVATION_TANH:
        *high = atanh(sqrt(1.0 - share));
        *low = -*high;
        return;
    case ACTIVATION_SIGMOID:
        *high = 2.0 * atanh(sqrt(1.0 - share)); // sigmoid(x) = (1 + tanh(x / 2)) / 2
        *low = -*high;
        return;
    case ACTIVATION_RELU:
        *low = 0.0;
        return;
    case ACTIVATION_RELU6:
        *low = 0.0;
        *high = 6.0;
        return;
    case ACTIVATION_ELU: {
        double alpha = (double)spec->alpha;
        *low = alpha > share ? fmin(0.0, log(share * fmax(alpha, 1.0) / alpha)) : 0.0;
        return;
    }
    case ACTIVATION_SELU: // its alpha is above 1
        *low = log(share);
        return;
    case ACTIVATION_SOFTPLUS:
        *low = log(share / (1.0 - share));
        return;
    case ACTIVATION_HARDSWISH:
        *low = -3.0;
        return;
    case ACTIVATION_GELU:
        *low = -2.278560698788475;
        return;
    case ACTIVATION_SILU:
        *low = -3.9298973247902107;
        return;
    case ACTIVATION_MISH:
        *low = -3.9812515252905634;
        return;
    case ACTIVATION_LEAKY_RELU: // no end of these is flat
    case ACTIVATION_PRELU:
    case ACTIVATION_MAXOUT:
    case ACTIVATION_COUNT:
        return;
    }
}

/* NaN, or 0 for a layer with flat ends. */
static double saturated_start(const struct layer_spec *spec) {
    double low = -INFINITY, high = INFINITY;
    if (spec->kind == LAYER_ACTIVATION) {
        look_flat_ends(&spec->activation, &low, &high);
    }
    return isinf(low) && isinf(high) ? (double)NAN : 0.0;
}

/* ---- life ---- */

static void name_layer(struct look_layer *shown, const struct net_layer *layer) {
    bool is_activation = layer->spec->kind == LAYER_ACTIVATION;
    (void)snprintf(shown->name, sizeof shown->name, "%s %s", layer->name,
                   is_activation ? activation_names[layer->spec->activation.kind]
                                 : layer_names[layer->spec->kind]); // fits
}

/* Which layers are shown, and how many units they have together. */
static size_t choose_layers(struct look *look) {
    size_t units = 0;
    for (int i = 0; i < net_layer_count(look->net); i++) {
        struct net_layer layer = net_layer(look->net, i);
        look->place[i] = -1;
        if (!layer.hands_on) {
            look->place[i] = look->count;
            look->layers[look->count].index = i;
            name_layer(&look->layers[look->count++], &layer);
            units += (size_t)layer.out.C;
        }
    }
    return units;
}

void look_init(struct look *look, struct net *net, const struct optimizer_spec *spec) {
    size_t count = (size_t)net_layer_count(net), params = net_param_count(net);
    *look = (struct look){.net = net};
    look->place = mem_zalloc(count, sizeof *look->place);
    look->layers = mem_zalloc(count, sizeof *look->layers);
    look->sums = mem_zalloc(count, sizeof *look->sums);
    look->alive = mem_zalloc(choose_layers(look) + 1, 1); // + 1: never of no size
    look->grads = mem_aligned(params, sizeof(float));
    unsigned char *alive = look->alive;
    for (int i = 0; i < look->count; i++) {
        look->sums[i].alive = alive;
        alive += net_layer(net, look->layers[i].index).out.C;
    }
    if (spec != NULL) {
        look->params = mem_aligned(params, sizeof(float));
        optim_init(&look->optim, spec, params);
    }
}

void look_release(struct look *look) {
    free(look->place);
    free(look->layers);
    free(look->sums);
    free(look->alive);
    free(look->grads);
    free(look->params);
    optim_release(&look->optim);
    *look = (struct look){0};
}

/* ---- gathering ---- */

/* A tensor of a batch: `rows` rows of N values, the first n of which are of the batch. */
struct values {
    const float *at;
    size_t rows;
    int n, N;
};

/* `scale`: what a value counts as. */
static void gather_range(const struct values *v, double scale, struct spread_sums *sums,
                         struct look_spread *spread) {
    for (size_t row = 0; row < v->rows; row++) {
        const float *at = v->at + row * (size_t)v->N;
        for (int i = 0; i < v->n; i++) {
            double value = scale * (double)at[i];
            sums->sum += value;
            sums->has_nan |= isnan(value);
            spread->min = value < spread->min ? value : spread->min;
            spread->max = value > spread->max ? value : spread->max;
            if (isfinite(value)) {
                sums->low = value < sums->low ? value : sums->low;
                sums->high = value > sums->high ? value : sums->high;
            }
        }
    }
    spread->count += (int64_t)v->rows * v->n;
}

static void gather_bins(const struct values *v, double scale, struct spread_sums *sums,
                        struct look_spread *spread) {
    const double low = spread->low, per_bin = LOOK_BINS / (spread->high - low);
    for (size_t row = 0; row < v->rows; row++) {
        const float *at = v->at + row * (size_t)v->N;
        for (int i = 0; i < v->n; i++) {
            double value = scale * (double)at[i], deviation = value - spread->mean;
            sums->squares += deviation * deviation;
            if (isfinite(value)) {
                int bin = (int)((value - low) * per_bin);
                spread->bins[bin < LOOK_BINS ? bin : LOOK_BINS - 1]++; // the upper end is within
            }
        }
    }
}

static void gather_alive(const struct values *v, int C, unsigned char *alive) {
    const size_t rows = v->rows / (size_t)C; // of a channel
    for (int c = 0; c < C; c++) {
        for (size_t row = 0; row < rows && !alive[c]; row++) {
            const float *at = v->at + ((size_t)c * rows + row) * (size_t)v->N;
            for (int i = 0; i < v->n; i++) {
                alive[c] |= at[i] != 0.0f; // NaN is not dead
            }
        }
    }
}

static int64_t count_flat(const struct values *x, const struct activation_spec *spec) {
    double low, high;
    look_flat_ends(spec, &low, &high);
    int64_t flat = 0;
    for (size_t row = 0; row < x->rows; row++) {
        const float *at = x->at + row * (size_t)x->N;
        for (int i = 0; i < x->n; i++) {
            flat += (double)at[i] <= low || (double)at[i] >= high;
        }
    }
    return flat;
}

/* The batch under way, for on_sight(). */
struct gathering {
    struct look *look;
    int n;
};

static void see_output(const struct gathering *g, const struct net_sight *sight,
                       const struct net_layer *layer, struct look_layer *shown,
                       struct look_sums *sums) {
    struct values v = {.at = sight->y,
                       .rows = (size_t)layer->out.C * layer->out.H * layer->out.W,
                       .n = g->n,
                       .N = net_lanes(g->n)};
    if (g->look->pass == PASS_BINS) {
        gather_bins(&v, 1.0, &sums->output, &shown->output);
        return;
    }
    gather_range(&v, 1.0, &sums->output, &shown->output);
    gather_alive(&v, layer->out.C, sums->alive);
    if (!isnan(shown->saturated)) {
        v.at = sight->x; // of the shape of y
        sums->flat += count_flat(&v, &layer->spec->activation);
    }
}

static void on_sight(void *context, const struct net_sight *sight) {
    const struct gathering *g = context;
    struct look *look = g->look;
    int place = look->place[sight->layer];
    if (place < 0) {
        return;
    }
    struct net_layer layer = net_layer(look->net, sight->layer);
    struct look_layer *shown = &look->layers[place];
    struct look_sums *sums = &look->sums[place];
    if (sight->dy == NULL) {
        see_output(g, sight, &layer, shown, sums);
        return;
    }
    const struct values v = {.at = sight->dy,
                             .rows = (size_t)layer.out.C * layer.out.H * layer.out.W,
                             .n = g->n,
                             .N = net_lanes(g->n)};
    (look->pass == PASS_RANGES ? gather_range : gather_bins)(&v, look->weight, &sums->gradient,
                                                             &shown->gradient);
}

/* ---- a look ---- */

static void spread_start(struct look_spread *spread, struct spread_sums *sums) {
    *spread = (struct look_spread){.min = INFINITY, .max = -INFINITY};
    *sums = (struct spread_sums){.low = INFINITY, .high = -INFINITY};
}

static void start(struct look *look) {
    for (int i = 0; i < look->count; i++) {
        struct net_layer layer = net_layer(look->net, look->layers[i].index);
        spread_start(&look->layers[i].output, &look->sums[i].output);
        spread_start(&look->layers[i].gradient, &look->sums[i].gradient);
        look->layers[i].saturated = saturated_start(layer.spec);
        look->layers[i].update_ratio = (double)NAN;
        look->sums[i].flat = 0;
        memset(look->sums[i].alive, 0, (size_t)layer.out.C);
    }
    memset(look->grads, 0, net_param_count(look->net) * sizeof(float));
}

/* After the first pass: the mean, the range, and the bins to fill. */
static void spread_settle(struct look_spread *spread, const struct spread_sums *sums) {
    bool some = sums->low <= sums->high; // something finite
    spread->mean = sums->sum / (double)spread->count;
    if (sums->has_nan) {
        spread->min = spread->max = (double)NAN;
    }
    spread->low = some ? sums->low : 0.0;
    spread->high = some ? sums->high : 0.0;
    if (spread->low == spread->high) {
        spread->low -= 0.5;
        spread->high += 0.5;
    }
}

static void spread_finish(struct look_spread *spread, const struct spread_sums *sums) {
    spread->std = sqrt(sums->squares / (double)spread->count);
}

static void finish_shares(struct look *look) {
    for (int i = 0; i < look->count; i++) {
        struct look_layer *shown = &look->layers[i];
        int units = net_layer(look->net, shown->index).out.C, dead = 0;
        for (int c = 0; c < units; c++) {
            dead += !look->sums[i].alive[c];
        }
        shown->dead = (double)dead / units;
        shown->saturated += (double)look->sums[i].flat / (double)shown->output.count; // or NaN
    }
}

/* All samples once, batch after batch; the gradient's mean in the first pass. */
static void run_pass(struct look *look, int batch, look_load_fn *load, void *context) {
    for (int first = 0; first < look->samples; first += batch) {
        int left = look->samples - first;
        struct gathering g = {look, left < batch ? left : batch};
        struct net_targets targets = {0};
        struct net_stats ignored = {0};
        load(context, first, g.n, &targets);
        look->weight = (double)g.n / look->samples;
        net_look(look->net, &targets, g.n, on_sight, &g, &ignored);
        if (look->pass == PASS_RANGES) {
            kernels_get()->axpy(look->grads, net_grads(look->net), (float)look->weight,
                                net_param_count(look->net));
        }
    }
}

void look_take(struct look *look, int samples, int batch, look_load_fn *load, void *context) {
    assert(samples > 0 && batch > 0);
    look->samples = samples;
    look->pass = PASS_RANGES;
    start(look);
    run_pass(look, batch, load, context);
    for (int i = 0; i < look->count; i++) {
        spread_settle(&look->layers[i].output, &look->sums[i].output);
        spread_settle(&look->layers[i].gradient, &look->sums[i].gradient);
    }
    look->pass = PASS_BINS;
    run_pass(look, batch, load, context);
    for (int i = 0; i < look->count; i++) {
        spread_finish(&look->layers[i].output, &look->sums[i].output);
        spread_finish(&look->layers[i].gradient, &look->sums[i].gradient);
    }
    finish_shares(look);
    memcpy(net_grads(look->net), look->grads, net_param_count(look->net) * sizeof(float));
}

void look_update(struct look *look, const struct optim *optim, double lr) {
    const float *before = net_params(look->net);
    memcpy(look->params, before, net_param_count(look->net) * sizeof(float));
    optim_assign(&look->optim, optim);
    optim_step(&look->optim, look->params, net_grads(look->net), lr);
    for (int i = 0; i < look->count; i++) {
        const struct net_tensor *weight = net_layer(look->net, look->layers[i].index).weight;
        if (weight == NULL) {
            continue;
        }
        const float *after = look->params + (weight->value - before);
        double step = 0.0, length = 0.0;
        for (size_t k = 0; k < weight->len; k++) {
            double w = (double)weight->value[k], dw = (double)after[k] - w;
            step += dw * dw;
            length += w * w;
        }
        look->layers[i].update_ratio = sqrt(step / length);
    }
}

/* ---- printing ---- */

static void put(struct buf *out, const char *name, double value) {
    buf_printf(out, ", \"%s\": ", name);
    buf_json_number(out, value);
}

static void put_bins(struct buf *out, const char *name, const struct look_spread *spread) {
    buf_printf(out, ", \"%s\": [", name);
    for (int i = 0; i < LOOK_BINS; i++) {
        buf_puts(out, i == 0 ? "" : ", ");
        buf_json_number(out, (double)spread->bins[i]); // far below 2^53
    }
    buf_putc(out, ']');
}

void look_print(struct buf *out, const struct look_layer *layer, int at_epoch) {
    buf_printf(out,
               "{\"event\": \"layers\", \"at_epoch\": %d, \"index\": %d, \"layer\": ", at_epoch,
               layer->index);
    buf_json_string(out, layer->name, strlen(layer->name));
    put(out, "mean", layer->output.mean);
    put(out, "std", layer->output.std);
    put(out, "min", layer->output.min);
    put(out, "max", layer->output.max);
    put(out, "dead", layer->dead);
    if (!isnan(layer->saturated)) {
        put(out, "saturated", layer->saturated);
    }
    put_bins(out, "histogram", &layer->output);
    put(out, "histogram_low", layer->output.low);
    put(out, "histogram_high", layer->output.high);
    if (layer->gradient.count > 0) {
        put(out, "gradient_mean", layer->gradient.mean);
        put(out, "gradient_std", layer->gradient.std);
        put_bins(out, "gradient_histogram", &layer->gradient);
        put(out, "gradient_low", layer->gradient.low);
        put(out, "gradient_high", layer->gradient.high);
    }
    if (!isnan(layer->update_ratio)) {
        put(out, "update_ratio", layer->update_ratio);
    }
    buf_putc(out, '}');
}
