/* trainer/kernels/augment.c - what changes training samples: turned, adjusted, noisy, mixed. */
#include "trainer/kernels/isa.h"
#include "trainer/kernels/vmath.h"

#include <string.h>

/* ---- rotation ----
 *
 * Positions count from the first zero of the frame.  Cut to [0, H + 1] x [0, W + 1] all four pixels of
 * the bilinear mean are within it, and one that was cut means zeros alone, as it would have. */

KERNEL_INLINE vec cut(vec at, float most) {
    at = vec_pick(at < vec_all(0.0f), vec_all(0.0f), at);
    return vec_pick(at > vec_all(most), vec_all(most), at);
}

/* The means of LANES pixels from their positions. */
KERNEL_INLINE vec bilinear(const float *x, int stride, vec row, vec column) {
    const ivec r = __builtin_convertvector(row, ivec); // not negative: this is the floor
    const ivec c = __builtin_convertvector(column, ivec);
    const vec down = row - __builtin_convertvector(r, vec);
    const vec over = column - __builtin_convertvector(c, vec);
    int32_t at[LANES] __attribute__((aligned(64)));
    float corner[4][LANES] __attribute__((aligned(64)));
    *(ivec *)at = r * ivec_all(stride) + c;
    for (int i = 0; i < LANES; i++) {
        const float *p = x + at[i];
        corner[0][i] = p[0];
        corner[1][i] = p[1];
        corner[2][i] = p[stride];
        corner[3][i] = p[stride + 1];
    }
    const vec upper = vec_load(corner[0]) + over * (vec_load(corner[1]) - vec_load(corner[0]));
    const vec lower = vec_load(corner[2]) + over * (vec_load(corner[3]) - vec_load(corner[2]));
    return upper + down * (lower - upper);
}

static void rotate_row(float *y, const float *x, int H, int W, float row, float column,
                       float cosine, float sine) {
    const float bottom = (float)(H + 1), right = (float)(W + 1);
    vec c;
    for (int i = 0; i < LANES; i++) {
        c[i] = (float)i;
    }
    for (int first = 0; first < W; first += LANES) {
        const vec value = bilinear(x, W + 3, cut(vec_all(row) + vec_all(sine) * c, bottom),
                                   cut(vec_all(column) + vec_all(cosine) * c, right));
        const int left = W - first;
        memcpy(y + first, &value, (size_t)(left < LANES ? left : LANES) * sizeof *y);
        c += vec_all((float)LANES);
    }
}

void KERNEL(rotate)(float *y, const float *x, int H, int W, double cosine, double sine) {
    const double middle_row = 0.5 * (H - 1), middle_column = 0.5 * (W - 1);
    for (int r = 0; r < H; r++) {
        const double u = r - middle_row, v = -middle_column; // of the first pixel
        const double row = middle_row + sine * v + cosine * u + 1.0;
        const double column = middle_column + cosine * v - sine * u + 1.0;
        rotate_row(y + r * (ptrdiff_t)W, x, H, W, (float)row, (float)column, (float)cosine,
                   (float)sine);
    }
}

/* ---- elementwise ---- */

void KERNEL(adjust)(float *x, float a, float b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float value = a * x[i] + b;
        const float at_least = value < 0.0f ? 0.0f : value; // false for a NaN, which stays
        x[i] = at_least > 1.0f ? 1.0f : at_least;
    }
}

void KERNEL(mix)(float *x, const float *other, float share, size_t n) {
    const float rest = 1.0f - share;
    for (size_t i = 0; i < n; i++) {
        x[i] = share * x[i] + rest * other[i];
    }
}

/* ---- noise ---- */

enum { HALF = 16, GROUP = 2 * HALF }; // the same in every set: so are the numbers that a value gets

typedef uint32_t uvec_any
    __attribute__((vector_size(LANES * sizeof(uint32_t)), may_alias, aligned(4)));

/* To float by way of int, which the older sets convert in one instruction. */
KERNEL_INLINE vec positive(const uint32_t *random, int shift) {
    return __builtin_convertvector((ivec)(*(const uvec_any *)random >> shift), vec);
}

static void normal_group(float z[GROUP], const uint32_t *random, float std) {
    for (int i = 0; i < HALF; i += LANES) {
        // above 0: its logarithm is finite
        const vec u = (positive(random + i, 1) + vec_all(0.5f)) * vec_all(0x1p-31f);
        const vec v = positive(random + HALF + i, 8) * vec_all(0x1p-23f); // twice one in [0, 1)
        const vec length = vec_all(std) * vec_sqrt(vec_all(-2.0f) * vec_log(u));
        vec sine, cosine;
        vec_sincospi(&sine, &cosine, v);
        vec_store(z + i, length * cosine);
        vec_store(z + HALF + i, length * sine);
    }
}

void KERNEL(noise)(float *x, const uint32_t *random, float std, size_t n) {
    float z[GROUP] __attribute__((aligned(64)));
    for (size_t at = 0; at < n; at += GROUP) {
        normal_group(z, random + at, std);
        const size_t count = n - at < GROUP ? n - at : GROUP;
        for (size_t i = 0; i < count; i++) {
            x[at + i] += z[i];
        }
    }
}
