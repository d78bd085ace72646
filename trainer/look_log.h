/* trainer/look_log.h - the layers events so far: every checkpoint carries them, as it does the records, so that
 * a trainer that resumes can repeat what a runner lost. */
#ifndef TRAINER_LOOK_LOG_H
#define TRAINER_LOOK_LOG_H

#include <stddef.h>

struct buf;
struct err;

/* Bytes of events that are kept; of more the oldest go.  A runner that has lost any has lost the newest. */
enum { LOOK_LOG_MAX = 4 << 20 };

struct look_line {
    int at_epoch;
    char *text; // owned: the event, without a newline
};

/* Zeroed before first use. */
struct look_log {
    struct look_line *lines; // owned, by epoch
    int count, cap;
    size_t bytes; // of the texts
};

/* `at_epoch` is that of the last one or later. */
void look_log_add(struct look_log *log, int at_epoch, const char *text);
void look_log_release(struct look_log *log);

/* A JSON array of the events, as their lines are. */
void look_log_print(struct buf *out, const struct look_log *log);
/* Fills an empty log.  ERR_CORRUPT unless it is an array of layers events of epochs 0 ... `epoch` in order. */
int look_log_parse(struct look_log *log, const char *text, int epoch, struct err *err);

#endif
