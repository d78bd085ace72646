#include "runner/loop.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

/* The first loop of a process aborts when it gets no pipe for signals, which it makes behind its epoll. */
static int look_for_descriptors(struct err *err) {
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) != 0) {
        return err_io(err, errno, "start the event loop: make a pipe");
    }
    int third = fcntl(fd[0], F_DUPFD_CLOEXEC, 0);
    int rc = third >= 0 ? ERR_OK : err_io(err, errno, "start the event loop");
    if (third >= 0) {
        (void)close(third); // nothing was written to any of them
    }
    (void)close(fd[0]);
    (void)close(fd[1]);
    return rc;
}

int loop_init(uv_loop_t *loop, struct err *err) {
    // Refused only when it is called with NULL.  uv_* would abort(), or fail in ways that look like others.
    (void)uv_replace_allocator(mem_malloc, mem_realloc, mem_calloc, free);
    int rc = look_for_descriptors(err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = uv_loop_init(loop);
    return rc == 0 ? ERR_OK : err_io(err, -rc, "start the event loop"); // libuv negates errno
}
