/* tests/unit/trainer/test_kernels_winograd.h - Winograd's method in double, with absolute values: the bound on its errors.
 *
 * The method adds and subtracts what cancels, so its errors are not bounded by the products of the
 * definition.  The bound here follows from the method itself: every number on the way is a sum of at most
 * `terms` products, so the first-order error is below terms * 2^-24 times the same sums with every factor
 * replaced by its absolute value.  The matrices are made from the points as Toom and Cook did. */
#ifndef TESTS_UNIT_TRAINER_TEST_KERNELS_WINOGRAD_H
#define TESTS_UNIT_TRAINER_TEST_KERNELS_WINOGRAD_H

#include "tests/unit/trainer/test_kernels_conv2d.h"

enum { POINTS_MAX = 5, TILE = POINTS_MAX + 1 };

/* The points of a tile, infinity left out: one more than it has outputs along an axis.  What lies past
 * its points + 1 rows and columns is 0 in every matrix. */
struct method {
    int size, count;
    double points[POINTS_MAX];
};

static const struct method forward_by = {2, 3, {0.0, 1.0, -1.0}};
static const struct method gradient_by = {4, 5, {0.0, 0.625, -0.625, 1.5, -1.5}};

/* ---- the method in double, with absolute values ---- */

/* The coefficients of the product of (x - p) over all points but number `left_out`, lowest first. */
static inline void polynomial(const struct method *by, double coefficients[TILE], int left_out) {
    for (int i = 0; i < TILE; i++) {
        coefficients[i] = i == 0;
    }
    for (int j = 0; j < by->count; j++) {
        for (int i = TILE - 1; j != left_out && i >= 0; i--) {
            coefficients[i] = (i > 0 ? coefficients[i - 1] : 0.0) - by->points[j] * coefficients[i];
        }
    }
}

/* |B^T| of an image */
static inline void image_matrix(const struct method *by, double rows[TILE][TILE]) {
    for (int j = 0; j < TILE; j++) {
        polynomial(by, rows[j], j); // the number of infinity: none is left out
        for (int i = 0; i < TILE; i++) {
            rows[j][i] = j <= by->count ? fabs(rows[j][i]) : 0.0;
        }
    }
}

/* |evaluation of a polynomial of `len` coefficients|, over the product of the points' distances if
 * `scaled` */
static inline void points_matrix(const struct method *by, double rows[TILE][TILE], int len,
                                 bool scaled) {
    for (int j = 0; j < TILE; j++) {
        double scale = 1.0;
        for (int i = 0; scaled && j < by->count && i < by->count; i++) {
            scale *= i == j ? 1.0 : by->points[j] - by->points[i];
        }
        for (int i = 0; i < TILE; i++) {
            rows[j][i] = i >= len || j > by->count ? 0.0
                         : j < by->count           ? fabs(pow(by->points[j], i) / scale)
                                                   : (double)(i == len - 1);
        }
    }
}

/* to = m from m^T */
static inline void both_axes(double to[TILE][TILE], double m[TILE][TILE], double from[TILE][TILE]) {
    double half[TILE][TILE] = {{0.0}};
    for (int i = 0; i < TILE; i++) {
        for (int j = 0; j < TILE; j++) {
            for (int l = 0; l < TILE; l++) {
                half[i][j] += m[i][l] * from[l][j];
            }
        }
    }
    for (int i = 0; i < TILE; i++) {
        for (int j = 0; j < TILE; j++) {
            to[i][j] = 0.0;
            for (int l = 0; l < TILE; l++) {
                to[i][j] += half[i][l] * m[j][l];
            }
        }
    }
}

static inline void transposed(double to[TILE][TILE], double from[TILE][TILE]) {
    for (int i = 0; i < TILE; i++) {
        for (int j = 0; j < TILE; j++) {
            to[i][j] = from[j][i];
        }
    }
}

/* |pixels| of a tile of one sample of an image (H,W,N); 0 outside */
static inline void tile_of(double tile[TILE][TILE], const float *image, int H, int W, int N,
                           int row, int column, int size) {
    for (int i = 0; i < TILE; i++) {
        for (int j = 0; j < TILE; j++) {
            const int h = row + i, v = column + j;
            const bool inside = i < size && j < size && h >= 0 && h < H && v >= 0 && v < W;
            tile[i][j] = inside ? fabs((double)image[((size_t)h * W + v) * N]) : 0.0;
        }
    }
}

