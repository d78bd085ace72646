/* runner/ledger.h - the one thread that writes the store.
 *
 *     main thread                         the ledger's thread
 *     ledger_push(item) --> queue ------> takes up to LEDGER_BATCH_MAX items
 *                                         begin, apply each in order, COMMIT
 *     ack(item) <-- uv_async <-- done <-- hands all of them back
 *
 * An epoch waits for others up to LEDGER_WAIT_MS, so that a hundred fast trainers cost one fsync and not
 * a hundred.  Items that somebody waits for (all but epochs, layers and starts) are committed at once, with what
 * is before them in the queue; so is all that is queued when a worker is paused for it.
 *
 * A trial that ends as most do costs one commit and not three: LEDGER_CLOSE may carry the end that is right when
 * the trial is complete, and the beginning of the slot's next trial.  The thread has the rows and judges by
 * trial_judge(); if the trial is complete, the two are part of the same commit, and are handed back behind it.
 *
 * Invariants
 *   1. Items are applied in the order in which they were pushed.
 *   2. `ack` is called on the main thread, after the commit.  No ack, no promise.
 *   3. A batch is applied wholly or not at all: when the disk is full, or another program locks the file, it is
 *      rolled back and tried again, for as long as it takes; LEDGER_WAIT tells of the beginning and the end.
 *      After ledger_end_waits() that is LEDGER_LAST_MS at most.
 *   4. Of an attempt that was found to differ from what is stored no later epoch and no layer is written.
 *   5. After a failure of the storage nothing more is written and nothing more is acknowledged; `failed`
 *      is called once.
 *   6. After an attempt's end is committed and handed back, the trial's snapshot (results/snapshot.h) is written, by
 *      this thread.  Where that fails, a notice says so once, and the thread tries again when it ends.  One that the
 *      database differs from is kept, and a notice says in what.
 *   7. Folders are made ahead (runner/ahead.h) between two batches: of a trial whose attempt is handed back none is. */
#ifndef RUNNER_LEDGER_H
#define RUNNER_LEDGER_H

#include "base/err.h"
#include "results/store.h"
#include "runner/trial.h"

#include <stdbool.h>
#include <stdint.h>

struct ahead;
struct ledger;
struct uv_loop_s;
struct wire_metric;
struct wire_record;

enum {
    LEDGER_BATCH_MAX = 256,
    LEDGER_WAIT_MS = 20,
    LEDGER_RETRY_MS =
        250, // after the first try that met a full disk; then twice as long each time up to
    LEDGER_RETRY_MAX_MS = 1000, // this
    LEDGER_LAST_MS = 2000,      // of waiting when the run is to end
};

enum ledger_kind {
    LEDGER_BEGIN,  // an attempt begins; fetches the job
    LEDGER_START,  // the trainer's start event
    LEDGER_EPOCH,  // an epoch record
    LEDGER_LAYER,  // a layers event
    LEDGER_CLOSE,  // the trainer has ended: which epochs are there?
    LEDGER_END,    // the verdict
    LEDGER_NOTICE, // from the ledger: something to tell the user
    LEDGER_WAIT,   // from the ledger: it waits for something, or goes on
};

/* One thing to write.  Made by ledger_item_new(), owned by the ledger from ledger_push() on, lent to
 * `ack`.  Strings are on the heap and owned by the item; fields marked "out" are filled in. */
struct ledger_item {
    enum ledger_kind kind;
    void *owner; // the pusher's; the ledger does not look at it
    int64_t trial;
    int attempt; // LEDGER_BEGIN: out
    union {
        struct {
            int slot;
            bool was_paused;      // out
            bool afresh;          // out: the attempt before ended as "missing epochs"
            struct store_job job; // out; `ack` may take its strings by zeroing it
        } begin;
        struct {
            int from_epoch;
            char *numerics, *program; // may be NULL
            // out: what the latest attempt before said that said otherwise; NULL: none did
            char *numerics_before, *program_before;
        } start;
        struct {
            int epoch;
            bool deterministic;
            double seconds, samples_per_second;
            int metric_count;
            struct wire_metric *metrics;
            enum store_epoch_result result; // out, of one that was written
            char *differs;                  // out: how the stored bits differ; NULL
            bool dropped;                   // out: not written, as an earlier one differs
        } epoch;
        struct {
            struct store_layer *row; // owned, from layer_event_read()
            bool deterministic;      // a row that is there stays
        } layer;
        struct {
            int epochs_done; // out: contiguous from 1
            int epoch_last;  // out
            int missing;     // out: attempts before that left out an epoch
            bool beyond;     // out: trial_is_beyond()
            // What is committed with it if the trial turns out to be complete: a LEDGER_END, all but its `barren`,
            // and perhaps a LEDGER_BEGIN.  NULL: nothing.  Owned
            struct ledger_item *end, *next;
            // How that is judged; `outcome` lacks what the rows tell, and has no texts
            struct attempt_outcome outcome;
            int retries, barren;
            int progress_from; // from so many epochs done on it has progressed
            bool complete;     // out: `end` and `next` were committed, and follow
        } close;
        struct {
            struct store_end end;    // the strings of which are these:
            char *reason, *log_tail; // may be NULL
            char *message, *stopped; // may be NULL
        } end;
        char *notice;
        struct {
            bool over;
            enum err_code cause; // ERR_FULL: for room; ERR_BUSY: for another program's lock
            char *message;       // of what it met; NULL when it goes on
        } wait;
    };
    struct ledger_item *next; // the ledger's
};

struct ledger_item *ledger_item_new(enum ledger_kind kind, void *owner, int64_t trial, int attempt);
void ledger_item_free(struct ledger_item *item);

/* Copies an epoch record into an item, and out of it again. */
void ledger_pack(struct ledger_item *item, const struct wire_record *record);
void ledger_unpack(const struct ledger_item *item, struct wire_record *record);

struct ledger_calls {
    void (*ack)(void *context, struct ledger_item *item);
    // `given_up`: a wait was ended by ledger_end_waits(); all else is well with the storage
    void (*failed)(void *context, const struct err *err, bool given_up);
    void *context;
};

/* Starts the thread, which has `store` and `ahead` (NULL: no folders are made ahead) to itself until ledger_close().
 * Jobs are those of `sweep_id`. */
int ledger_new(struct ledger **ledger, struct uv_loop_s *loop, struct store *store,
               int64_t sweep_id, struct ahead *ahead, const struct ledger_calls *calls,
               struct err *err);

void ledger_push(struct ledger *ledger, struct ledger_item *item);

/* Somebody waits for what is queued now: it is committed at once. */
void ledger_hurry(struct ledger *ledger);

/* The run is to end: from now on nothing is waited for longer than LEDGER_LAST_MS.  What cannot be written by then is
 * given up, which is a failure. */
void ledger_end_waits(struct ledger *ledger);

/* Writes what is queued and ends the thread.  Acks that were not delivered yet are dropped: who wants
 * them runs the loop until they have come; but for notices, which it delivers itself.  The memory goes in the loop's next round, which has to be run.
 * NULL is fine. */
void ledger_close(struct ledger *ledger);

/* Commits so far. */
int64_t ledger_commits(struct ledger *ledger);

#endif
