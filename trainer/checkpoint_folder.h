/* trainer/checkpoint_folder.h - the checkpoints of a trial's folder: which there are, which is the newest
 * good one, which are to go.
 *
 * Invariant
 *   Deleting surplus files comes after the newer file is durable; the newest valid checkpoint is never
 *   deleted. */
#ifndef TRAINER_CHECKPOINT_FOLDER_H
#define TRAINER_CHECKPOINT_FOLDER_H

#include "trainer/checkpoint.h"

#include <stdbool.h>

struct err;

/* Less than, equal to or greater than 0 as `a` is older than, at or newer than `b`. */
int position_compare(struct position a, struct position b);

/* The positions that the names in a folder tell; no file is opened. */
struct checkpoint_list {
    struct position *at; // owned; newest first
    int count;
};
int checkpoint_list_read(struct checkpoint_list *list, const char *dir, struct err *err); // ERR_IO
void checkpoint_list_release(struct checkpoint_list *list);

/* Opens the one at `at` if it is what its name says and, unless that is NULL, of trial `identity`.  The
 * errors of checkpoint_open(), ERR_CORRUPT for one that holds another position than its name says,
 * ERR_DIFFERS for one of another trial. */
int checkpoint_open_at(struct checkpoint **checkpoint, const char *dir, struct position at,
                       const char *identity, struct err *err);

/* What is looked for. */
struct checkpoint_wanted {
    const char *identity;          // of this trial; NULL: of any
    bool whole;                    // weights alone are passed over
    const struct position *before; // older than this; NULL: any
};

/* A file of the folder that was not used, and why; for a warning. */
typedef void checkpoint_skip_fn(void *context, const char *name, const struct err *reason);

/* Opens the newest checkpoint of `dir` that is valid and wanted; older ones are tried in turn, each that is
 * not good reported to `skip` (which may be NULL) with its reason, that of checkpoint_open_at().
 * *checkpoint is NULL, with ERR_OK, when there is none.  ERR_IO when the folder cannot be read. */
int checkpoint_open_latest(struct checkpoint **checkpoint, const char *dir,
                           const struct checkpoint_wanted *wanted, checkpoint_skip_fn *skip,
                           void *context, struct err *err);

/* The path of the checkpoint that is meant by `given`: of the newest valid one of a folder, otherwise `given`
 * itself; to be freed.  ERR_NOT_FOUND when the folder has no valid one, ERR_IO. */
int checkpoint_latest_path(char **path, const char *given, struct err *err);

/* Removes the temporaries of writers that died: for the folder's one trainer.  ERR_IO. */
int checkpoint_remove_stale(const char *dir, struct err *err);

/* What is to be kept. */
struct checkpoint_retention {
    bool (*is_scheduled)(void *context, struct position at);
    void *context;
    int keep;              // of the scheduled ones the newest, at least 1
    int best_epoch;        // and that of this epoch; 0: none
    struct position whole; // and this one, scheduled or not: where the training would go on
};

/* Deletes what is not kept.  Files beyond `now` neither count nor go: they were refused when the training
 * began, and are replaced when it gets there.  One at `now` stays.  Nothing goes while there is none.
 * ERR_IO. */
int checkpoint_prune(const char *dir, struct position now,
                     const struct checkpoint_retention *retention, struct err *err);

#endif
