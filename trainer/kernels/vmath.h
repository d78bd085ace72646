/* trainer/kernels/vmath.h - exp and its relatives over a vector, within 1 ulp (erfc 1.5), from
 * SLEEF (Shibata, Petrogalli 2020).
 *
 * The function is named for its instruction set, not left to SLEEF's own dispatch: so one set gives
 * the same bits on every processor that runs it.  Private to this folder. */
#ifndef TRAINER_KERNELS_VMATH_H
#define TRAINER_KERNELS_VMATH_H

#include "trainer/kernels/isa.h"

#include <sleef.h>

#if defined __AVX512F__
#define VMATH(name)     Sleef_##name##f16_u10avx512f
#define VMATH_U15(name) Sleef_##name##f16_u15avx512f
#define VMATH_U05(name) Sleef_##name##f16_u05avx512f
#define VMATH_PAIR      Sleef___m512_2
#elif defined __AVX2__
#define VMATH(name)     Sleef_##name##f8_u10avx2
#define VMATH_U15(name) Sleef_##name##f8_u15avx2
#define VMATH_U05(name) Sleef_##name##f8_u05avx2
#define VMATH_PAIR      Sleef___m256_2
#elif defined __SSE4_1__
#define VMATH(name)     Sleef_##name##f4_u10sse4
#define VMATH_U15(name) Sleef_##name##f4_u15sse4
#define VMATH_U05(name) Sleef_##name##f4_u05sse4
#define VMATH_PAIR      Sleef___m128_2
#else
#define VMATH_BY_LANE
#endif

#ifndef VMATH_BY_LANE
KERNEL_INLINE vec vec_exp(vec x) {
    return VMATH(exp)(x);
}

KERNEL_INLINE vec vec_expm1(vec x) {
    return VMATH(expm1)(x);
}

KERNEL_INLINE vec vec_tanh(vec x) {
    return VMATH(tanh)(x);
}

KERNEL_INLINE vec vec_log(vec x) {
    return VMATH(log)(x);
}

KERNEL_INLINE vec vec_sqrt(vec x) {
    return VMATH_U05(sqrt)(x);
}

/* sin(pi x) and cos(pi x) */
KERNEL_INLINE void vec_sincospi(vec *sine, vec *cosine, vec x) {
    const VMATH_PAIR pair = VMATH_U05(sincospi)(x);
    *sine = pair.x;
    *cosine = pair.y;
}

KERNEL_INLINE vec vec_log1p(vec x) {
    return VMATH(log1p)(x);
}

KERNEL_INLINE vec vec_erfc(vec x) {
    return VMATH_U15(erfc)(x);
}
#undef VMATH
#undef VMATH_U15
#undef VMATH_U05
#undef VMATH_PAIR
#else
KERNEL_INLINE vec vec_exp(vec x) {
    for (int i = 0; i < LANES; i++) {
        x[i] = Sleef_expf_u10(x[i]);
    }
    return x;
}

KERNEL_INLINE vec vec_expm1(vec x) {
    for (int i = 0; i < LANES; i++) {
        x[i] = Sleef_expm1f_u10(x[i]);
    }
    return x;
}

KERNEL_INLINE vec vec_tanh(vec x) {
    for (int i = 0; i < LANES; i++) {
        x[i] = Sleef_tanhf_u10(x[i]);
    }
    return x;
}

KERNEL_INLINE vec vec_log(vec x) {
    for (int i = 0; i < LANES; i++) {
        x[i] = Sleef_logf_u10(x[i]);
    }
    return x;
}

KERNEL_INLINE vec vec_sqrt(vec x) {
    for (int i = 0; i < LANES; i++) {
        x[i] = __builtin_sqrtf(x[i]);
    }
    return x;
}

KERNEL_INLINE void vec_sincospi(vec *sine, vec *cosine, vec x) {
    for (int i = 0; i < LANES; i++) {
        const Sleef_float2 pair = Sleef_sincospif_u05(x[i]);
        (*sine)[i] = pair.x;
        (*cosine)[i] = pair.y;
    }
}

KERNEL_INLINE vec vec_log1p(vec x) {
    for (int i = 0; i < LANES; i++) {
        x[i] = Sleef_log1pf_u10(x[i]);
    }
    return x;
}

KERNEL_INLINE vec vec_erfc(vec x) {
    for (int i = 0; i < LANES; i++) {
        x[i] = Sleef_erfcf_u15(x[i]);
    }
    return x;
}
#endif

#endif
