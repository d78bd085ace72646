/* trainer/kernels/race.h - two sets over the same course.
 *
 * The course is what most of a step's time goes to, all three kernels of each, in small shapes:
 *     a direct 5x5 convolution     6 -> 16 channels, 14x14, 16 samples
 *     a 3x3 one, Winograd's        16 -> 16 channels, 14x14, 16 samples
 *     a dense layer                256 -> 256, 32 samples */
#ifndef TRAINER_KERNELS_RACE_H
#define TRAINER_KERNELS_RACE_H

#include <stdint.h>

struct kernels;

/* ns[i]: the processor time of sets[i] over the course.  It is their ratio that is of use: of 140 races of a set against
 * itself, with thirteen processes for two processors, eight of ten were within 3.6% and all within 6%.  Cost: 25 ms on an
 * idle machine, up to 0.35 s on one like that, and 1 MB while it runs. */
void kernels_race(const struct kernels *const sets[2], int64_t ns[2]);

#endif
