#include "runner/trial_log.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "base/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_ROOM = WIRE_LINE_MAX + 256, // what a file has less than when it is full
    MARK_MAX = 160,
};

#define MARK_FORMAT "--- attempt %d goes on; from the end of log to here: %lld lines, %lld bytes"

/* ---- the runner's own lines ---- */

int trial_log_mark_print(const struct trial_log_mark *mark, char *out, size_t size) {
    return snprintf(out, size, MARK_FORMAT, mark->attempt, (long long)mark->lines,
                    (long long)mark->bytes);
}

size_t trial_log_mark_read(struct trial_log_mark *mark, const char *text) {
    int attempt = 0, len = 0;
    long long lines = 0, bytes = 0;
    // A number too large for its type comes out as another, and the line then prints differently.
    if (sscanf(text, MARK_FORMAT "%n", &attempt, &lines, &bytes, &len) != 3 || len == 0) {
        return 0;
    }
    const struct trial_log_mark read = {attempt, lines, bytes};
    char again[MARK_MAX];
    int wanted = trial_log_mark_print(&read, again, sizeof again);
    if (wanted != len || memcmp(text, again, (size_t)len) != 0 || text[len] != '\n' ||
        attempt < 0 || lines < 0 || bytes < 0) {
        return 0;
    }
    *mark = read;
    return (size_t)len + 1;
}

int trial_log_header_read(const char *line, size_t len) {
    static const char shape[] = ", 0000-00-00T00:00:00Z\n"; // 0: a digit
    static const char begin[] = "--- attempt ";
    size_t at = sizeof begin - 1;
    if (len < at || memcmp(line, begin, at) != 0) {
        return 0;
    }
    int attempt = 0, digits = 0;
    for (; at < len && line[at] >= '0' && line[at] <= '9' && digits < 9; at++, digits++) {
        attempt = attempt * 10 + (line[at] - '0');
    }
    if (digits == 0 || len - at != sizeof shape - 1) {
        return 0;
    }
    for (size_t i = 0; i < sizeof shape - 1; i++) {
        char c = line[at + i];
        if (shape[i] == '0' ? c < '0' || c > '9' : c != shape[i]) {
            return 0;
        }
    }
    return attempt;
}

static void put_header(struct trial_log *log) {
    char at[32];
    struct tm utc;
    time_t now = time(NULL);
    (void)gmtime_r(&now, &utc);                                // fails past the year 2^31
    (void)strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &utc); // fits
    buf_printf(&log->pending, "--- attempt %d, %s\n", log->attempt, at);
    log->lines++;
}

/* ---- files ---- */

/* What is lost are words: the file is given up, and the runner says so at the end. */
static void give_up(struct trial_log *log, int cause) {
    log->cause = cause;
    if (log->fd >= 0) {
        (void)close(log->fd);
    }
    log->fd = -1;
}

void trial_log_flush(struct trial_log *log) {
    size_t done = 0;
    while (log->fd >= 0 && done < log->pending.len) {
        ssize_t n = write(log->fd, log->pending.data + done, log->pending.len - done);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno != EINTR) {
            give_up(log, errno);
        }
    }
    log->size += (int64_t)done;
    buf_clear(&log->pending);
}

/* Opens a file of the log, and nothing that only has its name.  -1 with errno. */
static int open_file(const char *path, int flags) {
    int fd = open(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags, 0644);
    struct stat st;
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        (void)close(fd); // nothing was written
        errno = EINVAL;
        return -1;
    }
    return fd;
}

static int64_t size_of(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_size : 0; // cannot fail for a file that is open
}

/* A runner that was killed may have left half a line. */
static void end_half_a_line(struct trial_log *log) {
    char last = '\n';
    if (log->size > 0 && pread(log->fd, &last, 1, log->size - 1) == 1 && last != '\n') {
        buf_putc(&log->pending, '\n');
        log->lines++;
    }
}

/* ---- tail files ---- */

/* The newlines from `from` on. */
static int64_t count_lines(int fd, int64_t from) {
    char chunk[1 << 14];
    int64_t lines = 0;
    ssize_t n;
    while ((n = pread(fd, chunk, sizeof chunk, from)) > 0) {
        for (const char *c = chunk; (c = memchr(c, '\n', (size_t)(chunk + n - c))) != NULL; c++) {
            lines++;
        }
        from += n;
    }
    return lines;
}

