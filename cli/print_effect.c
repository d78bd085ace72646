#include "cli/print_effect.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/print.h"
#include "cli/term.h"
#include "results/permutation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 4, P_DIGITS = 2, BAR_WIDTH = 30 };

void print_one_seed(const struct compare *compare, FILE *out) {
    if (compare->complete == 0) {
        fprintf(out, compare->unvalued > 0 ? "No trial has a value there.\n"
                                           : "Nothing is complete yet.\n");
        return;
    }
    fprintf(out, "With one seed a point no difference can be tested: another might say otherwise.\n"
                 "\"replicates\": 5 in the sweep file, and besom run again, add seeds and run\n"
                 "nothing twice.\n");
}

static void put_more(struct table *t, int64_t more, bool people) {
    if (more < 0 || (people && more == 0)) {
        table_text(t, NULL);
    } else {
        table_int(t, more);
    }
}

/* ---- against the best ---- */

static void put_machine_row(struct table *t, const struct compare *c,
                            const struct compare_effect *effect, int l) {
    const struct compare_effect_level *level = &effect->levels[l];
    const struct compare_difference *d = &level->difference;
    bool has = l != effect->best && effect->best >= 0;
    table_text(t, c->axes[effect->axis].levels[level->level].name);
    table_number(t, level->over.mean, DIGITS);
    table_number(t, level->over.ci_half, P_DIGITS);
    table_int(t, level->over.complete);
    table_int(t, level->over.trials - level->over.complete);
    table_int(t, level->over.n);
    table_text(t, compare_verdict_names[level->verdict]);
    table_number(t, has ? d->paired.difference.mean : (double)NAN, DIGITS);
    table_number(t, has ? d->paired.difference.mean - d->paired.ci_half : (double)NAN, DIGITS);
    table_number(t, has ? d->paired.difference.mean + d->paired.ci_half : (double)NAN, DIGITS);
    table_int(t, d->seeds);
    table_int(t, d->places);
    table_number(t, has ? d->paired.p : (double)NAN, P_DIGITS);
    table_number(t, level->p_holm, P_DIGITS);
    table_number(t, has ? d->paired.p_exact : (double)NAN, P_DIGITS);
    put_more(t, has ? level->more_seeds : COMPARE_MORE_UNKNOWN, false);
}

static void print_machine(const struct compare *c, const struct compare_effect *effect,
                          enum table_format format, FILE *out) {
    static const char *const columns[] = {
        "ci_half",         "trials", "missing", "n", "verdict", "difference", "difference_low",
        "difference_high", "seeds",  "places",  "p", "p_holm",  "p_exact",    "more_seeds"};
    struct table *t = table_new();
    table_column(t, c->axes[effect->axis].path, TABLE_LEFT);
    table_column(t, c->metric, TABLE_RIGHT);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        table_column(t, columns[i], TABLE_RIGHT);
    }
    for (int l = 0; l < effect->level_count; l++) {
        put_machine_row(t, c, effect, l);
    }
    table_print(t, format, out);
    table_free(t);
}

static void put_people_row(struct table *t, const struct compare *c,
                           const struct compare_effect *effect, int l) {
    const struct compare_effect_level *level = &effect->levels[l];
    const struct compare_difference *d = &level->difference;
    char pairs[64];
    snprintf(pairs, sizeof pairs, "%d x %d", d->seeds, d->places);
    table_text(t, c->axes[effect->axis].levels[level->level].name);
    table_number(t, d->paired.difference.mean, DIGITS);
    table_number(t, d->paired.ci_half, P_DIGITS);
    table_text(t, pairs);
    table_number(t, level->p_holm, P_DIGITS);
    table_number(t, d->paired.p_exact, P_DIGITS);
    table_text(t, compare_verdict_names[level->verdict]);
    put_more(t, level->more_seeds, true);
}

static int seeds_most(const struct compare_effect *effect) {
    int most = 0;
    for (int l = 0; l < effect->level_count; l++) {
        int seeds = effect->levels[l].difference.seeds;
        most = seeds > most ? seeds : most;
    }
    return most;
}

/* With few seeds no difference, however large, has a small exact p. */
static void print_exact(int seeds, FILE *out) {
    if (seeds >= 1 && permutation_smallest((size_t)seeds) >= 1 - STATS_LEVEL) {
        char smallest[NUM_TEXT_MAX];
        num_human(smallest, permutation_smallest((size_t)seeds), P_DIGITS);
        fprintf(out,
                "  p exact   signs flipped in all %ld ways; with %d seed%s never below %s, with 6\n"
                "            it can be below 0.05\n",
                1L << seeds, seeds, print_plural(seeds), smallest);
    } else {
        fprintf(out, "  p exact   the seeds' signs flipped in all ways, uncorrected\n");
    }
}

