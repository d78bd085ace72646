#include "results/restore.h"

#include "base/err.h"
#include "base/mem.h"
#include "results/query.h"
#include "results/rows.h"
#include "results/snapshot.h"
#include "results/store_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct restore {
    struct store *store;
    const char *dir;
    struct restore_report *report;
};

void restore_report_release(struct restore_report *report) {
    buf_release(&report->problems);
}

static void note(struct restore *r, const char *path, const struct err *err) {
    struct buf *out = &r->report->problems;
    r->report->damaged++;
    for (const char *c = path; *c != '\0'; c++) {
        buf_putc(out, (unsigned char)*c < ' ' || *c == 127 ? '?' : *c);
    }
    buf_printf(out, ": %s\n", err->msg);
}

/* A failure of a file, or of the new store itself? */
static bool is_files_fault(const struct restore *r, int code) {
    return !r->store->dead && (code == ERR_CORRUPT || code == ERR_VERSION || code == ERR_IO ||
                               code == ERR_NOT_FOUND || code == ERR_RANGE);
}

/* ---- one file ---- */

static FILE *open_file(const char *path, struct err *err) {
    // without O_NONBLOCK the open of a FIFO that nobody writes would never return
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;
    if (fd < 0) {
        int cause = errno;
        (void)err_io(err, cause, "open");
        err->code = cause == ENOENT || cause == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
        return NULL;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd); // only looked at
        (void)err_set(err, ERR_IO, "not a regular file");
        return NULL;
    }
    FILE *file = fdopen(fd, "r");
    if (file == NULL) {
        (void)err_io(err, errno, "open");
        (void)close(fd); // nothing was read
    }
    return file;
}

static int read_file(struct restore *r, const char *path, const struct rows_kind *kind,
                     const char *owner, int first, int last, struct err *err) {
    FILE *file = open_file(path, err);
    if (file == NULL) {
        return err->code;
    }
    int rc = rows_verify(file, err);
    rc = rc == ERR_OK ? rows_read(r->store, file, kind, owner, first, last, err) : rc;
    (void)fclose(file); // only read
    return rc;
}

/* ---- sweeps ---- */

static int is_sweep_file(const struct dirent *entry) {
    size_t len = strlen(entry->d_name), end = strlen(SNAPSHOT_SWEEP_END);
    return entry->d_name[0] != '.' && len > end &&
           strcmp(entry->d_name + len - end, SNAPSHOT_SWEEP_END) == 0;
}

/* The names in a folder, sorted; none when there is no such folder. */
static int list_folder(const char *path, int (*wanted)(const struct dirent *),
                       struct dirent ***names, int *count, struct err *err) {
    *names = NULL;
    *count = scandir(path, names, wanted, alphasort);
    if (*count < 0) {
        int cause = errno;
        *count = 0;
        return cause == ENOENT ? ERR_OK : err_io(err, cause, "%s", path);
    }
    return ERR_OK;
}

