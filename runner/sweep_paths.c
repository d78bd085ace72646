#include "base/diag.h"
#include "base/json.h"
#include "base/mem.h"
#include "runner/sweep_internal.h"

#include <stdlib.h>
#include <string.h>

enum { KNOWN_MAX = 64 }; // words that a suggestion is taken from

bool sweep_path_within(const char *path, const char *outer) {
    size_t len = strlen(outer);
    return strncmp(path, outer, len) == 0 && (path[len] == '\0' || path[len] == '.');
}

/* ---- what may be there ---- */

static void add_candidate(struct sweep_candidates *found, const struct cJSON *value) {
    if (value != NULL) {
        found->value = mem_resize(found->value, found->count + 1, sizeof *found->value);
        found->value[found->count++] = value;
    }
}

static void add_of_axis(struct sweep_candidates *found, const struct sweep_axis *axis,
                        const char *path) {
    const char *rest = path + strlen(axis->path);
    for (int i = 0; i < axis->count; i++) {
        add_candidate(found,
                      *rest == '\0' ? axis->value[i] : json_path_get(axis->value[i], rest + 1));
    }
}

void sweep_candidates_find(struct sweep_candidates *found, const struct sweep *sweep,
                           const char *path) {
    *found = (struct sweep_candidates){.open = strcmp(path, "seed") == 0}; // replicates count on
    bool overwritten = false;
    for (int a = 0; a < sweep->axis_count; a++) {
        const struct sweep_axis *axis = &sweep->axes[a];
        if (sweep_path_within(path, axis->path)) {
            add_of_axis(found, axis, path);
            overwritten = true;
        } else if (sweep_path_within(axis->path, path)) {
            found->open = true; // an object that axes put together
        }
    }
    if (!overwritten) {
        add_candidate(found, json_path_get(sweep->config, path));
    }
}

void sweep_candidates_release(struct sweep_candidates *found) {
    free(found->value);
    *found = (struct sweep_candidates){0};
}

/* ---- what was meant ---- */

struct words {
    char *word[KNOWN_MAX];
    size_t count;
};

static void add_word(struct words *words, char *word) {
    for (size_t i = 0; i < words->count; i++) {
        if (strcmp(words->word[i], word) == 0) {
            free(word);
            return;
        }
    }
    if (words->count < KNOWN_MAX) {
        words->word[words->count++] = word;
    } else {
        free(word);
    }
}

static void add_members(struct words *words, const char *prefix, const struct cJSON *value) {
    if (json_type(value) == JSON_OBJECT) {
        for (const struct cJSON *m = json_first(value); m != NULL; m = json_next(m)) {
            add_word(words, mem_printf("%s%s%s", prefix, *prefix == '\0' ? "" : ".", json_key(m)));
        }
    }
}

void sweep_suggest_path(struct buf *out, const struct sweep *sweep, const char *path,
                        const char *const *extra, size_t extra_count) {
    struct words words = {0};
    for (size_t i = 0; i < extra_count; i++) {
        add_word(&words, mem_strdup(extra[i]));
    }
    for (int a = 0; a < sweep->axis_count; a++) {
        add_word(&words, mem_strdup(sweep->axes[a].path));
    }
    for (int a = 0; a < sweep->axis_count; a++) {
        for (int i = 0; i < sweep->axes[a].count && words.count < KNOWN_MAX; i++) {
            add_members(&words, sweep->axes[a].path, sweep->axes[a].value[i]);
        }
    }
    add_members(&words, "", sweep->config);
    const char *known[KNOWN_MAX];
    for (size_t i = 0; i < words.count; i++) {
        known[i] = words.word[i];
    }
    diag_suggest(out, path, known, words.count);
    for (size_t i = 0; i < words.count; i++) {
        free(words.word[i]);
    }
}
