/* trainer/augment.h - training images changed at random, so that no two epochs see the same ones.
 *
 * A batch of n samples, float32 (n, C, H, W) with values from 0 to 1, before normalization, goes
 * through the operations that the config switches on, always in this order:
 *
 *     crop             padded by `crop` zeros on each side and cut back to H x W at an offset uniform in
 *                      0 .. 2 crop, each direction its own (torchvision's RandomCrop with padding)
 *     horizontal_flip  mirrored, left for right, with this probability (RandomHorizontalFlip)
 *     rotation         about the centre by an angle uniform in [-rotation, rotation) degrees, bilinear,
 *                      0 outside (RandomRotation)
 *     brightness       x = clamp(f x), f uniform in [max(0, 1 - brightness), 1 + brightness)
 *     contrast         x = clamp(f x + (1 - f) m), f likewise, m the mean of the gray image
 *                      (ColorJitter); gray is 0.2989 R + 0.587 G + 0.114 B of three channels, the mean
 *                      of the channels otherwise; clamp to [0, 1]
 *     noise            x += noise z, z normal, each value its own
 *     cutout           a square of `cutout` pixels becomes 0; its centre is uniform over the image, what
 *                      is outside is cut off (DeVries, Taylor 2017)
 *     mixup            x_i = share x_i + (1 - share) x_p(i), share from Beta(mixup, mixup) and p a
 *                      permutation, both drawn once a batch; targets likewise (Zhang et al. 2018)
 *
 * Random numbers: each operation has a stream of its own, (seed, RNG_AUGMENT + (kind << 8), epoch, step),
 * from which the samples take theirs in their order.  So what one operation draws depends on no other,
 * and a batch is the same bits whether the training was interrupted before it or not.
 *
 * Vectors (features, 1, 1) have no neighbours and no brightness: noise and mixup are for them, too, the
 * others for images alone. */
#ifndef TRAINER_AUGMENT_H
#define TRAINER_AUGMENT_H

#include "trainer/config_table.h"
#include "trainer/spec.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct kernels;

/* Whose stream it is.  Stored results depend on these numbers: only ever add. */
enum augment_kind {
    AUGMENT_CROP,
    AUGMENT_FLIP,
    AUGMENT_ROTATION,
    AUGMENT_BRIGHTNESS,
    AUGMENT_CONTRAST,
    AUGMENT_NOISE,
    AUGMENT_CUTOUT,
    AUGMENT_SHARE, // of mixup
    AUGMENT_PAIRS, // likewise
};

/* What was drawn for a sample; of what is not switched on, what would change nothing. */
struct augment_draw {
    int down, right;       // crop: pixels that it moves, each from -crop to crop
    bool flip;             // horizontal_flip
    double angle;          // rotation: degrees, counter-clockwise
    double brightness;     // factor
    double contrast;       // likewise
    int cut_top, cut_left; // cutout: of the square's first pixel, may be outside
};

struct augment {
    struct augment_spec spec;
    struct shape shape;
    int max;                    // samples of a batch
    struct augment_draw *draws; // owned, (max): of the last batch
    uint32_t *pairs;            // owned, (max): p of the last batch; without mixup each its own
    uint8_t *others;            // owned, (max): their labels
    float share;                // of the last batch; 1 without mixup
    const struct kernels *kernels;
    uint32_t *random;     // owned
    float *held, *framed; // owned: a sample; a channel and the frame of zeros around it
    bool *mixed;          // owned, (max)
};

extern const struct table augment_table;

/* Whether anything is switched on. */
bool augment_is_on(const struct augment_spec *spec);

/* ERR_RANGE when an operation is switched on that is not for data of this shape; *path is then where it
 * is in the config, "augment.rotation" (static). */
int augment_check(const struct augment_spec *spec, struct shape shape, const char **path,
                  struct err *err);

/* For batches of up to `max` samples.  Allocates all that augment_batch() needs. */
void augment_init(struct augment *augment, const struct augment_spec *spec, struct shape shape,
                  int max);
void augment_release(struct augment *augment);

/* Changes the n samples of x (n, C, H, W) in place; `labels` (n) are theirs.  Leaves in `others` and
 * `share` what their targets are: share * labels[i] + (1 - share) * others[i], as one-hot vectors.
 * `epoch` counts from 1, `step` from 0, as for net_train().  Allocates nothing. */
void augment_batch(struct augment *augment, float *x, const uint8_t *labels, int n, uint64_t seed,
                   uint32_t epoch, uint32_t step);

#endif
