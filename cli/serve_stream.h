/* cli/serve_stream.h - the streams of events that clients of `besom serve` have open.
 *
 *     opened --> greeting --> document --> status --> idle (suspended)
 *                                ^                      |
 *                                +--- news, or a pulse -+
 *
 * Invariants
 *   1. A stream holds one text at a time, shared with all others.  When that is sent it goes on with the newest: what
 *      came between is never sent.
 *   2. Texts that are no longer the newest and still on their way have BEHIND_MAX bytes together at most; beyond, the
 *      streams that are furthest behind are ended.
 *   3. A stream is in its slot until libmicrohttpd is done with it, however it ends. */
#ifndef CLI_SERVE_STREAM_H
#define CLI_SERVE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct MHD_Connection;
struct MHD_Response;
struct serve_feed;
struct serve_streams;
struct serve_text;
struct uv_loop_s;

enum {
    SERVE_STREAMS_MAX = 32,
    SERVE_PULSE_MS = 10000, // after so long without a text an idle stream is sent a pulse
    SERVE_BEHIND_MAX = 16 << 20,
};

struct serve_stream {
    struct serve_streams *all;
    struct MHD_Connection *connection; // NULL: a free slot
    int fd;                            // libmicrohttpd's
    struct serve_text *text;           // is being sent, from `at` on; NULL: none
    size_t at;
    uint64_t document, status; // serials of the last that were taken
    uint64_t taken_ms;         // when a text was
    bool greeted, idle, dropped;
};

struct serve_streams {
    const struct serve_feed *feed; // borrowed
    const struct uv_loop_s *loop;  // its clock
    struct serve_text *greeting, *pulse;
    struct serve_stream slots[SERVE_STREAMS_MAX];
};

void serve_streams_init(struct serve_streams *streams, const struct serve_feed *feed,
                        const struct uv_loop_s *loop);
void serve_streams_release(struct serve_streams *streams); // of which none is left

/* A response that goes on, for this connection, in pieces of at most `piece` bytes; NULL: there are too many. */
struct MHD_Response *serve_streams_open(struct serve_streams *streams,
                                        struct MHD_Connection *connection, size_t piece);

int serve_streams_count(const struct serve_streams *streams);

/* Ends what is too far behind, and lets those go on that have something to send.  The daemon is then to be run. */
void serve_streams_wake(struct serve_streams *streams);

/* Ends those whose client has left. */
void serve_streams_look_after(struct serve_streams *streams);

void serve_streams_end(struct serve_streams *streams); // all of them

#endif
