/* Averaged weights: the average itself, and that a training evaluates and saves it. */
#include "tests/unit/trainer/train_testing.h"

#include "trainer/checkpoint.h"
#include "trainer/ema.h"
#include "trainer/safetensors.h"

#include <math.h>

/* ---- the average ---- */

static void it_starts_as_a_copy_and_follows_by_its_share(void **state) {
    (void)state;
    struct ema ema;
    ema_init(&ema, &(struct ema_spec){.decay = 0.75}, 3);
    const float start[] = {1.0f, -2.0f, 0.0f}, first[] = {5.0f, -2.0f, 8.0f};
    const float second[] = {2.0f, 2.0f, 2.0f};
    ema_start(&ema, start);
    assert_memory_equal(ema.average, start, sizeof start);
    ema_step(&ema, first); // 3/4 of the old and 1/4 of the new
    assert_memory_equal(ema.average, ((float[]){2.0f, -2.0f, 2.0f}), sizeof start);
    ema_step(&ema, second);
    assert_memory_equal(ema.average, ((float[]){2.0f, -1.0f, 2.0f}), sizeof start);
    ema_release(&ema);
    ema_release(&ema);
}

static void swapped_twice_both_are_as_they_were(void **state) {
    (void)state;
    struct ema ema;
    float w[] = {1.0f, 2.0f}, average[] = {3.0f, 4.0f};
    ema_init(&ema, &(struct ema_spec){.decay = 0.5}, 2);
    ema_start(&ema, average);
    ema_swap(&ema, w);
    assert_memory_equal(w, average, sizeof w);
    assert_memory_equal(ema.average, ((float[]){1.0f, 2.0f}), sizeof w);
    ema_swap(&ema, w);
    assert_memory_equal(w, ((float[]){1.0f, 2.0f}), sizeof w);
    assert_memory_equal(ema.average, average, sizeof w);
    ema_release(&ema);
}

static void without_a_decay_the_weights_are_left_alone(void **state) {
    (void)state;
    struct ema ema;
    float w[] = {1.0f, 2.0f};
    ema_init(&ema, &(struct ema_spec){.decay = 0}, 2);
    ema_start(&ema, w);
    ema_step(&ema, w);
    ema_swap(&ema, w);
    assert_null(ema.average);
    assert_memory_equal(w, ((float[]){1.0f, 2.0f}), sizeof w);
    ema_release(&ema);
}

/* ---- in a training ---- */

#define NET                                                                                        \
    "\"model\": {\"layers\": [\"flatten\", {\"type\": \"dense\", \"units\": 20, \"activation\": "  \
    "\"prelu\"}, \"dropout\", {\"type\": \"dense\", \"units\": 10}]}, \"batch_size\": 48, "        \
    "\"epochs\": 3"
static const char plain[] = NET, averaged[] = NET ", \"ema\": 0.75";

static void interrupted_at_any_batch_the_average_goes_on_as_it_was(void **state) {
    (void)state;
    check_interruptions(averaged, "cp-0003.safetensors",
                        12); // 3 epochs of 3 batches and an evaluation
}

static double metric_of(const char *out, int epoch, const char *name) {
    char start[32], key[64];
    (void)snprintf(start, sizeof start, "{\"epoch\": %d,", epoch);
    (void)snprintf(key, sizeof key, "\"%s\": ", name);
    const char *record = strstr(out, start);
    assert_non_null(record);
    const char *at = strstr(record, key);
    assert_non_null(at);
    return strtod(at + strlen(key), NULL);
}

static void it_trains_the_plain_weights_and_evaluates_the_averaged(void **state) {
    (void)state;
    struct run a = train(plain, "plain", 0), b = train(averaged, "averaged", 0);
    for (int epoch = 1; epoch <= 3; epoch++) {
        assert_true(metric_of(a.out, epoch, "train_loss") == metric_of(b.out, epoch, "train_loss"));
        assert_true(metric_of(a.out, epoch, "grad_norm") == metric_of(b.out, epoch, "grad_norm"));
        assert_true(metric_of(a.out, epoch, "val_loss") != metric_of(b.out, epoch, "val_loss"));
    }
    free(a.out);
    free(b.out);
}

