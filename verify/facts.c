#include "verify/facts.h"

#include "verify/db.h"
#include "verify/report.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

/* ---- metrics ---- */

void metrics_load(struct metrics *metrics, struct db *db) {
    *metrics = (struct metrics){0};
    for (sqlite3_stmt *q = db_ask(db, "SELECT id, name FROM metric ORDER BY id", 0);
         db_next(db, &q);) {
        GROW(metrics->list, metrics->count);
        metrics->list[metrics->count++] =
            (struct metric_name){sqlite3_column_int64(q, 0), checked_copy(db_text(q, 1))};
    }
}

void metrics_release(struct metrics *metrics) {
    for (int i = 0; i < metrics->count; i++) {
        free(metrics->list[i].name);
    }
    free(metrics->list);
    *metrics = (struct metrics){0};
}

const char *metrics_name(const struct metrics *metrics, int64_t id) {
    for (int i = 0; i < metrics->count; i++) {
        if (metrics->list[i].id == id) {
            return metrics->list[i].name;
        }
    }
    return "?";
}

int64_t metrics_find(const struct metrics *metrics, const char *name) {
    for (int i = 0; i < metrics->count; i++) {
        if (strcmp(metrics->list[i].name, name) == 0) {
            return metrics->list[i].id;
        }
    }
    return 0;
}

/* ---- loading ---- */

bool is_besom_trainer(const char *argv) {
    cJSON *list = cJSON_Parse(argv);
    const char *program = cJSON_GetStringValue(cJSON_GetArrayItem(list, 0));
    const char *slash = program != NULL ? strrchr(program, '/') : NULL;
    bool is = program != NULL && strcmp(slash != NULL ? slash + 1 : program, "besom-trainer") == 0;
    cJSON_Delete(list);
    return is;
}

static bool load_trial(struct facts *f, struct db *db, int64_t id) {
    bool found = false;
    const char *sql =
        db->version >= 2 ? "SELECT key, sweep, seed, config, epochs, epochs_done, attempts, status,"
                           " stopped FROM trial WHERE id = ?1"
                         : "SELECT key, sweep, seed, config, epochs, epochs_done, attempts, status,"
                           " NULL FROM trial WHERE id = ?1";
    for (sqlite3_stmt *q = db_ask(db, sql, id); db_next(db, &q);) {
        found = true;
        f->trial = id;
        f->key = checked_copy(db_text(q, 0));
        f->sweep = sqlite3_column_int64(q, 1);
        f->seed = sqlite3_column_int64(q, 2);
        f->config = checked_copy(db_text(q, 3));
        f->epochs = sqlite3_column_int64(q, 4);
        f->epochs_done = sqlite3_column_int64(q, 5);
        f->attempts = sqlite3_column_int64(q, 6);
        f->status = checked_copy(db_text(q, 7));
        f->stopped = db_is_null(q, 8) ? NULL : checked_copy(db_text(q, 8));
    }
    return found;
}

/* The sweeps that have the trial now say what trains it. */
static void load_trainer(struct facts *f, struct db *db) {
    for (sqlite3_stmt *q = db_ask(db,
                                  "SELECT s.trainer FROM member m JOIN sweep s ON s.id = m.sweep"
                                  " WHERE m.trial = ?1 AND m.present",
                                  f->trial);
         db_next(db, &q);) {
        f->by_besom = f->by_besom || is_besom_trainer(db_text(q, 0));
    }
}

static void load_attempts(struct facts *f, struct db *db) {
    const char *sql = db->version >= 3
                          ? "SELECT attempt, started_at, ended_at, reason, from_epoch, exit_status,"
                            " signal, class FROM attempt WHERE trial = ?1 ORDER BY attempt"
                          : "SELECT attempt, started_at, ended_at, reason, from_epoch, exit_status,"
                            " signal, NULL FROM attempt WHERE trial = ?1 ORDER BY attempt";
    for (sqlite3_stmt *q = db_ask(db, sql, f->trial); db_next(db, &q);) {
        GROW(f->attempt, f->attempt_count);
        f->attempt[f->attempt_count++] = (struct fact_attempt){
            .attempt = sqlite3_column_int64(q, 0),
            .began = sqlite3_column_double(q, 1),
            .ended = sqlite3_column_double(q, 2),
            .open = db_is_null(q, 2),
            .completed = !db_is_null(q, 2) && db_is_null(q, 3),
            .ran = !db_is_null(q, 4) || !db_is_null(q, 5) || !db_is_null(q, 6),
            .has_class = !db_is_null(q, 7),
        };
    }
}