static void free_names(struct dirent **names, int count) {
    for (int i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}

static int read_sweep(struct restore *r, const char *name, bool head, struct err *err) {
    char *path = mem_printf("%s/sweeps/%s%s", r->dir, name, SNAPSHOT_SWEEP_END);
    int rc = head ? read_file(r, path, &snapshot_sweep, name, 0, SNAPSHOT_SWEEP_HEAD, err)
                  : read_file(r, path, &snapshot_sweep, name, SNAPSHOT_SWEEP_HEAD,
                              snapshot_sweep.table_count, err);
    if (rc == ERR_OK) {
        r->report->sweep_files += !head;
    } else if (is_files_fault(r, rc)) {
        note(r, path, err);
        rc = ERR_OK;
    }
    free(path);
    return rc;
}

/* The sweeps that are there now, by their plans' times: an array of names, NULL at its end. */
static int list_sweeps(struct restore *r, char ***names, struct err *err) {
    struct query q;
    int count = 0;
    int rc = query_open(&q, r->store, "SELECT name FROM sweep ORDER BY planned_at, id", err);
    if (rc != ERR_OK) {
        return rc;
    }
    *names = mem_zalloc(1, sizeof **names);
    while ((rc = query_next(&q, err)) > 0) {
        *names = mem_resize(*names, (size_t)count + 2, sizeof **names);
        (*names)[count++] = mem_strdup(query_text(&q, 0));
        (*names)[count] = NULL;
    }
    query_close(&q);
    return rc;
}

/* All sweeps before the first trial: it may have been made by any of them. */
static int read_sweeps(struct restore *r, struct err *err) {
    struct dirent **files;
    int count;
    char *path = mem_printf("%s/sweeps", r->dir), **names = NULL;
    int rc = list_folder(path, is_sweep_file, &files, &count, err);
    free(path);
    for (int i = 0; i < count && rc == ERR_OK; i++) {
        char *name = files[i]->d_name;
        name[strlen(name) - strlen(SNAPSHOT_SWEEP_END)] = '\0';
        rc = read_sweep(r, name, true, err);
    }
    free_names(files, count);
    rc = rc == ERR_OK ? list_sweeps(r, &names, err) : rc;
    for (int i = 0; names != NULL && names[i] != NULL; i++) {
        rc = rc == ERR_OK ? read_sweep(r, names[i], false, err) : rc;
        free(names[i]);
    }
    free(names);
    return rc;
}

/* ---- trials ---- */

static int is_trial_folder(const struct dirent *entry) {
    return strlen(entry->d_name) == HASH_HEX_LEN &&
           strspn(entry->d_name, "0123456789abcdef") == HASH_HEX_LEN;
}

static int read_trial(struct restore *r, const char *key, struct err *err) {
    char *path = mem_printf("%s/trials/%s/%s", r->dir, key, SNAPSHOT_TRIAL_FILE);
    int rc = read_file(r, path, &snapshot_trial, key, 0, snapshot_trial.table_count, err);
    if (rc == ERR_OK) {
        r->report->trial_files++;
    } else if (rc == ERR_NOT_FOUND) {
        r->report->without++;
        rc = ERR_OK;
    } else if (is_files_fault(r, rc)) {
        note(r, path, err);
        rc = ERR_OK;
    }
    free(path);
    return rc;
}

static int read_trials(struct restore *r, struct err *err) {
    struct dirent **keys;
    int count;
    char *path = mem_printf("%s/trials", r->dir);
    int rc = list_folder(path, is_trial_folder, &keys, &count, err);
    free(path);
    for (int i = 0; i < count && rc == ERR_OK; i++) {
        rc = read_trial(r, keys[i]->d_name, err);
    }
    free_names(keys, count);
    return rc;
}

/* ---- what follows from the rest ---- */

/* What a plan said of a trial's attempts is worth nothing without them. */
static int reset_lost(struct restore *r, struct err *err) {
    int rc = store_exec(r->store,
                        "UPDATE trial SET status = 'pending', attempts = 0, epochs_done = 0,"
                        " stopped = NULL WHERE attempts > 0"
                        " AND id NOT IN (SELECT trial FROM attempt)",
                        err);
    if (rc == ERR_OK) {
        r->report->reset = sqlite3_changes(r->store->db);
    }
    return rc;
}

/* Calls `each` with every number that `sql` gives. */
static int for_each(struct restore *r, const char *sql,
                    int (*each)(struct store *, int64_t, struct err *), struct err *err) {
    struct query q;
    int64_t *ids = NULL;
    size_t count = 0;
    int rc = query_open(&q, r->store, sql, err);
    if (rc != ERR_OK) {
        return rc;
    }
    while ((rc = query_next(&q, err)) > 0) {
        if ((count & (count - 1)) == 0) { // at every power of two
            ids = mem_resize(ids, count == 0 ? 1 : 2 * count, sizeof *ids);
        }
        ids[count++] = query_int(&q, 0);
    }
    query_close(&q); // before a view is made anew
    for (size_t i = 0; i < count && rc == ERR_OK; i++) {
        rc = each(r->store, ids[i], err);
    }
    free(ids);
    return rc;
}

static int make_summary(struct store *store, int64_t trial, struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_SUMMARY_MAKE, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, trial);
    return store_run(store, stmt, err);
}

