/* The files of a log, written by runner/trial_log and read by runner/trial_log_read.  What is printed
 * are numbered lines, so that what is missing can be counted without either. */
#include "runner/trial_log.h"

#include "base/err.h"
#include "base/mem.h"
#include "runner/trial_log_read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

#include <cmocka.h>

enum { LIMIT = 1 << 20, OVERHEAD = 2000, LINES_THAT_OVERFLOW = 100000 };

struct fixture {
    char dir[32], path[48];
    int printed, next_attempt;
};

static int setup(void **state) {
    struct fixture *f = mem_zalloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/test_trial_log.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof f->path, "%s/log", f->dir);
    f->next_attempt = 1;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    char *command = mem_printf("rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    free(command);
    free(f);
    return 0;
}

/* ---- writing ---- */

static void begin(struct fixture *f, struct trial_log *log) {
    struct err err;
    if (trial_log_open(log, f->path, f->next_attempt++, LIMIT, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
}

static void print(struct fixture *f, struct trial_log *log, int count) {
    for (int i = 0; i < count; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "line %d", ++f->printed);
        trial_log_line(log, text, (size_t)len, false, true);
        if (i % 100 == 0) {
            trial_log_flush(log);
        }
    }
    trial_log_flush(log);
}

static void print_attempt(struct fixture *f, int count) {
    struct trial_log log;
    begin(f, &log);
    print(f, &log, count);
    assert_int_equal(log.cause, 0);
    trial_log_close(&log);
}

static int64_t size_of(const struct fixture *f, const char *suffix) {
    struct stat st;
    char *name = mem_printf("%s%s", f->path, suffix);
    int64_t size = stat(name, &st) == 0 ? st.st_size : -1;
    free(name);
    return size;
}

static void change(const struct fixture *f, const char *format) {
    char *command = mem_zalloc(1, 1000);
    (void)snprintf(command, 1000, "cd %s && %s", f->dir, format);
    assert_int_equal(system(command), 0);
    free(command);
}

/* ---- reading ---- */

static void append(struct buf *out, const struct trial_log_piece *piece) {
    char *to = buf_reserve(out, (size_t)(piece->to - piece->from));
    ssize_t n = pread(piece->fd, to, (size_t)(piece->to - piece->from), piece->from);
    assert_int_equal(n, piece->to - piece->from);
    out->len += (size_t)n;
    buf_puts(out, "");
}

/* All that a reader shows, and the numbers of the first lines behind a gap. */
static void read_all(const struct fixture *f, struct buf *out, struct trial_log_read *log) {
    struct err err;
    if (trial_log_read_open(log, f->path, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    for (int i = 0; i < log->count; i++) {
        append(out, &log->pieces[i]);
        if (i == 0) {
            buf_put(out, buf_text(&log->headers), log->headers.len);
        }
    }
}

/* Not by strstr(): the sanitizers' own measures the whole text each time. */
static int count_of(const char *text, const char *part) {
    int n = 0;
    for (size_t len = strlen(part); *text != '\0'; text++) {
        n += *text == *part && strncmp(text, part, len) == 0;
    }
    return n;
}

/* The numbered lines are in order and end at the last; those missing are as many as the reader says. */
static void assert_complete_but_for_what_it_says(struct fixture *f, int other_lines) {
    struct buf text = {0};
    struct trial_log_read log;
    read_all(f, &text, &log);
    int last = 0, gaps = 0;
    int64_t missing = 0, bytes = 0;
    const char *at = buf_text(&text);
    for (; *at != '\0'; at = strchr(at, '\n') + 1) { // every line ends
        if (strncmp(at, "line ", 5) != 0) {
            continue;
        }
        int n = atoi(at + 5);
        assert_true(n > last);
        gaps += n != last + 1;
        for (int i = last + 1; i < n; i++) {
            missing++;
            bytes += snprintf(NULL, 0, "line %d\n", i);
        }
        last = n;
    }
    assert_int_equal(last, f->printed);
    assert_true(gaps <= 1);
    assert_in_range(log.left_lines - missing, 0, other_lines);
    assert_in_range(log.left_bytes - bytes, 0, other_lines * 60);
    for (int a = 1; a < f->next_attempt; a++) {
        char header[40];
        (void)snprintf(header, sizeof header, "--- attempt %d, 20", a);
        if (count_of(buf_text(&text), header) != 1) {
            fail_msg("%d headers of attempt %d", count_of(buf_text(&text), header), a);
        }
    }
    assert_null(strstr(buf_text(&text), TRIAL_LOG_SEAL));
    assert_null(strstr(buf_text(&text), "goes on"));
    trial_log_read_close(&log);
    buf_release(&text);
}

static void assert_bounded(const struct fixture *f) {
    assert_true(size_of(f, "") <= LIMIT / 2 + OVERHEAD);
    assert_true(size_of(f, TRIAL_LOG_NEWEST) <= LIMIT / 4);
    assert_true(size_of(f, TRIAL_LOG_BEFORE) <= LIMIT / 4);
}

/* ---- tests ---- */

static void a_log_within_its_limit_is_one_file(void **state) {
    struct fixture *f = *state;
    print_attempt(f, 1000);
    print_attempt(f, 1000);
    assert_int_equal(size_of(f, TRIAL_LOG_NEWEST), -1);
    assert_complete_but_for_what_it_says(f, 0);
}

static void of_a_long_one_beginning_and_end_are_kept(void **state) {
    struct fixture *f = *state;
    for (int count = 1000; count < 20 * LINES_THAT_OVERFLOW; count *= 3) {
        print_attempt(f, count);
        assert_bounded(f);
        // The headers of attempts that began in what is left out are counted there, too.
        assert_complete_but_for_what_it_says(f, f->next_attempt);
    }
    assert_true(size_of(f, "") > LIMIT / 2 - OVERHEAD);
    assert_true(size_of(f, TRIAL_LOG_BEFORE) > LIMIT / 4 - OVERHEAD);
}

static void nothing_is_left_out_until_the_limit(void **state) {
    struct fixture *f = *state;
    struct trial_log_read log;
    struct err err;
    while (size_of(f, "") + size_of(f, TRIAL_LOG_NEWEST) + size_of(f, TRIAL_LOG_BEFORE) <
           LIMIT - LIMIT / 4 - 2 * OVERHEAD) {
        print_attempt(f, 500);
        assert_int_equal(trial_log_read_open(&log, f->path, &err), ERR_OK);
        assert_int_equal(log.left_bytes, 0);
        trial_log_read_close(&log);
    }
    assert_complete_but_for_what_it_says(f, 0);
}

static void every_header_is_in_the_first_file(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 30; i++) {
        print_attempt(f, LINES_THAT_OVERFLOW / 4);
    }
    assert_bounded(f);
    assert_complete_but_for_what_it_says(f, 30);
    change(f, "test \"$(grep -c '^--- attempt [0-9]*, 20' log)\" = 30");
    change(f, "test \"$(tail -n 1 log | cut -c 1-15)\" = '--- attempt 30,'");
}

static void after_a_kill_the_next_attempt_goes_on(void **state) {
    static const char *const left[] = {
        "rm log.tail",                                  // between the two steps of a new tail file
        ": > log.tail",                                 // before its mark
        "printf 'line ' >> log.tail",                   // within a line
        "rm log.tail log.tail.1",                       // before the first
        "rm -f log.tail.1",                             // before log.tail took its place
        "cp log.tail x; rm log.tail; ln -s x log.tail", // something of another's
        "printf 'not ours' > log.tail",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        change(f, "rm -f *");
        f->printed = 0;
        f->next_attempt = 1;
        print_attempt(f, 3 * LINES_THAT_OVERFLOW);
        change(f, left[i]);
        print_attempt(f, 10);
        print_attempt(f, LINES_THAT_OVERFLOW);
        assert_bounded(f);
        struct buf text = {0};
        struct trial_log_read log;
        read_all(f, &text, &log);
        assert_non_null(strstr(buf_text(&text), "--- attempt 2, 20"));
        assert_non_null(strstr(buf_text(&text), "--- attempt 3, 20"));
        char last[32];
        (void)snprintf(last, sizeof last, "line %d\n", f->printed);
        assert_string_equal(buf_text(&text) + text.len - strlen(last), last);
        trial_log_read_close(&log);
        buf_release(&text);
    }
}

static void what_a_trainer_prints_is_no_seal(void **state) {
    struct fixture *f = *state;
    struct trial_log log;
    begin(f, &log);
    const char *const forged[] = {
        TRIAL_LOG_SEAL, "--- attempt 7, 2026-11-23T22:13:05Z",
        "--- attempt 3 goes on; from the end of log to here: 9 lines, 9 bytes"};
    for (int i = 0; i < 3; i++) {
        trial_log_line(&log, forged[i], strlen(forged[i]), false, true);
    }
    print(f, &log, 3 * LINES_THAT_OVERFLOW);
    trial_log_close(&log);
    struct buf text = {0};
    struct trial_log_read read;
    read_all(f, &text, &read);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(count_of(buf_text(&text), forged[i]), 1);
    }
    trial_log_read_close(&read);
    buf_release(&text);
}

static void marks_and_headers_are_read_strictly(void **state) {
    (void)state;
    struct trial_log_mark mark = {3, 12, 345};
    char text[200];
    int len = trial_log_mark_print(&mark, text, sizeof text);
    text[len] = '\n';
    text[len + 1] = '\0';
    struct trial_log_mark read = {0};
    assert_int_equal(trial_log_mark_read(&read, text), len + 1);
    assert_true(read.attempt == mark.attempt && read.lines == mark.lines &&
                read.bytes == mark.bytes);
    static const char *const bad[] = {
        "",
        "--- attempt 3 goes on; from the end of log to here: 12 lines, 345 bytes",
        "--- attempt 3 goes on; from the end of log to here: 12 lines, 345 bytes \n",
        "--- attempt  3 goes on; from the end of log to here: 12 lines, 345 bytes\n",
        "--- attempt 3 goes on; from the end of log to here: -1 lines, 345 bytes\n",
        ("--- attempt 3 goes on; from the end of log to here: 12 lines, 99999999999999999999 "
         "bytes\n"),
        "--- attempt 99999999999 goes on; from the end of log to here: 12 lines, 345 bytes\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(trial_log_mark_read(&read, bad[i]), 0);
    }
    static const struct {
        const char *text;
        int attempt;
    } headers[] = {{"--- attempt 3, 2026-11-23T22:13:05Z\n", 3},
                   {"--- attempt 12345, 2026-11-23T22:13:05Z\n", 12345},
                   {"--- attempt 3, 2026-11-23T22:13:05Z", 0},
                   {"--- attempt 3, 2026-11-23T22:13:05Z \n", 0},
                   {"--- attempt 3, 2026-11-23T22:13:x5Z\n", 0},
                   {"--- attempt , 2026-11-23T22:13:05Z\n", 0},
                   {"--- attempt 99999999999, 2026-11-23T22:13:05Z\n", 0},
                   {"--- attempt", 0},
                   {"\n", 0}};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        assert_int_equal(trial_log_header_read(headers[i].text, strlen(headers[i].text)),
                         headers[i].attempt);
    }
}

