/* bench/sgemm.c - the limit that bench/steps is held to: OpenBLAS's SGEMM of 512 x 512 x 512, one thread.
 *
 * For each line on stdin, a number of seconds, it multiplies for so long and prints GFLOP/s. */
#include "base/mem.h"
#include "trainer/time_spent.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 512 };

static float *filled(float step) {
    float *to = mem_aligned((size_t)SIDE * SIDE, sizeof *to);
    for (int i = 0; i < SIDE * SIDE; i++) {
        to[i] = step * (float)(i % 97) - 0.5f;
    }
    return to;
}

int main(void) {
    openblas_set_num_threads(1);
    float *a = filled(0.01f), *b = filled(0.0103f), *c = filled(0.0f);
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        const double seconds = strtod(line, NULL), start = time_now();
        int calls = 0;
        do {
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SIDE, SIDE, SIDE, 1.0f, a, SIDE,
                        b, SIDE, 0.0f, c, SIDE);
            calls++;
        } while (time_now() - start < seconds);
        printf("%.6g\n", 2.0 * SIDE * SIDE * SIDE * calls / (time_now() - start) * 1e-9);
        (void)fflush(stdout); // a reader that went away: the next line says so
    }
    free(a);
    free(b);
    free(c);
    return 0;
}
