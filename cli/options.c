#include "cli/options.h"

#include "base/buf.h"
#include "base/diag.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/term.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_JSON = 0x1000, KEY_FORMAT, KEY_COLOR, KEY_OUT };

/* What the wrapping parser passes on. */
struct wrapper {
    const struct argp *inner;
    void *input;
    struct options *options;
};

static const struct argp_option out_option = {"out", 'o', "DIR", 0, "results folder (besom-out)",
                                              10};
static const struct argp_option out_long_option = {
    "out", KEY_OUT, "DIR", 0, "results folder (besom-out)", 10};
static const struct argp_option json_option = {"json", KEY_JSON, 0, 0, "print JSON, for programs",
                                               11};
static const struct argp_option format_option = {
    "format", KEY_FORMAT, "text|csv|md|json", 0, "how to print tables (text)", 11};
static const struct argp_option color_option = {
    "color", KEY_COLOR, "WHEN", 0, "auto (on a terminal without NO_COLOR), always or never", 12};
static const struct argp_option quiet_option = {
    "quiet", 'q', 0, 0, "print errors and warnings only", 12};

void options_bad(const struct argp_state *state, const char *option, const char *value,
                 const char *wanted) {
    argp_error(state, "%s: \"%s\" is not %s", option, value, wanted);
    exit(EXIT_MISUSE); // argp_error() has left already
}

void options_take(const struct argp_state *state, const char **slot, const char *arg,
                  const char *what) {
    if (*slot != NULL) {
        argp_error(state, "one %s at a time: \"%s\" is too much", what, arg);
    }
    *slot = arg;
}

static error_t parse_shared(int key, char *arg, struct argp_state *state) {
    struct wrapper *w = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        if (w->inner->parser != NULL) {
            state->child_inputs[0] = w->input;
        }
        return 0;
    case 'o':
    case KEY_OUT:
        if (arg[0] == '\0') {
            options_bad(state, "--out", arg, "a folder");
        }
        w->options->out = arg;
        return 0;
    case 'q':
        w->options->quiet = true;
        return 0;
    case KEY_JSON:
        w->options->format = TABLE_JSON;
        return 0;
    case KEY_FORMAT:
        if (!table_parse_format(arg, &w->options->format)) {
            options_bad(state, "--format", arg, "one of text, csv, md, json");
        }
        return 0;
    case KEY_COLOR:
        if (!term_set_color(arg)) {
            options_bad(state, "--color", arg, "one of auto, always, never");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* getopt says "unrecognized option '--jbos'" and no more; this looks first and knows what was meant. */
static void check_names(const struct argp_option *lists[2], int argc, char **argv) {
    const char *names[64] = {"help", "usage", "version"};
    size_t count = 3;
    for (int l = 0; l < 2; l++) {
        for (const struct argp_option *o = lists[l];
             o != NULL && (o->name != NULL || o->key != 0 || o->doc != NULL); o++) {
            if (o->name != NULL && count < sizeof names / sizeof *names) {
                names[count++] = o->name;
            }
        }
    }
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            continue;
        }
        char *word = mem_strdup(argv[i] + 2);
        word[strcspn(word, "=")] = '\0';
        bool known = false;
        for (size_t n = 0; n < count; n++) {
            known = known || strncmp(names[n], word, strlen(word)) == 0; // getopt takes a beginning
        }
        if (!known) {
            const char *nearest = diag_nearest(word, names, count);
            fprintf(stderr, "%s: unknown option \"--%s\"", argv[0], word);
            fprintf(stderr, nearest != NULL ? "; did you mean \"--%s\"?\n" : "\n",
                    nearest != NULL ? nearest : "");
            fprintf(stderr, "Try `%s --help'.\n", argv[0]);
            exit(EXIT_MISUSE);
        }
        free(word);
    }
}

void options_parse(const struct argp *argp, int shared, int argc, char **argv,
                   struct options *options, void *input) {
    struct argp_option list[7] = {0};
    int n = 0;
    if (shared & OPTION_OUT) {
        list[n++] = out_option;
    }
    if (shared & OPTION_OUT_LONG) {
        list[n++] = out_long_option;
    }
    if (shared & OPTION_JSON) {
        list[n++] = json_option;
    }
    if (shared & OPTION_FORMAT) {
        list[n++] = format_option;
    }
    if (shared & OPTION_COLOR) {
        list[n++] = color_option;
    }
    if (shared & OPTION_QUIET) {
        list[n++] = quiet_option;
    }
    check_names((const struct argp_option *[2]){argp->options, list}, argc, argv);

    const struct argp inner = {.options = argp->options, .parser = argp->parser};
    const struct argp_child children[] = {{&inner, 0, NULL, 0}, {0}};
    const struct argp outer = {.options = list,
                               .parser = parse_shared,
                               .args_doc = argp->args_doc,
                               .doc = argp->doc,
                               .children = children};
    struct wrapper wrapper = {.inner = &inner, .input = input, .options = options};
    options->out = "besom-out";
    argp_err_exit_status = EXIT_MISUSE;
    if (argp_parse(&outer, argc, argv, 0, NULL, &wrapper) == ENOMEM) { // leaves on any other error
        mem_exhausted();
    }
}
