/* Braille patterns against the dots numbered by hand from the Unicode chart U+2800. */
#include "results/canvas.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const none[] = {"", "", ""};
static const struct canvas_style plain = {none, none, ""};

static void expect_row(struct canvas *canvas, int row, const struct canvas_style *style,
                       const char *expected) {
    struct buf out = {0};
    canvas_row(canvas, row, style, &out);
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
            expect_row(&c, 0, &plain, expected[x][y]);
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
        expect_row(&c, 0, &plain, "\xe2\xa0\x91\xe2\xa2\x84"); // dots 1, 5 and 3, 8
        canvas_release(&c);
    }
}

static void a_dotted_line_has_every_second_dot(void **state) {
    (void)state;
    struct canvas c;
    canvas_init(&c, 3, 1);
    canvas_dotted(&c, 0, 1, 5, 1, 1); // x = 0, 2, 4: dot 2 of each character
    expect_row(&c, 0, &plain, "⠂⠂⠂");
    canvas_release(&c);
    canvas_init(&c, 1, 2);
    canvas_dotted(&c, 1, 7, 1, 0, 1); // y = 0, 2 of each: dots 4 and 6
    expect_row(&c, 0, &plain, "⠨");
    expect_row(&c, 1, &plain, "⠨");
    canvas_release(&c);
}

static void what_is_outside_is_left_out(void **state) {
    (void)state;
    struct canvas c;
    canvas_init(&c, 1, 2);
    canvas_line(&c, -5, 4, 9, 4, 1);
    canvas_shade(&c, -1, -50, 50, 1);
    canvas_shade(&c, 2, -50, 50, 1);
    assert_false(canvas_mark(&c, 2, 0, 'a', 1));
    assert_false(canvas_mark(&c, 0, -1, 'a', 1));
    expect_row(&c, 0, &plain, " ");
    expect_row(&c, 1, &plain, "\xe2\xa0\x89");
    canvas_release(&c);
}

/* An even grid: of each 2 x 4 dots the upper left one and the third of the right side, dots 1 and 6. */
static void a_shade_is_every_fourth_dot(void **state) {
    (void)state;
    struct canvas c;
    canvas_init(&c, 2, 3);
    for (int x = 0; x < 4; x++) {
        canvas_shade(&c, x, -7, 9, 1); // rows 0 and 1 wholly, of row 2 the upper two dots
    }
    expect_row(&c, 0, &plain, "⠡⠡");
    expect_row(&c, 1, &plain, "⠡⠡");
    expect_row(&c, 2, &plain, "⠁⠁");
    canvas_release(&c);
}

static void a_letter_hides_a_line_and_a_line_a_shade(void **state) {
    (void)state;
    struct canvas c;
    canvas_init(&c, 4, 1);
    for (int x = 0; x < 8; x++) {
        canvas_shade(&c, x, 0, 3, 1);
    }
    canvas_line(&c, 2, 3, 5, 3, 1);
    assert_true(canvas_mark(&c, 5, 0, 'q', 1));
    assert_false(canvas_mark(&c, 4, 3, 'r', 1)); // has one
    expect_row(&c, 0, &plain, "⠡⣀q⠡");
    canvas_release(&c);
}

/* Characters at an even place, counted from the upper left, stay the first one's. */
static void two_shades_share_an_area_by_turns(void **state) {
    (void)state;
    static const char *const lines[] = {"", "<1>", "<2>"}, *const shades[] = {"", "[1]", "[2]"};
    const struct canvas_style style = {lines, shades, "<0>"};
    struct canvas c;
    canvas_init(&c, 3, 2);
    for (int ink = 1; ink <= 2; ink++) {
        for (int x = 0; x < 6; x++) {
            canvas_shade(&c, x, 0, 7, (uint8_t)ink);
        }
    }
    expect_row(&c, 0, &style, "[1]⠡<0>[2]⠡<0>[1]⠡<0>");
    expect_row(&c, 1, &style, "[2]⠡<0>[1]⠡<0>[2]⠡<0>");
    canvas_release(&c);
}

static void styles_change_with_the_ink_and_end_with_a_reset(void **state) {
    (void)state;
    static const char *const lines[] = {"", "<1>", "<2>"}, *const shades[] = {"", "[1]", "[2]"};
    const struct canvas_style style = {lines, shades, "<0>"};
    struct canvas c;
    canvas_init(&c, 5, 1);
    canvas_line(&c, 0, 0, 3, 0, 1);
    canvas_line(&c, 6, 0, 6, 0, 2);
    canvas_shade(&c, 8, 0, 0, 1);
    expect_row(&c, 0, &style, "<1>\xe2\xa0\x89\xe2\xa0\x89 <2>\xe2\xa0\x81[1]⠁<0>");
    (void)canvas_mark(&c, 9, 0, 'x', 2);
    expect_row(&c, 0, &style, "<1>\xe2\xa0\x89\xe2\xa0\x89 <2>\xe2\xa0\x81x<0>");
    canvas_release(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_dot_has_its_bit),
        cmocka_unit_test(a_line_joins_its_ends_whatever_the_direction),
        cmocka_unit_test(a_dotted_line_has_every_second_dot),
        cmocka_unit_test(what_is_outside_is_left_out),
        cmocka_unit_test(a_shade_is_every_fourth_dot),
        cmocka_unit_test(a_letter_hides_a_line_and_a_line_a_shade),
        cmocka_unit_test(two_shades_share_an_area_by_turns),
        cmocka_unit_test(styles_change_with_the_ink_and_end_with_a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