/* The place where the last `lines` lines of a text begin. */
static size_t last_lines(const char *text, size_t len, int64_t lines) {
    size_t at = len;
    while (at > 0 && lines > 0) {
        at--;
        while (at > 0 && text[at - 1] != '\n') {
            at--;
        }
        lines--;
    }
    return at;
}

static void the_last_lines_are_found_over_all_files(void **state) {
    struct fixture *f = *state;
    print_attempt(f, 2 * LINES_THAT_OVERFLOW);
    struct trial_log_read log;
    struct err err;
    struct buf text = {0};
    read_all(f, &text, &log);
    assert_int_equal(log.count, 3);
    int64_t all = count_of(buf_text(&text), "\n");
    for (int64_t lines = 0; lines < all + 2000; lines += lines < 20 ? 1 : lines / 7) {
        int piece;
        int64_t at;
        assert_int_equal(trial_log_read_last(&log, lines, &piece, &at, &err), ERR_OK);
        size_t want = last_lines(text.data, text.len, lines), got = 0;
        for (int i = 0; i < piece; i++) {
            got += (size_t)(log.pieces[i].to - log.pieces[i].from);
        }
        got += (size_t)(at - log.pieces[piece].from);
        assert_int_equal(got, want);
    }
    trial_log_read_close(&log);
    buf_release(&text);
}

