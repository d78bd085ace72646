/* Every call into SQLite fails once.  The Nth call of a story (a plan, attempts, epochs that come, come again and
 * are superseded, layers, an extension) answers with an error that SQLite can give; N goes through all of them.
 * Each time
 *   - some function of the store says that it failed, naming the file,
 *   - the file is whole, and the story told once more ends with the same rows as one that nothing disturbed.
 * The calls are wrapped by the linker: what the store does with an answer is tested, not how SQLite comes to it. */
#include "results/store.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/wire.h"
#include "tests/unit/results/store_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the calls ---- */

static int calls, fail_at, fail_with; // fail_at 0: never
static bool failed;

static bool is_due(void) {
    failed = failed || calls + 1 == fail_at;
    return ++calls == fail_at;
}

int __real_sqlite3_prepare_v2(sqlite3 *, const char *, int, sqlite3_stmt **, const char **);
int __real_sqlite3_prepare_v3(sqlite3 *, const char *, int, unsigned, sqlite3_stmt **,
                              const char **);
int __real_sqlite3_step(sqlite3_stmt *);
int __real_sqlite3_exec(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *,
                        char **);
int __real_sqlite3_open_v2(const char *, sqlite3 **, int, const char *);

int __wrap_sqlite3_prepare_v2(sqlite3 *, const char *, int, sqlite3_stmt **, const char **);
int __wrap_sqlite3_prepare_v3(sqlite3 *, const char *, int, unsigned, sqlite3_stmt **,
                              const char **);
int __wrap_sqlite3_step(sqlite3_stmt *);
int __wrap_sqlite3_exec(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *,
                        char **);
int __wrap_sqlite3_open_v2(const char *, sqlite3 **, int, const char *);

int __wrap_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int len, sqlite3_stmt **stmt,
                              const char **tail) {
    *stmt = NULL;
    return is_due() ? fail_with : __real_sqlite3_prepare_v2(db, sql, len, stmt, tail);
}

int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len, unsigned flags,
                              sqlite3_stmt **stmt, const char **tail) {
    *stmt = NULL;
    return is_due() ? fail_with : __real_sqlite3_prepare_v3(db, sql, len, flags, stmt, tail);
}

int __wrap_sqlite3_step(sqlite3_stmt *stmt) {
    return is_due() ? fail_with : __real_sqlite3_step(stmt);
}

int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*each)(void *, int, char **, char **),
                        void *context, char **message) {
    if (strncmp(sql, "ROLLBACK", 8) ==
        0) { // follows a failure; there is nobody to tell a second one
        return __real_sqlite3_exec(db, sql, each, context, message);
    }
    return is_due() ? fail_with : __real_sqlite3_exec(db, sql, each, context, message);
}

int __wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs) {
    int rc = __real_sqlite3_open_v2(path, db, flags, vfs); // a failed one leaves a connection, too
    return is_due() ? fail_with : rc;
}

/* ---- the story ---- */

/* The first failure ends it: `rc` stays, later steps do nothing. */
struct story {
    struct store *store;
    struct err err;
    int rc;
    int64_t sweep, trial[3];
    int attempts[3];
};

#define STEP(s, call) ((s)->rc = (s)->rc == ERR_OK ? (call) : (s)->rc)

static void tell_point(struct story *s, int i, int64_t epochs) {
    static const char *const params[] = {
        "{\"optimizer\": {\"name\": \"sgd\", \"lr\": 0.1}, \"dataset.train\": 100}",
        "{\"optimizer\": \"adam\", \"dataset.train\": 100}",
        "{\"optimizer\": {\"name\": \"sgd\", \"decay\": {\"at\": 3}}, \"dataset.train\": true}"};
    char key[33], config[100];
    (void)snprintf(key, sizeof key, "%032d", i);
    (void)snprintf(config, sizeof config, "{\"epochs\":%d,\"key\":%d}", (int)epochs, i);
    const struct store_point point = {.key = key,
                                      .ordinal = i,
                                      .label = "a point",
                                      .params = params[i],
                                      .config = config,
                                      .replicate = 1,
                                      .seed = 1,
                                      .epochs = epochs};
    struct store_planned planned = {0};
    STEP(s, store_preview_point(s->store, &point, &planned, &s->err));
    STEP(s, store_put_point(s->store, s->sweep, &point, &planned, &s->err));
    s->trial[i] = planned.trial;
}

