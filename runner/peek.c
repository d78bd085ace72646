#include "runner/peek.h"

#include "base/err.h"
#include "base/mem.h"
#include "results/query.h"

#include <stdlib.h>
#include <string.h>

static struct peek_trial *add(struct peek *peek, int64_t *place) {
    if (peek->count == peek->cap) {
        peek->cap = peek->cap == 0 ? 256 : 2 * peek->cap;
        peek->trial = mem_resize(peek->trial, (size_t)peek->cap, sizeof *peek->trial);
    }
    *place = ++peek->count;
    struct peek_trial *trial = &peek->trial[*place - 1];
    *trial = (struct peek_trial){0};
    return trial;
}

static enum trial_status status_of(const char *name) {
    int i = 0;
    while (i < TRIAL_STATUS_COUNT - 1 && strcmp(trial_status_names[i], name) != 0) {
        i++; // the table's CHECK allows no other names
    }
    return (enum trial_status)i;
}

int peek_load(struct peek *peek, struct store *store, struct err *err) {
    *peek = (struct peek){0};
    if (store == NULL) {
        return ERR_OK;
    }
    struct query q;
    int rc = query_open(&q, store,
                        "SELECT t.key, t.id, t.status, t.epochs_done, t.attempts,"
                        " (SELECT a.ended_at IS NOT NULL AND a.reason IS NULL FROM attempt a"
                        "  WHERE a.trial = t.id ORDER BY a.attempt DESC LIMIT 1) FROM trial t",
                        err);
    if (rc != ERR_OK) {
        return rc;
    }
    while ((rc = query_next(&q, err)) > 0) {
        struct peek_trial *trial = add(peek, keymap_at(&peek->keys, query_text(&q, 0)));
        trial->trial = query_int(&q, 1);
        trial->status = status_of(query_text(&q, 2));
        trial->epochs_done = query_int(&q, 3);
        trial->attempts = query_int(&q, 4);
        trial->completed = query_int(&q, 5) != 0;
    }
    query_close(&q);
    if (rc < 0) {
        peek_release(peek);
    }
    return rc;
}

/* As the store decides when it is planned for real. */
static enum store_plan decide(const struct peek_trial *trial, int64_t asked) {
    bool enough = asked <= trial->epochs_done;
    switch (trial->status) {
    case TRIAL_FAILED:
        return PLAN_FAILED;
    case TRIAL_PRUNED:
    case TRIAL_CANCELLED:
        return PLAN_DONE;
    case TRIAL_COMPLETE:
        return enough ? PLAN_DONE : PLAN_EXTEND;
    case TRIAL_PENDING:
        if (trial->completed) {
            return enough ? PLAN_DONE : PLAN_EXTEND;
        }
        return trial->attempts == 0 ? PLAN_NEW : PLAN_CONTINUE;
    default:
        return PLAN_CONTINUE;
    }
}

void peek_point(struct peek *peek, const struct store_point *point, struct store_planned *planned) {
    int64_t *place = keymap_at(&peek->keys, point->key);
    struct peek_trial *trial = *place > 0 ? &peek->trial[*place - 1] : add(peek, place);
    *planned = (struct store_planned){.trial = trial->trial,
                                      .plan = decide(trial, point->epochs),
                                      .epochs_done = (int)trial->epochs_done,
                                      .repeated = trial->planned};
    trial->planned = true;
}

void peek_release(struct peek *peek) {
    keymap_release(&peek->keys);
    free(peek->trial);
    *peek = (struct peek){0};
}
