#include "runner/value.h"

#include "base/buf.h"
#include "base/json.h"

#include <stddef.h>

/* The "x" of {"name": "x"}, anything else as it is. */
static const struct cJSON *unwrap(const struct cJSON *value) {
    if (json_type(value) == JSON_OBJECT && json_count(value) == 1) {
        const struct cJSON *name = json_get(value, "name");
        return name != NULL && json_type(name) == JSON_STRING ? name : value;
    }
    return value;
}

static bool same_members(const struct cJSON *a, const struct cJSON *b) {
    if (json_count(a) != json_count(b)) {
        return false;
    }
    for (const struct cJSON *m = json_first(a); m != NULL; m = json_next(m)) {
        const struct cJSON *other = json_get(b, json_key(m));
        if (other == NULL || !value_same(m, other)) {
            return false;
        }
    }
    return true;
}

static bool same_items(const struct cJSON *a, const struct cJSON *b) {
    const struct cJSON *x = json_first(a), *y = json_first(b);
    while (x != NULL && y != NULL && value_same(x, y)) {
        x = json_next(x);
        y = json_next(y);
    }
    return x == NULL && y == NULL;
}

bool value_same(const struct cJSON *a, const struct cJSON *b) {
    a = unwrap(a);
    b = unwrap(b);
    if (json_type(a) != json_type(b)) {
        return false;
    }
    switch (json_type(a)) {
    case JSON_NULL:
        return true;
    case JSON_BOOL:
        return json_bool(a) == json_bool(b);
    case JSON_NUMBER:
        return json_number(a) == json_number(b);
    case JSON_STRING:
        return json_is_string(a, json_text(b));
    case JSON_ARRAY:
        return same_items(a, b);
    case JSON_OBJECT:
        return same_members(a, b);
    }
    return false;
}

/* A copy in which every {"name": "x"} is "x" and -0 is 0. */
static struct cJSON *normal(const struct cJSON *value) {
    value = unwrap(value);
    struct cJSON *copy;
    switch (json_type(value)) {
    case JSON_NUMBER:
        return json_new_number(json_number(value) + 0.0);
    case JSON_ARRAY:
        copy = json_new_array();
        for (const struct cJSON *c = json_first(value); c != NULL; c = json_next(c)) {
            json_append(copy, normal(c));
        }
        return copy;
    case JSON_OBJECT:
        copy = json_new_object();
        for (const struct cJSON *c = json_first(value); c != NULL; c = json_next(c)) {
            json_set(copy, json_key(c), normal(c));
        }
        return copy;
    default:
        return json_copy(value);
    }
}

void value_print_normal(struct buf *out, const struct cJSON *value) {
    struct cJSON *copy = normal(value);
    json_print_canonical(out, copy);
    json_delete(copy);
}
