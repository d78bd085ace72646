#include "trainer/augment.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "trainer/kernels/kernels.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    GROUP = 32,        // numbers that the kernel of noise takes at a time
    RANDOM_LEN = 4096, // that are there for it at a time, a multiple of GROUP
};

/* ---- config ---- */

static const struct table_key augment_keys[] = {
    {.name = "crop",
     .type = TABLE_INTEGER,
     .offset = offsetof(struct augment_spec, crop),
     .max = 255},
    {.name = "horizontal_flip",
     .type = TABLE_NUMBER,
     .offset = offsetof(struct augment_spec, horizontal_flip),
     .max = 1},
    {.name = "rotation",
     .type = TABLE_NUMBER,
     .offset = offsetof(struct augment_spec, rotation),
     .max = 180},
    {.name = "brightness",
     .type = TABLE_NUMBER,
     .offset = offsetof(struct augment_spec, brightness),
     .max = 1e6},
    {.name = "contrast",
     .type = TABLE_NUMBER,
     .offset = offsetof(struct augment_spec, contrast),
     .max = 1e6},
    {.name = "noise",
     .type = TABLE_NUMBER,
     .offset = offsetof(struct augment_spec, noise),
     .max = 1e6},
    {.name = "cutout",
     .type = TABLE_INTEGER,
     .offset = offsetof(struct augment_spec, cutout),
     .max = 65535},
    {.name = "mixup",
     .type = TABLE_NUMBER,
     .offset = offsetof(struct augment_spec, mixup),
     .max = 1e6},
};

const struct table augment_table = {.what = "augment",
                                    .keys = augment_keys,
                                    .key_count = sizeof augment_keys / sizeof *augment_keys};

int augment_check(const struct augment_spec *spec, struct shape shape, const char **path,
                  struct err *err) {
    const struct {
        const char *path;
        bool on;
    } for_images[] = {
        {"augment.crop", spec->crop > 0},
        {"augment.horizontal_flip", spec->horizontal_flip > 0},
        {"augment.rotation", spec->rotation > 0},
        {"augment.brightness", spec->brightness > 0},
        {"augment.contrast", spec->contrast > 0},
        {"augment.cutout", spec->cutout > 0},
    };
    bool vectors = shape.H == 1 && shape.W == 1;
    for (size_t i = 0; vectors && i < sizeof for_images / sizeof *for_images; i++) {
        if (for_images[i].on) {
            *path = for_images[i].path;
            return err_set(err, ERR_RANGE,
                           "is for images, but the samples of the data set are vectors (%d, 1, 1); "
                           "noise and mixup are for these, too",
                           shape.C);
        }
    }
    return ERR_OK;
}

bool augment_is_on(const struct augment_spec *spec) {
    return spec->crop > 0 || spec->horizontal_flip > 0 || spec->rotation > 0 ||
           spec->brightness > 0 || spec->contrast > 0 || spec->noise > 0 || spec->cutout > 0 ||
           spec->mixup > 0;
}

/* ---- memory ---- */

static size_t sample_len(const struct augment *augment) {
    return (size_t)augment->shape.C * (size_t)augment->shape.H * (size_t)augment->shape.W;
}

void augment_init(struct augment *augment, const struct augment_spec *spec, struct shape shape,
                  int max) {
    *augment = (struct augment){.spec = *spec, .shape = shape, .max = max, .share = 1};
    augment->kernels = kernels_get();
    augment->draws = mem_zalloc((size_t)max, sizeof *augment->draws);
    augment->pairs = mem_zalloc((size_t)max, sizeof *augment->pairs);
    augment->others = mem_zalloc((size_t)max, sizeof *augment->others);
    augment->mixed = mem_zalloc((size_t)max, sizeof *augment->mixed);
    augment->random = mem_aligned(RANDOM_LEN, sizeof *augment->random);
    augment->held = mem_aligned(sample_len(augment), sizeof *augment->held);
    augment->framed = mem_aligned((size_t)(shape.H + 3) * (size_t)(shape.W + 3), sizeof(float));
}

