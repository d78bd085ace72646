/* runner/shim_tree.h - everything below the shim: signalling it, and what memory it uses.  Part of besom-shim:
 * libc only. */
#ifndef RUNNER_SHIM_TREE_H
#define RUNNER_SHIM_TREE_H

#include <stdint.h>
#include <sys/types.h>

/* Signals all descendants of `pid`, parents before their children.  Those that it misses because the tree changes
 * meanwhile are met when it is called again. */
void tree_signal(pid_t pid, int number);

/* The bytes that all descendants of `pid` have for themselves, anonymous and shared memory (no mapped files).
 * A page that several of them share (after a fork, say) counts for each: that is cheap to know, and too much. */
int64_t tree_private_bytes(pid_t pid);

/* The same with each page counted once.  Dear: walks their page tables. */
int64_t tree_proportional_bytes(pid_t pid);

#endif
