/* trainer/data_normalize.c - mean and standard deviation of each channel.
 *
 *     mean = sum x / n        std = sqrt(sum (x - mean)^2 / n)        n = images H W
 *
 * Of bytes both sums are exact integers, so that no order matters; of floats they are in double, image
 * by image and pixel by pixel, the second in a pass of its own. */
#include "trainer/data_internal.h"

#include "base/err.h"
#include "base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* Where image `i` of the training part begins, in elements. */
static size_t image_at(const struct dataset *set, int i) {
    const struct split *split = &set->train;
    size_t row = split->index != NULL ? split->index[i] : (size_t)i;
    return row * (size_t)set->shape.C * (size_t)set->shape.H * (size_t)set->shape.W;
}

static void add_bytes(const uint8_t *bytes, size_t n, uint64_t *sum, uint64_t *squares) {
    enum { BLOCK = 1 << 15 }; // its sums fit into 32 bits
    for (size_t first = 0; first < n; first += BLOCK) {
        size_t end = n - first < BLOCK ? n : first + BLOCK;
        uint32_t s = 0, q = 0;
        for (size_t i = first; i < end; i++) {
            s += bytes[i];
            q += (uint32_t)bytes[i] * bytes[i];
        }
        *sum += s;
        *squares += q;
    }
}

static void measure_bytes(struct dataset *set) {
    int C = set->shape.C;
    size_t plane = (size_t)set->shape.H * (size_t)set->shape.W;
    uint64_t *sum = mem_zalloc((size_t)C, sizeof *sum),
             *squares = mem_zalloc((size_t)C, sizeof *sum);
    for (int i = 0; i < set->train.count; i++) {
        const uint8_t *image = (const uint8_t *)set->train.images + image_at(set, i);
        for (int c = 0; c < C; c++) {
            add_bytes(image + (size_t)c * plane, plane, &sum[c], &squares[c]);
        }
    }
    uint64_t n = (uint64_t)set->train.count * plane;
    for (int c = 0; c < C; c++) {
        // n^2 times the variance; at most 2^108
        unsigned __int128 spread =
            (unsigned __int128)n * squares[c] - (unsigned __int128)sum[c] * sum[c];
        set->mean[c] = (float)((double)sum[c] / ((double)n * 255));
        set->std[c] = (float)(sqrt((double)spread) / ((double)n * 255));
    }
    free(sum);
    free(squares);
}

/* Adds x - mean, or its square, of all training images to sum (C). */
static void add_floats(const struct dataset *set, const double *mean, bool squared, double *sum) {
    size_t plane = (size_t)set->shape.H * (size_t)set->shape.W;
    for (int i = 0; i < set->train.count; i++) {
        const float *x = (const float *)set->train.images + image_at(set, i);
        for (int c = 0; c < set->shape.C; c++) {
            double s = sum[c], m = mean[c];
            for (size_t p = 0; p < plane; p++, x++) {
                double difference = (double)*x - m;
                s += squared ? difference * difference : difference;
            }
            sum[c] = s;
        }
    }
}

static void measure_floats(struct dataset *set) {
    size_t C = (size_t)set->shape.C;
    double n = (double)set->train.count * set->shape.H * set->shape.W;
    double *mean = mem_zalloc(C, sizeof *mean), *sum = mem_zalloc(C, sizeof *sum);
    add_floats(set, mean, false, sum); // less 0
    for (size_t c = 0; c < C; c++) {
        mean[c] = sum[c] / n;
        sum[c] = 0;
    }
    add_floats(set, mean, true, sum);
    for (size_t c = 0; c < C; c++) {
        set->mean[c] = (float)mean[c];
        set->std[c] = (float)sqrt(sum[c] / n);
    }
    free(mean);
    free(sum);
}

static void measure(struct dataset *set) {
    if (set->type == DATA_UINT8) {
        measure_bytes(set);
    } else {
        measure_floats(set);
    }
    for (int c = 0; c < set->shape.C; c++) {
        if (!(set->std[c] > 0)) { // it never changes: only its mean is taken away
            set->std[c] = 1;
        }
    }
}

static int give(float *out, int channels, const struct number_list *list, const char *key,
                struct err *err) {
    if (list->count != 1 && list->count != channels) {
        return err_set(
            err, ERR_RANGE,
            "dataset.normalize.%s: %d numbers for %d channel%s; one for each or one for all "
            "are wanted",
            key, list->count, channels, channels == 1 ? "" : "s");
    }
    for (int c = 0; c < channels; c++) {
        out[c] = list->values[list->count == 1 ? 0 : c];
    }
    return ERR_OK;
}

int data_normalize(struct dataset *set, const struct normalize_spec *spec, struct err *err) {
    if (spec->kind == NORMALIZE_NONE) {
        return ERR_OK;
    }
    int C = set->shape.C, rc = ERR_OK;
    set->mean = mem_zalloc((size_t)C, sizeof *set->mean);
    set->std = mem_zalloc((size_t)C, sizeof *set->std);
    if (spec->kind == NORMALIZE_GIVEN) {
        rc = give(set->mean, C, &spec->mean, "mean", err);
        return rc == ERR_OK ? give(set->std, C, &spec->std, "std", err) : rc;
    }
    measure(set);
    return ERR_OK;
}
