#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char doc[] = "Writes a commented sweep file to start from.\n\n"
                          "  besom init                  writes sweep.json\n"
                          "  besom init sweeps/mine.json\n"
                          "  besom init -                to standard output\n\n"
                          "A file that is there already is left alone.\n\nOptions:";

static const char sweep_text[] =
#include "cli/init_sweep.inc"
    ;

static error_t parse(int key, char *arg, struct argp_state *state) {
    const char **path = state->input;
    if (key != ARGP_KEY_ARG) {
        return ARGP_ERR_UNKNOWN;
    }
    options_take(state, path, arg, "file");
    return 0;
}

/* The sweep's name out of the file's: what it may not hold becomes '-'. */
static char *sweep_name(const char *path) {
    const char *slash = strrchr(path, '/');
    char *name = mem_strdup(slash != NULL ? slash + 1 : path);
    char *dot = strrchr(name, '.');
    if (dot != NULL && dot != name) {
        *dot = '\0';
    }
    for (char *c = name; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c = (char)(*c - 'A' + 'a');
        } else if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_')) {
            *c = '-';
        }
    }
    if (strlen(name) > 63) {
        name[63] = '\0';
    }
    return name;
}

static int write_sweep(const char *path, struct err *err) {
    if (access(path, F_OK) == 0) {
        return err_set(err, ERR_RANGE, "%s is there already; besom init NAME.json writes another",
                       path);
    }
    char *name = strcmp(path, "-") == 0 ? mem_strdup("sweep") : sweep_name(path);
    struct buf text = {0};
    const char *mark = strstr(sweep_text, "@NAME@");
    buf_put(&text, sweep_text, (size_t)(mark - sweep_text));
    buf_puts(&text, name);
    buf_puts(&text, mark + strlen("@NAME@"));
    free(name);

    int rc = ERR_OK;
    if (strcmp(path, "-") == 0) {
        (void)fputs(buf_text(&text), stdout); // main() looks at ferror(stdout)
    } else {
        const char *slash = strrchr(path, '/');
        char *dir =
            slash == NULL ? mem_strdup(".") : mem_printf("%.*s", (int)(slash - path + 1), path);
        struct fs_part part = {text.data, text.len};
        rc = fs_write_atomic(dir, slash == NULL ? path : slash + 1, &part, 1, err);
        free(dir);
    }
    buf_release(&text);
    return rc;
}

int cmd_init(int argc, char **argv) {
    const char *path = NULL;
    struct options options = {0};
    const struct argp argp = {NULL, parse, "[FILE]", doc, NULL, NULL, NULL};
    options_parse(&argp, OPTION_QUIET, argc, argv, &options, &path);
    path = path == NULL ? "sweep.json" : path;

    struct err err;
    int rc = write_sweep(path, &err);
    if (rc != ERR_OK) {
        return cmd_fail(&err);
    }
    if (strcmp(path, "-") != 0 && !options.quiet) {
        fprintf(stderr,
                "wrote %s\nNext:  besom plan %s    what it would run\n"
                "       besom run %s     run it\n",
                path, path, path);
    }
    return EXIT_DONE;
}
