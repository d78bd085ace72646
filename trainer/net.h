/* trainer/net.h - a feed-forward network: its memory, its forward and its backward pass.
 *
 * Activations are stored batch innermost, (C, H, W, N): every kernel is a loop over vectors of N, a
 * dense layer is one product, W (out, in) times X (in, N), and flatten does nothing.  N is the batch
 * rounded up to a multiple of NET_LANES; in the columns past the batch the gradient is 0, so what
 * they hold, as long as it is finite, never reaches a parameter or a sum.
 *
 * Parameters keep PyTorch's shapes, dense (out, in) and conv2d (K, C, R, S); kernels that want
 * another order pack them first.
 *
 * Memory: one block for the parameters, one for their gradients, one for buffers, one for the
 * activations and their gradients, one for scratch, sized by net_new(); nothing is allocated after that.  Together they
 * may have 8 GiB.
 *
 * Use:  net_new, net_init (or values from a checkpoint), then for each batch: fill net_input(),
 * net_train, net_add_l2, an optimizer's step over net_params() and net_grads().
 *
 * The library leaves OpenBLAS's thread count alone: the same bits need the same count.
 *
 * Invariants
 *   1. Parameters are contiguous in the order of net_tensor(): optimizers see one vector.
 *   2. A step is a function of (parameters, input, targets, seed, epoch, step): the same bits on the
 *      same machine, whatever was computed before. */
#ifndef TRAINER_NET_H
#define TRAINER_NET_H

#include "trainer/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct net;

enum { NET_LANES = 16 };

/* A parameter, or a buffer: what a layer measures and does not learn, as the running statistics of
 * batch normalization.  Buffers are saved with the parameters; they have no gradient and no state in
 * an optimizer. */
struct net_tensor {
    char name[48]; // "0.weight", "0.bias", "1.weight" (prelu's slopes): as in nn.Sequential
    int dims[4], dim_count; // PyTorch's shape
    size_t len;
    float *value, *grad; // into the net's blocks; a buffer's grad is NULL
    bool decays;         // weights of dense and conv2d: L2 applies; not biases, not slopes
    bool is_buffer;
};

/* What the samples of a batch are to come out as: labels; or, with `others`, share times the one-hot
 * of labels and 1 - share times that of others.  What counts as correct is `labels` in either case. */
struct net_targets {
    const uint8_t *labels; // (n)
    const uint8_t *others; // (n); NULL: labels alone
    float share;           // in [0, 1]
};

/* What a batch or several came to. */
struct net_stats {
    double loss_sum; // over samples, of the loss that the net was made with
    int64_t correct, samples;
};

/* Checks that the layers fit together, end in `classes` outputs, a (classes, 1, 1), and leave room
 * for batches of `batch` samples, without allocating.  ERR_RANGE names the layer by index and
 * kind, and the shape that does not fit: "layer 3 (conv2d): a 5x5 kernel does not fit into ...".
 * `shapes`, when not NULL, receives the output shape of each of the `count` layers; `params`, when
 * not NULL, the number of parameters.  Both are written on success only. */
int net_check(const struct layer_spec *layers, int count, struct shape input, int classes,
              int batch, struct shape *shapes, size_t *params, struct err *err);

/* Whether batches of `samples` can be trained on: ERR_RANGE when a batch_norm layer would get a single
 * value a channel, of which it can learn nothing, or as net_check(). */
int net_check_training(const struct layer_spec *layers, int count, struct shape input, int classes,
                       int samples, struct err *err);

/* A network for batches of up to `batch_max` samples, all parameters 0.  Copies `layers` and `loss`,
 * NULL for plain cross-entropy.  Fails as net_check(), and when that batch is too large for the memory
 * limit. */
int net_new(struct net **net, const struct layer_spec *layers, int count, struct shape input,
            int classes, const struct loss_spec *loss, int batch_max, struct err *err);
void net_free(struct net *net); // NULL is fine

/* Draws every weight, and the biases that torch_default draws, by its layer's init from the stream (seed,
 * RNG_INIT, 0, index of the weight); other biases become 0, prelu's slopes and buffers their start. */
void net_init(struct net *net, uint64_t seed);

/* All parameters in the order of the layers, then all buffers. */
int net_tensor_count(const struct net *net);
const struct net_tensor *net_tensor(const struct net *net, int index);
size_t net_param_count(const struct net *net);
float *net_params(struct net *net); // (net_param_count)
float *net_grads(struct net *net);  // (net_param_count)

/* Lanes of a batch of n samples: n rounded up to a multiple of NET_LANES. */
int net_lanes(int n);

/* Where the caller puts a batch of n before net_train() or net_eval(): (C, H, W, net_lanes(n)), the
 * columns past n zero. */
float *net_input(struct net *net);

/* Forward with dropout, mean loss over the n samples, backward: leaves the gradient of the mean loss
 * in net_grads() and adds to `stats`.  Dropout draws from (seed, RNG_DROPOUT + (layer << 8), epoch,
 * step). */
void net_train(struct net *net, const struct net_targets *targets, int n, uint64_t seed,
               uint32_t epoch, uint32_t step, struct net_stats *stats);

/* Forward without dropout, the same loss; adds to `stats`. */
void net_eval(struct net *net, const struct net_targets *targets, int n, struct net_stats *stats);

/* Forward alone, without dropout; batch normalization as in training, by the batch, but without moving
 * the running statistics: at the beginning they say nothing. */
void net_forward(struct net *net, int n);

/* The logits of the last forward: (classes, lanes), until the next; NULL before the first. */
const float *net_output(const struct net *net);

/* ---- looking inside ---- */

/* A layer of the list, for who shows it. */
struct net_layer {
    const char *name; // as its tensors begin: "3"
    const struct layer_spec *spec;
    struct shape out;
    bool hands_on;                   // in evaluation its output is its input: flatten, dropout
    const struct net_tensor *weight; // NULL: it has none
    const float *y; // (C, H, W, lanes), its output of the last net_forward(); NULL: no own
};
int net_layer_count(const struct net *net);
struct net_layer net_layer(const struct net *net, int index);

/* What a pass has at a layer: its input x and output y, (C, H, W, lanes), on the way up, when dy is NULL;
 * then the same y and the gradient dy of it on the way down.  The columns past the batch are of no meaning.
 * Borrowed until the function returns. */
struct net_sight {
    int layer;
    const float *x; // on the way up only
    const float *y, *dy;
};
typedef void net_look_fn(void *context, const struct net_sight *sight);

/* net_forward(), mean loss and backward, with `look` at each layer, up and then down; layers below
 * the first that learns are not met on the way down.  Leaves the gradient in net_grads() and adds to `stats`
 * as net_train() does; nothing that a later pass depends on changes. */
void net_look(struct net *net, const struct net_targets *targets, int n, net_look_fn *look,
              void *context, struct net_stats *stats);

/* Adds the gradient of l2 * sum of w^2 over the decaying tensors, 2 * l2 * w, to net_grads(). */
void net_add_l2(struct net *net, double l2);
/* Likewise of l1 * sum of |w|: l1 * sign(w), 0 where w is. */
void net_add_l1(struct net *net, double l1);

#endif
