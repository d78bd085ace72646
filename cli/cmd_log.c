#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/cmd.h"
#include "cli/find.h"
#include "cli/options.h"
#include "cli/visible.h"
#include "results/query.h"
#include "results/store.h"
#include "runner/trial_log.h"
#include "runner/trial_log_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char doc[] =
    "Prints what a trial's trainer has written to its standard output and error, all attempts one "
    "after the other.  Of a very long log the beginning and the end are there, and a line that "
    "says "
    "how much is left out.\n\n"
    "  besom log 38\n"
    "  besom log --tail 20 38     the last lines\n"
    "  besom log --follow 38      go on as it grows, until Ctrl-C\n"
    "  besom log --path 38        where the files are\n\n"
    "TRIAL is a number, or the beginning of a key.  On a terminal control characters are shown as "
    "^[ and the like; elsewhere, and with --raw, the bytes are the trainer's.\n\nOptions:";

struct log_args {
    const char *trial;
    bool follow, path, raw;
    int64_t head, tail; // lines; -1: not asked for
};

enum { KEY_HEAD = 0x2000 };

static const struct argp_option list[] = {
    {"follow", 'f', 0, 0, "go on as the log grows", 1},
    {"head", KEY_HEAD, "N", 0, "the first N lines only", 1},
    {"tail", 'n', "N", 0, "the last N lines only", 1},
    {"path", 'p', 0, 0, "print the files' paths instead, one a line", 1},
    {"raw", 'r', 0, 0, "the trainer's own bytes, on a terminal too", 1},
    {0},
};

static int64_t line_count(struct argp_state *state, const char *option, const char *arg) {
    int64_t n;
    if (!num_parse_int(arg, 0, INT64_MAX, &n)) {
        options_bad(state, option, arg, "a number of lines");
    }
    return n;
}

