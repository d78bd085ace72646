#include "runner/complaints.h"

#include "base/diag.h"
#include "base/json.h"
#include "base/mem.h"
#include "runner/axis.h"
#include "runner/grid.h"

#include <stdlib.h>
#include <string.h>

/* The length of `axis` when `path` is what it sets or lies in it ("optimizer.lr", "layers[2]" in "layers"),
 * -1 otherwise. */
static int covers(const char *axis, const char *path) {
    size_t len = strlen(axis);
    bool within = strncmp(axis, path, len) == 0 && strchr(".[", path[len]) != NULL;
    return within ? (int)len : -1; // strchr() finds the end of the path as well
}

const struct cJSON *complaints_place(const struct sweep *sweep, int64_t ordinal, const char *path) {
    int digits[SWEEP_AXIS_MAX], replicate, best = -1, best_len = -1;
    grid_digits(sweep, ordinal, digits, &replicate);
    for (int a = 0; a < sweep->axis_count; a++) {
        int len = covers(sweep->axes[a].path, path);
        if (len > best_len) { // the innermost: it was applied last
            best = a;
            best_len = len;
        }
    }
    if (best >= 0) {
        const struct sweep_axis *axis = &sweep->axes[best];
        return axis_locate(axis->source[digits[best]], axis->value[digits[best]], path + best_len);
    }
    if (sweep->no_config == NULL && path[0] != '\0') {
        const struct cJSON *found = axis_locate(sweep->config, NULL, path);
        if (found != sweep->config) {
            return found;
        }
    }
    for (int a = 0; a < sweep->axis_count && path[0] != '\0'; a++) {
        if (covers(path, sweep->axes[a].path) >= 0) { // about an object that this axis made
            return sweep->axes[a].list;
        }
    }
    return sweep->no_config == NULL ? sweep->config : json_root(sweep->doc);
}

void complaints_add(struct complaints *list, const struct sweep *sweep,
                    const struct grid_point *point, const char *path, const char *message) {
    for (int i = 0; i < list->count; i++) {
        struct complaint *known = &list->item[i];
        if (strcmp(known->path, path) == 0 && strcmp(known->message, message) == 0) {
            known->count++;
            return;
        }
    }
    if (list->count == COMPLAINTS_MAX) {
        list->beyond++;
        return;
    }
    list->item = mem_resize(list->item, (size_t)list->count + 1, sizeof *list->item);
    list->item[list->count++] =
        (struct complaint){.path = mem_strdup(path),
                           .message = mem_strdup(message),
                           .label = mem_strdup(point->label),
                           .place = complaints_place(sweep, point->ordinal, path),
                           .count = 1};
}

void complaints_tell(const struct complaints *list, const struct sweep *sweep, int64_t trials,
                     struct diag *diag) {
    for (int i = 0; i < list->count; i++) {
        const struct complaint *c = &list->item[i];
        diag_add(diag, sweep->doc, c->place, "%s%s%s (in %lld of %lld trials, first \"%s\")",
                 c->path, c->path[0] != '\0' ? ": " : "", c->message, (long long)c->count,
                 (long long)trials, c->label);
    }
    if (list->beyond > 0) {
        diag_add(diag, sweep->doc, NULL, "and other complaints in %lld trials",
                 (long long)list->beyond);
    }
}

void complaints_release(struct complaints *list) {
    for (int i = 0; i < list->count; i++) {
        free(list->item[i].path);
        free(list->item[i].message);
        free(list->item[i].label);
    }
    free(list->item);
    *list = (struct complaints){0};
}
