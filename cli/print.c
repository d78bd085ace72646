#include "cli/print.h"

#include "base/buf.h"
#include "base/num.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BAR_WIDTH = 24, DIGITS = 4 };

void print_table(const struct table *table, enum table_format format, FILE *out) {
    struct buf text = {0};
    table_print(table, format, &text);
    (void)fputs(buf_text(&text), out); // main() looks at ferror(stdout)
    buf_release(&text);
}

static int replicates_max(const struct compare *compare) {
    size_t n = 0;
    for (int i = 0; i < compare->point_count; i++) {
        n = compare->points[i].value.n > n ? compare->points[i].value.n : n;
    }
    return (int)n;
}

void print_leaderboard(const struct compare *compare, int rows, enum table_format format,
                       FILE *out) {
    struct table *t = table_new();
    bool spread = replicates_max(compare) > 1 || format != TABLE_TEXT;
    table_column(t, "rank", TABLE_RIGHT);
    for (int a = 0; a < compare->axis_count; a++) {
        table_column(t, compare->axes[a].path, TABLE_LEFT);
    }
    table_column(t, compare->metric, TABLE_RIGHT);
    if (spread) {
        table_column(t, "std", TABLE_RIGHT);
        table_column(t, "ci_low", TABLE_RIGHT);
        table_column(t, "ci_high", TABLE_RIGHT);
    }
    table_column(t, "n", TABLE_RIGHT);
    table_column(t, "best_trial", TABLE_RIGHT);
    int count = rows > 0 && rows < compare->point_count ? rows : compare->point_count;
    for (int i = 0; i < count; i++) {
        const struct compare_point *p = &compare->points[i];
        table_int(t, p->rank);
        for (int a = 0; a < compare->axis_count; a++) {
            table_text(t, p->level[a]);
        }
        table_number(t, p->value.mean, DIGITS);
        if (spread) {
            table_number(t, p->value.std, 2);
            table_number(t, p->value.mean - p->ci_half, DIGITS);
            table_number(t, p->value.mean + p->ci_half, DIGITS);
        }
        table_int(t, (int64_t)p->value.n);
        table_int(t, p->best_trial);
    }
    print_table(t, format, out);
    table_free(t);
}

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

void print_axis(const struct compare *compare, const struct compare_axis *axis,
                enum table_format format, FILE *out) {
    struct table *t = table_new();
    bool people = format == TABLE_TEXT;
    table_column(t, axis->path, TABLE_LEFT);
    table_column(t, people ? "mean over the rest" : compare->metric, TABLE_RIGHT);
    bool spread = !people;
    for (int l = 0; l < axis->level_count; l++) {
        spread = spread || axis->levels[l].replicates > 1;
    }
    if (spread) {
        table_column(t, people ? "+- 95%" : "ci_half", TABLE_RIGHT);
    }
    table_column(t, "trials", TABLE_RIGHT);
    if (people) {
        table_column(t, "", TABLE_LEFT);
    } else {
        table_column(t, "missing", TABLE_RIGHT);
    }
    double high, low = bar_low(axis, &high);
    for (int l = 0; l < axis->level_count; l++) {
        const struct compare_level *level = &axis->levels[l];
        table_text(t, level->name);
        table_number(t, level->mean, DIGITS);
        if (spread) {
            table_number(t, level->ci_half, 2);
        }
        if (people) {
            char count[64], bar[BAR_WIDTH + 1];
            if (level->complete == level->trials) {
                snprintf(count, sizeof count, "%d", level->trials);
            } else {
                snprintf(count, sizeof count, "%d of %d", level->complete, level->trials);
            }
            put_bar(bar, level->mean, low, high);
            table_text(t, count);
            table_text(t, bar);
        } else {
            table_int(t, level->complete);
            table_int(t, level->trials - level->complete);
        }
    }
    print_table(t, format, out);
    table_free(t);
}
