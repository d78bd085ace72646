/* What the store does when the disk is full, fails, or is slow to be freed by somebody else.
 *
 * The failing disk is a VFS between SQLite and the real one, which can fail writes, syncs and the making of shared memory, and which counts
 * the syncs of the write-ahead log: the number of commits that can be lost is 0 only when each has one. */
#include "results/store.h"

#include "base/mem.h"
#include "results/query.h"
#include "results/store_internal.h"
#include "tests/unit/results/store_fixture.h"

#include <errno.h>
#include <pthread.h>
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

/* ---- a disk that fails on demand ---- */

struct disk {
    sqlite3_vfs vfs; // first: SQLite sees this
    sqlite3_vfs *real;
    sqlite3_io_methods methods;
    int fail_write, fail_sync, fail_shm; // SQLite's code to fail with, 0: none
    int cause;                           // errno then
    int wal_syncs, writes;
};
struct file {
    sqlite3_file base; // first
    bool is_wal;
    sqlite3_file *real;
};

static struct disk disk; // SQLite knows a VFS by its address for as long as the process lives

static sqlite3_file *real_of(sqlite3_file *file) {
    return ((struct file *)(void *)file)->real;
}

static int failing(int code) {
    errno = disk.cause;
    return code;
}

static int disk_close(sqlite3_file *file) {
    sqlite3_file *real = real_of(file);
    return real->pMethods == NULL ? SQLITE_OK : real->pMethods->xClose(real);
}
static int disk_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at) {
    return real_of(file)->pMethods->xRead(real_of(file), to, n, at);
}
static int disk_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at) {
    disk.writes++;
    return disk.fail_write != 0 ? failing(disk.fail_write)
                                : real_of(file)->pMethods->xWrite(real_of(file), from, n, at);
}
static int disk_truncate(sqlite3_file *file, sqlite3_int64 size) {
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}
static int disk_sync(sqlite3_file *file, int flags) {
    disk.wal_syncs += ((struct file *)(void *)file)->is_wal;
    return disk.fail_sync != 0 ? failing(disk.fail_sync)
                               : real_of(file)->pMethods->xSync(real_of(file), flags);
}
static int disk_size(sqlite3_file *file, sqlite3_int64 *size) {
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}
static int disk_lock(sqlite3_file *file, int level) {
    return real_of(file)->pMethods->xLock(real_of(file), level);
}
static int disk_unlock(sqlite3_file *file, int level) {
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}
static int disk_reserved(sqlite3_file *file, int *held) {
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), held);
}
static int disk_control(sqlite3_file *file, int op, void *arg) {
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}
static int disk_sector(sqlite3_file *file) {
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}
static int disk_traits(sqlite3_file *file) {
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}
static int disk_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **at) {
    return disk.fail_shm != 0
               ? failing(disk.fail_shm)
               : real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, at);
}
static int disk_shm_lock(sqlite3_file *file, int offset, int n, int flags) {
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}
static void disk_shm_barrier(sqlite3_file *file) {
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}
static int disk_shm_unmap(sqlite3_file *file, int remove) {
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
    (void)vfs;
    struct file *f = (struct file *)(void *)file;
    f->real = (sqlite3_file *)(void *)(f + 1);
    f->is_wal = (flags & SQLITE_OPEN_WAL) != 0;
    f->base.pMethods = &disk.methods;
    return disk.real->xOpen(disk.real, name, f->real, flags, out);
}

static int disk_setup(void **state) {
    disk.real = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.real;
    disk.vfs.zName = "failing";
    disk.vfs.szOsFile = (int)sizeof(struct file) + disk.real->szOsFile;
    disk.vfs.xOpen = disk_open;
    disk.methods = (sqlite3_io_methods){
        2,           disk_close,   disk_read,     disk_write,       disk_truncate,  disk_sync,
        disk_size,   disk_lock,    disk_unlock,   disk_reserved,    disk_control,   disk_sector,
        disk_traits, disk_shm_map, disk_shm_lock, disk_shm_barrier, disk_shm_unmap, NULL,
        NULL};
    return sqlite3_vfs_register(&disk.vfs, 1) == SQLITE_OK ? fixture_setup(state) : -1;
}

