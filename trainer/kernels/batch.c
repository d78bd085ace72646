/* trainer/kernels/batch.c - what happens to a batch on its way in: gathered, normalized, dropped out. */
#include "trainer/kernels/isa.h"

#include <string.h>

/* y = x * (kept ? 1 / (1 - p) : 0): inverted dropout (Srivastava et al. 2014), nothing to do when
 * evaluating.  A multiplication, so that a NaN stays one even where it is dropped. */
void KERNEL(dropout)(float *y, const float *x, const uint32_t *random, float p, size_t n) {
    const double threshold = (double)p * 0x1p32; // exact, below 2^32 for p < 1
    const uint32_t whole = (uint32_t)threshold;
    const uint32_t least = whole + ((double)whole < threshold); // r >= p*2^32, in integers
    const float scale = 1.0f / (1.0f - p);
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] * (random[i] >= least ? scale : 0.0f);
    }
}

/* ---- gather ----
 *
 * Samples are rows of bytes, the result has them as columns: a transposition, done on tiles of 16
 * samples by 16 features, in bytes, before they grow to floats. */

enum { TILE = 16 };

typedef uint8_t byte_row __attribute__((vector_size(TILE), may_alias, aligned(1)));
typedef uint16_t half_row __attribute__((vector_size(TILE * sizeof(uint16_t))));
typedef int32_t int_row __attribute__((vector_size(TILE * sizeof(int32_t))));
typedef float float_row __attribute__((vector_size(TILE * sizeof(float)), may_alias, aligned(64)));

/* rows[i][j] -> rows[j][i]: four rounds, each of which interleaves row i with row i + 8. */
KERNEL_INLINE void transpose(byte_row rows[TILE]) {
    for (int round = 0; round < 4; round++) {
        byte_row next[TILE];
        for (int i = 0; i < TILE / 2; i++) {
            const byte_row a = rows[i], b = rows[i + TILE / 2];
            next[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6,
                                                  22, 7, 23);
            next[2 * i + 1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
                                                      13, 29, 14, 30, 15, 31);
        }
        for (int i = 0; i < TILE; i++) {
            rows[i] = next[i];
        }
    }
}

/* x[f][0 .. 16) for f < features, at most 16; a sample that is NULL reads as zeros. */
static void gather_tile(float *x, const uint8_t *const samples[TILE], size_t at, int features,
                        int N) {
    byte_row rows[TILE];
    for (int i = 0; i < TILE; i++) {
        rows[i] = (byte_row){0};
        if (samples[i] && features == TILE) {
            rows[i] = *(const byte_row *)(samples[i] + at);
        } else if (samples[i]) {
            memcpy(&rows[i], samples[i] + at, (size_t)features); // not past the last sample
        }
    }
    transpose(rows);
    for (int f = 0; f < features; f++) {
        const half_row half = __builtin_convertvector(rows[f], half_row); // steps: see isa.h
        const float_row value =
            __builtin_convertvector(__builtin_convertvector(half, int_row), float_row);
        *(float_row *)(x + f * (ptrdiff_t)N) = value / 255.0f;
    }
}

void KERNEL(gather)(float *x, const uint8_t *bytes, const uint32_t *index, int features, int n,
                    int N) {
    for (int first = 0; first < N; first += TILE) {
        const uint8_t *samples[TILE];
        for (int i = 0; i < TILE; i++) {
            const int column = first + i;
            samples[i] = column < n ? bytes + (size_t)index[column] * (size_t)features : NULL;
        }
        for (int f = 0; f < features; f += TILE) {
            const int count = features - f < TILE ? features - f : TILE;
            gather_tile(x + f * (ptrdiff_t)N + first, samples, (size_t)f, count, N);
        }
    }
}

/* ---- the same of floats ---- */

typedef float any_row __attribute__((vector_size(TILE * sizeof(float)), may_alias, aligned(4)));

/* As transpose(). */
KERNEL_INLINE void transpose_floats(float_row rows[TILE]) {
    for (int round = 0; round < 4; round++) {
        float_row next[TILE];
        for (int i = 0; i < TILE / 2; i++) {
            const float_row a = rows[i], b = rows[i + TILE / 2];
            next[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6,
                                                  22, 7, 23);
            next[2 * i + 1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
                                                      13, 29, 14, 30, 15, 31);
        }
        for (int i = 0; i < TILE; i++) {
            rows[i] = next[i];
        }
    }
}

static void gather_float_tile(float *x, const float *const samples[TILE], size_t at, int features,
                              int N) {
    float_row rows[TILE];
    for (int i = 0; i < TILE; i++) {
        rows[i] = (float_row){0};
        if (samples[i] && features == TILE) {
            rows[i] = (float_row) * (const any_row *)(samples[i] + at);
        } else if (samples[i]) {
            memcpy(&rows[i], samples[i] + at, (size_t)features * sizeof(float));
        }
    }
    transpose_floats(rows);
    for (int f = 0; f < features; f++) {
        *(float_row *)(x + f * (ptrdiff_t)N) = rows[f];
    }
}

void KERNEL(gather_floats)(float *x, const float *samples, const uint32_t *index, int features,
                           int n, int N) {
    for (int first = 0; first < N; first += TILE) {
        const float *rows[TILE];
        for (int i = 0; i < TILE; i++) {
            const int column = first + i;
            const size_t row = column >= n ? 0 : index ? index[column] : (size_t)column;
            rows[i] = column < n ? samples + row * (size_t)features : NULL;
        }
        for (int f = 0; f < features; f += TILE) {
            const int count = features - f < TILE ? features - f : TILE;
            gather_float_tile(x + f * (ptrdiff_t)N + first, rows, (size_t)f, count, N);
        }
    }
}

void KERNEL(bytes_to_floats)(float *y, const uint8_t *bytes, size_t n) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        vec_store_any(y + i, __builtin_convertvector(ivec_load_bytes(bytes + i), vec) / 255.0f);
    }
    for (; i < n; i++) {
        y[i] = (float)bytes[i] / 255.0f;
    }
}

/* A division, as PyTorch's Normalize has one: bound by memory either way. */
void KERNEL(normalize)(float *x, const float *mean, const float *std, int C, size_t M) {
    for (int c = 0; c < C; c++) {
        const vec m = vec_all(mean[c]), s = vec_all(std[c]);
        for (float *at = x + c * M, *end = at + M; at < end; at += LANES) {
            vec_store(at, (vec_load(at) - m) / s);
        }
    }
}
