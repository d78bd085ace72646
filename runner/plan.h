/* runner/plan.h - from a sweep file to the trials that are to run.
 *
 *     for each point:  grid_at -> check (besom-trainer check) -> key -> store_put_point -> count
 *
 * (for a trainer without a check, and where the axes stand alone, pieces_at -> store_put_point: runner/pieces.h)
 * in one transaction: when any config is refused nothing is stored and nothing starts.  Memory: a
 * trial number for each trial that is to run, and PLAN_WINDOW points that are being checked.
 *
 * Two points can be the same trial ("adam" and {"name": "adam", "lr": 0.001}: a trainer's check tells what
 * is at its default).  Such a trial is planned once, under the label of the first. */
#ifndef RUNNER_PLAN_H
#define RUNNER_PLAN_H

#include "results/store.h"
#include "runner/sweep.h"

#include <stdbool.h>
#include <stdint.h>

struct diag;
struct err;

enum { PLAN_WINDOW = 256 }; // configs under way to the check at a time

struct plan_options {
    const char *out_dir;
    bool retry_failed; // failed trials run again
    bool dry_run;      // nothing is stored; the store may be a reader's, or NULL
};

/* Called for each trial as it is planned, e.g. to list it.  In a dry run a new trial's number is 0. */
typedef void plan_trial_fn(void *context, const struct store_point *point,
                           const struct store_planned *planned);

struct plan {
    int64_t sweep_id; // 0 in a dry run
    int64_t
        count[PLAN_COUNT]; // trials by what happens to them; a failed one that is run again counts
                           // as new or continued
    int64_t total;
    int64_t *queue; // owned: the trials to run, in order; empty in a dry run
    int64_t queue_count;
    int64_t excluded; // points that the sweep leaves out, replicates counted
    int64_t merged;   // points that are the same trial as an earlier one
};

/* Plans a sweep into the open, writable store; commits.  Complaints about configs go to `diag` (one
 * for each distinct complaint, with the first point that has it and how many do) and then nothing is
 * stored and ERR_RANGE is returned.  `each` may be NULL.  ERR_PARSE when the check itself breaks,
 * ERR_NOT_FOUND when there is no besom-trainer, ERR_FULL when it or the store met a full disk, and the store's errors.  `plan` is empty after a
 * failure. */
int plan_make(struct plan *plan, struct store *store, const struct sweep *sweep,
              const struct plan_options *options, struct diag *diag, plan_trial_fn *each,
              void *context, struct err *err);
void plan_release(struct plan *plan); // NULL and zeroed are fine

#endif
