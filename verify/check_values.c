/* Epochs, values and what is made of them: docs/design.md, promise 2; docs/schema.md. */
#include "verify/checks.h"
#include "verify/db.h"
#include "verify/facts.h"
#include "verify/report.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double number_of(int64_t bits) {
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* ---- epochs ---- */

static bool has_value_at(const struct facts *f, int64_t epoch) {
    int low = 0, high = f->value_count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (f->value[middle].epoch < epoch) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < f->value_count && f->value[low].epoch == epoch;
}

static void check_rows(const struct checking *c, const struct facts *f) {
    for (int i = 0; i < f->epoch_count; i++) {
        const struct fact_epoch *e = &f->epoch[i];
        const struct place place = {.trial = f->trial, .epoch = e->epoch};
        if (e->epoch < 1) {
            report_bad(c->report, VERIFY_EPOCHS, &place, "epoch %" PRId64 ": they count from 1",
                       e->epoch);
        }
        if (i > 0 && e->epoch == f->epoch[i - 1].epoch) {
            report_bad(c->report, VERIFY_EPOCHS, &place, "is there twice");
        }
        if (!facts_has_attempt(f, e->attempt)) {
            report_bad(c->report, VERIFY_EPOCHS, &place,
                       "is of attempt %" PRId64 ", which was never begun", e->attempt);
        }
        if (f->value_count > 0 && f->by_besom && !has_value_at(f, e->epoch)) {
            report_bad(c->report, VERIFY_EPOCHS, &place, "has no values");
        }
    }
    for (int i = 0; i < f->value_count; i++) {
        bool first = i == 0 || f->value[i].epoch != f->value[i - 1].epoch;
        if (first && !facts_has_epoch(f, f->value[i].epoch)) {
            const struct place place = {.trial = f->trial, .epoch = f->value[i].epoch};
            report_bad(c->report, VERIFY_EPOCHS, &place, "has values, but the epoch's row is lost");
        }
    }
}

static void check_gaps(const struct checking *c, const struct facts *f) {
    int64_t want = 1;
    for (int i = 0; i < f->epoch_count; i++) {
        int64_t epoch = f->epoch[i].epoch;
        if (epoch > want) {
            const struct place place = {.trial = f->trial, .epoch = want};
            report_bad(c->report, VERIFY_EPOCHS, &place,
                       "is missing: the trial is complete, and has epoch %" PRId64, epoch);
        }
        want = epoch >= want ? epoch + 1 : want;
    }
}

/* A metric that began in epoch 1 is in every epoch of besom-trainer.  Another trainer may measure when it likes:
 * then a gap is worth a look, no more. */
static void check_metric(const struct checking *c, const struct facts *f, int64_t metric) {
    int64_t missing = 0, first = 0, count = 0;
    for (int i = 0; i < f->epoch_count; i++) {
        bool there = facts_value(f, f->epoch[i].epoch, metric) != NULL;
        count += there;
        if (!there && has_value_at(f, f->epoch[i].epoch)) {
            first = missing == 0 ? f->epoch[i].epoch : first;
            missing++;
        }
    }
    if (missing == 0) {
        return;
    }
    const struct place place = {
        .trial = f->trial, .epoch = first, .metric = metrics_name(c->metrics, metric)};
    if (f->by_besom) {
        report_bad(c->report, VERIFY_EPOCHS, &place,
                   "is missing here and in %" PRId64
                   " other epochs; besom-trainer measures it in each",
                   missing - 1);
    } else if (missing == 1 && count > 2) {
        report_note(c->report, &place,
                    "is missing in this epoch alone; a trainer may leave it out");
    }
}

void check_epochs(const struct checking *c, const struct facts *f) {
    check_rows(c, f);
    if (f->complete) {
        check_gaps(c, f);
    }
    for (int i = 0; i < f->value_count && f->value[i].epoch <= 1; i++) {
        if (f->value[i].epoch == 1) {
            check_metric(c, f, f->value[i].metric);
        }
    }
    report_count(c->report, VERIFY_EPOCHS, f->epoch_count);
    c->report->epochs += f->epoch_count;
}

/* ---- values ---- */

enum { FINITE, NOT_A_NUMBER, INFINITE, MINUS_INFINITE };

