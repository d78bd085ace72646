#include "runner/check_resume.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void check_resume_init(struct check_resume *judge, double tolerance, int epochs) {
    *judge = (struct check_resume){.tolerance = tolerance, .epochs = epochs};
}

static void finding_release(struct check_finding *f) {
    free(f->how);
    free(f->message);
    free(f->output);
    *f = (struct check_finding){0};
}

void check_resume_release(struct check_resume *judge) {
    check_curve_release(&judge->reference);
    finding_release(&judge->finding);
    finding_release(&judge->once);
    *judge = (struct check_resume){0};
}

/* ---- findings ---- */

/* The new finding, to be filled in; NULL when one of a lower or the same round is there (invariant 2). */
static struct check_finding *find(struct check_resume *judge, const struct check_where *where,
                                  enum check_verdict verdict) {
    struct check_finding *f = &judge->finding;
    if (judge->found && f->round <= where->round) {
        return NULL;
    }
    finding_release(f);
    judge->found = true;
    f->verdict = verdict;
    f->round = where->round;
    f->attempt = where->attempt;
    f->how = mem_strdup(where->how == NULL ? "" : where->how);
    return f;
}

static char *copy(const char *text) {
    return text == NULL || text[0] == '\0' ? NULL : mem_strdup(text);
}

/* ---- records ---- */

static void compare(struct check_resume *judge, const struct check_where *where,
                    const struct check_epoch *want, const struct wire_record *record) {
    struct check_difference worst;
    judge->compared += want->metric_count;
    if (check_epoch_compare(want, record, &worst) == 0) {
        return;
    }
    bool uninterrupted = where->round == 0;
    double near_enough = uninterrupted ? judge->tolerance : fmax(CHECK_CLOSE, judge->tolerance);
    if (worst.relative <= near_enough && worst.has_want && worst.has_got) {
        // 0.0 and -0.0 differ by nothing, and are not the same all the same
        if (judge->within.epoch == 0 || worst.relative > judge->within.relative) {
            judge->within = worst;
            judge->within_round = where->round;
        }
        return;
    }
    struct check_finding *f =
        find(judge, where, uninterrupted ? CHECK_NONDETERMINISTIC : CHECK_DIFFERS);
    if (f != NULL) {
        f->difference = worst;
    }
}

void check_resume_told(struct check_resume *judge, const struct check_where *where,
                       const struct wire_record *record, bool again) {
    judge->repeated += again;
    const struct check_epoch *want = check_curve_find(&judge->reference, record->epoch);
    if (want != NULL) {
        compare(judge, where, want, record);
    } else if (where->round == 0 && where->attempt == 1) {
        check_curve_add(&judge->reference, record);
    } else {
        struct check_finding *f =
            find(judge, where, where->round == 0 ? CHECK_NONDETERMINISTIC : CHECK_REPEATS);
        if (f != NULL) {
            f->epoch = record->epoch;
        }
    }
}

/* ---- ends ---- */

/* The first run has made the reference: is it one? */
static void done_alone(struct check_resume *judge, const struct check_where *where, bool stopped) {
    int count = judge->reference.count, last = check_curve_last(&judge->reference);
    int contiguous = check_curve_contiguous(&judge->reference);
    char *message = NULL;
    if (count == 0) {
        message = mem_strdup("it told no epoch, and there is nothing to compare");
    } else if (contiguous < last) {
        message = mem_printf("it never told epoch %d, but %d", contiguous + 1, last);
    } else if (last < judge->epochs && !stopped) {
        message = mem_printf("it told %d of %d epochs", last, judge->epochs);
    }
    struct check_finding *f = message != NULL ? find(judge, where, CHECK_FAILS) : NULL;
    if (f != NULL) {
        f->message = message;
    } else {
        free(message);
    }
}

void check_resume_done(struct check_resume *judge, const struct check_where *where,
                       const struct check_curve *told, bool stopped) {
    if (where->round == 0 && where->attempt == 1) {
        done_alone(judge, where, stopped);
        return;
    }
    for (int i = 0; i < judge->reference.count; i++) {
        int epoch = judge->reference.epochs[i].epoch;
        if (check_curve_find(told, epoch) == NULL) {
            struct check_finding *f =
                find(judge, where, where->round == 0 ? CHECK_NONDETERMINISTIC : CHECK_SKIPS);
            if (f != NULL) {
                f->epoch = epoch;
            }
            return;
        }
    }
    judge->rounds += where->round > 0;
}

