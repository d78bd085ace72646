/* trainer/history.h - what the epochs came to: the records that are printed and that every checkpoint
 * carries, and the sums of the epoch under way.
 *
 * Numbers are written in their shortest round-trip form, so that what is read back has the same bits. */
#ifndef TRAINER_HISTORY_H
#define TRAINER_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct cJSON;
struct err;

/* The metrics of an epoch, in the order of a record.  Losses are mean cross-entropies in nats;
 * accuracies are fractions; train_* run over the epoch, with dropout and while the parameters change;
 * val_* are of the validation images after it, or of the test images where there are none; grad_norm is the mean over the batches of the L2 norm of the
 * whole gradient, the L2 term included. */
#define HISTORY_METRICS(X)                                                                         \
    X(train_loss)                                                                                  \
    X(train_accuracy)                                                                              \
    X(val_loss)                                                                                    \
    X(val_accuracy)                                                                                \
    X(lr)                                                                                          \
    X(grad_norm)

/* Of the test images, where val_* are of others: they come behind the rest, and `stop` and the best
 * epoch do not look at them. */
#define HISTORY_TEST_METRICS(X)                                                                    \
    X(test_loss)                                                                                   \
    X(test_accuracy)

struct record {
    int epoch; // from 1
#define X(name) double name;
    HISTORY_METRICS(X)
    bool has_test;
    HISTORY_TEST_METRICS(X)
#undef X
};

/* The metrics by number: HISTORY_METRIC_val_loss. */
enum history_metric {
#define X(name) HISTORY_METRIC_##name,
    HISTORY_METRICS(X)
#undef X
        HISTORY_METRIC_COUNT
};
extern const char *const history_metric_names[HISTORY_METRIC_COUNT];
double record_metric(const struct record *record, int metric);
bool metric_goes_up(int metric); // as it gets better: accuracies do

/* How long an epoch took: printed with it, never saved. */
struct record_timing {
    double seconds;            // the whole of it
    double samples_per_second; // of the training part
};

struct history {
    struct record *records; // owned; record i is of epoch i + 1
    int count, cap;
};

void history_add(struct history *history, const struct record *record);
void history_release(struct history *history);

/* The epoch of the best val_accuracy, the earliest on a tie; 0 when there is none. */
int history_best(const struct history *history);
/* Whether `epoch` was the best when it came. */
bool history_was_best(const struct history *history, int epoch);

/* {"epoch": 1, "train_loss": ...}; `timing` may be NULL */
void record_print(struct buf *out, const struct record *record, const struct record_timing *timing);

/* A JSON array of records. */
void history_print(struct buf *out, const struct history *history);
/* Fills an empty history.  ERR_CORRUPT unless the epochs are 1, 2, ... with all metrics. */
int history_parse(struct history *history, const char *text, struct err *err);

/* Sums over the batches of an epoch. */
struct epoch_sums {
    double loss_sum, grad_norm_sum;
    int64_t correct, samples;
};

/* A JSON object; "{}" when nothing was summed. */
void epoch_sums_print(struct buf *out, const struct epoch_sums *sums);
int epoch_sums_parse(struct epoch_sums *sums, const char *text, struct err *err); // ERR_CORRUPT

#endif
