/* Layers events: what is taken, what is refused, and that nothing else gets through. */
#include "runner/layer_event.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct store_layer *read_text(const char *text, const char **problem) {
    struct json_doc *doc = NULL;
    struct err err;
    if (json_parse(&doc, "event", text, strlen(text), JSON_STRICT, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    struct store_layer *layer = layer_event_read(json_root(doc), problem);
    json_free(doc);
    assert_true((layer == NULL) == (*problem != NULL));
    return layer;
}

static void everything_is_taken(void **state) {
    (void)state;
    const char *problem;
    struct store_layer *layer = read_text(
        "{\"event\": \"layers\", \"at_epoch\": 3, \"index\": 4, \"layer\": \"4 tanh\", \"mean\": "
        "0.5,"
        " \"std\": 1e-3, \"min\": \"-inf\", \"max\": \"inf\", \"dead\": 0, \"saturated\": 1,"
        " \"histogram\": [1, 0, 1e3], \"histogram_low\": -1, \"histogram_high\": 1,"
        " \"gradient_mean\": \"nan\", \"gradient_std\": 2, \"gradient_histogram\": [],"
        " \"gradient_low\": -2, \"gradient_high\": 2, \"update_ratio\": 0.25, \"more\": {}}",
        &problem);
    assert_non_null(layer);
    assert_int_equal(layer->epoch, 3);
    assert_int_equal(layer->position, 4);
    assert_string_equal(layer->name, "4 tanh");
    assert_true(layer->number[STORE_LAYER_mean] == 0.5);
    assert_true(layer->number[STORE_LAYER_std] == 1e-3);
    assert_true(layer->number[STORE_LAYER_min] == -(double)INFINITY);
    assert_true(layer->number[STORE_LAYER_max] == (double)INFINITY);
    assert_true(layer->number[STORE_LAYER_dead] == 0);
    assert_true(layer->number[STORE_LAYER_saturated] == 1);
    assert_true(layer->number[STORE_LAYER_histogram_low] == -1);
    assert_true(layer->number[STORE_LAYER_histogram_high] == 1);
    assert_true(isnan(layer->number[STORE_LAYER_gradient_mean]));
    assert_true(layer->number[STORE_LAYER_gradient_std] == 2);
    assert_true(layer->number[STORE_LAYER_gradient_low] == -2);
    assert_true(layer->number[STORE_LAYER_gradient_high] == 2);
    assert_true(layer->number[STORE_LAYER_update_ratio] == 0.25);
    assert_string_equal(layer->histogram, "[1,0,1000]");
    assert_string_equal(layer->gradient_histogram, "[]");
    layer_event_free(layer);
}

static void epoch_and_name_are_enough(void **state) {
    (void)state;
    const char *problem;
    struct store_layer *layer =
        read_text("{\"at_epoch\": 0, \"layer\": \"\xc3\xa4\", \"mean\": null}", &problem);
    assert_non_null(layer);
    assert_int_equal(layer->position, -1);
    for (int i = 0; i < STORE_LAYER_NUMBER_COUNT; i++) {
        assert_true(isnan(layer->number[i]));
    }
    assert_null(layer->histogram);
    assert_null(layer->gradient_histogram);
    layer_event_free(layer);
}

static void what_is_malformed_is_refused_with_a_reason(void **state) {
    (void)state;
    static const char *const bad[] = {
        "{\"layer\": \"a\"}",
        "{\"at_epoch\": -1, \"layer\": \"a\"}",
        "{\"at_epoch\": 1.5, \"layer\": \"a\"}",
        "{\"at_epoch\": 1000000001, \"layer\": \"a\"}",
        "{\"at_epoch\": \"1\", \"layer\": \"a\"}",
        "{\"at_epoch\": 1}",
        "{\"at_epoch\": 1, \"layer\": \"\"}",
        "{\"at_epoch\": 1, \"layer\": 7}",
        "{\"at_epoch\": 1, \"layer\": \"a\\u001b[2J\"}",
        "{\"at_epoch\": 1, \"layer\": \"a\\u009bb\"}",
        "{\"at_epoch\": 1, \"layer\": \"a\", \"index\": -1}",
        "{\"at_epoch\": 1, \"layer\": \"a\", \"index\": 1000000}",
        "{\"at_epoch\": 1, \"layer\": \"a\", \"mean\": \"0.5\"}",
        "{\"at_epoch\": 1, \"layer\": \"a\", \"update_ratio\": []}",
        "{\"at_epoch\": 1, \"layer\": \"a\", \"histogram\": 5}",
        "{\"at_epoch\": 1, \"layer\": \"a\", \"histogram\": {\"a\": 1}}",
        "{\"at_epoch\": 1, \"layer\": \"a\", \"histogram\": [-1]}",
        "{\"at_epoch\": 1, \"layer\": \"a\", \"histogram\": [0.5]}",
        "{\"at_epoch\": 1, \"layer\": \"a\", \"histogram\": [1e300]}",
        "{\"at_epoch\": 1, \"layer\": \"a\", \"histogram\": [[1]]}",
        "{\"at_epoch\": 1, \"layer\": \"a\", \"histogram\": [1], \"gradient_histogram\": \"[1]\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *problem;
        struct store_layer *layer = read_text(bad[i], &problem);
        if (layer != NULL) {
            fail_msg("taken: %s", bad[i]);
        }
        assert_non_null(strstr(problem, "layers event"));
    }
}

/* An event with a name of `name_len` bytes and a histogram of `bins`. */
static bool is_taken(int name_len, int bins) {
    struct buf text = {0};
    buf_puts(&text, "{\"at_epoch\": 1, \"layer\": \"");
    for (int i = 0; i < name_len; i++) {
        buf_putc(&text, 'a');
    }
    buf_puts(&text, "\", \"histogram\": [0");
    for (int i = 1; i < bins; i++) {
        buf_puts(&text, ", 9007199254740992");
    }
    buf_puts(&text, "]}");
    const char *problem;
    struct store_layer *layer = read_text(buf_text(&text), &problem);
    if (layer != NULL) {
        assert_true(layer_event_bytes(layer) >= (size_t)(name_len + 2 * bins));
        assert_true(layer_event_bytes(layer) < 16384); // RUN_QUEUED_BYTES_MAX holds many
    }
    layer_event_free(layer);
    buf_release(&text);
    return layer != NULL;
}

static void sizes_are_bounded(void **state) {
    (void)state;
    assert_true(is_taken(LAYER_NAME_MAX, LAYER_BINS_MAX));
    assert_false(is_taken(LAYER_NAME_MAX + 1, 1));
    assert_false(is_taken(1, LAYER_BINS_MAX + 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_taken),
        cmocka_unit_test(epoch_and_name_are_enough),
        cmocka_unit_test(what_is_malformed_is_refused_with_a_reason),
        cmocka_unit_test(sizes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
