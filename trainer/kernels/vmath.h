/* trainer/kernels/vmath.h - exp and its relatives over a vector.
 *
 * exp, expm1 and tanh are ours: an exponent n and a rest r of x (Cody, Waite 1980),
 *
 *     x = n log(2) + r, |r| <= log(2) / 2        expm1(r) = r + r^2 p(r), p of degree 4, minimax, within 1.3e-8
 *     exp(x) = 2^n (1 + expm1(r))                expm1(x) = 2^n expm1(r) + (2^n - 1)
 *                                                tanh(x) = e / (e + 2), e = expm1(2 |x|), with the sign of x
 *
 * Errors in ulp, against double, the largest over every float where they are neither 0 nor a constant nor x, and over
 * one in 257 of the others:
 *
 *     function      exp    expm1, x < 0    expm1, x > 0    tanh
 *     v3            1.05   0.96            1.61            2.57, absolute 9.0e-8
 *     v2            1.03   1.10            1.73            2.61, absolute 9.0e-8
 *
 * tanh is odd to the bit, -0 included; keeps NaN and subnormals; never passes 1, which it is from 9.011 on; where it is flat
 * it may fall by up to 2 ulp from one float to the next.  In ns a value, v3 of a Zen 3, SLEEF's beside it: tanh 0.53 (of 1 ulp
 * 2.46, of 3.5 ulp 1.01), exp 0.52 (0.67), expm1 0.34 (1.97).
 *
 * The others are SLEEF's, within 1 ulp (erfc 1.5; Shibata, Petrogalli 2020), named for the instruction set and not left to
 * SLEEF's own dispatch: so one set gives the same bits on every processor that runs it.  Private to this folder. */
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

/* ---- ours ---- */

/* 2^n and expm1(r) of an x for which 2^n is a float; n as a float with its integer in the low bits. */
struct exp_parts {
    vec shifted, rest;
};

static const float EXP_SHIFT =
    0x1.8p23f; // added to a small float, leaves its integer in the low bits

KERNEL_INLINE struct exp_parts exp_parts(vec x) {
    const vec shift = vec_all(EXP_SHIFT);
    const vec shifted = x * vec_all(1.44269504088896340736f) + shift; // x / log(2), to nearest
    const vec n = shifted - shift;
    const vec above = x - n * vec_all(0x1.62e4p-1f);               // exact: 14 bits of log(2)
    const vec r = above - n * vec_all(1.42860682030941723212e-6f); // the rest of it
    vec p = vec_all(1.388251639e-3f) * r + vec_all(8.366547133e-3f);
    p = p * r + vec_all(4.166720071e-2f);
    p = p * r + vec_all(1.666654342e-1f);
    p = p * r + vec_all(4.999999815e-1f);
    return (struct exp_parts){shifted, r * r * p + r};
}

/* 2^n, |n| <= 126, of the integer in a shifted float or of a plain one; of others anything. */
KERNEL_INLINE vec exp_power(ivec n) {
    return (vec)(((uvec)n << 23) + (uvec)ivec_all(0x3f800000));
}

/* In two steps of 2^(n/2): the result may be subnormal, or infinite. */
KERNEL_INLINE vec vec_exp(vec x) {
    const vec least = vec_all(-104.0f), most = vec_all(89.0f); // 0 and infinity
    const vec above = vec_pick(x < least, least, x);
    const struct exp_parts parts = exp_parts(vec_pick(above > most, most, above));
    const ivec n = (ivec)parts.shifted - (ivec)vec_all(EXP_SHIFT), half = n >> 1;
    return (vec_all(1.0f) + parts.rest) * exp_power(half) * exp_power(n - half);
}

KERNEL_INLINE vec expm1_within(vec x) {
    const struct exp_parts parts = exp_parts(x);
    const vec power = exp_power((ivec)parts.shifted);
    return power * parts.rest + (power - vec_all(1.0f));
}

/* Below 88; for larger x it is anything. */
KERNEL_INLINE vec vec_expm1(vec x) {
    const vec least = vec_all(-20.0f); // from there on it is -1
    return expm1_within(vec_pick(x < least, least, x));
}

KERNEL_INLINE vec vec_tanh(vec x) {
    const ivec sign = (ivec)x & ivec_all(INT32_MIN);
    const vec size = (vec)((ivec)x ^ sign), most = vec_all(10.0f); // from there on it is 1
    const vec e = expm1_within(vec_all(2.0f) * vec_pick(size > most, most, size));
    return (vec)((ivec)(e / (e + vec_all(2.0f))) | sign);
}

/* ---- SLEEF's ---- */

#ifndef VMATH_BY_LANE
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
