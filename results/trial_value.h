/* results/trial_value.h - the one number that a trial is compared by, out of all that a metric was.
 *
 *     best    the best of its epochs, by the metric's goal
 *     last    at the last epoch that it has
 *     EPOCH   at this epoch
 *     auc     area under its curve: the trapezoids between one epoch and the next that it has, together, divided by
 *             the epochs from the first to the last.  So it has the metric's unit and is the average height of the
 *             curve; of a single epoch it is that one's value
 *     reach   the first epoch at which it is as good as a target, or the seconds that the epochs up to and including
 *             that one took.  Less is better.  A trial that never gets there has no value, which is not nothing:
 *             how many of how many got there is always told beside a mean over those that did
 *
 * NaN is no value: the best is of the other epochs; at the last epoch or EPOCH, and for an area that it is part of,
 * the trial has none. */
#ifndef RESULTS_TRIAL_VALUE_H
#define RESULTS_TRIAL_VALUE_H

#include <stdbool.h>

struct buf;

enum trial_value_at {
    TRIAL_VALUE_BEST,
    TRIAL_VALUE_LAST,
    TRIAL_VALUE_EPOCH,
    TRIAL_VALUE_AUC,
    TRIAL_VALUE_REACH_EPOCHS,
    TRIAL_VALUE_REACH_SECONDS,
};

struct trial_value {
    enum trial_value_at at;
    int epoch;     // of EPOCH
    double target; // of REACH_*
};

/* "best", "last", "auc" or a number of an epoch; false for another word. */
bool trial_value_parse(const char *word, struct trial_value *value);

bool trial_value_is_reach(const struct trial_value *value);

/* Two SQL expressions about the trial `s.trial`, with a comma between them: its value (NULL: none), and whether it got
 * there, where it is about that, else 1.  They have the metric's name as ?1 and a number as ?3, trial_value_parameter(). */
void trial_value_put_sql(struct buf *sql, const struct trial_value *value, bool maximize);
double trial_value_parameter(const struct trial_value *value);

/* For people: "best val_loss", "val_loss at epoch 3", "area under val_loss", "epochs until val_accuracy >= 0.8". */
void trial_value_describe(struct buf *out, const struct trial_value *value, const char *metric,
                          bool maximize);

/* For machines: "best", "last", "epoch", "auc", "reach_epochs", "reach_seconds" */
const char *trial_value_name(const struct trial_value *value);

#endif
