/* runner/launch.h - what has to be there before a trial's worker is spawned.
 *
 *     DIR/trials/<key>/           made here; also where the trainer keeps its checkpoints
 *         config.json             the canonical config and a newline; written atomically
 *         log                     made by the worker
 *
 * The command is besom-shim, the runner's process id, and the sweep's trainer with its placeholders
 * filled in. */
#ifndef RUNNER_LAUNCH_H
#define RUNNER_LAUNCH_H

struct err;
struct store_job;

/* The same for all trials of a run; borrowed. */
struct launch_site {
    const char *out_dir; // absolute
    const char *shim;
    char *const *trainer; // argv, with placeholders
};

struct launch {
    char *dir, *config_path, *log_path; // absolute; owned, as all here
    char **argv, **env;                 // NULL terminated
};

/* Makes the folder and the files and fills `launch`.  `slot` counts from 1.  On failure `launch` is
 * empty. */
int launch_prepare(struct launch *launch, const struct launch_site *site,
                   const struct store_job *job, int attempt, int slot, struct err *err);
void launch_release(struct launch *launch); // zeroed is fine

#endif
