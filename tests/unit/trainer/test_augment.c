/* Training samples changed at random: what is drawn has its distribution and depends on nothing but the
 * batch; what is done with it is the definition, pixel by pixel in double. */
#include "trainer/augment.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SAMPLES = 24, SEED = 7, EPOCH = 3, STEP = 5 };

static const struct augment_spec all_on = {.crop = 3,
                                           .horizontal_flip = 0.5,
                                           .rotation = 20,
                                           .brightness = 0.4,
                                           .contrast = 0.4,
                                           .noise = 0.1,
                                           .cutout = 5,
                                           .mixup = 0.4};

static size_t len_of(struct shape shape) {
    return (size_t)shape.C * (size_t)shape.H * (size_t)shape.W;
}

/* Pixels that are no function of a coordinate, with zeros and ones among them. */
static float *pixels(size_t len) {
    float *x = mem_aligned(len, sizeof *x);
    struct rng rng;
    rng_init(&rng, 1, RNG_TEST, 0, 0);
    for (size_t i = 0; i < len; i++) {
        x[i] = (float)rng_below(&rng, 256) / 255;
    }
    return x;
}

/* ---- the definitions ---- */

/* x (C, H, W) at (r, c), 0 outside */
static double at(const double *x, struct shape shape, int channel, double r, double c) {
    if (r < 0 || r > shape.H - 1 || c < 0 || c > shape.W - 1) {
        return 0;
    }
    return x[((size_t)channel * (size_t)shape.H + (size_t)r) * (size_t)shape.W + (size_t)c];
}

static double bilinear(const double *x, struct shape shape, int channel, double r, double c) {
    const double r0 = floor(r), c0 = floor(c), down = r - r0, over = c - c0;
    return (1 - down) * (1 - over) * at(x, shape, channel, r0, c0) +
           (1 - down) * over * at(x, shape, channel, r0, c0 + 1) +
           down * (1 - over) * at(x, shape, channel, r0 + 1, c0) +
           down * over * at(x, shape, channel, r0 + 1, c0 + 1);
}

/* One pixel of a step of the geometric operations, from the whole sample before it. */
typedef double step_fn(const double *x, struct shape shape, const struct augment_draw *draw,
                       int channel, int r, int c);

static double cropped(const double *x, struct shape shape, const struct augment_draw *draw,
                      int channel, int r, int c) {
    return at(x, shape, channel, r - draw->down, c - draw->right);
}

static double flipped(const double *x, struct shape shape, const struct augment_draw *draw,
                      int channel, int r, int c) {
    return at(x, shape, channel, r, draw->flip ? shape.W - 1 - c : c);
}

static double turned(const double *x, struct shape shape, const struct augment_draw *draw,
                     int channel, int r, int c) {
    const double angle = draw->angle * M_PI / 180, v = c - (shape.W - 1) / 2.0;
    const double u = r - (shape.H - 1) / 2.0;
    return bilinear(x, shape, channel, (shape.H - 1) / 2.0 + v * sin(angle) + u * cos(angle),
                    (shape.W - 1) / 2.0 + v * cos(angle) - u * sin(angle));
}

static void apply(double *x, struct shape shape, const struct augment_draw *draw, step_fn *step) {
    const size_t len = len_of(shape);
    double *y = mem_zalloc(len, sizeof *y);
    size_t i = 0;
    for (int channel = 0; channel < shape.C; channel++) {
        for (int r = 0; r < shape.H; r++) {
            for (int c = 0; c < shape.W; c++) {
                y[i++] = step(x, shape, draw, channel, r, c);
            }
        }
    }
    memcpy(x, y, len * sizeof *x);
    free(y);
}

static double clamp(double x) {
    return fmin(fmax(x, 0), 1);
}

static void brighten(double *x, struct shape shape, double factor) {
    for (size_t i = 0; i < len_of(shape); i++) {
        x[i] = clamp(factor * x[i]);
    }
}

static void contrast(double *x, struct shape shape, double factor) {
    static const double luma[] = {0.2989, 0.587, 0.114};
    const size_t plane = (size_t)shape.H * (size_t)shape.W;
    double gray = 0;
    for (size_t i = 0; i < len_of(shape); i++) {
        gray += x[i] * (shape.C == 3 ? luma[i / plane] : 1.0 / shape.C) / (double)plane;
    }
    for (size_t i = 0; i < len_of(shape); i++) {
        x[i] = clamp(factor * x[i] + (1 - factor) * gray);
    }
}

