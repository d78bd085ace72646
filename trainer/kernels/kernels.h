/* trainer/kernels/kernels.h - the inner loops, compiled once per instruction set.
 *
 * The sources of this folder are built for x86-64-v2, -v3 and -v4 (plain on other machines) with
 * -DKERNELS_ISA=<suffix>; kernels_get() names the set to compute with, of those that the processor runs.
 *
 * Common to all kernels
 *   1. Tensors are float32, batch innermost; N is a multiple of 16; activations, their gradients and
 *      the scratch start on a multiple of 64 bytes.  Parameters, their gradients and the state of
 *      optimizers may start anywhere.
 *   2. No kernel allocates or fails; nothing is read or written outside the shapes stated.
 *   3. Outputs are overwritten, and share no memory with inputs unless it says so.
 *   4. The order of every sum is fixed: a call repeats to the bit.  Between sets the last bits differ
 *      (width of sums, fused multiply-add); BESOM_KERNELS=v2|v3|v4 pins one.
 *   5. A NaN that goes in comes out, as in PyTorch: also through relu, maximum and dropout.  Winograd's
 *      convolutions make one of an infinity, and their gradients spread it further: see CONV2D_WINOGRAD.
 * Each kernel has a naive double-precision twin in trainer/kernels/reference.h that tests compare it
 * with; the formulas, and where they were published, are in the .c files. */
#ifndef TRAINER_KERNELS_KERNELS_H
#define TRAINER_KERNELS_KERNELS_H

#include "trainer/spec.h"

#include <stddef.h>
#include <stdint.h>

/* How a convolution is computed.  The choice changes the last bits, so it hangs on the shape alone and
 * not on the batch.
 *     CONV2D_DIRECT    as the formulas say; any shape
 *     CONV2D_LINES     5 columns of weights, stride 1: Winograd's method along the rows, forward and in the gradient of
 *                      the data; see trainer/kernels/conv2d_lines.c for the bounds.  Errors as large as direct ones.
 *                      Forward, an output is made of the pixels that it sees, but an infinity makes NaN; in the
 *                      gradient a NaN or an infinity may make NaN of the pixel beside those that see it
 *     CONV2D_WINOGRAD  3x3 filters, stride 1.  Fewer multiplications; see
 *                      trainer/kernels/conv2d_winograd.c for the bounds.  Forward: errors no larger than direct ones, and
 *                      an output is made of the pixels that it sees, but an infinity makes NaN.
 *                      Gradients: errors two to three times as large; a NaN or an infinity in dy or x
 *                      makes NaN of every output that sees it, and may do so with those up to 5 pixels
 *                      away, of the same sample; in a gradient of weights, with all 9 of a filter */
enum conv2d_method {
    CONV2D_BY_SHAPE, // what conv2d_method() says
    CONV2D_DIRECT,
    CONV2D_WINOGRAD,
    CONV2D_LINES,
};

/* Geometry of a convolution; letters as in every comment of this folder. */
struct conv2d_shape {
    int N;                     // batch, padded to lanes
    int C, H, W;               // input
    int K, R, S;               // filters
    int stride, pad;           // pixels, both directions
    int P, Q;                  // output: P = (H + 2*pad - R)/stride + 1, Q likewise
    enum conv2d_method method; // tests and benchmarks name one
};

struct dense_shape {
    int N, in, out;
};

struct pool_shape {
    int N, C, H, W;
    int kernel, stride;
    int P, Q; // (H - kernel)/stride + 1
};

/* Channels of a batch of n samples, each of `pixels` values a sample. */
struct norm_shape {
    int C;
    size_t pixels; // H*W
    int N, n;      // 1 <= n <= N
};

/* The logits of a batch and what they should have been.  The target of a sample is t = share *
 * onehot(label) + (1 - share) * onehot(other); of the softmax, with smoothing s, (1 - s) t + s /
 * classes. */
struct loss_batch {
    const float *logits;   // (classes, N); past n they may be anything
    float *dlogits;        // (classes, N), or NULL: the gradient of the mean loss; 0 past n
    const uint8_t *labels; // (n), each below `classes`
    const uint8_t *others; // likewise; NULL: share is 1
    float share, smoothing;
    int classes, N, n;
};

