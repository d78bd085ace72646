/* The pump to the check, against children (shell and Python) that behave and that do not. */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "runner/checker.h"
#include "runner/program.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct checker *start(const char *program, const char *script, int silence_ms) {
    char *path = NULL, dash_c[] = "-c";
    struct err err;
    if (program_find(&path, program, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    char *code = mem_strdup(script);
    char *const argv[] = {path, dash_c, code, NULL};
    struct checker *checker = NULL;
    if (checker_open(&checker, argv, silence_ms, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    free(code);
    free(path);
    return checker;
}

/* A config of about `bytes` bytes that carries `number`. */
static struct cJSON *config_of(int number, size_t bytes) {
    struct cJSON *config = json_new_object();
    json_set(config, "n", json_new_number(number));
    char *filling = mem_zalloc(bytes + 1, 1);
    memset(filling, 'x', bytes);
    json_set(config, "filling", json_new_string(filling));
    free(filling);
    return config;
}

static void put_number(struct checker *checker, int number, size_t bytes) {
    struct cJSON *config = config_of(number, bytes);
    checker_put(checker, config);
    json_delete(config);
}

static void get_number(struct checker *checker, int number) {
    struct json_doc *answer = NULL;
    struct err err;
    if (checker_get(checker, &answer, &err) != ERR_OK) {
        fail_msg("answer %d: %s", number, err.msg);
    }
    assert_true(json_bool(json_get(json_root(answer), "ok")));
    assert_int_equal((int)json_number(json_get(json_root(answer), "n")), number);
    json_free(answer);
}

/* `wanted` is part of the message. */
static void get_failure(struct checker *checker, const char *wanted) {
    struct json_doc *answer = NULL;
    struct err err;
    assert_int_equal(checker_get(checker, &answer, &err), ERR_PARSE);
    if (strstr(err.msg, wanted) == NULL) {
        fail_msg("got %s; wanted %s", err.msg, wanted);
    }
}

static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); // cannot fail
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int descriptors(void) {
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(dir) != NULL) {
        count++;
    }
    (void)closedir(dir); // it was only read
    return count;
}

#define ECHO                                                                                       \
    "import sys, json\n"                                                                           \
    "for line in sys.stdin:\n"                                                                     \
    "    n = json.loads(line)['n']\n"

static void answers_come_in_the_order_of_the_configs(void **state) {
    (void)state;
    struct checker *checker =
        start("python3", ECHO "    print(json.dumps({'ok': True, 'n': n}), flush=True)\n", 20000);
    for (int i = 0; i < 1000; i++) {
        put_number(checker, i, 10);
        if (i >= 50) {
            get_number(checker, i - 50);
        }
    }
    for (int i = 950; i < 1000; i++) {
        get_number(checker, i);
    }
    checker_close(checker);
}

/* More than any pipe holds in both directions: the child answers 100 kB to each of 100 kB, and reads all
 * configs before its first answer or answers at once. */
static void full_pipes_do_not_block(void **state) {
    (void)state;
    static const char *const scripts[] = {
        ECHO "    print(json.dumps({'ok': True, 'n': n, 'x': 'y' * 100000}), flush=True)\n",
        "import sys, json\n"
        "for n, line in enumerate(sys.stdin.readline() for i in range(100)):\n"
        "    sys.stderr.write('e' * 100000)\n"
        "    last = n\n"
        "for n in range(100):\n"
        "    print(json.dumps({'ok': True, 'n': n, 'x': 'y' * 100000}))\n",
    };
    for (size_t s = 0; s < sizeof scripts / sizeof *scripts; s++) {
        struct checker *checker = start("python3", scripts[s], 20000);
        for (int i = 0; i < 100; i++) {
            put_number(checker, i, 100000);
        }
        for (int i = 0; i < 100; i++) {
            get_number(checker, i);
        }
        checker_close(checker);
    }
}

static void a_slow_child_is_waited_for(void **state) {
    (void)state;
    struct checker *checker = start(
        "sh",
        "while read x; do sleep 0.2; printf '{\"ok\"'; sleep 0.1; echo ': true, \"n\": 1}'; done",
        5000);
    for (int i = 0; i < 3; i++) {
        put_number(checker, 1, 5);
    }
    for (int i = 0; i < 3; i++) {
        get_number(checker, 1);
    }
    checker_close(checker);
}

static void a_silent_child_is_given_up(void **state) {
    (void)state;
    struct checker *checker = start("sh", "echo thinking >&2; exec sleep 100", 300);
    put_number(checker, 1, 5);
    double began = now();
    get_failure(checker, "check does not answer: thinking");
    assert_true(now() - began < 3);
    began = now();
    checker_close(checker); // its input ends, it sleeps on: by force
    assert_true(now() - began < 6);
}

static void a_dying_child_is_told_with_its_last_words(void **state) {
    (void)state;
    struct checker *checker = start(
        "sh", "read x; echo '{\"ok\": true, \"n\": 4}'; echo no such library >&2; exit 3", 20000);
    put_number(checker, 4, 5);
    put_number(checker, 5, 5);
    get_number(checker, 4);
    get_failure(checker, "check left with status 3 instead of answering: no such library");
    get_failure(checker, "left with status 3"); // and again: nothing is waited for twice
    checker_close(checker);

    checker = start("sh", "read x; kill -SEGV $$", 20000);
    put_number(checker, 4, 5);
    get_failure(checker, "check was killed by signal 11 (Segmentation fault)");
    checker_close(checker);

    // dies before it reads: a write to it must not raise a signal here
    checker = start("sh", "exit 0", 20000);
    (void)usleep(100000); // for it to be gone; the test holds otherwise, too
    put_number(checker, 1, 1000000);
    get_failure(checker, "check left with status 0 instead of answering");
    checker_close(checker);

    // half an answer is none
    checker = start("sh", "read x; printf '{\"ok\": true'", 20000);
    put_number(checker, 1, 5);
    get_failure(checker, "left with status 0 instead of answering");
    checker_close(checker);
}

static void many_last_words_are_cut_at_their_beginning(void **state) {
    (void)state;
    struct checker *checker =
        start("python3",
              "import sys\nsys.stderr.write('a' * 3000000 + 'the end\\n')\nsys.exit(1)\n", 20000);
    put_number(checker, 1, 5);
    struct json_doc *answer = NULL;
    struct err err;
    assert_int_equal(checker_get(checker, &answer, &err), ERR_PARSE);
    assert_in_range(strlen(err.msg), 300, 600);
    assert_non_null(strstr(err.msg, "aathe end"));
    checker_close(checker);
}

static void nonsense_is_refused(void **state) {
    (void)state;
    static const char *const scripts[] = {
        "echo hello",           "echo '[1]'", "echo '{\"ok\": 1}'",     "echo '{}'",
        "echo '{\"ok\": true'", "echo",       "printf '\\377\\376\\n'",
    };
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct checker *checker = start("sh", scripts[i], 20000);
        put_number(checker, 1, 5);
        get_failure(checker, "check answered something else than {\"ok\": ...}");
        checker_close(checker);
    }
}

