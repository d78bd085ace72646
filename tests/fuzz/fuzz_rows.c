/* The files that besom rebuild reads: 't' or 's', and the text of a trial's or a sweep's rows.  Their hash is not looked
 * at here, since random mutation cannot guess it.  Whatever the text is, it is taken or refused, with a word that can
 * be printed; a refused one leaves no row behind; what was taken can be written, is verified, and reads back as
 * nothing new. */
#include "base/err.h"
#include "base/mem.h"
#include "results/query.h"
#include "results/rows.h"
#include "results/snapshot.h"
#include "results/store.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Those that the seeds are about. */
#define KEY  "0123456789abcdef0123456789abcdef"
#define NAME "seed"

static char dir[64];
static struct store *store;
static struct rows_writer *writers[2];

static void close_store(void) {
    struct err err;
    for (int i = 0; i < 2; i++) {
        rows_writer_free(writers[i]);
    }
    (void)store_close(store, &err);
    char *command = mem_printf("rm -rf %s", dir);
    (void)system(command); // a folder in /tmp is left otherwise
    free(command);
}

static void open_store(void) {
    struct err err;
    (void)strcpy(dir, "/tmp/fuzz-rows-XXXXXX"); // fits
    FUZZ_REQUIRE(mkdtemp(dir) != NULL);
    FUZZ_REQUIRE(store_open(&store, dir, STORE_WRITE, &err) == ERR_OK);
    writers[0] = rows_writer_new(store, &snapshot_trial);
    writers[1] = rows_writer_new(store, &snapshot_sweep);
    FUZZ_REQUIRE(atexit(close_store) == 0);
}

static int64_t ask(const char *sql, const char *text) {
    struct query q;
    struct err err;
    FUZZ_REQUIRE(query_open(&q, store, sql, &err) == ERR_OK);
    query_bind_text(&q, 1, text);
    int64_t n = query_next(&q, &err) > 0 ? query_int(&q, 0) : -1;
    query_close(&q);
    return n;
}

static int64_t count_rows(void) {
    return ask("SELECT (SELECT count(*) FROM metric) + (SELECT count(*) FROM heading)"
               " + (SELECT count(*) FROM sweep) + (SELECT count(*) FROM trial)"
               " + (SELECT count(*) FROM member) + (SELECT count(*) FROM cell)"
               " + (SELECT count(*) FROM attempt) + (SELECT count(*) FROM epoch)"
               " + (SELECT count(*) FROM value) + (SELECT count(*) FROM superseded)"
               " + (SELECT count(*) FROM measured) + (SELECT count(*) FROM layer)"
               " + 0 * length(?1)",
               "");
}

static int read_rows(FILE *file, bool trial, struct err *err) {
    const struct rows_kind *kind = trial ? &snapshot_trial : &snapshot_sweep;
    rewind(file);
    return rows_read(store, file, kind, trial ? KEY : NAME, 0, kind->table_count, err);
}

/* What was taken, once more through a file. */
static void write_again(bool trial) {
    int64_t id = trial ? ask("SELECT id FROM trial WHERE key = ?1", KEY)
                       : ask("SELECT id FROM sweep WHERE name = ?1", NAME);
    if (id < 0) {
        return; // of no owner: nothing but names
    }
    struct err err;
    int fd = memfd_create("rows", MFD_CLOEXEC);
    FUZZ_REQUIRE(fd >= 0);
    FUZZ_REQUIRE(rows_write(writers[!trial], fd, id, "\"a\":1", &err) == ERR_OK);
    FUZZ_REQUIRE(rows_is_current(fd, trial ? "trial" : "sweep", "\"a\":1"));
    FILE *file = fdopen(fd, "r");
    FUZZ_REQUIRE(file != NULL && rows_verify(file, &err) == ERR_OK);
    int64_t before = count_rows();
    bool keyless = ask("SELECT count(*) FROM superseded WHERE ?1 IS NOT NULL", "") > 0;
    FUZZ_REQUIRE(read_rows(file, trial, &err) == ERR_OK);
    FUZZ_REQUIRE(keyless || count_rows() == before);
    (void)fclose(file); // only read
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (store == NULL) {
        open_store();
    }
    if (size == 0) {
        return 0;
    }
    bool trial = data[0] != 's';
    struct err err;
    FILE *file = fopen(fuzz_file(data + 1, size - 1), "r");
    FUZZ_REQUIRE(file != NULL);
    FUZZ_REQUIRE(store_begin(store, &err) == ERR_OK);
    int64_t before = count_rows();
    int rc = read_rows(file, trial, &err);
    (void)fclose(file); // only read
    if (rc == ERR_OK) {
        write_again(trial);
    } else {
        FUZZ_REQUIRE(rc == ERR_CORRUPT || rc == ERR_VERSION);
        FUZZ_REQUIRE(err.msg[0] != '\0');
        fuzz_require_printable(err.msg, strlen(err.msg));
        FUZZ_REQUIRE(count_rows() == before);
    }
    store_rollback(store);
    return 0;
}
