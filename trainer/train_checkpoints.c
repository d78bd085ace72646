/* Which states of a training are saved, which stay, and from which it goes on. */
#include "trainer/train_internal.h"

#include "base/err.h"
#include "trainer/checkpoint_folder.h"
#include "trainer/lsuv.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* No position: nothing is saved that the training could go on from. */
static const struct position NOWHERE = {-1, -1};

bool training_is_over(const struct training *t, enum stop_reason *why) {
    *why = STOP_NONE;
    if (t->at.epoch >= t->config->epochs) {
        return true;
    }
    if (t->at.step > 0) {
        return false; // an epoch that was begun is brought to its end
    }
    int epoch;
    *why = stop_judge(&t->config->stop, &t->history, &epoch);
    if (*why == STOP_NONE && time_spent_is_up(&t->spent, t->config->stop.seconds, t->at.epoch)) {
        *why = STOP_TIME;
    }
    return *why != STOP_NONE;
}

/* See invariant 4 of train.h.  A function of config and history alone, so that a scheduled file is told
 * from an interruption's whenever it was made.  (The end by time is not: it is a file at t->at.) */
static bool is_scheduled(const struct training *t, struct position at) {
    const struct checkpoint_spec *spec = &t->config->checkpoint;
    int64_t batches = (int64_t)at.epoch * training_batch_count(t) + at.step;
    if (batches == 0) {
        return spec->initial;
    }
    if (at.step == training_batch_count(t)) {
        return false; // all batches are done, but the epoch is not
    }
    if (spec->every_batches > 0 && batches % spec->every_batches == 0) {
        return true;
    }
    if (at.step > 0 || at.epoch > t->history.count) {
        return false;
    }
    int last;
    (void)stop_judge(&t->config->stop, &t->history, &last); // why does not matter
    return at.epoch == t->config->epochs || at.epoch == last ||
           (spec->every > 0 && at.epoch % spec->every == 0) ||
           (spec->best && history_was_best(&t->history, at.epoch));
}

static bool is_scheduled_in(void *context, struct position at) {
    return is_scheduled(context, at);
}

int training_prune(struct training *t, struct err *err) {
    const struct checkpoint_spec *spec = &t->config->checkpoint;
    const struct checkpoint_retention retention = {
        .is_scheduled = is_scheduled_in,
        .context = t,
        .keep = spec->keep > 0 ? spec->keep : INT_MAX,
        .best_epoch = spec->best ? history_best(&t->history) : 0,
        .whole = t->saved,
    };
    return checkpoint_prune(t->options->checkpoint_dir, t->at, &retention, err);
}

static int save(struct training *t, enum checkpoint_content content, struct err *err) {
    buf_clear(&t->past);
    buf_clear(&t->now);
    history_print(&t->past, &t->history);
    epoch_sums_print(&t->now, &t->sums);
    buf_clear(&t->seen);
    look_log_print(&t->seen, &t->looks);
    const struct checkpoint_state state = {
        .at = t->at,
        .identity = t->config->key,
        .dataset = t->set.hash,
        .config = t->config->canonical,
        .history = buf_text(&t->past),
        .partial = buf_text(&t->now),
        .best_epoch = history_best(&t->history),
        .content = content,
        .init_from = t->weights != NULL ? weights_hash(t->weights) : NULL,
        .layers = t->looks.count > 0 ? buf_text(&t->seen) : NULL,
    };
    const char *dir = t->options->checkpoint_dir;
    int rc;
    do {
        rc = checkpoint_save(dir, &state, t->net, &t->optim, &t->ema, err);
        if (rc == ERR_OK && t->config->stop.seconds > 0) {
            rc = time_spent_save(&t->spent, dir, t->at.epoch, err);
        }
    } while (training_try_again(t, rc, err));
    if (rc != ERR_OK) {
        return err_wrap(err, "save epoch %d, batch %d", t->at.epoch, t->at.step);
    }
    if (content == CHECKPOINT_WHOLE) {
        t->saved = t->at;
    }
    char name[64];
    checkpoint_name(name, t->at);
    buf_printf(&t->line,
               "{\"event\": \"checkpoint\", \"at_epoch\": %d, \"step\": %d, \"file\": \"%s\"}",
               t->at.epoch, t->at.step, name);
    return training_say(t, err);
}

bool training_is_due(const struct training *t) {
    enum stop_reason why;
    return is_scheduled(t, t->at) || (t->at.step == 0 && training_is_over(t, &why));
}

int training_save_due(struct training *t, struct err *err) {
    return save(t, (enum checkpoint_content)t->config->checkpoint.content, err);
}

int training_leave_saved(struct training *t, struct err *err) {
    bool fresh = t->at.epoch == 0 && t->at.step == 0; // the beginning needs no file
    if (fresh || position_compare(t->at, t->saved) == 0) {
        return ERR_OK;
    }
    int rc = save(t, CHECKPOINT_WHOLE, err);
    return rc == ERR_OK ? training_prune(t, err) : rc;
}

/* ---- the end ---- */

/* Where interruptions left whole files in the places of weights. */
static int strip_scheduled(struct training *t, struct err *err) {
    const char *dir = t->options->checkpoint_dir;
    struct checkpoint_list list;
    int rc = checkpoint_list_read(&list, dir, err);
    for (int i = 0; i < list.count && rc == ERR_OK; i++) {
        struct checkpoint *checkpoint = NULL;
        struct err reason;
        if (position_compare(list.at[i], t->at) <= 0 &&
            checkpoint_open_at(&checkpoint, dir, list.at[i], t->config->key, &reason) == ERR_OK &&
            checkpoint_state(checkpoint)->content == CHECKPOINT_WHOLE) {
            do {
                rc = checkpoint_strip(checkpoint, dir, err);
            } while (training_try_again(t, rc, err));
        }
        checkpoint_close(checkpoint);
    }
    checkpoint_list_release(&list);
    return rc;
}

