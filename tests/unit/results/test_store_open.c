/* Which files are opened, which are refused, and that a refused one stays as it was. */
#include "results/store.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "results/query.h"
#include "results/store_internal.h"
#include "tests/unit/results/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *db_path(const struct fixture *f) {
    return mem_printf("%s/results.db", f->dir);
}

static void write_db(const struct fixture *f, const void *data, size_t len) {
    char *path = db_path(f);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    free(path);
}

static struct buf read_db(struct fixture *f) {
    char *path = db_path(f);
    struct buf contents = {0};
    expect_ok(f, fs_read(path, 64 << 20, &contents, &f->err));
    free(path);
    return contents;
}

/* Opening in both modes fails with `code` and a message with the path and `part`; the file stays. */
static void expect_refused(struct fixture *f, int code, const char *part) {
    struct buf before = read_db(f);
    for (int mode = STORE_READ; mode <= STORE_WRITE; mode++) {
        struct store *store = NULL;
        int rc = store_open(&store, f->dir, (enum store_mode)mode, &f->err);
        expect_code(f, rc, code);
        expect_message(f, part);
        expect_message(f, f->dir);
        assert_null(store);
    }
    struct buf after = read_db(f);
    assert_int_equal(after.len, before.len);
    assert_memory_equal(buf_text(&after), buf_text(&before), before.len);
    buf_release(&before);
    buf_release(&after);
}

static void the_writer_sets_what_durability_rests_on(void **state) {
    struct fixture *f = *state;
    expect_shell(f,
                 "PRAGMA application_id; PRAGMA user_version; PRAGMA journal_mode;"
                 "PRAGMA integrity_check;",
                 "1650815853\n3\nwal\nok\n");
    struct query q;
    static const char *const pragmas[] = {"PRAGMA synchronous", "PRAGMA foreign_keys",
                                          "PRAGMA trusted_schema", "PRAGMA cell_size_check"};
    static const int expected[] = {2 /* FULL */, 1, 0, 1};
    for (int i = 0; i < 4; i++) {
        expect_ok(f, query_open(&q, f->store, pragmas[i], &f->err));
        assert_int_equal(query_next(&q, &f->err), 1);
        assert_int_equal(query_int(&q, 0), expected[i]);
        query_close(&q);
    }
}

static void every_table_is_strict(void **state) {
    struct fixture *f = *state;
    expect_shell(f,
                 "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
                 " AND NOT strict AND name NOT LIKE 'sqlite_%';",
                 "");
    expect_shell(f, "SELECT count(*) > 10 FROM pragma_table_list WHERE strict;", "1\n");
}

static void what_was_written_is_there_after_reopening(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 2);
    epoch(f, 1, 1, 1, "val_accuracy 0.5");
    fixture_close(f);
    fixture_open(f);
    expect_shell(f, "SELECT * FROM curves;", "s|1|1|val_accuracy|0.5\n");
}

static void a_clean_end_leaves_one_file_that_can_be_copied(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 2);
    epoch(f, 1, 1, 1, "val_accuracy 0.5");
    fixture_close(f);
    char *command =
        mem_printf("cd %s && test ! -s results.db-wal && mkdir copy && cp results.db copy", f->dir);
    assert_int_equal(system(command), 0);
    free(command);
    size_t len = strlen(f->dir);
    strcpy(f->dir + len, "/copy");
    expect_shell(f, "SELECT value FROM curves;", "0.5\n");
    f->dir[len] = '\0';
}

static void reading_what_is_not_there_says_how_to_start(void **state) {
    struct fixture *f = *state;
    struct store *store = NULL;
    expect_code(f, store_open(&store, "/tmp/besom-no-such-folder", STORE_READ, &f->err),
                ERR_NOT_FOUND);
    expect_message(f, "/tmp/besom-no-such-folder/results.db");
    expect_message(f, "besom run");
}

static void a_file_that_is_no_database_is_refused(void **state) {
    struct fixture *f = *state;
    fixture_close(f);
    char text[5000];
    memset(text, 'x', sizeof text);
    write_db(f, text, sizeof text);
    expect_refused(f, ERR_CORRUPT, "not a database");
    write_db(f, "short", 5);
    expect_refused(f, ERR_CORRUPT, "not a database");
}

