/* A store in a folder of its own, filled in a few words, and asked with the plain sqlite3 program: what the
 * store wrote is never judged by the store's own reading. */
#ifndef TESTS_UNIT_RESULTS_STORE_FIXTURE_H
#define TESTS_UNIT_RESULTS_STORE_FIXTURE_H

#include "results/store.h"

#include "base/err.h"

struct fixture {
    char dir[64];
    struct store *store; // NULL while closed
    struct err err;
    char *shown; // what the last shell_*() printed
};

/* For cmocka's setup and teardown: *state is the fixture, its store open for writing. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
void fixture_close(struct fixture *f);
void fixture_open(struct fixture *f);

/* Fails the test with the message when `rc` is not ERR_OK, or not `code`. */
void expect_ok(struct fixture *f, int rc);
void expect_code(struct fixture *f, int rc, int code);
void expect_message(struct fixture *f, const char *part); // that the last error contains `part`

/* ---- writing; each in a transaction of its own unless one is open ---- */

void begin(struct fixture *f);
void commit(struct fixture *f);

/* Begins a plan: axes is a JSON array. */
int64_t sweep(struct fixture *f, const char *name, const char *axes, const char *metric,
              bool maximize);
/* A point whose key is made from `key`, seed = replicate, config {"epochs":E,"key":"..."}; epochs 0:
 * not said. */
struct store_planned point(struct fixture *f, int64_t sweep_id, const char *key, const char *label,
                           const char *params, int replicate, int64_t epochs);
void end_plan(struct fixture *f, int64_t sweep_id); // and commits

/* A sweep "s" over "optimizer" for val_accuracy with the one trial 1, "adam", of `epochs` epochs, whose
 * attempt 1 is running.  Returns the sweep's id. */
int64_t one_running_trial(struct fixture *f, int64_t epochs);

/* "val_accuracy 0.5 val_loss nan" as the epoch's record; 1.5 s, 100 samples a second. */
int put_epoch(struct fixture *f, int64_t trial, int attempt, int epoch, const char *metrics,
              bool deterministic, enum store_epoch_result *result);
void epoch(struct fixture *f, int64_t trial, int attempt, int epoch, const char *metrics);
void attempt(struct fixture *f, int64_t trial, int attempt);
void end(struct fixture *f, int64_t trial, int attempt, enum trial_status status,
         const char *reason);
/* attempt 1, epochs 1 .. n with the values of "val_accuracy", complete */
void run_complete(struct fixture *f, int64_t trial, int n, const double *val_accuracy);

/* ---- the sqlite3 program ---- */

/* Runs SQL or dot commands; what it prints, errors included.  Columns are joined by '|', NULL is
 * shown as NULL.  Valid until the next call. */
const char *shell(struct fixture *f, const char *sql);
void expect_shell(struct fixture *f, const char *sql, const char *expected);

#endif