static void noisy(double *x, struct shape shape, double std, int sample) {
    const size_t len = len_of(shape), groups = (len + 31) / 32;
    struct rng rng;
    rng_init(&rng, SEED, RNG_AUGMENT + (AUGMENT_NOISE << 8), EPOCH, STEP);
    for (size_t skip = 0; skip < (size_t)sample * groups * 32; skip++) {
        (void)rng_u32(&rng); // those of the samples before
    }
    for (size_t group = 0; group < groups; group++) {
        uint32_t numbers[32];
        for (int i = 0; i < 32; i++) {
            numbers[i] = rng_u32(&rng);
        }
        for (size_t i = 0; i < 32 && group * 32 + i < len; i++) {
            const double u = (double)((float)(numbers[i % 16] >> 1) + 0.5f) * 0x1p-31;
            const double v = (numbers[i % 16 + 16] >> 8) * 0x1p-24 * 2 * M_PI;
            x[group * 32 + i] += std * sqrt(-2 * log(u)) * (i < 16 ? cos(v) : sin(v));
        }
    }
}

static void cut(double *x, struct shape shape, int size, const struct augment_draw *draw) {
    for (int channel = 0; channel < shape.C; channel++) {
        for (int r = 0; r < shape.H; r++) {
            for (int c = 0; c < shape.W; c++) {
                const int down = r - draw->cut_top, over = c - draw->cut_left;
                if (down >= 0 && down < size && over >= 0 && over < size) {
                    x[((size_t)channel * (size_t)shape.H + (size_t)r) * (size_t)shape.W +
                      (size_t)c] = 0;
                }
            }
        }
    }
}

/* All of it, in the documented order, with what `augment` has drawn for these n samples. */
static double *by_definition(const struct augment *augment, const float *from, int n) {
    const struct shape shape = augment->shape;
    const size_t len = len_of(shape);
    double *x = mem_zalloc((size_t)n * len, sizeof *x), *y = mem_zalloc((size_t)n * len, sizeof *y);
    for (int i = 0; i < n; i++) {
        const struct augment_draw *draw = &augment->draws[i];
        double *sample = x + (size_t)i * len;
        for (size_t j = 0; j < len; j++) {
            sample[j] = (double)from[(size_t)i * len + j];
        }
        apply(sample, shape, draw, cropped);
        apply(sample, shape, draw, flipped);
        apply(sample, shape, draw, turned);
        brighten(sample, shape, draw->brightness);
        contrast(sample, shape, draw->contrast);
        if (augment->spec.noise > 0) {
            noisy(sample, shape, augment->spec.noise, i);
        }
        cut(sample, shape, augment->spec.cutout, draw);
    }
    for (int i = 0; i < n; i++) {
        for (size_t j = 0; j < len; j++) {
            const double other = x[augment->pairs[i] * len + j], share = (double)augment->share;
            y[(size_t)i * len + j] = share * x[(size_t)i * len + j] + (1 - share) * other;
        }
    }
    free(x);
    return y;
}

static void check_against_the_definition(const struct augment_spec *spec, struct shape shape) {
    const size_t len = len_of(shape) * SAMPLES;
    uint8_t labels[SAMPLES] = {0};
    float *from = pixels(len), *x = mem_aligned(len, sizeof *x);
    memcpy(x, from, len * sizeof *x);
    struct augment augment;
    augment_init(&augment, spec, shape, SAMPLES);
    augment_batch(&augment, x, labels, SAMPLES, SEED, EPOCH, STEP);
    double *expected = by_definition(&augment, from, SAMPLES);
    // a turned position is off by some roundings of a number of the image's size
    const double error = 0x1p-22 * (1 + shape.H + shape.W) * fmax(1, 1 + spec->contrast);
    for (size_t i = 0; i < len; i++) {
        if (!(fabs((double)x[i] - expected[i]) <= error)) {
            fail_msg("(%d, %d, %d) [%zu]: %.9g, expected %.9g", shape.C, shape.H, shape.W, i,
                     (double)x[i], expected[i]);
        }
    }
    augment_release(&augment);
    free(expected);
    free(from);
    free(x);
}

