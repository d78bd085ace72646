#include "cli/check_show.h"

#include "base/buf.h"
#include "base/json.h"
#include "cli/term.h"

#include <math.h>
#include <string.h>

enum { LAST_LINES = 6 };

/* ---- while it works ---- */

static void run_done(const struct check_event *e) {
    fprintf(stderr, "uninterrupted run %d of 2: %d epoch%s in %.3g s, %d changes of its files%s\n",
            e->round, e->epochs, e->epochs == 1 ? "" : "s", e->seconds, e->changes,
            e->round == 1 || !e->good ? "" : "; the same numbers both times");
    if (e->good && e->round == 2 && e->changes == 0) {
        fprintf(stderr, "it saves nothing in the folder that it is given "
                        "(BESOM_CHECKPOINT_DIR, {checkpoint_dir})\n");
    }
}

void check_show_event(void *context, const struct check_event *e) {
    char took[32];
    (void)context; // there is nothing to remember
    switch (e->kind) {
    case CHECK_RUN_DONE:
        run_done(e);
        break;
    case CHECK_ROUNDS_NEXT:
        if (e->seconds < 1.0) {
            fprintf(stderr, "%d rounds of it\n", e->rounds);
        } else {
            fprintf(stderr, "%d rounds of it, about %s\n", e->rounds,
                    term_duration(took, e->seconds));
        }
        break;
    case CHECK_ROUND_DONE:
        fprintf(stderr, "round %d of %d: %s%s\n", e->round, e->rounds,
                e->how[0] == '\0' ? "done before it could be interrupted" : e->how,
                !e->good            ? ""
                : e->how[0] == '\0' ? ", and right"
                                    : "; resumed, and right");
        break;
    }
}

/* ---- at the end ---- */

/* The last lines of what it printed. */
static const char *last_lines(const char *output) {
    const char *at = output + strlen(output);
    for (int lines = 0; at > output; at--) {
        if (at[-1] == '\n' && at[0] != '\0' && ++lines == LAST_LINES) {
            break;
        }
    }
    return at;
}

void check_show_verdict(const struct check_result *result, FILE *out) {
    const struct check_resume *judge = &result->judge;
    struct buf text = {0};
    check_resume_explain(judge, &text);
    bool good = check_resume_passed(judge);
    fprintf(out, "%s%s%s: %s\n", term_style(out, good ? TERM_GREEN : TERM_RED),
            check_verdict_word(check_resume_verdict(judge)), term_style(out, TERM_RESET),
            buf_text(&text));
    buf_release(&text);
    const char *output = judge->found ? judge->finding.output : NULL;
    if (output != NULL) {
        (void)fflush(out); // main() looks at it again
        const char *last = last_lines(output);
        fprintf(stderr, "the last that it printed:\n%s%s", last,
                last[0] != '\0' && last[strlen(last) - 1] == '\n' ? "" : "\n");
    }
}

/* ---- for programs ---- */

static struct cJSON *value_or_null(bool has, double value) {
    return has ? json_new_number(value) : json_new_null();
}

static struct cJSON *difference(const struct check_difference *d, int round) {
    struct cJSON *o = json_new_object();
    json_set(o, "round", json_new_number(round));
    json_set(o, "epoch", json_new_number(d->epoch));
    json_set(o, "metric", json_new_string(d->metric));
    json_set(o, "uninterrupted", value_or_null(d->has_want, d->want));
    json_set(o, "resumed", value_or_null(d->has_got, d->got));
    json_set(o, "relative", json_new_number(d->relative));
    return o;
}

static struct cJSON *finding(const struct check_finding *f) {
    struct cJSON *o = json_new_object();
    json_set(o, "round", json_new_number(f->round));
    json_set(o, "attempt", json_new_number(f->attempt));
    json_set(o, "how", json_new_string(f->how));
    if (f->difference.epoch > 0) {
        json_set(o, "difference", difference(&f->difference, f->round));
    }
    if (f->epoch > 0) {
        json_set(o, "epoch", json_new_number(f->epoch));
    }
    if (f->exit_status > 0) {
        json_set(o, "exit_status", json_new_number(f->exit_status));
    }
    if (f->signal > 0) {
        json_set(o, "signal", json_new_number(f->signal));
    }
    if (f->output != NULL) {
        json_set(o, "output", json_new_string(f->output));
    }
    return o;
}

void check_show_json(const struct check_result *result, uint64_t draw_seed, FILE *out) {
    const struct check_resume *j = &result->judge;
    struct buf text = {0};
    struct cJSON *o = json_new_object();
    check_resume_explain(j, &text);
    json_set(o, "verdict", json_new_string(check_verdict_word(check_resume_verdict(j))));
    json_set(o, "passed", json_new_bool(check_resume_passed(j)));
    json_set(o, "explanation", json_new_string(buf_text(&text)));
    json_set(o, "seed", json_new_number((double)draw_seed));
    json_set(o, "epochs", json_new_number(j->reference.count));
    json_set(o, "seconds", json_new_number(result->seconds));
    json_set(o, "changes", json_new_number(result->changes));
    json_set(o, "rounds", json_new_number(j->rounds));
    json_set(o, "kills", json_new_number(j->kills));
    json_set(o, "terms", json_new_number(j->terms));
    json_set(o, "extensions", json_new_number(j->extensions));
    json_set(o, "compared", json_new_number((double)j->compared));
    json_set(o, "repeated", json_new_number((double)j->repeated));
    json_set(o, "tolerance", json_new_number(j->tolerance));
    json_set(o, "largest",
             j->within.epoch > 0 ? difference(&j->within, j->within_round) : json_new_null());
    const struct check_finding *against = j->found ? &j->finding : j->lost > 0 ? &j->once : NULL;
    json_set(o, "finding", against != NULL ? finding(against) : json_new_null());
    buf_clear(&text);
    json_print(&text, o);
    fprintf(out, "%s\n", buf_text(&text));
    buf_release(&text);
    json_delete(o);
}