static void an_answer_without_end_is_refused(void **state) {
    (void)state;
    struct checker *checker =
        start("python3", "import sys\nwhile True: sys.stdout.write('x' * 100000)\n", 20000);
    put_number(checker, 1, 5);
    get_failure(checker, "check answers without end");
    checker_close(checker);
}

static void what_cannot_be_started_is_an_error(void **state) {
    (void)state;
    char path[] = "/nonexistent/besom-trainer";
    char *const argv[] = {path, NULL};
    struct checker *checker = NULL;
    struct err err;
    assert_int_equal(checker_open(&checker, argv, 1000, &err), ERR_IO);
    assert_string_equal(err.msg, "start /nonexistent/besom-trainer: No such file or directory");
    assert_null(checker);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // no child is left
}

static void nothing_is_left_open(void **state) {
    (void)state;
    int before = descriptors();
    for (int i = 0; i < 3; i++) {
        struct checker *checker = start("cat", "", 1000);
        checker_close(checker);
    }
    checker_close(NULL);
    assert_int_equal(descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_in_the_order_of_the_configs),
        cmocka_unit_test(full_pipes_do_not_block),
        cmocka_unit_test(a_slow_child_is_waited_for),
        cmocka_unit_test(a_silent_child_is_given_up),
        cmocka_unit_test(a_dying_child_is_told_with_its_last_words),
        cmocka_unit_test(many_last_words_are_cut_at_their_beginning),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(an_answer_without_end_is_refused),
        cmocka_unit_test(what_cannot_be_started_is_an_error),
        cmocka_unit_test(nothing_is_left_open),
    };
    return cmocka_run_group_tests_name("checker", tests, NULL, NULL);
}
