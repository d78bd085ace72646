#include "trainer/safetensors.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char CHECKSUM[] = "checksum";
static const char ZEROS[HASH_HEX_LEN + 1] = "00000000000000000000000000000000";

enum { LENGTH_BYTES = 8 };
static const size_t FILE_MAX_LEN = (size_t)64 << 30;

/* ---- writing ---- */

static void put_length(uint8_t out[LENGTH_BYTES], uint64_t length) {
    for (int i = 0; i < LENGTH_BYTES; i++) {
        out[i] = (uint8_t)(length >> (8 * i));
    }
}

static void put_string(struct buf *out, const char *text) {
    buf_json_string(out, text, strlen(text));
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const struct safetensors_meta *)a)->key,
                  ((const struct safetensors_meta *)b)->key);
}

/* "__metadata__":{...}; *checksum receives where the 32 digits are. */
static void put_metadata(struct buf *out, const struct safetensors_meta *meta, int count,
                         size_t *checksum) {
    struct safetensors_meta *sorted = mem_zalloc((size_t)count + 1, sizeof *sorted);
    for (int i = 0; i < count; i++) {
        sorted[i] = meta[i];
    }
    sorted[count] = (struct safetensors_meta){CHECKSUM, ZEROS};
    qsort(sorted, (size_t)count + 1, sizeof *sorted, by_key);
    buf_puts(out, "\"__metadata__\":{");
    for (int i = 0; i <= count; i++) {
        buf_puts(out, i > 0 ? "," : "");
        put_string(out, sorted[i].key);
        buf_putc(out, ':');
        if (sorted[i].value == ZEROS) {
            *checksum = out->len + 1; // behind the quote
        }
        put_string(out, sorted[i].value);
    }
    buf_putc(out, '}');
    free(sorted);
}

static void put_tensor(struct buf *out, const struct safetensors_entry *tensor, size_t *offset) {
    put_string(out, tensor->name);
    buf_puts(out, ":{\"dtype\":\"F32\",\"shape\":[");
    for (int d = 0; d < tensor->dim_count; d++) {
        buf_printf(out, "%s%lld", d > 0 ? "," : "", (long long)tensor->dims[d]);
    }
    size_t end = *offset + tensor->len * sizeof(float);
    buf_printf(out, "],\"data_offsets\":[%zu,%zu]}", *offset, end);
    *offset = end;
}

int safetensors_write(const char *dir, const char *name, const struct safetensors_entry *tensors,
                      int tensor_count, const struct safetensors_meta *meta, int meta_count,
                      struct err *err) {
    struct buf header = {0};
    size_t checksum = 0, offset = 0;
    buf_putc(&header, '{');
    put_metadata(&header, meta, meta_count, &checksum);
    for (int i = 0; i < tensor_count; i++) {
        buf_putc(&header, ',');
        put_tensor(&header, &tensors[i], &offset);
    }
    buf_putc(&header, '}');
    while (header.len % 8 != 0) { // so that the tensors are aligned in a mapped file
        buf_putc(&header, ' ');
    }

    uint8_t length[LENGTH_BYTES];
    put_length(length, header.len);
    struct fs_part *parts = mem_zalloc((size_t)tensor_count + 2, sizeof *parts);
    parts[0] = (struct fs_part){length, sizeof length};
    parts[1] = (struct fs_part){header.data, header.len};
    for (int i = 0; i < tensor_count; i++) {
        parts[2 + i] = (struct fs_part){tensors[i].data, tensors[i].len * sizeof(float)};
    }
    struct hash *hash = hash_new();
    for (int i = 0; i < tensor_count + 2; i++) {
        hash_add(hash, parts[i].data, parts[i].len);
    }
    char digest[HASH_HEX_LEN + 1];
    hash_finish(hash, digest);
    memcpy(header.data + checksum, digest, HASH_HEX_LEN);

    int rc = fs_write_atomic(dir, name, parts, (size_t)tensor_count + 2, err);
    free(parts);
    buf_release(&header);
    return rc;
}

/* ---- reading ---- */

struct safetensors {
    struct json_doc *doc; // names and metadata are borrowed from it
    struct safetensors_entry *entries;
    int count;
    struct safetensors_meta *meta;
    int meta_count;
    float *data; // all tensors, aligned
};

struct reader {
    const char *path;
    const char *bytes; // the file
    size_t len, header_len;
    struct safetensors *file;
    struct err *err;
};

static int corrupt(struct reader *r, const char *what) {
    return err_set(r->err, ERR_CORRUPT, "%s: %s", r->path, what);
}