static void every_operation_is_its_definition_at_every_shape(void **state) {
    (void)state;
    static const struct augment_spec specs[] = {
        {0},
        {.crop = 1},
        {.crop = 4},
        {.crop = 100}, // larger than the image: most samples are empty
        {.horizontal_flip = 0.5},
        {.horizontal_flip = 1},
        {.rotation = 1e-6},
        {.rotation = 15},
        {.rotation = 180},
        {.brightness = 0.5},
        {.brightness = 3},
        {.contrast = 0.5},
        {.contrast = 3},
        {.noise = 0.25},
        {.cutout = 1},
        {.cutout = 4},
        {.cutout = 7},
        {.cutout = 200}, // nothing is left
        {.mixup = 0.2},
        {.mixup = 1},
        {.mixup = 1e6},
        {.crop = 2, .horizontal_flip = 0.5},
        {.brightness = 0.4, .contrast = 0.4, .cutout = 3},
        {3, 0.5, 20, 0.4, 0.4, 0.1, 5, 0.4},
    };
    static const struct shape shapes[] = {{1, 28, 28}, {3, 32, 32}, {3, 5, 8},  {1, 1, 1},
                                          {2, 1, 9},   {4, 7, 1},   {1, 70, 61}};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        for (size_t j = 0; j < sizeof shapes / sizeof *shapes; j++) {
            check_against_the_definition(&specs[i], shapes[j]);
        }
    }
}

/* ---- what depends on what ---- */

static void draw(struct augment *augment, const struct augment_spec *spec, struct shape shape,
                 int n, uint64_t seed, uint32_t epoch, uint32_t step) {
    float *x = mem_aligned((size_t)n * len_of(shape), sizeof *x);
    uint8_t *labels = mem_zalloc((size_t)n, 1);
    augment_init(augment, spec, shape, n);
    augment_batch(augment, x, labels, n, seed, epoch, step);
    free(x);
    free(labels);
}

static bool same_draw(const struct augment_draw *a, const struct augment_draw *b) {
    return a->down == b->down && a->right == b->right && a->flip == b->flip &&
           a->angle == b->angle && a->brightness == b->brightness && a->contrast == b->contrast &&
           a->cut_top == b->cut_top && a->cut_left == b->cut_left;
}

/* The members of `spec` that `all_on` has on: all but `off`. */
static struct augment_spec without(int off) {
    struct augment_spec spec = all_on;
    spec.crop *= off != 0;
    spec.horizontal_flip *= off != 1;
    spec.rotation *= off != 2;
    spec.brightness *= off != 3;
    spec.contrast *= off != 4;
    spec.noise *= off != 5;
    spec.cutout *= off != 6;
    spec.mixup *= off != 7;
    return spec;
}

static void what_one_operation_draws_depends_on_no_other(void **state) {
    (void)state;
    const struct shape shape = {1, 12, 12};
    struct augment all;
    draw(&all, &all_on, shape, SAMPLES, SEED, EPOCH, STEP);
    for (int off = 0; off < 8; off++) {
        const struct augment_spec spec = without(off);
        struct augment augment;
        draw(&augment, &spec, shape, SAMPLES, SEED, EPOCH, STEP);
        for (int i = 0; i < SAMPLES; i++) {
            struct augment_draw expected = all.draws[i];
            expected.down *= off != 0;
            expected.right *= off != 0;
            expected.flip = expected.flip && off != 1;
            expected.angle *= off != 2;
            expected.brightness = off == 3 ? 1 : expected.brightness;
            expected.contrast = off == 4 ? 1 : expected.contrast;
            expected.cut_top *= off != 6;
            expected.cut_left *= off != 6;
            assert_true(same_draw(&augment.draws[i], &expected));
            assert_int_equal(augment.pairs[i], off == 7 ? (uint32_t)i : all.pairs[i]);
        }
        assert_true(augment.share == (off == 7 ? 1 : all.share));
        augment_release(&augment);
    }
    augment_release(&all);
}

static void seed_epoch_and_step_make_the_draws_and_nothing_else_does(void **state) {
    (void)state;
    const struct shape shape = {1, 12, 12};
    const size_t len = len_of(shape);
    uint8_t labels[SAMPLES] = {0};
    float *from = pixels(len * SAMPLES), *first = mem_aligned(len * SAMPLES, sizeof *first);
    float *x = mem_aligned(len * SAMPLES, sizeof *x);
    struct augment augment;
    augment_init(&augment, &all_on, shape, SAMPLES);
    memcpy(first, from, len * SAMPLES * sizeof *x);
    augment_batch(&augment, first, labels, SAMPLES, SEED, EPOCH, STEP);
    static const struct {
        uint64_t seed;
        uint32_t epoch, step;
        bool same;
    } places[] = {{SEED, EPOCH, STEP + 1, false}, {SEED, EPOCH + 1, STEP, false},
                  {SEED + 1, EPOCH, STEP, false}, {SEED + (1ULL << 32), EPOCH, STEP, false},
                  {SEED, STEP, EPOCH, false},     {SEED, EPOCH, STEP, true}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        memcpy(x, from, len * SAMPLES * sizeof *x);
        augment_batch(&augment, x, labels, SAMPLES, places[i].seed, places[i].epoch,
                      places[i].step);
        assert_int_equal(memcmp(x, first, len * SAMPLES * sizeof *x) == 0, places[i].same);
    }
    augment_release(&augment);
    free(from);
    free(first);
    free(x);
}

