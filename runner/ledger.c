#include "runner/ledger.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/wire.h"
#include "runner/ahead.h"
#include "runner/layer_event.h"
#include "runner/ledger_apply.h"
#include "runner/ledger_copies.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct list {
    struct ledger_item *first, **end; // `end`: where the next one's address goes
    int count;
};

struct ledger {
    struct store *store;     // the thread's alone
    struct applier *applier; // these three likewise
    struct copies *copies;
    struct ahead *ahead; // NULL
    struct ledger_calls calls;
    uv_thread_t thread;
    uv_async_t async;
    bool told_failed;               // the main thread's
    enum err_code waits;            // the thread's: what it waits for, ERR_OK: nothing
    uint64_t waits_ns;              // since when
    struct store_patience patience; // of the store before and after

    uv_mutex_t mutex; // for all below
    uv_cond_t changed;
    struct list queue, done;
    int urgent;         // items in the queue that somebody waits for
    uint64_t oldest_ns; // when the first item came into the empty queue
    int64_t commits;
    bool hurried; // somebody waits for all that is queued
    bool closing, failed, given_up;
    uint64_t last_ns; // when it was told that the run is to end; 0: it was not
    struct err err;   // of the failure
};

/* ---- lists ---- */

static void list_init(struct list *list) {
    list->first = NULL;
    list->end = &list->first;
    list->count = 0;
}

static void list_add(struct list *list, struct ledger_item *item) {
    item->next = NULL;
    *list->end = item;
    list->end = &item->next;
    list->count++;
}

static struct ledger_item *list_take(struct list *list) {
    struct ledger_item *item = list->first;
    if (item != NULL) {
        list->first = item->next;
        list->count--;
        if (list->first == NULL) {
            list->end = &list->first;
        }
    }
    return item;
}

static void list_clear(struct list *list) {
    struct ledger_item *item;
    while ((item = list_take(list)) != NULL) {
        ledger_item_free(item);
    }
}

/* ---- items ---- */

struct ledger_item *ledger_item_new(enum ledger_kind kind, void *owner, int64_t trial,
                                    int attempt) {
    struct ledger_item *item = mem_zalloc(1, sizeof *item);
    item->kind = kind;
    item->owner = owner;
    item->trial = trial;
    item->attempt = attempt;
    return item;
}

void ledger_item_free(struct ledger_item *item) {
    if (item == NULL) {
        return;
    }
    switch (item->kind) {
    case LEDGER_BEGIN:
        store_job_release(&item->begin.job);
        break;
    case LEDGER_START:
        free(item->start.numerics);
        free(item->start.program);
        free(item->start.numerics_before);
        free(item->start.program_before);
        break;
    case LEDGER_EPOCH:
        free(item->epoch.metrics);
        free(item->epoch.differs);
        break;
    case LEDGER_LAYER:
        layer_event_free(item->layer.row);
        break;
    case LEDGER_CLOSE:
        ledger_item_free(item->close.end); // these two have none of their own
        ledger_item_free(item->close.next);
        break;
    case LEDGER_END:
        free(item->end.reason);
        free(item->end.message);
        free(item->end.stopped);
        free(item->end.log_tail);
        break;
    case LEDGER_WAIT:
        free(item->wait.message);
        break;
    case LEDGER_NOTICE:
        free(item->notice);
        break;
    }
    free(item);
}

void ledger_pack(struct ledger_item *item, const struct wire_record *record) {
    item->epoch.epoch = record->epoch;
    item->epoch.seconds = record->seconds;
    item->epoch.samples_per_second = record->samples_per_second;
    item->epoch.metric_count = record->metric_count;
    item->epoch.metrics =
        mem_resize(NULL, (size_t)record->metric_count, sizeof *item->epoch.metrics);
    memcpy(item->epoch.metrics, record->metrics,
           (size_t)record->metric_count * sizeof *item->epoch.metrics);
}

void ledger_unpack(const struct ledger_item *item, struct wire_record *record) {
    wire_record_release(record);
    record->kind = WIRE_EPOCH;
    record->epoch = item->epoch.epoch;
    record->seconds = item->epoch.seconds;
    record->samples_per_second = item->epoch.samples_per_second;
    record->metric_count = item->epoch.metric_count;
    memcpy(record->metrics, item->epoch.metrics,
           (size_t)item->epoch.metric_count * sizeof *item->epoch.metrics);
}

