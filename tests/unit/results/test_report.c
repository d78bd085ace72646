/* The report's data document, and how it stands in the page.  What it tells of a real sweep is held to the views in
 * tests/e2e/report.sh. */
#include "results/report.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/wire.h"
#include "results/report_column.h"
#include "results/report_page.h"
#include "tests/unit/results/store_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- columns ---- */

static void expect_base64(const char *bytes, const char *expected) {
    struct buf out = {0};
    column_put_base64(&out, bytes, strlen(bytes));
    assert_string_equal(buf_text(&out), expected);
    assert_int_equal(out.len, strlen(expected));
    buf_release(&out);
}

static void base64_is_that_of_rfc_4648(void **state) {
    (void)state;
    expect_base64("", "");
    expect_base64("f", "Zg==");
    expect_base64("fo", "Zm8=");
    expect_base64("foo", "Zm9v");
    expect_base64("foob", "Zm9vYg==");
    expect_base64("fooba", "Zm9vYmE=");
    expect_base64("foobar", "Zm9vYmFy");
    expect_base64("\xff\xfe\xfb\xf0", "//778A==");
}

static void expect_column(const struct column *column, const char *bytes, size_t len) {
    assert_int_equal(column->bytes.len, len);
    assert_memory_equal(column->bytes.data, bytes, len);
}

static void columns_are_little_endian(void **state) {
    (void)state;
    struct column c[4] = {0};
    column_put_u8(&c[0], 200);
    column_put_i32(&c[1], -2);
    column_put_i32(&c[1], INT64_MAX);
    column_put_i32(&c[1], INT64_MIN);
    column_put_f32(&c[2], -1.5);
    column_put_f64(&c[3], -1.5);
    expect_column(&c[0], "\xc8", 1);
    expect_column(&c[1], "\xfe\xff\xff\xff\xff\xff\xff\x7f\x00\x00\x00\x80", 12);
    expect_column(&c[2], "\x00\x00\xc0\xbf", 4);
    expect_column(&c[3], "\x00\x00\x00\x00\x00\x00\xf8\xbf", 8);
    for (int i = 0; i < 4; i++) {
        column_release(&c[i]);
    }
}

/* ---- the page ---- */

static void no_text_ends_the_element_that_holds_the_data(void **state) {
    (void)state;
    static const char json[] = "{\"a\": \"</script><!-- <b>\", \"c\": 1}<";
    struct buf out = {0};
    report_page_put_data(&out, json, strlen(json));
    assert_string_equal(buf_text(&out),
                        "{\"a\": \"\\u003c/script>\\u003c!-- \\u003cb>\", \"c\": 1}\\u003c");
    buf_release(&out);
}

/* ---- the document ---- */

static const struct report_options usual = {.version = "9.9"};

static struct json_doc *document(struct fixture *f, const struct report_options *options) {
    struct buf json = {0};
    expect_ok(f, report_put_data(&json, f->store, "s", options, &f->err));
    struct json_doc *doc;
    expect_ok(f, json_parse(&doc, "data", buf_text(&json), json.len, JSON_STRICT, &f->err));
    buf_release(&json);
    return doc;
}

static void expect_text(const struct json_doc *doc, const char *path, const char *expected) {
    const struct cJSON *value = json_path_get(json_root(doc), path);
    assert_non_null(value);
    struct buf out = {0};
    json_print_canonical(&out, value);
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
}

static const struct cJSON *metric_of(const struct json_doc *doc, int index) {
    const struct cJSON *metric = json_first(json_path_get(json_root(doc), "curves.metrics"));
    while (index-- > 0) {
        metric = json_next(metric);
    }
    return metric;
}

static void expect_member(const struct cJSON *object, const char *name, const char *expected) {
    assert_string_equal(json_text(json_get(object, name)), expected);
}

/* Two optimizers; the second of them has no value yet. */
static void two_trials(struct fixture *f) {
    static const double values[] = {0.5, 0.75, 0.25};
    int64_t id = sweep(f, "s", "[\"optimizer\",\"seedless\"]", "val_accuracy", true);
    (void)point(f, id, "1", "sgd </script>", "{\"optimizer\":{\"name\":\"sgd\",\"lr\":0.1}}", 1, 3);
    (void)point(f, id, "2", "adam", "{\"optimizer\":\"adam\"}", 1, 3);
    end_plan(f, id);
    run_complete(f, 1, 3, values);
    attempt(f, 2, 1);
}

