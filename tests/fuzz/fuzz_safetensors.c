/* Checkpoints and other safetensors files: everything that an opened file hands out can be read, a
 * checkpoint is whole, and it fits into a network or is refused without changing it.  The checksum is made
 * right first, so that what lies behind it is reached. */
#include "base/err.h"
#include "base/hash.h"
#include "tests/fuzz/fuzz.h"
#include "trainer/checkpoint.h"
#include "trainer/history.h"
#include "trainer/look_log.h"
#include "trainer/net.h"
#include "trainer/optim.h"
#include "trainer/safetensors.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The network of the corpus's checkpoints: flatten and dense, from (1, 1, 2) to 10 classes, by adam. */
static struct net *net;
static struct optim optim;

static void prepare(void) {
    static const struct layer_spec layers[] = {{.kind = LAYER_FLATTEN},
                                               {.kind = LAYER_DENSE, .units = 10}};
    static const struct optimizer_spec adam = {
        .kind = OPTIMIZER_ADAM, .lr = 0.001, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
    struct err err;
    FUZZ_REQUIRE(net_new(&net, layers, 2, (struct shape){1, 1, 2}, 10, NULL, 1, &err) == ERR_OK);
    optim_init(&optim, &adam, net_param_count(net));
}

/* Reads every byte, for the sanitizer. */
static void check_file(const struct safetensors *file) {
    struct hash *hash = hash_new();
    char digest[HASH_HEX_LEN + 1];
    for (int i = 0; i < safetensors_count(file); i++) {
        const struct safetensors_entry *entry = safetensors_at(file, i);
        size_t len = 1;
        for (int d = 0; d < entry->dim_count; d++) {
            len *= (size_t)entry->dims[d];
        }
        FUZZ_REQUIRE(len == entry->len);
        FUZZ_REQUIRE(safetensors_find(file, entry->name) == entry); // names are unique
        hash_add(hash, entry->data, entry->len * sizeof *entry->data);
    }
    for (int i = 0; i < safetensors_meta_count(file); i++) {
        struct safetensors_meta meta = safetensors_meta_at(file, i);
        FUZZ_REQUIRE(safetensors_meta_get(file, meta.key) == meta.value);
        hash_add(hash, meta.value, strlen(meta.value));
    }
    hash_finish(hash, digest);
}

/* `average`: the averaged weights into the net, else the plain ones and the optimizer's state. */
static void check_restore(const struct checkpoint *checkpoint, bool average) {
    struct err err;
    memset(net_params(net), 0, net_param_count(net) * sizeof(float));
    int rc = average ? checkpoint_restore_average(checkpoint, net, &err)
                     : checkpoint_restore(checkpoint, net, &optim, NULL, &err);
    if (rc == ERR_OK) {
        return;
    }
    FUZZ_REQUIRE(err.code == ERR_CORRUPT && err.msg[0] != '\0');
    for (size_t i = 0; i < net_param_count(net); i++) {
        FUZZ_REQUIRE(net_params(net)[i] == 0);
    }
}

static void check_checkpoint(const struct checkpoint *checkpoint) {
    const struct checkpoint_state *state = checkpoint_state(checkpoint);
    struct history history = {0};
    struct epoch_sums sums;
    struct err err;
    FUZZ_REQUIRE(state->at.epoch >= 0 && state->at.step >= 0);
    FUZZ_REQUIRE(state->best_epoch >= 0 && state->best_epoch <= state->at.epoch);
    FUZZ_REQUIRE(safetensors_is_checked(checkpoint_file(checkpoint)));
    if (history_parse(&history, state->history, &err) == ERR_OK) {
        FUZZ_REQUIRE(history_best(&history) <= history.count);
    }
    history_release(&history);
    (void)epoch_sums_parse(&sums, state->partial, &err); // either is fine
    struct look_log looks = {0};
    if (state->layers != NULL &&
        look_log_parse(&looks, state->layers, state->at.epoch, &err) == ERR_OK) {
        FUZZ_REQUIRE(looks.bytes <= LOOK_LOG_MAX);
    }
    look_log_release(&looks);
    check_restore(checkpoint, false);
    check_restore(checkpoint, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct safetensors *file;
    struct checkpoint *checkpoint;
    struct err err;
    if (net == NULL) {
        prepare();
    }
    uint8_t *bytes = malloc(size + 1);
    memcpy(bytes, data, size);
    fuzz_mend_checksum(bytes, size);
    const char *path = fuzz_file(bytes, size);
    free(bytes);
    if (safetensors_open(&file, path, &err) != ERR_OK) {
        FUZZ_REQUIRE(strncmp(err.msg, path, strlen(path)) == 0);
        fuzz_require_printable(err.msg, strlen(err.msg));
        FUZZ_REQUIRE(checkpoint_open(&checkpoint, path, &err) != ERR_OK);
        return 0;
    }
    check_file(file);
    safetensors_close(file);
    if (checkpoint_open(&checkpoint, path, &err) == ERR_OK) {
        check_checkpoint(checkpoint);
        checkpoint_close(checkpoint);
    }
    return 0;
}
