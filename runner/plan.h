/* runner/plan.h - from a sweep file to the trials that are to run.
 *
 *     for each point:  grid_at -> check (besom-trainer check) -> key -> store_put_point -> count
 *
 * in one transaction: when any config is refused nothing is stored and nothing starts.  Memory: a
 * trial number for each trial that is to run.
 *
 * The key: XXH3-128 of the canonical JSON {"config": IDENTITY, "seed": "N", "trainer": ARGV}.  IDENTITY
 * is what the trainer's check answers; for another trainer the config without `epochs` and `seed`. */
#ifndef RUNNER_PLAN_H
#define RUNNER_PLAN_H

#include "results/store.h"
#include "runner/sweep.h"

#include <stdint.h>

struct diag;
struct err;

struct plan_options {
    const char *out_dir;
    bool retry_failed; // failed trials run again
};

/* Called for each trial as it is planned, e.g. to list it. */
typedef void plan_trial_fn(void *context, const struct store_point *point,
                           const struct store_planned *planned);

struct plan {
    int64_t sweep_id;
    int64_t count[PLAN_COUNT]; // trials by what happens to them
    int64_t total;
    int64_t *queue; // owned: the trials to run, in order
    int64_t queue_count;
    int64_t excluded;
};

/* Plans a sweep into the open, writable store; commits.  Complaints about configs go to `diag` (one
 * for each distinct complaint, with the first point that has it and how many do) and then nothing is
 * stored. */
int plan_make(struct plan *plan, struct store *store, const struct sweep *sweep,
              const struct plan_options *options, struct diag *diag, plan_trial_fn *each,
              void *context, struct err *err);
void plan_release(struct plan *plan);

#endif
