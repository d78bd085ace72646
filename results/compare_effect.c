#include "results/compare_effect.h"

#include "base/mem.h"
#include "results/holm.h"

#include <math.h>
#include <stdlib.h>

const char *const compare_verdict_names[COMPARE_VERDICT_COUNT] = {
    [COMPARE_BEST] = "best",           [COMPARE_WORSE] = "worse",       [COMPARE_BETTER] = "better",
    [COMPARE_UNDECIDED] = "undecided", [COMPARE_UNTESTED] = "untested",
};

static int by_marginal(const void *a, const void *b, void *compare) {
    const struct compare_effect_level *x = a, *y = b;
    int order = compare_marginal_order(compare, &x->over, &y->over);
    return order != 0 ? order : x->level - y->level;
}

static void mark(const struct compare *c, const struct compare_effect *effect, int level,
                 bool *side) {
    for (int p = 0; p < c->grid.count; p++) {
        const int *at = compare_levels(c, p);
        side[p] = at[effect->axis] == level &&
                  (effect->given < 0 || at[effect->given] == effect->given_level);
    }
}

static void set_against_best(const struct compare *c, struct compare_effect *effect) {
    size_t points = (size_t)c->grid.count + 1;
    bool *a = mem_zalloc(points, sizeof *a), *b = mem_zalloc(points, sizeof *b);
    bool *differ = mem_zalloc((size_t)c->axis_total + 1, sizeof *differ);
    differ[effect->axis] = true;
    mark(c, effect, effect->levels[effect->best].level, b);
    for (int l = 0; l < effect->level_count; l++) {
        effect->levels[l].difference = (struct compare_difference){0};
        if (l != effect->best) {
            mark(c, effect, effect->levels[l].level, a);
            compare_difference(&effect->levels[l].difference, c,
                               &(struct compare_sides){a, b, differ});
        }
    }
    free(a);
    free(b);
    free(differ);
}

/* The value that is better than the best by most where both are, or -1. */
static int better_than_best(const struct compare *c, const struct compare_effect *effect) {
    int found = -1;
    double most = 0;
    for (int l = 0; l < effect->level_count; l++) {
        const struct compare_difference *d = &effect->levels[l].difference;
        if (l != effect->best && d->seeds >= 2 &&
            compare_order(c, d->paired.difference.mean, most) < 0) {
            most = d->paired.difference.mean;
            found = l;
        }
    }
    return found;
}

static void choose_best(const struct compare *c, struct compare_effect *effect) {
    int first = effect->best;
    set_against_best(c, effect);
    for (int tries = 1; tries <= effect->level_count; tries++) {
        int better = better_than_best(c, effect);
        if (better < 0) {
            return;
        }
        effect->best = tries < effect->level_count ? better : first;
        set_against_best(c, effect);
    }
}

static void judge(const struct compare *c, struct compare_effect *effect) {
    double *p = mem_zalloc((size_t)effect->level_count + 1, sizeof *p);
    for (int l = 0; l < effect->level_count; l++) {
        p[l] = l == effect->best ? (double)NAN : effect->levels[l].difference.paired.p;
    }
    holm_adjust(p, (size_t)effect->level_count, effect->family);
    for (int l = 0; l < effect->level_count; l++) {
        struct compare_effect_level *level = &effect->levels[l];
        double difference = level->difference.paired.difference.mean;
        level->p_holm = p[l];
        level->more_seeds = 0;
        if (l == effect->best) {
            level->verdict = COMPARE_BEST;
        } else if (isnan(p[l])) {
            level->verdict = COMPARE_UNTESTED;
            level->more_seeds = COMPARE_MORE_UNKNOWN;
        } else if (p[l] < 1 - STATS_LEVEL) {
            level->verdict = compare_order(c, difference, 0) < 0 ? COMPARE_BETTER : COMPARE_WORSE;
        } else {
            level->verdict = COMPARE_UNDECIDED;
            level->more_seeds =
                compare_more_seeds(&level->difference, (1 - STATS_LEVEL) / effect->family);
        }
    }
    free(p);
}

void compare_effect_init(struct compare_effect *effect, const struct compare *c, int axis,
                         int given, int given_level) {
    int levels = c->axes[axis].level_count, valued = 0;
    *effect = (struct compare_effect){.axis = axis,
                                      .given = given,
                                      .given_level = given_level,
                                      .level_count = levels,
                                      .best = -1};
    effect->levels = mem_zalloc((size_t)levels + 1, sizeof *effect->levels);
    struct compare_marginal *over = mem_zalloc((size_t)levels + 1, sizeof *over);
    compare_marginals(c, axis, given, given_level, over);
    for (int l = 0; l < levels; l++) {
        effect->levels[l] = (struct compare_effect_level){.level = l,
                                                          .over = over[l],
                                                          .p_holm = NAN,
                                                          .verdict = COMPARE_UNTESTED,
                                                          .more_seeds = COMPARE_MORE_UNKNOWN};
        valued += over[l].n > 0;
    }
    free(over);
    qsort_r(effect->levels, (size_t)levels, sizeof *effect->levels, by_marginal,
            (void *)(uintptr_t)c);
    for (int l = levels - 1; l >= 0; l--) {
        if (effect->levels[l].over.replicates >= 2 && isfinite(effect->levels[l].over.mean)) {
            effect->best = l;
        }
    }
    effect->family = holm_pairs((size_t)valued);
    if (effect->best >= 0) {
        choose_best(c, effect);
        judge(c, effect);
    }
}

void compare_effect_release(struct compare_effect *effect) {
    free(effect->levels);
    *effect = (struct compare_effect){0};
}
