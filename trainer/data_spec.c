/* trainer/data_spec.c - two tables: of sets that are read, and of sets that are made. */
#include "trainer/data_spec.h"

#include "base/diag.h"
#include "base/json.h"
#include "base/mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KIND(k)     (1u << (k))
#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

enum { SAMPLES_MAX = 1000000000, MADE_MAX = 10000000, NUMBERS_MAX = 65536, COLUMN_MAX = 1 << 22 };

/* ---- values that are no plain numbers ---- */

static void complain(struct table_reader *reader, const struct cJSON *value, const char *wanted) {
    enum { SHOWN_MAX = 60 };
    struct buf shown = {0};
    json_print(&shown, value);
    table_complain(reader, value, "must be %s, not %.*s%s", wanted, SHOWN_MAX, buf_text(&shown),
                   shown.len > SHOWN_MAX ? "..." : "");
    buf_release(&shown);
}

static void list_release(struct number_list *list) {
    free(list->values);
    *list = (struct number_list){0};
}

/* 0 to below 1: a share; else a whole number */
static struct cJSON *read_validation(struct table_reader *reader, const struct cJSON *json,
                                     void *out) {
    double *validation = out;
    *validation = 0;
    if (json == NULL) {
        return NULL;
    }
    double number = json_type(json) == JSON_NUMBER ? json_number(json) + 0.0 : -1;
    if (number < 0 || number > SAMPLES_MAX || (number >= 1 && floor(number) != number)) {
        complain(reader, json, "a number of images, or a share of them below 1");
        return NULL;
    }
    *validation = number;
    return number > 0 ? json_new_number(number) : NULL;
}

/* The index of the name that `json` is; `count`, with a complaint, when it is none of them. */
static int read_choice(struct table_reader *reader, const struct cJSON *json, const char *what,
                       const char *const *names, int count) {
    if (json_type(json) != JSON_STRING) {
        complain(reader, json, "a name");
        return count;
    }
    for (int i = 0; i < count; i++) {
        if (json_is_string(json, names[i])) {
            return i;
        }
    }
    struct buf text = {0};
    buf_printf(&text, "unknown %s \"%s\"", what, json_text(json));
    diag_suggest(&text, json_text(json), names, (size_t)count);
    table_complain(reader, json, "%s", buf_text(&text));
    buf_release(&text);
    return count;
}

static struct cJSON *read_fingerprint(struct table_reader *reader, const struct cJSON *json,
                                      void *out) {
    char *fingerprint = out;
    fingerprint[0] = '\0';
    if (json == NULL) {
        return NULL;
    }
    const char *text = json_type(json) == JSON_STRING ? json_text(json) : "";
    if (strlen(text) != HASH_HEX_LEN || strspn(text, "0123456789abcdef") != HASH_HEX_LEN) {
        complain(reader, json, "32 of 0-9 and a-f");
        return NULL;
    }
    memcpy(fingerprint, text, HASH_HEX_LEN + 1);
    return json_new_string(fingerprint);
}

static struct cJSON *read_split(struct table_reader *reader, const struct cJSON *json, void *out) {
    enum emnist_split *split = out;
    *split = EMNIST_UNSAID;
    if (json == NULL) {
        return NULL;
    }
    *split = (enum emnist_split)read_choice(reader, json, "split", emnist_names, EMNIST_COUNT);
    return *split < EMNIST_COUNT ? json_new_string(emnist_names[*split]) : NULL;
}

static struct cJSON *read_labels(struct table_reader *reader, const struct cJSON *json, void *out) {
    static const char *const names[] = {"fine", "coarse"};
    bool *coarse = out;
    *coarse = json != NULL && read_choice(reader, json, "kind of labels", names, 2) == 1;
    return *coarse ? json_new_string("coarse") : NULL;
}

static struct cJSON *read_label(struct table_reader *reader, const struct cJSON *json, void *out) {
    struct label_spec *label = out;
    free(label->name);
    *label = (struct label_spec){0};
    if (json == NULL) {
        return NULL;
    }
    int64_t column = 0;
    if (json_type(json) == JSON_STRING && *json_text(json) != '\0') {
        label->name = mem_strdup(json_text(json));
        return json_new_string(label->name);
    }
    if (!json_integer(json, 1, COLUMN_MAX, &column)) {
        complain(reader, json, "the name of a column or its number, from 1");
        return NULL;
    }
    label->column = (int)column;
    return json_new_number((double)column);
}

