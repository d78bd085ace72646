/* What a trial's key hangs on, and what it does not. */
#include "tests/unit/runner/sweep_testing.h"

#include "base/json.h"
#include "base/mem.h"
#include "runner/grid.h"
#include "runner/key.h"
#include "runner/keymap.h"

enum { POINTS_MAX = 64 };

/* The keys of all points of a sweep, sorted. */
struct keys {
    char key[POINTS_MAX][HASH_HEX_LEN + 1];
    int count;
};

static int by_text(const void *a, const void *b) {
    return strcmp(a, b);
}

static void make_keys(struct keys *keys, const char *rest) {
    struct sweep sweep;
    load_rest(&sweep, rest);
    keys->count = (int)grid_size(&sweep);
    assert_in_range(keys->count, 1, POINTS_MAX);
    for (int i = 0; i < keys->count; i++) {
        struct grid_point point;
        bool excluded;
        struct err err;
        assert_int_equal(grid_at(&sweep, i, &point, &excluded, &err), ERR_OK);
        key_make(keys->key[i], point.config, NULL, point.seed, sweep.trainer);
        grid_point_release(&point);
    }
    qsort(keys->key, (size_t)keys->count, sizeof keys->key[0], by_text);
    for (int i = 1; i < keys->count; i++) {
        assert_string_not_equal(keys->key[i - 1], keys->key[i]);
    }
    sweep_release(&sweep);
}

static int common(const struct keys *a, const struct keys *b) {
    int n = 0;
    for (int i = 0; i < a->count; i++) {
        n += bsearch(a->key[i], b->key, (size_t)b->count, sizeof b->key[0], by_text) != NULL;
    }
    return n;
}

static const char base[] =
    "\"config\": {\"x\": 0.5, \"epochs\": 3}, "
    "\"grid\": {\"a\": [\"p\", \"q\"], \"lr\": [0.1, 100]}, \"replicates\": 2";

/* The text that is hashed, and its hash by the program xxh128sum. */
static void the_key_is_the_hash_of_the_canonical_text(void **state) {
    (void)state;
    struct json_doc *doc;
    struct err err;
    const char *text = "{\"z\": 1.50, \"epochs\": 9, \"seed\": 4, \"a\": {\"name\": \"adam\"}}";
    assert_int_equal(json_parse(&doc, "t", text, strlen(text), 0, &err), ERR_OK);
    char program[] = "sh", argument[] = "{config}";
    char *const argv[] = {program, argument, NULL};
    char key[HASH_HEX_LEN + 1];
    key_make(key, json_root(doc), NULL, 4, argv);
    // {"config":{"a":{"name":"adam"},"z":1.5},"seed":"4","trainer":["sh","{config}"]}
    assert_string_equal(key, "a2d8b3d75651047ab65028ae712c6f01");
    key_make(key, json_root(doc), json_get(json_root(doc), "a"), 5, argv);
    // {"config":{"name":"adam"},"seed":"5","trainer":["sh","{config}"]}
    assert_string_equal(key, "442971d8b4439adf3009cc44ffbb8a15");
    json_free(doc);
}

