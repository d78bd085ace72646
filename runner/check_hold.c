#include "runner/check_hold.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In nanoseconds; the kernel takes 0.1 to 100 ms. */
#define SLICE_SHORT 100000u
#define SLICE_LONG  100000000u

/* ---- one thread ---- */

/* What sched_setattr(2) takes; glibc has no name for it, and the kernel's header and glibc's clash. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

/* 0: the system's own.  Where it cannot be set, nothing changes. */
static void set_slice(pid_t thread, uint64_t slice_ns) {
    struct attributes attr = {.size = sizeof attr};
    if (syscall(SYS_sched_getattr, thread, &attr, sizeof attr, 0) != 0 ||
        attr.policy != SCHED_OTHER) {
        return;
    }
    attr.runtime_ns = slice_ns;
    (void)syscall(SYS_sched_setattr, thread, &attr, 0); // an older kernel has no slices
}

static void pin(pid_t thread, int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    (void)sched_setaffinity(thread, sizeof set, &set); // it may have ended
}

/* ---- everything below ---- */

static void hold_below(pid_t pid, int processor, int depth);

static void hold_thread(pid_t pid, pid_t thread, int processor, int depth) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)thread); // fits
    FILE *file = fopen(path, "re");
    int child;
    while (file != NULL && fscanf(file, "%d", &child) == 1) {
        hold_below(child, processor, depth + 1);
    }
    if (file != NULL) {
        (void)fclose(file); // only read
    }
}

/* All threads of `pid`, and of what it started; at depth 0, the shim, only the latter. */
static void hold_below(pid_t pid, int processor, int depth) {
    enum { DEPTH_MAX = 16 };
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid); // fits
    DIR *threads = depth < DEPTH_MAX ? opendir(path) : NULL;
    const struct dirent *entry;
    while (threads != NULL && (entry = readdir(threads)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0])) {
            continue;
        }
        pid_t thread = (pid_t)atoi(entry->d_name);
        if (depth > 0) {
            pin(thread, processor);
            set_slice(thread, SLICE_LONG);
        }
        hold_thread(pid, thread, processor, depth);
    }
    if (threads != NULL) {
        (void)closedir(threads); // only read
    }
}

/* ---- the trainer ---- */

static bool is_child_of(pid_t pid, pid_t parent) {
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid); // fits
    FILE *file = fopen(path, "re");
    int found = -1;
    if (file == NULL) {
        return false;
    }
    // PID (name, which may hold anything) STATE PARENT: the name's end is the last ')'
    char text[512];
    size_t len = fread(text, 1, sizeof text - 1, file), end = len;
    (void)fclose(file); // only read
    text[len] = '\0';
    while (end > 0 && text[end - 1] != ')') {
        end--;
    }
    return end > 0 && sscanf(text + end, " %*c %d", &found) == 1 && found == parent;
}

/* A pidfd of the shim's first child; -1.  It cannot be another process: it was the shim's child after the
 * descriptor had been made. */
static int open_trainer(pid_t shim) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)shim, (int)shim); // fits
    FILE *file = fopen(path, "re");
    int pid = 0;
    if (file == NULL) {
        return -1;
    }
    bool some = fscanf(file, "%d", &pid) == 1;
    (void)fclose(file);                                        // only read
    int fd = some ? (int)syscall(SYS_pidfd_open, pid, 0) : -1; // close-on-exec
    if (fd >= 0 && !is_child_of(pid, shim)) {
        (void)close(fd); // nothing was written through it
        return -1;
    }
    return fd;
}

/* ---- this process ---- */

void check_holder_loosen(const struct check_holder *holder) {
    if (holder->count > 0) {
        (void)sched_setaffinity(0, sizeof holder->own, &holder->own); // they were ours before
        set_slice(0, 0);
    }
}

void check_holder_tighten(const struct check_holder *holder) {
    if (holder->count > 0) {
        pin(0, holder->processor);
        set_slice(0, SLICE_SHORT);
    }
}

void check_hold(struct check_hold *hold, struct check_holder *holder, pid_t shim) {
    if (hold->held) {
        return;
    }
    hold->pidfd = open_trainer(shim);
    hold->held = true;
    if (holder->count++ == 0) {
        if (sched_getaffinity(0, sizeof holder->own, &holder->own) != 0) {
            CPU_ZERO(&holder->own); // over 1024 processors: it stays where it is put
        }
        int here = sched_getcpu();
        holder->processor = here < 0 ? 0 : here;
        check_holder_tighten(holder);
    }
    hold_below(shim, holder->processor, 0);
}

void check_hold_kill(const struct check_hold *hold) {
    if (hold->held && hold->pidfd >= 0) {
        (void)syscall(SYS_pidfd_send_signal, hold->pidfd, SIGKILL, NULL, 0); // ESRCH: it has ended
    }
}

void check_hold_release(struct check_hold *hold, struct check_holder *holder) {
    if (!hold->held) {
        return;
    }
    if (hold->pidfd >= 0) {
        (void)close(hold->pidfd); // nothing was written through it
    }
    check_holder_loosen(holder);
    if (--holder->count > 0) {
        check_holder_tighten(holder);
    }
    *hold = (struct check_hold){0};
}