/* ---- batches, on the thread ---- */

/* Whether somebody waits for it. */
static bool is_urgent(const struct ledger_item *item) {
    return item->kind != LEDGER_EPOCH && item->kind != LEDGER_LAYER && item->kind != LEDGER_START;
}

static void hand_back(struct ledger *l, struct ledger_item *item) {
    uv_mutex_lock(&l->mutex);
    list_add(&l->done, item);
    uv_mutex_unlock(&l->mutex);
    (void)uv_async_send(&l->async); // fails for another type of handle only
}

/* What was committed with it follows it.  With the mutex held. */
static void add_done(struct ledger *l, struct ledger_item *item) {
    list_add(&l->done, item);
    if (item->kind == LEDGER_CLOSE && item->close.complete) {
        list_add(&l->done, item->close.end);
        if (item->close.next != NULL) {
            list_add(&l->done, item->close.next);
        }
        item->close.end = item->close.next = NULL; // the list's
    }
}

/* ---- waiting, on the thread ---- */

static void tell_wait(struct ledger *l, enum err_code cause, const char *message) {
    struct ledger_item *item = ledger_item_new(LEDGER_WAIT, NULL, 0, 0);
    item->wait.over = message == NULL;
    item->wait.cause = cause;
    item->wait.message = message == NULL ? NULL : mem_strdup(message);
    hand_back(l, item);
}

static void end_wait(struct ledger *l) {
    if (l->waits != ERR_OK) {
        tell_wait(l, l->waits, NULL);
        l->waits = ERR_OK;
    }
}

static void begin_wait(struct ledger *l, enum err_code cause, uint64_t since_ns,
                       const char *message) {
    if (l->waits == cause) {
        return; // told
    }
    end_wait(l);
    l->waits = cause;
    l->waits_ns = since_ns;
    tell_wait(l, cause, message);
}

/* Whether what has been waited for since then may be waited for still. */
static bool has_time(struct ledger *l, uint64_t since_ns) {
    uv_mutex_lock(&l->mutex);
    uint64_t last_ns = l->last_ns;
    uv_mutex_unlock(&l->mutex);
    uint64_t from_ns = last_ns > since_ns ? last_ns : since_ns;
    return last_ns == 0 || uv_hrtime() - from_ns < LEDGER_LAST_MS * UINT64_C(1000000);
}

/* The store's patience while another program holds a lock.  A moment is not worth a word. */
static bool wait_for_lock(void *context, const struct store *store, int waited_ms) {
    struct ledger *l = context;
    uint64_t since_ns = uv_hrtime() - (uint64_t)waited_ms * UINT64_C(1000000);
    if (waited_ms >= STORE_SAY_MS && l->waits != ERR_BUSY) {
        char *message = store_describe_lock(store);
        begin_wait(l, ERR_BUSY, since_ns, message);
        free(message);
    }
    return has_time(l, since_ns);
}

static int give_up(struct ledger *l, struct err *err) {
    const struct err cause = *err;
    uv_mutex_lock(&l->mutex);
    l->given_up = true;
    uv_mutex_unlock(&l->mutex);
    (void)err_set(
        err, cause.code == ERR_BUSY ? ERR_IO : cause.code, // 75 would be another run
        "%.600s; the last rows were given up, as the run was asked to stop: they come back from "
        "the checkpoints, or are computed again",
        cause.msg);
    return err->code;
}

/* Tries until it is written, or until trying is of no use. */
static int write_patiently(struct ledger *l, const struct list *batch, struct err *err) {
    uint64_t since_ns = uv_hrtime();
    unsigned pause_ms = LEDGER_RETRY_MS;
    for (;;) {
        int rc = applier_write(l->applier, batch->first, err);
        if (rc == ERR_OK) {
            end_wait(l);
        }
        if (rc != ERR_FULL && rc != ERR_BUSY) {
            return rc;
        }
        if (rc == ERR_FULL) {
            begin_wait(l, ERR_FULL, since_ns, err->msg);
        }
        if (!has_time(l, since_ns)) {
            return give_up(l, err);
        }
        uv_sleep(pause_ms);
        pause_ms = pause_ms < LEDGER_RETRY_MAX_MS ? 2 * pause_ms : LEDGER_RETRY_MAX_MS;
    }
}

