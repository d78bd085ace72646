/* runner/key.h - what a trial is: the same key, the same trial, whatever the sweep and its order.
 *
 *     XXH3-128 of the canonical JSON {"config": IDENTITY, "seed": "N", "trainer": ARGV}
 *
 * IDENTITY is what the trainer's check answers; for a trainer without one, the config without `epochs`
 * and `seed`.  ARGV is the command as the sweep file has it, placeholders included. */
#ifndef RUNNER_KEY_H
#define RUNNER_KEY_H

#include "base/hash.h"

#include <stdint.h>

struct cJSON;

/* `identity` NULL: that of a trainer without a check. */
void key_make(char out[HASH_HEX_LEN + 1], const struct cJSON *config, const struct cJSON *identity,
              int64_t seed, char *const *trainer);

#endif
