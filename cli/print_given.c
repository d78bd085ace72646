#include "cli/print_given.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/print.h"
#include "cli/term.h"
#include "results/compare_effect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 4, P_DIGITS = 2 };

/* One column of the map: an effect for each value of the given axis. */
struct map {
    const struct compare *compare;
    int axis, given;
    struct compare_effect *columns; // (column_count)
    int column_count;
    double low, high; // of the finite means
    int n;            // trials behind each mean; 0: they differ
};

static const struct compare_effect_level *cell_of(const struct compare_effect *column, int level) {
    int l = 0;
    while (column->levels[l].level != level) {
        l++;
    }
    return &column->levels[l];
}

static const struct compare_effect_level *best_of(const struct compare_effect *column) {
    return &column->levels[column->best < 0 ? 0 : column->best];
}

static void map_init(struct map *map, const struct compare *c, int axis, int given) {
    *map = (struct map){.compare = c,
                        .axis = axis,
                        .given = given,
                        .column_count = c->axes[given].level_count,
                        .low = INFINITY,
                        .high = -INFINITY,
                        .n = -1};
    map->columns = mem_zalloc((size_t)map->column_count + 1, sizeof *map->columns);
    for (int g = 0; g < map->column_count; g++) {
        compare_effect_init(&map->columns[g], c, axis, given, g);
        for (int l = 0; l < map->columns[g].level_count; l++) {
            const struct compare_marginal *over = &map->columns[g].levels[l].over;
            if (isfinite(over->mean)) {
                map->low = fmin(map->low, over->mean);
                map->high = fmax(map->high, over->mean);
            }
            map->n = map->n < 0 || map->n == over->n ? over->n : 0;
        }
    }
}

static void map_release(struct map *map) {
    for (int g = 0; g < map->column_count; g++) {
        compare_effect_release(&map->columns[g]);
    }
    free(map->columns);
}

/* ---- the map ---- */

/* From dark violet over green to yellow, light is good: 256-colour backgrounds, each with what is legible on it. */
static void put_color(struct buf *out, const struct map *map, double value) {
    static const struct {
        int back, front;
    } steps[] = {{54, 231}, {60, 231}, {24, 231}, {30, 231},
                 {35, 16},  {77, 16},  {148, 16}, {220, 16}};
    enum { STEPS = sizeof steps / sizeof *steps };
    if (isnan(value) || !isfinite(value) || !(map->high > map->low)) {
        return;
    }
    double share = (value - map->low) / (map->high - map->low);
    int step = (int)((map->compare->maximize ? share : 1 - share) * STEPS);
    step = step < 0 ? 0 : step >= STEPS ? STEPS - 1 : step;
    buf_printf(out, "\033[48;5;%dm\033[38;5;%dm", steps[step].back, steps[step].front);
}

/* "0.8466*", "0.8466 (3)", "-" */
static void cell_text(const struct map *map, int column, int level, char out[64]) {
    const struct compare_effect *effect = &map->columns[column];
    const struct compare_effect_level *cell = cell_of(effect, level);
    char number[NUM_TEXT_MAX];
    if (isnan(cell->over.mean)) {
        snprintf(out, 64, "%s", cell->over.complete > 0 ? "never " : "- ");
        return;
    }
    num_steady(number, cell->over.mean, DIGITS);
    const char *mark = cell == best_of(effect) ? "*" : " ";
    if (trial_value_is_reach(&map->compare->what)) {
        snprintf(out, 64, "%s (%d/%d)%s", number, cell->over.n, cell->over.complete, mark);
    } else if (map->n == 0) {
        snprintf(out, 64, "%s (%d)%s", number, cell->over.n, mark);
    } else {
        snprintf(out, 64, "%s%s", number, mark);
    }
}

static int column_width(const struct map *map, int column) {
    size_t width = strlen(map->compare->axes[map->given].levels[column].name) + 1;
    for (int l = 0; l < map->compare->axes[map->axis].level_count; l++) {
        char text[64];
        cell_text(map, column, l, text);
        width = strlen(text) > width ? strlen(text) : width;
    }
    return (int)width;
}

static int label_width(const struct map *map) {
    const struct compare_axis *axis = &map->compare->axes[map->axis];
    size_t width = strlen(axis->path);
    for (int l = 0; l < axis->level_count; l++) {
        size_t len = strlen(axis->levels[l].name);
        width = len > width ? len : width;
    }
    return (int)width;
}

static void put_block(struct buf *out, const struct map *map, int first, int last, bool color) {
    const struct compare_axis *axis = &map->compare->axes[map->axis];
    const struct compare_axis *given = &map->compare->axes[map->given];
    int label = label_width(map);
    buf_printf(out, "  %-*s", label, axis->path);
    for (int g = first; g < last; g++) {
        buf_printf(out, "  %*s ", column_width(map, g) - 1, given->levels[g].name);
    }
    buf_putc(out, '\n');
    for (int l = 0; l < axis->level_count; l++) {
        buf_printf(out, "  %-*s", label, axis->levels[l].name);
        for (int g = first; g < last; g++) {
            char text[64];
            cell_text(map, g, l, text);
            if (color) {
                put_color(out, map, cell_of(&map->columns[g], l)->over.mean);
            }
            buf_printf(out, "  %*s", column_width(map, g), text);
            buf_puts(out, color ? "\033[0m" : "");
        }
        buf_putc(out, '\n');
    }
}