static size_t mark_of(int fd, struct trial_log_mark *mark) {
    char text[MARK_MAX];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return trial_log_mark_read(mark, text);
}

/* The mark of the file that follows the growing one. */
static struct trial_log_mark next_mark(const struct trial_log *log) {
    return (struct trial_log_mark){log->attempt, log->mark.lines + log->lines,
                                   log->mark.bytes + log->size - log->mark_len};
}

/* Makes `fd` the file that grows; false, and nothing done, without a mark. */
static bool adopt_tail(struct trial_log *log, int fd) {
    size_t len = mark_of(fd, &log->mark);
    if (len == 0) {
        return false;
    }
    log->fd = fd;
    log->in_tail = true;
    log->size = size_of(fd);
    log->mark_len = (int64_t)len;
    log->lines = count_lines(fd, log->mark_len);
    return true;
}

static void begin_tail(struct trial_log *log, const char *newest, struct trial_log_mark mark) {
    char text[MARK_MAX];
    log->fd = open_file(newest, O_CREAT | O_EXCL);
    if (log->fd < 0) {
        give_up(log, errno);
        return;
    }
    int len = trial_log_mark_print(&mark, text, sizeof text - 1);
    text[len] = '\n';
    log->in_tail = true;
    log->size = log->lines = 0;
    log->mark = mark;
    log->mark_len = len + 1;
    buf_put(&log->pending, text, (size_t)len + 1);
    trial_log_flush(log); // alone: a file has its whole mark, or nothing
}

/* Begins log.tail behind log.tail.1; false when that is not there or not ours. */
static bool follow_before(struct trial_log *log, const char *newest, const char *before) {
    int fd = open_file(before, 0);
    bool found = fd >= 0 && adopt_tail(log, fd);
    if (fd >= 0) {
        (void)close(fd); // only read
    }
    if (found) {
        begin_tail(log, newest, next_mark(log));
    }
    return found;
}

/* Goes on with the tail files that are there; false when there are none.  A log.tail without a mark is a
 * killed runner's, and empty, or a stranger's: it goes. */
static bool enter_tail(struct trial_log *log) {
    char *newest = mem_printf("%s" TRIAL_LOG_NEWEST, log->path);
    char *before = mem_printf("%s" TRIAL_LOG_BEFORE, log->path);
    int fd = open_file(newest, 0);
    bool found = fd >= 0 && adopt_tail(log, fd);
    if (found) {
        end_half_a_line(log);
    } else {
        if (fd >= 0) {
            (void)close(fd); // only read
        }
        (void)unlink(newest); // as a rule there is none; when this fails, so does the making of it
        found = follow_before(log, newest, before);
    }
    free(newest);
    free(before);
    return found;
}

/* Unlinks before it renames: renaming over a file makes some file systems write the new one to the disk
 * at once, and in a flood that is all that they then do. */
static void rotate(struct trial_log *log) {
    struct trial_log_mark mark = next_mark(log);
    (void)close(log->fd); // a log may lose its end in a power cut
    log->fd = -1;
    char *newest = mem_printf("%s" TRIAL_LOG_NEWEST, log->path);
    char *before = mem_printf("%s" TRIAL_LOG_BEFORE, log->path);
    if ((unlink(before) != 0 && errno != ENOENT) || rename(newest, before) != 0) {
        give_up(log, errno);
    } else {
        begin_tail(log, newest, mark);
    }
    free(newest);
    free(before);
}

static void seal(struct trial_log *log) {
    buf_puts(&log->pending, TRIAL_LOG_SEAL "\n");
    trial_log_flush(log);
    if (log->fd < 0) {
        return;
    }
    (void)close(log->fd); // a log may lose its end in a power cut
    log->fd = -1;
    if (!enter_tail(log)) {
        char *newest = mem_printf("%s" TRIAL_LOG_NEWEST, log->path);
        begin_tail(log, newest, (struct trial_log_mark){.attempt = log->attempt});
        free(newest);
    }
}

