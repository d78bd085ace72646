/* A sweep as a study of Optuna's, in an SQLite file as its RDBStorage makes it.
 *
 * The tables below are those of Optuna 3.0 and 3.1 (schema_version 12, alembic revision v3.0.0.d), which later ones bring up
 * to date by `optuna storage upgrade`.  Optuna takes them by name, so the types are SQLAlchemy's in spirit only.
 *
 * An infinite value of a trial stands as a REAL and FINITE: Optuna writes NULL and INF_POS, by which its own 3.1 orders
 * when it looks for the best, and NULL is less than every number.  Read back, both are the same float.  Intermediate
 * values nobody orders: those are as Optuna writes them. */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "results/export.h"
#include "results/export_internal.h"

#include <assert.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] =
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
    "BEGIN;"
    "CREATE TABLE studies (study_id INTEGER NOT NULL, study_name VARCHAR(512) NOT NULL,"
    " PRIMARY KEY (study_id));"
    "CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);"
    "CREATE TABLE version_info (version_info_id INTEGER NOT NULL, schema_version INTEGER,"
    " library_version VARCHAR(256), PRIMARY KEY (version_info_id), CHECK (version_info_id = 1));"
    "CREATE TABLE study_directions (study_direction_id INTEGER NOT NULL, direction VARCHAR(8) NOT "
    "NULL,"
    " study_id INTEGER NOT NULL, objective INTEGER NOT NULL, PRIMARY KEY (study_direction_id),"
    " UNIQUE (study_id, objective), FOREIGN KEY (study_id) REFERENCES studies (study_id));"
    "CREATE TABLE study_user_attributes (study_user_attribute_id INTEGER NOT NULL, study_id "
    "INTEGER,"
    " \"key\" VARCHAR(512), value_json TEXT, PRIMARY KEY (study_user_attribute_id),"
    " UNIQUE (study_id, \"key\"), FOREIGN KEY (study_id) REFERENCES studies (study_id));"
    "CREATE TABLE study_system_attributes (study_system_attribute_id INTEGER NOT NULL, study_id "
    "INTEGER,"
    " \"key\" VARCHAR(512), value_json TEXT, PRIMARY KEY (study_system_attribute_id),"
    " UNIQUE (study_id, \"key\"), FOREIGN KEY (study_id) REFERENCES studies (study_id));"
    "CREATE TABLE trials (trial_id INTEGER NOT NULL, number INTEGER, study_id INTEGER,"
    " state VARCHAR(8) NOT NULL, datetime_start DATETIME, datetime_complete DATETIME,"
    " PRIMARY KEY (trial_id), FOREIGN KEY (study_id) REFERENCES studies (study_id));"
    "CREATE TABLE trial_user_attributes (trial_user_attribute_id INTEGER NOT NULL, trial_id "
    "INTEGER,"
    " \"key\" VARCHAR(512), value_json TEXT, PRIMARY KEY (trial_user_attribute_id),"
    " UNIQUE (trial_id, \"key\"), FOREIGN KEY (trial_id) REFERENCES trials (trial_id));"
    "CREATE TABLE trial_system_attributes (trial_system_attribute_id INTEGER NOT NULL, trial_id "
    "INTEGER,"
    " \"key\" VARCHAR(512), value_json TEXT, PRIMARY KEY (trial_system_attribute_id),"
    " UNIQUE (trial_id, \"key\"), FOREIGN KEY (trial_id) REFERENCES trials (trial_id));"
    "CREATE TABLE trial_params (param_id INTEGER NOT NULL, trial_id INTEGER, param_name "
    "VARCHAR(512),"
    " param_value FLOAT, distribution_json TEXT, PRIMARY KEY (param_id), UNIQUE (trial_id, "
    "param_name),"
    " FOREIGN KEY (trial_id) REFERENCES trials (trial_id));"
    "CREATE TABLE trial_values (trial_value_id INTEGER NOT NULL, trial_id INTEGER NOT NULL,"
    " objective INTEGER NOT NULL, value FLOAT, value_type VARCHAR(7) NOT NULL,"
    " PRIMARY KEY (trial_value_id), UNIQUE (trial_id, objective),"
    " FOREIGN KEY (trial_id) REFERENCES trials (trial_id));"
    "CREATE TABLE trial_intermediate_values (trial_intermediate_value_id INTEGER NOT NULL,"
    " trial_id INTEGER NOT NULL, step INTEGER NOT NULL, intermediate_value FLOAT,"
    " intermediate_value_type VARCHAR(7) NOT NULL, PRIMARY KEY (trial_intermediate_value_id),"
    " UNIQUE (trial_id, step), FOREIGN KEY (trial_id) REFERENCES trials (trial_id));"
    "CREATE TABLE trial_heartbeats (trial_heartbeat_id INTEGER NOT NULL, trial_id INTEGER NOT NULL,"
    " heartbeat DATETIME NOT NULL, PRIMARY KEY (trial_heartbeat_id), UNIQUE (trial_id),"
    " FOREIGN KEY (trial_id) REFERENCES trials (trial_id));"
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));"
    "INSERT INTO version_info VALUES (1, 12, '3.1.0');"
    "INSERT INTO alembic_version VALUES ('v3.0.0.d');";