/* As many columns side by side as the terminal has room for. */
static void print_map(const struct map *map, FILE *out) {
    struct buf text = {0};
    bool color = term_style(out, TERM_RESET)[0] != '\0';
    int room = term_width(out) - 2 - label_width(map);
    for (int first = 0, last; first < map->column_count; first = last) {
        int width = 2 + column_width(map, first);
        for (last = first + 1; last < map->column_count; last++) {
            width += 2 + column_width(map, last);
            if (width > room) {
                break;
            }
        }
        buf_puts(&text, first > 0 ? "\n" : "");
        put_block(&text, map, first, last, color);
    }
    (void)fputs(buf_text(&text), out); // main() looks at ferror(stdout)
    buf_release(&text);
}

/* ---- what is best where ---- */

/* The values that the data does not tell from the best one. */
static void put_undecided(struct table *t, const struct map *map,
                          const struct compare_effect *effect) {
    struct buf names = {0};
    bool untested = effect->best < 0;
    for (int l = 0; l < effect->level_count; l++) {
        const struct compare_effect_level *level = &effect->levels[l];
        untested = untested || (level->verdict == COMPARE_UNTESTED && level->over.n > 0);
        if (level->verdict == COMPARE_UNDECIDED) {
            buf_printf(&names, "%s%s", names.len > 0 ? ", " : "",
                       map->compare->axes[map->axis].levels[level->level].name);
        }
    }
    if (names.len == 0) {
        buf_puts(&names, untested ? "untested: one seed" : "nothing: all others are worse");
    }
    table_text(t, buf_text(&names));
    buf_release(&names);
}

static void print_best(const struct map *map, FILE *out) {
    const struct compare *c = map->compare;
    struct table *t = table_new();
    char *best = mem_printf("best %s", c->axes[map->axis].path);
    table_column(t, c->axes[map->given].path, TABLE_LEFT);
    table_column(t, best, TABLE_LEFT);
    table_column(t, "n", TABLE_RIGHT);
    table_column(t, "not told from it", TABLE_LEFT);
    for (int g = 0; g < map->column_count; g++) {
        const struct compare_effect *effect = &map->columns[g];
        const struct compare_effect_level *first = best_of(effect);
        table_text(t, c->axes[map->given].levels[g].name);
        table_text(t, first->over.n > 0 ? c->axes[map->axis].levels[first->level].name : NULL);
        table_int(t, first->over.n);
        put_undecided(t, map, effect);
    }
    table_print(t, TABLE_TEXT, out);
    table_free(t);
    free(best);
}

static void print_rows(const struct map *map, enum table_format format, FILE *out) {
    static const char *const columns[] = {"ci_half",    "n",      "complete",  "verdict",
                                          "difference", "p_holm", "more_seeds"};
    const struct compare *c = map->compare;
    struct table *t = table_new();
    table_column(t, c->axes[map->given].path, TABLE_LEFT);
    table_column(t, c->axes[map->axis].path, TABLE_LEFT);
    table_column(t, c->metric, TABLE_RIGHT);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        table_column(t, columns[i], TABLE_RIGHT);
    }
    for (int g = 0; g < map->column_count; g++) {
        const struct compare_effect *effect = &map->columns[g];
        for (int l = 0; l < effect->level_count; l++) {
            const struct compare_effect_level *level = &effect->levels[l];
            bool tested = level->difference.seeds > 0;
            table_text(t, c->axes[map->given].levels[g].name);
            table_text(t, c->axes[map->axis].levels[level->level].name);
            table_number(t, level->over.mean, DIGITS);
            table_number(t, level->over.ci_half, P_DIGITS);
            table_int(t, level->over.n);
            table_int(t, level->over.complete);
            table_text(t, compare_verdict_names[level->verdict]);
            table_number(t, tested ? level->difference.paired.difference.mean : (double)NAN,
                         DIGITS);
            table_number(t, level->p_holm, P_DIGITS);
            if (level->more_seeds < 0) {
                table_text(t, NULL);
            } else {
                table_int(t, level->more_seeds);
            }
        }
    }
    table_print(t, format, out);
    table_free(t);
}

void print_given(const struct compare *compare, int axis, int given, enum table_format format,
                 FILE *out) {
    struct map map;
    map_init(&map, compare, axis, given);
    if (format != TABLE_TEXT) {
        print_rows(&map, format, out);
    } else {
        fprintf(out, "%s by %s (down) and %s (across)\nmean%s", print_title(compare),
                compare->axes[axis].path, compare->axes[given].path,
                trial_value_is_reach(&compare->what) ? " of those that get there" : "");
        if (trial_value_is_reach(&compare->what)) {
            fprintf(out, " (of how many)");
        } else if (map.n > 0) {
            fprintf(out, ", n = %d in each", map.n);
        } else {
            fprintf(out, " (n)");
        }
        fprintf(out, "; * the best of its column\n\n");
        print_map(&map, out);
        fprintf(out, "\n");
        print_best(&map, out);
    }
    map_release(&map);
}
