/* A good copy against a database that SQLite finds nothing wrong with: the sqlite3 program changes rows as a flipped bit
 * would. */
#include "results/snapshot.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "results/restore.h"
#include "tests/unit/results/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a trial ---- */

static const char adam[] = "{\"optimizer\":{\"name\":\"adam\",\"lr\":0.001}}";

static int64_t plan(struct fixture *f, int64_t epochs) {
    int64_t id = sweep(f, "s", "[\"optimizer\"]", "val_accuracy", true);
    (void)point(f, id, "a", "adam", adam, 1, epochs);
    (void)point(f, id, "b", "sgd", "{\"optimizer\":{\"name\":\"sgd\",\"lr\":1e300}}", 2, epochs);
    end_plan(f, id);
    return id;
}

static void layer(struct fixture *f, int epoch, double mean) {
    struct store_layer row = {.epoch = epoch, .position = 0, .name = (char[]){"fc"}};
    for (int i = 0; i < STORE_LAYER_NUMBER_COUNT; i++) {
        row.number[i] = mean;
    }
    begin(f);
    expect_ok(f, store_put_layer(f->store, 1, &row, true, &f->err));
    commit(f);
}

static void start_of(struct fixture *f, int n, int epoch, const char *program) {
    begin(f);
    expect_ok(f, store_put_start(f->store, 1, n, epoch, "numerics", program, &f->err));
    commit(f);
}

static void from_epoch(struct fixture *f, int n, int epoch) {
    start_of(f, n, epoch, "besom-trainer 0.1.0");
}

static int put_trial(struct fixture *f) {
    struct snapshots *s = snapshots_new(f->store);
    int rc = snapshots_put_trial(s, 1, &f->err);
    snapshots_free(s);
    return rc;
}

static int put_sweep(struct fixture *f, int64_t id) {
    struct snapshots *s = snapshots_new(f->store);
    int rc = snapshots_put_sweep(s, id, &f->err);
    snapshots_free(s);
    return rc;
}

static int check_all(struct fixture *f) {
    struct snapshots *s = snapshots_new(f->store);
    int rc = snapshots_check(s, &f->err);
    snapshots_free(s);
    return rc;
}

static int catch_up(struct fixture *f, int64_t *written) {
    struct snapshots *s = snapshots_new(f->store);
    int rc = snapshots_catch_up(s, written, &f->err);
    snapshots_free(s);
    return rc;
}

/* Trial 1 has ended its second attempt, which set an epoch of the first aside, and has its copy; 2 was never started. */
static int64_t fill(struct fixture *f) {
    enum store_epoch_result result;
    int64_t id = plan(f, 3);
    assert_int_equal(put_sweep(f, id), ERR_OK);
    attempt(f, 1, 1);
    epoch(f, 1, 1, 1, "val_accuracy 0.1 val_loss nan other -0");
    epoch(f, 1, 1, 2, "val_accuracy 0.30000000000000004 val_loss -inf tiny 5e-324");
    layer(f, 1, 0.25);
    end(f, 1, 1, TRIAL_PAUSED, "signal");
    attempt(f, 1, 2);
    from_epoch(f, 2, 1);
    expect_ok(f, put_epoch(f, 1, 2, 2, "val_accuracy 0.2 late inf", false, &result));
    assert_int_equal(result, STORE_SUPERSEDED);
    end(f, 1, 2, TRIAL_PAUSED, "signal");
    assert_int_equal(put_trial(f), ERR_OK);
    return id;
}

static char *rows_path(const struct fixture *f) {
    return mem_printf("%s/trials/a%031d/rows.jsonl", f->dir, 0);
}

