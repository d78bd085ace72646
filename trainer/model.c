#include "trainer/model.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "trainer/gain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KIND(k) (1u << (k))

const char *const model_names[MODEL_CUSTOM + 1] = {
    [MODEL_LOGISTIC] = "logistic", [MODEL_MLP] = "mlp",       [MODEL_LENET5] = "lenet5",
    [MODEL_DEEP10] = "deep10",     [MODEL_CUSTOM] = "custom",
};

/* ---- tables ---- */

static const struct table_key activation_keys[] = {
    {.name = "negative_slope",
     .type = TABLE_FLOAT,
     .kinds = KIND(ACTIVATION_LEAKY_RELU),
     .offset = offsetof(struct activation_spec, negative_slope),
     .max = 1e6,
     .value = 0.01},
    {.name = "alpha",
     .type = TABLE_FLOAT,
     .kinds = KIND(ACTIVATION_ELU),
     .offset = offsetof(struct activation_spec, alpha),
     .max = 1e6,
     .value = 1},
    {.name = "init",
     .type = TABLE_FLOAT,
     .kinds = KIND(ACTIVATION_PRELU),
     .offset = offsetof(struct activation_spec, init),
     .min = -1e6,
     .max = 1e6,
     .value = 0.25},
    {.name = "pieces",
     .type = TABLE_INTEGER,
     .kinds = KIND(ACTIVATION_MAXOUT),
     .offset = offsetof(struct activation_spec, pieces),
     .min = 2,
     .max = 255, // the winner's index is kept in a byte
     .value = 2},
};

const struct table activation_table = {
    .what = "activation",
    .name_key = "name",
    .kinds = activation_names,
    .kind_count = ACTIVATION_COUNT,
    .kind = ACTIVATION_RELU,
    .kind_offset = offsetof(struct activation_spec, kind),
    .keys = activation_keys,
    .key_count = sizeof activation_keys / sizeof *activation_keys,
};

static const struct table_key init_keys[] = {
    {.name = "std",
     .type = TABLE_NUMBER,
     .kinds = KIND(INIT_NORMAL) | KIND(INIT_TRUNCATED_NORMAL),
     .offset = offsetof(struct init_spec, std),
     .max = 1e6,
     .flags = TABLE_REQUIRED},
    {.name = "value",
     .type = TABLE_NUMBER,
     .kinds = KIND(INIT_CONSTANT),
     .offset = offsetof(struct init_spec, value),
     .min = -1e6,
     .max = 1e6,
     .flags = TABLE_REQUIRED},
    {.name = "bound",
     .type = TABLE_NUMBER,
     .kinds = KIND(INIT_UNIFORM),
     .offset = offsetof(struct init_spec, bound),
     .max = 1e6,
     .flags = TABLE_REQUIRED},
    {.name = "gain",
     .type = TABLE_NUMBER,
     .kinds = KIND(INIT_XAVIER_UNIFORM) | KIND(INIT_XAVIER_NORMAL) | KIND(INIT_ORTHOGONAL),
     .offset = offsetof(struct init_spec, gain),
     .max = 1e6,
     .flags = TABLE_ABOVE_MIN | TABLE_AUTO,
     .value = 1},
    {.name = "gain",
     .type = TABLE_NUMBER,
     .kinds = KIND(INIT_HE_UNIFORM) | KIND(INIT_HE_NORMAL),
     .offset = offsetof(struct init_spec, gain),
     .max = 1e6,
     .flags = TABLE_ABOVE_MIN | TABLE_AUTO,
     .value = M_SQRT2},
};

const struct table init_table = {
    .what = "init",
    .name_key = "name",
    .kinds = init_names,
    .kind_count = INIT_COUNT,
    .kind = INIT_XAVIER_UNIFORM,
    .kind_offset = offsetof(struct init_spec, kind),
    .keys = init_keys,
    .key_count = sizeof init_keys / sizeof *init_keys,
};

static const struct table_key loss_keys[] = {
    {.name = "label_smoothing",
     .type = TABLE_NUMBER,
     .kinds = KIND(LOSS_CROSS_ENTROPY),
     .offset = offsetof(struct loss_spec, label_smoothing),
     .max = 1,
     .flags = TABLE_BELOW_MAX},
};

