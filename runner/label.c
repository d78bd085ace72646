#include "runner/label.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"
#include "runner/sweep.h"
#include "runner/value.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_MAX = 64 }; // keys of an object that can differ; what is beyond is not shown

static const char *last_part(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot != NULL ? dot + 1 : path;
}

const char *label_path_in_short(const struct sweep *sweep, int axis) {
    const char *path = sweep->axes[axis].path;
    for (int a = 0; a < sweep->axis_count; a++) {
        if (a != axis && strcmp(last_part(sweep->axes[a].path), last_part(path)) == 0) {
            return path;
        }
    }
    return last_part(path);
}

/* ---- values in short ---- */

static void put_number(struct buf *out, double value, bool exact) {
    char text[NUM_TEXT_MAX];
    bool whole = value == floor(value) && fabs(value) < 1e15;
    if (whole || exact) {
        (void)num_format(text, value); // the length is not needed
    } else {
        (void)num_human(text, value, 4);
    }
    buf_puts(out, text);
}

/* What an object or a layer is called: its name or type; NULL when it has neither. */
static const char *name_of(const struct cJSON *value) {
    if (json_type(value) == JSON_STRING) {
        return json_text(value);
    }
    if (json_type(value) != JSON_OBJECT) {
        return NULL;
    }
    const struct cJSON *name = json_get(value, "name");
    name = name != NULL ? name : json_get(value, "type");
    return name != NULL && json_type(name) == JSON_STRING ? json_text(name) : NULL;
}

static bool is_name_key(const struct cJSON *member) {
    return strcmp(json_key(member), "name") == 0 || strcmp(json_key(member), "type") == 0;
}

static void put_value(struct buf *out, const struct cJSON *value, bool exact);

static void put_members(struct buf *out, const struct cJSON *object, bool named, bool exact) {
    const char *separator = "";
    for (const struct cJSON *m = json_first(object); m != NULL; m = json_next(m)) {
        if (!named || !is_name_key(m)) {
            buf_printf(out, "%s%s=", separator, json_key(m));
            put_value(out, m, exact);
            separator = ",";
        }
    }
}

/* A layer by its type and its first number, mostly its width. */
static void put_layer(struct buf *out, const struct cJSON *layer, bool exact) {
    buf_puts(out, name_of(layer));
    if (json_type(layer) == JSON_OBJECT && exact) {
        buf_putc(out, '(');
        put_members(out, layer, true, exact);
        buf_putc(out, ')');
    } else if (json_type(layer) == JSON_OBJECT) {
        const struct cJSON *m = json_first(layer);
        while (m != NULL && json_type(m) != JSON_NUMBER) {
            m = json_next(m);
        }
        if (m != NULL) {
            put_number(out, json_number(m), exact);
        }
    }
}

static void put_list(struct buf *out, const struct cJSON *list, bool exact) {
    bool layers = json_first(list) != NULL;
    for (const struct cJSON *i = json_first(list); i != NULL; i = json_next(i)) {
        layers = layers && name_of(i) != NULL;
    }
    buf_puts(out, layers ? "" : "[");
    for (const struct cJSON *i = json_first(list); i != NULL; i = json_next(i)) {
        buf_puts(out, i == json_first(list) ? "" : layers ? "-" : ",");
        if (layers) {
            put_layer(out, i, exact);
        } else {
            put_value(out, i, exact);
        }
    }
    buf_puts(out, layers ? "" : "]");
}

static void put_object(struct buf *out, const struct cJSON *object, bool exact) {
    const char *name = name_of(object);
    const struct cJSON *layers = json_get(object, "layers");
    if (name == NULL && layers != NULL && json_type(layers) == JSON_ARRAY &&
        json_count(object) == 1) {
        put_list(out, layers, exact);
    } else if (name != NULL && json_count(object) == 1) {
        buf_puts(out, name);
    } else {
        buf_puts(out, name != NULL ? name : "");
        buf_putc(out, name != NULL ? '(' : '{');
        put_members(out, object, name != NULL, exact);
        buf_putc(out, name != NULL ? ')' : '}');
    }
}

static void put_value(struct buf *out, const struct cJSON *value, bool exact) {
    switch (json_type(value)) {
    case JSON_NULL:
        buf_puts(out, "null");
        break;
    case JSON_BOOL:
        buf_puts(out, json_bool(value) ? "true" : "false");
        break;
    case JSON_NUMBER:
        put_number(out, json_number(value), exact);
        break;
    case JSON_STRING:
        buf_puts(out, json_text(value));
        break;
    case JSON_ARRAY:
        put_list(out, value, exact);
        break;
    case JSON_OBJECT:
        put_object(out, value, exact);
        break;
    }
}

/* ---- values of one name, and in what they differ ---- */

struct named {
    const char *name;
    int index;
};

struct keys {
    const char *key[KEYS_MAX];
    int count;
};

static bool keys_have(const struct keys *keys, const char *key) {
    for (int i = 0; i < keys->count; i++) {
        if (strcmp(keys->key[i], key) == 0) {
            return true;
        }
    }
    return false;
}

