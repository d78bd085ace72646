#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/find.h"
#include "cli/options.h"
#include "cli/out_file.h"
#include "results/report.h"
#include "results/report_page.h"
#include "results/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char doc[] =
    "Writes a page that shows all of a sweep, for a browser.\n\n"
    "  besom report quickstart                  writes quickstart.html\n"
    "  besom report quickstart -o report.html   elsewhere; - is standard output\n"
    "  besom report quickstart --json           the data alone, for programs\n\n"
    "The page is one file that needs no network: how to run the sweep again, learning curves, the "
    "leaderboard, what each axis does, a heat map of two axes, parallel coordinates, two metrics "
    "against each other, the network's layers, and failures.  Made during a run it shows what is "
    "there.  SWEEP is a name or a sweep file; without it, the one that ran last.\n\nOptions:";

struct report_args {
    const char *sweep, *file;
};

static const struct argp_option list[] = {
    {"output", 'o', "FILE", 0, "where the page goes (SWEEP.html)", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct report_args *args = state->input;
    switch (key) {
    case 'o':
        if (arg[0] == '\0') {
            options_bad(state, "--output", arg, "a file");
        }
        args->file = arg;
        return 0;
    case ARGP_KEY_ARG:
        options_take(state, &args->sweep, arg, "sweep");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void put_parts(FILE *out, const struct fs_part *parts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        (void)fwrite(parts[i].data, 1, parts[i].len, out); // ferror() tells
    }
}

static int write_file(const char *path, const struct fs_part *parts, size_t count,
                      struct err *err) {
    struct out_file file;
    int rc = out_file_open(&file, path, true, err);
    if (rc == ERR_OK) {
        put_parts(file.out, parts, count);
        rc = out_file_commit(&file, err);
        out_file_close(&file);
    }
    return rc;
}

static int write_page(const struct report_args *args, const char *sweep, const struct buf *json,
                      struct err *err) {
    const struct report_page *page = report_page();
    struct buf data = {0};
    report_page_put_data(&data, buf_text(json), json->len);
    const struct fs_part parts[] = {
        {page->head, page->head_len}, {data.data, data.len}, {page->tail, page->tail_len}};
    char *path = args->file != NULL ? mem_strdup(args->file) : mem_printf("%s.html", sweep);
    int rc = ERR_OK;
    if (strcmp(path, "-") == 0) {
        put_parts(stdout, parts, 3); // main() looks at ferror(stdout)
    } else {
        rc = write_file(path, parts, 3, err);
        if (rc == ERR_OK) {
            fprintf(stderr, "%s: %.2f MB, to be opened with any browser\n", path,
                    (double)(page->head_len + data.len + page->tail_len) / 1e6);
        }
    }
    free(path);
    buf_release(&data);
    return rc;
}

static int report(const struct report_args *args, const struct options *options,
                  struct store *store, struct err *err) {
    const struct report_options what = {.version = cmd_version(),
                                        .active = cmd_is_running(options->out)};
    char *sweep = NULL;
    struct buf json = {0};
    int rc = find_sweep(store, args->sweep, &sweep, err);
    rc = rc == ERR_OK ? report_put_data(&json, store, sweep, &what, err) : rc;
    if (rc == ERR_OK && options->format == TABLE_JSON) {
        (void)fwrite(buf_text(&json), 1, json.len, stdout); // main() looks at ferror(stdout)
    } else if (rc == ERR_OK) {
        rc = write_page(args, sweep, &json, err);
    }
    buf_release(&json);
    free(sweep);
    return rc;
}

int cmd_report(int argc, char **argv) {
    struct report_args args = {0};
    struct options options = {0};
    const struct argp argp = {list, parse, "[SWEEP]", doc, NULL, NULL, NULL};
    options_parse(&argp, OPTION_OUT_LONG | OPTION_JSON, argc, argv, &options, &args);
    if (options.format != TABLE_JSON && report_page() == NULL) {
        return cmd_say_no_page();
    }

    struct store *store;
    int status = cmd_open_store(options.out, &store);
    if (status != EXIT_DONE) {
        return status;
    }
    struct err err;
    status = report(&args, &options, store, &err) == ERR_OK ? EXIT_DONE : cmd_fail(&err);
    (void)store_close(store, &err); // a reader has nothing to lose
    return status;
}
