/* runner/start_event.h - a start event of a trainer, read. */
#ifndef RUNNER_START_EVENT_H
#define RUNNER_START_EVENT_H

#include <stdbool.h>
#include <stddef.h>

struct cJSON;

struct start_event {
    int from_epoch; // 0 when it is not told, or odd: nothing depends on it
    bool deterministic;
    char *numerics, *program; // owned; NULL when not told
};

void start_event_read(struct start_event *start, const struct cJSON *event);
void start_event_release(struct start_event *start);

/* A copy, on the heap, of what a trainer says of itself, for messages and the store: cut to `max` bytes, without
 * control characters, which could play with a terminal.  NULL when `value` is NULL or no string. */
char *event_text(const struct cJSON *value, size_t max);

#endif
