/* Plots of curves whose dots are worked out by hand. */
#include "cli/plot.h"

#include "base/buf.h"
#include "base/mem.h"
#include "cli/term.h"
#include "results/curves.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NO_BAND = -1 };

static const struct plot_style plain = {.bold = "", .dim = "", .warn = "", .reset = ""};

/* `trials` trials, all with all epochs from 1 on; `band` to both sides. */
static struct curve make_curve(const char *name, int count, double (*mean)(int), double band) {
    struct curve curve = {.name = mem_strdup(name), .count = count, .trials = 3, .counted = 3};
    curve.points = mem_zalloc((size_t)count + 1, sizeof *curve.points);
    for (int p = 0; p < count; p++) {
        double m = mean(p + 1);
        curve.points[p] = (struct curve_point){.epoch = p + 1,
                                               .mean = m,
                                               .low = band < 0 ? (double)NAN : m - band,
                                               .high = band < 0 ? (double)NAN : m + band,
                                               .n = 3};
    }
    return curve;
}

static struct curves make(int count) {
    return (struct curves){.sweep = mem_strdup("s"),
                           .metric = mem_strdup("acc"),
                           .axis = mem_strdup("optimizer"),
                           .maximize = true,
                           .curves = mem_zalloc((size_t)count + 1, sizeof(struct curve)),
                           .count = count,
                           .trials = 3 * count,
                           .complete = 3 * count,
                           .counted = 3 * count,
                           .replicates = 3};
}

static double up_to_15(int epoch) { // a dot up a dot to the right
    return epoch <= 16 ? epoch - 1 : 15;
}
static double level_0(int epoch) {
    (void)epoch;
    return 0;
}
static double level_15(int epoch) {
    (void)epoch;
    return 15;
}
static double gap_at_20_to_29(int epoch) {
    return epoch >= 20 && epoch < 30 ? (double)NAN : 15;
}
static double powers_of_ten(int epoch) {
    return pow(10, 2 - epoch);
}

static char *lines[64];
static int line_count;

static void draw(struct curves *curves, struct plot_options options,
                 const struct plot_style *style) {
    static struct buf out;
    buf_clear(&out);
    plot_put(&out, curves, &options, style);
    line_count = 0;
    for (char *at = out.data; *at != '\0' && line_count < 64;) {
        lines[line_count++] = at;
        char *end = strchr(at, '\n');
        assert_non_null(end);
        *end = '\0';
        at = end + 1;
    }
    curves_release(curves);
}

static bool has_line(const char *part) {
    for (int i = 0; i < line_count; i++) {
        if (strstr(lines[i], part) != NULL) {
            return true;
        }
    }
    return false;
}

static void expect_line(const char *part) {
    if (!has_line(part)) {
        for (int i = 0; i < line_count; i++) {
            print_error("%s\n", lines[i]);
        }
        fail_msg("no line with \"%s\"", part);
    }
}

/* 44 columns: 8 of margin, the edge, 32 of plot, " a" of label, one free.  64 epochs on 64 dots, 0 to 15 on 16. */
static void a_curve_goes_through_its_dots(void **state) {
    (void)state;
    struct curves curves = make(1);
    curves.curves[0] = make_curve("a", 64, up_to_15, NO_BAND);
    draw(&curves, (struct plot_options){.width = 44, .height = 4}, &plain);
    static const char *const expected[] = {
        "s: acc by optimizer",
        "means over the 3 complete of 3 trials",
        "band: 95% interval of the mean over",
        "  replicates",
        "        │      ⡠⠊⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉ a",
        "  10.00 ┤    ⡠⠊                          ",
        "        │  ⡠⠊                            ",
        "  0.000 ┤⡠⠊                              ",
        "        └┬────────┬─────────┬───────────┬",
        "  epoch  1        20        40          64",
        "",
        "  optimizer  epoch   mean  n",
        "  a             64  15.00  3",
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true((int)i < line_count);
        assert_string_equal(lines[i], expected[i]);
    }
    assert_int_equal(line_count, sizeof expected / sizeof *expected);
}

