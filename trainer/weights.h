/* trainer/weights.h - weights out of a file: for another program, or for the beginning of another trial.
 *
 * The weights of a file are its tensors but for the optimizer's state and the averaged weights: parameters and
 * buffers, by PyTorch's names. */
#ifndef TRAINER_WEIGHTS_H
#define TRAINER_WEIGHTS_H

#include "base/hash.h"
#include "trainer/config_table.h"

#include <stdbool.h>

struct buf;
struct checkpoint;
struct err;
struct net;

/* Writes a checkpoint's weights into the file `dir`/`name`: the same bytes for the same weights.  With
 * `averaged` the averaged ones (`ema`) stand in the places of the parameters; ERR_NOT_FOUND when there are none.
 * ERR_IO, ERR_FULL. */
int weights_export(const struct checkpoint *checkpoint, bool averaged, const char *dir,
                   const char *name, struct err *err);

/* ---- init_from ---- */

struct init_from_spec {
    char *
        path; // owned: a safetensors file, or a folder, of which the latest checkpoint is meant; "": none
    bool strict; // true: all names and shapes must be the network's
};
extern const struct table init_from_table;

struct weights; // of an open file

/* `path` is a file of any program, its tensors float32, or a folder of checkpoints.  ERR_NOT_FOUND, ERR_IO,
 * ERR_CORRUPT; the texts name the file. */
int weights_open(struct weights **weights, const char *path, struct err *err);
void weights_close(struct weights *weights); // NULL is fine

/* Depends on names, shapes and numbers alone: that of an export is that of the checkpoint. */
const char *weights_hash(const struct weights *weights); // HASH_HEX_LEN digits
const char *weights_path(const struct weights *weights); // of the file

/* Whether a network can start from them.  ERR_RANGE names the tensor that is missing, left over or of another
 * shape; when not `strict`, it is only an error when none fits. */
int weights_check(const struct weights *weights, const struct net *net, bool strict,
                  struct err *err);

/* Copies those that fit in name and shape; the others of the network stay as they are.  `note` receives a
 * sentence on both: "6 of 8 tensors ...". */
void weights_apply(const struct weights *weights, struct net *net, struct buf *note);

#endif
