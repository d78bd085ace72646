#include "runner/trial_log.h"

#include "base/err.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void put_header(struct trial_log *log, int attempt) {
    char at[32];
    struct tm utc;
    time_t now = time(NULL);
    (void)gmtime_r(&now, &utc);                                // fails past the year 2^31
    (void)strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &utc); // fits
    char text[64];
    (void)snprintf(text, sizeof text, "attempt %d, %s", attempt, at); // fits
    trial_log_note(log, text);
}

/* A runner that was killed may have left half a line. */
static bool ends_in_newline(int fd, int64_t size) {
    char last = '\n';
    return size == 0 || pread(fd, &last, 1, size - 1) != 1 || last == '\n';
}

int trial_log_open(struct trial_log *log, const char *path, int attempt, int64_t limit,
                   struct err *err) {
    *log = (struct trial_log){.fd = -1, .limit = limit};
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
    if (fd < 0) {
        return err_io(err, errno, "open %s", path);
    }
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd); // nothing was written
        return err_set(err, ERR_IO, "%s: not a regular file", path);
    }
    log->fd = fd;
    log->size = st.st_size;
    log->full = log->size >= limit;
    if (!ends_in_newline(fd, log->size)) {
        buf_putc(&log->pending, '\n');
    }
    put_header(log, attempt);
    trial_log_flush(log);
    return ERR_OK;
}

static void keep_tail(struct trial_log *log, const char *text, size_t len) {
    enum { KEPT = 2 * TRIAL_LOG_TAIL_MAX }; // so that bytes are moved once in a while only
    if (len > TRIAL_LOG_TAIL_MAX) {
        text += len - TRIAL_LOG_TAIL_MAX;
        len = TRIAL_LOG_TAIL_MAX;
    }
    if (log->tail.len + len > KEPT) {
        size_t kept = TRIAL_LOG_TAIL_MAX;
        memmove(log->tail.data, log->tail.data + log->tail.len - kept, kept);
        log->tail.len = kept;
    }
    buf_put(&log->tail, text, len);
}

void trial_log_line(struct trial_log *log, const char *text, size_t len, bool cut) {
    static const char mark[] = " [the line goes on]";
    keep_tail(log, text, len);
    keep_tail(log, "\n", 1);
    if (log->fd < 0 || log->full) {
        return;
    }
    if (log->size + (int64_t)(log->pending.len + len) > log->limit) {
        log->full = true;
        trial_log_note(log, "the log is full; what follows is not kept");
        return;
    }
    buf_put(&log->pending, text, len);
    buf_puts(&log->pending, cut ? mark : "");
    buf_putc(&log->pending, '\n');
}

void trial_log_note(struct trial_log *log, const char *text) {
    buf_printf(&log->pending, "--- %s\n", text);
}

void trial_log_flush(struct trial_log *log) {
    size_t done = 0;
    while (log->fd >= 0 && done < log->pending.len) {
        ssize_t n = write(log->fd, log->pending.data + done, log->pending.len - done);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno != EINTR) {
            log->cause = errno;
            (void)close(log->fd); // given up
            log->fd = -1;
        }
    }
    log->size += (int64_t)done;
    buf_clear(&log->pending);
}

char *trial_log_tail(const struct trial_log *log) {
    const unsigned char *s = (const unsigned char *)buf_text(&log->tail), *end = s + log->tail.len;
    if (log->tail.len > TRIAL_LOG_TAIL_MAX) {
        s = end - TRIAL_LOG_TAIL_MAX;
        const unsigned char *line = memchr(s, '\n', (size_t)(end - s) - 1);
        s = line == NULL ? s : line + 1; // whole lines, unless one line is all there is
    }
    struct buf out = {0};
    while (s < end) {
        size_t len = utf8_len(s, (size_t)(end - s));
        bool shown = len > 1 || (len == 1 && (*s >= ' ' || *s == '\n' || *s == '\t') && *s != 127);
        if (shown) {
            buf_put(&out, s, len);
        } else {
            buf_puts(&out, "\xef\xbf\xbd");
        }
        s += len > 0 ? len : 1;
    }
    return buf_detach(&out);
}

void trial_log_close(struct trial_log *log) {
    trial_log_flush(log);
    if (log->fd >= 0) {
        (void)close(log->fd); // a log may lose its end in a power cut
    }
    buf_release(&log->pending);
    buf_release(&log->tail);
    *log = (struct trial_log){.fd = -1};
}