/* Means 0 and 15, bands of 5: from 5 below to 5 above, 26 values on 24 dots would not come out even, so 23. */
static void a_band_lies_around_its_line(void **state) {
    (void)state;
    struct curves curves = make(2);
    curves.curves[0] = make_curve("a", 64, level_0, 4);
    curves.curves[1] = make_curve("b", 64, level_15, 4);
    draw(&curves, (struct plot_options){.width = 60, .height = 6}, &plain);
    // -4 to 19 on dots 23 to 0: 15 is dot 4, 0 is 19; the bands are 0 to 8 and 15 to 23.  Of their grid, in every even
    // row of dots, there are rows 0 and 5 wholly, and dot 8, the first of row 2; dot 15 is odd.  In rows 1 and 4 stand
    // the lines alone.
    assert_memory_equal(lines[3], "        │⠡⠡⠡⠡", strlen("        │⠡⠡⠡⠡"));
    assert_memory_equal(lines[4] + strlen("        │"), "⠉⠉⠉⠉", strlen("⠉⠉⠉⠉"));
    assert_memory_equal(lines[5] + strlen("        │"), "⠁⠁⠁⠁", strlen("⠁⠁⠁⠁"));
    assert_memory_equal(lines[6] + strlen("        │"), "    ", 4);
    assert_memory_equal(lines[7] + strlen("  0.000 ┤"), "⣀⣀⣀⣀", strlen("⣀⣀⣀⣀"));
    assert_memory_equal(lines[8] + strlen("        │"), "⠡⠡⠡⠡", strlen("⠡⠡⠡⠡"));
    assert_non_null(strstr(lines[4], " b b"));
    assert_non_null(strstr(lines[7], " a a"));
    assert_non_null(strstr(lines[4], "⠉b⠉")); // on its line, too
    assert_non_null(strstr(lines[7], "⣀a⣀"));
    expect_line("b b             64  15.00  ±4");
}

static void a_mean_over_fewer_trials_is_dotted_and_told(void **state) {
    (void)state;
    struct curves curves = make(1);
    curves.curves[0] = make_curve("a", 64, level_15, NO_BAND);
    for (int p = 32; p < 64; p++) {
        curves.curves[0].points[p].n = 2;
    }
    draw(&curves, (struct plot_options){.width = 44, .height = 4}, &plain);
    // the middle; the second half every second dot alone
    expect_line("⠉⠉⠉⠉⠉⠉⠁⠁⠁⠁⠁⠁⠁⠁");
    expect_line("dotted: not all of a curve's trials");
    expect_line("2 of 3");
}

static void a_gap_is_left_open_and_told(void **state) {
    (void)state;
    struct curves curves = make(1);
    curves.curves[0] = make_curve("a", 64, gap_at_20_to_29, NO_BAND);
    for (int p = 19; p < 29; p++) {
        curves.curves[0].points[p].not_finite = 1;
    }
    draw(&curves, (struct plot_options){.width = 70, .height = 4}, &plain);
    expect_line("⠉         ⠈⠉"); // between dots 32 and 53 of 116
    expect_line("a: 10 gaps, the first at epoch 20: nan or infinite in 1 of 3 trials");
}

static void a_log_scale_makes_powers_of_ten_a_line(void **state) {
    (void)state;
    struct curves curves = make(1);
    curves.curves[0] = make_curve("a", 16, powers_of_ten, NO_BAND);
    curves.curves[0].points[15].mean = 0;
    draw(&curves, (struct plot_options){.width = 60, .height = 8, .log = true}, &plain);
    expect_line("acc by optimizer, log scale");
    expect_line("a log scale has no place for 1 mean of 0 or below");
    expect_line("     1.000 ┤"); // 10 to 1e-13 is 14 powers: every seventh of them
    expect_line(" 1.000e-07 ┤");
    assert_false(has_line("e-13 ┤"));
}

/* An epoch of one point: a cross in the middle. */
static void a_single_epoch_is_a_cross(void **state) {
    (void)state;
    struct curves curves = make(1);
    curves.curves[0] = make_curve("a", 1, level_15, NO_BAND);
    draw(&curves, (struct plot_options){.width = 44, .height = 4}, &plain);
    int marked = 0;
    for (int i = 4; i < 8; i++) {
        for (const char *at = lines[i]; *at != '\0'; at++) {
            marked += (unsigned char)*at == 0xe2 && ((unsigned char)at[1] & 0xfc) == 0xa0;
        }
    }
    assert_true(marked >= 1 && marked <= 4);
    expect_line("  epoch                  1");
    assert_false(has_line(" 2"));
}

