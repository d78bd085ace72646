#include "runner/checker.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    CHUNK = 1 << 16,
    GRACE_MS = 2000, // from the end of its input to SIGKILL
    LOOK_MS = 1,     // how often it is looked whether it has ended
};

struct checker {
    char *program;
    pid_t pid;
    int to, from, words; // its stdin, stdout, stderr; -1 when closed
    int silence_ms;
    struct buf out; // to be sent
    size_t sent;
    struct buf in; // received; lines up to `taken` are done
    size_t taken;
    size_t searched; // no newline before here
    struct buf tail; // the end of its stderr
    bool reaped;
    int status;
};

/* ---- starting ---- */

struct ends {
    int in[2], out[2], words[2], broken[2]; // ours is the first; `broken` tells that exec failed
};

static void close_all(const int *fds, int count) {
    for (int i = 0; i < count; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]); // pipes have nothing to lose
        }
    }
}

static int open_ends(struct ends *ends, struct err *err) {
    *ends = (struct ends){{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends->in) != 0 ||
        pipe2(ends->out, O_CLOEXEC) != 0 || pipe2(ends->words, O_CLOEXEC) != 0 ||
        pipe2(ends->broken, O_CLOEXEC) != 0 || fcntl(ends->in[0], F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(ends->out[0], F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(ends->words[0], F_SETFL, O_NONBLOCK) != 0) {
        int saved = errno;
        close_all(&ends->in[0], sizeof *ends / sizeof(int));
        return err_io(err, saved, "open pipes");
    }
    return ERR_OK;
}

/* In the child, between fork and exec: only what a signal handler may do. */
static void become(char *const argv[], const struct ends *ends, pid_t parent) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    (void)sigemptyset(&none); // cannot fail
    bool good = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
                sigaction(SIGPIPE, &standard, NULL) == 0 &&
                sigprocmask(SIG_SETMASK, &none, NULL) == 0 && dup2(ends->in[1], 0) >= 0 &&
                dup2(ends->out[1], 1) >= 0 && dup2(ends->words[1], 2) >= 0;
    if (good) {
        (void)execv(argv[0], argv); // comes back only when it failed
    }
    int failure = errno;
    (void)!write(ends->broken[1], &failure, sizeof failure); // else the parent sees a death
    _exit(127);
}

/* 0 when the exec has happened, else its errno. */
static int exec_failure(int fd) {
    int failure = 0;
    ssize_t n;
    do {
        n = read(fd, &failure, sizeof failure);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof failure ? failure : 0;
}

int checker_open(struct checker **checker, char *const argv[], int silence_ms, struct err *err) {
    struct ends ends;
    if (open_ends(&ends, err) != ERR_OK) {
        return err->code;
    }
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        become(argv, &ends, parent);
    }
    int saved = errno;
    close_all((int[]){ends.in[1], ends.out[1], ends.words[1], ends.broken[1]}, 4);
    int failure = pid < 0 ? saved : exec_failure(ends.broken[0]);
    (void)close(ends.broken[0]); // a pipe has nothing to lose
    if (failure != 0) {
        if (pid > 0) {
            (void)waitpid(pid, NULL, 0); // it is ours and about to end: nothing can go wrong
        }
        close_all((int[]){ends.in[0], ends.out[0], ends.words[0]}, 3);
        return err_io(err, failure, "start %s", argv[0]);
    }
    struct checker *c = mem_zalloc(1, sizeof *c);
    *c = (struct checker){.program = mem_strdup(argv[0]),
                          .pid = pid,
                          .to = ends.in[0],
                          .from = ends.out[0],
                          .words = ends.words[0],
                          .silence_ms = silence_ms};
    *checker = c;
    return ERR_OK;
}

/* ---- its end ---- */

static void close_end(int *fd) {
    if (*fd >= 0) {
        (void)close(*fd); // a pipe has nothing to lose
        *fd = -1;
    }
}

static int64_t now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Waits for the process, kills it when it takes longer than the grace. */
static void reap(struct checker *checker) {
    if (checker->reaped) {
        return;
    }
    pid_t ended = 0;
    int64_t deadline_ms = now_ms() + GRACE_MS; // a look can take much longer than LOOK_MS
    while (ended == 0 && now_ms() < deadline_ms) {
        ended = waitpid(checker->pid, &checker->status, WNOHANG);
        if (ended == 0) {
            (void)poll(NULL, 0, LOOK_MS); // interrupted, it looks sooner
        }
    }
    if (ended == 0) {
        (void)kill(checker->pid, SIGKILL); // not reaped: it is still ours
        while (waitpid(checker->pid, &checker->status, 0) < 0 && errno == EINTR) {
        }
    }
    checker->reaped = true;
}

void checker_close(struct checker *checker) {
    if (checker == NULL) {
        return;
    }
    close_end(&checker->to);
    close_end(&checker->from);
    close_end(&checker->words);
    reap(checker);
    buf_release(&checker->out);
    buf_release(&checker->in);
    buf_release(&checker->tail);
    free(checker->program);
    free(checker);
}

/* ---- moving bytes ---- */

static void send_some(struct checker *checker) {
    ssize_t n = send(checker->to, checker->out.data + checker->sent,
                     checker->out.len - checker->sent, MSG_NOSIGNAL);
    if (n > 0) {
        checker->sent += (size_t)n;
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        close_end(&checker->to); // it reads no more; what it has to say comes on its stdout
    }
    if (checker->sent == checker->out.len) {
        buf_clear(&checker->out);
        checker->sent = 0;
    }
}

/* Appends what there is to read, closes at the end. */
static void read_some(int *fd, struct buf *into) {
    char *room = buf_reserve(into, CHUNK);
    ssize_t n = read(*fd, room, CHUNK);
    if (n > 0) {
        into->len += (size_t)n;
        into->data[into->len] = '\0';
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_end(fd);
    }
}

static void read_words(struct checker *checker) {
    struct buf *tail = &checker->tail;
    read_some(&checker->words, tail);
    if (tail->len > CHECKER_TAIL_MAX) {
        memmove(tail->data, tail->data + tail->len - CHECKER_TAIL_MAX, CHECKER_TAIL_MAX + 1);
        tail->len = CHECKER_TAIL_MAX;
    }
}

/* Waits at most `timeout_ms` for something to move; false when nothing did. */
static bool pump(struct checker *checker, int timeout_ms) {
    bool sending = checker->to >= 0 && checker->out.len > checker->sent;
    struct pollfd fds[] = {{.fd = checker->from, .events = POLLIN},
                           {.fd = checker->words, .events = POLLIN},
                           {.fd = sending ? checker->to : -1, .events = POLLOUT}};
    int n = poll(fds, 3, timeout_ms);
    if (n < 0 && errno == EINTR) {
        return true;
    }
    if (fds[0].revents != 0) {
        read_some(&checker->from, &checker->in);
    }
    if (fds[1].revents != 0) {
        read_words(checker);
    }
    if (fds[2].revents != 0) {
        send_some(checker);
    }
    return n > 0;
}

/* ---- configs and answers ---- */

void checker_put(struct checker *checker, const struct cJSON *config) {
    json_print(&checker->out, config);
    buf_putc(&checker->out, '\n');
}

/* ": its last words", on one line. */
static void put_tail(struct buf *out, const struct checker *checker) {
    size_t len = checker->tail.len;
    while (len > 0 && strchr("\n\r \t", checker->tail.data[len - 1]) != NULL) {
        len--;
    }
    if (len > 0) {
        buf_puts(out, ": ");
        for (size_t i = 0; i < len; i++) {
            char c = checker->tail.data[i];
            buf_putc(out, (unsigned char)c < ' ' ? ' ' : c);
        }
    }
}

/* The answers have ended before they should: why? */
static int fail_ended(struct checker *checker, struct err *err) {
    struct buf why = {0};
    close_end(&checker->to);
    reap(checker);
    while (checker->words >= 0 && pump(checker, 0)) {
    }
    if (WIFSIGNALED(checker->status)) {
        int number = WTERMSIG(checker->status);
        buf_printf(&why, "was killed by signal %d (%s)", number, strsignal(number));
    } else {
        buf_printf(&why, "left with status %d", WEXITSTATUS(checker->status));
    }
    buf_puts(&why, " instead of answering");
    put_tail(&why, checker);
    (void)err_set(err, ERR_PARSE, "%s check %s", checker->program, buf_text(&why));
    buf_release(&why);
    return err->code;
}

static int fail(struct checker *checker, const char *what, struct err *err) {
    struct buf tail = {0};
    put_tail(&tail, checker);
    (void)err_set(err, ERR_PARSE, "%s check %s%s", checker->program, what, buf_text(&tail));
    buf_release(&tail);
    return err->code;
}

/* The end of the first line that is not taken; NULL while there is none. */
static const char *line_end(struct checker *checker) {
    if (checker->in.len == checker->searched) {
        return NULL;
    }
    const char *end =
        memchr(checker->in.data + checker->searched, '\n', checker->in.len - checker->searched);
    if (end == NULL) {
        checker->searched = checker->in.len;
    }
    return end;
}

/* Forgets the lines that are taken, once they are most of what is kept. */
static void compact(struct checker *checker) {
    struct buf *in = &checker->in;
    if (checker->taken > in->len / 2) {
        memmove(in->data, in->data + checker->taken, in->len - checker->taken + 1);
        in->len -= checker->taken;
        checker->searched -= checker->taken;
        checker->taken = 0;
    }
}

static int await_line(struct checker *checker, const char **end, struct err *err) {
    compact(checker);
    while ((*end = line_end(checker)) == NULL) {
        if (checker->in.len - checker->taken > CHECKER_ANSWER_MAX) {
            return fail(checker, "answers without end", err);
        }
        if (checker->from < 0) {
            return fail_ended(checker, err);
        }
        if (!pump(checker, checker->silence_ms)) {
            return fail(checker, "does not answer", err);
        }
    }
    return ERR_OK;
}

static bool is_answer(const struct cJSON *root) {
    const struct cJSON *ok = json_type(root) == JSON_OBJECT ? json_get(root, "ok") : NULL;
    return ok != NULL && json_type(ok) == JSON_BOOL;
}

int checker_get(struct checker *checker, struct json_doc **answer, struct err *err) {
    const char *end;
    int rc = await_line(checker, &end, err);
    if (rc != ERR_OK) {
        return rc;
    }
    const char *line = checker->in.data + checker->taken;
    size_t len = (size_t)(end - line);
    struct json_doc *doc = NULL;
    struct err bad;
    if (json_parse(&doc, "answer", line, len, JSON_STRICT, &bad) != ERR_OK ||
        !is_answer(json_root(doc))) {
        json_free(doc);
        return err_set(err, ERR_PARSE,
                       "%s check answered something else than {\"ok\": ...}: %.*s%s",
                       checker->program, len > 80 ? 80 : (int)len, line, len > 80 ? "..." : "");
    }
    checker->taken += len + 1;
    checker->searched = checker->taken;
    *answer = doc;
    return ERR_OK;
}