void check_resume_lost(struct check_resume *judge, const struct check_where *where, int epoch) {
    struct check_finding *f = &judge->once;
    if (judge->lost++ == 0 || where->round < f->round) {
        finding_release(f);
        *f = (struct check_finding){.verdict = CHECK_TELLS_ONCE,
                                    .round = where->round,
                                    .attempt = where->attempt,
                                    .how = mem_strdup(where->how == NULL ? "" : where->how),
                                    .epoch = epoch};
    }
}

void check_resume_died(struct check_resume *judge, const struct check_where *where, int exit_status,
                       int signal, const char *message, const char *output) {
    struct check_finding *f = find(judge, where, where->round == 0 ? CHECK_FAILS : CHECK_DIES);
    if (f != NULL) {
        f->exit_status = exit_status;
        f->signal = signal;
        f->message = copy(message);
        f->output = copy(output);
    }
}

void check_resume_hung(struct check_resume *judge, const struct check_where *where,
                       double timeout_s, const char *output) {
    struct check_finding *f = find(judge, where, where->round == 0 ? CHECK_FAILS : CHECK_HANGS);
    if (f != NULL) {
        f->message = mem_printf("it was not done after %.4g s", timeout_s);
        f->exit_status = -1;
        f->output = copy(output);
    }
}

/* ---- where attempts begin ---- */

int check_started_over(const struct check_begin *begin) {
    if (begin->done < 2 || begin->first == 0) {
        return -1;
    }
    if (begin->first > 1 || begin->from_epoch > 0) {
        return 0;
    }
    if (!begin->has_files) {
        return 1; // nothing was there that it could have gone on from
    }
    if (begin->last < 2) {
        return -1; // killed before it could show
    }
    if (begin->changes > 0) {
        return 1; // it saved what was saved already
    }
    // Lines and changes can be read late, all at once: what should take less proves nothing either way.
    enum { MEASURABLE_MS = 200 };
    if (begin->expected_s * 1000.0 < MEASURABLE_MS) {
        return -1;
    }
    return begin->seconds >= 0.5 * begin->expected_s;
}

void check_resume_began(struct check_resume *judge, const struct check_begin *begin) {
    int over = check_started_over(begin);
    judge->resumes += over >= 0;
    judge->restarts += over > 0;
}

/* ---- the answer ---- */

enum check_verdict check_resume_verdict(const struct check_resume *judge) {
    enum { RESTARTS_MIN = 2 }; // a single one can be due to a checkpoint that was not yet due
    if (judge->found) {
        return judge->finding.verdict;
    }
    if (judge->restarts >= RESTARTS_MIN && judge->restarts == judge->resumes) {
        return CHECK_STARTS_OVER;
    }
    if (judge->lost > 0) {
        return CHECK_TELLS_ONCE;
    }
    return judge->within.epoch != 0 ? CHECK_WITHIN : CHECK_EXACT;
}

bool check_resume_passed(const struct check_resume *judge) {
    enum check_verdict verdict = check_resume_verdict(judge);
    return verdict == CHECK_EXACT ||
           (verdict == CHECK_WITHIN && judge->within.relative <= judge->tolerance &&
            judge->tolerance > 0.0);
}

const char *check_verdict_word(enum check_verdict verdict) {
    static const char *const words[CHECK_VERDICTS] = {
        [CHECK_EXACT] = "exact",
        [CHECK_WITHIN] = "equal-within",
        [CHECK_STARTS_OVER] = "starts-over",
        [CHECK_TELLS_ONCE] = "tells-once",
        [CHECK_DIFFERS] = "does-not-resume",
        [CHECK_SKIPS] = "skips-epochs",
        [CHECK_REPEATS] = "repeats-epochs",
        [CHECK_DIES] = "dies",
        [CHECK_HANGS] = "hangs",
        [CHECK_NONDETERMINISTIC] = "not-deterministic",
        [CHECK_FAILS] = "fails",
    };
    return words[verdict];
}

/* ---- in words ---- */

static void put_counts(struct buf *out, const struct check_resume *j) {
    buf_printf(out, "%d kill%s", j->kills, j->kills == 1 ? "" : "s");
    if (j->terms > 0) {
        buf_printf(out, ", %d request%s to stop", j->terms, j->terms == 1 ? "" : "s");
    }
    if (j->extensions > 0) {
        buf_puts(out, ", epochs raised once");
    }
    buf_printf(out, ", %d round%s", j->rounds, j->rounds == 1 ? "" : "s");
}

static void put_value(struct buf *out, bool has, double value) {
    char text[NUM_TEXT_MAX];
    (void)num_format(text, value); // always fits
    buf_puts(out, has ? text : "nothing");
}