static int read_header(struct reader *r) {
    uint64_t length = 0;
    if (r->len < LENGTH_BYTES) {
        return corrupt(r, "shorter than its 8 bytes of length");
    }
    for (int i = LENGTH_BYTES - 1; i >= 0; i--) {
        length = length << 8 | (uint8_t)r->bytes[i];
    }
    if (length > SAFETENSORS_HEADER_MAX || length > r->len - LENGTH_BYTES) {
        return corrupt(r, "cut, or no safetensors file: its header does not fit into it");
    }
    r->header_len = (size_t)length;
    struct err err;
    if (json_parse(&r->file->doc, "header", r->bytes + LENGTH_BYTES, r->header_len, JSON_STRICT,
                   &err) != ERR_OK) {
        return corrupt(r, err.msg);
    }
    return json_type(json_root(r->file->doc)) == JSON_OBJECT
               ? ERR_OK
               : corrupt(r, "its header is no object");
}

static int read_metadata(struct reader *r, const struct cJSON *object) {
    if (json_type(object) != JSON_OBJECT) {
        return corrupt(r, "__metadata__ is no object");
    }
    r->file->meta = mem_zalloc((size_t)json_count(object) + 1, sizeof *r->file->meta);
    for (const struct cJSON *m = json_first(object); m != NULL; m = json_next(m)) {
        if (json_type(m) != JSON_STRING) {
            return corrupt(r, "__metadata__ holds something else than strings");
        }
        r->file->meta[r->file->meta_count++] = (struct safetensors_meta){json_key(m), json_text(m)};
    }
    return ERR_OK;
}

/* The shape, and the number of elements that it gives. */
static int read_shape(struct reader *r, const struct cJSON *shape,
                      struct safetensors_entry *entry) {
    if (shape == NULL || json_type(shape) != JSON_ARRAY ||
        json_count(shape) > SAFETENSORS_DIM_MAX) {
        return corrupt(r, "a tensor's shape is not a list of at most 4 numbers");
    }
    entry->len = 1;
    for (const struct cJSON *d = json_first(shape); d != NULL; d = json_next(d)) {
        int64_t n;
        if (!json_integer(d, 0, INT64_C(1) << 40, &n) ||
            __builtin_mul_overflow(entry->len, (size_t)n, &entry->len) ||
            entry->len > FILE_MAX_LEN) {
            return corrupt(r, "a tensor's shape is out of range");
        }
        entry->dims[entry->dim_count++] = n;
    }
    return ERR_OK;
}

/* A tensor, which must begin where the one before it ends: no gaps, no overlaps. */
static int read_tensor(struct reader *r, const struct cJSON *t, size_t *at) {
    struct safetensors_entry *entry = &r->file->entries[r->file->count];
    if (json_type(t) != JSON_OBJECT || json_count(t) != 3) {
        return corrupt(r, "a tensor is not an object of dtype, shape and data_offsets");
    }
    const struct cJSON *dtype = json_get(t, "dtype"), *offsets = json_get(t, "data_offsets");
    if (dtype == NULL || !json_is_string(dtype, "F32")) {
        return corrupt(r, "a tensor's dtype is not F32");
    }
    int rc = read_shape(r, json_get(t, "shape"), entry);
    if (rc != ERR_OK) {
        return rc;
    }
    int64_t begin, end;
    if (offsets == NULL || json_type(offsets) != JSON_ARRAY || json_count(offsets) != 2 ||
        !json_integer(json_first(offsets), 0, INT64_C(1) << 52, &begin) ||
        !json_integer(json_next(json_first(offsets)), 0, INT64_C(1) << 52, &end)) {
        return corrupt(r, "a tensor's data_offsets are not two numbers");
    }
    if ((size_t)begin != *at || (size_t)end != *at + entry->len * sizeof(float)) {
        return corrupt(r, "a tensor's data_offsets do not follow each other or fit its shape");
    }
    entry->name = json_key(t);
    entry->data = (const float *)(uintptr_t)*at; // becomes a pointer when the data is there
    *at = (size_t)end;
    r->file->count++;
    return ERR_OK;
}

static int64_t begin_of(const struct cJSON *t) {
    const struct cJSON *offsets = json_type(t) == JSON_OBJECT ? json_get(t, "data_offsets") : NULL;
    int64_t begin = -1;
    if (offsets != NULL && json_type(offsets) == JSON_ARRAY && json_count(offsets) == 2) {
        (void)json_integer(json_first(offsets), 0, INT64_C(1) << 52, &begin); // -1 otherwise
    }
    return begin;
}

static int by_begin(const void *a, const void *b) {
    int64_t x = begin_of(*(const struct cJSON *const *)a);
    int64_t y = begin_of(*(const struct cJSON *const *)b);
    return (x > y) - (x < y);
}

