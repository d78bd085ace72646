#include "runner/cgroup.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/num.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 20, PATH_LEN_MAX = 4096 };

struct cgroup {
    char *path;
    int64_t memory_bytes;
    struct cgroup_events seen;
};

/* ---- where ---- */

/* A path of mountinfo, in which a blank is \040: decoded in place. */
static void unescape(char *path) {
    char *to = path;
    for (const char *from = path; *from != '\0'; to++) {
        unsigned value;
        if (from[0] == '\\' && sscanf(from + 1, "%3o", &value) == 1) {
            *to = (char)value;
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* The mount of the cgroup2 hierarchy: its root within it, and where it is. */
static bool find_mount(const char *mountinfo, char root[PATH_LEN_MAX], char point[PATH_LEN_MAX]) {
    for (const char *line = mountinfo; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        char *copy = mem_printf("%.*s", (int)len, line);
        // 41 31 0:31 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
        const char *rest = strstr(copy, " - cgroup2 ");
        bool found =
            rest != NULL && sscanf(copy, "%*s %*s %*s %4095s %4095s", root, point) == 2; // as above
        free(copy);
        if (found) {
            unescape(root);
            unescape(point);
            return true;
        }
        line += len + (line[len] == '\n');
    }
    return false;
}

/* Our group: the line "0::/user.slice/..." */
static bool find_self(const char *self_cgroup, char path[PATH_LEN_MAX]) {
    for (const char *line = self_cgroup; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        if (len > 3 && len < PATH_LEN_MAX && strncmp(line, "0::/", 4) == 0) {
            memcpy(path, line + 3, len - 3);
            path[len - 3] = '\0';
            return true;
        }
        line += len + (line[len] == '\n');
    }
    return false;
}

char *cgroup_place(const char *mountinfo, const char *self_cgroup) {
    char root[PATH_LEN_MAX], point[PATH_LEN_MAX], self[PATH_LEN_MAX];
    if (!find_mount(mountinfo, root, point) || !find_self(self_cgroup, self)) {
        return NULL;
    }
    size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);
    bool within = strncmp(self, root, len) == 0 && (self[len] == '/' || self[len] == '\0');
    if (!within || strncmp(self, "/..", 3) == 0) {
        return NULL; // our group is not to be seen from here
    }
    const char *below = self + len;
    return mem_printf("%s%s", point, strcmp(below, "/") == 0 ? "" : below);
}

static char *read_text(const char *path) {
    struct buf text = {0};
    struct err ignored; // no such thing here
    if (fs_read(path, TEXT_MAX, &text, &ignored) != ERR_OK) {
        buf_release(&text);
        return NULL;
    }
    buf_puts(&text, "");
    return buf_detach(&text);
}

char *cgroup_find(void) {
    char *mounts = read_text("/proc/self/mountinfo"), *self = read_text("/proc/self/cgroup");
    char *place = mounts != NULL && self != NULL ? cgroup_place(mounts, self) : NULL;
    free(mounts);
    free(self);
    return place;
}

/* ---- a group's files ---- */

/* Fails where there is no such file, or no right: then it stays as it is. */
static bool write_file(const char *group, const char *name, const char *text) {
    char *path = mem_printf("%s/%s", group, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        (void)close(fd); // a control file has no data that could be late
    }
    free(path);
    return written;
}

/* The number behind "NAME " in a text of such lines; 0 without. */
static int64_t number_of(const char *text, const char *name) {
    size_t len = strlen(name);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == ' ') {
            return strtoll(line + len, NULL, 10);
        }
    }
    return 0;
}

static struct cgroup_events events_of(const char *group) {
    char *path = mem_printf("%s/memory.events", group);
    char *text = read_text(path);
    struct cgroup_events events = {0};
    if (text != NULL) {
        events.limit = number_of(text, "oom");
        events.kills = number_of(text, "oom_kill");
    }
    free(text);
    free(path);
    return events;
}

