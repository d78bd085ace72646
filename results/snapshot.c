#include "results/snapshot.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "results/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what belongs to a trial, and to a sweep ---- */

#define MEASURED_OF_TRIAL                                                                          \
    "(SELECT metric FROM summary WHERE trial = ?1 UNION SELECT metric FROM superseded WHERE "      \
    "trial = ?1)"
#define SWEEPS_OF_TRIAL                                                                            \
    "(SELECT sweep FROM member WHERE trial = ?1 UNION SELECT sweep FROM trial WHERE id = ?1)"

/* By its key: a trial's cells alone would be looked for among all. */
#define CELLS_OF_TRIAL "trial = ?1 AND sweep IN (SELECT sweep FROM member WHERE trial = ?1)"

/* Behind a plan that knew as many attempts as the snapshot does, nothing of the trial's row is left to tell: the
 * plan is the later one.  Otherwise the attempts count, and the plan's wishes unless it is older. */
#define NEWER_ATTEMPTS                                                                             \
    "(key) DO UPDATE SET"                                                                          \
    " config = iif(excluded.attempts > attempts, excluded.config, config),"                        \
    " epochs = iif(excluded.attempts > attempts, excluded.epochs, epochs),"                        \
    " epochs_done = excluded.epochs_done, attempts = excluded.attempts,"                           \
    " status = excluded.status, stopped = excluded.stopped"                                        \
    " WHERE excluded.attempts <> attempts"

/* Of two plans the one that knows more attempts counts, or else the one that is read later. */
#define NEWER_PLAN                                                                                 \
    "(key) DO UPDATE SET config = excluded.config, epochs = excluded.epochs,"                      \
    " epochs_done = excluded.epochs_done, attempts = excluded.attempts,"                           \
    " status = excluded.status, stopped = excluded.stopped"                                        \
    " WHERE excluded.attempts >= attempts"

/* Of an older file the database has all rows still, but for those that a later attempt measured anew: the values are
 * then in `superseded`, epochs of a later attempt and behind a superseded one are its own, and what layers a later
 * attempt told of again may have replaced them.  besom-trainer's stay as they are, but for those that it trains anew; any
 * other program may tell all layers again with its records, and without the promise of the same bits otherwise. */
#define THIS_TRIAL "(SELECT id FROM trial WHERE key = :trial)"
#define STAYS      "0"
#define OF_TRIAL   "EXISTS (SELECT 1 FROM trial t WHERE t.key = :key AND t.seed = :seed)"
#define OR_SUPERSEDED                                                                              \
    "EXISTS (SELECT 1 FROM superseded s WHERE s.trial = " THIS_TRIAL " AND s.epoch = :epoch"       \
    " AND s.metric = (SELECT id FROM metric WHERE name = :metric) AND s.kind = :kind"              \
    " AND s.value IS :value AND s.bits = :bits)"
#define OR_ANEW                                                                                    \
    "EXISTS (SELECT 1 FROM superseded s WHERE s.trial = " THIS_TRIAL " AND s.epoch <= :epoch"      \
    " AND s.by > :attempt)"
#define OR_TOLD_AGAIN                                                                              \
    "EXISTS (SELECT 1 FROM attempt a WHERE a.trial = " THIS_TRIAL " AND a.attempt > :attempts"     \
    " AND (coalesce(a.from_epoch, 0) <= :epoch"                                                    \
    " OR coalesce(a.program, '') NOT GLOB 'besom-trainer *'))"

