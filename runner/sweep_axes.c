#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/mem.h"
#include "runner/axis.h"
#include "runner/label.h"
#include "runner/sweep_internal.h"
#include "runner/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- paths ---- */

static bool path_is_good(const char *path) {
    size_t len = strlen(path);
    return len > 0 && path[0] != '.' && path[len - 1] != '.' && strstr(path, "..") == NULL;
}

/* What is in the way when `path` is set in `value`: the first thing on the way that is neither an object
 * nor a string.  `len` receives the length of the path up to it.  NULL: nothing. */
static const struct cJSON *in_the_way(const struct cJSON *value, const char *path, size_t *len) {
    for (*len = strcspn(path, "."); path[*len] == '.'; *len += 1 + strcspn(path + *len + 1, ".")) {
        char *upto = mem_printf("%.*s", (int)*len, path);
        const struct cJSON *on_way = json_path_get(value, upto);
        free(upto);
        if (on_way == NULL) {
            return NULL;
        }
        if (json_type(on_way) != JSON_OBJECT && json_type(on_way) != JSON_STRING) {
            return on_way;
        }
    }
    return NULL;
}

static void complain_in_the_way(struct sweep_reader *reader, const struct sweep_axis *axis,
                                size_t len, const struct cJSON *blocker) {
    sweep_complain(reader, axis->list, "axis \"%s\": \"%.*s\" is %s, not an object", axis->path,
                   (int)len, axis->path, json_type_name(json_type(blocker)));
}

/* `inner` lies in `outer`: nothing of what the values of `outer` say may be overwritten. */
static void check_inside(struct sweep_reader *reader, const struct sweep_axis *inner,
                         const struct sweep_axis *outer) {
    size_t outer_len = strlen(outer->path), len;
    const char *rest = inner->path + outer_len + 1;
    for (int i = 0; i < outer->count; i++) {
        const struct cJSON *value = outer->value[i];
        bool scalar = json_type(value) != JSON_OBJECT && json_type(value) != JSON_STRING;
        const struct cJSON *blocker = scalar ? value : in_the_way(value, rest, &len);
        if (blocker != NULL) {
            complain_in_the_way(reader, inner, scalar ? outer_len : outer_len + 1 + len, blocker);
            return;
        }
        if (json_path_get(value, rest) != NULL) {
            sweep_complain(reader, inner->list,
                           "axis \"%s\" would overwrite the \"%s\" that %s of axis \"%s\" has; "
                           "multiply it there with {\"values\": [...]}",
                           inner->path, rest, outer->label != NULL ? outer->label[i] : "a value",
                           outer->path);
            return;
        }
    }
}

static void check_paths(struct sweep_reader *reader) {
    struct sweep *sweep = reader->sweep;
    for (int i = 0; i < sweep->axis_count; i++) {
        const struct sweep_axis *axis = &sweep->axes[i];
        bool nested = false;
        for (int o = 0; o < sweep->axis_count; o++) {
            if (o != i && sweep_path_within(axis->path, sweep->axes[o].path)) {
                check_inside(reader, axis, &sweep->axes[o]);
                nested = true;
            }
        }
        size_t len = 0;
        const struct cJSON *blocker = nested ? NULL : in_the_way(sweep->config, axis->path, &len);
        if (blocker != NULL) {
            complain_in_the_way(reader, axis, len, blocker);
        } else if (strncmp(axis->path, "seed.", 5) == 0) {
            sweep_complain(reader, axis->list, "axis \"%s\": \"seed\" is a number", axis->path);
        }
    }
}

/* A path after every path that it lies in, else as in the file.  Each axis goes to the end, or in front of
 * the first that lies in it: what it lies in itself is in front of that one already. */
static void order_axes(struct sweep *sweep) {
    for (int i = 0; i < sweep->axis_count; i++) {
        int at = 0;
        while (at < i &&
               !sweep_path_within(sweep->axes[sweep->apply[at]].path, sweep->axes[i].path)) {
            at++;
        }
        memmove(sweep->apply + at + 1, sweep->apply + at, (size_t)(i - at) * sizeof *sweep->apply);
        sweep->apply[at] = i;
    }
}

