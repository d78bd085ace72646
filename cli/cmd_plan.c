#include "base/err.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/options.h"
#include "cli/summary.h"
#include "cli/term.h"
#include "results/query.h"
#include "results/table.h"
#include "runner/plan.h"
#include "runner/run.h"
#include "runner/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char doc[] =
    "Shows every trial of a sweep with what a run would do with it (new, done, continue, extend, "
    "failed), counts, and the time it may take.  Checks every config.  Starts and stores "
    "nothing.\n\n"
    "  besom plan sweeps/quickstart.json\n"
    "  besom plan --json sweep.json\n\nOptions:";

struct plan_args {
    const char *sweep;
    bool retry_failed;
};

static const struct argp_option list[] = {
    {"retry-failed", 'r', 0, 0, "plan as if failed trials ran again", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct plan_args *args = state->input;
    switch (key) {
    case 'r':
        args->retry_failed = true;
        return 0;
    case ARGP_KEY_ARG:
        options_take(state, &args->sweep, arg, "sweep");
        return 0;
    case ARGP_KEY_END:
        if (args->sweep == NULL) {
            argp_error(state, "which sweep? besom init writes one to start from");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Mean seconds of an epoch: of this sweep's trials when it has some, else NaN. */
static double seconds_an_epoch(struct store *store, const char *sweep) {
    struct query q;
    struct err ignored; // an estimate: without it the plan is still a plan
    double seconds = NAN;
    if (store != NULL && query_open(&q, store, "SELECT avg(seconds) FROM epochs WHERE sweep = ?1",
                                    &ignored) == ERR_OK) {
        query_bind_text(&q, 1, sweep);
        if (query_next(&q, &ignored) > 0 && !query_is_null(&q, 0)) {
            seconds = query_double(&q, 0);
        }
        query_close(&q);
    }
    return seconds;
}

static void print_estimate(const struct summary *summary, double seconds) {
    char took[32];
    int jobs = run_default_jobs();
    if (summary->epochs_left > 0 && !isnan(seconds)) {
        printf("about %s with %d workers, by the %.2g s that an epoch of this sweep has taken\n",
               term_duration(took, seconds * (double)summary->epochs_left / jobs), jobs, seconds);
    } else if (summary->epochs_left > 0) {
        printf("%lld epochs to train; their time is not known before the first have run\n",
               (long long)summary->epochs_left);
    }
}

int cmd_plan_sweep(const char *path, bool retry_failed, const struct options *options) {
    struct sweep sweep;
    int status = cmd_load_sweep(&sweep, path);
    if (status != EXIT_DONE) {
        return status;
    }
    struct store *store = NULL;
    struct err err;
    int rc = store_open(&store, options->out, STORE_READ, &err);
    if (rc != ERR_OK && rc != ERR_NOT_FOUND) { // nothing there yet: all is new
        sweep_release(&sweep);
        return cmd_fail(&err);
    }
    struct plan plan = {0};
    struct summary summary = {.table = table_new()};
    summary_columns(&summary);
    const struct plan_options plan_options = {
        .out_dir = options->out, .retry_failed = retry_failed, .dry_run = true};
    rc = cmd_make_plan(&plan, &summary, store, &sweep, &plan_options, &err);
    status = rc == ERR_OK ? EXIT_DONE : cmd_fail(&err);
    if (rc == ERR_OK) {
        table_print(summary.table, options->format, stdout);
        if (options->format == TABLE_TEXT) {
            printf("\n");
            summary_print(&summary, &sweep, &plan, stdout);
            print_estimate(&summary, seconds_an_epoch(store, sweep.name));
        }
        plan_release(&plan);
    }
    table_free(summary.table);
    sweep_release(&sweep);
    (void)store_close(store, &err); // a reader has nothing to lose
    return status;
}

int cmd_plan(int argc, char **argv) {
    struct plan_args args = {0};
    struct options options = {0};
    const struct argp argp = {list, parse, "SWEEP", doc, NULL, NULL, NULL};
    options_parse(&argp, OPTION_OUT | OPTION_JSON | OPTION_FORMAT | OPTION_COLOR, argc, argv,
                  &options, &args);
    return cmd_plan_sweep(args.sweep, args.retry_failed, &options);
}
