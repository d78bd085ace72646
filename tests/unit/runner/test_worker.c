#include "runner/worker.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/wire.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

enum { LIMIT = 1 << 20 };

struct fixture {
    char dir[32], log[64];
    uv_loop_t loop;
    uv_timer_t timer;
    uv_async_t async; // of one test
    struct worker *worker;
    bool reports;
    void (*on_timer)(struct fixture *f);
    void (*on_line)(struct fixture *f);

    int lines, cuts, ends, lines_when_paused;
    size_t longest;
    char last[256]; // the last line, cut
    struct worker_end end;
    char *tail;
};

static int setup(void **state) {
    struct fixture *f = mem_zalloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/test_worker.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->log, sizeof f->log, "%s/log", f->dir);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(uv_timer_init(&f->loop, &f->timer), 0);
    f->timer.data = f;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    uv_close((uv_handle_t *)&f->timer, NULL);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    char *command = mem_printf("rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    free(command);
    free(f->tail);
    free(f);
    return 0;
}

static void line(void *context, const char *text, size_t len, bool cut) {
    struct fixture *f = context;
    f->lines++;
    f->cuts += cut;
    f->longest = len > f->longest ? len : f->longest;
    (void)snprintf(f->last, sizeof f->last, "%.*s", (int)(len < 200 ? len : 200), text);
    if (f->on_line != NULL) {
        f->on_line(f);
    }
}

static void ended(void *context, const struct worker_end *end) {
    struct fixture *f = context;
    f->ends++;
    f->end = *end;
    f->tail = end->tail;
    (void)uv_timer_stop(&f->timer); // always succeeds
}

static int start(struct fixture *f, char **argv, int attempt, struct err *err) {
    char *env[] = {mem_strdup("PATH=/usr/bin:/bin"), NULL};
    const struct worker_spec spec = {.argv = argv,
                                     .env = env,
                                     .log_path = f->log,
                                     .attempt = attempt,
                                     .log_limit = LIMIT,
                                     .reports = f->reports};
    const struct worker_calls calls = {line, ended, f};
    int rc = worker_start(&f->worker, &f->loop, &spec, &calls, err);
    free(env[0]);
    return rc;
}

