/* runner/progress.h - how far a sweep is: counts, the best value, the time that is left.
 *
 *     ETA = (epochs left * seconds an epoch + trials left of unknown length * seconds a trial) / workers
 *
 * Both means are measured in this run, by the runner's clock: what a trainer says of itself is not used,
 * so that loading data and saving state count too.  Workers: the slots, or the trials when those are
 * fewer. */
#ifndef RUNNER_PROGRESS_H
#define RUNNER_PROGRESS_H

#include "results/store.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct sweep;

struct progress {
    bool maximize;
    int slots;
    int64_t total;                    // trials of the sweep
    int64_t complete, failed, paused; // of the whole sweep
    int64_t complete_now, failed_now, paused_now;

    bool has_best;
    double best;
    char *best_label; // owned

    int64_t trials_left;        // that are to run in this run, those running included
    int64_t epochs_left;        // of them, where known
    int64_t unknown_left;       // of them, those whose number of epochs is not known
    double epoch_s, trial_s;    // sums
    int64_t epochs_n, trials_n; // of so many
};

/* Reads where the sweep stands; the trials to run are those pending or paused. */
int progress_load(struct progress *p, struct store *store, const struct sweep *sweep, int slots,
                  struct err *err);
void progress_release(struct progress *p);

/* A paused trial runs again. */
void progress_begin(struct progress *p, bool was_paused);

/* An epoch that was not there before, `seconds` after the one before it.  `left`: it was one of those
 * counted in epochs_left. */
void progress_epoch(struct progress *p, double seconds, bool left);

/* A value of the objective; the first to reach the best stays the best.  NaN is none. */
void progress_value(struct progress *p, double value, const char *label);

/* A trial has ended for this run: complete, failed or paused.  `epochs_left`: what it still had to do, 0
 * where that is not known.  `seconds` of this run. */
void progress_end(struct progress *p, enum trial_status status, bool epochs_known,
                  int64_t epochs_left, double seconds);

/* Seconds; NaN while nothing was measured. */
double progress_eta(const struct progress *p);

#endif
