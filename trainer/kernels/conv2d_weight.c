/* trainer/kernels/conv2d_weight.c - the gradient of a convolution's weights and biases.
 *
 *     dw[k,c,r,s] = sum over p,q,n of dy[k,p,q,n] * x[c, p*stride + r - pad, q*stride + s - pad, n]
 *
 * The sum is as long as the layer's output is large, the result small: so a tile keeps the sums of a
 * block of output channels times a few neighbouring taps s in registers, as vectors over n, while it
 * walks over p, q and n.  The lanes are added up once, at the very end.
 *
 *     block of K                    sums (c,r,s,k) of LANES floats each, in scratch
 *       run of columns q            on which the same taps s lie inside x: the borders, the inside
 *         band of rows and columns  a piece of dy that stays in the first cache ...
 *           c, r, group of s        ... for all of these
 *             tile: k x s sums in registers; p, q, n
 *
 * The bands also shorten the chains of additions, which is what bounds the rounding error. */
#include "trainer/kernels/conv2d.h"
#include "trainer/kernels/conv2d_methods.h"

enum {
    BLOCK_MAX = CONV2D_BLOCK_MAX,
    TAPS_MAX = 5,
    BAND_FLOATS = 6144, // of dy: half of a small first cache, the rest is for x
};

/* A piece of dy and the x under its first tap; strides in floats. */
struct piece {
    int rows, columns;
    ptrdiff_t len;  // contiguous floats at each row and column, a multiple of LANES
    ptrdiff_t dy_k; // from output channel to output channel
    ptrdiff_t dy_row, x_row;
    ptrdiff_t dy_column, x_column;
    ptrdiff_t x_tap;
};

/* sums[s][k][lane] += dy[k] * x[s], the first index BLOCK apart */
KERNEL_INLINE void tile_sum(int block, int taps, float *sums, const float *dy, const float *x,
                            const struct piece *piece) {
    vec sum[TAPS_MAX][BLOCK_MAX];
#pragma GCC unroll 8
    for (int s = 0; s < taps; s++) {
#pragma GCC unroll 8
        for (int k = 0; k < block; k++) {
            sum[s][k] = vec_all(0.0f);
        }
    }
    for (int row = 0; row < piece->rows; row++) {
        for (int column = 0; column < piece->columns; column++) {
            const float *dy_at = dy + row * piece->dy_row + column * piece->dy_column;
            const float *x_at = x + row * piece->x_row + column * piece->x_column;
            for (ptrdiff_t i = 0; i < piece->len; i += LANES) {
                vec pixel[TAPS_MAX];
                for (int s = 0; s < taps; s++) {
                    pixel[s] = vec_kept(vec_load(x_at + s * piece->x_tap + i));
                }
                for (int k = 0; k < block; k++) {
                    const vec grad = vec_kept(vec_load(dy_at + k * piece->dy_k + i));
                    for (int s = 0; s < taps; s++) {
                        sum[s][k] += grad * pixel[s];
                    }
                }
            }
        }
    }
#pragma GCC unroll 8
    for (int s = 0; s < taps; s++) {
#pragma GCC unroll 8
        for (int k = 0; k < block; k++) {
            float *to = sums + (s * block + k) * LANES;
            vec_store(to, vec_load(to) + sum[s][k]);
        }
    }
}

typedef void tile_fn(float *sums, const float *dy, const float *x, const struct piece *piece);

#define X(taps, block)                                                                             \
    static void tile_##taps##_##block(float *sums, const float *dy, const float *x,                \
                                      const struct piece *piece) {                                 \
        tile_sum(block, taps, sums, dy, x, piece);                                                 \
    }
#define X_8(taps)                                                                                  \
    X(taps, 1) X(taps, 2) X(taps, 3) X(taps, 4) X(taps, 5) X(taps, 6) X(taps, 7) X(taps, 8)
#define ROW_8(taps)                                                                                \
    {                                                                                              \
        NULL, tile_##taps##_1, tile_##taps##_2, tile_##taps##_3, tile_##taps##_4, tile_##taps##_5, \
            tile_##taps##_6, tile_##taps##_7, tile_##taps##_8                                      \
    }
