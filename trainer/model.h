/* trainer/model.h - a network by its name, or as a list of layers, made into layer specs.
 *
 *     "logistic"  flatten, dense(classes)
 *     "mlp"       flatten, dense(512), activation, dropout(0.2), dense(classes)
 *     "lenet5"    conv2d(6, 5x5, padding 2), activation, maxpool(2), conv2d(16, 5x5), activation,
 *                 maxpool(2), flatten, dense(120), activation, dense(84), activation, dense(classes)
 *                                                                    (after LeCun et al. 1998)
 *     "deep10"    flatten, ten times dense(500) and activation, dense(classes)
 *
 *     {"layers": [{"type": "conv2d", "channels": 6, "kernel": 5}, {"type": "activation"}, ...]}
 *
 * A named model has a dropout layer behind each hidden dense layer's activation where the config's
 * `dropout` is above 0.
 *
 * Maxout takes `pieces` channels to one.  So that a width in a config always means the width after
 * the activation, the dense or conv2d layer right before a maxout is widened `pieces` times; in any
 * other place maxout is refused. */
#ifndef TRAINER_MODEL_H
#define TRAINER_MODEL_H

#include "trainer/config_table.h"
#include "trainer/spec.h"

#include <stdbool.h>

struct err;

enum model_kind {
    MODEL_LOGISTIC,
    MODEL_MLP,
    MODEL_LENET5,
    MODEL_DEEP10,
    MODEL_NAMED_COUNT,
    MODEL_CUSTOM = MODEL_NAMED_COUNT, // a list of layers
};
extern const char *const model_names[MODEL_CUSTOM + 1];

enum {
    MODEL_LAYER_MAX = 200,   // items of a list; with what they expand to, layer indices fit a byte
    MODEL_UNITS_MAX = 65536, // a layer's width
};

/* A layer of a list, as it is written. */
struct model_item {
    struct layer_spec layer;
    struct activation_spec activation; // of a dense or conv2d layer: `activation` behind it
    bool has_init, has_activation;     // else: the config's init; none
};

struct model_spec {
    enum model_kind kind;
    struct model_item *items; // owned; MODEL_CUSTOM only
    int item_count;
};

/* What the rest of a config says about the layers. */
struct model_choices {
    struct activation_spec activation;
    struct init_spec init;
    double dropout; // named models
};

extern const struct table activation_table, init_table, loss_table;
extern const struct table layer_table; // of an item of "layers"

/* The config's member "model", as table_read_fn; `out` is a struct model_spec. */
struct cJSON *model_read(struct table_reader *reader, const struct cJSON *json, void *out);
void model_release(struct model_spec *model);

/* The `dropout` of a named model that the config says nothing about. */
double model_default_dropout(enum model_kind kind);

/* Makes the list of layers, to be freed by the caller.  The last dense layer of a named model gets
 * `classes` units.  ERR_RANGE where maxout has no layer to widen or widens it too far; *bad is then
 * the index of the item of a list, -1 for a named model. */
int model_build(const struct model_spec *model, const struct model_choices *choices, int classes,
                struct layer_spec **layers, int *count, int *bad, struct err *err);

#endif
