#include "runner/pieces.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "results/store.h"
#include "runner/grid.h"
#include "runner/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is between two pieces of text. */
enum { HOLE_SEED = -1, HOLE_END = -2 }; // else an axis

struct piece {
    char *text; // owned
    size_t len;
    int hole; // that follows it
};

struct form {
    struct piece *piece; // owned; the last one's hole is HOLE_END
    int count;
};

struct word {
    char *text; // owned
    size_t len;
};

/* Something that a path of the config is asked for. */
struct answer {
    int axis;       // of whose value it depends; -1: of none
    bool *of_value; // owned: by the axis's values; one alone without an axis
};

struct pieces {
    const struct sweep *sweep;
    struct cJSON *model;             // owned: the config with holes as strings
    struct form config, key, params; // canonical, canonical, in a line
    struct word *canonical[SWEEP_AXIS_MAX], *line[SWEEP_AXIS_MAX]; // owned: the values' texts
    size_t *label_len[SWEEP_AXIS_MAX];                             // owned
    struct answer **excludes; // owned: of each entry one a path
    int64_t epochs;
    int replicate; // whose seed is:
    char number[32], digits[32];
    struct word seed_number, seed_digits; // borrow these two
    struct buf config_text, key_text, params_text, label;
    char hex[HASH_HEX_LEN + 1];
};

/* ---- forms ---- */

/* A string that no config has: it begins with a character that Unicode will never assign. */
static void name_hole(char name[32], int hole) {
    (void)snprintf(name, 32, "\xef\xbf\xbe%d\xef\xbf\xbe", hole); // fits
}

static struct cJSON *new_hole(int hole) {
    char name[32];
    name_hole(name, hole);
    return json_new_string(name);
}

/* Cuts a text at its holes.  false when there are others than ours: then some text has what none has. */
static bool cut(struct form *form, const char *text, int axes) {
    int found = 0;
    const char *at = text;
    form->piece = mem_zalloc((size_t)axes + 2, sizeof *form->piece);
    for (;;) {
        const char *open = strstr(at, "\"\xef\xbf\xbe");
        struct piece *piece = &form->piece[form->count++];
        size_t len = open == NULL ? strlen(at) : (size_t)(open - at);
        *piece = (struct piece){mem_printf("%.*s", (int)len, at), len, HOLE_END};
        if (open == NULL) {
            return true;
        }
        char *close;
        long hole = strtol(open + 4, &close, 10);
        if (strncmp(close, "\xef\xbf\xbe\"", 4) != 0 || hole < HOLE_SEED || hole >= axes ||
            found++ > axes) {
            return false;
        }
        piece->hole = (int)hole;
        at = close + 4;
    }
}

static void form_release(struct form *form) {
    for (int i = 0; i < form->count; i++) {
        free(form->piece[i].text);
    }
    free(form->piece);
}

static void fill(struct buf *out, const struct form *form, struct word *const values[],
                 const int *digits, const struct word *seed) {
    buf_clear(out);
    for (const struct piece *p = form->piece;; p++) {
        buf_put(out, p->text, p->len);
        if (p->hole == HOLE_END) {
            return;
        }
        const struct word *word = p->hole == HOLE_SEED ? seed : &values[p->hole][digits[p->hole]];
        buf_put(out, word->text, word->len);
    }
}

static bool make_config_form(struct pieces *p) {
    struct buf text = {0};
    json_print_canonical(&text, p->model);
    bool good = cut(&p->config, buf_text(&text), p->sweep->axis_count);
    buf_release(&text);
    return good && p->config.count == p->sweep->axis_count + 2; // the seed's, and the end
}

/* As key_make() has it. */
static bool make_key_form(struct pieces *p) {
    struct cJSON *of = json_copy(p->model), *argv = json_new_array(), *all = json_new_object();
    json_remove(of, "epochs");
    json_remove(of, "seed");
    for (char *const *arg = p->sweep->trainer; *arg != NULL; arg++) {
        json_append(argv, json_new_string(*arg));
    }
    json_set(all, "config", of);
    json_set(all, "seed", new_hole(HOLE_SEED));
    json_set(all, "trainer", argv);
    struct buf text = {0};
    json_print_canonical(&text, all);
    json_delete(all);
    bool good = cut(&p->key, buf_text(&text), p->sweep->axis_count);
    buf_release(&text);
    return good && p->key.count == p->sweep->axis_count + 2;
}

static bool make_params_form(struct pieces *p) {
    struct cJSON *params = json_new_object();
    for (int a = 0; a < p->sweep->axis_count; a++) {
        json_set(params, p->sweep->axes[a].path, new_hole(a));
    }
    struct buf text = {0};
    json_print(&text, params);
    json_delete(params);
    bool good = cut(&p->params, buf_text(&text), p->sweep->axis_count);
    buf_release(&text);
    return good && p->params.count == p->sweep->axis_count + 1;
}