static void a_sample_is_the_same_in_a_smaller_batch(void **state) {
    (void)state;
    const struct shape shape = {3, 11, 9}; // not a multiple of what the kernels take at a time
    const size_t len = len_of(shape);
    const struct augment_spec spec = without(7); // mixup makes each depend on others
    uint8_t labels[SAMPLES] = {0};
    float *whole = pixels(len * SAMPLES), *part = pixels(len * SAMPLES);
    struct augment augment;
    augment_init(&augment, &spec, shape, SAMPLES);
    augment_batch(&augment, whole, labels, SAMPLES, SEED, EPOCH, STEP);
    augment_batch(&augment, part, labels, 5, SEED, EPOCH, STEP);
    assert_memory_equal(whole, part, 5 * len * sizeof *whole);
    augment_release(&augment);
    free(whole);
    free(part);
}

/* ---- distributions ---- */

enum { DRAWS = 100000 };

static const struct shape small = {1, 10, 7};

static double chi_square(const int *count, int bins) {
    double sum = 0;
    for (int i = 0; i < bins; i++) {
        const double expected = DRAWS / (double)bins;
        sum += (count[i] - expected) * (count[i] - expected) / expected;
    }
    return sum;
}

/* The mean and the standard deviation of a uniform number from low to high, within 4 standard errors, and
 * every number within its range. */
struct moments {
    double low, high, sum, squares;
};

static void note(struct moments *m, double x) {
    assert_true(x >= m->low && x < m->high);
    const double u = (x - m->low) / (m->high - m->low);
    m->sum += u;
    m->squares += u * u;
}

static void check_uniform(const struct moments *m) {
    assert_true(fabs(m->sum / DRAWS - 0.5) < 4 * sqrt(1 / 12.0 / DRAWS));
    assert_true(fabs(m->squares / DRAWS - 1 / 3.0) < 4 * sqrt(4 / 45.0 / DRAWS));
}

static void what_is_drawn_is_uniform(void **state) {
    (void)state;
    const struct augment_spec spec = {.crop = 2,
                                      .horizontal_flip = 0.3,
                                      .rotation = 30,
                                      .brightness = 0.25,
                                      .contrast = 1.5,
                                      .cutout = 3};
    struct augment augment;
    draw(&augment, &spec, small, DRAWS, SEED, EPOCH, STEP);
    int flips = 0, shifts[25] = {0}, cuts[70] = {0};
    struct moments angle = {.low = -30, .high = 30}, brightness = {.low = 0.75, .high = 1.25};
    struct moments factor = {.low = 0, .high = 2.5};
    for (int i = 0; i < DRAWS; i++) {
        const struct augment_draw *d = &augment.draws[i];
        assert_in_range(d->down + 2, 0, 4);
        assert_in_range(d->right + 2, 0, 4);
        assert_in_range(d->cut_top + 1, 0, 9); // the centre: a square of 3 begins 1 before it
        assert_in_range(d->cut_left + 1, 0, 6);
        shifts[(d->down + 2) * 5 + d->right + 2]++;
        cuts[(d->cut_top + 1) * 7 + d->cut_left + 1]++;
        flips += d->flip;
        note(&angle, d->angle);
        note(&brightness, d->brightness);
        note(&factor, d->contrast);
    }
    assert_true(fabs(flips / (double)DRAWS - 0.3) < 4 * sqrt(0.3 * 0.7 / DRAWS));
    assert_true(chi_square(shifts, 25) < 51.18); // 24 degrees of freedom, p = 0.001
    assert_true(chi_square(cuts, 70) < 111.06);  // 69, likewise
    check_uniform(&angle);
    check_uniform(&brightness);
    check_uniform(&factor);
    augment_release(&augment);
}

static void a_flip_of_probability_1_is_certain(void **state) {
    (void)state;
    struct augment augment;
    draw(&augment, &(struct augment_spec){.horizontal_flip = 1}, small, 1000, 1, 1, 0);
    for (int i = 0; i < 1000; i++) {
        assert_true(augment.draws[i].flip);
    }
    augment_release(&augment);
}

/* ---- mixup ---- */

