#include "runner/key.h"

#include "base/buf.h"
#include "base/json.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

void key_make(char out[HASH_HEX_LEN + 1], const struct cJSON *config, const struct cJSON *identity,
              int64_t seed, char *const *trainer) {
    struct cJSON *of = json_copy(identity != NULL ? identity : config);
    if (identity == NULL) {
        json_remove(of, "epochs");
        json_remove(of, "seed");
    }
    struct cJSON *argv = json_new_array();
    for (char *const *arg = trainer; *arg != NULL; arg++) {
        json_append(argv, json_new_string(*arg));
    }
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRId64, seed); // fits
    struct cJSON *all = json_new_object();
    json_set(all, "config", of);
    json_set(all, "seed", json_new_string(text));
    json_set(all, "trainer", argv);

    struct buf canonical = {0};
    json_print_canonical(&canonical, all);
    hash_hex(out, canonical.data, canonical.len);
    buf_release(&canonical);
    json_delete(all);
}
