/* The sets run the course in turn, and it is their ratio that counts, of laps that are neighbours in time: a
 * processor's speed changes by half from one moment to the next, with what runs on the other half of its core
 * or on the other machines of its host, so that the shortest time of a set can be one of a moment that the
 * other set has not had.  Of the ratios the median; and laps until they say by their quartiles that it
 * is good to a percent or two: few on a machine that is idle, many on one that is not.
 *
 * Wide vectors can make a processor lower its clock, for two thirds of a millisecond after the last of them.
 * So each turn is a lap that does not count, about as long, and one that does. */
#include "trainer/kernels/race.h"

#include "base/mem.h"
#include "trainer/kernels/kernels.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS_MIN = 6, ROUNDS_MAX = 60, CALLS = 9 };

static const struct conv2d_shape conv5 = {
    .N = 16, .C = 6, .H = 14, .W = 14, .K = 16, .R = 5, .S = 5, .stride = 1, .P = 10, .Q = 10};
static const struct conv2d_shape conv3 = {.N = 16,
                                          .C = 16,
                                          .H = 14,
                                          .W = 14,
                                          .K = 16,
                                          .R = 3,
                                          .S = 3,
                                          .stride = 1,
                                          .pad = 1,
                                          .P = 14,
                                          .Q = 14};
static const struct dense_shape dense = {.N = 32, .in = 256, .out = 256};

enum { // floats of the largest of each
    ACTIVATIONS = 16 * 14 * 14 * 16,
    WEIGHTS = 256 * 256,
    BIASES = 256,
};

struct course {
    float *x, *dx, *y, *dy, *w, *dw, *b, *scratch;
};

static float *filled(size_t n) {
    float *to = mem_aligned(n, sizeof *to);
    for (size_t i = 0; i < n; i++) {
        to[i] =
            (float)(i * 37 % 101) / 101.0f - 0.5f; // finite, and no zeros, whatever is multiplied
    }
    return to;
}

static size_t scratch_len(void) {
    const size_t lens[] = {conv2d_scratch_len(&conv5), conv2d_scratch_len(&conv3),
                           dense_scratch_len(&dense)};
    size_t most = lens[0];
    for (int i = 1; i < 3; i++) {
        most = lens[i] > most ? lens[i] : most;
    }
    return most;
}

static void call(const struct kernels *set, const struct course *c, int which) {
    const struct conv2d_shape *conv = which < 3 ? &conv5 : &conv3;
    switch (which) {
    case 0:
    case 3:
        set->conv2d_forward(c->y, c->x, c->w, c->b, c->scratch, conv);
        break;
    case 1:
    case 4:
        set->conv2d_backward_data(c->dx, c->dy, c->w, c->scratch, conv);
        break;
    case 2:
    case 5:
        set->conv2d_backward_weight(c->dw, c->b, c->dy, c->x, c->scratch, conv);
        break;
    case 6:
        set->dense_forward(c->y, c->x, c->w, c->b, c->scratch, &dense);
        break;
    case 7:
        set->dense_backward_data(c->dx, c->dy, c->w, c->scratch, &dense);
        break;
    default:
        set->dense_backward_weight(c->dw, c->dy, c->x, c->scratch, &dense);
        break;
    }
}

static int64_t now_ns(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); // cannot fail with these arguments
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t run_lap(const struct kernels *set, const struct course *course) {
    int64_t start = now_ns();
    for (int which = 0; which < CALLS; which++) {
        call(set, course, which);
    }
    return now_ns() - start;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of sorted values; `part` 0 to 1. */
static double quantile(const double *sorted, int count, double part) {
    const double at = part * (count - 1);
    const int i = (int)at;
    return i + 1 < count ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[i];
}

/* Whether the median of sorted values is known to some 1.5%. */
static bool is_settled(const double *sorted, int count) {
    const double spread = quantile(sorted, count, 0.75) - quantile(sorted, count, 0.25);
    return spread < 0.015 * sqrt(count) * quantile(sorted, count, 0.5);
}

static void run(const struct kernels *const sets[2], const struct course *course, int64_t ns[2]) {
    double ratios[ROUNDS_MAX], laps[ROUNDS_MAX];
    int rounds = 0;
    while (rounds < ROUNDS_MIN || (rounds < ROUNDS_MAX && !is_settled(ratios, rounds))) {
        int64_t took[2];
        for (int turn = 0; turn < 2; turn++) {
            const int i = (turn + rounds) % 2; // as often first as second
            (void)run_lap(sets[i], course);
            took[i] = run_lap(sets[i], course);
        }
        ratios[rounds] = (double)took[0] / (double)took[1];
        laps[rounds++] = (double)took[1];
        qsort(ratios, (size_t)rounds, sizeof *ratios, compare);
    }
    qsort(laps, (size_t)rounds, sizeof *laps, compare);
    ns[1] = (int64_t)quantile(laps, rounds, 0.5);
    ns[0] = (int64_t)(quantile(laps, rounds, 0.5) * quantile(ratios, rounds, 0.5));
}

void kernels_race(const struct kernels *const sets[2], int64_t ns[2]) {
    struct course course = {filled(ACTIVATIONS), filled(ACTIVATIONS),  filled(ACTIVATIONS),
                            filled(ACTIVATIONS), filled(WEIGHTS),      filled(WEIGHTS),
                            filled(BIASES),      filled(scratch_len())};
    run(sets, &course, ns);
    float *all[] = {course.x, course.dx, course.y, course.dy,
                    course.w, course.dw, course.b, course.scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
}