int training_tidy(struct training *t, struct err *err) {
    if (t->config->checkpoint.content == CHECKPOINT_WHOLE) {
        return ERR_OK; // pruned after its last checkpoint
    }
    t->saved = NOWHERE; // nothing has to go on
    int rc = training_prune(t, err);
    return rc == ERR_OK ? strip_scheduled(t, err) : rc;
}

/* ---- the beginning ---- */

static void note_skipped(void *context, const char *name, const struct err *reason) {
    struct training *t = context;
    t->foreign = t->foreign || reason->code == ERR_DIFFERS;
    (void)fprintf(t->options->log, "checkpoint %s is not used: %s\n", name, reason->msg); // a note
}

/* Back to how it was; the optimizer's state is not there when the file holds weights alone. */
static int restore(struct training *t, const struct checkpoint *checkpoint, struct err *err) {
    const struct checkpoint_state *state = checkpoint_state(checkpoint);
    if (strcmp(state->dataset, t->set.hash) != 0) {
        return training_complain_data(t, state->dataset, err);
    }
    const char *ours = t->weights != NULL ? weights_hash(t->weights) : "none";
    const char *theirs = state->init_from != NULL ? state->init_from : "none";
    if (strcmp(ours, theirs) != 0) {
        return err_set(
            err, ERR_DIFFERS,
            "init_from %s does not hold the weights that the checkpoints began with: those "
            "were %s, these are %s",
            t->config->init_from.path, theirs, ours);
    }
    bool whole = state->content == CHECKPOINT_WHOLE;
    int rc = checkpoint_restore(checkpoint, t->net, whole ? &t->optim : NULL, &t->ema, err);
    rc = rc == ERR_OK ? history_parse(&t->history, state->history, err) : rc;
    rc = rc == ERR_OK ? epoch_sums_parse(&t->sums, state->partial, err) : rc;
    if (rc == ERR_OK && state->layers != NULL) {
        rc = look_log_parse(&t->looks, state->layers, state->at.epoch, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    int64_t samples = (int64_t)state->at.step * t->batch.max; // the last batch may be smaller
    int64_t count = t->set.train.count;
    if (t->history.count != state->at.epoch ||
        t->sums.samples != (samples < count ? samples : count)) {
        return err_set(err, ERR_CORRUPT, "its history does not reach to epoch %d, batch %d",
                       state->at.epoch, state->at.step);
    }
    t->at = state->at;
    if (whole) {
        t->saved = t->at;
    }
    return ERR_OK;
}

static void begin(struct training *t) {
    history_release(&t->history);
    t->sums = (struct epoch_sums){0};
    t->at = (struct position){0};
    net_init(t->net, t->config->seed);
    lsuv_init(t->net, &t->set, &t->batch);
    look_log_release(&t->looks);
    if (t->weights != NULL) {
        struct buf note = {0};
        weights_apply(t->weights, t->net, &note);
        (void)fprintf(t->options->log, "init_from: %s\n", buf_text(&note)); // a note
        buf_release(&note);
    }
    ema_start(&t->ema, net_params(t->net));
}

/* `checkpoint` holds weights alone: good for what is over, but not for going on.  Then *whole becomes the
 * newest whole one, if there is one. */
static int restore_weights(struct training *t, const struct checkpoint *checkpoint,
                           struct checkpoint **whole, struct err *err) {
    enum stop_reason why;
    int rc = restore(t, checkpoint, err);
    if (rc != ERR_OK || training_is_over(t, &why)) {
        return rc;
    }
    struct position newest = t->at;
    begin(t);
    const struct checkpoint_wanted wanted = {
        .identity = t->config->key, .whole = true, .before = &newest};
    rc = checkpoint_open_latest(whole, t->options->checkpoint_dir, &wanted, note_skipped, t, err);
    if (rc != ERR_OK) {
        return rc;
    }
    char name[64], from[64] = "the beginning";
    checkpoint_name(name, newest);
    if (*whole != NULL) {
        checkpoint_name(from, checkpoint_state(*whole)->at);
    }
    (void)fprintf(
        t->options->log, // a note
        "checkpoint %s holds weights alone, and no training can go on from those: it goes on "
        "from %s\n",
        name, from);
    return *whole != NULL ? restore(t, *whole, err) : ERR_OK;
}

int training_resume(struct training *t, struct err *err) {
    struct checkpoint *newest = NULL, *whole = NULL;
    const char *dir = t->options->checkpoint_dir;
    const struct checkpoint_wanted wanted = {.identity = t->config->key};
    t->saved = NOWHERE;
    int rc = checkpoint_remove_stale(dir, err);
    rc = rc == ERR_OK ? checkpoint_open_latest(&newest, dir, &wanted, note_skipped, t, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    if (t->foreign) { // files of both trials would overwrite and delete each other
        rc = err_set(err, ERR_DIFFERS,
                     "%s holds checkpoints of another trial; give it a folder of its own", dir);
    } else if (newest == NULL) {
        begin(t);
    } else {
        rc = checkpoint_state(newest)->content == CHECKPOINT_WHOLE
                 ? restore(t, newest, err)
                 : restore_weights(t, newest, &whole, err);
        if (rc != ERR_OK) {
            rc = err_wrap(err, "resume from %s", dir);
        }
    }
    checkpoint_close(newest);
    checkpoint_close(whole);
    return rc;
}
