#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

enum layout { LAYOUT_LINE, LAYOUT_PRETTY, LAYOUT_CANONICAL };

static void print(struct buf *out, const struct cJSON *value, enum layout layout, int depth);

static void new_line(struct buf *out, int depth) {
    buf_putc(out, '\n');
    for (int i = 0; i < depth; i++) {
        buf_puts(out, "  ");
    }
}

static int by_name(const void *a, const void *b) {
    const struct cJSON *const *x = a, *const *y = b;
    return strcmp((*x)->string, (*y)->string);
}

/* The children in the order in which they are printed. */
static const struct cJSON **ordered(const struct cJSON *container, enum layout layout,
                                    size_t *count) {
    *count = (size_t)cJSON_GetArraySize(container);
    const struct cJSON **children = mem_zalloc(*count + 1, sizeof *children);
    size_t i = 0;
    for (const struct cJSON *c = container->child; c != NULL; c = c->next) {
        children[i++] = c;
    }
    if (layout == LAYOUT_CANONICAL && cJSON_IsObject(container)) {
        qsort(children, *count, sizeof *children, by_name);
    }
    return children;
}

static void print_container(struct buf *out, const struct cJSON *value, enum layout layout,
                            int depth) {
    bool object = cJSON_IsObject(value);
    size_t count;
    const struct cJSON **children = ordered(value, layout, &count);
    buf_putc(out, object ? '{' : '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_puts(out, layout == LAYOUT_LINE ? ", " : ",");
        }
        if (layout == LAYOUT_PRETTY) {
            new_line(out, depth + 1);
        }
        if (object) {
            buf_json_string(out, children[i]->string, strlen(children[i]->string));
            buf_puts(out, layout == LAYOUT_CANONICAL ? ":" : ": ");
        }
        print(out, children[i], layout, depth + 1);
    }
    if (layout == LAYOUT_PRETTY && count > 0) {
        new_line(out, depth);
    }
    buf_putc(out, object ? '}' : ']');
    free(children);
}

static void print(struct buf *out, const struct cJSON *value, enum layout layout, int depth) {
    switch (json_type(value)) {
    case JSON_NULL:
        buf_puts(out, "null");
        break;
    case JSON_BOOL:
        buf_puts(out, json_bool(value) ? "true" : "false");
        break;
    case JSON_NUMBER:
        buf_json_number(out, json_number(value));
        break;
    case JSON_STRING:
        buf_json_string(out, json_text(value), strlen(json_text(value)));
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        print_container(out, value, layout, depth);
        break;
    }
}

void json_print(struct buf *out, const struct cJSON *value) {
    print(out, value, LAYOUT_LINE, 0);
}

void json_print_pretty(struct buf *out, const struct cJSON *value) {
    print(out, value, LAYOUT_PRETTY, 0);
}

void json_print_canonical(struct buf *out, const struct cJSON *value) {
    print(out, value, LAYOUT_CANONICAL, 0);
}
