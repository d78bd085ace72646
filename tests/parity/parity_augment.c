/* tests/parity/parity_augment.c - the modes of parity_driver about augmentation. */
#include "base/mem.h"
#include "tests/parity/parity_io.h"
#include "trainer/augment.h"

#include <stdlib.h>

/* What was drawn for sample i, as float32. */
static void write_draw(const struct augment *augment, int i) {
    const struct augment_draw *draw = &augment->draws[i];
    const float values[PARITY_DRAW_LEN] = {
        (float)draw->down,     (float)draw->right,    (float)draw->flip,
        (float)draw->angle,    (float)draw->contrast, (float)draw->brightness,
        (float)draw->cut_top,  (float)draw->cut_left, (float)augment->pairs[i],
        (float)augment->share,
    };
    parity_write(values, sizeof *values, PARITY_DRAW_LEN);
}

void parity_augment(const struct config *config, char **argv) {
    const int n = (int)parity_count(argv[1]);
    const struct shape shape = {(int)parity_count(argv[2]), (int)parity_count(argv[3]),
                                (int)parity_count(argv[4])};
    const size_t len = (size_t)n * (size_t)shape.C * (size_t)shape.H * (size_t)shape.W;
    float *x = parity_read_floats(len);
    uint8_t *labels = mem_zalloc((size_t)n, 1);
    struct augment augment;
    augment_init(&augment, &config->augment, shape, n);
    augment_batch(&augment, x, labels, n, config->seed, 1, 0);
    for (int i = 0; i < n; i++) {
        write_draw(&augment, i);
    }
    parity_write(x, sizeof *x, len);
    augment_release(&augment);
    free(labels);
    free(x);
}

void parity_shares(const struct config *config, char **argv) {
    const uint32_t count = (uint32_t)parity_count(argv[1]);
    const uint8_t label = 0;
    struct augment augment;
    augment_init(&augment, &config->augment, (struct shape){1, 1, 1}, 1);
    for (uint32_t step = 0; step < count; step++) {
        float x = 0;
        augment_batch(&augment, &x, &label, 1, config->seed, 1, step);
        parity_write(&augment.share, sizeof augment.share, 1);
    }
    augment_release(&augment);
}
