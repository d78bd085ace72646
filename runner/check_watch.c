#include "runner/check_watch.h"

#include "base/err.h"
#include "base/mem.h"
#include "runner/launch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <uv.h>

#define CHANGES                                                                                    \
    (IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR)

struct folder {
    int id; // of inotify
    char *path;
};

struct check_watch {
    uv_poll_t poll;
    int fd;
    struct folder folder[CHECK_FOLDERS_MAX]; // [0] is the trainer's
    int count;
    bool stopped;
    check_change_fn *fn;
    void *context;
};

/* A folder that cannot be watched, e.g. as it is gone again, is left alone. */
static bool add_folder(struct check_watch *w, const char *path) {
    int id = w->count < CHECK_FOLDERS_MAX ? inotify_add_watch(w->fd, path, CHANGES) : -1;
    if (id < 0) {
        return false;
    }
    w->folder[w->count++] = (struct folder){id, mem_strdup(path)};
    return true;
}

static const struct folder *find_folder(const struct check_watch *w, int id) {
    for (int i = 0; i < w->count; i++) {
        if (w->folder[i].id == id) {
            return &w->folder[i];
        }
    }
    return NULL;
}

static const char *verb(uint32_t mask) {
    static const struct {
        uint32_t bit;
        const char *word;
    } verbs[] = {{IN_CREATE, "made"},      {IN_MODIFY, "written"},   {IN_CLOSE_WRITE, "closed"},
                 {IN_MOVED_TO, "renamed"}, {IN_MOVED_FROM, "moved"}, {IN_DELETE, "removed"}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (mask & verbs[i].bit) {
            return verbs[i].word;
        }
    }
    return "changed";
}

static void take(struct check_watch *w, const struct inotify_event *event) {
    const struct folder *folder = find_folder(w, event->wd);
    if (folder == NULL || event->len == 0 ||
        (folder == &w->folder[0] && launch_is_runners(event->name))) {
        return; // of the folder itself, or the queue overflowed
    }
    w->fn(w->context, event->name, verb(event->mask));
    if (!w->stopped && (event->mask & IN_ISDIR) && (event->mask & (IN_CREATE | IN_MOVED_TO))) {
        char *path = mem_printf("%s/%s", folder->path, event->name);
        (void)add_folder(w, path);
        free(path);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)events;
    struct check_watch *w = poll->data;
    _Alignas(struct inotify_event) char chunk[4096];
    ssize_t n = status == 0 ? read(w->fd, chunk, sizeof chunk) : 0;
    for (ssize_t at = 0; at < n && !w->stopped;) { // n < 0: EAGAIN
        const struct inotify_event *event = (const void *)(chunk + at);
        take(w, event);
        at += (ssize_t)(sizeof *event + event->len);
    }
}

static void on_closed(uv_handle_t *handle) {
    struct check_watch *w = handle->data;
    (void)close(w->fd); // only read
    for (int i = 0; i < w->count; i++) {
        free(w->folder[i].path);
    }
    free(w);
}

int check_watch_start(struct check_watch **watch, uv_loop_t *loop, const char *dir,
                      check_change_fn *fn, void *context, struct err *err) {
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) {
        return err_io(err, errno, "watch %s", dir);
    }
    struct check_watch *w = mem_zalloc(1, sizeof *w);
    w->fd = fd;
    w->fn = fn;
    w->context = context;
    int rc = uv_poll_init(loop, &w->poll, fd);
    if (rc != 0) {
        (void)close(fd);
        free(w);
        return err_set(err, ERR_IO, "watch %s: %s", dir, uv_strerror(rc));
    }
    w->poll.data = w;
    if (!add_folder(w, dir)) {
        int cause = errno;
        check_watch_stop(w);
        return err_io(err, cause, "watch %s", dir);
    }
    (void)uv_poll_start(&w->poll, UV_READABLE, on_readable); // not closing: succeeds
    *watch = w;
    return ERR_OK;
}

void check_watch_stop(struct check_watch *watch) {
    if (watch != NULL && !watch->stopped) {
        watch->stopped = true;
        uv_close((uv_handle_t *)&watch->poll, on_closed);
    }
}
