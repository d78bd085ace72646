/* What precedes a run: its options, its folder, its store. */
#include "runner/run.h"

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/num.h"
#include "results/snapshot.h"
#include "runner/log_rows.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- --halt ---- */

static int bad_halt(const char *text, struct err *err) {
    return err_set(err, ERR_RANGE,
                   "\"%s\" is not never, soon,fail=N, soon,fail=P%%, now,fail=N or now,fail=P%%",
                   text);
}

int run_parse_halt(struct run_halt *halt, const char *text, struct err *err) {
    struct run_halt parsed = {HALT_NEVER, 0, 0.0};
    if (strcmp(text, "never") == 0) {
        *halt = parsed;
        return ERR_OK;
    }
    bool soon = strncmp(text, "soon,fail=", 10) == 0;
    if (!soon && strncmp(text, "now,fail=", 9) != 0) {
        return bad_halt(text, err);
    }
    parsed.when = soon ? HALT_SOON : HALT_NOW;
    char number[NUM_TEXT_MAX];
    size_t len = strlen(text) - (soon ? 10 : 9);
    if (len == 0 || len >= sizeof number) {
        return bad_halt(text, err);
    }
    memcpy(number, text + strlen(text) - len, len + 1);
    bool percent = number[len - 1] == '%';
    number[len - percent] = '\0';
    bool good = percent ? num_parse(number, &parsed.percent) && parsed.percent > 0.0 &&
                              parsed.percent <= 100.0
                        : num_parse_int(number, 1, INT64_MAX, &parsed.fail);
    if (!good) {
        return bad_halt(text, err);
    }
    *halt = parsed;
    return ERR_OK;
}

/* ---- --jobs ---- */

/* The processors that a cgroup's quota is worth: "max 100000" or "150000 100000" in cpu.max.  0: no
 * limit, or not known. */
static double cgroup_processors(void) {
    double quota = 0.0, period = 0.0;
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re"); // of a container, its own
    if (file != NULL) {
        if (fscanf(file, "%lf %lf", &quota, &period) != 2) {
            quota = 0.0;
        }
        (void)fclose(file); // only read
    }
    return period > 0.0 ? quota / period : 0.0;
}

int run_default_jobs(void) {
    cpu_set_t set;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                            : (int)online; // over 1024 processors
    double quota = cgroup_processors();
    if (quota > 0.0 && quota < count) {
        count = (int)ceil(quota);
    }
    return count < 1 ? 1 : count < RUN_SLOT_MAX ? count : RUN_SLOT_MAX;
}

/* ---- the folder ---- */

static int make_folders(const char *out_dir, struct err *err) {
    static const char *const folders[] = {"trials", "cache"};
    int rc = ERR_OK;
    for (size_t i = 0; i < sizeof folders / sizeof *folders && rc == ERR_OK; i++) {
        char *path = mem_printf("%s/%s", out_dir, folders[i]);
        rc = fs_mkdirs(path, err);
        free(path);
    }
    return rc;
}

int run_lock(const char *out_dir, int *fd, struct err *err) {
    char *path = mem_printf("%s/lock", out_dir);
    int rc = fs_lock_wait(path, RUN_LOCK_WAIT_MS, NULL, NULL, fd, err);
    free(path);
    return rc == ERR_BUSY ? err_set(err, ERR_BUSY, "another run is working in %s", out_dir) : rc;
}

/* What the run would build on and write the copies of anew, against the copies that there are: before anything is
 * written. */
static int compare_copies(struct store *store, struct err *err) {
    struct snapshots *snapshots = snapshots_new(store);
    int rc = snapshots_check(snapshots, err);
    snapshots_free(snapshots);
    if (rc == ERR_DIFFERS) {
        rc = err->code = ERR_CORRUPT;
    }
    return rc;
}

/* What a killed runner left open gets what it had told, and is closed.  We hold the lock, so nobody is working on it. */
static int recover(struct store *store, const char *out_dir, int *recovered, struct err *err) {
    struct log_rows added = {0};
    int count = 0;
    int rc = store_begin(store, err);
    rc = rc == ERR_OK ? log_rows_read_all(store, out_dir, true, &added, err) : rc;
    rc = rc == ERR_OK ? store_recover(store, &count, err) : rc;
    rc = rc == ERR_OK ? store_commit(store, err) : rc;
    if (rc == ERR_OK) {
        *recovered = count;
    } else {
        store_rollback(store);
    }
    return rc;
}

int run_open(const char *out_dir, const struct store_patience *patience, struct store **store,
             int *lock_fd, int *recovered, struct err *err) {
    struct store *opened = NULL;
    int rc = ERR_OK;
    // The lock before anything that writes: the folders inside are made by its holder.
    if (*lock_fd < 0) {
        rc = fs_mkdirs(out_dir, err);
        rc = rc == ERR_OK ? run_lock(out_dir, lock_fd, err) : rc;
    }
    rc = rc == ERR_OK ? make_folders(out_dir, err) : rc;
    rc = rc == ERR_OK ? store_open_patiently(&opened, out_dir, STORE_WRITE, patience, err) : rc;
    rc = rc == ERR_OK ? compare_copies(opened, err) : rc;
    rc = rc == ERR_OK ? recover(opened, out_dir, recovered, err) : rc;
    if (rc != ERR_OK) {
        struct err ignored; // the first failure is the one to tell
        (void)store_close(opened, &ignored);
        if (rc != ERR_FULL && *lock_fd >= 0) {
            (void)close(*lock_fd); // nothing was written through it
            *lock_fd = -1;
        }
        return rc;
    }
    *store = opened;
    return ERR_OK;
}

/* In this folder, if it is there. */
static void remove_file(const char *out_dir, const char *name) {
    char *path = mem_printf("%s/%s", out_dir, name);
    (void)remove(path); // a file, or an empty folder; what is in use stays
    free(path);
}

void run_discard(const char *out_dir) {
    static const char *const names[] = {"results.db-wal", "results.db-shm", "results.db",
                                        "trials",         "cache",          "lock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        remove_file(out_dir, names[i]);
    }
    (void)rmdir(out_dir); // stays when something else is in it
}