static void a_document_has_trials_axes_and_curves(void **state) {
    struct fixture *f = *state;
    two_trials(f);
    struct json_doc *doc = document(f, &usual);
    expect_text(doc, "besom", "\"9.9\"");
    expect_text(doc, "trials.trial", "[1,2]");
    expect_text(doc, "trials.label", "[\"sgd </script>\",\"adam\"]");
    expect_text(doc, "trials.status", "[\"complete\",\"paused\"]"); // no run holds the folder
    expect_text(doc, "trials.seed", "[\"1\",\"1\"]");
    expect_text(doc, "trials.epochs_done", "[3,0]");
    expect_text(doc, "trials.levels", "[[0,1],[0,0]]");
    expect_text(doc, "axes",
                "[{\"levels\":[\"sgd lr=0.1\",\"adam\"],\"path\":\"optimizer\"},"
                "{\"levels\":[\"\"],\"path\":\"seedless\"}]");
    expect_text(doc, "curves.rows", "[3,0]");
    expect_text(doc, "curves.epoch", "\"AQAAAAIAAAADAAAA\""); // 1, 2, 3
    expect_text(doc, "layers", "null");
    const struct cJSON *metric = metric_of(doc, 0);
    expect_member(metric, "name", "val_accuracy");
    expect_member(metric, "goal", "maximize");
    expect_member(metric, "type", "f32");
    expect_member(metric, "value", "AAAAPwAAQD8AAIA+");        // 0.5, 0.75, 0.25
    expect_member(metric, "best", "AAAAAAAA6D8AAAAAAAD4fw=="); // 0.75, NaN
    expect_member(metric, "best_epoch", "AgAAAAAAAAA=");       // 2, 0
    expect_member(metric, "last", "AAAAAAAA0D8AAAAAAAD4fw=="); // 0.25, NaN
    json_free(doc);
}

static void what_runs_is_running_only_during_a_run(void **state) {
    struct fixture *f = *state;
    two_trials(f);
    const struct report_options during = {.version = "1", .active = true};
    struct json_doc *doc = document(f, &during);
    expect_text(doc, "trials.status", "[\"complete\",\"running\"]");
    expect_text(doc, "run.active", "true");
    json_free(doc);
}

static void a_value_that_no_float32_holds_makes_its_metric_wide(void **state) {
    struct fixture *f = *state;
    (void)one_running_trial(f, 2);
    epoch(f, 1, 1, 1, "val_accuracy 0.5 val_loss 1e300");
    epoch(f, 1, 1, 2, "val_accuracy nan val_loss inf");
    struct json_doc *doc = document(f, &usual);
    expect_member(metric_of(doc, 0), "type", "f32");
    expect_member(metric_of(doc, 0), "value", "AAAAPwAAwH8="); // 0.5, NaN
    expect_member(metric_of(doc, 1), "name", "val_loss");
    expect_member(metric_of(doc, 1), "goal", "minimize");
    expect_member(metric_of(doc, 1), "type", "f64");
    expect_member(metric_of(doc, 1), "value", "nHUAiDzkN34AAAAAAADwfw==");
    json_free(doc);
}

static void of_too_many_epochs_some_are_left_out_and_never_the_last(void **state) {
    struct fixture *f = *state;
    (void)one_running_trial(f, 6);
    for (int e = 1; e <= 6; e++) {
        epoch(f, 1, 1, e, "val_accuracy 0.5");
    }
    const struct report_options few = {.version = "1", .values_max = 3};
    struct json_doc *doc = document(f, &few);
    expect_text(doc, "curves.stride", "2");
    expect_text(doc, "curves.rows", "[4]");
    expect_text(doc, "curves.epoch", "\"AQAAAAMAAAAFAAAABgAAAA==\""); // 1, 3, 5, 6
    json_free(doc);
}

