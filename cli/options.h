/* cli/options.h - options that several subcommands share, as an argp child, and argp's habits. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "results/table.h"

#include <argp.h>
#include <stdbool.h>

/* Which of the shared options a subcommand has. */
enum {
    OPTION_JSON = 1,      // --json
    OPTION_FORMAT = 2,    // --format text|csv|md|json
    OPTION_COLOR = 4,     // --color auto|always|never
    OPTION_QUIET = 8,     // -q, --quiet
    OPTION_OUT = 16,      // -o, --out DIR
    OPTION_OUT_LONG = 32, // --out DIR alone: for a subcommand whose -o is a file
};

struct options {
    const char *out; // --out DIR, "besom-out"
    enum table_format format;
    bool quiet;
};

/* Parses `argv` by `argp`, whose parser gets `state->input = input`; the options of `shared` are added
 * and go to `options`.  Misuse (an unknown option, with the nearest known one) exits 2, --help and
 * --version exit 0. */
void options_parse(const struct argp *argp, int shared, int argc, char **argv,
                   struct options *options, void *input);

/* For a parser: complains "bad value", names option and value, exits 2. */
void options_bad(const struct argp_state *state, const char *option, const char *value,
                 const char *wanted) __attribute__((noreturn));

/* For a parser: the one argument that a subcommand takes; a second one exits 2. */
void options_take(const struct argp_state *state, const char **slot, const char *arg,
                  const char *what);

#endif
