/* trainer/model.h - a network by its name, or as a list of layers, made into layer specs.
 *
 *     "logistic"  flatten, dense(classes)
 *     "mlp"       flatten, dense(512), activation, dropout(0.2), dense(classes)
 *     "lenet5"    conv2d(6, 5x5, padding 2), activation, maxpool(2), conv2d(16, 5x5), activation,
 *                 maxpool(2), flatten, dense(120), activation, dense(84), activation, dense(classes)
 *                                                                    (after LeCun et al. 1998)
 *     "deep10"    flatten, ten times dense(500) and activation, dense(classes); any N for the 10,
 *                 or {"name": "deep", "depth": 10, "units": 500}
 *     "vgg-small" twice (conv2d 3x3, activation) with 32 channels, maxpool(2), the same with 64,
 *                 flatten, dense(256), activation, dense(classes)
 *                                                            (after Simonyan, Zisserman 2015)
 *     "resnet-small"  conv2d(16, 3x3), activation, residual blocks of 16, 32 and 64 channels, an
 *                 activation behind each, globalavgpool, dense(classes)
 *                                                            (after He et al. 2015)
 *
 *     {"layers": [{"type": "conv2d", "channels": 6, "kernel": 5}, {"type": "activation"}, ...]}
 *
 * A named model has a dropout layer behind each hidden dense layer's activation where the config's
 * `dropout` is above 0 (resnet-small, which has no such layer, behind globalavgpool), and a batch_norm
 * layer behind each convolution and each hidden dense layer, before the activation, where `batch_norm`
 * is true.
 *
 * Maxout takes `pieces` channels to one.  So that a width in a config always means the width after
 * the activation, the dense or conv2d layer before a maxout is widened `pieces` times; only a
 * batch_norm may stand between the two, and normalizes what is widened.  In any other place maxout is
 * refused. */
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
    MODEL_DEEP,
    MODEL_VGG_SMALL,
    MODEL_RESNET_SMALL,
    MODEL_NAMED_COUNT,
    MODEL_CUSTOM = MODEL_NAMED_COUNT, // a list of layers
};
extern const char *const model_names[MODEL_CUSTOM + 1];

enum {
    MODEL_LAYER_MAX = 200,   // items of a list
    MODEL_UNITS_MAX = 65536, // a layer's width
    MODEL_DEPTH_MAX = 100,   // of deepN
    MODEL_DEEP_UNITS = 500,
};

/* PyTorch's. */
#define MODEL_BATCH_NORM_EPS      1e-5
#define MODEL_BATCH_NORM_MOMENTUM 0.1

struct model_list {
    struct model_item *items; // owned
    int count;
};

/* A layer of a list, as it is written. */
struct model_item {
    struct layer_spec layer;
    struct activation_spec activation; // of a dense or conv2d layer: `activation` behind it
    bool has_init, has_activation;     // else: the config's init; none
    struct model_list body, shortcut;  // of a residual block
};

struct model_spec {
    enum model_kind kind;
    int depth, units;       // MODEL_DEEP
    struct model_list list; // MODEL_CUSTOM
};

/* What the rest of a config says about the layers. */
struct model_choices {
    struct activation_spec activation;
    struct init_spec init;
    double dropout;  // named models
    bool batch_norm; // likewise
};

extern const struct table activation_table, init_table, loss_table;
extern const struct table layer_table; // of an item of "layers"

/* The config's member "model", as table_read_fn; `out` is a struct model_spec. */
struct cJSON *model_read(struct table_reader *reader, const struct cJSON *json, void *out);
void model_release(struct model_spec *model);

/* The `dropout` of a named model that the config says nothing about. */
double model_default_dropout(enum model_kind kind);
bool model_default_batch_norm(enum model_kind kind); // likewise: its `batch_norm`

/* Makes the list of layers, to be freed by the caller.  The last dense layer of a named model gets
 * `classes` units.  ERR_RANGE where maxout has no layer to widen or widens it too far; *bad is then
 * the index of the item of a list, -1 for a named model. */
int model_build(const struct model_spec *model, const struct model_choices *choices, int classes,
                struct layer_spec **layers, int *count, int *bad, struct err *err);

#endif
