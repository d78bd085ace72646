#include "cli/serve_stream.h"

#include "base/mem.h"
#include "cli/serve_feed.h"

#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

static struct serve_text *constant_text(const char *data) {
    struct serve_text *text = mem_zalloc(1, sizeof *text);
    text->data = mem_strdup(data);
    text->len = strlen(data);
    text->users = 1;
    return text;
}

void serve_streams_init(struct serve_streams *streams, const struct serve_feed *feed,
                        const struct uv_loop_s *loop) {
    *streams = (struct serve_streams){.feed = feed,
                                      .loop = loop,
                                      .greeting = constant_text("retry: 2000\n\n"),
                                      .pulse = constant_text("event: pulse\ndata: {}\n\n")};
}

void serve_streams_release(struct serve_streams *streams) {
    serve_text_drop(streams->greeting);
    serve_text_drop(streams->pulse);
}

int serve_streams_count(const struct serve_streams *streams) {
    int count = 0;
    for (int i = 0; i < SERVE_STREAMS_MAX; i++) {
        count += streams->slots[i].connection != NULL;
    }
    return count;
}

/* ---- what is sent ---- */

static bool has_news(const struct serve_stream *s) {
    const struct serve_feed *feed = s->all->feed;
    return s->document != feed->document->serial || s->status != feed->status->serial ||
           uv_now(s->all->loop) - s->taken_ms >= SERVE_PULSE_MS;
}

/* NULL: nothing. */
static struct serve_text *next_text(struct serve_stream *s) {
    const struct serve_feed *feed = s->all->feed;
    if (!s->greeted) {
        s->greeted = true;
        return s->all->greeting;
    }
    if (s->document != feed->document->serial) {
        s->document = feed->document->serial;
        return feed->document;
    }
    if (s->status != feed->status->serial) {
        s->status = feed->status->serial;
        return feed->status;
    }
    return has_news(s) ? s->all->pulse : NULL;
}

static ssize_t read_stream(void *context, uint64_t position, char *out, size_t max) {
    struct serve_stream *s = context;
    (void)position;
    if (s->dropped) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (s->text == NULL) {
        struct serve_text *text = next_text(s);
        if (text == NULL) {
            s->idle = true;
            MHD_suspend_connection(s->connection);
            return 0;
        }
        s->text = serve_text_hold(text);
        s->at = 0;
        s->taken_ms = uv_now(s->all->loop);
    }
    size_t left = s->text->len - s->at, len = left < max ? left : max;
    memcpy(out, s->text->data + s->at, len);
    s->at += len;
    if (s->at == s->text->len) {
        serve_text_drop(s->text);
        s->text = NULL;
    }
    return (ssize_t)len;
}

/* libmicrohttpd is done with it. */
static void free_stream(void *context) {
    struct serve_stream *s = context;
    serve_text_drop(s->text);
    *s = (struct serve_stream){0};
}

struct MHD_Response *serve_streams_open(struct serve_streams *streams,
                                        struct MHD_Connection *connection, size_t piece) {
    struct serve_stream *s = streams->slots;
    while (s->connection != NULL) {
        if (++s == streams->slots + SERVE_STREAMS_MAX) {
            return NULL;
        }
    }
    *s = (struct serve_stream){
        .all = streams,
        .connection = connection,
        .fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd};
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, piece, read_stream, s, free_stream);
    if (response == NULL) {
        mem_exhausted();
    }
    return response;
}

/* ---- how they end ---- */

static void resume(struct serve_stream *s) {
    if (s->idle) {
        s->idle = false;
        MHD_resume_connection(s->connection);
    }
}

/* Its socket ends at once, whether or not the client reads. */
static void drop(struct serve_stream *s) {
    s->dropped = true;
    (void)shutdown(s->fd, SHUT_RDWR); // fails when the client was quicker
    resume(s);
}

/* Bytes of texts that are no longer the newest.  *last: the stream that has the oldest of them. */
static size_t bytes_behind(struct serve_streams *streams, struct serve_stream **last) {
    size_t bytes = 0;
    *last = NULL;
    for (int i = 0; i < SERVE_STREAMS_MAX; i++) {
        struct serve_stream *s = &streams->slots[i];
        if (s->text == NULL || s->dropped || s->text == streams->feed->document) {
            continue;
        }
        bool counted = false;
        for (int k = 0; k < i && !counted; k++) {
            counted = streams->slots[k].text == s->text && !streams->slots[k].dropped;
        }
        bytes += counted ? 0 : s->text->len;
        if (*last == NULL || s->text->serial < (*last)->text->serial) {
            *last = s;
        }
    }
    return bytes;
}

void serve_streams_wake(struct serve_streams *streams) {
    struct serve_stream *last;
    while (bytes_behind(streams, &last) > SERVE_BEHIND_MAX) {
        drop(last);
    }
    for (int i = 0; i < SERVE_STREAMS_MAX; i++) {
        if (streams->slots[i].idle && has_news(&streams->slots[i])) {
            resume(&streams->slots[i]);
        }
    }
}

void serve_streams_look_after(struct serve_streams *streams) {
    for (int i = 0; i < SERVE_STREAMS_MAX; i++) {
        struct serve_stream *s = &streams->slots[i];
        char byte;
        if (s->idle && recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
            drop(s); // libmicrohttpd does not look at a connection that is suspended
        }
    }
}

void serve_streams_end(struct serve_streams *streams) {
    for (int i = 0; i < SERVE_STREAMS_MAX; i++) {
        if (streams->slots[i].connection != NULL) {
            drop(&streams->slots[i]);
        }
    }
}
