/* bench/augment_bench.c - what each operation of trainer/augment.h costs a training sample.
 *
 *     augment_bench [PASSES]      default 9; the figure is the median of the passes
 *
 * Microseconds a sample, in batches of 64; BESOM_KERNELS=v2|v3|v4 chooses the set.  Copying the batch, as
 * each pass begins with the same samples, is a line of its own and not in the others.  Figures drift
 * from machine to machine and from minute to minute: compare those of one run. */
#include "base/mem.h"
#include "base/rng.h"
#include "trainer/augment.h"
#include "trainer/kernels/kernels.h"
#include "trainer/time_spent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64, PASSES_MAX = 99, CALLS = 50 };

/* Of this process alone, whoever else is at work. */
static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Microseconds a sample; `spec` NULL: only the copy. */
static double measure(const struct augment_spec *spec, struct shape shape, int passes) {
    const size_t len = (size_t)BATCH * shape.C * shape.H * shape.W;
    float *from = mem_aligned(len, sizeof *from), *x = mem_aligned(len, sizeof *x);
    const uint8_t labels[BATCH] = {0};
    struct rng rng;
    rng_init(&rng, 1, RNG_TEST, 0, 0);
    for (size_t i = 0; i < len; i++) {
        from[i] = rng_uniform(&rng);
    }
    struct augment augment;
    augment_init(&augment, spec != NULL ? spec : &(struct augment_spec){0}, shape, BATCH);
    double micros[PASSES_MAX];
    for (int pass = 0; pass < passes; pass++) {
        const double start = time_now();
        for (uint32_t call = 0; call < CALLS; call++) {
            memcpy(x, from, len * sizeof *x);
            if (spec != NULL) {
                augment_batch(&augment, x, labels, BATCH, 1, (uint32_t)pass + 1, call);
            }
        }
        micros[pass] = (time_now() - start) * 1e6 / CALLS / BATCH;
    }
    qsort(micros, (size_t)passes, sizeof *micros, compare_doubles);
    augment_release(&augment);
    free(from);
    free(x);
    return micros[passes / 2];
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        struct augment_spec spec;
    } lines[] = {
        {"nothing", {0}},
        {"crop 4", {.crop = 4}},
        {"horizontal_flip 0.5", {.horizontal_flip = 0.5}},
        {"rotation 15", {.rotation = 15}},
        {"brightness 0.4", {.brightness = 0.4}},
        {"contrast 0.4", {.contrast = 0.4}},
        {"noise 0.1", {.noise = 0.1}},
        {"cutout 8", {.cutout = 8}},
        {"mixup 0.2", {.mixup = 0.2}},
        {"all of them", {4, 0.5, 15, 0.4, 0.4, 0.1, 8, 0.2}},
    };
    static const struct shape shapes[] = {{1, 28, 28}, {3, 32, 32}};
    const int asked = argc > 1 ? atoi(argv[1]) : 9;
    const int passes = asked < 1 ? 1 : asked < PASSES_MAX ? asked : PASSES_MAX;

    printf("microseconds a sample, %s%11s%10s\n", kernels_get()->name, "1x28x28", "3x32x32");
    const double copy[2] = {measure(NULL, shapes[0], passes), measure(NULL, shapes[1], passes)};
    printf("%-32s%10.3f%10.3f\n", "copy", copy[0], copy[1]);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        printf("%-32s", lines[i].name);
        for (int s = 0; s < 2; s++) {
            printf("%10.3f", measure(&lines[i].spec, shapes[s], passes) - copy[s]);
        }
        printf("\n");
    }
    return 0;
}
