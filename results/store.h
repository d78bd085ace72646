/* results/store.h - the SQLite store: one file holds every sweep, trial, attempt and metric.
 *
 * Who may do what: exactly one connection writes (STORE_WRITE: the runner's, which holds the lock of
 * the folder); all others read (STORE_READ), also while it writes.  SQLite versions up to 3.51.2 can
 * damage a WAL file when two connections checkpoint it at once; one writer rules that out.
 *
 * The writing connection: application_id, user_version, WAL, synchronous=FULL, foreign_keys,
 * trusted_schema=OFF, cell_size_check.  With WAL and FULL a committed row survives SIGKILL and a power
 * cut.
 *
 * Invariants
 *   1. (trial, epoch, metric) is unique.  A value, once committed, is never overwritten: a later
 *      attempt either repeats its bits, or moves it to `superseded`, or is refused.
 *   2. A number keeps its IEEE bits beside the REAL, which SQL reads (NaN is NULL there).
 *   3. After an SQLITE_IOERR the connection is dead: every later call fails with ERR_IO, and closing it writes
 *      nothing.  SQLITE_BUSY waits.  Without room (SQLITE_FULL, EDQUOT, a file that cannot be made) a call fails with
 *      ERR_FULL and leaves the transaction rolled back; a failed sync never counts as that.
 *   4. A file is checked before it is written to (store_open).
 *
 * A write happens between store_begin() and store_commit(); the caller groups as it likes.  Not
 * thread-safe: a store belongs to one thread at a time. */
#ifndef RESULTS_STORE_H
#define RESULTS_STORE_H

#include "base/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct store;
struct wire_record;

enum { STORE_APPLICATION_ID = 0x6265736d /* "besm" */, STORE_VERSION = 3 };
enum store_mode {
    STORE_READ,
    STORE_WRITE,
    STORE_CHECK, // reads, of a file that is wholly as a writer wants it, whatever its size
};

/* Opens DIR/results.db; STORE_WRITE makes it, with its schema, in a DIR that exists.  A file that is refused
 * is left as it is, and every message names it.  A file of an older version is brought up to date by a writer,
 * in one transaction; a reader leaves it as it is and sees NULL in the columns that it lacks.
 *
 *     ERR_NOT_FOUND   reading, and there is no file or an empty one; the message says how to start
 *     ERR_VERSION     another application's database, or of a newer schema
 *     ERR_CORRUPT     no database, truncated, damaged; or missing or empty, while its WAL is not or copies of its rows
 *                     (results/snapshot.h) are there, which a new one's would replace
 *     ERR_BUSY        locked by another program: a writer waits a minute, a reader some seconds
 *     ERR_IO          else; also when DIR is on a network file system, on which a WAL cannot work
 *     ERR_FULL        no room for the files that SQLite needs beside it.  A reader does without them, on a copy that SQLite
 *                     makes in memory or TMPDIR: this is for one that cannot write to the file, or has no room there
 *
 * A writer first has SQLite check every page, row and constraint, and compares the tables' definitions with its own: what
 * a disk has changed is not built upon.  Indexes are compared with their tables, too, in a file of at most 64 MiB, and
 * in any when its WAL has something in it, which means that the last writer was killed, lost its power or its disk.
 * Cost: 0.4 to 0.8 s a million values. */
int store_open(struct store **store, const char *dir, enum store_mode mode, struct err *err);

/* A writer checkpoints the WAL into the file and empties it, so that results.db can be copied alone.  A reader that is in
 * the way is no failure: the rows are safe in the WAL.  So they are after ERR_FULL, too, and it may be tried again.  The
 * last that is done with the store before store_close(), which does it, too. */
int store_settle(struct store *store, struct err *err);

/* NULL is fine. */
int store_close(struct store *store, struct err *err);

/* Planning wants many pages at hand (64 MiB at most), a run a few of them, for hours: from here on a writer keeps
 * 2 MiB, and what it had beyond goes back to the system. */
void store_slim(struct store *store);

/* What is done while another program holds a lock that is needed.  Called on the thread that uses the store. */
struct store_patience {
    /* Asked again and again, ten times a second or more: whether to go on waiting.  Otherwise what waits
     * fails with ERR_BUSY.  NULL: as store_open() says. */
    bool (*wait)(void *context, const struct store *store, int waited_ms);
    void (*over)(void *context,
                 const struct store *store); // after a `wait`: it goes on; may be NULL
    void *context;
};
enum { STORE_SAY_MS = 2000 }; // longer than this, and people are told

/* As store_open(), with this patience from the beginning on; NULL: the usual one. */
int store_open_patiently(struct store **store, const char *dir, enum store_mode mode,
                         const struct store_patience *patience, struct err *err);
void store_set_patience(struct store *store, const struct store_patience *patience);
struct store_patience store_get_patience(const struct store *store);

/* "besom-out/results.db: locked by another program (sqlite3, process 4711)", as far as that is known.  On the
 * heap. */
