#include "runner/trial.h"

#include "base/wire.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Every message is for people and may be cut. */
#define SAY(verdict, ...)                                                                          \
    ((void)snprintf((verdict)->message, sizeof(verdict)->message, __VA_ARGS__))

static void decide(struct trial_verdict *verdict, enum trial_status status, const char *reason) {
    verdict->status = status;
    verdict->reason = reason;
    verdict->no_room = false;
    verdict->message[0] = '\0';
}

/* Rows 1..n without a hole, n being the last. */
static bool is_contiguous(const struct attempt_outcome *o) {
    return o->epochs_done == o->epoch_last;
}

static bool is_complete(const struct attempt_outcome *o) {
    if (o->exit_status != 0 || !is_contiguous(o)) {
        return false;
    }
    if (o->epochs > 0) {
        bool ended_early = o->done_event && o->stopped != NULL && o->epochs_done > 0;
        return o->epochs_done >= o->epochs || ended_early;
    }
    return o->done_event || !o->stopping;
}

/* Nothing that a second attempt would do differently. */
static bool is_refused(const struct attempt_outcome *o, struct trial_verdict *verdict) {
    if (o->differs != NULL) {
        decide(verdict, TRIAL_FAILED, "nondeterministic");
        SAY(verdict, "%s", o->differs);
        return true;
    }
    if (o->failed_reason != NULL) {
        decide(verdict, TRIAL_FAILED, o->failed_reason);
        SAY(verdict, "%s", o->failed_message != NULL ? o->failed_message : "the trainer gave up");
        return true;
    }
    return false;
}

/* A word and a sentence for an end that nobody wanted. */
static void describe_death(const struct attempt_outcome *o, struct trial_verdict *verdict) {
    if (o->spawn_failure != NULL) {
        verdict->reason = "spawn";
        SAY(verdict, "%s", o->spawn_failure);
    } else if (o->signal != 0) {
        const char *name = sigabbrev_np(o->signal);
        verdict->reason = "signal";
        SAY(verdict, "killed by signal %d (SIG%s)", o->signal, name != NULL ? name : "?");
    } else if (o->exit_status != 0) {
        verdict->reason = "exit";
        SAY(verdict, "exit status %d", o->exit_status);
    } else {
        verdict->reason = "incomplete";
        SAY(verdict, "%s after %d of %lld epochs",
            o->done_event ? "said \"done\" and ended" : "ended with status 0", o->epochs_done,
            (long long)o->epochs);
    }
}

/* In front of what is said already. */
static void say_room(struct trial_verdict *verdict) {
    char end[sizeof verdict->message];
    memcpy(end, verdict->message, sizeof end);
    SAY(verdict, "no space left on the disk (%.400s)", end);
}

static void judge_death(const struct attempt_outcome *o, int retries, int barren,
                        struct trial_verdict *verdict) {
    if (o->exit_status == 0 && !is_contiguous(o)) {
        decide(verdict, TRIAL_FAILED, "missing epochs");
        SAY(verdict, "epoch %d is missing; the last is %d", o->epochs_done + 1, o->epoch_last);
        return;
    }
    decide(verdict, o->no_room || barren <= retries ? TRIAL_PENDING : TRIAL_FAILED, NULL);
    describe_death(o, verdict);
    if (o->no_room) {
        verdict->no_room = true;
        verdict->reason = "disk full";
        say_room(verdict);
    }
}

void trial_judge(const struct attempt_outcome *o, int retries, int *barren,
                 struct trial_verdict *verdict) {
    assert(o->epochs_done >= 0 && o->epochs_done <= o->epoch_last);
    bool saved = o->exit_status == WIRE_EXIT_SAVED;
    *barren = o->progressed || saved ? 0 : o->no_room ? *barren : *barren + 1;

    if (is_refused(o, verdict)) {
        return;
    }
    if (is_complete(o)) {
        decide(verdict, TRIAL_COMPLETE, NULL);
    } else if (o->stopping) {
        decide(verdict, TRIAL_PAUSED, "interrupted");
        SAY(verdict, "%s after epoch %d",
            saved       ? "saved its state"
            : o->killed ? "killed"
                        : "stopped",
            o->epochs_done);
    } else if (saved) {
        decide(verdict, TRIAL_PENDING, "saved");
        SAY(verdict, "saved its state after epoch %d and asked to be called again", o->epochs_done);
    } else {
        judge_death(o, retries, *barren, verdict);
    }
}

int trial_retry_delay_ms(int times) {
    static const int delay_ms[] = {0, 100, 500, 2500, 10000};
    enum { COUNT = sizeof delay_ms / sizeof *delay_ms };
    return delay_ms[times < 0 ? 0 : times < COUNT ? times : COUNT - 1];
}
