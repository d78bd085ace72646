/* In the place of serve_http.c where there is no libmicrohttpd. */
#include "cli/serve_http.h"

#include "base/err.h"

bool serve_http_is_built(void) {
    return false;
}

int serve_http_open(struct serve_http **http, struct uv_loop_s *loop, int port,
                    const struct serve_feed *feed, void (*on_stream)(void *context), void *context,
                    struct err *err) {
    (void)http, (void)loop, (void)port, (void)feed, (void)on_stream, (void)context;
    return err_set(err, ERR_RANGE, "built without libmicrohttpd");
}

void serve_http_put_address(const struct serve_http *http, struct buf *out) {
    (void)http, (void)out;
}

int serve_http_streams(const struct serve_http *http) {
    (void)http;
    return 0;
}

void serve_http_wake(struct serve_http *http) {
    (void)http;
}

void serve_http_close(struct serve_http *http) {
    (void)http;
}

void serve_http_free(struct serve_http *http) {
    (void)http;
}