struct kernels {
    const char *name; // "x86-64-v4"

    /* y[k,p,q,n] = b[k] + sum over c,r,s of w[k,c,r,s] * x[c, p*stride + r - pad, q*stride + s - pad, n]
     *     y (K,P,Q,N) out   x (C,H,W,N) in; reads as 0 outside   w (K,C,R,S) in   b (K) in
     *     scratch (conv2d_scratch_len floats), nothing of value before or after
     * A cross-correlation: w is not flipped.  Any stride, padding and filter.  Cost of each of the
     * three: 2*N*K*C*R*S*P*Q flop, by Winograd's method 4/9 of it, of a gradient a quarter, by lines
     * 6/10, and the transforms.  A sample's y, and its dx, are the same to the bit in a batch of any size. */
    void (*conv2d_forward)(float *y, const float *x, const float *w, const float *b, float *scratch,
                           const struct conv2d_shape *shape);
    /* dx (C,H,W,N), overwritten, from dy (K,P,Q,N) */
    void (*conv2d_backward_data)(float *dx, const float *dy, const float *w, float *scratch,
                                 const struct conv2d_shape *shape);
    /* dw (K,C,R,S) and db (K), overwritten, summed over p,q,n */
    void (*conv2d_backward_weight)(float *dw, float *db, const float *dy, const float *x,
                                   float *scratch, const struct conv2d_shape *shape);

    /* y (out,N) = w (out,in) x (in,N) + b (out);  dx (in,N) = w^T dy (out,N);  dw (out,in) = dy x^T, summed
     * over n.  scratch (dense_scratch_len floats) as for a convolution.  Cost of each: 2*N*in*out flop.  A
     * sample's y, and its dx, are the same to the bit in a batch of any size. */
    void (*dense_forward)(float *y, const float *x, const float *w, const float *b, float *scratch,
                          const struct dense_shape *shape);
    void (*dense_backward_data)(float *dx, const float *dy, const float *w, float *scratch,
                                const struct dense_shape *shape);
    void (*dense_backward_weight)(float *dw, const float *dy, const float *x, float *scratch,
                                  const struct dense_shape *shape);

    /* x, dx (C,H,W,N); y, dy (C,P,Q,N).  `arg` (C,P,Q,N), 16-byte aligned: which of the kernel*kernel
     * inputs won, the first in row order on a tie; so kernel is at most 16; NULL: nobody wants to know */
    void (*maxpool_forward)(float *y, uint8_t *arg, const float *x, const struct pool_shape *shape);
    void (*maxpool_backward)(float *dx, const float *dy, const uint8_t *arg,
                             const struct pool_shape *shape);
    void (*avgpool_forward)(float *y, const float *x, const struct pool_shape *shape);
    void (*avgpool_backward)(float *dx, const float *dy, const struct pool_shape *shape);

    /* y (C, N) = mean over the pixels of x (C, pixels, N), and its gradient */
    void (*globalavgpool_forward)(float *y, const float *x, int C, size_t pixels, int N);
    void (*globalavgpool_backward)(float *dx, const float *dy, int C, size_t pixels, int N);

    /* Batch normalization of x (C, pixels, N).  Columns past n may hold anything finite: they are left
     * out of every sum, and are 0 in y and dx.
     *     mean, var (C)      of each channel, the variance divided by the number of values
     *     y = (x - mean) * invstd * weight + bias
     *     dx (or NULL: it is not needed), dweight (C), dbias (C), from dy (0 past n), when mean and
     *     invstd = 1 / sqrt(var + eps) are those of x itself; dx may be dy */
    void (*batch_norm_moments)(double *mean, double *var, const float *x,
                               const struct norm_shape *shape);
    void (*batch_norm_forward)(float *y, const float *x, const double *mean, const double *invstd,
                               const float *weight, const float *bias,
                               const struct norm_shape *shape);
    void (*batch_norm_backward)(float *dx, float *dweight, float *dbias, const float *dy,
                                const float *x, const double *mean, const double *invstd,
                                const float *weight, const struct norm_shape *shape);