static const struct cJSON *member(const struct cJSON *value, const char *key) {
    return json_type(value) == JSON_OBJECT ? json_get(value, key) : NULL;
}

/* Adds the keys of `a` that `b` has not, or otherwise. */
static void add_differences(struct keys *keys, const struct cJSON *a, const struct cJSON *b) {
    if (json_type(a) != JSON_OBJECT) {
        return;
    }
    for (const struct cJSON *m = json_first(a); m != NULL; m = json_next(m)) {
        const struct cJSON *other = member(b, json_key(m));
        bool differs = other == NULL || !value_same(m, other);
        if (differs && !is_name_key(m) && keys->count < KEYS_MAX && !keys_have(keys, json_key(m))) {
            keys->key[keys->count++] = json_key(m);
        }
    }
}

static void put_named(struct buf *out, const struct cJSON *value, const struct keys *keys,
                      bool exact) {
    buf_puts(out, name_of(value));
    for (const struct cJSON *m = json_type(value) == JSON_OBJECT ? json_first(value) : NULL;
         m != NULL; m = json_next(m)) {
        if (keys_have(keys, json_key(m))) {
            buf_printf(out, " %s=", json_key(m));
            put_value(out, m, exact);
        }
    }
}

static void put_unnamed(struct buf *out, const struct cJSON *value, const char *number_name,
                        bool exact) {
    if (json_type(value) == JSON_OBJECT) {
        put_object(out, value, exact);
        return;
    }
    buf_printf(out, "%s=", number_name);
    put_value(out, value, exact);
}

static void cut(struct buf *text) {
    if (text->len > LABEL_MAX) {
        size_t len = LABEL_MAX - 3;
        while (len > 0 && ((unsigned char)text->data[len] & 0xc0) == 0x80) {
            len--; // not within a character
        }
        text->len = len;
        buf_puts(text, "...");
    }
}

static int by_name(const void *a, const void *b) {
    const struct named *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

/* Labels the values named alike, whose keys that differ are found by comparing each with the first. */
static void label_group(struct sweep_axis *axis, const struct named *group, int count, bool exact) {
    struct keys keys = {.count = 0};
    for (int i = 1; i < count; i++) {
        const struct cJSON *first = axis->value[group[0].index];
        add_differences(&keys, axis->value[group[i].index], first);
        add_differences(&keys, first, axis->value[group[i].index]);
    }
    for (int i = 0; i < count; i++) {
        struct buf text = {0};
        put_named(&text, axis->value[group[i].index], &keys, exact);
        if (!exact) {
            cut(&text);
        }
        free(axis->label[group[i].index]);
        axis->label[group[i].index] = buf_detach(&text);
    }
}

static void label_all(struct sweep_axis *axis, const char *number_name, bool exact) {
    struct named *named = mem_zalloc((size_t)axis->count, sizeof *named);
    int count = 0;
    for (int i = 0; i < axis->count; i++) {
        const char *name = name_of(axis->value[i]);
        if (name != NULL) {
            named[count++] = (struct named){name, i};
            continue;
        }
        struct buf text = {0};
        put_unnamed(&text, axis->value[i], number_name, exact);
        if (!exact) {
            cut(&text);
        }
        free(axis->label[i]);
        axis->label[i] = buf_detach(&text);
    }
    qsort(named, (size_t)count, sizeof *named, by_name);
    for (int from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && strcmp(named[to].name, named[from].name) == 0;) {
            to++;
        }
        label_group(axis, named + from, to - from, exact);
    }
    free(named);
}

static bool all_differ(const struct sweep_axis *axis) {
    struct named *sorted = mem_zalloc((size_t)axis->count, sizeof *sorted);
    for (int i = 0; i < axis->count; i++) {
        sorted[i] = (struct named){axis->label[i], i};
    }
    qsort(sorted, (size_t)axis->count, sizeof *sorted, by_name);
    bool differ = true;
    for (int i = 1; i < axis->count && differ; i++) {
        differ = strcmp(sorted[i - 1].name, sorted[i].name) != 0;
    }
    free(sorted);
    return differ;
}

static void label_plainly(struct sweep_axis *axis, const char *number_name, bool exact) {
    label_all(axis, number_name, exact);
    for (int i = 0; i < axis->count; i++) {
        utf8_plain(axis->label[i]); // it goes to terminals and into tables
    }
}

void label_axis(struct sweep_axis *axis, const char *number_name) {
    axis->label = mem_zalloc((size_t)axis->count, sizeof *axis->label);
    label_plainly(axis, number_name, false);
    if (all_differ(axis)) {
        return;
    }
    label_plainly(axis, number_name, true);
    bool numbered_too = !all_differ(axis); // "lr=1" beside 1, or more than KEYS_MAX keys
    for (int i = 0; i < axis->count && numbered_too; i++) {
        char *numbered = mem_printf("%s #%d", axis->label[i], i + 1);
        free(axis->label[i]);
        axis->label[i] = numbered;
    }
}