static void a_truncated_database_is_refused(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 2);
    fixture_close(f);
    struct buf whole = read_db(f);
    for (size_t percent = 10; percent < 100; percent += 30) {
        write_db(f, buf_text(&whole), whole.len * percent / 100);
        expect_refused(f, ERR_CORRUPT, "besom rebuild");
    }
    write_db(f, buf_text(&whole), 50);
    expect_refused(f, ERR_CORRUPT, "");
    buf_release(&whole);
}

/* ---- after an end that was not clean ---- */

/* What a killed writer leaves: its file and its log, in the folder "killed" of the fixture's. */
static void die(struct fixture *f) {
    char *command = mem_printf("cd %s && mkdir killed && cp results.db results.db-wal killed && "
                               "test -s killed/results.db-wal",
                               f->dir);
    assert_int_equal(system(command), 0);
    free(command);
    fixture_close(f);
    strcat(f->dir, "/killed");
}

static void come_back(struct fixture *f) {
    *strrchr(f->dir, '/') = '\0';
}

/* Overwrites the beginning of a page that opening the file does not look at. */
static void damage_index(struct fixture *f) {
    int page =
        atoi(shell(f, "SELECT rootpage FROM sqlite_schema WHERE name = 'superseded_trial';"));
    assert_true(page > 1);
    struct buf whole = read_db(f);
    memset(whole.data + (size_t)(page - 1) * 4096, 0xff, 8);
    write_db(f, whole.data, whole.len);
    buf_release(&whole);
}

/* A writer refuses it and touches neither: what can be saved can be saved from them. */
static void expect_writer_refuses(struct fixture *f, const char *part) {
    char *wal = mem_printf("%s/results.db-wal", f->dir);
    struct buf before = read_db(f), log = {0}, after_log = {0};
    int logged = fs_read(wal, 64 << 20, &log, &f->err);
    struct store *store = NULL;
    expect_code(f, store_open(&store, f->dir, STORE_WRITE, &f->err), ERR_CORRUPT);
    expect_message(f, f->dir);
    expect_message(f, part);
    expect_message(f, "besom rebuild");
    struct buf after = read_db(f);
    if (logged == ERR_OK) {
        expect_ok(f, fs_read(wal, 64 << 20, &after_log, &f->err));
        assert_int_equal(after_log.len, log.len);
        assert_memory_equal(after_log.data, log.data, log.len);
    }
    assert_int_equal(after.len, before.len);
    assert_memory_equal(after.data, before.data, before.len);
    buf_release(&before);
    buf_release(&after);
    buf_release(&log);
    buf_release(&after_log);
    free(wal);
}

static void expect_opens(struct fixture *f, enum store_mode mode) {
    struct store *store = NULL;
    expect_ok(f, store_open(&store, f->dir, mode, &f->err));
    expect_ok(f, store_close(store, &f->err));
}

static void after_an_end_that_was_not_clean_a_writer_has_the_file_checked(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 2);
    fixture_close(f);
    fixture_open(f);
    epoch(f, 1, 1, 1, "val_accuracy 0.5"); // nothing of the index goes into the log
    die(f);
    damage_index(f);
    expect_writer_refuses(f, "damaged");
    come_back(f);
}

static void after_a_clean_end_too(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 2);
    fixture_close(f);
    damage_index(f);
    expect_writer_refuses(f, "damaged");
    expect_opens(f, STORE_READ); // what a reader does not ask for it does not look at
}

static void a_row_that_breaks_a_constraint_is_damage(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 2);
    fixture_close(f);
    (void)shell(f, "PRAGMA ignore_check_constraints = 1; UPDATE trial SET status = '#omplete';");
    expect_writer_refuses(f, "CHECK constraint failed in trial");
    struct store *store = NULL;
    expect_code(f, store_open(&store, f->dir, STORE_CHECK, &f->err), ERR_CORRUPT);
}

/* ---- definitions ---- */

