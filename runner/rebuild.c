#include "runner/rebuild.h"

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "results/query.h"
#include "results/store.h"
#include "runner/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WORK_DIR "rebuild.tmp"

/* Those of a database, itself first: see invariant 2. */
static const char *const suffixes[] = {"", "-wal", "-journal", "-shm"};
enum { SUFFIX_COUNT = sizeof suffixes / sizeof *suffixes };

void rebuild_result_release(struct rebuild_result *result) {
    restore_report_release(&result->report);
    free(result->kept);
}

/* ---- may it be? ---- */

static int check_folder(const char *out_dir, struct err *err) {
    if (access(out_dir, F_OK) != 0) {
        int cause = errno;
        return cause == ENOENT
                   ? err_set(err, ERR_NOT_FOUND, "%s: no such folder; --out names it", out_dir)
                   : err_io(err, cause, "%s", out_dir);
    }
    char *trials = mem_printf("%s/trials", out_dir), *sweeps = mem_printf("%s/sweeps", out_dir);
    bool any = access(trials, F_OK) == 0 || access(sweeps, F_OK) == 0;
    free(trials);
    free(sweeps);
    return any ? ERR_OK
               : err_set(err, ERR_NOT_FOUND,
                         "%s: no results folder: it has neither trials/ nor sweeps/", out_dir);
}

/* ERR_OK: it is to be made anew, but for one that looks intact and is *present, to be compared with what is made. */
static int look_at_present(const char *out_dir, bool force, struct store **present,
                           struct err *err) {
    struct store *store;
    struct err why, ignored;
    int rc = store_open(&store, out_dir, STORE_CHECK, &why);
    if (rc == ERR_BUSY || rc == ERR_FULL || (rc == ERR_VERSION && !force)) {
        *err = why;
        return rc != ERR_VERSION
                   ? rc
                   : err_set(err, rc,
                             "%.900s; --force makes it anew all the same and keeps this "
                             "one beside it",
                             why.msg);
    }
    if (rc != ERR_OK) {
        return ERR_OK; // damaged, or not there
    }
    if (restore_check(store, &why) == ERR_OK && !force) {
        *present = store;
    } else {
        (void)store_close(store, &ignored); // a reader has nothing to lose
    }
    return ERR_OK;
}

/* Never ERR_OK: it is left as it was, since it is equal, or since it is not for us to say that what it has besides is
 * worth nothing. */
static int compare(struct store *made, struct store *present, const char *out_dir,
                   struct rebuild_result *result, struct err *err) {
    int64_t count = 0;
    struct buf *text = &result->report.problems;
    int rc = restore_compare(made, present, text, &count, err);
    if (rc == ERR_OK && count == 0) { // else each trial would be told twice
        rc = log_rows_read_all(made, out_dir, false, &result->from_logs, err);
        rc = rc == ERR_OK ? restore_compare_attempts(made, present, text, &count, err) : rc;
    }
    if (rc != ERR_OK) {
        return err_wrap(err, "compare %s/results.db with its copies", out_dir);
    }
    if (count > 0) {
        return err_set(err, ERR_CORRUPT,
                       "%s/results.db differs from its copies, as said above, and was left as it "
                       "was; the copies are whole by their hashes: --force makes it anew from them "
                       "and keeps this one beside it",
                       out_dir);
    }
    return err_set(err, ERR_RANGE,
                   "%s/results.db is intact, so it was left as it is; --force makes it anew all "
                   "the same and keeps this one beside it",
                   out_dir);
}

/* ---- the new one ---- */

/* Of a rebuild that was interrupted, or of this one. */
static void remove_work(const char *work) {
    for (int i = 0; i < SUFFIX_COUNT; i++) {
        char *path = mem_printf("%s/results.db%s", work, suffixes[i]);
        (void)unlink(path); // absent as a rule
        free(path);
    }
    (void)rmdir(work); // likewise; what else is in there is not ours
}

