#include "runner/shim_tree.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64 }; // killing from above makes deeper ones our own children

static void visit_below(pid_t pid, tree_visit_fn *visit, void *context, int depth);

/* /proc/PID/task/TID/children: "12 13 " */
static void visit_children_of_thread(pid_t pid, const char *tid, tree_visit_fn *visit,
                                     void *context, int depth) {
    char path[80], text[32];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%.16s/children", (int)pid, tid); // fits
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return; // it has died meanwhile; its children are ours now, and found the next time
    }
    while (fscanf(file, "%31s", text) == 1) {
        pid_t child = (pid_t)atoi(text);
        if (child > 1) {
            visit(child, context); // before its children: who is killed starts no more of them
            visit_below(child, visit, context, depth + 1);
        }
    }
    (void)fclose(file); // only read
}

static void visit_below(pid_t pid, tree_visit_fn *visit, void *context, int depth) {
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid); // fits
    DIR *threads = depth < DEPTH_MAX ? opendir(path) : NULL;
    if (threads == NULL) {
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(threads)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            visit_children_of_thread(pid, entry->d_name, visit, context, depth);
        }
    }
    (void)closedir(threads); // only read
}

void tree_children(pid_t pid, tree_visit_fn *visit, void *context) {
    visit_below(pid, visit, context, DEPTH_MAX - 1);
}

/* ---- signals ---- */

static void signal_one(pid_t pid, void *context) {
    (void)kill(pid, *(const int *)context); // it may have died meanwhile
}

void tree_signal(pid_t pid, int number) {
    visit_below(pid, signal_one, &number, 0);
}

/* ---- memory ---- */

/* Adds up the lines "NAME:   123 kB" of a file of /proc. */
static int64_t sum_of(pid_t pid, const char *name, const char *const *fields, int count) {
    char path[48], line[256];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name); // fits
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0; // it has died meanwhile
    }
    int64_t sum = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        for (int i = 0; i < count; i++) {
            size_t len = strlen(fields[i]);
            if (strncmp(line, fields[i], len) == 0) {
                sum += 1024 * strtoll(line + len, NULL, 10);
            }
        }
    }
    (void)fclose(file); // only read
    return sum;
}

static void add_private(pid_t pid, void *context) {
    static const char *const fields[] = {"RssAnon:", "RssShmem:"};
    *(int64_t *)context += sum_of(pid, "status", fields, 2);
}

int64_t tree_private_bytes(pid_t pid) {
    int64_t sum = 0;
    visit_below(pid, add_private, &sum, 0);
    return sum;
}

static void add_proportional(pid_t pid, void *context) {
    static const char *const fields[] = {"Pss_Anon:", "Pss_Shmem:"};
    int64_t bytes = sum_of(pid, "smaps_rollup", fields, 2);
    if (bytes == 0) { // not for us to read, or of a kernel before 5.4
        add_private(pid, &bytes);
    }
    *(int64_t *)context += bytes;
}

int64_t tree_proportional_bytes(pid_t pid) {
    int64_t sum = 0;
    visit_below(pid, add_proportional, &sum, 0);
    return sum;
}
