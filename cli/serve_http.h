/* cli/serve_http.h - the page and its stream of events over HTTP, at 127.0.0.1 alone.
 *
 *     GET /TOKEN          the page of results/report_page.h, which opens the stream
 *     GET /TOKEN/events   the texts of serve_feed.h, the current ones at once and later ones as they come
 *
 * libmicrohttpd parses and writes HTTP.  It has no thread: its epoll descriptor and its timeout are a handle and a timer
 * of the caller's libuv loop.
 *
 * Whatever clients do, memory is bounded and others are served:
 *
 *     CONNECTIONS_MAX     what comes beyond waits for its turn in the kernel's queue
 *     CONNECTION_MEMORY   bytes of each; headers that are longer are told 431
 *     KERNEL_MEMORY       likewise, of what is sent and not read
 *     SHOW_TOKEN_MS       a connection that has not sent a request with the token by then is closed
 *     STALL_S             likewise one that takes or sends nothing for so long
 *     SERVE_STREAMS_MAX   what comes beyond is told 503; the page tries again
 *     SERVE_BEHIND_MAX    see serve_stream.h */
#ifndef CLI_SERVE_HTTP_H
#define CLI_SERVE_HTTP_H

struct buf;
struct err;
struct serve_feed;
struct serve_http;
struct uv_loop_s;

/* Listens at this port of 127.0.0.1, 0: any that is free.  `feed` is borrowed; `on_stream` is called when a stream begins.
 * ERR_RANGE when the port cannot be had, with the way out. */
int serve_http_open(struct serve_http **http, struct uv_loop_s *loop, int port,
                    const struct serve_feed *feed, void (*on_stream)(void *context), void *context,
                    struct err *err);

/* What to open in a browser. */
void serve_http_put_address(const struct serve_http *http, struct buf *out);

/* How many streams there are. */
int serve_http_streams(const struct serve_http *http);

/* The feed has something new. */
void serve_http_wake(struct serve_http *http);

/* Ends all connections; the loop then has to run once more before serve_http_free().  NULL is fine. */
void serve_http_close(struct serve_http *http);
void serve_http_free(struct serve_http *http);

#endif
