/* Losses against their definition in double, in every set. */
#include "tests/unit/trainer/test_kernels_common.h"

typedef void loss_fn(const struct loss_batch *batch, double *loss_sum, int64_t *correct);
typedef void twin_fn(double *dlogits, const struct loss_batch *batch, double *loss_sum,
                     int64_t *correct);

/* A batch that owns its arrays. */
struct batch {
    struct loss_batch b; // dlogits NULL
    float *logits;
    uint8_t *labels, *others; // no longer than n: asan sees a read past them
};

static struct batch batch_new(uint64_t *random, int classes, int N, int n, float scale) {
    struct batch x = {.logits = random_floats(random, (size_t)(classes * N), scale),
                      .labels = mem_zalloc((size_t)n, 1),
                      .others = mem_zalloc((size_t)n, 1)};
    for (int i = 0; i < n; i++) {
        x.labels[i] = (uint8_t)random_int(random, 0, classes - 1);
        x.others[i] = (uint8_t)random_int(random, 0, classes - 1);
    }
    x.b = (struct loss_batch){
        .logits = x.logits, .labels = x.labels, .classes = classes, .N = N, .n = n};
    return x;
}

static void batch_release(struct batch *x) {
    free(x->logits);
    free(x->labels);
    free(x->others);
}

/* A set's loss against the twin, starting from sums that are not 0. */
static void check_loss(const struct kernels *set, loss_fn *loss_of, twin_fn *twin,
                       const struct loss_batch *batch, const char *what) {
    const size_t len = (size_t)(batch->classes * batch->N);
    double *expected = zero_doubles(len), loss_expected = 3.0;
    int64_t correct_expected = 7;
    twin(expected, batch, &loss_expected, &correct_expected);
    for (int with_gradient = 0; with_gradient <= 1; with_gradient++) {
        struct loss_batch b = *batch;
        float *dlogits = poison_floats(len);
        double loss = 3.0;
        int64_t correct = 7;
        b.dlogits = with_gradient ? dlogits : NULL;
        loss_of(&b, &loss, &correct);
        if (!(fabs(loss - loss_expected) <= 1e-6 * loss_expected) &&
            !(isnan(loss) && isnan(loss_expected))) {
            fail_msg("%s, %s: loss %.17g, expected %.17g", set->name, what, loss, loss_expected);
        }
        assert_int_equal(correct, correct_expected);
        if (with_gradient) {
            CHECK_ALL_NEAR(what, set, dlogits, expected, NULL, 32 * ULP, 4 * ULP / b.n, len);
        }
        free(dlogits);
    }
    free(expected);
}

static void check_both(const struct loss_batch *batch, const char *what) {
    EACH_SET(set) {
        check_loss(set, set->softmax_xent, reference_softmax_xent, batch, what);
        check_loss(set, set->squared_error, reference_squared_error, batch, what);
    }
}

static void loss_gradient_and_hits_match_the_definition(void **state) {
    (void)state;
    static const int classes[] = {1, 2, 3, 10, 100, 256};
    static const float scales[] = {0.01f, 1.0f, 30.0f, 3000.0f};
    uint64_t random = 1;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        for (size_t j = 0; j < sizeof scales / sizeof *scales; j++) {
            struct batch x = batch_new(&random, classes[i], 32, 32, scales[j]);
            check_both(&x.b, "labels");
            batch_release(&x);
        }
    }
}

static void mixed_and_smoothed_targets_match_the_definition(void **state) {
    (void)state;
    static const float shares[] = {0.0f, 0.25f, 0.7f, 1.0f};
    static const float smoothings[] = {0.0f, 0.1f, 0.9f};
    uint64_t random = 8;
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        for (size_t j = 0; j < sizeof smoothings / sizeof *smoothings; j++) {
            struct batch x = batch_new(&random, 10, 48, 37, 3.0f);
            x.b.smoothing = smoothings[j];
            check_both(&x.b, "smoothed");
            x.b.others = x.others;
            x.b.share = shares[i];
            check_both(&x.b, "mixed");
            batch_release(&x);
        }
    }
}

/* Computed in PyTorch 1.13 for z = [[1, 2, 0.5], [-1, 0, 3]] and y = [1, 0], in float64:
 *     F.cross_entropy(z, y, reduction='sum')                         4.5302526879
 *     F.cross_entropy(z, y, reduction='sum', label_smoothing=0.2)    4.3635860212
 *     F.mse_loss(z, F.one_hot(y, 3), reduction='sum') / 3            5.0833333333 */
static void losses_are_those_of_pytorch(void **state) {
    (void)state;
    float *z = mem_aligned(3 * 16, sizeof *z);
    const float columns[3][2] = {{1.0f, -1.0f}, {2.0f, 0.0f}, {0.5f, 3.0f}};
    for (int k = 0; k < 3; k++) {
        z[k * 16] = columns[k][0];
        z[k * 16 + 1] = columns[k][1];
    }
    const uint8_t labels[] = {1, 0};
    struct loss_batch b = {.logits = z, .labels = labels, .classes = 3, .N = 16, .n = 2};
    EACH_SET(set) {
        double plain = 0.0, smoothed = 0.0, squares = 0.0;
        int64_t correct = 0;
        b.smoothing = 0.0f;
        set->softmax_xent(&b, &plain, &correct);
        set->squared_error(&b, &squares, &correct);
        b.smoothing = 0.2f;
        set->softmax_xent(&b, &smoothed, &correct);
        assert_true(fabs(plain - 4.5302526879) < 1e-6);
        assert_true(fabs(smoothed - 4.3635860212) < 1e-6);
        assert_true(fabs(squares - 5.0833333333) < 1e-6);
        assert_int_equal(correct, 3);
    }
    free(z);
}

