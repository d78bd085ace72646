#include "tests/unit/results/store_fixture.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/wire.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- life ---- */

int fixture_setup(void **state) {
    struct fixture *f = mem_zalloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/besom-store-XXXXXX");
    if (mkdtemp(f->dir) == NULL) {
        return -1;
    }
    fixture_open(f);
    *state = f;
    return 0;
}

int fixture_teardown(void **state) {
    struct fixture *f = *state;
    (void)store_close(f->store, &f->err); // a test that failed may have left anything
    char *command = mem_printf("rm -rf '%s'", f->dir);
    int rc = system(command);
    free(command);
    free(f->shown);
    free(f);
    return rc;
}

void fixture_open(struct fixture *f) {
    expect_ok(f, store_open(&f->store, f->dir, STORE_WRITE, &f->err));
}

void fixture_close(struct fixture *f) {
    struct store *store = f->store;
    f->store = NULL;
    expect_ok(f, store_close(store, &f->err));
}

void expect_ok(struct fixture *f, int rc) {
    if (rc != ERR_OK) {
        print_error("%s: %s\n", err_name(rc), f->err.msg);
        fail();
    }
}

void expect_code(struct fixture *f, int rc, int code) {
    if (rc != code) {
        print_error("got %s, expected %s: %s\n", err_name(rc), err_name(code),
                    rc == ERR_OK ? "" : f->err.msg);
        fail();
    }
}

void expect_message(struct fixture *f, const char *part) {
    if (strstr(f->err.msg, part) == NULL) {
        print_error("\"%s\" does not contain \"%s\"\n", f->err.msg, part);
        fail();
    }
}

/* ---- writing ---- */

void begin(struct fixture *f) {
    expect_ok(f, store_begin(f->store, &f->err));
}

void commit(struct fixture *f) {
    expect_ok(f, store_commit(f->store, &f->err));
}

int64_t sweep(struct fixture *f, const char *name, const char *axes, const char *metric,
              bool maximize) {
    struct store_sweep s = {.name = name,
                            .description = "a test",
                            .spec = "{}",
                            .axes = axes,
                            .trainer = "[\"t\"]",
                            .metric = metric,
                            .maximize = maximize};
    int64_t id = 0;
    begin(f);
    expect_ok(f, store_put_sweep(f->store, &s, &id, &f->err));
    return id;
}

struct store_planned point(struct fixture *f, int64_t sweep_id, const char *key, const char *label,
                           const char *params, int replicate, int64_t epochs) {
    char padded[HASH_HEX_LEN + 1];
    (void)snprintf(padded, sizeof padded, "%s%032d", key, 0); // cut on purpose
    char *config = epochs == 0
                       ? mem_printf("{\"key\":\"%s\"}", key)
                       : mem_printf("{\"epochs\":%lld,\"key\":\"%s\"}", (long long)epochs, key);
    struct store_point p = {.key = padded,
                            .ordinal = replicate,
                            .label = label,
                            .params = params,
                            .config = config,
                            .replicate = replicate,
                            .seed = replicate,
                            .epochs = epochs};
    struct store_planned planned = {0};
    expect_ok(f, store_put_point(f->store, sweep_id, &p, &planned, &f->err));
    free(config);
    return planned;
}

void end_plan(struct fixture *f, int64_t sweep_id) {
    expect_ok(f, store_end_plan(f->store, sweep_id, &f->err));
    commit(f);
}

int64_t one_running_trial(struct fixture *f, int64_t epochs) {
    int64_t id = sweep(f, "s", "[\"optimizer\"]", "val_accuracy", true);
    (void)point(f, id, "a", "adam", "{\"optimizer\":\"adam\"}", 1, epochs);
    end_plan(f, id);
    attempt(f, 1, 1);
    return id;
}

static void parse_metrics(struct wire_record *record, const char *metrics) {
    char *copy = mem_strdup(metrics), *rest = NULL;
    for (char *name = strtok_r(copy, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
        struct wire_metric *m = &record->metrics[record->metric_count++];
        (void)snprintf(m->name, sizeof m->name, "%s", name);
        assert_true(num_parse(strtok_r(NULL, " ", &rest), &m->value));
    }
    free(copy);
}

int put_epoch(struct fixture *f, int64_t trial, int attempt, int epoch, const char *metrics,
              bool deterministic, enum store_epoch_result *result) {
    struct wire_record *record = mem_zalloc(1, sizeof *record);
    record->kind = WIRE_EPOCH;
    record->epoch = epoch;
    record->seconds = 1.5;
    record->samples_per_second = 100;
    parse_metrics(record, metrics);
    begin(f);
    int rc = store_put_epoch(f->store, trial, attempt, record, deterministic, result, &f->err);
    if (rc == ERR_OK || rc == ERR_DIFFERS) { // what it left behind is part of the test
        commit(f);
    } else {
        store_rollback(f->store);
    }
    free(record);
    return rc;
}

void epoch(struct fixture *f, int64_t trial, int attempt, int epoch, const char *metrics) {
    enum store_epoch_result result;
    expect_ok(f, put_epoch(f, trial, attempt, epoch, metrics, true, &result));
    assert_int_equal(result, STORE_ADDED);
}

void attempt(struct fixture *f, int64_t trial, int attempt) {
    begin(f);
    expect_ok(f, store_begin_attempt(f->store, trial, attempt, 1, &f->err));
    commit(f);
}

void end(struct fixture *f, int64_t trial, int attempt, enum trial_status status,
         const char *reason) {
    bool completed = reason == NULL, killed = reason != NULL && strcmp(reason, "signal") == 0;
    char *message = completed ? NULL : mem_printf("message of attempt %d", attempt);
    struct store_end e = {.status = status,
                          .reason = reason,
                          .message = message,
                          .exit_status = completed ? 0
                                         : killed  ? -1
                                                   : 3,
                          .signal = killed ? 9 : 0,
                          .log_tail = completed ? NULL : "the last words\n"};
    begin(f);
    expect_ok(f, store_end_attempt(f->store, trial, attempt, &e, &f->err));
    commit(f);
    free(message);
}

void run_complete(struct fixture *f, int64_t trial, int n, const double *val_accuracy) {
    attempt(f, trial, 1);
    for (int i = 0; i < n; i++) {
        char metrics[64], number[NUM_TEXT_MAX];
        (void)num_format(number, val_accuracy[i]);
        (void)snprintf(metrics, sizeof metrics, "val_accuracy %s", number);
        epoch(f, trial, 1, i + 1, metrics);
    }
    end(f, trial, 1, TRIAL_COMPLETE, NULL);
}

/* ---- the sqlite3 program ---- */

const char *shell(struct fixture *f, const char *sql) {
    char *script = mem_printf("%s/q.sql", f->dir);
    FILE *file = fopen(script, "w");
    assert_non_null(file);
    assert_true(fputs(sql, file) >= 0);
    assert_int_equal(fclose(file), 0);

    char *command =
        mem_printf("sqlite3 -batch -nullvalue NULL '%s/results.db' <'%s' 2>&1", f->dir, script);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    struct buf out = {0};
    char chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, pipe)) > 0;) {
        buf_put(&out, chunk, n);
    }
    (void)pclose(pipe); // a failure has printed its error
    free(command);
    free(script);
    free(f->shown);
    f->shown = buf_detach(&out);
    return f->shown;
}

void expect_shell(struct fixture *f, const char *sql, const char *expected) {
    const char *shown = shell(f, sql);
    if (strcmp(shown, expected) != 0) {
        print_error("%s\n-- shows\n%s-- and not\n%s", sql, shown, expected);
        fail();
    }
}
