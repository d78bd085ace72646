#include "cli/serve_http.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "cli/serve_guard.h"
#include "cli/serve_stream.h"
#include "results/report_page.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum {
    CONNECTIONS_MAX = 128,
    CONNECTION_MEMORY = 32 << 10, // bytes: its headers and what it is sent next
    KERNEL_MEMORY = 64 << 10,     // asked for: Linux takes twice as much
    SHOW_TOKEN_MS = 5000,
    STALL_S = 30,
    TICK_MS = 1000,
};

/* A TCP connection. */
struct peer {
    bool used;
    bool known; // a request of it had the token
    int fd;     // libmicrohttpd's
    uint64_t since_ms;
};

struct serve_http {
    struct MHD_Daemon *daemon;
    struct serve_guard guard;
    void (*on_stream)(void *context);
    void *context;
    uv_loop_t *loop;
    uv_poll_t poll;            // of the daemon's epoll descriptor
    uv_timer_t timeout, tick;  // its timeout, and our own look at clients
    struct MHD_Response *page; // for all
    char *policy;              // Content-Security-Policy
    struct peer peers[CONNECTIONS_MAX];
    struct serve_streams streams;
};

/* ---- libmicrohttpd in libuv's loop ---- */

static void run(struct serve_http *http);

static void on_timeout(uv_timer_t *timer) {
    run(timer->data);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
    (void)status; // of an epoll descriptor: always readable, or not
    (void)events;
    run(poll->data);
}

static void run(struct serve_http *http) {
    MHD_UNSIGNED_LONG_LONG ms;
    (void)MHD_run(http->daemon); // refuses daemons with a thread alone
    if (MHD_get_timeout(http->daemon, &ms) == MHD_YES) {
        (void)uv_timer_start(&http->timeout, on_timeout, ms, 0); // has a callback: succeeds
    } else {
        (void)uv_timer_stop(&http->timeout); // succeeds always
    }
}

void serve_http_wake(struct serve_http *http) {
    serve_streams_wake(&http->streams);
    run(http);
}

static void on_tick(uv_timer_t *timer) {
    struct serve_http *http = timer->data;
    uint64_t now = uv_now(http->loop);
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        struct peer *p = &http->peers[i];
        if (p->used && !p->known && now - p->since_ms >= SHOW_TOKEN_MS) {
            (void)shutdown(p->fd, SHUT_RDWR); // fails when the client was quicker
        }
    }
    serve_streams_look_after(&http->streams);
    serve_http_wake(http);
}

/* ---- requests ---- */

static void on_connection(void *context, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode what) {
    struct serve_http *http = context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*slot != NULL) {
            *(struct peer *)*slot = (struct peer){0};
        }
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const int room = KERNEL_MEMORY;
    (void)setsockopt(info->connect_fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room); // or it is 4 MB
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        if (!http->peers[i].used) {
            http->peers[i] =
                (struct peer){.used = true, .fd = info->connect_fd, .since_ms = uv_now(http->loop)};
            *slot = &http->peers[i];
            return;
        }
    }
}

static void add_header(struct MHD_Response *response, const char *name, const char *value) {
    if (MHD_add_response_header(response, name, value) != MHD_YES) {
        mem_exhausted(); // else only a name or value with a line end would be refused
    }
}

/* Gives the response what all have. */
static struct MHD_Response *with_headers(const struct serve_http *http,
                                         struct MHD_Response *response, const char *type) {
    if (response == NULL) {
        mem_exhausted();
    }
    add_header(response, "Content-Type", type);
    add_header(response, "Content-Security-Policy", http->policy);
    add_header(response, "Cache-Control", "no-store");
    add_header(response, "X-Content-Type-Options", "nosniff");
    add_header(response, "Referrer-Policy", "no-referrer");
    add_header(response, "Cross-Origin-Opener-Policy", "same-origin");
    add_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    return response;
}

static enum MHD_Result refuse(const struct serve_http *http, struct MHD_Connection *connection,
                              int status, const char *why) {
    struct MHD_Response *response = with_headers(
        http, MHD_create_response_from_buffer(strlen(why), mem_strdup(why), MHD_RESPMEM_MUST_FREE),
        "text/plain; charset=utf-8");
    if (status == 405) {
        add_header(response, "Allow", "GET, HEAD");
    } else if (status == 503) {
        add_header(response, "Retry-After", "5");
    }
    enum MHD_Result rc = MHD_queue_response(connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result open_stream(struct serve_http *http, struct MHD_Connection *connection,
                                   bool head) {
    struct MHD_Response *response =
        head ? MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT)
             : serve_streams_open(&http->streams, connection, CONNECTION_MEMORY);
    if (response == NULL && !head) {
        return refuse(http, connection, 503,
                      "Too many pages are open on this already: close some.\n");
    }
    enum MHD_Result rc = MHD_queue_response(
        connection, MHD_HTTP_OK, with_headers(http, response, "text/event-stream; charset=utf-8"));
    MHD_destroy_response(response);
    if (!head) {
        http->on_stream(http->context);
    }
    return rc;
}

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name,
                                 const char *value) {
    struct serve_request *request = context;
    (void)kind;
    value = value == NULL ? "" : value;
    if (strcasecmp(name, "Host") == 0) {
        request->host = value;
        request->hosts++;
    } else if (strcasecmp(name, "Origin") == 0) {
        request->origin = value;
        request->origins++;
    }
    return MHD_YES;
}

