/* trainer/net_shape.c - do the layers fit, and how much memory do they want.
 *
 * Sums are kept below NET_MEMORY_MAX layer by layer, so that a product that would overflow is
 * refused before it is used. */
#include "trainer/net_shape.h"

#include "base/err.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "conv2d"; an activation is known by its own name. */
static const char *kind_name(const struct layer_spec *spec) {
    if ((unsigned)spec->kind >= LAYER_COUNT) {
        return "unknown";
    }
    unsigned activation = spec->activation.kind;
    if (spec->kind == LAYER_ACTIVATION && activation < ACTIVATION_COUNT) {
        return activation_names[activation];
    }
    return layer_names[spec->kind];
}

static int too_large(struct err *err) {
    return err_set(
        err, ERR_RANGE,
        "too large: parameters, their gradients and the activations of a batch need more "
        "than %zu GiB",
        NET_MEMORY_MAX >> 30);
}

/* *total += count * size, both in floats; false when that is past the limit. */
static bool add_floats(size_t *total, size_t count, size_t size) {
    size_t product;
    return !__builtin_mul_overflow(count, size, &product) &&
           product <= NET_MEMORY_MAX / sizeof(float) &&
           !__builtin_add_overflow(*total, net_padded(product), total) &&
           *total <= NET_MEMORY_MAX / sizeof(float);
}

/* C*H*W as a size that cannot have overflowed; false when it would. */
static bool features_of(struct shape shape, size_t *len) {
    return !__builtin_mul_overflow((size_t)shape.C, (size_t)shape.H, len) &&
           !__builtin_mul_overflow(*len, (size_t)shape.W, len) && *len <= INT_MAX;
}

static bool add_tensors(struct net_size *size, const struct layer *layer) {
    struct net_tensor tensors[LAYER_TENSOR_MAX];
    int count = layer->ops->tensors ? layer->ops->tensors(&layer->spec, layer->in, tensors) : 0;
    for (int i = 0; i < count; i++) {
        size_t len = 1;
        for (int d = 0; d < tensors[i].dim_count; d++) {
            if (__builtin_mul_overflow(len, (size_t)tensors[i].dims[d], &len)) {
                return false;
            }
        }
        if (len > NET_MEMORY_MAX) {
            return false;
        }
        *(tensors[i].is_buffer ? &size->buffers : &size->params) += len;
    }
    size->tensors += count;
    return true;
}

/* Adds what the layer keeps in memory; needs its ops, spec, in and out. */
static bool add_layer(struct net_size *size, const struct layer *layer, size_t N) {
    size_t features, own = 0;
    if (!features_of(layer->out, &features) || !add_floats(&own, features, N) ||
        !add_tensors(size, layer)) {
        return false;
    }
    if (own > size->gradient) {
        size->gradient = own;
    }
    if (!layer->ops->passes) {
        size->activations += own;
    }
    if (layer->ops->state_len) {
        size->state += net_state_floats(layer->ops->state_len(layer, (int)N));
    }
    if (layer->ops->scratch_len) { // computed from sizes that are known to be small by now
        size_t scratch = layer->ops->scratch_len(layer, (int)N);
        size->scratch = scratch > size->scratch ? scratch : size->scratch;
    }
    size_t total = 0;
    return add_floats(&total, size->params, 2) && add_floats(&total, size->buffers, 1) &&
           add_floats(&total, size->activations, 1) && add_floats(&total, size->gradient, 2) &&
           add_floats(&total, size->state, 1) && add_floats(&total, size->scratch, 1);
}

/* ---- the list ---- */

/* A residual block counts as one layer, and has two lists in it that are counted each for itself. */
struct walk {
    struct layer *made;
    struct shape at; // what comes out of the layers so far
    int next;        // number of the next layer in its list
    bool in_block;
    struct layer_block block; // the one that is open; shortcut -1 before it came
};

