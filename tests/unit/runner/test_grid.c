/* The points of a grid against an enumeration written out here, and the shuffled order against values of
 * an independent Philox (Python). */
#include "tests/unit/runner/sweep_testing.h"

#include "base/json.h"
#include "base/mem.h"
#include "runner/grid.h"
#include "runner/permute.h"

/* "LABEL | CONFIG" of the point, "excluded", or "error". */
static const char *point_text(const struct sweep *sweep, int64_t ordinal) {
    static char text[4096];
    struct grid_point point;
    bool excluded;
    struct err err;
    if (grid_at(sweep, ordinal, &point, &excluded, &err) != ERR_OK) {
        return "error";
    }
    if (excluded) {
        return "excluded";
    }
    struct buf config = {0};
    json_print(&config, point.config);
    (void)snprintf(text, sizeof text, "%s | %s", point.label, buf_text(&config));
    buf_release(&config);
    grid_point_release(&point);
    return text;
}

static void check_points(const char *rest, const char *const *wanted, int count) {
    struct sweep sweep;
    load_rest(&sweep, rest);
    assert_int_equal(grid_size(&sweep), count);
    for (int i = 0; i < count; i++) {
        assert_string_equal(point_text(&sweep, i), wanted[i]);
    }
    sweep_release(&sweep);
}

static void no_grid_is_one_point_named_as_the_sweep(void **state) {
    (void)state;
    check_points("\"config\": {\"x\": 1}", (const char *const[]){"t | {\"x\": 1, \"seed\": 1}"}, 1);
    check_points("\"grid\": {}", (const char *const[]){"t | {\"seed\": 1}"}, 1);
}

static void the_last_axis_is_fastest_and_replicates_faster_still(void **state) {
    (void)state;
    static const char *const wanted[] = {
        "tanh n=1 | {\"seed\": 5, \"act\": \"tanh\", \"n\": 1}",
        "tanh n=1 | {\"seed\": 6, \"act\": \"tanh\", \"n\": 1}",
        "tanh n=2 | {\"seed\": 5, \"act\": \"tanh\", \"n\": 2}",
        "tanh n=2 | {\"seed\": 6, \"act\": \"tanh\", \"n\": 2}",
        "relu n=1 | {\"seed\": 5, \"act\": \"relu\", \"n\": 1}",
        "relu n=1 | {\"seed\": 6, \"act\": \"relu\", \"n\": 1}",
        "relu n=2 | {\"seed\": 5, \"act\": \"relu\", \"n\": 2}",
        "relu n=2 | {\"seed\": 6, \"act\": \"relu\", \"n\": 2}",
    };
    check_points("\"config\": {\"seed\": 5, \"n\": 0}, \"grid\": {\"act\": [\"tanh\", \"relu\"], "
                 "\"n\": [1, 2]}, \"replicates\": 2",
                 (const char *const[]){"tanh n=1 | {\"seed\": 5, \"n\": 1, \"act\": \"tanh\"}",
                                       "tanh n=1 | {\"seed\": 6, \"n\": 1, \"act\": \"tanh\"}",
                                       "tanh n=2 | {\"seed\": 5, \"n\": 2, \"act\": \"tanh\"}",
                                       "tanh n=2 | {\"seed\": 6, \"n\": 2, \"act\": \"tanh\"}",
                                       "relu n=1 | {\"seed\": 5, \"n\": 1, \"act\": \"relu\"}",
                                       "relu n=1 | {\"seed\": 6, \"n\": 1, \"act\": \"relu\"}",
                                       "relu n=2 | {\"seed\": 5, \"n\": 2, \"act\": \"relu\"}",
                                       "relu n=2 | {\"seed\": 6, \"n\": 2, \"act\": \"relu\"}"},
                 8);
    check_points("\"config\": {\"seed\": 5}, \"grid\": {\"act\": [\"tanh\", \"relu\"], "
                 "\"n\": [1, 2]}, \"replicates\": 2",
                 wanted, 8);
}

