/* runner/sweep_internal.h - what the files that read a sweep share.  Private to them. */
#ifndef RUNNER_SWEEP_INTERNAL_H
#define RUNNER_SWEEP_INTERNAL_H

#include "runner/sweep.h"

#include <stddef.h>

struct buf;

/* A sweep being read. */
struct sweep_reader {
    struct sweep *sweep;
    struct diag *diag;
    const struct cJSON *root;
};

void sweep_complain(struct sweep_reader *reader, const struct cJSON *value, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Complains "<what> must be <wanted>, not <value>". */
void sweep_complain_value(struct sweep_reader *reader, const struct cJSON *value, const char *what,
                          const char *wanted);

/* ---- sweep_axes.c ---- */

/* Reads "grid": the axes with their values and labels, and the number of points. */
void sweep_read_grid(struct sweep_reader *reader);

/* ---- sweep_exclude.c ---- */

void sweep_read_excludes(struct sweep_reader *reader);

/* ---- sweep_limits.c ---- */

/* Reads "timeout" and "limits". */
void sweep_read_limits(struct sweep_reader *reader);

/* ---- sweep_paths.c ---- */

/* true when `path` is `outer` or lies in it: "optimizer.lr" in "optimizer". */
bool sweep_path_within(const char *path, const char *outer);

/* What some point may have at a path. */
struct sweep_candidates {
    const struct cJSON **value; // owned array of borrowed values
    size_t count;
    bool open; // others than these are possible too
};
void sweep_candidates_find(struct sweep_candidates *found, const struct sweep *sweep,
                           const char *path);
void sweep_candidates_release(struct sweep_candidates *found);

/* Appends "; did you mean ...?" for a path that no point has; `extra` are further known words. */
void sweep_suggest_path(struct buf *out, const struct sweep *sweep, const char *path,
                        const char *const *extra, size_t extra_count);

/* ---- sweep_trainer.c ---- */

void sweep_read_trainer(struct sweep_reader *reader);

#endif
