/* Whatever is asked for becomes a sweep of one point, so that trainer, placeholders and config are read and
 * complained about as those of a sweep are. */
#include "cli/check_point.h"

#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/find.h"
#include "results/query.h"
#include "results/store.h"
#include "runner/grid.h"
#include "runner/plan.h"
#include "runner/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the plan of one point tells. */
struct planned {
    char *config, key[HASH_HEX_LEN + 1];
    int64_t seed, epochs;
};

static int fail(enum err_code code, const char *text) {
    struct err err;
    (void)err_set(&err, code, "%s", text);
    return cmd_fail(&err);
}

/* ---- the config ---- */

/* The config of the sweep's point N, excluded ones not counted. */
static int config_of_point(const struct sweep *sweep, const struct check_request *request,
                           struct cJSON **config, char **label) {
    int64_t size = grid_size(sweep), left = request->point;
    struct err err;
    for (int64_t ordinal = 0; ordinal < size; ordinal++) {
        struct grid_point point;
        bool excluded;
        if (grid_at(sweep, ordinal, &point, &excluded, &err) != ERR_OK) {
            return cmd_fail(&err);
        }
        if (!excluded && --left == 0) {
            *config = json_copy(point.config);
            *label = mem_strdup(point.label);
            grid_point_release(&point);
            return EXIT_DONE;
        }
        grid_point_release(&point);
    }
    (void)err_set(&err, ERR_RANGE, "--point %lld: the sweep \"%s\" has %lld",
                  (long long)request->point, sweep->name, (long long)(request->point - left));
    return cmd_fail(&err);
}

static int query_trial(struct store *store, const char *word, struct cJSON **config, char **label,
                       struct err *err) {
    int64_t trial;
    struct query q;
    int rc = find_trial(store, word, &trial, err);
    rc = rc == ERR_OK ? query_open(&q, store,
                                   "SELECT config, label FROM trials WHERE trial = ?1 LIMIT 1", err)
                      : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_int(&q, 1, trial);
    rc = query_next(&q, err);
    struct json_doc *doc = NULL;
    if (rc > 0) {
        const char *text = query_text(&q, 0);
        rc = json_parse(&doc, "config", text, strlen(text), JSON_STRICT, err);
        *label = mem_strdup(query_text(&q, 1));
    } else if (rc == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "no trial %s in these results", word);
    }
    query_close(&q);
    if (rc == ERR_OK) {
        *config = json_copy(json_root(doc));
        json_free(doc);
    }
    return rc;
}

static int config_of_trial(const struct check_request *request, struct cJSON **config,
                           char **label) {
    struct store *store = NULL;
    int status = cmd_open_store(request->out_dir, &store);
    if (status != EXIT_DONE) {
        return status;
    }
    struct err err, ignored;
    int rc = query_trial(store, request->trial, config, label, &err);
    (void)store_close(store, &ignored); // a reader has nothing to lose
    return rc == ERR_OK ? EXIT_DONE : cmd_fail(&err);
}

static int config_of_file(const char *path, struct cJSON **config) {
    struct json_doc *doc;
    struct err err;
    if (path == NULL) {
        *config = json_new_object();
        return EXIT_DONE;
    }
    if (json_load(&doc, path, JSON_COMMENTS, &err) != ERR_OK) {
        (void)cmd_fail(&err);
        return EXIT_MISUSE; // also when it cannot be read
    }
    bool is_object = json_type(json_root(doc)) == JSON_OBJECT;
    *config = is_object ? json_copy(json_root(doc)) : NULL;
    json_free(doc);
    if (!is_object) {
        (void)err_set(&err, ERR_PARSE, "%s: a config is a JSON object", path);
        return cmd_fail(&err);
    }
    return EXIT_DONE;
}

/* ---- a sweep of one point ---- */

static char *sweep_text(const struct cJSON *config, char *const *trainer, int epochs) {
    struct cJSON *sweep = json_new_object(), *own = json_copy(config), *argv = json_new_array();
    if (epochs > 0) {
        json_set(own, "epochs", json_new_number(epochs));
    }
    for (int i = 0; trainer[i] != NULL; i++) {
        json_append(argv, json_new_string(trainer[i]));
    }
    json_set(sweep, "name", json_new_string("check"));
    json_set(sweep, "config", own);
    json_set(sweep, "trainer", argv);
    struct buf text = {0};
    json_print_pretty(&text, sweep);
    json_delete(sweep);
    return buf_detach(&text);
}

static void take_planned(void *context, const struct store_point *point,
                         const struct store_planned *ignored) {
    (void)ignored;
    struct planned *p = context;
    p->config = mem_strdup(point->config);
    memcpy(p->key, point->key, HASH_HEX_LEN + 1);
    p->seed = point->seed;
    p->epochs = point->epochs;
}

/* Plans `text`, a sweep of one point.  Complaints go to `diag`. */
static int plan_text(const char *name, const char *text, struct planned *planned, struct diag *diag,
                     struct err *err) {
    struct sweep sweep;
    struct plan plan = {0};
    // No results folder: the trainer's check uses the user's cache.
    const struct plan_options options = {.out_dir = "/nonexistent/besom-check", .dry_run = true};
    int rc = sweep_parse(&sweep, name, text, diag, err);
    if (rc == ERR_OK && diag->count == 0) {
        rc = plan_make(&plan, NULL, &sweep, &options, diag, take_planned, planned, err);
        plan_release(&plan);
    }
    sweep_release(&sweep);
    return diag->count > 0 ? ERR_RANGE : rc;
}

