/* Rows out of a trial's log, by the rules of the ledger. */
#include "runner/log_rows.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/wire.h"
#include "results/query.h"
#include "results/store.h"
#include "runner/trial_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LOG_LIMIT = 1 << 20 };

struct fixture {
    char dir[32], log[48];
    struct store *store; // with a transaction that is open
    int64_t trial;
};

static void check(int rc, const struct err *err) {
    if (rc != ERR_OK) {
        fail_msg("%s", err->msg);
    }
}

static int setup(void **state) {
    static const struct store_sweep sweep = {
        .name = "s", .spec = "{}", .axes = "[]", .trainer = "[\"t\"]", .metric = "loss"};
    static const struct store_point point = {.key = "00000000000000000000000000000000",
                                             .label = "p",
                                             .params = "{}",
                                             .config = "{}",
                                             .replicate = 1,
                                             .seed = 1,
                                             .epochs = 9};
    struct fixture *f = mem_zalloc(1, sizeof *f);
    struct store_planned planned;
    struct err err;
    int64_t id;
    strcpy(f->dir, "/tmp/test_log_rows.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->log, sizeof f->log, "%s/log", f->dir);
    check(store_open(&f->store, f->dir, STORE_WRITE, &err), &err);
    check(store_begin(f->store, &err), &err);
    check(store_put_sweep(f->store, &sweep, &id, &err), &err);
    check(store_put_point(f->store, id, &point, &planned, &err), &err);
    check(store_end_plan(f->store, id, &err), &err);
    f->trial = planned.trial;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    struct err err;
    (void)store_close(f->store, &err);
    char *command = mem_printf("rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    free(command);
    free(f);
    return 0;
}

/* Logs an attempt; a line that begins with '!' comes by stderr. */
static void print(struct fixture *f, int attempt, const char *const *lines, int count) {
    struct trial_log log;
    struct err err;
    check(trial_log_open(&log, f->log, attempt, LOG_LIMIT, &err), &err);
    for (int i = 0; i < count; i++) {
        bool by_stderr = lines[i][0] == '!';
        trial_log_line(&log, lines[i] + by_stderr, strlen(lines[i] + by_stderr), false, !by_stderr);
    }
    trial_log_close(&log);
}
#define PRINT(f, attempt, ...)                                                                     \
    print(f, attempt, (const char *const[]){__VA_ARGS__},                                          \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static struct log_rows read_log(struct fixture *f, int known) {
    struct log_rows added = {0};
    struct err err;
    check(log_rows_read(f->store, f->log, f->trial, known, &added, &err), &err);
    return added;
}

/* What a query gives: columns by '|', rows by a space. */
static void expect(struct fixture *f, const char *sql, const char *expected) {
    struct query q;
    struct err err;
    struct buf shown = {0};
    check(query_open(&q, f->store, sql, &err), &err);
    while (query_next(&q, &err) > 0) {
        buf_puts(&shown, shown.len > 0 ? " " : "");
        for (int i = 0; i < query_columns(&q); i++) {
            buf_printf(&shown, "%s%s", i > 0 ? "|" : "", query_text(&q, i));
        }
    }
    query_close(&q);
    assert_string_equal(buf_text(&shown), expected);
    buf_release(&shown);
}

/* An attempt as the ledger has stored it, with these records; it stays open. */
static void begin(struct fixture *f, int attempt) {
    struct err err;
    check(store_begin_attempt(f->store, f->trial, attempt, 3, &err), &err);
}

static void store(struct fixture *f, int attempt, bool deterministic, const char *line) {
    struct wire_record *record = mem_zalloc(1, sizeof *record);
    enum store_epoch_result result;
    struct err err;
    wire_parse(record, line, strlen(line));
    check(store_put_epoch(f->store, f->trial, attempt, record, deterministic, &result, &err), &err);
    wire_record_release(record);
    free(record);
}

static void end(struct fixture *f, int attempt) {
    const struct store_end failed = {
        .status = TRIAL_PAUSED, .reason = "exit", .exit_status = 1, .class = "exit"};
    struct err err;
    check(store_end_attempt(f->store, f->trial, attempt, &failed, &err), &err);
}

/* ---- tests ---- */

static void attempts_that_are_known_are_passed_over(void **state) {
    struct fixture *f = *state;
    PRINT(f, 1, "{\"epoch\": 1, \"loss\": 1}", "{\"epoch\": 2, \"loss\": 2}");
    PRINT(f, 2, "words", "{\"event\": \"start\", \"from_epoch\": 2, \"numerics\": \"n\"}",
          "{\"epoch\": 3, \"loss\": \"nan\", \"seconds\": 5}", "{\"epoch\": 4, \"loss\": 4}",
          "{\"event\": \"layers\", \"at_epoch\": 4, \"layer\": \"fc\", \"mean\": 0.5}");
    struct log_rows added = read_log(f, 1);
    assert_int_equal(added.attempts, 1);
    assert_int_equal(added.epochs, 2);
    expect(f, "SELECT attempt, slot, from_epoch, numerics, ended_at FROM attempt", "2|0|2|n|");
    expect(f, "SELECT epoch, attempt FROM epoch", "3|2 4|2");
    expect(f, "SELECT layer, mean FROM layer", "fc|0.5");
    expect(f, "SELECT e.at - a.started_at FROM epoch e JOIN attempt a USING (trial, attempt)",
           "5.0 5.0");
    expect(f, "SELECT status, attempts, epochs_done FROM trial", "running|2|0");
}

static void the_ledgers_rules_hold(void **state) {
    struct fixture *f = *state;
    PRINT(f, 1, "{\"epoch\": 1, \"loss\": 1}", "{\"epoch\": 2, \"loss\": 2}");
    PRINT(f, 2, "{\"epoch\": 2, \"loss\": 2.5}"); // no promise
    PRINT(f, 3, "{\"event\": \"start\", \"deterministic\": true}", "{\"epoch\": 2, \"loss\": 2.5}",
          "{\"epoch\": 1, \"loss\": 7}", "{\"epoch\": 3, \"loss\": 3}"); // a promise broken
    struct log_rows added = read_log(f, 0);
    assert_int_equal(added.attempts, 3);
    expect(f, "SELECT epoch, value FROM value", "1|1.0 2|2.5");
    expect(f, "SELECT epoch, value, attempt, \"by\" FROM superseded", "2|2.0|1|2");
}

static void a_trainer_cannot_pretend(void **state) {
    struct fixture *f = *state;
    PRINT(f, 1, "--- attempt 1, 2026-11-23T22:13:05Z", "!{\"epoch\": 5, \"loss\": 5}",
          "--- attempt 7, 2026-11-23T22:13:05Z", "{\"epoch\": 1, \"loss\": 1}",
          "!--- attempt 2, 2026-11-23T22:13:05Z", "{\"epoch\": 2, \"loss\": 2}", "{\"epoch\": 3,",
          "{\"epoch\": 0, \"loss\": 2}");
    struct log_rows added = read_log(f, 0);
    assert_int_equal(added.attempts, 1);
    expect(f, "SELECT epoch, attempt FROM epoch", "1|1 2|1");
    char *command = mem_printf("grep -c '^ --- attempt [127], ' %s | grep -qx 3", f->log);
    assert_int_equal(system(command), 0);
    free(command);
}

static void a_long_log_is_read_to_its_end(void **state) {
    struct fixture *f = *state;
    struct trial_log log;
    struct err err;
    char text[200];
    check(trial_log_open(&log, f->log, 1, LOG_LIMIT, &err), &err);
    for (int e = 1; e <= 8000; e++) {
        (void)snprintf(text, sizeof text, "{\"epoch\": %d, \"loss\": %d, \"more\": \"%0120d\"}", e,
                       e, 0);
        trial_log_line(&log, text, strlen(text), false, true);
        trial_log_flush(&log);
    }
    trial_log_close(&log);
    PRINT(f, 2, "{\"epoch\": 8001, \"loss\": 1}");
    struct log_rows added = read_log(f, 0);
    assert_int_equal(added.attempts, 2);
    assert_true(added.epochs > 4000 && added.epochs < 8001); // the middle is not kept
    expect(f, "SELECT min(epoch), max(epoch) FROM epoch", "1|8001");
    expect(f, "SELECT attempt FROM epoch WHERE epoch >= 8000", "1 2");
}

static void of_an_open_attempt_the_rest_is_added(void **state) {
    struct fixture *f = *state;
    PRINT(f, 1, "{\"epoch\": 1, \"loss\": 1}", "{\"epoch\": 9, \"loss\": 9}");
    PRINT(f, 2, "{\"event\": \"start\", \"from_epoch\": 1, \"numerics\": \"n\"}",
          "{\"epoch\": 2, \"loss\": 2}",
          "{\"event\": \"layers\", \"at_epoch\": 3, \"layer\": \"fc\", \"mean\": 0.5}",
          "{\"epoch\": 3, \"loss\": 3}", "{\"epoch\": 4, \"loss\": \"nan\", \"seconds\": 5}");
    begin(f, 1);
    store(f, 1, false, "{\"epoch\": 1, \"loss\": 1}");
    end(f, 1);
    begin(f, 2);
    store(f, 2, false, "{\"epoch\": 2, \"loss\": 2}");
    char *command = mem_printf("touch -d @1000000000 %s", f->log);
    assert_int_equal(system(command), 0);
    free(command);
    struct log_rows added = read_log(f, 2);
    assert_int_equal(added.attempts, 0);
    assert_int_equal(added.epochs, 2); // an attempt that has its end gets nothing
    expect(f, "SELECT epoch, attempt, at = 1e9 FROM epoch", "1|1|0 2|2|0 3|2|1 4|2|1");
    expect(f, "SELECT layer, mean FROM layer", "fc|0.5");
    expect(f, "SELECT attempt, slot, from_epoch, numerics, ended_at IS NULL FROM attempt",
           "1|3|||0 2|3|1|n|1");
    expect(f, "SELECT epochs_done FROM trial", "4");
    assert_int_equal(read_log(f, 2).epochs, 0); // again: nothing more
}

/* Told by folds, say: rows that are gone are not put back, and what they gave way to stays. */
static void what_was_stored_is_not_applied_again(void **state) {
    struct fixture *f = *state;
    static const char *const lines[] = {
        "{\"epoch\": 1, \"loss\": 1}", "{\"epoch\": 2, \"loss\": 2}",
        "{\"epoch\": 3, \"loss\": 3}", "{\"epoch\": 1, \"loss\": 1.5}",
        "{\"epoch\": 2, \"loss\": 2}", "{\"epoch\": 3, \"loss\": 2.5}"};
    print(f, 1, lines, 6);
    begin(f, 1);
    for (int i = 0; i < 5; i++) {
        store(f, 1, false, lines[i]);
    }
    expect(f, "SELECT epoch, value FROM value", "1|1.5 2|2.0");
    assert_int_equal(read_log(f, 1).epochs, 1);
    expect(f, "SELECT epoch, value FROM value", "1|1.5 2|2.0 3|2.5");
    expect(f, "SELECT epoch, value FROM superseded ORDER BY 1", "1|1.0 2|2.0 3|3.0");
}

/* By chance, a line of the attempt has the bits that an attempt before has stored. */
static void rows_of_earlier_attempts_do_not_count_as_stored(void **state) {
    struct fixture *f = *state;
    begin(f, 1);
    for (int e = 1; e <= 3; e++) {
        char line[64];
        (void)snprintf(line, sizeof line, "{\"epoch\": %d, \"loss\": %d}", e, e);
        store(f, 1, false, line);
    }
    end(f, 1);
    PRINT(f, 2, "{\"epoch\": 2, \"loss\": 7}", "{\"epoch\": 3, \"loss\": 3}");
    begin(f, 2);
    (void)read_log(f, 2);
    expect(f, "SELECT epoch, value, attempt FROM value JOIN epoch USING (trial, epoch)",
           "1|1.0|1 2|7.0|2 3|3.0|2");
    expect(f, "SELECT epoch, value, attempt, \"by\" FROM superseded", "2|2.0|1|2 3|3.0|1|2");
}

static void a_promise_that_was_broken_before_the_runner_died_stays_broken(void **state) {
    struct fixture *f = *state;
    begin(f, 1);
    store(f, 1, true, "{\"epoch\": 1, \"loss\": 1}");
    end(f, 1);
    PRINT(f, 2, "{\"event\": \"start\", \"deterministic\": true}", "{\"epoch\": 1, \"loss\": 2}",
          "{\"epoch\": 2, \"loss\": 2}");
    begin(f, 2);
    assert_int_equal(read_log(f, 2).epochs, 0);
    expect(f, "SELECT epoch, value FROM value", "1|1.0");
}

static void no_log_is_no_failure(void **state) {
    struct fixture *f = *state;
    assert_int_equal(read_log(f, 0).attempts, 0);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(attempts_that_are_known_are_passed_over),
        CASE(the_ledgers_rules_hold),
        CASE(a_trainer_cannot_pretend),
        CASE(a_long_log_is_read_to_its_end),
        CASE(of_an_open_attempt_the_rest_is_added),
        CASE(what_was_stored_is_not_applied_again),
        CASE(rows_of_earlier_attempts_do_not_count_as_stored),
        CASE(a_promise_that_was_broken_before_the_runner_died_stays_broken),
        CASE(no_log_is_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
