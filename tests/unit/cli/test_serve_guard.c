/* Which requests are answered. */
#include "cli/serve_guard.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TOKEN "0123456789abcdef0123456789abcdef"

static const struct serve_guard guard = {.token = TOKEN, .port = 23766};
static const struct serve_request good = {
    .method = "GET", .path = "/" TOKEN, .host = "127.0.0.1:23766", .hosts = 1};

static struct serve_verdict judge(struct serve_request request) {
    request.hosts = request.host != NULL ? 1 : 0;
    request.origins = request.origin != NULL ? 1 : 0;
    return serve_guard_judge(&guard, &request);
}

static void expect(struct serve_request request, int status, enum serve_what what) {
    struct serve_verdict v = judge(request);
    if (v.status != status || v.what != what) {
        fail_msg("%s %s Host %s Origin %s: %d", request.method, request.path,
                 request.host == NULL ? "-" : request.host,
                 request.origin == NULL ? "-" : request.origin, v.status);
    }
    assert_int_equal(v.why == NULL, status == 200);
}

static struct serve_request with_host(const char *host) {
    struct serve_request request = good;
    request.host = host;
    return request;
}

static struct serve_request with_origin(const char *origin) {
    struct serve_request request = good;
    request.origin = origin;
    return request;
}

static struct serve_request with_path(const char *path) {
    struct serve_request request = good;
    request.path = path;
    return request;
}

static void the_page_and_its_events_are_answered(void **state) {
    (void)state;
    expect(good, 200, SERVE_PAGE);
    expect(with_path("/" TOKEN "/"), 200, SERVE_PAGE);
    expect(with_path("/" TOKEN "/events"), 200, SERVE_EVENTS);
    struct serve_request head = good;
    head.method = "HEAD";
    expect(head, 200, SERVE_PAGE);
}

static void only_our_own_names_are_a_host(void **state) {
    static const char *const ours[] = {"127.0.0.1:23766", "localhost:23766", "LocalHost:23766"};
    static const char *const others[] = {
        "",
        "127.0.0.1",
        "localhost",
        "127.0.0.1:80",
        "127.0.0.1:2376",
        "127.0.0.1:237660",
        "127.0.0.1:+23766",
        "127.0.0.1:23766 ",
        " 127.0.0.1:23766",
        "127.0.0.1:23766.evil.example",
        "127.0.0.1.evil.example:23766",
        "evil.example:23766",
        "localhost.evil.example:23766",
        "evil.localhost:23766",
        "localhost.:23766",
        "user@127.0.0.1:23766",
        "[::1]:23766",
        "0.0.0.0:23766",
        "127.1:23766",
    };
    (void)state;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        expect(with_host(ours[i]), 200, SERVE_PAGE);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        expect(with_host(others[i]), 403, SERVE_REFUSED);
    }
    expect(with_host(NULL), 403, SERVE_REFUSED);
    struct serve_request twice = good;
    twice.hosts = 2;
    assert_int_equal(serve_guard_judge(&guard, &twice).status, 403);
}

/* Browsers leave the port of the scheme out. */
static void port_80_need_not_be_said(void **state) {
    static const struct serve_guard web = {.token = TOKEN, .port = 80};
    (void)state;
    const struct serve_request short_one = {
        .method = "GET", .path = "/" TOKEN, .host = "localhost", .hosts = 1};
    const struct serve_request long_one = {
        .method = "GET", .path = "/" TOKEN, .host = "127.0.0.1:80", .hosts = 1};
    assert_int_equal(serve_guard_judge(&web, &short_one).status, 200);
    assert_int_equal(serve_guard_judge(&web, &long_one).status, 200);
}

static void an_origin_is_ours_or_there_is_none(void **state) {
    static const char *const others[] = {
        "",
        "null",
        "http://127.0.0.1",
        "http://127.0.0.1:23767",
        "https://127.0.0.1:23766",
        "http://127.0.0.1:23766.evil.example",
        "http://127.0.0.1:23766/",
        "http://evil.example",
        "file://",
        "127.0.0.1:23766",
    };
    (void)state;
    expect(with_origin("http://127.0.0.1:23766"), 200, SERVE_PAGE);
    expect(with_origin("http://localhost:23766"), 200, SERVE_PAGE);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        expect(with_origin(others[i]), 403, SERVE_REFUSED);
    }
    struct serve_request twice = with_origin("http://127.0.0.1:23766");
    twice.origins = 2;
    assert_int_equal(serve_guard_judge(&guard, &twice).status, 403);
}

static void nothing_but_reading(void **state) {
    static const char *const methods[] = {"POST", "PUT",     "DELETE", "OPTIONS", "PATCH",
                                          "get",  "CONNECT", "TRACE",  ""};
    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct serve_request request = good;
        request.method = methods[i];
        expect(request, 405, SERVE_REFUSED);
    }
}

/* Each digit counts, and so does the length. */
static void only_the_whole_token_opens(void **state) {
    (void)state;
    for (int i = 0; i < SERVE_TOKEN_LEN; i++) {
        char path[] = "/" TOKEN;
        path[1 + i] = path[1 + i] == 'f' ? 'e' : 'f';
        expect(with_path(path), 403, SERVE_REFUSED);
        char cut[] = "/" TOKEN;
        cut[1 + i] = '\0';
        expect(with_path(cut), 403, SERVE_REFUSED);
    }
    static const char *const others[] = {
        "", "/", TOKEN, "//" TOKEN, "/events", "*", "http://127.0.0.1:23766/" TOKEN};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        expect(with_path(others[i]), 403, SERVE_REFUSED);
    }
}

static void behind_the_token_there_is_little(void **state) {
    static const char *const paths[] = {"/" TOKEN "x",
                                        "/" TOKEN "//",
                                        "/" TOKEN "/../events",
                                        "/" TOKEN "/events/",
                                        "/" TOKEN "/../../etc/passwd",
                                        "/" TOKEN "/results.db"};
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        expect(with_path(paths[i]), 404, SERVE_REFUSED);
    }
}

static void each_token_is_another(void **state) {
    struct serve_guard a, b;
    struct err err;
    (void)state;
    assert_int_equal(serve_guard_init(&a, 1, &err), ERR_OK);
    assert_int_equal(serve_guard_init(&b, 2, &err), ERR_OK);
    assert_int_equal(strlen(a.token), SERVE_TOKEN_LEN);
    assert_int_equal(strspn(a.token, "0123456789abcdef"), SERVE_TOKEN_LEN);
    assert_string_not_equal(a.token, b.token);
    assert_int_equal(a.port, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_and_its_events_are_answered),
        cmocka_unit_test(only_our_own_names_are_a_host),
        cmocka_unit_test(port_80_need_not_be_said),
        cmocka_unit_test(an_origin_is_ours_or_there_is_none),
        cmocka_unit_test(nothing_but_reading),
        cmocka_unit_test(only_the_whole_token_opens),
        cmocka_unit_test(behind_the_token_there_is_little),
        cmocka_unit_test(each_token_is_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
