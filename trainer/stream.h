/* trainer/stream.h - a file of a data set as the bytes it stands for: plain, or gzipped.
 *
 * A gzip file of several members counts as their concatenation.  Errors begin with the path. */
#ifndef TRAINER_STREAM_H
#define TRAINER_STREAM_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct stream;

/* What tells one state of a file from another without reading it.  Programs that copy or unpack set the
 * modification time to what it was elsewhere; the time of the last change of the inode nobody sets. */
struct file_stamp {
    uint64_t size;
    int64_t mtime_ns, ctime_ns;
};

/* The stamp of a regular file.  ERR_NOT_FOUND, or ERR_IO also for what is no regular file. */
int file_stamp_of(const char *path, struct file_stamp *stamp, struct err *err);

/* `path` is borrowed until stream_close().  A name that ends in ".gz" must hold gzip data; elsewhere
 * the content decides.  ERR_NOT_FOUND; ERR_IO, also for what is no regular file (a FIFO does not
 * block); ERR_PARSE. */
int stream_open(struct stream **stream, const char *path, struct err *err);
void stream_close(struct stream *stream); // NULL is fine

const char *stream_path(const struct stream *stream);
struct file_stamp stream_stamp(const struct stream *stream); // of the very file that is read

/* Reads up to `len` bytes; *got is less only at the end.  ERR_IO; ERR_PARSE for damaged gzip data, also
 * for a file cut in the middle of a member: so *got == 0 says that there is no more. */
int stream_read(struct stream *stream, void *out, size_t len, size_t *got, struct err *err);

/* Reads all of `len` bytes: ERR_PARSE where there are fewer, "truncated: WHAT has ..." */
int stream_need(struct stream *stream, void *out, size_t len, const char *what, struct err *err);

/* As stream_need(), into new memory on the heap, `*out`, which a failure leaves alone.  When it is the rest of a gzip
 * file that was decoded at once, it is the memory of that: then nothing is in memory twice. */
int stream_need_new(struct stream *stream, uint8_t **out, size_t len, const char *what,
                    struct err *err);

/* ERR_PARSE unless all is read: "bytes behind WHAT".  Also checks gzip's checksum. */
int stream_end(struct stream *stream, const char *what, struct err *err);

/* Refuses, before memory is asked for, a file that cannot hold `len` bytes in all, or is plain and has
 * another length; `reason` says what makes it that many: "its dimensions make". */
int stream_expect(const struct stream *stream, uint64_t len, const char *what, const char *reason,
                  struct err *err);

#endif
