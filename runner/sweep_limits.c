/* "timeout" and "limits": what a trial may take.  They are no part of what a trial is: how long it may run and how
 * much memory it may use change nothing of what it computes. */
#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"
#include "runner/sweep_internal.h"

#include <stdio.h>
#include <string.h>

/* A member of one of the two objects. */
struct limit {
    const char *key;
    double min, max;
    double *value;
};

static void read_limit(struct sweep_reader *reader, const char *of, const struct cJSON *member,
                       const struct limit *limit) {
    double value = json_type(member) == JSON_NUMBER ? json_number(member) : -1.0;
    if (value >= limit->min && value <= limit->max) {
        *limit->value = value;
        return;
    }
    char what[64], wanted[64];
    (void)snprintf(what, sizeof what, "\"%s\" of \"%s\"", limit->key, of); // fits, as the next
    (void)snprintf(wanted, sizeof wanted, "a number from %g to %g", limit->min, limit->max);
    sweep_complain_value(reader, member, what, wanted);
}

static void read_limits(struct sweep_reader *reader, const char *key, const struct limit *limits,
                        int count) {
    enum { COUNT_MAX = 8 };
    const char *known[COUNT_MAX];
    const struct cJSON *object = json_get(reader->root, key);
    for (int i = 0; i < count; i++) {
        known[i] = limits[i].key;
    }
    if (object == NULL) {
        return;
    }
    if (json_type(object) != JSON_OBJECT) {
        char what[32];
        (void)snprintf(what, sizeof what, "\"%s\"", key); // fits
        sweep_complain_value(reader, object, what, "an object");
        return;
    }
    for (const struct cJSON *m = json_first(object); m != NULL; m = json_next(m)) {
        int i = 0;
        while (i < count && strcmp(known[i], json_key(m)) != 0) {
            i++;
        }
        if (i < count) {
            read_limit(reader, key, m, &limits[i]);
        } else {
            struct buf text = {0};
            diag_suggest(&text, json_key(m), known, (size_t)count);
            sweep_complain(reader, m, "unknown key \"%s\" of \"%s\"%s", json_key(m), key,
                           buf_text(&text));
            buf_release(&text);
        }
    }
}

void sweep_read_limits(struct sweep_reader *reader) {
    struct watchdog_limits *t = &reader->sweep->timeout;
    const struct limit timeout[] = {{"epoch_s", 0.1, SWEEP_TIMEOUT_MAX, &t->epoch_s},
                                    {"trial_s", 0.1, SWEEP_TIMEOUT_MAX, &t->trial_s},
                                    {"grace_s", 0.0, SWEEP_TIMEOUT_MAX, &t->grace_s}};
    const struct limit limits[] = {{"memory_mb", 1.0, 1e9, &reader->sweep->memory_mb}};
    *t = (struct watchdog_limits){.grace_s = SWEEP_GRACE_S};
    read_limits(reader, "timeout", timeout, 3);
    read_limits(reader, "limits", limits, 1);
}
