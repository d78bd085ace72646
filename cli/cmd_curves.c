#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/cmd.h"
#include "cli/curves_request.h"
#include "cli/find.h"
#include "cli/options.h"
#include "cli/term.h"
#include "results/store.h"

#include <stdlib.h>
#include <string.h>

static const char doc[] =
    "Draws learning curves: for each value of an axis the mean over the complete trials that have "
    "it, epoch by epoch, with a band.\n\n"
    "  besom curves quickstart --by optimizer\n"
    "  besom curves quickstart --by init --metric train_loss --log\n"
    "  besom curves quickstart --by label --where optimizer=adam,activation=relu\n"
    "  besom curves quickstart --metric train_loss,val_loss --band minmax\n"
    "  besom curves quickstart --follow              while it runs, until it ends\n"
    "  besom curves quickstart --format csv          the numbers\n\n"
    "The band is the 95% interval of the mean over replicates, as besom compare has it, where "
    "there are two or more.  While no trial is complete, and with --follow, those under way count, "
    "too: a curve is dotted where not all of its trials have the epoch, and n is how many do.  "
    "Values that are nan or infinite make a gap.  SWEEP is a name or a sweep file; without it, the "
    "one "
    "that ran last.  docs/curves.md has more.\n\nOptions:";

enum { KEY_BAND = 0x3000, KEY_LOG, KEY_LOG_EPOCHS, KEY_TOP };

static const struct argp_option list[] = {
    {"by", 'b', "AXIS", 0,
     "a curve for each value of this axis (the sweep's first); \"label\": for each grid point; "
     "\"none\": one of all",
     1},
    {"metric", 'm', "NAME,...", 0,
     "this metric instead of the sweep's objective; several: a plot for each", 1},
    {"where", 'w', "AXIS=VALUE,...", 0, "only points with these values; of one axis, any of them",
     1},
    {"follow", 'f', NULL, 0,
     "go on while a run is: drawn anew on a terminal, elsewhere a line for each new point", 1},
    {"band", KEY_BAND, "ci|std|minmax|none", 0,
     "the mean's 95% interval (ci), a standard deviation, or the range of the trials", 2},
    {"log", KEY_LOG, NULL, 0, "values on a logarithmic scale", 2},
    {"log-epochs", KEY_LOG_EPOCHS, NULL, 0, "epochs on a logarithmic scale", 2},
    {"top", KEY_TOP, "N", 0, "only the N best curves by their last mean, 0 for all (12)", 2},
    {"height", 'H', "ROWS", 0, "of the plot (16)", 3},
    {"width", 'W', "COLUMNS", 0, "of all of it (the terminal's)", 3},
    {0},
};

static int take_int(const struct argp_state *state, const char *option, const char *arg, int min,
                    int max, const char *wanted) {
    int64_t n;
    if (!num_parse_int(arg, min, max, &n)) {
        options_bad(state, option, arg, wanted);
    }
    return (int)n;
}

static void take_metrics(const struct argp_state *state, struct curves_request *r,
                         const char *arg) {
    for (const char *at = arg;; at++) {
        size_t len = strcspn(at, ",");
        if (len == 0) {
            options_bad(state, "--metric", arg, "a metric's name, or several with commas");
        }
        if (r->metric_count == CURVES_METRICS_MAX) {
            argp_error(state, "more than %d metrics", CURVES_METRICS_MAX);
        }
        r->metric[r->metric_count++] = mem_printf("%.*s", (int)len, at);
        at += len;
        if (*at == '\0') {
            return;
        }
    }
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct curves_request *r = state->input;
    switch (key) {
    case 'b':
        r->by = arg;
        return 0;
    case 'm':
        take_metrics(state, r, arg);
        return 0;
    case 'w':
        r->where = arg;
        return 0;
    case 'f':
        r->follow = true;
        return 0;
    case KEY_BAND:
        if (!curves_parse_band(arg, &r->band)) {
            options_bad(state, "--band", arg, "one of ci, std, minmax, none");
        }
        return 0;
    case KEY_LOG:
        r->plot.log = true;
        return 0;
    case KEY_LOG_EPOCHS:
        r->plot.log_epochs = true;
        return 0;
    case KEY_TOP:
        r->top = take_int(state, "--top", arg, 0, 1000000, "a number of curves");
        return 0;
    case 'H':
        r->plot.height = take_int(state, "--height", arg, 4, 200, "a number of rows from 4 to 200");
        return 0;
    case 'W':
        r->plot.width =
            take_int(state, "--width", arg, 44, 1000, "a number of columns from 44 to 1000");
        return 0;
    case ARGP_KEY_ARG:
        options_take(state, &r->sweep, arg, "sweep");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_points(const struct curves_request *r, const struct curves *curves) {
    struct table *t = table_new();
    curves_put_columns(t, r, curves);
    for (int m = 0; m < r->metric_count; m++) {
        for (int i = 0; i < curves[m].count; i++) {
            const struct curve *curve = &curves[m].curves[i];
            for (int p = 0; p < curve->count; p++) {
                curves_put_point(t, r, &curves[m], curve, &curve->points[p]);
            }
        }
    }
    table_print(t, r->format, stdout);
    table_free(t);
}

static void print(const struct curves_request *r, const struct curves *curves) {
    if (r->format != TABLE_TEXT) {
        print_points(r, curves);
        return;
    }
    struct buf out = {0};
    curves_request_draw(&out, r, curves, r->plot.width > 0 ? r->plot.width : term_width(stdout),
                        r->plot.height);
    (void)fwrite(buf_text(&out), 1, out.len, stdout); // main() looks at ferror(stdout)
    buf_release(&out);
}

static int print_once(const struct curves_request *r) {
    struct store *store;
    int status = cmd_open_store(r->out_dir, &store);
    if (status != EXIT_DONE) {
        return status;
    }
    struct err err;
    struct curves curves[CURVES_METRICS_MAX];
    char *sweep = NULL;
    int rc = find_sweep(store, r->sweep, &sweep, &err);
    rc = rc == ERR_OK ? curves_request_load(r, store, sweep, curves, &err) : rc;
    if (rc == ERR_OK) {
        print(r, curves);
        curves_request_drop(r, curves);
    } else {
        status = cmd_fail(&err);
    }
    free(sweep);
    (void)store_close(store, &err); // a reader has nothing to lose
    return status;
}

int cmd_curves(int argc, char **argv) {
    struct curves_request request = {.top = -1, .plot.height = 16};
    struct options options = {0};
    const struct argp argp = {list, parse, "[SWEEP]", doc, NULL, NULL, NULL};
    options_parse(&argp, OPTION_OUT | OPTION_JSON | OPTION_FORMAT | OPTION_COLOR, argc, argv,
                  &options, &request);
    request.out_dir = options.out;
    request.format = options.format;
    if (request.metric_count == 0) {
        request.metric_count = 1; // NULL: the objective
    }
    int status;
    if (request.follow && request.format == TABLE_MD) {
        fprintf(stderr, "besom: --follow prints text, csv or json\n");
        status = EXIT_MISUSE;
    } else {
        status = request.follow ? curves_follow(&request) : print_once(&request);
    }
    curves_request_release(&request);
    return status;
}