static int disk_teardown(void **state) {
    disk.fail_write = disk.fail_sync = disk.fail_shm = disk.cause = 0;
    int rc = fixture_teardown(state);
    (void)sqlite3_vfs_unregister(&disk.vfs);
    return rc;
}

/* ---- the disk's syncs ---- */

static void every_commit_syncs_the_log(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 50);
    for (int e = 1; e <= 50; e++) {
        int before = disk.wal_syncs;
        epoch(f, 1, 1, e, "a 1");
        if (disk.wal_syncs <= before) {
            print_error("epoch %d was committed with %d syncs\n", e, disk.wal_syncs - before);
            fail();
        }
    }
}

/* Epoch 2 of trial 1, in a transaction that is open. */
static void put_second_epoch(struct fixture *f) {
    struct wire_record *record = mem_zalloc(1, sizeof *record);
    record->epoch = 2;
    enum store_epoch_result result;
    begin(f);
    expect_ok(f, store_put_epoch(f->store, 1, 1, record, true, &result, &f->err));
    free(record);
}

/* ---- the files go away ---- */

/* Removes `name`, and then commits epoch 2 of trial 1. */
static void commit_without(struct fixture *f, const char *name, const char *message) {
    one_running_trial(f, 3);
    epoch(f, 1, 1, 1, "a 1");
    char *path = mem_printf("%s/%s", f->dir, name);
    assert_int_equal(unlink(path), 0);
    free(path);
    put_second_epoch(f);
    expect_code(f, store_commit(f->store, &f->err), ERR_IO);
    expect_message(f, message);
}

static void what_is_committed_to_a_file_without_a_name_is_not_told(void **state) {
    struct fixture *f = *state;
    commit_without(f, "results.db", "results.db: removed or replaced");
    expect_code(f, store_begin(f->store, &f->err), ERR_IO);
}

static void nor_is_a_file_settled_that_another_one_replaced(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3);
    epoch(f, 1, 1, 1, "a 1");
    char *path = mem_printf("%s/results.db", f->dir), *other = mem_printf("%s/other", f->dir);
    FILE *file = fopen(other, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(other, path), 0);
    expect_code(f, store_settle(f->store, &f->err), ERR_IO);
    expect_message(f, "results.db: removed or replaced");
    free(path);
    free(other);
}

static void a_log_without_a_name_still_comes_into_the_file(void **state) {
    struct fixture *f = *state;
    commit_without(f, "results.db-wal", "results.db-wal: removed");
    fixture_close(f);
    expect_shell(f, "SELECT epoch FROM epochs; PRAGMA integrity_check;", "1\n2\nok\n");
}

/* ---- the disk fails ---- */

static void expect_dead(struct fixture *f) {
    struct query q;
    expect_code(f, store_begin(f->store, &f->err), ERR_IO);
    expect_message(f, "not used any more");
    expect_code(f, query_open(&q, f->store, "SELECT 1", &f->err), ERR_IO);
}

static void fail_while_committing(struct fixture *f, int *fault) {
    one_running_trial(f, 3);
    epoch(f, 1, 1, 1, "a 1");
    put_second_epoch(f);
    *fault = fault == &disk.fail_sync ? SQLITE_IOERR_FSYNC : SQLITE_IOERR_WRITE;
    expect_code(f, store_commit(f->store, &f->err), ERR_IO);
    expect_message(f, f->dir);
    *fault = 0; // the disk works again, but what it lost is unknown
    expect_dead(f);
    int writes = disk.writes;
    fixture_close(f);
    assert_int_equal(disk.writes, writes); // nor does closing write: the next to open looks first
    fixture_open(f);
    epoch(f, 1, 1, 3, "a 3");
    expect_shell(f, "SELECT epoch, value FROM curves; PRAGMA integrity_check;",
                 "1|1.0\n3|3.0\nok\n");
}

static void a_failed_sync_ends_the_use_of_the_connection(void **state) {
    fail_while_committing(*state, &disk.fail_sync);
}

static void a_failed_sync_is_no_full_disk_whatever_it_says(void **state) {
    disk.cause = ENOSPC;
    fail_while_committing(*state, &disk.fail_sync);
}

