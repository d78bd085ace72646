/* cli/summary.h - a plan in words, for run and for plan. */
#ifndef CLI_SUMMARY_H
#define CLI_SUMMARY_H

#include "results/compare.h"
#include "results/table.h"
#include "runner/plan.h"
#include "runner/sweep.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct summary {
    struct table *table;            // borrowed; a row a trial, NULL: no rows are kept
    int64_t epochs_left;            // of the trials that are to run
    int64_t epochs_min, epochs_max; // asked for
    int continue_min, continue_max; // the epochs that continued trials have behind them
    bool any, any_continue;
};

/* Adds the columns of the rows that summary_add() makes. */
void summary_columns(struct summary *summary);

/* The plan_trial_fn; `context` is a struct summary. */
void summary_add(void *context, const struct store_point *point,
                 const struct store_planned *planned);

/* "sweep quickstart: 5 optimizers x 5 activations x 3 inits = 75 trials of 3 epochs"
 * "23 done, 2 continued from epoch 2, 50 new" */
void summary_print(const struct summary *summary, const struct sweep *sweep,
                   const struct plan *plan, FILE *out);

/* What the commands to type next are made of.  All borrowed. */
struct summary_next {
    const char *program; // what to type for besom
    const char *path;    // of the sweep file
    const char *out_dir;
    bool failed; // some trials have failed
};

/* The commands to type next. */
void summary_next(const struct compare *compare, const char *sweep, const struct summary_next *next,
                  FILE *out);

#endif
