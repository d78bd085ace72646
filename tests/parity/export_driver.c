/* tests/parity/export_driver.c - the logits that a checkpoint gives the test images.
 *
 *     export_driver CHECKPOINT CACHE_DIR plain|averaged
 *
 * On stdout: (n, classes) float32, n the test images of the checkpoint's config. */
#include "base/err.h"
#include "base/mem.h"
#include "tests/parity/parity_io.h"
#include "trainer/checkpoint.h"
#include "trainer/evaluate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int rc, const struct err *err) {
    if (rc != ERR_OK) {
        parity_fail(err->msg);
    }
}

static void write_logits(const struct net *net, int classes, int n) {
    const float *logits = net_output(net); // (classes, lanes)
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < classes; k++) {
            parity_write(&logits[(size_t)k * (size_t)net_lanes(n) + (size_t)i], sizeof *logits, 1);
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 4) {
        parity_fail("usage: export_driver CHECKPOINT CACHE_DIR plain|averaged");
    }
    struct checkpoint *checkpoint;
    struct config config;
    struct dataset set;
    struct err err;
    check(checkpoint_open(&checkpoint, argv[1], &err), &err);
    parity_config(&config, checkpoint_state(checkpoint)->config);
    check(dataset_open(&set, &config.dataset, argv[2], &err), &err);

    enum { BATCH = 50 };
    struct layer_spec *layers;
    struct net *net;
    int count;
    config_layers(&config, set.classes, &layers, &count);
    check(net_new(&net, layers, count, set.shape, set.classes, &config.loss, BATCH, &err), &err);
    free(layers);
    check(strcmp(argv[3], "averaged") == 0 ? checkpoint_restore_average(checkpoint, net, &err)
                                           : checkpoint_restore(checkpoint, net, NULL, NULL, &err),
          &err);
    struct batch batch;
    batch_init(&batch, BATCH, &set, false);
    for (int first = 0; first < set.test.count; first += BATCH) {
        int left = set.test.count - first, n = left < BATCH ? left : BATCH;
        for (int i = 0; i < n; i++) {
            batch.index[i] = (uint32_t)(first + i);
        }
        batch_load(&batch, &set, &set.test, n, NULL, net);
        struct net_stats stats = {0};
        const struct net_targets targets = {.labels = batch.labels};
        net_eval(net, &targets, n, &stats); // by running statistics, as an evaluation
        write_logits(net, set.classes, n);
    }
    batch_release(&batch);
    net_free(net);
    dataset_close(&set);
    config_release(&config);
    checkpoint_close(checkpoint);
    return fflush(stdout) == 0 ? 0 : 2;
}
