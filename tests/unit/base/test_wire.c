/* Lines out of chunks cut anywhere, and what any line says. */
#include "base/wire.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void collect(void *context, const char *text, size_t len, bool cut) {
    struct buf *out = context;
    buf_printf(out, "<%zu%s:", len, cut ? " cut" : "");
    buf_put(out, text, len < 20 ? len : 20);
    buf_putc(out, '>');
}

static void lines_do_not_depend_on_where_chunks_end(void **state) {
    (void)state;
    static const char text[] = "one\r\n\ntw\0o\nthree";
    static const char expected[] = "<3:one><0:><4:tw\0o><5:three>";
    for (size_t first = 0; first < sizeof text; first++) {
        for (size_t second = first; second < sizeof text; second++) {
            struct wire_splitter s = {0};
            struct buf out = {0};
            wire_feed(&s, text, first, collect, &out);
            wire_feed(&s, text + first, second - first, collect, &out);
            wire_feed(&s, text + second, sizeof text - 1 - second, collect, &out);
            wire_end(&s, collect, &out);
            assert_int_equal(out.len, sizeof expected - 1);
            assert_memory_equal(out.data, expected, out.len);
            buf_release(&out);
            wire_splitter_release(&s);
        }
        if (first == sizeof text - 1) {
            break;
        }
    }
}

static void a_line_over_the_limit_is_delivered_once_and_cut(void **state) {
    (void)state;
    struct wire_splitter s = {0};
    struct buf out = {0};
    char *many = mem_zalloc(WIRE_LINE_MAX, 1);
    memset(many, 'x', WIRE_LINE_MAX);
    for (int i = 0; i < 100; i++) { // 6.5 MB without a newline
        wire_feed(&s, many, WIRE_LINE_MAX, collect, &out);
    }
    wire_feed(&s, "tail\nnext\n", 10, collect, &out);
    char expected[128];
    snprintf(expected, sizeof expected, "<%d cut:xxxxxxxxxxxxxxxxxxxx><4:next>", WIRE_LINE_MAX);
    assert_string_equal(buf_text(&out), expected);
    assert_int_equal(s.dropped, 99 * WIRE_LINE_MAX + 4);

    buf_clear(&out); // the longest that is not cut
    wire_feed(&s, many, WIRE_LINE_MAX, collect, &out);
    wire_feed(&s, "\n", 1, collect, &out);
    snprintf(expected, sizeof expected, "<%d:xxxxxxxxxxxxxxxxxxxx>", WIRE_LINE_MAX);
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
    wire_splitter_release(&s);
    free(many);
}

static struct wire_record record;

static void parse(const char *line) {
    wire_parse(&record, line, strlen(line));
}

static void an_epoch_record_keeps_numbers_and_passes_over_the_rest(void **state) {
    (void)state;
    parse(
        "{\"epoch\": 3, \"a\": 0.1, \"note\": \"x\", \"b\": \"-inf\", \"c\": \"nan\", \"d\": -0.0,"
        " \"seconds\": 2.5, \"samples_per_second\": 100, \"list\": [1], \"yes\": true}");
    assert_int_equal(record.kind, WIRE_EPOCH);
    assert_int_equal(record.epoch, 3);
    assert_int_equal(record.metric_count, 4);
    assert_string_equal(record.metrics[0].name, "a");
    assert_true(num_same_bits(record.metrics[0].value, 0.1));
    assert_true(isinf(record.metrics[1].value) && record.metrics[1].value < 0);
    assert_true(isnan(record.metrics[2].value));
    assert_true(num_same_bits(record.metrics[3].value, -0.0));
    assert_true(record.seconds == 2.5 && record.samples_per_second == 100);

    parse("{\"epoch\": 1}");
    assert_int_equal(record.kind, WIRE_EPOCH);
    assert_int_equal(record.metric_count, 0);
    assert_true(isnan(record.seconds));
}

static void events_are_told_by_name(void **state) {
    (void)state;
    parse("{\"event\": \"done\", \"at_epoch\": 4}");
    assert_int_equal(record.kind, WIRE_EVENT);
    assert_string_equal(record.event, "done");
    assert_non_null(record.object);
    parse("{\"event\": \"done\", \"epoch\": 4.5}");
    assert_int_equal(record.kind, WIRE_EVENT);
}

