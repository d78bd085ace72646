#include "results/compare_json.h"

#include "base/buf.h"
#include "results/compare.h"
#include "results/compare_effect.h"
#include "results/importance.h"

#include <math.h>
#include <string.h>

static void put_text(struct buf *out, const char *text) {
    buf_json_string(out, text, strlen(text));
}

static void put_number(struct buf *out, double value) {
    if (isnan(value)) {
        buf_puts(out, "null");
    } else {
        buf_json_number(out, value);
    }
}

/* `, "key": value` */
static void put_member(struct buf *out, const char *key, double value) {
    buf_printf(out, ", \"%s\": ", key);
    put_number(out, value);
}

static void put_count(struct buf *out, const char *key, int64_t value) {
    buf_printf(out, ", \"%s\": %lld", key, (long long)value);
}

static void put_spread(struct buf *out, const struct stats *value, double ci_half) {
    put_member(out, "std", value->std);
    put_member(out, "ci_low", value->mean - ci_half);
    put_member(out, "ci_high", value->mean + ci_half);
}

/* ---- the keys of the first version ---- */

static void put_leaderboard_row(struct buf *out, const struct compare *c,
                                const struct compare_point *p) {
    buf_printf(out, "{\"rank\": %d, ", p->rank);
    for (int a = 0; a < c->axis_count; a++) {
        put_text(out, c->axes[a].path);
        buf_puts(out, ": ");
        put_text(out, p->level[a]);
        buf_puts(out, ", ");
    }
    put_text(out, c->metric);
    buf_puts(out, ": ");
    put_number(out, p->value.mean);
    put_spread(out, &p->value, p->ci_half);
    put_count(out, "n", (int64_t)p->value.n);
    if (p->best_trial == 0) {
        buf_puts(out, ", \"best_trial\": null");
    } else {
        put_count(out, "best_trial", p->best_trial);
    }
    put_count(out, "complete", p->complete);
    if (p->group == 0) {
        buf_puts(out, ", \"group\": null}");
    } else {
        buf_printf(out, ", \"group\": %d}", p->group);
    }
}

static void put_axis(struct buf *out, const struct compare *c, const struct compare_axis *axis) {
    put_text(out, axis->path);
    buf_puts(out, ": [");
    for (int l = 0; l < axis->level_count; l++) {
        const struct compare_level *level = &axis->levels[l];
        buf_puts(out, l > 0 ? ",\n  {" : "\n  {");
        put_text(out, axis->path);
        buf_puts(out, ": ");
        put_text(out, level->name);
        buf_puts(out, ", ");
        put_text(out, c->metric);
        buf_puts(out, ": ");
        put_number(out, level->mean);
        put_member(out, "ci_half", level->ci_half);
        put_count(out, "trials", level->complete);
        put_count(out, "missing", level->trials - level->complete);
        buf_puts(out, "}");
    }
    buf_puts(out, "]");
}

static void put_first_keys(struct buf *out, const struct compare *c, int rows) {
    buf_puts(out, "{\"sweep\": ");
    put_text(out, c->sweep);
    buf_puts(out, ", \"metric\": ");
    put_text(out, c->metric);
    buf_printf(out, ", \"goal\": \"%s\"", c->metric_maximize ? "maximize" : "minimize");
    put_count(out, "trials", c->trials);
    put_count(out, "complete", c->complete);
    put_count(out, "failed", c->failed);
    buf_puts(out, ",\n\"leaderboard\": [");
    int count = rows > 0 && rows < c->point_count ? rows : c->point_count;
    for (int i = 0; i < count; i++) {
        buf_puts(out, i > 0 ? ",\n  " : "\n  ");
        put_leaderboard_row(out, c, &c->points[i]);
    }
    buf_puts(out, "],\n\"axes\": {");
    for (int a = 0; a < c->axis_count; a++) {
        buf_puts(out, a > 0 ? ",\n" : "\n");
        put_axis(out, c, &c->axes[a]);
    }
    buf_puts(out, "}");
}

/* ---- what is compared, and the points ---- */

static void put_what(struct buf *out, const struct compare *c) {
    buf_printf(out, ",\n\"at\": \"%s\", \"epoch\": ", trial_value_name(&c->what));
    put_number(out, c->what.at == TRIAL_VALUE_EPOCH ? c->what.epoch : (double)NAN);
    put_member(out, "target", trial_value_is_reach(&c->what) ? c->what.target : (double)NAN);
    buf_printf(out, ", \"better\": \"%s\"", c->maximize ? "higher" : "lower");
    put_count(out, "unvalued", c->unvalued);
    put_count(out, "reached", c->reached);
}

static void put_point(struct buf *out, const struct compare *c, const struct compare_point *p) {
    buf_printf(out, "{\"rank\": %d, \"group\": ", p->rank);
    put_number(out, p->group > 0 ? p->group : (double)NAN);
    buf_puts(out, ", \"params\": {");
    for (int a = 0; a < c->axis_count; a++) {
        buf_puts(out, a > 0 ? ", " : "");
        put_text(out, c->axes[a].path);
        buf_puts(out, ": ");
        put_text(out, p->level[a]);
    }
    buf_puts(out, "}");
    put_member(out, "mean", p->value.mean);
    put_spread(out, &p->value, p->ci_half);
    put_count(out, "n", (int64_t)p->value.n);
    put_count(out, "complete", p->complete);
    put_member(out, "best_trial", p->best_trial > 0 ? (double)p->best_trial : (double)NAN);
    buf_puts(out, ", \"values\": [");
    for (int r = 0; r < c->grid.replicates; r++) {
        buf_puts(out, r > 0 ? ", " : "");
        put_number(out, compare_values(c, p->cell)[r]);
    }
    buf_puts(out, "]}");
}

