#include "results/curves.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "results/compare.h"
#include "results/point_set.h"
#include "results/query.h"
#include "results/stats.h"
#include "results/sweep_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const band_names[] = {
    [CURVES_BAND_CI] = "ci",
    [CURVES_BAND_STD] = "std",
    [CURVES_BAND_MINMAX] = "minmax",
    [CURVES_BAND_NONE] = "none",
};

bool curves_parse_band(const char *word, enum curves_band *band) {
    for (size_t i = 0; i < sizeof band_names / sizeof *band_names; i++) {
        if (strcmp(word, band_names[i]) == 0) {
            *band = (enum curves_band)i;
            return true;
        }
    }
    return false;
}

const struct curve_point *curve_last(const struct curve *curve) {
    return curve->count > 0 ? &curve->points[curve->count - 1] : NULL;
}

/* ---- trials ---- */

enum state { OTHER, UNDER_WAY, COMPLETE, FAILED };

struct trial {
    int64_t trial;
    int group, replicate;
    enum state state;
    bool counts, has_values;
    char *label; // owned
};

struct value {
    int group, epoch, replicate;
    int64_t trial;
    double value; // NaN or infinite where it was
};

/* What is read before anything is averaged. */
struct input {
    struct trial *trials; // by number
    size_t trial_count;
    struct value *values;
    size_t value_count, value_cap;
};

static void input_release(struct input *input) {
    for (size_t i = 0; i < input->trial_count; i++) {
        free(input->trials[i].label);
    }
    free(input->trials);
    free(input->values);
}

static int by_number(const void *a, const void *b) {
    const struct trial *x = a, *y = b;
    return (x->trial > y->trial) - (x->trial < y->trial);
}

static struct trial *find_trial(const struct input *input, int64_t number) {
    const struct trial key = {.trial = number};
    return bsearch(&key, input->trials, input->trial_count, sizeof key, by_number);
}

/* The trials of the points in `set` (NULL: all), each in its group: the level of the axis `by`, its point for
 * `by` -1, or 0 for -2. */
static void take_trials(struct input *input, const struct compare *c, const struct point_set *set,
                        int by) {
    int replicates = c->grid.replicates;
    size_t most = (size_t)c->grid.count * (size_t)replicates;
    input->trials = mem_zalloc(most + 1, sizeof *input->trials);
    for (int p = 0; p < c->grid.count; p++) {
        for (int r = 0; r < replicates && (set == NULL || set->has[p]); r++) {
            size_t i = (size_t)p * (size_t)replicates + (size_t)r;
            if (c->grid.state[i] != COMPARE_NONE) {
                input->trials[input->trial_count++] =
                    (struct trial){.trial = c->grid.trial[i],
                                   .group = by == -2   ? 0
                                            : by == -1 ? p
                                                       : compare_levels(c, p)[by],
                                   .replicate = r};
            }
        }
    }
    qsort(input->trials, input->trial_count, sizeof *input->trials, by_number);
}

static enum state state_of(const char *status) {
    static const char *const under_way[] = {"running", "paused", "pending"};
    for (size_t i = 0; i < sizeof under_way / sizeof *under_way; i++) {
        if (strcmp(status, under_way[i]) == 0) {
            return UNDER_WAY;
        }
    }
    return strcmp(status, "complete") == 0 ? COMPLETE
           : strcmp(status, "failed") == 0 ? FAILED
                                           : OTHER;
}

static int load_states(struct input *input, struct curves *c, struct store *store,
                       struct err *err) {
    struct query q;
    int rc = query_open(&q, store, "SELECT trial, status, label FROM trials WHERE sweep = ?1", err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&q, 1, c->sweep);
    while ((rc = query_next(&q, err)) > 0) {
        struct trial *trial = find_trial(input, query_int(&q, 0));
        if (trial != NULL && trial->label == NULL) {
            trial->state = state_of(query_text(&q, 1));
            trial->label = mem_strdup(query_text(&q, 2));
            c->complete += trial->state == COMPLETE;
            c->failed += trial->state == FAILED;
        }
    }
    query_close(&q);
    c->trials = (int)input->trial_count;
    c->under_way = c->under_way || c->complete == 0;
    for (size_t i = 0; i < input->trial_count; i++) {
        struct trial *trial = &input->trials[i];
        trial->counts = trial->state == COMPLETE || (c->under_way && trial->state == UNDER_WAY);
    }
    return rc;
}

/* ---- values ---- */

static int by_place(const void *a, const void *b) {
    const struct value *x = a, *y = b;
    if (x->group != y->group) {
        return x->group < y->group ? -1 : 1;
    }
    if (x->epoch != y->epoch) {
        return x->epoch < y->epoch ? -1 : 1;
    }
    if (x->replicate != y->replicate) {
        return x->replicate < y->replicate ? -1 : 1;
    }
    return (x->trial > y->trial) - (x->trial < y->trial);
}

