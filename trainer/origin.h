/* trainer/origin.h - how a training began: origin.json in its folder.
 *
 * Checkpoints know no host, since their bytes depend on the trial alone.  What the bits hang on besides,
 * and which data it was before there is a checkpoint to say so, is kept here, written once: before
 * the first line of a training, never after. */
#ifndef TRAINER_ORIGIN_H
#define TRAINER_ORIGIN_H

#include "base/hash.h"
#include "trainer/numerics.h"

struct err;

enum { ORIGIN_PROGRAM_MAX = 63 };

struct origin {
    char program[ORIGIN_PROGRAM_MAX + 1]; // "besom-trainer 0.1.0"
    char trial[HASH_HEX_LEN + 1];         // the key of the config
    char data[HASH_HEX_LEN + 1];          // the data set's content
    struct numerics numerics;
};

/* Reads the file of the folder `dir`.  ERR_NOT_FOUND; ERR_CORRUPT, for what origin_save() does not write;
 * ERR_IO. */
int origin_load(struct origin *origin, const char *dir, struct err *err);

/* Writes it, atomically.  `set` is the data set's name, for people.  ERR_IO, ERR_FULL. */
int origin_save(const struct origin *origin, const char *dir, const char *set, struct err *err);

#endif
