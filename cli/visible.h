/* cli/visible.h - what others printed, shown on a terminal: it can write, and nothing else.
 *
 * Control characters come out as ^[ and the like, but for newline, tab and carriage return (progress
 * bars rewrite their line with it); what is not UTF-8, and U+0080 to U+009F, as U+FFFD. */
#ifndef CLI_VISIBLE_H
#define CLI_VISIBLE_H

#include <stddef.h>

struct buf;

/* Appends what `text` looks like.  Returns how much of it was taken: all but an incomplete character at
 * its end (3 bytes at most), which the next piece may complete. */
size_t visible_put(struct buf *out, const char *text, size_t len);

#endif
