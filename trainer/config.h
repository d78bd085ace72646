/* trainer/config.h - a trial's config: JSON in, plain values out.
 *
 *     {"dataset": "fashion-mnist", "model": "lenet5", "optimizer": {"name": "adam", "lr": 0.001},
 *      "activation": "relu", "init": "he_normal", "epochs": 5, "batch_size": 64, "seed": 1}
 *
 * A string "x" where an object is expected means {"name": "x"}.  Each object is read by a table of its
 * keys (config_table.h), which is the one source of ranges, of defaults, and of the names that a
 * complaint suggests.  docs/trainer.md lists them for people.
 *
 * The identity of a config is what its numbers depend on: all keys that are not at their defaults,
 * each value in its one spelling ("adam" for {"name": "adam", "lr": 1e-3}), without `seed`, and without
 * `epochs`, `stop`, `checkpoint` and `inspect`, which say how far, how safe and what is shown but do not
 * bend the trajectory.  A key of a later version is at its default in every config of today, and so
 * changes no identity. */
#ifndef TRAINER_CONFIG_H
#define TRAINER_CONFIG_H

#include "base/hash.h"
#include "trainer/config_table.h"
#include "trainer/ema.h"
#include "trainer/model.h"
#include "trainer/spec.h"
#include "trainer/stop.h"
#include "trainer/weights.h"

#include <stdbool.h>
#include <stdint.h>

struct cJSON;
struct err;

struct checkpoint_spec {
    int every;         // epochs between checkpoints; 0: only at the end, and the best.  1
    int every_batches; // batches between checkpoints, counted over all epochs; 0: none
    int keep;          // newest to keep; 0: all.  2
    bool best;    // save and keep also that of the best val_accuracy (the earliest on a tie).  true
    bool initial; // one at epoch 0, before the first batch.  false
    int content;  // enum checkpoint_content: whole
};

/* Looks inside the network while it is trained: look.h. */
struct inspect_spec {
    int every;    // epochs between looks; 0: none.  0
    bool initial; // one before the first epoch, too.  true
};

struct config {
    struct dataset_spec dataset;
    struct model_spec model;
    struct model_choices choices;
    struct optimizer_spec optimizer;
    struct schedule_spec schedule;
    struct loss_spec loss;
    struct ema_spec ema;
    struct augment_spec augment;
    double l1, l2;                // lambda of sum |w| and of sum w^2
    double clip_norm, clip_value; // of the gradient; 0: none
    int epochs, batch_size;
    uint64_t seed; // below 2^53
    struct checkpoint_spec checkpoint;
    struct stop_spec stop;
    struct init_from_spec init_from;
    struct inspect_spec inspect;
    struct cJSON *identity; // owned
    char *canonical;        // owned: canonical JSON of the identity and the seed: makes the trial
    char key[HASH_HEX_LEN + 1]; // hash of `canonical`
};

/* The whole config: from its rows all others are reached. */
extern const struct table config_table;

/* Reads a config.  Every complaint goes to `complain`; ERR_RANGE when there was one, and `config` may
 * then only be released. */
int config_parse(struct config *config, const struct cJSON *json, config_complain_fn *complain,
                 void *context);
void config_release(struct config *config);

/* The layers for data of so many classes, to be freed by the caller.  Whether they fit the shape of
 * the data is for net_check(). */
void config_layers(const struct config *config, int classes, struct layer_spec **layers,
                   int *count);

#endif
