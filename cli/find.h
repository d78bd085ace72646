/* cli/find.h - what a user calls a sweep or a trial, looked up in the store. */
#ifndef CLI_FIND_H
#define CLI_FIND_H

#include <stdint.h>

struct err;
struct store;

/* The name of a sweep from its name or from its file; NULL: the only one, or the one that ran last.
 * On the heap.  ERR_NOT_FOUND with the names that there are. */
int find_sweep(struct store *store, const char *word, char **name, struct err *err);

/* A trial by its number ("38", "#38") or by the beginning of its key, 4 digits or more.
 * ERR_NOT_FOUND, or ERR_RANGE when several keys begin so. */
int find_trial(struct store *store, const char *word, int64_t *trial, struct err *err);

#endif
