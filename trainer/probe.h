/* trainer/probe.h - a network right after its initialization: what does each layer make of the data?
 *
 * The way to judge an initialization before anything is trained (Glorot, Bengio 2010): outputs that keep
 * their spread from layer to layer are good, ones piled up at one value, or at the ends of the activation,
 * are not. */
#ifndef TRAINER_PROBE_H
#define TRAINER_PROBE_H

#include "trainer/config.h"
#include "trainer/look.h"

#include <stdbool.h>

struct err;

enum {
    PROBE_SAMPLES = 1000, // by default
    PROBE_SAMPLES_MAX = 1000000,
    PROBE_FEATURES = 500, // of the experiment in the notes, which has as many units a layer
    PROBE_CLASSES = 10,
};

struct probe_options {
    int samples;      // of images at most as many as there are
    bool unit_normal; // independent normal numbers, mean 0 and variance 1, instead of images
    bool no_data;     // with unit_normal: PROBE_FEATURES numbers a sample, whatever the data set
    const char *cache_dir; // not looked at with no_data
};

/* Zeroed before first use. */
struct probe {
    struct net *net;
    struct look look; // all but the update ratios
    int samples;
};

/* Numbers are of the streams (seed, RNG_PROBE, 0, sample); images are those that an epoch is evaluated
 * with.  Errors as those of dataset_open() and net_new(). */
int probe_take(struct probe *probe, const struct config *config,
               const struct probe_options *options, struct err *err);
void probe_release(struct probe *probe);

#endif