static void put_layer(struct fixture *f, int64_t trial, int at, char *name, char *histogram) {
    struct store_layer layer = {.epoch = at, .position = 0, .name = name, .histogram = histogram};
    for (int i = 0; i < STORE_LAYER_NUMBER_COUNT; i++) {
        layer.number[i] = i;
    }
    begin(f);
    expect_ok(f, store_put_layer(f->store, trial, &layer, false, &f->err));
    commit(f);
}

static void histograms_are_told_in_steps_of_the_highest_bin(void **state) {
    struct fixture *f = *state;
    (void)one_running_trial(f, 2);
    put_layer(f, 1, 0, (char[]){"0 dense"}, (char[]){"[0, 1, 500, 1000]"});
    put_layer(f, 1, 1, (char[]){"0 dense"}, (char[]){"no histogram"});
    struct json_doc *doc = document(f, &usual);
    expect_text(doc, "layers.names", "[\"0 dense\"]");
    expect_text(doc, "layers.epochs", "[0,1]");
    expect_text(doc, "layers.bins", "\"BAA=\"");          // 4, 0
    expect_text(doc, "layers.histogram", "\"AAGA/w==\""); // 0, 1, 128, 255
    expect_text(doc, "layers.std", "\"AACAPwAAgD8=\"");   // 1, 1
    json_free(doc);
}

static void of_too_many_looks_the_first_and_the_last_stay(void **state) {
    struct fixture *f = *state;
    (void)one_running_trial(f, 9);
    for (int e = 0; e <= 6; e++) {
        put_layer(f, 1, e, (char[]){"0 dense"}, (char[]){"[1]"});
    }
    const struct report_options few = {.version = "1", .layer_rows_max = 4};
    struct json_doc *doc = document(f, &few);
    expect_text(doc, "layers.epochs", "[0,2,4,6]");
    expect_text(doc, "layers.epochs_known", "7");
    expect_text(doc, "layers.first_replicate", "false");
    json_free(doc);
}

static void an_unknown_sweep_is_named_and_nothing_is_put(void **state) {
    struct fixture *f = *state;
    struct buf json = {0};
    buf_puts(&json, "before");
    expect_code(f, report_put_data(&json, f->store, "none", &usual, &f->err), ERR_NOT_FOUND);
    expect_message(f, "none");
    assert_string_equal(buf_text(&json), "before");
    buf_release(&json);
}

static void failures_have_the_end_of_their_output(void **state) {
    struct fixture *f = *state;
    (void)one_running_trial(f, 2);
    struct buf log = {0};
    for (int i = 0; i < 400; i++) {
        buf_printf(&log, "line %d of what it said\n", i);
    }
    const struct store_end end = {.status = TRIAL_FAILED,
                                  .reason = "exit",
                                  .message = "it failed",
                                  .exit_status = 3,
                                  .log_tail = buf_text(&log)};
    begin(f);
    expect_ok(f, store_end_attempt(f->store, 1, 1, &end, &f->err));
    commit(f);
    struct json_doc *doc = document(f, &usual);
    const struct cJSON *failure = json_first(json_path_get(json_root(doc), "failures"));
    expect_member(failure, "reason", "exit");
    expect_member(failure, "message", "it failed");
    const char *tail = json_text(json_get(failure, "log_tail"));
    assert_true(strlen(tail) <= REPORT_LOG_TAIL_MAX);
    assert_true(strlen(tail) > REPORT_LOG_TAIL_MAX - 40);
    assert_memory_equal(tail, "line ", 5); // a whole line
    assert_non_null(strstr(tail, "line 399 "));
    json_free(doc);
    buf_release(&log);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_is_that_of_rfc_4648),
        cmocka_unit_test(columns_are_little_endian),
        cmocka_unit_test(no_text_ends_the_element_that_holds_the_data),
        WITH_STORE(a_document_has_trials_axes_and_curves),
        WITH_STORE(what_runs_is_running_only_during_a_run),
        WITH_STORE(a_value_that_no_float32_holds_makes_its_metric_wide),
        WITH_STORE(of_too_many_epochs_some_are_left_out_and_never_the_last),
        WITH_STORE(histograms_are_told_in_steps_of_the_highest_bin),
        WITH_STORE(of_too_many_looks_the_first_and_the_last_stay),
        WITH_STORE(an_unknown_sweep_is_named_and_nothing_is_put),
        WITH_STORE(failures_have_the_end_of_their_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