static void print_values(struct pieces *p) {
    for (int a = 0; a < p->sweep->axis_count; a++) {
        const struct sweep_axis *axis = &p->sweep->axes[a];
        size_t count = (size_t)axis->count;
        p->canonical[a] = mem_zalloc(count, sizeof *p->canonical[a]);
        p->line[a] = mem_zalloc(count, sizeof *p->line[a]);
        p->label_len[a] = mem_zalloc(count, sizeof *p->label_len[a]);
        for (size_t v = 0; v < count; v++) {
            struct buf text = {0};
            json_print_canonical(&text, axis->value[v]);
            p->canonical[a][v].len = text.len;
            p->canonical[a][v].text = buf_detach(&text);
            json_print(&text, axis->value[v]);
            p->line[a][v].len = text.len;
            p->line[a][v].text = buf_detach(&text);
            p->label_len[a][v] = strlen(axis->label[v]);
        }
    }
}

/* ---- paths ---- */

/* Whether `inner` is `outer` or lies in it. */
static bool lies_in(const char *inner, const char *outer) {
    size_t len = strlen(outer);
    return strncmp(inner, outer, len) == 0 && (inner[len] == '\0' || inner[len] == '.');
}

/* Whether values stand alone. */
static bool is_plain(const struct sweep *sweep) {
    for (int a = 0; a < sweep->axis_count; a++) {
        const char *path = sweep->axes[a].path;
        if (lies_in(path, "seed") || lies_in(path, "epochs")) {
            return false;
        }
        for (int b = 0; b < sweep->axis_count; b++) {
            if (b != a && lies_in(path, sweep->axes[b].path)) {
                return false;
            }
        }
    }
    return true;
}

static bool holds(const struct cJSON *config, const char *path, const struct cJSON *value) {
    const struct cJSON *there = json_path_get(config, path);
    return there != NULL && (value == NULL || value_same(there, value));
}

/* For each value of the axis that it depends on: whether the config has `value` at `path`, or NULL: anything.
 * false when it depends on more than one value. */
static bool ask(const struct pieces *p, const char *path, const struct cJSON *value,
                struct answer *answer) {
    const struct sweep *sweep = p->sweep;
    int axis = -1;
    for (int a = 0; a < sweep->axis_count; a++) {
        if (lies_in(path, sweep->axes[a].path)) {
            axis = a;
        } else if (lies_in(sweep->axes[a].path, path) && value != NULL) {
            return false;
        }
    }
    if (lies_in(path, "seed") && value != NULL) {
        return false;
    }
    *answer = (struct answer){.axis = axis};
    int count = axis < 0 ? 1 : sweep->axes[axis].count;
    answer->of_value = mem_zalloc((size_t)count, sizeof *answer->of_value);
    for (int v = 0; v < count; v++) {
        if (axis < 0) {
            answer->of_value[v] = holds(p->model, path, value);
            continue;
        }
        struct cJSON *config = json_copy(sweep->config);
        struct err ignored; // sweep_load() has tried it
        (void)json_path_set(config, sweep->axes[axis].path, json_copy(sweep->axes[axis].value[v]),
                            &ignored);
        answer->of_value[v] = holds(config, path, value);
        json_delete(config);
    }
    return true;
}

bool pieces_have(const struct pieces *p, const char *path) {
    struct answer answer;
    (void)ask(p, path, NULL, &answer); // of that it can always be asked
    int count = answer.axis < 0 ? 1 : p->sweep->axes[answer.axis].count;
    bool all = true;
    for (int v = 0; v < count; v++) {
        all = all && answer.of_value[v];
    }
    free(answer.of_value);
    return all;
}

static bool make_excludes(struct pieces *p) {
    const struct sweep *sweep = p->sweep;
    p->excludes = mem_zalloc((size_t)sweep->exclude_count + 1, sizeof *p->excludes);
    for (int i = 0; i < sweep->exclude_count; i++) {
        const struct sweep_exclude *exclude = &sweep->excludes[i];
        p->excludes[i] = mem_zalloc((size_t)exclude->count + 1, sizeof **p->excludes);
        for (int k = 0; k < exclude->count; k++) {
            if (!ask(p, exclude->path[k], exclude->value[k], &p->excludes[i][k])) {
                return false;
            }
        }
    }
    return true;
}

