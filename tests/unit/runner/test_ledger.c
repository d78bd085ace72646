#include "runner/ledger.h"
#include "runner/ledger_copies.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/wire.h"
#include "results/query.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

enum { TRIALS = 3, ACKS_MAX = 4096 };

struct fixture {
    char dir[32];
    struct store *store, *reader; // the reader: another connection, which sees what is committed
    uv_loop_t loop;
    struct ledger *ledger;
    int64_t trial[TRIALS], sweep_id;

    int acks, failures, notices, given_up, waits, overs;
    enum err_code waited_for;
    void (*on_wait)(struct fixture *f);
    int order[ACKS_MAX];     // epochs (or minus the kind) in the order of their acks
    int unwritten;           // acks of epochs that the reader could not see
    struct ledger_item last; // the fields of the last ack; its pointers are gone
    char differs[256], before[64], failure[512], wait_message[256], notice[1024];
};

static void check(int rc, const struct err *err) {
    if (rc != ERR_OK) {
        fail_msg("%s", err->msg);
    }
}

static int64_t number(struct fixture *f, const char *sql, int64_t a, int64_t b) {
    struct query q;
    struct err err;
    check(query_open(&q, f->reader, sql, &err), &err);
    query_bind_int(&q, 1, a);
    query_bind_int(&q, 2, b);
    int64_t n = query_next(&q, &err) > 0 ? query_int(&q, 0) : -1;
    query_close(&q);
    return n;
}

static void on_ack(void *context, struct ledger_item *item) {
    struct fixture *f = context;
    f->last = *item;
    if (item->kind == LEDGER_NOTICE) {
        f->notices++;
        (void)snprintf(f->notice, sizeof f->notice, "%s", item->notice);
        return;
    }
    if (item->kind == LEDGER_WAIT) {
        f->waits += !item->wait.over;
        f->overs += item->wait.over;
        f->waited_for = item->wait.cause;
        if (!item->wait.over) {
            (void)snprintf(f->wait_message, sizeof f->wait_message, "%s", item->wait.message);
        }
        if (!item->wait.over && f->on_wait != NULL) {
            f->on_wait(f);
        }
        return;
    }
    if (item->kind == LEDGER_EPOCH) {
        f->unwritten += !item->epoch.dropped &&
                        number(f, "SELECT count(*) FROM epoch WHERE trial = ?1 AND epoch = ?2",
                               item->trial, item->epoch.epoch) != 1;
        if (item->epoch.differs != NULL) {
            (void)snprintf(f->differs, sizeof f->differs, "%s", item->epoch.differs);
        }
    }
    if (item->kind == LEDGER_START) {
        (void)snprintf(f->before, sizeof f->before, "%s",
                       item->start.numerics_before == NULL ? "-" : item->start.numerics_before);
    }
    if (f->acks < ACKS_MAX) {
        f->order[f->acks] = item->kind == LEDGER_EPOCH ? item->epoch.epoch : -(int)item->kind;
    }
    f->acks++;
}

static void on_failed(void *context, const struct err *err, bool given_up) {
    struct fixture *f = context;
    f->failures++;
    f->given_up += given_up;
    (void)snprintf(f->failure, sizeof f->failure, "%.511s", err->msg);
}

/* ---- a disk without room ---- */

static struct {
    sqlite3_vfs vfs; // SQLite knows it by its address for as long as the process lives
    sqlite3_vfs *real;
    sqlite3_io_methods methods[2]; // of files with and without locks
    int (*write)(sqlite3_file *, const void *, int, sqlite3_int64);
    atomic_bool full;
    atomic_int refused;
} disk;

static int disk_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at) {
    if (disk.full) {
        disk.refused++;
        return SQLITE_FULL; // what ENOSPC is to SQLite
    }
    return disk.write(file, from, n, at);
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
    (void)vfs;
    int rc = disk.real->xOpen(disk.real, name, file, flags, out);
    if (rc == SQLITE_OK) {
        sqlite3_io_methods *methods = &disk.methods[file->pMethods->xShmMap == NULL];
        *methods = *file->pMethods;
        disk.write = methods->xWrite; // the same for both
        methods->xWrite = disk_write;
        file->pMethods = methods;
    }
    return rc;
}