static void a_failed_write_ends_the_use_of_the_connection(void **state) {
    fail_while_committing(*state, &disk.fail_write);
}

/* ---- no space left ---- */

static void full_while_committing(struct fixture *f, int code) {
    one_running_trial(f, 3);
    epoch(f, 1, 1, 1, "a 1");
    struct wire_record *record = mem_zalloc(1, sizeof *record);
    record->metric_count = 1;
    strcpy(record->metrics[0].name, "b");
    enum store_epoch_result result;
    begin(f);
    for (record->epoch = 2; record->epoch <= 3; record->epoch++) {
        expect_ok(f, store_put_epoch(f->store, 1, 1, record, true, &result, &f->err));
    }
    free(record);
    disk.fail_write = code;
    expect_code(f, store_commit(f->store, &f->err), ERR_FULL);
    disk.fail_write = 0;
    expect_shell(f, "SELECT epoch, metric, value FROM curves;", "1|a|1.0\n");
    epoch(f, 1, 1, 2, "c 3 b 2"); // b is not taken for what it was before
    expect_shell(f, "SELECT epoch, metric, value FROM curves;", "1|a|1.0\n2|c|3.0\n2|b|2.0\n");
}

static void a_full_disk_rolls_back_and_can_be_tried_again(void **state) {
    full_while_committing(*state, SQLITE_FULL); // what ENOSPC is to SQLite
}

static void so_does_a_full_quota(void **state) {
    disk.cause = EDQUOT;
    full_while_committing(*state, SQLITE_IOERR_WRITE);
}

static void the_log_can_be_settled_when_there_is_room_again(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3);
    epoch(f, 1, 1, 1, "a 1");
    disk.fail_write = SQLITE_FULL;
    expect_code(f, store_settle(f->store, &f->err), ERR_FULL);
    expect_message(f, "nothing is lost");
    expect_code(f, store_settle(f->store, &f->err), ERR_FULL);
    disk.fail_write = 0;
    expect_ok(f, store_settle(f->store, &f->err));
    char *wal = mem_printf("%s/results.db-wal", f->dir);
    struct stat st;
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_size, 0);
    fixture_close(f);
    assert_int_equal(access(wal, F_OK), -1);
    free(wal);
    expect_shell(f, "SELECT epoch, metric, value FROM curves;", "1|a|1.0\n");
}

/* ---- no room for the memory that connections share ---- */

/* As a killed runner leaves it: rows in the write-ahead log, and nobody there. */
static void leave_a_log(struct fixture *f) {
    one_running_trial(f, 3);
    epoch(f, 1, 1, 1, "a 1");
    f->store->dead = true; // closing writes nothing
    fixture_close(f);
    char *command = mem_printf("test -s %s/results.db-wal && rm %s/results.db-shm", f->dir, f->dir);
    assert_int_equal(system(command), 0);
    free(command);
}

static void expect_its_row(struct fixture *f, struct store *reader) {
    struct query q;
    expect_ok(f, query_open(&q, reader, "SELECT value FROM curves WHERE epoch = 1", &f->err));
    assert_int_equal(query_next(&q, &f->err), 1);
    assert_true(query_double(&q, 0) == 1.0);
    query_close(&q);
}

static void without_shared_memory_a_writer_tells_a_full_disk(void **state) {
    struct fixture *f = *state;
    struct store *store;
    leave_a_log(f);
    disk.fail_shm = SQLITE_IOERR_SHMSIZE;
    disk.cause = ENOSPC;
    expect_code(f, store_open(&store, f->dir, STORE_WRITE, &f->err), ERR_FULL);
    expect_message(f, "No space left on device");
    expect_code(f, store_open(&store, f->dir, STORE_CHECK, &f->err), ERR_FULL);
    disk.cause = EIO; // that is none
    expect_code(f, store_open(&store, f->dir, STORE_WRITE, &f->err), ERR_IO);
    expect_code(f, store_open(&store, f->dir, STORE_READ, &f->err), ERR_IO);
}

