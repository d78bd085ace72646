#include "runner/sweep.h"

#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "runner/sweep_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SHOWN_MAX = 60 }; // bytes of a value in a complaint

/* ---- complaints ---- */

void sweep_complain(struct sweep_reader *reader, const struct cJSON *value, const char *fmt, ...) {
    char what[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args); // a longer complaint is cut
    va_end(args);
    diag_add(reader->diag, reader->sweep->doc, value, "%s", what);
}

void sweep_complain_value(struct sweep_reader *reader, const struct cJSON *value, const char *what,
                          const char *wanted) {
    struct buf shown = {0};
    enum json_type type = json_type(value);
    if (type == JSON_ARRAY || type == JSON_OBJECT) {
        buf_puts(&shown, json_type_name(type)); // its text would be long and say little
    } else {
        json_print(&shown, value);
    }
    bool cut = shown.len > SHOWN_MAX;
    sweep_complain(reader, value, "%s must be %s, not %.*s%s", what, wanted, SHOWN_MAX,
                   buf_text(&shown), cut ? "..." : "");
    buf_release(&shown);
}

static void complain_unknown(struct sweep_reader *reader, const struct cJSON *member,
                             const char *of, const char *const *known, size_t count) {
    struct buf text = {0};
    diag_suggest(&text, json_key(member), known, count);
    sweep_complain(reader, member, "unknown key \"%s\"%s%s", json_key(member), of, buf_text(&text));
    buf_release(&text);
}

/* ---- one key each ---- */

