#include "runner/trial_log_read.h"

#include "base/err.h"
#include "base/mem.h"
#include "runner/trial_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 16, FIRST_LINE_MAX = 256 };

/* ---- opening files ---- */

/* -1 when there is no such file, or when it is none. */
static int open_file(const char *path, const char *suffix, struct stat *st) {
    char *name = mem_printf("%s%s", path, suffix);
    int fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    free(name);
    if (fd >= 0 && (fstat(fd, st) != 0 || !S_ISREG(st->st_mode))) {
        (void)close(fd); // only read
        errno = EINVAL;
        fd = -1;
    }
    return fd;
}

/* A tail file with its mark; false when it is not there, or has none yet. */
static bool open_tail(struct trial_log_piece *piece, struct trial_log_mark *mark, struct stat *st,
                      const char *path, const char *suffix) {
    int fd = open_file(path, suffix, st);
    if (fd < 0) {
        return false;
    }
    char text[FIRST_LINE_MAX];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    size_t len = trial_log_mark_read(mark, text);
    if (len == 0) {
        (void)close(fd); // only read
        return false;
    }
    *piece = (struct trial_log_piece){fd, suffix, (int64_t)len, st->st_size, mark->bytes};
    return true;
}

/* The two may be exchanged while they are opened: then the one is the other, or the older is the
 * newer, or something is missing between them. */
static int open_tails(struct trial_log_piece tails[2], struct trial_log_mark *first,
                      const char *path) {
    enum { TRIES = 5 };
    for (int try = 1;; try++) {
        struct stat st[2];
        struct trial_log_mark mark[2];
        bool newest = open_tail(&tails[1], &mark[1], &st[1], path, TRIAL_LOG_NEWEST);
        bool before = open_tail(&tails[0], &mark[0], &st[0], path, TRIAL_LOG_BEFORE);
        *first = before ? mark[0] : mark[1];
        int64_t end = before ? mark[0].bytes + tails[0].to - tails[0].from : 0;
        bool joined = newest && before && st[0].st_ino != st[1].st_ino && end == mark[1].bytes;
        if (joined) {
            return 2;
        }
        if (try == TRIES && newest && before) { // a flood: the newest will do
            (void)close(tails[0].fd);           // only read
            before = false;
            *first = mark[1];
        }
        if (!(newest && before)) {
            tails[0] = newest ? tails[1] : tails[0];
            return newest || before;
        }
        (void)close(tails[0].fd); // these two were only read
        (void)close(tails[1].fd);
    }
}

/* ---- the seal ---- */

struct seal {
    int64_t at;         // its line's begin; -1: none
    struct buf headers; // what follows it, if nothing else does
};

static void scan_line(struct seal *seal, const char *line, size_t len, int64_t at) {
    static const char text[] = TRIAL_LOG_SEAL "\n";
    if (len == sizeof text - 1 && memcmp(line, text, len) == 0) {
        seal->at = at;
        buf_clear(&seal->headers);
    } else if (seal->at >= 0 && trial_log_header_read(line, len) > 0) {
        buf_put(&seal->headers, line, len);
    } else {
        seal->at = -1; // not the seal, but something that looks like it
    }
}

/* Looks at every line's beginning: trainers can print what a seal looks like, but not behind one. */
static void find_seal(struct seal *seal, const struct trial_log_piece *piece) {
    struct buf text = {0};
    int64_t at = piece->from;
    ssize_t n;
    seal->at = -1;
    while ((n = pread(piece->fd, buf_reserve(&text, CHUNK), CHUNK, at + (int64_t)text.len)) > 0) {
        text.len += (size_t)n;
        const char *line = text.data, *end = text.data + text.len, *newline;
        while ((newline = memchr(line, '\n', (size_t)(end - line))) != NULL) {
            size_t len = (size_t)(newline + 1 - line);
            scan_line(seal, line, len, at);
            at += (int64_t)len;
            line = newline + 1;
        }
        text.len = (size_t)(end - line);
        memmove(text.data, line, text.len);
        if (text.len > CHUNK) { // longer than any line of ours
            at += (int64_t)text.len;
            buf_clear(&text);
            seal->at = -1;
        }
    }
    if (text.len > 0) {
        seal->at = -1;
    }
    buf_release(&text);
}