static void mixup_pairs_the_batch_with_itself_and_says_so(void **state) {
    (void)state;
    enum { N = 10, BATCHES = 9000 };
    const struct shape shape = {3, 1, 1};
    uint8_t labels[N];
    for (int i = 0; i < N; i++) {
        labels[i] = (uint8_t)(100 + i);
    }
    struct augment augment;
    augment_init(&augment, &(struct augment_spec){.mixup = 1}, shape, N);
    int partners[N * N] = {0};
    double sum = 0, squares = 0;
    for (uint32_t step = 0; step < BATCHES; step++) {
        float x[N * 3] = {0};
        bool taken[N] = {false};
        augment_batch(&augment, x, labels, N, SEED, EPOCH, step);
        for (int i = 0; i < N; i++) {
            const uint32_t p = augment.pairs[i];
            assert_true(p < N && !taken[p]);
            taken[p] = true;
            partners[i * N + (int)p]++;
            assert_int_equal(augment.others[i], labels[p]);
        }
        assert_true(augment.share >= 0 && augment.share <= 1);
        sum += (double)augment.share;
        squares += (double)augment.share * (double)augment.share;
    }
    double chi2 = 0; // each sample with each, alike
    for (int i = 0; i < N * N; i++) {
        chi2 += pow(partners[i] - BATCHES / (double)N, 2) / (BATCHES / (double)N);
    }
    // rows and columns have fixed sums: N / (N - 1) times a chi-square of (N - 1)^2 = 81 degrees
    assert_true(chi2 * (N - 1) / N < 126.08); // p = 0.001
    // Beta(1, 1) is uniform
    assert_true(fabs(sum / BATCHES - 0.5) < 4 * sqrt(1 / 12.0 / BATCHES));
    assert_true(fabs(squares / BATCHES - 1 / 3.0) < 4 * sqrt(4 / 45.0 / BATCHES));
    augment_release(&augment);
}

/* ---- the config ---- */

static void vectors_are_refused_what_is_for_images(void **state) {
    (void)state;
    static const struct {
        struct augment_spec spec;
        const char *path; // NULL: fits
    } cases[] = {
        {{.crop = 1}, "augment.crop"},
        {{.horizontal_flip = 0.5}, "augment.horizontal_flip"},
        {{.rotation = 1}, "augment.rotation"},
        {{.brightness = 0.1}, "augment.brightness"},
        {{.contrast = 0.1}, "augment.contrast"},
        {{.cutout = 2}, "augment.cutout"},
        {{.noise = 0.1, .mixup = 1}, NULL},
        {{0}, NULL},
    };
    static const struct shape images[] = {{1, 28, 28}, {1, 1, 28}, {3, 2, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err;
        const char *path = NULL;
        int rc = augment_check(&cases[i].spec, (struct shape){784, 1, 1}, &path, &err);
        if (cases[i].path == NULL) {
            assert_int_equal(rc, ERR_OK);
        } else {
            assert_int_equal(rc, ERR_RANGE);
            assert_string_equal(path, cases[i].path);
            assert_non_null(strstr(err.msg, "vectors (784, 1, 1)"));
        }
        for (size_t j = 0; j < sizeof images / sizeof *images; j++) {
            assert_int_equal(augment_check(&cases[i].spec, images[j], &path, &err), ERR_OK);
        }
    }
}

static void one_member_switches_it_on(void **state) {
    (void)state;
    assert_false(augment_is_on(&(struct augment_spec){0}));
    for (int on = 0; on < 8; on++) {
        struct augment_spec spec = {0};
        const struct augment_spec rest = without(on);
        spec.crop = all_on.crop - rest.crop;
        spec.horizontal_flip = all_on.horizontal_flip - rest.horizontal_flip;
        spec.rotation = all_on.rotation - rest.rotation;
        spec.brightness = all_on.brightness - rest.brightness;
        spec.contrast = all_on.contrast - rest.contrast;
        spec.noise = all_on.noise - rest.noise;
        spec.cutout = all_on.cutout - rest.cutout;
        spec.mixup = all_on.mixup - rest.mixup;
        assert_true(augment_is_on(&spec));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_is_its_definition_at_every_shape),
        cmocka_unit_test(what_one_operation_draws_depends_on_no_other),
        cmocka_unit_test(seed_epoch_and_step_make_the_draws_and_nothing_else_does),
        cmocka_unit_test(a_sample_is_the_same_in_a_smaller_batch),
        cmocka_unit_test(what_is_drawn_is_uniform),
        cmocka_unit_test(a_flip_of_probability_1_is_certain),
        cmocka_unit_test(mixup_pairs_the_batch_with_itself_and_says_so),
        cmocka_unit_test(vectors_are_refused_what_is_for_images),
        cmocka_unit_test(one_member_switches_it_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
