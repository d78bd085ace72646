/* runner/slot.h - one place in the pool: a trial's attempts, one after the other.
 *
 *     IDLE -> BEGINNING ----> RUNNING -> CLOSING -> ENDING -> IDLE
 *               ^ (row    \   ^ (a        (all rows   (verdict |
 *               |  commit- \  |  worker)   committed)  committed)
 *               |  ted)  STARTING (waits for room or processes) |
 *               +----------- WAITING <--------------------------+
 *
 * In BEGINNING, CLOSING and ENDING it waits for the ledger's answer.  Where a trial is complete, its rows, the verdict
 * and the row of the slot's next trial are one commit, and three answers.  Which trial runs, and when the run
 * stops, is run.c's to decide; this module does what one trial needs. */
#ifndef RUNNER_SLOT_H
#define RUNNER_SLOT_H

#include "results/store.h"
#include "runner/cgroup.h"
#include "runner/trial.h"
#include "runner/watchdog.h"
#include "runner/worker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct ledger_item;
struct run;

enum slot_state {
    SLOT_IDLE,
    SLOT_BEGINNING,
    SLOT_STARTING, // the row is committed, but the worker cannot be started for now
    SLOT_RUNNING,
    SLOT_CLOSING,
    SLOT_ENDING,
    SLOT_WAITING, // for the next attempt
};

/* What may change between attempts, and is told once a trial. */
enum slot_drift { SLOT_DRIFT_NUMERICS, SLOT_DRIFT_PROGRAM, SLOT_DRIFT_COUNT };

/* What is known of the attempt that is going on. */
struct slot_attempt {
    int number;
    bool deterministic; // the trainer promised to give the same bits again
    bool afresh;        // begun without the state of those before
    bool done_event, asked, killed;
    char *failed_reason, *failed_message, *differs, *spawn_failure; // owned; NULL
    char *program;                                                  // owned: the trainer's; NULL
    char *drift;   // owned: what is not as in attempts before, and may be why bits differ; NULL
    char *stopped; // owned: why it ended before its last epoch; NULL
    struct worker_end end; // its tail is owned here
    int64_t room_left;     // on the disk, when it ended
    int layers;            // layers events taken
    int queued_rows;
    size_t queued_bytes;
    bool paused; // reading is
    struct watchdog watch;
    double over_mb;     // what it used when it was killed for that; 0: it was not
    bool out_of_memory; // the kernel killed it for that
    struct trial_verdict verdict;
};

struct slot {
    struct run *run;
    int index; // from 0
    enum slot_state state;
    uv_timer_t timer; // of SLOT_WAITING and SLOT_STARTING
    struct worker *worker;
    struct cgroup *group; // of its workers, one after the other; NULL where there are none
    struct slot_attempt attempt;

    // the trial, over its attempts in this run
    int64_t trial;
    int64_t next;    // what it takes after it; 0: not chosen yet, or nothing
    bool next_begun; // its attempt is committed already
    struct store_job job;
    bool begun;
    int barren,
        idle_saves;  // attempts in a row without progress; saved states without an epoch between
    int epochs_best; // the most contiguous epochs that there ever were
    int bad_lines;
    bool waits, needs_room; // see slot_wait.h; before its next attempt the disk has to have room
    int waits_for;          // an enum run_wait
    int roomless;           // attempts in a row that died of a full disk
    bool drift_told[SLOT_DRIFT_COUNT];
    uint64_t start_ns, mark_ns; // of the run's clock: the trial's begin; the last epoch
};

void slot_init(struct slot *slot, struct run *run, int index);

/* An idle slot takes a trial. */
void slot_run(struct slot *slot, int64_t trial);
/* It takes its next one, whose attempt was committed with the last one's end. */
void slot_go_on(struct slot *slot);

/* The ledger's answer to something that this slot pushed. */
void slot_ack(struct slot *slot, struct ledger_item *item);

void slot_ask_to_stop(struct slot *slot);
void slot_kill(struct slot *slot);               // all of the worker's tree, at once
void slot_signal(struct slot *slot, int number); // to the shim; nothing without a worker
/* The storage failed: asks the ledger nothing more.  The worker is killed, or let go: it has been asked to leave
 * and has its time for it. */
void slot_abandon(struct slot *slot);
void slot_let_go(struct slot *slot);

/* When no worker is left. */
void slot_release(struct slot *slot);

#endif
