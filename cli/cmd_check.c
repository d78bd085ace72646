#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/check_point.h"
#include "cli/check_show.h"
#include "cli/cmd.h"
#include "cli/options.h"
#include "runner/check_plan.h"
#include "runner/check_run.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static const char doc[] =
    "Says whether a trainer resumes: trains a few epochs without interruption, twice, then again "
    "and "
    "again, killed at random moments and at the worst ones (while it saves, right after it told an "
    "epoch), asked to stop, its epochs raised, and resumed until it is done.  Every metric of "
    "every "
    "epoch is compared with the uninterrupted run, bit for bit.\n\n"
    "  besom check sweep.json                       a sweep's trainer, first point\n"
    "  besom check --point 7 --epochs 3 sweep.json\n"
    "  besom check -- ./train.py                    any command\n"
    "  besom check --config c.json -- ./train.py {optimizer.lr} {checkpoint_dir}\n"
    "  besom check --tolerance 1e-6 -- ./train.py   rounding may differ\n\n"
    "Prints a word and a sentence: exact, equal-within, starts-over, tells-once, "
    "does-not-resume, skips-epochs, "
    "repeats-epochs, dies, hangs, not-deterministic or fails.  Exit status 0 for exact and for "
    "equal "
    "within the tolerance, else 1.  It works in a temporary folder, and no results are "
    "touched.\n\nOptions:";

enum {
    KEY_POINT = 0x2000,
    KEY_TRIAL,
    KEY_CONFIG,
    KEY_EPOCHS,
    KEY_ROUNDS,
    KEY_SEED,
    KEY_TOLERANCE,
    KEY_TIMEOUT,
    KEY_KEEP,
    KEY_NO_EXTEND
};

struct check_args {
    struct check_request request;
    int64_t rounds, seed, jobs; // seed -1: drawn
    double tolerance, timeout_s;
    bool keep;
    char **command; // owned array of borrowed words
    int words;
};

static const struct argp_option list[] = {
    {"point", KEY_POINT, "N", 0, "which point of the sweep, as besom plan lists them (1)", 1},
    {"trial", KEY_TRIAL, "TRIAL", 0, "the config of a trial of the results folder", 1},
    {"config", KEY_CONFIG, "FILE", 0, "the config of a command (an empty one)", 1},
    {"epochs", KEY_EPOCHS, "N", 0, "epochs to train (what the config has, 6 at most)", 2},
    {"rounds", KEY_ROUNDS, "N", 0, "trainings to interrupt (6 to 16, by the time that one takes)",
     2},
    {"seed", KEY_SEED, "S", 0, "draws the moments; the same seed, the same draw (a new one)", 2},
    {"jobs", 'j', "N", 0, "rounds at a time (1)", 2},
    {"tolerance", KEY_TOLERANCE, "E", 0,
     "relative difference that is good enough (0: the same bits)", 3},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0,
     "for an attempt (30 and ten times the uninterrupted run; for that one, none)", 3},
    {"no-extend", KEY_NO_EXTEND, 0, 0, "do not raise its epochs", 3},
    {"keep", KEY_KEEP, 0, 0, "keep the folder of the check, and say where it is", 4},
    {0},
};

/* ---- options ---- */

static int64_t integer(const struct argp_state *state, const char *option, const char *arg,
                       int64_t min, int64_t max) {
    int64_t n;
    if (!num_parse_int(arg, min, max, &n)) {
        char wanted[80];
        snprintf(wanted, sizeof wanted, "a number from %lld to %lld", (long long)min,
                 (long long)max);
        options_bad(state, option, arg, wanted);
    }
    return n;
}

static double positive(const struct argp_state *state, const char *option, const char *arg,
                       bool or_zero) {
    double value;
    if (!num_parse(arg, &value) || !isfinite(value) || value < 0.0 || (value == 0.0 && !or_zero)) {
        options_bad(state, option, arg, or_zero ? "a number from 0" : "a number above 0");
    }
    return value;
}

/* Before "--" it is a sweep file, behind it a word of the command. */
static void take_word(struct check_args *args, char *arg, const struct argp_state *state) {
    bool quoted = state->quoted > 0 && state->next > state->quoted;
    if (quoted) {
        args->command = mem_resize(args->command, (size_t)args->words + 2, sizeof *args->command);
        args->command[args->words++] = arg;
        args->command[args->words] = NULL;
    } else if (args->request.sweep != NULL) {
        argp_error(state, "one sweep at a time: \"%s\" is too much; a command comes after --", arg);
    } else {
        args->request.sweep = arg;
    }
}

