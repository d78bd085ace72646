/* besom-serve - the report's page, live: what `besom serve` becomes (cmd_serve.c).
 *
 *     a stream begins --> look at the database --> rest --> look ... as long as there is a stream
 *
 * One thread and one loop: what is looked at (serve_feed.h) and who is told (serve_http.h) do not know of time or of
 * each other.  Nothing is written anywhere, and no lock is held but within a look, so the run does not notice. */
#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/num.h"
#include "cli/cmd.h"
#include "cli/options.h"
#include "cli/serve_feed.h"
#include "cli/serve_http.h"
#include "results/report_page.h"
#include "runner/loop.h"

#include <argp.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

const char *argp_program_version = "besom " BESOM_VERSION;

static const char doc[] =
    "Shows the page of besom report in a browser and keeps it up to date.\n\n"
    "  besom serve quickstart            prints the address to open\n"
    "  besom serve                       the sweep that ran last\n"
    "  besom serve quickstart --port 0   at any port that is free\n\n"
    "The page changes as the run goes on, and keeps what was chosen on it.  It is served until "
    "Ctrl-C, at 127.0.0.1 alone, to whoever has the whole address; from another machine through a "
    "tunnel with the same port at both ends:\n\n"
    "  ssh -L 23766:127.0.0.1:23766 HOST\n\n"
    "The database is only read: the run does not notice, and may begin and end meanwhile.  SWEEP "
    "is "
    "a name or a sweep file.\n\nOptions:";

enum { PORT = 23766 /* "besom" on the keys of a telephone */, SIGNALS = 3 };

struct serve_args {
    const char *sweep;
    int port;
};

static const struct argp_option list[] = {
    {"port", 'p', "N", 0, "port of 127.0.0.1 (23766), 0: any that is free", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct serve_args *args = state->input;
    int64_t port;
    switch (key) {
    case 'p':
        if (!num_parse_int(arg, 0, 65535, &port)) {
            options_bad(state, "--port", arg, "a number from 0 to 65535");
        }
        args->port = (int)port;
        return 0;
    case ARGP_KEY_ARG:
        options_take(state, &args->sweep, arg, "sweep");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

struct serve {
    struct serve_feed feed;
    struct serve_http *http; // NULL: not open
    uv_loop_t loop;
    uv_timer_t look;
    uv_signal_t signals[SIGNALS];
    uint64_t rest_until_ms; // by the loop's clock
};

/* ---- looking ---- */

static void say_status(const struct serve *s) {
    if (s->feed.trouble != NULL) {
        fprintf(stderr, "besom: %s\n", s->feed.trouble);
    } else {
        fprintf(stderr, "besom: the database can be read again: going on\n");
    }
}

static void look_later(struct serve *s);

static void on_look(uv_timer_t *timer) {
    struct serve *s = timer->data;
    int64_t rest_ms;
    if (serve_http_streams(s->http) == 0) {
        return; // the next stream starts it again
    }
    uint64_t status = s->feed.status->serial;
    bool news = serve_feed_look(&s->feed, &rest_ms);
    if (s->feed.status->serial != status) {
        say_status(s);
    }
    uv_update_time(&s->loop);
    s->rest_until_ms = uv_now(&s->loop) + (uint64_t)rest_ms;
    if (news) {
        serve_http_wake(s->http);
    }
    look_later(s);
}

static void look_later(struct serve *s) {
    uint64_t now = uv_now(&s->loop);
    (void)uv_timer_start(&s->look, on_look, s->rest_until_ms > now ? s->rest_until_ms - now : 0,
                         0); // has a callback: succeeds
}

static void on_stream(void *context) {
    struct serve *s = context;
    if (!uv_is_active((uv_handle_t *)&s->look)) {
        look_later(s);
    }
}

/* ---- the loop ---- */

static void on_signal(uv_signal_t *handle, int number) {
    (void)number;
    uv_stop(handle->loop);
}

/* nohup and a shell's background jobs have them ignored, and mean it. */
static bool is_ignored(int number) {
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int catch_signals(struct serve *s, struct err *err) {
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    int rc = 0;
    (void)signal(SIGPIPE, SIG_IGN); // a client that has left is no reason to end
    for (int i = 0; i < SIGNALS && rc == 0; i++) {
        if (i == 0 || !is_ignored(numbers[i])) {
            rc = uv_signal_start(&s->signals[i], on_signal, numbers[i]);
        }
    }
    return rc == 0 ? ERR_OK : err_io(err, -rc, "catch signals"); // libuv negates errno
}

static void init_handles(struct serve *s) {
    (void)uv_timer_init(&s->loop, &s->look); // succeeds always
    s->look.data = s;
    for (int i = 0; i < SIGNALS; i++) {
        (void)uv_signal_init(&s->loop, &s->signals[i]); // the loop has one already: succeeds
    }
}

static void close_handles(struct serve *s) {
    uv_close((uv_handle_t *)&s->look, NULL);
    for (int i = 0; i < SIGNALS; i++) {
        uv_close((uv_handle_t *)&s->signals[i], NULL);
    }
}

static int listen_and_say(struct serve *s, const struct serve_args *args, struct err *err) {
    int rc = serve_http_open(&s->http, &s->loop, args->port, &s->feed, on_stream, s, err);
    if (rc == ERR_OK) {
        struct buf address = {0};
        serve_http_put_address(s->http, &address);
        printf("%s\n", buf_text(&address));
        buf_release(&address);
        fprintf(stderr, "besom: serving %s of %s; Ctrl-C ends this, not the run\n", s->feed.sweep,
                s->feed.out);
        rc = fflush(stdout) == 0 ? ERR_OK : err_set(err, ERR_IO, "standard output: write failed");
    }
    return rc;
}

static int serve(struct serve *s, const struct serve_args *args, struct err *err) {
    int rc = loop_init(&s->loop, err);
    if (rc != ERR_OK) {
        return rc;
    }
    init_handles(s);
    rc = catch_signals(s, err);
    rc = rc == ERR_OK ? listen_and_say(s, args, err) : rc;
    if (rc == ERR_OK) {
        (void)uv_run(&s->loop, UV_RUN_DEFAULT); // until a signal
    }
    serve_http_close(s->http);
    close_handles(s);
    (void)uv_run(&s->loop, UV_RUN_DEFAULT); // the handles' end
    serve_http_free(s->http);
    (void)uv_loop_close(&s->loop); // nothing is left in it
    return rc;
}

int main(int argc, char **argv) {
    fs_fill_standard_descriptors();
    (void)setlocale(LC_CTYPE, ""); // as besom does
    struct serve_args args = {.port = PORT};
    struct options options = {0};
    const struct argp argp = {list, parse, "[SWEEP]", doc, NULL, NULL, NULL};
    options_parse(&argp, OPTION_OUT, argc, argv, &options, &args);
    if (report_page() == NULL) {
        return cmd_say_no_page();
    }
    struct serve s = {0};
    struct err err;
    int rc = serve_feed_open(&s.feed, options.out, args.sweep, &err);
    rc = rc == ERR_OK ? serve(&s, &args, &err) : rc;
    serve_feed_close(&s.feed);
    if (rc == ERR_OK) {
        return EXIT_DONE;
    }
    int status = cmd_fail(&err);
    return rc == ERR_BUSY ? EXIT_STORAGE : status; // no other run: those do not keep readers out
}