static void without_shared_memory_readers_read_a_copy_and_are_in_nobodys_way(void **state) {
    struct fixture *f = *state;
    struct store *reader, *second;
    leave_a_log(f);
    disk.fail_shm = SQLITE_IOERR_SHMSIZE;
    disk.cause = ENOSPC;
    int writes = disk.writes;
    expect_ok(f, store_open(&reader, f->dir, STORE_READ, &f->err));
    expect_its_row(f, reader);
    expect_ok(f, store_open(&second, f->dir, STORE_READ, &f->err));
    assert_int_equal(disk.writes, writes); // neither the file nor its log
    disk.fail_shm = 0;
    fixture_open(f); // while they read
    epoch(f, 1, 1, 2, "a 2");
    expect_its_row(f, reader);
    expect_its_row(f, second);
    expect_ok(f, store_close(reader, &f->err));
    expect_ok(f, store_close(second, &f->err));
    expect_shell(f, "SELECT epoch, value FROM curves; PRAGMA integrity_check;",
                 "1|1.0\n2|2.0\nok\n");
}

static void closing_on_a_full_disk_fails_and_loses_nothing(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3);
    epoch(f, 1, 1, 1, "a 1");
    disk.fail_write = SQLITE_FULL; // the write-ahead log cannot be moved into the file
    expect_code(f, store_close(f->store, &f->err), ERR_FULL);
    f->store = NULL;
    disk.fail_write = 0;
    fixture_open(f);
    expect_shell(f, "SELECT epoch, metric, value FROM curves; PRAGMA integrity_check;",
                 "1|a|1.0\nok\n");
}

static void a_limit_of_pages_fails_inside_the_transaction(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3);
    epoch(f, 1, 1, 1, "a 1");
    expect_ok(f, store_exec(f->store, "PRAGMA max_page_count = 1", &f->err)); // no page more
    char *text = mem_zalloc(1 << 20, 1);
    memset(text, 'x', (1 << 20) - 1);
    struct store_end e = {.status = TRIAL_FAILED, .reason = "exit", .log_tail = text};
    begin(f);
    expect_code(f, store_end_attempt(f->store, 1, 1, &e, &f->err), ERR_FULL);
    expect_code(f, store_commit(f->store, &f->err), ERR_RANGE); // it is rolled back already
    expect_shell(f, "SELECT status FROM trials;", "running\n");

    expect_ok(f, store_exec(f->store, "PRAGMA max_page_count = 100000", &f->err));
    begin(f);
    expect_ok(f, store_end_attempt(f->store, 1, 1, &e, &f->err));
    commit(f);
    expect_shell(f, "SELECT status, length(log_tail) FROM trials JOIN failures USING (trial);",
                 "failed|1048575\n");
    free(text);
}

/* ---- somebody else writes ---- */

static void *commit_later(void *db) {
    (void)usleep(300000);
    return sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? db : NULL;
}

static void the_writer_waits_for_a_lock(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3);
    char *path = mem_printf("%s/results.db", f->dir);
    sqlite3 *other;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    free(path);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, commit_later, other), 0);
    epoch(f, 1, 1, 1, "a 1");
    void *committed;
    assert_int_equal(pthread_join(thread, &committed), 0);
    assert_ptr_equal(committed, other);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    expect_shell(f, "SELECT value FROM curves;", "1.0\n");
}

/* Another program, which does what it reads. */
struct other {
    FILE *program;
    int waits, overs;
    bool lets_go, gives_up;
};

static struct other start_other(const struct fixture *f, const char *sql) {
    char *command = mem_printf("sqlite3 %s/results.db", f->dir);
    struct other other = {.program = popen(command, "w")};
    free(command);
    assert_non_null(other.program);
    assert_true(fprintf(other.program, "%s\n.shell touch %s/locked\n", sql, f->dir) > 0);
    assert_int_equal(fflush(other.program), 0);
    char *mark = mem_printf("%s/locked", f->dir);
    while (access(mark, F_OK) != 0) {
        (void)usleep(10000);
    }
    (void)unlink(mark);
    free(mark);
    return other;
}

static bool wait_some(void *context, const struct store *store, int waited_ms) {
    struct other *other = context;
    (void)store;
    other->waits++;
    if (other->lets_go && other->program != NULL && waited_ms > 50) {
        (void)pclose(other->program); // at the end of its input it leaves
        other->program = NULL;
    }
    return !other->gives_up || waited_ms < 100;
}

