#include "runner/plan.h"

#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "runner/checker.h"
#include "runner/complaints.h"
#include "runner/grid.h"
#include "runner/key.h"
#include "runner/keymap.h"
#include "runner/pieces.h"
#include "runner/placeholder.h"
#include "runner/program.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A plan in the making. */
struct planner {
    struct plan plan;
    struct store *store;
    const struct sweep *sweep;
    const struct plan_options *options;
    struct diag *diag;
    plan_trial_fn *each;
    void *context;
    struct checker *checker; // NULL: the trainer's configs are its own affair
    struct pieces *pieces;   // NULL: each point is made as JSON
    struct grid_point
        window[PLAN_WINDOW]; // being checked: places first .. last - 1, modulo its size
    int64_t first, last;
    int64_t checked;
    struct complaints complaints;
    struct keymap seen; // dry run: the trials that the plan has already
    char **filled;      // owned: the paths that the trainer's arguments have as placeholders
    int filled_count;
    int64_t queue_cap;
    struct buf params, config; // of the point at hand; kept for their memory
};

void plan_release(struct plan *plan) {
    if (plan != NULL) {
        free(plan->queue);
        *plan = (struct plan){0};
    }
}

/* ---- a point whose config is good ---- */

static void enqueue(struct planner *p, int64_t trial) {
    if (p->plan.queue_count == p->queue_cap) {
        p->queue_cap = p->queue_cap == 0 ? 256 : 2 * p->queue_cap;
        p->plan.queue = mem_resize(p->plan.queue, (size_t)p->queue_cap, sizeof *p->plan.queue);
    }
    p->plan.queue[p->plan.queue_count++] = trial;
}

static int ask_store(struct planner *p, const struct store_point *point,
                     struct store_planned *planned, struct err *err) {
    if (p->options->dry_run) {
        int rc = store_preview_point(p->store, point, planned, err);
        if (rc == ERR_OK && p->pieces == NULL) { // which are all different
            planned->repeated = (*keymap_at(&p->seen, point->key))++ > 0;
        }
        return rc;
    }
    return store_put_point(p->store, p->plan.sweep_id, point, planned, err);
}

/* --retry-failed */
static int revive(struct planner *p, struct store_planned *planned, struct err *err) {
    planned->plan = planned->epochs_done > 0 ? PLAN_CONTINUE : PLAN_NEW;
    return p->options->dry_run ? ERR_OK : store_reset_failed(p->store, planned->trial, err);
}

