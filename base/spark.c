#include "base/spark.h"

#include "base/buf.h"

#include <assert.h>

enum { HEIGHTS = 8 };

/* Adds a bin's count to the cells that it reaches over, by the share of it that lies in each.  One that is a
 * point, in a range so much wider, goes to the cell that it lies in. */
static void spread(double *cells, int width, double count, double begin, double end) {
    int first = begin < 0 ? 0 : begin >= width ? width - 1 : (int)begin;
    if (end - begin < 1e-9) {
        cells[first] += count;
        return;
    }
    for (int c = first; c < width && c < end; c++) {
        double from = begin > c ? begin : c, to = end < c + 1 ? end : c + 1;
        cells[c] += count * (to - from) / (end - begin);
    }
}

void spark_put(struct buf *out, const struct spark_bins *bins, double from, double to, int width,
               bool utf8) {
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const plain[] = {" ", ".", ",", ":", "-", "=", "+", "*", "#"};
    assert(width >= 1 && width <= SPARK_WIDTH_MAX && from < to);
    double cells[SPARK_WIDTH_MAX] = {0}, highest = 0;
    const double per_bin = (bins->high - bins->low) / bins->count, scale = width / (to - from);
    for (int b = 0; b < bins->count; b++) {
        double begin = (bins->low + b * per_bin - from) * scale;
        spread(cells, width, bins->counts[b], begin, begin + per_bin * scale);
    }
    for (int c = 0; c < width; c++) {
        highest = cells[c] > highest ? cells[c] : highest;
    }
    for (int c = 0; c < width; c++) {
        int height = highest > 0 ? (int)(cells[c] / highest * HEIGHTS + 0.5) : 0;
        height = height == 0 && cells[c] > 1e-9 * highest ? 1 : height;
        buf_puts(out, (utf8 ? blocks : plain)[height]);
    }
}