static void the_best_are_drawn_and_the_rest_is_told(void **state) {
    (void)state;
    struct curves curves = make(9);
    for (int i = 0; i < 9; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        curves.curves[i] = make_curve(name, 4, i % 2 == 0 ? level_15 : level_0, NO_BAND);
    }
    draw(&curves, (struct plot_options){.width = 60, .height = 10, .top = 5}, &plain);
    expect_line("the 5 best of 9 curves");
    expect_line(" c8 ");
    assert_false(has_line(" c1 "));
}

/* Whatever it shows, a line is shorter than the terminal is wide, so that it never wraps. */
static void no_line_is_wider_than_the_terminal(void **state) {
    (void)state;
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    for (int width = 44; width <= 200; width += 13) {
        for (int count = 1; count <= 60; count += 7) {
            struct curves curves = make(count);
            for (int i = 0; i < count; i++) {
                char *name = mem_printf("名前 %d %.*s\033[31m", i, i * 3 % 90,
                                        "a long name that says all that there is to be said of "
                                        "a point, and then something");
                curves.curves[i] = make_curve(name, 1 + i * 5, up_to_15, i % 3);
                curves.curves[i].points[0].not_finite = i % 2;
                free(name);
            }
            curves.band = (enum curves_band)(count % 3);
            draw(&curves,
                 (struct plot_options){.width = width,
                                       .height = 4 + count % 20,
                                       .log = count % 2 == 0,
                                       .log_epochs = count % 3 == 0},
                 &plain);
            for (int i = 0; i < line_count; i++) {
                assert_null(strchr(lines[i], '\033'));
                if (term_columns(lines[i]) >= width) {
                    fail_msg("%d columns of %d: %s", term_columns(lines[i]), width, lines[i]);
                }
            }
        }
    }
}

static double huge(int epoch) {
    return epoch % 2 == 0 ? 1.7e308 : -1.7e308;
}
static double tiny(int epoch) {
    return epoch % 2 == 0 ? 5e-324 : 0;
}
static double far_away(int epoch) { // one apart in the last place
    return epoch % 2 == 0 ? 9007199254740993.0 * 64 : 9007199254740994.0 * 64;
}

static void any_range_ends_in_a_plot(void **state) {
    (void)state;
    static double (*const means[])(int) = {huge, tiny, far_away};
    for (int i = 0; i < 6; i++) {
        struct curves curves = make(1);
        curves.curves[0] = make_curve("a", 5, means[i / 2], 1);
        draw(&curves, (struct plot_options){.width = 60, .height = 8, .log = i % 2 != 0}, &plain);
        expect_line("  epoch  ");
    }
    struct curves curves = make(2); // no points at all
    curves.curves[0] = make_curve("a", 0, huge, 1);
    curves.curves[1] = make_curve("b", 0, huge, 1);
    draw(&curves, (struct plot_options){.width = 60, .height = 8}, &plain);
    expect_line("  a a              -     -  0 of 3");
}

/* Steps of 1, 2 or 5 times a power of ten, with as many digits as tell them apart. */
static double near_one(int epoch) {
    return 1 + epoch * 1e-6;
}

static void ticks_are_round_and_differ(void **state) {
    (void)state;
    struct curves curves = make(1);
    curves.curves[0] = make_curve("a", 10, near_one, NO_BAND);
    draw(&curves, (struct plot_options){.width = 60, .height = 16}, &plain);
    expect_line(" 1.000002 ┤");
    expect_line(" 1.000010 ┤");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_curve_goes_through_its_dots),
        cmocka_unit_test(a_band_lies_around_its_line),
        cmocka_unit_test(a_mean_over_fewer_trials_is_dotted_and_told),
        cmocka_unit_test(a_gap_is_left_open_and_told),
        cmocka_unit_test(a_log_scale_makes_powers_of_ten_a_line),
        cmocka_unit_test(a_single_epoch_is_a_cross),
        cmocka_unit_test(the_best_are_drawn_and_the_rest_is_told),
        cmocka_unit_test(any_range_ends_in_a_plot),
        cmocka_unit_test(ticks_are_round_and_differ),
        cmocka_unit_test(no_line_is_wider_than_the_terminal),
    };
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
