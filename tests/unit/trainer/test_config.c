/* A config read from JSON: complaints, values, defaults, identities. */
#include "trainer/config.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "trainer/checkpoint.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "path: message\n" for each complaint */
static void collect(void *context, const struct config_complaint *complaint) {
    buf_printf(context, "%s: %s\n", complaint->path, complaint->message);
}

/* The complaints about `text`; when there are none, `config` is for the caller to release. */
static char *complaints_of(const char *text, struct config *config) {
    struct json_doc *doc = NULL;
    struct err err;
    if (json_parse(&doc, "test", text, strlen(text), JSON_STRICT, &err) != ERR_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    struct buf out = {0};
    int rc = config_parse(config, json_root(doc), collect, &out);
    assert_int_equal(rc, out.len == 0 ? ERR_OK : ERR_RANGE);
    json_free(doc);
    if (rc != ERR_OK) {
        config_release(config);
    }
    return buf_detach(&out);
}

static void parse_good(const char *text, struct config *config) {
    char *complaints = complaints_of(text, config);
    if (*complaints != '\0') {
        fail_msg("%s\n%s", text, complaints);
    }
    free(complaints);
}

static char *identity_of(const char *text) {
    struct config config;
    parse_good(text, &config);
    struct buf out = {0};
    json_print_canonical(&out, config.identity);
    config_release(&config);
    return buf_detach(&out);
}

static void complaints_name_the_path_and_what_is_allowed(void **state) {
    (void)state;
    static const struct {
        const char *config, *complaint; // all of the complaint
    } cases[] = {
        {"[]", ": must be an object, not []\n"},
        {"{\"epohcs\": 5}", "epohcs: unknown key \"epohcs\"; did you mean \"epochs\"?\n"},
        {"{\"optimizer\": {\"name\": \"adam\", \"lrr\": 1}}",
         "optimizer.lrr: unknown key \"lrr\"; did you mean \"lr\"?\n"},
        {"{\"optimizer\": \"adm\"}",
         "optimizer: unknown optimizer \"adm\"; did you mean \"adam\"?\n"},
        {"{\"optimizer\": {\"name\": \"adm\", \"lr\": -1}}",
         "optimizer.name: unknown optimizer \"adm\"; did you mean \"adam\"?\n"},
        {"{\"optimizer\": {\"name\": \"sgd\", \"momentum\": 0.9}}",
         "optimizer.momentum: \"momentum\" is not a key of optimizer \"sgd\", only of "
         "\"momentum\", "
         "\"nesterov\"\n"},
        {"{\"optimizer\": {\"lr\": 0}}", "optimizer.lr: must be a number above 0, not 0\n"},
        {"{\"optimizer\": {\"lr\": \"0.1\"}}",
         "optimizer.lr: must be a number above 0, not \"0.1\"\n"},
        {"{\"optimizer\": {\"beta1\": 1}}",
         "optimizer.beta1: must be a number of at least 0 and below 1, not 1\n"},
        {"{\"optimizer\": {\"name\": \"momentum\", \"momentum\": 1.5}}",
         "optimizer.momentum: must be a number from 0 to 1, not 1.5\n"},
        {"{\"optimizer\": 3}", "optimizer: must be a name or an object, not 3\n"},
        {"{\"optimizer\": {\"name\": 3}}", "optimizer.name: must be a name, not 3\n"},
        {"{\"init\": \"normal\"}", "init: init \"normal\" needs \"std\"\n"},
        {"{\"init\": {\"name\": \"uniform\"}}", "init: init \"uniform\" needs \"bound\"\n"},
        {"{\"init\": {\"name\": \"normal\", \"std\": null}}",
         "init.std: must be a number from 0 to 1000000, not null\n"},
        {"{\"epochs\": 0}", "epochs: must be an integer from 1 to 1000000, not 0\n"},
        {"{\"epochs\": 2.5}", "epochs: must be an integer from 1 to 1000000, not 2.5\n"},
        {"{\"batch_size\": 65537}", "batch_size: must be an integer from 1 to 65536, not 65537\n"},
        {"{\"seed\": 9007199254740992}",
         "seed: must be an integer from 0 to 9007199254740991, not 9007199254740992\n"},
        {"{\"checkpoint\": {\"best\": 1}}", "checkpoint.best: must be true or false, not 1\n"},
        {"{\"inspect\": 5}", "inspect: must be an object, not 5\n"},
        {"{\"inspect\": {\"evry\": 5}}",
         "inspect.evry: unknown key \"evry\"; did you mean \"every\"?\n"},
        {"{\"inspect\": {\"every\": -1}}",
         "inspect.every: must be an integer from 0 to 1000000, not -1\n"},
        {"{\"checkpoint\": \"best\"}", "checkpoint: must be an object, not \"best\"\n"},
        {"{\"checkpoint\": {\"evry_batches\": 5}}",
         "checkpoint.evry_batches: unknown key \"evry_batches\"; did you mean "
         "\"every_batches\"?\n"},
        {"{\"checkpoint\": {\"every_batches\": 0.5}}",
         "checkpoint.every_batches: must be an integer from 0 to 1000000000, not 0.5\n"},
        {"{\"checkpoint\": {\"content\": \"weight\"}}",
         "checkpoint.content: unknown content \"weight\"; did you mean \"weights\"?\n"},
        {"{\"checkpoint\": {\"initial\": 1}}",
         "checkpoint.initial: must be true or false, not 1\n"},
        {"{\"stop\": \"val_loss\"}", "stop: must be an object, not \"val_loss\"\n"},
        {"{\"stop\": {\"metric\": \"val_los\"}}",
         "stop.metric: unknown metric \"val_los\"; did you mean \"val_loss\"?\n"},
        {"{\"stop\": {\"patience\": -1}}",
         "stop.patience: must be an integer from 0 to 1000000, not -1\n"},
        {"{\"stop\": {\"min_delta\": -0.1}}",
         "stop.min_delta: must be a number of at least 0, not -0.1\n"},
        {"{\"stop\": {\"target\": \"nan\"}}",
         "stop.target: must be a number of at least 0, not \"nan\"\n"},
        {"{\"stop\": {\"seconds\": -1}}", "stop.seconds: must be a number of at least 0, not -1\n"},
        {"{\"init_from\": null}", "init_from: must be a name or an object, not null\n"},
        {"{\"init_from\": {\"path\": 1}}", "init_from.path: must be a text, not 1\n"},
        {"{\"init_from\": {\"strict\": false}}", "init_from: needs \"path\", a file or a folder\n"},
        {"{\"init_from\": {\"path\": \"a\", \"stric\": false}}",
         "init_from.stric: unknown key \"stric\"; did you mean \"strict\"?\n"},
        {"{\"init_from\": 5}", "init_from: must be a name or an object, not 5\n"},
        {"{\"dataset\": \"\"}", "dataset: must be a name, not \"\"\n"},
        {"{\"dataset\": {\"fingerprint\": \"0123456789ABCDEF0123456789ABCDEF\"}}",
         "dataset.fingerprint: must be 32 of 0-9 and a-f, not "
         "\"0123456789ABCDEF0123456789ABCDEF\"\n"},
        {"{\"dataset\": {\"name\": \"blobs\", \"fingerprint\": 1}}",
         "dataset.fingerprint: must be 32 of 0-9 and a-f, not 1\n"},
        {"{\"dataset\": {\"train\": -1}}",
         "dataset.train: must be an integer from 0 to 1000000000, not -1\n"},
        {"{\"augment\": \"crop\"}", "augment: must be an object, not \"crop\"\n"},
        {"{\"augment\": {\"rotatoin\": 5}}",
         "augment.rotatoin: unknown key \"rotatoin\"; did you mean \"rotation\"?\n"},
        {"{\"augment\": {\"flip\": 0.5}}",
         "augment.flip: unknown key \"flip\"; known: crop, horizontal_flip, rotation, brightness, "
         "contrast, noise, cutout, mixup\n"},
        {"{\"augment\": {\"crop\": 1.5, \"horizontal_flip\": 1.5, \"rotation\": -1, \"cutout\": "
         "-1}}",
         "augment.crop: must be an integer from 0 to 255, not 1.5\n"
         "augment.horizontal_flip: must be a number from 0 to 1, not 1.5\n"
         "augment.rotation: must be a number from 0 to 180, not -1\n"
         "augment.cutout: must be an integer from 0 to 65535, not -1\n"},
        {"{\"augment\": {\"noise\": \"x\", \"brightness\": -1, \"contrast\": null, \"mixup\": "
         "2e6}}",
         "augment.noise: must be a number from 0 to 1000000, not \"x\"\n"
         "augment.brightness: must be a number from 0 to 1000000, not -1\n"
         "augment.contrast: must be a number from 0 to 1000000, not null\n"
         "augment.mixup: must be a number from 0 to 1000000, not 2000000\n"},
        {"{\"dataset\": {\"validation\": 1.5}}", "dataset.validation: must be a number of images, "
                                                 "or a share of them below 1, not 1.5\n"},
        {"{\"dataset\": {\"validation\": -1}}", "dataset.validation: must be a number of images, "
                                                "or a share of them below 1, not -1\n"},
        {"{\"dataset\": {\"balanced\": 1}}", "dataset.balanced: must be true or false, not 1\n"},
        {"{\"dataset\": {\"normalise\": true}}",
         "dataset.normalise: unknown key \"normalise\"; did you mean \"normalize\"?\n"},
        {"{\"dataset\": {\"normalize\": 1}}",
         "dataset.normalize: must be true, false or {\"mean\": ..., \"std\": ...}, not 1\n"},
        {"{\"dataset\": {\"normalize\": {\"mean\": 1}}}",
         "dataset.normalize: needs \"mean\" and \"std\"\n"},
        {"{\"dataset\": {\"normalize\": {\"mean\": [], \"std\": [1, 0]}}}",
         "dataset.normalize.mean: must be a number or a list of numbers, not []\n"
         "dataset.normalize.std: must be a number above 0 or a list of such, not [1, 0]\n"},
        {"{\"dataset\": {\"split\": \"leters\"}}",
         "dataset.split: unknown split \"leters\"; did you mean \"letters\"?\n"},
        {"{\"dataset\": {\"split\": 3}}", "dataset.split: must be a name, not 3\n"},
        {"{\"dataset\": {\"labels\": \"corse\"}}",
         "dataset.labels: unknown kind of labels \"corse\"; did you mean \"coarse\"?\n"},
        {"{\"dataset\": {\"label\": 0}}",
         "dataset.label: must be the name of a column or its number, from 1, not 0\n"},
        {"{\"dataset\": {\"shape\": [1, 28]}}",
         "dataset.shape: must be [channels, height, width], not [1, 28]\n"},
        {"{\"dataset\": {\"name\": \"blobs\", \"noise\": 1}}",
         "dataset.noise: \"noise\" is not a key of dataset \"blobs\", only of \"spirals\"\n"},
        {"{\"dataset\": {\"name\": \"spirals\", \"train\": 0}}",
         "dataset.train: must be an integer from 1 to 10000000, not 0\n"},
        {"{\"dataset\": {\"name\": \"sparse\", \"density\": 0}}",
         "dataset.density: must be a number above 0 and at most 1, not 0\n"},
        {"{\"dataset\": {\"name\": \"sparse\", \"classes\": 257}}",
         "dataset.classes: must be an integer from 2 to 256, not 257\n"},
        {"{\"dropout\": 1}", "dropout: must be a number of at least 0 and below 1, not 1\n"},
        {"{\"loss\": \"msr\"}", "loss: unknown loss \"msr\"; did you mean \"mse\"?\n"},
        {"{\"loss\": {\"label_smoothing\": 1}}",
         "loss.label_smoothing: must be a number of at least 0 and below 1, not 1\n"},
        {"{\"loss\": {\"name\": \"mse\", \"label_smoothing\": 0.1}}",
         "loss.label_smoothing: \"label_smoothing\" is not a key of loss \"mse\", only of "
         "\"cross_entropy\"\n"},
        {"{\"model\": \"lenet\"}", "model: unknown model \"lenet\"; did you mean \"lenet5\"?\n"},
        {"{\"model\": \"deep101\"}",
         "model: unknown model \"deep101\": deep has from 1 to 100 hidden layers\n"},
        {"{\"model\": {\"name\": \"deep0\"}}",
         "model: unknown model \"deep0\": deep has from 1 to 100 hidden layers\n"},
        {"{\"model\": {\"name\": \"deep\", \"depth\": 101}}",
         "model.depth: must be an integer from 1 to 100, not 101\n"},
        {"{\"model\": {\"name\": \"deep3\", \"unit\": 10}}",
         "model.unit: unknown key \"unit\"; did you mean \"units\"?\n"},
        {"{\"model\": {\"name\": \"mlp\", \"units\": 10}}",
         "model.units: \"units\" is not a key of model \"mlp\", only of \"deep\"\n"},
        {"{\"batch_norm\": 1}", "batch_norm: must be true or false, not 1\n"},
        {"{\"batch_norm\": false, \"model\": {\"layers\": [\"flatten\"]}}",
         "batch_norm: is for named models; put {\"type\": \"batch_norm\"} into the list of "
         "layers\n"},
        {"{\"model\": \"resnet-small\", \"activation\": \"maxout\"}",
         "activation: maxout must follow a dense or conv2d layer, with at most a batch_norm in "
         "between\n"},
        {"{\"model\": {\"layers\": [{\"type\": \"batch_norm\", \"eps\": 0}]}}",
         "model.layers[0].eps: must be a number above 0 and at most 1000000, not 0\n"},
        {"{\"model\": {\"layers\": [\"residual\"]}}",
         "model.layers[0]: layer \"residual\" needs \"layers\"\n"},
        {"{\"model\": {\"layers\": [{\"type\": \"residual\", \"layers\": []}]}}",
         "model.layers[0].layers: must be a list of 1 to 200 layers\n"},
        {"{\"model\": {\"layers\": [{\"type\": \"residual\", \"layers\": [\"batch_norm\"], "
         "\"shortcut\": [{\"type\": \"conv2d\", \"channels\": 3}]}]}}",
         "model.layers[0].shortcut[0]: layer \"conv2d\" needs \"kernel\"\n"},
        {"{\"model\": {\"layers\": [{\"type\": \"residual\", \"layers\": [\"flatten\", {\"type\": "
         "\"residual\", \"layers\": [\"batch_norm\"]}]}]}}",
         "model.layers[0].layers[1]: residual blocks do not nest\n"},
        {"{\"model\": {\"layers\": [\"join\"]}}",
         "model.layers[0]: unknown layer \"join\"; known: dense, conv2d, maxpool, avgpool, "
         "globalavgpool, flatten, batch_norm, activation, dropout, residual\n"},
        {"{\"model\": {\"layers\": []}}", "model.layers: must be a list of 1 to 200 layers\n"},
        {"{\"model\": {\"layers\": {}}}", "model.layers: must be a list of 1 to 200 layers\n"},
        {"{\"model\": {\"name\": \"mlp\", \"layers\": [\"flatten\"]}}",
         "model: \"layers\" stands alone, without a name or other keys\n"},
        {"{\"model\": {\"layers\": [{\"type\": \"dens\", \"units\": 10}]}}",
         "model.layers[0].type: unknown layer \"dens\"; did you mean \"dense\"?\n"},
        {"{\"model\": {\"layers\": [\"flatten\", {\"units\": 10}]}}",
         "model.layers[1]: needs \"type\"\n"},
        {"{\"model\": {\"layers\": [{\"type\": \"dense\", \"unit\": 10}]}}",
         "model.layers[0]: layer \"dense\" needs \"units\"\n"
         "model.layers[0].unit: unknown key \"unit\"; did you mean \"units\"?\n"},
        {"{\"model\": {\"layers\": [{\"type\": \"dense\", \"units\": 5, \"kernel\": 3}]}}",
         "model.layers[0].kernel: \"kernel\" is not a key of layer \"dense\", only of \"conv2d\", "
         "\"maxpool\", \"avgpool\"\n"},
        {"{\"model\": {\"layers\": [{\"type\": \"activation\", \"alpha\": 2}]}}",
         "model.layers[0].alpha: \"alpha\" is not a key of activation \"relu\", only of \"elu\"\n"
         "model.layers[0]: parameters of an activation need its \"name\"\n"},
        {"{\"dropout\": 0.5, \"model\": {\"layers\": [\"flatten\"]}}",
         "dropout: is for named models; put {\"type\": \"dropout\"} into the list of layers\n"},
        {"{\"model\": {\"layers\": [\"flatten\", {\"type\": \"activation\", \"name\": "
         "\"maxout\"}]}}",
         "model.layers[1]: maxout must follow a dense or conv2d layer, with at most a "
         "batch_norm in between\n"},
        {"{\"init\": {\"name\": \"orthogonal\", \"gain\": 0}}",
         "init.gain: must be a number above 0 and at most 1000000, or \"auto\", not 0\n"},
        {"{\"init\": {\"name\": \"he_normal\", \"gain\": \"automatic\"}}",
         "init.gain: must be a number above 0 and at most 1000000, or \"auto\", not "
         "\"automatic\"\n"},
        {"{\"init\": {\"name\": \"lsuv\", \"gain\": 1}}",
         "init.gain: \"gain\" is not a key of init \"lsuv\", only of \"xavier_uniform\", "
         "\"xavier_normal\", \"he_uniform\", \"he_normal\", \"orthogonal\"\n"},
        {"{\"schedule\": {\"name\": \"reduce_on_plateau\", \"factor\": 1}}",
         "schedule.factor: must be a number above 0 and below 1, not 1\n"},
        {"{\"schedule\": {\"name\": \"reduce_on_plateau\", \"metric\": \"val_los\"}}",
         "schedule.metric: unknown metric \"val_los\"; did you mean \"val_loss\"?\n"},
        {"{\"schedule\": {\"name\": \"reduce_on_plateau\", \"threshold_mode\": \"relative\"}}",
         "schedule.threshold_mode: unknown threshold mode \"relative\"; known: "
         "rel, abs\n"},
        {"{\"schedule\": {\"name\": \"step\", \"patience\": 3}}",
         "schedule.patience: \"patience\" is not a key of schedule \"step\", only of "
         "\"reduce_on_plateau\"\n"},
        {"{\"ema\": 1}", "ema: must be a number of at least 0 and below 1, not 1\n"},
        {"{\"ema\": {\"decay\": -0.5}}",
         "ema.decay: must be a number of at least 0 and below 1, not -0.5\n"},
        {"{\"ema\": \"0.9\"}", "ema: must be a number or an object, not \"0.9\"\n"},
        {"{\"ema\": {\"dekay\": 0.5}}",
         "ema.dekay: unknown key \"dekay\"; did you mean \"decay\"?\n"},
        {"{\"activation\": {\"name\": \"maxout\", \"pieces\": 1}}",
         "activation.pieces: must be an integer from 2 to 255, not 1\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config config;
        char *complaints = complaints_of(cases[i].config, &config);
        assert_string_equal(complaints, cases[i].complaint);
        free(complaints);
    }
}

static void all_complaints_come_at_once(void **state) {
    (void)state;
    struct config config;
    char *complaints = complaints_of(
        "{\"epochs\": 0, \"optimizer\": {\"name\": \"sgd\", \"lr\": 0}, \"l2\": -1}", &config);
    assert_string_equal(complaints, "epochs: must be an integer from 1 to 1000000, not 0\n"
                                    "optimizer.lr: must be a number above 0, not 0\n"
                                    "l2: must be a number from 0 to 1000000, not -1\n");
    free(complaints);
}

static void an_empty_config_has_the_documented_defaults(void **state) {
    (void)state;
    struct config config;
    parse_good("{}", &config);
    assert_string_equal(config.dataset.name, "fashion-mnist");
    assert_int_equal(config.dataset.train, 0);
    assert_int_equal(config.dataset.test, 0);
    assert_int_equal(config.model.kind, MODEL_LENET5);
    assert_int_equal(config.optimizer.kind, OPTIMIZER_ADAM);
    assert_true(config.optimizer.lr == 0.001);
    assert_true(config.optimizer.beta1 == 0.9);
    assert_true(config.optimizer.beta2 == 0.999);
    assert_true(config.optimizer.eps == 1e-8);
    assert_int_equal(config.schedule.kind, SCHEDULE_CONSTANT);
    assert_int_equal(config.loss.kind, LOSS_CROSS_ENTROPY);
    assert_true(config.loss.label_smoothing == 0);
    assert_int_equal(config.choices.activation.kind, ACTIVATION_RELU);
    assert_int_equal(config.choices.init.kind, INIT_XAVIER_UNIFORM);
    assert_true(config.choices.init.gain == 1);
    assert_true(config.choices.dropout == 0);
    assert_true(config.l2 == 0);
    assert_true(config.ema.decay == 0);
    assert_int_equal(config.epochs, 10);
    assert_int_equal(config.batch_size, 64);
    assert_int_equal(config.seed, 1);
    assert_int_equal(config.checkpoint.every, 1);
    assert_int_equal(config.checkpoint.keep, 2);
    assert_true(config.checkpoint.best);
    assert_string_equal(config.init_from.path, "");
    assert_true(config.init_from.strict);
    assert_int_equal(config.checkpoint.every_batches, 0);
    assert_false(config.checkpoint.initial);
    assert_int_equal(config.checkpoint.content, CHECKPOINT_WHOLE);
    assert_int_equal(config.stop.metric, HISTORY_METRIC_val_loss);
    assert_int_equal(config.stop.patience, 0);
    assert_true(config.stop.min_delta == 0);
    assert_true(isnan(config.stop.target));
    assert_true(config.stop.seconds == 0);
    assert_int_equal(config.inspect.every, 0);
    assert_true(config.inspect.initial);
    assert_string_equal(config.canonical, "{}");
    config_release(&config);
}

/* PyTorch's defaults of torch.optim and of torch.nn.init, where it has them. */
static void defaults_differ_between_kinds(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double lr, momentum, alpha, eps;
    } cases[] = {
        {"sgd", 0.01, -1, -1, -1},         {"momentum", 0.01, 0.9, -1, -1},
        {"nesterov", 0.01, 0.9, -1, -1},   {"adagrad", 0.01, -1, -1, 1e-10},
        {"rmsprop", 0.01, -1, 0.99, 1e-8}, {"adam", 0.001, -1, -1, 1e-8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "{\"optimizer\": \"%s\"}", cases[i].name);
        struct config config;
        parse_good(text, &config);
        const struct optimizer_spec *spec = &config.optimizer;
        assert_string_equal(optimizer_names[spec->kind], cases[i].name);
        assert_true(spec->lr == cases[i].lr);
        assert_true(cases[i].momentum < 0 || spec->momentum == cases[i].momentum);
        assert_true(cases[i].alpha < 0 || spec->alpha == cases[i].alpha);
        assert_true(cases[i].eps < 0 || spec->eps == cases[i].eps);
        config_release(&config);
    }
    struct config config;
    parse_good("{\"init\": \"he_normal\"}", &config);
    assert_true(config.choices.init.gain == sqrt(2.0));
    config_release(&config);
}

static void values_reach_their_fields(void **state) {
    (void)state;
    struct config config;
    parse_good(
        "{\"dataset\": {\"name\": \"./set\", \"train\": 512, \"test\": 100}, \"model\": \"mlp\","
        " \"optimizer\": {\"name\": \"nesterov\", \"lr\": 0.25, \"momentum\": 0.5},"
        " \"schedule\": {\"name\": \"step\", \"step_size\": 3, \"gamma\": 0.5},"
        " \"loss\": {\"label_smoothing\": 0.25},"
        " \"activation\": {\"name\": \"elu\", \"alpha\": 0.5},"
        " \"init\": {\"name\": \"normal\", \"std\": 0.02}, \"dropout\": 0.375, \"l2\": 0.125,"
        " \"ema\": 0.75, \"epochs\": 7, \"batch_size\": 32, \"seed\": 9007199254740991,"
        " \"checkpoint\": {\"every\": 5, \"keep\": 0, \"best\": false, \"every_batches\": "
        "120, \"initial\": true, \"content\": \"weights\"}, \"init_from\": {\"path\": "
        "\"./w\", \"strict\": false}, \"stop\": {\"metric\": "
        "\"train_accuracy\", \"patience\": 6, \"min_delta\": 0.25, \"target\": 0.75, \"seconds\": "
        "1.5}, \"inspect\": {\"every\": 4, \"initial\": false}}",
        &config);
    assert_string_equal(config.dataset.name, "./set");
    assert_int_equal(config.dataset.train, 512);
    assert_int_equal(config.dataset.test, 100);
    assert_int_equal(config.model.kind, MODEL_MLP);
    assert_int_equal(config.optimizer.kind, OPTIMIZER_NESTEROV);
    assert_true(config.optimizer.lr == 0.25);
    assert_true(config.optimizer.momentum == 0.5);
    assert_int_equal(config.schedule.kind, SCHEDULE_STEP);
    assert_int_equal(config.schedule.step_size, 3);
    assert_true(config.schedule.gamma == 0.5);
    assert_true(config.loss.label_smoothing == 0.25);
    assert_int_equal(config.choices.activation.kind, ACTIVATION_ELU);
    assert_true(config.choices.activation.alpha == 0.5f);
    assert_int_equal(config.choices.init.kind, INIT_NORMAL);
    assert_true(config.choices.init.std == 0.02);
    assert_true(config.choices.dropout == 0.375);
    assert_true(config.l2 == 0.125);
    assert_true(config.ema.decay == 0.75);
    assert_int_equal(config.epochs, 7);
    assert_int_equal(config.batch_size, 32);
    assert_true(config.seed == 9007199254740991u);
    assert_int_equal(config.checkpoint.every, 5);
    assert_int_equal(config.checkpoint.keep, 0);
    assert_false(config.checkpoint.best);
    assert_string_equal(config.init_from.path, "./w");
    assert_false(config.init_from.strict);
    assert_int_equal(config.checkpoint.every_batches, 120);
    assert_true(config.checkpoint.initial);
    assert_int_equal(config.checkpoint.content, CHECKPOINT_WEIGHTS);
    assert_int_equal(config.stop.metric, HISTORY_METRIC_train_accuracy);
    assert_int_equal(config.stop.patience, 6);
    assert_true(config.stop.min_delta == 0.25);
    assert_true(config.stop.target == 0.75);
    assert_true(config.stop.seconds == 1.5);
    assert_int_equal(config.inspect.every, 4);
    assert_false(config.inspect.initial);
    config_release(&config);
}

static void augmentations_are_off_until_they_are_asked_for(void **state) {
    (void)state;
    struct config config;
    parse_good("{}", &config);
    assert_int_equal(config.augment.crop, 0);
    assert_true(config.augment.horizontal_flip == 0);
    assert_true(config.augment.rotation == 0);
    assert_true(config.augment.brightness == 0);
    assert_true(config.augment.contrast == 0);
    assert_true(config.augment.noise == 0);
    assert_int_equal(config.augment.cutout, 0);
    assert_true(config.augment.mixup == 0);
    config_release(&config);
    parse_good(
        "{\"augment\": {\"crop\": 2, \"horizontal_flip\": 0.5, \"rotation\": 15, \"noise\": 0.125, "
        "\"brightness\": 0.25, \"contrast\": 0.75, \"cutout\": 8, \"mixup\": 0.2}}",
        &config);
    assert_int_equal(config.augment.crop, 2);
    assert_true(config.augment.horizontal_flip == 0.5);
    assert_true(config.augment.rotation == 15);
    assert_true(config.augment.brightness == 0.25);
    assert_true(config.augment.contrast == 0.75);
    assert_true(config.augment.noise == 0.125);
    assert_int_equal(config.augment.cutout, 8);
    assert_true(config.augment.mixup == 0.2);
    config_release(&config);
}

static void values_of_a_dataset_reach_their_fields(void **state) {
    (void)state;
    struct config config;
    parse_good(
        "{\"dataset\": {\"validation\": 0.1, \"balanced\": true, \"normalize\": {\"mean\": 0.5,"
        " \"std\": [0.25, 2]}, \"split\": \"digits\", \"labels\": \"coarse\", \"label\": \"y\","
        " \"shape\": [3, 4, 5]}}",
        &config);
    const struct dataset_spec *spec = &config.dataset;
    assert_int_equal(spec->kind, DATASET_FILES);
    assert_true(spec->validation == 0.1);
    assert_true(spec->balanced);
    assert_int_equal(spec->normalize.kind, NORMALIZE_GIVEN);
    assert_int_equal(spec->normalize.mean.count, 1);
    assert_true(spec->normalize.mean.values[0] == 0.5f);
    assert_int_equal(spec->normalize.std.count, 2);
    assert_true(spec->normalize.std.values[1] == 2);
    assert_int_equal(spec->split, EMNIST_DIGITS);
    assert_true(spec->coarse);
    assert_string_equal(spec->label.name, "y");
    assert_int_equal(spec->csv_shape.W, 5);
    config_release(&config);
    parse_good("{\"dataset\": {\"label\": 3, \"normalize\": true}}", &config);
    assert_int_equal(spec->label.column, 3);
    assert_int_equal(spec->normalize.kind, NORMALIZE_COMPUTED);
    assert_int_equal(spec->split, EMNIST_UNSAID);
    config_release(&config);
    parse_good("{\"dataset\": {\"name\": \"sparse\", \"density\": 0.5, \"seed\": 7, \"test\": 20}}",
               &config);
    assert_int_equal(spec->kind, DATASET_SPARSE);
    assert_true(spec->density == 0.5);
    assert_int_equal(spec->seed, 7);
    assert_int_equal(spec->classes, 10);
    assert_int_equal(spec->features, 1000);
    assert_int_equal(spec->train, 1000);
    assert_int_equal(spec->test, 20);
    config_release(&config);
}

static void identities_are_one_for_all_spellings(void **state) {
    (void)state;
    static const struct {
        const char *identity, *spellings[8];
    } cases[] = {
        {"{}",
         {"{}", "{\"optimizer\": \"adam\"}", "{\"optimizer\": {\"name\": \"adam\", \"lr\": 1e-3}}",
          "{\"optimizer\": {\"lr\": 0.0010}, \"l2\": -0.0, \"schedule\": {\"name\": \"constant\"}}",
          "{\"ema\": 0}", "{\"init_from\": \"\"}", "{\"init_from\": {}}",
          "{\"dataset\": {\"name\": \"fashion-mnist\", \"train\": 0}, \"model\": {\"name\": "
          "\"lenet5\"}, \"dropout\": 0, \"epochs\": 3, \"seed\": 9, \"checkpoint\": {\"every\": "
          "2}}"}},
        {"{\"init_from\":\"a/b\"}",
         {"{\"init_from\": \"a/b\"}", "{\"init_from\": {\"path\": \"a/b\"}}",
          "{\"init_from\": {\"strict\": true, \"path\": \"a/b\"}}"}},
        {"{\"optimizer\":\"sgd\"}",
         {"{\"optimizer\": \"sgd\"}", "{\"optimizer\": {\"name\": \"sgd\"}}",
          "{\"optimizer\": {\"lr\": 0.01, \"name\": \"sgd\"}}"}},
        {"{\"optimizer\":{\"lr\":0.1,\"name\":\"adam\"}}",
         {"{\"optimizer\": {\"lr\": 1e-1}}",
          "{\"optimizer\": {\"name\": \"adam\", \"beta1\": 0.9, \"lr\": 0.10}}"}},
        {"{\"ema\":{\"decay\":0.999}}", {"{\"ema\": 0.999}", "{\"ema\": {\"decay\": 0.9990}}"}},
        {"{\"init\":{\"gain\":\"auto\",\"name\":\"he_normal\"}}",
         {"{\"init\": {\"name\": \"he_normal\", \"gain\": \"auto\"}}"}},
        {"{\"schedule\":\"reduce_on_plateau\"}", // has no end
         {"{\"schedule\": \"reduce_on_plateau\", \"epochs\": 5}",
          "{\"schedule\": {\"name\": \"reduce_on_plateau\", \"factor\": 0.1, \"patience\": 10, "
          "\"threshold\": 1e-4, \"threshold_mode\": \"rel\", \"cooldown\": 0, \"min_lr\": 0, "
          "\"eps\": 1e-8, \"metric\": \"val_loss\"}}"}},
        {"{\"schedule\":{\"metric\":\"val_accuracy\",\"name\":\"reduce_on_plateau\"}}",
         {"{\"schedule\": {\"name\": \"reduce_on_plateau\", \"metric\": \"val_accuracy\"}}"}},
        {"{\"init\":\"orthogonal\"}",
         {"{\"init\": \"orthogonal\"}", "{\"init\": {\"name\": \"orthogonal\", \"gain\": 1}}"}},
        {"{\"dataset\":\"mnist\"}",
         {"{\"dataset\": \"mnist\"}", "{\"dataset\": {\"name\": \"mnist\"}}"}},
        {"{\"dataset\":{\"train\":512}}",
         {"{\"dataset\": {\"train\": 512}}",
          "{\"dataset\": {\"test\": 0, \"train\": 512.0, \"name\": \"fashion-mnist\"}}"}},
        {"{\"dataset\":\"blobs\"}",
         {"{\"dataset\": \"blobs\"}",
          "{\"dataset\": {\"name\": \"blobs\", \"train\": 1000, \"std\": 0.50, \"seed\": 1, "
          "\"classes\": 3}}"}},
        {"{\"dataset\":{\"name\":\"blobs\",\"std\":2}}",
         {"{\"dataset\": {\"std\": 2.0, \"name\": \"blobs\"}}"}},
        {"{}",
         {"{\"dataset\": {\"validation\": 0, \"balanced\": false, \"normalize\": false, "
          "\"labels\": "
          "\"fine\"}}"}},
        {"{\"dataset\":{\"normalize\":{\"mean\":0.5,\"std\":0.25}}}",
         {"{\"dataset\": {\"normalize\": {\"std\": [0.25], \"mean\": 0.50}}}"}},
        {"{\"model\":\"mlp\"}", {"{\"model\": \"mlp\"}", "{\"model\": \"mlp\", \"dropout\": 0.2}"}},
        {"{\"dropout\":0,\"model\":\"mlp\"}", {"{\"dropout\": 0, \"model\": \"mlp\"}"}},
        {"{\"model\":\"deep10\"}",
         {"{\"model\": \"deep10\"}", "{\"model\": {\"name\": \"deep\"}}", "{\"model\": \"deep\"}",
          "{\"model\": {\"name\": \"deep\", \"depth\": 10}, \"batch_norm\": false}",
          "{\"model\": {\"units\": 500, \"name\": \"deep10\"}}"}},
        {"{\"model\":{\"name\":\"deep3\",\"units\":64}}",
         {"{\"model\": {\"name\": \"deep\", \"units\": 64, \"depth\": 3}}",
          "{\"model\": {\"name\": \"deep3\", \"units\": 64}}"}},
        {"{\"model\":\"resnet-small\"}",
         {"{\"model\": \"resnet-small\"}", "{\"model\": \"resnet-small\", \"batch_norm\": true}"}},
        {"{\"batch_norm\":false,\"model\":\"resnet-small\"}",
         {"{\"model\": \"resnet-small\", \"batch_norm\": false}"}},
        {"{\"batch_norm\":true,\"model\":\"vgg-small\"}",
         {"{\"model\": \"vgg-small\", \"batch_norm\": true}"}},
        {"{\"model\":{\"layers\":[{\"layers\":[\"batch_norm\"],\"type\":\"residual\"},{\"layers\":["
         "\"flatten\"],\"shortcut\":[\"globalavgpool\"],\"type\":\"residual\"}]}}",
         {"{\"model\": {\"layers\": [{\"type\": \"residual\", \"shortcut\": [], \"layers\": "
          "[{\"type\": "
          "\"batch_norm\", \"eps\": 1e-5, \"momentum\": 0.1}]}, {\"type\": \"residual\", "
          "\"layers\": "
          "[\"flatten\"], \"shortcut\": [\"globalavgpool\"]}]}}"}},
        {"{\"epochs\":5,\"schedule\":\"cosine\"}", // it ends with the training
         {"{\"schedule\": \"cosine\", \"epochs\": 5}",
          "{\"epochs\": 5, \"schedule\": {\"T_max\": 0, \"name\": \"cosine\"}}"}},
        {"{\"schedule\":{\"T_max\":7,\"name\":\"cosine\"}}",
         {"{\"schedule\": {\"name\": \"cosine\", \"T_max\": 7}, \"epochs\": 5}"}},
        {"{\"loss\":{\"label_smoothing\":0.1,\"name\":\"cross_entropy\"}}",
         {"{\"loss\": {\"label_smoothing\": 0.1}}",
          "{\"loss\": {\"name\": \"cross_entropy\", \"label_smoothing\": 1e-1}}"}},
        {"{\"loss\":\"mse\"}", {"{\"loss\": \"mse\"}", "{\"loss\": {\"name\": \"mse\"}}"}},
        {"{}",
         {"{\"augment\": {}}", "{\"augment\": {\"crop\": 0, \"horizontal_flip\": 0, \"rotation\": "
                               "0, \"brightness\": 0.0, "
                               "\"contrast\": -0.0, \"noise\": 0, \"cutout\": 0, \"mixup\": 0}}"}},
        {"{\"augment\":{\"cutout\":8,\"mixup\":0.2}}",
         {"{\"augment\": {\"mixup\": 2e-1, \"crop\": 0, \"cutout\": 8.0}}"}},
        {"{\"optimizer\":\"adamw\"}",
         {"{\"optimizer\": {\"name\": \"adamw\", \"weight_decay\": 0.01}, \"clip_norm\": 0}"}},
        {"{\"activation\":\"leaky_relu\",\"init\":{\"name\":\"normal\",\"std\":0.02}}",
         {"{\"init\": {\"std\": 2e-2, \"name\": \"normal\"}, \"activation\": {\"name\": "
          "\"leaky_relu\", \"negative_slope\": 0.01}}"}},
        {"{\"model\":{\"layers\":[\"flatten\",{\"type\":\"dense\",\"units\":10}]}}",
         {"{\"model\": {\"layers\": [{\"type\": \"flatten\"}, {\"units\": 10, \"type\": "
          "\"dense\"}]}}"}},
        {"{\"model\":{\"layers\":[{\"kernel\":2,\"type\":\"maxpool\"},\"activation\",{\"name\":"
         "\"relu\",\"type\":\"activation\"},\"dropout\",{\"activation\":\"relu\",\"init\":"
         "\"xavier_uniform\",\"type\":\"dense\",\"units\":3}]}}",
         {"{\"model\": {\"layers\": [{\"type\": \"maxpool\", \"kernel\": 2}, \"activation\", "
          "{\"type\": "
          "\"activation\", \"name\": \"relu\"}, {\"type\": \"dropout\", \"p\": 0.5}, {\"type\": "
          "\"dense\", \"units\": 3, \"activation\": \"relu\", \"init\": \"xavier_uniform\"}]}}",
          "{\"model\": {\"layers\": [{\"type\": \"maxpool\", \"stride\": 2, \"kernel\": 2}, "
          "{\"type\": "
          "\"activation\"}, {\"name\": \"relu\", \"type\": \"activation\"}, \"dropout\", "
          "{\"type\": "
          "\"dense\", \"units\": 3, \"activation\": {\"name\": \"relu\"}, \"init\": {\"name\": "
          "\"xavier_uniform\", \"gain\": 1}}]}}"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int s = 0; s < 6 && cases[i].spellings[s] != NULL; s++) {
            char *identity = identity_of(cases[i].spellings[s]);
            assert_string_equal(identity, cases[i].identity);
            free(identity);
        }
    }
}

static void an_identity_is_read_back_to_itself(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"optimizer\": {\"name\": \"rmsprop\", \"alpha\": 0.5}, \"dropout\": 0.3, \"l2\": 1e-4}",
        "{\"model\": {\"layers\": [{\"type\": \"conv2d\", \"channels\": 4, \"kernel\": 3, "
        "\"padding\": "
        "1, \"activation\": {\"name\": \"prelu\", \"init\": 0.1}}, \"flatten\", {\"type\": "
        "\"activation\","
        " \"name\": \"elu\", \"alpha\": 2}, {\"type\": \"dense\", \"units\": 10}]}}",
        "{\"model\": {\"layers\": [{\"type\": \"conv2d\", \"channels\": 4, \"kernel\": 3}, "
        "{\"type\": "
        "\"residual\", \"layers\": [{\"type\": \"batch_norm\", \"momentum\": 0.5}, "
        "\"activation\"], "
        "\"shortcut\": [{\"type\": \"conv2d\", \"channels\": 4, \"kernel\": 1}]}, "
        "\"globalavgpool\", "
        "{\"type\": \"dense\", \"units\": 10}]}}",
        "{\"model\": {\"name\": \"deep\", \"depth\": 7, \"units\": 3}, \"batch_norm\": true}",
        "{\"dataset\": {\"name\": \"a/b\", \"test\": 5}, \"schedule\": {\"name\": \"inverse\", "
        "\"k\": 2}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *once = identity_of(texts[i]), *twice = identity_of(once);
        assert_string_equal(twice, once);
        free(once);
        free(twice);
    }
}

static void the_key_depends_on_identity_and_seed_alone(void **state) {
    (void)state;
    static const struct {
        const char *config;
        bool same; // as the first
    } cases[] = {
        {"{\"seed\": 2}", true},
        {"{\"seed\": 2, \"epochs\": 99, \"checkpoint\": {\"keep\": 9}}", true},
        {"{\"seed\": 2, \"stop\": {\"patience\": 3}, \"checkpoint\": {\"every_batches\": 9}}",
         true},
        {"{\"seed\": 2, \"optimizer\": \"adam\"}", true},
        {"{\"seed\": 2, \"inspect\": {\"every\": 1}}", true},
        {"{}", false},
        {"{\"seed\": 3}", false},
        {"{\"seed\": 2, \"batch_size\": 63}", false},
        {"{\"seed\": 2, \"init_from\": \"a.safetensors\"}", false},
    };
    char first[HASH_HEX_LEN + 1] = "";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config config;
        parse_good(cases[i].config, &config);
        if (i == 0) {
            memcpy(first, config.key, sizeof first);
        } else if (cases[i].same) {
            assert_string_equal(config.key, first);
        } else {
            assert_string_not_equal(config.key, first);
        }
        config_release(&config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complaints_name_the_path_and_what_is_allowed),
        cmocka_unit_test(all_complaints_come_at_once),
        cmocka_unit_test(an_empty_config_has_the_documented_defaults),
        cmocka_unit_test(defaults_differ_between_kinds),
        cmocka_unit_test(values_reach_their_fields),
        cmocka_unit_test(augmentations_are_off_until_they_are_asked_for),
        cmocka_unit_test(values_of_a_dataset_reach_their_fields),
        cmocka_unit_test(identities_are_one_for_all_spellings),
        cmocka_unit_test(an_identity_is_read_back_to_itself),
        cmocka_unit_test(the_key_depends_on_identity_and_seed_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
