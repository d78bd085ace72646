/* Attempts: how trials start and end. */
#include "results/store.h"

#include "base/err.h"
#include "base/mem.h"
#include "results/store_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- what a worker needs ---- */

static void read_job(sqlite3_stmt *stmt, int64_t trial, struct store_job *job) {
    *job = (struct store_job){.trial = trial,
                              .seed = sqlite3_column_int64(stmt, 0),
                              .replicate = sqlite3_column_int(stmt, 1),
                              .attempts = sqlite3_column_int(stmt, 2),
                              .epochs = sqlite3_column_int64(stmt, 3),
                              .epochs_done = sqlite3_column_int(stmt, 4),
                              .barren = sqlite3_column_int(stmt, 8),
                              .ran_s = sqlite3_column_double(stmt, 9),
                              .label = mem_strdup((const char *)sqlite3_column_text(stmt, 6)),
                              .config = mem_strdup((const char *)sqlite3_column_text(stmt, 7))};
    const char *key = (const char *)sqlite3_column_text(stmt, 5);
    size_t len = strlen(key);
    memcpy(job->key, key, len < HASH_HEX_LEN ? len : HASH_HEX_LEN);
}

int store_get_job(struct store *store, int64_t sweep_id, int64_t trial, struct store_job *job,
                  struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_TRIAL_JOB, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, trial);
    (void)sqlite3_bind_int64(stmt, 2, sweep_id);
    int rc = store_step(store, stmt, err);
    if (rc > 0) {
        read_job(stmt, trial, job);
        rc = ERR_OK;
    } else if (rc == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "sweep %lld has no trial %lld", (long long)sweep_id,
                     (long long)trial);
    }
    store_done(stmt);
    return rc;
}

void store_job_release(struct store_job *job) {
    free(job->label);
    free(job->config);
    *job = (struct store_job){0};
}

/* ---- one trial's rows ---- */

/* Runs a statement that has to change a row of this trial; ERR_NOT_FOUND when it does not. */
static int run_on_trial(struct store *store, sqlite3_stmt *stmt, int64_t trial, const char *what,
                        struct err *err) {
    int rc = store_run(store, stmt, err);
    if (rc == ERR_OK && sqlite3_changes(store->db) == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "trial %lld: %s", (long long)trial, what);
    }
    return rc;
}

static int set_ended(struct store *store, int64_t trial, const struct store_end *end,
                     struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_TRIAL_END, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, trial);
    store_bind_text(stmt, 2, trial_status_names[end->status]);
    store_bind_text(stmt, 3, end->stopped);
    return run_on_trial(store, stmt, trial, "no such trial", err);
}

static int set_running(struct store *store, int64_t trial, int attempt, struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_TRIAL_BEGIN, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, trial);
    (void)sqlite3_bind_int(stmt, 2, attempt);
    return run_on_trial(store, stmt, trial, "no such trial", err);
}

/* ---- attempts ---- */

static int get_barren(struct store *store, int64_t trial, int *barren, struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_TRIAL_BARREN, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, trial);
    int rc = store_step(store, stmt, err);
    *barren = rc > 0 ? sqlite3_column_int(stmt, 0) : 0;
    store_done(stmt);
    return rc < 0 ? rc : ERR_OK;
}

int store_begin_attempt(struct store *store, int64_t trial, int attempt, int slot,
                        struct err *err) {
    int barren = 0;
    int rc = store_check_writing(store, err);
    rc = rc == ERR_OK ? get_barren(store, trial, &barren, err) : rc; // before it is running
    // The trial first: without it the attempt would break a foreign key, which reads worse.
    rc = rc == ERR_OK ? set_running(store, trial, attempt, err) : rc;
    sqlite3_stmt *stmt = rc == ERR_OK ? store_stmt(store, STMT_ATTEMPT_ADD, err) : NULL;
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, trial);
    (void)sqlite3_bind_int(stmt, 2, attempt);
    (void)sqlite3_bind_int(stmt, 3, slot);
    (void)sqlite3_bind_double(stmt, 4, store_now());
    (void)sqlite3_bind_int(stmt, 5, barren);
    rc = store_run(store, stmt, err);
    if (rc == ERR_OK && sqlite3_changes(store->db) == 0) {
        rc = err_set(err, ERR_RANGE, "trial %lld has an attempt %d already", (long long)trial,
                     attempt);
    }
    return rc;
}

int store_put_start(struct store *store, int64_t trial, int attempt, int from_epoch,
                    const char *numerics, const char *program, struct err *err) {
    int rc = store_check_writing(store, err);
    sqlite3_stmt *stmt = rc == ERR_OK ? store_stmt(store, STMT_ATTEMPT_START, err) : NULL;
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, trial);
    (void)sqlite3_bind_int(stmt, 2, attempt);
    (void)sqlite3_bind_int(stmt, 3, from_epoch);
    store_bind_text(stmt, 4, numerics);
    store_bind_text(stmt, 5, program);
    return run_on_trial(store, stmt, trial, "no such attempt", err);
}

static void bind_end(sqlite3_stmt *stmt, const struct store_end *end) {
    (void)sqlite3_bind_double(stmt, 3, store_now());
    store_bind_text(stmt, 4, end->reason);
    store_bind_text(stmt, 5, end->message);
    (void)(end->exit_status < 0 ? sqlite3_bind_null(stmt, 6)
                                : sqlite3_bind_int(stmt, 6, end->exit_status));
    (void)(end->signal == 0 ? sqlite3_bind_null(stmt, 7) : sqlite3_bind_int(stmt, 7, end->signal));
    store_bind_text(stmt, 8, end->log_tail);
    store_bind_text(stmt, 9, end->class);
    (void)(end->peak_mb > 0.0 ? sqlite3_bind_double(stmt, 10, end->peak_mb)
                              : sqlite3_bind_null(stmt, 10));
    (void)sqlite3_bind_double(stmt, 11, end->seconds);
    (void)sqlite3_bind_int(stmt, 12, end->barren);
}

int store_end_attempt(struct store *store, int64_t trial, int attempt, const struct store_end *end,
                      struct err *err) {
    int rc = store_check_writing(store, err);
    sqlite3_stmt *stmt = rc == ERR_OK ? store_stmt(store, STMT_ATTEMPT_END, err) : NULL;
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, trial);
    (void)sqlite3_bind_int(stmt, 2, attempt);
    bind_end(stmt, end);
    rc = run_on_trial(store, stmt, trial, "no such attempt", err);
    return rc == ERR_OK ? set_ended(store, trial, end, err) : rc;
}

/* ---- after a runner that was killed, and before a retry ---- */

int store_recover(struct store *store, int *count, struct err *err) {
    int rc = store_check_writing(store, err);
    sqlite3_stmt *stmt = rc == ERR_OK ? store_stmt(store, STMT_ATTEMPT_RECOVER, err) : NULL;
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_double(stmt, 1, store_now());
    rc = store_run(store, stmt, err);
    if (rc != ERR_OK) {
        return rc;
    }
    int closed = sqlite3_changes(store->db);
    stmt = store_stmt(store, STMT_TRIAL_RECOVER, err);
    rc = stmt == NULL ? (int)err->code : store_run(store, stmt, err);
    if (rc == ERR_OK) {
        *count = closed;
    }
    return rc;
}

int store_reset_failed(struct store *store, int64_t trial, struct err *err) {
    int rc = store_check_writing(store, err);
    sqlite3_stmt *stmt = rc == ERR_OK ? store_stmt(store, STMT_TRIAL_RESET, err) : NULL;
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, trial);
    return run_on_trial(store, stmt, trial, "not a failed trial", err);
}
