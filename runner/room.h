/* runner/room.h - whether a disk has room.
 *
 * A trainer that dies on a full disk says so in its own way, or not at all.  What can be known is how much room there
 * is at its death: with next to none that was the cause; with little it was when the trainer's last words say so, too
 * (what it could not finish to write may be gone again). */
#ifndef RUNNER_ROOM_H
#define RUNNER_ROOM_H

#include <stdbool.h>
#include <stdint.h>

enum { ROOM_NONE_BYTES = 1 << 20, ROOM_LITTLE_BYTES = 256 << 20 };

/* What this process may still write into the folder's file system, in bytes; 0 without a free inode.  INT64_MAX when
 * it is not known. */
int64_t room_left(const char *dir);

/* Whether so little is left that nothing should be started. */
bool room_is_none(const char *dir);

/* Whether who died with `left` bytes of room and these last words (NULL: none) died of that. */
bool room_was_the_cause(int64_t left, const char *last_words);

#endif