static void load_epochs(struct facts *f, struct db *db) {
    for (sqlite3_stmt *q = db_ask(
             db, "SELECT epoch, attempt FROM epoch WHERE trial = ?1 ORDER BY epoch", f->trial);
         db_next(db, &q);) {
        GROW(f->epoch, f->epoch_count);
        f->epoch[f->epoch_count++] =
            (struct fact_epoch){sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1)};
    }
}

/* epoch, metric, kind, bits, value, from column 0 on */
static struct fact_value read_value(sqlite3_stmt *q) {
    return (struct fact_value){
        .epoch = sqlite3_column_int64(q, 0),
        .metric = sqlite3_column_int64(q, 1),
        .kind = sqlite3_column_int64(q, 2),
        .bits = sqlite3_column_int64(q, 3),
        .null = db_is_null(q, 4),
        .real = sqlite3_column_double(q, 4),
    };
}

static void load_values(struct facts *f, struct db *db) {
    for (sqlite3_stmt *q = db_ask(db,
                                  "SELECT epoch, metric, kind, bits, value FROM value"
                                  " WHERE trial = ?1 ORDER BY epoch, metric",
                                  f->trial);
         db_next(db, &q);) {
        GROW(f->value, f->value_count);
        f->value[f->value_count++] = read_value(q);
    }
    for (sqlite3_stmt *q = db_ask(db,
                                  "SELECT epoch, metric, kind, bits, value, attempt, by"
                                  " FROM superseded WHERE trial = ?1 ORDER BY epoch",
                                  f->trial);
         db_next(db, &q);) {
        GROW(f->superseded, f->superseded_count);
        f->superseded[f->superseded_count++] = (struct fact_superseded){
            read_value(q), sqlite3_column_int64(q, 5), sqlite3_column_int64(q, 6)};
    }
}

static struct fact_extreme read_extreme(sqlite3_stmt *q, int column) {
    return (struct fact_extreme){.null = db_is_null(q, column),
                                 .value = sqlite3_column_double(q, column),
                                 .epoch = sqlite3_column_int64(q, column + 1)};
}

static void load_summaries(struct facts *f, struct db *db) {
    for (sqlite3_stmt *q =
             db_ask(db,
                    "SELECT metric, low, low_epoch, high, high_epoch, last, last_epoch"
                    " FROM summary WHERE trial = ?1 ORDER BY metric",
                    f->trial);
         db_next(db, &q);) {
        GROW(f->summary, f->summary_count);
        f->summary[f->summary_count++] = (struct fact_summary){
            sqlite3_column_int64(q, 0), read_extreme(q, 1), read_extreme(q, 3), read_extreme(q, 5)};
    }
}

bool facts_load(struct facts *f, struct db *db, int64_t id, bool live) {
    *f = (struct facts){0};
    if (!load_trial(f, db, id)) {
        return false;
    }
    load_trainer(f, db);
    load_attempts(f, db);
    load_epochs(f, db);
    load_values(f, db);
    load_summaries(f, db);
    f->complete = strcmp(f->status, "complete") == 0;
    f->running = strcmp(f->status, "running") == 0;
    f->under_way = f->running && live;
    if (db->failed) {
        facts_release(f);
        return false;
    }
    return true;
}

void facts_release(struct facts *f) {
    free(f->key);
    free(f->config);
    free(f->status);
    free(f->stopped);
    free(f->attempt);
    free(f->epoch);
    free(f->value);
    free(f->summary);
    free(f->superseded);
    *f = (struct facts){0};
}

/* ---- looking up ---- */

int64_t facts_contiguous(const struct facts *f) {
    int64_t n = 0;
    for (int i = 0; i < f->epoch_count && f->epoch[i].epoch <= n + 1; i++) {
        n = f->epoch[i].epoch == n + 1 ? n + 1 : n; // doubled ones are told elsewhere
    }
    return n;
}

int64_t facts_last_epoch(const struct facts *f) {
    return f->epoch_count == 0 ? 0 : f->epoch[f->epoch_count - 1].epoch;
}

bool facts_has_epoch(const struct facts *f, int64_t epoch) {
    int low = 0, high = f->epoch_count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (f->epoch[middle].epoch < epoch) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < f->epoch_count && f->epoch[low].epoch == epoch;
}

bool facts_has_attempt(const struct facts *f, int64_t attempt) {
    for (int i = f->attempt_count - 1; i >= 0; i--) {
        if (f->attempt[i].attempt == attempt) {
            return true;
        }
    }
    return false;
}

const struct fact_value *facts_value(const struct facts *f, int64_t epoch, int64_t metric) {
    int low = 0, high = f->value_count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        const struct fact_value *v = &f->value[middle];
        if (v->epoch < epoch || (v->epoch == epoch && v->metric < metric)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found =
        low < f->value_count && f->value[low].epoch == epoch && f->value[low].metric == metric;
    return found ? &f->value[low] : NULL;
}
