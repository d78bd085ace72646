/* The strict reader against what RFC 8259 says, texts that cJSON alone would take, and properties. */
#include "base/json.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct json_doc *parse(const char *text, int flags) {
    struct json_doc *doc = NULL;
    struct err err;
    if (json_parse(&doc, "t", text, strlen(text), flags, &err) != ERR_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    return doc;
}

static void refused_with_place_and_reason(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "t:1:1: expected a value, found the end"},
        {"nul", "t:1:1: expected a value, found 'n'"},
        {"[01]", "t:1:2: a number with a leading zero"},
        {"[1.]", "t:1:4: expected a digit, found ']'"},
        {"[.5]", "t:1:2: expected a value, found '.'"},
        {"[+1]", "t:1:2: expected a value, found '+'"},
        {"[1e999]", "t:1:2: a number that is too large"},
        {"[1] x", "t:1:5: expected the end, found 'x'"},
        {"{\"a\": 1,}", "t:1:9: expected a name in quotes, found '}'"},
        {"{\"a\" 1}", "t:1:6: expected ':' after the name, found '1'"},
        {"{\n \"a\": 1\n \"b\": 2}", "t:3:2: expected ',' or '}', found '\"'"},
        {"[1 2]", "t:1:4: expected ',' or ']', found '2'"},
        {"[\"a", "t:1:2: a string without its closing quote"},
        {"[\"a\nb\"]", "t:1:4: control character in a string"},
        {"[\"\\x\"]", "t:1:3: unknown escape sequence in a string"},
        {"[\"\\u0000\"]", "t:1:3: \\u0000 in a string"},
        {"[\"\\ud800\"]", "t:1:3: half of a surrogate pair in a string"},
        {"[\"\\udc00\"]", "t:1:3: half of a surrogate pair in a string"},
        {"[\"\xff\"]", "t:1:3: a string that is not UTF-8"},
        {"[\"\xc0\x80\"]", "t:1:3: a string that is not UTF-8"},
        {"[\"\xed\xa0\x80\"]", "t:1:3: a string that is not UTF-8"},
        {"{\"a\": 1,\n\"b\": 2,\n\"a\": 3}", "t:3:1: repeated name \"a\", first in line 1"},
        {"{\"a\": 1, \"\\u0061\": 3}", "t:1:10: repeated name \"a\", first in line 1"},
        {"[1] // x", "t:1:5: expected the end, found '/' (// comments are not allowed here)"},
        {"[NaN]", "t:1:2: expected a value, found 'N'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_doc *doc;
        struct err err = {0};
        int rc = json_parse(&doc, "t", cases[i].text, strlen(cases[i].text), JSON_STRICT, &err);
        assert_int_equal(rc, ERR_PARSE);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void escape_sequences_do_not_get_into_a_message(void **state) {
    (void)state;
    static const char text[] = "{\"\\u001b[31m\\n\\u009b\": 1, \"\\u001b[31m\\n\\u009b\": 2}";
    struct json_doc *doc;
    struct err err;
    assert_int_equal(json_parse(&doc, "t", text, sizeof text - 1, JSON_STRICT, &err), ERR_PARSE);
    assert_string_equal(err.msg,
                        "t:1:27: repeated name \"\\u001b[31m\\n\\u009b\", first in line 1");
}

/* Comparing every name with every other would be 45 billion comparisons: ctest's limit would end it. */
static void a_repeated_name_among_very_many_is_found(void **state) {
    (void)state;
    enum { MANY = 300000 };
    struct buf text = {0};
    struct json_doc *doc;
    struct err err;
    buf_putc(&text, '{');
    for (int i = 0; i < MANY; i++) {
        buf_printf(&text, "\"k%d\":%d,\n", i, i);
    }
    size_t len = text.len;
    buf_puts(&text, "\"last\":0}");
    assert_int_equal(json_parse(&doc, "t", buf_text(&text), text.len, JSON_STRICT, &err), ERR_OK);
    assert_int_equal(json_count(json_root(doc)), MANY + 1);
    json_free(doc);

    text.len = len;
    buf_puts(&text, "\"k7\":0}");
    assert_int_equal(json_parse(&doc, "t", buf_text(&text), text.len, JSON_STRICT, &err),
                     ERR_PARSE);
    assert_string_equal(err.msg, "t:300001:1: repeated name \"k7\", first in line 8");
    buf_release(&text);
}

/* Some builds of cJSON cut a number at 63 characters and take what is left for garbage. */
static void a_number_of_any_length_is_read_whole(void **state) {
    (void)state;
    for (size_t digits = 1; digits <= 1000; digits++) {
        char text[1100];
        text[0] = '[';
        memset(text + 1, '3', digits);
        memcpy(text + 1 + digits, "e-700]", 7);
        struct json_doc *doc = parse(text, JSON_STRICT);
        double read = json_number(json_first(json_root(doc)));
        double expected = strtod(text + 1, NULL);
        if (!num_same_bits(read, expected)) {
            fail_msg("%zu digits: %a, not %a", digits, read, expected);
        }
        json_free(doc);
    }
}

static void a_nul_byte_is_refused_wherever_it_stands(void **state) {
    (void)state;
    static const char text[] = "[1, \"ab\"]";
    for (size_t i = 0; i < sizeof text; i++) {
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        copy[i] = '\0';
        struct json_doc *doc;
        struct err err;
        assert_int_equal(json_parse(&doc, "t", copy, sizeof text, JSON_STRICT, &err), ERR_PARSE);
    }
}

static void depth_is_limited_without_recursing_far(void **state) {
    (void)state;
    enum { MANY = 2000000 };
    char *text = mem_zalloc(MANY, 1);
    memset(text, '[', MANY);
    struct json_doc *doc;
    struct err err;
    assert_int_equal(json_parse(&doc, "t", text, MANY, JSON_STRICT, &err), ERR_PARSE);
    assert_non_null(strstr(err.msg, "too deep"));

    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX); // the deepest that is allowed
    assert_int_equal(json_parse(&doc, "t", text, 2 * JSON_DEPTH_MAX, JSON_STRICT, &err), ERR_OK);
    json_free(doc);
    free(text);
}

