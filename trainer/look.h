/* trainer/look.h - a look inside the network: how each layer's outputs and gradients are distributed.
 *
 *     look_init, then each time:
 *     look_take(samples)       two passes over the samples, in batches: first ranges and means, then
 *                              deviations and histograms; leaves the gradient of the mean loss
 *     look_update(optim, lr)   how far the optimizer would go from here with that gradient
 *
 * The samples go through the network as in an evaluation, without dropout, and backward from the mean loss
 * over all of them.  Sums are in double.  Nothing that a training depends on changes: parameters, buffers
 * and the optimizer's state stay as they are, and what changes (activations, gradients) every batch writes
 * anew.  So what a look shows is a function of the state and the samples, and of the size of the batches
 * only in the last bits.
 *
 * Memory: sized by look_init(); a look allocates nothing. */
#ifndef TRAINER_LOOK_H
#define TRAINER_LOOK_H

#include "trainer/net.h"
#include "trainer/optim.h"

#include <stdint.h>

struct buf;

enum { LOOK_BINS = 40, LOOK_SAMPLES_MAX = 1000, LOOK_NAME_MAX = 64 };

/* Of `count` values.  mean, std (divided by count, not count - 1), min and max are NaN when a value is.
 * The bins are equal and reach from low to high, the last one including it: from the smallest finite
 * value to the largest; when those are the same, from 0.5 below to 0.5 above, as numpy.histogram() has
 * it.  What is not finite is in no bin. */
struct look_spread {
    int64_t count; // 0: nothing was met
    double mean, std, min, max;
    double low, high;
    int64_t bins[LOOK_BINS];
};

struct look_layer {
    int index;                // in the network's list
    char name[LOOK_NAME_MAX]; // "0 conv2d", "1 tanh"
    struct look_spread output, gradient;
    double dead; // share of the units, of a convolution the channels, that were 0 throughout
    double
        saturated; // share of the outputs at the flat ends, see look_flat_ends(); NaN: it has none
    double update_ratio; // |dw| / |w| of the weight, biases apart; NaN: no weight, or 0 / 0
};

struct look {
    struct net *net; // borrowed
    int count;       // layers that are shown: all but those that hand on what they get
    struct look_layer *layers;
    struct look_sums *sums; // (count)
    int *place;             // (layers of the net): in `layers`; -1 for one that is not shown
    unsigned char *alive;   // of every unit of every layer shown
    float *grads;           // (params): of the mean loss
    float *params;          // (params): where the step goes to
    struct optim optim;     // likewise
    int samples, pass;      // of the look under way
    double weight;          // n / samples of the batch under way
};

/* For the layers of `net`.  `spec` NULL: look_update() is not called. */
void look_init(struct look *look, struct net *net, const struct optimizer_spec *spec);
void look_release(struct look *look); // a zeroed one is fine

/* Puts the samples first .. first + n - 1 into net_input(), as net_eval() wants them, and says what they
 * are to come out as. */
typedef void look_load_fn(void *context, int first, int n, struct net_targets *targets);

/* Fills in all of `layers` but the update ratios, from `samples` samples in batches of at most `batch`.
 * Leaves the gradient of their mean loss in net_grads(). */
void look_take(struct look *look, int samples, int batch, look_load_fn *load, void *context);

/* Fills in the update ratios: of the step that an optimizer in the state `optim` takes with net_grads() and
 * the rate `lr`. */
void look_update(struct look *look, const struct optim *optim, double lr);

/* The inputs at and beyond which an activation is flat: where its slope is, and stays, below a twentieth of
 * its steepest.  -INFINITY and INFINITY where it has no such end. */
void look_flat_ends(const struct activation_spec *spec, double *low, double *high);

/* The layers event of a layer, without a newline. */
void look_print(struct buf *out, const struct look_layer *layer, int at_epoch);

#endif