    /* Elementwise over n values (n a multiple of 16); y may be x.  Every kind but prelu and maxout.
     * Within 2.7 ulp of tanh, 1.1 of exp and, below 0, of expm1, 1 of log1p, 1.5 of erfc: trainer/kernels/vmath.h. */
    void (*activation_forward)(float *y, const float *x, size_t n,
                               const struct activation_spec *spec);
    /* dx from dy, the input x and the output y of activation_forward.  gelu, silu, mish, softplus and
     * hardswish read x and not y; the others y and not x, as their derivatives are functions of it as
     * long as negative_slope and alpha are not negative.  dx may be dy. */
    void (*activation_backward)(float *dx, const float *dy, const float *x, const float *y,
                                size_t n, const struct activation_spec *spec);
    /* slope (C), one a channel; x, y (C, M) with M = H*W*N.  dx may be dy. */
    void (*prelu_forward)(float *y, const float *x, const float *slope, int C, size_t M);
    void (*prelu_backward)(float *dx, float *dslope, const float *dy, const float *x,
                           const float *slope, int C, size_t M);
    /* y (C, M) = max over j < pieces of x (C*pieces, M) at channel c*pieces + j; arg (C, M), 16-byte
     * aligned: the j that won, the first on a tie; so pieces is at most 256 */
    void (*maxout_forward)(float *y, uint8_t *arg, const float *x, int C, int pieces, size_t M);
    void (*maxout_backward)(float *dx, const float *dy, const uint8_t *arg, int C, int pieces,
                            size_t M);

    /* x (rows, M) += b (rows), and its gradient db (rows) = sum over M of dy */
    void (*bias_add)(float *x, const float *b, int rows, size_t M);
    void (*bias_grad)(float *db, const float *dy, int rows, size_t M);

    /* Losses: cross-entropy of softmax(logits), in nats, and the mean over the classes of (logit -
     * target)^2, which smoothing does not change.  Both add to *loss_sum (each sample's in double, in
     * column order) and to *correct (the largest logit, the first on a tie, is the label; a NaN is
     * never correct). */
    void (*softmax_xent)(const struct loss_batch *batch, double *loss_sum, int64_t *correct);
    void (*squared_error)(const struct loss_batch *batch, double *loss_sum, int64_t *correct);

    /* y = x * mask / (1 - p), mask from n 32-bit random numbers: kept where r >= p * 2^32.  p in
     * [0, 1); any n; y may be x.  The gradient is the same call on dy. */
    void (*dropout)(float *y, const float *x, const uint32_t *random, float p, size_t n);

    /* Bytes to floats, gathered and transposed: x[f, i] = bytes[index[i]*features + f] / 255 for
     * i < n, 0 for n <= i < N.  x (features, N); correctly rounded. */
    void (*gather)(float *x, const uint8_t *bytes, const uint32_t *index, int features, int n,
                   int N);
    /* The same of floats, as they are: x[f, i] = samples[index[i]*features + f]; index NULL: 0, 1, ...
     * samples may start anywhere. */
    void (*gather_floats)(float *x, const float *samples, const uint32_t *index, int features,
                          int n, int N);
    /* y[i] = bytes[i] / 255, correctly rounded.  Any n, any alignment. */
    void (*bytes_to_floats)(float *y, const uint8_t *bytes, size_t n);
    /* x (C, M) = (x - mean[c]) / std[c], each step correctly rounded, in place; M a multiple of 16 */
    void (*normalize)(float *x, const float *mean, const float *std, int C, size_t M);

