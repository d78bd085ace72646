/* trainer/net_shape.c - do the layers fit, and how much memory do they want.
 *
 * Sums are kept below NET_MEMORY_MAX layer by layer, so that a product that would overflow is
 * refused before it is used. */
#include "trainer/net_shape.h"

#include "base/err.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>

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

static int measure_layer(struct layer *layer, struct net_size *size, size_t N, struct err *err) {
    layer->ops = layer_ops_get(&layer->spec);
    if (!layer->ops) {
        return err_set(err, ERR_RANGE, "no such kind of layer");
    }
    int rc = layer->ops->shape(&layer->spec, layer->in, &layer->out, err);
    if (rc < 0) {
        return rc;
    }
    layer->needs_dx = size->params > 0; // those of the layers before
    if (!add_layer(size, layer, N)) {
        return too_large(err);
    }
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
    struct shape at = input;
    for (int i = 0; i < count; i++) {
        made[i] = (struct layer){.spec = layers[i], .index = i, .in = at};
        (void)snprintf(made[i].name, sizeof made[i].name, "%d", i); // fits
        if (measure_layer(&made[i], &sum, N, err) < 0) {
            return err_wrap(err, "layer %s (%s)", made[i].name, kind_name(&layers[i]));
        }
        at = made[i].out;
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
