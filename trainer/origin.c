/* {"program": "besom-trainer 0.1.0", "trial": "3f0c...", "dataset": {"name": "mnist", "fingerprint": "9a41..."},
 *  "numerics": {"openblas": "0.3.21", "core": "Haswell", "threads": 1, "kernels": "x86-64-v3"}}
 * Members that are not known are passed over: a later version may have more to say. */
#include "trainer/origin.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char NAME[] = "origin.json";

enum { FILE_MAX = 1 << 20, THREADS_MAX = 65536 }; // the name of a data set may be a long path

/* A string of at least one character, and at most `max`. */
static bool take_text(char *out, size_t max, const struct cJSON *object, const char *key) {
    const struct cJSON *value = json_get(object, key);
    if (value == NULL || json_type(value) != JSON_STRING) {
        return false;
    }
    size_t len = strlen(json_text(value));
    if (len == 0 || len > max) {
        return false;
    }
    memcpy(out, json_text(value), len + 1);
    return true;
}

static bool take_hash(char out[HASH_HEX_LEN + 1], const struct cJSON *object, const char *key) {
    return take_text(out, HASH_HEX_LEN, object, key) && strlen(out) == HASH_HEX_LEN &&
           strspn(out, "0123456789abcdef") == HASH_HEX_LEN;
}

static bool take_numerics(struct numerics *out, const struct cJSON *object) {
    const struct cJSON *threads = json_get(object, "threads");
    int64_t count = 0;
    if (threads == NULL || !json_integer(threads, 1, THREADS_MAX, &count)) {
        return false;
    }
    out->threads = (int)count;
    return take_text(out->openblas, NUMERICS_NAME_MAX, object, "openblas") &&
           take_text(out->core, NUMERICS_NAME_MAX, object, "core") &&
           take_text(out->kernels, NUMERICS_NAME_MAX, object, "kernels");
}

static const struct cJSON *object_in(const struct cJSON *object, const char *key) {
    const struct cJSON *value = json_get(object, key);
    return value != NULL && json_type(value) == JSON_OBJECT ? value : NULL;
}

static bool parse(struct origin *origin, const struct buf *text) {
    struct json_doc *doc = NULL;
    struct err err;
    if (json_parse(&doc, NAME, buf_text(text), text->len, JSON_STRICT, &err) != ERR_OK) {
        return false;
    }
    const struct cJSON *root = json_root(doc);
    bool is_object = json_type(root) == JSON_OBJECT;
    const struct cJSON *numerics = is_object ? object_in(root, "numerics") : NULL;
    const struct cJSON *dataset = is_object ? object_in(root, "dataset") : NULL;
    bool good = numerics != NULL && dataset != NULL &&
                take_text(origin->program, ORIGIN_PROGRAM_MAX, root, "program") &&
                take_hash(origin->trial, root, "trial") &&
                take_hash(origin->data, dataset, "fingerprint") &&
                take_numerics(&origin->numerics, numerics);
    json_free(doc);
    return good;
}

int origin_load(struct origin *origin, const char *dir, struct err *err) {
    struct buf text = {0};
    struct origin read = {0};
    char *path = mem_printf("%s/%s", dir, NAME);
    int rc = fs_read(path, FILE_MAX, &text, err);
    if (rc == ERR_RANGE || (rc == ERR_OK && !parse(&read, &text))) {
        rc = err_set(err, ERR_CORRUPT, "%s: does not say how a training began", path);
    } else if (rc == ERR_OK) {
        *origin = read;
    }
    buf_release(&text);
    free(path);
    return rc;
}

static struct cJSON *numerics_json(const struct numerics *numerics) {
    struct cJSON *json = json_new_object();
    json_set(json, "openblas", json_new_string(numerics->openblas));
    json_set(json, "core", json_new_string(numerics->core));
    json_set(json, "threads", json_new_number(numerics->threads));
    json_set(json, "kernels", json_new_string(numerics->kernels));
    return json;
}

int origin_save(const struct origin *origin, const char *dir, const char *set, struct err *err) {
    struct cJSON *root = json_new_object(), *dataset = json_new_object();
    json_set(root, "program", json_new_string(origin->program));
    json_set(root, "trial", json_new_string(origin->trial));
    json_set(dataset, "name", json_new_string(set));
    json_set(dataset, "fingerprint", json_new_string(origin->data));
    json_set(root, "dataset", dataset);
    json_set(root, "numerics", numerics_json(&origin->numerics));
    struct buf text = {0};
    json_print_pretty(&text, root);
    buf_putc(&text, '\n');
    const struct fs_part part = {text.data, text.len};
    int rc = fs_write_atomic(dir, NAME, &part, 1, err);
    buf_release(&text);
    json_delete(root);
    return rc;
}