/* Every tuple of a larger grid, by loops here and in any order there. */
static void the_points_are_the_product_each_once(void **state) {
    (void)state;
    for (int shuffled = 0; shuffled <= 1; shuffled++) {
        struct sweep sweep;
        char *rest = mem_printf("\"grid\": {\"a\": [0, 1, 2], \"b.c\": [0, 1, 2, 3, 4], \"d\": [0, "
                                "1], \"e\": [0, 1, 2, "
                                "3, 4, 5, 6]}, \"replicates\": 3, \"order\": \"%s\"",
                                shuffled ? "shuffled" : "grid");
        load_rest(&sweep, rest);
        free(rest);
        bool seen[3][5][2][7][3] = {0};
        assert_int_equal(grid_size(&sweep), 630);
        for (int64_t i = 0; i < 630; i++) {
            struct grid_point point;
            bool excluded;
            struct err err;
            assert_int_equal(grid_at(&sweep, i, &point, &excluded, &err), ERR_OK);
            assert_false(excluded);
            assert_int_equal(point.ordinal, i);
            int a = (int)json_number(json_get(point.config, "a"));
            int c = (int)json_number(json_path_get(point.config, "b.c"));
            int d = (int)json_number(json_get(point.config, "d"));
            int e = (int)json_number(json_get(point.config, "e"));
            int r = point.replicate - 1;
            assert_int_equal(point.seed, 1 + r);
            assert_int_equal((int)json_number(json_get(point.config, "seed")), 1 + r);
            assert_int_equal((int)json_number(json_get(point.params, "b.c")), c);
            assert_false(seen[a][c][d][e][r]);
            seen[a][c][d][e][r] = true;
            grid_point_release(&point);
        }
        sweep_release(&sweep);
    }
}

static void values_multiply_at_any_depth(void **state) {
    (void)state;
    static const char *const wanted[] = {
        "sgd lr=0.1 m={k=1} | {\"o\": {\"name\": \"sgd\", \"lr\": 0.1, \"m\": {\"k\": 1}}, "
        "\"seed\": 1}",
        "sgd lr=0.1 m={k=2} | {\"o\": {\"name\": \"sgd\", \"lr\": 0.1, \"m\": {\"k\": 2}}, "
        "\"seed\": 1}",
        "sgd lr=0.2 m={k=1} | {\"o\": {\"name\": \"sgd\", \"lr\": 0.2, \"m\": {\"k\": 1}}, "
        "\"seed\": 1}",
        "sgd lr=0.2 m={k=2} | {\"o\": {\"name\": \"sgd\", \"lr\": 0.2, \"m\": {\"k\": 2}}, "
        "\"seed\": 1}",
        "o=[1,2] | {\"o\": [1, 2], \"seed\": 1}",
        "o=[1,3] | {\"o\": [1, 3], \"seed\": 1}",
        "adam | {\"o\": \"adam\", \"seed\": 1}",
        "x | {\"o\": \"x\", \"seed\": 1}",
        "y | {\"o\": \"y\", \"seed\": 1}",
    };
    check_points(
        "\"grid\": {\"o\": ["
        "{\"name\": \"sgd\", \"lr\": {\"values\": [0.1, 0.2]}, \"m\": {\"k\": {\"values\": "
        "[1, {\"values\": [2]}]}}}, "
        "[1, {\"values\": [2, 3]}], \"adam\", {\"values\": [\"x\", \"y\"]}]}",
        wanted, 9);
}

/* sgd with two rates and adam with one are three values; nested axes come on top, whatever their order in
 * the file. */
static void an_axis_within_another_comes_on_top(void **state) {
    (void)state;
    static const char *const wanted[] = {
        "lr=0.1 sgd | {\"o\": {\"name\": \"sgd\", \"lr\": 0.1}, \"seed\": 1}",
        "lr=0.1 m m=0.9 | {\"o\": {\"name\": \"m\", \"m\": 0.9, \"lr\": 0.1}, \"seed\": 1}",
        "lr=0.1 m m=0.8 | {\"o\": {\"name\": \"m\", \"m\": 0.8, \"lr\": 0.1}, \"seed\": 1}",
    };
    check_points("\"config\": {\"o\": 5}, \"grid\": {\"o.lr\": [0.1], \"o\": [\"sgd\", {\"name\": "
                 "\"m\", \"m\": {\"values\": [0.9, 0.8]}}]}",
                 wanted, 3);
}

static void an_axis_enters_a_name_of_the_config(void **state) {
    (void)state;
    check_points(
        "\"config\": {\"dataset\": \"fm\"}, \"grid\": {\"dataset.train\": [10000, 60000]}",
        (const char *const[]){
            "train=10000 | {\"dataset\": {\"name\": \"fm\", \"train\": 10000}, \"seed\": 1}",
            "train=60000 | {\"dataset\": {\"name\": \"fm\", \"train\": 60000}, \"seed\": 1}"},
        2);
}

