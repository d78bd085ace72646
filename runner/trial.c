#include "runner/trial.h"

#include "base/wire.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Every message is for people and may be cut. */
#define SAY(verdict, ...)                                                                          \
    ((void)snprintf((verdict)->message, sizeof(verdict)->message, __VA_ARGS__))

const struct trial_failure_kind trial_failures[FAILURE_COUNT] = {
#define X(name, reason, class, rule) {reason, class, rule},
    TRIAL_FAILURES(X)
#undef X
};

static void decide(struct trial_verdict *verdict, enum trial_status status, const char *reason) {
    verdict->status = status;
    verdict->reason = reason;
    verdict->no_room = false;
    verdict->class = NULL;
    verdict->message[0] = '\0';
}

static void fail(struct trial_verdict *verdict, enum trial_failure failure) {
    decide(verdict, TRIAL_FAILED, trial_failures[failure].reason);
    verdict->class = trial_failures[failure].class;
}

/* Whether a trial is tried again after such a failure. */
static bool may_retry(enum trial_failure failure, const struct attempt_outcome *o, int barren,
                      int retries) {
    switch (trial_failures[failure].rule) {
    case RULE_NEVER:
        break;
    case RULE_PROGRESS:
        return o->progressed;
    case RULE_AFRESH:
        return o->has_state && o->afresh < retries;
    case RULE_BARREN:
        return barren <= retries;
    case RULE_FREE:
        return true;
    }
    return false;
}

/* Rows 1..n without a hole, n being the last. */
static bool is_contiguous(const struct attempt_outcome *o) {
    return o->epochs_done == o->epoch_last;
}

static bool is_complete(const struct attempt_outcome *o) {
    if (o->exit_status != 0 || !is_contiguous(o)) {
        return false;
    }
    if (o->beyond) {
        return o->epochs > 0 && o->epochs_done >= o->epochs;
    }
    if (o->epochs > 0) {
        bool ended_early = o->done_event && o->stopped != NULL && o->epochs_done > 0;
        return o->epochs_done >= o->epochs || ended_early;
    }
    return o->done_event || !(o->stopping || o->watch != WATCHDOG_NONE);
}

bool trial_is_beyond(const struct trial_ahead *ahead) {
    if (ahead->from_epoch > 0) {
        return ahead->from_epoch > ahead->epochs_done;
    }
    return ahead->lost && !ahead->progressed && ahead->epochs_done < ahead->epochs;
}

/* ---- which failure ---- */

/* Nothing that a second attempt would do differently. */
static bool is_refused(const struct attempt_outcome *o, struct trial_verdict *verdict) {
    if (o->differs != NULL) {
        fail(verdict, FAILURE_DIFFERS);
        SAY(verdict, "%s", o->differs);
        return true;
    }
    if (o->failed_reason != NULL) {
        bool diverged = strcmp(o->failed_reason, trial_failures[FAILURE_DIVERGED].reason) == 0;
        fail(verdict, diverged ? FAILURE_DIVERGED : FAILURE_GAVE_UP);
        verdict->reason = o->failed_reason;
        SAY(verdict, "%s", o->failed_message != NULL ? o->failed_message : "the trainer gave up");
        return true;
    }
    return false;
}

/* An end that nobody wanted, by what its process did. */
static enum trial_failure failure_of_end(const struct attempt_outcome *o) {
    if (o->spawn_failure != NULL) {
        return FAILURE_NOT_STARTED;
    }
    if (o->signal != 0) {
        return FAILURE_SIGNAL;
    }
    if (o->exit_status != 0) {
        return FAILURE_EXIT;
    }
    return is_contiguous(o) && !o->beyond ? FAILURE_INCOMPLETE : FAILURE_MISSING;
}

static enum trial_failure failure_of(const struct attempt_outcome *o) {
    if (o->memory_mb > 0.0) {
        return FAILURE_OVER_LIMIT;
    }
    if (o->out_of_memory || o->exit_status == WIRE_EXIT_NO_MEMORY) {
        return FAILURE_OUT_OF_MEMORY;
    }
    enum trial_failure end = failure_of_end(o);
    if (o->no_room && end != FAILURE_MISSING) {
        return FAILURE_NO_ROOM;
    }
    return o->watch == WATCHDOG_HANG ? FAILURE_HANG : end;
}

/* ---- saying so ---- */

/* "2,104": megabytes, rounded. */
static const char *megabytes(double mb, char text[32]) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%.0f", mb < 1e15 ? mb : 1e15); // fits
    int out = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) {
            text[out++] = ',';
        }
        text[out++] = digits[i];
    }
    text[out] = '\0';
    return text;
}

static void say_missing(const struct attempt_outcome *o, struct trial_verdict *verdict) {
    const char *what = "its trainer never told it";
    if (o->has_state) {
        what = verdict->status == TRIAL_PENDING
                   ? "the trial begins again, its state is put aside"
                   : "its trainer has saved it and does not tell it; with --retry-failed the trial "
                     "begins again, its state is put aside";
    }
    if (is_contiguous(o)) {
        SAY(verdict, "epoch %d is missing, and the state is beyond it: %s", o->epochs_done + 1,
            what);
        return;
    }
    SAY(verdict, "epoch %d is missing, the last is %d: %s", o->epochs_done + 1, o->epoch_last,
        what);
}

