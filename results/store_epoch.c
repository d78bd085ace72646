/* Epoch records.
 *
 *     epoch is new                      -> added
 *     epoch is there, same bits         -> nothing changes (metrics that it lacked are added)
 *     epoch is there, other bits        -> deterministic: refused
 *                                          otherwise: it and all later ones go to `superseded`, then added
 *
 * `summary` and trial.epochs_done follow in the same transaction. */
#include "results/store.h"

#include "base/err.h"
#include "base/num.h"
#include "results/store_internal.h"

#include <math.h>
#include <string.h>

enum value_kind { KIND_FINITE, KIND_NAN, KIND_INF, KIND_MINUS_INF };

struct put {
    struct store *store;
    int64_t trial;
    int attempt;
    const struct wire_record *record;
};

static int kind_of(double value) {
    if (isnan(value)) {
        return KIND_NAN;
    }
    return !isinf(value) ? KIND_FINITE : value > 0 ? KIND_INF : KIND_MINUS_INF;
}

static int64_t bits_of(double value) {
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double value_of(int64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A statement with the trial as ?1 and a number as ?2. */
static sqlite3_stmt *stmt_on(const struct put *put, enum store_stmt which, int64_t second,
                             struct err *err) {
    sqlite3_stmt *stmt = store_stmt(put->store, which, err);
    (void)sqlite3_bind_int64(stmt, 1, put->trial); // on NULL: SQLITE_MISUSE, and the caller sees it
    (void)sqlite3_bind_int64(stmt, 2, second);
    return stmt;
}

static int run_on(const struct put *put, enum store_stmt which, int64_t second, struct err *err) {
    sqlite3_stmt *stmt = stmt_on(put, which, second, err);
    return stmt == NULL ? (int)err->code : store_run(put->store, stmt, err);
}

/* ---- epochs_done ---- */

int store_contiguous_epochs(struct store *store, int64_t trial, int *n, struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_TRIAL_EPOCHS, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, trial);
    int rc = store_step(store, stmt, err);
    if (rc > 0) {
        *n = sqlite3_column_int(stmt, 0);
        rc = ERR_OK;
    } else if (rc == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "no trial %lld", (long long)trial);
    }
    store_done(stmt);
    return rc;
}

/* *attempt: whose it is; 0 when it is not there. */
static int find_epoch(const struct put *put, int64_t epoch, int *attempt, struct err *err) {
    sqlite3_stmt *stmt = stmt_on(put, STMT_EPOCH_FIND, epoch, err);
    if (stmt == NULL) {
        return err->code;
    }
    int rc = store_step(put->store, stmt, err);
    *attempt = rc > 0 ? sqlite3_column_int(stmt, 0) : 0;
    store_done(stmt);
    return rc < 0 ? rc : ERR_OK;
}

/* An epoch has come: the unbroken row from 1 on may be longer now, by more than it when it closed a gap. */
static int extend_done(const struct put *put, struct err *err) {
    int done = 0;
    int rc = store_contiguous_epochs(put->store, put->trial, &done, err);
    if (rc != ERR_OK || put->record->epoch != done + 1) {
        return rc;
    }
    int next = 1;
    while (next > 0 && rc == ERR_OK) {
        done++;
        rc = find_epoch(put, (int64_t)done + 1, &next, err);
    }
    return rc == ERR_OK ? run_on(put, STMT_TRIAL_SET_EPOCHS, done, err) : rc;
}

/* ---- adding ---- */

static int add_summary(const struct put *put, int64_t metric, double value, struct err *err) {
    static const enum store_stmt order[] = {STMT_SUMMARY_SET, STMT_SUMMARY_ADD};
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *stmt = stmt_on(put, order[i], metric, err);
        if (stmt == NULL) {
            return err->code;
        }
        store_bind_number(stmt, 3, value);
        (void)sqlite3_bind_int(stmt, 4, put->record->epoch);
        int rc = store_run(put->store, stmt, err);
        if (rc != ERR_OK || sqlite3_changes(put->store->db) > 0) {
            return rc == ERR_OK && order[i] == STMT_SUMMARY_ADD
                       ? store_note_metric(put->store, put->trial, metric, err)
                       : rc;
        }
    }
    return ERR_OK; // not reached: an INSERT changes a row or fails
}

static int add_value(const struct put *put, const struct wire_metric *m, struct err *err) {
    int64_t metric;
    int rc = store_metric_id(put->store, m->name, &metric, err);
    sqlite3_stmt *stmt =
        rc == ERR_OK ? stmt_on(put, STMT_VALUE_ADD, put->record->epoch, err) : NULL;
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 3, metric);
    (void)sqlite3_bind_int(stmt, 4, kind_of(m->value));
    store_bind_number(stmt, 5, m->value);
    (void)sqlite3_bind_int64(stmt, 6, bits_of(m->value));
    rc = store_run(put->store, stmt, err);
    bool added = rc == ERR_OK && sqlite3_changes(put->store->db) > 0; // else it is there, the same
    return added ? add_summary(put, metric, m->value, err) : rc;
}

static int add_values(const struct put *put, struct err *err) {
    int rc = ERR_OK;
    for (int i = 0; i < put->record->metric_count && rc == ERR_OK; i++) {
        rc = add_value(put, &put->record->metrics[i], err);
    }
    return rc;
}

