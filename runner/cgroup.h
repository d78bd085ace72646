/* runner/cgroup.h - a control group (version 2) for each slot, where the system lets us make one.
 *
 *     <where we are in the cgroup2 hierarchy>/besom-<folder>-<process id of the runner>-<slot>
 *
 * What is in a group can be killed at one stroke, whatever it has forked and wherever in the process tree it went;
 * and where the memory controller is passed on to us, the kernel itself keeps the memory limit.  Both are more
 * than processes alone give, and neither is needed: without a hierarchy, or without the right to write there,
 * cgroup_open() gives NULL, which all functions take.
 *
 * A group is made once a slot and run, since making one for each trial would cost more than starting it; the
 * shim starts the trainer in it (runner/shim.h).  Its name holds the results folder, which has one runner: so one
 * that is there already is a killed runner's, and whatever lives in it is to be killed.
 *
 * Since Linux 6.14 what is started in a group is killed at once when the group ever was (it cannot tell whether that
 * was meant for it).  So after each kill a group is made anew. */
#ifndef RUNNER_CGROUP_H
#define RUNNER_CGROUP_H

#include <stdint.h>

struct cgroup;

/* The folder in which groups of ours go, from the texts of /proc/self/mountinfo and /proc/self/cgroup; NULL: there
 * is none.  Owned by the caller. */
char *cgroup_place(const char *mountinfo, const char *self_cgroup);

/* The same of this process. */
char *cgroup_find(void);

/* Removes what killed runners left in `place`: the groups of this folder with what lives in them, and those of other
 * folders that are empty and whose runner is no more. */
void cgroup_remove_stale(const char *place, const char *folder);

/* Makes a group with at most `memory_bytes` (0: no limit; no effect without the controller).  NULL when it
 * cannot be made, or `place` is NULL. */
struct cgroup *cgroup_open(const char *place, const char *folder, int slot, int64_t memory_bytes);

/* Kills what is in it, waits shortly, removes it. */
void cgroup_close(struct cgroup *cgroup);

/* Kills what is in it, and makes it anew.  NULL when it cannot be. */
struct cgroup *cgroup_renew(struct cgroup *cgroup);

const char *cgroup_path(const struct cgroup *cgroup); // NULL for NULL
void cgroup_kill(const struct cgroup *cgroup);        // renew it before it is used again

/* How often since the last call: the group met its own limit; a process in it was killed for want of memory,
 * its own or the machine's.  Zeros without the controller. */
struct cgroup_events {
    int64_t limit, kills;
};
struct cgroup_events cgroup_new_events(struct cgroup *cgroup);

#endif
