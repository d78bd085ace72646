#include "trainer/config.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "trainer/augment.h"
#include "trainer/checkpoint.h"
#include "trainer/data_spec.h"
#include "trainer/schedule.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KIND(k)     (1u << (k))
#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

enum {
    DROPOUT_UNSAID = -1, // `dropout` when the config does not say: the model knows
};

/* ---- tables ---- */

#define OPTIMIZER(name_, field, kinds_, max_, flags_, value_)                                      \
    {                                                                                              \
        .name = (name_), .type = TABLE_NUMBER, .kinds = (kinds_),                                  \
        .offset = offsetof(struct optimizer_spec, field), .max = (max_), .flags = (flags_),        \
        .value = (value_)                                                                          \
    }
enum {
    ADAM = KIND(OPTIMIZER_ADAM) | KIND(OPTIMIZER_ADAMW),
    ADAMAX = KIND(OPTIMIZER_ADAMAX),
    NADAM = KIND(OPTIMIZER_NADAM),
    ADADELTA = KIND(OPTIMIZER_ADADELTA),
    LION = KIND(OPTIMIZER_LION),
    RMSPROP = KIND(OPTIMIZER_RMSPROP),
    ADAGRAD = KIND(OPTIMIZER_ADAGRAD),
    HEAVY_BALLS = KIND(OPTIMIZER_MOMENTUM) | KIND(OPTIMIZER_NESTEROV),
    ADAMW = KIND(OPTIMIZER_ADAMW), // has another weight_decay than adam
};
static const struct table_key optimizer_keys[] = {
    OPTIMIZER("lr", lr, ADAM, INFINITY, TABLE_ABOVE_MIN, 0.001),
    OPTIMIZER("lr", lr, KIND(OPTIMIZER_SGD) | HEAVY_BALLS | ADAGRAD | RMSPROP, INFINITY,
              TABLE_ABOVE_MIN, 0.01),
    OPTIMIZER("momentum", momentum, HEAVY_BALLS, 1, 0, 0.9),
    OPTIMIZER("alpha", alpha, RMSPROP, 1, 0, 0.99),
    OPTIMIZER("lr", lr, ADAMAX | NADAM, INFINITY, TABLE_ABOVE_MIN, 0.002),
    OPTIMIZER("lr", lr, ADADELTA, INFINITY, TABLE_ABOVE_MIN, 1),
    OPTIMIZER("lr", lr, LION, INFINITY, TABLE_ABOVE_MIN, 1e-4),
    OPTIMIZER("dampening", dampening, KIND(OPTIMIZER_MOMENTUM), 1, 0, 0),
    OPTIMIZER("rho", rho, ADADELTA, 1, 0, 0.9),
    OPTIMIZER("beta1", beta1, ADAM | ADAMAX | NADAM | LION, 1, TABLE_BELOW_MAX, 0.9),
    OPTIMIZER("beta2", beta2, ADAM | ADAMAX | NADAM, 1, TABLE_BELOW_MAX, 0.999),
    OPTIMIZER("beta2", beta2, LION, 1, TABLE_BELOW_MAX, 0.99),
    OPTIMIZER("momentum_decay", momentum_decay, NADAM, INFINITY, 0, 0.004),
    OPTIMIZER("eps", eps, ADAGRAD, INFINITY, 0, 1e-10),
    OPTIMIZER("eps", eps, RMSPROP | ADAM | NADAM, INFINITY, 0, 1e-8),
    OPTIMIZER("eps", eps, ADADELTA, INFINITY, TABLE_ABOVE_MIN, 1e-6),
    OPTIMIZER("eps", eps, ADAMAX, INFINITY, TABLE_ABOVE_MIN, 1e-8),
    OPTIMIZER("weight_decay", weight_decay, ADAMW, 1e6, 0, 0.01),
    OPTIMIZER("weight_decay", weight_decay, ~(unsigned)ADAMW, 1e6, 0, 0),
};
static const struct table optimizer_table = {.what = "optimizer",
                                             .name_key = "name",
                                             .kinds = optimizer_names,
                                             .kind_count = OPTIMIZER_COUNT,
                                             .kind = OPTIMIZER_ADAM,
                                             .kind_offset = offsetof(struct optimizer_spec, kind),
                                             .keys = optimizer_keys,
                                             .key_count = COUNT(optimizer_keys)};

static const struct table content_table = {.what = "content",
                                           .name_key = "name",
                                           .kinds = checkpoint_content_names,
                                           .kind_count = CHECKPOINT_CONTENT_COUNT,
                                           .kind = CHECKPOINT_WHOLE,
                                           .kind_offset = 0};
