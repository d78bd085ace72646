/* besom - sweeps a grid of hyperparameters over a pool of trainers. */
#include "base/buf.h"
#include "base/diag.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cli/cmd.h"

#include <argp.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "besom " BESOM_VERSION;

const struct cmd cmds[] = {
    {"run", cmd_run, "run what is not done of a sweep; again to resume"},
    {"init", cmd_init, "write a commented sweep file to start from"},
    {"plan", cmd_plan, "show what a run would do, and start nothing"},
    {"status", cmd_status, "sweeps and their trials, also during a run"},
    {"compare", cmd_compare, "the leaderboard, and what each axis does"},
    {"curves", cmd_curves, "learning curves in the terminal"},
    {"report", cmd_report, "one page with curves, tables and layers, for a browser"},
    {"serve", cmd_serve, "the same page live, at 127.0.0.1, while a run goes on"},
    {"export", cmd_export, "a sweep as CSV, JSON lines or a study of Optuna's"},
    {"show", cmd_show, "all of one trial"},
    {"log", cmd_log, "what a trial has printed"},
    {"check", cmd_check, "whether a trainer resumes: kills it, compares bit for bit"},
    {"verify", cmd_verify, "hold a results folder to its invariants"},
    {"rebuild", cmd_rebuild, "make a damaged or lost results.db anew"},
    {0},
};

static void help(FILE *out) {
    fprintf(out, "Usage: besom COMMAND [OPTION...]\n\n"
                 "  besom run sweeps/quickstart.json        run a sweep; again to go on with it\n"
                 "  besom compare quickstart                which settings are best\n"
                 "  sqlite3 besom-out/results.db \"SELECT * FROM leaderboard LIMIT 10\"\n\n"
                 "Commands:\n");
    for (const struct cmd *c = cmds; c->name != NULL; c++) {
        fprintf(out, "  %-9s %s\n", c->name, c->summary);
    }
    fprintf(out, "\n`besom COMMAND --help' tells more, and so does man besom.\n");
}

static int unknown(const char *word) {
    const char *names[32];
    size_t count = 0;
    for (const struct cmd *c = cmds; c->name != NULL; c++) {
        names[count++] = c->name;
    }
    struct buf text = {0};
    diag_suggest(&text, word, names, count);
    fprintf(stderr, "besom: no command \"%s\"%s\n", word, buf_text(&text));
    buf_release(&text);
    return EXIT_MISUSE;
}

/* A pipe whose reader has seen enough: `besom run --json | head`.  Of a run that ignored SIGPIPE, as its work goes
 * on, that is how it is noticed; it is no failure. */
static bool reader_is_gone(void) {
    struct pollfd out = {.fd = STDOUT_FILENO};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

int main(int argc, char **argv) {
    fs_fill_standard_descriptors();
    if (argc > 0 && strchr(argv[0], '/') != NULL) {
        cmd_program = argv[0];
    }
    (void)setlocale(LC_CTYPE, "");  // for the width of characters; without it they count as bytes
    (void)signal(SIGPIPE, SIG_DFL); // `besom curves | head` ends quietly

    if (argc < 2) {
        help(stderr);
        return EXIT_MISUSE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0 ||
        strcmp(argv[1], "help") == 0) {
        help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("%s\n", argp_program_version);
        return EXIT_DONE;
    }
    for (const struct cmd *c = cmds; c->name != NULL; c++) {
        if (strcmp(c->name, argv[1]) == 0) {
            argv[1] = mem_printf("besom %s", c->name); // what argp calls the program
            int status = c->run(argc - 1, argv + 1);
            free(argv[1]);
            if ((fflush(stdout) != 0 || ferror(stdout)) && !reader_is_gone()) {
                fprintf(stderr, "besom: standard output: write failed\n");
                return EXIT_STORAGE;
            }
            return status;
        }
    }
    return unknown(argv[1]);
}
