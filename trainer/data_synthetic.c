/* trainer/data_synthetic.c - sets that are made, for claims that need data of a known kind.
 *
 * Sample i of a part has label y = i mod K, unless it says otherwise; K classes, D features, u uniform in
 * [0, 1), z normal, all features of shape (D, 1, 1).
 *
 *     blobs     x = c_y + std z, each feature its own z; the centres c_k are normal, too, and the same
 *               for both parts
 *     spirals   t = u, a = 2 pi (t + y / K) + noise z, x = (t cos a, t sin a): K arms, each a full
 *               turn from the origin to distance 1 (after the example of Stanford's CS231n)
 *     sparse    x_f = 1 with probability p_f = min(1, density D / (H (f + 1))), H = 1 + 1/2 + ... + 1/D,
 *               else 0; y = the k with the largest sum over f of w_fk x_f, w_fk = z / sqrt(p_f).  So about
 *               density D features of a sample are not 0, a few of them in nearly all samples and most in
 *               nearly none, and the rare ones say as much as the frequent ones: the case that adaptive
 *               rates were made for (Duchi, Hazan, Singer: "Adaptive subgradient methods for online
 *               learning and stochastic optimization", JMLR 2011, section 1)
 *
 * Random numbers: stream (seed, RNG_DATA, part, sample), part 0 being what both parts share, 1 training, 2
 * test.  So a sample is the same however many there are. */
#include "trainer/data_internal.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { SHARED = 0, TRAIN = 1, TEST = 2 };
static const double PI = 3.14159265358979323846;

/* What the samples of both parts are made from. */
struct recipe {
    const struct dataset_spec *spec;
    int features;
    double *centres;     // owned, blobs: (K, D)
    double *weights;     // owned, sparse: (D, K)
    double *probability; // owned, sparse: (D)
    double *scores;      // owned, sparse: (K), of the sample being made
};

static void draw_centres(struct recipe *recipe) {
    size_t len = (size_t)recipe->spec->classes * (size_t)recipe->features;
    struct rng rng;
    rng_init(&rng, recipe->spec->seed, RNG_DATA, SHARED, 0);
    recipe->centres = mem_zalloc(len, sizeof *recipe->centres);
    for (size_t i = 0; i < len; i++) {
        recipe->centres[i] = rng_normal(&rng);
    }
}

static void draw_weights(struct recipe *recipe) {
    int D = recipe->features, K = recipe->spec->classes;
    struct rng rng;
    rng_init(&rng, recipe->spec->seed, RNG_DATA, SHARED, 0);
    recipe->probability = mem_zalloc((size_t)D, sizeof *recipe->probability);
    recipe->weights = mem_zalloc((size_t)D * (size_t)K, sizeof *recipe->weights);
    recipe->scores = mem_zalloc((size_t)K, sizeof *recipe->scores);
    double harmonic = 0;
    for (int f = D; f > 0; f--) {
        harmonic += 1.0 / f;
    }
    for (int f = 0; f < D; f++) {
        double p = fmin(1, recipe->spec->density * D / (harmonic * (f + 1)));
        recipe->probability[f] = p;
        for (int k = 0; k < K; k++) {
            recipe->weights[f * (size_t)K + k] = rng_normal(&rng) / sqrt(p);
        }
    }
}

static void recipe_release(struct recipe *recipe) {
    free(recipe->centres);
    free(recipe->weights);
    free(recipe->probability);
    free(recipe->scores);
}

/* ---- a sample each: x (D), returns its label ---- */

static int make_blob(const struct recipe *recipe, struct rng *rng, int i, float *x) {
    int y = i % recipe->spec->classes;
    for (int f = 0; f < recipe->features; f++) {
        double centre = recipe->centres[(size_t)y * (size_t)recipe->features + f];
        x[f] = (float)(centre + recipe->spec->std * rng_normal(rng));
    }
    return y;
}

static int make_spiral(const struct recipe *recipe, struct rng *rng, int i, float *x) {
    int K = recipe->spec->classes, y = i % K;
    double t = (double)rng_uniform(rng);
    double angle = 2 * PI * (t + (double)y / K) + recipe->spec->noise * rng_normal(rng);
    x[0] = (float)(t * cos(angle));
    x[1] = (float)(t * sin(angle));
    return y;
}

static int make_sparse(const struct recipe *recipe, struct rng *rng, int i, float *x) {
    (void)i; // its label is what its features say
    int K = recipe->spec->classes, best = 0;
    double *scores = recipe->scores;
    for (int k = 0; k < K; k++) {
        scores[k] = 0;
    }
    for (int f = 0; f < recipe->features; f++) {
        x[f] = (double)rng_uniform(rng) < recipe->probability[f] ? 1 : 0;
        for (int k = 0; k < K && x[f] > 0; k++) {
            scores[k] += recipe->weights[f * (size_t)K + k];
        }
    }
    for (int k = 1; k < K; k++) {
        best = scores[k] > scores[best] ? k : best;
    }
    return best;
}

typedef int make_fn(const struct recipe *recipe, struct rng *rng, int i, float *x);

static void make_part(struct data_part *part, const struct recipe *recipe, make_fn *make,
                      uint32_t which, int count) {
    size_t features = (size_t)recipe->features;
    float *images = mem_zalloc((size_t)count * features, sizeof *images);
    part->labels = mem_zalloc((size_t)count, 1);
    part->count = count;
    part->images = images;
    for (int i = 0; i < count; i++) {
        struct rng rng;
        rng_init(&rng, recipe->spec->seed, RNG_DATA, which, (uint32_t)i);
        part->labels[i] = (uint8_t)make(recipe, &rng, i, images + (size_t)i * features);
    }
}

int data_make(struct data_raw *raw, const struct dataset_spec *spec, struct err *err) {
    static make_fn *const makers[DATASET_SYNTHETIC_COUNT] = {
        [DATASET_BLOBS] = make_blob,
        [DATASET_SPIRALS] = make_spiral,
        [DATASET_SPARSE] = make_sparse,
    };
    assert(spec->kind < DATASET_SYNTHETIC_COUNT);
    struct recipe recipe = {.spec = spec,
                            .features = spec->kind == DATASET_SPIRALS ? 2 : spec->features};
    uint64_t values = ((uint64_t)spec->train + (uint64_t)spec->test) * (uint64_t)recipe.features;
    if (values * sizeof(float) > (uint64_t)DATA_MADE_MAX_MIB << 20) {
        return err_set(err, ERR_RANGE,
                       "dataset: %d and %d samples of %d features are more than %d MiB",
                       spec->train, spec->test, recipe.features, DATA_MADE_MAX_MIB);
    }
    if (spec->kind == DATASET_BLOBS) {
        draw_centres(&recipe);
    } else if (spec->kind == DATASET_SPARSE) {
        draw_weights(&recipe);
    }
    raw->type = DATA_FLOAT32;
    raw->shape = (struct shape){recipe.features, 1, 1};
    raw->classes = spec->classes;
    make_part(&raw->train, &recipe, makers[spec->kind], TRAIN, spec->train);
    make_part(&raw->test, &recipe, makers[spec->kind], TEST, spec->test);
    recipe_release(&recipe);
    return ERR_OK;
}