static int make_disk(void **state) {
    (void)state;
    disk.real = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.real;
    disk.vfs.zName = "small";
    disk.vfs.xOpen = disk_open;
    return sqlite3_vfs_register(&disk.vfs, 1);
}

static void put_trials(struct fixture *f, int64_t *sweep_id) {
    const struct store_sweep sweep = {.name = "s",
                                      .spec = "{}",
                                      .axes = "[]",
                                      .trainer = "[\"t\"]",
                                      .metric = "loss",
                                      .maximize = false};
    struct err err;
    check(store_begin(f->store, &err), &err);
    check(store_put_sweep(f->store, &sweep, sweep_id, &err), &err);
    for (int i = 0; i < TRIALS; i++) {
        char key[HASH_HEX_LEN + 1];
        (void)snprintf(key, sizeof key, "%032d", i);
        const struct store_point point = {.key = key,
                                          .ordinal = i,
                                          .label = "point",
                                          .params = "{}",
                                          .config = "{\"x\":1}",
                                          .replicate = 1,
                                          .seed = 1,
                                          .epochs = 3};
        struct store_planned planned;
        check(store_put_point(f->store, *sweep_id, &point, &planned, &err), &err);
        f->trial[i] = planned.trial;
    }
    check(store_end_plan(f->store, *sweep_id, &err), &err);
    check(store_commit(f->store, &err), &err);
}

static void open_ledger(struct fixture *f) {
    const struct ledger_calls calls = {on_ack, on_failed, f};
    struct err err;
    check(ledger_new(&f->ledger, &f->loop, f->store, f->sweep_id, NULL, &calls, &err), &err);
}

