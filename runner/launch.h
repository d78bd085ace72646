/* runner/launch.h - what has to be there before a trial's worker is spawned.
 *
 *     DIR/trials/<key>/           made here; also where the trainer keeps its checkpoints
 *         config.json             the canonical config and a newline; written atomically
 *         log                     made by the worker
 *         aside-1, ...            what the trainer had before it was begun afresh
 *
 * The command is besom-shim, with what it is to look after, the runner's process id, and the sweep's trainer with
 * its placeholders filled in. */
#ifndef RUNNER_LAUNCH_H
#define RUNNER_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct store_job;

/* The same for all trials of a run; borrowed. */
struct launch_site {
    const char *out_dir; // absolute
    const char *shim;
    char *const *trainer; // argv, with placeholders
    int64_t memory_bytes; // limit; 0: none
};

/* Where one attempt goes. */
struct launch_place {
    int attempt, slot; // from 1
    const char *group; // the slot's control group; NULL
    bool afresh;       // without what the trainer has in its folder
};

struct launch {
    char *dir, *config_path, *log_path; // absolute; owned, as all here
    char **argv, **env;                 // NULL terminated
    const char *program;                // the trainer's, in argv
};

/* Makes the folder and the files and fills `launch`.  On failure `launch` is empty. */
int launch_prepare(struct launch *launch, const struct launch_site *site,
                   const struct store_job *job, const struct launch_place *place, struct err *err);
void launch_release(struct launch *launch); // zeroed is fine

/* Whether such a file of a trial's folder is the runner's; every other is the trainer's. */
bool launch_is_runners(const char *name);

/* Whether the trainer has anything in that folder; false when there is none. */
bool launch_has_state(const char *dir);

#endif
