/* Which states of a training are saved, which stay, and from which it goes on. */
#include "trainer/train_internal.h"

#include "base/err.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

int training_save(struct training *t, struct err *err) {
    buf_clear(&t->past);
    buf_clear(&t->now);
    history_print(&t->past, &t->history);
    epoch_sums_print(&t->now, &t->sums);
    const struct checkpoint_state state = {
        .at = t->at,
        .identity = t->config->key,
        .dataset = t->set.hash,
        .config = t->config->canonical,
        .history = buf_text(&t->past),
        .partial = buf_text(&t->now),
        .best_epoch = history_best(&t->history),
    };
    int rc = checkpoint_save(t->options->checkpoint_dir, &state, t->net, &t->optim, &t->ema, err);
    if (rc != ERR_OK) {
        return err_wrap(err, "save epoch %d, batch %d", t->at.epoch, t->at.step);
    }
    t->saved = t->at;
    char name[64];
    checkpoint_name(name, t->at);
    buf_printf(&t->line,
               "{\"event\": \"checkpoint\", \"at_epoch\": %d, \"step\": %d, \"file\": \"%s\"}",
               t->at.epoch, t->at.step, name);
    return training_say(t, err);
}

int training_prune(struct training *t, struct err *err) {
    const struct checkpoint_spec *spec = &t->config->checkpoint;
    return checkpoint_prune(t->options->checkpoint_dir, t->at,
                            spec->keep > 0 ? spec->keep : INT_MAX,
                            spec->best ? history_best(&t->history) : 0, err);
}

bool training_is_due(const struct training *t) {
    const struct checkpoint_spec *spec = &t->config->checkpoint;
    int epoch = t->at.epoch;
    return epoch == t->config->epochs || (spec->every > 0 && epoch % spec->every == 0) ||
           (spec->best && history_best(&t->history) == epoch);
}

static void note_skipped(void *context, const char *name, const struct err *reason) {
    struct training *t = context;
    t->foreign = t->foreign || reason->code == ERR_DIFFERS;
    (void)fprintf(t->options->log, "checkpoint %s is not used: %s\n", name, reason->msg); // a note
}

static int restore(struct training *t, const struct checkpoint *checkpoint, struct err *err) {
    const struct checkpoint_state *state = checkpoint_state(checkpoint);
    if (strcmp(state->dataset, t->set.hash) != 0) {
        return err_set(err, ERR_DIFFERS,
                       "the data set %s is not the one of the checkpoints: its content was %s and "
                       "is %s now",
                       t->config->dataset.name, state->dataset, t->set.hash);
    }
    int rc = checkpoint_restore(checkpoint, t->net, &t->optim, &t->ema, err);
    rc = rc == ERR_OK ? history_parse(&t->history, state->history, err) : rc;
    rc = rc == ERR_OK ? epoch_sums_parse(&t->sums, state->partial, err) : rc;
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
    t->at = t->saved = state->at;
    return ERR_OK;
}

int training_resume(struct training *t, struct err *err) {
    struct checkpoint *checkpoint = NULL;
    const char *dir = t->options->checkpoint_dir;
    int rc = checkpoint_open_latest(&checkpoint, dir, t->config->key, note_skipped, t, err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (t->foreign) { // files of both trials would overwrite and delete each other
        rc = err_set(err, ERR_DIFFERS,
                     "%s holds checkpoints of another trial; give it a folder of its own", dir);
    } else if (checkpoint == NULL) {
        net_init(t->net, t->config->seed);
        ema_start(&t->ema, net_params(t->net));
    } else {
        rc = restore(t, checkpoint, err);
        if (rc != ERR_OK) {
            rc = err_wrap(err, "resume from %s", dir);
        }
    }
    checkpoint_close(checkpoint);
    return rc;
}

int training_leave_saved(struct training *t, struct err *err) {
    if (t->at.epoch == t->saved.epoch && t->at.step == t->saved.step) {
        return ERR_OK; // nothing was done since
    }
    int rc = training_save(t, err);
    return rc == ERR_OK ? training_prune(t, err) : rc;
}