    /* The inner loops of trainer/augment.h, on samples before they are transposed.  Any alignment.
     *
     * A channel turned about its centre, counter-clockwise as one looks at it:
     *     y[r,c] = x[(H-1)/2 + sine v + cosine u, (W-1)/2 + cosine v - sine u], u = r - (H-1)/2, v = c - (W-1)/2
     * bilinear between pixels, 0 outside.  y (H,W); x (H+3,W+3): the channel behind one row and one
     * column of zeros and before two of each. */
    void (*rotate)(float *y, const float *x, int H, int W, double cosine, double sine);
    /* x = min(max(a x + b, 0), 1); a NaN stays one */
    void (*adjust)(float *x, float a, float b, size_t n);
    /* x += std z, z normal, from 32-bit random numbers (n rounded up to a multiple of 32), in each 32
     * z[i] = sqrt(-2 log u[i]) cos(2 pi v[i]) and z[i + 16] the same with sin (Box, Muller 1958), u[i]
     * the upper 31 bits of number i and v[i] the upper 24 of number i + 16.  |z| is below 6.7. */
    void (*noise)(float *x, const uint32_t *random, float std, size_t n);
    /* x = share x + (1 - share) other; `other` may be x */
    void (*mix)(float *x, const float *other, float share, size_t n);

    /* Update rules over n parameters, see trainer/optim.h.  Any n, any alignment. */
    void (*sgd)(float *w, const float *g, size_t n, float lr);
    void (*momentum)(float *w, const float *g, float *v, size_t n, float lr, float momentum,
                     int nesterov);
    void (*adagrad)(float *w, const float *g, float *s, size_t n, float lr, float eps);
    void (*rmsprop)(float *w, const float *g, float *s, size_t n, float lr, float alpha, float eps);
    void (*adam)(float *w, const float *g, float *m, float *s, size_t n, float step_size,
                 float beta1, float beta2, float bias_correction2_sqrt, float eps);
    void (*momentum_damped)(float *w, const float *g, float *v, size_t n, float lr, float momentum,
                            float share); // of g that is added to v
    void (*adamax)(float *w, const float *g, float *m, float *u, size_t n, float step_size,
                   float beta1, float beta2, float eps);
    void (*nadam)(float *w, const float *g, float *m, float *s, size_t n, float step_size_g,
                  float step_size_m, float beta1, float beta2, float bias_correction2, float eps);
    void (*adadelta)(float *w, const float *g, float *s, float *d, size_t n, float lr, float rho,
                     float eps);
    void (*lion)(float *w, const float *g, float *m, size_t n, float lr, float beta1, float beta2);

    /* An average of the weights on its way: e += rest * (w - e), see trainer/ema.h. */
    void (*ema)(float *e, const float *w, float rest, size_t n);

    /* sum of x^2 in double, in an order that depends on n alone: the same bits in every set */
    double (*sum_squares)(const float *x, size_t n);
    /* y = a + b, activations: n a multiple of 16 */
    void (*add)(float *y, const float *a, const float *b, size_t n);
    /* y += a * x */
    void (*axpy)(float *y, const float *x, float a, size_t n);
    /* y *= a */
    void (*scale)(float *y, float a, size_t n);
    /* y = min(max(y, -limit), limit) */
    void (*clamp)(float *y, float limit, size_t n);
    /* y += a * sign(x), sign(0) = 0 */
    void (*add_sign)(float *y, const float *x, float a, size_t n);
};

/* The method for a shape, never CONV2D_BY_SHAPE. */
enum conv2d_method conv2d_method(const struct conv2d_shape *shape);

/* Floats of scratch that the three convolution kernels need for a shape, whatever the set. */
size_t conv2d_scratch_len(const struct conv2d_shape *shape);

/* Likewise of the dense ones. */
size_t dense_scratch_len(const struct dense_shape *shape);

/* The set that BESOM_KERNELS names ("v3", "x86-64-v3"), else the one that kernels_prefer() was given, else the
 * widest that this processor runs; a name of no set that runs here is as good as none.  Never NULL; static
 * storage.  Reads the environment at every call: callers keep the pointer. */
const struct kernels *kernels_get(void);

/* What BESOM_KERNELS names of the sets that run here, or NULL. */
const struct kernels *kernels_forced(void);

/* NULL: none.  For a program's start, before it computes anything; see trainer/choice.h. */
void kernels_prefer(const struct kernels *set);

/* Every set that this processor runs, widest first: returns how many (at most 4). */
int kernels_all(const struct kernels *sets[4]);

#endif