static void tell_plan(struct story *s, int64_t epochs) {
    const struct store_sweep sweep = {.name = "a-story",
                                      .spec = "{}",
                                      .axes = "[\"optimizer\", \"dataset.train\"]",
                                      .trainer = "[\"t\"]",
                                      .metric = "val_accuracy",
                                      .maximize = true};
    STEP(s, store_begin(s->store, &s->err));
    STEP(s, store_put_sweep(s->store, &sweep, &s->sweep, &s->err));
    for (int i = 0; i < 3; i++) {
        tell_point(s, i, epochs);
    }
    STEP(s, store_end_plan(s->store, s->sweep, &s->err));
    STEP(s, store_commit(s->store, &s->err));
}

static void tell_recovery(struct story *s) {
    int count;
    STEP(s, store_begin(s->store, &s->err));
    STEP(s, store_recover(s->store, &count, &s->err));
    STEP(s, store_commit(s->store, &s->err));
}

static void tell_attempt(struct story *s, int i) {
    struct store_job job = {0};
    STEP(s, store_get_job(s->store, s->sweep, s->trial[i], &job, &s->err));
    s->attempts[i] = job.attempts + 1;
    store_job_release(&job);
    STEP(s, store_begin_attempt(s->store, s->trial[i], s->attempts[i], 1, &s->err));
}

static void tell_epoch(struct story *s, int i, int epoch, double value, bool deterministic) {
    static struct wire_record record; // large
    record.kind = WIRE_EPOCH;
    record.epoch = epoch;
    record.seconds = 1.5;
    record.samples_per_second = NAN;
    record.metric_count = 3;
    (void)strcpy(record.metrics[0].name, "val_accuracy");
    (void)strcpy(record.metrics[1].name, "val_loss");
    (void)strcpy(record.metrics[2].name, epoch < 3 ? "first" : "later");
    record.metrics[0].value = value;
    record.metrics[1].value = epoch == 2 ? NAN : INFINITY;
    record.metrics[2].value = -0.0;
    enum store_epoch_result result;
    STEP(s, store_put_epoch(s->store, s->trial[i], s->attempts[i], &record, deterministic, &result,
                            &s->err));
}

static void tell_layer(struct story *s, int i, int epoch, bool replace) {
    char name[] = "0 dense", histogram[] = "[1, 2]";
    struct store_layer layer = {
        .epoch = epoch, .position = 0, .name = name, .histogram = histogram};
    STEP(s, store_put_layer(s->store, s->trial[i], &layer, replace, &s->err));
}

static void tell_end(struct story *s, int i, enum trial_status status, const char *reason) {
    const struct store_end end = {
        .status = status, .reason = reason, .exit_status = reason == NULL ? 0 : 1};
    int done;
    STEP(s, store_contiguous_epochs(s->store, s->trial[i], &done, &s->err));
    STEP(s, store_end_attempt(s->store, s->trial[i], s->attempts[i], &end, &s->err));
}

static void tell_training(struct story *s) {
    STEP(s, store_begin(s->store, &s->err));
    tell_attempt(s, 0);
    tell_attempt(s, 1);
    STEP(s, store_commit(s->store, &s->err));
    STEP(s, store_begin(s->store, &s->err));
    tell_layer(s, 0, 0, false);
    for (int epoch = 1; epoch <= 3; epoch++) {
        tell_epoch(s, 0, epoch, epoch * 0.25, false);
    }
    tell_epoch(s, 1, 2, 0.5, true); // leaves a gap, and closes it
    tell_epoch(s, 1, 1, 0.5, true);
    STEP(s, store_commit(s->store, &s->err));
    STEP(s, store_begin(s->store, &s->err));
    tell_epoch(s, 1, 1, 0.5, true);    // the same
    tell_epoch(s, 0, 2, 0.125, false); // another: the third is set aside as well
    tell_layer(s, 0, 2, true);
    tell_epoch(s, 0, 3, 0.75, false);
    tell_end(s, 0, TRIAL_COMPLETE, NULL);
    tell_end(s, 1, TRIAL_FAILED, "exit");
    STEP(s, store_commit(s->store, &s->err));
}

static void tell_retry(struct story *s) {
    STEP(s, store_begin(s->store, &s->err));
    STEP(s, store_reset_failed(s->store, s->trial[1], &s->err));
    STEP(s, store_commit(s->store, &s->err));
}

static int tell(const char *dir, struct err *err) {
    struct story s = {0};
    s.rc = store_open(&s.store, dir, STORE_WRITE, &s.err);
    tell_recovery(&s);
    tell_plan(&s, 3);
    tell_training(&s);
    tell_retry(&s);
    tell_plan(&s, 5);
    if (s.store != NULL) {
        store_rollback(s.store);
    }
    struct err second = {0};
    int closed = store_close(s.store, &second);
    *err = s.rc != ERR_OK ? s.err : second;
    return s.rc != ERR_OK ? s.rc : closed;
}

