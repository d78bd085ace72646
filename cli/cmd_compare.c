#include "base/buf.h"
#include "base/err.h"
#include "base/num.h"
#include "cli/cmd.h"
#include "cli/find.h"
#include "cli/options.h"
#include "cli/print.h"
#include "cli/print_effect.h"
#include "cli/print_given.h"
#include "results/compare.h"
#include "results/compare_effect.h"
#include "results/compare_json.h"
#include "results/compare_pair.h"
#include "results/importance.h"
#include "results/point_set.h"
#include "results/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char doc[] =
    "Shows which points of a sweep are best, what each axis does, and what of it the seeds make "
    "certain.\n\n"
    "  besom compare quickstart                  the leaderboard, and all axes\n"
    "  besom compare quickstart --by optimizer   each value against the best\n"
    "  besom compare quickstart --by optimizer --given activation\n"
    "  besom compare quickstart --a optimizer=adam,init=he_normal --b optimizer=sgd\n"
    "  besom compare quickstart --a 1 --b 2      the first two of the leaderboard\n"
    "  besom compare quickstart --at last        a trial's last epoch, not its best\n"
    "  besom compare quickstart --reach 0.8 --unit seconds\n"
    "  besom compare quickstart --metric val_loss --format csv\n\n"
    "A trial's value is the best of its epochs, or what --at or --reach say.  A point's row is the "
    "mean "
    "over its replicates with the standard deviation and the 95% confidence interval; an axis "
    "value's "
    "is the mean over all other axes.  Differences are taken seed by seed and tested, with Holm's "
    "correction.  Only complete trials count.  SWEEP is a name or a sweep file; without it, the "
    "one "
    "that ran last.  docs/compare.md says what each figure means.\n\nOptions:";

struct compare_args {
    const char *sweep, *by, *given, *metric, *a, *b, *at, *reach, *unit;
    int rows;
};

enum { KEY_A = 0x2000, KEY_B, KEY_AT, KEY_REACH, KEY_UNIT };