/* ---- values ---- */

static void complain_values(struct sweep_reader *reader, const struct cJSON *where,
                            enum axis_problem problem) {
    static const char *const texts[] = {
        [AXIS_VALUES_EMPTY] = "{\"values\": []} would make no value at all",
        [AXIS_VALUES_NO_LIST] = "\"values\" must be a list of what to multiply with",
        [AXIS_VALUES_NOT_ALONE] =
            "{\"values\": [...]} stands for one value: no other key may be beside it"};
    sweep_complain(reader, where, "%s", texts[problem]);
}

/* Counts what the axis's list makes.  0 when it cannot be used; complaints say why. */
static int count_values(struct sweep_reader *reader, const struct cJSON *list) {
    int64_t count = 0;
    bool good = true;
    for (const struct cJSON *v = json_first(list); v != NULL; v = json_next(v)) {
        const struct cJSON *where;
        enum axis_problem problem = axis_check(v, &where);
        if (problem != AXIS_FINE) {
            complain_values(reader, where, problem);
            good = false;
        } else if (count <= SWEEP_VALUES_MAX) {
            count += axis_multiplicity(v, SWEEP_VALUES_MAX);
        }
    }
    if (good && count > SWEEP_VALUES_MAX) {
        sweep_complain(reader, list, "axis \"%s\" has more than %d values", json_key(list),
                       SWEEP_VALUES_MAX);
        good = false;
    }
    return good ? (int)count : 0;
}

static void multiply(struct sweep_axis *axis, int count) {
    axis->value = mem_zalloc((size_t)count, sizeof *axis->value);
    axis->source = mem_zalloc((size_t)count, sizeof *axis->source);
    for (const struct cJSON *v = json_first(axis->list); v != NULL; v = json_next(v)) {
        int n = (int)axis_multiplicity(v, SWEEP_VALUES_MAX);
        axis_multiply(v, axis->value + axis->count);
        for (int i = 0; i < n; i++) {
            axis->source[axis->count + i] = v;
        }
        axis->count += n;
    }
}

struct meaning {
    char *text;
    int index;
};

