#include "trainer/evaluate.h"

#include "base/mem.h"
#include "trainer/kernels/kernels.h"

#include <assert.h>
#include <stdlib.h>

int batch_size_for(int wanted, const struct dataset *set) {
    int train = set->train.count, test = set->test.count, most = train > test ? train : test;
    return wanted < most ? wanted : most;
}

void batch_init(struct batch *batch, int max) {
    batch->max = max;
    batch->index = mem_zalloc((size_t)max, sizeof *batch->index);
    batch->labels = mem_zalloc((size_t)max, sizeof *batch->labels);
}

void batch_release(struct batch *batch) {
    free(batch->index);
    free(batch->labels);
    *batch = (struct batch){0};
}

void batch_load(struct batch *batch, const struct dataset *set, const struct split *split, int n,
                struct net *net) {
    assert(n > 0 && n <= batch->max);
    int features = set->shape.C * set->shape.H * set->shape.W;
    kernels_get()->gather(net_input(net), split->images, batch->index, features, n, net_lanes(n));
    for (int i = 0; i < n; i++) {
        batch->labels[i] = split->labels[batch->index[i]];
    }
}

bool evaluate(struct net *net, const struct dataset *set, const struct split *split,
              struct batch *batch, bool (*stop)(void *context), void *stop_context,
              struct net_stats *stats) {
    *stats = (struct net_stats){0};
    for (int first = 0; first < split->count; first += batch->max) {
        if (stop != NULL && stop(stop_context)) {
            return false;
        }
        int left = split->count - first, n = left < batch->max ? left : batch->max;
        for (int i = 0; i < n; i++) {
            batch->index[i] = (uint32_t)(first + i);
        }
        batch_load(batch, set, split, n, net);
        net_eval(net, &(struct net_targets){.labels = batch->labels}, n, stats);
    }
    return true;
}
