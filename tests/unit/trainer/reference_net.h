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
    const uint8_t *others; // NULL, or the target is share times labels, 1 - share times these
    double share;
    struct loss_spec loss;

    bool train; // dropout with the masks of (seed, epoch, step); batch normalization by the batch
    uint64_t seed;
    uint32_t epoch, step;

    /* Running mean (C) and variance (C) of each batch normalization in turn: those of an evaluation,
     * and where a training has moved them to; either may be NULL where it is of no use. */
    const double *buffers;
    double *moved;
};

/* Parameters in the order of the layers, weight before bias, each in PyTorch's shape. */
size_t reference_param_count(const struct reference_net *net);

/* The mean loss.  `grads`, unless NULL, receives its gradient by the chain rule,
 * `logits`, unless NULL, (n, classes). */
double reference_loss(const struct reference_net *net, const double *params, double *grads,
                      double *logits);

/* f(x) of an elementwise activation, prelu's with `slope`; f'(x) goes to *df, unless that is NULL. */
double reference_activate(const struct activation_spec *spec, double x, double slope, double *df);

#endif