/* Changes the file's only such text into another one of the same length. */
static void change_text(const struct fixture *f, struct buf *whole, const char *from,
                        const char *to) {
    assert_int_equal(strlen(from), strlen(to));
    char *at = memmem(whole->data, whole->len, from, strlen(from));
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    write_db(f, whole->data, whole->len);
    memcpy(at, from, strlen(to));
}

static void a_definition_that_changed_is_damage(void **state) {
    struct fixture *f = *state;
    fixture_close(f);
    struct buf whole = read_db(f);
    static const char *const changed[][2] = {
        {"class       TEXT", "clasr       TEXT"},
        {"peak_mb     REAL", "peak_mb     TEXT"},
        {"'pending', 'running'", "'pending', 'runninf'"},
        {"attempts    INTEGER NOT", "attemptt    INTEGER NOT"},
        {"ON superseded (trial, epoch)", "ON superseded (trial, metri)"},
        {"WHERE ended_at IS NULL", "WHERE start_at IS NULL"},
    };
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
        change_text(f, &whole, changed[i][0], changed[i][1]);
        expect_writer_refuses(f, "");
        struct store *store = NULL;
        expect_code(f, store_open(&store, f->dir, STORE_CHECK, &f->err), ERR_CORRUPT);
    }
    change_text(f, &whole, "NULL once it has ended", "NULL once it was ended"); // a comment
    expect_opens(f, STORE_WRITE);
    expect_opens(f, STORE_CHECK);
    change_text(f, &whole, "CREATE VIEW failures", "CREATE VIEW failuret");
    struct store *store = NULL;
    expect_code(f, store_open(&store, f->dir, STORE_CHECK, &f->err), ERR_CORRUPT);
    write_db(f, whole.data, whole.len);
    (void)shell(f, "CREATE INDEX ours ON value (bits); CREATE VIEW mine AS SELECT 1;");
    expect_opens(f, STORE_CHECK); // what somebody adds is no damage
    expect_opens(f, STORE_WRITE);
    buf_release(&whole);
}

/* "no such column" is not what a user could do something about. */
static void a_statement_that_does_not_fit_the_tables_is_damage(void **state) {
    struct fixture *f = *state;
    fixture_close(f);
    (void)shell(f, "ALTER TABLE attempt RENAME COLUMN message TO massage;");
    struct store *store = NULL;
    struct query q;
    expect_ok(f, store_open(&store, f->dir, STORE_READ, &f->err));
    expect_code(f, query_open(&q, store, "SELECT message FROM attempt", &f->err), ERR_CORRUPT);
    expect_message(f, "no such column: message");
    expect_message(f, "besom rebuild");
    expect_ok(f, store_close(store, &f->err));
}

static void after_a_kill_everything_committed_is_there(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 2);
    epoch(f, 1, 1, 1, "val_accuracy 0.5");
    die(f);
    fixture_open(f);
    fixture_close(f);
    expect_shell(f, "SELECT value FROM curves; PRAGMA integrity_check;", "0.5\nok\n");
    come_back(f);
}

static void an_emptied_database_beside_its_log_is_refused(void **state) {
    struct fixture *f = *state;
    fixture_close(f);
    write_db(f, "", 0);
    char *command = mem_printf("printf x > %s/results.db-wal", f->dir);
    assert_int_equal(system(command), 0);
    free(command);
    expect_refused(f, ERR_CORRUPT, "write-ahead log");
    expect_refused(f, ERR_CORRUPT, "besom rebuild");
}

static void a_database_of_another_application_is_refused(void **state) {
    struct fixture *f = *state;
    fixture_close(f);
    write_db(f, "", 0);
    (void)shell(f, "CREATE TABLE a (b); INSERT INTO a VALUES (1);");
    expect_refused(f, ERR_VERSION, "another application");
    (void)shell(f, "DROP TABLE a; PRAGMA application_id = 1196444487;");
    expect_refused(f, ERR_VERSION, "0x47504b47");
}

static void a_database_of_a_newer_version_is_refused(void **state) {
    struct fixture *f = *state;
    fixture_close(f);
    (void)shell(f, "PRAGMA user_version = 4;");
    expect_refused(f, ERR_VERSION, "newer besom");
}

static void a_database_that_lost_a_table_is_refused(void **state) {
    struct fixture *f = *state;
    fixture_close(f);
    (void)shell(f, "DROP TABLE value;");
    expect_refused(f, ERR_CORRUPT, "tables are missing");
}