static const struct rows_table trial_tables[] = {
    {"metric",
     "id IN " MEASURED_OF_TRIAL
     " OR id IN (SELECT metric_id FROM sweep WHERE id IN " SWEEPS_OF_TRIAL ")",
     "id", NULL, NULL, NULL},
    {"heading", "id IN (SELECT heading FROM cell WHERE " CELLS_OF_TRIAL ")", "id", NULL, NULL,
     NULL},
    // A second copy, for when the sweep's own file is lost; its text may be long and is left out.
    {"sweep", "id IN " SWEEPS_OF_TRIAL, "id", "spec", NULL, NULL},
    {"trial", "id = ?1", "id", NULL, NEWER_ATTEMPTS, OF_TRIAL},
    {"member", "trial = ?1", "sweep", NULL, NULL, NULL},
    {"cell", CELLS_OF_TRIAL, "sweep, heading", NULL, NULL, NULL},
    {"attempt", "trial = ?1", "attempt", NULL, NULL, STAYS},
    {"epoch", "trial = ?1", "epoch", NULL, NULL, OR_ANEW},
    {"value", "trial = ?1", "epoch, metric", NULL, NULL, OR_SUPERSEDED},
    {"superseded", "trial = ?1", "rowid", NULL, NULL, STAYS},
    {"measured",
     "sweep IN (SELECT sweep FROM member WHERE trial = ?1) AND metric IN " MEASURED_OF_TRIAL,
     "sweep, metric", NULL, NULL, NULL},
    {"layer", "trial = ?1", "epoch, layer", NULL, NULL, OR_TOLD_AGAIN},
    // It follows from the values, and is in no file.
    {"summary", "trial = ?1", "metric", NULL, NULL, NULL},
};
enum { TRIAL_TABLE_COUNT = sizeof trial_tables / sizeof *trial_tables };
const struct rows_kind snapshot_trial = {"trial", trial_tables, TRIAL_TABLE_COUNT - 1};
const struct rows_kind snapshot_whole_trial = {"trial", trial_tables, TRIAL_TABLE_COUNT};

static const struct rows_table sweep_tables[] = {
    {"metric",
     "id = (SELECT metric_id FROM sweep WHERE id = ?1)"
     " OR id IN (SELECT metric FROM measured WHERE sweep = ?1)",
     "id", NULL, NULL, NULL},
    {"heading", "id IN (SELECT heading FROM cell WHERE sweep = ?1)", "id", NULL, NULL, NULL},
    {"sweep", "id = ?1", "id", NULL, NULL, NULL},
    // SNAPSHOT_SWEEP_HEAD tables are above
    {"trial", "id IN (SELECT trial FROM member WHERE sweep = ?1)", "id", NULL, NEWER_PLAN,
     OF_TRIAL},
    {"member", "sweep = ?1", "trial", NULL, NULL, NULL},
    {"cell", "sweep = ?1", "trial, heading", NULL, NULL, NULL},
    // Of trials that ended before this sweep took them in; of later ones their own files have it.
    {"measured", "sweep = ?1", "metric", NULL, NULL, NULL},
};
const struct rows_kind snapshot_sweep = {"sweep", sweep_tables,
                                         sizeof sweep_tables / sizeof *sweep_tables};
const struct rows_kind snapshot_sweep_head = {"sweep", sweep_tables, SNAPSHOT_SWEEP_HEAD};

/* ---- statements ---- */

enum { FIND_TRIAL, FIND_SWEEP, LIST_TRIALS, LIST_BEGUN, LIST_SWEEPS, FIND_COUNT };

/* The last attempt's number and end are what its stamp has. */
#define STAMP_COLUMNS                                                                              \
    "t.id, t.key, t.attempts, (SELECT ended_at FROM attempt a WHERE a.trial = t.id AND"            \
    " a.attempt = t.attempts)"

static const char *const find_sql[FIND_COUNT] = {
    [FIND_TRIAL] = "SELECT " STAMP_COLUMNS " FROM trial t WHERE t.id = ?1 AND t.attempts > 0"
                   " AND t.status <> 'running'",
    [FIND_SWEEP] = "SELECT id, name, planned_at FROM sweep WHERE id = ?1",
    [LIST_TRIALS] = "SELECT " STAMP_COLUMNS " FROM trial t WHERE t.id > ?1 AND t.attempts > 0"
                    " AND t.status <> 'running' ORDER BY t.id LIMIT 1",
    [LIST_BEGUN] = "SELECT " STAMP_COLUMNS ", t.status IN ('pending', 'paused', 'running')"
                   " FROM trial t WHERE t.id > ?1 AND t.attempts > 0 ORDER BY t.id LIMIT 1",
    [LIST_SWEEPS] = "SELECT id, name, planned_at FROM sweep WHERE id > ?1 ORDER BY id LIMIT 1",
};

struct snapshots {
    struct store *store;
    char *dir;
    struct rows_writer *trial, *sweep;
    sqlite3_stmt *find[FIND_COUNT];
};

struct snapshots *snapshots_new(struct store *store) {
    struct snapshots *s = mem_zalloc(1, sizeof *s);
    const char *slash = strrchr(store->path, '/'); // DIR/results.db
    s->store = store;
    s->dir = mem_printf("%.*s", (int)(slash - store->path), store->path);
    s->trial = rows_writer_new(store, &snapshot_trial);
    s->sweep = rows_writer_new(store, &snapshot_sweep);
    return s;
}