static bool name_is_good(const char *name) {
    size_t len = strlen(name);
    return len >= 1 && len <= SWEEP_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

static void read_name(struct sweep_reader *reader) {
    const struct cJSON *value = json_get(reader->root, "name");
    if (value == NULL) {
        sweep_complain(reader, reader->root, "a sweep needs a \"name\"");
    } else if (json_type(value) != JSON_STRING || !name_is_good(json_text(value))) {
        sweep_complain_value(reader, value, "\"name\"", "1 to 63 of the characters a-z 0-9 - _");
    } else {
        reader->sweep->name = json_text(value);
    }
}

static void read_description(struct sweep_reader *reader) {
    const struct cJSON *value = json_get(reader->root, "description");
    if (value == NULL) {
        return;
    }
    if (json_type(value) != JSON_STRING || strchr(json_text(value), '\n') != NULL) {
        sweep_complain_value(reader, value, "\"description\"", "a string of one line");
    } else {
        reader->sweep->description = json_text(value);
    }
}

static void read_config(struct sweep_reader *reader) {
    struct sweep *sweep = reader->sweep;
    const struct cJSON *value = json_get(reader->root, "config");
    if (value != NULL && json_type(value) != JSON_OBJECT) {
        sweep_complain_value(reader, value, "\"config\"", "an object");
        value = NULL;
    }
    sweep->no_config = value == NULL ? json_new_object() : NULL;
    sweep->config = value != NULL ? value : sweep->no_config;

    const struct cJSON *seed = json_get(sweep->config, "seed");
    sweep->seed = 1;
    if (seed != NULL && !json_integer(seed, 0, SWEEP_SEED_MAX, &sweep->seed)) {
        sweep_complain_value(reader, seed, "\"seed\"", "an integer from 0 to 2^53 - 1");
    }
}

static void read_count(struct sweep_reader *reader, const char *key, int min, int max, int *out) {
    const struct cJSON *value = json_get(reader->root, key);
    int64_t number;
    if (value != NULL && json_integer(value, min, max, &number)) {
        *out = (int)number;
    } else if (value != NULL) {
        char what[64], wanted[64];
        (void)snprintf(what, sizeof what, "\"%s\"", key); // fits, as the next
        (void)snprintf(wanted, sizeof wanted, "an integer from %d to %d", min, max);
        sweep_complain_value(reader, value, what, wanted);
    }
}

/* Smaller is better for anything that calls itself a loss or an error. */
static bool is_maximized(const char *metric) {
    return strcasestr(metric, "loss") == NULL && strcasestr(metric, "error") == NULL;
}

static void read_metric(struct sweep_reader *reader, const struct cJSON *value) {
    if (value == NULL) {
        return;
    }
    if (json_type(value) != JSON_STRING || json_text(value)[0] == '\0') {
        sweep_complain_value(reader, value, "the metric of \"objective\"", "a metric's name");
        return;
    }
    reader->sweep->metric = json_text(value);
    reader->sweep->maximize = is_maximized(json_text(value));
}

static void read_goal(struct sweep_reader *reader, const struct cJSON *value) {
    if (value == NULL) {
        return;
    }
    bool maximize = json_is_string(value, "maximize");
    if (!maximize && !json_is_string(value, "minimize")) {
        sweep_complain_value(reader, value, "\"goal\"", "\"maximize\" or \"minimize\"");
        return;
    }
    reader->sweep->maximize = maximize;
}

static void read_objective(struct sweep_reader *reader) {
    static const char *const keys[] = {"metric", "goal"};
    const struct cJSON *value = json_get(reader->root, "objective");
    reader->sweep->metric = "val_accuracy";
    reader->sweep->maximize = true;
    if (value == NULL || json_type(value) != JSON_OBJECT) {
        read_metric(reader, value);
        return;
    }
    read_metric(reader, json_get(value, "metric"));
    read_goal(reader, json_get(value, "goal"));
    for (const struct cJSON *m = json_first(value); m != NULL; m = json_next(m)) {
        if (strcmp(json_key(m), "metric") != 0 && strcmp(json_key(m), "goal") != 0) {
            complain_unknown(reader, m, " of \"objective\"", keys, 2);
        }
    }
}

static void read_order_object(struct sweep_reader *reader, const struct cJSON *order) {
    static const char *const keys[] = {"name", "seed"};
    int64_t seed = 1;
    for (const struct cJSON *m = json_first(order); m != NULL; m = json_next(m)) {
        if (strcmp(json_key(m), "seed") == 0) {
            if (!json_integer(m, 0, SWEEP_SEED_MAX, &seed)) {
                sweep_complain_value(reader, m, "\"seed\"", "an integer from 0 to 2^53 - 1");
            } else if (!reader->sweep->shuffled) {
                sweep_complain(reader, m, "\"seed\" is for the order \"shuffled\"");
            }
        } else if (strcmp(json_key(m), "name") != 0) {
            complain_unknown(reader, m, " of \"order\"", keys, 2);
        }
    }
    reader->sweep->order_seed = (uint64_t)seed;
}

static void read_order(struct sweep_reader *reader) {
    const struct cJSON *value = json_get(reader->root, "order");
    reader->sweep->order_seed = 1;
    if (value == NULL) {
        return;
    }
    bool object = json_type(value) == JSON_OBJECT;
    const struct cJSON *name = object ? json_get(value, "name") : value;
    if (name == NULL) {
        sweep_complain(reader, value, "\"order\" needs a \"name\": \"grid\" or \"shuffled\"");
        return;
    }
    reader->sweep->shuffled = json_is_string(name, "shuffled");
    if (!reader->sweep->shuffled && !json_is_string(name, "grid")) {
        sweep_complain_value(reader, name, "\"order\"", "\"grid\" or \"shuffled\"");
        return;
    }
    if (object) {
        read_order_object(reader, value);
    }
}

static void check_keys(struct sweep_reader *reader) {
    static const char *const keys[] = {"name",    "description", "config",    "grid",
                                       "exclude", "replicates",  "objective", "trainer",
                                       "retries", "order",       "timeout",   "limits"};
    enum { KEYS = sizeof keys / sizeof *keys };
    for (const struct cJSON *m = json_first(reader->root); m != NULL; m = json_next(m)) {
        int i = 0;
        while (i < KEYS && strcmp(keys[i], json_key(m)) != 0) {
            i++;
        }
        if (i == KEYS) {
            complain_unknown(reader, m, "", keys, KEYS);
        }
    }
}

/* ---- all of it ---- */

static void read_all(struct sweep_reader *reader) {
    struct sweep *sweep = reader->sweep;
    check_keys(reader);
    read_name(reader);
    read_description(reader);
    read_config(reader);
    sweep->replicates = 1;
    read_count(reader, "replicates", 1, SWEEP_REPLICATES_MAX, &sweep->replicates);
    sweep_read_grid(reader);
    sweep_read_excludes(reader);
    read_objective(reader);
    sweep_read_trainer(reader);
    sweep->retries = 2;
    read_count(reader, "retries", 0, SWEEP_RETRIES_MAX, &sweep->retries);
    sweep_read_limits(reader);
    read_order(reader);
}

static int parse(struct sweep *sweep, const char *name, const char *text, size_t len,
                 struct diag *diag, struct err *err) {
    *sweep = (struct sweep){0};
    int rc = json_parse(&sweep->doc, name, text, len, JSON_COMMENTS, err);
    if (rc != ERR_OK) {
        return rc;
    }
    sweep->text = mem_strdup(text);
    struct sweep_reader reader = {sweep, diag, json_root(sweep->doc)};
    if (json_type(reader.root) != JSON_OBJECT) {
        sweep_complain_value(&reader, reader.root, "a sweep file", "an object");
    } else {
        read_all(&reader);
    }
    return ERR_OK;
}

int sweep_parse(struct sweep *sweep, const char *name, const char *text, struct diag *diag,
                struct err *err) {
    return parse(sweep, name, text, strlen(text), diag, err);
}

int sweep_load(struct sweep *sweep, const char *path, struct diag *diag, struct err *err) {
    *sweep = (struct sweep){0};
    struct buf text = {0};
    int rc = fs_read(path, JSON_FILE_MAX, &text, err);
    if (rc == ERR_OK) {
        rc = parse(sweep, path, buf_text(&text), text.len, diag, err);
    }
    buf_release(&text);
    return rc;
}

static void axis_release(struct sweep_axis *axis) {
    for (int i = 0; i < axis->count; i++) {
        json_delete(axis->value[i]);
        if (axis->label != NULL) {
            free(axis->label[i]);
        }
    }
    free(axis->value);
    free(axis->source);
    free(axis->label);
}

void sweep_release(struct sweep *sweep) {
    if (sweep == NULL) {
        return;
    }
    for (int i = 0; i < sweep->axis_count; i++) {
        axis_release(&sweep->axes[i]);
    }
    for (int i = 0; i < sweep->exclude_count; i++) {
        free(sweep->excludes[i].path);
        free(sweep->excludes[i].value);
    }
    for (char **arg = sweep->trainer; arg != NULL && *arg != NULL; arg++) {
        free(*arg);
    }
    free(sweep->axes);
    free(sweep->excludes);
    free(sweep->trainer);
    json_delete(sweep->no_config);
    json_free(sweep->doc);
    free(sweep->text);
    *sweep = (struct sweep){0};
}
