/* runner/oom.h - was it the kernel that killed a process, for want of memory?
 *
 * The kernel kills with SIGKILL, as anybody might.  What it does leave is a count, for the whole machine: oom_kill in
 * /proc/vmstat.  So a SIGKILL that none of us sent, while that count has just grown, is taken for the kernel's. */
#ifndef RUNNER_OOM_H
#define RUNNER_OOM_H

#include <stdbool.h>
#include <stdint.h>

enum { OOM_LOOK_S = 5 };

struct oom_watch {
    int64_t older, newer; // counts: OOM_LOOK_S to twice that ago, and less than that
    uint64_t looked_ns;
};

/* To be called often: looks every OOM_LOOK_S (20 us). */
void oom_look(struct oom_watch *watch, uint64_t now_ns);

/* Whether the count has grown within the last OOM_LOOK_S to 2 * OOM_LOOK_S seconds. */
bool oom_has_grown(const struct oom_watch *watch);

/* oom_kill in the text of /proc/vmstat; 0 without (kernels before 4.13). */
int64_t oom_count(const char *vmstat);

#endif