static void start_shell(struct fixture *f, const char *script) {
    char *argv[] = {mem_strdup("/bin/sh"), mem_strdup("-c"), mem_strdup(script), NULL};
    struct err err;
    if (start(f, argv, 1, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    for (int i = 0; i < 3; i++) {
        free(argv[i]);
    }
}

static void run_shell(struct fixture *f, const char *script) {
    start_shell(f, script);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT); // returns when no handle is active
    assert_int_equal(f->ends, 1);
}

static void fire(uv_timer_t *timer) {
    struct fixture *f = timer->data;
    f->on_timer(f);
}

static void after(struct fixture *f, uint64_t ms, void (*fn)(struct fixture *f)) {
    f->on_timer = fn;
    (void)uv_timer_start(&f->timer, fire, ms, 0); // not closing
}

static char *read_log(struct fixture *f, size_t *size) {
    FILE *file = fopen(f->log, "re");
    assert_non_null(file);
    char *text = mem_zalloc(4 * LIMIT, 1);
    *size = fread(text, 1, 4 * LIMIT - 1, file);
    (void)fclose(file);
    return text;
}

static void assert_log_has(struct fixture *f, const char *text) {
    size_t size;
    char *log = read_log(f, &size);
    if (strstr(log, text) == NULL) {
        fail_msg("no \"%s\" in the log:\n%s", text, log);
    }
    free(log);
}

/* ---- tests ---- */

static void lines_come_before_the_end_and_stderr_goes_to_the_log_alone(void **state) {
    struct fixture *f = *state;
    run_shell(f, "echo one; echo oops >&2; printf 'last without newline'");
    assert_int_equal(f->lines, 2);
    assert_string_equal(f->last, "last without newline");
    assert_log_has(f, "one\n");
    assert_log_has(f, "oops\n");
    assert_log_has(f, "last without newline\n");
    assert_log_has(f, "--- attempt 1, 20");
}

static void exit_status_and_signal_are_told(void **state) {
    struct fixture *f = *state;
    run_shell(f, "exit 85");
    assert_int_equal(f->end.exit_status, 85);
    assert_int_equal(f->end.signal, 0);
    free(f->tail);
    f->ends = 0;
    run_shell(f, "kill -SEGV $$");
    assert_int_equal(f->end.exit_status, -1);
    assert_int_equal(f->end.signal, SIGSEGV);
}

static void ten_megabytes_without_a_newline_are_one_cut_line(void **state) {
    struct fixture *f = *state;
    run_shell(f, "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo after");
    assert_int_equal(f->lines, 2);
    assert_int_equal(f->cuts, 1);
    assert_int_equal(f->longest, WIRE_LINE_MAX);
    assert_string_equal(f->last, "after");
    struct stat st;
    assert_int_equal(stat(f->log, &st), 0);
    assert_in_range(st.st_size, WIRE_LINE_MAX, WIRE_LINE_MAX + 500);
    assert_log_has(f, "--- of lines longer than 65536 bytes, 9934464 bytes are left out\n");
}

static void a_log_that_overflows_keeps_beginning_and_end(void **state) {
    struct fixture *f = *state;
    run_shell(
        f,
        "echo the very beginning; yes 'this goes on and on' | head -n 200000; echo the very end");
    assert_int_equal(f->lines, 200002);
    struct stat st;
    assert_int_equal(stat(f->log, &st), 0);
    assert_in_range(st.st_size, LIMIT / 2 - 100, LIMIT / 2 + 100);
    assert_log_has(f, "the very beginning");
    assert_non_null(strstr(f->tail, "the very end"));
    strcat(f->log, ".tail");
    assert_log_has(f, "the very end");
    assert_int_equal(stat(f->log, &st), 0);
    assert_in_range(st.st_size, 1, LIMIT / 4);
}

static void a_later_attempt_is_appended(void **state) {
    struct fixture *f = *state;
    run_shell(f, "echo first");
    free(f->tail);
    f->ends = 0;
    int fd = open(f->log, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "half a li", 9), 9); // of a runner that was killed
    (void)close(fd);
    char *argv[] = {mem_strdup("/bin/echo"), mem_strdup("second"), NULL};
    struct err err;
    assert_int_equal(start(f, argv, 2, &err), ERR_OK);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_log_has(f, "first\nhalf a li\n--- attempt 2, 20");
    assert_log_has(f, "Z\nsecond\n");
    free(argv[0]);
    free(argv[1]);
}

static void closing_stdout_is_not_the_end(void **state) {
    struct fixture *f = *state;
    uint64_t start_ns = uv_hrtime();
    run_shell(f, "echo one; exec >&- 2>&-; sleep 0.6; exit 4");
    assert_in_range((uv_hrtime() - start_ns) / 1000000, 600, 5000);
    assert_int_equal(f->end.exit_status, 4);
    assert_int_equal(f->lines, 1);
}

static void a_leftover_that_holds_the_pipe_is_not_waited_for(void **state) {
    struct fixture *f = *state;
    uint64_t start_ns = uv_hrtime();
    run_shell(f, "(trap '' HUP; echo $$ >/dev/null; exec sleep 3) & echo mine; exit 0");
    assert_in_range((uv_hrtime() - start_ns) / 1000000, WORKER_GRACE_MS - 50, 2500);
    assert_string_equal(f->last, "mine");
    assert_log_has(f, "still holds its output");
}

static void resume(struct fixture *f) {
    f->lines_when_paused = f->lines;
    f->on_line = NULL;
    worker_resume(f->worker);
}

static void worker_resume_it(struct fixture *f) {
    worker_resume(f->worker);
}

static void pause_once(struct fixture *f) {
    worker_pause(f->worker);
}

static void a_paused_worker_is_not_read_and_loses_nothing(void **state) {
    struct fixture *f = *state;
    f->on_line = pause_once;
    // It ends while it is paused, and stays so for longer than the grace.
    start_shell(f, "echo first; sleep 0.2; for i in 1 2 3 4 5 6 7 8 9; do echo line $i; done");
    after(f, 3 * WORKER_GRACE_MS, resume);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->lines_when_paused, 1);
    assert_int_equal(f->lines, 10);
    assert_string_equal(f->last, "line 9");
}