static void an_empty_file_becomes_a_database(void **state) {
    struct fixture *f = *state;
    fixture_close(f);
    write_db(f, "", 0);
    struct store *store = NULL;
    expect_code(f, store_open(&store, f->dir, STORE_READ, &f->err), ERR_NOT_FOUND);
    fixture_open(f);
    one_running_trial(f, 1);
    expect_shell(f, "SELECT count(*) FROM trials;", "1\n");
}

static void write_copy(struct fixture *f, const char *folder, const char *name) {
    char *dir = mem_printf("%s/%s", f->dir, folder), *path = mem_printf("%s/%s", dir, name);
    expect_ok(f, fs_mkdirs(dir, &f->err));
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    free(path);
    free(dir);
}

/* They are all that is left of the rows: a new file would be stored in their place. */
static void a_lost_database_beside_copies_of_its_rows_is_refused(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *folder, *name;
        bool is_copy;
    } files[] = {{"sweeps", ".s.jsonl.tmp", false},
                 {"trials/5f1c", "log", false},
                 {"trials/5f1c", "rows.jsonl", true},
                 {"sweeps", "s.jsonl", true}};
    fixture_close(f);
    char *path = db_path(f);
    for (int i = 0; i < 4; i++) {
        write_copy(f, files[i].folder, files[i].name);
        struct store *store = NULL;
        assert_int_equal(remove(path), 0);
        expect_code(f, store_open(&store, f->dir, STORE_READ, &f->err),
                    files[i].is_copy ? ERR_CORRUPT : ERR_NOT_FOUND);
        if (files[i].is_copy) {
            expect_code(f, store_open(&store, f->dir, STORE_WRITE, &f->err), ERR_CORRUPT);
            expect_message(f, "missing");
            write_db(f, "", 0);
            expect_refused(f, ERR_CORRUPT, "empty, but the copies of its rows are there");
            (void)shell(f, "VACUUM;"); // a whole database, with nothing in it
            expect_refused(f, ERR_CORRUPT, "besom rebuild");
            char *copy = mem_printf("%s/%s/%s", f->dir, files[i].folder, files[i].name);
            assert_int_equal(remove(copy), 0);
            free(copy);
        } else {
            fixture_open(f);
            fixture_close(f);
        }
    }
    free(path);
}

/* A folder's name may have what means something in a URI. */
static void odd_folder_names_are_opened(void **state) {
    struct fixture *f = *state;
    static const char *const names[] = {"a?b#c%41", "it's \"x\"", "new\nline"};
    for (int i = 0; i < 3; i++) {
        char *dir = mem_printf("/%s/%s", f->dir, names[i]); // begins with //
        expect_ok(f, fs_mkdirs(dir, &f->err));
        struct store *store = NULL;
        expect_ok(f, store_open(&store, dir, STORE_WRITE, &f->err));
        expect_ok(f, store_close(store, &f->err));
        struct buf contents = {0};
        char *path = mem_printf("%s/results.db", dir);
        expect_ok(f, fs_read(path, 1 << 20, &contents, &f->err));
        assert_true(contents.len > 4096);
        buf_release(&contents);
        free(path);
        free(dir);
    }
}

static void a_reader_sees_only_what_is_committed(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3);
    epoch(f, 1, 1, 1, "val_accuracy 0.5");
    struct store *reader = NULL;
    expect_ok(f, store_open(&reader, f->dir, STORE_READ, &f->err));

    begin(f);
    struct wire_record *record = mem_zalloc(1, sizeof *record);
    record->epoch = 2;
    enum store_epoch_result result;
    expect_ok(f, store_put_epoch(f->store, 1, 1, record, true, &result, &f->err));
    free(record);
    struct query q;
    for (int committed = 0; committed <= 1; committed++) {
        expect_ok(f, query_open(&q, reader, "SELECT epochs_done FROM trials", &f->err));
        assert_int_equal(query_next(&q, &f->err), 1);
        assert_int_equal(query_int(&q, 0), 1 + committed);
        query_close(&q);
        if (!committed) {
            commit(f);
        }
    }
    expect_ok(f, store_close(reader, &f->err));
}

