#include "trainer/model.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIND(k) (1u << (k))

const char *const model_names[MODEL_CUSTOM + 1] = {
    [MODEL_LOGISTIC] = "logistic",   [MODEL_MLP] = "mlp",
    [MODEL_LENET5] = "lenet5",       [MODEL_DEEP] = "deep",
    [MODEL_VGG_SMALL] = "vgg-small", [MODEL_RESNET_SMALL] = "resnet-small",
    [MODEL_CUSTOM] = "custom",
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

/* The two lists of a residual block, each into a struct model_list. */
static table_read_fn read_body, read_shortcut;

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
    {.name = "eps",
     .type = TABLE_NUMBER,
     .kinds = KIND(LAYER_BATCH_NORM),
     .offset = offsetof(struct model_item, layer.eps),
     .max = 1e6,
     .flags = TABLE_ABOVE_MIN,
     .value = MODEL_BATCH_NORM_EPS},
    {.name = "momentum",
     .type = TABLE_NUMBER,
     .kinds = KIND(LAYER_BATCH_NORM),
     .offset = offsetof(struct model_item, layer.momentum),
     .max = 1,
     .value = MODEL_BATCH_NORM_MOMENTUM},
    {.name = "layers",
     .type = TABLE_CUSTOM,
     .kinds = KIND(LAYER_RESIDUAL),
     .offset = offsetof(struct model_item, body),
     .flags = TABLE_REQUIRED,
     .read = read_body},
    {.name = "shortcut",
     .type = TABLE_CUSTOM,
     .kinds = KIND(LAYER_RESIDUAL),
     .offset = offsetof(struct model_item, shortcut),
     .read = read_shortcut},
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
    .kind_count = LAYER_LISTED_COUNT,
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

/* The items of a list that is known to have `count` of them. */
static struct cJSON *read_items(struct table_reader *reader, const struct cJSON *json, int count,
                                struct model_list *list) {
    list->items = mem_zalloc((size_t)count, sizeof *list->items);
    list->count = count;
    struct cJSON *identity = json_new_array();
    int index = 0;
    for (const struct cJSON *item = json_first(json); item != NULL; item = json_next(item)) {
        size_t mark = table_enter_index(reader, index);
        struct cJSON *part = read_item(reader, item, &list->items[index++]);
        json_append(identity, part != NULL ? part : json_new_null()); // NULL after a complaint
        table_leave(reader, mark);
    }
    return identity;
}

/* NULL, with a complaint, when it is no list or has too few or too many items. */
static struct cJSON *read_list(struct table_reader *reader, const struct cJSON *json, int min,
                               struct model_list *list) {
    int count = json_type(json) == JSON_ARRAY ? json_count(json) : -1;
    if (count < min || count > MODEL_LAYER_MAX) {
        table_complain(reader, json, "must be a list of %d to %d layers", min, MODEL_LAYER_MAX);
        return NULL;
    }
    return read_items(reader, json, count, list);
}

static void refuse_nesting(struct table_reader *reader, const struct cJSON *json,
                           const struct model_list *list) {
    const struct cJSON *item = json_first(json);
    for (int i = 0; i < list->count; i++, item = json_next(item)) {
        if (list->items[i].layer.kind == LAYER_RESIDUAL) {
            size_t mark = table_enter_index(reader, i);
            table_complain(reader, item, "residual blocks do not nest");
            table_leave(reader, mark);
        }
    }
}

static struct cJSON *read_body(struct table_reader *reader, const struct cJSON *json, void *out) {
    struct model_list *list = out;
    if (json == NULL) { // the default, before the table asks for one
        *list = (struct model_list){0};
        return NULL;
    }
    struct cJSON *identity = read_list(reader, json, 1, list);
    refuse_nesting(reader, json, list);
    return identity;
}

static struct cJSON *read_shortcut(struct table_reader *reader, const struct cJSON *json,
                                   void *out) {
    struct model_list *list = out;
    if (json == NULL) {
        *list = (struct model_list){0};
        return NULL;
    }
    struct cJSON *identity = read_list(reader, json, 0, list);
    refuse_nesting(reader, json, list);
    if (list->count == 0) { // the identity, said or not
        json_delete(identity);
        return NULL;
    }
    return identity;
}

/* ---- models ---- */

static const struct table_key named_keys[] = {
    {.name = "depth",
     .type = TABLE_INTEGER,
     .kinds = KIND(MODEL_DEEP),
     .offset = offsetof(struct model_spec, depth),
     .min = 1,
     .max = MODEL_DEPTH_MAX,
     .value = 10},
    {.name = "units",
     .type = TABLE_INTEGER,
     .kinds = KIND(MODEL_DEEP),
     .offset = offsetof(struct model_spec, units),
     .min = 1,
     .max = MODEL_UNITS_MAX,
     .value = MODEL_DEEP_UNITS},
};

static const struct table named_table = {
    .what = "model",
    .name_key = "name",
    .kinds = model_names,
    .kind_count = MODEL_NAMED_COUNT,
    .kind = MODEL_LENET5,
    .kind_offset = offsetof(struct model_spec, kind),
    .keys = named_keys,
    .key_count = sizeof named_keys / sizeof *named_keys,
};

/* What may stand beside the name "deep10". */
static const struct table_key deep_keys[] = {
    {.name = "units",
     .type = TABLE_INTEGER,
     .offset = offsetof(struct model_spec, units),
     .min = 1,
     .max = MODEL_UNITS_MAX,
     .value = MODEL_DEEP_UNITS},
};
static const struct table deep_table = {.what = "model", .keys = deep_keys, .key_count = 1};

/* The N of "deepN"; -1 for another name. */
static int depth_of(const struct cJSON *name) {
    int64_t depth = 0;
    bool is_deep = name != NULL && json_type(name) == JSON_STRING &&
                   strncmp(json_text(name), "deep", 4) == 0 &&
                   num_parse_int(json_text(name) + 4, 1, MODEL_DEPTH_MAX, &depth);
    return is_deep ? (int)depth : -1;
}

/* "deep10" is {"name": "deep", "depth": 10}, and its one spelling. */
static struct cJSON *read_deep(struct table_reader *reader, const struct cJSON *json,
                               struct model_spec *model) {
    const bool is_object = json_type(json) == JSON_OBJECT;
    int depth = depth_of(is_object ? json_get(json, "name") : json);
    if (depth > 0) {
        json_delete(table_read(reader, &deep_table, is_object ? json : NULL, "name", model));
        model->kind = MODEL_DEEP;
        model->depth = depth;
    } else {
        json_delete(table_read(reader, &named_table, json, NULL, model));
    }
    char name[16];
    (void)snprintf(name, sizeof name, "deep%d", model->depth); // fits
    if (model->units == MODEL_DEEP_UNITS) {
        return json_new_string(name);
    }
    struct cJSON *identity = json_new_object();
    json_set(identity, "name", json_new_string(name));
    json_set(identity, "units", json_new_number(model->units));
    return identity;
}

static bool is_deep(const struct cJSON *name) {
    return depth_of(name) > 0 || (name != NULL && json_is_string(name, model_names[MODEL_DEEP]));
}

/* "deep0", "deep101": no depth, but nothing else was meant. */
static bool refuse_depth(struct table_reader *reader, const struct cJSON *name) {
    if (name == NULL || json_type(name) != JSON_STRING) {
        return false;
    }
    const char *text = json_text(name);
    if (strncmp(text, "deep", 4) != 0 || text[4] == '\0' ||
        strspn(text + 4, "0123456789") != strlen(text + 4)) {
        return false;
    }
    table_complain(reader, name, "unknown model \"%s\": deep has from 1 to %d hidden layers", text,
                   MODEL_DEPTH_MAX);
    return true;
}

struct cJSON *model_read(struct table_reader *reader, const struct cJSON *json, void *out) {
    struct model_spec *model = out;
    bool is_object = json != NULL && json_type(json) == JSON_OBJECT;
    const struct cJSON *name = is_object ? json_get(json, "name") : json;
    if (is_deep(name)) {
        return read_deep(reader, json, model);
    }
    if (refuse_depth(reader, name)) {
        return NULL;
    }
    const struct cJSON *layers = is_object ? json_get(json, "layers") : NULL;
    if (layers == NULL) {
        return table_read(reader, &named_table, json, NULL, out);
    }
    model->kind = MODEL_CUSTOM;
    if (json_count(json) > 1) {
        table_complain(reader, json, "\"layers\" stands alone, without a name or other keys");
    }
    size_t mark = table_enter(reader, "layers");
    struct cJSON *list = read_list(reader, layers, 1, &model->list);
    table_leave(reader, mark);
    if (list == NULL) {
        return NULL;
    }
    struct cJSON *identity = json_new_object();
    json_set(identity, "layers", list);
    return identity;
}

static void list_release(struct model_list *list) {
    for (int i = 0; i < list->count; i++) {
        list_release(&list->items[i].body);
        list_release(&list->items[i].shortcut);
    }
    free(list->items);
    *list = (struct model_list){0};
}

void model_release(struct model_spec *model) {
    list_release(&model->list);
    *model = (struct model_spec){0};
}

double model_default_dropout(enum model_kind kind) {
    return kind == MODEL_MLP ? 0.2 : 0;
}

bool model_default_batch_norm(enum model_kind kind) {
    return kind == MODEL_RESNET_SMALL;
}
