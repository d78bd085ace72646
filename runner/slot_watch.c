#include "runner/slot_watch.h"

#include "runner/run_internal.h"

#include <signal.h>

bool slot_watch_begin(struct slot *slot) {
    struct watchdog *watch = &slot->attempt.watch;
    watchdog_begin(watch, &slot->run->sweep->timeout, slot->job.ran_s, run_watch_clock(slot->run));
    if (watch->cause == WATCHDOG_NONE) {
        return true;
    }
    watchdog_end(watch, watch->start_ns);
    return false;
}

void slot_watch(struct slot *slot) {
    struct slot_attempt *a = &slot->attempt;
    if (slot->state != SLOT_RUNNING || slot->worker == NULL) {
        return;
    }
    if (a->asked && a->watch.cause == WATCHDOG_NONE) {
        return; // the run's own ladder is under way
    }
    switch (watchdog_check(&a->watch, run_watch_clock(slot->run))) {
    case WATCHDOG_WAIT:
        break;
    case WATCHDOG_ASK:
        worker_signal(slot->worker, SIGTERM);
        break;
    case WATCHDOG_KILL:
        slot_kill(slot);
        break;
    case WATCHDOG_KILL_SHIM:
        cgroup_kill(slot->group);
        worker_signal(slot->worker, SIGKILL); // the kernel kills the trainer with it
        break;
    }
}

/* SIGKILL from none of us.  A shim that did not live to report was itself killed. */
static bool is_killed_by_others(const struct slot_attempt *a) {
    return a->end.signal == SIGKILL && !a->killed && !(a->end.reported && a->end.report.killed);
}

void slot_watch_end(struct slot *slot) {
    struct slot_attempt *a = &slot->attempt;
    watchdog_end(&a->watch, run_watch_clock(slot->run));
    a->over_mb = (double)a->end.report.over_bytes * 1e-6;
    struct cgroup_events events = cgroup_new_events(slot->group);
    if (!a->end.reported ||
        a->end.report.killed_group) { // without a report it may have left something
        slot->group = cgroup_renew(slot->group);
    }
    double limit_mb = slot->run->sweep->memory_mb;
    if (a->end.exit_status == 0 || a->killed || a->over_mb > 0.0) {
        return;
    }
    if (events.limit > 0 && events.kills > 0 && limit_mb > 0.0) {
        a->over_mb = limit_mb; // the kernel let it have no more
    } else {
        a->out_of_memory =
            events.kills > 0 || (is_killed_by_others(a) && oom_has_grown(&slot->run->oom));
    }
}
