#include "trainer/numerics.h"

#include "base/buf.h"
#include "trainer/kernels/kernels.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

void numerics_pin(void) {
    if (getenv("OPENBLAS_NUM_THREADS") == NULL) {
        openblas_set_num_threads(1);
    }
}

void numerics_describe(struct buf *out) {
    // "OpenBLAS 0.3.21 DYNAMIC_ARCH NO_AFFINITY Cooperlake MAX_THREADS=64": the second word
    const char *version = strchr(openblas_get_config(), ' ');
    version = version == NULL ? "" : version + 1;
    int threads = openblas_get_num_threads();
    buf_printf(out, "openblas %.*s %s %d thread%s, kernels %s", (int)strcspn(version, " "), version,
               openblas_get_corename(), threads, threads == 1 ? "" : "s", kernels_get()->name);
}