void snapshots_free(struct snapshots *s) {
    if (s == NULL) {
        return;
    }
    for (int i = 0; i < FIND_COUNT; i++) {
        (void)sqlite3_finalize(s->find[i]); // repeats an earlier failure
    }
    rows_writer_free(s->trial);
    rows_writer_free(s->sweep);
    free(s->dir);
    free(s);
}

/* What is known of an owner before its rows are read. */
struct owner {
    int64_t id;
    char name[256]; // a key, or a sweep's name
    char *stamp;    // owned
    bool goes_on;   // of LIST_BEGUN: a run may begin an attempt of it
};

static void read_owner(struct owner *owner, sqlite3_stmt *stmt, bool is_trial) {
    owner->id = sqlite3_column_int64(stmt, 0);
    (void)snprintf(owner->name, sizeof owner->name, "%s",
                   (const char *)sqlite3_column_text(stmt, 1)); // both are shorter
    struct buf stamp = {0};
    if (is_trial) {
        buf_printf(&stamp,
                   "\"attempts\":%lld,\"ended_at\":", (long long)sqlite3_column_int64(stmt, 2));
        buf_json_number(&stamp, sqlite3_column_double(stmt, 3));
        owner->goes_on = sqlite3_column_count(stmt) > 4 && sqlite3_column_int(stmt, 4) != 0;
    } else {
        buf_puts(&stamp, "\"planned_at\":");
        buf_json_number(&stamp, sqlite3_column_double(stmt, 2));
    }
    owner->stamp = buf_detach(&stamp);
}

/* 1 when there is one, 0, or an error. */
static int find(struct snapshots *s, int which, int64_t id, struct owner *owner, struct err *err) {
    *owner = (struct owner){0};
    if (s->store->dead) {
        return err_set(err, ERR_IO, "%s: not used any more after an input/output error",
                       s->store->path);
    }
    if (s->find[which] == NULL) {
        int rc = sqlite3_prepare_v3(s->store->db, find_sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                                    &s->find[which], NULL);
        if (rc != SQLITE_OK) {
            return store_fail(s->store, rc, err);
        }
    }
    store_done(s->find[which]);
    (void)sqlite3_bind_int64(s->find[which], 1, id);
    int rc = store_step(s->store, s->find[which], err);
    if (rc > 0) {
        read_owner(owner, s->find[which], which != FIND_SWEEP && which != LIST_SWEEPS);
    }
    store_done(s->find[which]);
    return rc;
}

/* ---- files ---- */

struct file {
    const char *dir, *name;
    bool durable; // flushed before and after it gets its name
};

static int fail(struct err *err, const struct file *file, const char *step, int cause) {
    (void)err_io(err, cause, "%s %s/%s", step, file->dir, file->name);
    err->code = cause == ENOSPC || cause == EDQUOT ? ERR_FULL : ERR_IO;
    return err->code;
}

/* It is never told as a full disk, for which callers try again. */
static int fail_sync(struct err *err, const struct file *file, const char *step, int cause) {
    (void)fail(err, file, step, cause);
    err->code = ERR_IO;
    return ERR_IO;
}

/* The rows into the temporary.  The descriptor is closed in any case. */
static int fill(struct rows_writer *writer, int fd, const struct owner *owner,
                const struct file *file, struct err *err) {
    int rc = rows_write(writer, fd, owner->id, owner->stamp, err);
    if (rc != ERR_OK) {
        (void)err_wrap(err, "%s/%s", file->dir, file->name);
    } else if (file->durable && fdatasync(fd) != 0) {
        rc = fail_sync(err, file, "fdatasync", errno);
    }
    if (close(fd) != 0 && rc == ERR_OK) {
        rc = fail(err, file, "close", errno);
    }
    return rc;
}

/* A new file; one of a writer that died is in the way of it only then. */
static int open_new(const char *path) {
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = open(path, flags, 0644);
    if (fd < 0 && errno == EEXIST && unlink(path) == 0) {
        fd = open(path, flags, 0644);
    }
    return fd;
}

static int sync_folder(const struct file *file, struct err *err) {
    int fd = open(file->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) != 0 ? fail_sync(err, file, "fsync folder of", errno) : ERR_OK;
    if (fd >= 0) {
        (void)close(fd); // nothing was written through it
    }
    return rc;
}