static void views_work_in_a_reader_that_trusts_no_schema(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    epoch(f, 1, 1, 1, "val_accuracy 0.5");
    struct store *reader = NULL;
    expect_ok(f, store_open(&reader, f->dir, STORE_READ, &f->err));
    static const char *const views[] = {"trials", "curves",   "epochs", "leaderboard",
                                        "layers", "failures", "sweep_s"};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        char *sql = mem_printf("SELECT * FROM %s", views[i]);
        struct query q;
        expect_ok(f, query_open(&q, reader, sql, &f->err));
        int rc;
        while ((rc = query_next(&q, &f->err)) > 0) {
        }
        expect_ok(f, rc);
        query_close(&q);
        free(sql);
    }
    expect_ok(f, store_close(reader, &f->err));
}

static void a_reader_cannot_write(void **state) {
    struct fixture *f = *state;
    struct store *reader = NULL;
    expect_ok(f, store_open(&reader, f->dir, STORE_READ, &f->err));
    struct query q;
    expect_ok(f, query_open(&q, reader, "DELETE FROM student_t", &f->err));
    assert_true(query_next(&q, &f->err) < 0);
    expect_message(f, "readonly");
    query_close(&q);
    expect_ok(f, store_close(reader, &f->err));
    expect_shell(f, "SELECT count(*) FROM student_t;", "1000\n");
}

static void network_file_systems_are_known_by_their_magic(void **state) {
    (void)state;
    assert_string_equal(store_network_fs(0x6969), "NFS");
    assert_string_equal(store_network_fs(0xfe534d42), "SMB2");
    assert_string_equal(store_network_fs(0x0bd00bd0), "Lustre");
    assert_null(store_network_fs(0xef53));     // ext4
    assert_null(store_network_fs(0x58465342)); // XFS
    assert_null(store_network_fs(0x01021994)); // tmpfs
}

static void closing_nothing_is_fine(void **state) {
    (void)state;
    struct err err;
    assert_int_equal(store_close(NULL, &err), ERR_OK);
}

static void writing_outside_a_transaction_is_refused(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    expect_code(f, store_begin_attempt(f->store, 1, 2, 1, &f->err), ERR_RANGE);
    expect_message(f, "transaction");
    expect_shell(f, "SELECT attempts FROM trials;", "1\n");
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_STORE(the_writer_sets_what_durability_rests_on),
        WITH_STORE(every_table_is_strict),
        WITH_STORE(what_was_written_is_there_after_reopening),
        WITH_STORE(a_clean_end_leaves_one_file_that_can_be_copied),
        WITH_STORE(reading_what_is_not_there_says_how_to_start),
        WITH_STORE(a_file_that_is_no_database_is_refused),
        WITH_STORE(a_truncated_database_is_refused),
        WITH_STORE(after_an_end_that_was_not_clean_a_writer_has_the_file_checked),
        WITH_STORE(after_a_clean_end_too),
        WITH_STORE(a_row_that_breaks_a_constraint_is_damage),
        WITH_STORE(a_definition_that_changed_is_damage),
        WITH_STORE(a_statement_that_does_not_fit_the_tables_is_damage),
        WITH_STORE(after_a_kill_everything_committed_is_there),
        WITH_STORE(an_emptied_database_beside_its_log_is_refused),
        WITH_STORE(a_database_of_another_application_is_refused),
        WITH_STORE(a_database_of_a_newer_version_is_refused),
        WITH_STORE(a_database_that_lost_a_table_is_refused),
        WITH_STORE(an_empty_file_becomes_a_database),
        WITH_STORE(a_lost_database_beside_copies_of_its_rows_is_refused),
        WITH_STORE(odd_folder_names_are_opened),
        WITH_STORE(a_reader_sees_only_what_is_committed),
        WITH_STORE(views_work_in_a_reader_that_trusts_no_schema),
        WITH_STORE(a_reader_cannot_write),
        cmocka_unit_test(network_file_systems_are_known_by_their_magic),
        cmocka_unit_test(closing_nothing_is_fine),
        WITH_STORE(writing_outside_a_transaction_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