const struct table loss_table = {
    .what = "loss",
    .name_key = "name",
    .kinds = loss_names,
    .kind_count = LOSS_COUNT,
    .kind = LOSS_CROSS_ENTROPY,
    .kind_offset = offsetof(struct loss_spec, kind),
    .keys = loss_keys,
    .key_count = sizeof loss_keys / sizeof *loss_keys,
};

enum { POOLS = KIND(LAYER_MAXPOOL) | KIND(LAYER_AVGPOOL) };

static const struct table_key layer_keys[] = {
    {.name = "units",
     .type = TABLE_INTEGER,
     .kinds = KIND(LAYER_DENSE),
     .offset = offsetof(struct model_item, layer.units),
     .min = 1,
     .max = MODEL_UNITS_MAX,
     .flags = TABLE_REQUIRED},
    {.name = "channels",
     .type = TABLE_INTEGER,
     .kinds = KIND(LAYER_CONV2D),
     .offset = offsetof(struct model_item, layer.channels),
     .min = 1,
     .max = MODEL_UNITS_MAX,
     .flags = TABLE_REQUIRED},
    {.name = "kernel",
     .type = TABLE_INTEGER,
     .kinds = KIND(LAYER_CONV2D),
     .offset = offsetof(struct model_item, layer.kernel),
     .min = 1,
     .max = 255,
     .flags = TABLE_REQUIRED},
    {.name = "kernel",
     .type = TABLE_INTEGER,
     .kinds = POOLS,
     .offset = offsetof(struct model_item, layer.kernel),
     .min = 1,
     .max = 16, // maxpool keeps the winner's index in a byte
     .flags = TABLE_REQUIRED},
    {.name = "stride",
     .type = TABLE_INTEGER,
     .kinds = KIND(LAYER_CONV2D),
     .offset = offsetof(struct model_item, layer.stride),
     .min = 1,
     .max = 255,
     .value = 1},
    {.name = "stride",
     .type = TABLE_INTEGER,
     .kinds = POOLS,
     .offset = offsetof(struct model_item, layer.stride),
     .min = 1,
     .max = 255,
     .value = 0}, // stands for the kernel
    {.name = "padding",
     .type = TABLE_INTEGER,
     .kinds = KIND(LAYER_CONV2D),
     .offset = offsetof(struct model_item, layer.padding),
     .max = 255},
    {.name = "init",
     .type = TABLE_OBJECT,
     .kinds = KIND(LAYER_DENSE) | KIND(LAYER_CONV2D),
     .offset = offsetof(struct model_item, layer.init),
     .flags = TABLE_COUNTS,
     .table = &init_table},
    {.name = "activation",
     .type = TABLE_OBJECT,
     .kinds = KIND(LAYER_DENSE) | KIND(LAYER_CONV2D),
     .offset = offsetof(struct model_item, activation),
     .flags = TABLE_COUNTS,
     .table = &activation_table},
    {.name = "p",
     .type = TABLE_FLOAT,
     .kinds = KIND(LAYER_DROPOUT),
     .offset = offsetof(struct model_item, layer.p),
     .max = 1,
     .flags = TABLE_BELOW_MAX,
     .value = 0.5},
};

const struct table layer_table = {
    .what = "layer",
    .name_key = "type",
    .kinds = layer_names,
    .kind_count = LAYER_COUNT,
    .kind = -1,
    .kind_offset = offsetof(struct model_item, layer.kind),
    .keys = layer_keys,
    .key_count = sizeof layer_keys / sizeof *layer_keys,
};

/* ---- reading ---- */

/* {"type": "activation", "name": "elu", "alpha": 0.5}: the activation's own members beside "type";
 * without a name it is the config's. */
static struct cJSON *read_activation_item(struct table_reader *reader, const struct cJSON *json,
                                          struct model_item *item) {
    *item = (struct model_item){.layer.kind = LAYER_ACTIVATION};
    struct cJSON *identity =
        table_read(reader, &activation_table, json, "type", &item->layer.activation);
    item->has_activation = json_get(json, "name") != NULL;
    if (!item->has_activation) {
        if (json_count(json) > 1) {
            table_complain(reader, json, "parameters of an activation need its \"name\"");
        }
        json_delete(identity);
        return json_new_string(layer_names[LAYER_ACTIVATION]);
    }
    struct cJSON *object = identity; // at its default nothing, at other names a string
    if (identity == NULL || json_type(identity) == JSON_STRING) {
        object = json_new_object();
        json_set(object, "name", json_new_string(activation_names[item->layer.activation.kind]));
        json_delete(identity);
    }
    json_set(object, "type", json_new_string(layer_names[LAYER_ACTIVATION]));
    return object;
}

