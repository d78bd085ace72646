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
        case LAYER_BATCH_NORM:
            buf_printf(out, "bn(%g,%g)", l->eps, l->momentum);
            break;
        case LAYER_RESIDUAL:
            buf_puts(out, "{");
            break;
        case LAYER_SHORTCUT:
            buf_puts(out, "+");
            break;
        case LAYER_JOIN:
            buf_puts(out, "}");
            break;
        case LAYER_GLOBALAVGPOOL:
        case LAYER_FLATTEN:
            buf_puts(out, layer_names[l->kind]);
            break;
        case LAYER_COUNT:
            fail();
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

#define BN "bn(1e-05,0.1) "

static void convolutional_models_are_their_layers(void **state) {
    (void)state;
    struct model_choices with_norm = relu, maxout_norm = maxout3;
    with_norm.batch_norm = maxout_norm.batch_norm = true;
    check_layers("\"vgg-small\"", relu, 0,
                 "conv2d(32,3,1,1) relu conv2d(32,3,1,1) relu maxpool(2,2) conv2d(64,3,1,1) relu "
                 "conv2d(64,3,1,1) relu maxpool(2,2) flatten dense(256) relu dense(10)");
    check_layers("\"vgg-small\"", with_norm, 0.5,
                 "conv2d(32,3,1,1) " BN "relu conv2d(32,3,1,1) " BN "relu maxpool(2,2) "
                 "conv2d(64,3,1,1) " BN "relu conv2d(64,3,1,1) " BN "relu maxpool(2,2) flatten "
                 "dense(256) " BN "relu dropout(0.5) dense(10)");
    check_layers("\"resnet-small\"", relu, 0,
                 "conv2d(16,3,1,1) relu "
                 "{ conv2d(16,3,1,1) relu conv2d(16,3,1,1) + } relu "
                 "{ conv2d(32,3,2,1) relu conv2d(32,3,1,1) + conv2d(32,1,2,0) } relu "
                 "{ conv2d(64,3,2,1) relu conv2d(64,3,1,1) + conv2d(64,1,2,0) } relu "
                 "globalavgpool dense(10)");
    check_layers(
        "\"resnet-small\"", with_norm, 0.25,
        "conv2d(16,3,1,1) " BN "relu "
        "{ conv2d(16,3,1,1) " BN "relu conv2d(16,3,1,1) " BN "+ } relu "
        "{ conv2d(32,3,2,1) " BN "relu conv2d(32,3,1,1) " BN "+ conv2d(32,1,2,0) " BN "} relu "
        "{ conv2d(64,3,2,1) " BN "relu conv2d(64,3,1,1) " BN "+ conv2d(64,1,2,0) " BN "} relu "
        "globalavgpool dropout(0.25) dense(10)");
    check_layers("\"mlp\"", maxout_norm, 0, "flatten dense(1536) " BN "maxout dense(10)");
}

static void deep_has_any_depth_and_width(void **state) {
    (void)state;
    check_layers("\"deep1\"", relu, 0, "flatten dense(500) relu dense(10)");
    check_layers("{\"name\": \"deep2\", \"units\": 7}", relu, 0,
                 "flatten dense(7) relu dense(7) relu dense(10)");
    check_layers("{\"name\": \"deep\", \"depth\": 3, \"units\": 7}", relu, 0,
                 "flatten dense(7) relu dense(7) relu dense(7) relu dense(10)");
}