static const struct argp_option list[] = {
    {"by", 'b', "AXIS", 0, "only this axis: each of its values against the best", 1},
    {"given", 'g', "AXIS2", 0, "with --by: for each value of AXIS2, as a table", 1},
    {"a", KEY_A, "POINTS", 0,
     "with --b: two sets of points, AXIS=VALUE,... or a rank, against each other", 1},
    {"b", KEY_B, "POINTS", 0, "what --a is set against", 1},
    {"metric", 'm', "NAME", 0, "this metric instead of the sweep's objective", 2},
    {"at", KEY_AT, "WHAT", 0,
     "a trial's value: best, last, an epoch's number, or auc, the mean height of its curve (best)",
     2},
    {"reach", KEY_REACH, "VALUE", 0, "how long until the metric is as good as VALUE", 2},
    {"unit", KEY_UNIT, "epochs|seconds", 0, "of --reach (epochs)", 2},
    {"rows", 'n', "N", 0, "rows of the leaderboard, 0 for all (10)", 3},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct compare_args *args = state->input;
    int64_t n;
    switch (key) {
    case 'b':
        args->by = arg;
        return 0;
    case 'g':
        args->given = arg;
        return 0;
    case KEY_A:
        args->a = arg;
        return 0;
    case KEY_B:
        args->b = arg;
        return 0;
    case 'm':
        args->metric = arg;
        return 0;
    case KEY_AT:
        args->at = arg;
        return 0;
    case KEY_REACH:
        args->reach = arg;
        return 0;
    case KEY_UNIT:
        args->unit = arg;
        return 0;
    case 'n':
        if (!num_parse_int(arg, 0, 1000000000, &n)) {
            options_bad(state, "--rows", arg, "a number of rows");
        }
        args->rows = (int)n;
        return 0;
    case ARGP_KEY_ARG:
        options_take(state, &args->sweep, arg, "sweep");
        return 0;
    case ARGP_KEY_END:
        if ((args->a == NULL) != (args->b == NULL)) {
            argp_error(state, "--a and --b go together");
        }
        if (args->given != NULL && args->by == NULL) {
            argp_error(state, "--given goes with --by");
        }
        if (args->a != NULL && args->by != NULL) {
            argp_error(state, "--a and --b do not go with --by");
        }
        if (args->at != NULL && args->reach != NULL) {
            argp_error(state, "--at and --reach are two ways to judge a trial: one at a time");
        }
        if (args->unit != NULL && args->reach == NULL) {
            argp_error(state, "--unit goes with --reach");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What a trial is judged by; false when an option says nothing that could be. */
static bool choose_value(const struct compare_args *args, struct trial_value *value) {
    *value = (struct trial_value){.at = TRIAL_VALUE_BEST};
    if (args->at != NULL && !trial_value_parse(args->at, value)) {
        fprintf(stderr, "besom: --at: \"%s\" is not one of best, last, auc, or an epoch's number\n",
                args->at);
        return false;
    }
    if (args->reach == NULL) {
        return true;
    }
    value->at = TRIAL_VALUE_REACH_EPOCHS;
    if (!num_parse(args->reach, &value->target) || !isfinite(value->target)) {
        fprintf(stderr, "besom: --reach: \"%s\" is not a number\n", args->reach);
        return false;
    }
    if (args->unit != NULL && strcmp(args->unit, "seconds") == 0) {
        value->at = TRIAL_VALUE_REACH_SECONDS;
    } else if (args->unit != NULL && strcmp(args->unit, "epochs") != 0) {
        fprintf(stderr, "besom: --unit: \"%s\" is not one of epochs, seconds\n", args->unit);
        return false;
    }
    return true;
}

/* ---- what was asked for ---- */

static void print_heading(const struct compare *c) {
    struct buf what = {0};
    trial_value_describe(&what, &c->what, c->metric, c->metric_maximize);
    printf("%s: %d of %d trials complete%s\n", c->sweep, c->complete + c->unvalued, c->trials,
           c->failed > 0 ? " (some failed)" : "");
    printf("%s; %s is better\n", buf_text(&what), c->maximize ? "higher" : "lower");
    buf_release(&what);
    if (trial_value_is_reach(&c->what)) {
        printf("%d of the %d complete ones get there; means are over those that do, and say\n"
               "little where others do not\n",
               c->reached, c->complete);
    }
    if (c->unvalued > 0) {
        printf("%d trial%s complete, but without a value there: counted as missing\n", c->unvalued,
               c->unvalued == 1 ? " is" : "s are");
    }
    printf("\n");
}

static bool has_seeds(const struct compare *c) {
    for (int i = 0; i < c->point_count; i++) {
        if (c->points[i].complete > 1) {
            return true;
        }
    }
    return false;
}

static void print_all(const struct compare *c, int rows) {
    print_heading(c);
    print_leaderboard(c, rows, TABLE_TEXT, stdout);
    if (has_seeds(c)) {
        printf("  Points of a group are not told from its first: paired t test over the seeds,\n"
               "  corrected for all pairs of points (Holm, 5%%).\n");
    } else {
        printf("\n");
        print_one_seed(c, stdout);
    }
    for (int a = 0; a < c->axis_count; a++) {
        printf("\n");
        print_axis(c, &c->axes[a], TABLE_TEXT, stdout);
    }
    struct importance importance;
    if (importance_init(&importance, c)) {
        printf("\n");
        print_importance(c, &importance, stdout);
        importance_release(&importance);
    }
}

static int print_two(const struct compare *c, const struct compare_args *args,
                     enum table_format format) {
    struct err err;
    struct point_set a = {0}, b = {0};
    int rc = point_set_parse(&a, c, args->a, &err);
    rc = rc == ERR_OK ? point_set_parse(&b, c, args->b, &err) : rc;
    if (rc == ERR_OK && memcmp(a.has, b.has, (size_t)c->grid.count * sizeof *a.has) == 0) {
        rc = err_set(&err, ERR_RANGE, "\"%s\" and \"%s\" are the same points", args->a, args->b);
    }
    if (rc == ERR_OK) {
        struct compare_difference difference;
        for (int i = 0; i < c->axis_total; i++) {
            a.named[i] = a.named[i] || b.named[i];
        }
        compare_difference(&difference, c, &(struct compare_sides){a.has, b.has, a.named});
        if (format == TABLE_TEXT) {
            print_heading(c);
        }
        print_pair(c, &difference, (const char *const[2]){args->a, args->b}, format, stdout);
    }
    point_set_release(&a);
    point_set_release(&b);
    return rc == ERR_OK ? EXIT_DONE : cmd_fail(&err);
}

static int print_by(const struct compare *c, const struct compare_args *args,
                    enum table_format format) {
    struct err err;
    const struct compare_axis *axis = compare_axis(c, args->by, &err);
    const struct compare_axis *given =
        axis == NULL || args->given == NULL ? axis : compare_axis(c, args->given, &err);
    if (given == NULL) {
        return cmd_fail(&err);
    }
    if (args->given != NULL && given == axis) {
        (void)err_set(&err, ERR_RANGE, "--given \"%s\" is the axis of --by", args->given);
        return cmd_fail(&err);
    }
    if (format == TABLE_TEXT) {
        print_heading(c);
    }
    if (given != axis) {
        print_given(c, (int)(axis - c->axes), (int)(given - c->axes), format, stdout);
        return EXIT_DONE;
    }
    if (format == TABLE_TEXT) {
        print_axis(c, axis, format, stdout);
        printf("\n");
    }
    struct compare_effect effect;
    compare_effect_init(&effect, c, (int)(axis - c->axes), -1, 0);
    print_effect(c, &effect, format, stdout);
    compare_effect_release(&effect);
    return EXIT_DONE;
}

static int print(struct compare *c, const struct compare_args *args, enum table_format format) {
    if (args->a != NULL) {
        return print_two(c, args, format);
    }
    if (args->by != NULL) {
        return print_by(c, args, format);
    }
    compare_group(c);
    if (format == TABLE_JSON) {
        struct buf json = {0};
        compare_put_json(&json, c, args->rows);
        (void)fwrite(buf_text(&json), 1, json.len, stdout); // main() looks at ferror(stdout)
        buf_release(&json);
    } else if (format == TABLE_TEXT) {
        print_all(c, args->rows);
    } else {
        print_leaderboard(c, args->rows, format, stdout);
    }
    return EXIT_DONE;
}

int cmd_compare(int argc, char **argv) {
    struct compare_args args = {.rows = 10};
    struct options options = {0};
    struct compare_options what = {0};
    const struct argp argp = {list, parse, "[SWEEP]", doc, NULL, NULL, NULL};
    options_parse(&argp, OPTION_OUT | OPTION_JSON | OPTION_FORMAT | OPTION_COLOR, argc, argv,
                  &options, &args);
    if (!choose_value(&args, &what.what)) {
        return EXIT_MISUSE;
    }
    what.metric = args.metric;

    struct store *store;
    int status = cmd_open_store(options.out, &store);
    if (status != EXIT_DONE) {
        return status;
    }
    struct err err;
    struct compare compare = {0};
    char *sweep = NULL;
    int rc = find_sweep(store, args.sweep, &sweep, &err);
    if (rc == ERR_OK) {
        rc = compare_load_by(&compare, store, sweep, &what, &err);
    }
    status = rc == ERR_OK ? print(&compare, &args, options.format) : cmd_fail(&err);
    compare_release(&compare);
    free(sweep);
    (void)store_close(store, &err); // a reader has nothing to lose
    return status;
}