static void every_value_has_its_place(void **state) {
    (void)state;
    struct json_doc *doc = parse("// sweep\n{\n  \"a\": [1, // one\n    {\"b\": null}],\n"
                                 "  \"url\": \"http://x\"\n}\n",
                                 JSON_COMMENTS);
    const struct cJSON *a = json_get(json_root(doc), "a");
    const struct cJSON *b = json_get(json_next(json_first(a)), "b");
    int line, column;
    json_where(doc, json_root(doc), &line, &column);
    assert_int_equal(line * 100 + column, 201);
    json_where(doc, a, &line, &column);
    assert_int_equal(line * 100 + column, 303);
    json_where(doc, json_first(a), &line, &column);
    assert_int_equal(line * 100 + column, 309);
    json_where(doc, b, &line, &column);
    assert_int_equal(line * 100 + column, 406);
    assert_string_equal(json_text(json_get(json_root(doc), "url")), "http://x");
    struct cJSON *stranger = json_new_null();
    json_where(doc, stranger, &line, &column);
    assert_int_equal(line, 0);
    json_delete(stranger);
    json_free(doc);
}

static void canonical_text_does_not_depend_on_order_or_spelling(void **state) {
    (void)state;
    struct json_doc *x = parse("{\"b\": [1.0, 1e-1, 100000, -0.0], \"a\": {\"z\": \"\\u00e9\", "
                               "\"y\": true}}",
                               JSON_STRICT);
    struct json_doc *y =
        parse("{ \"a\":{\"y\":true,\"z\":\"\xc3\xa9\"},\n\"b\":[1,0.10,1e5,-0]}", JSON_STRICT);
    struct buf a = {0}, b = {0};
    json_print_canonical(&a, json_root(x));
    json_print_canonical(&b, json_root(y));
    assert_string_equal(buf_text(&a),
                        "{\"a\":{\"y\":true,\"z\":\"\xc3\xa9\"},\"b\":[1,0.1,100000,-0]}");
    assert_string_equal(buf_text(&a), buf_text(&b));
    assert_true(json_equal(json_root(x), json_root(y)));
    buf_release(&a);
    buf_release(&b);
    json_free(x);
    json_free(y);
}

static void paths_reach_through_names(void **state) {
    (void)state;
    struct json_doc *doc = parse("{\"optimizer\": \"adam\", \"n\": 3}", JSON_STRICT);
    struct cJSON *config = json_copy(json_root(doc));
    struct err err;
    assert_true(json_is_string(json_path_get(config, "optimizer.name"), "adam"));
    assert_null(json_path_get(config, "optimizer.lr"));
    assert_null(json_path_get(config, "n.x"));
    assert_int_equal(json_path_set(config, "optimizer.lr", json_new_number(0.1), &err), ERR_OK);
    assert_int_equal(json_path_set(config, "dataset.train", json_new_number(5), &err), ERR_OK);
    assert_int_equal(json_path_set(config, "n.x", json_new_null(), &err), ERR_RANGE);
    assert_non_null(strstr(err.msg, "\"n\" is a number"));
    struct buf out = {0};
    json_print_canonical(&out, config);
    assert_string_equal(buf_text(&out), "{\"dataset\":{\"train\":5},\"n\":3,"
                                        "\"optimizer\":{\"lr\":0.1,\"name\":\"adam\"}}");
    buf_release(&out);
    json_delete(config);
    json_free(doc);
}

static void integers_and_metrics_are_told_from_the_rest(void **state) {
    (void)state;
    struct json_doc *doc =
        parse("[3, 3.5, 9007199254740992, 9007199254740994, \"3\", \"nan\", \"-inf\", \"x\"]",
              JSON_STRICT);
    static const bool integer[] = {true, false, true, false, false, false, false, false};
    static const bool metric[] = {true, true, true, true, false, true, true, false};
    int i = 0;
    for (const struct cJSON *v = json_first(json_root(doc)); v != NULL; v = json_next(v), i++) {
        int64_t n;
        double d;
        assert_int_equal(json_integer(v, 0, INT64_MAX, &n), integer[i]);
        assert_int_equal(json_metric(v, &d), metric[i]);
    }
    assert_int_equal(i, 8);
    json_free(doc);
}