static const struct table_key checkpoint_keys[] = {
    {.name = "every",
     .type = TABLE_INTEGER,
     .offset = offsetof(struct checkpoint_spec, every),
     .max = 1e6,
     .value = 1},
    {.name = "every_batches",
     .type = TABLE_INTEGER,
     .offset = offsetof(struct checkpoint_spec, every_batches),
     .max = 1e9},
    {.name = "keep",
     .type = TABLE_INTEGER,
     .offset = offsetof(struct checkpoint_spec, keep),
     .max = 1e6,
     .value = 2},
    {.name = "best",
     .type = TABLE_BOOL,
     .offset = offsetof(struct checkpoint_spec, best),
     .value = true},
    {.name = "initial", .type = TABLE_BOOL, .offset = offsetof(struct checkpoint_spec, initial)},
    {.name = "content",
     .type = TABLE_OBJECT,
     .offset = offsetof(struct checkpoint_spec, content),
     .table = &content_table},
};
static const struct table checkpoint_table = {
    .what = "checkpoint", .keys = checkpoint_keys, .key_count = COUNT(checkpoint_keys)};

static const struct table_key inspect_keys[] = {
    {.name = "every",
     .type = TABLE_INTEGER,
     .offset = offsetof(struct inspect_spec, every),
     .max = 1e6},
    {.name = "initial",
     .type = TABLE_BOOL,
     .offset = offsetof(struct inspect_spec, initial),
     .value = true},
};
static const struct table inspect_table = {
    .what = "inspect", .keys = inspect_keys, .key_count = COUNT(inspect_keys)};

static const struct table_key config_keys[] = {
    {.name = "dataset",
     .type = TABLE_CUSTOM,
     .offset = offsetof(struct config, dataset),
     .table = &dataset_file_table,
     .read = dataset_read},
    {.name = "model",
     .type = TABLE_CUSTOM,
     .offset = offsetof(struct config, model),
     .table = &layer_table,
     .read = model_read},
    {.name = "optimizer",
     .type = TABLE_OBJECT,
     .offset = offsetof(struct config, optimizer),
     .table = &optimizer_table},
    {.name = "schedule",
     .type = TABLE_OBJECT,
     .offset = offsetof(struct config, schedule),
     .table = &schedule_table},
    {.name = "loss",
     .type = TABLE_OBJECT,
     .offset = offsetof(struct config, loss),
     .table = &loss_table},
    {.name = "ema",
     .type = TABLE_OBJECT,
     .offset = offsetof(struct config, ema),
     .table = &ema_table},
    {.name = "augment",
     .type = TABLE_OBJECT,
     .offset = offsetof(struct config, augment),
     .table = &augment_table},
    {.name = "activation",
     .type = TABLE_OBJECT,
     .offset = offsetof(struct config, choices.activation),
     .table = &activation_table},
    {.name = "init",
     .type = TABLE_OBJECT,
     .offset = offsetof(struct config, choices.init),
     .table = &init_table},
    {.name = "dropout",
     .type = TABLE_NUMBER,
     .offset = offsetof(struct config, choices.dropout),
     .max = 1,
     .flags = TABLE_BELOW_MAX,
     .value = DROPOUT_UNSAID},
    {.name = "batch_norm",
     .type = TABLE_BOOL,
     .offset = offsetof(struct config, choices.batch_norm)},
    {.name = "l1", .type = TABLE_NUMBER, .offset = offsetof(struct config, l1), .max = 1e6},
    {.name = "clip_norm",
     .type = TABLE_NUMBER,
     .offset = offsetof(struct config, clip_norm),
     .max = INFINITY},
    {.name = "clip_value",
     .type = TABLE_NUMBER,
     .offset = offsetof(struct config, clip_value),
     .max = INFINITY},
    {.name = "l2", .type = TABLE_NUMBER, .offset = offsetof(struct config, l2), .max = 1e6},
    {.name = "epochs",
     .type = TABLE_INTEGER,
     .offset = offsetof(struct config, epochs),
     .min = 1,
     .max = 1e6,
     .value = 10},
    {.name = "batch_size",
     .type = TABLE_INTEGER,
     .offset = offsetof(struct config, batch_size),
     .min = 1,
     .max = 65536,
     .value = 64},
    {.name = "seed",
     .type = TABLE_SEED,
     .offset = offsetof(struct config, seed),
     .max = 9007199254740991, // 2^53 - 1, the last integer that every JSON reader keeps
     .value = 1},
    {.name = "checkpoint",
     .type = TABLE_OBJECT,
     .offset = offsetof(struct config, checkpoint),
     .table = &checkpoint_table},
    {.name = "stop",
     .type = TABLE_OBJECT,
     .offset = offsetof(struct config, stop),
     .table = &stop_table},
    {.name = "init_from",
     .type = TABLE_OBJECT,
     .offset = offsetof(struct config, init_from),
     .table = &init_from_table},
    {.name = "inspect",
     .type = TABLE_OBJECT,
     .offset = offsetof(struct config, inspect),
     .table = &inspect_table},
};
const struct table config_table = {
    .what = "config", .keys = config_keys, .key_count = COUNT(config_keys)};

/* ---- parsing ---- */

