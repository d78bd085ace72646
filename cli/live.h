/* cli/live.h - what a person sees of a run, as an observer of the scheduler.
 *
 * Three voices, the same events:
 *   live    on a terminal: redrawn in place, ten times a second at most
 *             [=================>                  ]  37/75   2 running  0 failed   best 0.8412  ETA 0:58
 *             1  #38 adam relu he_normal         epoch 2/3  val_accuracy 0.8231  11,900 samples/s
 *   plain   elsewhere: a line when a trial ends, dies or the run is asked to stop
 *   json    an object a line on stdout, for programs (docs/protocol.md)
 * Warnings and failures are shown by all of them, also when quiet. */
#ifndef CLI_LIVE_H
#define CLI_LIVE_H

#include "runner/run.h"

#include <stdbool.h>

struct buf;

enum live_voice { LIVE_ANIMATED, LIVE_PLAIN, LIVE_JSON };

struct live {
    enum live_voice voice;
    bool quiet;
    int drawn; // lines of the picture that stand on the terminal
};

/* The run_observer_fn; `context` is a struct live. */
void live_observe(void *context, const struct run_event *event, const struct run_view *view);

/* The picture: the bar and a line a slot, each cut at `width` columns, and two fewer than `height` at
 * most, as what has left the screen cannot be drawn again.  Returns the number of lines. */
int live_picture(struct buf *out, const struct run_view *view, int width, int height);

/* The event as a line of JSON; false, and nothing, for those that programs are not told of. */
bool live_json(struct buf *out, const struct run_event *event, const struct run_view *view);

#endif
