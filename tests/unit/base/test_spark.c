/* Histograms in a line, against lines drawn by hand. */
#include "base/spark.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(const double *counts, int count, double low, double high, double from, double to,
                  int width, bool utf8, const char *expected) {
    struct buf out = {0};
    spark_put(&out, &(struct spark_bins){counts, count, low, high}, from, to, width, utf8);
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
}

static void heights_are_by_the_highest(void **state) {
    (void)state;
    static const double counts[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    check(counts, 9, 0, 9, 0, 9, 9, true, " ▁▂▃▄▅▆▇█");
    check(counts, 9, 0, 9, 0, 9, 9, false, " .,:-=+*#");
}

static void what_is_not_empty_is_seen(void **state) {
    (void)state;
    static const double counts[] = {1, 0, 1000};
    check(counts, 3, -1, 1, -1, 1, 3, false, ". #");
}

static void nothing_is_blank(void **state) {
    (void)state;
    static const double counts[] = {0, 0};
    check(counts, 2, -0.5, 0.5, -0.5, 0.5, 4, true, "    ");
}

static void bins_are_joined_and_spread(void **state) {
    (void)state;
    static const double counts[] = {1, 1, 2, 2};
    check(counts, 4, 0, 4, 0, 4, 2, false, "-#");       // 2 and 4
    check(counts, 4, 0, 4, 0, 4, 8, false, "----####"); // halves of 1 and 2
    check(counts, 4, 0, 4, 0, 4, 1, false, "#");
}

static void a_wider_range_shows_where_they_are(void **state) {
    (void)state;
    static const double counts[] = {5, 5};
    check(counts, 2, 1, 2, 0, 4, 4, false, " #  ");
    check(counts, 2, 3, 4, 0, 4, 4, false, "   #");
    check(counts, 2, 0.5, 1.5, 0, 4, 4, false, "##  "); // a bin in each
}

/* Layers whose outputs have collapsed, beside one whose have not. */
static void bins_without_extent_are_a_point(void **state) {
    (void)state;
    static const double counts[] = {5, 5};
    check(counts, 2, 0.5, 0.5 + 1e-16, -1, 1, 4, false, "   #");
    check(counts, 2, -1e-300, 1e-300, -1, 1, 4, false, "  # ");
    check(counts, 2, 1, 1 + 1e-15, -1, 1, 4, false, "   #"); // at the very end
    check(counts, 2, -1, -1 + 1e-15, -1, 1, 4, false, "#   ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heights_are_by_the_highest),
        cmocka_unit_test(what_is_not_empty_is_seen),
        cmocka_unit_test(nothing_is_blank),
        cmocka_unit_test(bins_are_joined_and_spread),
        cmocka_unit_test(bins_without_extent_are_a_point),
        cmocka_unit_test(a_wider_range_shows_where_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