static struct checkpoint *open_in(const char *dir, const char *name) {
    char *path = mem_printf("%s/%s/%s", root, dir, name);
    struct checkpoint *checkpoint = NULL;
    struct err err;
    if (checkpoint_open(&checkpoint, path, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    free(path);
    return checkpoint;
}

/* After one batch and after two: what the second did follows from the two files. */
static void every_step_moves_every_tensor_of_the_average(void **state) {
    (void)state;
    static const char *const names[] = {"1.weight", "1.bias", "2.weight", "4.weight", "4.bias"};
    train_to(TRAIN_SAVED, averaged, "one", 2);
    train_to(TRAIN_SAVED, averaged, "two", 3);
    struct checkpoint *one = open_in("one", "cp-0000+000001.safetensors");
    struct checkpoint *two = open_in("two", "cp-0000+000002.safetensors");
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        char *name = mem_printf("ema.%s", names[k]);
        const struct safetensors_entry *before = safetensors_find(checkpoint_file(one), name);
        const struct safetensors_entry *after = safetensors_find(checkpoint_file(two), name);
        const struct safetensors_entry *w = safetensors_find(checkpoint_file(two), names[k]);
        assert_true(before != NULL && after != NULL && w != NULL);
        assert_true(after->len == w->len && after->dim_count == w->dim_count);
        size_t moved = 0;
        for (size_t i = 0; i < after->len; i++) {
            double expected = 0.75 * (double)before->data[i] + 0.25 * (double)w->data[i];
            assert_true(fabs((double)after->data[i] - expected) <= 1e-7);
            moved += after->data[i] != w->data[i];
        }
        assert_true(moved > 0);
        free(name);
    }
    checkpoint_close(one);
    checkpoint_close(two);
}

/* ---- from a checkpoint ---- */

static struct net *small_net(void) {
    const struct layer_spec layers[] = {
        {.kind = LAYER_FLATTEN},
        {.kind = LAYER_DENSE, .units = 20},
        {.kind = LAYER_ACTIVATION, .activation = {.kind = ACTIVATION_PRELU}},
        {.kind = LAYER_DROPOUT, .p = 0.5f},
        {.kind = LAYER_DENSE, .units = 10},
    };
    struct net *net = NULL;
    struct err err;
    if (net_new(&net, layers, 5, (struct shape){1, 28, 28}, 10, NULL, 1, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    return net;
}

static void expect_tensor(const struct checkpoint *checkpoint, const char *name,
                          const struct net_tensor *t) {
    const struct safetensors_entry *entry = safetensors_find(checkpoint_file(checkpoint), name);
    assert_non_null(entry);
    assert_memory_equal(t->value, entry->data, t->len * sizeof(float));
}

static void a_network_gets_either_kind_of_weights(void **state) {
    (void)state;
    struct err err;
    train_to(TRAIN_DONE, averaged, "averaged", 0);
    struct checkpoint *checkpoint = open_in("averaged", "cp-0003.safetensors");
    assert_true(checkpoint_has_average(checkpoint));
    struct net *net = small_net();
    assert_int_equal(checkpoint_restore(checkpoint, net, NULL, NULL, &err), ERR_OK);
    for (int i = 0; i < net_tensor_count(net); i++) {
        expect_tensor(checkpoint, net_tensor(net, i)->name, net_tensor(net, i));
    }
    assert_int_equal(checkpoint_restore_average(checkpoint, net, &err), ERR_OK);
    for (int i = 0; i < net_tensor_count(net); i++) {
        char *name = mem_printf("ema.%s", net_tensor(net, i)->name);
        expect_tensor(checkpoint, name, net_tensor(net, i));
        free(name);
    }
    net_free(net);
    checkpoint_close(checkpoint);
}

static void without_an_average_the_plain_weights_stand_in(void **state) {
    (void)state;
    struct err err;
    train_to(TRAIN_DONE, plain, "plain", 0);
    struct checkpoint *checkpoint = open_in("plain", "cp-0003.safetensors");
    assert_false(checkpoint_has_average(checkpoint));
    struct net *net = small_net();
    assert_int_equal(checkpoint_restore_average(checkpoint, net, &err), ERR_OK);
    expect_tensor(checkpoint, "1.weight", net_tensor(net, 0));
    struct ema ema; // a training with an average cannot go on from it
    ema_init(&ema, &(struct ema_spec){.decay = 0.5}, net_param_count(net));
    assert_int_equal(checkpoint_restore(checkpoint, net, NULL, &ema, &err), ERR_CORRUPT);
    assert_string_equal(err.msg, "the checkpoint has no tensor \"ema.1.weight\"");
    ema_release(&ema);
    net_free(net);
    checkpoint_close(checkpoint);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_as_a_copy_and_follows_by_its_share),
        cmocka_unit_test(swapped_twice_both_are_as_they_were),
        cmocka_unit_test(without_a_decay_the_weights_are_left_alone),
        TRAIN_CASE(interrupted_at_any_batch_the_average_goes_on_as_it_was),
        TRAIN_CASE(it_trains_the_plain_weights_and_evaluates_the_averaged),
        TRAIN_CASE(every_step_moves_every_tensor_of_the_average),
        TRAIN_CASE(a_network_gets_either_kind_of_weights),
        TRAIN_CASE(without_an_average_the_plain_weights_stand_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
