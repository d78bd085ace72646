/* Sweeps and their points.  Planning the same sweep again writes nothing but the sweep's own row: a point is
 * compared with what is there first, so that resuming a large sweep does not fill the WAL. */
#include "results/store.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "results/store_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- metrics' names ---- */

/* A place in the cache by the name alone (FNV-1a); another name at that place is put out. */
static unsigned cache_place(const char *name) {
    uint32_t hash = 2166136261u;
    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return (hash ^ (hash >> 16)) % METRIC_CACHE;
}

/* *id is 0 when there is none. */
static int find_name(struct store *store, enum store_stmt which, const char *name, int64_t *id,
                     struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, which, err);
    if (stmt == NULL) {
        return err->code;
    }
    store_bind_text(stmt, 1, name);
    int rc = store_step(store, stmt, err);
    if (rc >= 0) {
        *id = rc > 0 ? sqlite3_column_int64(stmt, 0) : 0;
    }
    store_done(stmt);
    return rc < 0 ? rc : ERR_OK;
}

int store_intern(struct store *store, enum store_stmt find, enum store_stmt add, const char *name,
                 int64_t *id, struct err *err) {
    int rc = find_name(store, find, name, id, err);
    if (rc != ERR_OK || *id != 0) {
        return rc;
    }
    sqlite3_stmt *stmt = store_stmt(store, add, err);
    if (stmt == NULL) {
        return err->code;
    }
    store_bind_text(stmt, 1, name);
    rc = store_run(store, stmt, err);
    if (rc == ERR_OK) {
        *id = sqlite3_last_insert_rowid(store->db);
    }
    return rc;
}

int store_metric_find(struct store *store, const char *name, int64_t *id, struct err *err) {
    unsigned place = cache_place(name);
    if (store->metric[place].id != 0 && strcmp(store->metric[place].name, name) == 0) {
        *id = store->metric[place].id;
        return ERR_OK;
    }
    int rc = find_name(store, STMT_METRIC_FIND, name, id, err);
    size_t len = strlen(name);
    if (rc == ERR_OK && *id != 0 && len <= WIRE_NAME_MAX) {
        store->metric[place].id = *id;
        memcpy(store->metric[place].name, name, len + 1);
    }
    return rc;
}

int store_metric_id(struct store *store, const char *name, int64_t *id, struct err *err) {
    int rc = store_metric_find(store, name, id, err);
    return rc == ERR_OK && *id == 0
               ? store_intern(store, STMT_METRIC_FIND, STMT_METRIC_ADD, name, id, err)
               : rc;
}

/* ---- sweeps ---- */

/* sweep_<name> as a name, not as SQL */
static char *view_name(const char *sweep) {
    char *view = mem_printf("sweep_%s", sweep);
    for (char *c = view; *c != '\0'; c++) {
        *c = *c == '-' ? '_' : *c;
    }
    return view;
}

/* "a-b" and "a_b" would share a view. */
static int check_view(struct store *store, const char *view, const char *name, struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_SWEEP_OF_VIEW, err);
    if (stmt == NULL) {
        return err->code;
    }
    store_bind_text(stmt, 1, view);
    store_bind_text(stmt, 2, name);
    int rc = store_step(store, stmt, err);
    if (rc > 0) {
        rc = err_set(err, ERR_RANGE,
                     "the sweeps \"%s\" and \"%s\" would both have the view %s; rename one", name,
                     (const char *)sqlite3_column_text(stmt, 0), view);
    }
    store_done(stmt);
    return rc;
}

static int write_sweep(struct store *store, enum store_stmt which, const struct store_sweep *sweep,
                       const char *view, int64_t metric, struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, which, err);
    if (stmt == NULL) {
        return err->code;
    }
    store_bind_text(stmt, 1, sweep->name);
    store_bind_text(stmt, 2, view);
    store_bind_text(stmt, 3, sweep->description);
    store_bind_text(stmt, 4, sweep->spec);
    store_bind_text(stmt, 5, sweep->axes);
    store_bind_text(stmt, 6, sweep->trainer);
    store_bind_text(stmt, 7, sweep->metric);
    (void)sqlite3_bind_int64(stmt, 8, metric);
    store_bind_text(stmt, 9, sweep->maximize ? "maximize" : "minimize");
    (void)sqlite3_bind_double(stmt, 10, store_now());
    return store_run(store, stmt, err);
}