/* *added is false when the epoch is there already. */
static int add_epoch(const struct put *put, bool *added, struct err *err) {
    sqlite3_stmt *stmt = stmt_on(put, STMT_EPOCH_ADD, put->record->epoch, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int(stmt, 3, put->attempt);
    store_bind_number(stmt, 4, put->record->seconds);
    store_bind_number(stmt, 5, put->record->samples_per_second);
    (void)sqlite3_bind_double(stmt, 6, store_now());
    int rc = store_run(put->store, stmt, err);
    *added = rc == ERR_OK && sqlite3_changes(put->store->db) > 0;
    return *added ? extend_done(put, err) : rc;
}

/* ---- comparing ---- */

/* *found is false when the epoch has no value of this metric. */
static int stored_bits(const struct put *put, const char *name, bool *found, int64_t *bits,
                       struct err *err) {
    int64_t metric;
    *found = false;
    int rc = store_metric_find(put->store, name, &metric, err);
    if (rc != ERR_OK || metric == 0) {
        return rc;
    }
    sqlite3_stmt *stmt = stmt_on(put, STMT_VALUE_BITS, put->record->epoch, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 3, metric);
    rc = store_step(put->store, stmt, err);
    *found = rc > 0;
    *bits = rc > 0 ? sqlite3_column_int64(stmt, 0) : 0;
    store_done(stmt);
    return rc < 0 ? rc : ERR_OK;
}

static int say_differs(const struct put *put, const struct wire_metric *m, int64_t stored,
                       struct err *err) {
    char was[NUM_TEXT_MAX], is[NUM_TEXT_MAX];
    (void)num_format(was, value_of(stored)); // their lengths are not needed
    (void)num_format(is, m->value);
    return err_set(err, ERR_DIFFERS, "epoch %d computed again gives %s %s, stored is %s",
                   put->record->epoch, m->name, is, was);
}

/* ERR_DIFFERS when a metric has other bits than the stored one.  Any NaN is equal to any other: JSON, in
 * which they come, has but one. */
static int compare_epoch(const struct put *put, struct err *err) {
    for (int i = 0; i < put->record->metric_count; i++) {
        const struct wire_metric *m = &put->record->metrics[i];
        bool found;
        int64_t bits;
        int rc = stored_bits(put, m->name, &found, &bits, err);
        if (rc != ERR_OK) {
            return rc;
        }
        if (found && bits != bits_of(m->value) && !(isnan(m->value) && isnan(value_of(bits)))) {
            return say_differs(put, m, bits, err);
        }
    }
    return ERR_OK;
}

/* ---- superseding ---- */

static int set_aside(const struct put *put, struct err *err) {
    sqlite3_stmt *stmt = stmt_on(put, STMT_VALUE_ASIDE, put->record->epoch, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int(stmt, 3, put->attempt);
    return store_run(put->store, stmt, err);
}

/* Moves this epoch and all later ones aside.  `summary` may have its best there: it is made anew. */
static int supersede(const struct put *put, struct err *err) {
    int done = 0;
    int rc = store_contiguous_epochs(put->store, put->trial, &done, err);
    rc = rc == ERR_OK ? set_aside(put, err) : rc;
    rc = rc == ERR_OK ? run_on(put, STMT_VALUE_DROP, put->record->epoch, err) : rc;
    rc = rc == ERR_OK ? run_on(put, STMT_EPOCH_DROP, put->record->epoch, err) : rc;
    rc = rc == ERR_OK ? run_on(put, STMT_LAYER_DROP, put->record->epoch, err)
                      : rc; // its own are new
    rc = rc == ERR_OK ? run_on(put, STMT_SUMMARY_DROP, 0, err) : rc;
    rc = rc == ERR_OK ? run_on(put, STMT_SUMMARY_MAKE, 0, err) : rc;
    if (rc == ERR_OK && done >= put->record->epoch) {
        rc = run_on(put, STMT_TRIAL_SET_EPOCHS, (int64_t)put->record->epoch - 1, err);
    }
    return rc;
}

int store_put_epoch(struct store *store, int64_t trial, int attempt,
                    const struct wire_record *record, bool deterministic,
                    enum store_epoch_result *result, struct err *err) {
    const struct put put = {store, trial, attempt, record};
    bool added = false;
    int rc = store_check_writing(store, err);
    rc = rc == ERR_OK ? add_epoch(&put, &added, err) : rc;
    enum store_epoch_result did = added ? STORE_ADDED : STORE_REPEATED;
    if (rc == ERR_OK && !added) {
        rc = compare_epoch(&put, err);
        if (rc == ERR_DIFFERS && !deterministic) {
            did = STORE_SUPERSEDED;
            rc = supersede(&put, err);
            rc = rc == ERR_OK ? add_epoch(&put, &added, err) : rc;
        }
    }
    rc = rc == ERR_OK ? add_values(&put, err) : rc;
    if (rc != ERR_OK) {
        return err_wrap(err, "trial %lld", (long long)trial);
    }
    *result = did;
    return ERR_OK;
}

int store_epoch_is(struct store *store, int64_t trial, int attempt,
                   const struct wire_record *record, bool *same, struct err *err) {
    const struct put put = {store, trial, attempt, record};
    int of = 0;
    int rc = find_epoch(&put, record->epoch, &of, err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = of == attempt ? compare_epoch(&put, err) : ERR_DIFFERS;
    *same = rc == ERR_OK;
    return rc == ERR_DIFFERS ? ERR_OK : rc;
}
