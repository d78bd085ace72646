/* trainer/stream.c - decoding.
 *
 * A gzip file of one member is decoded at once when it is opened, by libdeflate, which takes a third of zlib's time but wants to
 * have all of the file and know how long it becomes.  What that cannot do, or refuses, goes through zlib piece by piece: files of
 * several members or of any size, and damaged ones, of which zlib can say what is wrong and how far the data goes.  By
 * inflate() and not by gzread(): that one takes garbage behind the data for the end of the file, and a file that is not gzip
 * for plain data. */
#include "trainer/stream.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
    CHUNK = 1 << 16,
    GZIP_WINDOW = 15 + 16, // the largest window, and a gzip header instead of zlib's
    GZIP_TRAILER = 8,      // CRC-32, then the length modulo 2^32, both little-endian
    DEFLATE_RATIO_MAX = 1032,
    AT_ONCE_MAX = 256 << 20, // bytes, of the file and of what it stands for: both are in memory
};

/* A file as the bytes it stands for. */
struct stream {
    const char *path;
    int fd;
    bool gzip;
    uint8_t *whole;   // all that the gzip file stands for; NULL: it is decoded piece by piece
    bool member_done; // the gzip member ended, and no other has begun
    bool at_end;      // the file is read to its end
    struct file_stamp stamp;
    z_stream z; // its next_in, avail_in is what was read and not yet used, whatever it is
    uint8_t chunk[CHUNK];
};

/* ---- bytes of a file ---- */

/* Makes avail_in positive unless the file is at its end. */
static int refill(struct stream *s, struct err *err) {
    while (s->z.avail_in == 0 && !s->at_end) {
        ssize_t n = read(s->fd, s->chunk, CHUNK);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_io(err, errno, "read %s", s->path);
        }
        s->at_end = n == 0;
        s->z.next_in = s->chunk;
        s->z.avail_in = (uInt)n;
    }
    return ERR_OK;
}

static size_t take_plain(struct stream *s, uint8_t *out, size_t len) {
    size_t n = len < s->z.avail_in ? len : s->z.avail_in;
    memcpy(out, s->z.next_in, n);
    s->z.next_in += n;
    s->z.avail_in -= (uInt)n;
    return n;
}

/* Adds what one call of inflate() yields to *got. */
static int inflate_some(struct stream *s, uint8_t *out, size_t len, size_t *got, struct err *err) {
    if (s->member_done &&
        s->z.avail_in > 0) {       // a further member, or bytes that do not belong there
        (void)inflateReset(&s->z); // fails only for a broken state
        s->member_done = false;
    }
    uInt room = len < UINT_MAX ? (uInt)len : UINT_MAX;
    s->z.next_out = out;
    s->z.avail_out = room;
    int rc = inflate(&s->z, Z_NO_FLUSH);
    *got += room - s->z.avail_out;
    if (rc == Z_STREAM_END) {
        s->member_done = true;
        return ERR_OK;
    }
    if (rc == Z_OK || rc == Z_BUF_ERROR) { // the second: nothing to do without more input
        return ERR_OK;
    }
    return err_set(err, ERR_PARSE, "%s: damaged gzip data: %s", s->path,
                   s->z.msg != NULL ? s->z.msg : "cannot be decoded");
}

/* ---- all of a gzip file at once ---- */

/* The file's bytes, on the heap; NULL when they cannot be had. */
static uint8_t *read_whole(const struct stream *s) {
    const size_t size = s->stamp.size;
    uint8_t *bytes = malloc(size);
    size_t have = 0;
    while (bytes != NULL && have < size) {
        ssize_t n = pread(s->fd, bytes + have, size - have, (off_t)have);
        if (n > 0) {
            have += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            free(bytes);
            bytes = NULL;
        }
    }
    return bytes;
}

/* Decodes a file of one member to `len` bytes on the heap, its checksum verified; NULL when it is not that. */
static uint8_t *inflate_whole(const uint8_t *bytes, size_t size, size_t len) {
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    uint8_t *out = malloc(len);
    size_t used = 0, got = 0;
    bool good = d != NULL && out != NULL &&
                libdeflate_gzip_decompress_ex(d, bytes, size, out, len, &used, &got) ==
                    LIBDEFLATE_SUCCESS &&
                used == size && got == len;
    libdeflate_free_decompressor(d);
    if (!good) {
        free(out);
        out = NULL;
    }
    return out;
}

