#include "runner/watchdog.h"

static double seconds(uint64_t from_ns, uint64_t to_ns) {
    return to_ns > from_ns ? (double)(to_ns - from_ns) * 1e-9 : 0.0;
}

/* While it is held it is as late as when that began. */
static uint64_t clock_of(const struct watchdog *w, uint64_t now_ns) {
    return w->held && w->held_since_ns < now_ns ? w->held_since_ns : now_ns;
}

void watchdog_begin(struct watchdog *w, const struct watchdog_limits *limits, double ran_before_s,
                    uint64_t now_ns) {
    *w = (struct watchdog){.limits = *limits,
                           .ran_before_s = ran_before_s,
                           .start_ns = now_ns,
                           .mark_ns = now_ns,
                           .running = true};
    if (limits->trial_s > 0.0 && ran_before_s >= limits->trial_s) {
        w->cause = WATCHDOG_TIMEOUT;
    }
}

void watchdog_progress(struct watchdog *w, uint64_t now_ns) {
    w->mark_ns = clock_of(w, now_ns);
}

void watchdog_hold(struct watchdog *w, uint64_t now_ns) {
    if (w->running && !w->held) {
        w->held = true;
        w->held_since_ns = now_ns;
    }
}

void watchdog_go_on(struct watchdog *w, uint64_t now_ns) {
    if (!w->held) {
        return;
    }
    uint64_t held_ns = now_ns > w->held_since_ns ? now_ns - w->held_since_ns : 0;
    w->held = false;
    w->start_ns += held_ns;
    w->mark_ns += held_ns;
    w->step_ns += held_ns;
}

void watchdog_end(struct watchdog *w, uint64_t now_ns) {
    if (w->running) {
        watchdog_go_on(w, now_ns);
        w->running = false;
        w->step_ns = now_ns; // from now on the end
    }
}

double watchdog_ran_s(const struct watchdog *w, uint64_t now_ns) {
    return seconds(w->start_ns, w->running ? clock_of(w, now_ns) : w->step_ns);
}

static enum watchdog_step take(struct watchdog *w, enum watchdog_step step, uint64_t now_ns) {
    w->step = step;
    w->step_ns = now_ns;
    return step;
}

/* The limit that is exceeded; the trial's first, since no retry follows that. */
static enum watchdog_cause overdue(const struct watchdog *w, uint64_t now_ns) {
    const struct watchdog_limits *l = &w->limits;
    if (l->trial_s > 0.0 && w->ran_before_s + seconds(w->start_ns, now_ns) >= l->trial_s) {
        return WATCHDOG_TIMEOUT;
    }
    return l->epoch_s > 0.0 && seconds(w->mark_ns, now_ns) >= l->epoch_s ? WATCHDOG_HANG
                                                                         : WATCHDOG_NONE;
}

enum watchdog_step watchdog_check(struct watchdog *w, uint64_t real_now_ns) {
    uint64_t now_ns = clock_of(w, real_now_ns);
    if (!w->running) {
        return WATCHDOG_WAIT;
    }
    switch (w->step) {
    case WATCHDOG_WAIT:
        w->cause = overdue(w, now_ns);
        return w->cause == WATCHDOG_NONE ? WATCHDOG_WAIT : take(w, WATCHDOG_ASK, now_ns);
    case WATCHDOG_ASK:
        return seconds(w->step_ns, now_ns) >= w->limits.grace_s ? take(w, WATCHDOG_KILL, now_ns)
                                                                : WATCHDOG_WAIT;
    case WATCHDOG_KILL:
        return seconds(w->step_ns, now_ns) >= WATCHDOG_KILL_S ? take(w, WATCHDOG_KILL_SHIM, now_ns)
                                                              : WATCHDOG_WAIT;
    case WATCHDOG_KILL_SHIM:
        break; // nothing is left to be done
    }
    return WATCHDOG_WAIT;
}
