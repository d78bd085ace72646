/* runner/ledger_copies.h - the copies of trials' rows (results/snapshot.h) that a ledger's thread writes behind its commits.
 *
 *     copies_note()    of each attempt that has ended
 *     copies_write()   between two batches, when nobody waits: those noted, but for long ones
 *     copies_finish()  at the end: the long ones, and those that could not be written
 *
 * They are copies: that one cannot be written is told, once, and harms nothing else.  Memory: a number for each trial that is
 * left for the end. */
#ifndef RUNNER_LEDGER_COPIES_H
#define RUNNER_LEDGER_COPIES_H

#include <stdint.h>

struct copies;
struct store;

enum { COPIES_LONG_EPOCHS = 1000 }; // the copy of a trial with more waits for the end of the run

/* Takes `text`, which is owned: a sentence for the user. */
typedef void copies_tell_fn(void *context, char *text);

struct copies *copies_new(struct store *store, copies_tell_fn *tell, void *context);
void copies_free(struct copies *copies); // before the store is closed; NULL is fine

void copies_note(struct copies *copies, int64_t trial);
void copies_write(struct copies *copies);
void copies_finish(struct copies *copies);

#endif
