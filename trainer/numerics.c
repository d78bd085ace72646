#include "trainer/numerics.h"

#include "base/buf.h"
#include "base/wire.h"
#include "trainer/kernels/kernels.h"

#include <cblas.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char THREADS[] = "OPENBLAS_NUM_THREADS";
static const char CORE[] = "OPENBLAS_CORETYPE";
static const char KERNELS[] = "BESOM_KERNELS";

void numerics_pin(void) {
    if (getenv(THREADS) == NULL) {
        openblas_set_num_threads(1);
    }
}

/* ---- what they are ---- */

void numerics_now(struct numerics *out) {
    // "OpenBLAS 0.3.21 DYNAMIC_ARCH NO_AFFINITY Cooperlake MAX_THREADS=64": the second word
    const char *version = strchr(openblas_get_config(), ' ');
    version = version == NULL ? "" : version + 1;
    *out = (struct numerics){.threads = openblas_get_num_threads()};
    // names longer than any that there is are cut: then they still tell one from another
    (void)snprintf(out->openblas, sizeof out->openblas, "%.*s", (int)strcspn(version, " "),
                   version);
    (void)snprintf(out->core, sizeof out->core, "%s", openblas_get_corename());
    (void)snprintf(out->kernels, sizeof out->kernels, "%s", kernels_get()->name);
}

bool numerics_equal(const struct numerics *a, const struct numerics *b) {
    return strcmp(a->openblas, b->openblas) == 0 && strcmp(a->core, b->core) == 0 &&
           a->threads == b->threads && strcmp(a->kernels, b->kernels) == 0;
}

void numerics_print(struct buf *out, const struct numerics *n) {
    buf_printf(out, "openblas %s %s %d thread%s, kernels %s", n->openblas, n->core, n->threads,
               n->threads == 1 ? "" : "s", n->kernels);
}

void numerics_describe(struct buf *out) {
    struct numerics now;
    numerics_now(&now);
    numerics_print(out, &now);
}

/* ---- what they can be ---- */

#if defined __x86_64__

/* OpenBLAS takes the core that it is told to take, whatever the processor: one that it cannot run ends
 * in SIGILL.  By names and not by vendor: Zen's code is Haswell's, Excavator's is not. */
bool numerics_core_runs(const char *core) {
    enum level { SSE3, SSSE3, SSE41, SSE42, AVX, AVX2, AVX512, BF16 };
    static const struct {
        const char *name;
        enum level level;
    } cores[] = {
        {"Prescott", SSE3},    {"Core2", SSSE3},     {"Atom", SSSE3},      {"Penryn", SSE41},
        {"Dunnington", SSE41}, {"Nehalem", SSE42},   {"Sandybridge", AVX}, {"Haswell", AVX2},
        {"Zen", AVX2},         {"SkylakeX", AVX512}, {"Cooperlake", BF16},
    };
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
    const bool has[] = {
        [SSE3] = __builtin_cpu_supports("sse3"),
        [SSSE3] = __builtin_cpu_supports("ssse3"),
        [SSE41] = __builtin_cpu_supports("sse4.1"),
        [SSE42] = __builtin_cpu_supports("sse4.2"),
        [AVX] = __builtin_cpu_supports("avx"),
        [AVX2] = avx2,
        [AVX512] = avx512,
        [BF16] = avx512 && __builtin_cpu_supports("avx512bf16"),
    };
    for (size_t i = 0; i < sizeof cores / sizeof *cores; i++) {
        if (strcasecmp(cores[i].name, core) == 0) {
            return has[cores[i].level];
        }
    }
    return false;
}

#else

bool numerics_core_runs(const char *core) {
    (void)core; // which processors run which is not known here
    return false;
}

#endif

static bool kernels_run(const char *name) {
    const struct kernels *sets[4];
    int count = kernels_all(sets);
    for (int i = 0; i < count; i++) {
        if (strcmp(sets[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- becoming others ---- */

/* One reason more why a part is not as it was. */
static void hinder(struct buf *obstacles, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void hinder(struct buf *obstacles, const char *fmt, ...) {
    char text[160];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); // may be cut: names have a limit
    va_end(args);
    buf_printf(obstacles, "%s%s", obstacles->len > 0 ? ", " : "", text);
}

/* Says so when the user has set `variable`. */
static bool is_set(const char *variable, struct buf *obstacles) {
    const char *value = getenv(variable);
    if (value == NULL) {
        return false;
    }
    hinder(obstacles, "%s=%.40s is set", variable, value);
    return true;
}

static void adopt_threads(const struct numerics *then, struct buf *obstacles) {
    const char *value = getenv(THREADS);
    bool runners = value != NULL && strcmp(value, "1") == 0 && getenv(WIRE_ENV_TRIAL) != NULL;
    if (!runners && is_set(THREADS, obstacles)) {
        return;
    }
    char text[16];
    (void)snprintf(text, sizeof text, "%d", then->threads);
    (void)setenv(THREADS, text, 1); // out of memory: numerics_pin() makes it 1
    openblas_set_num_threads(then->threads);
    if (openblas_get_num_threads() != then->threads) {
        hinder(obstacles, "%d threads are not to be had", then->threads);
    }
}

static void adopt_kernels(const struct numerics *then, struct buf *obstacles) {
    if (is_set(KERNELS, obstacles)) {
        return;
    }
    if (!kernels_run(then->kernels)) {
        hinder(obstacles, "this processor does not run the kernels %s", then->kernels);
    } else {
        (void)setenv(KERNELS, then->kernels, 1); // out of memory: they stay, and it is told
    }
}

/* Whether the program is to be executed again. */
static bool adopt_core(const struct numerics *then, bool again, struct buf *obstacles) {
    if (again) {
        hinder(obstacles, "OpenBLAS does not take the core %s", then->core);
        return false;
    }
    if (is_set(CORE, obstacles)) {
        return false;
    }
    if (!numerics_core_runs(then->core)) {
        hinder(obstacles, "this processor is not known to run OpenBLAS's code for %s", then->core);
        return false;
    }
    return setenv(CORE, then->core, 1) == 0;
}

enum numerics_adopted numerics_adopt(const struct numerics *then, bool again,
                                     struct buf *obstacles) {
    numerics_pin();
    struct numerics now;
    numerics_now(&now);
    if (numerics_equal(then, &now)) {
        return NUMERICS_SAME;
    }
    bool execute = false;
    if (strcmp(then->openblas, now.openblas) != 0) {
        hinder(obstacles, "this is OpenBLAS %s", now.openblas);
    }
    if (then->threads != now.threads) {
        adopt_threads(then, obstacles);
    }
    if (strcmp(then->kernels, now.kernels) != 0) {
        adopt_kernels(then, obstacles);
    }
    if (strcmp(then->core, now.core) != 0) {
        execute = adopt_core(then, again, obstacles);
    }
    if (execute) {
        return NUMERICS_AGAIN;
    }
    numerics_now(&now);
    return numerics_equal(then, &now) ? NUMERICS_PINNED : NUMERICS_OTHER;
}
