#include "base/buf.h"
#include "base/err.h"
#include "base/num.h"
#include "cli/cmd.h"
#include "cli/find.h"
#include "cli/options.h"
#include "cli/print.h"
#include "results/compare.h"
#include "results/store.h"

#include <stdlib.h>
#include <string.h>

static const char doc[] =
    "Shows which points of a sweep are best, and what each axis does.\n\n"
    "  besom compare quickstart                  leaderboard and all axes\n"
    "  besom compare quickstart --by optimizer   one axis alone\n"
    "  besom compare quickstart --metric val_loss --format csv\n\n"
    "A trial's value is the best of its epochs.  A point's row is the mean over its replicates "
    "with "
    "the standard deviation and the 95% confidence interval; an axis value's is the mean over all "
    "other axes.  Only complete trials count.  SWEEP is a name or a sweep file; without it, the "
    "one "
    "that ran last.\n\nOptions:";

struct compare_args {
    const char *sweep, *by, *metric;
    int rows;
};

static const struct argp_option list[] = {
    {"by", 'b', "AXIS", 0, "only this axis", 1},
    {"metric", 'm', "NAME", 0, "this metric instead of the sweep's objective", 1},
    {"rows", 'n', "N", 0, "rows of the leaderboard, 0 for all (10)", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct compare_args *args = state->input;
    int64_t n;
    switch (key) {
    case 'b':
        args->by = arg;
        return 0;
    case 'm':
        args->metric = arg;
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
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* One JSON object: the leaderboard and each axis under its path. */
static void print_json(const struct compare *c, const struct compare_args *args) {
    printf("{\"sweep\": \"%s\", \"metric\": \"%s\", \"goal\": \"%s\", \"trials\": %d, "
           "\"complete\": %d, \"failed\": %d,\n\"leaderboard\": ",
           c->sweep, c->metric, c->maximize ? "maximize" : "minimize", c->trials, c->complete,
           c->failed);
    print_leaderboard(c, args->rows, TABLE_JSON, stdout);
    printf(",\n\"axes\": {");
    for (int a = 0; a < c->axis_count; a++) {
        struct buf path = {0};
        buf_json_string(&path, c->axes[a].path, strlen(c->axes[a].path));
        printf("%s%s: ", a > 0 ? ",\n" : "\n", buf_text(&path));
        print_axis(c, &c->axes[a], TABLE_JSON, stdout);
        buf_release(&path);
    }
    printf("}}\n");
}

static int print(const struct compare *c, const struct compare_args *args,
                 enum table_format format) {
    if (args->by != NULL) {
        struct err err;
        const struct compare_axis *axis = compare_axis(c, args->by, &err);
        if (axis == NULL) {
            return cmd_fail(&err);
        }
        print_axis(c, axis, format, stdout);
        return EXIT_DONE;
    }
    if (format == TABLE_JSON) {
        print_json(c, args);
        return EXIT_DONE;
    }
    if (format != TABLE_TEXT) {
        print_leaderboard(c, args->rows, format, stdout);
        return EXIT_DONE;
    }
    printf("%s: %d of %d trials complete%s; best %s of each trial's epochs, %s is better\n\n",
           c->sweep, c->complete, c->trials, c->failed > 0 ? " (some failed)" : "", c->metric,
           c->maximize ? "higher" : "lower");
    print_leaderboard(c, args->rows, format, stdout);
    for (int a = 0; a < c->axis_count; a++) {
        printf("\n");
        print_axis(c, &c->axes[a], format, stdout);
    }
    return EXIT_DONE;
}

int cmd_compare(int argc, char **argv) {
    struct compare_args args = {.rows = 10};
    struct options options = {0};
    const struct argp argp = {list, parse, "[SWEEP]", doc, NULL, NULL, NULL};
    options_parse(&argp, OPTION_OUT | OPTION_JSON | OPTION_FORMAT | OPTION_COLOR, argc, argv,
                  &options, &args);

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
        rc = compare_load(&compare, store, sweep, args.metric, &err);
    }
    status = rc == ERR_OK ? print(&compare, &args, options.format) : cmd_fail(&err);
    compare_release(&compare);
    free(sweep);
    (void)store_close(store, &err); // a reader has nothing to lose
    return status;
}