static void say_end(const struct attempt_outcome *o, struct trial_verdict *verdict) {
    const char *name = sigabbrev_np(o->signal);
    switch (failure_of_end(o)) {
    case FAILURE_NOT_STARTED:
        SAY(verdict, "%s", o->spawn_failure);
        break;
    case FAILURE_SIGNAL:
        SAY(verdict, "killed by signal %d (SIG%s)", o->signal, name != NULL ? name : "?");
        break;
    case FAILURE_EXIT:
        SAY(verdict, "exit status %d", o->exit_status);
        break;
    case FAILURE_MISSING:
        say_missing(o, verdict);
        break;
    default:
        SAY(verdict, "%s after %d of %lld epochs",
            o->done_event ? "said \"done\" and ended" : "ended with status 0", o->epochs_done,
            (long long)o->epochs);
        break;
    }
}

/* In front of what is said already. */
static void say_room(struct trial_verdict *verdict) {
    char end[sizeof verdict->message];
    memcpy(end, verdict->message, sizeof end);
    SAY(verdict, "no space left on the disk (%.400s)", end);
}

static void say(const struct attempt_outcome *o, enum trial_failure failure,
                struct trial_verdict *verdict) {
    char used[32], limit[32];
    switch (failure) {
    case FAILURE_OVER_LIMIT:
        SAY(verdict, "used %s MB, its limit is %s MB", megabytes(o->memory_mb, used),
            megabytes(o->memory_limit_mb, limit));
        break;
    case FAILURE_OUT_OF_MEMORY:
        SAY(verdict, "%s",
            o->out_of_memory ? "killed by the kernel: the machine was out of memory"
                             : "ended as there was no more memory (exit status 71)");
        break;
    case FAILURE_HANG:
        SAY(verdict, "no epoch for %g s (timeout.epoch_s)", o->limit_s);
        break;
    case FAILURE_TIMEOUT:
        SAY(verdict,
            "its %g s are used up (timeout.trial_s); with more of them and --retry-failed it goes "
            "on after epoch %d",
            o->limit_s, o->epochs_done);
        break;
    case FAILURE_NO_ROOM:
        say_end(o, verdict);
        say_room(verdict);
        break;
    default:
        say_end(o, verdict);
        break;
    }
}

static void interrupt(const struct attempt_outcome *o, struct trial_verdict *verdict) {
    decide(verdict, TRIAL_PAUSED, "interrupted");
    SAY(verdict, "%s after epoch %d",
        o->exit_status == WIRE_EXIT_SAVED ? "saved its state"
        : o->killed                       ? "killed"
                                          : "stopped",
        o->epochs_done);
}

/* ---- the verdict ---- */

/* A saved state is none of a trainer that was only asked to leave because it hung. */
static void count(const struct attempt_outcome *o, bool excused, int *barren) {
    bool saved = o->exit_status == WIRE_EXIT_SAVED && o->watch != WATCHDOG_HANG;
    if (o->progressed || saved) {
        *barren = 0;
    } else if (!excused) {
        ++*barren;
    }
}

void trial_judge(const struct attempt_outcome *o, int retries, int *barren,
                 struct trial_verdict *verdict) {
    assert(o->epochs_done >= 0 && o->epochs_done <= o->epoch_last);
    bool timeout = o->watch == WATCHDOG_TIMEOUT;
    bool refused = is_refused(o, verdict);
    bool complete = !refused && is_complete(o);
    bool interrupted = !refused && !complete && !timeout && o->stopping;
    enum trial_failure failure = timeout ? FAILURE_TIMEOUT : failure_of(o);
    count(o, interrupted || trial_failures[failure].rule == RULE_FREE, barren);
    bool died = failure == FAILURE_OVER_LIMIT || failure == FAILURE_OUT_OF_MEMORY ||
                failure == FAILURE_HANG || timeout;

    if (refused) {
        return;
    }
    if (complete) {
        decide(verdict, TRIAL_COMPLETE, NULL);
    } else if (interrupted) {
        interrupt(o, verdict);
    } else if (o->exit_status == WIRE_EXIT_SAVED && !died) {
        decide(verdict, TRIAL_PENDING, "saved");
        SAY(verdict, "saved its state after epoch %d and asked to be called again", o->epochs_done);
    } else {
        fail(verdict, failure);
        verdict->status = may_retry(failure, o, *barren, retries) ? TRIAL_PENDING : TRIAL_FAILED;
        say(o, failure, verdict);
        verdict->no_room = failure == FAILURE_NO_ROOM;
    }
}

int trial_retry_delay_ms(int times) {
    static const int delay_ms[] = {0, 100, 500, 2500, 10000};
    enum { COUNT = sizeof delay_ms / sizeof *delay_ms };
    return delay_ms[times < 0 ? 0 : times < COUNT ? times : COUNT - 1];
}
