/* Files of versions 1 and 2: what a writer makes of them, and what a reader sees.  They are built by the
 * sqlite3 program from the schemas of those versions, which are kept beside this file. */
#include "results/store.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "results/query.h"
#include "tests/unit/results/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The trial of one_running_trial() after its first epoch, as version 1 stored it, and a layer of it. */
static const char rows_v1[] =
    "PRAGMA application_id = 1650815853; PRAGMA journal_mode = WAL;\n"
    "INSERT INTO metric VALUES (1, 'val_accuracy');\n"
    "INSERT INTO sweep VALUES (1, 's', 'sweep_s', 'a test', '{}', '[\"optimizer\"]', '[]',"
    " '[\"t\"]', 'val_accuracy', 1, 'maximize', 1000.0, 1000.0);\n"
    "INSERT INTO trial (id, key, sweep, seed, config, epochs, epochs_done, attempts, status)"
    " VALUES (1, 'a0000000000000000000000000000000', 1, 1,"
    " '{\"epochs\":2,\"key\":\"a\"}', 2, 1, 1, 'paused');\n"
    "INSERT INTO member VALUES (1, 1, 1, 1, 'adam', '{\"optimizer\":\"adam\"}', 1);\n"
    "INSERT INTO heading VALUES (1, 'optimizer');\n"
    "INSERT INTO cell VALUES (1, 1, 1, 'adam');\n"
    "INSERT INTO attempt VALUES (1, 1, 1, 1000.0, 1001.0, 0, NULL, 'runner died', NULL, NULL, NULL,"
    " NULL);\n"
    "INSERT INTO epoch VALUES (1, 1, 1, 1.5, 100.0, 1000.5);\n"
    "INSERT INTO value VALUES (1, 1, 1, 0, 0.5, 4602678819172646912);\n"
    "INSERT INTO summary VALUES (1, 1, 0.5, 1, 0.5, 1, 0.5, 1);\n"
    "INSERT INTO measured VALUES (1, 1);\n"
    "INSERT INTO layer (trial, epoch, layer, mean, std, min, max, dead, saturated, histogram)"
    " VALUES (1, 1, 'dense', 0.25, 1.0, -3.0, 3.0, 0.0, 0.125, '[1,2]');\n"
    "CREATE VIEW sweep_s AS SELECT m.trial AS trial, t.status AS status FROM member m"
    " JOIN trial t ON t.id = m.trial WHERE m.sweep = 1 AND m.present;\n";

/* All that a program can see of tables and views. */
static const char shape_sql[] =
    "SELECT l.name, l.type, l.strict, l.wr, c.* FROM pragma_table_list l, "
    "pragma_table_info(l.name) c"
    " WHERE l.schema = 'main' AND l.name NOT LIKE 'sqlite_%' AND l.name != 'sweep_s'"
    " ORDER BY l.name, c.cid;\n"
    "SELECT name, sql FROM sqlite_schema WHERE type IN ('view', 'index') AND name != 'sweep_s'"
    " ORDER BY name;";

static struct buf read_file(struct fixture *f, const char *path) {
    struct buf contents = {0};
    expect_ok(f, fs_read(path, 64 << 20, &contents, &f->err));
    return contents;
}

/* Puts a file of an older version in the place of the fixture's. */
static void make_old(struct fixture *f, int version) {
    fixture_close(f);
    char *path = mem_printf("%s/results.db", f->dir);
    assert_int_equal(remove(path), 0);
    struct buf schema = read_file(f, version == 1 ? SCHEMA_V1_SQL : SCHEMA_V2_SQL);
    char *sql =
        mem_printf("%s\nPRAGMA user_version = %d;\n%s", buf_text(&schema), version, rows_v1);
    assert_string_equal(shell(f, sql), "wal\n");
    free(sql);
    free(path);
    buf_release(&schema);
}

static void make_v1(struct fixture *f) {
    make_old(f, 1);
}

static void expect_old_rows(struct fixture *f) {
    expect_shell(f, "SELECT * FROM curves;", "s|1|1|val_accuracy|0.5\n");
    expect_shell(f, "SELECT * FROM sweep_s;", "1|paused\n");
    expect_shell(f, "SELECT label, status, epochs_done, best_value FROM trials;",
                 "adam|paused|1|0.5\n");
}