static void a_log_that_moves_on_is_noticed(void **state) {
    struct fixture *f = *state;
    struct trial_log log;
    struct trial_log_read read;
    struct err err;
    begin(f, &log);
    print(f, &log, 10);
    assert_int_equal(trial_log_read_open(&read, f->path, &err), ERR_OK);
    assert_false(trial_log_read_moved(&read, f->path));
    print(f, &log, 60000);
    assert_true(trial_log_read_moved(&read, f->path));
    trial_log_read_close(&read);
    assert_int_equal(trial_log_read_open(&read, f->path, &err), ERR_OK);
    assert_false(trial_log_read_moved(&read, f->path));
    trial_log_read_close(&read);
    trial_log_close(&log);
}

static void a_log_that_cannot_be_written_costs_words_only(void **state) {
    struct fixture *f = *state;
    struct trial_log log;
    begin(f, &log);
    print(f, &log, 10);
    struct rlimit before, small = {4096, 4096};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    print(f, &log, 2 * LINES_THAT_OVERFLOW);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(log.cause, EFBIG);
    char *tail = trial_log_tail(&log), last[32];
    (void)snprintf(last, sizeof last, "line %d\n", f->printed);
    assert_non_null(strstr(tail, last));
    free(tail);
    trial_log_close(&log);
}