/* "epoch 3, train_loss: 0.5 uninterrupted, 0.6 here" */
static void put_difference(struct buf *out, const struct check_difference *d, const char *here) {
    buf_printf(out, "epoch %d, %s: ", d->epoch, d->metric);
    put_value(out, d->has_want, d->want);
    buf_puts(out, " uninterrupted, ");
    put_value(out, d->has_got, d->got);
    buf_printf(out, " %s", here);
    if (isfinite(d->relative)) {
        buf_printf(out, " (relative difference %.2g)", d->relative);
    }
}

static void put_place(struct buf *out, const struct check_finding *f) {
    buf_printf(out, "round %d", f->round);
    if (f->how[0] != '\0') {
        buf_printf(out, ", %s", f->how);
    }
}

static void put_end(struct buf *out, const struct check_finding *f) {
    if (f->message != NULL) {
        buf_puts(out, f->message);
    } else if (f->exit_status >= 0) {
        buf_printf(out, "then it left with status %d", f->exit_status);
    } else {
        buf_printf(out, "then it was ended by signal %d (%s)", f->signal, strsignal(f->signal));
    }
}

static void explain_pass(const struct check_resume *j, struct buf *out) {
    put_counts(out, j);
    buf_printf(out, ": every metric of every epoch has the bits of the uninterrupted run");
    if (j->repeated > 0) {
        buf_printf(out, " (%ld epochs were told more than once, with the same bits)", j->repeated);
    }
}

static void explain_within(const struct check_resume *j, struct buf *out) {
    buf_printf(out, "within a relative difference of %.2g, not bit for bit; the farthest is ",
               j->within.relative);
    if (j->within_round > 0) {
        buf_printf(out, "in round %d, ", j->within_round);
    }
    put_difference(out, &j->within, j->within_round > 0 ? "resumed" : "the second time");
    buf_puts(out, ". ");
    put_counts(out, j);
    if (!check_resume_passed(j)) {
        buf_printf(out, ". If that is good enough: --tolerance %.1g", 2.0 * j->within.relative);
    }
}

static void explain_finding(const struct check_resume *j, struct buf *out) {
    const struct check_finding *f = &j->finding;
    switch (f->verdict) {
    case CHECK_NONDETERMINISTIC:
        buf_puts(out, "two uninterrupted runs differ already, so that resumed ones cannot be "
                      "judged: ");
        if (f->epoch > 0) {
            buf_printf(out, "epoch %d was told by one of them only", f->epoch);
        } else {
            put_difference(out, &f->difference, "the second time");
        }
        break;
    case CHECK_DIFFERS:
        put_place(out, f);
        buf_puts(out, ": ");
        put_difference(out, &f->difference, "resumed");
        break;
    case CHECK_SKIPS:
        put_place(out, f);
        buf_printf(out,
                   ": epoch %d was never told. An epoch that is saved before it is told is lost by "
                   "a kill between the two: on resuming, tell the epochs of the checkpoint once "
                   "more",
                   f->epoch);
        break;
    case CHECK_REPEATS:
        put_place(out, f);
        buf_printf(out, ": it told epoch %d; the uninterrupted run ends with epoch %d", f->epoch,
                   check_curve_last(&j->reference));
        break;
    case CHECK_FAILS:
        buf_puts(out, "it does not complete even when nobody interrupts it; ");
        put_end(out, f);
        break;
    default:
        put_place(out, f);
        buf_puts(out, ": ");
        put_end(out, f);
        break;
    }
}

void check_resume_explain(const struct check_resume *judge, struct buf *out) {
    switch (check_resume_verdict(judge)) {
    case CHECK_EXACT:
        explain_pass(judge, out);
        break;
    case CHECK_WITHIN:
        explain_within(judge, out);
        break;
    case CHECK_STARTS_OVER:
        buf_printf(out,
                   "the numbers are right in the end, but each of %d kills with epochs behind it "
                   "cost all of them: it began at epoch 1 again, whatever it had saved. Should it "
                   "save only every so many epochs, check more of them (--epochs)",
                   judge->restarts);
        break;
    case CHECK_TELLS_ONCE:
        put_place(out, &judge->once);
        buf_printf(
            out,
            ": epoch %d was told and then saved, and not told again on resuming. When besom "
            "itself dies, or the power fails, between the two, it may have lost that line, and "
            "then has to begin the trial again from its first epoch. On resuming, tell the "
            "epochs of the checkpoint once more",
            judge->once.epoch);
        break;
    default:
        explain_finding(judge, out);
        break;
    }
}
