/* cli/find.h - what a user calls a sweep or a trial, looked up in the store. */
#ifndef CLI_FIND_H
#define CLI_FIND_H

#include <signal.h>
#include <stdint.h>

struct err;
struct store;

/* The name of a sweep from its name or from its file; NULL: the only one, or the one that ran last.
 * On the heap.  ERR_NOT_FOUND with the names that there are. */
int find_sweep(struct store *store, const char *word, char **name, struct err *err);

/* Opens the store of `out_dir` for reading, and looks up the sweep.  A run that has only begun may not have made its file
 * or its plan yet: some seconds are given to it, until *stop is not 0 (NULL: never).  Fails as store_open() and
 * find_sweep() do; *store may be open then, or NULL, and is the caller's to close.  *store: NULL before. */
int find_open(struct store **store, const char *out_dir, const char *word, char **name,
              const volatile sig_atomic_t *stop, struct err *err);

/* A trial by its number ("38", "#38") or by the beginning of its key, 4 digits or more.
 * ERR_NOT_FOUND, or ERR_RANGE when several keys begin so. */
int find_trial(struct store *store, const char *word, int64_t *trial, struct err *err);

#endif
