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

/* ERR_OK: it is to be made anew. */
static int check_present(const char *out_dir, bool force, struct err *err) {
    struct store *store;
    struct err why, ignored;
    int rc = store_open(&store, out_dir, STORE_READ, &why);
    if (rc == ERR_VERSION || rc == ERR_BUSY) {
        *err = why;
        return rc;
    }
    if (rc != ERR_OK) {
        return ERR_OK; // damaged, or not there
    }
    rc = restore_check(store, &why);
    (void)store_close(store, &ignored); // a reader has nothing to lose
    if (rc != ERR_OK || force) {
        return ERR_OK;
    }
    return err_set(
        err, ERR_RANGE,
        "%s/results.db is intact, so it was left as it is; --force makes it anew all the "
        "same and keeps this one beside it",
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

struct trial_row {
    int64_t id;
    int attempts;
    char *key;
};

static int list_trials(struct store *store, struct trial_row **rows, size_t *count,
                       struct err *err) {
    struct query q;
    int rc = query_open(&q, store, "SELECT id, attempts, key FROM trial ORDER BY id", err);
    if (rc != ERR_OK) {
        return rc;
    }
    while ((rc = query_next(&q, err)) > 0) {
        if ((*count & (*count - 1)) == 0) { // at every power of two
            *rows = mem_resize(*rows, *count == 0 ? 1 : 2 * *count, sizeof **rows);
        }
        (*rows)[(*count)++] = (struct trial_row){query_int(&q, 0), (int)query_int(&q, 1),
                                                 mem_strdup(query_text(&q, 2))};
    }
    query_close(&q);
    return rc;
}

static int read_logs(struct store *store, const char *out_dir, struct log_rows *added,
                     struct err *err) {
    struct trial_row *rows = NULL;
    size_t count = 0;
    int rc = list_trials(store, &rows, &count, err);
    for (size_t i = 0; i < count; i++) {
        if (rc == ERR_OK) {
            char *path = mem_printf("%s/trials/%s/log", out_dir, rows[i].key);
            rc = log_rows_read(store, path, rows[i].id, rows[i].attempts, added, err);
            rc = rc == ERR_OK ? rc : err_wrap(err, "%s", path);
            free(path);
        }
        free(rows[i].key);
    }
    free(rows);
    return rc;
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

static int fill(struct store *store, const char *out_dir, struct rebuild_result *result,
                struct err *err) {
    int closed;
    int rc = store_begin(store, err);
    rc = rc == ERR_OK ? restore_folder(store, out_dir, &result->report, err) : rc;
    rc = rc == ERR_OK ? read_logs(store, out_dir, &result->from_logs, err) : rc;
    rc = rc == ERR_OK ? store_recover(store, &closed, err) : rc;
    rc = rc == ERR_OK ? count_rows(store, result, err) : rc;
    rc = rc == ERR_OK ? store_commit(store, err) : rc;
    return rc == ERR_OK ? restore_check(store, err) : rc;
}

static int make(const char *work, const char *out_dir, struct rebuild_result *result,
                struct err *err) {
    struct store *store;
    struct err second;
    int rc = fs_mkdirs(work, err);
    rc = rc == ERR_OK ? store_open(&store, work, STORE_WRITE, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    rc = fill(store, out_dir, result, err);
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
    *result = (struct rebuild_result){0};
    int rc = check_folder(out_dir, err);
    rc = rc == ERR_OK ? run_lock(out_dir, &lock_fd, err) : rc;
    rc = rc == ERR_OK ? check_present(out_dir, force, err) : rc;
    if (rc == ERR_OK) {
        char *work = mem_printf("%s/%s", out_dir, WORK_DIR);
        remove_work(work);
        rc = make(work, out_dir, result, err);
        rc = rc == ERR_OK ? exchange(work, out_dir, &result->kept, err) : rc;
        remove_work(work);
        free(work);
    }
    if (lock_fd >= 0) {
        (void)close(lock_fd); // releases the folder; nothing was written through it
    }
    return rc;
}
