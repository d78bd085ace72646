/* The picture and the lines of a run, against what a person or a program shall see. */
#include "cli/live.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/wire.h"
#include "cli/term.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct sweep sweep = {.name = "quickstart", .metric = "val_accuracy"};

static const struct run_slot_view slots[] = {
    {.busy = true,
     .trial = 38,
     .label = "adam relu he_normal",
     .epoch = 2,
     .epochs = 3,
     .has_value = true,
     .value = 0.82312,
     .samples_per_second = 11900.4},
    {.busy = true,
     .trial = 1039,
     .label = "sgd elu",
     .epoch = 0,
     .epochs = 0,
     .samples_per_second = NAN},
    {.busy = false, .samples_per_second = NAN},
};

static struct run_view view_of(int64_t complete, int64_t failed) {
    return (struct run_view){.sweep = &sweep,
                             .total = 75,
                             .complete = complete,
                             .failed = failed,
                             .running = 2,
                             .slot_count = 3,
                             .slots = slots,
                             .has_best = true,
                             .best = 0.8412,
                             .eta_s = 58};
}

static void expect_picture(const struct run_view *view, int width, const char *expected) {
    struct buf out = {0};
    int lines = live_picture(&out, view, width, 24), newlines = 0;
    assert_string_equal(buf_text(&out), expected);
    for (const char *c = buf_text(&out); *c != '\0'; c++) {
        newlines += *c == '\n';
    }
    assert_int_equal(lines, newlines); // what is erased is what was drawn
    buf_release(&out);
}

static void the_picture_has_a_bar_and_a_line_a_slot(void **state) {
    (void)state;
    struct run_view view = view_of(36, 1);
    expect_picture(&view, 200,
                   "  [=================>                  ]  37/75   2 running  1 failed   best "
                   "0.8412   ETA 0:58\n"
                   "  1  #38   adam relu he_normal  epoch 2/3  val_accuracy 0.8231  11,900 "
                   "samples/s\n"
                   "  2  #1039 sgd elu              epoch 0\n"
                   "  3  idle\n");
}

static void a_narrow_terminal_shortens_the_bar_and_no_figure(void **state) {
    (void)state;
    struct run_view view = view_of(36, 1);
    view.slot_count = 0;
    view.best = 0.85;
    expect_picture(
        &view, 80,
        "  [==========>          ]  37/75   2 running  1 failed   best 0.8500   ETA 0:58\n");
    expect_picture(&view, 66,
                   "  [===>   ]  37/75   2 running  1 failed   best 0.8500   ETA 0:58\n");
    expect_picture(&view, 64, "  37/75   2 running  1 failed   best 0.8500   ETA 0:58\n");
}

static void what_does_not_fit_on_the_screen_is_counted(void **state) {
    (void)state;
    enum { SLOTS = 40 };
    struct run_slot_view many[SLOTS];
    for (int i = 0; i < SLOTS; i++) {
        many[i] = (struct run_slot_view){.busy = false, .samples_per_second = NAN};
    }
    struct run_view view = view_of(36, 1);
    view.slots = many;
    for (view.slot_count = 0; view.slot_count <= SLOTS; view.slot_count++) {
        for (int height = 1; height < 60; height++) {
            struct buf out = {0};
            int lines = live_picture(&out, &view, 80, height), idle = 0, more = 0;
            assert_true(lines < height - 1 || lines == 1); // the cursor stands in the line below
            for (const char *at = buf_text(&out); (at = strstr(at, "idle")) != NULL; at++) {
                idle++;
            }
            const char *rest = strstr(buf_text(&out), "... ");
            if (rest != NULL) {
                more = atoi(rest + 4);
                assert_non_null(strstr(rest, " more workers\n"));
            }
            if (height > 3) {
                assert_int_equal(idle + more, view.slot_count);
                assert_true(more == 0 || more > 1); // one has a line instead
            }
            buf_release(&out);
        }
    }
}

static void it_tells_when_it_is_stopping_and_when_nothing_is_known(void **state) {
    (void)state;
    struct run_view view = view_of(75, 0);
    view.slot_count = 0;
    view.stopping = true;
    view.has_best = false;
    expect_picture(&view, 200,
                   "  [====================================]  75/75   2 running  0 failed   "
                   "stopping\n");
    view = view_of(0, 0);
    view.slot_count = 0;
    view.has_best = false;
    view.eta_s = NAN;
    expect_picture(
        &view, 200,
        "  [>                                   ]  0/75   2 running  0 failed   ETA ?\n");
}

static int columns_of(const char *line) {
    int columns = 0;
    for (; *line != '\0' && *line != '\n'; line++) {
        if (*line == '\033') {
            line += strcspn(line, "m");
        } else {
            columns += ((unsigned char)*line & 0xc0) != 0x80;
        }
    }
    return columns;
}

