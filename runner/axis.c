#include "runner/axis.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- what multiplies ---- */

/* The list of {"values": [...]}, NULL for anything else. */
static const struct cJSON *alternatives(const struct cJSON *value) {
    return json_type(value) == JSON_OBJECT ? json_get(value, "values") : NULL;
}

static enum axis_problem check_alternatives(const struct cJSON *value) {
    const struct cJSON *list = alternatives(value);
    if (list == NULL) {
        return AXIS_FINE;
    }
    if (json_count(value) != 1) {
        return AXIS_VALUES_NOT_ALONE;
    }
    if (json_type(list) != JSON_ARRAY) {
        return AXIS_VALUES_NO_LIST;
    }
    return json_first(list) == NULL ? AXIS_VALUES_EMPTY : AXIS_FINE;
}

static bool is_container(const struct cJSON *value) {
    return json_type(value) == JSON_ARRAY || json_type(value) == JSON_OBJECT;
}

enum axis_problem axis_check(const struct cJSON *value, const struct cJSON **where) {
    enum axis_problem problem = check_alternatives(value);
    *where = value;
    if (problem == AXIS_FINE && is_container(value)) {
        for (const struct cJSON *c = json_first(value); c != NULL; c = json_next(c)) {
            problem = axis_check(c, where);
            if (problem != AXIS_FINE) {
                break;
            }
        }
    }
    return problem;
}

int64_t axis_multiplicity(const struct cJSON *value, int64_t limit) {
    const struct cJSON *list = alternatives(value);
    int64_t count = list != NULL ? 0 : 1;
    const struct cJSON *container = list != NULL ? list : value;
    if (!is_container(container)) {
        return 1;
    }
    for (const struct cJSON *c = json_first(container); c != NULL && count <= limit;
         c = json_next(c)) {
        int64_t n = axis_multiplicity(c, limit); // at most limit + 1: the product fits
        count = list != NULL ? count + n : count * n;
    }
    return count <= limit ? count : limit + 1;
}

/* ---- multiplying ---- */

struct values {
    struct cJSON **item;
    size_t count;
};

static struct values expand(const struct cJSON *value);

static struct values expand_alternatives(const struct cJSON *list) {
    struct values all = {0};
    for (const struct cJSON *c = json_first(list); c != NULL; c = json_next(c)) {
        struct values some = expand(c);
        all.item = mem_resize(all.item, all.count + some.count, sizeof *all.item);
        memcpy(all.item + all.count, some.item, some.count * sizeof *some.item);
        all.count += some.count;
        free(some.item);
    }
    return all;
}

static void put_child(struct cJSON *container, const char *key, struct cJSON *child) {
    if (key != NULL) {
        json_set(container, key, child);
    } else {
        json_append(container, child);
    }
}

/* Every container made so far, with each of `some` as its next child. */
static struct values with_child(struct values made, const char *key, struct values some) {
    struct values all = {.count = made.count * some.count};
    all.item = mem_zalloc(all.count, sizeof *all.item);
    for (size_t i = 0; i < made.count; i++) {
        for (size_t k = 0; k < some.count; k++) {
            bool last = k + 1 == some.count; // takes the container over instead of copying it
            struct cJSON *container = last ? made.item[i] : json_copy(made.item[i]);
            put_child(container, key, json_copy(some.item[k]));
            all.item[i * some.count + k] = container;
        }
    }
    for (size_t k = 0; k < some.count; k++) {
        json_delete(some.item[k]);
    }
    free(some.item);
    free(made.item);
    return all;
}

static struct values one(struct cJSON *value) {
    struct values values = {mem_zalloc(1, sizeof(struct cJSON *)), 1};
    values.item[0] = value;
    return values;
}

static struct values expand(const struct cJSON *value) {
    const struct cJSON *list = alternatives(value);
    if (list != NULL) {
        return expand_alternatives(list);
    }
    if (axis_multiplicity(value, 1) == 1) {
        return one(json_copy(value));
    }
    bool object = json_type(value) == JSON_OBJECT;
    struct values made = one(object ? json_new_object() : json_new_array());
    for (const struct cJSON *c = json_first(value); c != NULL; c = json_next(c)) {
        made = with_child(made, object ? json_key(c) : NULL, expand(c));
    }
    return made;
}

void axis_multiply(const struct cJSON *value, struct cJSON **out) {
    struct values all = expand(value);
    memcpy(out, all.item, all.count * sizeof *all.item);
    free(all.item);
}

/* ---- the way back ---- */

/* true when `made` is one of the values that `source` makes. */
static bool could_make(const struct cJSON *source, const struct cJSON *made) {
    const struct cJSON *list = alternatives(source);
    if (list != NULL) {
        for (const struct cJSON *c = json_first(list); c != NULL; c = json_next(c)) {
            if (could_make(c, made)) {
                return true;
            }
        }
        return false;
    }
    if (json_type(source) != json_type(made) || !is_container(source)) {
        return json_equal(source, made);
    }
    // what is made keeps the order of its source
    const struct cJSON *s = json_first(source), *m = json_first(made);
    while (s != NULL && m != NULL && could_make(s, m)) {
        s = json_next(s);
        m = json_next(m);
    }
    return s == NULL && m == NULL;
}

/* The alternative that `made` was made of. */
static const struct cJSON *chosen(const struct cJSON *source, const struct cJSON *made) {
    const struct cJSON *list = alternatives(source);
    while (list != NULL) {
        const struct cJSON *c = json_first(list);
        while (c != NULL && !could_make(c, made)) {
            c = json_next(c);
        }
        if (c == NULL) {
            break;
        }
        source = c;
        list = alternatives(source);
    }
    return source;
}

/* The child that the first step of the path names; `len` receives the length of the step. */
static const struct cJSON *step(const struct cJSON *value, const char *path, size_t *len) {
    if (path[0] == '[') {
        *len = strcspn(path, "]") + 1;
        if (json_type(value) != JSON_ARRAY || path[*len - 1] == '\0') {
            return NULL;
        }
        const struct cJSON *item = json_first(value);
        for (long i = strtol(path + 1, NULL, 10); i > 0 && item != NULL; i--) {
            item = json_next(item);
        }
        return item;
    }
    *len = strcspn(path, ".[");
    if (json_type(value) != JSON_OBJECT) {
        return NULL;
    }
    char *name = mem_printf("%.*s", (int)*len, path);
    const struct cJSON *member = json_get(value, name);
    free(name);
    return member;
}

const struct cJSON *axis_locate(const struct cJSON *source, const struct cJSON *made,
                                const char *path) {
    while (true) {
        if (made != NULL) {
            source = chosen(source, made);
        }
        path += path[0] == '.';
        if (path[0] == '\0') {
            return source;
        }
        size_t len;
        const struct cJSON *next = step(source, path, &len);
        if (next == NULL) {
            return source;
        }
        made = made != NULL ? step(made, path, &len) : NULL;
        source = next;
        path += len;
    }
}
