/* The same cells as text, CSV, Markdown and JSON, against what is written here by hand. */
#include "results/table.h"

#include "base/buf.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct table *sample(void) {
    struct table *t = table_new();
    table_column(t, "optimizer", TABLE_LEFT);
    table_column(t, "loss", TABLE_RIGHT);
    table_column(t, "n", TABLE_RIGHT);
    table_text(t, "adam, \"fast\"");
    table_number(t, 0.1 + 0.2, 4);
    table_int(t, 3);
    table_text(t, NULL);
    table_number(t, NAN, 4);
    table_int(t, 12345);
    return t;
}

static void expect_format(enum table_format format, const char *expected) {
    struct table *t = sample();
    struct buf out = {0};
    table_print(t, format, &out);
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
    table_free(t);
}

static void text_aligns_and_rounds_for_people(void **state) {
    (void)state;
    expect_format(TABLE_TEXT, "  optimizer     loss      n\n"
                              "  adam, \"fast\"   0.3      3\n"
                              "  -                -  12345\n");
}

static void csv_quotes_and_keeps_all_digits(void **state) {
    (void)state;
    expect_format(TABLE_CSV, "optimizer,loss,n\r\n"
                             "\"adam, \"\"fast\"\"\",0.30000000000000004,3\r\n"
                             ",,12345\r\n");
}

static void markdown_has_a_rule_and_alignment(void **state) {
    (void)state;
    expect_format(TABLE_MD, "| optimizer | loss | n |\n"
                            "| --- | ---: | ---: |\n"
                            "| adam, \"fast\" | 0.3 | 3 |\n"
                            "| - | - | 12345 |\n");
}

static void json_is_an_array_of_objects_with_null_for_absent(void **state) {
    (void)state;
    expect_format(
        TABLE_JSON,
        "[\n"
        "  {\"optimizer\": \"adam, \\\"fast\\\"\", \"loss\": 0.30000000000000004, \"n\": 3},\n"
        "  {\"optimizer\": null, \"loss\": null, \"n\": 12345}\n"
        "]\n");
}

static void wide_characters_take_the_columns_they_need(void **state) {
    (void)state;
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    struct table *t = table_new();
    table_column(t, "a", TABLE_LEFT);
    table_column(t, "b", TABLE_LEFT);
    table_text(t, "\xe6\xbc\xa2"); // one character, two columns
    table_text(t, "x");
    table_text(t, "abcd");
    table_text(t, "y");
    struct buf out = {0};
    table_print(t, TABLE_TEXT, &out);
    assert_string_equal(buf_text(&out), "  a     b\n  \xe6\xbc\xa2    x\n  abcd  y\n");
    buf_release(&out);
    table_free(t);
}

static void format_names_are_read(void **state) {
    (void)state;
    enum table_format format = TABLE_TEXT;
    assert_true(table_parse_format("md", &format));
    assert_int_equal(format, TABLE_MD);
    assert_false(table_parse_format("xml", &format));
    assert_int_equal(format, TABLE_MD); // left alone
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_aligns_and_rounds_for_people),
        cmocka_unit_test(csv_quotes_and_keeps_all_digits),
        cmocka_unit_test(markdown_has_a_rule_and_alignment),
        cmocka_unit_test(json_is_an_array_of_objects_with_null_for_absent),
        cmocka_unit_test(wide_characters_take_the_columns_they_need),
        cmocka_unit_test(format_names_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
