/* runner/trial_log.h - the files that keep what a trial's attempts printed.
 *
 *     --- attempt 1, 2026-11-23T22:13:05Z
 *     loading the data
 *     {"epoch": 1, "val_accuracy": 0.81}
 *     --- attempt 2, 2026-11-23T22:14:40Z
 *
 * Lines go in whole and as they are, those of stdout and stderr in the order of their arrival; but a line that
 * could be taken for a header, or one of stderr that could be taken for a record, has a space before it, so that
 * all can be read again (runner/log_rows.h).  As a
 * rule there is one file, `log`.  Of a trial that prints more than that may hold, the beginning and the
 * end are kept:
 *
 *     log          the beginning, up to half of the limit; its last line of output is followed by a seal
 *     log.tail.1   then, of a quarter of the limit at most, the file before the newest
 *     log.tail     the newest lines.  When it has a quarter of the limit it becomes log.tail.1, in the
 *                  place of the one that was there, and another is begun
 *
 * The first line of a tail file, its mark, says how much was printed between the seal and it, so that a
 * reader knows what is missing from the files alone.  runner/trial_log_read.h reads them.
 *
 * Invariants
 *   1. The header of every attempt is in `log`, also behind the seal; nothing else is there.
 *   2. Besides headers, the files have no more than the limit, a line and the notes.
 *   3. Whenever the runner dies, the next attempt goes on with what is there.
 *   4. A log that cannot be written stops no trial: what it loses are words.
 *
 * The last bytes of the attempt are kept in memory too, for the row in `failures`. */
#ifndef RUNNER_TRIAL_LOG_H
#define RUNNER_TRIAL_LOG_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum { TRIAL_LOG_TAIL_MAX = 4096 };

/* Behind the name of the first file. */
#define TRIAL_LOG_NEWEST ".tail"
#define TRIAL_LOG_BEFORE ".tail.1"

/* The line behind the beginning, once there are tail files. */
#define TRIAL_LOG_SEAL "--- the log goes on in log.tail"

/* The first line of a tail file, without its newline. */
struct trial_log_mark {
    int attempt;          // the one that was going on
    int64_t lines, bytes; // printed between the seal and the mark
};
int trial_log_mark_print(const struct trial_log_mark *mark, char *out, size_t size);
/* `text`: NUL terminated, the beginning of a file.  The length of its mark with the newline; 0 without. */
size_t trial_log_mark_read(struct trial_log_mark *mark, const char *text);

/* A header's attempt, of a line with its newline: "--- attempt 3, 2026-11-23T22:13:05Z"; 0: it is none. */
int trial_log_header_read(const char *line, size_t len);

struct trial_log {
    int fd;     // of the file that grows; -1: closed, or given up
    char *path; // of the first file; owned
    bool in_tail;
    int attempt;             // the last whose header was put into the growing file
    int64_t limit;           // of all files
    int64_t begun_at;        // the size of the first file before this attempt
    int64_t size;            // of the file that grows, without what is pending
    int64_t lines, mark_len; // in a tail file: its lines, pending ones too; the length of its mark
    struct trial_log_mark mark; // of it
    int cause;                  // errno of what failed; 0
    struct buf pending;         // lines not written yet
    struct buf tail;            // the end of what this attempt printed
};

/* Opens or makes the files and writes the attempt's header.  `limit`: bytes of all of them; a line of
 * WIRE_LINE_MAX should fit into a quarter.  A log that has overflown costs a read of a quarter. */
int trial_log_open(struct trial_log *log, const char *path, int attempt, int64_t limit,
                   struct err *err);

/* Adds a line; `cut` says so when its rest was dropped, `is_told` when it came by stdout, where records are. */
void trial_log_line(struct trial_log *log, const char *text, size_t len, bool cut, bool is_told);

/* A line of the runner's own: "--- " and the text. */
void trial_log_note(struct trial_log *log, const char *text);

/* Writes what is pending, in one call. */
void trial_log_flush(struct trial_log *log);

/* The last lines of this attempt, at most TRIAL_LOG_TAIL_MAX bytes, as valid UTF-8 without control
 * characters other than newline and tab; what is neither becomes U+FFFD.  On the heap. */
char *trial_log_tail(const struct trial_log *log);

/* Nothing was started after all: takes the header of this attempt back. */
void trial_log_undo(struct trial_log *log);

void trial_log_close(struct trial_log *log); // with fd = -1: nothing to close

#endif