static int write_file(struct rows_writer *writer, const struct owner *owner,
                      const struct file *file, struct err *err) {
    char *path = mem_printf("%s/%s", file->dir, file->name);
    char *tmp = mem_printf("%s/.%s.tmp", file->dir, file->name);
    int rc = ERR_OK, fd = open_new(tmp);
    if (fd < 0 && errno == ENOENT) { // no folder: of a trial that could not be started, say
        rc = fs_mkdirs(file->dir, err);
        fd = rc == ERR_OK ? open_new(tmp) : -1;
    }
    if (rc == ERR_OK) {
        rc = fd < 0 ? fail(err, file, "open", errno) : fill(writer, fd, owner, file, err);
    }
    if (rc == ERR_OK && rename(tmp, path) != 0) {
        rc = fail(err, file, "rename", errno);
    }
    if (rc != ERR_OK) {
        (void)unlink(tmp); // absent when the open failed
    } else if (file->durable) {
        rc = sync_folder(file, err);
    }
    free(tmp);
    free(path);
    return rc;
}

/* Many statements that read cost far less in one transaction.  Returns whether there is one to be ended. */
static bool begin_looking(struct snapshots *s) {
    struct err ignored; // then each statement has its own
    sqlite3_stmt *begin = !s->store->dead && sqlite3_get_autocommit(s->store->db)
                              ? store_stmt(s->store, STMT_LOOK, &ignored)
                              : NULL;
    return begin != NULL && store_run(s->store, begin, &ignored) == ERR_OK;
}

static void end_looking(struct snapshots *s, bool looking) {
    struct err ignored; // nothing was written
    sqlite3_stmt *end = looking ? store_stmt(s->store, STMT_COMMIT, &ignored) : NULL;
    if (end != NULL) {
        (void)store_run(s->store, end, &ignored);
    }
}

/* ---- what would be lost ---- */

/* The older file; NULL where there is none.  One that cannot be opened may be the good copy: that is a failure. */
static int open_old(const char *path, FILE **old, struct err *err) {
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
    *old = fd < 0 ? NULL : fdopen(fd, "r");
    if (*old != NULL || (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))) {
        return ERR_OK;
    }
    (void)err_io(err, errno, "open %s", path);
    if (fd >= 0) {
        (void)close(fd); // nothing was read
    }
    return err->code;
}

/* Invariant 4.  What is not whole, or not about this owner, is no copy that could be lost. */
static int compare_old(struct snapshots *s, const struct rows_kind *kind, const struct owner *owner,
                       const char *path, struct err *err) {
    FILE *old;
    int rc = open_old(path, &old, err);
    if (old == NULL) {
        return rc;
    }
    rc = rows_verify(old, err);
    if (rc == ERR_OK) {
        rc = rows_compare(s->store, s->store, old, kind, owner->name, ROWS_LASTING, err);
    }
    (void)fclose(old); // only read
    if (rc == ERR_DIFFERS) {
        char *what = kind == &snapshot_trial ? mem_printf("trial %lld", (long long)owner->id)
                                             : mem_printf("sweep %s", owner->name);
        struct err differs = *err;
        (void)err_set(err, ERR_DIFFERS,
                      "%s: damaged (%s differs from its copy %s: %.500s); the copy is whole by its "
                      "hash and stays; \"besom rebuild --force\" makes results.db anew from the "
                      "copies and the logs and keeps this one beside it",
                      s->store->path, what, path, differs.msg);
        free(what);
    } else if (rc != ERR_OK && rc != ERR_CORRUPT) {
        (void)err_wrap(err, "%s", path);
    }
    return rc == ERR_CORRUPT ? ERR_OK : rc;
}

/* An older file is replaced when the database has all that it has. */
static int write_owner(struct snapshots *s, const struct rows_kind *kind, const struct owner *owner,
                       const struct file *file, struct err *err) {
    char *path = mem_printf("%s/%s", file->dir, file->name);
    bool looking = begin_looking(s);
    int rc = compare_old(s, kind, owner, path, err);
    if (rc == ERR_OK) {
        rc = write_file(kind == &snapshot_trial ? s->trial : s->sweep, owner, file, err);
    }
    end_looking(s, looking);
    free(path);
    return rc;
}