static bool is_excluded(const struct pieces *p, const int *digits) {
    for (int i = 0; i < p->sweep->exclude_count; i++) {
        bool all = true;
        for (int k = 0; k < p->sweep->excludes[i].count && all; k++) {
            const struct answer *answer = &p->excludes[i][k];
            all = answer->of_value[answer->axis < 0 ? 0 : digits[answer->axis]];
        }
        if (all) {
            return true;
        }
    }
    return false;
}

/* ---- the whole ---- */

static bool make_model(struct pieces *p) {
    const struct sweep *sweep = p->sweep;
    p->model = json_copy(sweep->config);
    for (int i = 0; i < sweep->axis_count; i++) {
        int a = sweep->apply[i];
        struct err ignored;
        if (json_path_set(p->model, sweep->axes[a].path, new_hole(a), &ignored) != ERR_OK) {
            return false;
        }
    }
    json_set(p->model, "seed", new_hole(HOLE_SEED));
    const struct cJSON *epochs = json_get(p->model, "epochs");
    if (epochs == NULL || !json_integer(epochs, 1, INT32_MAX, &p->epochs)) {
        p->epochs = 0;
    }
    return true;
}

struct pieces *pieces_new(const struct sweep *sweep) {
    struct pieces *p = mem_zalloc(1, sizeof *p);
    p->sweep = sweep;
    if (!is_plain(sweep) || !make_model(p) || !make_config_form(p) || !make_key_form(p) ||
        !make_params_form(p) || !make_excludes(p)) {
        pieces_free(p);
        return NULL;
    }
    print_values(p);
    return p;
}

static void words_free(struct word *words, int count) {
    for (int v = 0; words != NULL && v < count; v++) {
        free(words[v].text);
    }
    free(words);
}

void pieces_free(struct pieces *p) {
    if (p == NULL) {
        return;
    }
    for (int a = 0; a < p->sweep->axis_count; a++) {
        words_free(p->canonical[a], p->sweep->axes[a].count);
        words_free(p->line[a], p->sweep->axes[a].count);
        free(p->label_len[a]);
    }
    for (int i = 0; p->excludes != NULL && i < p->sweep->exclude_count; i++) {
        for (int k = 0; p->excludes[i] != NULL && k < p->sweep->excludes[i].count; k++) {
            free(p->excludes[i][k].of_value);
        }
        free(p->excludes[i]);
    }
    free(p->excludes);
    form_release(&p->config);
    form_release(&p->key);
    form_release(&p->params);
    json_delete(p->model);
    buf_release(&p->config_text);
    buf_release(&p->key_text);
    buf_release(&p->params_text);
    buf_release(&p->label);
    free(p);
}

static void set_replicate(struct pieces *p, int replicate) {
    if (replicate == p->replicate) {
        return;
    }
    int64_t seed = p->sweep->seed + (replicate - 1);
    struct buf number = {0};
    buf_json_number(&number, (double)seed);
    (void)snprintf(p->number, sizeof p->number, "%s", buf_text(&number)); // both fit
    (void)snprintf(p->digits, sizeof p->digits, "\"%" PRId64 "\"", seed);
    buf_release(&number);
    p->seed_number = (struct word){p->number, strlen(p->number)};
    p->seed_digits = (struct word){p->digits, strlen(p->digits)};
    p->replicate = replicate;
}

static void put_label(struct pieces *p, const int *digits) {
    buf_clear(&p->label);
    for (int a = 0; a < p->sweep->axis_count; a++) {
        size_t len = p->label_len[a][digits[a]];
        if (len > 0) {
            if (p->label.len > 0) {
                buf_putc(&p->label, ' ');
            }
            buf_put(&p->label, p->sweep->axes[a].label[digits[a]], len);
        }
    }
    if (p->label.len == 0) {
        buf_puts(&p->label, p->sweep->name);
    }
}

bool pieces_at(struct pieces *p, int64_t ordinal, struct store_point *point) {
    int digits[SWEEP_AXIS_MAX], replicate;
    grid_digits(p->sweep, ordinal, digits, &replicate);
    if (is_excluded(p, digits)) {
        return false;
    }
    set_replicate(p, replicate);
    fill(&p->config_text, &p->config, p->canonical, digits, &p->seed_number);
    fill(&p->key_text, &p->key, p->canonical, digits, &p->seed_digits);
    fill(&p->params_text, &p->params, p->line, digits, &p->seed_number);
    put_label(p, digits);
    hash_hex(p->hex, p->key_text.data, p->key_text.len);
    *point = (struct store_point){.key = p->hex,
                                  .ordinal = ordinal,
                                  .label = buf_text(&p->label),
                                  .params = buf_text(&p->params_text),
                                  .config = buf_text(&p->config_text),
                                  .replicate = replicate,
                                  .seed = p->sweep->seed + (replicate - 1),
                                  .epochs = p->epochs};
    return true;
}