static void containers_are_built_changed_and_copied(void **state) {
    (void)state;
    struct cJSON *object = json_new_object(), *list = json_new_array();
    json_append(list, json_new_bool(true));
    json_append(list, json_new_number(NAN));
    json_append(list, json_new_number(1e-7));
    json_set(object, "b", json_new_null());
    json_set(object, "B", json_new_string("\""));
    json_set(object, "b", list); // in the place of null
    json_set(object, "x", json_new_array());
    json_remove(object, "x");
    json_remove(object, "absent");
    struct cJSON *copy = json_copy(json_get(object, "b"));
    assert_null(json_key(copy));
    assert_true(json_equal(copy, list));
    json_append(copy, json_new_object());
    assert_false(json_equal(copy, list)); // deep
    struct buf out = {0};
    json_print(&out, object);
    assert_string_equal(buf_text(&out), "{\"b\": [true, \"nan\", 1e-07], \"B\": \"\\\"\"}");
    buf_clear(&out);
    json_print_pretty(&out, copy);
    assert_string_equal(buf_text(&out), "[\n  true,\n  \"nan\",\n  1e-07,\n  {}\n]");
    assert_null(json_first(json_next(json_next(json_next(json_first(copy))))));
    buf_release(&out);
    json_delete(copy);
    json_delete(object);
    json_delete(NULL);
}

/* Each value's place shows the character that such a value, or a member's name, starts with. */
static void check_places(const struct json_doc *doc, const char *text, const struct cJSON *value) {
    static const char *const starts[] = {"n", "tf", "-0123456789", "\"", "[", "{"};
    int line, column;
    json_where(doc, value, &line, &column);
    for (; line > 1; line--) {
        text = strchr(text, '\n') + 1;
    }
    const char *expected = json_key(value) != NULL ? "\"" : starts[json_type(value)];
    if (column < 1 || strchr(expected, text[column - 1]) == NULL) {
        fail_msg("%s at column %d of %s", json_type_name(json_type(value)), column, text);
    }
}

static void check_all_places(const struct json_doc *doc, const char *text,
                             const struct cJSON *value) {
    check_places(doc, text, value);
    bool container = json_type(value) == JSON_ARRAY || json_type(value) == JSON_OBJECT;
    for (const struct cJSON *c = container ? json_first(value) : NULL; c != NULL;
         c = json_next(c)) {
        check_all_places(doc, text, c);
    }
}

/* print(parse(x)) parses to an equal value; a changed byte gives an error or a value, never a crash */
static void mutations_and_round_trips(void **state) {
    (void)state;
    static const char text[] = "{\"a\": [1, -2.5e-3, true, null], \"\\u00e9\": {\"n\": \"x\\n\"}}";
    const uint64_t seed = 20261123;
    struct rng rng;
    rng_init(&rng, seed, RNG_TEST, 0, 0);
    print_message("seed %llu\n", (unsigned long long)seed);
    int accepted = 0;
    for (int i = 0; i < 100000; i++) {
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        for (uint32_t k = rng_below(&rng, 3); k < 3; k++) {
            copy[rng_below(&rng, sizeof text - 1)] = (char)rng_below(&rng, 256);
        }
        struct json_doc *doc, *again;
        struct err err;
        if (json_parse(&doc, "t", copy, sizeof text - 1, JSON_COMMENTS, &err) != ERR_OK) {
            if (strncmp(err.msg, "t:", 2) != 0 || strstr(err.msg, "library") != NULL) {
                fail_msg("round %d: %s", i,
                         err.msg); // what cJSON refuses, the scanner refused before
            }
            continue;
        }
        accepted++;
        check_all_places(doc, copy, json_root(doc));
        struct buf out = {0};
        json_print_pretty(&out, json_root(doc));
        again = parse(buf_text(&out), JSON_STRICT);
        if (!json_equal(json_root(doc), json_root(again))) {
            fail_msg("round %d: %s", i, buf_text(&out));
        }
        buf_release(&out);
        json_free(doc);
        json_free(again);
    }
    assert_true(accepted > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_with_place_and_reason),
        cmocka_unit_test(escape_sequences_do_not_get_into_a_message),
        cmocka_unit_test(a_repeated_name_among_very_many_is_found),
        cmocka_unit_test(a_number_of_any_length_is_read_whole),
        cmocka_unit_test(a_nul_byte_is_refused_wherever_it_stands),
        cmocka_unit_test(depth_is_limited_without_recursing_far),
        cmocka_unit_test(every_value_has_its_place),
        cmocka_unit_test(canonical_text_does_not_depend_on_order_or_spelling),
        cmocka_unit_test(paths_reach_through_names),
        cmocka_unit_test(integers_and_metrics_are_told_from_the_rest),
        cmocka_unit_test(containers_are_built_changed_and_copied),
        cmocka_unit_test(mutations_and_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