static int write_trial(struct snapshots *s, const struct owner *owner, struct err *err) {
    char *dir = mem_printf("%s/trials/%s", s->dir, owner->name);
    const struct file file = {.dir = dir, .name = SNAPSHOT_TRIAL_FILE};
    int rc = write_owner(s, &snapshot_trial, owner, &file, err);
    free(dir);
    return rc;
}

int snapshots_put_trial(struct snapshots *s, int64_t trial, struct err *err) {
    struct owner owner;
    bool looking = begin_looking(s);
    int rc = find(s, FIND_TRIAL, trial, &owner, err);
    rc = rc > 0 ? write_trial(s, &owner, err) : rc;
    free(owner.stamp);
    end_looking(s, looking);
    return rc;
}

int snapshots_put_sweep(struct snapshots *s, int64_t sweep, struct err *err) {
    struct owner owner;
    int rc = find(s, FIND_SWEEP, sweep, &owner, err);
    if (rc > 0) {
        char *dir = mem_printf("%s/sweeps", s->dir);
        char *name = mem_printf("%s%s", owner.name, SNAPSHOT_SWEEP_END);
        const struct file file = {.dir = dir, .name = name, .durable = true};
        rc = write_owner(s, &snapshot_sweep, &owner, &file, err);
        free(dir);
        free(name);
    }
    free(owner.stamp);
    return rc;
}

/* ---- making up ---- */

static char *path_of(const struct snapshots *s, const struct owner *owner) {
    return mem_printf("%s/trials/%s/%s", s->dir, owner->name, SNAPSHOT_TRIAL_FILE);
}

static bool is_current(const char *path, const struct owner *owner) {
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    bool current = fd >= 0 && rows_is_current(fd, "trial", owner->stamp);
    if (fd >= 0) {
        (void)close(fd); // only read
    }
    return current;
}

/* Calls `each` for all of a list; one that differs from its copy does not end it, and is told at the end. */
static int for_each(struct snapshots *s, int list,
                    int (*each)(struct snapshots *, const struct owner *, void *, struct err *),
                    void *context, struct err *err) {
    struct owner owner = {0};
    struct err first = {0}, now;
    int64_t last = 0;
    int rc;
    while ((rc = find(s, list, last, &owner, &now)) > 0) {
        last = owner.id;
        rc = each(s, &owner, context, &now);
        free(owner.stamp);
        owner.stamp = NULL;
        if (rc == ERR_DIFFERS && first.code == ERR_OK) {
            first = now;
        }
        if (rc < 0 && rc != ERR_DIFFERS) {
            break;
        }
    }
    if (rc < 0 || first.code != ERR_OK) {
        *err = rc < 0 ? now : first;
        return err->code;
    }
    return ERR_OK;
}

static int catch_up(struct snapshots *s, const struct owner *owner, void *written,
                    struct err *err) {
    char *path = path_of(s, owner);
    int rc = ERR_OK;
    if (!is_current(path, owner)) {
        rc = write_trial(s, owner, err);
        *(int64_t *)written += rc == ERR_OK;
    }
    free(path);
    return rc;
}

int snapshots_catch_up(struct snapshots *s, int64_t *written, struct err *err) {
    int64_t count = 0;
    int rc = for_each(s, LIST_TRIALS, catch_up, &count, err);
    if (written != NULL) {
        *written = count;
    }
    return rc;
}

static int check_sweep(struct snapshots *s, const struct owner *owner, void *unused,
                       struct err *err) {
    (void)unused;
    char *path = mem_printf("%s/sweeps/%s%s", s->dir, owner->name, SNAPSHOT_SWEEP_END);
    int rc = compare_old(s, &snapshot_sweep, owner, path, err);
    free(path);
    return rc;
}

static int check_trial(struct snapshots *s, const struct owner *owner, void *unused,
                       struct err *err) {
    (void)unused;
    char *path = path_of(s, owner);
    int rc = ERR_OK;
    if (owner->goes_on || !is_current(path, owner)) {
        rc = compare_old(s, &snapshot_trial, owner, path, err);
    }
    free(path);
    return rc;
}

int snapshots_check(struct snapshots *s, struct err *err) {
    bool looking = begin_looking(s);
    int rc = for_each(s, LIST_SWEEPS, check_sweep, NULL, err);
    rc = rc == ERR_OK ? for_each(s, LIST_BEGUN, check_trial, NULL, err) : rc;
    end_looking(s, looking);
    s->store->dead = s->store->dead || rc == ERR_DIFFERS; // closing leaves both files as they are
    return rc;
}