/* What does not agree; NULL when all do.  SQLite turns NaN into NULL and -0.0 into 0.0. */
static const char *disagreement(const struct fact_value *v) {
    double number = number_of(v->bits);
    int64_t kind = isnan(number)    ? NOT_A_NUMBER
                   : !isinf(number) ? FINITE
                   : number > 0     ? INFINITE
                                    : MINUS_INFINITE;
    if (v->kind != kind) {
        return "its kind is not that of its bits";
    }
    if (v->null != (kind == NOT_A_NUMBER)) {
        return v->null ? "it is NULL, but its bits are a number" : "its bits are NaN, but not it";
    }
    return !v->null && v->real != number ? "its bits are another number" : NULL;
}

static void check_value(const struct checking *c, enum verify_check check, const struct facts *f,
                        const struct fact_value *v) {
    const char *what = disagreement(v);
    if (what != NULL) {
        const struct place place = {
            .trial = f->trial, .epoch = v->epoch, .metric = metrics_name(c->metrics, v->metric)};
        report_bad(c->report, check, &place,
                   "%s: kind %" PRId64 ", value %.17g%s, bits 0x%016" PRIx64 " (%.17g)", what,
                   v->kind, v->real, v->null ? " (NULL)" : "", (uint64_t)v->bits,
                   number_of(v->bits));
    }
}

void check_values(const struct checking *c, const struct facts *f) {
    for (int i = 0; i < f->value_count; i++) {
        const struct fact_value *v = &f->value[i];
        check_value(c, VERIFY_VALUES, f, v);
        if (i > 0 && v->epoch == f->value[i - 1].epoch && v->metric == f->value[i - 1].metric) {
            const struct place place = {.trial = f->trial,
                                        .epoch = v->epoch,
                                        .metric = metrics_name(c->metrics, v->metric)};
            report_bad(c->report, VERIFY_VALUES, &place, "is there twice");
        }
    }
    report_count(c->report, VERIFY_VALUES, f->value_count);
    c->report->values += f->value_count;
}

/* ---- summaries ---- */

/* The summary of a metric, from the bits; false when the trial has no value of it. */
static bool summarize(const struct facts *f, int64_t metric, struct fact_summary *s) {
    *s = (struct fact_summary){.metric = metric, .low.null = true, .high.null = true};
    bool found = false;
    for (int i = 0; i < f->value_count; i++) { // by epoch: of equal values the earliest stays
        const struct fact_value *v = &f->value[i];
        if (v->metric != metric) {
            continue;
        }
        double number = number_of(v->bits);
        found = true;
        s->last = (struct fact_extreme){isnan(number), number, v->epoch};
        if (!isnan(number) && (s->low.null || number < s->low.value)) {
            s->low = (struct fact_extreme){false, number, v->epoch};
        }
        if (!isnan(number) && (s->high.null || number > s->high.value)) {
            s->high = (struct fact_extreme){false, number, v->epoch};
        }
    }
    return found;
}

static void compare_extreme(const struct checking *c, const struct facts *f, int64_t metric,
                            const char *name, const struct fact_extreme *is,
                            const struct fact_extreme *want) {
    bool same = is->null == want->null && is->epoch == want->epoch &&
                (is->null || is->value == want->value);
    if (!same) {
        const struct place place = {.trial = f->trial, .metric = metrics_name(c->metrics, metric)};
        report_bad(c->report, VERIFY_SUMMARIES, &place,
                   "%s is %.17g%s of epoch %" PRId64 ", the values give %.17g%s of epoch %" PRId64,
                   name, is->value, is->null ? " (NULL)" : "", is->epoch, want->value,
                   want->null ? " (NULL)" : "", want->epoch);
    }
}

static const struct fact_summary *find_summary(const struct facts *f, int64_t metric) {
    for (int i = 0; i < f->summary_count; i++) {
        if (f->summary[i].metric == metric) {
            return &f->summary[i];
        }
    }
    return NULL;
}

void check_summaries(const struct checking *c, const struct facts *f) {
    for (int m = 0; m < c->metrics->count; m++) {
        int64_t metric = c->metrics->list[m].id;
        struct fact_summary want;
        const struct fact_summary *is = find_summary(f, metric);
        bool wanted = summarize(f, metric, &want);
        if (wanted != (is != NULL)) {
            const struct place place = {.trial = f->trial,
                                        .metric = metrics_name(c->metrics, metric)};
            report_bad(c->report, VERIFY_SUMMARIES, &place, "%s",
                       wanted ? "has values, but no summary" : "has a summary, but no values");
        } else if (wanted) {
            compare_extreme(c, f, metric, "low", &is->low, &want.low);
            compare_extreme(c, f, metric, "high", &is->high, &want.high);
            compare_extreme(c, f, metric, "last", &is->last, &want.last);
        }
    }
    report_count(c->report, VERIFY_SUMMARIES, f->summary_count);
}

