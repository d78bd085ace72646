/* trainer/kernels/dense_scratch.c - how much scratch a dense layer takes, whatever the set.  Compiled once. */
#include "trainer/kernels/conv2d.h"

enum { PANEL_MAX = 2 * CONV2D_LANES_MAX };

/* Backward weight turns x around, whole panels; the others copy a panel of x or of dy. */
size_t dense_scratch_len(const struct dense_shape *shape) {
    const size_t in_up = (size_t)split_parts(shape->in, PANEL_MAX) * PANEL_MAX;
    const size_t turned = in_up * (size_t)shape->N;
    const size_t copied = (size_t)int_max(shape->in, shape->out) * PANEL_MAX;
    return turned > copied ? turned : copied;
}