static struct cJSON *read_item(struct table_reader *reader, const struct cJSON *json,
                               struct model_item *item) {
    bool is_object = json_type(json) == JSON_OBJECT;
    const struct cJSON *type = is_object ? json_get(json, "type") : NULL;
    if (type != NULL && json_is_string(type, layer_names[LAYER_ACTIVATION])) {
        return read_activation_item(reader, json, item);
    }
    struct cJSON *identity = table_read(reader, &layer_table, json, NULL, item);
    item->has_init = is_object && json_get(json, "init") != NULL;
    item->has_activation = is_object && json_get(json, "activation") != NULL;

    struct layer_spec *layer = &item->layer;
    if (layer->kind == LAYER_MAXPOOL || layer->kind == LAYER_AVGPOOL) {
        if (layer->stride == 0) {
            layer->stride = layer->kernel;
        } else if (layer->stride == layer->kernel && identity != NULL) {
            json_remove(identity, "stride"); // said or not, it is the same
        }
    }
    return identity;
}

static struct cJSON *read_layers(struct table_reader *reader, const struct cJSON *list,
                                 struct model_spec *model) {
    int count = json_type(list) == JSON_ARRAY ? json_count(list) : 0;
    if (count < 1 || count > MODEL_LAYER_MAX) {
        table_complain(reader, list, "must be a list of 1 to %d layers", MODEL_LAYER_MAX);
        return NULL;
    }
    model->items = mem_zalloc((size_t)count, sizeof *model->items);
    model->item_count = count;
    struct cJSON *identity = json_new_array();
    int index = 0;
    for (const struct cJSON *item = json_first(list); item != NULL; item = json_next(item)) {
        size_t mark = table_enter_index(reader, index);
        struct cJSON *part = read_item(reader, item, &model->items[index++]);
        json_append(identity, part != NULL ? part : json_new_null()); // NULL after a complaint
        table_leave(reader, mark);
    }
    return identity;
}

struct cJSON *model_read(struct table_reader *reader, const struct cJSON *json, void *out) {
    static const struct table named = {
        .what = "model",
        .name_key = "name",
        .kinds = model_names,
        .kind_count = MODEL_NAMED_COUNT,
        .kind = MODEL_LENET5,
        .kind_offset = offsetof(struct model_spec, kind),
    };
    struct model_spec *model = out;
    bool is_object = json != NULL && json_type(json) == JSON_OBJECT;
    const struct cJSON *layers = is_object ? json_get(json, "layers") : NULL;
    if (layers == NULL) {
        return table_read(reader, &named, json, NULL, out);
    }
    model->kind = MODEL_CUSTOM;
    if (json_count(json) > 1) {
        table_complain(reader, json, "\"layers\" stands alone, without a name or other keys");
    }
    size_t mark = table_enter(reader, "layers");
    struct cJSON *list = read_layers(reader, layers, model);
    table_leave(reader, mark);
    if (list == NULL) {
        return NULL;
    }
    struct cJSON *identity = json_new_object();
    json_set(identity, "layers", list);
    return identity;
}

void model_release(struct model_spec *model) {
    free(model->items);
    *model = (struct model_spec){0};
}

double model_default_dropout(enum model_kind kind) {
    return kind == MODEL_MLP ? 0.2 : 0;
}

/* ---- building ---- */

struct builder {
    const struct model_choices *choices;
    struct layer_spec *layers; // owned until the end
    int count, cap;
};

static void add(struct builder *builder, const struct layer_spec *layer) {
    if (builder->count == builder->cap) {
        builder->cap = builder->cap == 0 ? 32 : 2 * builder->cap;
        builder->layers = mem_resize(builder->layers, (size_t)builder->cap, sizeof *layer);
    }
    builder->layers[builder->count++] = *layer;
}

