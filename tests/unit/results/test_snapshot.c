/* The copies of rows beside the database, and what is made of them.  The sqlite3 program compares the two databases. */
#include "results/snapshot.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/hash.h"
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- writing ---- */

static void snapshot(struct fixture *f, int64_t sweep_id, int64_t trial) {
    struct snapshots *s = snapshots_new(f->store);
    if (sweep_id > 0) {
        expect_ok(f, snapshots_put_sweep(s, sweep_id, &f->err));
    }
    if (trial > 0) {
        expect_ok(f, snapshots_put_trial(s, trial, &f->err));
    }
    snapshots_free(s);
}

static int64_t catch_up(struct fixture *f) {
    struct snapshots *s = snapshots_new(f->store);
    int64_t written = -1;
    expect_ok(f, snapshots_catch_up(s, &written, &f->err));
    snapshots_free(s);
    return written;
}

/* The path of a file of trial "a". */
static char *rows_path(const struct fixture *f) {
    return mem_printf("%s/trials/a%031d/rows.jsonl", f->dir, 0);
}

static void read_whole(const char *path, struct buf *out) {
    struct err err;
    if (fs_read(path, 1 << 20, out, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
}

static void write_whole(const char *path, const void *data, size_t len) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* Puts the right hash into a file that was changed on purpose. */
static void mend(struct buf *file) {
    assert_true(file->len > HASH_HEX_LEN + 3);
    char digits[HASH_HEX_LEN + 1];
    hash_hex(digits, file->data, file->len - HASH_HEX_LEN - 3);
    memcpy(file->data + file->len - HASH_HEX_LEN - 3, digits, HASH_HEX_LEN);
}

static void replace(struct buf *file, const char *what, const char *by) {
    char *at = strstr(file->data, what);
    assert_non_null(at);
    struct buf changed = {0};
    buf_put(&changed, file->data, (size_t)(at - file->data));
    buf_puts(&changed, by);
    buf_puts(&changed, at + strlen(what));
    buf_release(file);
    *file = changed;
    mend(file);
}

/* ---- reading ---- */

/* Makes DIR/new/results.db anew; the report is the caller's. */
static void restore(struct fixture *f, struct restore_report *report) {
    char *dir = mem_printf("%s/new", f->dir), *db = mem_printf("%s/results.db", dir);
    struct store *store;
    *report = (struct restore_report){0};
    expect_ok(f, fs_mkdirs(dir, &f->err));
    (void)unlink(db); // of an earlier one
    expect_ok(f, store_open(&store, dir, STORE_WRITE, &f->err));
    expect_ok(f, store_begin(store, &f->err));
    expect_ok(f, restore_folder(store, f->dir, report, &f->err));
    expect_ok(f, store_commit(store, &f->err));
    expect_ok(f, restore_check(store, &f->err));
    expect_ok(f, store_close(store, &f->err));
    free(dir);
    free(db);
}

static const char *const tables[] = {"metric",  "sweep",    "trial", "member",   "heading",
                                     "cell",    "attempt",  "epoch", "value",    "superseded",
                                     "summary", "measured", "layer", "student_t"};
enum { TABLE_COUNT = sizeof tables / sizeof *tables };

static void expect_equal(struct fixture *f) {
    struct buf sql = {0};
    buf_printf(&sql, "ATTACH '%s/new/results.db' AS n;\n", f->dir);
    for (int i = 0; i < TABLE_COUNT; i++) {
        buf_printf(&sql,
                   "SELECT '%s lost', * FROM (SELECT * FROM main.%s EXCEPT SELECT * FROM n.%s);\n"
                   "SELECT '%s new', * FROM (SELECT * FROM n.%s EXCEPT SELECT * FROM main.%s);\n"
                   "SELECT '%s counts' WHERE (SELECT count(*) FROM main.%s) <>"
                   " (SELECT count(*) FROM n.%s);\n",
                   tables[i], tables[i], tables[i], tables[i], tables[i], tables[i], tables[i],
                   tables[i], tables[i]);
    }
    buf_puts(&sql, "SELECT 'schema', name FROM main.sqlite_schema WHERE sql NOT IN"
                   " (SELECT sql FROM n.sqlite_schema WHERE sql IS NOT NULL);\n");
    expect_shell(f, buf_text(&sql), "");
    buf_release(&sql);
}

static void expect_new(struct fixture *f, const char *sql, const char *expected) {
    char *attached = mem_printf("ATTACH '%s/new/results.db' AS n; %s", f->dir, sql);
    expect_shell(f, attached, expected);
    free(attached);
}

/* Trial 1 ("a") has ended, 2 ("b") was never started. */
static int64_t fill(struct fixture *f) {
    int64_t id = sweep(f, "s", "[\"optimizer\"]", "val_accuracy", true);
    (void)point(f, id, "a", "adam", "{\"optimizer\":{\"name\":\"adam\",\"lr\":0.001}}", 1, 3);
    (void)point(f, id, "b", "sgd", "{\"optimizer\":{\"name\":\"sgd\",\"lr\":1e300}}", 2, 3);
    end_plan(f, id);
    snapshot(f, id, 0);
    attempt(f, 1, 1);
    epoch(f, 1, 1, 1, "val_accuracy 0.1 val_loss nan other -0");
    epoch(f, 1, 1, 2, "val_accuracy 0.30000000000000004 val_loss -inf tiny 5e-324");
    end(f, 1, 1, TRIAL_PAUSED, "signal");
    return id;
}

/* ---- tests ---- */

static void every_table_is_written_or_follows_from_others(void **state) {
    struct fixture *f = *state;
    struct buf names = {0};
    for (int i = 0; i < TABLE_COUNT; i++) {
        buf_printf(&names, "%s'%s'", i > 0 ? "," : "", tables[i]);
    }
    char *sql =
        mem_printf("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN (%s)",
                   buf_text(&names));
    expect_shell(f, sql, ""); // a new table has to be thought of in snapshot.c, and here
    free(sql);
    buf_release(&names);
}

static void what_is_read_back_is_what_there_was(void **state) {
    struct fixture *f = *state;
    struct restore_report report;
    struct store_layer layer = {
        .epoch = 1, .position = 3, .name = (char[]){"fc"}, .histogram = (char[]){"[1,2]"}};
    enum store_epoch_result result;
    (void)fill(f);
    attempt(f, 1, 2); // sets aside what the first measured
    expect_ok(f, put_epoch(f, 1, 2, 2, "val_accuracy 0.2 late inf", false, &result));
    assert_int_equal(result, STORE_SUPERSEDED);
    begin(f);
    expect_ok(f, store_put_layer(f->store, 1, &layer, true, &f->err));
    commit(f);
    end(f, 1, 2, TRIAL_FAILED, "exit");
    snapshot(f, 0, 1);
    restore(f, &report);
    expect_new(f, "SELECT (SELECT count(*) FROM n.superseded), (SELECT count(*) FROM n.layer)",
               "3|1\n");
    assert_int_equal(report.sweep_files, 1);
    assert_int_equal(report.trial_files, 1);
    assert_int_equal(report.damaged, 0);
    expect_equal(f);
    restore_report_release(&report);
}

static void the_bytes_are_a_function_of_the_rows(void **state) {
    struct fixture *f = *state;
    char *path = rows_path(f);
    struct buf first = {0}, second = {0};
    (void)fill(f);
    snapshot(f, 0, 1);
    read_whole(path, &first);
    fixture_close(f);
    fixture_open(f);
    snapshot(f, 0, 1);
    read_whole(path, &second);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    assert_non_null(strstr(first.data, "\"-9223372036854775808\"")); // -0.0's bits, beyond 2^53
    buf_release(&first);
    buf_release(&second);
    free(path);
}

static void every_cut_and_every_changed_bit_is_refused(void **state) {
    struct fixture *f = *state;
    char *path = rows_path(f);
    struct buf good = {0};
    (void)fill(f);
    snapshot(f, 0, 1);
    read_whole(path, &good);
    FILE *file;
    for (size_t len = 0; len <= good.len; len++) {
        char none = '\0';
        file = fmemopen(len > 0 ? good.data : &none, len > 0 ? len : 1, "r");
        assert_int_equal(rows_verify(file, &f->err), len == good.len ? ERR_OK : ERR_CORRUPT);
        assert_int_equal(fclose(file), 0);
    }
    for (size_t bit = 0; bit < 8 * good.len; bit++) {
        good.data[bit / 8] ^= (char)(1 << bit % 8);
        file = fmemopen(good.data, good.len, "r");
        assert_int_equal(rows_verify(file, &f->err), ERR_CORRUPT);
        assert_int_equal(fclose(file), 0);
        good.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    buf_release(&good);
    free(path);
}

static void a_damaged_file_is_named_and_its_trial_is_pending(void **state) {
    struct fixture *f = *state;
    struct restore_report report;
    char *path = rows_path(f);
    int64_t id = fill(f);
    snapshot(f, id, 1); // the plan knows of an attempt
    assert_int_equal(truncate(path, 300), 0);
    restore(f, &report);
    assert_int_equal(report.damaged, 1);
    assert_int_equal(report.reset, 1);
    char *wanted = mem_printf("%s: damaged: its checksum does not match\n", path);
    assert_string_equal(buf_text(&report.problems), wanted);
    expect_new(f, "SELECT id, status, attempts, epochs_done FROM n.trial",
               "1|pending|0|0\n2|pending|0|0\n");
    free(wanted);
    free(path);
    restore_report_release(&report);
}

/* The hash is right, and yet no such file was ever written by besom. */
static void a_file_with_a_good_hash_can_still_be_refused(void **state) {
    static const struct {
        const char *what, *by, *message;
    } cases[] = {
        {"\"version\":1", "\"version\":2", "written by a newer besom"},
        {"{\"besom\":\"trial\"", "{\"besom\":\"sweep\"", "not a file of this kind"},
        {"\"from_epoch\"", "\"from_epxch\"", "a column that this version does not know"},
        {"{\"table\":\"value\"", "{\"table\":\"valve\"", "a table that this version does not know"},
        {"{\"table\":\"value\"", "{\"table\":\"student_t\"", "a table that this version does not"},
        {"[1,\"val_accuracy\",0,", "[1,\"val_accuracy\",\"x\",", "of another type"},
        {"[1,\"val_accuracy\",0,", "[1,\"never_seen\",0,", "breaks a rule of the tables"},
        {"[1,\"val_accuracy\",0,", "[0.5,\"val_accuracy\",0,", "of another type"},
        {"[1,\"val_accuracy\",0,", "[1,7,0,", "of another type"},
        {"[1,\"val_accuracy\",0,", "[\"val_accuracy\",0,", "not a row of its table"},
        {"\"a0000", "\"c0000", "this file is about another one"},
        {"\"paused\"", "\"asleep\"", "breaks a rule of the tables"},
        {"[1,\"val_accuracy\"]", "[1,\"val_accuracy\"", "no JSON"},
        {"{\"end\"", "{\"mend\"", "neither a table nor the end"},
        {"{\"table\":\"epoch\"", "{\"end\":\"trial\"}\n{\"table\":\"epoch\"", "behind the end"},
    };
    struct fixture *f = *state;
    char *path = rows_path(f);
    struct buf good = {0};
    (void)fill(f);
    snapshot(f, 0, 1);
    read_whole(path, &good);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct restore_report report;
        struct buf bad = {0};
        buf_put(&bad, good.data, good.len);
        replace(&bad, cases[i].what, cases[i].by);
        write_whole(path, bad.data, bad.len);
        restore(f, &report);
        if (report.damaged != 1 || strstr(buf_text(&report.problems), cases[i].message) == NULL) {
            fail_msg("%s for %s: \"%s\" and not \"%s\"", cases[i].by, cases[i].what,
                     buf_text(&report.problems), cases[i].message);
        }
        // A file counts wholly or not at all.
        expect_new(f,
                   "SELECT (SELECT count(*) FROM n.attempt), (SELECT count(*) FROM n.value),"
                   " (SELECT count(*) FROM n.trial)",
                   "0|0|2\n");
        restore_report_release(&report);
        buf_release(&bad);
    }
    buf_release(&good);
    free(path);
}

static void the_later_one_of_plan_and_trial_counts(void **state) {
    struct fixture *f = *state;
    struct restore_report report;
    int64_t id = fill(f);
    epoch(f, 1, 1, 3, "val_accuracy 0.5");
    end(f, 1, 1, TRIAL_COMPLETE, NULL);
    snapshot(f, 0, 1); // the trial's file is the later one
    restore(f, &report);
    expect_equal(f);
    restore_report_release(&report);

    id = sweep(f, "s", "[\"optimizer\"]", "val_accuracy", true);
    struct store_planned p =
        point(f, id, "a", "adam", "{\"optimizer\":{\"name\":\"adam\",\"lr\":0.001}}", 1, 8);
    assert_int_equal(p.plan, PLAN_EXTEND);
    end_plan(f, id); // "b" has left
    snapshot(f, id, 0);
    restore(f, &report);
    expect_new(f, "SELECT status, epochs, epochs_done FROM n.trial WHERE id = 1", "pending|8|3\n");
    expect_equal(f);
    restore_report_release(&report);

    attempt(f, 1, 2); // its file is older than the next plan: it could not be written
    end(f, 1, 2, TRIAL_FAILED, "exit");
    id = sweep(f, "s", "[\"optimizer\"]", "val_accuracy", true);
    (void)point(f, id, "a", "adam", "{\"optimizer\":{\"name\":\"adam\",\"lr\":0.001}}", 1, 9);
    end_plan(f, id);
    snapshot(f, id, 0);
    restore(f, &report);
    expect_new(f, "SELECT status, epochs, epochs_done, attempts FROM n.trial WHERE id = 1",
               "complete|9|3|1\n"); // what the rows bear out, and what is asked for now
    restore_report_release(&report);
}

static void a_trial_is_shared_by_sweeps_that_came_before_and_after(void **state) {
    struct fixture *f = *state;
    struct restore_report report;
    (void)fill(f);
    snapshot(f, 0, 1);
    int64_t other = sweep(f, "t", "[\"lr\"]", "never_measured", false);
    (void)point(f, other, "a", "0.001", "{\"lr\":0.001}", 1, 3);
    (void)point(f, other, "c", "0.1", "{\"lr\":0.1}", 1, 3);
    end_plan(f, other);
    snapshot(f, other, 0);
    restore(f, &report);
    expect_equal(f);
    restore_report_release(&report);

    int64_t id =
        sweep(f, "s", "[\"optimizer\"]", "val_accuracy", true); // the later plan asks for more
    (void)point(f, id, "a", "adam", "{\"optimizer\":{\"name\":\"adam\",\"lr\":0.001}}", 1, 8);
    end_plan(f, id);
    snapshot(f, id, 0);
    restore(f, &report);
    expect_new(f, "SELECT epochs FROM n.trial WHERE id = 1", "8\n");
    expect_equal(f);
    restore_report_release(&report);
}

static void a_sweep_without_its_file_is_known_from_its_trials(void **state) {
    struct fixture *f = *state;
    struct restore_report report;
    (void)fill(f);
    snapshot(f, 0, 1);
    char *path = mem_printf("%s/sweeps/s.jsonl", f->dir);
    assert_int_equal(truncate(path, 100), 0);
    restore(f, &report);
    assert_int_equal(report.damaged, 1);
    expect_new(f,
               "SELECT sweep, label, epochs_done FROM n.trials;"
               "SELECT length(spec), axes FROM n.sweep",
               "s|adam|2\n0|[\"optimizer\"]\n");
    free(path);
    restore_report_release(&report);
}

static void nothing_is_nothing_to_make_it_from(void **state) {
    struct fixture *f = *state;
    struct restore_report report = {0};
    begin(f);
    expect_code(f, restore_folder(f->store, f->dir, &report, &f->err), ERR_NOT_FOUND);
    store_rollback(f->store);
    restore_report_release(&report);
}

static void what_is_missing_or_old_is_caught_up_with(void **state) {
    struct fixture *f = *state;
    char *path = rows_path(f);
    struct buf file = {0};
    int64_t id = fill(f);
    assert_int_equal(catch_up(f), 1); // 2 was never started
    assert_int_equal(catch_up(f), 0);
    assert_int_equal(truncate(path, 400), 0); // as after a power cut
    assert_int_equal(catch_up(f), 1);
    read_whole(path, &file);
    replace(&file, "\n{\"end\"", "\n\n{\"end\""); // another length than its last line says
    write_whole(path, file.data, file.len);
    assert_int_equal(catch_up(f), 1);
    attempt(f, 1, 2);
    assert_int_equal(catch_up(f), 0); // running
    end(f, 1, 2, TRIAL_FAILED, "exit");
    assert_int_equal(catch_up(f), 1);
    snapshot(f, id, 0);
    assert_int_equal(catch_up(f), 0);
    buf_release(&file);
    free(path);
}

static void a_file_that_cannot_be_written_is_an_error_and_no_harm(void **state) {
    struct fixture *f = *state;
    (void)fill(f);
    char *trials = mem_printf("%s/trials", f->dir), *path = rows_path(f);
    write_whole(trials, "", 0); // a file where the folder should be
    struct snapshots *s = snapshots_new(f->store);
    assert_true(snapshots_put_trial(s, 1, &f->err) < 0);
    expect_message(f, "/trials");
    assert_true(snapshots_catch_up(s, NULL, &f->err) < 0);
    assert_int_equal(unlink(trials), 0);
    expect_ok(f, snapshots_put_trial(s, 1, &f->err));
    assert_int_equal(access(path, F_OK), 0);
    struct stat st;
    char *tmp = mem_printf("%s/trials/a%031d/.rows.jsonl.tmp", f->dir, 0);
    assert_int_equal(stat(tmp, &st), -1);
    write_whole(tmp, "half", 4); // of a writer that died
    expect_ok(f, snapshots_put_trial(s, 1, &f->err));
    assert_int_equal(stat(tmp, &st), -1);
    snapshots_free(s);
    attempt(f, 1, 2); // the store goes on
    free(tmp);
    free(trials);
    free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_table_is_written_or_follows_from_others),
        TEST(what_is_read_back_is_what_there_was),
        TEST(the_bytes_are_a_function_of_the_rows),
        TEST(every_cut_and_every_changed_bit_is_refused),
        TEST(a_damaged_file_is_named_and_its_trial_is_pending),
        TEST(a_file_with_a_good_hash_can_still_be_refused),
        TEST(the_later_one_of_plan_and_trial_counts),
        TEST(a_trial_is_shared_by_sweeps_that_came_before_and_after),
        TEST(a_sweep_without_its_file_is_known_from_its_trials),
        TEST(nothing_is_nothing_to_make_it_from),
        TEST(what_is_missing_or_old_is_caught_up_with),
        TEST(a_file_that_cannot_be_written_is_an_error_and_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
