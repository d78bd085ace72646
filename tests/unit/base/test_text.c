/* Numbers as text, growing strings, errors, suggestions and hashes. */
#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/num.h"
#include "base/rng.h"
#include "base/utf8.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void numbers_come_back_to_the_same_bits(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, 11, RNG_TEST, 0, 0);
    print_message("seed 11\n");
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = (uint64_t)rng_u32(&rng) << 32 | rng_u32(&rng);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (i % 2 == 0) {
            value = exp(-12 * ((double)rng_u32(&rng) * 0x1p-32)); // as learning rates are drawn
        }
        char text[NUM_TEXT_MAX];
        size_t len = num_format(text, value);
        double back;
        assert_int_equal(len, strlen(text));
        if (!num_parse(text, &back) || !(isnan(value) ? isnan(back) : num_same_bits(back, value))) {
            fail_msg("%a came back from %s", value, text);
        }
    }
}

static void figures_that_change_in_place_keep_their_zeros(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *human, *steady;
    } cases[] = {{0.84, "0.84", "0.8400"},
                 {0.84119, "0.8412", "0.8412"},
                 {2, "2", "2.000"},
                 {0.09621, "0.09621", "0.0962"},
                 {-0.001, "-0.001", "-0.0010"},
                 {0.00012, "0.00012", "0.0001200"},
                 {0.99996, "1", "1.0000"},
                 {1234, "1234", "1234"},
                 {0, "0", "0.000"},
                 {1e-9, "1e-09", "1.000e-09"},
                 {INFINITY, "inf", "inf"},
                 {NAN, "nan", "nan"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[NUM_TEXT_MAX];
        assert_int_equal(num_human(text, cases[i].value, 4), strlen(cases[i].human));
        assert_string_equal(text, cases[i].human);
        assert_int_equal(num_steady(text, cases[i].value, 4), strlen(cases[i].steady));
        assert_string_equal(text, cases[i].steady);
    }
}

static void numbers_are_as_short_as_they_can_be(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.1, "0.1"},       {0.1 + 0.2, "0.30000000000000004"},
                 {100000, "100000"}, {5e-324, "4.94065645841247e-324"},
                 {-0.0, "-0"},       {1e22, "1e+22"},
                 {INFINITY, "inf"},  {-INFINITY, "-inf"},
                 {NAN, "nan"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[NUM_TEXT_MAX];
        num_format(text, cases[i].value);
        assert_string_equal(text, cases[i].text);
    }
}

static void only_whole_numbers_are_read(void **state) {
    (void)state;
    static const char *const bad[] = {"", " 1", "1 ", "0x1", "1e", "infinity", "1,5", "--1", "NaN"};
    double value;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(num_parse(bad[i], &value));
    }
    int64_t n = 7;
    assert_true(num_parse_int("-3", -5, 5, &n));
    assert_int_equal(n, -3);
    static const char *const bad_int[] = {"", "6", "-6", "+1", "1.0", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad_int / sizeof *bad_int; i++) {
        assert_false(num_parse_int(bad_int[i], -5, 5, &n));
    }
    assert_int_equal(n, -3); // left alone
}

static void strings_for_json_are_escaped_and_made_valid(void **state) {
    (void)state;
    struct buf out = {0};
    static const char text[] = "a\"\\\n\t\x01\xff\xc3\xa9\0\x7f\xc2\x9b\xc2\xa0z";
    buf_json_string(&out, text, sizeof text - 1);
    assert_string_equal(
        buf_text(&out),
        "\"a\\\"\\\\\\n\\t\\u0001\xef\xbf\xbd\xc3\xa9\\u0000\\u007f\\u009b\xc2\xa0z\"");
    buf_release(&out);
    assert_string_equal(buf_text(&out), "");
    char *empty = buf_detach(&out);
    assert_string_equal(empty, "");
    free(empty);
}

static void plain_text_has_no_control_characters(void **state) {
    (void)state;
    char text[] = "a\x1b[2J\n\x7f\xc2\x9b\xc3\xa9";
    utf8_plain(text);
    assert_string_equal(text, "a?[2J???\xc3\xa9");
    char cut[] = "\xc2"; // the first half of a character, at the end
    utf8_plain(cut);
    assert_string_equal(cut, "\xc2");
}

static void errors_read_from_the_intention_to_the_cause(void **state) {
    (void)state;
    struct err err;
    assert_int_equal(err_io(&err, 2, "open %s", "x"), ERR_IO);
    assert_int_equal(err_wrap(&err, "save trial %d", 7), ERR_IO);
    assert_string_equal(err.msg, "save trial 7: open x: No such file or directory");
    char long_text[2 * sizeof err.msg];
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_int_equal(err_wrap(&err, "%s", long_text), ERR_IO);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    assert_string_equal(err.msg + sizeof err.msg - 4, "...");
    assert_int_equal(err_set(&err, ERR_RANGE, "%s", long_text), ERR_RANGE);
    assert_string_equal(err.msg + sizeof err.msg - 4, "...");
    assert_string_equal(err_name(ERR_DIFFERS), "ERR_DIFFERS");
    assert_string_equal(err_name(-99), "ERR_?");
}

