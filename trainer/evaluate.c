#include "trainer/evaluate.h"

#include "base/mem.h"
#include "trainer/kernels/kernels.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int batch_size_for(int wanted, const struct dataset *set) {
    const struct split *parts[] = {&set->train, &set->validation, &set->test};
    int most = 1;
    for (int i = 0; i < 3; i++) {
        most = parts[i]->count > most ? parts[i]->count : most;
    }
    return wanted < most ? wanted : most;
}

int training_batch(int wanted, const struct dataset *set) {
    return wanted < set->train.count ? wanted : set->train.count;
}

static int feature_count(const struct dataset *set) {
    return set->shape.C * set->shape.H * set->shape.W;
}

void batch_init(struct batch *batch, int max, const struct dataset *set, bool changed) {
    size_t count = (size_t)max;
    *batch = (struct batch){.max = max};
    batch->index = mem_zalloc(count, sizeof *batch->index);
    batch->rows = mem_zalloc(count, sizeof *batch->rows);
    batch->labels = mem_zalloc(count, sizeof *batch->labels);
    if (changed) {
        batch->samples = mem_aligned(count * (size_t)feature_count(set), sizeof *batch->samples);
    }
}

void batch_release(struct batch *batch) {
    free(batch->index);
    free(batch->rows);
    free(batch->labels);
    free(batch->samples);
    *batch = (struct batch){0};
}

/* The images as they lie in the arrays, in float32. */
static void take_samples(struct batch *batch, const struct dataset *set, const struct split *split,
                         int n) {
    const struct kernels *kernels = kernels_get();
    size_t features = (size_t)feature_count(set);
    for (int i = 0; i < n; i++) {
        float *sample = batch->samples + (size_t)i * features;
        size_t at = batch->rows[i] * features;
        if (set->type == DATA_UINT8) {
            kernels->bytes_to_floats(sample, (const uint8_t *)split->images + at, features);
        } else {
            memcpy(sample, (const float *)split->images + at, features * sizeof *sample);
        }
    }
}

void batch_load(struct batch *batch, const struct dataset *set, const struct split *split, int n,
                const struct batch_change *change, struct net *net) {
    assert(n > 0 && n <= batch->max);
    const struct kernels *kernels = kernels_get();
    int features = feature_count(set), N = net_lanes(n);
    float *x = net_input(net);
    for (int i = 0; i < n; i++) {
        batch->rows[i] = split->index != NULL ? split->index[batch->index[i]] : batch->index[i];
        batch->labels[i] = split->labels[batch->rows[i]];
    }
    if (change != NULL) {
        assert(batch->samples != NULL);
        take_samples(batch, set, split, n);
        change->apply(change->context, batch->samples, batch->labels, n, &set->shape);
        kernels->gather_floats(x, batch->samples, NULL, features, n, N);
    } else if (set->type == DATA_UINT8) {
        kernels->gather(x, split->images, batch->rows, features, n, N);
    } else {
        kernels->gather_floats(x, split->images, batch->rows, features, n, N);
    }
    if (set->mean != NULL) {
        size_t plane = (size_t)set->shape.H * (size_t)set->shape.W * (size_t)N;
        kernels->normalize(x, set->mean, set->std, set->shape.C, plane);
    }
}

double stats_loss(const struct net_stats *stats) {
    return stats->samples > 0 ? stats->loss_sum / (double)stats->samples : 0;
}

double stats_accuracy(const struct net_stats *stats) {
    return stats->samples > 0 ? (double)stats->correct / (double)stats->samples : 0;
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
        batch_load(batch, set, split, n, NULL, net);
        net_eval(net, &(struct net_targets){.labels = batch->labels}, n, stats);
    }
    return true;
}