static void settle(struct check_args *args, const struct argp_state *state) {
    struct check_request *r = &args->request;
    r->command = args->command;
    if (r->sweep == NULL && r->command == NULL) {
        argp_error(state, "which trainer? besom check SWEEP, or besom check -- COMMAND...");
    } else if (r->sweep != NULL && r->command != NULL) {
        argp_error(state, "a sweep or a command, not both: \"%s\"", r->sweep);
    } else if (r->command != NULL && (r->point != 0 || r->trial != NULL)) {
        argp_error(state, "--point and --trial belong to a sweep; a command has --config");
    } else if (r->sweep != NULL && r->config != NULL) {
        argp_error(state, "--config belongs to a command; a sweep has --point and --trial");
    } else if (r->point != 0 && r->trial != NULL) {
        argp_error(state, "--point or --trial, not both");
    }
    r->point = r->point == 0 ? 1 : r->point;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct check_args *args = state->input;
    switch (key) {
    case KEY_POINT:
        args->request.point = integer(state, "--point", arg, 1, INT64_MAX);
        return 0;
    case KEY_TRIAL:
        args->request.trial = arg;
        return 0;
    case KEY_CONFIG:
        args->request.config = arg;
        return 0;
    case KEY_EPOCHS:
        args->request.epochs = (int)integer(state, "--epochs", arg, 1, 1000000);
        return 0;
    case KEY_ROUNDS:
        args->rounds = integer(state, "--rounds", arg, 1, CHECK_ROUNDS_LIMIT);
        return 0;
    case KEY_SEED:
        args->seed = integer(state, "--seed", arg, 0, INT64_C(9007199254740991));
        return 0;
    case 'j':
        args->jobs = integer(state, "--jobs", arg, 1, CHECK_JOBS_MAX);
        return 0;
    case KEY_TOLERANCE:
        args->tolerance = positive(state, "--tolerance", arg, true);
        return 0;
    case KEY_TIMEOUT:
        args->timeout_s = positive(state, "--timeout", arg, false);
        return 0;
    case KEY_KEEP:
        args->keep = true;
        return 0;
    case KEY_NO_EXTEND:
        args->request.no_extend = true;
        return 0;
    case ARGP_KEY_ARG:
        take_word(args, arg, state);
        return 0;
    case ARGP_KEY_END:
        settle(args, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the check ---- */

/* Short enough to be typed again. */
static int64_t draw_seed(void) {
    uint32_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) {
        seed = (uint32_t)getpid(); // as the machine boots
    }
    return seed % 1000000;
}

static int make_folder(char **dir) {
    const char *tmp = getenv("TMPDIR");
    struct err err;
    char *made = mem_printf("%s/besom-check.XXXXXX", tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
    *dir = mkdtemp(made) == NULL ? NULL : realpath(made, NULL);
    if (*dir == NULL) {
        (void)err_io(&err, errno, "make a temporary folder %s", made);
        free(made);
        return cmd_fail(&err);
    }
    free(made);
    return EXIT_DONE;
}

/* The first words, before anything is read. */
static void greet(const struct check_args *args) {
    const struct check_request *r = &args->request;
    struct buf text = {0};
    for (int i = 0; i < args->words; i++) {
        buf_printf(&text, "%s%s", i > 0 ? " " : "", args->command[i]);
    }
    fprintf(stderr, "does %s%s resume? (seed %lld; Ctrl-C ends the check)\n",
            r->command == NULL ? "the trainer of " : "",
            r->command == NULL ? r->sweep : buf_text(&text), (long long)args->seed);
    buf_release(&text);
}

static void show(const struct check_result *result, const struct check_args *args,
                 const struct options *options) {
    if (options->format == TABLE_JSON) {
        check_show_json(result, (uint64_t)args->seed, stdout);
    } else {
        check_show_verdict(result, stdout);
    }
}

static int run_in(const char *dir, const struct check_point *point, const struct check_args *args,
                  const struct options *options) {
    const struct check_options check = {.dir = dir,
                                        .trainer = point->trainer,
                                        .config = point->config,
                                        .config_extend = point->config_extend,
                                        .extend_from = point->extend_from,
                                        .seed = point->seed,
                                        .epochs = point->epochs,
                                        .epochs_promised = point->epochs_promised,
                                        .rounds = (int)args->rounds,
                                        .draw_seed = (uint64_t)args->seed,
                                        .tolerance = args->tolerance,
                                        .timeout_s = args->timeout_s,
                                        .jobs = (int)args->jobs,
                                        .keep = args->keep};
    struct check_result result;
    struct err err;
    int rc = check_run(&check, options->quiet ? NULL : check_show_event, NULL, &result, &err);
    if (rc != ERR_OK) {
        return cmd_fail(&err);
    }
    int status = check_resume_passed(&result.judge) ? EXIT_DONE : EXIT_TRIAL_FAILED;
    if (result.signal != 0) {
        fprintf(stderr, "besom: stopped, without a verdict\n");
        status = EXIT_SIGNAL + result.signal;
    } else {
        show(&result, args, options);
    }
    check_resume_release(&result.judge);
    return status;
}

static int check_in_folder(const struct check_point *point, const struct check_args *args,
                           const struct options *options) {
    char *dir;
    int status = make_folder(&dir);
    if (status != EXIT_DONE) {
        return status;
    }
    status = run_in(dir, point, args, options);
    if (args->keep) {
        fprintf(stderr, "kept: %s\n", dir);
    } else {
        check_remove_tree(dir);
    }
    free(dir);
    return status;
}

int cmd_check(int argc, char **argv) {
    struct check_args args = {.seed = -1, .jobs = 1};
    struct options options = {0};
    const struct argp argp = {list, parse, "SWEEP\n-- COMMAND...", doc, NULL, NULL, NULL};
    options_parse(&argp, OPTION_OUT | OPTION_JSON | OPTION_COLOR | OPTION_QUIET, argc, argv,
                  &options, &args);
    (void)signal(SIGPIPE, SIG_IGN); // trainers are ended in any case
    args.seed = args.seed < 0 ? draw_seed() : args.seed;
    args.request.out_dir = options.out;
    if (!options.quiet) {
        greet(&args);
    }
    struct check_point point;
    int status = check_point_load(&point, &args.request);
    if (status == EXIT_DONE) {
        status = check_in_folder(&point, &args, &options);
    }
    check_point_release(&point);
    free(args.command);
    return status;
}