static void smoothing_does_not_change_the_squared_error(void **state) {
    (void)state;
    uint64_t random = 9;
    struct batch x = batch_new(&random, 10, 16, 13, 3.0f);
    EACH_SET(set) {
        double plain = 0.0, smoothed = 0.0;
        int64_t correct = 0;
        x.b.smoothing = 0.0f;
        set->squared_error(&x.b, &plain, &correct);
        x.b.smoothing = 0.5f;
        set->squared_error(&x.b, &smoothed, &correct);
        assert_memory_equal(&plain, &smoothed, sizeof plain);
    }
    batch_release(&x);
}

static void columns_past_the_batch_count_for_nothing(void **state) {
    (void)state;
    static const int counts[] = {1, 7, 16, 17, 31, 47};
    uint64_t random = 2;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct batch x = batch_new(&random, 10, 48, counts[i], 2.0f);
        for (int at = 0; at < 10 * 48; at++) {
            x.logits[at] = at % 48 < counts[i] ? x.logits[at] : NAN;
        }
        check_both(&x.b, "short batch"); // the twins have zeros past n, and no NaN in the loss
        batch_release(&x);
    }
}

static void the_first_of_equal_logits_is_the_prediction(void **state) {
    (void)state;
    uint64_t random = 3;
    struct batch x = batch_new(&random, 4, 16, 4, 1.0f);
    for (int i = 0; i < 16; i++) { // 1 2 2 0
        x.logits[0 * 16 + i] = 1.0f;
        x.logits[1 * 16 + i] = x.logits[2 * 16 + i] = 2.0f;
        x.logits[3 * 16 + i] = 0.0f;
    }
    memcpy(x.labels, (const uint8_t[]){0, 1, 2, 3}, 4);
    EACH_SET(set) {
        double loss = 0.0;
        int64_t correct = 0;
        set->softmax_xent(&x.b, &loss, &correct);
        assert_int_equal(correct, 1);
        set->squared_error(&x.b, &loss, &correct);
        assert_int_equal(correct, 2);
    }
    batch_release(&x);
}

static void check_nan(const struct kernels *set, loss_fn *loss_of, const struct loss_batch *batch,
                      int nan_at) {
    struct loss_batch b = *batch;
    double loss = 0.0;
    int64_t correct = 0;
    b.dlogits = poison_floats(3 * 16);
    loss_of(&b, &loss, &correct);
    assert_true(isnan(loss));
    assert_int_equal(correct, 1);
    assert_true(isnan(b.dlogits[nan_at * 16]));
    for (int k = 0; k < 3; k++) {
        assert_true(isnan(b.dlogits[k * 16]) || loss_of == set->squared_error);
        assert_false(isnan(b.dlogits[k * 16 + 1]));
    }
    free(b.dlogits);
}

static void a_nan_anywhere_in_a_column_makes_the_loss_nan_and_is_no_hit(void **state) {
    (void)state;
    uint64_t random = 4;
    for (int at = 0; at < 3; at++) {
        struct batch x = batch_new(&random, 3, 16, 2, 1.0f);
        x.logits[at * 16] = NAN; // of the first sample
        x.logits[0 * 16 + 1] = 9.0f;
        x.labels[0] = 1;
        x.labels[1] = 0;
        x.logits[1 * 16] += 5.0f; // right, but for the NaN
        EACH_SET(set) {
            check_nan(set, set->softmax_xent, &x.b, at);
            check_nan(set, set->squared_error, &x.b, at);
        }
        batch_release(&x);
    }
}

/* The loss of a sure and right sample is exp(-gap): far below what 1 + exp(-gap) shows in float32. */
static void the_loss_of_a_sure_sample_is_small_but_not_zero(void **state) {
    (void)state;
    uint64_t random = 5;
    struct batch x = batch_new(&random, 2, 16, 1, 1.0f);
    x.logits[0] = 25.0f;
    x.logits[16] = 0.0f;
    x.labels[0] = 0;
    EACH_SET(set) {
        double loss = 0.0;
        int64_t correct = 0;
        set->softmax_xent(&x.b, &loss, &correct);
        if (!(fabs(loss - exp(-25.0)) <= 1e-4 * exp(-25.0))) {
            fail_msg("%s: %.17g, expected %.17g", set->name, loss, exp(-25.0));
        }
    }
    batch_release(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_gradient_and_hits_match_the_definition),
        cmocka_unit_test(mixed_and_smoothed_targets_match_the_definition),
        cmocka_unit_test(losses_are_those_of_pytorch),
        cmocka_unit_test(smoothing_does_not_change_the_squared_error),
        cmocka_unit_test(columns_past_the_batch_count_for_nothing),
        cmocka_unit_test(the_first_of_equal_logits_is_the_prediction),
        cmocka_unit_test(a_nan_anywhere_in_a_column_makes_the_loss_nan_and_is_no_hit),
        cmocka_unit_test(the_loss_of_a_sure_sample_is_small_but_not_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