char *store_describe_lock(const struct store *store);

int store_begin(struct store *store, struct err *err);

/* ERR_IO, too, when it was committed to a file that somebody has removed or replaced meanwhile, or to a log that was. */
int store_commit(struct store *store, struct err *err);
void store_rollback(struct store *store); // no transaction is fine

/* ---- status and reasons ---- */

enum trial_status {
    TRIAL_PENDING, // not started
    TRIAL_RUNNING, // a worker owns it
    TRIAL_PAUSED,  // interrupted, goes on from its last checkpoint
    TRIAL_COMPLETE,
    TRIAL_FAILED,
    TRIAL_PRUNED,
    TRIAL_CANCELLED,
    TRIAL_STATUS_COUNT,
};
extern const char *const trial_status_names[TRIAL_STATUS_COUNT];

/* ---- planning: a sweep and its trials ---- */

struct store_sweep {
    const char *name, *description; // description may be NULL
    const char *spec;               // the sweep file's text
    const char *axes;               // JSON array of the axes' dotted paths, in order
    const char *trainer;            // JSON array, the argv
    const char *metric;             // of the objective
    bool maximize;
};

/* Begins a plan: makes the sweep, or brings the one of this name up to date, and makes its view
 * sweep_<name>.  Points may follow in the same transaction, then store_end_plan().  ERR_RANGE when
 * another sweep's view has that name already ("a-b" and "a_b"). */
int store_put_sweep(struct store *store, const struct store_sweep *sweep, int64_t *sweep_id,
                    struct err *err);

struct store_point {
    const char *key;    // 32 hex digits
    int64_t ordinal;    // its place in the sweep's order
    const char *label;  // "adam relu he_normal"
    const char *params; // JSON: axis -> value
    const char *config; // JSON, canonical, with its seed
    int replicate;      // from 1
    int64_t seed;
    int64_t epochs; // asked for; 0 when the config does not say
};

/* What a run would do with a trial. */
enum store_plan {
    PLAN_NEW,      // never started
    PLAN_DONE,     // complete, with the epochs asked for
    PLAN_CONTINUE, // interrupted: goes on from its checkpoint
    PLAN_EXTEND,   // complete, but more epochs are asked for now
    PLAN_FAILED,   // failed before; run only with --retry-failed
    PLAN_COUNT,
};
extern const char *const store_plan_names[PLAN_COUNT];

struct store_planned {
    int64_t trial;
    enum store_plan plan;
    int epochs_done;
    bool
        repeated; // this plan has the trial already, by another point, whose config and epochs count: it
                  // is not to be run twice, and `plan` says nothing
};

/* Makes the trial if its key is new, and puts it into the sweep.  A trial that another sweep made
 * already is shared: its results count in both, each with its own label, params and replicate.
 *
 *     stored status       asked epochs            becomes      plan
 *     -                                           pending      PLAN_NEW
 *     pending             never started           pending      PLAN_NEW
 *     complete            <= epochs done          complete     PLAN_DONE      keeps its config
 *     complete            more                    pending      PLAN_EXTEND
 *     complete, stopped   as when it stopped      complete     PLAN_DONE      likewise
 *     paused, pending     any                     as it was    PLAN_CONTINUE
 *     failed              any                     failed       PLAN_FAILED
 *     pruned, cancelled   any                     as it was    PLAN_DONE
 *
 * The trial's epochs are from then on the larger of those asked for and those done (0 when the config
 * does not say), its config is the point's.  A trial that was complete before the last epoch asked for
 * (store_end.stopped) is done as long as no more are asked for than then and nothing else of its config has
 * changed: with more patience, say, its trainer is asked again.  An extension that was never started can be taken back: asked
 * for fewer again, the trial is complete.  A point that is there already, the same, writes nothing.
 * ERR_PARSE when params is no JSON; ERR_RANGE for a sweep that is not being planned. */
int store_put_point(struct store *store, int64_t sweep_id, const struct store_point *point,
                    struct store_planned *planned, struct err *err);

/* What store_put_point() would plan, without writing: any mode will do, and NULL is a store in which
 * everything is new.  `repeated` is not known here. */
int store_preview_point(struct store *store, const struct store_point *point,
                        struct store_planned *planned, struct err *err);

/* After the last point: points that the sweep had before and has no more leave `trials`, the leaderboard
 * and the sweep's view; what they measured is kept, and is theirs again when they come back. */
int store_end_plan(struct store *store, int64_t sweep_id, struct err *err);

/* Closes what a killed runner left open: attempts without an end get the reason "runner died" and the class
 * "lost", and ran until their last epoch, as far as can be known; running trials become paused.  `count`
 * receives how many. */
int store_recover(struct store *store, int *count, struct err *err);

/* A failed trial becomes pending again, for --retry-failed.  ERR_NOT_FOUND when it is not failed. */
int store_reset_failed(struct store *store, int64_t trial, struct err *err);

