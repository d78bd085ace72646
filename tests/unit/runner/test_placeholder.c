/* Placeholders in arguments, and the braces that are none. */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "runner/placeholder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expand(const char *argument, int code, const char *wanted) {
    const char *text = "{\"o\": {\"lr\": 0.10, \"on\": true, \"l\": [1, 2]}, \"m\": \"mlp\"}";
    struct json_doc *doc;
    struct err err = {0};
    assert_int_equal(json_parse(&doc, "t", text, strlen(text), 0, &err), ERR_OK);
    const struct placeholder_trial trial = {"/c.json", "/cp", "38", "7", json_root(doc)};
    struct buf out = {0};
    int rc = placeholder_expand(&out, argument, &trial, &err);
    if (rc != code || strcmp(rc == ERR_OK ? buf_text(&out) : err.msg, wanted) != 0) {
        fail_msg("%s: got %d, %s; wanted %d, %s", argument, rc,
                 rc == ERR_OK ? buf_text(&out) : err.msg, code, wanted);
    }
    buf_release(&out);
    json_free(doc);
}

static void words_and_paths_are_filled_in(void **state) {
    (void)state;
    expand("", ERR_OK, "");
    expand("plain", ERR_OK, "plain");
    expand("{config}", ERR_OK, "/c.json");
    expand("--dir={checkpoint_dir}/{trial}-{seed}.x", ERR_OK, "--dir=/cp/38-7.x");
    expand("{o.lr}{m}{m.name}", ERR_OK, "0.1mlpmlp");
    expand("{o.on} {o.l} {o}", ERR_OK, "true [1, 2] {\"lr\": 0.1, \"on\": true, \"l\": [1, 2]}");
    expand("a{o.momentum}", ERR_NOT_FOUND, "{o.momentum}: the config has nothing there");
}

static void braces_around_anything_else_are_text(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{",       "}",      "{}", "{{}}",       "{ trial }", "{\"epoch\": {\"a\": 1}}",
        "{1}",     "{a b}",  "${", "f() { x; }", "{trial",    "{{trial",
        "{\"x\"}", "{a,b}c",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        expand(texts[i], ERR_OK, texts[i]);
    }
    expand("{{trial}}", ERR_OK, "{trial}");
    expand("{{nothing.here}}{trial}", ERR_OK, "{nothing.here}38");
    expand("{{trial}", ERR_OK, "{38");
    expand("{{{trial}}}", ERR_OK, "{{trial}}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_paths_are_filled_in),
        cmocka_unit_test(braces_around_anything_else_are_text),
    };
    return cmocka_run_group_tests_name("placeholder", tests, NULL, NULL);
}
