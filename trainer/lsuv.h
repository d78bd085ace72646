/* trainer/lsuv.h - initial weights made to the measure of the data: layer-sequential unit variance
 * (Mishkin, Matas 2016).
 *
 * Weights start orthogonal (trainer/init.h); then, for each dense and conv2d layer whose init is lsuv, in the
 * order of the list, at most LSUV_TRIES times:
 *
 *     v = variance of all outputs of the layer, before the activation, over a batch
 *     |v - 1| < 0.1: go to the next layer
 *     w = w / sqrt(v)
 *
 * The forward passes are those of an evaluation: without dropout, with the running statistics that batch
 * normalization starts from.  A layer whose outputs are all the same has nothing to scale by and is left
 * as it is. */
#ifndef TRAINER_LSUV_H
#define TRAINER_LSUV_H

struct batch;
struct dataset;
struct net;

enum { LSUV_TRIES = 10 };

/* Scales the weights of `net`, which net_init() has drawn, by the n samples of its input.  The same bits each
 * time.  Cost: a forward pass, and another for each scaling. */
void lsuv_scale(struct net *net, int n);

/* The same by the first batch->max images of the training set, as they are stored, normalized and not
 * changed.  A net without such a layer is left alone, and nothing is loaded. */
void lsuv_init(struct net *net, const struct dataset *set, struct batch *batch);

#endif
