/* Braille patterns against the dots numbered by hand from the Unicode chart U+2800. */
#include "results/canvas.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const plain[] = {"", "", ""};

static void expect_row(struct canvas *canvas, int row, const char *const *style, const char *reset,
                       const char *expected) {
    struct buf out = {0};
    canvas_row(canvas, row, style, reset, &out);
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
}

static void every_dot_has_its_bit(void **state) {
    (void)state;
    // U+2801, 2, 4, 40 down the left side; 8, 10, 20, 80 down the right
    static const char *const expected[2][4] = {
        {"\xe2\xa0\x81", "\xe2\xa0\x82", "\xe2\xa0\x84", "\xe2\xa1\x80"},
        {"\xe2\xa0\x88", "\xe2\xa0\x90", "\xe2\xa0\xa0", "\xe2\xa2\x80"}};
    for (int x = 0; x < 2; x++) {
        for (int y = 0; y < 4; y++) {
            struct canvas c;
            canvas_init(&c, 1, 1);
            canvas_line(&c, x, y, x, y, 1);
            expect_row(&c, 0, plain, "", expected[x][y]);
            canvas_release(&c);
        }
    }
}

static void a_line_joins_its_ends_whatever_the_direction(void **state) {
    (void)state;
    for (int swap = 0; swap < 2; swap++) {
        struct canvas c;
        canvas_init(&c, 2, 1);
        if (swap) {
            canvas_line(&c, 3, 3, 0, 0, 1);
        } else {
            canvas_line(&c, 0, 0, 3, 3, 1);
        }
        expect_row(&c, 0, plain, "", "\xe2\xa0\x91\xe2\xa2\x84"); // dots 1, 5 and 3, 8
        canvas_release(&c);
    }
}

static void what_is_outside_is_left_out(void **state) {
    (void)state;
    struct canvas c;
    canvas_init(&c, 1, 2);
    canvas_line(&c, -5, 4, 9, 4, 1);
    expect_row(&c, 0, plain, "", " ");
    expect_row(&c, 1, plain, "", "\xe2\xa0\x89");
    canvas_release(&c);
}

static void styles_change_with_the_ink_and_end_with_a_reset(void **state) {
    (void)state;
    static const char *const styles[] = {"", "<1>", "<2>"};
    struct canvas c;
    canvas_init(&c, 4, 1);
    canvas_line(&c, 0, 0, 3, 0, 1);
    canvas_line(&c, 6, 0, 6, 0, 2);
    expect_row(&c, 0, styles, "<0>", "<1>\xe2\xa0\x89\xe2\xa0\x89 <2>\xe2\xa0\x81<0>");
    canvas_release(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_dot_has_its_bit),
        cmocka_unit_test(a_line_joins_its_ends_whatever_the_direction),
        cmocka_unit_test(what_is_outside_is_left_out),
        cmocka_unit_test(styles_change_with_the_ink_and_end_with_a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