static void read_whole(const char *path, struct buf *out) {
    struct err err;
    buf_clear(out);
    if (fs_read(path, 1 << 20, out, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
}

static void expect_file(const char *path, const struct buf *wanted) {
    struct buf is = {0};
    read_whole(path, &is);
    assert_int_equal(is.len, wanted->len);
    assert_memory_equal(is.data, wanted->data, is.len);
    buf_release(&is);
}

/* With the connection closed, as a bit flips on the disk. */
static void damage(struct fixture *f, const char *sql) {
    fixture_close(f);
    char *all = mem_printf("PRAGMA ignore_check_constraints = 1; %s; SELECT changes()", sql);
    expect_shell(f, all, "1\n");
    free(all);
    fixture_open(f);
}

/* ---- the writer ---- */

static void what_the_copy_has_and_the_database_not_is_not_overwritten(void **state) {
    static const struct {
        const char *sql, *said;
    } cases[] = {
        {"UPDATE value SET bits = bits + 1 WHERE epoch = 1 AND metric = 1",
         "epoch 1, val_accuracy: 0.1 (bits 3fb999999999999a) there, 0.1 (bits 3fb999999999999b)"},
        {"UPDATE value SET value = 0.5 WHERE epoch = 1 AND metric = 1",
         "epoch 1, val_accuracy: 0.1 (bits 3fb999999999999a) there, 0.5 (bits 3fb999999999999a)"},
        {"UPDATE value SET kind = 2 WHERE epoch = 1 AND metric = 2", "epoch 1, val_loss: nan"},
        {"UPDATE value SET bits = 0 WHERE epoch = 1 AND metric = 3", "other: 0 (bits 8000"},
        {"UPDATE value SET value = -value WHERE epoch = 2 AND kind = 2", "epoch 2, late: inf"},
        {"UPDATE value SET epoch = 7 WHERE epoch = 1 AND metric = 1", "none here"},
        {"DELETE FROM value WHERE epoch = 1 AND metric = 1", "none here"},
        {"UPDATE metric SET name = 'val_accuracz' WHERE id = 1", "none here"},
        {"UPDATE epoch SET at = at + 1e-3 WHERE epoch = 1", "table epoch"},
        {"UPDATE epoch SET seconds = 1.25 WHERE epoch = 1", "table epoch"},
        {"UPDATE epoch SET attempt = 2 WHERE epoch = 1", "table epoch"},
        {"UPDATE attempt SET started_at = started_at + 1 WHERE attempt = 1", "table attempt"},
        {"UPDATE attempt SET reason = 'sihnal' WHERE attempt = 1", "table attempt"},
        {"UPDATE attempt SET barren = barren + 1 WHERE attempt = 2", "table attempt"},
        {"UPDATE superseded SET bits = bits + 1 WHERE metric = 1", "table superseded"},
        {"UPDATE superseded SET at = at + 1 WHERE metric = 1", "table superseded"},
        {"DELETE FROM superseded WHERE metric = 1", "table superseded"},
        {"UPDATE layer SET mean = 0.5", "table layer"},
        {"UPDATE layer SET epoch = 0", "table layer"},
        {"UPDATE trial SET seed = 17 WHERE id = 1", "table trial"},
    };
    struct fixture *f = *state;
    char *path = rows_path(f), *database = mem_printf("%s/results.db", f->dir);
    char *kept = mem_printf("%s/kept.db", f->dir);
    struct buf good = {0};
    (void)fill(f);
    attempt(f, 1, 3); // its end makes the copy old
    from_epoch(f, 3, 2);
    end(f, 1, 3, TRIAL_PAUSED, "signal");
    read_whole(path, &good);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_close(f);
        char *copy = mem_printf("cp '%s' '%s'", i == 0 ? database : kept, i == 0 ? kept : database);
        assert_int_equal(system(copy), 0);
        free(copy);
        fixture_open(f);
        damage(f, cases[i].sql);
        int rc = put_trial(f);
        if (rc != ERR_DIFFERS) {
            fail_msg("%s: written over the copy", cases[i].sql);
        }
        expect_message(f, "trial 1 differs from its copy");
        expect_message(f, cases[i].said);
        expect_message(f, "\"besom rebuild --force\" makes results.db anew");
        expect_file(path, &good);
        int64_t written = -1;
        assert_int_equal(catch_up(f, &written), ERR_DIFFERS);
        assert_int_equal(written, 0);
        assert_int_equal(check_all(f), ERR_DIFFERS);
        expect_file(path, &good);
    }
    fixture_close(f);
    char *back = mem_printf("cp '%s' '%s'", kept, database);
    assert_int_equal(system(back), 0);
    fixture_open(f);
    assert_int_equal(check_all(f), ERR_OK);
    assert_int_equal(put_trial(f), ERR_OK); // the undamaged one
    free(back);
    free(kept);
    free(database);
    free(path);
    buf_release(&good);
}

static void what_attempts_and_plans_change_is_no_difference(void **state) {
    struct fixture *f = *state;
    enum store_epoch_result result;
    int64_t id = fill(f);
    attempt(f, 1, 3);
    from_epoch(f, 3, 1);
    expect_ok(f, put_epoch(f, 1, 3, 1, "val_accuracy 0.4", false, &result)); // both epochs anew
    assert_int_equal(result, STORE_SUPERSEDED);
    expect_ok(f, put_epoch(f, 1, 3, 2, "val_accuracy 0.2 more 1", false, &result));
    layer(f, 1, 0.75);
    end(f, 1, 3, TRIAL_COMPLETE, NULL);
    expect_ok(f, put_trial(f));
    assert_int_equal(plan(f, 8), id); // raised
    assert_int_equal(check_all(f), ERR_OK);
    expect_ok(f, put_sweep(f, id));
    attempt(f, 1, 4);
    assert_int_equal(check_all(f), ERR_OK); // running, as after a killed runner
    expect_ok(f, put_epoch(f, 1, 4, 1, "val_accuracy 0.4 that_it_lacked 7", true, &result));
    assert_int_equal(result, STORE_REPEATED);
    end(f, 1, 4, TRIAL_PAUSED, "signal");
    expect_ok(f, put_trial(f));
}

/* As the protocol lets it, with the records of epochs that are done: rounded, say. */
static void another_trainer_may_tell_its_layers_again_otherwise(void **state) {
    static const char *const programs[] = {"train.py 2", NULL};
    struct fixture *f = *state;
    (void)fill(f);
    for (int i = 0; i < 2; i++) {
        attempt(f, 1, 3 + i);
        start_of(f, 3 + i, 2, programs[i]);
        layer(f, 1, 0.3 + i);
        assert_int_equal(check_all(f), ERR_OK); // running, as after a killed runner
        end(f, 1, 3 + i, TRIAL_PAUSED, "signal");
        assert_int_equal(check_all(f), ERR_OK);
        expect_ok(f, put_trial(f));
    }
}

static void of_an_epoch_without_metrics_nothing_need_be_left(void **state) {
    struct fixture *f = *state;
    enum store_epoch_result result;
    (void)plan(f, 3);
    attempt(f, 1, 1);
    epoch(f, 1, 1, 1, "val_accuracy 0.1");
    epoch(f, 1, 1, 2, "");
    end(f, 1, 1, TRIAL_PAUSED, "signal");
    expect_ok(f, put_trial(f));
    attempt(f, 1, 2);
    expect_ok(f, put_epoch(f, 1, 2, 1, "val_accuracy 0.2", false, &result));
    end(f, 1, 2, TRIAL_PAUSED, "signal"); // epoch 2 went with what it was computed from
    expect_ok(f, put_trial(f));
}

static void a_copy_that_is_not_whole_is_replaced(void **state) {
    struct fixture *f = *state;
    char *path = rows_path(f);
    struct buf file = {0};
    (void)fill(f);
    damage(f, "UPDATE value SET bits = bits + 1 WHERE epoch = 1 AND metric = 1");
    assert_int_equal(put_trial(f), ERR_DIFFERS);
    assert_int_equal(truncate(path, 300), 0);
    expect_ok(f, put_trial(f));
    read_whole(path, &file);
    assert_non_null(strstr(file.data, "{\"end\":\"trial\""));
    buf_release(&file);
    free(path);
}

static void a_copy_that_cannot_be_read_is_named_and_stays(void **state) {
    struct fixture *f = *state;
    char *path = rows_path(f), *aside = mem_printf("%s.aside", path);
    struct buf good = {0};
    (void)fill(f);
    read_whole(path, &good);
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int rc = put_trial(f);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(rc, ERR_EXHAUSTED);
    expect_message(f, path);
    expect_file(path, &good);
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(check_all(f), ERR_IO);
    expect_message(f, path);
    assert_int_equal(rmdir(path), 0);
    buf_release(&good);
    free(aside);
    free(path);
}

static void the_copy_of_a_sweep_keeps_its_trials_keys_and_seeds(void **state) {
    struct fixture *f = *state;
    char *path = mem_printf("%s/sweeps/s.jsonl", f->dir);
    struct buf good = {0};
    int64_t id = fill(f);
    read_whole(path, &good);
    damage(f, "UPDATE trial SET seed = 9 WHERE id = 2"); // never started: no other copy has it
    assert_int_equal(put_sweep(f, id), ERR_DIFFERS);
    expect_message(f, "sweep s differs from its copy");
    expect_file(path, &good);
    assert_int_equal(check_all(f), ERR_DIFFERS);
    expect_file(path, &good);
    buf_release(&good);
    free(path);
}

static void a_trial_that_differs_does_not_keep_the_others_from_their_copies(void **state) {
    struct fixture *f = *state;
    (void)fill(f);
    attempt(f, 1, 3);
    end(f, 1, 3, TRIAL_FAILED, "exit");
    run_complete(f, 2, 1, (const double[]){0.5});
    damage(f, "UPDATE value SET bits = bits + 1 WHERE trial = 1 AND epoch = 1 AND metric = 1");
    int64_t written = -1;
    assert_int_equal(catch_up(f, &written), ERR_DIFFERS);
    expect_message(f, "trial 1 ");
    assert_int_equal(written, 1);
}

/* What no run would write over is not looked at before one: that is for besom verify and rebuild. */
static void before_a_run_only_what_it_goes_on_with_is_compared(void **state) {
    struct fixture *f = *state;
    int64_t id = plan(f, 1);
    assert_int_equal(put_sweep(f, id), ERR_OK);
    run_complete(f, 1, 1, (const double[]){0.5});
    expect_ok(f, put_trial(f));
    damage(f, "UPDATE value SET bits = bits + 1");
    assert_int_equal(check_all(f), ERR_OK);
    assert_int_equal(plan(f, 2), id); // it goes on
    assert_int_equal(check_all(f), ERR_DIFFERS);
}

/* ---- what rebuild says ---- */

/* How many differences there are between the folder's database and what its copies make. */
static int64_t differences(struct fixture *f, struct buf *text) {
    char *dir = mem_printf("%s/new", f->dir), *db = mem_printf("%s/results.db", dir);
    struct restore_report report = {0};
    struct store *made;
    int64_t count = -1;
    expect_ok(f, fs_mkdirs(dir, &f->err));
    (void)unlink(db); // of an earlier one
    expect_ok(f, store_open(&made, dir, STORE_WRITE, &f->err));
    expect_ok(f, store_begin(made, &f->err));
    expect_ok(f, restore_folder(made, f->dir, &report, &f->err));
    expect_ok(f, restore_compare(made, f->store, text, &count, &f->err));
    store_rollback(made);
    expect_ok(f, store_close(made, &f->err));
    restore_report_release(&report);
    free(dir);
    free(db);
    return count;
}

static void every_row_of_every_table_counts(void **state) {
    static const char *const cases[] = {
        "UPDATE metric SET name = 'val_lost' WHERE name = 'val_loss'",
        "UPDATE heading SET name = 'optimizes' WHERE name = 'optimizer'",
        "UPDATE sweep SET description = 'x'",
        "UPDATE sweep SET spec = spec || ' '",
        "UPDATE sweep SET created_at = created_at + 1",
        "UPDATE trial SET config = config || ' ' WHERE id = 1",
        "UPDATE trial SET epochs = 4 WHERE id = 2",
        "UPDATE trial SET epochs_done = 1 WHERE id = 1",
        "UPDATE trial SET status = 'failed' WHERE id = 1",
        "UPDATE trial SET attempts = 3 WHERE id = 1",
        "UPDATE trial SET stopped = 'x' WHERE id = 1",
        "UPDATE trial SET key = 'c' || substr(key, 2) WHERE id = 2",
        "UPDATE member SET ordinal = 7 WHERE trial = 2",
        "UPDATE member SET label = 'ada' WHERE trial = 1",
        "UPDATE member SET present = 0 WHERE trial = 2",
        "UPDATE cell SET value = 0.002 WHERE value = 0.001",
        "UPDATE attempt SET attempt = 5 WHERE attempt = 2",
        "UPDATE attempt SET slot = 8 WHERE attempt = 1",
        "UPDATE epoch SET samples_per_second = 99 WHERE epoch = 1",
        "UPDATE value SET bits = bits - 1 WHERE epoch = 2 AND metric = 1",
        "UPDATE superseded SET epoch = 1 WHERE metric = 1",
        "UPDATE summary SET low = 0.05 WHERE metric = 1",
        "UPDATE summary SET last_epoch = 1 WHERE metric = 1",
        "DELETE FROM summary WHERE metric = 1",
        "DELETE FROM measured WHERE metric = 2",
        "UPDATE layer SET update_ratio = 0.3",
        "UPDATE student_t SET t = t + 1e-9 WHERE df = 500",
        "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, 'last', 'lost')"
        " WHERE type = 'view' AND name IN (SELECT view FROM sweep)",
    };
    struct fixture *f = *state;
    struct buf text = {0};
    char *database = mem_printf("%s/results.db", f->dir), *kept = mem_printf("%s/kept.db", f->dir);
    char *keep = mem_printf("cp '%s' '%s'", database, kept);
    char *back = mem_printf("cp '%s' '%s'", kept, database);
    int64_t id = fill(f);
    expect_ok(f, put_sweep(f, id));
    if (differences(f, &text) != 0) {
        fail_msg("undamaged: %s", buf_text(&text));
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_close(f);
        assert_int_equal(system(i == 0 ? keep : back), 0);
        fixture_open(f);
        damage(f, cases[i]);
        if (differences(f, &text) < 1) {
            fail_msg("%s: not found", cases[i]);
        }
    }
    free(back);
    free(keep);
    free(kept);
    free(database);
    buf_release(&text);
}

static void what_no_copy_has_yet_is_no_difference(void **state) {
    struct fixture *f = *state;
    struct buf text = {0};
    int64_t id = fill(f);
    expect_ok(f, put_sweep(f, id));
    attempt(f, 1, 3);
    epoch(f, 1, 3, 3, "val_accuracy 0.9");
    attempt(f, 2, 1); // without any copy of its own
    epoch(f, 2, 1, 1, "val_accuracy 0.8 its_own 1");
    assert_int_equal(differences(f, &text), 0);
    damage(f, "UPDATE value SET bits = bits + 1 WHERE trial = 1 AND epoch = 1 AND metric = 1");
    assert_int_equal(differences(f, &text), 1);
    assert_non_null(strstr(buf_text(&text), "trial 1 (a0"));
    assert_non_null(strstr(buf_text(&text), "epoch 1, val_accuracy: 0.1 (bits"));
    buf_release(&text);
}

/* A runner that dies between the commit of a plan and the sweep's file leaves the older one. */
static void a_plan_that_no_copy_has_yet_is_no_difference(void **state) {
    struct fixture *f = *state;
    struct buf text = {0};
    int64_t id = fill(f);
    expect_ok(f, put_sweep(f, id));
    assert_int_equal(plan(f, 9), id); // raised
    assert_int_equal(differences(f, &text), 0);
    expect_ok(f, put_sweep(f, id));
    id = sweep(f, "other", "[\"optimizer\"]", "val_accuracy", true); // takes trial 1 in, too
    (void)point(f, id, "a", "ada", adam, 1, 12);
    end_plan(f, id);
    assert_int_equal(differences(f, &text), 0);
    damage(f, "UPDATE value SET bits = bits + 1 WHERE trial = 1 AND epoch = 1 AND metric = 1");
    assert_int_equal(differences(f, &text), 1);
    buf_release(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_the_copy_has_and_the_database_not_is_not_overwritten),
        TEST(what_attempts_and_plans_change_is_no_difference),
        TEST(another_trainer_may_tell_its_layers_again_otherwise),
        TEST(of_an_epoch_without_metrics_nothing_need_be_left),
        TEST(a_copy_that_is_not_whole_is_replaced),
        TEST(a_copy_that_cannot_be_read_is_named_and_stays),
        TEST(the_copy_of_a_sweep_keeps_its_trials_keys_and_seeds),
        TEST(a_trial_that_differs_does_not_keep_the_others_from_their_copies),
        TEST(before_a_run_only_what_it_goes_on_with_is_compared),
        TEST(every_row_of_every_table_counts),
        TEST(what_no_copy_has_yet_is_no_difference),
        TEST(a_plan_that_no_copy_has_yet_is_no_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