/* ---- the thread ---- */

static void note_ended(struct ledger *l, const struct list *batch) {
    for (const struct ledger_item *item = batch->first; item != NULL; item = item->next) {
        if (item->kind == LEDGER_END || (item->kind == LEDGER_CLOSE && item->close.complete)) {
            copies_note(l->copies, item->trial);
        }
    }
}

/* A copies_tell_fn. */
static void put_notice(void *context, char *text) {
    struct ledger *l = context;
    struct ledger_item *item = ledger_item_new(LEDGER_NOTICE, NULL, 0, 0);
    item->notice = text;
    hand_back(l, item);
}

/* Waits until a batch is due and takes it; false at the end.  Called and left with the mutex held. */
static bool take_batch(struct ledger *l, struct list *batch) {
    const uint64_t wait_ns = LEDGER_WAIT_MS * UINT64_C(1000000);
    list_init(batch);
    while (l->queue.count == 0 && !l->closing) {
        uv_cond_wait(&l->changed, &l->mutex);
    }
    while (l->urgent == 0 && !l->hurried && l->queue.count < LEDGER_BATCH_MAX && !l->closing) {
        uint64_t age_ns = uv_hrtime() - l->oldest_ns;
        if (age_ns >= wait_ns) {
            break;
        }
        (void)uv_cond_timedwait(&l->changed, &l->mutex, wait_ns - age_ns); // looked at above
    }
    struct ledger_item *item;
    while (batch->count < LEDGER_BATCH_MAX && (item = list_take(&l->queue)) != NULL) {
        l->urgent -= is_urgent(item);
        list_add(batch, item);
    }
    l->hurried = l->hurried && l->queue.count > 0;
    return batch->count > 0;
}

/* What nobody waits for. */
static void do_chores(struct ledger *l) {
    copies_write(l->copies); // invariant 6
    if (l->ahead != NULL) {
        ahead_make(l->ahead);
    }
}

static void run(void *arg) {
    struct ledger *l = arg;
    struct list batch;
    do_chores(l);
    uv_mutex_lock(&l->mutex);
    while (take_batch(l, &batch)) {
        struct err err;
        bool failed = l->failed;
        uv_mutex_unlock(&l->mutex);
        int rc = failed ? ERR_IO : write_patiently(l, &batch, &err);
        uv_mutex_lock(&l->mutex);
        if (rc == ERR_OK) {
            l->commits++;
            note_ended(l, &batch); // before they are handed back
            struct ledger_item *item;
            while ((item = list_take(&batch)) != NULL) {
                add_done(l, item);
            }
        } else {
            list_clear(&batch); // invariant 5
            if (!failed) {
                l->failed = true;
                l->err = err;
            }
        }
        (void)uv_async_send(&l->async); // fails for another type of handle only
        if (rc == ERR_OK) {
            uv_mutex_unlock(&l->mutex);
            do_chores(l);
            uv_mutex_lock(&l->mutex);
        }
    }
    bool failed = l->failed;
    uv_mutex_unlock(&l->mutex);
    if (!failed) {
        copies_finish(l->copies);
    }
}

/* ---- the main thread ---- */

static void on_async(uv_async_t *async) {
    struct ledger *l = async->data;
    struct list done;
    uv_mutex_lock(&l->mutex);
    done = l->done;
    if (done.count == 0) {
        list_init(&done);
    }
    list_init(&l->done);
    bool tell_failed = l->failed && !l->told_failed;
    uv_mutex_unlock(&l->mutex);

    struct ledger_item *item;
    while ((item = list_take(&done)) != NULL) {
        l->calls.ack(l->calls.context, item);
        ledger_item_free(item);
    }
    if (tell_failed) {
        l->told_failed = true;
        l->calls.failed(l->calls.context, &l->err, l->given_up); // written no more
    }
}

