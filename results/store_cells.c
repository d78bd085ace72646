/* A point's params as cells: what the view of its sweep shows of them.
 *
 *     {"optimizer": {"name": "sgd", "lr": 0.1}, "dataset.train": 10000}
 *
 *     optimizer        sgd lr=0.1      an axis
 *     dataset.train    10000           an axis
 *     optimizer.lr     0.1             a part: a scalar member of an axis's value
 *
 * Which parts a sweep has shows only when all of its points have come, so the names are collected in
 * store->plan and end up in the sweep's row and view at the end of the plan. */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "results/store_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A place a heading: the axes first, then the parts.  NULL: nothing to show. */
struct cells {
    struct cJSON **at;
    int count; // places that there are
};

/* ---- names ---- */

void store_plan_forget(struct plan_names *plan) {
    for (int i = 0; i < plan->axis_count; i++) {
        free(plan->axis[i].name);
    }
    for (int i = 0; i < plan->part_count; i++) {
        free(plan->part[i].name);
    }
    free(plan->axis);
    *plan = (struct plan_names){0};
}

static int name_heading(struct store *store, const char *name, struct heading *heading,
                        struct err *err) {
    int64_t id;
    int rc = store_intern(store, STMT_HEADING_FIND, STMT_HEADING_ADD, name, &id, err);
    if (rc == ERR_OK) {
        *heading = (struct heading){mem_strdup(name), id};
    }
    return rc;
}

static int load_axes(struct store *store, int64_t sweep_id, struct json_doc **axes,
                     struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_SWEEP_AXES, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, sweep_id);
    int rc = store_step(store, stmt, err);
    if (rc > 0) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        rc = json_parse(axes, "axes", text, strlen(text), JSON_STRICT, err);
    } else if (rc == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "no sweep %lld", (long long)sweep_id);
    }
    store_done(stmt);
    return rc;
}

int store_plan_begin(struct store *store, int64_t sweep_id, struct err *err) {
    struct plan_names *plan = &store->plan;
    struct json_doc *axes = NULL;
    store_plan_forget(plan);
    int rc = load_axes(store, sweep_id, &axes, err);
    if (rc != ERR_OK) {
        return rc;
    }
    plan->axis = mem_zalloc((size_t)json_count(json_root(axes)) + 1, sizeof *plan->axis);
    for (struct cJSON *a = json_first(json_root(axes)); a != NULL && rc == ERR_OK;
         a = json_next(a)) {
        rc = name_heading(store, json_text(a), &plan->axis[plan->axis_count], err);
        plan->axis_count += rc == ERR_OK;
    }
    json_free(axes);
    if (rc == ERR_OK) {
        plan->sweep = sweep_id;
    } else {
        store_plan_forget(plan);
    }
    return rc;
}

/* The place of a part; -1 when it gets none, as it is an axis itself or there are too many. */
static int part_place(struct store *store, const char *name, int *place, struct err *err) {
    struct plan_names *plan = &store->plan;
    *place = -1;
    for (int i = 0; i < plan->axis_count; i++) {
        if (strcmp(plan->axis[i].name, name) == 0) {
            return ERR_OK;
        }
    }
    int i = 0;
    while (i < plan->part_count && strcmp(plan->part[i].name, name) != 0) {
        i++;
    }
    if (i == SWEEP_PARTS_MAX) {
        return ERR_OK;
    }
    if (i == plan->part_count) {
        int rc = name_heading(store, name, &plan->part[i], err);
        if (rc != ERR_OK) {
            return rc;
        }
        plan->part_count++;
    }
    *place = plan->axis_count + i;
    return ERR_OK;
}

/* ---- making ---- */

/* The cell that shows a value which is no object.  Numbers and texts stay what they are; SQL has no
 * booleans and its NULL stands for an absent value, so both become words, as lists do. */
static struct cJSON *cell_of(const struct cJSON *value) {
    if (json_type(value) == JSON_NUMBER || json_type(value) == JSON_STRING) {
        return json_copy(value);
    }
    struct buf text = {0};
    json_print_canonical(&text, value);
    struct cJSON *cell = json_new_string(buf_text(&text));
    buf_release(&text);
    return cell;
}

static void put_short(struct buf *out, const struct cJSON *value) {
    if (json_type(value) == JSON_STRING) {
        buf_puts(out, json_text(value));
    } else {
        json_print_canonical(out, value);
    }
}

/* A member of an axis's value: " lr=0.1" for the axis, and a cell of its own unless it is a list.
 * `path` is "lr", or "decay.at" of an object inside. */
static int put_member(struct store *store, struct cells *cells, struct buf *text, const char *axis,
                      const char *path, const struct cJSON *member, struct err *err) {
    buf_printf(text, "%s%s=", text->len > 0 ? " " : "", path);
    put_short(text, member);
    if (json_type(member) == JSON_ARRAY) {
        return ERR_OK;
    }
    int place;
    char *name = mem_printf("%s.%s", axis, path);
    int rc = part_place(store, name, &place, err);
    free(name);
    if (rc == ERR_OK && place >= 0) {
        json_delete(cells->at[place]); // {"a.b": 1, "a": {"b": 2}} names one place twice
        cells->at[place] = cell_of(member);
    }
    return rc;
}

