/* trainer/layer.h - what every kind of layer can do; between net.c and the layer_*.c files.
 *
 * A kind is a table of operations.  The network walks its list of layers and knows nothing else of
 * them:
 *
 *     shape      does the spec fit the input, and what comes out     (net_check)
 *     tensors    the parameters                                      (net_check, net_new)
 *     forward    x (in, N) -> y (out, N)                             (net_train, net_eval)
 *     backward   dy (out, N) -> dx (in, N), and the gradients of the parameters
 *
 * Invariants
 *   1. A layer remembers in `x`, `y` and `state` what its backward pass needs of its forward pass;
 *      no layer writes to its x or to its dy; some hand them on.
 *   2. Gradients of parameters are overwritten, not added to.
 *   3. In the columns past the batch dy is 0, and so are then dx and every contribution to a
 *      gradient (0 times any finite number). */
#ifndef TRAINER_LAYER_H
#define TRAINER_LAYER_H

#include "trainer/net.h"
#include "trainer/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct kernels;
struct layer_ops;
struct rng;

enum { LAYER_TENSOR_MAX = 4, LAYER_NAME_MAX = 32 };

/* Where the parts of a residual block are in the list, for each of the three. */
struct layer_block {
    int fork, shortcut, join;
};

struct layer {
    struct layer_spec spec;
    const struct layer_ops *ops;
    int index;                 // in the list
    char name[LAYER_NAME_MAX]; // as nn.Sequential counts: "3"; its tensors are "3.weight", ...
    struct shape in, out;
    struct net_tensor *tensors[LAYER_TENSOR_MAX]; // weight, bias, buffers; borrowed from the net
    struct layer_block block;                     // residual, shortcut and join
    const float *x; // (in, N) of the last forward pass; borrowed from the layer before
    float *y;       // (out, N) in the net's block; NULL when ops->passes
    void *state;    // ops->state_len bytes in the net's block
    bool needs_dx;  // some layer before this one has parameters
    bool put_off;   // an activation that the maxpool behind it does, unless pass->whole
    const struct activation_spec *late; // of such a maxpool; borrowed from the layer before
};

/* One forward or forward-and-backward pass. */
struct pass {
    const struct kernels *kernels;
    int n, N; // batch, and rounded up to lanes
    bool train;
    bool by_batch; // batch normalization takes the statistics of this batch, not the running ones
    bool whole;    // every layer's y is to be what the layer says, however little it is needed
    bool learns;   // a backward pass follows
    uint64_t seed; // train: of the random streams
    uint32_t epoch, step;
    float *scratch;
    net_look_fn *look; // NULL: nobody does
    void *look_context;
};

/* Any function may be NULL where the kind has nothing of it, but shape, forward and backward. */
struct layer_ops {
    bool passes; // gives its input on, and has no y of its own

    /* Checks every field of the spec that the kind reads.  ERR_RANGE says what does not fit; the
     * caller adds which layer it was. */
    int (*shape)(const struct layer_spec *spec, struct shape in, struct shape *out,
                 struct err *err);
    /* Fills in suffixes, dims, `decays` and `is_buffer` of its tensors; returns how many. */
    int (*tensors)(const struct layer_spec *spec, struct shape in,
                   struct net_tensor tensors[LAYER_TENSOR_MAX]);
    /* Draws or sets tensors[0], and sets others that do not start at 0. */
    void (*init)(const struct layer *layer, struct rng *rng);
    /* Bytes that backward needs besides x and y. */
    size_t (*state_len)(const struct layer *layer, int N);
    /* Floats of scratch, shared by all layers, not kept between two calls. */
    size_t (*scratch_len)(const struct layer *layer, int N);

    /* Returns y, which may be x. */
    const float *(*forward)(struct layer *layer, const float *x, const struct pass *pass);
    /* Returns where the gradient of x is: dx, or dy where the kind just hands it on.  What dx holds
     * is unspecified when !needs_dx. */
    float *(*backward)(struct layer *layer, float *dy, float *dx, const struct pass *pass);
};

/* By kind, and for activations by theirs.  NULL when the spec has an unknown one. */
const struct layer_ops *layer_ops_get(const struct layer_spec *spec);

extern const struct layer_ops layer_dense_ops;
extern const struct layer_ops layer_conv2d_ops;
extern const struct layer_ops layer_maxpool_ops;
extern const struct layer_ops layer_avgpool_ops;
extern const struct layer_ops layer_globalavgpool_ops;
extern const struct layer_ops layer_flatten_ops;
extern const struct layer_ops layer_batch_norm_ops;
extern const struct layer_ops layer_residual_ops;
extern const struct layer_ops layer_shortcut_ops;
extern const struct layer_ops layer_join_ops;
extern const struct layer_ops layer_elementwise_ops; // all but prelu and maxout
extern const struct layer_ops layer_prelu_ops;
extern const struct layer_ops layer_maxout_ops;
extern const struct layer_ops layer_dropout_ops;

/* Whether the largest of some values after the activation is the activation of the largest, and its derivative is
 * told by what comes out: then a maximum may be taken first, and the activation has less to do. */
bool layer_may_follow_maximum(const struct layer *layer);

/* C*H*W, the values of a sample. */
static inline size_t shape_len(struct shape shape) {
    return (size_t)shape.C * (size_t)shape.H * (size_t)shape.W;
}

#endif
