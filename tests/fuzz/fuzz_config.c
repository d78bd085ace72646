/* A trial's config: what the reader accepts builds, or is refused with a reason; its identity reads back
 * to the same trial. */
#include "base/diag.h"
#include "base/err.h"
#include "base/json.h"
#include "tests/fuzz/fuzz.h"
#include "trainer/config.h"
#include "trainer/net.h"

#include <stdlib.h>
#include <string.h>

enum { CLASSES = 3, BATCH = 2, VALUES_MAX = 1 << 16 };
static const struct shape INPUT = {2, 9, 8};

static void complain(void *context, const struct config_complaint *complaint) {
    FUZZ_REQUIRE(complaint->message[0] != '\0');
    diag_add(context, NULL, complaint->value, "%s: %s", complaint->path, complaint->message);
}

/* Small enough that building it does not slow the fuzzer down. */
static bool is_small(const struct shape *shapes, int count, size_t params) {
    size_t values = params;
    for (int i = 0; i < count; i++) {
        values += (size_t)shapes[i].C * (size_t)shapes[i].H * (size_t)shapes[i].W;
    }
    return values <= VALUES_MAX;
}

/* A batch forward and back: whatever the numbers are, they are the net's own. */
static void train(struct net *net, uint64_t seed) {
    static const uint8_t labels[BATCH] = {0, CLASSES - 1};
    const struct net_targets targets = {.labels = labels};
    struct net_stats stats = {0};
    float *input = net_input(net);
    for (int i = 0; i < INPUT.C * INPUT.H * INPUT.W; i++) {
        for (int n = 0; n < net_lanes(BATCH); n++) {
            input[i * net_lanes(BATCH) + n] = n < BATCH ? (float)(i * 7 % 11) / 10 : 0;
        }
    }
    net_init(net, seed);
    net_train(net, &targets, BATCH, seed, 0, 0, &stats);
    net_eval(net, &targets, BATCH, &stats);
    FUZZ_REQUIRE(stats.samples == 2 * BATCH && stats.correct <= stats.samples);
}

static void check_net(const struct config *config) {
    struct layer_spec *layers;
    struct net *net;
    struct err err;
    int count;
    size_t params;
    config_layers(config, CLASSES, &layers, &count);
    struct shape *shapes = calloc((size_t)count + 1, sizeof *shapes);
    int rc = net_check(layers, count, INPUT, CLASSES, BATCH, shapes, &params, &err);
    if (rc != ERR_OK) {
        FUZZ_REQUIRE(rc == ERR_RANGE && err.msg[0] != '\0');
    } else if (is_small(shapes, count, params)) {
        FUZZ_REQUIRE(net_new(&net, layers, count, INPUT, CLASSES, &config->loss, BATCH, &err) ==
                     ERR_OK);
        FUZZ_REQUIRE(net_param_count(net) == params);
        train(net, config->seed);
        net_free(net);
    }
    free(shapes);
    free(layers);
}

static void check_identity(const struct config *config) {
    struct diag diag = {0};
    struct json_doc *doc;
    struct err err;
    struct config again;
    const char *text = config->canonical;
    FUZZ_REQUIRE(json_parse(&doc, "identity", text, strlen(text), JSON_STRICT, &err) == ERR_OK);
    FUZZ_REQUIRE(config_parse(&again, json_root(doc), complain, &diag) == ERR_OK);
    FUZZ_REQUIRE(diag.count == 0);
    FUZZ_REQUIRE(strcmp(again.canonical, text) == 0);
    FUZZ_REQUIRE(strcmp(again.key, config->key) == 0);
    config_release(&again);
    json_free(doc);
    diag_release(&diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct diag diag = {0};
    struct config config;
    struct json_doc *doc;
    struct err err;
    if (json_parse(&doc, "input", (const char *)data, size, JSON_COMMENTS, &err) != ERR_OK) {
        return 0;
    }
    int rc = config_parse(&config, json_root(doc), complain, &diag);
    FUZZ_REQUIRE((rc == ERR_OK) == (diag.count == 0));
    if (rc == ERR_OK) {
        check_identity(&config);
        check_net(&config);
    }
    config_release(&config);
    json_free(doc);
    diag_release(&diag);
    return 0;
}