static int by_meaning(const void *a, const void *b) {
    const struct meaning *x = a, *y = b;
    int order = strcmp(x->text, y->text);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static void check_repeats(struct sweep_reader *reader, const struct sweep_axis *axis) {
    struct meaning *meanings = mem_zalloc((size_t)axis->count, sizeof *meanings);
    for (int i = 0; i < axis->count; i++) {
        struct buf text = {0};
        value_print_normal(&text, axis->value[i]);
        meanings[i] = (struct meaning){buf_detach(&text), i};
    }
    qsort(meanings, (size_t)axis->count, sizeof *meanings, by_meaning);
    for (int i = 1; i < axis->count; i++) {
        if (strcmp(meanings[i - 1].text, meanings[i].text) == 0) {
            struct buf shown = {0};
            json_print(&shown, axis->value[meanings[i].index]);
            sweep_complain(reader, axis->source[meanings[i].index],
                           "axis \"%s\" has the value %.200s twice", axis->path, buf_text(&shown));
            buf_release(&shown);
        }
    }
    for (int i = 0; i < axis->count; i++) {
        free(meanings[i].text);
    }
    free(meanings);
}

static void check_seeds(struct sweep_reader *reader, const struct sweep_axis *axis) {
    int64_t max = SWEEP_SEED_MAX - (reader->sweep->replicates - 1), seed;
    for (int i = 0; i < axis->count; i++) {
        if (!json_integer(axis->value[i], 0, max, &seed)) {
            sweep_complain_value(reader, axis->source[i], "a seed",
                                 "an integer from 0 to 2^53 - replicates");
        }
    }
}

static void read_axis(struct sweep_reader *reader, const struct cJSON *list) {
    struct sweep *sweep = reader->sweep;
    if (!path_is_good(json_key(list))) {
        sweep_complain(reader, list,
                       "\"%s\" is no path into the config: names with single dots between them",
                       json_key(list));
        return;
    }
    if (json_type(list) != JSON_ARRAY) {
        char what[128];
        (void)snprintf(what, sizeof what, "axis \"%.100s\"", json_key(list)); // cut is fine
        sweep_complain_value(reader, list, what, "a list of values");
        return;
    }
    if (json_first(list) == NULL) {
        sweep_complain(reader, list, "axis \"%s\" has no values", json_key(list));
        return;
    }
    int count = count_values(reader, list);
    if (count > 0) {
        struct sweep_axis *axis = &sweep->axes[sweep->axis_count++];
        *axis = (struct sweep_axis){.path = json_key(list), .list = list};
        multiply(axis, count);
        check_repeats(reader, axis);
        if (strcmp(axis->path, "seed") == 0) {
            check_seeds(reader, axis);
        }
    }
}

/* ---- size ---- */

/* The product as a text.  In double: it has 308 digits of room, and SWEEP_VALUES_MAX to the power of
 * SWEEP_AXIS_MAX needs 320, so that "inf" is possible and is said in words. */
static void check_size(struct sweep_reader *reader, const struct cJSON *grid) {
    struct sweep *sweep = reader->sweep;
    double product = sweep->replicates;
    struct buf sizes = {0};
    sweep->points = 1;
    for (int a = 0; a < sweep->axis_count; a++) {
        const struct sweep_axis *axis = &sweep->axes[a];
        product *= axis->count;
        buf_printf(&sizes, "%s%s %d", a > 0 ? " x " : "", axis->path, axis->count);
        if (product <= SWEEP_TRIALS_MAX) {
            sweep->points *= axis->count;
        }
    }
    if (sweep->replicates > 1) {
        buf_printf(&sizes, "%sreplicates %d", sweep->axis_count > 0 ? " x " : "",
                   sweep->replicates);
    }
    if (product > SWEEP_TRIALS_MAX) {
        char total[64];
        bool exact = product<1e15, huge = product> 1e300;
        (void)snprintf(total, sizeof total, exact ? "%.0f" : "about %.1e", product); // fits
        sweep_complain(reader, grid != NULL ? grid : reader->root,
                       "the grid is too large: %.700s = %s trials, at most %d", buf_text(&sizes),
                       huge ? "more than 1e+300" : total, SWEEP_TRIALS_MAX);
    }
    buf_release(&sizes);
}

static void make_labels(struct sweep *sweep) {
    for (int a = 0; a < sweep->axis_count; a++) {
        label_axis(&sweep->axes[a], label_path_in_short(sweep, a));
    }
}

void sweep_read_grid(struct sweep_reader *reader) {
    struct sweep *sweep = reader->sweep;
    const struct cJSON *grid = json_get(reader->root, "grid");
    if (grid != NULL && json_type(grid) != JSON_OBJECT) {
        sweep_complain_value(reader, grid, "\"grid\"", "an object of axes");
    } else if (grid != NULL && json_count(grid) > SWEEP_AXIS_MAX) {
        sweep_complain(reader, grid, "a grid of %d axes, at most %d", json_count(grid),
                       SWEEP_AXIS_MAX);
    } else if (grid != NULL) {
        sweep->axes = mem_zalloc((size_t)json_count(grid) + 1, sizeof *sweep->axes);
        for (const struct cJSON *list = json_first(grid); list != NULL; list = json_next(list)) {
            read_axis(reader, list);
        }
    }
    check_size(reader, grid);
    make_labels(sweep);
    check_paths(reader);
    order_axes(sweep);
    if (sweep->seed > SWEEP_SEED_MAX - (sweep->replicates - 1)) {
        sweep_complain(reader, json_get(sweep->config, "seed"),
                       "the seeds of %d replicates would pass 2^53 - 1", sweep->replicates);
    }
}
