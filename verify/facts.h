/* verify/facts.h - what the database says of one trial, read once and looked at by every check. */
#ifndef VERIFY_FACTS_H
#define VERIFY_FACTS_H

#include <stdbool.h>
#include <stdint.h>

struct db;

/* Metrics' names, by ascending id. */
struct metric_name {
    int64_t id;
    char *name;
};
struct metrics {
    struct metric_name *list;
    int count;
};
void metrics_load(struct metrics *metrics, struct db *db);
void metrics_release(struct metrics *metrics);
const char *metrics_name(const struct metrics *metrics, int64_t id);   // "?" when there is none
int64_t metrics_find(const struct metrics *metrics, const char *name); // 0 when there is none

struct fact_attempt {
    int64_t attempt;
    double began, ended;
    bool open;      // without an end
    bool completed; // ended, and without a reason
    bool ran;       // a trainer was there: it said start, or it ended by itself
    bool has_class; // a failure class stands there, whatever the reason
};
struct fact_epoch {
    int64_t epoch, attempt;
};
struct fact_value {
    int64_t epoch, metric, kind, bits;
    bool null;
    double real;
};
struct fact_extreme {
    bool null;
    double value;
    int64_t epoch; // 0: none
};
struct fact_summary {
    int64_t metric;
    struct fact_extreme low, high, last;
};
struct fact_superseded {
    struct fact_value value;
    int64_t attempt, by;
};

struct facts {
    int64_t trial, sweep, seed, epochs, epochs_done, attempts;
    char *key, *config, *status, *stopped; // stopped may be NULL
    bool complete;
    bool running;   // so says the database
    bool under_way; // and a run is going on
    bool by_besom;  // trained by besom-trainer: of a sweep whose trainer that is
    struct fact_attempt *attempt;
    struct fact_epoch *epoch;           // by epoch
    struct fact_value *value;           // by epoch, metric
    struct fact_summary *summary;       // by metric
    struct fact_superseded *superseded; // by epoch
    int attempt_count, epoch_count, value_count, summary_count, superseded_count;
};

/* Reads trial `id`; false when it is not there, or the database fails.  `live`: a run is going on. */
bool facts_load(struct facts *facts, struct db *db, int64_t id, bool live);
void facts_release(struct facts *facts);

/* Epochs 1..n are all there: the n. */
int64_t facts_contiguous(const struct facts *facts);
int64_t facts_last_epoch(const struct facts *facts); // 0 without epochs
bool facts_has_epoch(const struct facts *facts, int64_t epoch);
bool facts_has_attempt(const struct facts *facts, int64_t attempt);
/* The value of a metric at an epoch; NULL when there is none. */
const struct fact_value *facts_value(const struct facts *facts, int64_t epoch, int64_t metric);

/* Whether an argv, a JSON array, starts besom-trainer by itself. */
bool is_besom_trainer(const char *argv);

#endif
