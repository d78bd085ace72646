/* trainer/model_build.c - from a model as it is written to the list of its layers. */
#include "trainer/model.h"

#include "base/err.h"
#include "base/mem.h"
#include "trainer/gain.h"

#include <stdlib.h>

struct builder {
    const struct model_choices *choices;
    struct layer_spec *layers; // owned until the end
    int count, cap;
    int rc; // of the first thing that went wrong; after that nothing is added
    struct err *err;
};

static void add(struct builder *builder, const struct layer_spec *layer) {
    if (builder->rc != ERR_OK) {
        return;
    }
    if (builder->count == builder->cap) {
        builder->cap = builder->cap == 0 ? 32 : 2 * builder->cap;
        builder->layers = mem_resize(builder->layers, (size_t)builder->cap, sizeof *layer);
    }
    builder->layers[builder->count++] = *layer;
}

static void add_kind(struct builder *builder, enum layer_kind kind) {
    add(builder, &(struct layer_spec){.kind = kind});
}

/* ---- activations ---- */

/* The dense or conv2d layer whose width becomes a maxout's input: the last one, or the one behind
 * which there is only batch normalization.  NULL when there is none. */
static struct layer_spec *layer_to_widen(struct builder *builder) {
    int at = builder->count - 1;
    if (at >= 0 && builder->layers[at].kind == LAYER_BATCH_NORM) {
        at--;
    }
    bool can = at >= 0 && (builder->layers[at].kind == LAYER_DENSE ||
                           builder->layers[at].kind == LAYER_CONV2D);
    return can ? &builder->layers[at] : NULL;
}

static int widen(struct builder *builder, int pieces) {
    struct layer_spec *before = layer_to_widen(builder);
    if (before == NULL) {
        return err_set(builder->err, ERR_RANGE,
                       "maxout must follow a dense or conv2d layer, with at most a batch_norm in "
                       "between");
    }
    int *width = before->kind == LAYER_DENSE ? &before->units : &before->channels;
    if (*width > MODEL_UNITS_MAX * 16 / pieces) {
        return err_set(builder->err, ERR_RANGE, "maxout of %d pieces makes a layer of %d too wide",
                       pieces, *width);
    }
    *width *= pieces;
    return ERR_OK;
}

static void add_activation(struct builder *builder, const struct activation_spec *activation) {
    if (builder->rc == ERR_OK && activation->kind == ACTIVATION_MAXOUT) {
        builder->rc = widen(builder, activation->pieces);
    }
    add(builder, &(struct layer_spec){.kind = LAYER_ACTIVATION, .activation = *activation});
}

/* ---- named models ---- */

static void add_batch_norm(struct builder *builder) {
    if (builder->choices->batch_norm) {
        add(builder, &(struct layer_spec){.kind = LAYER_BATCH_NORM,
                                          .eps = MODEL_BATCH_NORM_EPS,
                                          .momentum = MODEL_BATCH_NORM_MOMENTUM});
    }
}

static void add_dropout(struct builder *builder) {
    if (builder->choices->dropout > 0) {
        add(builder,
            &(struct layer_spec){.kind = LAYER_DROPOUT, .p = (float)builder->choices->dropout});
    }
}

static void add_dense(struct builder *builder, int units) {
    add(builder,
        &(struct layer_spec){.kind = LAYER_DENSE, .units = units, .init = builder->choices->init});
}

/* A hidden dense layer; batch normalization where wanted, the activation, dropout where wanted. */
static void add_hidden(struct builder *builder, int units) {
    add_dense(builder, units);
    add_batch_norm(builder);
    add_activation(builder, &builder->choices->activation);
    add_dropout(builder);
}

/* A convolution, with batch normalization where wanted. */
static void add_plain_conv(struct builder *builder, int channels, int kernel, int stride,
                           int padding) {
    add(builder, &(struct layer_spec){.kind = LAYER_CONV2D,
                                      .channels = channels,
                                      .kernel = kernel,
                                      .stride = stride,
                                      .padding = padding,
                                      .init = builder->choices->init});
    add_batch_norm(builder);
}

static void add_conv(struct builder *builder, int channels, int kernel, int padding) {
    add_plain_conv(builder, channels, kernel, 1, padding);
    add_activation(builder, &builder->choices->activation);
}

static void add_maxpool(struct builder *builder) {
    add(builder, &(struct layer_spec){.kind = LAYER_MAXPOOL, .kernel = 2, .stride = 2});
}

