#include "runner/grid.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "runner/permute.h"
#include "runner/value.h"

#include <assert.h>
#include <stdlib.h>

void grid_point_release(struct grid_point *point) {
    if (point != NULL) {
        json_delete(point->config);
        json_delete(point->params);
        free(point->label);
        *point = (struct grid_point){0};
    }
}

int64_t grid_size(const struct sweep *sweep) {
    return sweep->points * sweep->replicates;
}

void grid_digits(const struct sweep *sweep, int64_t ordinal, int digits[SWEEP_AXIS_MAX],
                 int *replicate) {
    int64_t size = grid_size(sweep), index = ordinal;
    assert(ordinal >= 0 && ordinal < size);
    if (sweep->shuffled) {
        index = (int64_t)permute_index((uint64_t)size, sweep->order_seed, (uint64_t)ordinal);
    }
    *replicate = (int)(index % sweep->replicates) + 1;
    index /= sweep->replicates;
    for (int a = sweep->axis_count - 1; a >= 0; a--) {
        digits[a] = (int)(index % sweep->axes[a].count);
        index /= sweep->axes[a].count;
    }
}

/* ---- a point from its digits ---- */

static int make_config(const struct sweep *sweep, const int *digits, int replicate,
                       struct grid_point *point, struct err *err) {
    point->config = json_copy(sweep->config);
    for (int i = 0; i < sweep->axis_count; i++) {
        int a = sweep->apply[i];
        const struct sweep_axis *axis = &sweep->axes[a];
        int rc = json_path_set(point->config, axis->path, json_copy(axis->value[digits[a]]), err);
        if (rc != ERR_OK) {
            return err_wrap(err, "axis \"%s\"", axis->path);
        }
    }
    const struct cJSON *said = json_get(point->config, "seed");
    int64_t seed = sweep->seed;
    if (said != NULL && !json_integer(said, 0, SWEEP_SEED_MAX - (replicate - 1), &seed)) {
        return err_set(err, ERR_RANGE, "the seed of a point must be an integer, 0 to 2^53 - 1");
    }
    point->replicate = replicate;
    point->seed = seed + (replicate - 1);
    json_set(point->config, "seed", json_new_number((double)point->seed));
    return ERR_OK;
}

static bool matches(const struct sweep_exclude *exclude, const struct cJSON *config) {
    for (int i = 0; i < exclude->count; i++) {
        const struct cJSON *value = json_path_get(config, exclude->path[i]);
        if (value == NULL || !value_same(value, exclude->value[i])) {
            return false;
        }
    }
    return true;
}

static bool is_excluded(const struct sweep *sweep, const struct cJSON *config) {
    for (int i = 0; i < sweep->exclude_count; i++) {
        if (matches(&sweep->excludes[i], config)) {
            return true;
        }
    }
    return false;
}

static void describe(const struct sweep *sweep, const int *digits, struct grid_point *point) {
    struct buf label = {0};
    point->params = json_new_object();
    for (int a = 0; a < sweep->axis_count; a++) {
        const struct sweep_axis *axis = &sweep->axes[a];
        json_set(point->params, axis->path, json_copy(axis->value[digits[a]]));
        const char *text = axis->label[digits[a]];
        buf_printf(&label, "%s%s", label.len > 0 && *text != '\0' ? " " : "", text);
    }
    if (label.len == 0) {
        buf_puts(&label, sweep->name); // a sweep of one point
    }
    point->label = buf_detach(&label);
    const struct cJSON *epochs = json_get(point->config, "epochs");
    if (epochs == NULL || !json_integer(epochs, 1, INT32_MAX, &point->epochs)) {
        point->epochs = 0;
    }
}

int grid_at(const struct sweep *sweep, int64_t ordinal, struct grid_point *point, bool *excluded,
            struct err *err) {
    int digits[SWEEP_AXIS_MAX], replicate;
    grid_digits(sweep, ordinal, digits, &replicate);
    struct grid_point made = {.ordinal = ordinal};
    int rc = make_config(sweep, digits, replicate, &made, err);
    if (rc != ERR_OK) {
        grid_point_release(&made);
        return rc;
    }
    *excluded = is_excluded(sweep, made.config);
    if (*excluded) {
        grid_point_release(&made);
    } else {
        describe(sweep, digits, &made);
    }
    *point = made;
    return ERR_OK;
}
