#include "trainer/commands.h"

#include "base/diag.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "trainer/choice.h"
#include "trainer/config.h"
#include "trainer/kernels/kernels.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int command_fail(const struct err *err) {
    (void)fprintf(stderr, "besom-trainer: %s\n", err->msg); // nowhere left to report a failure
    switch (err->code) {
    case ERR_IO:
    case ERR_FULL:
    case ERR_EXHAUSTED:
        return STATUS_STORAGE;
    case ERR_PARSE:
    case ERR_RANGE:
    case ERR_NOT_FOUND:
        return STATUS_MISUSE;
    default:
        return STATUS_FAILED;
    }
}

void command_parse(const struct argp *argp, int argc, char **argv, void *input) {
    if (argp_parse(argp, argc, argv, 0, NULL, input) == ENOMEM) { // it left on any other error
        mem_exhausted();
    }
}

error_t command_one_argument(int key, char *arg, struct argp_state *state, const char *what,
                             const char **out) {
    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_error(state, "one %s at a time: \"%s\"", what, arg);
        }
        *out = arg;
        return 0;
    case ARGP_KEY_END:
        if (*out == NULL) {
            argp_error(state, "no %s is given", what);
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const char command_cache_dir_help[] =
    "Where decoded data sets are kept (default: $BESOM_CACHE_DIR, $XDG_CACHE_HOME/besom or "
    "~/.cache/besom)";

/* NULL for a user without a home. */
static char *user_cache_dir(void) {
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (xdg != NULL && *xdg == '/') { // a relative one is to be ignored, says its specification
        return mem_printf("%s/besom", xdg);
    }
    return home != NULL && *home != '\0' ? mem_printf("%s/.cache/besom", home) : NULL;
}

char *command_cache_dir(const char *given) {
    const char *besom = getenv("BESOM_CACHE_DIR");
    if (given != NULL) {
        return mem_strdup(given);
    }
    if (besom != NULL && *besom != '\0') {
        return mem_strdup(besom);
    }
    char *user = user_cache_dir();
    return user != NULL ? user : mem_strdup("./.cache/besom");
}

/* `settle`: choice_settle(), else choice_look(). */
static void choose_kernels(struct choice *choice, const char *cache_dir, bool settle) {
    char *user = user_cache_dir();
    const char *const dirs[] = {cache_dir, user};
    (settle ? choice_settle : choice_look)(choice, argp_program_version, dirs,
                                           user != NULL ? 2 : 1);
    kernels_prefer(choice->set);
    free(user);
}

void command_choose_kernels(const char *cache_dir) {
    struct choice choice;
    choose_kernels(&choice, cache_dir, true);
}

void command_describe_kernels(struct buf *out) {
    struct choice choice;
    char *cache_dir = command_cache_dir(NULL);
    choose_kernels(&choice, cache_dir, false);
    choice_describe(out, &choice);
    free(cache_dir);
}

void command_complain(void *context, const struct config_complaint *complaint) {
    struct complaint_list *list = context;
    bool whole = *complaint->path == '\0';
    diag_add(list->diag, list->doc, complaint->value, "%s%s%s", complaint->path, whole ? "" : ": ",
             complaint->message);
}

int command_load_config(struct config *config, const char *path) {
    *config = (struct config){0};
    struct json_doc *doc = NULL;
    struct err err;
    if (json_load(&doc, path, JSON_COMMENTS, &err) != ERR_OK) {
        return command_fail(&err);
    }
    struct diag diag = {0};
    struct complaint_list list = {&diag, doc};
    int status = STATUS_DONE;
    if (config_parse(config, json_root(doc), command_complain, &list) != ERR_OK) {
        diag_finish(&diag);
        (void)fputs(buf_text(&diag.text), stderr); // nowhere left to report a failure
        status = STATUS_MISUSE;
    }
    diag_release(&diag);
    json_free(doc);
    return status;
}

int command_finish(int status) {
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return status;
    }
    if (errno != EPIPE) { // a reader that has seen enough is no news
        (void)fprintf(stderr, "besom-trainer: write the output: %s\n", strerror(errno));
    }
    return STATUS_STORAGE;
}