static void put_points(struct buf *out, const struct compare *c) {
    buf_puts(out, ",\n\"seeds\": [");
    for (int r = 0; r < c->grid.replicates; r++) {
        buf_printf(out, "%s%lld", r > 0 ? ", " : "", (long long)c->grid.number[r]);
    }
    buf_puts(out, "],\n\"points\": [");
    for (int i = 0; i < c->point_count; i++) {
        buf_puts(out, i > 0 ? ",\n  " : "\n  ");
        put_point(out, c, &c->points[i]);
    }
    buf_puts(out, "]");
}

/* ---- effects ---- */

static void put_difference(struct buf *out, const struct compare_effect_level *level) {
    const struct compare_difference *d = &level->difference;
    buf_puts(out, "{\"mean\": ");
    put_number(out, d->paired.difference.mean);
    put_spread(out, &d->paired.difference, d->paired.ci_half);
    put_count(out, "seeds", d->seeds);
    put_count(out, "places", d->places);
    put_count(out, "places_both", d->places_both);
    put_member(out, "t", d->paired.t);
    put_member(out, "p", d->paired.p);
    put_member(out, "p_holm", level->p_holm);
    put_member(out, "p_exact", d->paired.p_exact);
    put_member(out, "more_seeds", level->more_seeds < 0 ? (double)NAN : (double)level->more_seeds);
    buf_puts(out, "}");
}

static void put_effect_level(struct buf *out, const struct compare_axis *axis,
                             const struct compare_effect *effect, int l) {
    const struct compare_effect_level *level = &effect->levels[l];
    buf_puts(out, "{\"value\": ");
    put_text(out, axis->levels[level->level].name);
    buf_puts(out, ", \"full\": ");
    put_text(out, axis->levels[level->level].full);
    put_member(out, "mean", level->over.mean);
    put_member(out, "ci_half", level->over.ci_half);
    put_count(out, "n", level->over.n);
    put_count(out, "complete", level->over.complete);
    put_count(out, "trials", level->over.trials);
    put_count(out, "seeds", level->over.replicates);
    buf_printf(out,
               ", \"verdict\": \"%s\", \"difference\": ", compare_verdict_names[level->verdict]);
    if (l == effect->best || effect->best < 0) {
        buf_puts(out, "null");
    } else {
        put_difference(out, level);
    }
    buf_puts(out, "}");
}

static void put_effect(struct buf *out, const struct compare *c, int axis) {
    struct compare_effect effect;
    compare_effect_init(&effect, c, axis, -1, 0);
    put_text(out, c->axes[axis].path);
    buf_puts(out, ": {\"best\": ");
    if (effect.best < 0) {
        buf_puts(out, "null");
    } else {
        put_text(out, c->axes[axis].levels[effect.levels[effect.best].level].name);
    }
    put_member(out, "pairs", effect.family);
    buf_puts(out, ", \"values\": [");
    for (int l = 0; l < effect.level_count; l++) {
        buf_puts(out, l > 0 ? ",\n  " : "\n  ");
        put_effect_level(out, &c->axes[axis], &effect, l);
    }
    buf_puts(out, "]}");
    compare_effect_release(&effect);
}

static void put_effects(struct buf *out, const struct compare *c) {
    buf_puts(out, ",\n\"effects\": {");
    for (int a = 0; a < c->axis_count; a++) {
        buf_puts(out, a > 0 ? ",\n" : "\n");
        put_effect(out, c, a);
    }
    buf_puts(out, "}");
}

/* ---- importance ---- */

static void put_term(struct buf *out, const struct compare *c, const struct importance_term *term) {
    buf_puts(out, "{\"axes\": [");
    if (term->first >= 0) {
        put_text(out, c->axes[term->first].path);
    }
    if (term->second >= 0) {
        buf_puts(out, ", ");
        put_text(out, c->axes[term->second].path);
    }
    buf_puts(out, "]");
    put_member(out, "ss", term->ss);
    put_count(out, "df", term->df);
    put_member(out, "share", term->share);
    buf_puts(out, "}");
}

static void put_importance(struct buf *out, const struct compare *c) {
    struct importance im;
    buf_puts(out, ",\n\"importance\": ");
    if (!importance_init(&im, c)) {
        buf_puts(out, "null");
        return;
    }
    buf_printf(out, "{\"trials\": %d, \"points\": %d", im.trial_count, im.point_count);
    put_member(out, "ss_total", im.ss_total);
    put_member(out, "ss_noise", im.ss_noise);
    put_count(out, "df_noise", im.df_noise);
    put_member(out, "noise", im.noise_share);
    buf_printf(out, ", \"pairs\": %s, \"terms\": [", im.has_pairs ? "true" : "false");
    for (int t = 0; t < im.term_count; t++) {
        buf_puts(out, t > 0 ? ",\n  " : "\n  ");
        put_term(out, c, &im.terms[t]);
    }
    buf_puts(out, "]}");
    importance_release(&im);
}

void compare_put_json(struct buf *out, const struct compare *compare, int rows) {
    put_first_keys(out, compare, rows);
    put_what(out, compare);
    put_points(out, compare);
    put_effects(out, compare);
    put_importance(out, compare);
    buf_puts(out, "}\n");
}
