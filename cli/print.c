#include "cli/print.h"

#include "cli/term.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BAR_WIDTH = 24, DIGITS = 4 };

static int replicates_max(const struct compare *compare) {
    size_t n = 0;
    for (int i = 0; i < compare->point_count; i++) {
        n = compare->points[i].value.n > n ? compare->points[i].value.n : n;
    }
    return (int)n;
}

const char *print_title(const struct compare *compare) {
    switch (compare->what.at) {
    case TRIAL_VALUE_REACH_EPOCHS:
        return "epochs";
    case TRIAL_VALUE_REACH_SECONDS:
        return "seconds";
    default:
        return compare->metric;
    }
}

const char *print_plural(int n) {
    return n == 1 ? "" : "s";
}

/* ---- the leaderboard ---- */

/* Which columns there are. */
struct board {
    bool people, group, spread, std, reached, trial;
};

static int width_of_axis(const struct compare_axis *axis) {
    size_t width = strlen(axis->path);
    for (int l = 0; l < axis->level_count; l++) {
        size_t len = strlen(axis->levels[l].name);
        width = len > width ? len : width;
    }
    return (int)width + 2;
}

static struct board choose_columns(const struct compare *c, enum table_format format, FILE *out) {
    struct board b = {.people = format == TABLE_TEXT, .std = true, .trial = true};
    bool several = replicates_max(c) > 1;
    for (int i = 0; i < c->point_count; i++) {
        b.group = b.group || c->points[i].group > 0;
    }
    b.spread = several || !b.people;
    b.reached = trial_value_is_reach(&c->what) || !b.people;
    if (b.people) {
        size_t title = strlen(print_title(c));
        int width = 6 + (b.group ? 7 : 0) + (int)(title < 6 ? 6 : title) + 2 + (b.spread ? 18 : 0) +
                    (b.reached ? 9 : 0) + 3 + 7;
        for (int a = 0; a < c->axis_count; a++) {
            width += width_of_axis(&c->axes[a]);
        }
        b.std = width <= term_width(out);
        b.trial = b.std || width - 9 <= term_width(out);
    }
    return b;
}

static void name_columns(struct table *t, const struct compare *c, const struct board *b) {
    table_column(t, "rank", TABLE_RIGHT);
    if (b->group && b->people) {
        table_column(t, "group", TABLE_RIGHT);
    }
    for (int a = 0; a < c->axis_count; a++) {
        table_column(t, c->axes[a].path, TABLE_LEFT);
    }
    table_column(t, print_title(c), TABLE_RIGHT);
    if (b->spread && b->std) {
        table_column(t, "std", TABLE_RIGHT);
    }
    if (b->spread && b->people) {
        table_column(t, "+- 95%", TABLE_RIGHT);
    } else if (b->spread) {
        table_column(t, "ci_low", TABLE_RIGHT);
        table_column(t, "ci_high", TABLE_RIGHT);
    }
    if (b->reached && b->people) {
        table_column(t, "reached", TABLE_RIGHT);
    } else {
        table_column(t, "n", TABLE_RIGHT);
    }
    if (b->trial) {
        table_column(t, b->people ? "trial" : "best_trial", TABLE_RIGHT);
    }
    if (!b->people) { // behind the columns of earlier versions
        table_column(t, "complete", TABLE_RIGHT);
        table_column(t, "group", TABLE_RIGHT);
    }
}

/* 0: absent */
static void put_count(struct table *t, int64_t count) {
    if (count == 0) {
        table_text(t, NULL);
    } else {
        table_int(t, count);
    }
}

static void put_share(struct table *t, int k, int n) {
    char text[64];
    snprintf(text, sizeof text, "%d of %d", k, n);
    table_text(t, text);
}

static void put_point(struct table *t, const struct compare *c, const struct compare_point *p,
                      const struct board *b) {
    table_int(t, p->rank);
    if (b->group && b->people) {
        put_count(t, p->group);
    }
    for (int a = 0; a < c->axis_count; a++) {
        table_text(t, p->level[a]);
    }
    table_number(t, p->value.mean, DIGITS);
    if (b->spread && b->std) {
        table_number(t, p->value.std, 2);
    }
    if (b->spread && b->people) {
        table_number(t, p->ci_half, 2);
    } else if (b->spread) {
        table_number(t, p->value.mean - p->ci_half, DIGITS);
        table_number(t, p->value.mean + p->ci_half, DIGITS);
    }
    if (b->reached && b->people) {
        put_share(t, (int)p->value.n, p->complete);
    } else {
        table_int(t, (int64_t)p->value.n);
    }
    if (b->trial) {
        put_count(t, p->best_trial);
    }
    if (!b->people) {
        table_int(t, p->complete);
        put_count(t, p->group);
    }
}

