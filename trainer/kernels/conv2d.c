/* trainer/kernels/conv2d.c - the three kernels of a convolution, by the method for its shape. */
#include "trainer/kernels/conv2d_methods.h"

void KERNEL(conv2d_forward)(float *y, const float *x, const float *w, const float *b,
                            float *scratch, const struct conv2d_shape *shape) {
    switch (conv2d_method(shape)) {
    case CONV2D_WINOGRAD:
        KERNEL(winograd_forward)(y, x, w, b, scratch, shape);
        break;
    case CONV2D_LINES:
        KERNEL(lines_forward)(y, x, w, b, scratch, shape);
        break;
    default:
        KERNEL(direct_forward)(y, x, w, b, scratch, shape);
    }
}

void KERNEL(conv2d_backward_data)(float *dx, const float *dy, const float *w, float *scratch,
                                  const struct conv2d_shape *shape) {
    switch (conv2d_method(shape)) {
    case CONV2D_WINOGRAD:
        KERNEL(winograd_backward_data)(dx, dy, w, scratch, shape);
        break;
    case CONV2D_LINES:
        KERNEL(lines_backward_data)(dx, dy, w, scratch, shape);
        break;
    default:
        KERNEL(direct_backward_data)(dx, dy, w, scratch, shape);
    }
}

void KERNEL(conv2d_backward_weight)(float *dw, float *db, const float *dy, const float *x,
                                    float *scratch, const struct conv2d_shape *shape) {
    if (conv2d_method(shape) == CONV2D_WINOGRAD) {
        KERNEL(winograd_backward_weight)(dw, db, dy, x, scratch, shape);
    } else {
        KERNEL(direct_backward_weight)(dw, db, dy, x, scratch, shape);
    }
}
