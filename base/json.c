#include "base/json.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json_scan.h"
#include "base/mem.h"
#include "base/num.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where a value starts. */
struct place {
    const struct cJSON *value;
    uint32_t offset;
};

struct json_doc {
    char *name;
    char *text; // comments blanked, lengths as they were
    struct cJSON *root;
    struct place *places; // by address of the value
    size_t place_count;
};

static void line_of(const char *text, size_t offset, int *line, int *column) {
    *line = 1;
    size_t start = 0;
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            ++*line;
            start = i + 1;
        }
    }
    *column = (int)(offset - start) + 1;
}

/* ---- documents ---- */

static int by_address(const void *a, const void *b) {
    const struct place *x = a, *y = b;
    return ((uintptr_t)x->value > (uintptr_t)y->value) -
           ((uintptr_t)x->value < (uintptr_t)y->value);
}

/* The tree is walked in document order, the order of the scanner's offsets. */
static void number_values(struct json_doc *doc, const struct cJSON *value,
                          const struct json_scan *scan) {
    doc->places[doc->place_count] = (struct place){value, scan->offset[doc->place_count]};
    doc->place_count++;
    for (const struct cJSON *child = value->child; child != NULL; child = child->next) {
        number_values(doc, child, scan);
    }
}

static int by_name(const void *a, const void *b) {
    const struct cJSON *const *x = a, *const *y = b;
    int order = strcmp((*x)->string, (*y)->string);
    return order != 0 ? order : by_address(&(struct place){*x, 0}, &(struct place){*y, 0});
}

static size_t sorted_members(const struct cJSON *object, const struct cJSON ***members) {
    size_t count = 0, i = 0;
    for (const struct cJSON *m = object->child; m != NULL; m = m->next) {
        count++;
    }
    *members = mem_zalloc(count + 1, sizeof **members);
    for (const struct cJSON *m = object->child; m != NULL; m = m->next) {
        (*members)[i++] = m;
    }
    qsort(*members, count, sizeof **members, by_name);
    return count;
}

static int check_names(const struct json_doc *doc, const struct cJSON *value, struct err *err) {
    int rc = ERR_OK;
    if (cJSON_IsObject(value)) {
        const struct cJSON **members;
        size_t count = sorted_members(value, &members);
        for (size_t i = 1; i < count && rc == ERR_OK; i++) {
            if (strcmp(members[i - 1]->string, members[i]->string) == 0) {
                int line, column, line2, column2;
                json_where(doc, members[i - 1], &line, &column);
                json_where(doc, members[i], &line2, &column2);
                bool first = line < line2 || (line == line2 && column < column2);
                struct buf name = {0}; // a trainer wrote it, a terminal shows it: escaped
                buf_json_string(&name, members[i]->string, strlen(members[i]->string));
                rc = err_set(err, ERR_PARSE, "%s:%d:%d: repeated name %.200s, first in line %d",
                             doc->name, first ? line2 : line, first ? column2 : column,
                             buf_text(&name), first ? line : line2);
                buf_release(&name);
            }
        }
        free(members);
    }
    for (const struct cJSON *c = value->child; c != NULL && rc == ERR_OK; c = c->next) {
        rc = check_names(doc, c, err);
    }
    return rc;
}

/* Before main(): later, another thread might be parsing.  Without it a text that was good would be refused when memory
 * is short, and a trainer's record with it. */
__attribute__((constructor)) static void use_our_memory(void) {
    cJSON_Hooks hooks = {.malloc_fn = mem_malloc, .free_fn = free};
    cJSON_InitHooks(&hooks);
}

static int build(struct json_doc *doc, struct json_scan *scan, struct err *err) {
    if (!json_scan_run(scan)) {
        int line, column;
        line_of(scan->text, scan->at, &line, &column);
        return err_set(err, ERR_PARSE, "%s:%d:%d: %s", doc->name, line, column, scan->what);
    }
    doc->root = cJSON_ParseWithLength(scan->text, scan->len);
    if (doc->root == NULL) {
        return err_set(err, ERR_PARSE, "%s: not accepted by the JSON library", doc->name);
    }
    doc->places = mem_zalloc(scan->count, sizeof *doc->places);
    number_values(doc, doc->root, scan);
    assert(doc->place_count == scan->count);
    qsort(doc->places, doc->place_count, sizeof *doc->places, by_address);
    return check_names(doc, doc->root, err);
}