static int put_sweep(struct store *store, const struct store_sweep *sweep, const char *view,
                     int64_t *id, struct err *err) {
    int64_t metric = 0; // for the analyzer: ERR_OK means that it is set
    int rc = check_view(store, view, sweep->name, err);
    rc = rc == ERR_OK ? store_metric_id(store, sweep->metric, &metric, err) : rc;
    rc = rc == ERR_OK ? find_name(store, STMT_SWEEP_FIND, sweep->name, id, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    rc = write_sweep(store, *id == 0 ? STMT_SWEEP_ADD : STMT_SWEEP_SET, sweep, view, metric, err);
    if (rc == ERR_OK && *id == 0) {
        *id = sqlite3_last_insert_rowid(store->db);
    }
    return rc;
}

int store_put_sweep(struct store *store, const struct store_sweep *sweep, int64_t *sweep_id,
                    struct err *err) {
    int rc = store_check_writing(store, err);
    if (rc != ERR_OK) {
        return rc;
    }
    int64_t id = 0;
    char *view = view_name(sweep->name);
    rc = put_sweep(store, sweep, view, &id, err);
    free(view);
    rc = rc == ERR_OK ? store_plan_begin(store, id, err) : rc;
    rc = rc == ERR_OK ? store_make_view(store, id, err) : rc;
    if (rc == ERR_OK) {
        sqlite3_stmt *stmt = store_stmt(store, STMT_PLANNED_CLEAR, err);
        rc = stmt == NULL ? (int)err->code : store_run(store, stmt, err);
    }
    if (rc != ERR_OK) {
        return err_wrap(err, "put sweep \"%s\"", sweep->name);
    }
    *sweep_id = id;
    return ERR_OK;
}

/* Points come between store_put_sweep() and store_end_plan() of the same transaction. */
static int check_planning(struct store *store, int64_t sweep_id, struct err *err) {
    int rc = store_check_writing(store, err);
    if (rc == ERR_OK && store->plan.sweep != sweep_id) {
        rc = err_set(err, ERR_RANGE, "sweep %lld is not being planned", (long long)sweep_id);
    }
    return rc;
}

static int write_parts(struct store *store, int64_t sweep_id, const char *parts, struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_SWEEP_SET_PARTS, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, sweep_id);
    store_bind_text(stmt, 2, parts);
    return store_run(store, stmt, err);
}

static int save_parts(struct store *store, int64_t sweep_id, struct err *err) {
    struct cJSON *parts = json_new_array();
    for (int i = 0; i < store->plan.part_count; i++) {
        json_append(parts, json_new_string(store->plan.part[i].name));
    }
    struct buf text = {0};
    json_print(&text, parts);
    json_delete(parts);
    int rc = write_parts(store, sweep_id, buf_text(&text), err);
    buf_release(&text);
    return rc;
}

static int let_leave(struct store *store, int64_t sweep_id, struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_MEMBER_LEAVE, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, sweep_id);
    return store_run(store, stmt, err);
}

int store_end_plan(struct store *store, int64_t sweep_id, struct err *err) {
    int rc = check_planning(store, sweep_id, err);
    rc = rc == ERR_OK ? save_parts(store, sweep_id, err) : rc;
    rc = rc == ERR_OK ? let_leave(store, sweep_id, err) : rc;
    return rc == ERR_OK ? store_make_view(store, sweep_id, err) : rc;
}

/* ---- points ---- */

/* A trial as it is stored, and what it becomes. */
struct known {
    int64_t id; // 0: new
    enum trial_status status;
    int64_t epochs, epochs_done, attempts;
    bool stopped;     // it was complete before the last of `epochs`
    bool same_config; // as it was run with; of a stopped one, apart from its epochs
    bool completed;   // its last attempt did
};

static enum trial_status status_of(const char *name) {
    int i = 0;
    while (i < TRIAL_STATUS_COUNT - 1 && strcmp(trial_status_names[i], name) != 0) {
        i++; // the table's CHECK allows no other names
    }
    return (enum trial_status)i;
}

/* Whether two configs, JSON both, differ in their `epochs` alone. */
static bool is_same_but_epochs(const char *a, const char *b) {
    struct json_doc *doc_a = NULL, *doc_b = NULL;
    struct err ignored; // what is no JSON is not the same
    bool same = json_parse(&doc_a, "config", a, strlen(a), JSON_STRICT, &ignored) == ERR_OK &&
                json_parse(&doc_b, "config", b, strlen(b), JSON_STRICT, &ignored) == ERR_OK &&
                json_type(json_root(doc_a)) == JSON_OBJECT &&
                json_type(json_root(doc_b)) == JSON_OBJECT;
    if (same) {
        json_remove(json_root(doc_a), "epochs");
        json_remove(json_root(doc_b), "epochs");
        same = json_equal(json_root(doc_a), json_root(doc_b));
    }
    json_free(doc_a);
    json_free(doc_b);
    return same;
}