static void an_integer_epoch_makes_a_record_of_an_event_as_well(void **state) {
    (void)state;
    parse("{\"event\": \"eval\", \"epoch\": 4, \"val_loss\": 0.5}");
    assert_int_equal(record.kind, WIRE_EPOCH);
    assert_int_equal(record.epoch, 4);
    assert_int_equal(record.metric_count, 1);
    assert_null(record.event);
}

static void what_is_no_record_is_text_or_bad_with_a_reason(void **state) {
    (void)state;
    static const struct {
        const char *line;
        enum wire_kind kind;
        const char *problem;
    } cases[] = {
        {"", WIRE_TEXT, ""},
        {"epoch 1", WIRE_TEXT, ""},
        {" {\"epoch\": 1}", WIRE_TEXT, ""},
        {"{", WIRE_BAD, "expected a name"},
        {"{}", WIRE_BAD, "neither"},
        {"{\"epoch\": 0}", WIRE_BAD, "integer"},
        {"{\"epoch\": -1}", WIRE_BAD, "integer"},
        {"{\"epoch\": 1.5}", WIRE_BAD, "integer"},
        {"{\"epoch\": 1000000001}", WIRE_BAD, "integer"},
        {"{\"epoch\": 123456789012345678901234567890}", WIRE_BAD, "integer"},
        {"{\"epoch\": \"1\"}", WIRE_BAD, "integer"},
        {"{\"epoch\": 1, \"epoch\": 2}", WIRE_BAD, "repeated"},
        {"{\"epoch\": 1, \"a\": 1e999}", WIRE_BAD, "too large"},
        {"{\"epoch\": 1, \"a\": NaN}", WIRE_BAD, "expected a value"},
        {"{\"epoch\": 1} x", WIRE_BAD, "expected the end"},
        {"{\"event\": 7}", WIRE_BAD, "not a string"},
        {"{\"epoch\": 1, \"\": 2}", WIRE_BAD, "empty"},
        {"{\"epoch\": 1, \"\\u001b[2J\": 2}", WIRE_BAD, "control"},
        {"{\"epoch\": 1, \"a\\n\": 2}", WIRE_BAD, "control"},
        {"{\"epoch\": 1, \"\\u009b\": 2}", WIRE_BAD, "control"},
        {"{\"epoch\": 1, \"\xff\": 2}", WIRE_BAD, "not UTF-8"},
        {"{\"epoch\": 1, \"a\": \"\xc3\"}", WIRE_BAD, "not UTF-8"},
        {"{\"epoch\": 1, \"\xc3\xa9\": 2}", WIRE_EPOCH, ""},
        {"{\"epoch\": 1e0}", WIRE_EPOCH, ""}, // an integer, whatever its spelling
        {"{\"epoch\": 1000000000}", WIRE_EPOCH, ""},
        {"{\"epoch\": null}", WIRE_BAD, "integer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        parse(cases[i].line);
        if (record.kind != cases[i].kind || strstr(record.problem, cases[i].problem) == NULL) {
            fail_msg("%s: kind %d, \"%s\"", cases[i].line, (int)record.kind, record.problem);
        }
    }
}

static void a_nul_in_a_line_is_no_end_of_it(void **state) {
    (void)state;
    static const char line[] = "{\"epoch\": 1}\0";
    wire_parse(&record, line, sizeof line - 2);
    assert_int_equal(record.kind, WIRE_EPOCH);
    wire_parse(&record, line, sizeof line - 1); // with the NUL
    assert_int_equal(record.kind, WIRE_BAD);
    assert_non_null(strstr(record.problem, "0x00"));
}

static void nesting_is_refused_and_passed_over_where_it_is_allowed(void **state) {
    (void)state;
    struct buf line = {0};
    buf_puts(&line, "{\"epoch\": 1, \"a\": ");
    while (line.len < WIRE_LINE_MAX) {
        buf_putc(&line, '[');
    }
    wire_parse(&record, buf_text(&line), line.len);
    assert_int_equal(record.kind, WIRE_BAD);
    assert_non_null(strstr(record.problem, "too deep"));
    buf_release(&line);
    parse("{\"epoch\": 1, \"a\": {\"b\": [{\"c\": 7}]}, \"d\": 5}");
    assert_int_equal(record.kind, WIRE_EPOCH);
    assert_int_equal(record.metric_count, 1);
    assert_string_equal(record.metrics[0].name, "d");
}

static void nothing_of_a_record_is_left_in_the_next(void **state) {
    (void)state;
    parse("{\"epoch\": 3, \"a\": 1, \"seconds\": 2}");
    parse("{\"epoch\": 3, \"a\": 1, \"seconds\": 2, \"\": 1}"); // BAD after three members
    assert_int_equal(record.kind, WIRE_BAD);
    assert_int_equal(record.metric_count, 0);
    assert_int_equal(record.epoch, 0);
    parse("{\"event\": \"done\"}");
    assert_true(isnan(record.seconds));
    assert_string_equal(record.problem, "");
    parse("text");
    assert_int_equal(record.kind, WIRE_TEXT);
    assert_null(record.event);
    assert_null(record.object);
}

static void limits_on_names_and_counts_hold(void **state) {
    (void)state;
    struct buf line = {0};
    buf_printf(&line, "{\"epoch\": 1, \"%063d\": 1}", 0);
    parse(buf_text(&line));
    assert_int_equal(record.kind, WIRE_EPOCH);
    buf_clear(&line);
    buf_printf(&line, "{\"epoch\": 1, \"%064d\": 1}", 0);
    parse(buf_text(&line));
    assert_int_equal(record.kind, WIRE_BAD);
    for (int count = WIRE_METRIC_MAX; count <= WIRE_METRIC_MAX + 1; count++) {
        buf_clear(&line);
        buf_puts(&line, "{\"epoch\": 1");
        for (int i = 0; i < count; i++) {
            buf_printf(&line, ", \"m%d\": %d", i, i);
        }
        buf_putc(&line, '}');
        parse(buf_text(&line));
        assert_int_equal(record.kind, count == WIRE_METRIC_MAX ? WIRE_EPOCH : WIRE_BAD);
    }
    buf_release(&line);
}

static void any_bytes_yield_a_kind(void **state) {
    (void)state;
    static const char *const starts[] = {"{\"epoch\": 12, \"train_loss\": 0.5, \"event\": \"x\"}",
                                         "{\"epoch\": 12, \"train_loss\": 0.5, \"note\": \"xy\"}"};
    struct rng rng;
    rng_init(&rng, 7, RNG_TEST, 1, 0);
    print_message("seed 7\n");
    int kinds[4] = {0};
    for (int i = 0; i < 100000; i++) {
        char line[64];
        size_t len = strlen(starts[i % 2]);
        memcpy(line, starts[i % 2], len + 1);
        for (uint32_t k = rng_below(&rng, 4); k < 4; k++) {
            line[rng_below(&rng, (uint32_t)len)] = (char)rng_below(&rng, 256);
        }
        wire_parse(&record, line, i % 4 < 2 ? len : rng_below(&rng, (uint32_t)len));
        kinds[record.kind]++;
        if (record.kind == WIRE_EPOCH && (record.epoch < 1 || record.epoch > WIRE_EPOCH_MAX)) {
            fail_msg("round %d: epoch %d", i, record.epoch);
        }
        for (const char *c = record.problem; *c != '\0'; c++) {
            if ((unsigned char)*c < 0x20 || *c == 0x7f) {
                fail_msg("round %d: byte 0x%02x in a problem", i, (unsigned char)*c);
            }
        }
    }
    for (int kind = 0; kind < 4; kind++) { // the loop reaches all of them
        assert_in_range(kinds[kind], 100, 100000);
    }
}

static int release(void **state) {
    (void)state;
    wire_record_release(&record);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_do_not_depend_on_where_chunks_end),
        cmocka_unit_test(a_line_over_the_limit_is_delivered_once_and_cut),
        cmocka_unit_test(an_epoch_record_keeps_numbers_and_passes_over_the_rest),
        cmocka_unit_test(events_are_told_by_name),
        cmocka_unit_test(an_integer_epoch_makes_a_record_of_an_event_as_well),
        cmocka_unit_test(what_is_no_record_is_text_or_bad_with_a_reason),
        cmocka_unit_test(a_nul_in_a_line_is_no_end_of_it),
        cmocka_unit_test(nesting_is_refused_and_passed_over_where_it_is_allowed),
        cmocka_unit_test(nothing_of_a_record_is_left_in_the_next),
        cmocka_unit_test(limits_on_names_and_counts_hold),
        cmocka_unit_test(any_bytes_yield_a_kind),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