static void excluded_points_are_those_that_match_all_of_an_entry(void **state) {
    (void)state;
    static const char *const wanted[] = {
        "tanh sgd lr=0.1 | {\"a\": \"tanh\", \"o\": {\"name\": \"sgd\", \"lr\": 0.1}, \"seed\": 1}",
        "excluded",
        "excluded",
        "relu sgd lr=0.1 | {\"a\": \"relu\", \"o\": {\"name\": \"sgd\", \"lr\": 0.1}, \"seed\": 1}",
        "relu sgd lr=0.2 | {\"a\": \"relu\", \"o\": {\"name\": \"sgd\", \"lr\": 0.2}, \"seed\": 1}",
        "excluded",
    };
    check_points(
        "\"grid\": {\"a\": [\"tanh\", \"relu\"], \"o\": [{\"name\": \"sgd\", \"lr\": "
        "{\"values\": [0.1, 0.2]}}, {\"name\": \"adam\"}]}, \"exclude\": [{\"a\": \"tanh\", "
        "\"o.lr\": 2e-1}, {\"o\": \"adam\"}]",
        wanted, 6);
    // {"name": "x"} excludes "x", a name in the config counts, and numbers compare by value
    check_points("\"config\": {\"d\": \"fm\"}, \"grid\": {\"o\": [\"x\"], \"n\": [1, 2]}, "
                 "\"exclude\": [{\"o\": {\"name\": \"x\"}, \"d.name\": \"fm\", \"n\": 1.0}]",
                 (const char *const[]){
                     "excluded", "x n=2 | {\"d\": \"fm\", \"o\": \"x\", \"n\": 2, \"seed\": 1}"},
                 2);
    check_points("\"replicates\": 2, \"exclude\": [{\"seed\": 2}]",
                 (const char *const[]){"t | {\"seed\": 1}", "excluded"}, 2);
}

static void a_seed_axis_is_the_base_of_the_replicates(void **state) {
    (void)state;
    check_points("\"config\": {\"seed\": 3}, \"grid\": {\"seed\": [10, 20]}, \"replicates\": 2",
                 (const char *const[]){"seed=10 | {\"seed\": 10}", "seed=10 | {\"seed\": 11}",
                                       "seed=20 | {\"seed\": 20}", "seed=20 | {\"seed\": 21}"},
                 4);
}

