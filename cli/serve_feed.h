/* cli/serve_feed.h - what `besom serve` tells of a sweep: the one place that reads its database.
 *
 *     results.db --look, when it has changed--> one text, made once --> every stream that is behind
 *
 * Two texts are current at any time, each an event as a stream of server-sent events has it:
 *
 *     event: document   data: the data document (results/report.h), on one line
 *     event: status     data: {"trouble": null}, or why the database cannot be read now
 *
 * Invariants
 *   1. Nothing is open between two looks: no lock is held and no checkpoint held back.  A look is one short read
 *      transaction, which never waits for a lock longer than WAIT_MS.
 *   2. Without a change of results.db, its write-ahead log or the run's lock, a look costs three calls of stat().
 *   3. Looking takes a tenth of the time at most: feed_look() says how long to leave it alone.
 *   4. A text never changes.  It is freed when the last one who uses it lets go of it.
 *   5. Whatever happens to the file, the last document stays, and a later look takes up whatever is there. */
#ifndef CLI_SERVE_FEED_H
#define CLI_SERVE_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct serve_text {
    char *data;
    size_t len;
    uint64_t serial; // counts up over all texts of a feed
    int users;
};

struct serve_text *serve_text_hold(struct serve_text *text); // returns it
void serve_text_drop(struct serve_text *text);               // NULL is fine

/* What tells one state of a file from another. */
struct serve_mark {
    dev_t device;
    ino_t inode;
    off_t size;
    int64_t changed_ns;
};

struct serve_feed {
    const char *out; // borrowed
    char *sweep;
    struct serve_text *document, *status; // the current ones
    uint64_t serial;

    struct serve_mark file, log; // as they were at the last look
    bool running, settled;       // settled: that look is still right if nothing has changed
    int64_t locked_since_ms;     // 0: not
    char *trouble;               // NULL: none
};

/* The first look.  `word` is a sweep's name or file, or NULL: the one that ran last.  A run that has only begun is
 * given some seconds to make its plan.  Fails as store_open(), find_sweep() and report_put_data() do. */
int serve_feed_open(struct serve_feed *feed, const char *out, const char *word, struct err *err);
void serve_feed_close(struct serve_feed *feed);

/* Looks whether something has changed, and if so makes new texts.  *rest_ms receives how long the next look is to
 * be put off.  Returns whether there is something new to tell. */
bool serve_feed_look(struct serve_feed *feed, int64_t *rest_ms);

#endif
