/* base/hash.h - XXH3-128 (xxhash), for identities and for checking what comes back from a disk.
 * Not cryptographic. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>

enum { HASH_HEX_LEN = 32 };

struct hash; // a hash of several pieces, in the making

/* 32 lower-case hexadecimal digits and a NUL, the canonical (big-endian) form that xxhsum prints. */
void hash_hex(char out[HASH_HEX_LEN + 1], const void *data, size_t len);

struct hash *hash_new(void);
void hash_add(struct hash *hash, const void *data, size_t len);
/* Writes the digest of all that was added, and frees `hash`. */
void hash_finish(struct hash *hash, char out[HASH_HEX_LEN + 1]);

#endif