/* ---- what is there then ---- */

static const char rows_sql[] =
    "PRAGMA integrity_check; PRAGMA foreign_key_check;"
    "SELECT trial, epoch, metric, bits FROM value ORDER BY 1, 2, 3;"
    "SELECT trial, epoch FROM epoch ORDER BY 1, 2;"
    "SELECT * FROM summary ORDER BY 1, 2; SELECT trial, epoch, layer FROM layer ORDER BY 1, 2;"
    "SELECT id, key, epochs, epochs_done, status FROM trial ORDER BY 1;"
    "SELECT sweep, trial, label, params, present FROM member ORDER BY 1, 2;"
    "SELECT trial, status, optimizer, val_accuracy_best FROM sweep_a_story ORDER BY 1;";

static void empty_folder(const struct fixture *f) {
    char command[200];
    (void)snprintf(command, sizeof command, "rm -rf %s && mkdir %s", f->dir, f->dir);
    assert_int_equal(system(command), 0);
}

/* The rows of the story told without a fault; to be freed. */
static char *undisturbed(struct fixture *f) {
    struct err err;
    fail_at = 0;
    empty_folder(f);
    if (tell(f->dir, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    const char *rows = shell(f, rows_sql);
    assert_int_equal(strncmp(rows, "ok", 2), 0); // of the integrity check
    return mem_strdup(rows);
}

/* Tells the story with call `n` failing, then again; false when it has no more so many calls. */
static bool fail_call(struct fixture *f, int n, int code) {
    struct err err = {0};
    calls = 0;
    failed = false;
    fail_at = n;
    fail_with = code;
    int rc = tell(f->dir, &err);
    fail_at = 0;
    if (failed && (rc == ERR_OK || strstr(err.msg, "results.db") == NULL)) {
        fail_msg("call %d failed with %d, and the store says %d \"%s\"", n, code, rc, err.msg);
    }
    if (failed && tell(f->dir, &err) != ERR_OK) {
        fail_msg("after call %d failed with %d: %s", n, code, err.msg);
    }
    return failed;
}

/* Begins with the file that `made` names, or with none.  The shell, which is slow to start, looks at some. */
static void fail_every_call(struct fixture *f, int code, const char *made, int step) {
    char *wanted = undisturbed(f), *command = mem_printf("cp %s %s/results.db", made, f->dir);
    bool more = true;
    for (int n = 1; more; n += step) {
        empty_folder(f);
        assert_int_equal(made[0] == '\0' ? 0 : system(command), 0);
        more = fail_call(f, n, code);
        if (n / step % 10 == 0 || !more) {
            assert_string_equal(shell(f, rows_sql), wanted);
        }
    }
    free(command);
    free(wanted);
}

/* Thousands of commits: where there is a file system in memory, their syncs cost nothing. */
static void move_to_memory(struct fixture *f) {
    char dir[] = "/dev/shm/besom-calls-XXXXXX";
    fixture_close(f);
    if (mkdtemp(dir) != NULL) {
        char *command = mem_printf("mv %s/* %s && rmdir %s", f->dir, dir, f->dir);
        assert_int_equal(system(command), 0);
        free(command);
        (void)strcpy(f->dir, dir); // shorter than its room
    }
}

/* A file with its tables and nothing in them: making it takes a thousand calls. */
static char *make_file(struct fixture *f) {
    move_to_memory(f);
    char *path = mem_printf("%s.made", f->dir),
         *command = mem_printf("mv %s/results.db %s", f->dir, path);
    assert_int_equal(system(command), 0);
    free(command);
    return path;
}

static void an_input_output_error_is_told(void **state) {
    char *made = make_file(*state);
    fail_every_call(*state, SQLITE_IOERR_WRITE, made, 5);
    (void)remove(made);
    free(made);
}

static void a_full_disk_is_told(void **state) {
    char *made = make_file(*state);
    fail_every_call(*state, SQLITE_FULL, made, 5);
    (void)remove(made);
    free(made);
}

static void damage_is_told(void **state) {
    char *made = make_file(*state);
    fail_every_call(*state, SQLITE_CORRUPT, made, 1);
    (void)remove(made);
    free(made);
}

static void a_file_is_made_whole_or_not_at_all(void **state) {
    move_to_memory(*state);
    fail_every_call(*state, SQLITE_IOERR_WRITE, "", 97);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_input_output_error_is_told, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_told, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_file_is_made_whole_or_not_at_all, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(damage_is_told, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
