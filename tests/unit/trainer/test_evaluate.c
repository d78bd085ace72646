/* Batches on their way into a network: which images, in which form. */
#include "trainer/evaluate.h"

#include "base/err.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 40, C = 2, H = 3, W = 2, F = C * H * W, CLASSES = 5 };

static uint8_t bytes[COUNT * F], labels[COUNT];
static float floats[COUNT * F];
static const uint32_t places[] = {7, 0, 39, 12, 7, 21};
enum { PLACES = sizeof places / sizeof *places };

static struct net *new_net(void) {
    static const struct layer_spec layers[] = {{.kind = LAYER_FLATTEN},
                                               {.kind = LAYER_DENSE, .units = CLASSES}};
    struct net *net = NULL;
    struct err err;
    if (net_new(&net, layers, 2, (struct shape){C, H, W}, CLASSES, NULL, 32, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    net_init(net, 1);
    return net;
}

static struct dataset new_set(enum data_type type) {
    for (int i = 0; i < COUNT * F; i++) {
        bytes[i] = (uint8_t)(i * 37 + i / 7);
        floats[i] = (float)bytes[i] / 255.0f;
    }
    for (int i = 0; i < COUNT; i++) {
        labels[i] = (uint8_t)(i * 3 % CLASSES);
    }
    struct dataset set = {.shape = {C, H, W}, .type = type, .classes = CLASSES};
    set.train.images = type == DATA_UINT8 ? (const void *)bytes : (const void *)floats;
    set.train.labels = labels;
    set.train.count = COUNT;
    return set;
}

/* The input is images place[0], place[1], ... as `value` has them, and their labels. */
static void expect_input(struct net *net, const struct batch *batch, const uint32_t *place, int n,
                         float (*value)(int image, int feature)) {
    const float *x = net_input(net);
    int N = net_lanes(n);
    for (int i = 0; i < n; i++) {
        assert_int_equal(batch->labels[i], labels[place[i]]);
        for (int f = 0; f < F; f++) {
            const float wanted = value((int)place[i], f);
            if (memcmp(&x[f * N + i], &wanted, sizeof wanted) != 0) {
                fail_msg("image %u, feature %d: %g, not %g", place[i], f, (double)x[f * N + i],
                         (double)wanted);
            }
        }
    }
}

static float plain(int image, int feature) {
    return floats[image * F + feature];
}

static void bytes_and_floats_of_the_same_images_are_the_same_input(void **state) {
    (void)state;
    struct net *net = new_net();
    for (int type = DATA_UINT8; type <= DATA_FLOAT32; type++) {
        struct dataset set = new_set((enum data_type)type);
        struct batch batch;
        batch_init(&batch, 32, &set, false);
        memcpy(batch.index, places, sizeof places);
        batch_load(&batch, &set, &set.train, PLACES, NULL, net);
        expect_input(net, &batch, places, PLACES, plain);
        batch_release(&batch);
    }
    net_free(net);
}

static void an_index_says_which_images_a_part_has(void **state) {
    (void)state;
    struct net *net = new_net();
    struct dataset set = new_set(DATA_UINT8);
    set.train.index = places;
    set.train.count = PLACES;
    struct batch batch;
    batch_init(&batch, 32, &set, false);
    static const uint32_t wanted[] = {5, 2, 0}, expected[] = {21, 39, 7};
    memcpy(batch.index, wanted, sizeof wanted);
    batch_load(&batch, &set, &set.train, 3, NULL, net);
    expect_input(net, &batch, expected, 3, plain);
    batch_release(&batch);
    net_free(net);
}

static const float mean[C] = {0.25f, 0.5f}, std[C] = {0.125f, 3.0f};

static float normalized(int image, int feature) {
    int c = feature / (H * W);
    const float difference = plain(image, feature) - mean[c];
    return difference / std[c];
}

static void inputs_are_normalized_by_channel(void **state) {
    (void)state;
    struct net *net = new_net();
    for (int type = DATA_UINT8; type <= DATA_FLOAT32; type++) {
        struct dataset set = new_set((enum data_type)type);
        set.mean = (float *)(uintptr_t)mean; // only read
        set.std = (float *)(uintptr_t)std;
        struct batch batch;
        batch_init(&batch, 32, &set, false);
        memcpy(batch.index, places, sizeof places);
        batch_load(&batch, &set, &set.train, PLACES, NULL, net);
        expect_input(net, &batch, places, PLACES, normalized);
        batch_release(&batch);
    }
    net_free(net);
}

/* Adds 1 to the pixels of sample 1, and looks at what it is given. */
static void add_one(void *context, float *samples, const uint8_t *given_labels, int n,
                    const struct shape *shape) {
    int *calls = context;
    ++*calls;
    assert_int_equal(n, PLACES);
    assert_int_equal(shape->C, C);
    assert_int_equal(shape->H, H);
    assert_int_equal(shape->W, W);
    for (int i = 0; i < n; i++) {
        assert_int_equal(given_labels[i], labels[places[i]]);
        assert_memory_equal(samples + i * F, floats + places[i] * F, F * sizeof(float));
    }
    for (int f = 0; f < F; f++) {
        samples[F + f] += 1;
    }
}

static float changed(int image, int feature) {
    int c = feature / (H * W);
    const float difference = plain(image, feature) + (image == (int)places[1] ? 1 : 0) - mean[c];
    return difference / std[c];
}

static void a_change_sees_the_samples_before_they_are_normalized(void **state) {
    (void)state;
    struct net *net = new_net();
    for (int type = DATA_UINT8; type <= DATA_FLOAT32; type++) {
        struct dataset set = new_set((enum data_type)type);
        set.mean = (float *)(uintptr_t)mean;
        set.std = (float *)(uintptr_t)std;
        struct batch batch;
        int calls = 0;
        const struct batch_change change = {add_one, &calls};
        batch_init(&batch, 32, &set, true);
        memcpy(batch.index, places, sizeof places);
        batch_load(&batch, &set, &set.train, PLACES, &change, net);
        assert_int_equal(calls, 1);
        expect_input(net, &batch, places, PLACES, changed);
        batch_release(&batch);
    }
    net_free(net);
}

static void every_sample_of_a_part_is_evaluated_once(void **state) {
    (void)state;
    struct net *net = new_net();
    struct dataset set = new_set(DATA_UINT8);
    struct net_stats one, some;
    struct batch batch;
    batch_init(&batch, 32, &set, false);
    assert_true(evaluate(net, &set, &set.train, &batch, NULL, NULL, &some));
    assert_int_equal(some.samples, COUNT);
    batch.max = 7; // other batches, the same sums up to their order
    assert_true(evaluate(net, &set, &set.train, &batch, NULL, NULL, &one));
    assert_int_equal(one.samples, COUNT);
    assert_int_equal(one.correct, some.correct);
    double difference = one.loss_sum - some.loss_sum;
    if (difference > 1e-6 || difference < -1e-6) {
        fail_msg("%.17g and %.17g", one.loss_sum, some.loss_sum);
    }
    batch_release(&batch);
    net_free(net);
}

static void a_batch_is_no_larger_than_the_largest_part(void **state) {
    (void)state;
    struct dataset set = new_set(DATA_UINT8);
    set.test.count = 9;
    assert_int_equal(batch_size_for(64, &set), COUNT);
    assert_int_equal(batch_size_for(8, &set), 8);
    set.train.count = 3;
    set.validation.count = 11;
    assert_int_equal(batch_size_for(64, &set), 11);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_and_floats_of_the_same_images_are_the_same_input),
        cmocka_unit_test(an_index_says_which_images_a_part_has),
        cmocka_unit_test(inputs_are_normalized_by_channel),
        cmocka_unit_test(a_change_sees_the_samples_before_they_are_normalized),
        cmocka_unit_test(every_sample_of_a_part_is_evaluated_once),
        cmocka_unit_test(a_batch_is_no_larger_than_the_largest_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
