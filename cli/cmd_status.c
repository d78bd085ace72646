#include "base/err.h"
#include "cli/cmd.h"
#include "cli/find.h"
#include "cli/options.h"
#include "results/query.h"
#include "results/store.h"
#include "results/table.h"

#include <stdlib.h>
#include <string.h>

static const char doc[] =
    "Shows the sweeps of a results folder, or the trials of one sweep.  May be "
    "asked at any time, also while a run is going on.\n\n"
    "  besom status                         the sweeps\n"
    "  besom status quickstart              its trials\n"
    "  besom status quickstart -s failed    those that failed\n\nOptions:";

struct status_args {
    const char *sweep, *status;
};

static const struct argp_option list[] = {
    {"status", 's', "STATUS", 0,
     "only trials that are pending, running, paused, complete, failed, pruned or cancelled", 1},
    {0},
};

static bool is_status(const char *word) {
    for (int i = 0; i < TRIAL_STATUS_COUNT; i++) {
        if (strcmp(trial_status_names[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct status_args *args = state->input;
    switch (key) {
    case 's':
        if (!is_status(arg)) {
            options_bad(state, "--status", arg,
                        "one of pending, running, paused, complete, failed, pruned, cancelled");
        }
        args->status = arg;
        return 0;
    case ARGP_KEY_ARG:
        options_take(state, &args->sweep, arg, "sweep");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool is_text(const char *column) {
    static const char *const names[] = {"sweep",  "best_label", "label",
                                        "status", "error",      "stopped"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(column, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* A table straight from a query: text to the left, numbers to the right. */
static int print_query(struct query *q, enum table_format format, struct err *err) {
    struct table *t = table_new();
    for (int c = 0; c < query_columns(q); c++) {
        table_column(t, query_name(q, c), is_text(query_name(q, c)) ? TABLE_LEFT : TABLE_RIGHT);
    }
    int rc;
    while ((rc = query_next(q, err)) > 0) {
        for (int c = 0; c < query_columns(q); c++) {
            if (query_is_null(q, c)) {
                table_text(t, NULL);
            } else if (query_is_integer(q, c)) {
                table_int(t, query_int(q, c));
            } else if (query_is_number(q, c)) {
                table_number(t, query_double(q, c), 4);
            } else {
                table_text(t, query_text(q, c));
            }
        }
    }
    if (rc == ERR_OK) {
        table_print(t, format, stdout);
    }
    table_free(t);
    return rc;
}

#define ACTUAL_TRIALS "(SELECT *, " CMD_ACTUAL_STATUS("?1") " AS actual FROM trials)"

static const char sweeps_sql[] =
    "SELECT sweep, count(*) AS trials, sum(actual = 'complete') AS complete,"
    " sum(actual = 'running') AS running, sum(actual = 'paused') AS paused,"
    " sum(actual = 'pending') AS pending, sum(actual = 'failed') AS failed,"
    " (SELECT mean FROM leaderboard l WHERE l.sweep = t.sweep AND rank = 1) AS best,"
    " (SELECT label FROM leaderboard l WHERE l.sweep = t.sweep AND rank = 1) AS best_label"
    " FROM " ACTUAL_TRIALS " t GROUP BY sweep ORDER BY min(trial)";

static const char trials_sql[] =
    "SELECT trial, label, replicate, actual AS status, attempts, epochs_done, epochs, best_value,"
    " best_epoch, last_value, seconds, error, stopped FROM " ACTUAL_TRIALS
    " WHERE sweep = ?2 AND (?3 IS NULL OR actual = ?3) ORDER BY trial";

int cmd_status(int argc, char **argv) {
    struct status_args args = {0};
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
    struct query q = {0};
    char *sweep = NULL;
    int rc = ERR_OK;
    if (args.sweep != NULL || args.status != NULL) {
        rc = find_sweep(store, args.sweep, &sweep, &err);
    }
    if (rc == ERR_OK) {
        rc = query_open(&q, store, sweep != NULL ? trials_sql : sweeps_sql, &err);
    }
    if (rc == ERR_OK) {
        query_bind_int(&q, 1, cmd_is_running(options.out));
        if (sweep != NULL) {
            query_bind_text(&q, 2, sweep);
            query_bind_text(&q, 3, args.status);
        }
        rc = print_query(&q, options.format, &err);
        query_close(&q);
    }
    free(sweep);
    struct err ignored;
    (void)store_close(store, &ignored); // a reader has nothing to lose
    return rc == ERR_OK ? EXIT_DONE : cmd_fail(&err);
}
