/* The hash against the published value of XXH3, and members taken out of canonical JSON. */
#include "verify/hash128.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void the_hash_of_nothing_is_the_published_one(void **state) {
    (void)state;
    char hex[HASH128_DIGITS + 1];
    hash128_text(hex, "");
    assert_string_equal(hex, "99aa06d3014798d86001c324468d497f"); // seed 0, of xxHash's own tests
}

static void a_text_in_parts_has_the_hash_of_the_whole(void **state) {
    (void)state;
    char text[1000], whole[HASH128_DIGITS + 1], parts[HASH128_DIGITS + 1];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    hash128_text(whole, text);
    struct hash128 hash;
    hash128_init(&hash);
    for (size_t at = 0; at < sizeof text - 1; at += 37) {
        size_t left = sizeof text - 1 - at;
        hash128_add(&hash, text + at, left < 37 ? left : 37);
    }
    hash128_finish(&hash, parts);
    assert_string_equal(whole, parts);
}

static void members_are_taken_out_as_text(void **state) {
    (void)state;
    static const char *const names[] = {"epochs", "seed", NULL};
    static const struct {
        const char *text, *want; // NULL: no canonical object
    } cases[] = {
        {"{}", "{}"},
        {"{\"seed\":1}", "{}"},
        {"{\"a\":1}", "{\"a\":1}"},
        {"{\"a\":1,\"epochs\":3,\"lr\":0.10000000000000001,\"seed\":7}",
         "{\"a\":1,\"lr\":0.10000000000000001}"},
        {"{\"epochs\":3,\"z\":[1,{\"seed\":2}]}", "{\"z\":[1,{\"seed\":2}]}"},
        {"{\"a\":\"},\\\"seed\\\":1\",\"seed\":{\"b\":[1,2]}}", "{\"a\":\"},\\\"seed\\\":1\"}"},
        {"{\"seeds\":1,\"see\":2}", "{\"seeds\":1,\"see\":2}"},
        {"", NULL},
        {"[1]", NULL},
        {"{\"a\":1", NULL},
        {"{\"a\"", NULL},
        {"{\"a", NULL},
        {"{\"a\\", NULL},
        {"{\"a\":1}}", NULL},
        {"{\"a\":1} ", NULL},
        {"{a:1}", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *got = canonical_without(cases[i].text, names);
        if (cases[i].want == NULL) {
            assert_null(got);
        } else {
            assert_string_equal(got, cases[i].want);
        }
        free(got);
    }
}

static void a_key_hashes_config_seed_and_trainer(void **state) {
    (void)state;
    char key[HASH128_DIGITS + 1], want[HASH128_DIGITS + 1];
    hash128_text(
        want,
        "{\"config\":{\"lr\":0.1},\"seed\":\"3\",\"trainer\":[\"a\\\"b\\\\\",\"\\n\\u0001\"]}");
    assert_true(trial_key(key, "{\"lr\":0.1}", 3, "[\"a\\\"b\\\\\", \"\\n\\u0001\"]"));
    assert_string_equal(key, want);
    assert_false(trial_key(key, "{}", 1, "{}"));
    assert_false(trial_key(key, "{}", 1, "[1]"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_of_nothing_is_the_published_one),
        cmocka_unit_test(a_text_in_parts_has_the_hash_of_the_whole),
        cmocka_unit_test(members_are_taken_out_as_text),
        cmocka_unit_test(a_key_hashes_config_seed_and_trainer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
