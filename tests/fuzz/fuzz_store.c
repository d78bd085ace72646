/* A damaged results.db, opened to be read: whatever its bytes are, opening and every view, comparison and
 * curve give rows or an error that says something, and the file stays as it was.
 *
 * A whole database is far too much for random mutation to get right, so that an input is a change of a good
 * one, which is made at the first call:
 *
 *     'f' FILE...                   the file is these bytes
 *     't' LENGTH                    the good file, cut off (3 bytes, little-endian, modulo its length)
 *     else: OFFSET BYTE, ...        the good file, with this byte there (3 bytes and one, again and again) */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/wire.h"
#include "results/compare.h"
#include "results/compare_json.h"
#include "results/curves.h"
#include "results/query.h"
#include "results/store.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[200], path[sizeof dir + sizeof "/results.db"];
static uint8_t *good, *now; // the good file, and the one under test
static size_t good_size;

/* ---- the good file ---- */

static void put_epochs(struct store *store, int64_t trial, int attempt, double first) {
    struct err err;
    enum store_epoch_result result;
    for (int epoch = 1; epoch <= 3; epoch++) {
        struct wire_record record = {.kind = WIRE_EPOCH,
                                     .epoch = epoch,
                                     .seconds = 1.5,
                                     .samples_per_second = 100,
                                     .metric_count = 1};
        (void)strcpy(record.metrics[0].name, "accuracy"); // fits
        record.metrics[0].value = first + 0.1 * epoch;
        FUZZ_REQUIRE(store_put_epoch(store, trial, attempt, &record, false, &result, &err) ==
                     ERR_OK);
    }
}

static int64_t put_trial(struct store *store, int64_t sweep, int i) {
    char key[33], params[64];
    (void)snprintf(key, sizeof key, "%032d", i); // fits
    (void)snprintf(params, sizeof params, "{\"optimizer\":{\"name\":\"o%d\",\"lr\":0.1}}",
                   i); // likewise
    const struct store_point point = {.key = key,
                                      .ordinal = i,
                                      .label = "o",
                                      .params = params,
                                      .config = "{\"epochs\":3}",
                                      .replicate = 1,
                                      .seed = 1,
                                      .epochs = 3};
    struct store_planned planned;
    struct err err;
    FUZZ_REQUIRE(store_put_point(store, sweep, &point, &planned, &err) == ERR_OK);
    return planned.trial;
}

static void fill(struct store *store) {
    const struct store_sweep sweep = {.name = "s",
                                      .spec = "{}",
                                      .axes = "[\"optimizer\"]",
                                      .trainer = "[\"x\"]",
                                      .metric = "accuracy",
                                      .maximize = true};
    struct store_layer layer = {.epoch = 1, .name = (char[]){"fc"}, .histogram = (char[]){"[1,2]"}};
    struct err err;
    int64_t id, trial[4];
    FUZZ_REQUIRE(store_begin(store, &err) == ERR_OK);
    FUZZ_REQUIRE(store_put_sweep(store, &sweep, &id, &err) == ERR_OK);
    for (int i = 0; i < 4; i++) {
        trial[i] = put_trial(store, id, i);
    }
    FUZZ_REQUIRE(store_end_plan(store, id, &err) == ERR_OK);
    for (int i = 0; i < 3; i++) { // one stays pending, one fails, one supersedes
        const struct store_end end = {.status = i == 0 ? TRIAL_FAILED : TRIAL_COMPLETE,
                                      .reason = i == 0 ? "exit" : NULL,
                                      .exit_status = i == 0,
                                      .log_tail = "log"};
        FUZZ_REQUIRE(store_begin_attempt(store, trial[i], 1, 1, &err) == ERR_OK);
        put_epochs(store, trial[i], 1, i);
        FUZZ_REQUIRE(store_put_layer(store, trial[i], &layer, true, &err) == ERR_OK);
        FUZZ_REQUIRE(store_end_attempt(store, trial[i], 1, &end, &err) == ERR_OK);
    }
    put_epochs(store, trial[2], 1, 7);
    FUZZ_REQUIRE(store_commit(store, &err) == ERR_OK);
}

/* Small pages: more of the bytes are structure.  No WAL, which would cost two files a call.  No clock: the
 * same input means the same file in every process. */
static void shrink(void) {
    sqlite3 *db;
    FUZZ_REQUIRE(sqlite3_open(path, &db) == SQLITE_OK);
    FUZZ_REQUIRE(sqlite3_exec(db,
                              "PRAGMA journal_mode = DELETE; PRAGMA page_size = 512;"
                              "UPDATE sweep SET created_at = 0, planned_at = 0;"
                              "UPDATE attempt SET started_at = 0, ended_at = 1;"
                              "UPDATE epoch SET at = 0; UPDATE superseded SET at = 0;"
                              "DELETE FROM student_t WHERE df > 9; VACUUM",
                              NULL, NULL, NULL) == SQLITE_OK);
    FUZZ_REQUIRE(sqlite3_close(db) == SQLITE_OK);
}

static void tidy(void) {
    (void)unlink(path); // these are ours, or were never made
    (void)rmdir(dir);
    free(good);
    free(now);
}