static void a_writer_makes_it_a_file_of_this_version(void **state) {
    struct fixture *f = *state;
    char *fresh = mem_strdup(shell(f, shape_sql));
    for (int version = 1; version <= 2; version++) {
        make_old(f, version);
        assert_true(strcmp(shell(f, shape_sql), fresh) != 0);
        fixture_open(f);
        expect_shell(f, shape_sql, fresh);
        expect_shell(f,
                     "PRAGMA user_version; PRAGMA application_id; PRAGMA integrity_check;"
                     " PRAGMA foreign_key_check;",
                     "3\n1650815853\nok\n");
        expect_old_rows(f);
    }
    free(fresh);
}

static void its_rows_are_kept_and_new_columns_are_null(void **state) {
    struct fixture *f = *state;
    make_v1(f);
    fixture_open(f);
    expect_old_rows(f);
    expect_shell(f, "SELECT * FROM layers;",
                 "s|1|1|dense|0.25|1.0|-3.0|3.0|0.0|0.125|[1,2]"
                 "|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL\n");
    expect_shell(f, "SELECT stopped FROM trial;", "NULL\n");
    expect_shell(f, "SELECT reason, class FROM failures;", "runner died|NULL\n");
    expect_shell(f, "SELECT program, peak_mb, seconds, barren FROM attempt;",
                 "NULL|NULL|NULL|NULL\n");
}

static void a_trial_of_it_goes_on(void **state) {
    struct fixture *f = *state;
    make_v1(f);
    fixture_open(f);
    int64_t id = sweep(f, "s", "[\"optimizer\"]", "val_accuracy", true);
    struct store_planned planned = point(f, id, "a", "adam", "{\"optimizer\":\"adam\"}", 1, 2);
    end_plan(f, id);
    assert_int_equal(planned.trial, 1);
    assert_int_equal(planned.plan, PLAN_CONTINUE);
    attempt(f, 1, 2);
    epoch(f, 1, 2, 2, "val_accuracy 0.75");
    end(f, 1, 2, TRIAL_COMPLETE, NULL);
    expect_shell(f, "SELECT epoch, value FROM curves; SELECT status, best_value FROM trials;",
                 "1|0.5\n2|0.75\ncomplete|0.75\n");
}

static void a_second_opening_changes_nothing(void **state) {
    struct fixture *f = *state;
    make_v1(f);
    fixture_open(f);
    fixture_close(f);
    char *path = mem_printf("%s/results.db", f->dir);
    struct buf before = read_file(f, path);
    fixture_open(f);
    fixture_close(f);
    struct buf after = read_file(f, path);
    assert_int_equal(after.len, before.len);
    assert_memory_equal(buf_text(&after), buf_text(&before), before.len);
    buf_release(&before);
    buf_release(&after);
    free(path);
}

/* A view's name is taken, so all new columns have been made by then. */
static void an_upgrade_that_fails_leaves_version_1_whole(void **state) {
    struct fixture *f = *state;
    make_v1(f);
    (void)shell(f, "DROP VIEW failures; CREATE TABLE failures (a);");
    char *before = mem_strdup(shell(f, shape_sql));
    struct store *store = NULL;
    expect_code(f, store_open(&store, f->dir, STORE_WRITE, &f->err), ERR_CORRUPT);
    expect_message(f, "bring the tables from version 1 to 3");
    expect_message(f, "failures");
    assert_null(store);
    expect_shell(f, "PRAGMA user_version;", "1\n");
    expect_shell(f, shape_sql, before);
    expect_old_rows(f);
    free(before);
}