void augment_release(struct augment *augment) {
    free(augment->draws);
    free(augment->pairs);
    free(augment->others);
    free(augment->mixed);
    free(augment->random);
    free(augment->held);
    free(augment->framed);
    *augment = (struct augment){0};
}

/* ---- drawing ---- */

/* Which batch it is. */
struct place {
    uint64_t seed;
    uint32_t epoch, step;
};

static struct rng stream(const struct place *place, enum augment_kind kind) {
    struct rng rng;
    rng_init(&rng, place->seed, RNG_AUGMENT + ((uint32_t)kind << 8), place->epoch, place->step);
    return rng;
}

static double between(struct rng *rng, double low, double high) {
    return low + (high - low) * (double)rng_uniform(rng);
}

static void draw_crops(const struct augment *augment, int n, const struct place *place) {
    struct rng rng = stream(place, AUGMENT_CROP);
    const int most = augment->spec.crop;
    for (int i = 0; i < n; i++) { // an offset o of the window moves the sample by crop - o
        augment->draws[i].down = most - (int)rng_below(&rng, 2 * (uint32_t)most + 1);
        augment->draws[i].right = most - (int)rng_below(&rng, 2 * (uint32_t)most + 1);
    }
}

static void draw_flips(const struct augment *augment, int n, const struct place *place) {
    struct rng rng = stream(place, AUGMENT_FLIP);
    for (int i = 0; i < n; i++) {
        augment->draws[i].flip = (double)rng_uniform(&rng) < augment->spec.horizontal_flip;
    }
}

static void draw_angles(const struct augment *augment, int n, const struct place *place) {
    struct rng rng = stream(place, AUGMENT_ROTATION);
    const double most = augment->spec.rotation;
    for (int i = 0; i < n; i++) {
        augment->draws[i].angle = between(&rng, -most, most);
    }
}

/* Of brightness and contrast. */
static double draw_factor(struct rng *rng, double most) {
    return between(rng, fmax(0, 1 - most), 1 + most);
}

static void draw_brightness(const struct augment *augment, int n, const struct place *place) {
    struct rng rng = stream(place, AUGMENT_BRIGHTNESS);
    for (int i = 0; i < n; i++) {
        augment->draws[i].brightness = draw_factor(&rng, augment->spec.brightness);
    }
}

static void draw_contrast(const struct augment *augment, int n, const struct place *place) {
    struct rng rng = stream(place, AUGMENT_CONTRAST);
    for (int i = 0; i < n; i++) {
        augment->draws[i].contrast = draw_factor(&rng, augment->spec.contrast);
    }
}

static void draw_cuts(const struct augment *augment, int n, const struct place *place) {
    struct rng rng = stream(place, AUGMENT_CUTOUT);
    const int size = augment->spec.cutout;
    for (int i = 0; i < n; i++) {
        struct augment_draw *draw = &augment->draws[i];
        draw->cut_top = (int)rng_below(&rng, (uint32_t)augment->shape.H) - size / 2;
        draw->cut_left = (int)rng_below(&rng, (uint32_t)augment->shape.W) - size / 2;
    }
}

static void draw_samples(struct augment *augment, int n, const struct place *place) {
    const struct augment_spec *spec = &augment->spec;
    for (int i = 0; i < n; i++) {
        augment->draws[i] = (struct augment_draw){.brightness = 1, .contrast = 1};
    }
    if (spec->crop > 0) {
        draw_crops(augment, n, place);
    }
    if (spec->horizontal_flip > 0) {
        draw_flips(augment, n, place);
    }
    if (spec->rotation > 0) {
        draw_angles(augment, n, place);
    }
    if (spec->brightness > 0) {
        draw_brightness(augment, n, place);
    }
    if (spec->contrast > 0) {
        draw_contrast(augment, n, place);
    }
    if (spec->cutout > 0) {
        draw_cuts(augment, n, place);
    }
}