static int find_known(struct store *store, const struct store_point *point, struct known *known,
                      struct err *err) {
    *known = (struct known){0};
    sqlite3_stmt *stmt = store_stmt(store, STMT_TRIAL_FIND, err);
    if (stmt == NULL) {
        return err->code;
    }
    store_bind_text(stmt, 1, point->key);
    int rc = store_step(store, stmt, err);
    if (rc > 0) {
        known->id = sqlite3_column_int64(stmt, 0);
        const char *status = (const char *)sqlite3_column_text(stmt, 1);
        known->epochs = sqlite3_column_int64(stmt, 2);
        known->epochs_done = sqlite3_column_int64(stmt, 3);
        known->attempts = sqlite3_column_int64(stmt, 4);
        const char *config = (const char *)sqlite3_column_text(stmt, 5);
        if (status == NULL || config == NULL) { // NOT NULL, says the table
            store_done(stmt);
            return store_damaged(store, err, "trial %lld lacks its status or its config",
                                 (long long)known->id);
        }
        known->status = status_of(status);
        known->same_config = strcmp(config, point->config) == 0;
        known->stopped = sqlite3_column_type(stmt, 6) != SQLITE_NULL;
        if (known->stopped && !known->same_config) {
            known->same_config = is_same_but_epochs(config, point->config);
        }
    }
    store_done(stmt);
    if (rc <= 0 || known->attempts == 0) {
        return rc < 0 ? rc : ERR_OK;
    }
    stmt = store_stmt(store, STMT_ATTEMPT_LAST, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, known->id);
    rc = store_step(store, stmt, err);
    known->completed = rc > 0 && sqlite3_column_int(stmt, 0) != 0;
    store_done(stmt);
    return rc < 0 ? rc : ERR_OK;
}

static int add_trial(struct store *store, int64_t sweep_id, const struct store_point *point,
                     int64_t *id, struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_TRIAL_ADD, err);
    if (stmt == NULL) {
        return err->code;
    }
    store_bind_text(stmt, 1, point->key);
    (void)sqlite3_bind_int64(stmt, 2, sweep_id);
    (void)sqlite3_bind_int64(stmt, 3, point->seed);
    store_bind_text(stmt, 4, point->config);
    (void)sqlite3_bind_int64(stmt, 5, point->epochs);
    int rc = store_run(store, stmt, err);
    if (rc == ERR_OK) {
        *id = sqlite3_last_insert_rowid(store->db);
    }
    return rc;
}

/* What is to be done with a trial that is there, `asked` epochs (0: not said) being wanted now.  May change
 * its status: complete <-> pending. */
static enum store_plan decide(struct known *known, int64_t asked) {
    bool enough = asked <= known->epochs_done;
    switch (known->status) {
    case TRIAL_FAILED:
        return PLAN_FAILED;
    case TRIAL_PRUNED:
    case TRIAL_CANCELLED:
        return PLAN_DONE; // by a decision
    case TRIAL_COMPLETE:
        enough = enough || (known->stopped && known->same_config && asked <= known->epochs);
        known->status = enough ? TRIAL_COMPLETE : TRIAL_PENDING;
        return enough ? PLAN_DONE : PLAN_EXTEND;
    case TRIAL_PENDING:
        if (known->completed) { // more had been asked for, and it has not been started since
            known->status = enough ? TRIAL_COMPLETE : TRIAL_PENDING;
            return enough ? PLAN_DONE : PLAN_EXTEND;
        }
        return known->attempts == 0 ? PLAN_NEW : PLAN_CONTINUE;
    default:
        return PLAN_CONTINUE;
    }
}

static int replan(struct store *store, const struct store_point *point, struct known *known,
                  enum store_plan *plan, struct err *err) {
    enum trial_status before = known->status;
    *plan = decide(known, point->epochs);
    int64_t epochs = point->epochs == 0                   ? 0
                     : point->epochs > known->epochs_done ? point->epochs
                                                          : known->epochs_done;
    if (*plan == PLAN_DONE && known->status == before) {
        return ERR_OK; // keeps the config that it was run with
    }
    if (known->status == before && epochs == known->epochs && known->same_config) {
        return ERR_OK;
    }
    sqlite3_stmt *stmt = store_stmt(store, STMT_TRIAL_REPLAN, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, known->id);
    store_bind_text(stmt, 2, trial_status_names[known->status]);
    (void)sqlite3_bind_int64(stmt, 3, epochs);
    store_bind_text(stmt, 4, point->config);
    return store_run(store, stmt, err);
}

