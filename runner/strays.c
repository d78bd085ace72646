#include "runner/strays.h"

#include "base/mem.h"
#include "runner/shim_tree.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct hunt {
    const struct strays *strays;
    const pid_t *known;
    int known_count, found;
};

static bool is_in(pid_t pid, const pid_t *list, int count) {
    for (int i = 0; i < count; i++) {
        if (list[i] == pid) {
            return true;
        }
    }
    return false;
}

static void remember(pid_t pid, void *context) {
    struct strays *s = context;
    s->before = mem_resize(s->before, (size_t)s->before_count + 1, sizeof *s->before);
    s->before[s->before_count++] = pid;
}

static void kill_stray(pid_t pid, void *context) {
    struct hunt *hunt = context;
    if (is_in(pid, hunt->known, hunt->known_count) ||
        is_in(pid, hunt->strays->before, hunt->strays->before_count)) {
        return;
    }
    hunt->found++;
    (void)kill(pid, SIGKILL); // it may be dead already
    tree_signal(pid, SIGKILL);
    (void)waitpid(pid, NULL, WNOHANG); // else the next time
}

void strays_init(struct strays *strays) {
    *strays = (struct strays){0};
    tree_children(getpid(), remember, strays);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1); // known to every kernel since 3.4
}

void strays_release(struct strays *strays) {
    (void)prctl(PR_SET_CHILD_SUBREAPER, 0); // as above
    free(strays->before);
    *strays = (struct strays){0};
}

void strays_kill(const struct strays *strays, const pid_t *known, int known_count) {
    enum { PAUSE_MS = 2 }; // a little later its children are ours, too
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    for (int ms = 0; ms < STRAYS_GIVE_UP_MS; ms += PAUSE_MS) {
        struct hunt hunt = {strays, known, known_count, 0};
        tree_children(getpid(), kill_stray, &hunt);
        if (hunt.found == 0) {
            return;
        }
        (void)nanosleep(&pause, NULL); // shorter is harmless
    }
}
