#include "trainer/layer.h"

static const struct layer_ops *const by_kind[LAYER_COUNT] = {
    [LAYER_DENSE] = &layer_dense_ops,
    [LAYER_CONV2D] = &layer_conv2d_ops,
    [LAYER_MAXPOOL] = &layer_maxpool_ops,
    [LAYER_AVGPOOL] = &layer_avgpool_ops,
    [LAYER_GLOBALAVGPOOL] = &layer_globalavgpool_ops,
    [LAYER_FLATTEN] = &layer_flatten_ops,
    [LAYER_BATCH_NORM] = &layer_batch_norm_ops,
    [LAYER_DROPOUT] = &layer_dropout_ops,
    [LAYER_RESIDUAL] = &layer_residual_ops,
    [LAYER_SHORTCUT] = &layer_shortcut_ops,
    [LAYER_JOIN] = &layer_join_ops,
};

static const struct layer_ops *const by_activation[ACTIVATION_COUNT] = {
    [ACTIVATION_SIGMOID] = &layer_elementwise_ops,
    [ACTIVATION_TANH] = &layer_elementwise_ops,
    [ACTIVATION_RELU] = &layer_elementwise_ops,
    [ACTIVATION_LEAKY_RELU] = &layer_elementwise_ops,
    [ACTIVATION_ELU] = &layer_elementwise_ops,
    [ACTIVATION_PRELU] = &layer_prelu_ops,
    [ACTIVATION_MAXOUT] = &layer_maxout_ops,
    [ACTIVATION_GELU] = &layer_elementwise_ops,
    [ACTIVATION_SILU] = &layer_elementwise_ops,
    [ACTIVATION_SELU] = &layer_elementwise_ops,
    [ACTIVATION_MISH] = &layer_elementwise_ops,
    [ACTIVATION_SOFTPLUS] = &layer_elementwise_ops,
    [ACTIVATION_HARDSWISH] = &layer_elementwise_ops,
    [ACTIVATION_RELU6] = &layer_elementwise_ops,
};

const struct layer_ops *layer_ops_get(const struct layer_spec *spec) {
    if ((unsigned)spec->kind >= LAYER_COUNT) {
        return NULL;
    }
    if (spec->kind != LAYER_ACTIVATION) {
        return by_kind[spec->kind];
    }
    unsigned activation = spec->activation.kind;
    return activation < ACTIVATION_COUNT ? by_activation[activation] : NULL;
}
