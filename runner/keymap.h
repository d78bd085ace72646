/* runner/keymap.h - a map from trial keys to numbers, in memory: open addressing, linear probing.
 *
 * Keys are 128 random bits as 32 hexadecimal digits: they are their own hash. */
#ifndef RUNNER_KEYMAP_H
#define RUNNER_KEYMAP_H

#include "base/hash.h"

#include <stddef.h>
#include <stdint.h>

struct keymap_entry {
    uint64_t high, low; // both 0: free (no key is: it would be a 2^-128 chance)
    int64_t value;
};

struct keymap {
    struct keymap_entry *entry; // owned, `cap` of them, a power of two or 0
    size_t cap, count;
};

/* Where the value of `key` is; a new one is 0.  Valid until the next call. */
int64_t *keymap_at(struct keymap *map, const char key[HASH_HEX_LEN + 1]);

void keymap_release(struct keymap *map);

#endif