X_8(1)
X_8(2)
X_8(3)
X_8(4)
X_8(5)
static tile_fn *const tiles[TAPS_MAX + 1][BLOCK_MAX + 1] = {{NULL},   ROW_8(1), ROW_8(2),
                                                            ROW_8(3), ROW_8(4), ROW_8(5)};
#undef X
#undef X_8
#undef ROW_8

/* Half open. */
struct range {
    int from, to;
};

static struct range range_meet(struct range a, struct range b) {
    return (struct range){int_max(a.from, b.from), int_min(a.to, b.to)};
}

/* The outputs, along one axis, whose tap `t` lies inside the input of length `in_len`. */
static struct range outputs_inside(const struct conv2d_shape *s, int t, int in_len) {
    const int before = int_max(0, s->pad - t), after = in_len + s->pad - t; // in padded pixels
    return (struct range){split_parts(before, s->stride),
                          after <= 0 ? 0 : split_parts(after, s->stride)};
}

/* The taps s that lie inside x for output column q; none: an empty range. */
static struct range taps_inside(const struct conv2d_shape *s, int q) {
    const int first = q * s->stride - s->pad; // the column under tap 0
    const struct range taps =
        range_meet((struct range){0, s->S}, (struct range){-first, s->W - first});
    return taps.from < taps.to ? taps : (struct range){0, 0};
}

/* A piece of dy being summed, for one block of K: rows and columns that all see the same taps. */
struct band {
    const struct conv2d_shape *shape;
    const float *dy; // of the block's first channel
    const float *x;
    float *sums; // (C,R,S,block,LANES)
    double bias[BLOCK_MAX];
    int block;
    int taps_most;              // of a group
    struct range taps;          // that lie inside x for these columns
    struct range rows, columns; // half open
};

/* One group of taps s, all inside x, over the rows that tap r allows. */
static void band_tile(const struct band *band, int c, int r, struct range taps, struct range rows) {
    const struct conv2d_shape *s = band->shape;
    const ptrdiff_t N = s->N;
    const int count = band->columns.to - band->columns.from;
    const int joined = s->stride == 1; // neighbouring outputs see neighbouring pixels
    const struct piece piece = {
        .rows = rows.to - rows.from,
        .columns = joined ? 1 : count,
        .len = joined ? count * N : N,
        .dy_k = s->P * s->Q * N,
        .dy_row = s->Q * N,
        .x_row = s->stride * s->W * N,
        .dy_column = N,
        .x_column = s->stride * N,
        .x_tap = N,
    };
    const ptrdiff_t h = rows.from * s->stride + r - s->pad;
    const ptrdiff_t v = band->columns.from * s->stride + taps.from - s->pad;
    const float *dy = band->dy + (rows.from * (ptrdiff_t)s->Q + band->columns.from) * N;
    const float *x = band->x + ((c * (ptrdiff_t)s->H + h) * s->W + v) * N;
    float *sums = band->sums + ((c * (ptrdiff_t)s->R + r) * s->S + taps.from) * band->block * LANES;
    tiles[taps.to - taps.from][band->block](sums, dy, x, &piece);
}

static void band_sum(const struct band *band) {
    const struct conv2d_shape *s = band->shape;
    const int tap_count = band->taps.to - band->taps.from;
    const int groups = split_parts(tap_count, band->taps_most);
    for (int c = 0; c < s->C; c++) {
        for (int r = 0; r < s->R; r++) {
            const struct range rows = range_meet(band->rows, outputs_inside(s, r, s->H));
            for (int g = 0; g < groups && rows.from < rows.to; g++) {
                const int from = band->taps.from + split_start(tap_count, groups, g);
                const int to = band->taps.from + split_start(tap_count, groups, g + 1);
                band_tile(band, c, r, (struct range){from, to}, rows);
            }
        }
    }
}