static struct cJSON *read_shape(struct table_reader *reader, const struct cJSON *json, void *out) {
    enum { SIDE_MAX = 65536 };
    struct shape *shape = out;
    *shape = (struct shape){0};
    if (json == NULL) {
        return NULL;
    }
    int64_t sides[3] = {0};
    bool good = json_type(json) == JSON_ARRAY && json_count(json) == 3;
    const struct cJSON *item = good ? json_first(json) : NULL;
    for (int i = 0; i < 3 && good; i++, item = json_next(item)) {
        good = json_integer(item, 1, SIDE_MAX, &sides[i]);
    }
    if (!good) {
        complain(reader, json, "[channels, height, width]");
        return NULL;
    }
    *shape = (struct shape){(int)sides[0], (int)sides[1], (int)sides[2]};
    return json_copy(json);
}

/* ---- normalize ---- */

/* A number or a list of them, each above `above` (not looked at when NaN) and in float32's range. */
static struct cJSON *read_numbers(struct table_reader *reader, const struct cJSON *json,
                                  double above, const char *wanted, struct number_list *list) {
    list_release(list);
    if (json == NULL) {
        return NULL;
    }
    bool is_list = json_type(json) == JSON_ARRAY;
    int count = is_list ? json_count(json) : 1;
    bool good = count >= 1 && count <= NUMBERS_MAX;
    float *values = mem_zalloc((size_t)count + 1, sizeof *values);
    const struct cJSON *item = is_list ? json_first(json) : json;
    for (int i = 0; i < count && good; i++, item = is_list ? json_next(item) : NULL) {
        good = json_type(item) == JSON_NUMBER;
        double number = good ? json_number(item) : 0;
        values[i] = fabs(number) <= (double)FLT_MAX ? (float)number : 0;
        good = good && fabs(number) <= (double)FLT_MAX && !((double)values[i] <= above);
    }
    if (!good) {
        free(values);
        complain(reader, json, wanted);
        return NULL;
    }
    *list = (struct number_list){values, count};
    return is_list && count == 1 ? json_copy(json_first(json)) : json_copy(json);
}

static struct cJSON *read_mean(struct table_reader *reader, const struct cJSON *json, void *out) {
    return read_numbers(reader, json, NAN, "a number or a list of numbers", out);
}

static struct cJSON *read_std(struct table_reader *reader, const struct cJSON *json, void *out) {
    return read_numbers(reader, json, 0, "a number above 0 or a list of such", out);
}

static const struct table_key normalize_keys[] = {
    {.name = "mean",
     .type = TABLE_CUSTOM,
     .offset = offsetof(struct normalize_spec, mean),
     .read = read_mean},
    {.name = "std",
     .type = TABLE_CUSTOM,
     .offset = offsetof(struct normalize_spec, std),
     .read = read_std},
};
static const struct table normalize_table = {
    .what = "normalize", .keys = normalize_keys, .key_count = COUNT(normalize_keys)};

static struct cJSON *read_normalize(struct table_reader *reader, const struct cJSON *json,
                                    void *out) {
    struct normalize_spec *spec = out;
    list_release(&spec->mean);
    list_release(&spec->std);
    spec->kind = NORMALIZE_NONE;
    if (json == NULL) {
        return NULL;
    }
    if (json_type(json) == JSON_BOOL) {
        spec->kind = json_bool(json) ? NORMALIZE_COMPUTED : NORMALIZE_NONE;
        return spec->kind == NORMALIZE_COMPUTED ? json_new_bool(true) : NULL;
    }
    if (json_type(json) != JSON_OBJECT) {
        complain(reader, json, "true, false or {\"mean\": ..., \"std\": ...}");
        return NULL;
    }
    if (json_get(json, "mean") == NULL || json_get(json, "std") == NULL) {
        table_complain(reader, json, "needs \"mean\" and \"std\"");
    }
    struct cJSON *identity = table_read(reader, &normalize_table, json, NULL, spec);
    if (spec->mean.count > 0 && spec->std.count > 0) {
        spec->kind = NORMALIZE_GIVEN;
    }
    return identity;
}

/* ---- tables ---- */

#define CUSTOM(name_, field, read_)                                                                \
    {                                                                                              \
        .name = (name_), .type = TABLE_CUSTOM, .offset = offsetof(struct dataset_spec, field),     \
        .read = (read_)                                                                            \
    }
/* Keys of every set. */
#define COMMON                                                                                     \
    CUSTOM("fingerprint", fingerprint, read_fingerprint),                                          \
        CUSTOM("validation", validation, read_validation),                                         \
        {.name = "balanced",                                                                       \
         .type = TABLE_BOOL,                                                                       \
         .offset = offsetof(struct dataset_spec, balanced)},                                       \
        CUSTOM("normalize", normalize, read_normalize)

