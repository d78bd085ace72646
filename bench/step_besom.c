/* bench/step_besom.c - besom's side of bench/steps: training steps, as many as fit into the time asked for.
 *
 *     step_besom CONFIG.json
 *
 * For each line on stdin, a number of seconds, it trains for so long and prints samples/s.  A step is what
 * besom-trainer's is: gather the next batch of the shuffled images, forward, loss, backward, length of the
 * gradient, optimizer.  The last, partial batch of an epoch is left out, as both sides do. */
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "trainer/config.h"
#include "trainer/data.h"
#include "trainer/evaluate.h"
#include "trainer/kernels/kernels.h"
#include "trainer/net.h"
#include "trainer/numerics.h"
#include "trainer/optim.h"
#include "trainer/time_spent.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct trainer {
    struct config config;
    struct dataset set;
    struct net *net;
    struct optim optim;
    struct batch batch;
    uint32_t *order; // the training images, shuffled once an epoch
    uint32_t epoch;
    int step, steps; // of the epoch
};

static void complain(void *context, const struct config_complaint *complaint) {
    (void)context;
    fprintf(stderr, "step_besom: %s: %s\n", complaint->path, complaint->message);
}

static int open_all(struct trainer *t, const char *path, struct err *err) {
    const char *cache = getenv("BESOM_CACHE");
    if (cache == NULL) {
        return err_set(err, ERR_NOT_FOUND, "BESOM_CACHE is not set: the folder for decoded images");
    }
    struct json_doc *doc;
    int rc = json_load(&doc, path, JSON_STRICT, err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = config_parse(&t->config, json_root(doc), complain, NULL);
    json_free(doc);
    if (rc != ERR_OK) {
        return err_set(err, rc, "%s: not a config", path);
    }
    rc = dataset_open(&t->set, &t->config.dataset, cache, err);
    if (rc != ERR_OK) {
        return rc;
    }
    struct layer_spec *layers = NULL;
    int count = 0;
    config_layers(&t->config, t->set.classes, &layers, &count);
    rc = net_new(&t->net, layers, count, t->set.shape, t->set.classes, &t->config.loss,
                 t->config.batch_size, err);
    free(layers);
    if (rc != ERR_OK) {
        return rc;
    }
    net_init(t->net, t->config.seed);
    optim_init(&t->optim, &t->config.optimizer, net_param_count(t->net));
    batch_init(&t->batch, t->config.batch_size, &t->set, false);
    t->steps = t->set.train.count / t->config.batch_size;
    t->step = t->steps;
    t->order = mem_zalloc((size_t)t->set.train.count, sizeof *t->order);
    return ERR_OK;
}

static void shuffle(struct trainer *t) {
    const uint32_t count = (uint32_t)t->set.train.count;
    struct rng rng;
    for (uint32_t i = 0; i < count; i++) {
        t->order[i] = i;
    }
    rng_init(&rng, t->config.seed, RNG_SHUFFLE, ++t->epoch, 0);
    rng_shuffle(&rng, t->order, count);
    t->step = 0;
}

static void take_step(struct trainer *t, struct net_stats *stats) {
    const int n = t->config.batch_size;
    if (t->step == t->steps) {
        shuffle(t);
    }
    for (int i = 0; i < n; i++) {
        t->batch.index[i] = t->order[t->step * n + i];
    }
    batch_load(&t->batch, &t->set, &t->set.train, n, NULL, t->net);
    net_train(t->net, &(struct net_targets){.labels = t->batch.labels}, n, t->config.seed, t->epoch,
              (uint32_t)t->step, stats);
    const double norm =
        sqrt(kernels_get()->sum_squares(net_grads(t->net), net_param_count(t->net)));
    optim_clip(net_grads(t->net), net_param_count(t->net), norm, 0, 0);
    optim_step(&t->optim, net_params(t->net), net_grads(t->net), t->config.optimizer.lr);
    t->step++;
}

int main(int argc, char **argv) {
    struct trainer t = {0};
    struct err err;
    if (argc != 2) {
        fprintf(stderr, "usage: step_besom CONFIG.json; then seconds on stdin\n");
        return 2;
    }
    numerics_pin();
    if (open_all(&t, argv[1], &err) != ERR_OK) {
        fprintf(stderr, "step_besom: %s\n", err.msg);
        return 1;
    }
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        const double seconds = strtod(line, NULL), start = time_now();
        struct net_stats stats = {0};
        do {
            take_step(&t, &stats);
        } while (time_now() - start < seconds);
        printf("%.6g %.6g\n", (double)stats.samples / (time_now() - start),
               stats.loss_sum / (double)stats.samples);
        (void)fflush(stdout); // a reader that went away: the next line says so
    }
    return 0;
}
