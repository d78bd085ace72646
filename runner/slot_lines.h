/* runner/slot_lines.h - what a worker's lines mean for its slot, and what comes of its epochs. */
#ifndef RUNNER_SLOT_LINES_H
#define RUNNER_SLOT_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct ledger_item;
struct slot;

/* A line of stdout.  Records, layers and the start event go to the ledger; reading is held up when the slot has
 * too much waiting there. */
void slot_line(struct slot *slot, const char *text, size_t len, bool cut);

/* They were committed. */
void slot_ack_start(struct slot *slot, const struct ledger_item *item);
void slot_ack_epoch(struct slot *slot, const struct ledger_item *item);
void slot_ack_layer(struct slot *slot, const struct ledger_item *item);

#endif
