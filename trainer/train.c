#include "trainer/train_internal.h"

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/rng.h"
#include "trainer/kernels/kernels.h"
#include "trainer/numerics.h"
#include "trainer/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool stopping(const struct training *t) {
    return t->options->stop(t->options->stop_context);
}

/* ---- preparing ---- */

static int take_lock(struct training *t, struct err *err) {
    char *path = mem_printf("%s/.lock", t->options->checkpoint_dir);
    int rc = fs_lock_wait(path, TRAIN_LOCK_WAIT_MS, t->options->stop, t->options->stop_context,
                          &t->lock, err);
    free(path);
    return rc == ERR_BUSY ? err_wrap(err, "another process trains in this folder") : rc;
}

static int build_net(struct training *t, struct err *err) {
    struct layer_spec *layers = NULL;
    int count = 0;
    config_layers(t->config, t->set.classes, &layers, &count);
    const char *path = "model";
    int rc = net_new(&t->net, layers, count, t->set.shape, t->set.classes, &t->config->loss,
                     t->batch.max, err);
    if (rc == ERR_OK) {
        path = "batch_size";
        rc = net_check_training(layers, count, t->set.shape, t->set.classes,
                                training_batch(t->config->batch_size, &t->set), err);
    }
    free(layers);
    return rc == ERR_OK ? ERR_OK : err_wrap(err, "%s", path);
}

