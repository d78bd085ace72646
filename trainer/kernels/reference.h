/* trainer/kernels/reference.h - every kernel by its definition, term by term and in double.
 *
 * The twins of trainer/kernels/kernels.h: same names, same shapes, same layouts; results and what is
 * updated in place are double, inputs the float32 that the kernels get.  Slow and plain.  No blocks,
 * no vectors and no code in common with the kernels, so that an error in one is not in the other.
 *
 * For tests: a library of its own, besom_reference, which no program links. */
#ifndef TRAINER_KERNELS_REFERENCE_H
#define TRAINER_KERNELS_REFERENCE_H

#include "trainer/kernels/kernels.h"
#include "trainer/spec.h"

#include <stddef.h>
#include <stdint.h>

void reference_conv2d_forward(double *y, const float *x, const float *w, const float *b,
                              const struct conv2d_shape *shape);
void reference_conv2d_backward_data(double *dx, const float *dy, const float *w,
                                    const struct conv2d_shape *shape);
void reference_conv2d_backward_weight(double *dw, double *db, const float *dy, const float *x,
                                      const struct conv2d_shape *shape);

void reference_dense_forward(double *y, const float *x, const float *w, const float *b,
                             const struct dense_shape *shape);
void reference_dense_backward_data(double *dx, const float *dy, const float *w,
                                   const struct dense_shape *shape);
void reference_dense_backward_weight(double *dw, const float *dy, const float *x,
                                     const struct dense_shape *shape);

void reference_maxpool_forward(double *y, uint8_t *arg, const float *x,
                               const struct pool_shape *shape);
void reference_maxpool_backward(double *dx, const float *dy, const uint8_t *arg,
                                const struct pool_shape *shape);
void reference_avgpool_forward(double *y, const float *x, const struct pool_shape *shape);
void reference_avgpool_backward(double *dx, const float *dy, const struct pool_shape *shape);

void reference_globalavgpool_forward(double *y, const float *x, int C, size_t pixels, int N);
void reference_globalavgpool_backward(double *dx, const float *dy, int C, size_t pixels, int N);
void reference_batch_norm_moments(double *mean, double *var, const float *x,
                                  const struct norm_shape *shape);
void reference_batch_norm_forward(double *y, const float *x, const double *mean,
                                  const double *invstd, const float *weight, const float *bias,
                                  const struct norm_shape *shape);
void reference_batch_norm_backward(double *dx, double *dweight, double *dbias, const float *dy,
                                   const float *x, const double *mean, const double *invstd,
                                   const float *weight, const struct norm_shape *shape);

void reference_activation_forward(double *y, const float *x, size_t n,
                                  const struct activation_spec *spec);
/* From the input, as the derivative is defined; some kernels go by the output. */
void reference_activation_backward(double *dx, const float *dy, const float *x, size_t n,
                                   const struct activation_spec *spec);
void reference_prelu_forward(double *y, const float *x, const float *slope, int C, size_t M);
void reference_prelu_backward(double *dx, double *dslope, const float *dy, const float *x,
                              const float *slope, int C, size_t M);
void reference_maxout_forward(double *y, uint8_t *arg, const float *x, int C, int pieces, size_t M);
void reference_maxout_backward(double *dx, const float *dy, const uint8_t *arg, int C, int pieces,
                               size_t M);
void reference_bias_add(double *y, const float *x, const float *b, int rows, size_t M);
void reference_bias_grad(double *db, const float *dy, int rows, size_t M);

/* The gradient goes to `dlogits`; that of the batch is not read. */
void reference_softmax_xent(double *dlogits, const struct loss_batch *batch, double *loss_sum,
                            int64_t *correct);
void reference_squared_error(double *dlogits, const struct loss_batch *batch, double *loss_sum,
                             int64_t *correct);
void reference_dropout(double *y, const float *x, const uint32_t *random, float p, size_t n);
void reference_gather(double *x, const uint8_t *bytes, const uint32_t *index, int features, int n,
                      int N);
void reference_gather_floats(double *x, const float *samples, const uint32_t *index, int features,
                             int n, int N);
void reference_bytes_to_floats(double *y, const uint8_t *bytes, size_t n);
void reference_normalize(double *y, const float *x, const float *mean, const float *std, int C,
                         size_t M);

void reference_rotate(double *y, const float *x, int H, int W, double cosine, double sine);
void reference_adjust(double *y, const float *x, float a, float b, size_t n);
void reference_noise(double *y, const float *x, const uint32_t *random, float std, size_t n);
void reference_mix(double *y, const float *x, const float *other, float share, size_t n);

void reference_sgd(double *w, const float *g, size_t n, double lr);
void reference_momentum(double *w, const float *g, double *v, size_t n, double lr, double momentum,
                        int nesterov);
void reference_adagrad(double *w, const float *g, double *s, size_t n, double lr, double eps);
void reference_rmsprop(double *w, const float *g, double *s, size_t n, double lr, double alpha,
                       double eps);
void reference_adam(double *w, const float *g, double *m, double *s, size_t n, double step_size,
                    double beta1, double beta2, double bias_correction2_sqrt, double eps);

void reference_momentum_damped(double *w, const float *g, double *v, size_t n, double lr,
                               double momentum, double share);
void reference_adamax(double *w, const float *g, double *m, double *u, size_t n, double step_size,
                      double beta1, double beta2, double eps);
void reference_nadam(double *w, const float *g, double *m, double *s, size_t n, double step_size_g,
                     double step_size_m, double beta1, double beta2, double bias_correction2,
                     double eps);
void reference_adadelta(double *w, const float *g, double *s, double *d, size_t n, double lr,
                        double rho, double eps);
void reference_lion(double *w, const float *g, double *m, size_t n, double lr, double beta1,
                    double beta2);

void reference_ema(double *e, const float *w, double decay, size_t n);

double reference_sum_squares(const float *x, size_t n);
void reference_add(double *y, const float *a, const float *b, size_t n);
void reference_axpy(double *y, const float *x, double a, size_t n);
void reference_scale(double *y, double a, size_t n);
void reference_clamp(double *y, double limit, size_t n);
void reference_add_sign(double *y, const float *x, double a, size_t n);

#endif
