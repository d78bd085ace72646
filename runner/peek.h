/* runner/peek.h - what a plan would find in a store, without writing to it.
 *
 * All trials are read once into memory, about 100 bytes each: for people who ask what would happen, not
 * for a run. */
#ifndef RUNNER_PEEK_H
#define RUNNER_PEEK_H

#include "results/store.h"
#include "runner/keymap.h"

struct err;

struct peek_trial {
    int64_t trial, epochs_done, attempts;
    enum trial_status status;
    bool completed; // its last attempt did
    bool planned;   // this plan has it already
};

struct peek {
    struct keymap keys;       // -> place in `trial`, plus 1
    struct peek_trial *trial; // owned
    int64_t count, cap;
};

/* `store` NULL: there is none, every trial is new. */
int peek_load(struct peek *peek, struct store *store, struct err *err);

/* What store_put_point() would answer; a trial that is not stored yet has the number 0. */
void peek_point(struct peek *peek, const struct store_point *point, struct store_planned *planned);
void peek_release(struct peek *peek);

#endif
