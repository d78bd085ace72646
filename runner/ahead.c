#include "runner/ahead.h"

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "results/query.h"

#include <stdlib.h>
#include <string.h>

struct ahead {
    struct store *store;
    char *parent; // of all folders
    const int64_t *queue;
    int64_t count;
    int64_t begun; // queue[0 .. begun - 1] may have begun
    int64_t made;  // those before it have been looked at; at least `begun`
};

struct ahead *ahead_new(struct store *store, const char *out_dir, const int64_t *queue,
                        int64_t count) {
    struct ahead *a = mem_zalloc(1, sizeof *a);
    a->store = store;
    a->parent = mem_printf("%s/trials", out_dir);
    a->queue = queue;
    a->count = count;
    return a;
}

void ahead_free(struct ahead *a) {
    if (a != NULL) {
        free(a->parent);
        free(a);
    }
}

void ahead_begin(struct ahead *a, int64_t trial) {
    enum { NEAR = 2 * AHEAD_COUNT }; // further on is none that begins before those between
    for (int64_t i = a->begun; i < a->count && i < a->begun + NEAR; i++) {
        if (a->queue[i] == trial) {
            a->begun = i + 1;
            a->made = a->made > a->begun ? a->made : a->begun;
            return;
        }
    } // else it has begun before
}

/* Those of queue[made ...] that have a row.  Returns how many. */
static size_t load(struct ahead *a, struct fs_folder folder[AHEAD_COUNT], char *config[]) {
    struct query query;
    struct err ignored; // see the header
    size_t n = 0;
    if (query_open(&query, a->store, "SELECT key, config FROM trial WHERE id = ?1", &ignored) !=
        ERR_OK) {
        return 0;
    }
    for (; a->made < a->count && n < AHEAD_COUNT; a->made++) {
        query_bind_int(&query, 1, a->queue[a->made]);
        if (query_next(&query, &ignored) > 0) {
            config[n] = mem_strdup(query_text(&query, 1));
            folder[n] =
                (struct fs_folder){.path = mem_printf("%s/%s", a->parent, query_text(&query, 0)),
                                   .parts = {{config[n], strlen(config[n])}, {"\n", 1}}};
            n++;
        }
        query_reset(&query);
    }
    query_close(&query);
    return n;
}

void ahead_make(struct ahead *a) {
    struct fs_folder folder[AHEAD_COUNT];
    char *config[AHEAD_COUNT];
    struct err ignored;
    if (a->made == a->count || a->made - a->begun >= AHEAD_COUNT / 2) {
        return;
    }
    size_t n = load(a, folder, config);
    if (n > 0 && fs_mkdirs(a->parent, &ignored) == ERR_OK) {
        fs_make_folders(a->parent, "config.json", folder, n);
    }
    for (size_t i = 0; i < n; i++) {
        free(folder[i].path);
        free(config[i]);
    }
}