static void spelling_order_and_epochs_change_no_key(void **state) {
    (void)state;
    static const char *const same[] = {
        // axes and values the other way round
        "\"config\": {\"epochs\": 3, \"x\": 0.5}, "
        "\"grid\": {\"lr\": [100, 0.1], \"a\": [\"q\", \"p\"]}, \"replicates\": 2",
        // other spellings of the numbers
        "\"config\": {\"x\": 5e-1, \"epochs\": 3}, "
        "\"grid\": {\"a\": [\"p\", \"q\"], \"lr\": [1e-1, 1E2]}, \"replicates\": 2",
        // more epochs, a default spelled out
        "\"config\": {\"x\": 0.50, \"epochs\": 30, \"seed\": 1}, "
        "\"grid\": {\"a\": [\"p\", \"q\"], \"lr\": [0.10, 100.0]}, \"replicates\": 2",
        // shuffled, described, another objective
        "\"config\": {\"x\": 0.5, \"epochs\": 3}, \"description\": \"d\", "
        "\"order\": \"shuffled\", \"objective\": \"val_loss\", \"retries\": 9, "
        "\"timeout\": {\"epoch_s\": 5}, \"limits\": {\"memory_mb\": 99}, "
        "\"grid\": {\"a\": [\"p\", \"q\"], \"lr\": [0.1, 100]}, \"replicates\": 2",
        // an axis moved into {"values": [...]}
        "\"config\": {\"epochs\": 3}, \"grid\": {\"a\": [{\"values\": [\"p\", \"q\"]}], "
        "\"lr\": [0.1, 100], \"x\": [0.5]}, \"replicates\": 2",
    };
    struct keys wanted, keys;
    make_keys(&wanted, base);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        make_keys(&keys, same[i]);
        if (keys.count != wanted.count || common(&wanted, &keys) != wanted.count) {
            fail_msg("%s: %d of %d keys are the same", same[i], common(&wanted, &keys),
                     wanted.count);
        }
    }
}

static void more_values_and_replicates_keep_the_keys_there_were(void **state) {
    (void)state;
    static const char *const more[] = {
        "\"config\": {\"x\": 0.5, \"epochs\": 3}, \"grid\": {\"a\": [\"p\", \"new\", \"q\"], "
        "\"lr\": [7, 0.1, 100]}, \"replicates\": 2",
        "\"config\": {\"x\": 0.5, \"epochs\": 3}, "
        "\"grid\": {\"a\": [\"p\", \"q\"], \"lr\": [0.1, 100]}, \"replicates\": 5",
    };
    struct keys wanted, keys;
    make_keys(&wanted, base);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        make_keys(&keys, more[i]);
        assert_int_equal(common(&wanted, &keys), wanted.count);
    }
}

static void config_seed_and_trainer_make_other_trials(void **state) {
    (void)state;
    static const char *const others[] = {
        "\"config\": {\"x\": 0.6, \"epochs\": 3}, "
        "\"grid\": {\"a\": [\"p\", \"q\"], \"lr\": [0.1, 100]}, \"replicates\": 2",
        "\"config\": {\"x\": 0.5, \"seed\": 3}, "
        "\"grid\": {\"a\": [\"p\", \"q\"], \"lr\": [0.1, 100]}, \"replicates\": 2",
        "\"config\": {\"x\": 0.5}, \"trainer\": [\"other\"], "
        "\"grid\": {\"a\": [\"p\", \"q\"], \"lr\": [0.1, 100]}, \"replicates\": 2",
        "\"config\": {\"x\": 0.5, \"y\": null}, "
        "\"grid\": {\"a\": [\"p\", \"q\"], \"lr\": [0.1, 100]}, \"replicates\": 2",
    };
    struct keys wanted, keys;
    make_keys(&wanted, base);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        make_keys(&keys, others[i]);
        assert_int_equal(common(&wanted, &keys), 0);
    }
}

/* Keys that begin, and that end, in the same digits: probing must tell them apart. */
static void a_map_finds_every_key_again(void **state) {
    (void)state;
    struct keymap map = {0};
    char key[64];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5000; i++) {
            (void)snprintf(key, sizeof key, "%016x%016x", i % 50, (i / 50) * 4096 + 1);
            int64_t *value = keymap_at(&map, key);
            assert_int_equal(*value, round == 0 ? 0 : i + 1);
            *value = i + 1;
        }
        assert_int_equal(map.count, 5000);
    }
    keymap_release(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_is_the_hash_of_the_canonical_text),
        cmocka_unit_test(spelling_order_and_epochs_change_no_key),
        cmocka_unit_test(more_values_and_replicates_keep_the_keys_there_were),
        cmocka_unit_test(config_seed_and_trainer_make_other_trials),
        cmocka_unit_test(a_map_finds_every_key_again),
    };
    return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