int restore_folder(struct store *store, const char *dir, struct restore_report *report,
                   struct err *err) {
    struct restore r = {.store = store, .dir = dir, .report = report};
    int rc = store_check_writing(store, err);
    rc = rc == ERR_OK ? read_sweeps(&r, err) : rc;
    rc = rc == ERR_OK ? read_trials(&r, err) : rc;
    rc = rc == ERR_OK ? reset_lost(&r, err) : rc;
    rc = rc == ERR_OK ? for_each(&r, "SELECT id FROM trial WHERE attempts > 0", make_summary, err)
                      : rc;
    rc = rc == ERR_OK ? for_each(&r, "SELECT id FROM sweep", store_make_view, err) : rc;
    if (rc == ERR_OK && report->sweep_files + report->trial_files == 0) {
        rc = err_set(err, ERR_NOT_FOUND,
                     "%s: nothing to make results.db from: neither sweeps/ nor trials/ has a file "
                     "with rows%s",
                     dir, report->damaged > 0 ? " that is whole" : "");
    }
    return rc;
}

/* ---- checks and times ---- */

int restore_check(struct store *store, struct err *err) {
    struct query q;
    int rc = query_open(&q, store, "PRAGMA integrity_check(1)", err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = query_next(&q, err);
    if (rc > 0) {
        rc = strcmp(query_text(&q, 0), "ok") == 0
                 ? ERR_OK
                 : err_set(err, ERR_CORRUPT, "%s: %s", store->path, query_text(&q, 0));
    }
    query_close(&q);
    rc = rc == ERR_OK ? query_open(&q, store, "PRAGMA foreign_key_check", err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    rc = query_next(&q, err);
    if (rc > 0) {
        rc = err_set(err, ERR_CORRUPT, "%s: a row of %s refers to none of %s", store->path,
                     query_text(&q, 0), query_text(&q, 2));
    }
    query_close(&q);
    return rc;
}

int restore_set_times(struct store *store, int64_t trial, int attempt, double started_at,
                      struct err *err) {
    static const char *const sql[] = {
        "UPDATE attempt SET started_at = ?3 WHERE trial = ?1 AND attempt = ?2",
        "UPDATE epoch SET at = ?3 + t.took FROM (SELECT e.epoch AS epoch,"
        " total(e.seconds) OVER (ORDER BY e.epoch) AS took FROM epoch e"
        " WHERE e.trial = ?1 AND e.attempt = ?2) t"
        " WHERE epoch.trial = ?1 AND epoch.attempt = ?2 AND epoch.epoch = t.epoch",
    };
    int rc = store_check_writing(store, err);
    for (int i = 0; i < 2 && rc == ERR_OK; i++) {
        struct query q;
        rc = query_open(&q, store, sql[i], err);
        if (rc != ERR_OK) {
            break;
        }
        query_bind_int(&q, 1, trial);
        query_bind_int(&q, 2, attempt);
        query_bind_double(&q, 3, started_at);
        rc = query_next(&q, err);
        query_close(&q);
    }
    return rc;
}

int restore_put_back(struct store *store, int64_t trial, int attempt, double since, double told_at,
                     struct err *err) {
    struct query q;
    int rc = store_check_writing(store, err);
    rc = rc == ERR_OK ? query_open(&q, store,
                                   "UPDATE epoch SET at = ?4 WHERE trial = ?1 AND attempt = ?2"
                                   " AND at >= ?3 AND at > ?4",
                                   err)
                      : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_int(&q, 1, trial);
    query_bind_int(&q, 2, attempt);
    query_bind_double(&q, 3, since);
    query_bind_double(&q, 4, told_at);
    rc = query_next(&q, err);
    query_close(&q);
    return rc;
}
