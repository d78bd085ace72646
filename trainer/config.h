/* trainer/config.h - a trial's config: JSON in, plain values out.
 *
 *     {"dataset": "fashion-mnist", "model": "lenet5", "optimizer": {"name": "adam", "lr": 0.001},
 *      "activation": "relu", "init": "he_normal", "epochs": 5, "batch_size": 64, "seed": 1}
 *
 * A string "x" where an object is expected means {"name": "x"}.  Each object is read by a table of its
 * keys (name, type, range, default), from which unknown keys, wrong types and ranges are reported,
 * with the nearest known name, and which is the one source of what counts as a default.
 *
 * The identity of a config is its canonical JSON with every key at its default left out, names of
 * one kind written one way ("adam" for {"name": "adam", "lr": 0.001}), without `seed`, and without
 * `epochs` and `checkpoint`, on which the trajectory does not depend. */
#ifndef TRAINER_CONFIG_H
#define TRAINER_CONFIG_H

#include "base/hash.h"
#include "trainer/spec.h"

#include <stdbool.h>
#include <stdint.h>

struct cJSON;
struct diag;
struct json_doc;

struct dataset_spec {
    char *name; // owned: a name or a folder
    int train, test; // how many samples, 0: all
};

struct checkpoint_spec {
    int every; // epochs between checkpoints; 0: only at the end.  1
    int keep;  // newest to keep.  2
    bool best; // keep also that of the best val_accuracy (the earliest on a tie).  true
};

struct config {
    struct dataset_spec dataset;
    char *model;               // owned: its name, "custom" for a list of layers
    struct layer_spec *layers; // owned; made from the model, the activation, init and dropout
    int layer_count;
    struct optimizer_spec optimizer;
    struct schedule_spec schedule;
    double l2;
    int epochs, batch_size;
    uint64_t seed; // below 2^53
    struct checkpoint_spec checkpoint;
    struct cJSON *identity;          // owned
    char key[HASH_HEX_LEN + 1];      // hash of the canonical identity and of the seed
    char *canonical;                 // owned: the canonical text of the whole config, defaults left out
};

/* Reads a config; every complaint goes to `diag` ("file:line:column: ..." where `doc` is given), and
 * `config` may only be used when there was none.  config_release() is right in either case. */
void config_parse(struct config *config, const struct json_doc *doc, const struct cJSON *json,
                  struct diag *diag);
void config_release(struct config *config);

#endif
