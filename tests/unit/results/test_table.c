/* The same cells as text, CSV, Markdown and JSON, against what is written here by hand. */
#include "results/table.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

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

/* Prints it, and compares. */
static void expect_print(const struct table *t, enum table_format format, const char *expected) {
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    table_print(t, format, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, expected);
    free(text);
}

static void expect_format(enum table_format format, const char *expected) {
    struct table *t = sample();
    expect_print(t, format, expected);
    table_free(t);
}

static void text_aligns_and_rounds_for_people(void **state) {
    (void)state;
    expect_format(TABLE_TEXT, "  optimizer     loss      n\n"
                              "  adam, \"fast\"   0.3      3\n"
                              "  -                -  12345\n");
}

static struct table *column_of(const double *values, int count) {
    struct table *t = table_new();
    table_column(t, "x", TABLE_RIGHT);
    for (int i = 0; i < count; i++) {
        table_number(t, values[i], 4);
    }
    return t;
}

/* Zeros fill up to the longest of the column, but no further than to the digits asked for. */
static void decimal_points_stand_below_each_other(void **state) {
    (void)state;
    static const struct {
        double values[4];
        const char *expected;
    } cases[] = {
        {{0.8466, 0.829, 0.1, 0}, "       x\n  0.8466\n  0.8290\n  0.1000\n  0.0000\n"},
        {{0.02, 0.02, 0.1, 3}, "     x\n  0.02\n  0.02\n  0.10\n  3.00\n"},
        {{0.05125, -12.3, 12345, 0.5},
         "          x\n    0.05125\n     -12.30\n  1.234e+04\n     0.5000\n"},
        {{1, 2, INFINITY, 1200}, "     x\n     1\n     2\n   inf\n  1200\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct table *t = column_of(cases[i].values, 4);
        expect_print(t, TABLE_TEXT, cases[i].expected);
        table_free(t);
    }
    struct table *t = column_of(cases[0].values, 4);
    expect_print(t, TABLE_MD, "| x |\n| ---: |\n| 0.8466 |\n| 0.8290 |\n| 0.1000 |\n| 0.0000 |\n");
    expect_print(t, TABLE_CSV, "x\r\n0.8466\r\n0.829\r\n0.1\r\n0\r\n");
    table_free(t);
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
    expect_print(t, TABLE_TEXT, "  a     b\n  \xe6\xbc\xa2    x\n  abcd  y\n");
    table_free(t);
}

static void control_characters_are_kept_for_machines_alone(void **state) {
    (void)state;
    struct table *t = table_new();
    table_column(t, "a", TABLE_LEFT);
    table_column(t, "b", TABLE_RIGHT);
    table_text(t, "x\033[2J\ny");
    table_number(t, -INFINITY, 4);
    expect_print(t, TABLE_TEXT, "  a           b\n  x?[2J?y  -inf\n");
    expect_print(t, TABLE_CSV, "a,b\r\nx?[2J?y,-inf\r\n");
    expect_print(t, TABLE_JSON, "[\n  {\"a\": \"x\\u001b[2J\\ny\", \"b\": \"-inf\"}\n]\n");
    table_free(t);
}

/* More rows than are written at a time, the widest last. */
static void many_rows_come_whole(void **state) {
    (void)state;
    enum { ROWS = 20000 };
    struct table *t = table_new();
    table_column(t, "n", TABLE_RIGHT);
    table_column(t, "x", TABLE_LEFT);
    char *expected = malloc(ROWS * 16 + 16), *end = expected;
    assert_non_null(expected);
    end += sprintf(end, "  %5s  x\n", "n");
    for (int i = 0; i < ROWS; i++) {
        table_int(t, i);
        table_text(t, i % 3 == 0 ? NULL : "abc");
        end += sprintf(end, "  %5d  %s\n", i, i % 3 == 0 ? "-" : "abc");
    }
    assert_int_equal(table_rows(t), ROWS);
    expect_print(t, TABLE_TEXT, expected);
    free(expected);
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
        cmocka_unit_test(decimal_points_stand_below_each_other),
        cmocka_unit_test(csv_quotes_and_keeps_all_digits),
        cmocka_unit_test(markdown_has_a_rule_and_alignment),
        cmocka_unit_test(json_is_an_array_of_objects_with_null_for_absent),
        cmocka_unit_test(wide_characters_take_the_columns_they_need),
        cmocka_unit_test(control_characters_are_kept_for_machines_alone),
        cmocka_unit_test(many_rows_come_whole),
        cmocka_unit_test(format_names_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