static int setup(void **state) {
    struct fixture *f = mem_zalloc(1, sizeof *f);
    struct err err;
    int64_t sweep_id;
    strcpy(f->dir, "/tmp/test_ledger.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    check(store_open(&f->store, f->dir, STORE_WRITE, &err), &err);
    put_trials(f, &sweep_id);
    check(store_open(&f->reader, f->dir, STORE_READ, &err), &err);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->sweep_id = sweep_id;
    open_ledger(f);
    *state = f;
    return 0;
}

static void close_ledger(struct fixture *f) {
    ledger_close(f->ledger);
    f->ledger = NULL;
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
}

static int teardown(void **state) {
    struct fixture *f = *state;
    struct err err;
    close_ledger(f);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    (void)store_close(f->reader, &err);
    (void)store_close(f->store, &err);
    char *command = mem_printf("rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    free(command);
    free(f);
    return 0;
}

/* Runs the loop until there are so many acks or a failure. */
static void wait_acks(struct fixture *f, int acks) {
    while (f->acks < acks && f->failures == 0) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
}

static void begin(struct fixture *f, int trial) {
    struct ledger_item *item = ledger_item_new(LEDGER_BEGIN, f, f->trial[trial], 0);
    item->begin.slot = 1;
    ledger_push(f->ledger, item);
    wait_acks(f, f->acks + 1);
}

static void push_epoch(struct fixture *f, int trial, int attempt, int epoch, double loss,
                       bool deterministic) {
    struct wire_record record = {.kind = WIRE_EPOCH,
                                 .epoch = epoch,
                                 .metric_count = 1,
                                 .seconds = 1.5,
                                 .samples_per_second = NAN};
    strcpy(record.metrics[0].name, "loss");
    record.metrics[0].value = loss;
    struct ledger_item *item = ledger_item_new(LEDGER_EPOCH, f, f->trial[trial], attempt);
    item->epoch.deterministic = deterministic;
    ledger_pack(item, &record);
    ledger_push(f->ledger, item);
}

static void push_end(struct fixture *f, int trial, int attempt, enum trial_status status) {
    struct ledger_item *item = ledger_item_new(LEDGER_END, f, f->trial[trial], attempt);
    item->end.end = (struct store_end){.status = status, .exit_status = 3};
    item->end.reason = mem_strdup("exit");
    item->end.message = mem_strdup("exit status 3");
    item->end.log_tail = mem_strdup("last words");
    ledger_push(f->ledger, item);
}

/* ---- tests ---- */

static void an_attempt_is_committed_before_it_is_acknowledged(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    assert_int_equal(f->last.attempt, 1);
    assert_int_equal(f->last.begin.job.epochs, 3);
    assert_int_equal(
        number(f, "SELECT count(*) FROM attempt WHERE trial = ?1 AND ?2 = 0", f->trial[0], 0), 1);
}

static void epochs_are_committed_before_they_are_acknowledged_and_in_order(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    begin(f, 1);
    for (int e = 1; e <= 300; e++) {
        push_epoch(f, e % 2, 1, (e + 1) / 2, 1.0 / e, true);
    }
    wait_acks(f, 302);
    assert_int_equal(f->unwritten, 0);
    for (int e = 1; e <= 300; e++) {
        assert_int_equal(f->order[e + 1], (e + 1) / 2);
    }
    assert_int_equal(number(f, "SELECT count(*) FROM value WHERE ?1 = ?2", 0, 0), 300);
}

static void epochs_share_commits_of_at_most_256_rows(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    int64_t before = ledger_commits(f->ledger);
    for (int e = 1; e <= 1000; e++) {
        push_epoch(f, 0, 1, e, 1.0, true);
    }
    wait_acks(f, 1001);
    int64_t commits = ledger_commits(f->ledger) - before;
    assert_in_range(commits, 1000 / LEDGER_BATCH_MAX + 1, 40);
}

static void a_lone_epoch_waits_for_company_but_not_for_long(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    uint64_t start = uv_hrtime();
    push_epoch(f, 0, 1, 1, 1.0, true);
    wait_acks(f, 2);
    uint64_t took_ms = (uv_hrtime() - start) / 1000000;
    assert_in_range(took_ms, LEDGER_WAIT_MS, LEDGER_WAIT_MS + 2000);
}

static void one_that_somebody_waits_for_is_committed_at_once(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    uint64_t least_ns = UINT64_MAX; // of many, since the machine may be late at times
    for (int e = 1; e <= 50; e++) {
        uint64_t start = uv_hrtime();
        push_epoch(f, 0, 1, e, 1.0, true);
        ledger_hurry(f->ledger);
        wait_acks(f, 1 + e);
        uint64_t took_ns = uv_hrtime() - start;
        least_ns = took_ns < least_ns ? took_ns : least_ns;
    }
    assert_true(least_ns < LEDGER_WAIT_MS * UINT64_C(1000000));

    uint64_t start = uv_hrtime(); // and the next waits for company again
    push_epoch(f, 0, 1, 51, 1.0, true);
    wait_acks(f, 52);
    assert_true(uv_hrtime() - start >= LEDGER_WAIT_MS * UINT64_C(1000000));
}

static void an_end_is_committed_with_all_before_it(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    push_epoch(f, 0, 1, 1, 1.0, true);
    push_end(f, 0, 1, TRIAL_PAUSED);
    wait_acks(f, 3);
    assert_int_equal(f->order[1], 1);
    assert_int_equal(f->order[2], -LEDGER_END);
    assert_int_equal(number(f,
                            "SELECT count(*) FROM trial WHERE id = ?1 AND status = 'paused'"
                            " AND ?2 = 0",
                            f->trial[0], 0),
                     1);
    assert_int_equal(number(f,
                            "SELECT count(*) FROM attempt WHERE trial = ?1 AND reason = 'exit'"
                            " AND exit_status = 3 AND signal IS NULL"
                            " AND log_tail = 'last words' AND attempt = ?2",
                            f->trial[0], 1),
                     1);
}

static void closing_tells_contiguous_and_last_epoch(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    ledger_push(f->ledger, ledger_item_new(LEDGER_CLOSE, f, f->trial[0], 1));
    wait_acks(f, 2);
    assert_int_equal(f->last.close.epochs_done, 0);
    assert_int_equal(f->last.close.epoch_last, 0);
    push_epoch(f, 0, 1, 1, 1.0, true);
    push_epoch(f, 0, 1, 2, 1.0, true);
    push_epoch(f, 0, 1, 7, 1.0, true);
    ledger_push(f->ledger, ledger_item_new(LEDGER_CLOSE, f, f->trial[0], 1));
    wait_acks(f, 6);
    assert_int_equal(f->last.close.epochs_done, 2);
    assert_int_equal(f->last.close.epoch_last, 7);
}

/* A close of trial 0 with its end, should it be complete, and the beginning of trial 1. */
static void push_plain_close(struct fixture *f) {
    struct ledger_item *item = ledger_item_new(LEDGER_CLOSE, f, f->trial[0], 1);
    item->close.outcome = (struct attempt_outcome){.epochs = 3};
    item->close.barren = 2;
    item->close.progress_from = 1;
    item->close.end = ledger_item_new(LEDGER_END, f, f->trial[0], 1);
    item->close.end->end.end = (struct store_end){.status = TRIAL_COMPLETE};
    item->close.next = ledger_item_new(LEDGER_BEGIN, f, f->trial[1], 0);
    item->close.next->begin.slot = 1;
    ledger_push(f->ledger, item);
}

static int64_t attempts_of(struct fixture *f, int trial) {
    return number(f, "SELECT count(*) FROM attempt WHERE trial = ?1 AND ?2 = 0", f->trial[trial],
                  0);
}

static int64_t completes(struct fixture *f) {
    return number(f,
                  "SELECT count(*) FROM trial t JOIN attempt a ON a.trial = t.id WHERE t.id = ?1"
                  " AND t.status = 'complete' AND a.ended_at NOT NULL AND a.barren = ?2",
                  f->trial[0], 0);
}

static void a_complete_trial_ends_and_the_next_one_begins_in_one_commit(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    int64_t before = ledger_commits(f->ledger);
    for (int e = 1; e <= 3; e++) {
        push_epoch(f, 0, 1, e, 1.0, true);
    }
    push_plain_close(f);
    wait_acks(f, 7);
    assert_int_equal(ledger_commits(f->ledger) - before, 1);
    assert_int_equal(f->order[4], -LEDGER_CLOSE);
    assert_int_equal(f->order[5], -LEDGER_END);
    assert_int_equal(f->order[6], -LEDGER_BEGIN);
    assert_int_equal(f->last.attempt, 1); // of the trial that has begun
    assert_int_equal(completes(f), 1);
    assert_int_equal(attempts_of(f, 1), 1);
}

static void a_trial_that_lacks_an_epoch_neither_ends_nor_lets_the_next_begin(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    push_epoch(f, 0, 1, 1, 1.0, true);
    push_epoch(f, 0, 1, 3, 1.0, true);
    push_plain_close(f);
    begin(f, 2); // all that comes of the close has come
    wait_acks(f, 5);
    assert_int_equal(f->acks, 5);
    assert_int_equal(f->order[3], -LEDGER_CLOSE);
    assert_int_equal(completes(f), 0);
    assert_int_equal(attempts_of(f, 1), 0);
}

static void nor_does_one_whose_bits_differ(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    for (int e = 1; e <= 3; e++) {
        push_epoch(f, 0, 1, e, 1.0, true);
    }
    push_epoch(f, 0, 1, 3, 0.5, true); // refused
    push_plain_close(f);
    wait_acks(f, 6);
    assert_int_equal(f->order[5], -LEDGER_CLOSE);
    assert_int_equal(completes(f), 0);
    assert_int_equal(attempts_of(f, 1), 0);
}

static void other_bits_are_told_and_stop_nothing(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    push_epoch(f, 0, 1, 1, 0.5, true);
    push_epoch(f, 0, 1, 1, 0.25, true);  // refused
    push_epoch(f, 0, 1, 2, 0.75, true);  // of the same attempt: not to be mixed with the first
    push_epoch(f, 0, 2, 2, 0.125, true); // of another
    wait_acks(f, 5);
    assert_int_equal(f->failures, 0);
    assert_non_null(strstr(f->differs, "0.5"));
    assert_non_null(strstr(f->differs, "0.25"));
    assert_int_equal(number(f,
                            "SELECT count(*) FROM value WHERE value IN (0.5, 0.125)"
                            " AND ?1 = ?2",
                            0, 0),
                     2);
}

static void push_layer(struct fixture *f, int attempt, int epoch, double mean, bool deterministic) {
    struct ledger_item *item = ledger_item_new(LEDGER_LAYER, f, f->trial[0], attempt);
    item->layer.row = mem_zalloc(1, sizeof *item->layer.row);
    item->layer.row->epoch = epoch;
    item->layer.row->name = mem_strdup("dense");
    item->layer.row->number[STORE_LAYER_mean] = mean;
    item->layer.deterministic = deterministic;
    ledger_push(f->ledger, item);
}

static void layers_are_written_in_their_order_and_wait_for_company(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    int64_t before = ledger_commits(f->ledger);
    push_layer(f, 1, 0, 0.5, true);
    push_layer(f, 1, 0, 0.25, true); // repeated otherwise: stays
    push_layer(f, 1, 1, 0.5, false);
    push_layer(f, 1, 1, 0.125, false); // no promise: replaced
    push_epoch(f, 0, 1, 1, 1.0, true);
    wait_acks(f, 6);
    assert_int_equal(f->order[4], -(int)LEDGER_LAYER);
    assert_int_equal(f->order[5], 1);
    assert_in_range(ledger_commits(f->ledger) - before, 1, 4); // not one each
    assert_int_equal(number(f,
                            "SELECT count(*) FROM layer WHERE ((epoch = 0 AND mean = 0.5)"
                            " OR (epoch = 1 AND mean = 0.125)) AND ?1 = ?2",
                            0, 0),
                     2);
    assert_int_equal(number(f, "SELECT count(*) FROM layer WHERE ?1 = ?2", 0, 0), 2);
}

static void an_attempt_that_differs_tells_of_no_more_layers(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    push_epoch(f, 0, 1, 1, 0.5, true);
    push_epoch(f, 0, 1, 1, 0.25, true); // refused
    push_layer(f, 1, 2, 1.0, true);
    push_layer(f, 2, 3, 1.0, true); // of another attempt
    wait_acks(f, 5);
    assert_int_equal(f->failures, 0);
    assert_int_equal(number(f, "SELECT sum(epoch) FROM layer WHERE ?1 = ?2", 0, 0), 3);
}

static void numerics_that_were_other_before_are_told(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *now, *before;
        int epoch; // that it stores; 0: it leaves nothing
    } attempts[] = {{"blas 1", "-", 1},      {"blas 1", "-", 2}, {NULL, "-", 3},
                    {"blas 2", "blas 1", 0}, {"blas 1", "-", 4}, {"blas 2", "blas 1", 5},
                    {"blas 2", "blas 1", 0}, {NULL, "-", 6},     {"blas 1", "blas 2", 0}};
    for (int i = 0; i < (int)(sizeof attempts / sizeof *attempts); i++) {
        begin(f, 0);
        struct ledger_item *item = ledger_item_new(LEDGER_START, f, f->trial[0], i + 1);
        item->start.numerics = attempts[i].now == NULL ? NULL : mem_strdup(attempts[i].now);
        ledger_push(f->ledger, item);
        wait_acks(f, f->acks + 1);
        assert_string_equal(f->before, attempts[i].before);
        if (attempts[i].epoch > 0) {
            push_epoch(f, 0, i + 1, attempts[i].epoch, 1.0, true);
            wait_acks(f, f->acks + 1);
        }
        push_end(f, 0, i + 1, TRIAL_PAUSED);
        wait_acks(f, f->acks + 1);
    }
}

static void what_is_queued_at_the_end_is_written(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    for (int e = 1; e <= 500; e++) {
        push_epoch(f, 0, 1, e, 1.0, true);
    }
    close_ledger(f);
    assert_int_equal(number(f, "SELECT count(*) FROM epoch WHERE ?1 = ?2", 0, 0), 500);
}

/* Lets files grow to `bytes` and no further: write() then fails with EFBIG, an I/O error to SQLite. */
static void limit_file_size(rlim_t bytes) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void after_a_failed_write_nothing_is_acknowledged(void **state) {
    struct fixture *f = *state;
    (void)signal(SIGXFSZ, SIG_IGN);
    begin(f, 0);
    push_epoch(f, 0, 1, 1, 1.0, true);
    wait_acks(f, 2);
    limit_file_size(4096);
    push_epoch(f, 0, 1, 2, 1.0, true);
    wait_acks(f, 3);
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(f->failures, 1);
    assert_non_null(strstr(f->failure, "results.db"));
    assert_int_equal(f->acks, 2);

    // the disk is well again, but this connection is not to be trusted
    push_epoch(f, 0, 1, 3, 1.0, true);
    close_ledger(f);
    assert_int_equal(f->acks, 2);
    assert_int_equal(f->failures, 1);
    assert_int_equal(number(f, "SELECT count(*) FROM epoch WHERE ?1 = ?2", 0, 0), 1);
}

/* ---- waiting ---- */

static void make_room(struct fixture *f) {
    (void)f;
    disk.full = false;
}

static void a_full_disk_is_waited_for_and_told_of_once(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    disk.full = true;
    disk.refused = 0;
    push_epoch(f, 0, 1, 1, 0.5, true);
    while (disk.refused < 4 && f->failures == 0) { // the first try and three more
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
        (void)usleep(10000);
    }
    push_epoch(f, 0, 1, 2, 0.25, true);
    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(f->waits, 1);
    assert_int_equal(f->overs, 0);
    assert_int_equal(f->waited_for, ERR_FULL);
    assert_int_equal(f->acks, 1); // the begin's
    disk.full = false;
    wait_acks(f, 3);
    assert_int_equal(f->failures, 0);
    assert_int_equal(f->waits, 1);
    assert_int_equal(f->overs, 1);
    assert_int_equal(f->unwritten, 0);
    assert_int_equal(number(f, "SELECT count(*) FROM value WHERE ?1 = ?2", 0, 0), 2);
}

static void who_is_to_end_waits_no_longer_than_a_moment(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    disk.full = true;
    push_epoch(f, 0, 1, 1, 0.5, true);
    while (f->waits == 0 && f->failures == 0) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    uint64_t start = uv_hrtime();
    ledger_end_waits(f->ledger);
    wait_acks(f, 3);
    assert_in_range((uv_hrtime() - start) / 1000000, 0,
                    LEDGER_LAST_MS + 10000); // it is 1 s more at most
    disk.full = false;
    assert_int_equal(f->failures, 1);
    assert_int_equal(f->given_up, 1);
    assert_non_null(strstr(f->failure, "results.db"));
    assert_non_null(strstr(f->failure, "given up"));
    push_epoch(f, 0, 1, 2, 0.5, true); // there is room again, but a row before it is missing
    close_ledger(f);
    assert_int_equal(number(f, "SELECT count(*) FROM epoch WHERE ?1 = ?2", 0, 0), 0);
}

static void room_that_comes_in_time_is_used_by_who_is_to_end(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    disk.full = true;
    f->on_wait = make_room;
    ledger_end_waits(f->ledger);
    push_epoch(f, 0, 1, 1, 0.5, true);
    wait_acks(f, 2);
    assert_int_equal(f->failures, 0);
    assert_int_equal(number(f, "SELECT count(*) FROM epoch WHERE ?1 = ?2", 0, 0), 1);
}

/* The sqlite3 program holds the lock until it is closed. */
static FILE *lock_database(const struct fixture *f) {
    char *command = mem_printf("sqlite3 %s/results.db", f->dir);
    FILE *program = popen(command, "w");
    assert_non_null(program);
    free(command);
    assert_true(fprintf(program, "BEGIN IMMEDIATE;\n.shell touch %s/locked\n", f->dir) > 0);
    assert_int_equal(fflush(program), 0);
    char *mark = mem_printf("%s/locked", f->dir);
    while (access(mark, F_OK) != 0) {
        (void)usleep(10000);
    }
    free(mark);
    return program;
}

static void a_lock_is_waited_for_and_told_of_with_its_holder(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    FILE *other = lock_database(f);
    uint64_t start = uv_hrtime();
    push_epoch(f, 0, 1, 1, 0.5, true);
    while (f->waits == 0 && f->failures == 0) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_in_range((uv_hrtime() - start) / 1000000, STORE_SAY_MS, STORE_SAY_MS + 20000);
    assert_int_equal(f->waited_for, ERR_BUSY);
    assert_non_null(strstr(f->wait_message, "locked by another program (sqlite3, process "));
    assert_int_equal(f->acks, 1);
    assert_int_equal(pclose(other), 0);
    wait_acks(f, 2);
    assert_int_equal(f->overs, 1);
    assert_int_equal(f->failures, 0);
}

static void who_is_to_end_does_not_wait_for_a_lock(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    FILE *other = lock_database(f);
    ledger_end_waits(f->ledger);
    push_epoch(f, 0, 1, 1, 0.5, true);
    wait_acks(f, 2);
    assert_int_equal(f->failures, 1);
    assert_int_equal(f->given_up, 1);
    assert_int_equal(pclose(other), 0);
}

/* ---- snapshots ---- */

static bool has_snapshot(const struct fixture *f, int trial) {
    char *path = mem_printf("%s/trials/%032d/rows.jsonl", f->dir, trial);
    bool has = access(path, F_OK) == 0;
    free(path);
    return has;
}

static void after_an_end_the_trials_snapshot_is_written(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    push_epoch(f, 0, 1, 1, 1.0, true);
    assert_false(has_snapshot(f, 0));
    push_end(f, 0, 1, TRIAL_PAUSED);
    wait_acks(f, 3);
    begin(f, 1); // the thread does one thing after the other
    assert_true(has_snapshot(f, 0));
    assert_false(has_snapshot(f, 1));
    assert_int_equal(f->notices, 0);
}

static void a_long_trials_snapshot_is_written_when_nobody_waits(void **state) {
    struct fixture *f = *state;
    begin(f, 0);
    push_epoch(f, 0, 1, COPIES_LONG_EPOCHS + 1, 1.0, true);
    push_end(f, 0, 1, TRIAL_PAUSED);
    wait_acks(f, 3);
    begin(f, 1); // acknowledged after the thread is done with the first
    assert_false(has_snapshot(f, 0));
    close_ledger(f);
    assert_true(has_snapshot(f, 0));
    assert_int_equal(f->notices, 0);
}

static void snapshots_that_cannot_be_written_are_told_once_and_made_up_for(void **state) {
    struct fixture *f = *state;
    char *trials = mem_printf("%s/trials", f->dir);
    FILE *in_the_way = fopen(trials, "w");
    assert_non_null(in_the_way);
    assert_int_equal(fclose(in_the_way), 0);
    for (int trial = 0; trial < 2; trial++) {
        begin(f, trial);
        push_end(f, trial, 1, TRIAL_FAILED);
        wait_acks(f, f->acks + 1);
    }
    begin(f, 2); // after both
    assert_int_equal(f->notices, 1);
    assert_int_equal(f->failures, 0);
    assert_int_equal(unlink(trials), 0);
    close_ledger(f);
    assert_true(has_snapshot(f, 0) && has_snapshot(f, 1));
    assert_false(has_snapshot(f, 2)); // it is running
    free(trials);
}

/* As a bit that flips in the file would, but by way of SQL. */
static void damage_value(struct fixture *f, int trial) {
    char *command = mem_printf("sqlite3 -cmd '.timeout 5000' '%s/results.db'"
                               " 'UPDATE value SET bits = bits + 1 WHERE trial = %lld'",
                               f->dir, (long long)f->trial[trial]);
    assert_int_equal(system(command), 0);
    free(command);
}

static void a_snapshot_that_the_database_differs_from_is_kept_and_told(void **state) {
    struct fixture *f = *state;
    for (int trial = 0; trial < 2; trial++) {
        begin(f, trial);
        push_epoch(f, trial, 1, trial == 0 ? 1 : COPIES_LONG_EPOCHS + 1, 0.5, true);
        push_end(f, trial, 1, TRIAL_PAUSED);
        wait_acks(f, f->acks + 2);
    }
    close_ledger(f);
    open_ledger(f);
    assert_true(has_snapshot(f, 0) && has_snapshot(f, 1));
    for (int trial = 0; trial < 2; trial++) {
        damage_value(f, trial);
        begin(f, trial);
        push_end(f, trial, 2, TRIAL_PAUSED);
        wait_acks(f, f->acks + 1);
    }
    begin(f, 2); // after both
    assert_int_equal(f->notices, 1);
    assert_non_null(strstr(f->notice, "epoch 1, loss: 0.5 (bits 3fe0000000000000) there"));
    assert_int_equal(f->failures, 0);
    close_ledger(f); // where the long one's turn is
    assert_int_equal(f->notices, 2);
    assert_non_null(strstr(f->notice, "besom rebuild --force"));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(an_attempt_is_committed_before_it_is_acknowledged),
        CASE(epochs_are_committed_before_they_are_acknowledged_and_in_order),
        CASE(epochs_share_commits_of_at_most_256_rows),
        CASE(a_lone_epoch_waits_for_company_but_not_for_long),
        CASE(one_that_somebody_waits_for_is_committed_at_once),
        CASE(an_end_is_committed_with_all_before_it),
        CASE(closing_tells_contiguous_and_last_epoch),
        CASE(a_complete_trial_ends_and_the_next_one_begins_in_one_commit),
        CASE(a_trial_that_lacks_an_epoch_neither_ends_nor_lets_the_next_begin),
        CASE(nor_does_one_whose_bits_differ),
        CASE(other_bits_are_told_and_stop_nothing),
        CASE(layers_are_written_in_their_order_and_wait_for_company),
        CASE(an_attempt_that_differs_tells_of_no_more_layers),
        CASE(numerics_that_were_other_before_are_told),
        CASE(what_is_queued_at_the_end_is_written),
        CASE(after_a_failed_write_nothing_is_acknowledged),
        CASE(a_full_disk_is_waited_for_and_told_of_once),
        CASE(who_is_to_end_waits_no_longer_than_a_moment),
        CASE(room_that_comes_in_time_is_used_by_who_is_to_end),
        CASE(a_lock_is_waited_for_and_told_of_with_its_holder),
        CASE(who_is_to_end_does_not_wait_for_a_lock),
        CASE(after_an_end_the_trials_snapshot_is_written),
        CASE(a_long_trials_snapshot_is_written_when_nobody_waits),
        CASE(snapshots_that_cannot_be_written_are_told_once_and_made_up_for),
        CASE(a_snapshot_that_the_database_differs_from_is_kept_and_told),
    };
    return cmocka_run_group_tests(tests, make_disk, NULL);
}
