#include "cli/cmd.h"
#include "cli/options.h"
#include "verify/verify.h"

#include <limits.h>
#include <stdlib.h>

static const char doc[] =
    "Holds a results folder to what besom promises: every row of results.db against the others, "
    "and the "
    "trials' folders with their checkpoints against the rows.  Changes nothing; may be asked at "
    "any time, also "
    "during a run, whose trials under way are then judged leniently.\n\n"
    "  besom verify                  besom-out\n"
    "  besom verify -o DIR --json\n\n"
    "Exit status: 0 all invariants hold, 1 some do not, 74 the folder cannot be read.\n\nOptions:";

struct verify_args {
    int show;
};

static const struct argp_option list[] = {
    {"show", 's', "N", 0, "violations shown of each invariant (10); the rest is counted", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct verify_args *args = state->input;
    char *end;
    long number;
    switch (key) {
    case 's':
        number = strtol(arg, &end, 10);
        if (*arg == '\0' || *end != '\0' || number < 0 || number > INT_MAX / 2) {
            options_bad(state, "--show", arg, "a count");
        }
        args->show = (int)number;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_verify(int argc, char **argv) {
    struct verify_args args = {.show = 10};
    struct options options = {0};
    const struct argp argp = {list, parse, NULL, doc, NULL, NULL, NULL};
    options_parse(&argp, OPTION_OUT | OPTION_JSON, argc, argv, &options, &args);

    struct verify_report *report;
    enum verify_outcome outcome = verify_folder(&report, options.out, args.show);
    int status = outcome == VERIFY_HOLDS ? EXIT_DONE : EXIT_TRIAL_FAILED;
    if (outcome == VERIFY_UNREADABLE || outcome == VERIFY_NO_FOLDER) {
        fprintf(stderr, "besom: %s\n", verify_message(report));
        status = outcome == VERIFY_UNREADABLE ? EXIT_STORAGE : EXIT_MISUSE;
    } else if (options.format == TABLE_JSON) {
        verify_print_json(report, stdout);
    } else {
        verify_print(report, stdout);
    }
    verify_free(report);
    return status;
}
