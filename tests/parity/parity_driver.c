/* tests/parity/parity_driver.c - runs a rule of the trainer, or a network, on numbers from stdin, for
 * parity.py.
 *
 *     parity_driver optimizer CONFIG N STEPS       w (N), g (STEPS, N)  ->  w after each step (STEPS, N)
 *     parity_driver ema CONFIG N STEPS             w (N), then w after each step (STEPS, N)
 *                                                                          ->  its average after each
 *     parity_driver activation CONFIG N            x (N), dy (N)        ->  y (N), dx (N)
 *     parity_driver schedule CONFIG STEPS          nothing              ->  the rate of every step
 *     parity_driver plateau CONFIG COUNT           a metric's value after each of COUNT epochs (float64)
 *                                                                          ->  the rate of the epoch after each
 *     parity_driver init CONFIG FAN_OUT FAN_IN     nothing              ->  weights, then FAN_OUT biases
 *     parity_driver gain CONFIG 1                  nothing              ->  the gain of its activation
 *     parity_driver tensors CONFIG C H W CLASSES   nothing   ->  names and shapes as a line of JSON, values
 *     parity_driver train CONFIG C H W CLASSES BATCH STEPS   as parity_net.c says
 *     parity_driver order CONFIG COUNT EPOCH       nothing              ->  the order of an epoch's images
 *     parity_driver augment CONFIG N C H W         x (N, C, H, W)  ->  what was drawn (N, 10), x changed
 *     parity_driver shares CONFIG COUNT            nothing              ->  the shares of mixup of so many
 *                                                                          batches
 *
 * CONFIG is a trial's config as JSON text, read by the trainer's own reader; arrays are float32 of this
 * machine, rates and gains float64.  The gradients of optimizer are clipped as in training.  N is a multiple of
 * 16.  Exit status 2 says that something does not fit. */
#include "base/mem.h"
#include "base/rng.h"
#include "tests/parity/parity_io.h"
#include "trainer/ema.h"
#include "trainer/gain.h"
#include "trainer/history.h"
#include "trainer/init.h"
#include "trainer/kernels/kernels.h"
#include "trainer/numerics.h"
#include "trainer/optim.h"
#include "trainer/schedule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void run_optimizer(const struct config *config, size_t n, size_t steps) {
    float *w = parity_read_floats(n);
    struct optim optim;
    optim_init(&optim, &config->optimizer, n);
    for (size_t step = 0; step < steps; step++) {
        float *g = parity_read_floats(n);
        optim_clip(g, n, sqrt(kernels_get()->sum_squares(g, n)), config->clip_norm,
                   config->clip_value);
        optim_step(&optim, w, g, config->optimizer.lr);
        parity_write(w, sizeof *w, n);
        free(g);
    }
    optim_release(&optim);
    free(w);
}

static void run_ema(const struct config *config, size_t n, size_t steps) {
    struct ema ema;
    ema_init(&ema, &config->ema, n);
    for (size_t step = 0; step <= steps; step++) {
        float *w = parity_read_floats(n);
        if (step == 0) {
            ema_start(&ema, w);
        } else {
            ema_step(&ema, w);
            parity_write(ema.average, sizeof *w, n);
        }
        free(w);
    }
    ema_release(&ema);
}

static void run_activation(const struct config *config, size_t n) {
    const struct activation_spec *spec = &config->choices.activation;
    const struct kernels *kernels = kernels_get();
    float *x = parity_read_floats(n), *dy = parity_read_floats(n), slope = spec->init, dslope;
    float *y = mem_aligned(n, sizeof *y), *dx = mem_aligned(n, sizeof *dx);
    if (spec->kind == ACTIVATION_PRELU) {
        kernels->prelu_forward(y, x, &slope, 1, n);
        kernels->prelu_backward(dx, &dslope, dy, x, &slope, 1, n);
    } else {
        kernels->activation_forward(y, x, n, spec);
        kernels->activation_backward(dx, dy, x, y, n, spec);
    }
    parity_write(y, sizeof *y, n);
    parity_write(dx, sizeof *dx, n);
    free(x);
    free(dy);
    free(y);
    free(dx);
}

static void run_schedule(const struct config *config, size_t steps) {
    for (int t = 0; t < config->epochs; t++) {
        for (size_t step = 0; step < steps; step++) {
            double lr =
                schedule_lr(&config->schedule, config->optimizer.lr, t, (int)step, (int)steps);
            parity_write(&lr, sizeof lr, 1);
        }
    }
}

static void run_plateau(const struct config *config, size_t count) {
    struct history history = {0};
    for (size_t i = 0; i < count; i++) {
        double value;
        parity_read(&value, sizeof value, 1);
        const struct record record = {
            .val_loss = value, .val_accuracy = value, .train_loss = value};
        history_add(&history, &record);
        double lr = schedule_base(&config->schedule, config->optimizer.lr, &history);
        parity_write(&lr, sizeof lr, 1);
    }
    history_release(&history);
}

static void run_init(const struct config *config, size_t fan_out, size_t fan_in) {
    const struct init_spec *init = &config->choices.init;
    const size_t n = fan_out * fan_in;
    float *w = mem_aligned(n + fan_out, sizeof *w);
    struct rng rng;
    rng_init(&rng, config->seed, RNG_INIT, 0, 0);
    init_fill(w, n, init, (int)fan_in, (int)fan_out, &rng);
    init_fill_bias(w + n, fan_out, init, (int)fan_in, &rng);
    parity_write(w, sizeof *w, n + fan_out);
    free(w);
}

static void run_gain(const struct config *config) {
    double gain = gain_of(&config->choices.activation);
    parity_write(&gain, sizeof gain, 1);
}

int main(int argc, char **argv) {
    if (argc < 4) {
        parity_fail("usage: parity_driver MODE CONFIG COUNT...");
    }
    const char *mode = argv[1];
    numerics_pin(); // as the trainer does
    struct config config;
    parity_config(&config, argv[2]);
    if (strcmp(mode, "optimizer") == 0) {
        run_optimizer(&config, parity_count(argv[3]), parity_count(argv[4]));
    } else if (strcmp(mode, "ema") == 0) {
        run_ema(&config, parity_count(argv[3]), parity_count(argv[4]));
    } else if (strcmp(mode, "activation") == 0) {
        run_activation(&config, parity_count(argv[3]));
    } else if (strcmp(mode, "schedule") == 0) {
        run_schedule(&config, parity_count(argv[3]));
    } else if (strcmp(mode, "plateau") == 0) {
        run_plateau(&config, parity_count(argv[3]));
    } else if (strcmp(mode, "init") == 0) {
        run_init(&config, parity_count(argv[3]), parity_count(argv[4]));
    } else if (strcmp(mode, "gain") == 0) {
        run_gain(&config);
    } else if (strcmp(mode, "tensors") == 0 && argc == 7) {
        parity_tensors(&config, argv + 2);
    } else if (strcmp(mode, "train") == 0 && argc == 9) {
        parity_train(&config, argv + 2);
    } else if (strcmp(mode, "order") == 0 && argc == 5) {
        parity_order(&config, argv + 2);
    } else if (strcmp(mode, "augment") == 0 && argc == 7) {
        parity_augment(&config, argv + 2);
    } else if (strcmp(mode, "shares") == 0 && argc == 4) {
        parity_shares(&config, argv + 2);
    } else {
        parity_fail("unknown mode, or counts are missing");
    }
    config_release(&config);
    return fflush(stdout) == 0 ? 0 : 2;
}