static void count_over(void *context, const struct store *store) {
    (void)store;
    ((struct other *)context)->overs++;
}

static void who_waits_decides_how_long_and_is_told_of_the_end(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3);
    struct other other = start_other(f, "BEGIN IMMEDIATE;");
    other.gives_up = true;
    const struct store_patience patience = {wait_some, count_over, &other};
    store_set_patience(f->store, &patience);
    expect_code(f, store_begin(f->store, &f->err), ERR_BUSY);
    expect_message(f, "locked by another program (sqlite3, process ");
    expect_message(f, f->dir);
    assert_in_range(other.waits, 2, 1000);
    assert_int_equal(other.overs, 0);

    other.gives_up = false;
    other.lets_go = true;
    expect_ok(f, store_begin(f->store, &f->err));
    store_rollback(f->store);
    assert_int_equal(other.overs, 1);
    begin(f); // nothing to wait for, nothing to tell
    commit(f);
    assert_int_equal(other.overs, 1);
}

static void opening_waits_too(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3);
    fixture_close(f);
    struct other other = start_other(
        f, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM trial WHERE 0;");
    const struct store_patience patience = {wait_some, count_over, &other};
    for (int mode = STORE_READ; mode <= STORE_WRITE; mode++) {
        struct store *store = NULL;
        other.gives_up = true;
        expect_code(f,
                    store_open_patiently(&store, f->dir, (enum store_mode)mode, &patience, &f->err),
                    ERR_BUSY);
        expect_message(f, "locked by another program (sqlite3, process ");
    }
    other.gives_up = false;
    other.lets_go = true;
    expect_ok(f, store_open_patiently(&f->store, f->dir, STORE_WRITE, &patience, &f->err));
    assert_int_equal(other.overs, 1);
}

/* It has the file open, and so may write to it at any moment. */
static void beside_another_connection_nothing_is_copied(void **state) {
    struct fixture *f = *state;
    leave_a_log(f);
    struct other other = start_other(f, "SELECT count(*) FROM trial;");
    other.gives_up = true;
    const struct store_patience patience = {wait_some, count_over, &other};
    struct store *store;
    disk.fail_shm = SQLITE_IOERR_SHMSIZE;
    disk.cause = ENOSPC;
    expect_code(f, store_open_patiently(&store, f->dir, STORE_READ, &patience, &f->err), ERR_BUSY);
    expect_message(f, "locked by another program (sqlite3, process ");
    other.gives_up = false;
    other.lets_go = true;
    expect_ok(f, store_open_patiently(&store, f->dir, STORE_READ, &patience, &f->err));
    expect_its_row(f, store);
    expect_ok(f, store_close(store, &f->err));
}

#define WITH_DISK(test) cmocka_unit_test_setup_teardown(test, disk_setup, disk_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_DISK(every_commit_syncs_the_log),
        WITH_DISK(what_is_committed_to_a_file_without_a_name_is_not_told),
        WITH_DISK(nor_is_a_file_settled_that_another_one_replaced),
        WITH_DISK(a_log_without_a_name_still_comes_into_the_file),
        WITH_DISK(a_failed_sync_ends_the_use_of_the_connection),
        WITH_DISK(a_failed_sync_is_no_full_disk_whatever_it_says),
        WITH_DISK(a_failed_write_ends_the_use_of_the_connection),
        WITH_DISK(a_full_disk_rolls_back_and_can_be_tried_again),
        WITH_DISK(so_does_a_full_quota),
        WITH_DISK(the_log_can_be_settled_when_there_is_room_again),
        WITH_DISK(without_shared_memory_a_writer_tells_a_full_disk),
        WITH_DISK(without_shared_memory_readers_read_a_copy_and_are_in_nobodys_way),
        WITH_DISK(beside_another_connection_nothing_is_copied),
        WITH_DISK(closing_on_a_full_disk_fails_and_loses_nothing),
        WITH_DISK(a_limit_of_pages_fails_inside_the_transaction),
        WITH_DISK(the_writer_waits_for_a_lock),
        WITH_DISK(who_waits_decides_how_long_and_is_told_of_the_end),
        WITH_DISK(opening_waits_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