/* The killed leave the group a little later. */
static void kill_and_remove(const char *group) {
    enum { TRIES = 40, PAUSE_MS = 5 };
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    for (int i = 0; i < TRIES && rmdir(group) != 0 && errno == EBUSY; i++) {
        (void)write_file(group, "cgroup.kill", "1"); // kernels before 5.14 have none: it stays
        (void)nanosleep(&pause, NULL);               // shorter is harmless
    }
}

/* ---- groups ---- */

/* A group of another folder: besom-FOLDER-PID-SLOT with no such process.  Only an empty one can be removed so. */
static void remove_if_orphan(const char *place, const char *name) {
    char folder[64], proc[32];
    int pid, slot;
    if (sscanf(name, "besom-%63[0-9a-f]-%d-%d", folder, &pid, &slot) != 3) {
        return;
    }
    (void)snprintf(proc, sizeof proc, "/proc/%d", pid); // fits
    if (access(proc, F_OK) != 0) {
        char *group = mem_printf("%s/%s", place, name);
        (void)rmdir(group); // else it stays
        free(group);
    }
}

void cgroup_remove_stale(const char *place, const char *folder) {
    DIR *dir = place != NULL ? opendir(place) : NULL;
    if (dir == NULL) {
        return;
    }
    char *prefix = mem_printf("besom-%s-", folder);
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) {
            char *group = mem_printf("%s/%s", place, entry->d_name);
            kill_and_remove(group);
            free(group);
        } else {
            remove_if_orphan(place, entry->d_name);
        }
    }
    free(prefix);
    (void)closedir(dir); // only read
}

/* Fills in `path`, which becomes its own, and `memory_bytes`; NULL, and `path` freed, when it cannot be made. */
static struct cgroup *make(char *path, int64_t memory_bytes) {
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        free(path);
        return NULL;
    }
    struct cgroup *cgroup = mem_zalloc(1, sizeof *cgroup);
    cgroup->path = path;
    cgroup->memory_bytes = memory_bytes;
    if (memory_bytes > 0) {
        char text[NUM_TEXT_MAX];
        (void)snprintf(text, sizeof text, "%lld", (long long)memory_bytes); // fits
        (void)write_file(path, "memory.max", text); // without the controller the shim looks
        (void)write_file(path, "memory.swap.max", "0");
        (void)write_file(path, "memory.oom.group", "1"); // a trainer without half of it hangs
    }
    cgroup->seen = events_of(path);
    return cgroup;
}

struct cgroup *cgroup_open(const char *place, const char *folder, int slot, int64_t memory_bytes) {
    return place == NULL ? NULL
                         : make(mem_printf("%s/besom-%s-%d-%d", place, folder, (int)getpid(), slot),
                                memory_bytes);
}

struct cgroup *cgroup_renew(struct cgroup *cgroup) {
    if (cgroup == NULL) {
        return NULL;
    }
    char *path = mem_strdup(cgroup->path);
    int64_t memory_bytes = cgroup->memory_bytes;
    cgroup_close(cgroup);
    if (access(path, F_OK) == 0) { // something in it does not die: it stays, and is not used
        free(path);
        return NULL;
    }
    return make(path, memory_bytes);
}

void cgroup_close(struct cgroup *cgroup) {
    if (cgroup == NULL) {
        return;
    }
    kill_and_remove(cgroup->path);
    free(cgroup->path);
    free(cgroup);
}

const char *cgroup_path(const struct cgroup *cgroup) {
    return cgroup != NULL ? cgroup->path : NULL;
}

void cgroup_kill(const struct cgroup *cgroup) {
    if (cgroup != NULL) {
        (void)write_file(cgroup->path, "cgroup.kill",
                         "1"); // the tree below the shim is killed, too
    }
}

struct cgroup_events cgroup_new_events(struct cgroup *cgroup) {
    if (cgroup == NULL) {
        return (struct cgroup_events){0};
    }
    struct cgroup_events now = events_of(cgroup->path), before = cgroup->seen;
    cgroup->seen = now;
    return (struct cgroup_events){now.limit - before.limit, now.kills - before.kills};
}