/* Sees to it that a line of `len` bytes fits into the growing file; an empty one takes any. */
static void make_room(struct trial_log *log, size_t len) {
    int64_t after = log->size + (int64_t)(log->pending.len + len);
    if (log->fd >= 0 && !log->in_tail && after > log->limit / 2) {
        trial_log_flush(log);
        if (log->fd >= 0) {
            seal(log);
        }
        after = log->size + (int64_t)(log->pending.len + len);
    }
    bool fresh = log->size + (int64_t)log->pending.len <= log->mark_len && log->mark_len > 0;
    if (log->fd >= 0 && log->in_tail && after > log->limit / 4 && !fresh) {
        trial_log_flush(log);
        if (log->fd >= 0) {
            rotate(log);
        }
    }
}

/* ---- opening ---- */

/* `log` has its beginning only: the header is put there for who looks for headers, then where the
 * output goes. */
static void go_on_in_tail(struct trial_log *log) {
    int fd = log->fd;
    log->fd = -1;
    log->attempt--; // a file that is begun now is begun in the time of the one before
    if (!enter_tail(log)) {
        log->fd = fd;
        log->attempt++;
        return;
    }
    (void)close(fd); // a log may lose its end in a power cut
    make_room(log, 0);
    log->attempt++;
    put_header(log);
    trial_log_flush(log);
}

int trial_log_open(struct trial_log *log, const char *path, int attempt, int64_t limit,
                   struct err *err) {
    *log = (struct trial_log){.fd = -1, .limit = limit, .attempt = attempt};
    int fd = open_file(path, O_CREAT);
    if (fd < 0) {
        return errno == EINVAL ? err_set(err, ERR_IO, "%s: not a regular file", path)
                               : err_io(err, errno, "open %s", path);
    }
    log->fd = fd;
    log->path = mem_strdup(path);
    log->size = log->begun_at = size_of(fd);
    end_half_a_line(log);
    put_header(log);
    trial_log_flush(log);
    if (log->fd >= 0 && log->size > limit / 2 - LINE_MAX_ROOM) {
        go_on_in_tail(log);
    }
    return ERR_OK;
}

/* ---- writing ---- */

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

/* A line that only the runner may begin like this, with its newline. */
static bool looks_like_header(const char *text, size_t len) {
    char line[64];
    if (len >= sizeof line || text[0] != '-') {
        return false;
    }
    memcpy(line, text, len);
    line[len] = '\n';
    return trial_log_header_read(line, len + 1) > 0;
}

void trial_log_line(struct trial_log *log, const char *text, size_t len, bool cut, bool is_told) {
    const char *mark = cut ? " [the line goes on]" : "";
    bool pretends = len > 0 && (looks_like_header(text, len) || (text[0] == '{' && !is_told));
    keep_tail(log, text, len);
    keep_tail(log, "\n", 1);
    make_room(log, pretends + len + strlen(mark) + 1);
    if (log->fd < 0) {
        return;
    }
    buf_puts(&log->pending, pretends ? " " : "");
    buf_put(&log->pending, text, len);
    buf_puts(&log->pending, mark);
    buf_putc(&log->pending, '\n');
    log->lines++;
}

void trial_log_note(struct trial_log *log, const char *text) {
    make_room(log, strlen(text) + sizeof "--- \n");
    buf_printf(&log->pending, "--- %s\n", text);
    log->lines++;
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
        bool shown = len > 0 && (*s == '\n' || *s == '\t' || !utf8_is_control(s));
        if (shown) {
            buf_put(&out, s, len);
        } else {
            buf_puts(&out, "\xef\xbf\xbd");
        }
        s += len > 0 ? len : 1;
    }
    return buf_detach(&out);
}

void trial_log_undo(struct trial_log *log) {
    buf_clear(&log->pending);
    if (log->fd >= 0 && !log->in_tail) {
        (void)ftruncate(log->fd, log->begun_at); // else there is a header too many
    }
}

void trial_log_close(struct trial_log *log) {
    trial_log_flush(log);
    if (log->fd >= 0) {
        (void)close(log->fd); // a log may lose its end in a power cut
    }
    buf_release(&log->pending);
    buf_release(&log->tail);
    free(log->path);
    *log = (struct trial_log){.fd = -1};
}
