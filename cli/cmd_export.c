#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/find.h"
#include "cli/options.h"
#include "cli/out_file.h"
#include "results/export.h"
#include "results/store.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const char doc[] =
    "Writes a sweep for other programs: CSV, lines of JSON, or a study of Optuna's.\n\n"
    "  besom export quickstart                   a row a trial, CSV, on stdout\n"
    "  besom export quickstart -o trials.jsonl   the format by the file's name\n"
    "  besom export quickstart --what curves -o curves.csv\n"
    "  besom export quickstart -o study.db       for Optuna and its dashboard\n"
    "  besom export first second -o study.db     a study for each\n\n"
    "A file gets its name when it is complete; one that is there is replaced with --force only.  "
    "Made during a run it has what is there.  SWEEP is a name or a sweep file; without it, the one "
    "that ran last.  docs/export.md has the columns.\n\nOptions:";

enum format { FORMAT_CSV, FORMAT_JSONL, FORMAT_OPTUNA, FORMAT_COUNT };
static const char *const format_names[FORMAT_COUNT] = {"csv", "jsonl", "optuna"};

enum { SWEEPS_MAX = 256, KEY_FORCE = 0x2000, KEY_AT };

struct export_args {
    const char *sweep[SWEEPS_MAX];
    int sweep_count;
    const char *file; // NULL: standard output
    int format;       // -1: by the file's name
    bool curves, last, force;
    bool told_what, told_at;
};

static const struct argp_option list[] = {
    {"format", 'f', "csv|jsonl|optuna", 0,
     "what to write (by the end of FILE's name: .csv, .jsonl, .db; else csv)", 1},
    {"what", 'w', "trials|curves", 0,
     "of csv and jsonl: a row a trial, or a metric of an epoch (trials)", 1},
    {"at", KEY_AT, "best|last", 0, "of optuna: what a trial's value is (best)", 1},
    {"output", 'o', "FILE", 0, "where it goes; - is standard output, which optuna cannot use", 1},
    {"force", KEY_FORCE, 0, 0, "replace a file that is there", 1},
    {0},
};