/* Called when the headers are there, and then, unless it was refused, for its body, if it has one, and at its end.  Who
 * is refused at the first call is not listened to any more, and the connection closed behind the answer. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_len, void **slot) {
    static char seen;
    struct serve_http *http = context;
    struct serve_request request = {.method = method, .path = url};
    (void)version;
    (void)body;
    if (*body_len > 0) {
        *body_len = 0; // nobody asked for it
        return MHD_YES;
    }
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, on_header, &request); // a count
    const struct serve_verdict verdict = serve_guard_judge(&http->guard, &request);
    if (verdict.what == SERVE_REFUSED) {
        return refuse(http, connection, verdict.status, verdict.why);
    }
    if (*slot == NULL) {
        struct peer *peer =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
        if (peer != NULL) {
            peer->known = true;
        }
        *slot = &seen;
        return MHD_YES;
    }
    return verdict.what == SERVE_PAGE ? MHD_queue_response(connection, MHD_HTTP_OK, http->page)
                                      : open_stream(http, connection, strcmp(method, "HEAD") == 0);
}

/* ---- opening and closing ---- */

/* *port receives the one that was had. */
static int listen_at(int *port, int *fd, struct err *err) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)*port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int on = 1, s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0) {
        return err_io(err, errno, "make a socket");
    }
    (void)setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); // else the port waits a minute
    if (bind(s, (struct sockaddr *)&address, len) != 0 || listen(s, SOMAXCONN) != 0 ||
        getsockname(s, (struct sockaddr *)&address, &len) != 0) {
        int cause = errno;
        (void)close(s); // nothing was sent
        return cause == EADDRINUSE
                   ? err_set(err, ERR_RANGE,
                             "port %d of 127.0.0.1 is in use, perhaps by another besom serve; take "
                             "another by --port N, or by --port 0 any that is free",
                             *port)
                   : err_set(err, ERR_RANGE,
                             "listen at port %d of 127.0.0.1: %s; take another by "
                             "--port N, or by --port 0 any that is free",
                             *port, strerror(cause));
    }
    *port = ntohs(address.sin_port);
    *fd = s;
    return ERR_OK;
}

/* The page with its policy in a header, where it may also say that the page may not be framed. */
static void make_page(struct serve_http *http) {
    struct buf page = {0}, policy = {0};
    report_page_put_live(&page, &policy);
    buf_puts(&policy, "; connect-src 'self'; frame-ancestors 'none'");
    http->policy = buf_detach(&policy);
    size_t len = page.len;
    http->page = with_headers(
        http, MHD_create_response_from_buffer(len, buf_detach(&page), MHD_RESPMEM_MUST_FREE),
        "text/html; charset=utf-8");
}

static int start_daemon(struct serve_http *http, int fd, struct err *err) {
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, http,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)STALL_S, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
    if (http->daemon == NULL) {
        return err_set(err, ERR_EXHAUSTED, "start libmicrohttpd: no descriptors or memory");
    }
    int epoll = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    int rc = uv_poll_init(http->loop, &http->poll, epoll);
    rc = rc == 0 ? uv_poll_start(&http->poll, UV_READABLE, on_ready) : rc;
    return rc == 0 ? ERR_OK : err_io(err, -rc, "watch the connections"); // libuv negates errno
}

int serve_http_open(struct serve_http **http, struct uv_loop_s *loop, int port,
                    const struct serve_feed *feed, void (*on_stream)(void *context), void *context,
                    struct err *err) {
    int fd = -1;
    struct serve_guard guard;
    int rc = listen_at(&port, &fd, err);
    rc = rc == ERR_OK ? serve_guard_init(&guard, port, err) : rc;
    if (rc != ERR_OK) {
        return rc; // the program ends
    }
    struct serve_http *h = mem_zalloc(1, sizeof *h);
    *h = (struct serve_http){
        .guard = guard, .on_stream = on_stream, .context = context, .loop = loop};
    serve_streams_init(&h->streams, feed, loop);
    make_page(h);
    (void)uv_timer_init(loop, &h->timeout); // succeeds always
    (void)uv_timer_init(loop, &h->tick);
    h->poll.data = h->timeout.data = h->tick.data = h;
    rc = start_daemon(h, fd, err);
    if (rc != ERR_OK) {
        return rc; // likewise
    }
    (void)uv_timer_start(&h->tick, on_tick, TICK_MS, TICK_MS); // has a callback: succeeds
    run(h);
    *http = h;
    return ERR_OK;
}

void serve_http_put_address(const struct serve_http *http, struct buf *out) {
    buf_printf(out, "http://127.0.0.1:%d/%s", http->guard.port, http->guard.token);
}

int serve_http_streams(const struct serve_http *http) {
    return serve_streams_count(&http->streams);
}

void serve_http_close(struct serve_http *http) {
    if (http == NULL) {
        return;
    }
    serve_streams_end(&http->streams); // the daemon may not stop while one is suspended
    uv_close((uv_handle_t *)&http->poll, NULL);
    uv_close((uv_handle_t *)&http->timeout, NULL);
    uv_close((uv_handle_t *)&http->tick, NULL);
    MHD_stop_daemon(http->daemon);
}

void serve_http_free(struct serve_http *http) {
    if (http == NULL) {
        return;
    }
    MHD_destroy_response(http->page);
    serve_streams_release(&http->streams);
    free(http->policy);
    free(http);
}