static int prepare(struct training *t, struct err *err) {
    const struct config *config = t->config;
    numerics_pin();
    int rc;
    do {
        rc = take_lock(t, err);
    } while (training_try_again(t, rc, err));
    if (rc != ERR_OK) {
        return rc;
    }
    do { // makes the cache file
        rc = dataset_open(&t->set, &config->dataset, t->options->cache_dir, err);
    } while (training_try_again(t, rc, err));
    if (rc != ERR_OK) {
        return rc;
    }
    const char *path;
    rc = augment_check(&config->augment, t->set.shape, &path, err);
    if (rc != ERR_OK) {
        return err_wrap(err, "%s", path);
    }
    bool changed = augment_is_on(&config->augment);
    batch_init(&t->batch, batch_size_for(config->batch_size, &t->set), &t->set, changed);
    if (changed) {
        augment_init(&t->augment, &config->augment, t->set.shape, t->batch.max);
    }
    t->order = mem_zalloc((size_t)t->set.train.count, sizeof *t->order);
    rc = build_net(t, err);
    if (rc != ERR_OK) {
        return rc;
    }
    optim_init(&t->optim, &config->optimizer, net_param_count(t->net));
    ema_init(&t->ema, &config->ema, net_param_count(t->net));
    training_look_init(t);
    if (config->init_from.path[0] != '\0') {
        rc = weights_open(&t->weights, config->init_from.path, err);
        rc = rc == ERR_OK ? weights_check(t->weights, t->net, config->init_from.strict, err) : rc;
        if (rc != ERR_OK) {
            return err_wrap(err, "init_from");
        }
    }
    if (config->stop.seconds > 0) {
        rc = time_spent_load(&t->spent, t->options->checkpoint_dir, err);
    }
    rc = rc == ERR_OK ? training_resume(t, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    do {
        rc = training_settle_origin(t, err);
    } while (training_try_again(t, rc, err));
    return rc;
}

static void training_release(struct training *t) {
    optim_release(&t->optim);
    ema_release(&t->ema);
    weights_close(t->weights);
    net_free(t->net);
    dataset_close(&t->set);
    history_release(&t->history);
    batch_release(&t->batch);
    augment_release(&t->augment);
    look_release(&t->look);
    look_log_release(&t->looks);
    free(t->order);
    buf_release(&t->line);
    buf_release(&t->past);
    buf_release(&t->now);
    buf_release(&t->seen);
    if (t->lock >= 0) {
        (void)close(t->lock); // nothing was written to it
    }
}

/* ---- an epoch ---- */

int training_batch_count(const struct training *t) {
    return (t->set.train.count - 1) / t->batch.max + 1;
}

static void settle_base_lr(struct training *t) {
    t->base_lr = schedule_base(&t->config->schedule, t->config->optimizer.lr, &t->history);
}

/* The rate of a batch of the epoch under way. */
static double lr_of(const struct training *t, int step) {
    return schedule_lr(&t->config->schedule, t->base_lr, t->at.epoch, step,
                       training_batch_count(t));
}

/* Streams count epochs as people do, from 1. */
static uint32_t stream_epoch(const struct training *t) {
    return (uint32_t)t->at.epoch + 1;
}

static void change_samples(void *context, float *samples, const uint8_t *labels, int n,
                           const struct shape *shape) {
    struct training *t = context;
    (void)shape; // the data set's, which t->augment knows
    augment_batch(&t->augment, samples, labels, n, t->config->seed, stream_epoch(t),
                  (uint32_t)t->at.step);
}

/* The next batch goes into the net's input; returns what its samples are to come out as. */
static struct net_targets load_batch(struct training *t, int n) {
    const struct augment_spec *augment = &t->config->augment;
    const struct batch_change change = {change_samples, t};
    batch_load(&t->batch, &t->set, &t->set.train, n, augment_is_on(augment) ? &change : NULL,
               t->net);
    struct net_targets targets = {.labels = t->batch.labels};
    if (augment->mixup > 0) {
        targets.others = t->augment.others;
        targets.share = t->augment.share;
    }
    return targets;
}

double training_finish_gradient(struct training *t) {
    const struct config *config = t->config;
    if (config->l2 > 0) {
        net_add_l2(t->net, config->l2);
    }
    if (config->l1 > 0) {
        net_add_l1(t->net, config->l1);
    }
    size_t params = net_param_count(t->net);
    float *grads = net_grads(t->net);
    double norm = sqrt(kernels_get()->sum_squares(grads, params));
    optim_clip(grads, params, norm, config->clip_norm, config->clip_value);
    return norm;
}

static int train_batch(struct training *t, struct err *err) {
    const struct config *config = t->config;
    uint32_t epoch = stream_epoch(t);
    int first = t->at.step * t->batch.max, left = t->set.train.count - first;
    int n = left < t->batch.max ? left : t->batch.max;
    memcpy(t->batch.index, t->order + first, (size_t)n * sizeof *t->order);
    const struct net_targets targets = load_batch(t, n);

    struct net_stats stats = {0};
    net_train(t->net, &targets, n, config->seed, epoch, (uint32_t)t->at.step, &stats);
    if (!isfinite(stats.loss_sum)) {
        return err_set(err, ERR_DIVERGED, "the loss of epoch %u, batch %d is %g", epoch,
                       t->at.step + 1, fabs(stats.loss_sum / n)); // no -nan
    }
    t->sums.grad_norm_sum += training_finish_gradient(t);
    optim_step(&t->optim, net_params(t->net), net_grads(t->net), lr_of(t, t->at.step));
    ema_step(&t->ema, net_params(t->net));

    t->sums.loss_sum += stats.loss_sum;
    t->sums.correct += stats.correct;
    t->sums.samples += stats.samples;
    t->at.step++;
    return ERR_OK;
}

/* The batches of the epoch under way that are still to do; ends early, with t->stopped. */
static int train_batches(struct training *t, struct err *err) {
    uint32_t count = (uint32_t)t->set.train.count;
    for (uint32_t i = 0; i < count; i++) {
        t->order[i] = i;
    }
    struct rng rng;
    rng_init(&rng, t->config->seed, RNG_SHUFFLE, (uint32_t)t->at.epoch + 1, 0);
    rng_shuffle(&rng, t->order, count);

    int rc = ERR_OK, batches = training_batch_count(t);
    while (rc == ERR_OK && t->at.step < batches) {
        if (stopping(t)) {
            t->stopped = true;
            return ERR_OK;
        }
        rc = train_batch(t, err);
        if (rc == ERR_OK && t->at.step < batches && training_is_due(t)) {
            rc = training_save_due(t, err);
            rc = rc == ERR_OK ? training_prune(t, err) : rc;
        }
    }
    return rc;
}

/* Moves to the end of the epoch (test of no samples: val is of the test images): its record, its checkpoint, its line, in this order. */
static int close_epoch(struct training *t, const struct net_stats *val,
                       const struct net_stats *test, struct record_timing *timing, double started,
                       struct err *err) {
    double samples = (double)t->sums.samples;
    const struct record record = {
        .epoch = t->at.epoch + 1,
        .train_loss = t->sums.loss_sum / samples,
        .train_accuracy = (double)t->sums.correct / samples,
        .val_loss = stats_loss(val),
        .val_accuracy = stats_accuracy(val),
        .lr = lr_of(t, training_batch_count(t) - 1),
        .grad_norm = t->sums.grad_norm_sum / training_batch_count(t),
        .has_test = test->samples > 0,
        .test_loss = stats_loss(test),
        .test_accuracy = stats_accuracy(test),
    };
    history_add(&t->history, &record);
    t->at = (struct position){.epoch = record.epoch};
    t->sums = (struct epoch_sums){0};

    if (training_look_is_due(t)) { // first, so that the checkpoint has it
        training_look(t, record.lr);
    }
    bool due = training_is_due(t);
    int rc = due ? training_save_due(t, err) : ERR_OK;
    rc = rc == ERR_OK ? training_say_looks(t, record.epoch, err) : rc;
    if (rc == ERR_OK) {
        timing->seconds = time_now() - started;
        record_print(&t->line, &record, timing);
        rc = training_say(t, err);
    }
    return rc == ERR_OK && due ? training_prune(t, err) : rc;
}

/* Of the averaged weights, where there are such; false: it was asked to stop on the way. */
static bool evaluate_average(struct training *t, const struct split *split,
                             struct net_stats *stats) {
    ema_swap(&t->ema, net_params(t->net));
    bool whole = evaluate(t->net, &t->set, split, &t->batch, t->options->stop,
                          t->options->stop_context, stats);
    ema_swap(&t->ema, net_params(t->net));
    return whole;
}

static int check_finite(const struct training *t, const struct net_stats *stats, const char *images,
                        struct err *err) {
    if (isfinite(stats->loss_sum)) {
        return ERR_OK;
    }
    return err_set(err, ERR_DIVERGED, "the loss of the %s images after epoch %d is %g", images,
                   t->at.epoch + 1, fabs(stats_loss(stats))); // no -nan
}

static int run_epoch(struct training *t, struct err *err) {
    double started = time_now();
    int64_t samples_before = t->sums.samples;
    settle_base_lr(t);
    int rc = train_batches(t, err);
    if (rc != ERR_OK || t->stopped) {
        return rc;
    }
    double seconds = time_now() - started;
    struct record_timing timing = {
        .samples_per_second = (double)(t->sums.samples - samples_before) / fmax(seconds, 1e-9)};

    struct net_stats val, test = {0};
    const struct split *val_part = dataset_val(&t->set);
    bool is_test = val_part == &t->set.test;
    if (!evaluate_average(t, val_part, &val) ||
        (!is_test && !evaluate_average(t, &t->set.test, &test))) {
        t->stopped = true; // what is saved has all batches done; only this is done again
        return ERR_OK;
    }
    rc = check_finite(t, &val, is_test ? "test" : "validation", err);
    rc = rc == ERR_OK ? check_finite(t, &test, "test", err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    return close_epoch(t, &val, &test, &timing, started, err);
}

/* ---- the whole ---- */

/* What is due before the first batch; and what saved the state may have died before it deleted. */
static int begin(struct training *t, struct err *err) {
    int rc = training_repeat_records(t, err);
    bool fresh = t->at.epoch == 0 && t->at.step == 0;
    if (rc == ERR_OK && fresh && training_is_due(t)) {
        rc = training_save_due(t, err);
    }
    return rc == ERR_OK ? training_prune(t, err) : rc;
}

static int end(struct training *t, enum stop_reason why, struct err *err) {
    int rc = training_tidy(t, err);
    return rc == ERR_OK ? training_say_done(t, why, err) : rc;
}

static int run(struct training *t, struct err *err) {
    enum stop_reason why = STOP_NONE;
    int rc = prepare(t, err);
    if (rc == ERR_OK && t->at.epoch == 0 && training_look_is_due(t)) {
        settle_base_lr(t);
        training_look(t, lr_of(t, 0));
    }
    rc = rc == ERR_OK ? begin(t, err) : rc;
    while (rc == ERR_OK && !t->stopped && !training_is_over(t, &why)) {
        rc = run_epoch(t, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    return t->stopped ? training_leave_saved(t, err) : end(t, why, err);
}

/* A config, data or a folder that will be no better the next time. */
static bool is_lasting(int rc) {
    return rc == ERR_DIFFERS || rc == ERR_RANGE || rc == ERR_PARSE || rc == ERR_NOT_FOUND;
}

int train_run(const struct config *config, const struct train_options *options,
              enum train_result *result, struct err *err) {
    struct training t = {.config = config, .options = options, .lock = -1};
    int rc = run(&t, err);
    enum train_result outcome = t.stopped ? TRAIN_SAVED : TRAIN_DONE;
    const struct err cause = *err;
    if (rc == ERR_DIVERGED) {
        rc = training_say_failed(&t, "diverged", cause.msg, err);
        outcome = TRAIN_DIVERGED;
        if (rc == ERR_OK) {
            *err = cause;
        }
    } else if (is_lasting(rc)) { // calling again would meet the same
        const char *reason = rc == ERR_DIFFERS ? "differs" : "unusable";
        (void)training_say_failed(&t, reason, cause.msg, err); // the cause is what matters
        *err = cause;
    } else if (rc == ERR_BUSY && stopping(&t)) { // asked to leave before it could begin
        rc = ERR_OK;
        outcome = TRAIN_SAVED;
    }
    if (t.unheard) {
        rc = ERR_OK;
        outcome = TRAIN_UNHEARD;
    }
    training_release(&t);
    if (rc == ERR_OK) {
        *result = outcome;
    }
    return rc;
}
