/* runner/ledger_apply.h - what the items of a ledger are in the store: a batch of them, one transaction.
 *
 * For the ledger's thread alone, which has the store.  An item may be applied twice: what a batch that was rolled back
 * put into its items is put there anew. */
#ifndef RUNNER_LEDGER_APPLY_H
#define RUNNER_LEDGER_APPLY_H

#include <stdint.h>

struct ahead;
struct applier;
struct err;
struct ledger_item;
struct store;

/* `ahead` (NULL: none) is told which trials begin.  Both are borrowed. */
struct applier *applier_new(struct store *store, int64_t sweep_id, struct ahead *ahead);
void applier_free(struct applier *applier); // NULL is fine

/* Applies all items from `batch` on, by their `next`, and commits.  Answers go into the items.  After a failure, one of the
 * store's, nothing of it is there. */
int applier_write(struct applier *applier, struct ledger_item *batch, struct err *err);

#endif
