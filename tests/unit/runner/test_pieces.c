/* Points put together of pieces are those that are made as JSON, byte for byte. */
#include "tests/unit/runner/sweep_testing.h"

#include "base/buf.h"
#include "base/json.h"
#include "results/store.h"
#include "runner/grid.h"
#include "runner/key.h"
#include "runner/pieces.h"

static void check_point(const struct sweep *sweep, struct pieces *pieces, int64_t ordinal) {
    struct grid_point made;
    struct store_point point;
    bool excluded;
    struct err err;
    assert_int_equal(grid_at(sweep, ordinal, &made, &excluded, &err), ERR_OK);
    assert_int_equal(pieces_at(pieces, ordinal, &point), !excluded);
    if (excluded) {
        return;
    }
    char key[HASH_HEX_LEN + 1];
    struct buf config = {0}, params = {0};
    key_make(key, made.config, NULL, made.seed, sweep->trainer);
    json_print_canonical(&config, made.config);
    json_print(&params, made.params);
    assert_string_equal(point.config, buf_text(&config));
    assert_string_equal(point.params, buf_text(&params));
    assert_string_equal(point.label, made.label);
    assert_string_equal(point.key, key);
    assert_int_equal(point.ordinal, ordinal);
    assert_int_equal(point.replicate, made.replicate);
    assert_int_equal(point.seed, made.seed);
    assert_int_equal(point.epochs, made.epochs);
    buf_release(&config);
    buf_release(&params);
    grid_point_release(&made);
}

static void the_points_are_those_of_the_grid(void **state) {
    (void)state;
    static const char *const sweeps[] = {
        "\"config\": {\"x\": 1}",
        "\"config\": {\"z\": 0.5, \"epochs\": 3, \"seed\": 7, \"a\": {\"b\": \"\\u00e9\\n\"}}, "
        "\"grid\": {\"lr\": [0.1, 1e-7, 100], \"act\": [\"tanh\", \"re\\\"lu\"]}, \"replicates\": "
        "3",
        "\"config\": {\"opt\": \"sgd\", \"m\": {\"q\": [1, 2]}}, \"grid\": {\"opt.lr\": [0.1, 1], "
        "\"m.w\": [{\"name\": \"a\", \"k\": {\"values\": [1, 2]}}, \"b\", true, null, [1, "
        "\"x\"]]}, "
        "\"exclude\": [{\"opt.lr\": 1, \"m.w.k\": 2}, {\"opt.name\": \"sgd\", \"m.w\": \"b\"}]",
        "\"grid\": {\"a\": [1, 2, 3], \"b\": [1, 2, 3]}, \"exclude\": [{\"a\": 1}], "
        "\"order\": {\"name\": \"shuffled\", \"seed\": 3}",
    };
    for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++) {
        struct sweep sweep;
        load_rest(&sweep, sweeps[i]);
        struct pieces *pieces = pieces_new(&sweep);
        assert_non_null(pieces);
        for (int64_t ordinal = 0; ordinal < grid_size(&sweep); ordinal++) {
            check_point(&sweep, pieces, ordinal);
        }
        pieces_free(pieces);
        sweep_release(&sweep);
    }
}

static void what_does_not_stand_alone_is_left_to_the_grid(void **state) {
    (void)state;
    static const char *const sweeps[] = {
        "\"grid\": {\"opt\": [{\"name\": \"a\"}, {\"name\": \"b\"}], \"opt.lr\": [1, 2]}",
        "\"grid\": {\"seed\": [1, 2]}",
        "\"grid\": {\"epochs\": [1, 2]}",
        "\"grid\": {\"a.b\": [1, 2]}, \"exclude\": [{\"a\": {\"b\": 1}}]",
        "\"grid\": {\"a\": [1, 2]}, \"replicates\": 2, \"exclude\": [{\"seed\": 1}]",
        "\"config\": {\"t\": \"\xef\xbf\xbe\x30\xef\xbf\xbe\"}, \"grid\": {\"a\": [1, 2]}",
    };
    for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++) {
        struct sweep sweep;
        load_rest(&sweep, sweeps[i]);
        assert_null(pieces_new(&sweep));
        sweep_release(&sweep);
    }
}

static void a_path_is_there_when_every_value_has_it(void **state) {
    (void)state;
    struct sweep sweep;
    load_rest(&sweep,
              "\"config\": {\"x\": {\"y\": 1}}, \"grid\": {\"o\": [{\"name\": \"a\", \"k\": 1}, "
              "\"b\"], \"p.q\": [1, 2]}");
    struct pieces *pieces = pieces_new(&sweep);
    assert_non_null(pieces);
    assert_true(pieces_have(pieces, "x.y") && pieces_have(pieces, "seed"));
    assert_true(pieces_have(pieces, "o") && pieces_have(pieces, "o.name"));
    assert_true(pieces_have(pieces, "p") && pieces_have(pieces, "p.q"));
    assert_false(pieces_have(pieces, "o.k") || pieces_have(pieces, "z"));
    pieces_free(pieces);
    sweep_release(&sweep);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_points_are_those_of_the_grid),
        cmocka_unit_test(what_does_not_stand_alone_is_left_to_the_grid),
        cmocka_unit_test(a_path_is_there_when_every_value_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
