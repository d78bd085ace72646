#include "trainer/ema.h"

#include "base/mem.h"
#include "trainer/config_table.h"
#include "trainer/kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

static const struct table_key ema_keys[] = {
    {.name = "decay",
     .type = TABLE_NUMBER,
     .offset = offsetof(struct ema_spec, decay),
     .max = 1,
     .flags = TABLE_BELOW_MAX},
};
const struct table ema_table = {.what = "ema",
                                .number_key = "decay",
                                .keys = ema_keys,
                                .key_count = sizeof ema_keys / sizeof *ema_keys};

void ema_init(struct ema *ema, const struct ema_spec *spec, size_t n) {
    *ema = (struct ema){.decay = spec->decay, .n = n};
    if (spec->decay > 0) {
        ema->average = mem_aligned(n, sizeof *ema->average);
    }
}

void ema_release(struct ema *ema) {
    if (ema != NULL) {
        free(ema->average);
        ema->average = NULL;
    }
}

void ema_start(struct ema *ema, const float *w) {
    if (ema->average != NULL) {
        memcpy(ema->average, w, ema->n * sizeof *w);
    }
}

void ema_step(struct ema *ema, const float *w) {
    if (ema->average != NULL) {
        kernels_get()->ema(ema->average, w, (float)(1.0 - ema->decay), ema->n);
    }
}

void ema_swap(struct ema *ema, float *w) {
    for (size_t i = 0; ema->average != NULL && i < ema->n; i++) {
        const float kept = w[i];
        w[i] = ema->average[i];
        ema->average[i] = kept;
    }
}
