/* trainer/net_shape.h - what a list of layers comes to, before anything is allocated. */
#ifndef TRAINER_NET_SHAPE_H
#define TRAINER_NET_SHAPE_H

#include "trainer/layer.h"

#include <stddef.h>

struct err;

enum { NET_LAYER_MAX = 512 };

/* Parameters, their gradients and the activations of a batch together: bytes. */
#define NET_MEMORY_MAX ((size_t)8 << 30)

struct net_size {
    int tensors;
    size_t params;      // floats
    size_t buffers;     // floats
    size_t activations; // floats: the input and every y
    size_t gradient;    // floats of one of the two blocks that dy and dx alternate between
    size_t state;       // floats, room for every layer's state
    size_t scratch;     // floats
};

/* Checks the layers against each other and the whole against NET_MEMORY_MAX for batches of `batch`
 * samples, and measures it.  `made` (NET_LAYER_MAX) receives the layers with spec, ops, index,
 * shapes and needs_dx; its contents are of no use after a failure.  Errors as net_check(). */
int net_measure(struct layer *made, const struct layer_spec *layers, int count, struct shape input,
                int classes, int batch, struct net_size *size, struct err *err);

/* Floats to reserve for `floats` or `bytes`, so that what follows is on a cache line again. */
static inline size_t net_padded(size_t floats) {
    return (floats + 15) / 16 * 16;
}
static inline size_t net_state_floats(size_t bytes) {
    return net_padded((bytes + sizeof(float) - 1) / sizeof(float));
}

#endif