static void add_value(struct input *input, struct value value) {
    if (input->value_count == input->value_cap) {
        input->value_cap = input->value_cap == 0 ? 1024 : 2 * input->value_cap;
        input->values = mem_resize(input->values, input->value_cap, sizeof *input->values);
    }
    input->values[input->value_count++] = value;
}

static int load_values(struct input *input, const struct curves *c, struct store *store,
                       struct err *err) {
    struct buf sql = {0};
    struct query q;
    buf_puts(&sql, "SELECT trial, epoch, value FROM curves WHERE metric = ?1 AND trial IN"
                   " (SELECT trial FROM ");
    sweep_view_put_name(&sql, c->sweep);
    buf_puts(&sql, ")");
    int rc = query_open(&q, store, buf_text(&sql), err);
    buf_release(&sql);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&q, 1, c->metric);
    while ((rc = query_next(&q, err)) > 0) {
        struct trial *trial = find_trial(input, query_int(&q, 0));
        if (trial != NULL && trial->counts) {
            trial->has_values = true;
            add_value(input, (struct value){.group = trial->group,
                                            .epoch = (int)query_int(&q, 1),
                                            .replicate = trial->replicate,
                                            .trial = trial->trial,
                                            .value = query_double(&q, 2)});
        }
    }
    query_close(&q);
    if (input->value_count > 0) {
        qsort(input->values, input->value_count, sizeof *input->values, by_place);
    }
    return rc;
}

/* ---- points ---- */

/* Half the interval of the mean over replicates; `values` come ordered by them. */
static double interval_half(const struct value *values, size_t n, double *means) {
    size_t count = 0;
    for (size_t i = 0; i < n;) {
        double sum = 0;
        size_t first = i;
        for (; i < n && values[i].replicate == values[first].replicate; i++) {
            sum += values[i].value;
        }
        means[count++] = sum / (double)(i - first);
    }
    const struct stats over_replicates = stats_of(means, count);
    return stats_ci_half(&over_replicates, STATS_LEVEL);
}

/* Of the `n` values of a group at an epoch; `room` has place for as many. */
static struct curve_point point_of(const struct value *values, size_t n, enum curves_band band,
                                   double *room) {
    struct curve_point point = {.epoch = values[0].epoch,
                                .mean = (double)NAN,
                                .low = (double)NAN,
                                .high = (double)NAN,
                                .n = (int)n};
    double least = values[0].value, most = values[0].value;
    for (size_t i = 0; i < n; i++) {
        point.not_finite += !isfinite(values[i].value);
        least = fmin(least, values[i].value);
        most = fmax(most, values[i].value);
        room[i] = values[i].value;
    }
    if (point.not_finite > 0) {
        return point;
    }
    const struct stats stats = stats_of(room, n);
    double half = (double)NAN;
    point.mean = stats.mean;
    switch (band) {
    case CURVES_BAND_CI:
        half = interval_half(values, n, room);
        break;
    case CURVES_BAND_STD:
        half = stats.std;
        break;
    case CURVES_BAND_MINMAX:
        point.low = least;
        point.high = most;
        return point;
    case CURVES_BAND_NONE:
        break;
    }
    point.low = point.mean - half;
    point.high = point.mean + half;
    return point;
}

static void add_points(struct curve *curve, const struct value *values, size_t n,
                       enum curves_band band) {
    curve->points = mem_zalloc(n + 1, sizeof *curve->points);
    double *room = mem_zalloc(n + 1, sizeof *room);
    for (size_t first = 0, i = 0; first < n; first = i) {
        while (i < n && values[i].epoch == values[first].epoch) {
            i++;
        }
        curve->points[curve->count++] = point_of(&values[first], i - first, band, room);
    }
    free(room);
}