/* ---- a sample ---- */

/* Of one channel.  Row r of the result is row r - down of x, moved by `right`, zeros where there is
 * none. */
static void move(float *x, struct shape shape, int down, int right) {
    const int H = shape.H, W = shape.W;
    const int kept = W - abs(right); // columns; none or fewer: nothing is left
    const int from = right < 0 ? -right : 0, to = right < 0 ? 0 : right;
    for (int i = 0; i < H; i++) {
        const int r = down > 0 ? H - 1 - i : i; // before its source is overwritten
        float *row = x + (ptrdiff_t)r * W;
        if (r - down < 0 || r - down >= H || kept <= 0) {
            memset(row, 0, (size_t)W * sizeof *row);
            continue;
        }
        memmove(row + to, row + from - (ptrdiff_t)down * W, (size_t)kept * sizeof *row);
        memset(to > 0 ? row : row + kept, 0, (size_t)(W - kept) * sizeof *row);
    }
}

static void flip(float *x, struct shape shape) {
    for (int r = 0; r < shape.H; r++) {
        float *row = x + (ptrdiff_t)r * shape.W;
        for (int a = 0, b = shape.W - 1; a < b; a++, b--) {
            const float held = row[a];
            row[a] = row[b];
            row[b] = held;
        }
    }
}

static void rotate(const struct augment *augment, float *x, double cosine, double sine) {
    const int H = augment->shape.H, W = augment->shape.W;
    for (int r = 0; r < H; r++) {
        memcpy(augment->framed + (ptrdiff_t)(r + 1) * (W + 3) + 1, x + (ptrdiff_t)r * W,
               (size_t)W * sizeof *x);
    }
    augment->kernels->rotate(x, augment->framed, H, W, cosine, sine);
}

/* In double and in order, so that it is the same bits in every set. */
static double sum_of(const float *x, size_t n) {
    double part[4] = {0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        for (int j = 0; j < 4; j++) {
            part[j] += (double)x[i + (size_t)j];
        }
    }
    for (; i < n; i++) {
        part[0] += (double)x[i];
    }
    return part[0] + part[1] + (part[2] + part[3]);
}

static double gray_mean(const float *x, struct shape shape) {
    const size_t plane = (size_t)shape.H * (size_t)shape.W;
    if (shape.C == 3) {
        return (0.2989 * sum_of(x, plane) + 0.587 * sum_of(x + plane, plane) +
                0.114 * sum_of(x + 2 * plane, plane)) /
               (double)plane;
    }
    const size_t len = (size_t)shape.C * plane;
    return sum_of(x, len) / (double)len;
}

static void cut_out(float *x, struct shape shape, int size, const struct augment_draw *draw) {
    const int top = draw->cut_top > 0 ? draw->cut_top : 0;
    const int left = draw->cut_left > 0 ? draw->cut_left : 0;
    const int bottom = draw->cut_top + size < shape.H ? draw->cut_top + size : shape.H;
    const int right = draw->cut_left + size < shape.W ? draw->cut_left + size : shape.W;
    for (int c = 0; c < shape.C; c++) {
        for (int r = top; r < bottom; r++) {
            memset(x + ((ptrdiff_t)c * shape.H + r) * shape.W + left, 0,
                   (size_t)(right - left) * sizeof *x);
        }
    }
}

/* Numbers for whole groups of the kernel: those of the next sample begin with a group of their own. */
static void add_noise(const struct augment *augment, float *x, struct rng *rng) {
    const size_t len = sample_len(augment);
    for (size_t at = 0; at < len; at += RANDOM_LEN) {
        const size_t count = len - at < RANDOM_LEN ? len - at : RANDOM_LEN;
        rng_fill(rng, augment->random, (count + GROUP - 1) / GROUP * GROUP);
        augment->kernels->noise(x + at, augment->random, (float)augment->spec.noise, count);
    }
}