enum insert {
    STUDY,
    DIRECTION,
    STUDY_ATTRIBUTE,
    TRIAL,
    PARAM,
    VALUE,
    ATTRIBUTE,
    STEP,
    INSERT_COUNT,
};
static const char *const insert_sql[INSERT_COUNT] = {
    [STUDY] = "INSERT INTO studies VALUES (?1, ?2)",
    [DIRECTION] = "INSERT INTO study_directions VALUES (NULL, ?2, ?1, 0)",
    [STUDY_ATTRIBUTE] = "INSERT INTO study_user_attributes VALUES (NULL, ?1, ?2, ?3)",
    [TRIAL] = "INSERT INTO trials VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [PARAM] = "INSERT INTO trial_params VALUES (NULL, ?1, ?2, ?3, ?4)",
    [VALUE] = "INSERT INTO trial_values VALUES (NULL, ?1, 0, ?2, 'FINITE')",
    [ATTRIBUTE] = "INSERT INTO trial_user_attributes VALUES (NULL, ?1, ?2, ?3)",
    [STEP] = "INSERT INTO trial_intermediate_values VALUES (NULL, ?1, ?2, ?3, ?4)",
};

struct writer {
    const char *path;
    sqlite3 *db;
    sqlite3_stmt *insert[INSERT_COUNT];
    int64_t study, trial; // ids given last
    const struct export_optuna_options *options;
};

/* One sweep on its way. */
struct study {
    struct writer *writer;
    struct store *store;
    const char *sweep;
    struct export_trials trials;
    struct export_axis *axis; // (trials.axis_count)
    char **axis_path;         // (trials.axis_count) as in params
    struct query times, steps;
    int64_t number; // of the next trial
};

/* ---- writing ---- */

static int write_fail(const struct writer *w, struct err *err) {
    int code = sqlite3_errcode(w->db), cause = sqlite3_system_errno(w->db);
    if (cause != 0 && (code & 0xff) != SQLITE_FULL) {
        return err_io(err, cause, "write %s", w->path);
    }
    return err_set(err, (code & 0xff) == SQLITE_FULL ? ERR_FULL : ERR_IO, "write %s: %s", w->path,
                   sqlite3_errmsg(w->db));
}