static void a_reader_leaves_it_and_sees_null(void **state) {
    struct fixture *f = *state;
    make_v1(f);
    char *path = mem_printf("%s/results.db", f->dir);
    struct buf before = read_file(f, path);
    struct store *reader = NULL;
    expect_ok(f, store_open(&reader, f->dir, STORE_READ, &f->err));

    struct query q;
    expect_ok(f,
              query_open(&q, reader,
                         "SELECT layer, saturated, histogram, position, gradient_std, update_ratio"
                         " FROM layers",
                         &f->err));
    assert_int_equal(query_next(&q, &f->err), 1);
    assert_string_equal(query_text(&q, 0), "dense");
    assert_true(query_double(&q, 1) == 0.125);
    assert_string_equal(query_text(&q, 2), "[1,2]");
    for (int column = 3; column < 6; column++) {
        assert_true(query_is_null(&q, column));
    }
    assert_int_equal(query_next(&q, &f->err), 0);
    query_close(&q);

    struct store_planned planned;
    struct store_point known = {.key = "a0000000000000000000000000000000",
                                .config = "{\"epochs\":2,\"key\":\"a\"}",
                                .epochs = 2};
    expect_ok(f, store_preview_point(reader, &known, &planned, &f->err));
    assert_int_equal(planned.plan, PLAN_CONTINUE);

    expect_ok(f, store_close(reader, &f->err));
    struct buf after = read_file(f, path);
    assert_int_equal(after.len, before.len);
    assert_memory_equal(buf_text(&after), buf_text(&before), before.len);
    buf_release(&before);
    buf_release(&after);
    free(path);
}

static void expect_every_column(struct fixture *f, const char *columns) {
    struct store *reader = NULL;
    expect_ok(f, store_open(&reader, f->dir, STORE_READ, &f->err));
    int views = 0;
    char *rest = NULL, *copy = mem_strdup(columns);
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *bar = strchr(line, '|');
        assert_non_null(bar);
        char *sql = mem_printf("SELECT %s FROM %.*s", bar + 1, (int)(bar - line), line);
        struct query q;
        expect_ok(f, query_open(&q, reader, sql, &f->err));
        assert_true(query_next(&q, &f->err) >= 0);
        query_close(&q);
        free(sql);
        views++;
    }
    assert_int_equal(views, 6);
    free(copy);
    expect_ok(f, store_close(reader, &f->err));
}

/* Every column of every view of a new file can be asked of an old one. */
static void a_reader_finds_every_view_and_column(void **state) {
    struct fixture *f = *state;
    char *columns = mem_strdup(shell(f, "SELECT l.name, group_concat('\"' || c.name || '\"')"
                                        " FROM pragma_table_list l, pragma_table_info(l.name) c"
                                        " WHERE l.type = 'view' GROUP BY l.name;"));
    make_old(f, 1);
    expect_every_column(f, columns);
    fixture_open(f);
    make_old(f, 2);
    expect_every_column(f, columns);
    free(columns);
}

static void a_reader_goes_on_while_a_writer_upgrades(void **state) {
    struct fixture *f = *state;
    make_v1(f);
    struct store *reader = NULL;
    expect_ok(f, store_open(&reader, f->dir, STORE_READ, &f->err));
    fixture_open(f);
    begin(f);
    expect_ok(f, store_begin_attempt(f->store, 1, 2, 1, &f->err));
    commit(f);
    struct query q;
    expect_ok(f, query_open(&q, reader, "SELECT status, attempts FROM trials", &f->err));
    assert_int_equal(query_next(&q, &f->err), 1);
    assert_string_equal(query_text(&q, 0), "running");
    assert_int_equal(query_int(&q, 1), 2);
    query_close(&q);
    expect_ok(f, query_open(&q, reader, "SELECT position, update_ratio FROM layers", &f->err));
    assert_int_equal(query_next(&q, &f->err), 1);
    query_close(&q);
    expect_ok(f, store_close(reader, &f->err));
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_writer_makes_it_a_file_of_this_version),
        WITH_STORE(its_rows_are_kept_and_new_columns_are_null),
        WITH_STORE(a_trial_of_it_goes_on),
        WITH_STORE(a_second_opening_changes_nothing),
        WITH_STORE(an_upgrade_that_fails_leaves_version_1_whole),
        WITH_STORE(a_reader_leaves_it_and_sees_null),
        WITH_STORE(a_reader_finds_every_view_and_column),
        WITH_STORE(a_reader_goes_on_while_a_writer_upgrades),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
