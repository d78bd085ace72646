#include "base/err.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/find.h"
#include "cli/options.h"
#include "results/query.h"
#include "results/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char doc[] = "Prints what a trial's trainer has written to its standard output and "
                          "error, all attempts one after the other.\n\n"
                          "  besom log 38\n"
                          "  besom log --follow 38      go on as it grows, until Ctrl-C\n"
                          "  besom log --path 38        where the file is\n\n"
                          "TRIAL is a number, or the beginning of a key.\n\nOptions:";

struct log_args {
    const char *trial;
    bool follow, path;
};

static const struct argp_option list[] = {
    {"follow", 'f', 0, 0, "go on as the log grows", 1},
    {"path", 'p', 0, 0, "print the file's path instead", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct log_args *args = state->input;
    switch (key) {
    case 'f':
        args->follow = true;
        return 0;
    case 'p':
        args->path = true;
        return 0;
    case ARGP_KEY_ARG:
        options_take(state, &args->trial, arg, "trial");
        return 0;
    case ARGP_KEY_END:
        if (args->trial == NULL) {
            argp_error(state, "which trial? besom status lists them");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int log_path(const char *out, const char *word, char **path, struct err *err) {
    struct store *store;
    int64_t trial;
    int rc = store_open(&store, out, STORE_READ, err);
    if (rc != ERR_OK) {
        return rc;
    }
    struct query q;
    rc = find_trial(store, word, &trial, err);
    if (rc == ERR_OK) {
        rc = query_open(&q, store, "SELECT key FROM trials WHERE trial = ?1", err);
    }
    if (rc == ERR_OK) {
        query_bind_int(&q, 1, trial);
        rc = query_next(&q, err);
        if (rc > 0) {
            *path = mem_printf("%s/trials/%s/log", out, query_text(&q, 0));
            rc = ERR_OK;
        }
        query_close(&q);
    }
    struct err ignored;
    (void)store_close(store, &ignored); // a reader has nothing to lose
    return rc;
}

static int copy(int fd, const char *path, struct err *err) {
    char chunk[1 << 16];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno != EINTR) {
            return err_io(err, errno, "read %s", path);
        }
        if (n > 0 && fwrite(chunk, 1, (size_t)n, stdout) != (size_t)n) {
            break; // main() reports it
        }
    }
    return fflush(stdout) == 0 ? ERR_OK : err_io(err, errno, "standard output");
}

int cmd_log(int argc, char **argv) {
    struct log_args args = {0};
    struct options options = {0};
    const struct argp argp = {list, parse, "TRIAL", doc, NULL, NULL, NULL};
    options_parse(&argp, OPTION_OUT, argc, argv, &options, &args);

    struct err err;
    char *path = NULL;
    int rc = log_path(options.out, args.trial, &path, &err);
    if (rc != ERR_OK) {
        return cmd_fail(&err);
    }
    if (args.path) {
        printf("%s\n", path);
        free(path);
        return EXIT_DONE;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        fprintf(stderr, "besom: trial %s has printed nothing yet\n", args.trial);
    } else if (fd < 0) {
        rc = err_io(&err, errno, "open %s", path);
    } else {
        rc = copy(fd, path, &err);
        while (rc == ERR_OK && args.follow) {
            (void)nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL); // a pause, cut or not
            rc = copy(fd, path, &err);
        }
        (void)close(fd); // only read
    }
    free(path);
    return rc == ERR_OK ? EXIT_DONE : cmd_fail(&err);
}
