/* cli/check_show.h - what a person, or a program, is told of a check. */
#ifndef CLI_CHECK_SHOW_H
#define CLI_CHECK_SHOW_H

#include "runner/check_run.h"

#include <stdint.h>
#include <stdio.h>

/* The check_observer_fn that prints a line an event on stderr. */
void check_show_event(void *context, const struct check_event *event);

/* "exact: 31 kills, ...", and on stderr, where the trainer failed, the last that it printed. */
void check_show_verdict(const struct check_result *result, FILE *out);

/* All of it as one JSON object. */
void check_show_json(const struct check_result *result, uint64_t draw_seed, FILE *out);

#endif