static int count_trial(struct planner *p, const struct store_point *point, struct err *err) {
    struct store_planned planned;
    int rc = ask_store(p, point, &planned, err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (planned.repeated) {
        p->plan.merged++;
        return ERR_OK;
    }
    if (planned.plan == PLAN_FAILED && p->options->retry_failed) {
        rc = revive(p, &planned, err);
    }
    p->plan.total++;
    p->plan.count[planned.plan]++;
    if (planned.plan != PLAN_DONE && planned.plan != PLAN_FAILED && !p->options->dry_run) {
        enqueue(p, planned.trial);
    }
    if (rc == ERR_OK && p->each != NULL) {
        p->each(p->context, point, &planned);
    }
    return rc;
}

/* `identity` NULL: the trainer has no check. */
static int accept(struct planner *p, const struct grid_point *point, const struct cJSON *identity,
                  struct err *err) {
    char key[HASH_HEX_LEN + 1];
    key_make(key, point->config, identity, point->seed, p->sweep->trainer);
    buf_clear(&p->params);
    buf_clear(&p->config);
    json_print(&p->params, point->params);
    json_print_canonical(&p->config, point->config);
    const struct store_point stored = {.key = key,
                                       .ordinal = point->ordinal,
                                       .label = point->label,
                                       .params = buf_text(&p->params),
                                       .config = buf_text(&p->config),
                                       .replicate = point->replicate,
                                       .seed = point->seed,
                                       .epochs = point->epochs};
    return count_trial(p, &stored, err);
}

/* ---- checking ---- */

static const char *text_of(const struct cJSON *object, const char *key, const char *otherwise) {
    const struct cJSON *value = json_type(object) == JSON_OBJECT ? json_get(object, key) : NULL;
    return value != NULL && json_type(value) == JSON_STRING ? json_text(value) : otherwise;
}

static void refuse(struct planner *p, const struct grid_point *point, const struct cJSON *answer) {
    const struct cJSON *errors = json_get(answer, "errors");
    bool listed = errors != NULL && json_type(errors) == JSON_ARRAY && json_first(errors) != NULL;
    if (!listed) {
        complaints_add(&p->complaints, p->sweep, point, "", "the trainer refuses this config");
        return;
    }
    for (const struct cJSON *e = json_first(errors); e != NULL; e = json_next(e)) {
        complaints_add(&p->complaints, p->sweep, point, text_of(e, "path", ""),
                       text_of(e, "message", "the trainer refuses this config"));
    }
}

/* It could not look at the config's data for want of room: that is no fault of the config. */
static bool met_full_disk(const struct cJSON *answer, struct err *err) {
    if (strcmp(text_of(answer, "reason", ""), "disk full") != 0) {
        return false;
    }
    const struct cJSON *errors = json_get(answer, "errors");
    const struct cJSON *first =
        errors != NULL && json_type(errors) == JSON_ARRAY ? json_first(errors) : NULL;
    (void)err_set(err, ERR_FULL, "%s",
                  first != NULL ? text_of(first, "message", "disk full") : "disk full");
    return true;
}

static int judge(struct planner *p, struct grid_point *point, const struct cJSON *answer,
                 struct err *err) {
    p->checked++;
    if (!json_bool(json_get(answer, "ok"))) {
        if (met_full_disk(answer, err)) {
            return err->code;
        }
        refuse(p, point, answer);
        return ERR_OK;
    }
    const struct cJSON *identity = json_get(answer, "identity");
    const struct cJSON *epochs = json_get(answer, "epochs");
    if (identity == NULL || json_type(identity) != JSON_OBJECT || epochs == NULL ||
        !json_integer(epochs, 1, INT32_MAX, &point->epochs)) {
        return err_set(err, ERR_PARSE, "%s check answered without \"identity\" and \"epochs\"",
                       p->sweep->trainer[0]);
    }
    // After a complaint nothing will be stored: the rest is only checked.
    return p->complaints.count > 0 ? ERR_OK : accept(p, point, identity, err);
}

/* Takes the answer to the oldest point of the window. */
static int settle_oldest(struct planner *p, struct err *err) {
    struct json_doc *answer;
    int rc = checker_get(p->checker, &answer, err);
    if (rc != ERR_OK) {
        return rc;
    }
    struct grid_point *point = &p->window[p->first++ % PLAN_WINDOW];
    rc = judge(p, point, json_root(answer), err);
    grid_point_release(point);
    json_free(answer);
    return rc;
}

/* A placeholder of the trainer's that the point has nothing for. */
static bool lacks_value(struct planner *p, const struct grid_point *point) {
    bool lacks = false;
    for (int i = 0; i < p->filled_count; i++) {
        if (json_path_get(point->config, p->filled[i]) == NULL) {
            complaints_add(&p->complaints, p->sweep, point, p->filled[i],
                           "nothing is there for the trainer's placeholder");
            lacks = true;
        }
    }
    return lacks;
}

static int settle(struct planner *p, struct grid_point *point, struct err *err) {
    bool lacks = lacks_value(p, point);
    if (p->checker == NULL) {
        p->checked++;
        // after a complaint nothing will be stored
        int rc = lacks || p->complaints.count > 0 ? ERR_OK : accept(p, point, NULL, err);
        grid_point_release(point);
        return rc;
    }
    int rc = ERR_OK;
    if (p->last - p->first == PLAN_WINDOW) {
        rc = settle_oldest(p, err);
    }
    if (rc != ERR_OK) {
        grid_point_release(point);
        return rc;
    }
    checker_put(p->checker, point->config);
    p->window[p->last++ % PLAN_WINDOW] = *point;
    return ERR_OK;
}

/* ---- the whole sweep ---- */

/* Where each point is well as it is. */
static int take_point(struct planner *p, int64_t ordinal, struct err *err) {
    struct store_point point;
    if (!pieces_at(p->pieces, ordinal, &point)) {
        p->plan.excluded++;
        return ERR_OK;
    }
    return count_trial(p, &point, err);
}

static int make_point(struct planner *p, int64_t ordinal, struct err *err) {
    struct grid_point point;
    bool excluded;
    int rc = grid_at(p->sweep, ordinal, &point, &excluded, err);
    if (rc == ERR_OK && excluded) {
        p->plan.excluded++;
    } else if (rc == ERR_OK) {
        rc = settle(p, &point, err);
    }
    return rc;
}

static int each_point(struct planner *p, struct err *err) {
    int64_t size = grid_size(p->sweep);
    int rc = ERR_OK;
    for (int64_t ordinal = 0; ordinal < size && rc == ERR_OK; ordinal++) {
        rc = p->pieces != NULL ? take_point(p, ordinal, err) : make_point(p, ordinal, err);
    }
    while (p->first < p->last && rc == ERR_OK) {
        rc = settle_oldest(p, err);
    }
    if (rc == ERR_OK && p->plan.excluded == size) {
        diag_add(p->diag, p->sweep->doc, json_get(json_root(p->sweep->doc), "exclude"),
                 "every point is excluded");
    }
    return rc;
}

static int put_sweep(struct planner *p, struct err *err) {
    const struct sweep *sweep = p->sweep;
    struct cJSON *axes = json_new_array(), *trainer = json_new_array();
    for (int a = 0; a < sweep->axis_count; a++) {
        json_append(axes, json_new_string(sweep->axes[a].path));
    }
    for (char **arg = sweep->trainer; *arg != NULL; arg++) {
        json_append(trainer, json_new_string(*arg));
    }
    struct buf axes_text = {0}, trainer_text = {0};
    json_print(&axes_text, axes);
    json_print(&trainer_text, trainer);
    const struct store_sweep stored = {.name = sweep->name,
                                       .description = sweep->description,
                                       .spec = sweep->text,
                                       .axes = buf_text(&axes_text),
                                       .trainer = buf_text(&trainer_text),
                                       .metric = sweep->metric,
                                       .maximize = sweep->maximize};
    int rc = store_put_sweep(p->store, &stored, &p->plan.sweep_id, err);
    buf_release(&axes_text);
    buf_release(&trainer_text);
    json_delete(axes);
    json_delete(trainer);
    return rc;
}

static int store_all(struct planner *p, struct err *err) {
    int rc = put_sweep(p, err);
    rc = rc == ERR_OK ? each_point(p, err) : rc;
    complaints_tell(&p->complaints, p->sweep, p->checked, p->diag);
    if (rc == ERR_OK && p->diag->count == 0) {
        rc = store_end_plan(p->store, p->plan.sweep_id, err);
    }
    return rc;
}

static int look_at_all(struct planner *p, struct err *err) {
    int rc = each_point(p, err);
    complaints_tell(&p->complaints, p->sweep, p->checked, p->diag);
    return rc;
}

/* ---- the trainer ---- */

static int open_checker(struct planner *p, char *program, struct err *err) {
    char *cache = mem_printf("%s/cache", p->options->out_dir);
    char check[] = "check", cache_dir[] = "--cache-dir";
    char *argv[] = {program, check, cache_dir, cache, NULL};
    if (p->options->dry_run && access(p->options->out_dir, F_OK) != 0) {
        argv[2] = NULL; // it makes no results folder: the images go to the user's cache
    }
    int rc = checker_open(&p->checker, argv, CHECKER_SILENCE_MS, err);
    free(cache);
    return rc;
}

/* Notes the paths among the argument's placeholders.  Returns how many placeholders there are. */
static int note_placeholders(struct planner *p, const char *argument) {
    struct placeholder_piece piece;
    int count = 0;
    while (placeholder_next(&argument, &piece)) {
        if (!piece.is_name) {
            continue;
        }
        count++;
        char *name = mem_printf("%.*s", (int)piece.len, piece.start);
        if (placeholder_is_word(name)) {
            free(name);
            continue;
        }
        p->filled = mem_resize(p->filled, (size_t)p->filled_count + 1, sizeof *p->filled);
        p->filled[p->filled_count++] = name;
    }
    return count;
}

/* Without a check nothing can be said against a config but that a placeholder's value is not there. */
static void cut_to_pieces(struct planner *p) {
    p->pieces = p->checker == NULL ? pieces_new(p->sweep) : NULL;
    for (int i = 0; i < p->filled_count && p->pieces != NULL; i++) {
        if (!pieces_have(p->pieces, p->filled[i])) {
            pieces_free(p->pieces); // each point that lacks it is to be told
            p->pieces = NULL;
        }
    }
}

/* A trainer that is not there would fail every trial: better said now. */
static int find_trainer(struct planner *p, struct err *err) {
    const char *name = p->sweep->trainer[0];
    char *program = NULL;
    bool varies = note_placeholders(p, name) > 0;
    for (char **arg = p->sweep->trainer + 1; *arg != NULL; arg++) {
        (void)note_placeholders(p, *arg); // their number is of no use
    }
    if (varies) {
        return ERR_OK; // another program for each trial
    }
    int rc = program_find(&program, name, err);
    if (rc != ERR_OK) {
        const struct cJSON *trainer = json_get(json_root(p->sweep->doc), "trainer");
        diag_add(p->diag, trainer != NULL ? p->sweep->doc : NULL, trainer, "the trainer %s",
                 err->msg);
    } else if (sweep_uses_besom_trainer(p->sweep)) {
        rc = open_checker(p, program, err);
    }
    free(program);
    return rc;
}

static void planner_release(struct planner *p) {
    checker_close(p->checker);
    while (p->first < p->last) {
        grid_point_release(&p->window[p->first++ % PLAN_WINDOW]);
    }
    for (int i = 0; i < p->filled_count; i++) {
        free(p->filled[i]);
    }
    free(p->filled);
    pieces_free(p->pieces);
    complaints_release(&p->complaints);
    keymap_release(&p->seen);
    buf_release(&p->params);
    buf_release(&p->config);
}

static int make(struct planner *p, struct err *err) {
    int rc = find_trainer(p, err);
    if (rc != ERR_OK) {
        return rc;
    }
    cut_to_pieces(p);
    bool dry = p->options->dry_run;
    rc = dry ? look_at_all(p, err) : store_begin(p->store, err);
    if (rc == ERR_OK && !dry) {
        rc = store_all(p, err);
        bool good = rc == ERR_OK && p->diag->count == 0;
        rc = good ? store_commit(p->store, err) : rc;
        if (!good || rc != ERR_OK) {
            store_rollback(p->store);
        }
    }
    if (rc == ERR_OK && p->diag->count > 0) {
        rc = err_set(err, ERR_RANGE, "%d complaints about the configs of sweep \"%s\"",
                     p->diag->count, p->sweep->name);
    }
    return rc;
}

int plan_make(struct plan *plan, struct store *store, const struct sweep *sweep,
              const struct plan_options *options, struct diag *diag, plan_trial_fn *each,
              void *context, struct err *err) {
    struct planner *p = mem_zalloc(1, sizeof *p); // its window is too large for a stack
    p->store = store;
    p->sweep = sweep;
    p->options = options;
    p->diag = diag;
    p->each = each;
    p->context = context;
    int rc = make(p, err);
    planner_release(p);
    if (rc != ERR_OK) {
        plan_release(&p->plan);
    }
    *plan = p->plan;
    free(p);
    return rc;
}
