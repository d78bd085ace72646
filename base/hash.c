#include "base/hash.h"

#include "base/mem.h"

#include <stdlib.h>
#include <xxhash.h>

struct hash {
    XXH3_state_t *state;
};

static void put_hex(char out[HASH_HEX_LEN + 1], XXH128_hash_t digest) {
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, digest);
    for (size_t i = 0; i < HASH_HEX_LEN / 2; i++) {
        static const char digits[] = "0123456789abcdef";
        out[2 * i] = digits[bytes.digest[i] >> 4];
        out[2 * i + 1] = digits[bytes.digest[i] & 15];
    }
    out[HASH_HEX_LEN] = '\0';
}

void hash_hex(char out[HASH_HEX_LEN + 1], const void *data, size_t len) {
    put_hex(out, XXH3_128bits(data, len));
}

struct hash *hash_new(void) {
    struct hash *hash = mem_zalloc(1, sizeof *hash);
    hash->state = XXH3_createState();
    if (hash->state == NULL || XXH3_128bits_reset(hash->state) != XXH_OK) {
        mem_exhausted();
    }
    return hash;
}

void hash_add(struct hash *hash, const void *data, size_t len) {
    (void)XXH3_128bits_update(hash->state, data, len); // fails only for a NULL state
}

void hash_finish(struct hash *hash, char out[HASH_HEX_LEN + 1]) {
    put_hex(out, XXH3_128bits_digest(hash->state));
    (void)XXH3_freeState(hash->state); // cannot fail
    free(hash);
}
