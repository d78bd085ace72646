/* trainer/ema.h - an exponential moving average of the weights (Polyak, Juditsky 1992; Izmailov et al. 2018).
 *
 *     e = w                                    before the first step
 *     e = decay * e + (1 - decay) * w          after each step
 *
 * PyTorch's torch.optim.swa_utils.AveragedModel with that avg_fn, where update_parameters() is called
 * once before the first step, which makes the copy.  Parameters only: buffers (running statistics) are
 * the network's own.
 *
 * The training goes on with w; what is evaluated is e.  The two change places for that, so that no
 * third copy is needed:
 *
 *     ema_swap(ema, w);  evaluate;  ema_swap(ema, w);
 *
 * Use:  ema_init, ema_start (or values from a checkpoint), then ema_step after each step.  With a decay
 * of 0 there is no average: all calls do nothing, and the weights are their own. */
#ifndef TRAINER_EMA_H
#define TRAINER_EMA_H

#include <stddef.h>

struct table;

/* The config's `ema`. */
struct ema_spec {
    double decay; // in [0, 1); 0: no average
};

struct ema {
    double decay;
    size_t n;
    float *average; // (n), owned; NULL without
};

extern const struct table ema_table; // of a struct ema_spec

/* For n parameters.  The average starts at 0: ema_start() makes it a copy of w (n). */
void ema_init(struct ema *ema, const struct ema_spec *spec, size_t n);
void ema_release(struct ema *ema); // NULL, a zeroed and a released one are fine
void ema_start(struct ema *ema, const float *w);

/* After the step that made w (n). */
void ema_step(struct ema *ema, const float *w);

/* Exchanges the average with w (n), and back. */
void ema_swap(struct ema *ema, float *w);

#endif
