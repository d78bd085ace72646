/* The looks of a training at its own layers. */
#include "trainer/train_internal.h"

#include "base/buf.h"
#include "trainer/config.h"

#include <string.h>

void training_look_init(struct training *t) {
    if (t->config->inspect.every > 0) {
        look_init(&t->look, t->net, &t->config->optimizer);
    }
}

bool training_look_is_due(const struct training *t) {
    const struct inspect_spec *spec = &t->config->inspect;
    if (spec->every == 0 || t->at.step != 0) {
        return false;
    }
    bool taken = t->looks.count > 0 && t->looks.lines[t->looks.count - 1].at_epoch == t->at.epoch;
    return !taken && (t->at.epoch == 0 ? spec->initial : t->at.epoch % spec->every == 0);
}

/* The first images of those that every epoch is evaluated with. */
static void load(void *context, int first, int n, struct net_targets *targets) {
    struct training *t = context;
    for (int i = 0; i < n; i++) {
        t->batch.index[i] = (uint32_t)(first + i);
    }
    batch_load(&t->batch, &t->set, dataset_val(&t->set), n, NULL, t->net);
    *targets = (struct net_targets){.labels = t->batch.labels};
}

void training_look(struct training *t, double lr) {
    int count = dataset_val(&t->set)->count;
    look_take(&t->look, count < LOOK_SAMPLES_MAX ? count : LOOK_SAMPLES_MAX, t->batch.max, load, t);
    (void)training_finish_gradient(t); // only the gradient is of use
    look_update(&t->look, &t->optim, lr);
    struct buf line = {0};
    for (int i = 0; i < t->look.count; i++) {
        buf_clear(&line);
        look_print(&line, &t->look.layers[i], t->at.epoch);
        look_log_add(&t->looks, t->at.epoch, buf_text(&line));
    }
    buf_release(&line);
}

int training_say_looks(struct training *t, int at_epoch, struct err *err) {
    int rc = 0;
    for (int i = 0; i < t->looks.count && rc == 0; i++) {
        if (t->looks.lines[i].at_epoch == at_epoch) {
            buf_puts(&t->line, t->looks.lines[i].text);
            rc = training_say(t, err);
        }
    }
    return rc;
}