/* ---- bounds ---- */

/* y, as a convolution by this method computes it, of absolute values */
static inline void forward_magnitude(const struct method *by, double *y, const float *x,
                                     const float *w, const struct conv2d_shape *s) {
    const int size = by->size;
    double image[TILE][TILE], filter[TILE][TILE], output[TILE][TILE], by_point[TILE][TILE];
    image_matrix(by, image);
    points_matrix(by, filter, 3, true);
    points_matrix(by, by_point, size, false);
    transposed(output, by_point);

    double(*u)[TILE][TILE] = mem_zalloc((size_t)s->K * s->C, sizeof *u);
    double(*v)[TILE][TILE] = mem_zalloc((size_t)s->C, sizeof *v);
    for (int i = 0; i < s->K * s->C; i++) {
        double tile[TILE][TILE];
        tile_of(tile, w + (size_t)i * 9, 3, 3, 1, 0, 0, 3);
        both_axes(u[i], filter, tile);
    }
    for (int n = 0; n < s->N; n++) {
        for (int p0 = 0; p0 < s->P; p0 += size) {
            for (int q0 = 0; q0 < s->Q; q0 += size) {
                for (int c = 0; c < s->C; c++) {
                    double tile[TILE][TILE];
                    tile_of(tile, x + (size_t)c * s->H * s->W * s->N + n, s->H, s->W, s->N,
                            p0 - s->pad, q0 - s->pad, size + 2);
                    both_axes(v[c], image, tile);
                }
                for (int k = 0; k < s->K; k++) {
                    double m[TILE][TILE] = {{0.0}}, out[TILE][TILE];
                    for (int c = 0; c < s->C; c++) {
                        for (int i = 0; i < TILE * TILE; i++) {
                            m[i / TILE][i % TILE] +=
                                u[k * s->C + c][i / TILE][i % TILE] * v[c][i / TILE][i % TILE];
                        }
                    }
                    both_axes(out, output, m);
                    for (int p = p0; p < p0 + size && p < s->P; p++) {
                        for (int q = q0; q < q0 + size && q < s->Q; q++) {
                            y[(((size_t)k * s->P + p) * s->Q + q) * s->N + n] = out[p - p0][q - q0];
                        }
                    }
                }
            }
        }
    }
    free(u);
    free(v);
}

/* dw, as backward_weight computes it, of absolute values */
static inline void weight_magnitude(double *dw, const float *dy, const float *x,
                                    const struct conv2d_shape *s) {
    double image[TILE][TILE], grad[TILE][TILE], output[TILE][TILE], by_point[TILE][TILE];
    image_matrix(&gradient_by, image);
    points_matrix(&gradient_by, grad, 4, true);
    points_matrix(&gradient_by, by_point, 3, false);
    transposed(output, by_point);

    double(*m)[TILE][TILE] = mem_zalloc((size_t)s->K * s->C, sizeof *m);
    double(*d)[TILE][TILE] = mem_zalloc((size_t)s->K, sizeof *d);
    for (int n = 0; n < s->N; n++) {
        for (int p0 = 0; p0 < s->P; p0 += 4) {
            for (int q0 = 0; q0 < s->Q; q0 += 4) {
                double tile[TILE][TILE], v[TILE][TILE];
                for (int k = 0; k < s->K; k++) {
                    tile_of(tile, dy + (size_t)k * s->P * s->Q * s->N + n, s->P, s->Q, s->N, p0, q0,
                            4);
                    both_axes(d[k], grad, tile);
                }
                for (int c = 0; c < s->C; c++) {
                    tile_of(tile, x + (size_t)c * s->H * s->W * s->N + n, s->H, s->W, s->N,
                            p0 - s->pad, q0 - s->pad, TILE);
                    both_axes(v, image, tile);
                    for (int k = 0; k < s->K; k++) {
                        for (int i = 0; i < TILE * TILE; i++) {
                            m[k * s->C + c][i / TILE][i % TILE] +=
                                d[k][i / TILE][i % TILE] * v[i / TILE][i % TILE];
                        }
                    }
                }
            }
        }
    }
    for (int i = 0; i < s->K * s->C; i++) {
        double out[TILE][TILE];
        both_axes(out, output, m[i]);
        for (int rs = 0; rs < 9; rs++) {
            dw[(size_t)i * 9 + rs] = out[rs / 3][rs % 3];
        }
    }
    free(m);
    free(d);
}

#endif
