#include "runner/ledger_copies.h"

#include "base/err.h"
#include "base/mem.h"
#include "results/query.h"
#include "results/snapshot.h"

#include <stdbool.h>
#include <stdlib.h>

struct trials {
    int64_t *trial;
    size_t count, cap;
};

struct copies {
    struct store *store;
    struct snapshots *snapshots;
    copies_tell_fn *tell;
    void *context;
    struct trials ended; // since copies_write()
    struct trials owed;  // for copies_finish()
    bool told;           // that one could not be written
};

static void add(struct trials *trials, int64_t trial) {
    if (trials->count == trials->cap) {
        trials->cap = trials->cap == 0 ? 64 : 2 * trials->cap;
        trials->trial = mem_resize(trials->trial, trials->cap, sizeof *trials->trial);
    }
    trials->trial[trials->count++] = trial;
}

/* Whether a trial has so many epochs that the others would wait while its rows are written. */
static bool is_long(const struct copies *c, int64_t trial) {
    struct query query;
    struct err ignored; // then it is written, and fails for itself
    if (query_open(&query, c->store, "SELECT 1 FROM epoch WHERE trial = ?1 AND epoch > ?2 LIMIT 1",
                   &ignored) != ERR_OK) {
        return false;
    }
    query_bind_int(&query, 1, trial);
    query_bind_int(&query, 2, COPIES_LONG_EPOCHS);
    bool found = query_next(&query, &ignored) > 0;
    query_close(&query);
    return found;
}

/* A copy that the database differs from is kept, and told each time; one that could not be written is owed. */
static int put(struct copies *c, int64_t trial, struct err *err) {
    int rc = snapshots_put_trial(c->snapshots, trial, err);
    if (rc == ERR_DIFFERS) {
        c->tell(c->context, mem_printf("%s; this run goes on, the next one is refused", err->msg));
        return ERR_OK;
    }
    return rc < 0 ? rc : ERR_OK;
}

struct copies *copies_new(struct store *store, copies_tell_fn *tell, void *context) {
    struct copies *c = mem_zalloc(1, sizeof *c);
    c->store = store;
    c->snapshots = snapshots_new(store);
    c->tell = tell;
    c->context = context;
    return c;
}

void copies_free(struct copies *c) {
    if (c != NULL) {
        snapshots_free(c->snapshots);
        free(c->ended.trial);
        free(c->owed.trial);
        free(c);
    }
}

void copies_note(struct copies *c, int64_t trial) {
    add(&c->ended, trial);
}

void copies_write(struct copies *c) {
    for (size_t i = 0; i < c->ended.count; i++) {
        int64_t trial = c->ended.trial[i];
        struct err err;
        if (is_long(c, trial)) {
            add(&c->owed, trial);
        } else if (put(c, trial, &err) != ERR_OK) {
            add(&c->owed, trial);
            if (!c->told) {
                c->told = true;
                c->tell(c->context,
                        mem_printf("a trial's copy of its rows could not be written, which is "
                                   "made up for later; no result is lost: %s",
                                   err.msg));
            }
        }
    }
    c->ended.count = 0;
}

static int by_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void copies_finish(struct copies *c) {
    struct trials *owed = &c->owed;
    if (owed->count > 0) { // else there is no array
        qsort(owed->trial, owed->count, sizeof *owed->trial, by_number);
    }
    for (size_t i = 0; i < owed->count; i++) {
        struct err ignored; // told when it came up; the next run tries again
        if (i == 0 || owed->trial[i] != owed->trial[i - 1]) {
            (void)put(c, owed->trial[i], &ignored);
        }
    }
    owed->count = 0;
}