/* {"name": "sgd", "lr": 0.1, "decay": {"at": 3}} -> "sgd lr=0.1 decay.at=3"; the name was put before.
 * At most JSON_DEPTH_MAX deep. */
static int put_members(struct store *store, struct cells *cells, struct buf *text, const char *axis,
                       const char *prefix, const struct cJSON *object, struct err *err) {
    int rc = ERR_OK;
    for (const struct cJSON *m = json_first(object); m != NULL && rc == ERR_OK; m = json_next(m)) {
        if (prefix[0] == '\0' && strcmp(json_key(m), "name") == 0) {
            continue;
        }
        char *path = mem_printf("%s%s", prefix, json_key(m));
        if (json_type(m) == JSON_OBJECT) {
            char *deeper = mem_printf("%s.", path);
            rc = put_members(store, cells, text, axis, deeper, m, err);
            free(deeper);
        } else {
            rc = put_member(store, cells, text, axis, path, m, err);
        }
        free(path);
    }
    return rc;
}

static int put_object(struct store *store, struct cells *cells, int place, const char *axis,
                      const struct cJSON *object, struct err *err) {
    struct buf text = {0};
    const struct cJSON *name = json_get(object, "name");
    if (name != NULL) {
        put_short(&text, name);
    }
    int rc = put_members(store, cells, &text, axis, "", object, err);
    if (text.len == 0) {
        buf_puts(&text, "{}"); // a name that can be seen, and joined by
    }
    cells->at[place] = json_new_string(buf_text(&text));
    buf_release(&text);
    return rc;
}

static int put_axes(struct store *store, struct cells *cells, const struct cJSON *params,
                    struct err *err) {
    int rc = ERR_OK;
    for (int i = 0; i < store->plan.axis_count && rc == ERR_OK; i++) {
        const char *axis = store->plan.axis[i].name;
        const struct cJSON *value = json_get(params, axis);
        if (value != NULL && json_type(value) == JSON_OBJECT) {
            rc = put_object(store, cells, i, axis, value, err);
        } else if (value != NULL) {
            cells->at[i] = cell_of(value);
        }
    }
    return rc;
}

int store_cells_make(struct store *store, const char *params, struct cells **cells,
                     struct err *err) {
    struct json_doc *doc;
    int rc = json_parse(&doc, "params", params, strlen(params), JSON_STRICT, err);
    if (rc != ERR_OK) {
        return rc;
    }
    struct cells *made = mem_zalloc(1, sizeof *made);
    made->count = store->plan.axis_count + SWEEP_PARTS_MAX;
    made->at = mem_zalloc((size_t)made->count, sizeof *made->at);
    rc = put_axes(store, made, json_root(doc), err);
    json_free(doc);
    if (rc == ERR_OK) {
        *cells = made;
    } else {
        store_cells_free(made);
    }
    return rc;
}

void store_cells_free(struct cells *cells) {
    if (cells != NULL) {
        for (int i = 0; i < cells->count; i++) {
            json_delete(cells->at[i]);
        }
        free(cells->at);
        free(cells);
    }
}

/* ---- writing ---- */

static void bind_cell(sqlite3_stmt *stmt, int index, const struct cJSON *cell) {
    int64_t integer;
    if (json_type(cell) == JSON_STRING) {
        store_bind_text(stmt, index, json_text(cell));
    } else if (json_integer(cell, -((int64_t)1 << 53), (int64_t)1 << 53, &integer)) {
        (void)sqlite3_bind_int64(stmt, index, integer); // 10000 and not 10000.0
    } else {
        (void)sqlite3_bind_double(stmt, index, json_number(cell));
    }
}

static int drop_cells(struct store *store, int64_t trial, struct err *err) {
    sqlite3_stmt *stmt = store_stmt(store, STMT_CELL_DROP, err);
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, store->plan.sweep);
    (void)sqlite3_bind_int64(stmt, 2, trial);
    return store_run(store, stmt, err);
}

int store_cells_write(struct store *store, const struct cells *cells, int64_t trial,
                      struct err *err) {
    const struct plan_names *plan = &store->plan;
    int rc = drop_cells(store, trial, err);
    for (int i = 0; i < cells->count && rc == ERR_OK; i++) {
        if (cells->at[i] == NULL) {
            continue;
        }
        sqlite3_stmt *stmt = store_stmt(store, STMT_CELL_ADD, err);
        if (stmt == NULL) {
            return err->code;
        }
        (void)sqlite3_bind_int64(stmt, 1, plan->sweep);
        (void)sqlite3_bind_int64(stmt, 2, trial);
        (void)sqlite3_bind_int64(
            stmt, 3, i < plan->axis_count ? plan->axis[i].id : plan->part[i - plan->axis_count].id);
        bind_cell(stmt, 4, cells->at[i]);
        rc = store_run(store, stmt, err);
    }
    return rc;
}