static void print_legend(const struct compare_effect *effect, FILE *out) {
    fprintf(out, "  seeds x   seeds x points of the other axes, all that both have whole\n");
    if (effect->family > 1) {
        fprintf(
            out,
            "  p Holm    paired t test over the seeds, corrected for all %.0f pairs of values\n",
            effect->family);
    } else {
        fprintf(out, "  p Holm    paired t test over the seeds; one pair, so nothing to correct\n");
    }
    print_exact(seeds_most(effect), out);
    for (int l = 0; l < effect->level_count; l++) {
        if (effect->levels[l].verdict == COMPARE_UNDECIDED) {
            fprintf(out,
                    "  more      seeds (\"replicates\") that would settle a difference of this\n"
                    "            size, with a probability of 80%%\n");
            return;
        }
    }
}

void print_effect(const struct compare *c, const struct compare_effect *effect,
                  enum table_format format, FILE *out) {
    if (format != TABLE_TEXT) {
        print_machine(c, effect, format, out);
        return;
    }
    if (effect->best < 0) {
        print_one_seed(c, out);
        return;
    }
    const struct compare_axis *axis = &c->axes[effect->axis];
    fprintf(out, "Each against %s, the same seeds and the same values of the other axes:\n\n",
            axis->levels[effect->levels[effect->best].level].name);
    static const char *const columns[] = {"difference", "+- 95%",  "seeds x", "p Holm",
                                          "p exact",    "verdict", "more"};
    struct table *t = table_new();
    table_column(t, axis->path, TABLE_LEFT);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        table_column(t, columns[i], i == 5 ? TABLE_LEFT : TABLE_RIGHT);
    }
    for (int l = 0; l < effect->level_count; l++) {
        if (l != effect->best) {
            put_people_row(t, c, effect, l);
        }
    }
    table_print(t, format, out);
    table_free(t);
    fprintf(out, "\n");
    print_legend(effect, out);
}

/* ---- two sets of points ---- */

static const char *verdict_of(const struct compare *c, const struct compare_difference *d) {
    if (isnan(d->paired.p)) {
        return "untested";
    }
    if (!(d->paired.p < 1 - STATS_LEVEL)) {
        return "undecided";
    }
    return compare_order(c, d->paired.difference.mean, 0) < 0 ? "better" : "worse";
}

static void print_pair_machine(const struct compare *c, const struct compare_difference *d,
                               const char *const names[2], enum table_format format, FILE *out) {
    static const char *const columns[] = {
        "mean_a", "mean_b", "difference", "difference_low", "difference_high", "std", "seeds",
        "places", "t",      "p",          "p_exact",        "more_seeds"};
    const struct stats *s = &d->paired.difference;
    struct table *t = table_new();
    table_column(t, "a", TABLE_LEFT);
    table_column(t, "b", TABLE_LEFT);
    table_column(t, "verdict", TABLE_LEFT);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        table_column(t, columns[i], TABLE_RIGHT);
    }
    table_text(t, names[0]);
    table_text(t, names[1]);
    table_text(t, verdict_of(c, d));
    table_number(t, d->mean_a, DIGITS);
    table_number(t, d->mean_b, DIGITS);
    table_number(t, s->mean, DIGITS);
    table_number(t, s->mean - d->paired.ci_half, DIGITS);
    table_number(t, s->mean + d->paired.ci_half, DIGITS);
    table_number(t, s->std, DIGITS);
    table_int(t, d->seeds);
    table_int(t, d->places);
    table_number(t, d->paired.t, DIGITS);
    table_number(t, d->paired.p, P_DIGITS);
    table_number(t, d->paired.p_exact, P_DIGITS);
    put_more(t, d->paired.p < 1 - STATS_LEVEL ? 0 : compare_more_seeds(d, 1 - STATS_LEVEL), false);
    table_print(t, format, out);
    table_free(t);
}

static void print_pair_verdict(const struct compare *c, const struct compare_difference *d,
                               FILE *out) {
    const char *verdict = verdict_of(c, d);
    if (strcmp(verdict, "undecided") != 0) {
        fprintf(out, "a is %s than b.\n", verdict);
        return;
    }
    int64_t more = compare_more_seeds(d, 1 - STATS_LEVEL);
    fprintf(out, "Undecided: the seeds do not tell a from b.");
    if (more > 0) {
        fprintf(out, "  %lld more seed%s would, were the\ndifference what it seems (power 80%%).",
                (long long)more, print_plural((int)more));
    }
    fprintf(out, "\n");
}

