/* base/diag.h - all that is wrong with an input, not the first thing alone.
 *
 * A reader of a sweep file or a config collects complaints here and goes on reading; main() prints
 * them and exits 2 when there are any. */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include "base/buf.h"

#include <stddef.h>

struct cJSON;
struct json_doc;

enum { DIAG_SHOWN_MAX = 20 }; // further ones are counted only

struct diag {
    struct buf text; // "file:line:column: what\n", one line a complaint
    int count;
};

/* A complaint about `value` of `doc`.  `doc` may be NULL: then the line has no place.  Control
 * characters become '?', since the words complained about come from the input. */
void diag_add(struct diag *diag, const struct json_doc *doc, const struct cJSON *value,
              const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Adds, when the list was cut, the line "and N more". */
void diag_finish(struct diag *diag);

void diag_release(struct diag *diag);

/* The name among `names` nearest to `word`, or NULL when none is near enough to be a slip (optimal
 * string alignment distance of at most a third of the longer one, at least 1; case is ignored). */
const char *diag_nearest(const char *word, const char *const *names, size_t count);

/* Appends `; did you mean "x"?` when there is a nearest name, `; known: a, b, c` otherwise. */
void diag_suggest(struct buf *out, const char *word, const char *const *names, size_t count);

#endif
