/* tests/parity/parity_driver.c - runs one rule of the trainer on numbers from stdin, for parity.py.
 *
 *     parity_driver optimizer CONFIG N STEPS       w (N), g (STEPS, N)  ->  w after each step (STEPS, N)
 *     parity_driver ema CONFIG N STEPS             w (N), then w after each step (STEPS, N)
 *                                                                          ->  its average after each
 *     parity_driver activation CONFIG N            x (N), dy (N)        ->  y (N), dx (N)
 *     parity_driver schedule CONFIG STEPS          nothing              ->  the rate of every step
 *     parity_driver init CONFIG FAN_OUT FAN_IN     nothing              ->  weights
 *
 * CONFIG is a trial's config as JSON text, read by the trainer's own reader; arrays are float32 of this
 * machine, rates float64.  The gradients of optimizer are clipped as in training.  N is a multiple of
 * 16.  Exit status 2 says that something does not fit. */
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "trainer/config.h"
#include "trainer/ema.h"
#include "trainer/init.h"
#include "trainer/kernels/kernels.h"
#include "trainer/optim.h"
#include "trainer/schedule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *message) {
    (void)fprintf(stderr, "parity_driver: %s\n", message); // nobody left to tell
    exit(2);
}

static void complain(void *context, const struct config_complaint *complaint) {
    (void)context;
    (void)fprintf(stderr, "%s: %s\n", complaint->path, complaint->message); // as above
}

static void parse(struct config *config, const char *text) {
    struct json_doc *doc = NULL;
    struct err err;
    if (json_parse(&doc, "config", text, strlen(text), JSON_STRICT, &err) != ERR_OK) {
        fail(err.msg);
    }
    if (config_parse(config, json_root(doc), complain, NULL) != ERR_OK) {
        fail("the config is no good");
    }
    json_free(doc);
}

static size_t count_of(const char *text) {
    char *end = NULL;
    long count = strtol(text, &end, 10);
    if (count < 1 || count > 100000000 || *end != '\0') {
        fail("a count is no good");
    }
    return (size_t)count;
}

static float *read_floats(size_t n) {
    float *values = mem_aligned(n, sizeof *values);
    if (fread(values, sizeof *values, n, stdin) != n) {
        fail("the input is too short");
    }
    return values;
}

static void write_all(const void *values, size_t size, size_t n) {
    if (fwrite(values, size, n, stdout) != n) {
        fail("cannot write");
    }
}

static void run_optimizer(const struct config *config, size_t n, size_t steps) {
    float *w = read_floats(n);
    struct optim optim;
    optim_init(&optim, &config->optimizer, n);
    for (size_t step = 0; step < steps; step++) {
        float *g = read_floats(n);
        optim_clip(g, n, sqrt(kernels_get()->sum_squares(g, n)), config->clip_norm,
                   config->clip_value);
        optim_step(&optim, w, g, config->optimizer.lr);
        write_all(w, sizeof *w, n);
        free(g);
    }
    optim_release(&optim);
    free(w);
}

static void run_ema(const struct config *config, size_t n, size_t steps) {
    struct ema ema;
    ema_init(&ema, &config->ema, n);
    for (size_t step = 0; step <= steps; step++) {
        float *w = read_floats(n);
        if (step == 0) {
            ema_start(&ema, w);
        } else {
            ema_step(&ema, w);
            write_all(ema.average, sizeof *w, n);
        }
        free(w);
    }
    ema_release(&ema);
}

static void run_activation(const struct config *config, size_t n) {
    const struct activation_spec *spec = &config->choices.activation;
    const struct kernels *kernels = kernels_get();
    float *x = read_floats(n), *dy = read_floats(n), slope = spec->init, dslope;
    float *y = mem_aligned(n, sizeof *y), *dx = mem_aligned(n, sizeof *dx);
    if (spec->kind == ACTIVATION_PRELU) {
        kernels->prelu_forward(y, x, &slope, 1, n);
        kernels->prelu_backward(dx, &dslope, dy, x, &slope, 1, n);
    } else {
        kernels->activation_forward(y, x, n, spec);
        kernels->activation_backward(dx, dy, x, y, n, spec);
    }
    write_all(y, sizeof *y, n);
    write_all(dx, sizeof *dx, n);
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
            write_all(&lr, sizeof lr, 1);
        }
    }
}

static void run_init(const struct config *config, size_t fan_out, size_t fan_in) {
    float *w = mem_aligned(fan_out * fan_in, sizeof *w);
    struct rng rng;
    rng_init(&rng, config->seed, RNG_INIT, 0, 0);
    init_fill(w, fan_out * fan_in, &config->choices.init, (int)fan_in, (int)fan_out, &rng);
    write_all(w, sizeof *w, fan_out * fan_in);
    free(w);
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fail("usage: parity_driver optimizer|ema|activation|schedule|init CONFIG COUNT...");
    }
    struct config config;
    parse(&config, argv[2]);
    const size_t first = count_of(argv[3]), second = argc > 4 ? count_of(argv[4]) : 1;
    if (strcmp(argv[1], "optimizer") == 0) {
        run_optimizer(&config, first, second);
    } else if (strcmp(argv[1], "ema") == 0) {
        run_ema(&config, first, second);
    } else if (strcmp(argv[1], "activation") == 0) {
        run_activation(&config, first);
    } else if (strcmp(argv[1], "schedule") == 0) {
        run_schedule(&config, first);
    } else if (strcmp(argv[1], "init") == 0) {
        run_init(&config, first, second);
    } else {
        fail("unknown mode");
    }
    config_release(&config);
    return fflush(stdout) == 0 ? 0 : 2;
}
