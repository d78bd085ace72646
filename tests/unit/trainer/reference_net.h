/* tests/unit/trainer/reference_net.h - the same networks in double precision, sample after sample, by
 * loops that follow the definitions and share no code with trainer/.
 *
 * Tensors are (N, C, H, W), the order of the textbooks: not the order of the product. */
#ifndef TESTS_UNIT_TRAINER_REFERENCE_NET_H
#define TESTS_UNIT_TRAINER_REFERENCE_NET_H

#include "trainer/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reference_net {
    const struct layer_spec *layers;
    int count;
    struct shape input;
    int classes;

    int n;           // samples
    const double *x; // (n, C, H, W)
    const uint8_t *labels;

    bool train; // dropout with the masks of (seed, epoch, step)
    uint64_t seed;
    uint32_t epoch, step;
};

/* Parameters in the order of the layers, weight before bias, each in PyTorch's shape. */
size_t reference_param_count(const struct reference_net *net);

/* The mean cross-entropy in nats.  `grads`, unless NULL, receives its gradient by the chain rule,
 * `logits`, unless NULL, (n, classes). */
double reference_loss(const struct reference_net *net, const double *params, double *grads,
                      double *logits);

#endif