static int read_entries(struct reader *r) {
    const struct cJSON *root = json_root(r->file->doc);
    size_t count = (size_t)json_count(root), tensors = 0, at = 0;
    const struct cJSON **order = mem_zalloc(count + 1, sizeof *order);
    r->file->entries = mem_zalloc(count + 1, sizeof *r->file->entries);
    int rc = ERR_OK;
    for (const struct cJSON *m = json_first(root); m != NULL && rc == ERR_OK; m = json_next(m)) {
        if (strcmp(json_key(m), "__metadata__") == 0) {
            rc = read_metadata(r, m);
        } else {
            order[tensors++] = m;
        }
    }
    qsort(order, tensors, sizeof *order, by_begin);
    for (size_t i = 0; i < tensors && rc == ERR_OK; i++) {
        rc = read_tensor(r, order[i], &at);
    }
    free(order);
    if (rc == ERR_OK && at != r->len - LENGTH_BYTES - r->header_len) {
        rc = corrupt(r, "cut, or longer than its tensors");
    }
    return rc;
}

/* The whole file is hashed with zeros in the place of the digits.  They stand where this program writes
 * them: right behind the name, with no blank between. */
static int check_checksum(struct reader *r) {
    const struct cJSON *meta = json_get(json_root(r->file->doc), "__metadata__");
    const struct cJSON *stored = meta != NULL ? json_get(meta, CHECKSUM) : NULL;
    if (stored == NULL) {
        return ERR_OK; // another program's file
    }
    static const char before[] = "\"checksum\":\"";
    int line, column;
    json_where(r->file->doc, stored, &line, &column);
    size_t at = LENGTH_BYTES + (size_t)column - 1;
    if (line != 1 || at + sizeof before - 1 + HASH_HEX_LEN > r->len ||
        memcmp(r->bytes + at, before, sizeof before - 1) != 0 ||
        strlen(json_text(stored)) != HASH_HEX_LEN) {
        return corrupt(r, "its checksum is not where it belongs");
    }
    at += sizeof before - 1;
    char digest[HASH_HEX_LEN + 1];
    struct hash *hash = hash_new();
    hash_add(hash, r->bytes, at);
    hash_add(hash, ZEROS, HASH_HEX_LEN);
    hash_add(hash, r->bytes + at + HASH_HEX_LEN, r->len - at - HASH_HEX_LEN);
    hash_finish(hash, digest);
    return strcmp(digest, json_text(stored)) == 0
               ? ERR_OK
               : corrupt(r, "its checksum does not fit its content");
}

static void take_data(struct reader *r) {
    size_t start = LENGTH_BYTES + r->header_len, len = r->len - start;
    struct safetensors *file = r->file;
    file->data = mem_aligned(len + 1, 1);
    memcpy(file->data, r->bytes + start, len);
    for (int i = 0; i < file->count; i++) {
        file->entries[i].data = file->data + (uintptr_t)file->entries[i].data / sizeof(float);
    }
}

int safetensors_open(struct safetensors **file, const char *path, struct err *err) {
    struct buf bytes = {0};
    int rc = fs_read(path, FILE_MAX_LEN, &bytes, err);
    if (rc != ERR_OK) {
        return rc;
    }
    struct reader r = {.path = path,
                       .bytes = buf_text(&bytes),
                       .len = bytes.len,
                       .file = mem_zalloc(1, sizeof *r.file),
                       .err = err};
    rc = read_header(&r);
    rc = rc == ERR_OK ? read_entries(&r) : rc;
    rc = rc == ERR_OK ? check_checksum(&r) : rc;
    if (rc == ERR_OK) {
        take_data(&r);
        *file = r.file;
    } else {
        safetensors_close(r.file);
    }
    buf_release(&bytes);
    return rc;
}

void safetensors_close(struct safetensors *file) {
    if (file != NULL) {
        json_free(file->doc);
        free(file->entries);
        free(file->meta);
        free(file->data);
        free(file);
    }
}

int safetensors_count(const struct safetensors *file) {
    return file->count;
}

const struct safetensors_entry *safetensors_at(const struct safetensors *file, int index) {
    return &file->entries[index];
}

const struct safetensors_entry *safetensors_find(const struct safetensors *file, const char *name) {
    for (int i = 0; i < file->count; i++) {
        if (strcmp(file->entries[i].name, name) == 0) {
            return &file->entries[i];
        }
    }
    return NULL;
}

const char *safetensors_meta_get(const struct safetensors *file, const char *key) {
    for (int i = 0; i < file->meta_count; i++) {
        if (strcmp(file->meta[i].key, key) == 0) {
            return file->meta[i].value;
        }
    }
    return NULL;
}

int safetensors_meta_count(const struct safetensors *file) {
    return file->meta_count;
}

struct safetensors_meta safetensors_meta_at(const struct safetensors *file, int index) {
    return file->meta[index];
}