static void the_code_says_whether_trying_again_can_help(void **state) {
    (void)state;
    static const struct {
        int cause, code;
    } cases[] = {{ENOSPC, ERR_FULL},      {EDQUOT, ERR_FULL},      {EAGAIN, ERR_EXHAUSTED},
                 {EMFILE, ERR_EXHAUSTED}, {ENFILE, ERR_EXHAUSTED}, {ENOMEM, ERR_EXHAUSTED},
                 {EIO, ERR_IO},           {EROFS, ERR_IO},         {EACCES, ERR_IO}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err;
        assert_int_equal(err_io(&err, cases[i].cause, "write"), cases[i].code);
        assert_int_equal(err.code, cases[i].code);
    }
}

static void complaints_tell_their_place(void **state) {
    (void)state;
    static const char text[] = "{\n  \"lr\": [1,\n 2]}";
    struct json_doc *doc;
    struct err err;
    assert_int_equal(json_parse(&doc, "s.json", text, sizeof text - 1, JSON_STRICT, &err), ERR_OK);
    const struct cJSON *lr = json_get(json_root(doc), "lr");
    struct diag diag = {0};
    diag_add(&diag, doc, lr, "bad %d", 1);
    diag_add(&diag, doc, json_next(json_first(lr)), "bad %d", 2);
    diag_add(&diag, doc, NULL, "bad %d", 3);
    diag_add(&diag, NULL, lr, "bad %d", 4);
    assert_string_equal(buf_text(&diag.text),
                        "s.json:2:3: bad 1\ns.json:3:2: bad 2\ns.json: bad 3\nbad 4\n");
    diag_release(&diag);
    json_free(doc);
}

static void slips_are_recognized(void **state) {
    (void)state;
    static const char *const names[] = {"optimizer", "activation", "init", "lr", "epochs"};
    enum { COUNT = sizeof names / sizeof *names };
    assert_string_equal(diag_nearest("optimiser", names, COUNT), "optimizer");
    assert_string_equal(diag_nearest("Activaiton", names, COUNT), "activation");
    assert_string_equal(diag_nearest("lrr", names, COUNT), "lr");
    assert_string_equal(diag_nearest("rl", names, COUNT), "lr");
    assert_string_equal(diag_nearest("epoch", names, COUNT), "epochs");
    assert_null(diag_nearest("momentum", names, COUNT));
    assert_null(diag_nearest("", names, COUNT));
    struct buf out = {0};
    diag_suggest(&out, "zzz", names, 2);
    assert_string_equal(buf_text(&out), "; known: optimizer, activation");
    buf_release(&out);
}

static void complaints_beyond_the_limit_are_counted(void **state) {
    (void)state;
    struct diag diag = {0};
    for (int i = 0; i < DIAG_SHOWN_MAX + 3; i++) {
        diag_add(&diag, NULL, NULL, "complaint %d", i);
    }
    diag_finish(&diag);
    assert_int_equal(diag.count, DIAG_SHOWN_MAX + 3);
    assert_non_null(strstr(buf_text(&diag.text), "complaint 19\nand 3 more\n"));
    diag_release(&diag);
    diag_add(&diag, NULL, NULL, "unknown key \"%s\"", "\x1b[2J\nx\x7f");
    assert_string_equal(buf_text(&diag.text), "unknown key \"?[2J?x?\"\n");
    diag_release(&diag);
}

static void hashes_are_those_of_xxhsum(void **state) {
    (void)state;
    // printf 'besom' | xxhsum -H2, and of nothing
    char hex[HASH_HEX_LEN + 1];
    hash_hex(hex, "", 0);
    assert_string_equal(hex, "99aa06d3014798d86001c324468d497f");
    struct hash *hash = hash_new();
    hash_add(hash, "be", 2);
    hash_add(hash, "som", 3);
    char pieces[HASH_HEX_LEN + 1];
    hash_finish(hash, pieces);
    hash_hex(hex, "besom", 5);
    assert_string_equal(pieces, hex);
    assert_string_equal(hex, "e13701e08be9bff3e9f20a65601c7b6a");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back_to_the_same_bits),
        cmocka_unit_test(figures_that_change_in_place_keep_their_zeros),
        cmocka_unit_test(numbers_are_as_short_as_they_can_be),
        cmocka_unit_test(only_whole_numbers_are_read),
        cmocka_unit_test(strings_for_json_are_escaped_and_made_valid),
        cmocka_unit_test(plain_text_has_no_control_characters),
        cmocka_unit_test(errors_read_from_the_intention_to_the_cause),
        cmocka_unit_test(the_code_says_whether_trying_again_can_help),
        cmocka_unit_test(complaints_tell_their_place),
        cmocka_unit_test(slips_are_recognized),
        cmocka_unit_test(complaints_beyond_the_limit_are_counted),
        cmocka_unit_test(hashes_are_those_of_xxhsum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
