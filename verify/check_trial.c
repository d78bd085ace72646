/* A trial, its attempts, its status: docs/design.md ("the life of a trial"), docs/protocol.md ("How it ends"). */
#include "verify/checks.h"
#include "verify/facts.h"
#include "verify/report.h"

#include <inttypes.h>
#include <string.h>

/* ---- attempts ---- */

static void check_attempt(const struct checking *c, const struct facts *f, int i) {
    const struct fact_attempt *a = &f->attempt[i];
    const struct place place = {.trial = f->trial, .attempt = a->attempt};
    if (a->attempt != i + 1) {
        report_bad(c->report, VERIFY_ATTEMPTS, &place, "is the %dth in order: %s", i + 1,
                   a->attempt > i + 1 ? "one before it is missing" : "it is there twice");
    }
    if (a->open && i + 1 < f->attempt_count) {
        report_bad(c->report, VERIFY_ATTEMPTS, &place,
                   "has no end, although attempt %" PRId64 " has begun", f->attempt[i + 1].attempt);
    } else if (a->open && !f->running) {
        report_bad(c->report, VERIFY_ATTEMPTS, &place, "has no end, and the trial is %s",
                   f->status);
    } else if (a->open && !c->live) {
        report_note(c->report, &place,
                    "was left open by a run that died; the next besom run closes it and goes on");
    }
    if (!a->open && a->ended < a->began) {
        report_note(c->report, &place, "ended %.3f s before it began: was the clock set back?",
                    a->began - a->ended);
    }
    if (a->has_class && (a->open || a->completed)) {
        report_bad(c->report, VERIFY_ATTEMPTS, &place, "has a class of failure but did not fail");
    }
}

void check_attempts(const struct checking *c, const struct facts *f) {
    const struct place place = {.trial = f->trial};
    for (int i = 0; i < f->attempt_count; i++) {
        check_attempt(c, f, i);
    }
    int64_t last = f->attempt_count == 0 ? 0 : f->attempt[f->attempt_count - 1].attempt;
    if (f->attempts != last) {
        report_bad(c->report, VERIFY_ATTEMPTS, &place,
                   "its row counts %" PRId64 " attempts, the last of them is %" PRId64, f->attempts,
                   last);
    }
    report_count(c->report, VERIFY_ATTEMPTS, f->attempt_count);
}

/* ---- status ---- */

/* What is wrong with the status, given how the last attempt stands; NULL when it fits.
 *
 *     status              the last attempt
 *     pending             none, or ended; completed only when more epochs, or another config, are wanted now
 *     running             open
 *     paused, failed      ended with a reason
 *     complete            completed
 *     pruned, cancelled   any, ended: a decision */
static const char *misfit(const struct facts *f) {
    const struct fact_attempt *last =
        f->attempt_count == 0 ? NULL : &f->attempt[f->attempt_count - 1];
    if (f->running) {
        return last == NULL || !last->open ? "it is running, but no attempt is open" : NULL;
    }
    if (strcmp(f->status, "pending") == 0) {
        bool wants_nothing = last != NULL && last->completed && f->stopped == NULL &&
                             f->epochs > 0 && f->epochs <= f->epochs_done;
        return wants_nothing ? "it is pending, but its last attempt completed all its epochs"
                             : NULL;
    }
    if (strcmp(f->status, "paused") == 0) {
        return last == NULL      ? "it is paused, but was never started"
               : last->completed ? "it is paused, but its last attempt completed"
                                 : NULL;
    }
    if (strcmp(f->status, "failed") == 0) {
        return last == NULL      ? "it has failed, but was never started"
               : last->completed ? "it has failed, but its last attempt completed"
                                 : NULL;
    }
    if (f->complete) {
        return last == NULL       ? "it is complete, but was never started"
               : !last->completed ? "it is complete, but its last attempt did not complete"
                                  : NULL;
    }
    return strcmp(f->status, "pruned") == 0 || strcmp(f->status, "cancelled") == 0
               ? NULL
               : "there is no such status";
}

void check_status(const struct checking *c, const struct facts *f) {
    const struct place place = {.trial = f->trial};
    const char *what = misfit(f);
    if (what != NULL) {
        report_bad(c->report, VERIFY_STATUS, &place, "status \"%s\": %s", f->status, what);
    }
    int64_t contiguous = facts_contiguous(f);
    if (f->complete && f->stopped == NULL && f->epochs > contiguous) {
        report_bad(c->report, VERIFY_STATUS, &place,
                   "it is complete with %" PRId64 " of %" PRId64 " epochs, and nothing stopped it",
                   contiguous, f->epochs);
    }
    if (f->complete && f->stopped != NULL && contiguous == 0) {
        report_bad(c->report, VERIFY_STATUS, &place, "it stopped (%s) before its first epoch",
                   f->stopped);
    }
    if (f->epochs_done != contiguous) {
        report_bad(c->report, VERIFY_PROGRESS, &place,
                   "epochs_done is %" PRId64 ", but epochs 1 to %" PRId64 " are there",
                   f->epochs_done, contiguous);
    }
    report_count(c->report, VERIFY_STATUS, 1);
    report_count(c->report, VERIFY_PROGRESS, 1);
}
