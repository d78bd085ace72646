/* cli/show_layers.h - what a trial's layers looked like, for besom show. */
#ifndef CLI_SHOW_LAYERS_H
#define CLI_SHOW_LAYERS_H

#include <stdint.h>

struct err;
struct store;

/* Prints the layers of the newest epoch that has any, in the order of the network, with histograms; nothing
 * when the trainer told of none. */
int show_layers(struct store *store, int64_t trial, struct err *err);

#endif