/* *changed tells that the sweep did not have this point, or not like this. */
static int write_member(struct store *store, int64_t sweep_id, int64_t trial,
                        const struct store_point *point, bool *changed, struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_MEMBER_PUT, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, sweep_id);
    (void)sqlite3_bind_int64(stmt, 2, trial);
    (void)sqlite3_bind_int64(stmt, 3, point->ordinal);
    (void)sqlite3_bind_int(stmt, 4, point->replicate);
    store_bind_text(stmt, 5, point->label);
    store_bind_text(stmt, 6, point->params);
    int rc = store_run(store, stmt, err);
    *changed = rc == ERR_OK && sqlite3_changes(store->db) > 0;
    return rc;
}

/* The cells are made also when they are there: it is they who name the sweep's parts. */
static int put_member(struct store *store, int64_t sweep_id, int64_t trial,
                      const struct store_point *point, struct err *err) {
    struct cells *cells = NULL;
    bool changed = false;
    int rc = store_cells_make(store, point->params, &cells, err);
    rc = rc == ERR_OK ? write_member(store, sweep_id, trial, point, &changed, err) : rc;
    rc = rc == ERR_OK && changed ? store_cells_write(store, cells, trial, err) : rc;
    store_cells_free(cells);
    return rc;
}

/* Notes that the plan has this trial; *repeated tells that it had it already. */
static int mark_planned(struct store *store, int64_t trial, bool *repeated, struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_PLANNED_ADD, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, trial);
    int rc = store_run(store, stmt, err);
    *repeated = rc == ERR_OK && sqlite3_changes(store->db) == 0;
    return rc;
}

/* What a shared trial has measured already gets columns in this sweep's view, too; the view itself
 * is made at the end of the plan. */
static int share_metrics(struct store *store, int64_t sweep_id, int64_t trial, struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_MEASURED_SHARE, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, sweep_id);
    (void)sqlite3_bind_int64(stmt, 2, trial);
    (void)sqlite3_bind_int(stmt, 3, SWEEP_METRICS_MAX);
    return store_run(store, stmt, err);
}

static int put_point(struct store *store, int64_t sweep_id, const struct store_point *point,
                     struct store_planned *planned, struct err *err) {
    struct known known;
    enum store_plan plan = PLAN_NEW;
    int rc = find_known(store, point, &known, err);
    if (rc != ERR_OK) {
        return rc;
    }
    bool fresh = known.id == 0, repeated = false;
    rc = fresh ? add_trial(store, sweep_id, point, &known.id, err) : ERR_OK;
    rc = rc == ERR_OK ? mark_planned(store, known.id, &repeated, err) : rc;
    if (rc == ERR_OK && !fresh && !repeated) { // the first point of a plan says how a trial is run
        rc = replan(store, point, &known, &plan, err);
    }
    if (rc == ERR_OK && !repeated) {
        rc = put_member(store, sweep_id, known.id, point, err);
        rc = rc == ERR_OK && !fresh ? share_metrics(store, sweep_id, known.id, err) : rc;
    }
    if (rc == ERR_OK) {
        *planned = (struct store_planned){.trial = known.id,
                                          .plan = plan,
                                          .epochs_done = (int)known.epochs_done,
                                          .repeated = repeated};
    }
    return rc;
}

int store_put_point(struct store *store, int64_t sweep_id, const struct store_point *point,
                    struct store_planned *planned, struct err *err) {
    int rc = check_planning(store, sweep_id, err);
    rc = rc == ERR_OK ? put_point(store, sweep_id, point, planned, err) : rc;
    return rc == ERR_OK ? rc : err_wrap(err, "put point \"%s\"", point->label);
}

int store_preview_point(struct store *store, const struct store_point *point,
                        struct store_planned *planned, struct err *err) {
    struct known known = {0};
    int rc = store == NULL ? ERR_OK : find_known(store, point, &known, err);
    if (rc != ERR_OK) {
        return err_wrap(err, "look up point \"%s\"", point->label);
    }
    // A copy decides: nothing is written here.
    *planned =
        (struct store_planned){.trial = known.id,
                               .plan = known.id == 0 ? PLAN_NEW : decide(&known, point->epochs),
                               .epochs_done = (int)known.epochs_done};
    return ERR_OK;
}