/* Sets `whole` where that can be; what stands in the way is no error. */
static void decode_at_once(struct stream *s) {
    const size_t size = s->stamp.size;
    uint8_t *bytes = size > GZIP_TRAILER && size <= AT_ONCE_MAX ? read_whole(s) : NULL;
    if (bytes == NULL) {
        return;
    }
    const uint8_t *b = bytes + size - 4;
    const uint32_t len = (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
    if (len > 0 && len <= AT_ONCE_MAX && len / DEFLATE_RATIO_MAX <= size) {
        s->whole = inflate_whole(bytes, size, len);
    }
    free(bytes);
    if (s->whole != NULL) {
        s->z.next_in = s->whole;
        s->z.avail_in = len;
        s->at_end = true;
    }
}

/* ---- reading ---- */

int stream_read(struct stream *s, void *out, size_t len, size_t *got, struct err *err) {
    uint8_t *bytes = out;
    size_t have = 0;
    while (have < len) {
        int rc = refill(s, err);
        if (rc != ERR_OK) {
            return rc;
        }
        bool dry = s->z.avail_in == 0; // inflate() may still hold output
        size_t before = have;
        const bool inflates = s->gzip && s->whole == NULL;
        if (inflates && !(dry && s->member_done)) {
            rc = inflate_some(s, bytes + have, len - have, &have, err);
        } else if (!inflates) {
            have += take_plain(s, bytes + have, len - have);
        }
        if (rc != ERR_OK) {
            return rc;
        }
        if (dry && have == before) {
            if (inflates && !s->member_done) {
                return err_set(err, ERR_PARSE, "%s: truncated: the gzip data has no end", s->path);
            }
            break;
        }
    }
    *got = have;
    return ERR_OK;
}

int stream_need(struct stream *s, void *out, size_t len, const char *what, struct err *err) {
    size_t got = 0;
    int rc = stream_read(s, out, len, &got, err);
    if (rc == ERR_OK && got < len) {
        rc = err_set(err, ERR_PARSE, "%s: truncated: %s has %zu of %zu bytes", s->path, what, got,
                     len);
    }
    return rc;
}

int stream_need_new(struct stream *s, uint8_t **out, size_t len, const char *what,
                    struct err *err) {
    if (s->whole != NULL && s->z.avail_in == len) {
        memmove(s->whole, s->z.next_in, len);
        *out = s->whole;
        s->whole = NULL;
        s->z.avail_in = 0;
        s->member_done = true; // as if it had come piece by piece
        return ERR_OK;
    }
    uint8_t *bytes = mem_resize(NULL, len, 1); // not zeroed: only bytes that arrive take memory
    int rc = stream_need(s, bytes, len, what, err);
    if (rc == ERR_OK) {
        *out = bytes;
    } else {
        free(bytes);
    }
    return rc;
}

int stream_end(struct stream *s, const char *what, struct err *err) {
    size_t more = 0;
    uint8_t byte;
    int rc = stream_read(s, &byte, 1, &more, err);
    if (rc == ERR_OK && more > 0) {
        rc = err_set(err, ERR_PARSE, "%s: bytes behind %s", s->path, what);
    }
    return rc;
}

int stream_expect(const struct stream *s, uint64_t len, const char *what, const char *reason,
                  struct err *err) {
    uint64_t size = s->stamp.size;
    if (!s->gzip && size < len) {
        return err_set(err, ERR_PARSE, "%s: truncated: %llu bytes, where %s %llu", s->path,
                       (unsigned long long)size, reason, (unsigned long long)len);
    }
    if (!s->gzip && size > len) {
        return err_set(err, ERR_PARSE, "%s: bytes behind %s: %llu bytes, where %s %llu", s->path,
                       what, (unsigned long long)size, reason, (unsigned long long)len);
    }
    if (s->gzip && len / DEFLATE_RATIO_MAX > size) {
        return err_set(err, ERR_PARSE,
                       "%s: truncated: %llu bytes cannot hold the %llu where %s that many", s->path,
                       (unsigned long long)size, (unsigned long long)len, reason);
    }
    return ERR_OK;
}

/* ---- opening ---- */

static int stamp_of(const struct stat *st, const char *path, struct file_stamp *stamp,
                    struct err *err) {
    if (!S_ISREG(st->st_mode)) {
        return err_set(err, ERR_IO, "%s: not a regular file", path);
    }
    *stamp = (struct file_stamp){
        .size = (uint64_t)st->st_size,
        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
        .ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
    };
    return ERR_OK;
}

static int fail_open(struct err *err, const char *step, const char *path, int cause) {
    (void)err_io(err, cause, "%s %s", step, path);
    err->code = cause == ENOENT || cause == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    return err->code;
}

int file_stamp_of(const char *path, struct file_stamp *stamp, struct err *err) {
    struct stat st;
    return stat(path, &st) != 0 ? fail_open(err, "stat", path, errno)
                                : stamp_of(&st, path, stamp, err);
}

static bool ends_in_gz(const char *path) {
    size_t len = strlen(path);
    return len >= 3 && strcmp(path + len - 3, ".gz") == 0;
}

static int start(struct stream *s, struct err *err) {
    s->fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // NONBLOCK: a FIFO must not hang us
    if (s->fd < 0) {
        return fail_open(err, "open", s->path, errno);
    }
    struct stat st;
    if (fstat(s->fd, &st) != 0) {
        return err_io(err, errno, "stat %s", s->path);
    }
    int rc = stamp_of(&st, s->path, &s->stamp, err);
    rc = rc == ERR_OK ? refill(s, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    bool gzip = s->z.avail_in >= 2 && s->z.next_in[0] == 0x1f && s->z.next_in[1] == 0x8b;
    if (ends_in_gz(s->path) && !gzip) {
        return err_set(err, ERR_PARSE, "%s: not a gzip file", s->path);
    }
    if (gzip && inflateInit2(&s->z, GZIP_WINDOW) != Z_OK) {
        mem_exhausted();
    }
    s->gzip = gzip;
    if (gzip) {
        decode_at_once(s);
    }
    return ERR_OK;
}

int stream_open(struct stream **stream, const char *path, struct err *err) {
    struct stream *s = mem_zalloc(1, sizeof *s);
    s->path = path;
    int rc = start(s, err);
    if (rc != ERR_OK) {
        stream_close(s);
        return rc;
    }
    *stream = s;
    return ERR_OK;
}

void stream_close(struct stream *s) {
    if (s == NULL) {
        return;
    }
    if (s->gzip) {
        (void)inflateEnd(&s->z); // all is read
    }
    if (s->fd >= 0) {
        (void)close(s->fd); // only read
    }
    free(s->whole);
    free(s);
}

const char *stream_path(const struct stream *s) {
    return s->path;
}

struct file_stamp stream_stamp(const struct stream *s) {
    return s->stamp;
}