static int add_activation(struct builder *builder, const struct activation_spec *activation,
                          struct err *err) {
    if (activation->kind == ACTIVATION_MAXOUT) {
        struct layer_spec *before = builder->count ? &builder->layers[builder->count - 1] : NULL;
        if (before == NULL || (before->kind != LAYER_DENSE && before->kind != LAYER_CONV2D)) {
            return err_set(err, ERR_RANGE, "maxout must follow a dense or conv2d layer directly");
        }
        int *width = before->kind == LAYER_DENSE ? &before->units : &before->channels;
        if (*width > MODEL_UNITS_MAX * 16 / activation->pieces) {
            return err_set(err, ERR_RANGE, "maxout of %d pieces makes a layer of %d too wide",
                           activation->pieces, *width);
        }
        *width *= activation->pieces;
    }
    add(builder, &(struct layer_spec){.kind = LAYER_ACTIVATION, .activation = *activation});
    return ERR_OK;
}

/* A hidden dense layer of a named model; the activation, and dropout where wanted. */
static int add_hidden(struct builder *builder, int units, struct err *err) {
    const struct model_choices *choices = builder->choices;
    add(builder, &(struct layer_spec){.kind = LAYER_DENSE, .units = units, .init = choices->init});
    int rc = add_activation(builder, &choices->activation, err);
    if (rc == ERR_OK && choices->dropout > 0) {
        add(builder, &(struct layer_spec){.kind = LAYER_DROPOUT, .p = (float)choices->dropout});
    }
    return rc;
}

/* A 5x5 convolution of LeNet-5; the activation, and a pool that halves both sides. */
static int add_conv_block(struct builder *builder, int channels, int padding, struct err *err) {
    add(builder, &(struct layer_spec){.kind = LAYER_CONV2D,
                                      .channels = channels,
                                      .kernel = 5,
                                      .stride = 1,
                                      .padding = padding,
                                      .init = builder->choices->init});
    int rc = add_activation(builder, &builder->choices->activation, err);
    add(builder, &(struct layer_spec){.kind = LAYER_MAXPOOL, .kernel = 2, .stride = 2});
    return rc;
}

static int build_named(struct builder *builder, enum model_kind kind, int classes,
                       struct err *err) {
    int rc = ERR_OK;
    if (kind == MODEL_LENET5) {
        rc = add_conv_block(builder, 6, 2, err);
        rc = rc == ERR_OK ? add_conv_block(builder, 16, 0, err) : rc;
    }
    add(builder, &(struct layer_spec){.kind = LAYER_FLATTEN});
    static const struct {
        int count, units[2];
    } hidden[MODEL_NAMED_COUNT] = {
        [MODEL_LOGISTIC] = {0, {0}},
        [MODEL_MLP] = {1, {512}},
        [MODEL_LENET5] = {2, {120, 84}},
        [MODEL_DEEP10] = {10, {500, 500}}, // the units repeat
    };
    for (int i = 0; i < hidden[kind].count && rc == ERR_OK; i++) {
        rc = add_hidden(builder, hidden[kind].units[i % 2], err);
    }
    add(builder, &(struct layer_spec){
                     .kind = LAYER_DENSE, .units = classes, .init = builder->choices->init});
    return rc;
}

static int build_item(struct builder *builder, const struct model_item *item, struct err *err) {
    struct layer_spec layer = item->layer;
    if (layer.kind == LAYER_ACTIVATION) {
        return add_activation(
            builder, item->has_activation ? &layer.activation : &builder->choices->activation, err);
    }
    if (!item->has_init) {
        layer.init = builder->choices->init;
    }
    add(builder, &layer);
    return item->has_activation ? add_activation(builder, &item->activation, err) : ERR_OK;
}

int model_build(const struct model_spec *model, const struct model_choices *choices, int classes,
                struct layer_spec **layers, int *count, int *bad, struct err *err) {
    struct builder builder = {.choices = choices};
    int rc = ERR_OK, item = -1;
    if (model->kind != MODEL_CUSTOM) {
        rc = build_named(&builder, model->kind, classes, err);
    }
    while (rc == ERR_OK && item + 1 < model->item_count) {
        rc = build_item(&builder, &model->items[++item], err);
    }
    if (rc != ERR_OK) {
        free(builder.layers);
        *bad = item;
        return rc;
    }
    gain_settle(builder.layers, builder.count);
    *layers = builder.layers;
    *count = builder.count;
    return ERR_OK;
}
