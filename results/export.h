/* results/export.h - a sweep for other programs: rows of CSV or JSON, or a study of Optuna's.
 *
 * Two kinds of rows:
 *
 *     trials   trial, key, label, status, replicate, seed, each axis, each member of an axis's objects, attempts,
 *              epochs_done, epochs, best_value, best_epoch, last_value, each metric's _best and _last, seconds,
 *              started_at, ended_at, error, stopped, params
 *     curves   trial, epoch, metric, value
 *
 * A name that is taken already, in upper or lower case, gets an underscore at its end.  Numbers are in their shortest
 * form that reads back to the same bits; times are ISO 8601 in UTC; text is UTF-8, and bytes that are none become U+FFFD.
 *
 *                      CSV (RFC 4180)      JSON lines
 *     absent           an empty field      null
 *     NaN              NaN                 NaN          as pandas and Python's json read them; the latter two
 *     infinities       inf, -inf           Infinity, -Infinity          are no JSON by the letter
 *     params           its text            an object
 *
 * What is written is one moment of the store, whatever a run adds meanwhile.  Memory does not grow with the rows. */
#ifndef RESULTS_EXPORT_H
#define RESULTS_EXPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct err;
struct store;

enum export_what { EXPORT_TRIALS, EXPORT_CURVES };

struct export_options {
    enum export_what what;
    bool json;   // lines of JSON instead of CSV
    bool active; // a run holds the folder: otherwise a trial that is said to run is paused
};

/* Writes to `out`, which errors call `name`, and flushes it.  Stops at the first byte that cannot be written.  `rows`
 * receives how many there were, the CSV's header not counted. */
int export_rows(FILE *out, const char *name, struct store *store, const char *sweep,
                const struct export_options *options, int64_t *rows, struct err *err);

struct export_optuna_options {
    const char *version; // of this program
    bool last;           // a trial's value is that of its last epoch, not its best
    bool active;
};

/* Makes the file `path`, which is empty or absent, an SQLite database as Optuna 3.0 and 3.1 make it (schema 12, revision
 * v3.0.0.d), with a study for each sweep.  Nothing is synced.  A failure leaves a file of no use.
 *
 *     study       the sweep's name, its goal as the direction
 *     trial       in the order of besom's numbers, its own counted from 0
 *     state       complete COMPLETE, pruned PRUNED, running and paused RUNNING, pending WAITING, failed and cancelled
 *                 FAIL; a complete one without a value FAIL, too, as Optuna itself judges NaN
 *     parameter   an axis.  All of its values whole numbers: an IntDistribution from the least to the greatest; all
 *                 numbers: a FloatDistribution; with `log` when they are positive and the greatest is at least ten
 *                 times the least.  Else a CategoricalDistribution of its values in the sweep's order, objects and
 *                 arrays by their short text
 *     value       of trials that are COMPLETE or PRUNED
 *     step        an epoch: the objective's value
 *     user attribute    every column of export_rows()'s trials that is no axis
 *     times       in local time, as Optuna writes them
 *
 * Memory grows with the different values of an axis, not with the trials. */
int export_optuna(const char *path, struct store *store, const char *const *sweeps, int count,
                  const struct export_optuna_options *options, int64_t *trials, struct err *err);

#endif
