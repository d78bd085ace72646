/* A training meets a full disk: it waits for room. */
#include "trainer/train_internal.h"

#include "base/err.h"

#include <stdio.h>
#include <time.h>

static void rest(void) {
    const struct timespec pause = {.tv_nsec = 250000000};
    (void)nanosleep(&pause, NULL); // cut short by a signal: `stop` is looked at the sooner
}

static int say_waiting(struct training *t, const struct err *cause) {
    struct err err;
    (void)fprintf(t->options->log, "%s; waiting until there is room\n", cause->msg); // a note
    buf_puts(&t->line, "{\"event\": \"waiting\", \"reason\": \"disk full\"}");
    return training_say(t, &err);
}

static void say_resumed(struct training *t) {
    struct err err;
    (void)fprintf(t->options->log, "there is room again: going on\n"); // a note
    buf_puts(&t->line, "{\"event\": \"resumed\"}");
    (void)training_say(t, &err); // who does not hear it will not hear what follows, which tells
}

bool training_try_again(struct training *t, int rc, const struct err *err) {
    if (rc != ERR_FULL) {
        if (t->waiting) {
            t->waiting = false;
            t->spent.started += time_now() - t->waiting_since; // no time of the training's
            say_resumed(t);
        }
        return false;
    }
    if (t->options->stop(t->options->stop_context)) {
        return false; // leaving is more urgent; what is not saved is computed again
    }
    if (!t->waiting) {
        t->waiting = true;
        t->waiting_since = time_now();
        if (say_waiting(t, err) != ERR_OK) {
            return false;
        }
    }
    rest();
    return true;
}
