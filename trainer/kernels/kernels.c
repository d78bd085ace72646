/* trainer/kernels/kernels.c - which set runs here.  Compiled once, for any processor.
 *
 * Nothing is cached: asking costs a look at the environment and at what libgcc read from cpuid when
 * the program started. */
#include "trainer/kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

enum { SETS_MAX = 4 };

#if defined __x86_64__

extern const struct kernels kernels_v2, kernels_v3, kernels_v4;

#if defined __clang__ && __clang_major__ < 17 // the fuzzers' compiler: knows features, not levels
#define HAS_V3                                                                                     \
    (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&                            \
     __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
#define HAS_V4                                                                                     \
    (HAS_V3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&          \
     __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&                   \
     __builtin_cpu_supports("avx512vl"))
#else
#define HAS_V3 __builtin_cpu_supports("x86-64-v3")
#define HAS_V4 __builtin_cpu_supports("x86-64-v4")
#endif

int kernels_all(const struct kernels *sets[SETS_MAX]) {
    int count = 0;
    __builtin_cpu_init();
    if (HAS_V4) {
        sets[count++] = &kernels_v4;
    }
    if (HAS_V3) {
        sets[count++] = &kernels_v3;
    }
    sets[count++] = &kernels_v2; // the least that besom runs on: SSE4.2, from 2009 on
    return count;
}

#else

extern const struct kernels kernels_plain;

int kernels_all(const struct kernels *sets[SETS_MAX]) {
    sets[0] = &kernels_plain;
    return 1;
}

#endif

/* "x86-64-v3" and "v3" both name the set. */
static int is_named(const struct kernels *set, const char *name) {
    const char *dash = strrchr(set->name, '-');
    return strcmp(set->name, name) == 0 || (dash && strcmp(dash + 1, name) == 0);
}

const struct kernels *kernels_forced(void) {
    const struct kernels *sets[SETS_MAX];
    const int count = kernels_all(sets);
    const char *pinned = getenv("BESOM_KERNELS");

    for (int i = 0; pinned && i < count; i++) {
        if (is_named(sets[i], pinned)) {
            return sets[i];
        }
    }
    return NULL;
}

static const struct kernels *preferred; // a matter of the whole process, as the environment is

void kernels_prefer(const struct kernels *set) {
    preferred = set;
}

const struct kernels *kernels_get(void) {
    const struct kernels *sets[SETS_MAX];
    const struct kernels *forced = kernels_forced();

    if (forced != NULL) {
        return forced;
    }
    if (preferred != NULL) {
        return preferred;
    }
    (void)kernels_all(sets); // there is always one
    return sets[0];
}
