#include "cli/serve_feed.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/find.h"
#include "results/report.h"
#include "results/store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    LOOK_MS = 500,
    SHARE = 9,        // of the time at rest, to 1 of looking
    WAIT_MS = 100,    // for another program's lock
    LOCKED_MS = 5000, // after which a lock is told
    GRAIN_NS =
        50000000, // a file that is written twice within a tick of the kernel's clock has one time
};

static const char document_head[] = "event: document\ndata: ";

struct serve_text *serve_text_hold(struct serve_text *text) {
    text->users++;
    return text;
}

void serve_text_drop(struct serve_text *text) {
    if (text != NULL && --text->users == 0) {
        free(text->data);
        free(text);
    }
}

/* Takes the contents of `event`, which are then the feed's current text in `slot`. */
static void publish(struct serve_feed *feed, struct serve_text **slot, struct buf *event) {
    struct serve_text *text = mem_zalloc(1, sizeof *text);
    text->len = event->len;
    text->data = buf_detach(event);
    text->serial = ++feed->serial;
    text->users = 1;
    serve_text_drop(*slot);
    *slot = text;
}

/* ---- what has changed ---- */

static int64_t now_ns(clockid_t clock) {
    struct timespec now = {0};
    (void)clock_gettime(clock, &now); // cannot fail for a clock that there is
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct serve_mark mark_of(const char *out, const char *name) {
    struct serve_mark mark = {0};
    struct stat st;
    char *path = mem_printf("%s/%s", out, name);
    if (stat(path, &st) == 0 &&
        st.st_size > 0) { // a reader makes an empty log, and changes nothing
        mark = (struct serve_mark){st.st_dev, st.st_ino, st.st_size,
                                   (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec};
    }
    free(path);
    return mark;
}

static bool is_same(const struct serve_mark *a, const struct serve_mark *b) {
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed_ns == b->changed_ns;
}

/* Notes how things stand.  Returns whether a look is needed.  The lock comes first: once it is free, all rows are
 * there. */
static bool note_state(struct serve_feed *feed) {
    int64_t now = now_ns(CLOCK_REALTIME);
    bool running = cmd_is_running(feed->out);
    const struct serve_mark file = mark_of(feed->out, "results.db"),
                            log = mark_of(feed->out, "results.db-wal");
    bool changed = !feed->settled || running != feed->running || !is_same(&file, &feed->file) ||
                   !is_same(&log, &feed->log);
    feed->running = running;
    feed->file = file;
    feed->log = log;
    feed->settled = now - file.changed_ns > GRAIN_NS && now - log.changed_ns > GRAIN_NS;
    return changed;
}

/* ---- the document ---- */

static bool wait_for_lock(void *context, const struct store *store, int waited_ms) {
    (void)context;
    (void)store;
    return waited_ms < WAIT_MS;
}

/* Appends the event.  In JSON a line ends between two words alone, where a blank is the same. */
static int put_document(struct buf *event, struct store *store, const struct serve_feed *feed,
                        struct err *err) {
    const struct report_options what = {.version = cmd_version(), .active = feed->running};
    buf_puts(event, document_head);
    size_t from = event->len;
    int rc = report_put_data(event, store, feed->sweep, &what, err);
    for (char *at = event->data + from, *end = event->data + event->len;
         rc == ERR_OK && at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++) {
        *at = ' ';
    }
    buf_puts(event, "\n\n");
    return rc;
}

/* Where the document's own words begin, behind the time at which it was made. */
static size_t after_made_at(const char *data, size_t len) {
    static const char member[] = "\"sweep\": {";
    const char *at = memmem(data, len, member, strlen(member));
    return at == NULL ? 0 : (size_t)(at - data);
}

static bool is_told(const struct serve_feed *feed, const struct buf *event) {
    const struct serve_text *old = feed->document;
    if (old == NULL) {
        return false;
    }
    size_t from = after_made_at(event->data, event->len);
    size_t old_from = after_made_at(old->data, old->len);
    return event->len - from == old->len - old_from &&
           memcmp(event->data + from, old->data + old_from, event->len - from) == 0;
}

/* *news: whether it is another document than the last one. */
static int take_document(struct serve_feed *feed, struct store *store, bool *news,
                         struct err *err) {
    struct buf event = {0};
    int rc = put_document(&event, store, feed, err);
    if (rc == ERR_OK && !is_told(feed, &event)) {
        publish(feed, &feed->document, &event);
        *news = true;
    }
    buf_release(&event);
    return rc;
}

static int read_store(struct serve_feed *feed, bool *news, struct err *err) {
    const struct store_patience patience = {.wait = wait_for_lock};
    struct store *store;
    int rc = store_open_patiently(&store, feed->out, STORE_READ, &patience, err);
    if (rc == ERR_OK) {
        struct err ignored;
        rc = take_document(feed, store, news, err);
        (void)store_close(store, &ignored); // a reader has nothing to lose
    }
    return rc;
}

/* ---- what is the matter ---- */

static void put_status(struct serve_feed *feed) {
    struct buf event = {0};
    buf_puts(&event, "event: status\ndata: {\"trouble\": ");
    if (feed->trouble == NULL) {
        buf_puts(&event, "null");
    } else {
        buf_json_string(&event, feed->trouble, strlen(feed->trouble));
    }
    buf_puts(&event, "}\n\n");
    publish(feed, &feed->status, &event);
}

/* NULL: all is well.  Returns whether that is news. */
static bool set_trouble(struct serve_feed *feed, const char *trouble) {
    if (trouble == NULL ? feed->trouble == NULL
                        : feed->trouble != NULL && strcmp(feed->trouble, trouble) == 0) {
        return false;
    }
    free(feed->trouble);
    feed->trouble = trouble == NULL ? NULL : mem_strdup(trouble);
    put_status(feed);
    return true;
}

/* A lock is waited for between looks, and told when it stays. */
static bool is_passing(struct serve_feed *feed, int rc) {
    int64_t now_ms = now_ns(CLOCK_MONOTONIC) / 1000000;
    if (rc != ERR_BUSY) {
        feed->locked_since_ms = 0;
        return false;
    }
    if (feed->locked_since_ms == 0) {
        feed->locked_since_ms = now_ms;
    }
    return now_ms - feed->locked_since_ms < LOCKED_MS;
}

bool serve_feed_look(struct serve_feed *feed, int64_t *rest_ms) {
    int64_t began = now_ns(CLOCK_MONOTONIC);
    bool news = false;
    if (note_state(feed)) {
        struct err err;
        int rc = read_store(feed, &news, &err);
        feed->settled = feed->settled && rc == ERR_OK;
        if (!is_passing(feed, rc)) {
            news |= set_trouble(feed, rc == ERR_OK ? NULL : err.msg);
        }
    }
    int64_t took_ms = (now_ns(CLOCK_MONOTONIC) - began) / 1000000;
    *rest_ms = took_ms > LOOK_MS / SHARE ? took_ms * SHARE : LOOK_MS;
    return news;
}

int serve_feed_open(struct serve_feed *feed, const char *out, const char *word, struct err *err) {
    *feed = (struct serve_feed){.out = out};
    struct store *store = NULL;
    int rc = find_open(&store, out, word, &feed->sweep, NULL, err);
    if (rc == ERR_OK) {
        bool news;
        (void)note_state(feed); // it is looked at in any case
        rc = take_document(feed, store, &news, err);
    }
    if (rc == ERR_OK) {
        put_status(feed);
    }
    struct err ignored;
    (void)store_close(store, &ignored); // a reader has nothing to lose
    return rc;
}

void serve_feed_close(struct serve_feed *feed) {
    serve_text_drop(feed->document);
    serve_text_drop(feed->status);
    free(feed->trouble);
    free(feed->sweep);
    *feed = (struct serve_feed){0};
}