int json_parse(struct json_doc **doc, const char *name, const char *text, size_t len, int flags,
               struct err *err) {
    if (len > JSON_FILE_MAX) {
        return err_set(err, ERR_PARSE, "%s: longer than %d bytes", name, JSON_FILE_MAX);
    }
    struct json_doc *d = mem_zalloc(1, sizeof *d);
    d->name = mem_strdup(name);
    d->text = mem_zalloc(len + 1, 1);
    memcpy(d->text, text, len);
    struct json_scan scan = {.text = d->text, .len = len, .comments = flags & JSON_COMMENTS};
    int rc = build(d, &scan, err);
    free(scan.offset);
    if (rc == ERR_OK) {
        *doc = d;
    } else {
        json_free(d);
    }
    return rc;
}

int json_load(struct json_doc **doc, const char *path, int flags, struct err *err) {
    struct buf text = {0};
    int rc = fs_read(path, JSON_FILE_MAX, &text, err);
    if (rc == ERR_OK) {
        rc = json_parse(doc, path, buf_text(&text), text.len, flags, err);
    }
    buf_release(&text);
    return rc;
}

void json_free(struct json_doc *doc) {
    if (doc != NULL) {
        cJSON_Delete(doc->root);
        free(doc->places);
        free(doc->text);
        free(doc->name);
        free(doc);
    }
}

struct cJSON *json_root(const struct json_doc *doc) {
    return doc->root;
}

const char *json_name(const struct json_doc *doc) {
    return doc->name;
}

void json_where(const struct json_doc *doc, const struct cJSON *value, int *line, int *column) {
    const struct place key = {value, 0};
    const struct place *found =
        bsearch(&key, doc->places, doc->place_count, sizeof *doc->places, by_address);
    *line = *column = 0;
    if (found != NULL) {
        line_of(doc->text, found->offset, line, column);
    }
}

/* ---- reading ---- */

enum json_type json_type(const struct cJSON *value) {
    switch (value->type & 0xff) {
    case cJSON_False:
    case cJSON_True:
        return JSON_BOOL;
    case cJSON_Number:
        return JSON_NUMBER;
    case cJSON_String:
        return JSON_STRING;
    case cJSON_Array:
        return JSON_ARRAY;
    case cJSON_Object:
        return JSON_OBJECT;
    default:
        return JSON_NULL;
    }
}

const char *json_type_name(enum json_type type) {
    static const char *const names[] = {"null",     "a boolean", "a number",
                                        "a string", "a list",    "an object"};
    return names[type];
}

const char *json_key(const struct cJSON *value) {
    return value->string;
}

struct cJSON *json_first(const struct cJSON *container) {
    return container->child;
}

struct cJSON *json_next(const struct cJSON *value) {
    return value->next;
}

int json_count(const struct cJSON *container) {
    return cJSON_GetArraySize(container);
}