/* Attempts that began before the tail's first line have their headers here alone. */
static void keep_headers(struct trial_log_read *log, const struct seal *seal, int attempt) {
    const char *line = buf_text(&seal->headers), *newline;
    while ((newline = strchr(line, '\n')) != NULL) {
        size_t len = (size_t)(newline + 1 - line);
        if (trial_log_header_read(line, len) <= attempt) {
            buf_put(&log->headers, line, len);
        }
        line = newline + 1;
    }
}

int trial_log_read_open(struct trial_log_read *log, const char *path, struct err *err) {
    *log = (struct trial_log_read){0};
    struct trial_log_mark mark;
    // The tail first: a head that is sealed after that is seen as it was then, or a little longer.
    int tails = open_tails(log->pieces + 1, &mark, path);
    struct stat st;
    int fd = open_file(path, "", &st), cause = errno;
    if (fd < 0) {
        for (int i = 1; i <= tails; i++) {
            (void)close(log->pieces[i].fd); // only read
        }
        *log = (struct trial_log_read){0};
        return cause == ENOENT ? err_set(err, ERR_NOT_FOUND, "%s: no such file", path)
                               : err_io(err, cause, "open %s", path);
    }
    log->pieces[0] = (struct trial_log_piece){fd, "", 0, st.st_size, 0};
    log->count = 1 + tails;
    if (tails > 0) {
        struct seal seal = {0};
        find_seal(&seal, &log->pieces[0]);
        if (seal.at >= 0) {
            log->pieces[0].to = seal.at;
            keep_headers(log, &seal, mark.attempt);
        }
        buf_release(&seal.headers);
        log->left_lines = mark.lines;
        log->left_bytes = mark.bytes;
    }
    return ERR_OK;
}

void trial_log_read_close(struct trial_log_read *log) {
    for (int i = 0; i < log->count; i++) {
        (void)close(log->pieces[i].fd); // only read
    }
    buf_release(&log->headers);
    *log = (struct trial_log_read){0};
}

/* ---- places ---- */

/* Passes over `*left` newlines from the end; the last byte of all is a line's end, not a begin. */
static int64_t search_back(const struct trial_log_piece *piece, int64_t *left, int *cause) {
    char chunk[CHUNK];
    int64_t end = piece->to;
    *cause = 0;
    while (end > piece->from) {
        int64_t begin = end - CHUNK > piece->from ? end - CHUNK : piece->from;
        ssize_t n = pread(piece->fd, chunk, (size_t)(end - begin), begin);
        if (n != end - begin) {
            *cause = n < 0 ? errno : EIO; // EIO: somebody has made it shorter
            return end;
        }
        for (ssize_t i = n - 1; i >= 0; i--) {
            if (chunk[i] == '\n' && begin + i + 1 < piece->to && --*left == 0) {
                return begin + i + 1;
            }
        }
        end = begin;
    }
    return piece->from;
}

int trial_log_read_last(const struct trial_log_read *log, int64_t lines, int *piece, int64_t *at,
                        struct err *err) {
    int p = log->count - 1, cause = 0;
    if (lines <= 0) {
        *piece = p;
        *at = log->pieces[p].to;
        return ERR_OK;
    }
    int64_t left = lines, found;
    for (;; p--) {
        found = search_back(&log->pieces[p], &left, &cause);
        if (cause != 0) {
            return err_io(err, cause, "read the log");
        }
        bool has_text = log->pieces[p].to > log->pieces[p].from;
        if (left == 0 || p == 0) {
            break;
        }
        left -= has_text; // its first line
        if (left == 0) {
            break;
        }
    }
    *piece = p;
    *at = found;
    return ERR_OK;
}

bool trial_log_read_moved(const struct trial_log_read *log, const char *path) {
    struct stat now, last;
    char *name = mem_printf("%s" TRIAL_LOG_NEWEST, path);
    bool there = stat(name, &now) == 0;
    free(name);
    return there && fstat(log->pieces[log->count - 1].fd, &last) == 0 &&
           (now.st_ino != last.st_ino || now.st_dev != last.st_dev);
}
