/* trainer/evaluate.h - loss and accuracy of a network over a set of images. */
#ifndef TRAINER_EVALUATE_H
#define TRAINER_EVALUATE_H

#include "trainer/data.h"
#include "trainer/net.h"

#include <stdbool.h>
#include <stdint.h>

/* Samples on their way into a network.  Sized once.
 *
 *     images of a part  -- gather -->  samples (n, C, H, W)  -- change -->  -- transpose, normalize -->
 *                                                                           the net's input (C, H, W, N)
 *
 * Without a change, images go from their arrays into the input in one step. */
struct batch {
    uint32_t *index; // (max): the images to take, counted within the part
    uint8_t *labels; // (max)
    float *samples;  // (max, C, H, W), NULL in a batch that is never changed
    uint32_t *rows;  // (max): the images' places in the arrays
    int max;
};

/* What training does to the samples (n, C, H, W) of a batch before they are normalized: pixels from
 * bytes are from 0 to 1 then.  labels (n) are those of the samples. */
typedef void batch_change_fn(void *context, float *samples, const uint8_t *labels, int n,
                             const struct shape *shape);
struct batch_change {
    batch_change_fn *apply;
    void *context;
};

/* The samples of a batch when `wanted` are asked for: one larger than the data costs no memory. */
int batch_size_for(int wanted, const struct dataset *set);
/* Likewise of the first batch of an epoch. */
int training_batch(int wanted, const struct dataset *set);

/* `changed`: batch_load() will be called with a change. */
void batch_init(struct batch *batch, int max, const struct dataset *set, bool changed);
void batch_release(struct batch *batch);

/* Puts the n images batch->index[0 .. n-1] of `split` into the input of `net`, changed (NULL: not) and
 * normalized as the set says, and their labels into batch->labels. */
void batch_load(struct batch *batch, const struct dataset *set, const struct split *split, int n,
                const struct batch_change *change, struct net *net);

/* Runs all of `split` through the network, in order and in batches of batch->max, so that the sums
 * are the same bits each time.  `stop` (may be NULL) is asked before each batch: when it says true,
 * the result is false and `stats` are of no use. */
bool evaluate(struct net *net, const struct dataset *set, const struct split *split,
              struct batch *batch, bool (*stop)(void *context), void *stop_context,
              struct net_stats *stats);

/* Means over the samples; 0 of none. */
double stats_loss(const struct net_stats *stats);
double stats_accuracy(const struct net_stats *stats);

#endif