struct cJSON *json_get(const struct cJSON *object, const char *key) {
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

const char *json_text(const struct cJSON *string) {
    assert(cJSON_IsString(string));
    return string->valuestring;
}

double json_number(const struct cJSON *number) {
    assert(cJSON_IsNumber(number));
    return number->valuedouble;
}

bool json_bool(const struct cJSON *boolean) {
    assert(cJSON_IsBool(boolean));
    return cJSON_IsTrue(boolean);
}

bool json_is_string(const struct cJSON *value, const char *text) {
    return cJSON_IsString(value) && strcmp(value->valuestring, text) == 0;
}

bool json_integer(const struct cJSON *value, int64_t min, int64_t max, int64_t *out) {
    if (!cJSON_IsNumber(value)) {
        return false;
    }
    double number = value->valuedouble;
    if (number != floor(number) || fabs(number) > 0x1p53 || number < (double)min ||
        number > (double)max) {
        return false;
    }
    *out = (int64_t)number;
    return true;
}

bool json_metric(const struct cJSON *value, double *out) {
    if (cJSON_IsNumber(value)) {
        *out = value->valuedouble;
        return true;
    }
    if (json_is_string(value, "nan") || json_is_string(value, "inf") ||
        json_is_string(value, "-inf")) {
        return num_parse(value->valuestring, out);
    }
    return false;
}

bool json_equal(const struct cJSON *a, const struct cJSON *b) {
    struct buf x = {0}, y = {0};
    json_print_canonical(&x, a);
    json_print_canonical(&y, b);
    bool equal = strcmp(buf_text(&x), buf_text(&y)) == 0;
    buf_release(&x);
    buf_release(&y);
    return equal;
}

/* ---- building ---- */

/* cJSON's constructors answer NULL only when memory is out, which use_our_memory() makes impossible. */
static struct cJSON *made(struct cJSON *value) {
    if (value == NULL) {
        mem_exhausted();
    }
    return value;
}

struct cJSON *json_new_object(void) {
    return made(cJSON_CreateObject());
}

struct cJSON *json_new_array(void) {
    return made(cJSON_CreateArray());
}

struct cJSON *json_new_null(void) {
    return made(cJSON_CreateNull());
}

struct cJSON *json_new_bool(bool value) {
    return made(cJSON_CreateBool(value));
}

struct cJSON *json_new_number(double value) {
    if (!isfinite(value)) {
        char text[NUM_TEXT_MAX];
        (void)num_format(text, value); // the length is not needed
        return json_new_string(text);
    }
    return made(cJSON_CreateNumber(value));
}

struct cJSON *json_new_string(const char *text) {
    return made(cJSON_CreateString(text));
}

struct cJSON *json_copy(const struct cJSON *value) {
    struct cJSON *copy = made(cJSON_Duplicate(value, true));
    if (copy->string != NULL) {
        cJSON_free(copy->string);
        copy->string = NULL;
    }
    return copy;
}

void json_delete(struct cJSON *value) {
    cJSON_Delete(value);
}

void json_set(struct cJSON *object, const char *key, struct cJSON *value) {
    if (cJSON_GetObjectItemCaseSensitive(object, key) != NULL) {
        (void)cJSON_ReplaceItemInObjectCaseSensitive(object, key, value); // it is there
    } else if (!cJSON_AddItemToObject(object, key, value)) {
        mem_exhausted();
    }
}

void json_append(struct cJSON *array, struct cJSON *value) {
    (void)cJSON_AddItemToArray(array, value); // fails for NULL only
}

void json_remove(struct cJSON *object, const char *key) {
    cJSON_DeleteItemFromObjectCaseSensitive(object, key);
}

/* ---- dotted paths ---- */

const struct cJSON *json_path_get(const struct cJSON *object, const char *path) {
    const struct cJSON *at = object;
    while (at != NULL) {
        size_t len = strcspn(path, ".");
        bool last = path[len] == '\0';
        if (cJSON_IsString(at)) { // "x" for {"name": "x"}
            return last && strcmp(path, "name") == 0 ? at : NULL;
        }
        if (!cJSON_IsObject(at)) {
            return NULL;
        }
        const struct cJSON *child = at->child;
        while (child != NULL &&
               !(strncmp(child->string, path, len) == 0 && child->string[len] == '\0')) {
            child = child->next;
        }
        if (last) {
            return child;
        }
        at = child;
        path += len + 1;
    }
    return NULL;
}

int json_path_set(struct cJSON *object, const char *path, struct cJSON *value, struct err *err) {
    struct cJSON *at = object;
    const char *rest = path;
    for (size_t len = strcspn(rest, "."); rest[len] != '\0'; len = strcspn(rest, ".")) {
        char *name = mem_printf("%.*s", (int)len, rest);
        struct cJSON *child = json_get(at, name);
        if (child == NULL || cJSON_IsString(child)) {
            struct cJSON *made_object = json_new_object();
            if (child != NULL) {
                json_set(made_object, "name", json_copy(child));
            }
            json_set(at, name, made_object);
            child = made_object;
        }
        free(name);
        if (!cJSON_IsObject(child)) {
            json_delete(value);
            return err_set(err, ERR_RANGE, "path \"%s\": \"%.*s\" is %s, not an object", path,
                           (int)(rest + len - path), path, json_type_name(json_type(child)));
        }
        at = child;
        rest += len + 1;
    }
    json_set(at, rest, value);
    return ERR_OK;
}