static void make_good(void) {
    struct store *store;
    struct err err;
    const char *tmp = getenv("TMPDIR"); // in scripts/fuzz a folder in memory, which it empties
    (void)snprintf(dir, sizeof dir, "%.150s/besom-fuzz-XXXXXX", tmp != NULL ? tmp : "/tmp"); // fits
    FUZZ_REQUIRE(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof path, "%s/results.db", dir); // fits
    FUZZ_REQUIRE(store_open(&store, dir, STORE_WRITE, &err) == ERR_OK);
    fill(store);
    FUZZ_REQUIRE(store_close(store, &err) == ERR_OK);
    shrink();
    FILE *file = fopen(path, "rbe");
    struct stat st;
    FUZZ_REQUIRE(file != NULL && stat(path, &st) == 0);
    good_size = (size_t)st.st_size;
    good = mem_resize(NULL, good_size, 1);
    now = mem_resize(NULL, good_size, 1);
    FUZZ_REQUIRE(fread(good, 1, good_size, file) == good_size && fclose(file) == 0);
    (void)atexit(tidy); // or the folder is left behind
}

/* ---- reading ---- */

static void require_said(const struct err *err, int rc) {
    FUZZ_REQUIRE(rc < 0 && (int)err->code == rc && err->msg[0] != '\0');
}

static void read_view(struct store *store, const char *view) {
    enum { ROWS_MAX = 1000 };
    char sql[64];
    struct err err;
    struct query query;
    (void)snprintf(sql, sizeof sql, "SELECT * FROM %s", view); // fits
    int rc = query_open(&query, store, sql, &err);
    if (rc != ERR_OK) {
        require_said(&err, rc);
        return;
    }
    int rows = 0;
    while (rows < ROWS_MAX && (rc = query_next(&query, &err)) > 0) {
        for (int i = 0; i < query_columns(&query); i++) {
            FUZZ_REQUIRE(strlen(query_text(&query, i)) <= (size_t)1 << 20);
            (void)query_int(&query, i); // that they can be asked for
            (void)query_double(&query, i);
        }
        rows++;
    }
    if (rc < 0) {
        require_said(&err, rc);
    }
    query_close(&query);
}

static void read_all(struct store *store) {
    static const char *const views[] = {"trials", "curves",   "epochs",  "leaderboard",
                                        "layers", "failures", "sweep_s", "superseded"};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        read_view(store, views[i]);
    }
    struct err err;
    struct compare compare = {0};
    int rc = compare_load(&compare, store, "s", NULL, &err);
    if (rc == ERR_OK) {
        struct buf json = {0};
        struct json_doc *doc;
        compare_group(&compare);
        compare_put_json(&json, &compare, 0);
        FUZZ_REQUIRE(json.len > 0 && json.data[json.len - 1] == '\n');
        if (json_parse(&doc, "json", json.data, json.len, JSON_STRICT, &err) == ERR_OK) {
            json_free(doc); // an axis called "rank" repeats a name
        }
        buf_release(&json);
        compare_release(&compare);
    } else {
        require_said(&err, rc);
    }
    struct curves curves = {0};
    rc = curves_load(&curves, store, "s", &(struct curves_options){0}, &err);
    if (rc == ERR_OK) {
        curves_release(&curves);
    } else {
        require_said(&err, rc);
    }
}

/* ---- the input ---- */

static size_t number(const uint8_t *three) {
    return ((size_t)three[0] | (size_t)three[1] << 8 | (size_t)three[2] << 16) % good_size;
}

/* What the input stands for. */
static const uint8_t *damaged(const uint8_t *data, size_t size, size_t *length) {
    if (size > 0 && data[0] == 'f') {
        *length = size - 1;
        return data + 1;
    }
    *length = good_size;
    memcpy(now, good, good_size);
    if (size >= 4 && data[0] == 't') {
        *length = number(data + 1);
        return now;
    }
    for (size_t at = 0; at + 4 <= size; at += 4) {
        now[number(data + at)] = data[at + 3];
    }
    return now;
}

static void put_file(const uint8_t *bytes, size_t length) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    FUZZ_REQUIRE(fd >= 0 && write(fd, bytes, length) == (ssize_t)length && close(fd) == 0);
}

static void require_unchanged(const uint8_t *bytes, size_t length) {
    uint8_t *read_back = mem_resize(NULL, length + 1, 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    FUZZ_REQUIRE(fd >= 0 && read(fd, read_back, length + 1) == (ssize_t)length && close(fd) == 0);
    FUZZ_REQUIRE(memcmp(read_back, bytes, length) == 0);
    free(read_back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (good == NULL) {
        make_good();
    }
    size_t length;
    const uint8_t *bytes = damaged(data, size, &length);
    put_file(bytes, length);
    struct store *store;
    struct err err;
    int rc = store_open(&store, dir, STORE_READ, &err);
    if (rc == ERR_OK) {
        read_all(store);
        FUZZ_REQUIRE(store_close(store, &err) == ERR_OK);
    } else {
        require_said(&err, rc);
        FUZZ_REQUIRE(strstr(err.msg, path) != NULL);
    }
    require_unchanged(bytes, length);
    return 0;
}