/* What the marks of a block say of each other; after their input is known. */
static int measure_residual(struct walk *walk, struct layer *layer, struct err *err) {
    if (walk->in_block) {
        return err_set(err, ERR_RANGE, "is within another residual block: blocks do not nest");
    }
    walk->in_block = true;
    walk->block = (struct layer_block){.fork = layer->index, .shortcut = -1};
    layer->out = layer->in;
    return ERR_OK;
}

static int measure_shortcut(struct walk *walk, struct layer *layer, struct err *err) {
    if (!walk->in_block || walk->block.shortcut >= 0) {
        return err_set(err, ERR_RANGE, "stands outside of a residual block");
    }
    walk->block.shortcut = layer->index;
    layer->out = walk->made[walk->block.fork].in;
    return ERR_OK;
}

static int measure_join(struct walk *walk, struct layer *layer, struct err *err) {
    if (!walk->in_block || walk->block.shortcut < 0) {
        return err_set(err, ERR_RANGE, "ends, but has no beginning or no shortcut");
    }
    const struct shape body = walk->made[walk->block.shortcut].in, other = layer->in;
    if (body.C != other.C || body.H != other.H || body.W != other.W) {
        return err_set(
            err, ERR_RANGE,
            "the body gives (%d, %d, %d), the shortcut (%d, %d, %d), and they are added: "
            "put a conv2d with the body's channels and strides into \"shortcut\"",
            body.C, body.H, body.W, other.C, other.H, other.W);
    }
    layer->out = other;
    walk->block.join = layer->index;
    for (int i = 0; i < 3; i++) {
        const int parts[] = {walk->block.fork, walk->block.shortcut, walk->block.join};
        walk->made[parts[i]].block = walk->block;
    }
    walk->in_block = false;
    return ERR_OK;
}

/* "3", "3.body.0"; of the marks of a block, the block's */
static void name_layer(struct walk *walk, struct layer *layer) {
    const enum layer_kind kind = layer->spec.kind;
    const bool is_mark = kind == LAYER_SHORTCUT || kind == LAYER_JOIN;
    if (!walk->in_block) {
        (void)snprintf(layer->name, sizeof layer->name, "%d", walk->next++); // fits
        return;
    }
    const struct layer *fork = &walk->made[walk->block.fork];
    const char *list = walk->block.shortcut < 0 ? "body" : "shortcut";
    if (is_mark) {
        memcpy(layer->name, fork->name, sizeof layer->name);
    } else {
        (void)snprintf(layer->name, sizeof layer->name, "%.8s.%s.%d", fork->name, list,
                       walk->next++); // fits: a list has three digits at most
    }
}

/* Where counting goes on after a mark. */
static void count_on(struct walk *walk, const struct layer *layer) {
    if (layer->spec.kind == LAYER_RESIDUAL || layer->spec.kind == LAYER_SHORTCUT) {
        walk->next = 0;
    } else if (layer->spec.kind == LAYER_JOIN) {
        walk->next = (int)strtol(layer->name, NULL, 10) + 1;
    }
}

static int measure_shape(struct walk *walk, struct layer *layer, struct err *err) {
    layer->ops = layer_ops_get(&layer->spec);
    if (!layer->ops) {
        return err_set(err, ERR_RANGE, "no such kind of layer");
    }
    switch (layer->spec.kind) {
    case LAYER_RESIDUAL:
        return measure_residual(walk, layer, err);
    case LAYER_SHORTCUT:
        return measure_shortcut(walk, layer, err);
    case LAYER_JOIN:
        return measure_join(walk, layer, err);
    default:
        return layer->ops->shape(&layer->spec, layer->in, &layer->out, err);
    }
}

static int measure_layer(struct walk *walk, struct layer *layer, struct net_size *size, size_t N,
                         struct err *err) {
    name_layer(walk, layer);
    int rc = measure_shape(walk, layer, err);
    if (rc < 0) {
        return rc;
    }
    count_on(walk, layer);
    layer->needs_dx = size->params > 0; // those of the layers before
    if (!add_layer(size, layer, N)) {
        return too_large(err);
    }
    walk->at = layer->out;
    return ERR_OK;
}

