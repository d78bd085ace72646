/* results/report.h - the data document of a sweep: all that the report's page shows, as one JSON text.
 *
 * The page (results/page) is the same for every sweep and draws whatever document it is given, so that one made
 * later, of a sweep that has gone on, can take the place of an earlier.  Members, keys only ever added:
 *
 *     format         1
 *     besom, made_at the version that made it, and when (SOURCE_DATE_EPOCH, where that is set)
 *     sweep          name, description, file (its text), trainer (argv), metric, goal, created_at, planned_at
 *     run            first, last (start of the first attempt, end of the last one), attempts, active (a run holds the
 *                    folder), programs and numerics (what the trainers said they are)
 *     t95            two-sided 95% quantiles of Student's t for 1, 2, ... degrees of freedom
 *     axes           [{path, levels: [short text, in the order of the sweep]}]
 *     trials         columns, a row a trial in the order of their numbers: trial, key, label, status, replicate, seed
 *                    (text: it may be above 2^53), point (trials of one grid point have one number), attempts,
 *                    epochs_done, epochs, seconds, error, stopped, and levels: for each axis the index of the level
 *     curves         stride (every how many epochs are here; the last always is), rows (for each trial, how many),
 *                    epoch (i32), metrics: [{name, goal, type ("f32" or "f64"), value, best (f64), best_epoch (i32),
 *                    last (f64)}]; value has a number for each row of each trial, NaN where there is none
 *     compare        the comparison by the objective, as results/compare_json.h has it, with one row of "leaderboard"; null
 *                    while no trial has a value of the objective
 *     layers         null, or: names, epochs, epochs_known, first_replicate (whether others were left out), and columns
 *                    with a row a (trial, epoch, layer): trial (i32: row of `trials`), epoch (i32), layer (i32: of names),
 *                    and f32 each: see report_layers.c
 *     failures       [{trial, attempt, reason, class, message, exit_status, signal, log_tail}], the newest trials' first
 *     failures_more  how many more there are
 *
 * Columns of numbers are base64 (results/report_column.h). */
#ifndef RESULTS_REPORT_H
#define RESULTS_REPORT_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct err;
struct store;

enum {
    REPORT_FORMAT = 1,
    REPORT_VALUES_MAX = 1500000, // of curves; of more, only every second, third, ... epoch is told
    REPORT_LAYER_ROWS_MAX = 12000, // likewise of looks at layers; then the first replicate's alone
    REPORT_FAILURES_MAX = 400,
    REPORT_LOG_TAIL_MAX = 1500, // bytes of a failure's
};

struct report_options {
    const char *version;                // of besom
    bool active;                        // a run holds the folder: what is running does run
    int64_t values_max, layer_rows_max; // 0: the limits above
};

/* Appends the document of this sweep, one consistent state of the database.  ERR_NOT_FOUND without such a sweep.
 * Cost: 0.3 us a stored value. */
int report_put_data(struct buf *json, struct store *store, const char *sweep,
                    const struct report_options *options, struct err *err);

#endif