/* LeCun et al. 1998, with maxima for its trainable means */
static void build_lenet5(struct builder *builder, int classes) {
    add_conv(builder, 6, 5, 2);
    add_maxpool(builder);
    add_conv(builder, 16, 5, 0);
    add_maxpool(builder);
    add_kind(builder, LAYER_FLATTEN);
    add_hidden(builder, 120);
    add_hidden(builder, 84);
    add_dense(builder, classes);
}

static void build_dense(struct builder *builder, int depth, int units, int classes) {
    add_kind(builder, LAYER_FLATTEN);
    for (int i = 0; i < depth; i++) {
        add_hidden(builder, units);
    }
    add_dense(builder, classes);
}

/* After Simonyan, Zisserman 2015: 3x3 convolutions in pairs, each pair at half the side of the last */
static void build_vgg_small(struct builder *builder, int classes) {
    for (int channels = 32; channels <= 64; channels *= 2) {
        add_conv(builder, channels, 3, 1);
        add_conv(builder, channels, 3, 1);
        add_maxpool(builder);
    }
    add_kind(builder, LAYER_FLATTEN);
    add_hidden(builder, 256);
    add_dense(builder, classes);
}

/* Two 3x3 convolutions beside the identity; where the shape changes, beside a 1x1 convolution. */
static void add_residual(struct builder *builder, int channels, int stride) {
    add_kind(builder, LAYER_RESIDUAL);
    add_plain_conv(builder, channels, 3, stride, 1);
    add_activation(builder, &builder->choices->activation);
    add_plain_conv(builder, channels, 3, 1, 1);
    add_kind(builder, LAYER_SHORTCUT);
    if (stride > 1) {
        add_plain_conv(builder, channels, 1, stride, 0);
    }
    add_kind(builder, LAYER_JOIN);
    add_activation(builder, &builder->choices->activation);
}

/* The residual networks for small images of He et al. 2015, with one block a stage: their n = 1 */
static void build_resnet_small(struct builder *builder, int classes) {
    add_conv(builder, 16, 3, 1);
    add_residual(builder, 16, 1);
    add_residual(builder, 32, 2);
    add_residual(builder, 64, 2);
    add_kind(builder, LAYER_GLOBALAVGPOOL);
    add_dropout(builder);
    add_dense(builder, classes);
}

static void build_named(struct builder *builder, const struct model_spec *model, int classes) {
    switch (model->kind) {
    case MODEL_LOGISTIC:
        build_dense(builder, 0, 0, classes);
        return;
    case MODEL_MLP:
        build_dense(builder, 1, 512, classes);
        return;
    case MODEL_LENET5:
        build_lenet5(builder, classes);
        return;
    case MODEL_DEEP:
        build_dense(builder, model->depth, model->units, classes);
        return;
    case MODEL_VGG_SMALL:
        build_vgg_small(builder, classes);
        return;
    case MODEL_RESNET_SMALL:
        build_resnet_small(builder, classes);
        return;
    case MODEL_CUSTOM:
        return; // has items
    }
}

/* ---- lists ---- */

static void build_list(struct builder *builder, const struct model_list *list);

static void build_item(struct builder *builder, const struct model_item *item) {
    struct layer_spec layer = item->layer;
    if (layer.kind == LAYER_ACTIVATION) {
        add_activation(builder,
                       item->has_activation ? &layer.activation : &builder->choices->activation);
        return;
    }
    if (!item->has_init) {
        layer.init = builder->choices->init;
    }
    add(builder, &layer);
    if (layer.kind == LAYER_RESIDUAL) {
        build_list(builder, &item->body);
        add_kind(builder, LAYER_SHORTCUT);
        build_list(builder, &item->shortcut);
        add_kind(builder, LAYER_JOIN);
    }
    if (item->has_activation) {
        add_activation(builder, &item->activation);
    }
}

static void build_list(struct builder *builder, const struct model_list *list) {
    for (int i = 0; i < list->count; i++) {
        build_item(builder, &list->items[i]);
    }
}

int model_build(const struct model_spec *model, const struct model_choices *choices, int classes,
                struct layer_spec **layers, int *count, int *bad, struct err *err) {
    struct builder builder = {.choices = choices, .rc = ERR_OK, .err = err};
    int item = -1;
    build_named(&builder, model, classes);
    while (builder.rc == ERR_OK && item + 1 < model->list.count) {
        build_item(&builder, &model->list.items[++item]);
    }
    if (builder.rc != ERR_OK) {
        free(builder.layers);
        *bad = item;
        return builder.rc;
    }
    gain_settle(builder.layers, builder.count);
    *layers = builder.layers;
    *count = builder.count;
    return ERR_OK;
}