static void no_line_is_wider_than_the_terminal_colours_or_not(void **state) {
    (void)state;
    struct run_slot_view slot = slots[0];
    slot.label = "na\xc3\xafve \xce\xb1\xce\xb2\xce\xb3 with letters of two bytes";
    struct run_view view = view_of(36, 1);
    view.slots = &slot;
    view.slot_count = 1;
    for (int colours = 0; colours < 2; colours++) {
        assert_true(term_set_color(colours ? "always" : "never"));
        for (int width = 1; width < 120; width++) {
            struct buf out = {0};
            (void)live_picture(&out, &view, width, 24); // counted in another test
            const char *line = buf_text(&out);
            assert_int_equal(strstr(line, "\033[31m") != NULL, colours); // a failure is red
            for (; *line != '\0'; line += strcspn(line, "\n") + 1) {
                assert_true(columns_of(line) < width || width == 1);
            }
            buf_release(&out);
        }
    }
    assert_true(term_set_color("never"));
}

static void an_escape_without_an_end_stays_within_its_label(void **state) {
    (void)state;
    struct run_slot_view slot = {.busy = true, .label = "\033QQQQ", .samples_per_second = NAN};
    struct run_view view = view_of(0, 0);
    view.slots = &slot;
    view.slot_count = 1;
    struct buf out = {0}, again = {0};
    assert_int_equal(live_picture(&out, &view, 80, 24),
                     2);                       // under ASan nothing past the end is read
    (void)live_picture(&again, &view, 80, 24); // compared below
    assert_string_equal(buf_text(&out), buf_text(&again));
    assert_int_equal(strlen(buf_text(&out)), out.len);
    buf_release(&out);
    buf_release(&again);
}

static void every_event_for_programs_is_one_object_a_line(void **state) {
    (void)state;
    static struct wire_record record = {.kind = WIRE_EPOCH, .epoch = 3, .metric_count = 2};
    strcpy(record.metrics[0].name, "val_loss");
    record.metrics[0].value = 0.1 + 0.2;
    strcpy(record.metrics[1].name, "a \"b\"");
    record.metrics[1].value = NAN;
    struct run_view view = view_of(5, 1);
    for (int kind = RUN_STARTED; kind <= RUN_FINISHED; kind++) {
        const struct run_event event = {.kind = (enum run_event_kind)kind,
                                        .slot = 1,
                                        .trial = 7,
                                        .attempt = 2,
                                        .epoch = 3,
                                        .label = "a\nb",
                                        .reason = "exit",
                                        .message = "it \"died\"",
                                        .status = TRIAL_FAILED,
                                        .stopped = kind == RUN_TRIAL_ENDED ? "patience" : NULL,
                                        .record = kind == RUN_EPOCH ? &record : NULL};
        struct buf out = {0};
        bool told = live_json(&out, &event, &view);
        assert_int_equal(told, kind != RUN_TICK);
        if (told) {
            struct json_doc *doc;
            struct err err;
            assert_int_equal(buf_text(&out)[out.len - 1], '\n');
            assert_int_equal(strcspn(buf_text(&out), "\n"), out.len - 1);
            assert_int_equal(json_parse(&doc, "event", buf_text(&out), out.len, JSON_STRICT, &err),
                             ERR_OK);
            assert_true(json_number(json_get(json_root(doc), "trial")) == 7);
            const struct cJSON *slot = json_get(json_root(doc), "slot");
            assert_int_equal(slot != NULL, kind != RUN_WARNING);
            assert_true(slot == NULL || json_number(slot) == 2); // from 1
            assert_string_equal(json_text(json_get(json_root(doc), "message")), "it \"died\"");
            json_free(doc);
        }
        assert_int_equal(strstr(buf_text(&out), ", \"stopped\": \"patience\"") != NULL,
                         kind == RUN_TRIAL_ENDED);
        if (kind == RUN_EPOCH) {
            assert_non_null(strstr(buf_text(&out),
                                   "\"epoch\": 3, \"metrics\": {\"val_loss\": "
                                   "0.30000000000000004, \"a \\\"b\\\"\": \"nan\"}"));
        }
        buf_release(&out);
    }
}

static void durations_read_like_a_clock(void **state) {
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0, "0:00"},       {58.4, "0:58"}, {59.6, "1:00"}, {3599.7, "1:00:00"},
                 {3725, "1:02:05"}, {NAN, "?"},     {-1, "?"},      {1e300, "?"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[32];
        assert_string_equal(term_duration(out, cases[i].seconds), cases[i].text);
    }
}

static int setup(void **state) {
    (void)state;
    return !term_set_color("never");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_picture_has_a_bar_and_a_line_a_slot),
        cmocka_unit_test(a_narrow_terminal_shortens_the_bar_and_no_figure),
        cmocka_unit_test(what_does_not_fit_on_the_screen_is_counted),
        cmocka_unit_test(it_tells_when_it_is_stopping_and_when_nothing_is_known),
        cmocka_unit_test(no_line_is_wider_than_the_terminal_colours_or_not),
        cmocka_unit_test(an_escape_without_an_end_stays_within_its_label),
        cmocka_unit_test(every_event_for_programs_is_one_object_a_line),
        cmocka_unit_test(durations_read_like_a_clock),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