static const struct table_key file_keys[] = {
    {.name = "name",
     .type = TABLE_TEXT,
     .offset = offsetof(struct dataset_spec, name),
     .text = "fashion-mnist"},
    {.name = "train",
     .type = TABLE_INTEGER,
     .offset = offsetof(struct dataset_spec, train),
     .max = SAMPLES_MAX},
    {.name = "test",
     .type = TABLE_INTEGER,
     .offset = offsetof(struct dataset_spec, test),
     .max = SAMPLES_MAX},
    COMMON,
    CUSTOM("split", split, read_split),
    CUSTOM("labels", coarse, read_labels),
    CUSTOM("label", label, read_label),
    CUSTOM("shape", csv_shape, read_shape),
};
const struct table dataset_file_table = {
    .what = "dataset", .name_key = "name", .keys = file_keys, .key_count = COUNT(file_keys)};

#define INTEGER(name_, field, kinds_, min_, max_, value_)                                          \
    {                                                                                              \
        .name = (name_), .type = TABLE_INTEGER, .kinds = (kinds_),                                 \
        .offset = offsetof(struct dataset_spec, field), .min = (min_), .max = (max_),              \
        .value = (value_)                                                                          \
    }
static const struct table_key made_keys[] = {
    INTEGER("train", train, 0, 1, MADE_MAX, 1000),
    INTEGER("test", test, 0, 1, MADE_MAX, 1000),
    COMMON,
    INTEGER("classes", classes, KIND(DATASET_BLOBS) | KIND(DATASET_SPIRALS), 2, 256, 3),
    INTEGER("classes", classes, KIND(DATASET_SPARSE), 2, 256, 10),
    INTEGER("features", features, KIND(DATASET_BLOBS), 1, 65536, 2),
    INTEGER("features", features, KIND(DATASET_SPARSE), 1, 65536, 1000),
    {.name = "std",
     .type = TABLE_NUMBER,
     .kinds = KIND(DATASET_BLOBS),
     .offset = offsetof(struct dataset_spec, std),
     .max = 1e6,
     .value = 0.5},
    {.name = "noise",
     .type = TABLE_NUMBER,
     .kinds = KIND(DATASET_SPIRALS),
     .offset = offsetof(struct dataset_spec, noise),
     .max = 1e6,
     .value = 0.2},
    {.name = "density",
     .type = TABLE_NUMBER,
     .kinds = KIND(DATASET_SPARSE),
     .offset = offsetof(struct dataset_spec, density),
     .max = 1,
     .flags = TABLE_ABOVE_MIN,
     .value = 0.01},
    {.name = "seed",
     .type = TABLE_SEED,
     .offset = offsetof(struct dataset_spec, seed),
     .max = 9007199254740991,
     .value = 1},
};
const struct table dataset_made_table = {.what = "dataset",
                                         .name_key = "name",
                                         .kinds = dataset_names,
                                         .kind_count = DATASET_SYNTHETIC_COUNT,
                                         .kind = -1,
                                         .kind_offset = offsetof(struct dataset_spec, kind),
                                         .keys = made_keys,
                                         .key_count = COUNT(made_keys)};

/* ---- reading ---- */

static enum dataset_kind kind_of(const struct cJSON *json) {
    bool is_object = json != NULL && json_type(json) == JSON_OBJECT;
    const struct cJSON *name = is_object ? json_get(json, "name") : json;
    int kind = 0;
    while (kind < DATASET_SYNTHETIC_COUNT &&
           (name == NULL || !json_is_string(name, dataset_names[kind]))) {
        kind++;
    }
    return (enum dataset_kind)kind;
}

struct cJSON *dataset_read(struct table_reader *reader, const struct cJSON *json, void *out) {
    struct dataset_spec *spec = out;
    enum dataset_kind kind = kind_of(json);
    dataset_spec_release(spec);
    spec->split = EMNIST_UNSAID;
    if (kind == DATASET_FILES) {
        spec->kind = DATASET_FILES;
        return table_read(reader, &dataset_file_table, json, NULL, spec);
    }
    spec->name = mem_strdup(dataset_names[kind]);
    return table_read(reader, &dataset_made_table, json, NULL, spec);
}

void dataset_spec_release(struct dataset_spec *spec) {
    free(spec->name);
    free(spec->label.name);
    list_release(&spec->normalize.mean);
    list_release(&spec->normalize.std);
    *spec = (struct dataset_spec){0};
}
