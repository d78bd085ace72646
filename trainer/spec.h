/* trainer/spec.h - what is to be trained, as plain values: the meeting point of the config reader,
 * which fills these in, and of the modules that carry them out.
 *
 * Names and defaults are PyTorch's where PyTorch has the thing.  A spec is copied freely and owns
 * nothing, except where a pointer says so.  The doc strings of the formulas are with the code that
 * computes them: kernels/ (activations), init.h, optim.h, schedule.h, augment.h. */
#ifndef TRAINER_SPEC_H
#define TRAINER_SPEC_H

#include "base/hash.h"

#include <stdbool.h>
#include <stdint.h>

/* One sample: channels, height, width.  A vector of n features is (n, 1, 1). */
struct shape {
    int C, H, W;
};

enum activation_kind {
    ACTIVATION_SIGMOID,
    ACTIVATION_TANH,
    ACTIVATION_RELU,
    ACTIVATION_LEAKY_RELU,
    ACTIVATION_ELU,
    ACTIVATION_PRELU,
    ACTIVATION_MAXOUT,
    ACTIVATION_GELU,
    ACTIVATION_SILU,
    ACTIVATION_SELU,
    ACTIVATION_MISH,
    ACTIVATION_SOFTPLUS,
    ACTIVATION_HARDSWISH,
    ACTIVATION_RELU6,
    ACTIVATION_COUNT,
};
extern const char *const activation_names[ACTIVATION_COUNT]; // "sigmoid", "tanh", ...

struct activation_spec {
    enum activation_kind kind;
    float negative_slope; // leaky_relu: 0.01
    float alpha;          // elu: 1
    float init;           // prelu: 0.25, the slope to start from
    int pieces;           // maxout: 2, at least 2
};

enum init_kind {
    INIT_ZEROS,
    INIT_NORMAL,  // mean 0, standard deviation `std`
    INIT_UNIFORM, // in [-bound, bound]
    INIT_XAVIER_UNIFORM,
    INIT_XAVIER_NORMAL,
    INIT_HE_UNIFORM,
    INIT_HE_NORMAL,
    INIT_LECUN_UNIFORM,
    INIT_LECUN_NORMAL,
    INIT_TRUNCATED_NORMAL, // `std`, cut at 2 of it
    INIT_CONSTANT,         // `value`
    INIT_ORTHOGONAL,
    INIT_TORCH_DEFAULT, // PyTorch's own of Linear and Conv2d, of the biases too
    INIT_LSUV,          // orthogonal, then scaled layer by layer to the data: lsuv.h
    INIT_COUNT,
};
extern const char *const init_names[INIT_COUNT];

struct init_spec {
    enum init_kind kind;
    double std;   // normal, truncated_normal
    double value; // constant
    double bound; // uniform
    double gain;  // xavier, orthogonal: 1; he: sqrt(2); NAN: by the activation that follows, gain.h
};

enum layer_kind {
    LAYER_DENSE,         // units, init
    LAYER_CONV2D,        // channels, kernel, stride, padding, init
    LAYER_MAXPOOL,       // kernel, stride
    LAYER_AVGPOOL,       // kernel, stride
    LAYER_GLOBALAVGPOOL, // (C, H, W) -> (C, 1, 1)
    LAYER_FLATTEN,       // (C, H, W) -> (C*H*W, 1, 1)
    LAYER_BATCH_NORM,    // eps, momentum
    LAYER_ACTIVATION,    // activation
    LAYER_DROPOUT,       // p
    LAYER_RESIDUAL,      // the beginning of a residual block
    LAYER_SHORTCUT,      // between its body and its shortcut
    LAYER_JOIN,          // its end
    LAYER_COUNT,
    LAYER_LISTED_COUNT = LAYER_SHORTCUT, // kinds that can be written into a list of layers
};
extern const char *const layer_names[LAYER_COUNT];

/* A layer.  The index in the list is its name in checkpoints ("0.weight"), as in nn.Sequential.
 *
 * A residual block is y = body(x) + shortcut(x).  It lies flat in the list: LAYER_RESIDUAL, the body,
 * LAYER_SHORTCUT, the layers of the shortcut (none: y = body(x) + x), LAYER_JOIN; and counts as one, with
 * two lists in it: "3.body.0.weight", "3.shortcut.0.weight".  Blocks do not nest.
 *
 * Maxout over k pieces takes k*c channels to c: whoever makes the list has widened the dense or
 * conv2d layer in front of it to k*c. */
struct layer_spec {
    enum layer_kind kind;
    int units;                         // dense: outputs
    int channels;                      // conv2d: filters
    int kernel, stride, padding;       // conv2d, pools (no padding): pixels
    float p;                           // dropout: probability of a zero, in [0, 1)
    double eps, momentum;              // batch_norm: 1e-5, 0.1
    struct activation_spec activation; // activation
    struct init_spec init;             // dense, conv2d: the weights; biases start at 0
};

enum loss_kind {
    LOSS_CROSS_ENTROPY, // of the softmax of the logits, in nats; label_smoothing
    LOSS_MSE,           // mean over the classes of (logit - target)^2
    LOSS_COUNT,
};
extern const char *const loss_names[LOSS_COUNT];

/* What a sample's logits cost; with kernels/loss.c. */
struct loss_spec {
    enum loss_kind kind;
    double
        label_smoothing; // cross_entropy: 0, the share of the target that all classes get; below 1
};