/* Which of `names` a word is; otherwise complains and leaves. */
static int choose(const struct argp_state *state, const char *option, const char *word,
                  const char *const *names, int count) {
    for (int i = 0; i < count; i++) {
        if (strcmp(word, names[i]) == 0) {
            return i;
        }
    }
    struct buf text = {0};
    diag_suggest(&text, word, names, (size_t)count);
    argp_error(state, "%s: unknown \"%s\"%s", option, word, buf_text(&text));
    exit(EXIT_MISUSE); // argp_error() has left already
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct export_args *args = state->input;
    switch (key) {
    case 'f':
        args->format = choose(state, "--format", arg, format_names, FORMAT_COUNT);
        return 0;
    case 'w':
        args->curves = choose(state, "--what", arg, (const char *const[]){"trials", "curves"}, 2);
        args->told_what = true;
        return 0;
    case KEY_AT:
        args->last = choose(state, "--at", arg, (const char *const[]){"best", "last"}, 2);
        args->told_at = true;
        return 0;
    case 'o':
        if (arg[0] == '\0') {
            options_bad(state, "--output", arg, "a file");
        }
        args->file = strcmp(arg, "-") == 0 ? NULL : arg;
        return 0;
    case KEY_FORCE:
        args->force = true;
        return 0;
    case ARGP_KEY_ARG:
        if (args->sweep_count == SWEEPS_MAX) {
            argp_error(state, "more than %d sweeps", SWEEPS_MAX);
        }
        args->sweep[args->sweep_count++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum format format_by_name(const char *file) {
    static const struct {
        const char *end;
        enum format format;
    } known[] = {{".jsonl", FORMAT_JSONL},   {".ndjson", FORMAT_JSONL},   {".db", FORMAT_OPTUNA},
                 {".sqlite", FORMAT_OPTUNA}, {".sqlite3", FORMAT_OPTUNA}, {".csv", FORMAT_CSV}};
    const char *end = file != NULL ? strrchr(file, '.') : NULL;
    for (size_t i = 0; end != NULL && i < sizeof known / sizeof *known; i++) {
        if (strcasecmp(end, known[i].end) == 0) {
            return known[i].format;
        }
    }
    return FORMAT_CSV;
}

/* What does not go together; false after a complaint. */
static bool check(const struct export_args *args) {
    const char *wrong = NULL;
    if (args->format == FORMAT_OPTUNA && args->file == NULL) {
        wrong = "optuna is a database, which needs a file: -o FILE";
    } else if (args->format == FORMAT_OPTUNA && args->told_what) {
        wrong = "--what goes with csv and jsonl: a study of Optuna's has trials and curves";
    } else if (args->format != FORMAT_OPTUNA && args->told_at) {
        wrong = "--at goes with optuna: the rows have best and last";
    } else if (args->format != FORMAT_OPTUNA && args->sweep_count > 1) {
        wrong = "one sweep at a time, but for optuna: their columns differ";
    }
    if (wrong != NULL) {
        fprintf(stderr, "besom: %s\n", wrong);
    }
    return wrong == NULL;
}

/* results.db is nobody's to replace, nor is a database that somebody has left a log beside: SQLite would put it into the
 * new one. */
static int check_file(const struct export_args *args, const char *out_dir, struct err *err) {
    static const char *const ends[] = {"", "-wal", "-journal"};
    struct stat there, store;
    char *real = realpath(args->file, NULL);
    char *db = mem_printf("%s/results.db", out_dir);
    int rc = ERR_OK;
    if (stat(args->file, &there) == 0 && stat(db, &store) == 0 && there.st_ino == store.st_ino &&
        there.st_dev == store.st_dev) {
        rc = err_set(err, ERR_RANGE, "%s is where the results themselves are", args->file);
    }
    for (int i = 1; i < 3 && rc == ERR_OK && args->format == FORMAT_OPTUNA; i++) {
        char *log = mem_printf("%s%s", real != NULL ? real : args->file, ends[i]);
        if (access(log, F_OK) == 0) {
            rc = err_set(err, ERR_RANGE, "%s is there: a program has %s open, or was killed in it",
                         log, args->file);
        }
        free(log);
    }
    if (rc == ERR_OK && args->format == FORMAT_OPTUNA && stat(args->file, &there) == 0 &&
        !S_ISREG(there.st_mode) && !S_ISDIR(there.st_mode)) {
        rc = err_set(err, ERR_RANGE, "%s: optuna is a database, which needs a regular file",
                     args->file);
    }
    free(db);
    free(real);
    return rc;
}

static int write_rows(FILE *out, const char *name, const struct export_args *args,
                      struct store *store, const char *sweep, bool active, int64_t *rows,
                      struct err *err) {
    const struct export_options options = {.what = args->curves ? EXPORT_CURVES : EXPORT_TRIALS,
                                           .json = args->format == FORMAT_JSONL,
                                           .active = active};
    return export_rows(out, name, store, sweep, &options, rows, err);
}

static void tell(const struct export_args *args, char *const *sweeps, int count, int64_t rows) {
    if (args->format != FORMAT_OPTUNA) {
        fprintf(stderr, "%s: %lld row%s of %s\n", args->file, (long long)rows, rows == 1 ? "" : "s",
                sweeps[0]);
        return;
    }
    fprintf(stderr, "%s: %lld trial%s of %s%s, for Optuna\n  optuna-dashboard sqlite:///%s\n",
            args->file, (long long)rows, rows == 1 ? "" : "s", sweeps[0],
            count > 1 ? " and others" : "", args->file);
}

static int export_to_file(const struct export_args *args, const struct options *options,
                          struct store *store, char *const *sweeps, int count, struct err *err) {
    struct out_file file;
    bool active = cmd_is_running(options->out);
    int64_t rows = 0;
    int rc = check_file(args, options->out, err);
    rc = rc == ERR_OK ? out_file_open(&file, args->file, args->force, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    if (args->format == FORMAT_OPTUNA) {
        const struct export_optuna_options optuna = {
            .version = cmd_version(), .last = args->last, .active = active};
        rc =
            export_optuna(file.tmp, store, (const char *const *)sweeps, count, &optuna, &rows, err);
    } else {
        rc = write_rows(file.out, args->file, args, store, sweeps[0], active, &rows, err);
    }
    rc = rc == ERR_OK ? out_file_commit(&file, err) : rc;
    out_file_close(&file);
    if (rc == ERR_OK) {
        tell(args, sweeps, count, rows);
    }
    return rc;
}

static int check_twice(char *const *sweeps, int count, struct err *err) {
    for (int i = 0; i + 1 < count; i++) {
        if (strcmp(sweeps[i], sweeps[count - 1]) == 0) {
            return err_set(err, ERR_RANGE, "the sweep \"%s\" is named twice", sweeps[i]);
        }
    }
    return ERR_OK;
}

/* `count` of them are on the heap, also after a failure. */
static int find_sweeps(const struct export_args *args, struct store *store, char **sweeps,
                       int *count, struct err *err) {
    int wanted = args->sweep_count > 0 ? args->sweep_count : 1;
    int rc = ERR_OK;
    *count = 0;
    while (*count < wanted && rc == ERR_OK) {
        const char *word = args->sweep_count > 0 ? args->sweep[*count] : NULL;
        rc = find_sweep(store, word, &sweeps[*count], err);
        if (rc == ERR_OK) {
            ++*count;
            rc = check_twice(sweeps, *count, err);
        }
    }
    return rc;
}

static int export_sweeps(const struct export_args *args, const struct options *options,
                         struct store *store) {
    char *sweeps[SWEEPS_MAX];
    int count;
    int64_t rows;
    struct err err;
    int rc = find_sweeps(args, store, sweeps, &count, &err);
    if (rc == ERR_OK && args->file == NULL) {
        rc = write_rows(stdout, "standard output", args, store, sweeps[0],
                        cmd_is_running(options->out), &rows, &err);
    } else if (rc == ERR_OK) {
        rc = export_to_file(args, options, store, sweeps, count, &err);
    }
    for (int i = 0; i < count; i++) {
        free(sweeps[i]);
    }
    if (rc != ERR_OK && ferror(stdout)) {
        return EXIT_STORAGE; // main() says it
    }
    return rc == ERR_OK ? EXIT_DONE : cmd_fail(&err);
}

int cmd_export(int argc, char **argv) {
    struct export_args args = {.format = -1};
    struct options options = {0};
    const struct argp argp = {list, parse, "[SWEEP...]", doc, NULL, NULL, NULL};
    options_parse(&argp, OPTION_OUT_LONG, argc, argv, &options, &args);
    args.format = args.format < 0 ? (int)format_by_name(args.file) : args.format;
    if (!check(&args)) {
        return EXIT_MISUSE;
    }
    struct store *store;
    int status = cmd_open_store(options.out, &store);
    if (status != EXIT_DONE) {
        return status;
    }
    struct err err;
    status = export_sweeps(&args, &options, store);
    (void)store_close(store, &err); // a reader has nothing to lose
    return status;
}
