/* Waiting for a lock that another program holds on the file, and who that is. */
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "results/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

enum { WRITER_WAIT_MS = 60000, READER_WAIT_MS = 5000, STEP_MAX_MS = 100 };

/* ---- waiting ---- */

static int64_t now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool default_wait(const struct store *store, int waited_ms) {
    return waited_ms < (store->mode == STORE_WRITE ? WRITER_WAIT_MS : READER_WAIT_MS);
}

bool store_wait_again(struct store *store, int count) {
    const struct store_patience *p = &store->patience;
    if (!store->waiting) {
        store->waiting = true;
        store->waiting_since_ms = now_ms();
    }
    int step_ms = count < STEP_MAX_MS ? count + 1 : STEP_MAX_MS; // most locks are held for a moment
    struct timespec pause = {.tv_nsec = step_ms * 1000000L};
    (void)nanosleep(&pause, NULL); // cut short by a signal: asked again the sooner
    int waited_ms = (int)(now_ms() - store->waiting_since_ms);
    bool go_on =
        p->wait != NULL ? p->wait(p->context, store, waited_ms) : default_wait(store, waited_ms);
    if (!go_on) {
        store->waiting = false; // `over` is not called
    }
    return go_on;
}

/* SQLite's busy handler: 0 gives up.  `count` calls came before for the same lock. */
static int on_busy(void *context, int count) {
    return store_wait_again(context, count);
}

void store_wait_init(struct store *store) {
    (void)sqlite3_busy_handler(store->db, on_busy, store); // fails for no connection only
}

void store_wait_over(struct store *store) {
    if (store->waiting && !store->retrying) {
        store->waiting = false;
        if (store->patience.over != NULL) {
            store->patience.over(store->patience.context, store);
        }
    }
}

void store_set_patience(struct store *store, const struct store_patience *patience) {
    store->patience = *patience;
}

struct store_patience store_get_patience(const struct store *store) {
    return store->patience;
}

/* ---- who it is ---- */

/* "sqlite3, process 4711"; its name may be gone already, or be another user's affair */
static void put_process(struct buf *out, int pid) {
    char path[64], name[32] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/comm", pid); // fits
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fgets(name, sizeof name, file) == NULL) {
            name[0] = '\0';
        }
        (void)fclose(file); // only read
    }
    name[strcspn(name, "\n")] = '\0';
    buf_printf(out, "%s%sprocess %d", name, name[0] == '\0' ? "" : ", ", pid);
}

struct inode {
    bool known;
    unsigned major, minor;
    unsigned long long number;
};

static struct inode inode_of(const char *path) {
    struct stat st;
    return stat(path, &st) == 0
               ? (struct inode){true, major(st.st_dev), minor(st.st_dev), st.st_ino}
               : (struct inode){0};
}

/* The process of a line of /proc/locks that is a lock on one of the files and not ours; 0: of none.
 *
 *     1: POSIX  ADVISORY  WRITE 4711 08:01:131 120 120
 *     1: -> POSIX ...              a process that waits                                            */
static int holder_in(const char *line, const struct inode *inodes, int count) {
    unsigned major_id, minor_id;
    unsigned long long number;
    int pid;
    if (sscanf(line, "%*d: POSIX %*s %*s %d %x:%x:%llu", &pid, &major_id, &minor_id, &number) !=
            4 ||
        pid <= 0 || pid == (int)getpid()) {
        return 0;
    }
    for (int i = 0; i < count; i++) {
        const struct inode *n = &inodes[i];
        if (n->known && n->number == number && n->major == major_id && n->minor == minor_id) {
            return pid;
        }
    }
    return 0;
}

/* Prefers who writes, of those that hold something. */
static int find_holder(const struct inode *inodes, int count) {
    char line[256];
    int found = 0;
    FILE *file = fopen("/proc/locks", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        int pid = holder_in(line, inodes, count);
        if (pid > 0 && (found == 0 || strstr(line, " WRITE ") != NULL)) {
            found = pid;
        }
    }
    if (file != NULL) {
        (void)fclose(file); // only read
    }
    return found;
}

char *store_describe_lock(const struct store *store) {
    char *shm = mem_printf("%s-shm", store->path);
    const struct inode inodes[] = {inode_of(store->path), inode_of(shm)};
    free(shm);
    int pid = find_holder(inodes, 2);
    struct buf text = {0};
    buf_printf(&text, "%s: locked by another program", store->path);
    if (pid > 0) {
        buf_puts(&text, " (");
        put_process(&text, pid);
        buf_puts(&text, ")");
    }
    return buf_detach(&text);
}