void print_pair(const struct compare *c, const struct compare_difference *d,
                const char *const names[2], enum table_format format, FILE *out) {
    if (format != TABLE_TEXT) {
        print_pair_machine(c, d, names, format, out);
        return;
    }
    struct table *t = table_new();
    char count[64];
    table_column(t, "", TABLE_LEFT);
    table_column(t, print_title(c), TABLE_RIGHT);
    table_column(t, "+- 95%", TABLE_RIGHT);
    table_column(t, "seeds x points", TABLE_RIGHT);
    snprintf(count, sizeof count, "%d x %d", d->seeds, d->places);
    for (int side = 0; side < 2; side++) {
        char *name = mem_printf("%c: %s", 'a' + side, names[side]);
        table_text(t, name);
        table_number(t, side == 0 ? d->mean_a : d->mean_b, DIGITS);
        table_number(t, NAN, P_DIGITS);
        table_text(t, count);
        free(name);
    }
    table_text(t, "a - b");
    table_number(t, d->paired.difference.mean, DIGITS);
    table_number(t, d->paired.ci_half, P_DIGITS);
    table_text(t, count);
    table_print(t, format, out);
    table_free(t);
    fprintf(out, "\n");
    if (d->seeds == 0) {
        fprintf(
            out,
            "Nothing is complete for both at the same values of the axes that neither names.\n");
    } else if (d->seeds < 2) {
        print_one_seed(c, out);
    } else {
        char p[NUM_TEXT_MAX], exact[NUM_TEXT_MAX];
        num_human(p, d->paired.p, P_DIGITS);
        num_human(exact, d->paired.p_exact, P_DIGITS);
        print_pair_verdict(c, d, out);
        fprintf(out, "Paired t test over %d seeds: p = %s\n", d->seeds, p);
        if (!isnan(d->paired.p_exact)) {
            fprintf(out, "Signs flipped in all %.0f ways: p = %s\n", ldexp(1, d->seeds), exact);
        }
        if (permutation_smallest((size_t)d->seeds) >= 1 - STATS_LEVEL) {
            fprintf(out, "With fewer than 6 seeds the second can never be below 0.05.\n");
        }
    }
}

/* ---- importance ---- */

static int by_share(const void *a, const void *b) {
    const struct importance_term *const *x = a, *const *y = b;
    return ((*y)->share > (*x)->share) - ((*y)->share < (*x)->share);
}

/* An estimate without bias can go beyond 0 and 1 by chance. */
static void put_share(struct table *t, const char *name, double share) {
    char text[64], bar[BAR_WIDTH + 1];
    double shown = fmin(fmax(share, 0), 1);
    int n = (int)lround(shown * BAR_WIDTH);
    snprintf(text, sizeof text, "%.1f%%", shown * 100);
    memset(bar, '#', (size_t)n);
    bar[n] = '\0';
    table_text(t, name);
    table_text(t, text);
    table_text(t, bar);
}

static void put_term(struct table *t, const struct compare *c, const struct importance_term *term) {
    if (term->first < 0) {
        put_share(t, "the rest, together", term->share);
        return;
    }
    struct buf name = {0};
    buf_puts(&name, c->axes[term->first].path);
    if (term->second >= 0) {
        buf_printf(&name, " x %s", c->axes[term->second].path);
    }
    put_share(t, buf_text(&name), term->share);
    buf_release(&name);
}

void print_importance(const struct compare *c, const struct importance *im, FILE *out) {
    const struct importance_term **order = mem_zalloc((size_t)im->term_count + 1, sizeof *order);
    int count = 0;
    for (int i = 0; i < im->term_count; i++) {
        if (im->terms[i].df > 0) {
            order[count++] = &im->terms[i];
        }
    }
    qsort(order, (size_t)count, sizeof *order, by_share);
    struct table *t = table_new();
    table_column(t, "share of the variance", TABLE_LEFT);
    table_column(t, "", TABLE_RIGHT);
    table_column(t, "", TABLE_LEFT);
    for (int i = 0; i < count; i++) {
        put_term(t, c, order[i]);
    }
    if (im->df_noise > 0) {
        put_share(t, "seeds (noise)", im->noise_share);
    }
    table_print(t, TABLE_TEXT, out);
    table_free(t);
    free(order);
    if (im->df_noise == 0) {
        fprintf(out, "  with one seed a point these shares include noise\n");
    }
}