/* A curve a group that has trials, in the order of their first ones; `names` (groups), or NULL: labels. */
static void fill(struct curves *c, const struct input *input, int groups, char *const *names) {
    int *place = mem_zalloc((size_t)groups + 1, sizeof *place); // + 1; 0: none yet
    bool *replicate_seen = mem_zalloc(input->trial_count + 1, sizeof *replicate_seen);
    c->curves = mem_zalloc((size_t)groups + 1, sizeof *c->curves);
    for (size_t i = 0; i < input->trial_count; i++) {
        const struct trial *trial = &input->trials[i];
        if (place[trial->group] == 0) {
            const char *label = trial->label != NULL ? trial->label : "";
            c->curves[c->count] =
                (struct curve){.name = mem_strdup(names != NULL ? names[trial->group] : label)};
            place[trial->group] = ++c->count;
        }
        struct curve *curve = &c->curves[place[trial->group] - 1];
        curve->trials++;
        curve->counted += trial->has_values;
        c->counted += trial->has_values;
        c->unfinished += trial->has_values && trial->state == UNDER_WAY;
        if (trial->has_values && (size_t)trial->replicate < input->trial_count) {
            c->replicates += !replicate_seen[trial->replicate];
            replicate_seen[trial->replicate] = true;
        }
    }
    for (size_t first = 0, i = 0; first < input->value_count; first = i) {
        int group = input->values[first].group;
        while (i < input->value_count && input->values[i].group == group) {
            i++;
        }
        add_points(&c->curves[place[group] - 1], &input->values[first], i - first, c->band);
    }
    free(place);
    free(replicate_seen);
}

/* ---- */

/* The number of the axis; -1 for "label", -2 for "none", as take_trials() has them.  An axis of such a name goes
 * first. */
static int find_by(const struct compare *compare, const char *by, int *found, struct err *err) {
    *found = -2;
    if (by == NULL) {
        *found = compare->axis_count > 0 ? 0 : -2;
        return ERR_OK;
    }
    const struct compare_axis *axis = compare_axis(compare, by, err);
    if (axis != NULL) {
        *found = (int)(axis - compare->axes);
    } else if (strcmp(by, "label") == 0) {
        *found = -1;
    } else if (strcmp(by, "none") != 0) {
        return err->code;
    }
    return ERR_OK;
}

static int load_from(struct curves *c, struct store *store, const struct compare *compare,
                     const struct point_set *set, int by, struct err *err) {
    struct input input = {0};
    take_trials(&input, compare, set, by);
    int rc = load_states(&input, c, store, err);
    rc = rc == ERR_OK ? load_values(&input, c, store, err) : rc;
    if (rc == ERR_OK) {
        char *all[] = {(char[]){"all"}};
        char **names = by == -2 ? all : NULL;
        int groups = by == -2 ? 1 : compare->grid.count;
        if (by >= 0) {
            groups = compare->axes[by].level_count;
            names = mem_zalloc((size_t)groups + 1, sizeof *names);
            for (int l = 0; l < groups; l++) {
                names[l] = compare->axes[by].levels[l].name;
            }
        }
        fill(c, &input, groups, names);
        if (by >= 0) {
            free(names);
        }
    }
    input_release(&input);
    return rc;
}

int curves_load(struct curves *curves, struct store *store, const char *sweep,
                const struct curves_options *options, struct err *err) {
    // The comparison knows which points, axes and metrics there are, and says so when they are not.
    struct compare compare;
    int rc = compare_load(&compare, store, sweep, options->metric, err);
    if (rc != ERR_OK) {
        return rc;
    }
    struct curves c = {.sweep = mem_strdup(sweep),
                       .metric = mem_strdup(compare.metric),
                       .where = options->where != NULL ? mem_strdup(options->where) : NULL,
                       .maximize = compare.metric_maximize,
                       .band = options->band,
                       .under_way = options->under_way};
    struct point_set set = {0};
    int by;
    rc = find_by(&compare, options->by, &by, err);
    if (rc == ERR_OK && options->where != NULL) {
        rc = point_set_parse(&set, &compare, options->where, err);
    }
    if (rc == ERR_OK) {
        c.axis = by >= 0    ? mem_strdup(compare.axes[by].path)
                 : by == -1 ? mem_strdup("label")
                            : NULL;
        rc = load_from(&c, store, &compare, options->where != NULL ? &set : NULL, by, err);
    }
    point_set_release(&set);
    compare_release(&compare);
    if (rc == ERR_OK) {
        *curves = c;
    } else {
        curves_release(&c);
    }
    return rc;
}

int curves_have_values(struct store *store, const char *sweep, bool *have, struct err *err) {
    struct query q;
    int rc = query_open(&q, store,
                        "SELECT EXISTS (SELECT 1 FROM trials t JOIN curves c USING (trial)"
                        " WHERE t.sweep = ?1)",
                        err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_text(&q, 1, sweep);
    rc = query_next(&q, err);
    if (rc > 0) {
        *have = query_int(&q, 0) != 0;
    }
    query_close(&q);
    return rc < 0 ? rc : ERR_OK;
}

void curves_release(struct curves *curves) {
    for (int i = 0; i < curves->count; i++) {
        free(curves->curves[i].name);
        free(curves->curves[i].points);
    }
    free(curves->curves);
    free(curves->sweep);
    free(curves->axis);
    free(curves->metric);
    free(curves->where);
    *curves = (struct curves){0};
}
