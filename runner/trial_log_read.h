/* runner/trial_log_read.h - the files of a trial's log, for who shows them.
 *
 *     piece 0: log [0, seal)        headers, left out       piece 1: log.tail.1       piece 2: log.tail
 *
 * As a rule there is piece 0 alone, all of it.  The files may be written meanwhile: what comes out is a
 * state that there was, and a piece may have grown since. */
#ifndef RUNNER_TRIAL_LOG_READ_H
#define RUNNER_TRIAL_LOG_READ_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

enum { TRIAL_LOG_PIECES_MAX = 3 };

struct trial_log_piece {
    int fd;             // owned
    const char *suffix; // of the file's name: "", TRIAL_LOG_BEFORE, TRIAL_LOG_NEWEST
    int64_t from, to;   // bytes of the file: the text, up to where it ended
    int64_t position;   // bytes printed between the seal and `from`; of piece 0: 0
};

struct trial_log_read {
    struct trial_log_piece pieces[TRIAL_LOG_PIECES_MAX]; // as they were written
    int count;                                           // at least 1
    struct buf headers; // lines: of the attempts that began in what is missing behind piece 0
    int64_t left_lines, left_bytes; // that is missing there; 0: nothing
};

/* Opens the log whose first file is `path`.  ERR_NOT_FOUND when there is none. */
int trial_log_read_open(struct trial_log_read *log, const char *path, struct err *err);

/* Where the last `lines` lines begin: a piece, and the byte in its file. */
int trial_log_read_last(const struct trial_log_read *log, int64_t lines, int *piece, int64_t *at,
                        struct err *err);

/* Whether the log goes on in another file than its last piece. */
bool trial_log_read_moved(const struct trial_log_read *log, const char *path);

void trial_log_read_close(struct trial_log_read *log);

#endif