static int count_rows(struct store *store, struct rebuild_result *result, struct err *err) {
    struct query q;
    int rc = query_open(&q, store,
                        "SELECT (SELECT count(*) FROM sweep), (SELECT count(*) FROM trial),"
                        " (SELECT count(*) FROM epoch)",
                        err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = query_next(&q, err);
    if (rc > 0) {
        result->sweeps = query_int(&q, 0);
        result->trials = query_int(&q, 1);
        result->epochs = query_int(&q, 2);
    }
    query_close(&q);
    return rc < 0 ? rc : ERR_OK;
}

static int fill(struct store *store, struct store *present, const char *out_dir,
                struct rebuild_result *result, struct err *err) {
    int closed;
    int rc = store_begin(store, err);
    rc = rc == ERR_OK ? restore_folder(store, out_dir, &result->report, err) : rc;
    if (rc == ERR_OK && present != NULL) {
        return compare(store, present, out_dir, result, err);
    }
    rc = rc == ERR_OK ? log_rows_read_all(store, out_dir, false, &result->from_logs, err) : rc;
    rc = rc == ERR_OK ? store_recover(store, &closed, err) : rc;
    rc = rc == ERR_OK ? count_rows(store, result, err) : rc;
    rc = rc == ERR_OK ? store_commit(store, err) : rc;
    return rc == ERR_OK ? restore_check(store, err) : rc;
}

static int make(const char *work, struct store *present, const char *out_dir,
                struct rebuild_result *result, struct err *err) {
    struct store *store;
    struct err second;
    int rc = fs_mkdirs(work, err);
    rc = rc == ERR_OK ? store_open(&store, work, STORE_WRITE, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    rc = fill(store, present, out_dir, result, err);
    int closed = store_close(store, &second); // moves the log's rows into the file and flushes it
    if (rc == ERR_OK && closed != ERR_OK) {
        *err = second;
        rc = closed;
    }
    return rc;
}

/* ---- the exchange ---- */

static int sync_folder(const char *path, struct err *err) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        (void)err_io(err, errno, "fsync folder %s", path);
        if (fd >= 0) {
            (void)close(fd); // nothing was written through it
        }
        return err->code;
    }
    (void)close(fd); // likewise
    return ERR_OK;
}

/* A name for what is put aside that nothing has yet: "DIR/results.db.damaged-20261123T221305Z". */
static char *name_aside(const char *out_dir) {
    char at[32];
    struct tm utc;
    time_t now = time(NULL);
    (void)gmtime_r(&now, &utc);                            // fails past the year 2^31
    (void)strftime(at, sizeof at, "%Y%m%dT%H%M%SZ", &utc); // fits
    char *name = mem_printf("%s/results.db.damaged-%s", out_dir, at);
    for (int i = 2;; i++) {
        bool taken = false;
        for (int s = 0; s < SUFFIX_COUNT; s++) {
            char *path = mem_printf("%s%s", name, suffixes[s]);
            taken = taken || access(path, F_OK) == 0;
            free(path);
        }
        if (!taken) {
            return name;
        }
        free(name);
        name = mem_printf("%s/results.db.damaged-%s-%d", out_dir, at, i);
    }
}

static int put_aside(const char *out_dir, char **kept, struct err *err) {
    char *aside = name_aside(out_dir);
    int rc = ERR_OK, moved = 0;
    for (int i = 0; i < SUFFIX_COUNT && rc == ERR_OK; i++) {
        char *from = mem_printf("%s/results.db%s", out_dir, suffixes[i]);
        char *to = mem_printf("%s%s", aside, suffixes[i]);
        if (rename(from, to) == 0) {
            moved++;
            rc = sync_folder(out_dir,
                             err); // each before the next: invariant 2 holds after a power cut
        } else if (errno != ENOENT) {
            rc = err_io(err, errno, "rename %s to %s", from, to);
        }
        free(from);
        free(to);
    }
    if (rc == ERR_OK && moved > 0) {
        *kept = aside;
    } else {
        free(aside);
    }
    return rc;
}

static int exchange(const char *work, const char *out_dir, char **kept, struct err *err) {
    int rc = put_aside(out_dir, kept, err);
    if (rc != ERR_OK) {
        return rc;
    }
    char *from = mem_printf("%s/results.db", work), *to = mem_printf("%s/results.db", out_dir);
    rc = rename(from, to) == 0 ? sync_folder(out_dir, err)
                               : err_io(err, errno, "rename %s to %s", from, to);
    free(from);
    free(to);
    return rc;
}

int rebuild_run(const char *out_dir, bool force, struct rebuild_result *result, struct err *err) {
    int lock_fd = -1;
    struct store *present = NULL;
    struct err ignored;
    *result = (struct rebuild_result){0};
    int rc = check_folder(out_dir, err);
    rc = rc == ERR_OK ? run_lock(out_dir, &lock_fd, err) : rc;
    rc = rc == ERR_OK ? look_at_present(out_dir, force, &present, err) : rc;
    if (rc == ERR_OK) {
        char *work = mem_printf("%s/%s", out_dir, WORK_DIR);
        remove_work(work);
        rc = make(work, present, out_dir, result, err);
        rc = rc == ERR_OK ? exchange(work, out_dir, &result->kept, err) : rc;
        remove_work(work);
        free(work);
    }
    (void)store_close(present, &ignored); // a reader has nothing to lose
    if (lock_fd >= 0) {
        (void)close(lock_fd); // releases the folder; nothing was written through it
    }
    return rc;
}