/* ---- superseded ---- */

static int64_t attempt_of_epoch(const struct facts *f, int64_t epoch) {
    for (int i = 0; i < f->epoch_count; i++) {
        if (f->epoch[i].epoch == epoch) {
            return f->epoch[i].attempt;
        }
    }
    return 0;
}

void check_superseded(const struct checking *c, const struct facts *f) {
    for (int i = 0; i < f->superseded_count; i++) {
        const struct fact_superseded *s = &f->superseded[i];
        const struct place place = {.trial = f->trial,
                                    .epoch = s->value.epoch,
                                    .metric = metrics_name(c->metrics, s->value.metric)};
        check_value(c, VERIFY_SUPERSEDED, f, &s->value);
        if (!facts_has_attempt(f, s->attempt) || !facts_has_attempt(f, s->by)) {
            report_bad(c->report, VERIFY_SUPERSEDED, &place,
                       "measured by attempt %" PRId64 ", set aside by %" PRId64
                       ": not both were begun",
                       s->attempt, s->by);
        } else if (s->attempt > s->by) {
            report_bad(c->report, VERIFY_SUPERSEDED, &place,
                       "measured by attempt %" PRId64 " and set aside by the earlier %" PRId64,
                       s->attempt, s->by);
        }
        int64_t now = attempt_of_epoch(f, s->value.epoch);
        if (now != 0 && now < s->by) {
            report_bad(c->report, VERIFY_SUPERSEDED, &place,
                       "was set aside by attempt %" PRId64
                       ", but the epoch is still that of %" PRId64,
                       s->by, now);
        }
    }
    if (f->superseded_count > 0 && f->by_besom) {
        const struct place place = {.trial = f->trial, .epoch = f->superseded[0].value.epoch};
        report_bad(c->report, VERIFY_SUPERSEDED, &place,
                   "was set aside, but besom-trainer computes the same bits again");
    }
    report_count(c->report, VERIFY_SUPERSEDED, f->superseded_count);
}

/* ---- layers ---- */

/* A list; of besom-trainer, of counts. */
static bool is_histogram(const char *text, bool of_counts) {
    cJSON *list = cJSON_Parse(text);
    bool good = cJSON_IsArray(list);
    for (const cJSON *bin = good && of_counts ? list->child : NULL; bin != NULL; bin = bin->next) {
        good = good && cJSON_IsNumber(bin) && bin->valuedouble >= 0 &&
               bin->valuedouble == floor(bin->valuedouble);
    }
    cJSON_Delete(list);
    return good;
}

static bool is_share(sqlite3_stmt *q, int column) {
    double share = sqlite3_column_double(q, column);
    return db_is_null(q, column) || (share >= 0 && share <= 1);
}

/* trial, epoch, layer, dead, saturated, histogram, gradient_histogram */
static void check_layer(const struct checking *c, const struct facts *f, sqlite3_stmt *q) {
    const struct place place = {.trial = f->trial, .epoch = sqlite3_column_int64(q, 0)};
    const char *layer = db_text(q, 1);
    if (f->by_besom && (!is_share(q, 2) || !is_share(q, 3))) {
        report_bad(c->report, VERIFY_LAYERS, &place,
                   "layer %s: dead %s and saturated %s are not both from 0 to 1", layer,
                   db_text(q, 2), db_text(q, 3));
    }
    for (int column = 4; column <= 5; column++) {
        if (!db_is_null(q, column) && !is_histogram(db_text(q, column), f->by_besom)) {
            report_bad(c->report, VERIFY_LAYERS, &place,
                       "layer %s: a histogram is no list of counts", layer);
        }
    }
    if (f->complete && f->by_besom && place.epoch > f->epochs_done) {
        report_bad(c->report, VERIFY_LAYERS, &place,
                   "layer %s: the trial is complete with %" PRId64 " epochs", layer,
                   f->epochs_done);
    }
}

void check_layers(const struct checking *c, const struct facts *f) {
    const char *sql = c->db->version >= 2
                          ? "SELECT epoch, layer, dead, saturated, histogram, gradient_histogram"
                            " FROM layer WHERE trial = ?1"
                          : "SELECT epoch, layer, dead, saturated, histogram, NULL"
                            " FROM layer WHERE trial = ?1";
    int64_t count = 0;
    for (sqlite3_stmt *q = db_ask(c->db, sql, f->trial); db_next(c->db, &q); count++) {
        check_layer(c, f, q);
    }
    report_count(c->report, VERIFY_LAYERS, count);
}
