/* runner/trial_log.h - the file that keeps what a trial's attempts printed.
 *
 *     --- attempt 1, 2026-11-23T22:13:05Z
 *     loading the data
 *     {"epoch": 1, "val_accuracy": 0.81}
 *     --- attempt 2, 2026-11-23T22:14:40Z
 *
 * Lines go in whole and as they are, those of stdout and stderr in the order of their arrival.  The file
 * stops growing at a limit, after a note; the last bytes of the attempt are kept in memory all the same,
 * for the row in `failures`.
 *
 * A log that cannot be written stops no trial: what it loses are words. */
#ifndef RUNNER_TRIAL_LOG_H
#define RUNNER_TRIAL_LOG_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum { TRIAL_LOG_TAIL_MAX = 4096 };

struct trial_log {
    int fd; // -1: closed, or given up
    int64_t size, limit;
    bool full;
    int cause;          // errno of the write that failed; 0
    struct buf pending; // lines not written yet
    struct buf tail;    // the end of what this attempt printed
};

/* Opens or makes the file and writes the attempt's header.  `limit`: bytes of the whole file. */
int trial_log_open(struct trial_log *log, const char *path, int attempt, int64_t limit,
                   struct err *err);

/* Adds a line; `cut` says so when its rest was dropped. */
void trial_log_line(struct trial_log *log, const char *text, size_t len, bool cut);

/* A line of the runner's own: "--- " and the text. */
void trial_log_note(struct trial_log *log, const char *text);

/* Writes what is pending, in one call. */
void trial_log_flush(struct trial_log *log);

/* The last lines of this attempt, at most TRIAL_LOG_TAIL_MAX bytes, as valid UTF-8 without control
 * characters other than newline and tab; what is neither becomes U+FFFD.  On the heap. */
char *trial_log_tail(const struct trial_log *log);

void trial_log_close(struct trial_log *log); // with fd = -1: nothing to close

#endif