static void check(const struct log_args *args, struct argp_state *state) {
    if (args->trial == NULL) {
        argp_error(state, "which trial? besom status lists them");
    } else if (args->head >= 0 && args->tail >= 0) {
        argp_error(state, "--head or --tail, not both");
    } else if (args->head >= 0 && args->follow) {
        argp_error(state, "--head or --follow, not both");
    }
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct log_args *args = state->input;
    switch (key) {
    case 'f':
        args->follow = true;
        return 0;
    case KEY_HEAD:
        args->head = line_count(state, "--head", arg);
        return 0;
    case 'n':
        args->tail = line_count(state, "--tail", arg);
        return 0;
    case 'p':
        args->path = true;
        return 0;
    case 'r':
        args->raw = true;
        return 0;
    case ARGP_KEY_ARG:
        options_take(state, &args->trial, arg, "trial");
        return 0;
    case ARGP_KEY_END:
        check(args, state);
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

/* ---- printing ---- */

enum { CHUNK = 1 << 16 };

struct printer {
    bool plain;    // control characters are shown, not sent
    int64_t lines; // that may still be printed; -1: any number
    char rest[4];  // an incomplete character
    size_t rest_len;
};

/* Cuts `len` behind the last line that may be printed. */
static size_t within_lines(struct printer *p, const char *text, size_t len) {
    const char *at = text, *newline;
    while (p->lines > 0 && (newline = memchr(at, '\n', len - (size_t)(at - text))) != NULL) {
        p->lines--;
        at = newline + 1;
    }
    return p->lines == 0 ? (size_t)(at - text) : len;
}

static void put(struct printer *p, const char *text, size_t len) {
    len = within_lines(p, text, len);
    if (!p->plain) {
        (void)fwrite(text, 1, len, stdout); // main() looks at ferror(stdout)
        return;
    }
    struct buf in = {0}, out = {0};
    buf_put(&in, p->rest, p->rest_len);
    buf_put(&in, text, len);
    size_t taken = visible_put(&out, buf_text(&in), in.len);
    p->rest_len = in.len - taken;
    memcpy(p->rest, in.data + taken, p->rest_len);
    (void)fwrite(buf_text(&out), 1, out.len, stdout); // as above
    buf_release(&in);
    buf_release(&out);
}

static bool is_done(const struct printer *p) {
    return p->lines == 0 || ferror(stdout);
}

/* From `*at` to `to`, or to the end of the file with to = -1; `*at` goes along. */
static int put_file(struct printer *p, int fd, int64_t *at, int64_t to, struct err *err) {
    char chunk[CHUNK];
    while (!is_done(p) && (to < 0 || *at < to)) {
        size_t want = to < 0 || to - *at > CHUNK ? CHUNK : (size_t)(to - *at);
        ssize_t n = pread(fd, chunk, want, *at);
        if (n < 0 && errno != EINTR) {
            return err_io(err, errno, "read the log");
        }
        if (n == 0) {
            break;
        }
        if (n > 0) {
            put(p, chunk, (size_t)n);
            *at += n;
        }
    }
    return fflush(stdout) == 0 ? ERR_OK : err_io(err, errno, "standard output");
}

static void put_left_out(struct printer *p, const struct trial_log_read *log) {
    char text[128];
    if (log->left_bytes > 0 && !is_done(p)) {
        put(p, buf_text(&log->headers), log->headers.len);
        int len =
            snprintf(text, sizeof text, "--- left out here: %" PRId64 " lines, %" PRId64 " bytes\n",
                     log->left_lines, log->left_bytes);
        put(p, text, (size_t)len); // it fits
    }
}

/* All from byte `at` of piece `first` on.  `*end` is where the last piece was left. */
static int put_pieces(struct printer *p, const struct trial_log_read *log, int first, int64_t at,
                      int64_t *end, struct err *err) {
    int rc = ERR_OK;
    for (int i = first; i < log->count && rc == ERR_OK; i++) {
        const struct trial_log_piece *piece = &log->pieces[i];
        *end = i == first ? at : piece->from;
        rc = put_file(p, piece->fd, end, piece->to, err);
        if (i == 0 && log->count > 1) {
            put_left_out(p, log);
        }
    }
    return rc;
}

/* ---- following ---- */

/* The log has moved on to other files: what they have from `position` on, or as much as is left. */
static int put_moved(struct printer *p, const struct trial_log_read *log, int64_t position,
                     int64_t *end, struct err *err) {
    int rc = ERR_OK;
    for (int i = 1; i < log->count && rc == ERR_OK; i++) {
        const struct trial_log_piece *piece = &log->pieces[i];
        int64_t known = position - piece->position;
        if (known < 0) {
            char text[128];
            int len = snprintf(text, sizeof text, "--- left out here: %" PRId64 " bytes\n", -known);
            put(p, text, (size_t)len); // it fits
            known = 0;
        }
        *end = piece->from + known < piece->to ? piece->from + known : piece->to;
        rc = put_file(p, piece->fd, end, piece->to, err);
        position = piece->position + (*end - piece->from);
    }
    return rc;
}

static int go_on(struct printer *p, struct trial_log_read *log, const char *path, int64_t *at,
                 struct err *err) {
    const struct trial_log_piece *last = &log->pieces[log->count - 1];
    bool moved = trial_log_read_moved(log, path); // asked first: then the file's end is its last
    int rc = put_file(p, last->fd, at, -1, err);
    if (rc != ERR_OK || !moved) {
        return rc;
    }
    int64_t position = log->count > 1 ? last->position + *at - last->from : 0;
    struct trial_log_read now;
    rc = trial_log_read_open(&now, path, err);
    if (rc != ERR_OK || now.count == 1) { // 1: between two tail files
        return rc == ERR_OK ? (trial_log_read_close(&now), ERR_OK) : rc;
    }
    trial_log_read_close(log);
    *log = now;
    return put_moved(p, log, position, at, err);
}

static int show(const char *path, const struct log_args *args, struct err *err) {
    struct trial_log_read log;
    struct printer printer = {.plain = isatty(STDOUT_FILENO) && !args->raw, .lines = args->head};
    int piece = 0;
    int64_t at = 0;
    int rc = trial_log_read_open(&log, path, err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (args->tail >= 0) {
        rc = trial_log_read_last(&log, args->tail, &piece, &at, err);
    }
    rc = rc == ERR_OK ? put_pieces(&printer, &log, piece, at, &at, err) : rc;
    while (rc == ERR_OK && args->follow && !ferror(stdout)) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL); // a pause, cut or not
        rc = go_on(&printer, &log, path, &at, err);
    }
    trial_log_read_close(&log);
    return rc;
}

static int print_paths(const char *path, struct err *err) {
    struct trial_log_read log;
    int rc = trial_log_read_open(&log, path, err);
    if (rc == ERR_NOT_FOUND) {
        printf("%s\n", path); // where it will be
        return ERR_OK;
    }
    for (int i = 0; rc == ERR_OK && i < log.count; i++) {
        printf("%s%s\n", path, log.pieces[i].suffix);
    }
    trial_log_read_close(&log);
    return rc;
}

int cmd_log(int argc, char **argv) {
    struct log_args args = {.head = -1, .tail = -1};
    struct options options = {0};
    const struct argp argp = {list, parse, "TRIAL", doc, NULL, NULL, NULL};
    options_parse(&argp, OPTION_OUT, argc, argv, &options, &args);

    struct err err;
    char *path = NULL;
    int rc = log_path(options.out, args.trial, &path, &err);
    if (rc == ERR_OK && args.path) {
        rc = print_paths(path, &err);
    } else if (rc == ERR_OK) {
        rc = show(path, &args, &err);
        if (rc == ERR_NOT_FOUND) {
            fprintf(stderr, "besom: trial %s has printed nothing yet\n", args.trial);
            rc = ERR_OK;
        }
    }
    free(path);
    return rc == ERR_OK ? EXIT_DONE : cmd_fail(&err);
}
