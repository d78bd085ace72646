/* An axis as a distribution of Optuna's. */
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "results/export_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double WHOLE_MAX = 9007199254740992.0; // 2^53
static const double LOG_RATIO = 10; // greatest by least, from which the axis is logarithmic

/* Where a key is, or belongs. */
static int find(const struct export_axis *axis, const char *key, bool *found) {
    int low = 0, high = axis->count;
    *found = false;
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = strcmp(axis->level[middle].key, key);
        if (order == 0) {
            *found = true;
            return middle;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return low;
}

static void note_number(struct export_axis *axis, const struct cJSON *value) {
    bool first = axis->count == 0;
    axis->categorical = (!first && axis->categorical) || json_type(value) != JSON_NUMBER;
    if (axis->categorical) {
        return;
    }
    double number = json_number(value);
    axis->whole = (first || axis->whole) && number == floor(number) && fabs(number) <= WHOLE_MAX;
    axis->low = first ? number : fmin(axis->low, number);
    axis->high = first ? number : fmax(axis->high, number);
}

static char *choice_of(const struct cJSON *value, const char *key, const char *shown) {
    enum json_type type = json_type(value);
    struct buf text = {0};
    if (type == JSON_OBJECT || type == JSON_ARRAY) {
        buf_json_string(&text, shown, strlen(shown));
    } else {
        buf_puts(&text, key);
    }
    return buf_detach(&text);
}

void export_axis_add(struct export_axis *axis, const struct cJSON *value, const char *shown,
                     int64_t ordinal) {
    struct buf key = {0};
    bool found;
    json_print_canonical(&key, value);
    int at = find(axis, buf_text(&key), &found);
    if (found) {
        int64_t *first = &axis->level[at].first;
        *first = ordinal < *first ? ordinal : *first;
        buf_release(&key);
        return;
    }
    note_number(axis, value);
    if (axis->count == axis->room) {
        axis->room = axis->room == 0 ? 16 : 2 * axis->room;
        axis->level = mem_resize(axis->level, (size_t)axis->room, sizeof *axis->level);
    }
    struct export_level *level = &axis->level[at];
    memmove(level + 1, level, (size_t)(axis->count - at) * sizeof *level);
    char *text = buf_detach(&key);
    *level = (struct export_level){text, choice_of(value, text, shown), ordinal, 0};
    axis->count++;
}

/* ---- the distribution ---- */

static int by_choice(const void *a, const void *b) {
    const struct export_level *const *x = a, *const *y = b;
    return strcmp((*x)->choice, (*y)->choice);
}

static int by_place(const void *a, const void *b) {
    const struct export_level *const *x = a, *const *y = b;
    int order = ((*x)->first > (*y)->first) - ((*x)->first < (*y)->first);
    return order != 0 ? order : strcmp((*x)->key, (*y)->key);
}

/* Objects whose short texts are alike, or like another value, stand with all of their JSON. */
static void tell_apart(struct export_level **sorted, int count) {
    qsort(sorted, (size_t)count, sizeof(struct export_level *), by_choice);
    for (int i = 0, n; i < count; i += n) {
        for (n = 1; i + n < count && strcmp(sorted[i]->choice, sorted[i + n]->choice) == 0;) {
            n++;
        }
        for (int k = i; n > 1 && k < i + n; k++) {
            const char *key = sorted[k]->key;
            if (key[0] == '{' || key[0] == '[') {
                struct buf text = {0};
                buf_json_string(&text, key, strlen(key));
                free(sorted[k]->choice);
                sorted[k]->choice = buf_detach(&text);
            }
        }
    }
}

static void put_choices(struct buf *out, struct export_axis *axis) {
    struct export_level **sorted = mem_zalloc((size_t)axis->count + 1, sizeof *sorted);
    for (int i = 0; i < axis->count; i++) {
        sorted[i] = &axis->level[i];
    }
    tell_apart(sorted, axis->count);
    qsort(sorted, (size_t)axis->count, sizeof(struct export_level *), by_place);
    buf_puts(out, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [");
    for (int i = 0; i < axis->count; i++) {
        sorted[i]->index = i;
        buf_printf(out, "%s%s", i > 0 ? ", " : "", sorted[i]->choice);
    }
    buf_puts(out, "]}}");
    free(sorted);
}

static void put_range(struct buf *out, const struct export_axis *axis) {
    bool log = axis->low > 0 && axis->high / axis->low >= LOG_RATIO;
    buf_printf(
        out, "{\"name\": \"%sDistribution\", \"attributes\": {\"log\": %s, \"step\": %s, \"low\": ",
        axis->whole ? "Int" : "Float", log ? "true" : "false", axis->whole ? "1" : "null");
    buf_json_number(out, axis->low);
    buf_puts(out, ", \"high\": ");
    buf_json_number(out, axis->high);
    buf_puts(out, "}}");
}

void export_axis_finish(struct export_axis *axis) {
    struct buf text = {0};
    if (axis->categorical || axis->count == 0) {
        put_choices(&text, axis);
    } else {
        put_range(&text, axis);
    }
    axis->distribution = buf_detach(&text);
}

double export_axis_value(const struct export_axis *axis, const struct cJSON *value) {
    if (!axis->categorical) {
        return json_number(value);
    }
    struct buf key = {0};
    bool found;
    json_print_canonical(&key, value);
    int at = find(axis, buf_text(&key), &found);
    buf_release(&key);
    return found ? axis->level[at].index : (double)NAN; // export_axis_add() had all of them
}

void export_axis_release(struct export_axis *axis) {
    for (int i = 0; i < axis->count; i++) {
        free(axis->level[i].key);
        free(axis->level[i].choice);
    }
    free(axis->level);
    free(axis->distribution);
    *axis = (struct export_axis){0};
}