static void resume_and_be_busy(uv_async_t *async) {
    struct fixture *f = async->data;
    uv_close((uv_handle_t *)async, NULL);
    resume(f);
    (void)usleep(2000 * WORKER_GRACE_MS); // the loop's next round begins with the grace's end
}

static void send_async(struct fixture *f) {
    assert_int_equal(uv_async_send(&f->async), 0);
}

static void a_loop_that_is_busy_past_the_grace_loses_nothing(void **state) {
    struct fixture *f = *state;
    f->on_line = pause_once;
    assert_int_equal(uv_async_init(&f->loop, &f->async, resume_and_be_busy), 0);
    f->async.data = f;
    start_shell(f, "echo first; sleep 0.2; for i in 1 2 3 4 5 6 7 8 9; do echo line $i; done");
    after(f, 3 * WORKER_GRACE_MS, send_async);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->lines, 10);
}

static void a_leftover_that_prints_for_ever_is_not_waited_for(void **state) {
    struct fixture *f = *state;
    uint64_t start_ns = uv_hrtime();
    run_shell(f, "(trap '' HUP; exec yes) & exit 0"); // ends by SIGPIPE when we close
    assert_true(uv_hrtime() - start_ns < UINT64_C(60000000000));
}

static void pausing_stops_between_two_lines(void **state) {
    struct fixture *f = *state;
    f->on_line = pause_once;
    // One write, so that all is read at once; the last line has no end.
    start_shell(f, "printf 'one\\ntwo\\nthree\\nfour'; echo of stderr >&2");
    after(f, 3 * WORKER_GRACE_MS, resume);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->lines_when_paused, 1);
    assert_int_equal(f->lines, 4);
    assert_string_equal(f->last, "four");
    assert_log_has(f, "one\ntwo\nthree\n");
    assert_log_has(f, "of stderr\n");
}

static void look_into_log(struct fixture *f) {
    assert_log_has(f, "one\ntwo\nthree\n");
}

/* A runner that is killed by what it does with a line has it in the log, and those that came with it. */
static void lines_are_in_the_log_before_they_are_told(void **state) {
    struct fixture *f = *state;
    f->on_line = look_into_log;
    run_shell(f, "printf 'one\\ntwo\\nthree\\n'");
    assert_int_equal(f->lines, 3);
}

static void pause_again(struct fixture *f) {
    worker_pause(f->worker);
    after(f, 1, worker_resume_it);
}

static void a_worker_that_is_paused_at_every_line_loses_nothing(void **state) {
    struct fixture *f = *state;
    f->on_line = pause_again;
    start_shell(
        f,
        "i=0; while [ $i -lt 100 ]; do i=$((i + 1)); echo line $i; echo to the log $i >&2; done");
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->lines, 100);
    assert_string_equal(f->last, "line 100");
    assert_log_has(f, "to the log 100\n");
}

static void terminate(struct fixture *f) {
    worker_signal(f->worker, SIGTERM);
}

static void a_signal_reaches_the_process(void **state) {
    struct fixture *f = *state;
    f->on_line = terminate;
    run_shell(f, "trap 'echo asked; exit 85' TERM; echo ready; while :; do sleep 0.05; done");
    assert_int_equal(f->end.exit_status, 85);
    assert_string_equal(f->last, "asked");
}

static void a_program_that_is_not_there_is_an_error(void **state) {
    struct fixture *f = *state;
    char *argv[] = {mem_strdup("/nonexistent/program"), NULL};
    struct err err;
    assert_int_equal(start(f, argv, 1, &err), ERR_IO);
    assert_non_null(strstr(err.msg, "/nonexistent/program"));
    assert_non_null(strstr(err.msg, "No such file"));
    free(argv[0]);
}

static void limit_descriptors(rlim_t count) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count == 0 ? limit.rlim_max : count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static int lowest_free_descriptor(void) {
    int fd = dup(0);
    assert_true(fd > 0);
    (void)close(fd);
    return fd;
}