/* With all that is put between them, the layers of the deepest fit into a network. */
static void the_deepest_network_is_one(void **state) {
    (void)state;
    const struct model_spec model = {.kind = MODEL_DEEP, .depth = MODEL_DEPTH_MAX, .units = 2};
    struct model_choices choices = relu;
    struct layer_spec *layers = NULL;
    int count = 0, bad = 0;
    struct err err;
    choices.batch_norm = true;
    choices.dropout = 0.1;
    assert_int_equal(model_build(&model, &choices, 10, &layers, &count, &bad, &err), ERR_OK);
    assert_int_equal(count, 1 + 4 * 100 + 1);
    if (net_check(layers, count, (struct shape){1, 28, 28}, 10, 1, NULL, NULL, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    free(layers);
}

static void a_list_has_residual_blocks(void **state) {
    (void)state;
    check_layers("{\"layers\": [{\"type\": \"conv2d\", \"channels\": 4, \"kernel\": 3}, "
                 "{\"type\": \"batch_norm\", \"eps\": 0.5, \"momentum\": 1}, "
                 "{\"type\": \"residual\", \"layers\": [{\"type\": \"conv2d\", \"channels\": 4, "
                 "\"kernel\": 3, \"activation\": \"maxout\"}, \"batch_norm\"], \"shortcut\": "
                 "[{\"type\": \"maxpool\", \"kernel\": 3, \"stride\": 1}]}, \"activation\", "
                 "{\"type\": \"residual\", \"layers\": [\"activation\"]}, \"globalavgpool\", "
                 "{\"type\": \"dense\", \"units\": 10}]}",
                 relu, 0,
                 "conv2d(4,3,1,0) bn(0.5,1) { conv2d(8,3,1,0) maxout " BN
                 "+ maxpool(3,1) } relu { relu + } globalavgpool dense(10)");
}

/* Behind a sum there is no layer that could be widened, and none before a block is meant. */
static void maxout_widens_nothing_across_the_border_of_a_block(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"layers\": [{\"type\": \"dense\", \"units\": 4}, {\"type\": \"residual\", \"layers\": "
        "[{\"type\": \"activation\", \"name\": \"maxout\"}]}]}",
        "{\"layers\": [{\"type\": \"dense\", \"units\": 4}, {\"type\": \"residual\", \"layers\": "
        "[{\"type\": \"dense\", \"units\": 4}]}, {\"type\": \"activation\", \"name\": "
        "\"maxout\"}]}",
        "{\"layers\": [{\"type\": \"dense\", \"units\": 4}, {\"type\": \"residual\", \"layers\": "
        "[{\"type\": \"dense\", \"units\": 4}], \"shortcut\": [{\"type\": \"activation\", "
        "\"name\": "
        "\"maxout\"}]}]}",
    };
    static const int expected[] = {1, 2, 1};
    for (int i = 0; i < 3; i++) {
        struct model_spec model;
        struct layer_spec *layers = NULL;
        int count = 0, bad = -7;
        struct err err;
        read_model(texts[i], &model);
        assert_int_equal(model_build(&model, &relu, 10, &layers, &count, &bad, &err), ERR_RANGE);
        assert_int_equal(bad, expected[i]);
        assert_non_null(strstr(err.msg, "maxout must follow"));
        model_release(&model);
    }
}

static void only_resnet_has_batch_norm_unasked(void **state) {
    (void)state;
    for (int kind = 0; kind <= MODEL_CUSTOM; kind++) {
        assert_int_equal(model_default_batch_norm((enum model_kind)kind),
                         kind == MODEL_RESNET_SMALL);
    }
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
 * deep10 392,500 + 9 * 250,500 + 5,010; logistic 7,850; vgg-small 320 + 9,248 + 18,496 + 36,928 +
 * 803,072 + 2,570; resnet-small 160 + 2 * 2,320 + 4,640 + 9,248 + 544 + 18,496 + 36,928 + 2,112 + 650.
 * Batch normalization has two a channel: 2 * 512; 2 * 226; 2 * 5,000; 2 * 448; 2 * 336. */
static void named_models_fit_28x28_images_and_have_their_parameters(void **state) {
    (void)state;
    static const size_t expected[MODEL_NAMED_COUNT] = {
        [MODEL_LOGISTIC] = 7850, [MODEL_MLP] = 407050,       [MODEL_LENET5] = 61706,
        [MODEL_DEEP] = 2652010,  [MODEL_VGG_SMALL] = 870634, [MODEL_RESNET_SMALL] = 77418,
    };
    static const size_t normed[MODEL_NAMED_COUNT] = {
        [MODEL_LOGISTIC] = 7850, [MODEL_MLP] = 408074,       [MODEL_LENET5] = 62158,
        [MODEL_DEEP] = 2662010,  [MODEL_VGG_SMALL] = 871530, [MODEL_RESNET_SMALL] = 78090,
    };
    for (int i = 0; i < 2 * MODEL_NAMED_COUNT; i++) {
        const int kind = i / 2;
        const struct model_spec model = {.kind = (enum model_kind)kind, .depth = 10, .units = 500};
        struct model_choices choices = relu;
        struct layer_spec *layers = NULL;
        int count = 0, bad = 0;
        size_t params = 0;
        struct err err;
        choices.batch_norm = i % 2 != 0;
        assert_int_equal(model_build(&model, &choices, 10, &layers, &count, &bad, &err), ERR_OK);
        if (net_check(layers, count, (struct shape){1, 28, 28}, 10, 1, NULL, &params, &err) !=
            ERR_OK) {
            fail_msg("%s: %s", model_names[kind], err.msg);
        }
        assert_int_equal(params, choices.batch_norm ? normed[kind] : expected[kind]);
        assert_int_equal(
            net_check(layers, count, (struct shape){3, 32, 32}, 10, 1, NULL, NULL, &err),
            ERR_OK); // CIFAR's images, too
        free(layers);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_models_are_their_layers),
        cmocka_unit_test(convolutional_models_are_their_layers),
        cmocka_unit_test(deep_has_any_depth_and_width),
        cmocka_unit_test(the_deepest_network_is_one),
        cmocka_unit_test(a_list_has_residual_blocks),
        cmocka_unit_test(maxout_widens_nothing_across_the_border_of_a_block),
        cmocka_unit_test(only_resnet_has_batch_norm_unasked),
        cmocka_unit_test(only_mlp_has_dropout_unasked),
        cmocka_unit_test(a_list_gives_its_layers_in_order),
        cmocka_unit_test(maxout_widens_the_layer_before_it),
        cmocka_unit_test(layers_take_the_init_of_the_config_unless_they_have_one),
        cmocka_unit_test(named_models_fit_28x28_images_and_have_their_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