static int writer_open(struct writer *w, struct err *err) {
    int rc = sqlite3_open_v2(w->path, &w->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    rc = rc == SQLITE_OK ? sqlite3_exec(w->db, schema, NULL, NULL, NULL) : rc;
    for (int i = 0; i < INSERT_COUNT && rc == SQLITE_OK; i++) {
        rc = sqlite3_prepare_v2(w->db, insert_sql[i], -1, &w->insert[i], NULL);
    }
    return rc == SQLITE_OK ? ERR_OK : write_fail(w, err);
}

static int writer_close(struct writer *w, bool commit, struct err *err) {
    int rc = ERR_OK;
    if (commit && sqlite3_exec(w->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        rc = write_fail(w, err);
    }
    for (int i = 0; i < INSERT_COUNT; i++) {
        (void)sqlite3_finalize(w->insert[i]); // repeats what step() told
    }
    (void)sqlite3_close(w->db); // all is committed, or the file is of no use
    return rc;
}

static int run(struct writer *w, enum insert which, struct err *err) {
    int stepped = sqlite3_step(w->insert[which]);
    int rc = stepped == SQLITE_DONE ? ERR_OK : write_fail(w, err);
    (void)sqlite3_reset(w->insert[which]); // repeats what step() told
    return rc;
}

static void bind_text(struct writer *w, enum insert which, int index, const char *text) {
    (void)sqlite3_bind_text(w->insert[which], index, text, -1, SQLITE_STATIC); // until run()
}

static void bind_int(struct writer *w, enum insert which, int index, int64_t value) {
    (void)sqlite3_bind_int64(w->insert[which], index, value);
}

static void bind_double(struct writer *w, enum insert which, int index, double value) {
    (void)sqlite3_bind_double(w->insert[which], index, value); // NaN becomes NULL
}

/* ---- a trial ---- */

static int put_params(struct study *s, struct err *err) {
    struct writer *w = s->writer;
    struct json_doc *doc = NULL;
    const char *text = query_text(&s->trials.query, s->trials.params);
    int rc = json_parse(&doc, "params", text, strlen(text), JSON_STRICT, err);
    for (int a = 0; a < s->trials.axis_count && rc == ERR_OK; a++) {
        const struct cJSON *value = json_get(json_root(doc), s->axis_path[a]);
        if (value != NULL) {
            bind_int(w, PARAM, 1, w->trial);
            bind_text(w, PARAM, 2, s->axis_path[a]);
            bind_double(w, PARAM, 3, export_axis_value(&s->axis[a], value));
            bind_text(w, PARAM, 4, s->axis[a].distribution);
            rc = run(w, PARAM, err);
        }
    }
    json_free(doc);
    return rc;
}

static int put_attributes(struct study *s, struct err *err) {
    struct writer *w = s->writer;
    struct buf json = {0};
    int rc = ERR_OK;
    for (int i = 0; i < s->trials.count && rc == ERR_OK; i++) {
        enum export_kind kind = s->trials.column[i].kind;
        if (kind == EXPORT_AXIS || query_is_null(&s->trials.query, i)) {
            continue;
        }
        buf_clear(&json);
        export_put_json(&json, &s->trials.query, i, kind, true);
        bind_int(w, ATTRIBUTE, 1, w->trial);
        bind_text(w, ATTRIBUTE, 2, s->trials.column[i].name);
        bind_text(w, ATTRIBUTE, 3, buf_text(&json));
        rc = run(w, ATTRIBUTE, err);
    }
    buf_release(&json);
    return rc;
}

static const char *step_type(double value) {
    return isnan(value) ? "NAN" : !isinf(value) ? "FINITE" : value > 0 ? "INF_POS" : "INF_NEG";
}

static int put_steps(struct study *s, int64_t trial, struct err *err) {
    struct writer *w = s->writer;
    int rc;
    query_bind_int(&s->steps, 2, trial);
    while ((rc = query_next(&s->steps, err)) > 0) {
        int64_t bits = query_int(&s->steps, 1);
        double value;
        memcpy(&value, &bits, sizeof value);
        bind_int(w, STEP, 1, w->trial);
        bind_int(w, STEP, 2, query_int(&s->steps, 0));
        bind_double(w, STEP, 3, isfinite(value) ? value : (double)NAN);
        bind_text(w, STEP, 4, step_type(value));
        rc = run(w, STEP, err);
        if (rc != ERR_OK) {
            break;
        }
    }
    query_reset(&s->steps);
    return rc;
}

static const char *state_of(const char *status, bool valued) {
    static const char *const states[][2] = {{"pending", "WAITING"}, {"running", "RUNNING"},
                                            {"paused", "RUNNING"},  {"pruned", "PRUNED"},
                                            {"failed", "FAIL"},     {"cancelled", "FAIL"}};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        if (strcmp(states[i][0], status) == 0) {
            return states[i][1];
        }
    }
    return valued ? "COMPLETE" : "FAIL";
}

/* Optuna wants a beginning of what has begun, and an end of what has ended. */
static int put_trial_row(struct study *s, int64_t trial, const char *state, struct err *err) {
    struct writer *w = s->writer;
    query_bind_int(&s->times, 2, trial);
    int rc = query_next(&s->times, err);
    if (rc > 0) {
        bool begun = strcmp(state, "WAITING") != 0;
        bool ended = begun && strcmp(state, "RUNNING") != 0;
        w->trial++;
        bind_int(w, TRIAL, 1, w->trial);
        bind_int(w, TRIAL, 2, s->number++);
        bind_int(w, TRIAL, 3, w->study);
        bind_text(w, TRIAL, 4, state);
        bind_text(w, TRIAL, 5, begun ? query_text(&s->times, 0) : NULL);
        bind_text(w, TRIAL, 6, ended ? query_text(&s->times, 1) : NULL);
        rc = run(w, TRIAL, err);
    }
    query_reset(&s->times);
    return rc;
}

static int put_trial(struct study *s, struct err *err) {
    struct writer *w = s->writer;
    const struct query *q = &s->trials.query;
    int64_t trial = query_int(q, EXPORT_TRIAL);
    int column = w->options->last ? s->trials.last_value : s->trials.best_value;
    bool valued = query_is_number(q, column); // not NULL, and not the word for NaN
    const char *state = state_of(query_text(q, EXPORT_STATUS), valued);
    int rc = put_trial_row(s, trial, state, err);
    if (rc == ERR_OK && valued &&
        (strcmp(state, "COMPLETE") == 0 || strcmp(state, "PRUNED") == 0)) {
        bind_int(w, VALUE, 1, w->trial);
        bind_double(w, VALUE, 2, query_double(q, column));
        rc = run(w, VALUE, err);
    }
    rc = rc == ERR_OK ? put_params(s, err) : rc;
    rc = rc == ERR_OK ? put_attributes(s, err) : rc;
    return rc == ERR_OK ? put_steps(s, trial, err) : rc;
}

/* ---- a study ---- */

static int put_study_attribute(struct writer *w, const char *name, const char *text,
                               struct err *err) {
    struct buf json = {0};
    buf_json_string(&json, text, strlen(text));
    bind_int(w, STUDY_ATTRIBUTE, 1, w->study);
    bind_text(w, STUDY_ATTRIBUTE, 2, name);
    bind_text(w, STUDY_ATTRIBUTE, 3, buf_text(&json));
    int rc = run(w, STUDY_ATTRIBUTE, err);
    buf_release(&json);
    return rc;
}

static int load_paths(struct study *s, const char *axes, struct err *err) {
    struct json_doc *doc = NULL;
    int rc = json_parse(&doc, "axes", axes, strlen(axes), JSON_STRICT, err);
    if (rc == ERR_OK) {
        int n = 0;
        for (struct cJSON *a = json_first(json_root(doc)); a != NULL; a = json_next(a)) {
            s->axis_path[n++] = mem_strdup(json_text(a));
        }
        assert(n == s->trials.axis_count); // one moment of one row
    }
    json_free(doc);
    return rc;
}

static int put_study(struct study *s, struct err *err) {
    struct writer *w = s->writer;
    struct query q;
    int rc = query_open(&q, s->store,
                        "SELECT goal, metric, coalesce(description, ''), axes, spec FROM sweep"
                        " WHERE name = ?1",
                        err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&q, 1, s->sweep);
    rc = query_next(&q, err);
    if (rc > 0) {
        w->study++;
        bind_int(w, STUDY, 1, w->study);
        bind_text(w, STUDY, 2, s->sweep);
        rc = run(w, STUDY, err);
        bind_int(w, DIRECTION, 1, w->study);
        bind_text(w, DIRECTION, 2,
                  strcmp(query_text(&q, 0), "maximize") == 0 ? "MAXIMIZE" : "MINIMIZE");
        rc = rc == ERR_OK ? run(w, DIRECTION, err) : rc;
        const char *const attributes[][2] = {{"metric", query_text(&q, 1)},
                                             {"value", w->options->last ? "last" : "best"},
                                             {"description", query_text(&q, 2)},
                                             {"sweep_file", query_text(&q, 4)},
                                             {"besom", w->options->version}};
        for (size_t i = 0; i < sizeof attributes / sizeof *attributes && rc == ERR_OK; i++) {
            rc = put_study_attribute(w, attributes[i][0], attributes[i][1], err);
        }
        rc = rc == ERR_OK ? load_paths(s, query_text(&q, 3), err) : rc;
    }
    query_close(&q);
    return rc;
}

/* All values that the axes have, before the first trial is written: each names the choices. */
static int load_axes(struct study *s, struct err *err) {
    struct query places;
    struct query *q = &s->trials.query;
    int rc = query_open(&places, s->store,
                        "SELECT m.ordinal FROM member m JOIN sweep s ON s.id = m.sweep"
                        " WHERE s.name = ?1 AND m.trial = ?2",
                        err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&places, 1, s->sweep);
    while (rc == ERR_OK && (rc = query_next(q, err)) > 0) {
        struct json_doc *doc = NULL;
        const char *text = query_text(q, s->trials.params);
        query_bind_int(&places, 2, query_int(q, EXPORT_TRIAL));
        rc = query_next(&places, err);
        int64_t ordinal = rc > 0 ? query_int(&places, 0) : 0;
        query_reset(&places);
        rc = rc < 0 ? rc : json_parse(&doc, "params", text, strlen(text), JSON_STRICT, err);
        for (int a = 0; a < s->trials.axis_count && rc == ERR_OK; a++) {
            const struct cJSON *value = json_get(json_root(doc), s->axis_path[a]);
            if (value != NULL) {
                export_axis_add(&s->axis[a], value, query_text(q, EXPORT_AXES + a), ordinal);
            }
        }
        json_free(doc);
    }
    query_reset(q);
    query_close(&places);
    for (int a = 0; a < s->trials.axis_count && rc == ERR_OK; a++) {
        export_axis_finish(&s->axis[a]);
    }
    return rc;
}

#define LOCAL(what) "strftime('%Y-%m-%d %H:%M:%f000', " what ", 'unixepoch', 'localtime')"

static int open_queries(struct study *s, struct err *err) {
    int rc = query_open(&s->times, s->store,
                        "SELECT " LOCAL("coalesce(min(a.started_at), s.created_at)") ", " LOCAL(
                            "coalesce(max(a.ended_at), max(a.started_at), s.created_at)") //
                        " FROM sweep s LEFT JOIN attempt a ON a.trial = ?2 WHERE s.name = ?1",
                        err);
    rc = rc == ERR_OK
             ? query_open(&s->steps, s->store,
                          "SELECT v.epoch, v.bits FROM value v WHERE v.trial = ?2 AND v.metric ="
                          " (SELECT metric_id FROM sweep WHERE name = ?1) ORDER BY v.epoch",
                          err)
             : rc;
    if (rc == ERR_OK) {
        query_bind_text(&s->times, 1, s->sweep);
        query_bind_text(&s->steps, 1, s->sweep);
    }
    return rc;
}

static int put_sweep(struct writer *w, struct store *store, const char *sweep, int64_t *trials,
                     struct err *err) {
    struct study s = {.writer = w, .store = store, .sweep = sweep};
    int rc = export_trials_open(&s.trials, store, sweep, w->options->active, err);
    int axis_count = s.trials.axis_count;
    s.axis = mem_zalloc((size_t)axis_count + 1, sizeof *s.axis);
    s.axis_path = mem_zalloc((size_t)axis_count + 1, sizeof *s.axis_path);
    rc = rc == ERR_OK ? put_study(&s, err) : rc;
    rc = rc == ERR_OK ? load_axes(&s, err) : rc;
    rc = rc == ERR_OK ? open_queries(&s, err) : rc;
    while (rc == ERR_OK && (rc = query_next(&s.trials.query, err)) > 0) {
        rc = put_trial(&s, err);
    }
    *trials += s.number;
    query_close(&s.times);
    query_close(&s.steps);
    export_trials_close(&s.trials);
    for (int a = 0; a < axis_count; a++) {
        export_axis_release(&s.axis[a]);
        free(s.axis_path[a]);
    }
    free(s.axis);
    free(s.axis_path);
    return rc;
}

int export_optuna(const char *path, struct store *store, const char *const *sweeps, int count,
                  const struct export_optuna_options *options, int64_t *trials, struct err *err) {
    struct writer w = {.path = path, .options = options};
    int64_t written = 0;
    int rc = writer_open(&w, err);
    if (rc == ERR_OK) {
        rc = export_begin(store, err);
        for (int i = 0; i < count && rc == ERR_OK; i++) {
            rc = put_sweep(&w, store, sweeps[i], &written, err);
        }
        export_end(store);
    }
    struct err closing;
    int closed = writer_close(&w, rc == ERR_OK, &closing);
    if (rc == ERR_OK && closed != ERR_OK) {
        *err = closing;
        rc = closed;
    }
    if (rc == ERR_OK) {
        *trials = written;
    }
    return rc;
}