enum optimizer_kind {
    OPTIMIZER_SGD,
    OPTIMIZER_MOMENTUM,
    OPTIMIZER_NESTEROV,
    OPTIMIZER_ADAGRAD,
    OPTIMIZER_RMSPROP,
    OPTIMIZER_ADAM,
    OPTIMIZER_ADAMW,
    OPTIMIZER_ADAMAX,
    OPTIMIZER_NADAM,
    OPTIMIZER_ADADELTA,
    OPTIMIZER_LION,
    OPTIMIZER_COUNT,
};
extern const char *const optimizer_names[OPTIMIZER_COUNT];

struct optimizer_spec {
    enum optimizer_kind kind;
    double lr;             // 0.01; adam, adamw 0.001; adamax, nadam 0.002; adadelta 1; lion 1e-4
    double momentum;       // momentum, nesterov: 0.9
    double dampening;      // momentum: 0
    double alpha;          // rmsprop: 0.99, the decay of the mean square
    double rho;            // adadelta: 0.9, likewise
    double beta1, beta2;   // adam and its kin: 0.9, 0.999; lion: 0.9, 0.99
    double momentum_decay; // nadam: 0.004
    double eps;            // adagrad 1e-10; adadelta 1e-6; others that have it 1e-8
    double weight_decay;   // 0; adamw 0.01.  Of adamw and lion decoupled from the gradient
};

enum schedule_kind {
    SCHEDULE_CONSTANT,
    SCHEDULE_EXPONENTIAL,       // lr * exp(-k t)
    SCHEDULE_INVERSE,           // lr / (1 + k t)
    SCHEDULE_STEP,              // lr * gamma^floor(t / step_size)
    SCHEDULE_COSINE,            // half a cosine from lr to eta_min
    SCHEDULE_ONE_CYCLE,         // up to lr and down again, step by step
    SCHEDULE_REDUCE_ON_PLATEAU, // lr * factor^(how often a metric stopped to get better)
    SCHEDULE_COUNT,
};
extern const char *const schedule_names[SCHEDULE_COUNT];

enum threshold_mode {
    THRESHOLD_REL, // better is by more than a share of the best
    THRESHOLD_ABS, // by more than a number
    THRESHOLD_COUNT,
};
extern const char *const threshold_names[THRESHOLD_COUNT];

/* t is the number of complete epochs: 0 in the first. */
struct schedule_spec {
    enum schedule_kind kind;
    double k;         // exponential, inverse: 0.1
    int step_size;    // step: epochs, 10
    double gamma;     // step: 0.1
    int T_max;        // cosine: epochs from lr to eta_min; as a key 0, all of the training
    double eta_min;   // cosine: 0
    double pct_start; // one_cycle: 0.3, the share of the training that goes up
    double div_factor, final_div_factor; // one_cycle: 25, 1e4
    double factor;                       // reduce_on_plateau: 0.1
    int metric;                          // reduce_on_plateau: enum history_metric: val_loss
    int patience, cooldown;              // reduce_on_plateau: epochs, 10 and 0
    double threshold;                    // reduce_on_plateau: 1e-4, what counts as better
    int threshold_mode;                  // reduce_on_plateau: THRESHOLD_REL
    double min_lr, eps;                  // reduce_on_plateau: 0, 1e-8
    double warmup;                       // 0: epochs of linear warm-up
    int epochs;                          // of the whole training, for one_cycle
};

/* What happens to training samples, see augment.h.  All 0: nothing. */
struct augment_spec {
    int crop;               // pixels of padding
    double horizontal_flip; // probability
    double rotation;        // degrees, at most
    double brightness;      // factor 1 - this to 1 + this
    double contrast;        // likewise
    double noise;           // standard deviation
    int cutout;             // pixels, the side of a square
    double mixup;           // alpha
};

/* Sets that are made, not read: see data_synthetic.c. */
enum dataset_kind {
    DATASET_BLOBS,
    DATASET_SPIRALS,
    DATASET_SPARSE,
    DATASET_SYNTHETIC_COUNT,
    DATASET_FILES = DATASET_SYNTHETIC_COUNT, // a folder
};
extern const char *const dataset_names[DATASET_SYNTHETIC_COUNT];

enum emnist_split {
    EMNIST_BALANCED,
    EMNIST_BYCLASS,
    EMNIST_BYMERGE,
    EMNIST_DIGITS,
    EMNIST_LETTERS,
    EMNIST_MNIST,
    EMNIST_COUNT,
    EMNIST_UNSAID = EMNIST_COUNT,
};
extern const char *const emnist_names[EMNIST_COUNT];

enum normalize_kind { NORMALIZE_NONE, NORMALIZE_COMPUTED, NORMALIZE_GIVEN };

struct number_list {
    float *values; // owned
    int count;
};

/* Given: a number a channel, or one for all. */
struct normalize_spec {
    enum normalize_kind kind;
    struct number_list mean, std;
};

/* The column of a table that is the label: by its name or its number, or neither. */
struct label_spec {
    char *name; // owned; NULL: not by name
    int column; // from 1; 0: not by number
};

/* Which images, and which of them. */
struct dataset_spec {
    enum dataset_kind kind;
    char *name;      // owned: a name or a folder
    int train, test; // how many samples, 0: all; of a synthetic set, how many are made
    char fingerprint[HASH_HEX_LEN + 1]; // what the content must be; "": whatever it is
    double validation; // 0: none; below 1 a share of the training images, else how many
    bool balanced;
    struct normalize_spec normalize;
    enum emnist_split split; // EMNIST
    bool coarse;             // CIFAR-100: the 20 coarse labels
    struct label_spec label; // CSV
    struct shape csv_shape;  // CSV: of the images; C 0: not said
    int classes, features;   // synthetic
    double std;              // blobs
    double noise;            // spirals
    double density;          // sparse
    uint64_t seed;           // synthetic
};

#endif
