#include "trainer/spec.h"

const char *const activation_names[ACTIVATION_COUNT] = {
    [ACTIVATION_SIGMOID] = "sigmoid",
    [ACTIVATION_TANH] = "tanh",
    [ACTIVATION_RELU] = "relu",
    [ACTIVATION_LEAKY_RELU] = "leaky_relu",
    [ACTIVATION_ELU] = "elu",
    [ACTIVATION_PRELU] = "prelu",
    [ACTIVATION_MAXOUT] = "maxout",
    [ACTIVATION_GELU] = "gelu",
    [ACTIVATION_SILU] = "silu",
    [ACTIVATION_SELU] = "selu",
    [ACTIVATION_MISH] = "mish",
    [ACTIVATION_SOFTPLUS] = "softplus",
    [ACTIVATION_HARDSWISH] = "hardswish",
    [ACTIVATION_RELU6] = "relu6",
};

const char *const init_names[INIT_COUNT] = {
    [INIT_ZEROS] = "zeros",
    [INIT_NORMAL] = "normal",
    [INIT_UNIFORM] = "uniform",
    [INIT_XAVIER_UNIFORM] = "xavier_uniform",
    [INIT_XAVIER_NORMAL] = "xavier_normal",
    [INIT_HE_UNIFORM] = "he_uniform",
    [INIT_HE_NORMAL] = "he_normal",
    [INIT_LECUN_UNIFORM] = "lecun_uniform",
    [INIT_LECUN_NORMAL] = "lecun_normal",
    [INIT_TRUNCATED_NORMAL] = "truncated_normal",
    [INIT_CONSTANT] = "constant",
    [INIT_ORTHOGONAL] = "orthogonal",
    [INIT_TORCH_DEFAULT] = "torch_default",
    [INIT_LSUV] = "lsuv",
};

const char *const layer_names[LAYER_COUNT] = {
    [LAYER_DENSE] = "dense",
    [LAYER_CONV2D] = "conv2d",
    [LAYER_MAXPOOL] = "maxpool",
    [LAYER_AVGPOOL] = "avgpool",
    [LAYER_GLOBALAVGPOOL] = "globalavgpool",
    [LAYER_FLATTEN] = "flatten",
    [LAYER_BATCH_NORM] = "batch_norm",
    [LAYER_ACTIVATION] = "activation",
    [LAYER_DROPOUT] = "dropout",
    [LAYER_RESIDUAL] = "residual",
    [LAYER_SHORTCUT] = "shortcut",
    [LAYER_JOIN] = "residual",
};

const char *const loss_names[LOSS_COUNT] = {
    [LOSS_CROSS_ENTROPY] = "cross_entropy",
    [LOSS_MSE] = "mse",
};

const char *const optimizer_names[OPTIMIZER_COUNT] = {
    [OPTIMIZER_SGD] = "sgd",           [OPTIMIZER_MOMENTUM] = "momentum",
    [OPTIMIZER_NESTEROV] = "nesterov", [OPTIMIZER_ADAGRAD] = "adagrad",
    [OPTIMIZER_RMSPROP] = "rmsprop",   [OPTIMIZER_ADAM] = "adam",
    [OPTIMIZER_ADAMW] = "adamw",       [OPTIMIZER_ADAMAX] = "adamax",
    [OPTIMIZER_NADAM] = "nadam",       [OPTIMIZER_ADADELTA] = "adadelta",
    [OPTIMIZER_LION] = "lion",
};

const char *const schedule_names[SCHEDULE_COUNT] = {
    [SCHEDULE_CONSTANT] = "constant",
    [SCHEDULE_EXPONENTIAL] = "exponential",
    [SCHEDULE_INVERSE] = "inverse",
    [SCHEDULE_STEP] = "step",
    [SCHEDULE_COSINE] = "cosine",
    [SCHEDULE_ONE_CYCLE] = "one_cycle",
    [SCHEDULE_REDUCE_ON_PLATEAU] = "reduce_on_plateau",
};

const char *const dataset_names[DATASET_SYNTHETIC_COUNT] = {
    [DATASET_BLOBS] = "blobs",
    [DATASET_SPIRALS] = "spirals",
    [DATASET_SPARSE] = "sparse",
};

const char *const emnist_names[EMNIST_COUNT] = {
    [EMNIST_BALANCED] = "balanced", [EMNIST_BYCLASS] = "byclass", [EMNIST_BYMERGE] = "bymerge",
    [EMNIST_DIGITS] = "digits",     [EMNIST_LETTERS] = "letters", [EMNIST_MNIST] = "mnist",
};

const char *const threshold_names[THRESHOLD_COUNT] = {
    [THRESHOLD_REL] = "rel", [THRESHOLD_ABS] = "abs"};
