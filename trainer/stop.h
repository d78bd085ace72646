/* trainer/stop.h - when a training ends before its last epoch.
 *
 *     patience  N epochs in a row without an improvement of the metric by more than min_delta; as Keras's
 *               EarlyStopping counts: each epoch against the best one, the first always improves
 *     target    the metric has reached a value
 *     time      the epochs have taken so many seconds (trainer/time_spent.h)
 *
 * A metric that is an accuracy shall go up, any other down.  Patience and target are functions of the
 * history alone, so a training that was interrupted ends where one that was not does. */
#ifndef TRAINER_STOP_H
#define TRAINER_STOP_H

#include "trainer/config_table.h"
#include "trainer/history.h"

enum stop_reason { STOP_NONE, STOP_PATIENCE, STOP_TARGET, STOP_TIME, STOP_REASON_COUNT };
extern const char *const stop_reason_names[STOP_REASON_COUNT]; // "", "patience", "target", "time"

struct stop_spec {
    int metric;       // enum history_metric: val_loss
    int patience;     // epochs; 0: without end
    double min_delta; // 0
    double target;    // NaN: none
    double seconds;   // 0: no limit
};
extern const struct table stop_table;
extern const struct table metric_table; // of an int, an enum history_metric: "val_loss"

/* Why and after which epoch the training ends by patience or target, the first of them that comes; STOP_NONE
 * and 0 as long as it does not.  Of an epoch with both, the target. */
enum stop_reason stop_judge(const struct stop_spec *spec, const struct history *history,
                            int *epoch);

#endif