static void labels_are_short_and_differ(void **state) {
    (void)state;
    static const struct {
        const char *values, *labels[4];
    } cases[] = {
        {"[\"adam\", {\"name\": \"sgd\", \"lr\": 0.1}]", {"adam", "sgd"}},
        {"[{\"name\": \"sgd\", \"lr\": 0.1, \"k\": 1}, {\"name\": \"sgd\", \"lr\": 0.2, \"k\": 1}]",
         {"sgd lr=0.1", "sgd lr=0.2"}},
        {"[\"sgd\", {\"name\": \"sgd\", \"m\": 0.9}]", {"sgd", "sgd m=0.9"}},
        {"[0.123456, 60000, 1e-05]", {"x=0.1235", "x=60000", "x=1e-05"}},
        {"[0.123456, 0.123457]", {"x=0.123456", "x=0.123457"}},
        {"[true, false, null]", {"x=true", "x=false", "x=null"}},
        {"[[1, 2.5], []]", {"x=[1,2.5]", "x=[]"}},
        {"[{\"layers\": [{\"type\": \"conv2d\", \"channels\": 6, \"kernel\": 5}, \"flatten\", "
         "{\"type\": \"dense\", \"units\": 10}]}, \"mlp\"]",
         {"conv2d6-flatten-dense10", "mlp"}},
        {"[{\"a\": 1, \"b\": \"x\"}, {\"a\": 2, \"b\": {\"name\": \"n\", \"std\": 0.02}}]",
         {"{a=1,b=x}", "{a=2,b=n(std=0.02)}"}},
        // conv2d6 twice: then all is shown
        {"[{\"layers\": [{\"type\": \"c\", \"n\": 6, \"k\": 5}]}, {\"layers\": [{\"type\": \"c\", "
         "\"n\": 6, \"k\": 3}]}]",
         {"c(n=6,k=5)", "c(n=6,k=3)"}},
        {"[1, \"x=1\"]", {"x=1 #1", "x=1 #2"}},
        {"[\"0123456789012345678901234567890123456789012345678901234567890123456789\"]",
         {"012345678901234567890123456789012345678901234567890123456..."}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sweep sweep;
        char *rest = mem_printf("\"grid\": {\"x\": %s}", cases[i].values);
        load_rest(&sweep, rest);
        for (int v = 0; v < sweep.axes[0].count; v++) {
            assert_string_equal(sweep.axes[0].label[v], cases[i].labels[v]);
        }
        free(rest);
        sweep_release(&sweep);
    }
}

static void axes_that_end_alike_are_told_apart(void **state) {
    (void)state;
    struct sweep sweep;
    load_rest(&sweep, "\"grid\": {\"a.lr\": [1], \"b.lr\": [2], \"c.k\": [3]}");
    const char *text = point_text(&sweep, 0);
    assert_int_equal(strncmp(text, "a.lr=1 b.lr=2 k=3 |", 19), 0);
    sweep_release(&sweep);
}

/* ---- order ---- */

static void shuffling_permutes_for_every_size_and_seed(void **state) {
    (void)state;
    static const uint64_t seeds[] = {0, 1, 2, 12345, UINT64_C(1) << 40, UINT64_MAX};
    for (uint64_t n = 1; n <= 300; n += n < 20 ? 1 : 13) {
        for (size_t s = 0; s < sizeof seeds / sizeof *seeds; s++) {
            bool seen[300] = {0};
            for (uint64_t i = 0; i < n; i++) {
                uint64_t to = permute_index(n, seeds[s], i);
                assert_in_range(to, 0, n - 1);
                assert_false(seen[to]);
                seen[to] = true;
            }
        }
    }
}

/* Values computed by a separate Python program, which passes Random123's known-answer test. */
static void shuffling_gives_the_known_order(void **state) {
    (void)state;
    static const int ten_1[] = {0, 3, 6, 4, 9, 1, 7, 2, 5, 8};
    static const int ten_2[] = {7, 5, 1, 6, 8, 9, 2, 0, 3, 4};
    static const int many[] = {61, 46, 74, 29, 12, 53, 67, 73, 69, 44, 47, 63};
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(permute_index(10, 1, i), ten_1[i]);
        assert_int_equal(permute_index(10, 2, i), ten_2[i]);
    }
    for (uint64_t i = 0; i < 12; i++) {
        assert_int_equal(permute_index(75, 1, i), many[i]);
    }
    assert_int_equal(permute_index(1, 1, 0), 0);
    assert_int_equal(permute_index(2, 7, 0), 1);
    uint64_t seed = (UINT64_C(1) << 53) - 1;
    assert_int_equal(permute_index(10000000, seed, 0), 9626453);
    assert_int_equal(permute_index(10000000, seed, 1), 1200302);
    assert_int_equal(permute_index(10000000, seed, 9999999), 4687887);
}

static void the_order_changes_no_point(void **state) {
    (void)state;
    struct sweep grid, shuffled;
    load_rest(&grid, "\"grid\": {\"n\": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}");
    load_rest(&shuffled, "\"grid\": {\"n\": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}, "
                         "\"order\": {\"name\": \"shuffled\", \"seed\": 2}");
    static const int order[] = {7, 5, 1, 6, 8, 9, 2, 0, 3, 4};
    for (int i = 0; i < 10; i++) {
        char *text = mem_strdup(point_text(&shuffled, i));
        assert_string_equal(text, point_text(&grid, order[i]));
        free(text);
    }
    sweep_release(&grid);
    sweep_release(&shuffled);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_grid_is_one_point_named_as_the_sweep),
        cmocka_unit_test(the_last_axis_is_fastest_and_replicates_faster_still),
        cmocka_unit_test(the_points_are_the_product_each_once),
        cmocka_unit_test(values_multiply_at_any_depth),
        cmocka_unit_test(an_axis_within_another_comes_on_top),
        cmocka_unit_test(an_axis_enters_a_name_of_the_config),
        cmocka_unit_test(excluded_points_are_those_that_match_all_of_an_entry),
        cmocka_unit_test(a_seed_axis_is_the_base_of_the_replicates),
        cmocka_unit_test(labels_are_short_and_differ),
        cmocka_unit_test(axes_that_end_alike_are_told_apart),
        cmocka_unit_test(shuffling_permutes_for_every_size_and_seed),
        cmocka_unit_test(shuffling_gives_the_known_order),
        cmocka_unit_test(the_order_changes_no_point),
    };
    return cmocka_run_group_tests_name("grid", tests, NULL, NULL);
}
