/* runner/pieces.h - the points of a grid as texts, put together of pieces that are printed once.
 *
 *     {"alpha":| value of axis 0 |,"beta":{"rate":| value of axis 1 |},"seed":| seed |}
 *
 * As long as no axis lies in another, sets the seed or the epochs, the canonical config, the params and what the key is
 * the hash of are the same for all points but for the values of the axes, each of which stands alone.  So a point costs
 * some copies and a hash, a hundredth of making it as JSON (grid.h), with the same bytes.  For a trainer whose
 * configs are its own affair: one that has a check is asked for each.
 *
 * Invariant: no two points have the same key, since no two values of an axis mean the same. */
#ifndef RUNNER_PIECES_H
#define RUNNER_PIECES_H

#include "runner/sweep.h"

#include <stdbool.h>
#include <stdint.h>

struct pieces;
struct store_point;

/* NULL: it is not so for this sweep. */
struct pieces *pieces_new(const struct sweep *sweep); // borrowed
void pieces_free(struct pieces *pieces);              // NULL is fine

/* Whether every point's config has something at `path`. */
bool pieces_have(const struct pieces *pieces, const char *path);

/* Makes the point at `ordinal`; its texts are valid until the next call.  false: the sweep leaves it out. */
bool pieces_at(struct pieces *pieces, int64_t ordinal, struct store_point *point);

#endif