/* ---- running ---- */

/* What a worker needs to know.  Strings are on the heap; store_job_release() frees them. */
struct store_job {
    int64_t trial, seed;
    int replicate, attempts; // attempts so far
    int64_t epochs;          // 0: not known
    int epochs_done;
    int barren;   // of them, the last ones in a row that got nowhere; 0 once it was reset
    double ran_s; // seconds that all of them ran
    char key[HASH_HEX_LEN + 1];
    char *label, *config;
};
int store_get_job(struct store *store, int64_t sweep_id, int64_t trial, struct store_job *job,
                  struct err *err);
void store_job_release(struct store_job *job);

/* Counts the attempt, marks the trial running.  `attempt` counts from 1 within the trial.  ERR_NOT_FOUND
 * without such a trial, ERR_RANGE when it had this attempt. */
int store_begin_attempt(struct store *store, int64_t trial, int attempt, int slot, struct err *err);

/* The trainer's start event: kept with the attempt.  Texts may be NULL. */
int store_put_start(struct store *store, int64_t trial, int attempt, int from_epoch,
                    const char *numerics, const char *program, struct err *err);

enum store_epoch_result {
    STORE_ADDED,      // new
    STORE_REPEATED,   // the same bits are there already
    STORE_SUPERSEDED, // stored rows of this epoch and later ones were moved aside, this one added
};

/* An epoch record; epochs may come in any order.  When the epoch is there already with other bits: with
 * `deterministic`, fails with ERR_DIFFERS naming epoch, metric and both values, and changes nothing, so
 * that the transaction can go on; without, supersedes.  Any other failure may leave half of the record
 * in the transaction: roll back.
 *
 * A metric that the stored epoch lacks is added; timings of a repeated epoch are not.  All NaN count as the
 * same bits.  Of a metric that a record has twice the first counts.  A metric that is new to the sweep gets
 * its columns in sweep_<name> here.  Cost: two or three look-ups a metric, about 4 us. */
int store_put_epoch(struct store *store, int64_t trial, int attempt,
                    const struct wire_record *record, bool deterministic,
                    enum store_epoch_result *result, struct err *err);

/* Whether that attempt has stored this record: the epoch is there, of this attempt and with these bits. */
int store_epoch_is(struct store *store, int64_t trial, int attempt,
                   const struct wire_record *record, bool *same, struct err *err);

/* The numbers of a layer, by the names of the view's columns. */
#define STORE_LAYER_NUMBERS(X)                                                                     \
    X(mean)                                                                                        \
    X(std)                                                                                         \
    X(min)                                                                                         \
    X(max)                                                                                         \
    X(dead)                                                                                        \
    X(saturated)                                                                                   \
    X(histogram_low)                                                                               \
    X(histogram_high)                                                                              \
    X(gradient_mean)                                                                               \
    X(gradient_std)                                                                                \
    X(gradient_low)                                                                                \
    X(gradient_high)                                                                               \
    X(update_ratio)

enum store_layer_number {
#define X(name) STORE_LAYER_##name,
    STORE_LAYER_NUMBERS(X)
#undef X
        STORE_LAYER_NUMBER_COUNT,
};

/* A layer of a trial's network at an epoch. */
struct store_layer {
    int epoch;    // 0: before the first
    int position; // in the network, from 0; -1: not known
    char *name;
    double number[STORE_LAYER_NUMBER_COUNT]; // NaN is NULL
    char *histogram, *gradient_histogram;    // JSON arrays; NULL: none
};

/* Stores a row of `layers`.  When the trial has one of that epoch and name: `replace` puts this in its place,
 * otherwise it stays. */
int store_put_layer(struct store *store, int64_t trial, const struct store_layer *layer,
                    bool replace, struct err *err);

/* How an attempt ended, and what became of the trial. */
struct store_end {
    enum trial_status status; // of the trial from now on
    const char *stopped;      // complete before the last epoch asked for: why; NULL
    const char *reason;   // NULL: completed; else "exit", "signal", "diverged", "interrupted", ...
    const char *message;  // for people; may be NULL
    int exit_status;      // -1: none
    int signal;           // 0: none
    const char *log_tail; // may be NULL
    const char *class;    // "signal", "memory", ...: which rule for retries holds; NULL: no failure
    double peak_mb;       // the most memory that it used, 10^6 bytes; 0: not known
    double seconds;       // that it ran
    int barren;           // attempts in a row, this one included, that got nowhere
};
/* ERR_NOT_FOUND when the attempt was not begun. */
int store_end_attempt(struct store *store, int64_t trial, int attempt, const struct store_end *end,
                      struct err *err);

/* Epochs 1..n are all there: the n; 0 when epoch 1 is missing.  Kept with the trial: one look-up. */
int store_contiguous_epochs(struct store *store, int64_t trial, int *n, struct err *err);

#endif
