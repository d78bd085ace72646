#include "cli/find.h"

#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/cmd.h"
#include "results/query.h"
#include "results/store.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAMES_SHOWN_MAX = 64, OPEN_MS = 200, OPEN_TRIES = 25 };

/* The "name" of a sweep file; the word itself when it is none. */
static char *name_in_file(const char *word) {
    struct json_doc *doc;
    struct err ignored;
    if (strchr(word, '/') == NULL && strstr(word, ".json") == NULL) {
        return mem_strdup(word);
    }
    if (json_load(&doc, word, JSON_COMMENTS, &ignored) != ERR_OK) {
        return mem_strdup(word);
    }
    const struct cJSON *root = json_root(doc);
    const struct cJSON *name = json_type(root) == JSON_OBJECT ? json_get(root, "name") : NULL;
    char *text =
        mem_strdup(name != NULL && json_type(name) == JSON_STRING ? json_text(name) : word);
    json_free(doc);
    return text;
}

static int load_names(struct store *store, char **names, int *count, struct err *err) {
    struct query q;
    int rc = query_open(&q, store, "SELECT name FROM sweep ORDER BY planned_at DESC, id DESC", err);
    if (rc != ERR_OK) {
        return rc;
    }
    while ((rc = query_next(&q, err)) > 0 && *count < NAMES_SHOWN_MAX) {
        names[(*count)++] = mem_strdup(query_text(&q, 0));
    }
    query_close(&q);
    return rc < 0 ? rc : ERR_OK;
}

static int is_sweep(struct store *store, const char *name, struct err *err) {
    struct query q;
    int rc = query_open(&q, store, "SELECT 1 FROM sweep WHERE name = ?1", err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&q, 1, name);
    rc = query_next(&q, err);
    query_close(&q);
    return rc;
}

static int not_found(const char *wanted, char *const *names, int count, struct err *err) {
    struct buf text = {0};
    diag_suggest(&text, wanted, (const char *const *)names, (size_t)count);
    int rc =
        err_set(err, ERR_NOT_FOUND, "no sweep \"%s\" in these results%s", wanted, buf_text(&text));
    buf_release(&text);
    return rc;
}

int find_sweep(struct store *store, const char *word, char **name, struct err *err) {
    char *names[NAMES_SHOWN_MAX]; // the newest first
    int count = 0;
    char *wanted = word == NULL ? NULL : name_in_file(word);
    int rc = wanted == NULL ? 0 : is_sweep(store, wanted, err);
    bool known = rc > 0;
    rc = rc < 0 ? rc : load_names(store, names, &count, err);
    if (rc == ERR_OK && count == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "no sweep was run here yet; besom run SWEEP starts one");
    } else if (rc == ERR_OK && (wanted == NULL || known)) {
        *name = mem_strdup(wanted == NULL ? names[0] : wanted);
    } else if (rc == ERR_OK) {
        rc = not_found(wanted, names, count, err);
    }
    for (int i = 0; i < count; i++) {
        free(names[i]);
    }
    free(wanted);
    return rc;
}

int find_open(struct store **store, const char *out_dir, const char *word, char **name,
              const volatile sig_atomic_t *stop, struct err *err) {
    for (int i = 0;; i++) {
        int rc = *store == NULL ? store_open(store, out_dir, STORE_READ, err) : ERR_OK;
        rc = rc == ERR_OK ? find_sweep(*store, word, name, err) : rc;
        if (rc != ERR_NOT_FOUND || i == OPEN_TRIES || (stop != NULL && *stop != 0) ||
            !cmd_is_running(out_dir)) {
            return rc;
        }
        const struct timespec pause = {.tv_nsec = OPEN_MS * 1000000L};
        (void)nanosleep(&pause, NULL); // cut short by a signal, which is then looked at
    }
}

static int find_by_key(struct store *store, const char *word, int64_t *trial, struct err *err) {
    struct query q;
    int rc = query_open(&q, store,
                        "SELECT DISTINCT trial FROM trials WHERE substr(key, 1, length(?1)) = ?1 "
                        "LIMIT 2",
                        err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&q, 1, word);
    rc = query_next(&q, err);
    if (rc > 0) {
        int64_t found = query_int(&q, 0);
        rc = query_next(&q, err);
        if (rc > 0) {
            rc = err_set(err, ERR_RANGE, "several trials have a key that begins with \"%s\"", word);
        } else if (rc == 0) {
            *trial = found;
        }
    } else if (rc == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "no trial has a key that begins with \"%s\"", word);
    }
    query_close(&q);
    return rc;
}

int find_trial(struct store *store, const char *word, int64_t *trial, struct err *err) {
    const char *digits = word[0] == '#' ? word + 1 : word;
    int64_t number;
    if (num_parse_int(digits, 1, INT64_MAX, &number)) {
        struct query q;
        int rc = query_open(&q, store, "SELECT 1 FROM trials WHERE trial = ?1", err);
        if (rc != ERR_OK) {
            return rc;
        }
        query_bind_int(&q, 1, number);
        rc = query_next(&q, err);
        query_close(&q);
        if (rc > 0) {
            *trial = number;
            return ERR_OK;
        }
        if (rc < 0) {
            return rc;
        }
    }
    if (strlen(word) >= 4 && strspn(word, "0123456789abcdef") == strlen(word)) {
        return find_by_key(store, word, trial, err);
    }
    return err_set(err, ERR_NOT_FOUND, "no trial \"%s\"; besom status lists them", word);
}
