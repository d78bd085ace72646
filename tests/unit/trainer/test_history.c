/* Records and sums as text: what is written reads back to the same bits, and nothing else is read. */
#include "trainer/history.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/num.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct record make(int epoch, double val_accuracy) {
    return (struct record){.epoch = epoch,
                           .train_loss = 1.0 / 3,
                           .train_accuracy = 0.1 + 0.2, // 0.30000000000000004
                           .val_loss = 5e-324,
                           .val_accuracy = val_accuracy,
                           .lr = 1e-3,
                           .grad_norm = INFINITY};
}

static void assert_same_bits(double got, double expected) {
    if (!num_same_bits(got, expected)) {
        fail_msg("%.17g is not %.17g", got, expected);
    }
}

static void a_record_is_one_line_of_json(void **state) {
    (void)state;
    const struct record record = make(3, 0.5);
    const struct record_timing timing = {.seconds = 1.25, .samples_per_second = 1000};
    struct buf out = {0};
    record_print(&out, &record, &timing);
    assert_string_equal(
        buf_text(&out),
        "{\"epoch\": 3, \"train_loss\": 0.3333333333333333, \"train_accuracy\": "
        "0.30000000000000004, \"val_loss\": 4.94065645841247e-324, \"val_accuracy\": "
        "0.5, \"lr\": 0.001, \"grad_norm\": \"inf\", \"seconds\": 1.250, "
        "\"samples_per_second\": 1000}");
    buf_release(&out);
}

static void a_history_reads_back_to_the_same_bits(void **state) {
    (void)state;
    struct history history = {0}, back = {0};
    for (int epoch = 1; epoch <= 40; epoch++) {
        const struct record record = make(epoch, sqrt(epoch) / 7);
        history_add(&history, &record);
    }
    struct buf text = {0};
    struct err err;
    history_print(&text, &history);
    assert_int_equal(history_parse(&back, buf_text(&text), &err), ERR_OK);
    assert_int_equal(back.count, 40);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(back.records[i].epoch, i + 1);
#define X(name) assert_same_bits(back.records[i].name, history.records[i].name);
        HISTORY_METRICS(X)
#undef X
    }
    buf_release(&text);
    history_release(&history);
    history_release(&back);
}

static void metrics_of_the_test_images_may_be_there(void **state) {
    (void)state;
    struct history history = {0}, back = {0};
    struct record record = make(1, 0.5);
    record.has_test = true;
    record.test_loss = 1.0 / 7;
    record.test_accuracy = 0.1 + 0.7;
    history_add(&history, &record);
    struct buf text = {0};
    struct err err;
    history_print(&text, &history);
    assert_non_null(strstr(buf_text(&text), ", \"test_loss\": 0.14285714285714285, "
                                            "\"test_accuracy\": 0.7999999999999999}"));
    assert_int_equal(history_parse(&back, buf_text(&text), &err), ERR_OK);
    assert_true(back.records[0].has_test);
    assert_same_bits(back.records[0].test_loss, record.test_loss);
    assert_same_bits(back.records[0].test_accuracy, record.test_accuracy);
    history_release(&back);

    char *cut = strstr(text.data, ", \"test_accuracy\""); // one without the other
    memcpy(cut, "}]", 3);
    assert_int_equal(history_parse(&back, buf_text(&text), &err), ERR_CORRUPT);
    cut = strstr(text.data, ", \"test_loss\""); // as files without validation have it
    memcpy(cut, "}]", 3);
    assert_int_equal(history_parse(&back, buf_text(&text), &err), ERR_OK);
    assert_false(back.records[0].has_test);
    history_release(&back);
    history_release(&history);
    buf_release(&text);
}

static void what_is_no_history_is_refused(void **state) {
    (void)state;
#define REST                                                                                       \
    "\"train_loss\": 1, \"train_accuracy\": 1, \"val_loss\": 1, \"val_accuracy\": 1, \"lr\": 1, "  \
    "\"grad_norm\": 1}"
    static const char *const texts[] = {
        "",
        "{}",
        "[3]",
        "[{}]",
        "[{\"epoch\": 2, " REST "]",                          // 1 is missing
        "[{\"epoch\": 1, " REST ", {\"epoch\": 1, " REST "]", // twice
        "[{\"epoch\": 1, \"train_loss\": 1}]",
        "[{\"epoch\": 1, " REST, // cut
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct history history = {0};
        struct err err;
        assert_int_equal(history_parse(&history, texts[i], &err), ERR_CORRUPT);
        assert_int_equal(history.count, 0);
    }
    struct history history = {0};
    struct err err;
    assert_int_equal(history_parse(&history, "[{\"epoch\": 1, " REST "]", &err), ERR_OK);
    history_release(&history);
}

static void the_best_epoch_is_the_earliest_of_the_best(void **state) {
    (void)state;
    static const double accuracies[] = {0.5, 0.7, 0.6, 0.7, 0.1};
    struct history history = {0};
    assert_int_equal(history_best(&history), 0);
    for (int i = 0; i < 5; i++) {
        const struct record record = make(i + 1, accuracies[i]);
        history_add(&history, &record);
    }
    assert_int_equal(history_best(&history), 2);
    history_release(&history);
}

static void sums_read_back_to_the_same_bits(void **state) {
    (void)state;
    const struct epoch_sums sums = {
        .loss_sum = 2.0 / 3, .grad_norm_sum = INFINITY, .correct = 7, .samples = 96};
    struct epoch_sums back = {0};
    struct buf text = {0};
    struct err err;
    epoch_sums_print(&text, &sums);
    assert_int_equal(epoch_sums_parse(&back, buf_text(&text), &err), ERR_OK);
    assert_same_bits(back.loss_sum, sums.loss_sum);
    assert_same_bits(back.grad_norm_sum, sums.grad_norm_sum);
    assert_int_equal(back.correct, 7);
    assert_int_equal(back.samples, 96);
    assert_int_equal(epoch_sums_parse(&back, "{}", &err), ERR_OK);
    assert_int_equal(back.samples, 0);
    assert_int_equal(epoch_sums_parse(&back, "{\"loss_sum\": 1}", &err), ERR_CORRUPT);
    buf_release(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_one_line_of_json),
        cmocka_unit_test(a_history_reads_back_to_the_same_bits),
        cmocka_unit_test(metrics_of_the_test_images_may_be_there),
        cmocka_unit_test(what_is_no_history_is_refused),
        cmocka_unit_test(the_best_epoch_is_the_earliest_of_the_best),
        cmocka_unit_test(sums_read_back_to_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
