/* Models by name and as lists: which layers they are made of. */
#include "trainer/model.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "trainer/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void fail_on_complaint(void *context, const struct config_complaint *complaint) {
    (void)context;
    fail_msg("%s: %s", complaint->path, complaint->message);
}

static void read_model(const char *text, struct model_spec *model) {
    struct json_doc *doc = NULL;
    struct err err;
    if (json_parse(&doc, "test", text, strlen(text), JSON_STRICT, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    struct table_reader reader = {.complain = fail_on_complaint};
    *model = (struct model_spec){0};
    json_delete(model_read(&reader, json_root(doc), model));
    buf_release(&reader.path);
    json_free(doc);
}

/* "flatten dense(512) relu dropout(0.2) dense(10)" */
static void describe(struct buf *out, const struct layer_spec *layers, int count) {
    for (int i = 0; i < count; i++) {
        const struct layer_spec *l = &layers[i];
        buf_puts(out, i == 0 ? "" : " ");
        switch (l->kind) {
        case LAYER_DENSE:
            buf_printf(out, "dense(%d)", l->units);
            break;
        case LAYER_CONV2D:
            buf_printf(out, "conv2d(%d,%d,%d,%d)", l->channels, l->kernel, l->stride, l->padding);
            break;
        case LAYER_MAXPOOL:
        case LAYER_AVGPOOL:
            buf_printf(out, "%s(%d,%d)", layer_names[l->kind], l->kernel, l->stride);
            break;
        case LAYER_ACTIVATION:
            buf_puts(out, activation_names[l->activation.kind]);
            break;
        case LAYER_DROPOUT:
            buf_printf(out, "dropout(%g)", (double)l->p);
            break;
        case LAYER_FLATTEN:
        case LAYER_COUNT:
            buf_puts(out, "flatten");
            break;
        }
    }
}

static const struct model_choices relu = {.activation = {.kind = ACTIVATION_RELU},
                                          .init = {.kind = INIT_XAVIER_UNIFORM, .gain = 1}};
static const struct model_choices maxout3 = {
    .activation = {.kind = ACTIVATION_MAXOUT, .pieces = 3}};

static void check_layers(const char *text, struct model_choices choices, double dropout,
                         const char *expected) {
    struct model_spec model;
    struct layer_spec *layers = NULL;
    int count = 0, bad = 0;
    struct err err;
    read_model(text, &model);
    choices.dropout = dropout;
    if (model_build(&model, &choices, 10, &layers, &count, &bad, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    struct buf got = {0};
    describe(&got, layers, count);
    assert_string_equal(buf_text(&got), expected);
    buf_release(&got);
    free(layers);
    model_release(&model);
}

static void named_models_are_their_layers(void **state) {
    (void)state;
    check_layers("\"logistic\"", relu, 0, "flatten dense(10)");
    check_layers("\"mlp\"", relu, 0.25, "flatten dense(512) relu dropout(0.25) dense(10)");
    check_layers("\"mlp\"", relu, 0, "flatten dense(512) relu dense(10)");
    check_layers("\"lenet5\"", relu, 0,
                 "conv2d(6,5,1,2) relu maxpool(2,2) conv2d(16,5,1,0) relu maxpool(2,2) flatten "
                 "dense(120) relu dense(84) relu dense(10)");
    check_layers("\"lenet5\"", relu, 0.5,
                 "conv2d(6,5,1,2) relu maxpool(2,2) conv2d(16,5,1,0) relu maxpool(2,2) flatten "
                 "dense(120) relu dropout(0.5) dense(84) relu dropout(0.5) dense(10)");
    check_layers(
        "{\"name\": \"deep10\"}", relu, 0,
        "flatten dense(500) relu dense(500) relu dense(500) relu dense(500) relu dense(500) "
        "relu dense(500) relu dense(500) relu dense(500) relu dense(500) relu dense(500) "
        "relu dense(10)");
}

static void only_mlp_has_dropout_unasked(void **state) {
    (void)state;
    for (int kind = 0; kind <= MODEL_CUSTOM; kind++) {
        double expected = kind == MODEL_MLP ? 0.2 : 0;
        assert_true(model_default_dropout((enum model_kind)kind) == expected);
    }
}

static void a_list_gives_its_layers_in_order(void **state) {
    (void)state;
    check_layers(
        "{\"layers\": [{\"type\": \"conv2d\", \"channels\": 8, \"kernel\": 3, \"stride\": 2, "
        "\"padding\": 1, \"activation\": \"elu\"}, {\"type\": \"maxpool\", \"kernel\": 3, "
        "\"stride\": 2}, {\"type\": \"avgpool\", \"kernel\": 2}, \"flatten\", {\"type\": "
        "\"activation\"}, {\"type\": \"activation\", \"name\": \"tanh\"}, {\"type\": "
        "\"dropout\", \"p\": 0.25}, {\"type\": \"dense\", \"units\": 10}]}",
        relu, 0,
        "conv2d(8,3,2,1) elu maxpool(3,2) avgpool(2,2) flatten relu tanh dropout(0.25) "
        "dense(10)");
}

static void maxout_widens_the_layer_before_it(void **state) {
    (void)state;
    check_layers("\"mlp\"", maxout3, 0, "flatten dense(1536) maxout dense(10)");
    check_layers("{\"layers\": [{\"type\": \"conv2d\", \"channels\": 5, \"kernel\": 3}, {\"type\": "
                 "\"activation\", \"name\": \"maxout\", \"pieces\": 4}, \"flatten\", {\"type\": "
                 "\"dense\", \"units\": 7, \"activation\": \"maxout\"}, {\"type\": \"dense\", "
                 "\"units\": 10}]}",
                 relu, 0, "conv2d(20,3,1,0) maxout flatten dense(14) maxout dense(10)");
}

static void layers_take_the_init_of_the_config_unless_they_have_one(void **state) {
    (void)state;
    struct model_spec model;
    struct layer_spec *layers = NULL;
    int count = 0, bad = 0;
    struct err err;
    read_model(
        "{\"layers\": [{\"type\": \"dense\", \"units\": 3}, {\"type\": \"dense\", \"units\": 4, "
        "\"init\": {\"name\": \"normal\", \"std\": 0.5}}]}",
        &model);
    assert_int_equal(model_build(&model, &relu, 10, &layers, &count, &bad, &err), ERR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(layers[0].init.kind, INIT_XAVIER_UNIFORM);
    assert_int_equal(layers[1].init.kind, INIT_NORMAL);
    assert_true(layers[1].init.std == 0.5);
    free(layers);
    model_release(&model);
}

/* Counted by hand: lenet5 156 + 2,416 + 48,120 + 10,164 + 850; mlp 401,920 + 5,130;
 * deep10 392,500 + 9 * 250,500 + 5,010; logistic 7,850. */
static void named_models_fit_28x28_images_and_have_their_parameters(void **state) {
    (void)state;
    static const size_t expected[MODEL_NAMED_COUNT] = {[MODEL_LOGISTIC] = 7850,
                                                       [MODEL_MLP] = 407050,
                                                       [MODEL_LENET5] = 61706,
                                                       [MODEL_DEEP10] = 2652010};
    for (int kind = 0; kind < MODEL_NAMED_COUNT; kind++) {
        const struct model_spec model = {.kind = (enum model_kind)kind};
        struct layer_spec *layers = NULL;
        int count = 0, bad = 0;
        size_t params = 0;
        struct err err;
        assert_int_equal(model_build(&model, &relu, 10, &layers, &count, &bad, &err), ERR_OK);
        if (net_check(layers, count, (struct shape){1, 28, 28}, 10, 1, NULL, &params, &err) !=
            ERR_OK) {
            fail_msg("%s: %s", model_names[kind], err.msg);
        }
        assert_int_equal(params, expected[kind]);
        free(layers);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_models_are_their_layers),
        cmocka_unit_test(only_mlp_has_dropout_unasked),
        cmocka_unit_test(a_list_gives_its_layers_in_order),
        cmocka_unit_test(maxout_widens_the_layer_before_it),
        cmocka_unit_test(layers_take_the_init_of_the_config_unless_they_have_one),
        cmocka_unit_test(named_models_fit_28x28_images_and_have_their_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
