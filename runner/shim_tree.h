/* runner/shim_tree.h - everything below the shim: signalling it, and what memory it uses.  Part of besom-shim,
 * so libc only; the runner has it for runner/strays.h. */
#ifndef RUNNER_SHIM_TREE_H
#define RUNNER_SHIM_TREE_H

#include <stdint.h>
#include <sys/types.h>

/* What is done to each process. */
typedef void tree_visit_fn(pid_t pid, void *context);

/* Visits the children of `pid`, those of all its threads. */
void tree_children(pid_t pid, tree_visit_fn *visit, void *context);

/* Signals all descendants of `pid`, parents before their children.  Those that it misses because the tree changes
 * meanwhile are met when it is called again. */
void tree_signal(pid_t pid, int number);

/* The bytes that all descendants of `pid` have for themselves, anonymous and shared memory (no mapped files).
 * A page that several of them share (after a fork, say) counts for each: that is cheap to know, and too much. */
int64_t tree_private_bytes(pid_t pid);

/* The same with each page counted once.  Dear: walks their page tables. */
int64_t tree_proportional_bytes(pid_t pid);

#endif