static int check_ends(const struct layer *last, int classes, size_t params, struct err *err) {
    const struct shape output = last->out;
    if (output.C != classes || output.H != 1 || output.W != 1) {
        return err_set(err, ERR_RANGE,
                       "layer %s (%s): the last layer gives (%d, %d, %d), but there are %d classes",
                       last->name, kind_name(&last->spec), output.C, output.H, output.W, classes);
    }
    if (params == 0) {
        return err_set(err, ERR_RANGE, "no layer has parameters: there is nothing to train");
    }
    return ERR_OK;
}

static int check_arguments(int count, struct shape input, int classes, int batch, size_t *features,
                           struct err *err) {
    if (count < 1 || count > NET_LAYER_MAX) {
        return err_set(err, ERR_RANGE, "a network has from 1 to %d layers, not %d", NET_LAYER_MAX,
                       count);
    }
    if (input.C < 1 || input.H < 1 || input.W < 1 || !features_of(input, features)) {
        return err_set(err, ERR_RANGE, "the input (%d, %d, %d) is out of range", input.C, input.H,
                       input.W);
    }
    if (classes < 1) {
        return err_set(err, ERR_RANGE, "%d classes: at least 1 is needed", classes);
    }
    if (batch < 1 || batch > INT_MAX - NET_LANES) {
        return err_set(err, ERR_RANGE, "a batch of %d samples is out of range", batch);
    }
    return ERR_OK;
}

int net_measure(struct layer *made, const struct layer_spec *layers, int count, struct shape input,
                int classes, int batch, struct net_size *size, struct err *err) {
    size_t features = 0;
    int rc = check_arguments(count, input, classes, batch, &features, err);
    if (rc < 0) {
        return rc;
    }
    const size_t N = (size_t)net_lanes(batch);
    struct net_size sum = {0};
    if (!add_floats(&sum.activations, features, N)) {
        (void)too_large(err); // the code is that of the wrapped error
        return err_wrap(err, "input (%d, %d, %d)", input.C, input.H, input.W);
    }
    struct walk walk = {.made = made, .at = input};
    for (int i = 0; i < count; i++) {
        made[i] = (struct layer){.spec = layers[i], .index = i, .in = walk.at};
        if (measure_layer(&walk, &made[i], &sum, N, err) < 0) {
            return err_wrap(err, "layer %s (%s)", made[i].name, kind_name(&layers[i]));
        }
    }
    if (walk.in_block) {
        return err_set(err, ERR_RANGE, "layer %s (residual): has no end",
                       made[walk.block.fork].name);
    }
    rc = check_ends(&made[count - 1], classes, sum.params, err);
    if (rc == ERR_OK) {
        *size = sum;
    }
    return rc;
}

int net_check(const struct layer_spec *layers, int count, struct shape input, int classes,
              int batch, struct shape *shapes, size_t *params, struct err *err) {
    struct layer made[NET_LAYER_MAX];
    struct net_size size = {0}; // for the analyzer: ERR_OK means that it is set
    int rc = net_measure(made, layers, count, input, classes, batch, &size, err);
    if (rc != ERR_OK) {
        return rc;
    }
    for (int i = 0; i < count && shapes; i++) {
        shapes[i] = made[i].out;
    }
    if (params) {
        *params = size.params;
    }
    return ERR_OK;
}

int net_check_training(const struct layer_spec *layers, int count, struct shape input, int classes,
                       int samples, struct err *err) {
    struct layer made[NET_LAYER_MAX];
    struct net_size size;
    int rc = net_measure(made, layers, count, input, classes, samples, &size, err);
    if (rc != ERR_OK || samples > 1) {
        return rc;
    }
    struct shape at = input;
    for (int i = 0; i < count; i++) {
        if (layers[i].kind == LAYER_BATCH_NORM && at.H == 1 && at.W == 1) {
            return err_set(err, ERR_RANGE,
                           "layer %s (batch_norm): gets one value a channel from a batch of one "
                           "sample, and nothing is left when its mean is taken away: batch_size "
                           "must be at least 2",
                           made[i].name);
        }
        at = made[i].out;
    }
    return ERR_OK;
}