void print_leaderboard(const struct compare *compare, int rows, enum table_format format,
                       FILE *out) {
    struct table *t = table_new();
    const struct board board = choose_columns(compare, format, out);
    name_columns(t, compare, &board);
    int count = rows > 0 && rows < compare->point_count ? rows : compare->point_count;
    for (int i = 0; i < count; i++) {
        put_point(t, compare, &compare->points[i], &board);
    }
    table_print(t, format, out);
    table_free(t);
}

/* ---- an axis ---- */

/* Where bars begin: at 0, or at the smallest mean when that is negative. */
static double bar_low(const struct compare_axis *axis, double *high) {
    double low = INFINITY;
    *high = -INFINITY;
    for (int l = 0; l < axis->level_count; l++) {
        double mean = axis->levels[l].mean;
        if (!isnan(mean)) {
            low = mean < low ? mean : low;
            *high = mean > *high ? mean : *high;
        }
    }
    return low >= 0 ? 0 : low;
}

static void put_bar(char out[BAR_WIDTH + 1], double value, double low, double high) {
    int n = 0;
    if (!isnan(value) && high > low) {
        n = (int)lround((value - low) / (high - low) * BAR_WIDTH);
    }
    memset(out, '#', (size_t)n);
    out[n] = '\0';
}

static void put_level(struct table *t, const struct compare *c, const struct compare_level *level,
                      bool people) {
    if (!people) {
        table_int(t, level->complete);
        table_int(t, level->trials - level->complete);
        return;
    }
    if (level->complete == level->trials) {
        table_int(t, level->trials);
    } else {
        put_share(t, level->complete, level->trials);
    }
    if (trial_value_is_reach(&c->what)) {
        put_share(t, level->n, level->complete);
    }
}

/* Whether all values have as many trials: with some missing, a mean is over other points of the other axes. */
static bool is_even(const struct compare_axis *axis) {
    for (int l = 1; l < axis->level_count; l++) {
        if (axis->levels[l].complete != axis->levels[0].complete) {
            return false;
        }
    }
    return true;
}

void print_axis(const struct compare *compare, const struct compare_axis *axis,
                enum table_format format, FILE *out) {
    struct table *t = table_new();
    bool people = format == TABLE_TEXT, reach = trial_value_is_reach(&compare->what);
    table_column(t, axis->path, TABLE_LEFT);
    table_column(t, people && !reach ? "mean over the rest" : print_title(compare), TABLE_RIGHT);
    bool spread = !people;
    for (int l = 0; l < axis->level_count; l++) {
        spread = spread || axis->levels[l].replicates > 1;
    }
    if (spread) {
        table_column(t, people ? "+- 95%" : "ci_half", TABLE_RIGHT);
    }
    table_column(t, "trials", TABLE_RIGHT);
    if (!people) {
        table_column(t, "missing", TABLE_RIGHT);
    } else if (reach) {
        table_column(t, "reached", TABLE_RIGHT);
    }
    if (people) {
        table_column(t, "", TABLE_LEFT);
    }
    double high, low = bar_low(axis, &high);
    for (int l = 0; l < axis->level_count; l++) {
        const struct compare_level *level = &axis->levels[l];
        table_text(t, level->name);
        table_number(t, level->mean, DIGITS);
        if (spread) {
            table_number(t, level->ci_half, 2);
        }
        put_level(t, compare, level, people);
        if (people) {
            char bar[BAR_WIDTH + 1];
            put_bar(bar, level->mean, low, high);
            table_text(t, bar);
        }
    }
    table_print(t, format, out);
    table_free(t);
    if (people && !is_even(axis)) {
        fprintf(out, "  over unequal sets of trials; --by %s compares like with like\n",
                axis->path);
    }
}