/* Plans and tells what is wrong. */
static int plan_point(const char *name, const char *text, struct planned *planned) {
    struct diag diag = {0};
    struct err err;
    int rc = plan_text(name, text, planned, &diag, &err);
    if (diag.count > 0) {
        diag_finish(&diag);
        fprintf(stderr, "%sbesom: nothing was started\n", buf_text(&diag.text));
    }
    bool told = diag.count > 0;
    diag_release(&diag);
    return rc == ERR_OK ? EXIT_DONE : told ? EXIT_MISUSE : cmd_fail(&err);
}

/* ---- epochs ---- */

/* How many to check.  0: the config does not say and nobody asks. */
static int epochs_to_check(const struct check_request *request, const struct cJSON *config,
                           bool ours, bool *promised) {
    int64_t there = 0;
    const struct cJSON *value = json_get(config, "epochs");
    bool has = value != NULL && json_integer(value, 1, INT32_MAX, &there);
    *promised = request->epochs > 0 || has || ours;
    if (request->epochs > 0) {
        return request->epochs;
    }
    if (has) {
        return there > CHECK_EPOCHS ? CHECK_EPOCHS : there < 2 ? 2 : (int)there;
    }
    return ours || request->command != NULL ? CHECK_EPOCHS : 0;
}

/* Half of the epochs, when the trial stays the same with them: a trainer whose training depends on their
 * number need not be extended. */
static void plan_extension(struct check_point *point, const struct cJSON *config, const char *key) {
    int half = point->epochs / 2;
    if (half < 1) {
        return;
    }
    struct planned planned = {0};
    struct diag diag = {0};
    struct err ignored; // then it is not extended
    char *text = sweep_text(config, point->trainer, half);
    if (plan_text("check", text, &planned, &diag, &ignored) == ERR_OK &&
        strcmp(planned.key, key) == 0) {
        point->config_extend = planned.config;
        point->extend_from = half;
        planned.config = NULL;
    }
    free(planned.config);
    free(text);
    diag_release(&diag);
}

/* ---- all of it ---- */

static char **copy_argv(char *const *argv) {
    int count = 0;
    while (argv[count] != NULL) {
        count++;
    }
    char **copy = mem_zalloc((size_t)count + 1, sizeof *copy);
    for (int i = 0; i < count; i++) {
        copy[i] = mem_strdup(argv[i]);
    }
    return copy;
}

static bool is_ours(char *const *trainer) {
    const char *slash = strrchr(trainer[0], '/');
    return strcmp(slash == NULL ? trainer[0] : slash + 1, "besom-trainer") == 0;
}

/* What the command line names: its trainer, its config, what it is called. */
static int find_config(struct check_point *point, const struct check_request *request,
                       struct cJSON **config) {
    if (request->command != NULL) {
        point->trainer = copy_argv(request->command);
        point->label = mem_strdup("");
        return config_of_file(request->config, config);
    }
    struct sweep sweep;
    int status = cmd_load_sweep(&sweep, request->sweep);
    if (status != EXIT_DONE) {
        return status;
    }
    point->trainer = copy_argv(sweep.trainer);
    status = request->trial != NULL ? config_of_trial(request, config, &point->label)
                                    : config_of_point(&sweep, request, config, &point->label);
    sweep_release(&sweep);
    return status;
}

static char *name_of(const struct check_request *request) {
    if (request->command != NULL) {
        return mem_strdup("the command");
    }
    return request->trial != NULL
               ? mem_printf("trial %s", request->trial)
               : mem_printf("point %lld of %s", (long long)request->point, request->sweep);
}

int check_point_load(struct check_point *point, const struct check_request *request) {
    *point = (struct check_point){0};
    struct cJSON *config = NULL;
    int status = find_config(point, request, &config);
    if (status == EXIT_DONE && json_type(config) != JSON_OBJECT) {
        status = fail(ERR_CORRUPT, "the trial's config is not an object");
    }
    if (status != EXIT_DONE) {
        json_delete(config);
        return status;
    }
    bool ours = is_ours(point->trainer);
    point->epochs = epochs_to_check(request, config, ours, &point->epochs_promised);
    struct planned planned = {0};
    char *name = name_of(request), *text = sweep_text(config, point->trainer, point->epochs);
    status = plan_point(name, text, &planned);
    if (status == EXIT_DONE) {
        point->config = planned.config;
        point->seed = planned.seed;
        if (!request->no_extend) {
            plan_extension(point, config, planned.key);
        }
    }
    free(name);
    free(text);
    json_delete(config);
    return status;
}

void check_point_release(struct check_point *point) {
    for (int i = 0; point->trainer != NULL && point->trainer[i] != NULL; i++) {
        free(point->trainer[i]);
    }
    free(point->trainer);
    free(point->config);
    free(point->config_extend);
    free(point->label);
    *point = (struct check_point){0};
}
