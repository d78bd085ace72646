#include "runner/worker.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/wire.h"
#include "runner/process.h"
#include "runner/trial_log.h"

#include <errno.h>
#include <fcntl.h> // O_CLOEXEC
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <uv.h>

/* More than a pipe holds: libuv reads again at once after a read that filled the buffer, and one worker
 * would have the loop to itself for as long as it prints. */
enum { CHUNK = 1 << 17, STREAM_COUNT = 2, CHILD_COUNT = 3 };

/* As much as any pipe can hold: what is read behind it after the process has ended is somebody else's. */
enum { LATE_MAX = 1 << 20 };

/* Workers belong to the main thread, and it reads one pipe at a time. */
static char chunk[CHUNK];

struct stream {
    uv_pipe_t pipe;
    struct worker *worker;
    bool is_stdout, at_end;
    size_t late;                 // bytes read since the process ended
    struct wire_splitter logged; // for the log
    struct wire_splitter taken;  // for the records, of stdout
    struct buf rest; // read and logged, but not taken yet: the worker was paused between two lines
};

struct worker {
    struct process process;
    uv_timer_t grace;
    struct stream stream[STREAM_COUNT];
    int handles; // not closed yet; the last one's callback frees the worker
    bool exited, paused, ended;
    int exit_status, signal;
    int report_fd; // -1: none
    struct trial_log log;
    struct worker_calls calls;
};

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle) {
    struct worker *w = handle->data;
    if (--w->handles > 0) {
        return;
    }
    for (int i = 0; i < STREAM_COUNT; i++) {
        wire_splitter_release(&w->stream[i].logged);
        wire_splitter_release(&w->stream[i].taken);
        buf_release(&w->stream[i].rest);
    }
    trial_log_close(&w->log);
    if (w->report_fd >= 0) {
        (void)close(w->report_fd); // only read
    }
    free(w);
}

static void close_handle(struct worker *w, void *handle) {
    uv_handle_t *h = handle;
    if (!uv_is_closing(h)) {
        h->data = w;
        uv_close(h, on_closed);
    }
}

static void close_all(struct worker *w) {
    if (w->process.has_handle) {
        close_handle(w, &w->process.child);
    }
    close_handle(w, &w->grace);
    for (int i = 0; i < STREAM_COUNT; i++) {
        close_handle(w, &w->stream[i].pipe);
    }
}

/* It was written before the process ended, so it is there or never will be. */
static bool read_report(const struct worker *w, struct shim_report *report) {
    return w->report_fd >= 0 && read(w->report_fd, report, sizeof *report) == sizeof *report;
}

static void finish(struct worker *w) {
    if (w->ended) {
        return;
    }
    w->ended = true;
    trial_log_flush(&w->log);
    struct worker_end end = {.exit_status = w->exit_status,
                             .signal = w->signal,
                             .log_cause = w->log.cause,
                             .tail = trial_log_tail(&w->log)};
    end.reported = read_report(w, &end.report);
    w->calls.ended(w->calls.context, &end);
    close_all(w);
}

static void finish_if_all_ended(struct worker *w) {
    if (w->exited && w->stream[0].at_end && w->stream[1].at_end) {
        finish(w);
    }
}

/* ---- lines ---- */

static void log_line(void *context, const char *text, size_t len, bool cut) {
    struct stream *s = context;
    trial_log_line(&s->worker->log, text, len, cut, s->is_stdout);
}

static void take_line(void *context, const char *text, size_t len, bool cut) {
    struct stream *s = context;
    s->worker->calls.line(s->worker->calls.context, text, len, cut);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(chunk, CHUNK);
}

static void note_dropped(struct stream *s) {
    char text[128];
    if (s->logged.dropped > 0) {
        (void)snprintf(text, sizeof text, "of lines longer than %d bytes, %llu bytes are left out",
                       WIRE_LINE_MAX, (unsigned long long)s->logged.dropped); // fits
        trial_log_note(&s->worker->log, text);
    }
}

static void end_stream(struct stream *s) {
    s->at_end = true;
    wire_end(&s->logged, log_line, s);
    note_dropped(s);
    trial_log_flush(&s->worker->log);
    wire_end(&s->taken, take_line, s);
    (void)uv_read_stop((uv_stream_t *)&s->pipe); // always succeeds
}

