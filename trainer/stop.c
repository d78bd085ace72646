#include "trainer/stop.h"

#include <math.h>

const char *const stop_reason_names[STOP_REASON_COUNT] = {"", "patience", "target", "time"};

/* ---- the config ---- */

const struct table metric_table = {.what = "metric",
                                   .name_key = "name",
                                   .kinds = history_metric_names,
                                   .kind_count = HISTORY_METRIC_COUNT,
                                   .kind = HISTORY_METRIC_val_loss,
                                   .kind_offset = 0};

static const struct table_key stop_keys[] = {
    {.name = "metric",
     .type = TABLE_OBJECT,
     .offset = offsetof(struct stop_spec, metric),
     .table = &metric_table},
    {.name = "patience",
     .type = TABLE_INTEGER,
     .offset = offsetof(struct stop_spec, patience),
     .max = 1e6},
    {.name = "min_delta",
     .type = TABLE_NUMBER,
     .offset = offsetof(struct stop_spec, min_delta),
     .max = INFINITY},
    {.name = "target",
     .type = TABLE_NUMBER,
     .offset = offsetof(struct stop_spec, target),
     .max = INFINITY,
     .value = NAN}, // no number that can be given
    {.name = "seconds",
     .type = TABLE_NUMBER,
     .offset = offsetof(struct stop_spec, seconds),
     .max = INFINITY},
};
const struct table stop_table = {
    .what = "stop", .keys = stop_keys, .key_count = (int)(sizeof stop_keys / sizeof *stop_keys)};

/* ---- the rule ---- */

enum stop_reason stop_judge(const struct stop_spec *spec, const struct history *history,
                            int *epoch) {
    double sign = metric_goes_up(spec->metric) ? 1 : -1; // of what grows as it gets better
    double best = -INFINITY;
    int barren = 0; // epochs since the best
    for (int i = 0; i < history->count; i++) {
        const struct record *record = &history->records[i];
        double value = sign * record_metric(record, spec->metric);
        *epoch = record->epoch;
        if (value >= sign * spec->target) { // NaN is reached by nothing, and reaches nothing
            return STOP_TARGET;
        }
        if (value - spec->min_delta > best) {
            best = value;
            barren = 0;
        } else if (++barren >= spec->patience && spec->patience > 0) {
            return STOP_PATIENCE;
        }
    }
    *epoch = 0;
    return STOP_NONE;
}
