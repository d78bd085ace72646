#include "trainer/probe.h"

#include "base/err.h"
#include "base/rng.h"
#include "trainer/data.h"
#include "trainer/evaluate.h"
#include "trainer/lsuv.h"

#include <stdlib.h>
#include <string.h>

/* Where the samples come from. */
struct source {
    const struct config *config;
    struct net *net;
    struct dataset set;
    struct batch
        batch; // of the size that training has, which lsuv and batch normalization depend on
    size_t features;
};

static void load_normal(void *context, int first, int n, struct net_targets *targets) {
    struct source *source = context;
    float *x = net_input(source->net);
    const size_t N = (size_t)net_lanes(n);
    memset(x, 0, source->features * N * sizeof *x);
    for (int i = 0; i < n; i++) {
        struct rng rng;
        rng_init(&rng, source->config->seed, RNG_PROBE, 0, (uint32_t)(first + i));
        for (size_t f = 0; f < source->features; f++) {
            x[f * N + (size_t)i] = (float)rng_normal(&rng);
        }
        source->batch.labels[i] = (uint8_t)((first + i) % source->set.classes);
    }
    *targets = (struct net_targets){.labels = source->batch.labels};
}

static void load_images(void *context, int first, int n, struct net_targets *targets) {
    struct source *source = context;
    for (int i = 0; i < n; i++) {
        source->batch.index[i] = (uint32_t)(first + i);
    }
    batch_load(&source->batch, &source->set, dataset_val(&source->set), n, NULL, source->net);
    *targets = (struct net_targets){.labels = source->batch.labels};
}

static int build(struct probe *probe, struct source *source, bool unit_normal, struct err *err) {
    struct layer_spec *layers = NULL;
    int count = 0;
    config_layers(source->config, source->set.classes, &layers, &count);
    int rc = net_new(&probe->net, layers, count, source->set.shape, source->set.classes,
                     &source->config->loss, source->batch.max, err);
    free(layers);
    if (rc != ERR_OK) {
        return err_wrap(err, "model");
    }
    source->net = probe->net;
    source->features = (size_t)source->set.shape.C * source->set.shape.H * source->set.shape.W;
    net_init(probe->net, source->config->seed);
    if (unit_normal) {
        struct net_targets ignored;
        load_normal(source, 0, source->batch.max, &ignored);
        lsuv_scale(probe->net, source->batch.max);
    } else {
        lsuv_init(probe->net, &source->set, &source->batch);
    }
    look_init(&probe->look, probe->net, NULL);
    return ERR_OK;
}

static void take(struct probe *probe, struct source *source, const struct probe_options *options) {
    probe->samples = options->samples;
    if (!options->unit_normal) {
        int there = dataset_val(&source->set)->count;
        probe->samples = probe->samples < there ? probe->samples : there;
    }
    look_take(&probe->look, probe->samples, source->batch.max,
              options->unit_normal ? load_normal : load_images, source);
}

int probe_take(struct probe *probe, const struct config *config,
               const struct probe_options *options, struct err *err) {
    struct source source = {.config = config};
    if (config->init_from.path[0] != '\0') {
        return err_set(err, ERR_RANGE,
                       "init_from: a probe shows the weights that `init` draws; leave it out");
    }
    int rc = ERR_OK, batch = config->batch_size;
    if (options->no_data) {
        source.set.shape = (struct shape){PROBE_FEATURES, 1, 1};
        source.set.classes = PROBE_CLASSES;
    } else {
        rc = dataset_open(&source.set, &config->dataset, options->cache_dir, err);
        batch = rc == ERR_OK ? batch_size_for(batch, &source.set) : batch;
    }
    if (rc != ERR_OK) {
        return rc;
    }
    batch_init(&source.batch, batch, &source.set, false);
    rc = build(probe, &source, options->unit_normal, err);
    if (rc == ERR_OK) {
        take(probe, &source, options);
    }
    batch_release(&source.batch);
    dataset_close(&source.set);
    return rc;
}

void probe_release(struct probe *probe) {
    look_release(&probe->look);
    net_free(probe->net);
    *probe = (struct probe){0};
}
