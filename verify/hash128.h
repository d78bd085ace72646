/* verify/hash128.h - XXH3 with 128 bits in 32 hexadecimal digits, and what is hashed: keys and identities. */
#ifndef VERIFY_HASH128_H
#define VERIFY_HASH128_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HASH128_DIGITS = 32 };

struct XXH3_state_s;
struct hash128 {
    struct XXH3_state_s *state;
};
void hash128_init(struct hash128 *hash);
void hash128_add(struct hash128 *hash, const void *data, size_t len);
void hash128_finish(struct hash128 *hash, char out[HASH128_DIGITS + 1]); // and releases it
void hash128_text(char out[HASH128_DIGITS + 1], const char *text);

/* `object`, canonical JSON, without the members of these names (NULL at the end); to be freed.  NULL when it is
 * no object. */
char *canonical_without(const char *object, const char *const *names);

/* The key of a trial (docs/design.md, "Keys"): `config` is canonical JSON without the seed, `trainer` a JSON array of
 * strings.  False when `trainer` is none. */
bool trial_key(char out[HASH128_DIGITS + 1], const char *config, int64_t seed, const char *trainer);

#endif