/* The default of `dropout` hangs on another key. */
static void settle_dropout(struct config *config, struct table_reader *reader,
                           const struct cJSON *json) {
    bool said = config->choices.dropout != DROPOUT_UNSAID;
    if (said && config->model.kind == MODEL_CUSTOM) {
        size_t mark = table_enter(reader, "dropout");
        table_complain(reader, json_get(json, "dropout"),
                       "is for named models; put {\"type\": \"dropout\"} into the list of layers");
        table_leave(reader, mark);
        return;
    }
    double value = model_default_dropout(config->model.kind);
    if (!said) {
        config->choices.dropout = value;
    } else if (config->choices.dropout == value) {
        json_remove(config->identity, "dropout");
    }
}

/* Nor has `batch_norm` one default for all models. */
static void settle_batch_norm(struct config *config, struct table_reader *reader,
                              const struct cJSON *json) {
    const struct cJSON *said = json_get(json, "batch_norm");
    if (said != NULL && config->model.kind == MODEL_CUSTOM) {
        size_t mark = table_enter(reader, "batch_norm");
        table_complain(reader, said,
                       "is for named models; put {\"type\": \"batch_norm\"} into the list of "
                       "layers");
        table_leave(reader, mark);
        return;
    }
    bool value = model_default_batch_norm(config->model.kind);
    if (said == NULL) {
        config->choices.batch_norm = value;
    }
    json_remove(config->identity, "batch_norm");
    if (config->choices.batch_norm != value) {
        json_set(config->identity, "batch_norm", json_new_bool(!value));
    }
}

/* Builds the layers once, for the complaints; how many classes there are makes no difference. */
static void check_layers(struct config *config, struct table_reader *reader,
                         const struct cJSON *json) {
    struct layer_spec *layers = NULL;
    struct err err;
    int count, item;
    if (model_build(&config->model, &config->choices, 10, &layers, &count, &item, &err) == ERR_OK) {
        free(layers);
        return;
    }
    const struct cJSON *value = json_get(json, item < 0 ? "activation" : "model");
    size_t mark = table_enter(reader, item < 0 ? "activation" : "model.layers");
    if (item >= 0) {
        (void)table_enter_index(reader, item); // left with `mark`
        value = json_first(json_get(value, "layers"));
        for (int i = 0; i < item; i++) {
            value = json_next(value);
        }
    }
    table_complain(reader, value, "%s", err.msg);
    table_leave(reader, mark);
}

static void check_init_from(const struct config *config, struct table_reader *reader,
                            const struct cJSON *json) {
    if (config->init_from.path[0] == '\0' && !config->init_from.strict) {
        size_t mark = table_enter(reader, "init_from");
        table_complain(reader, json_get(json, "init_from"), "needs \"path\", a file or a folder");
        table_leave(reader, mark);
    }
}

/* A schedule that ends with the training makes `epochs` a part of the trial. */
static void settle_schedule(struct config *config) {
    struct schedule_spec *schedule = &config->schedule;
    bool to_the_end = schedule->kind == SCHEDULE_COSINE && schedule->T_max == 0;
    if (to_the_end) {
        schedule->T_max = config->epochs;
    }
    schedule->epochs = config->epochs;
    if (!to_the_end && schedule->kind != SCHEDULE_ONE_CYCLE) {
        json_remove(config->identity, "epochs");
    }
}

/* From all that is not default to what makes the trial and what makes the grid point. */
static void settle_identity(struct config *config) {
    json_remove(config->identity, "checkpoint");
    json_remove(config->identity, "stop");
    json_remove(config->identity, "inspect");
    struct buf canonical = {0};
    json_print_canonical(&canonical, config->identity);
    hash_hex(config->key, canonical.data, canonical.len);
    config->canonical = buf_detach(&canonical);
    json_remove(config->identity, "seed");
}

int config_parse(struct config *config, const struct cJSON *json, config_complain_fn *complain,
                 void *context) {
    *config = (struct config){0};
    struct table_reader reader = {.complain = complain, .context = context};
    config->identity = table_read(&reader, &config_table, json, NULL, config);
    if (config->identity == NULL) {
        config->identity = json_new_object();
    }
    if (reader.complaints == 0) { // else what follows could be about a default, not about the text
        settle_dropout(config, &reader, json);
        settle_batch_norm(config, &reader, json);
        check_layers(config, &reader, json);
        check_init_from(config, &reader, json);
        settle_schedule(config);
        settle_identity(config);
    }
    buf_release(&reader.path);
    return reader.complaints == 0 ? ERR_OK : ERR_RANGE;
}

void config_release(struct config *config) {
    dataset_spec_release(&config->dataset);
    free(config->init_from.path);
    model_release(&config->model);
    json_delete(config->identity);
    free(config->canonical);
    *config = (struct config){0};
}

void config_layers(const struct config *config, int classes, struct layer_spec **layers,
                   int *count) {
    struct err err;
    int item;
    int rc = model_build(&config->model, &config->choices, classes, layers, count, &item, &err);
    assert(rc == ERR_OK); // config_parse() has built them before
    (void)rc;
}
