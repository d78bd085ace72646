/* trainer/checkpoint.h - the state of a training at an instant, in a file.
 *
 *     cp-0005.safetensors           after 5 complete epochs
 *     cp-0005+000120.safetensors    after 5 epochs and 120 batches of the sixth
 * more digits where the number needs them.
 *
 * A whole one has all that a training needs to go on; one of weights lacks the optimizer's state.
 *
 * Invariants
 *   1. A checkpoint is complete or absent at every instant (fs_write_atomic), and checked whole when
 *      it is read: length, checksum, metadata, tensor names and shapes, this trial's identity.
 *   2. Its bytes depend on the trial and the position alone: no clock, no host, no path.
 *   3. It carries the records of all complete epochs, so that a runner that lost the last lines gets
 *      them again.
 *
 * Tensors: the network's by name ("0.weight"), the optimizer's state as
 * "optimizer.<slot>.<parameter>" ("optimizer.exp_avg.0.weight"), averaged weights as "ema.<parameter>".
 * Metadata, all strings: format
 * ("besom-checkpoint 1"), identity, dataset (content hash), epoch, step, optimizer_steps, config
 * (canonical JSON), history (JSON array of epoch records), partial (JSON, sums of the epoch under
 * way), best_epoch, content ("weights"; absent in a whole one), layers (JSON array of layers events;
 * absent without), checksum. */
#ifndef TRAINER_CHECKPOINT_H
#define TRAINER_CHECKPOINT_H

#include "base/hash.h"
#include "trainer/ema.h"
#include "trainer/net.h"
#include "trainer/optim.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct safetensors;

/* Where a training is. */
struct position {
    int epoch; // complete epochs
    int step;  // batches done of the next one
};

enum checkpoint_content { CHECKPOINT_WHOLE, CHECKPOINT_WEIGHTS, CHECKPOINT_CONTENT_COUNT };
extern const char *const checkpoint_content_names[CHECKPOINT_CONTENT_COUNT]; // "whole", "weights"

/* All that is saved besides the tensors.  Strings are borrowed when saving, and belong to the open
 * checkpoint when loading. */
struct checkpoint_state {
    struct position at;
    const char *identity; // 32 hex digits: the trial (config without epochs and checkpoint, seed)
    const char *dataset;  // 32 hex digits: the content of the image set
    const char *config;   // JSON
    const char *history;  // JSON array, one record a complete epoch
    const char *partial;  // JSON object; "{}" when at.step is 0
    int best_epoch;       // 0: none yet
    enum checkpoint_content content;
    const char *init_from; // 32 hex digits: the weights it began with; NULL: drawn
    const char *layers;    // JSON array of layers events; NULL: none, and no such key
};

/* Writes the checkpoint of `state->at` into `dir`.  `ema` as the training has it: with the averages in
 * the average, not swapped; NULL, or one of decay 0, is none. */
int checkpoint_save(const char *dir, const struct checkpoint_state *state, const struct net *net,
                    const struct optim *optim, const struct ema *ema, struct err *err);

struct checkpoint; // an open, valid checkpoint

/* ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT (with the reason), ERR_VERSION for a safetensors file of another
 * program or of a later format.  The texts begin with the path. */
int checkpoint_open(struct checkpoint **checkpoint, const char *path, struct err *err);
void checkpoint_close(struct checkpoint *checkpoint);
const struct checkpoint_state *checkpoint_state(const struct checkpoint *checkpoint);
const struct safetensors *checkpoint_file(const struct checkpoint *checkpoint);

/* Whether a tensor of this name belongs to the network, not to its optimizer. */
bool checkpoint_is_weight(const char *name);

/* Writes into `dir`, under the checkpoint's own name, what checkpoint_save() would have written for the same
 * state with CHECKPOINT_WEIGHTS, byte for byte. */
int checkpoint_strip(const struct checkpoint *checkpoint, const char *dir, struct err *err);

/* Copies the tensors into a network and, unless NULL, an optimizer and an average of exactly these names
 * and shapes.  ERR_CORRUPT names what is missing, left over or of another shape; then nothing was
 * changed. */
int checkpoint_restore(const struct checkpoint *checkpoint, struct net *net, struct optim *optim,
                       struct ema *ema, struct err *err);

/* Whether it holds averaged weights beside the plain ones. */
bool checkpoint_has_average(const struct checkpoint *checkpoint);

/* As checkpoint_restore() of the network alone, but its parameters become the averaged ones; the plain
 * ones where there are none.  That is what a training evaluates. */
int checkpoint_restore_average(const struct checkpoint *checkpoint, struct net *net,
                               struct err *err);

/* What the name of a parameter begins with among the averaged ones: "ema.". */
extern const char CHECKPOINT_EMA[];

/* "cp-0005.safetensors" */
void checkpoint_name(char out[64], struct position at);
bool checkpoint_parse_name(const char *name, struct position *at);

#endif