/* The gradient of the biases, while the piece is in the first cache. */
static void band_bias(struct band *band) {
    const struct conv2d_shape *s = band->shape;
    const ptrdiff_t N = s->N, len = (band->columns.to - band->columns.from) * N;
    for (int k = 0; k < band->block; k++) {
        vec sum[4] = {{0}};
        for (int row = band->rows.from; row < band->rows.to; row++) {
            vec_add_up(
                sum, band->dy + ((k * (ptrdiff_t)s->P + row) * s->Q + band->columns.from) * N, len);
        }
        band->bias[k] += (double)vec_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
    }
}

/* Walks a run of columns in bands that fit into the first cache: a border is narrow, so its bands are
 * tall. */
static void run_sum(struct band *band, struct range run) {
    const struct conv2d_shape *s = band->shape;
    const int width = run.to - run.from;
    const int pixels = int_max(1, BAND_FLOATS / (band->block * s->N));
    const int across = split_parts(width, pixels);
    const int down = split_parts(s->P, int_max(1, pixels / width));
    for (int i = 0; i < down; i++) {
        band->rows = (struct range){split_start(s->P, down, i), split_start(s->P, down, i + 1)};
        for (int j = 0; j < across; j++) {
            band->columns = (struct range){run.from + split_start(width, across, j),
                                           run.from + split_start(width, across, j + 1)};
            band_sum(band);
            band_bias(band);
        }
    }
}

/* Splits the columns into runs that see the same taps. */
static void block_sum(struct band *band) {
    const struct conv2d_shape *s = band->shape;
    for (int q = 0; q < s->Q;) {
        int next = q + 1;
        band->taps = taps_inside(s, q);
        for (; next < s->Q; next++) {
            const struct range other = taps_inside(s, next);
            if (other.from != band->taps.from || other.to != band->taps.to) {
                break;
            }
        }
        run_sum(band, (struct range){q, next});
        q = next;
    }
}

/* How many output channels a tile can hold next to so many taps: sums, pixels and one of dy. */
static int block_most(int taps) {
    return int_min(BLOCK_MAX, (REGISTERS - 1 - taps) / taps);
}

/* dw[k][crs] = the sum over the lanes of sums[crs][k], as many at once as there are lanes. */
static void add_lanes(float *dw, const float *sums, size_t filter, int block) {
    const size_t count = filter * (size_t)block;
    size_t crs = 0;
    int k = 0;
    for (size_t j = 0; j < count; j += LANES) {
        float done[LANES] __attribute__((aligned(64)));
        vec rows[LANES];
        const size_t left = count - j < LANES ? count - j : LANES;
        for (size_t i = 0; i < LANES; i++) {
            rows[i] = vec_load(sums + (j + (i < left ? i : 0)) * LANES);
        }
        vec_store(done, vec_sums(rows));
        for (size_t i = 0; i < left; i++) {
            dw[(size_t)k * filter + crs] = done[i];
            k = k + 1 < block ? k + 1 : 0;
            crs += k == 0;
        }
    }
}

void KERNEL(direct_backward_weight)(float *dw, float *db, const float *dy, const float *x,
                                    float *scratch, const struct conv2d_shape *shape) {
    const int groups = split_parts(shape->S, TAPS_MAX);
    const int taps_most = split_parts(shape->S, groups);
    const int blocks = split_parts(shape->K, block_most(taps_most));
    const size_t filter = (size_t)shape->C * (size_t)shape->R * (size_t)shape->S;
    const size_t image = (size_t)shape->P * (size_t)shape->Q * (size_t)shape->N;

    for (int i = 0; i < blocks; i++) {
        const int k0 = split_start(shape->K, blocks, i);
        const int block = split_start(shape->K, blocks, i + 1) - k0;
        const size_t sums = filter * (size_t)block;
        struct band band = {.shape = shape,
                            .dy = dy + (size_t)k0 * image,
                            .x = x,
                            .sums = scratch,
                            .block = block,
                            .taps_most = taps_most};
        for (size_t j = 0; j < sums; j++) {
            vec_store(scratch + j * LANES, vec_all(0.0f));
        }
        block_sum(&band);
        add_lanes(dw + (size_t)k0 * filter, scratch, filter, block);
        for (int k = 0; k < block; k++) {
            db[k0 + k] = (float)band.bias[k];
        }
    }
}