/* Takes lines of stdout until the worker is paused; what is left then waits. */
static void take(struct stream *s, const char *text, size_t len) {
    while (len > 0 && !s->worker->paused) {
        size_t used = wire_feed_line(&s->taken, text, len, take_line, s);
        text += used;
        len -= used;
    }
    if (len > 0) {
        buf_put(&s->rest, text, len);
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    struct stream *s = stream->data;
    if (n > 0) {
        s->late += s->worker->exited ? (size_t)n : 0;
        wire_feed(&s->logged, buf->base, (size_t)n, log_line, s);
        trial_log_flush(&s->worker->log); // first, so that it has what the runner dies of taking
        if (s->is_stdout) {
            take(s, buf->base, (size_t)n);
        }
    } else if (n < 0) { // 0: nothing there now
        end_stream(s);
        finish_if_all_ended(s->worker);
    }
}

static void read_on(struct stream *s) {
    struct buf rest = s->rest;
    s->rest = (struct buf){0};
    take(s, rest.data, rest.len);
    buf_release(&rest);
    if (!s->worker->paused && !s->at_end &&
        uv_read_start((uv_stream_t *)&s->pipe, on_alloc, on_read) != 0) {
        end_stream(s); // not for a pipe that is open
    }
}

void worker_pause(struct worker *w) {
    w->paused = true;
    for (int i = 0; i < STREAM_COUNT; i++) {
        (void)uv_read_stop((uv_stream_t *)&w->stream[i].pipe); // always succeeds
    }
}

void worker_resume(struct worker *w) {
    if (!w->paused) {
        return;
    }
    w->paused = false;
    for (int i = 0; i < STREAM_COUNT; i++) {
        read_on(&w->stream[i]);
    }
}

/* ---- the process ---- */

/* Whether the pipe holds what the process has printed and we had no time to read. */
static bool is_behind(const struct stream *s) {
    int fd, bytes = 0;
    return !s->at_end && s->late < LATE_MAX && uv_fileno((const uv_handle_t *)&s->pipe, &fd) == 0 &&
           ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* Somebody else holds the pipes.  Reading that is paused for the ledger's sake has not had its time, nor has
 * one that the loop was too busy for. */
static void on_grace(uv_timer_t *timer) {
    struct worker *w = timer->data;
    if (w->paused || is_behind(&w->stream[0]) || is_behind(&w->stream[1])) {
        (void)uv_timer_start(timer, on_grace, WORKER_GRACE_MS, 0); // fails while closing only
        return;
    }
    for (int i = 0; i < STREAM_COUNT; i++) {
        if (!w->stream[i].at_end) {
            end_stream(&w->stream[i]);
        }
    }
    trial_log_note(&w->log, "the process is gone, but something still holds its output; not read");
    finish(w);
}

static void on_process_end(struct process *process, int exit_status, int signal) {
    struct worker *w = process->child.data;
    w->exited = true;
    w->signal = signal;
    w->exit_status = exit_status;
    (void)uv_timer_start(&w->grace, on_grace, WORKER_GRACE_MS, 0); // fails while closing only
    finish_if_all_ended(w);
}

void worker_signal(struct worker *w, int number) {
    if (!w->exited) {
        (void)kill(w->process.pid, number); // ours until it is waited for
    }
}

int worker_pid(const struct worker *w) {
    return w->process.pid;
}

/* ---- starting ---- */

/* A pipe whose reading end is the stream's; the child's end is `*child`. */
static int open_stream(struct worker *w, struct stream *s, int *child, struct err *err) {
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) != 0) {
        return err_io(err, errno, "make a pipe");
    }
    int rc = uv_pipe_open(&s->pipe, fd[0]);
    if (rc != 0) {
        (void)close(fd[0]); // nothing was written through either
        (void)close(fd[1]);
        return err_set(err, ERR_IO, "open a pipe: %s", uv_strerror(rc));
    }
    s->pipe.data = s;
    s->worker = w;
    *child = fd[1];
    return ERR_OK;
}

/* A pipe for the shim's report, which fits into it: it never waits, and neither do we. */
static int open_report(struct worker *w, int *child, struct err *err) {
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) != 0) {
        return err_io(err, errno, "make a pipe");
    }
    (void)fcntl(fd[0], F_SETFL, O_NONBLOCK); // of an open pipe: succeeds
    w->report_fd = fd[0];
    *child = fd[1];
    return ERR_OK;
}

static int spawn(struct worker *w, uv_loop_t *loop, const struct worker_spec *spec,
                 const int child[CHILD_COUNT], struct err *err) {
    int count = spec->reports ? CHILD_COUNT : STREAM_COUNT; // the last is SHIM_REPORT_FD
    int rc =
        process_start(&w->process, loop, spec->argv, spec->env, child, count, on_process_end, err);
    w->process.child.data = w;
    w->handles += w->process.has_handle;
    return rc;
}

static struct worker *new_worker(uv_loop_t *loop, const struct worker_calls *calls) {
    struct worker *w = mem_zalloc(1, sizeof *w);
    w->calls = *calls;
    w->log.fd = w->report_fd = -1;
    w->stream[0].is_stdout = true;
    (void)uv_timer_init(loop, &w->grace); // these two always succeed
    w->grace.data = w;
    for (int i = 0; i < STREAM_COUNT; i++) {
        (void)uv_pipe_init(loop, &w->stream[i].pipe, 0);
    }
    w->handles = 1 + STREAM_COUNT;
    return w;
}

/* Opens the log and the pipes and starts the program; what was opened is the worker's. */
static int start(struct worker *w, uv_loop_t *loop, const struct worker_spec *spec,
                 int child[CHILD_COUNT], struct err *err) {
    int rc = trial_log_open(&w->log, spec->log_path, spec->attempt, spec->log_limit, err);
    if (rc == ERR_OK && (w->log.cause == ENOSPC || w->log.cause == EDQUOT)) {
        rc = err_io(err, w->log.cause, "write %s", spec->log_path); // before it has words to lose
    }
    for (int i = 0; i < STREAM_COUNT && rc == ERR_OK; i++) {
        rc = open_stream(w, &w->stream[i], &child[i], err);
    }
    if (rc == ERR_OK && spec->reports) {
        rc = open_report(w, &child[STREAM_COUNT], err);
    }
    rc = rc == ERR_OK ? spawn(w, loop, spec, child, err) : rc;
    if (rc != ERR_OK) {
        trial_log_undo(&w->log);
    }
    return rc;
}

int worker_start(struct worker **worker, uv_loop_t *loop, const struct worker_spec *spec,
                 const struct worker_calls *calls, struct err *err) {
    struct worker *w = new_worker(loop, calls);
    int child[CHILD_COUNT] = {-1, -1, -1};
    int rc = start(w, loop, spec, child, err);
    for (int i = 0; i < CHILD_COUNT; i++) {
        if (child[i] >= 0) {
            (void)close(child[i]); // the child has its own
        }
    }
    if (rc != ERR_OK) {
        close_all(w);
        return rc;
    }
    for (int i = 0; i < STREAM_COUNT; i++) {
        read_on(&w->stream[i]);
    }
    *worker = w;
    return ERR_OK;
}
