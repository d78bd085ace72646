/* trainer/evaluate.h - loss and accuracy of a network over a set of images. */
#ifndef TRAINER_EVALUATE_H
#define TRAINER_EVALUATE_H

#include "trainer/data.h"
#include "trainer/net.h"

#include <stdbool.h>
#include <stdint.h>

/* Samples on their way into a network: which, and their labels.  Sized once. */
struct batch {
    uint32_t *index; // (max): the images to take
    uint8_t *labels; // (max)
    int max;
};

/* The samples of a batch when `wanted` are asked for: one larger than the data costs no memory. */
int batch_size_for(int wanted, const struct dataset *set);

void batch_init(struct batch *batch, int max);
void batch_release(struct batch *batch);

/* Puts the n images batch->index[0 .. n-1] of `split` into the input of `net`, and their labels into
 * batch->labels. */
void batch_load(struct batch *batch, const struct dataset *set, const struct split *split, int n,
                struct net *net);

/* Runs all of `split` through the network, in order and in batches of batch->max, so that the sums
 * are the same bits each time.  `stop` (may be NULL) is asked before each batch: when it says true,
 * the result is false and `stats` are of no use. */
bool evaluate(struct net *net, const struct dataset *set, const struct split *split,
              struct batch *batch, bool (*stop)(void *context), void *stop_context,
              struct net_stats *stats);

#endif