/* However many are left, from none to as many as it takes: for the log, the pipes, the process. */
static void without_descriptors_nothing_starts_and_nothing_is_left(void **state) {
    struct fixture *f = *state;
    run_shell(f, "echo first"); // the loop takes one for itself, once
    free(f->tail);
    f->tail = NULL;
    f->ends = 0;
    struct stat before, after;
    assert_int_equal(stat(f->log, &before), 0);
    char *argv[] = {mem_strdup("/bin/echo"), mem_strdup("started"), NULL};
    f->reports = true;
    int free_count = 0, lowest = lowest_free_descriptor();
    for (;; free_count++) {
        struct err err;
        limit_descriptors((rlim_t)(lowest + free_count));
        int rc = start(f, argv, 2, &err);
        limit_descriptors(0);
        if (rc == ERR_OK) {
            break;
        }
        assert_int_equal(rc, ERR_EXHAUSTED);
        assert_non_null(strstr(err.msg, "oo many open files"));
        (void)uv_run(&f->loop, UV_RUN_DEFAULT); // until all that was opened is closed
        assert_int_equal(lowest_free_descriptor(), lowest);
        assert_int_equal(stat(f->log, &after), 0);
        assert_int_equal(after.st_size, before.st_size); // no header of an attempt
    }
    assert_in_range(free_count, 7, 16); // the log and three pipes
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->ends, 1);
    assert_string_equal(f->last, "started");
    free(argv[0]);
    free(argv[1]);
}

static void descriptors_are_real_pipes_and_stdin_is_empty(void **state) {
    struct fixture *f = *state;
    run_shell(f,
              "echo through >/dev/stdout; cat; readlink /proc/self/fd/0; ls /proc/self/fd | wc -l");
    assert_log_has(f, "through\n/dev/null\n");
    assert_string_equal(f->last, "4"); // 0, 1, 2 and the folder that ls reads
}

static void the_tail_is_valid_text(void **state) {
    struct fixture *f = *state;
    run_shell(f, "printf 'gr\\303\\274n \\377\\033[31m a\\0b\\n'");
    assert_string_equal(f->tail, "gr\xc3\xbcn \xef\xbf\xbd\xef\xbf\xbd[31m a\xef\xbf\xbd"
                                 "b\n");
}

static void no_descriptor_is_left_open(void **state) {
    struct fixture *f = *state;
    run_shell(f, "echo one");
    int before = dup(0);
    for (int i = 0; i < 5; i++) {
        free(f->tail);
        f->ends = 0;
        run_shell(f, "echo one");
    }
    int later = dup(0); // the lowest number that is free
    assert_int_equal(later, before + 1);
    (void)close(before);
    (void)close(later);
}

int main(void) {
    // What we were started with is not the worker's doing.
    (void)close_range(3, ~0U, 0); // any kernel since 5.9
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(lines_come_before_the_end_and_stderr_goes_to_the_log_alone),
        CASE(exit_status_and_signal_are_told),
        CASE(ten_megabytes_without_a_newline_are_one_cut_line),
        CASE(a_log_that_overflows_keeps_beginning_and_end),
        CASE(a_later_attempt_is_appended),
        CASE(closing_stdout_is_not_the_end),
        CASE(a_leftover_that_holds_the_pipe_is_not_waited_for),
        CASE(a_paused_worker_is_not_read_and_loses_nothing),
        CASE(a_loop_that_is_busy_past_the_grace_loses_nothing),
        CASE(a_leftover_that_prints_for_ever_is_not_waited_for),
        CASE(pausing_stops_between_two_lines),
        CASE(lines_are_in_the_log_before_they_are_told),
        CASE(a_worker_that_is_paused_at_every_line_loses_nothing),
        CASE(a_signal_reaches_the_process),
        CASE(a_program_that_is_not_there_is_an_error),
        CASE(without_descriptors_nothing_starts_and_nothing_is_left),
        CASE(descriptors_are_real_pipes_and_stdin_is_empty),
        CASE(the_tail_is_valid_text),
        CASE(no_descriptor_is_left_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
