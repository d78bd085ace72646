#include "results/trial_value.h"

#include "base/buf.h"
#include "base/num.h"

#include <stdint.h>
#include <string.h>

static const char *const names[] = {
    [TRIAL_VALUE_BEST] = "best",
    [TRIAL_VALUE_LAST] = "last",
    [TRIAL_VALUE_EPOCH] = "epoch",
    [TRIAL_VALUE_AUC] = "auc",
    [TRIAL_VALUE_REACH_EPOCHS] = "reach_epochs",
    [TRIAL_VALUE_REACH_SECONDS] = "reach_seconds",
};

bool trial_value_parse(const char *word, struct trial_value *value) {
    static const enum trial_value_at words[] = {TRIAL_VALUE_BEST, TRIAL_VALUE_LAST,
                                                TRIAL_VALUE_AUC};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, names[words[i]]) == 0) {
            *value = (struct trial_value){.at = words[i]};
            return true;
        }
    }
    int64_t epoch;
    if (!num_parse_int(word, 1, INT32_MAX, &epoch)) {
        return false;
    }
    *value = (struct trial_value){.at = TRIAL_VALUE_EPOCH, .epoch = (int)epoch};
    return true;
}

bool trial_value_is_reach(const struct trial_value *value) {
    return value->at == TRIAL_VALUE_REACH_EPOCHS || value->at == TRIAL_VALUE_REACH_SECONDS;
}

#define OF_TRIAL "FROM curves v WHERE v.trial = s.trial AND v.metric = ?1"

static void put_reach(struct buf *sql, const struct trial_value *value, bool maximize) {
    const char *sign = maximize ? ">=" : "<=";
    struct buf first = {0};
    buf_printf(&first, "(SELECT min(v.epoch) " OF_TRIAL " AND v.value %s ?3)", sign);
    if (value->at == TRIAL_VALUE_REACH_EPOCHS) {
        buf_puts(sql, buf_text(&first));
    } else { // unless one of the epochs did not tell its seconds
        buf_printf(sql,
                   "(SELECT CASE WHEN count(e.seconds) = max(e.epoch) THEN sum(e.seconds) END "
                   "FROM epochs e WHERE e.trial = s.trial AND e.epoch <= %s)",
                   buf_text(&first));
    }
    buf_printf(sql, ", %s IS NOT NULL", buf_text(&first));
    buf_release(&first);
}

void trial_value_put_sql(struct buf *sql, const struct trial_value *value, bool maximize) {
    switch (value->at) {
    case TRIAL_VALUE_BEST:
        buf_printf(sql, "(SELECT %s(v.value) " OF_TRIAL "), 1", maximize ? "max" : "min");
        break;
    case TRIAL_VALUE_LAST:
        buf_puts(sql, "(SELECT v.value " OF_TRIAL " ORDER BY v.epoch DESC LIMIT 1), 1");
        break;
    case TRIAL_VALUE_EPOCH:
        buf_puts(sql, "(SELECT v.value " OF_TRIAL " AND v.epoch = ?3), 1");
        break;
    case TRIAL_VALUE_AUC:
        buf_puts(sql, "(SELECT CASE WHEN count(value) < count(*) THEN NULL"
                      " WHEN count(*) = 1 THEN max(value)"
                      " ELSE sum((epoch - epoch_before) * (value + value_before) / 2)"
                      " / (max(epoch) - min(epoch)) END"
                      " FROM (SELECT v.epoch, v.value, lag(v.epoch) OVER o AS epoch_before,"
                      " lag(v.value) OVER o AS value_before " OF_TRIAL
                      " WINDOW o AS (ORDER BY v.epoch))), 1");
        break;
    case TRIAL_VALUE_REACH_EPOCHS:
    case TRIAL_VALUE_REACH_SECONDS:
        put_reach(sql, value, maximize);
        break;
    }
}

double trial_value_parameter(const struct trial_value *value) {
    return trial_value_is_reach(value) ? value->target : value->epoch;
}

void trial_value_describe(struct buf *out, const struct trial_value *value, const char *metric,
                          bool maximize) {
    char target[NUM_TEXT_MAX];
    switch (value->at) {
    case TRIAL_VALUE_BEST:
        buf_printf(out, "best %s of each trial's epochs", metric);
        break;
    case TRIAL_VALUE_LAST:
        buf_printf(out, "%s at each trial's last epoch", metric);
        break;
    case TRIAL_VALUE_EPOCH:
        buf_printf(out, "%s at epoch %d", metric, value->epoch);
        break;
    case TRIAL_VALUE_AUC:
        buf_printf(out, "area under %s, per epoch", metric);
        break;
    case TRIAL_VALUE_REACH_EPOCHS:
    case TRIAL_VALUE_REACH_SECONDS:
        (void)num_format(target, value->target);
        buf_printf(out, "%s until %s %s %s",
                   value->at == TRIAL_VALUE_REACH_EPOCHS ? "epochs" : "seconds", metric,
                   maximize ? ">=" : "<=", target);
        break;
    }
}

const char *trial_value_name(const struct trial_value *value) {
    return names[value->at];
}