static void change_shape(const struct augment *augment, float *x, const struct augment_draw *draw) {
    const struct augment_spec *spec = &augment->spec;
    const struct shape shape = augment->shape;
    const ptrdiff_t plane = (ptrdiff_t)shape.H * shape.W;
    const double radians = draw->angle * (M_PI / 180);
    const double cosine = cos(radians), sine = sin(radians); // for all channels
    for (int c = 0; c < shape.C; c++) {
        if (spec->crop > 0) {
            move(x + c * plane, shape, draw->down, draw->right);
        }
        if (draw->flip) {
            flip(x + c * plane, shape);
        }
        if (spec->rotation > 0) {
            rotate(augment, x + c * plane, cosine, sine);
        }
    }
}

static void change_values(const struct augment *augment, float *x,
                          const struct augment_draw *draw) {
    const struct augment_spec *spec = &augment->spec;
    const size_t len = sample_len(augment);
    if (spec->brightness > 0) {
        augment->kernels->adjust(x, (float)draw->brightness, 0, len);
    }
    if (spec->contrast > 0) {
        const double f = draw->contrast, mean = gray_mean(x, augment->shape);
        augment->kernels->adjust(x, (float)f, (float)((1 - f) * mean), len);
    }
}

/* ---- mixup ---- */

static void draw_mixup(struct augment *augment, int n, const struct place *place) {
    const double alpha = augment->spec.mixup;
    for (int i = 0; i < n; i++) {
        augment->pairs[i] = (uint32_t)i;
    }
    if (alpha > 0) {
        struct rng shares = stream(place, AUGMENT_SHARE), pairs = stream(place, AUGMENT_PAIRS);
        augment->share = (float)rng_beta(&shares, alpha, alpha);
        rng_shuffle(&pairs, augment->pairs, (uint32_t)n);
    }
}

/* In place: along each cycle i, p(i), p(p(i)), ... the partner is always one that is still unmixed, but
 * for the last, whose partner is the first, held back. */
static void mix(struct augment *augment, float *x, int n) {
    const size_t len = sample_len(augment);
    for (int i = 0; i < n; i++) {
        augment->mixed[i] = false;
    }
    for (uint32_t first = 0; first < (uint32_t)n; first++) {
        if (augment->mixed[first]) {
            continue;
        }
        memcpy(augment->held, x + first * len, len * sizeof *x);
        uint32_t at = first;
        do {
            const uint32_t next = augment->pairs[at];
            const float *other = next == first ? augment->held : x + next * len;
            augment->kernels->mix(x + at * len, other, augment->share, len);
            augment->mixed[at] = true;
            at = next;
        } while (at != first);
    }
}

/* ---- a batch ---- */

void augment_batch(struct augment *augment, float *x, const uint8_t *labels, int n, uint64_t seed,
                   uint32_t epoch, uint32_t step) {
    assert(n > 0 && n <= augment->max);
    const struct augment_spec *spec = &augment->spec;
    const struct place place = {seed, epoch, step};
    draw_samples(augment, n, &place);
    struct rng noise = stream(&place, AUGMENT_NOISE);
    for (int i = 0; i < n; i++) {
        const struct augment_draw *draw = &augment->draws[i];
        float *sample = x + (size_t)i * sample_len(augment);
        change_shape(augment, sample, draw);
        change_values(augment, sample, draw);
        if (spec->noise > 0) {
            add_noise(augment, sample, &noise);
        }
        if (spec->cutout > 0) {
            cut_out(sample, augment->shape, spec->cutout, draw);
        }
    }
    draw_mixup(augment, n, &place);
    for (int i = 0; i < n; i++) {
        augment->others[i] = labels[augment->pairs[i]];
    }
    if (spec->mixup > 0) {
        mix(augment, x, n);
    }
}