static void a_log_from_before_there_was_a_tail_goes_on_in_one(void **state) {
    struct fixture *f = *state;
    change(f, "yes old | head -c 4000000 > log; echo '--- the log is full; what follows is not "
              "kept' >> log");
    print_attempt(f, 1000);
    print_attempt(f, 1000);
    assert_true(size_of(f, TRIAL_LOG_NEWEST) > 0);
    assert_true(size_of(f, "") < 4000000 + OVERHEAD);
    assert_complete_but_for_what_it_says(f, 0);
}

static void something_else_in_its_place_is_an_error(void **state) {
    struct fixture *f = *state;
    struct trial_log log;
    struct trial_log_read read;
    struct err err;
    change(f, "mkfifo log");
    assert_int_equal(trial_log_open(&log, f->path, 1, LIMIT, &err), ERR_IO);
    assert_non_null(strstr(err.msg, "not a regular file"));
    assert_int_equal(trial_log_read_open(&read, f->path, &err), ERR_IO);
    change(f, "rm log");
    assert_int_equal(trial_log_read_open(&read, f->path, &err), ERR_NOT_FOUND);
    trial_log_read_close(&read);
}

static void an_attempt_that_is_undone_leaves_the_file_as_it_was(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) { // a new file, then one with words in it
        int64_t before = size_of(f, "");
        struct trial_log log;
        begin(f, &log);
        assert_true(size_of(f, "") > before);
        trial_log_undo(&log);
        trial_log_close(&log);
        f->next_attempt--;
        assert_int_equal(size_of(f, ""), before < 0 ? 0 : before);
        print_attempt(f, 10);
    }
    assert_complete_but_for_what_it_says(f, 0);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_log_within_its_limit_is_one_file),
        CASE(of_a_long_one_beginning_and_end_are_kept),
        CASE(nothing_is_left_out_until_the_limit),
        CASE(every_header_is_in_the_first_file),
        CASE(after_a_kill_the_next_attempt_goes_on),
        CASE(what_a_trainer_prints_is_no_seal),
        CASE(marks_and_headers_are_read_strictly),
        CASE(the_last_lines_are_found_over_all_files),
        CASE(a_log_that_moves_on_is_noticed),
        CASE(a_log_that_cannot_be_written_costs_words_only),
        CASE(a_log_from_before_there_was_a_tail_goes_on_in_one),
        CASE(something_else_in_its_place_is_an_error),
        CASE(an_attempt_that_is_undone_leaves_the_file_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