void ledger_push(struct ledger *l, struct ledger_item *item) {
    uv_mutex_lock(&l->mutex);
    if (l->queue.count == 0) {
        l->oldest_ns = uv_hrtime();
    }
    list_add(&l->queue, item);
    l->urgent += is_urgent(item);
    // else it waits for this moment already, or until a time
    bool wakes = l->queue.count == 1 || is_urgent(item) || l->queue.count == LEDGER_BATCH_MAX;
    uv_mutex_unlock(&l->mutex);
    if (wakes) {
        uv_cond_signal(&l->changed); // after the unlock: it would wake only to wait for the mutex
    }
}

void ledger_hurry(struct ledger *l) {
    uv_mutex_lock(&l->mutex);
    l->hurried = l->queue.count > 0;
    uv_cond_signal(&l->changed);
    uv_mutex_unlock(&l->mutex);
}

void ledger_end_waits(struct ledger *l) {
    uv_mutex_lock(&l->mutex);
    if (l->last_ns == 0) {
        l->last_ns = uv_hrtime();
    }
    uv_mutex_unlock(&l->mutex);
}

/* Signals are the main thread's: this one is made with all of them blocked. */
static int start_thread(struct ledger *l) {
    sigset_t all, before;
    (void)sigfillset(&all); // these two cannot fail
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    int rc = uv_thread_create(&l->thread, run, l);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL); // was in force before
    return rc;
}

/* Their statements have to go before the store. */
static void free_parts(struct ledger *l) {
    applier_free(l->applier);
    copies_free(l->copies);
    l->applier = NULL;
    l->copies = NULL;
}

static void on_closed(uv_handle_t *handle) {
    struct ledger *l = handle->data;
    free_parts(l);
    uv_cond_destroy(&l->changed);
    uv_mutex_destroy(&l->mutex);
    free(l);
}

int ledger_new(struct ledger **ledger, uv_loop_t *loop, struct store *store, int64_t sweep_id,
               struct ahead *ahead, const struct ledger_calls *calls, struct err *err) {
    struct ledger *l = mem_zalloc(1, sizeof *l);
    l->store = store;
    l->applier = applier_new(store, sweep_id, ahead);
    l->copies = copies_new(store, put_notice, l);
    l->ahead = ahead;
    l->calls = *calls;
    list_init(&l->queue);
    list_init(&l->done);
    int rc = uv_async_init(loop, &l->async, on_async);
    if (rc != 0) {
        free_parts(l);
        free(l);
        return err_set(err, ERR_IO, "start the ledger: %s", uv_strerror(rc));
    }
    l->async.data = l;
    l->patience = store_get_patience(store);
    const struct store_patience patience = {.wait = wait_for_lock, .context = l};
    store_set_patience(store, &patience);
    if (uv_mutex_init(&l->mutex) != 0 || uv_cond_init(&l->changed) != 0) {
        mem_exhausted();
    }
    rc = start_thread(l);
    if (rc != 0) {
        store_set_patience(store, &l->patience);
        uv_close((uv_handle_t *)&l->async, on_closed);
        return err_set(err, ERR_IO, "start the ledger's thread: %s", uv_strerror(rc));
    }
    *ledger = l;
    return ERR_OK;
}

void ledger_close(struct ledger *l) {
    if (l == NULL) {
        return;
    }
    uv_mutex_lock(&l->mutex);
    l->closing = true;
    if (l->last_ns == 0) {
        l->last_ns = uv_hrtime(); // nobody is left who would be told of a wait
    }
    uv_cond_signal(&l->changed);
    uv_mutex_unlock(&l->mutex);
    (void)uv_thread_join(&l->thread); // it is ours and was never joined
    struct ledger_item *item;
    while ((item = list_take(&l->done)) != NULL) { // what came up at the very end
        if (item->kind == LEDGER_NOTICE) {
            l->calls.ack(l->calls.context, item);
        }
        ledger_item_free(item);
    }
    free_parts(l);
    store_set_patience(l->store, &l->patience);
    uv_close((uv_handle_t *)&l->async, on_closed);
}

int64_t ledger_commits(struct ledger *l) {
    uv_mutex_lock(&l->mutex);
    int64_t commits = l->commits;
    uv_mutex_unlock(&l->mutex);
    return commits;
}
