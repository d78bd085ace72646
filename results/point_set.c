#include "results/point_set.h"

#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "results/compare.h"

#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 64 };

static int unknown(const char *what, const char *word, const char *const *names, size_t count,
                   struct err *err) {
    struct buf text = {0};
    diag_suggest(&text, word, names, count);
    int rc = err_set(err, ERR_NOT_FOUND, "%s \"%s\"%s", what, word, buf_text(&text));
    buf_release(&text);
    return rc;
}

/* The axis whose path *at begins with, followed by "="; *at moves behind it. */
static int take_axis(const struct compare *c, const char **at, int *axis, struct err *err) {
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (int a = 0; a < c->axis_total; a++) {
        size_t len = strlen(c->axes[a].path);
        if (strncmp(*at, c->axes[a].path, len) == 0 && (*at)[len] == '=') {
            *at += len + 1;
            *axis = a;
            return ERR_OK;
        }
        if (count < NAMES_MAX) {
            names[count++] = c->axes[a].path;
        }
    }
    size_t len = strcspn(*at, "=,");
    if ((*at)[len] != '=') {
        return err_set(err, ERR_RANGE, "\"%s\" is neither AXIS=VALUE,... nor a rank", *at);
    }
    char *word = mem_printf("%.*s", (int)len, *at);
    int rc = unknown("the sweep has no axis", word, names, count, err);
    free(word);
    return rc;
}

static size_t fits(const char *at, const char *name) {
    size_t len = strlen(name);
    return strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == '\0') ? len : 0;
}

/* The longest value of the axis that *at begins with; *at moves to the comma or the end. */
static int take_level(const struct compare_axis *axis, const char **at, int *level,
                      struct err *err) {
    const char *names[NAMES_MAX];
    size_t count = 0, longest = 0;
    for (int l = 0; l < axis->level_count; l++) {
        size_t shown = fits(*at, axis->levels[l].name), full = fits(*at, axis->levels[l].full);
        size_t len = shown > full ? shown : full;
        if (len > longest) {
            longest = len;
            *level = l;
        }
        if (count < NAMES_MAX) {
            names[count++] = axis->levels[l].name;
        }
    }
    if (longest == 0) {
        char *word = mem_printf("%.*s", (int)strcspn(*at, ","), *at);
        char *what = mem_printf("axis \"%s\" has no value", axis->path);
        int rc = unknown(what, word, names, count, err);
        free(what);
        free(word);
        return rc;
    }
    *at += longest;
    return ERR_OK;
}

static int take_rank(struct point_set *set, const struct compare *c, int64_t rank,
                     struct err *err) {
    if (rank > c->point_count) {
        return err_set(err, ERR_NOT_FOUND, "no rank %lld: the leaderboard has %d points",
                       (long long)rank, c->point_count);
    }
    set->has[c->points[rank - 1].cell] = true;
    set->count = 1;
    for (int a = 0; a < c->axis_count; a++) {
        set->named[a] = true;
    }
    return ERR_OK;
}

/* `wanted` (axis_total): for each axis that is named which of its levels; NULL for others. */
static int take_values(const struct compare *c, const char *text, bool **wanted, struct err *err) {
    const char *at = text;
    for (;;) {
        int axis = 0, level = 0, rc = take_axis(c, &at, &axis, err);
        rc = rc == ERR_OK ? take_level(&c->axes[axis], &at, &level, err) : rc;
        if (rc != ERR_OK) {
            return rc;
        }
        if (wanted[axis] == NULL) {
            wanted[axis] = mem_zalloc((size_t)c->axes[axis].level_count, sizeof **wanted);
        }
        wanted[axis][level] = true;
        if (*at == '\0') {
            return ERR_OK;
        }
        at++; // the comma
    }
}

static void mark(struct point_set *set, const struct compare *c, bool *const *wanted) {
    for (int p = 0; p < c->grid.count; p++) {
        bool fit = true;
        for (int a = 0; a < c->axis_total; a++) {
            fit = fit && (wanted[a] == NULL || wanted[a][compare_levels(c, p)[a]]);
        }
        set->has[p] = fit;
        set->count += fit;
    }
    for (int a = 0; a < c->axis_total; a++) {
        set->named[a] = wanted[a] != NULL;
    }
}

int point_set_parse(struct point_set *set, const struct compare *compare, const char *text,
                    struct err *err) {
    struct point_set s = {.has = mem_zalloc((size_t)compare->grid.count + 1, sizeof *s.has),
                          .named = mem_zalloc((size_t)compare->axis_total + 1, sizeof *s.named)};
    int64_t rank;
    int rc;
    if (num_parse_int(text, 1, INT64_MAX, &rank)) {
        rc = take_rank(&s, compare, rank, err);
    } else {
        bool **wanted = mem_zalloc((size_t)compare->axis_total + 1, sizeof *wanted);
        rc = take_values(compare, text, wanted, err);
        if (rc == ERR_OK) {
            mark(&s, compare, wanted);
        }
        for (int a = 0; a < compare->axis_total; a++) {
            free(wanted[a]);
        }
        free(wanted);
    }
    if (rc == ERR_OK && s.count == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "no point is \"%s\"", text);
    }
    if (rc == ERR_OK) {
        *set = s;
    } else {
        point_set_release(&s);
    }
    return rc;
}

void point_set_release(struct point_set *set) {
    free(set->has);
    free(set->named);
    *set = (struct point_set){0};
}
