/* Whether a training goes on with what it began with: its data, and, as far as can be, its numerics. */
#include "trainer/train_internal.h"

#include "base/err.h"
#include "trainer/origin.h"

#include <stdio.h>
#include <string.h>

static const char UNNAMED[] = "besom-trainer";

/* false: there is no beginning that is this training's. */
static int load(const struct training *t, struct origin *origin, bool *found, struct err *err) {
    int rc = origin_load(origin, t->options->checkpoint_dir, err);
    if (rc == ERR_CORRUPT) { // it is no part of the state: the checkpoints have all of that
        (void)fprintf(t->options->log, "%s; it is written anew\n", err->msg); // a note
    } else if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        return rc;
    }
    *found = rc == ERR_OK && strcmp(origin->trial, t->config->key) == 0;
    return ERR_OK;
}

static int save(const struct training *t, struct err *err) {
    struct origin origin = {0};
    const char *program = t->options->program != NULL ? t->options->program : UNNAMED;
    (void)snprintf(origin.program, sizeof origin.program, "%s", program); // cut where too long
    memcpy(origin.trial, t->config->key, sizeof origin.trial);
    memcpy(origin.data, t->set.hash, sizeof origin.data);
    numerics_now(&origin.numerics);
    return origin_save(&origin, t->options->checkpoint_dir, t->config->dataset.name, err);
}

int training_complain_data(const struct training *t, const char *then, struct err *err) {
    return err_set(err, ERR_DIFFERS,
                   "the data set %s is not the one that this training began with: its content was "
                   "%s and is %s now; put the old data back, or train with the new data as another "
                   "trial, by \"dataset\": {\"name\": ..., \"fingerprint\": \"%s\"}",
                   t->config->dataset.name, then, t->set.hash, t->set.hash);
}

int training_settle_origin(struct training *t, struct err *err) {
    struct origin origin;
    bool found;
    int rc = load(t, &origin, &found, err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (found) {
        return strcmp(origin.data, t->set.hash) == 0 ? ERR_OK
                                                     : training_complain_data(t, origin.data, err);
    }
    return save(t, err);
}
