#include "trainer/safetensors.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char METADATA[] = "__metadata__";
static const char CHECKSUM[] = "checksum";
static const char ZEROS[HASH_HEX_LEN + 1] = "00000000000000000000000000000000";

enum { LENGTH_BYTES = 8 };
static const size_t FILE_MAX_LEN = (size_t)16 << 30; // a network of 8 GiB with two state vectors

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors are written as they lie in memory");

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
    put_string(out, METADATA);
    buf_puts(out, ":{");
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

/* The header with zeros for its checksum; *checksum receives where they are. */
static void put_header(struct buf *out, const struct safetensors_entry *tensors, int tensor_count,
                       const struct safetensors_meta *meta, int meta_count, size_t *checksum) {
    size_t offset = 0;
    buf_putc(out, '{');
    put_metadata(out, meta, meta_count, checksum);
    for (int i = 0; i < tensor_count; i++) {
        buf_putc(out, ',');
        put_tensor(out, &tensors[i], &offset);
    }
    buf_putc(out, '}');
    while (out->len % 8 != 0) { // so that the tensors are aligned in a mapped file
        buf_putc(out, ' ');
    }
}

int safetensors_write(const char *dir, const char *name, const struct safetensors_entry *tensors,
                      int tensor_count, const struct safetensors_meta *meta, int meta_count,
                      struct err *err) {
    struct buf header = {0};
    size_t checksum = 0;
    put_header(&header, tensors, tensor_count, meta, meta_count, &checksum);
    if (header.len > SAFETENSORS_HEADER_MAX) { // no reader would take it
        int rc = err_set(err, ERR_RANGE, "%s/%s: a header of %zu bytes, above the limit of %d", dir,
                         name, header.len, SAFETENSORS_HEADER_MAX);
        buf_release(&header);
        return rc;
    }
    uint8_t length[LENGTH_BYTES];
    put_length(length, header.len);
    size_t count = (size_t)tensor_count + 2;
    struct fs_part *parts = mem_zalloc(count, sizeof *parts);
    parts[0] = (struct fs_part){length, sizeof length};
    parts[1] = (struct fs_part){header.data, header.len};
    for (int i = 0; i < tensor_count; i++) {
        parts[2 + i] = (struct fs_part){tensors[i].data, tensors[i].len * sizeof(float)};
    }
    struct hash *hash = hash_new();
    for (size_t i = 0; i < count; i++) {
        hash_add(hash, parts[i].data, parts[i].len);
    }
    char digest[HASH_HEX_LEN + 1];
    hash_finish(hash, digest);
    memcpy(header.data + checksum, digest, HASH_HEX_LEN);

    int rc = fs_write_atomic(dir, name, parts, count, err);
    free(parts);
    buf_release(&header);
    return rc;
}

/* ---- reading ---- */

struct safetensors {
    struct json_doc *doc; // names and metadata are borrowed from it
    struct safetensors_entry *entries;
    size_t *places; // of each in `data`
    int count;
    struct safetensors_meta *meta;
    int meta_count;
    float *data; // all tensors
    bool checked;
};

/* A file on its way in.  Nothing is taken from it before its length and what it declares agree. */
struct reader {
    const char *path;
    int fd;
    size_t size; // of the file
    uint8_t length[LENGTH_BYTES];
    char *header; // owned
    size_t header_len, data_len;
    struct safetensors *file;
    struct err *err;
};

static int corrupt(struct reader *r, const char *what) {
    return err_set(r->err, ERR_CORRUPT, "%s: %s", r->path, what);
}

static int open_file(struct reader *r) {
    r->fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // NONBLOCK: a FIFO must not hang us
    if (r->fd < 0) {
        int cause = errno;
        (void)err_io(r->err, cause, "open %s", r->path);
        r->err->code = cause == ENOENT || cause == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
        return r->err->code;
    }
    struct stat st;
    if (fstat(r->fd, &st) != 0) {
        return err_io(r->err, errno, "stat %s", r->path);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(r->err, ERR_IO, "%s: not a regular file", r->path);
    }
    r->size = (size_t)st.st_size;
    return r->size > FILE_MAX_LEN ? corrupt(r, "longer than any checkpoint can be") : ERR_OK;
}

static int read_exactly(struct reader *r, void *out, size_t len) {
    char *to = out;
    while (len > 0) {
        ssize_t n = read(r->fd, to, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_io(r->err, errno, "read %s", r->path);
        }
        if (n == 0) {
            return corrupt(r, "cut while it was read");
        }
        to += n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

static int read_header(struct reader *r) {
    if (r->size < LENGTH_BYTES) {
        return corrupt(r, "shorter than its 8 bytes of length");
    }
    int rc = read_exactly(r, r->length, LENGTH_BYTES);
    if (rc != ERR_OK) {
        return rc;
    }
    uint64_t length = 0;
    for (int i = LENGTH_BYTES - 1; i >= 0; i--) {
        length = length << 8 | r->length[i];
    }
    if (length > SAFETENSORS_HEADER_MAX || length > r->size - LENGTH_BYTES) {
        return corrupt(r, "cut, or no safetensors file: its header does not fit into it");
    }
    r->header_len = (size_t)length;
    r->data_len = r->size - LENGTH_BYTES - r->header_len;
    r->header = mem_resize(NULL, r->header_len, 1);
    rc = read_exactly(r, r->header, r->header_len);
    struct err err;
    if (rc == ERR_OK && json_parse(&r->file->doc, "header", r->header, r->header_len, JSON_STRICT,
                                   &err) != ERR_OK) {
        rc = corrupt(r, err.msg);
    }
    if (rc == ERR_OK && json_type(json_root(r->file->doc)) != JSON_OBJECT) {
        rc = corrupt(r, "its header is no object");
    }
    return rc;
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

/* What the header says of a tensor, with the place of its data. */
struct declared {
    struct safetensors_entry entry;
    int64_t begin, end;
    size_t size; // of an element
};

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

static int read_tensor(struct reader *r, const struct cJSON *t, struct declared *tensor) {
    if (json_type(t) != JSON_OBJECT || json_count(t) != 3) {
        return corrupt(r, "a tensor is not an object of dtype, shape and data_offsets");
    }
    const struct cJSON *dtype = json_get(t, "dtype"), *offsets = json_get(t, "data_offsets");
    bool is_float = dtype != NULL && json_is_string(dtype, "F32");
    if (!is_float && (dtype == NULL || !json_is_string(dtype, "I64"))) {
        return corrupt(r, "a tensor's dtype is not F32");
    }
    tensor->size = is_float ? sizeof(float) : sizeof(int64_t);
    if (offsets == NULL || json_type(offsets) != JSON_ARRAY || json_count(offsets) != 2 ||
        !json_integer(json_first(offsets), 0, INT64_C(1) << 52, &tensor->begin) ||
        !json_integer(json_next(json_first(offsets)), 0, INT64_C(1) << 52, &tensor->end)) {
        return corrupt(r, "a tensor's data_offsets are not two numbers");
    }
    tensor->entry.name = json_key(t);
    return read_shape(r, json_get(t, "shape"), &tensor->entry);
}

/* By place; an empty tensor comes before the one that begins where it stands. */
static int by_place(const void *a, const void *b) {
    const struct declared *x = a, *y = b;
    return x->begin != y->begin ? (x->begin > y->begin) - (x->begin < y->begin)
                                : (x->end > y->end) - (x->end < y->end);
}

/* Each tensor must begin where the one before it ends, and the last end with the file. */
static int place_tensors(struct reader *r, struct declared *tensors, int count) {
    uint64_t at = 0;
    qsort(tensors, (size_t)count, sizeof *tensors, by_place);
    for (int i = 0; i < count; i++) {
        const struct declared *t = &tensors[i];
        if ((uint64_t)t->begin != at || (uint64_t)t->end != at + t->entry.len * t->size) {
            return corrupt(r, "a tensor's data_offsets do not follow each other or fit its shape");
        }
        at = (uint64_t)t->end;
        if (t->size == sizeof(float)) {
            r->file->places[r->file->count] = (size_t)t->begin / sizeof(float);
            r->file->entries[r->file->count++] = t->entry;
        }
    }
    return at == r->data_len ? ERR_OK : corrupt(r, "cut, or longer than its tensors");
}

static int read_entries(struct reader *r) {
    const struct cJSON *root = json_root(r->file->doc);
    size_t most = (size_t)json_count(root) + 1;
    struct declared *tensors = mem_zalloc(most, sizeof *tensors);
    r->file->entries = mem_zalloc(most, sizeof *r->file->entries);
    r->file->places = mem_zalloc(most, sizeof *r->file->places);
    int rc = ERR_OK, count = 0;
    for (const struct cJSON *m = json_first(root); m != NULL && rc == ERR_OK; m = json_next(m)) {
        bool metadata = strcmp(json_key(m), METADATA) == 0;
        rc = metadata ? read_metadata(r, m) : read_tensor(r, m, &tensors[count]);
        count += !metadata;
    }
    rc = rc == ERR_OK ? place_tensors(r, tensors, count) : rc;
    free(tensors);
    return rc;
}

static int read_data(struct reader *r) {
    struct safetensors *file = r->file;
    file->data = mem_resize(NULL, r->data_len, 1); // the length of a file that is there
    int rc = read_exactly(r, file->data, r->data_len);
    for (int i = 0; i < file->count; i++) {
        file->entries[i].data = file->data + file->places[i];
    }
    return rc;
}

/* Where in the header the digits of a checksum are that is written as this program writes it, right
 * behind its name; 0 when there is none. */
static size_t find_digits(const struct reader *r, const char *stored) {
    static const char before[] = "\"checksum\":\"";
    enum { BEFORE_LEN = sizeof before - 1 };
    const struct cJSON *meta = json_get(json_root(r->file->doc), METADATA);
    int line, column;
    json_where(r->file->doc, json_get(meta, CHECKSUM), &line, &column);
    size_t at = (size_t)column - 1;
    bool ours = strlen(stored) == HASH_HEX_LEN &&
                strspn(stored, "0123456789abcdef") == HASH_HEX_LEN && line == 1 &&
                at + BEFORE_LEN + HASH_HEX_LEN < r->header_len &&
                memcmp(r->header + at, before, BEFORE_LEN) == 0 &&
                memcmp(r->header + at + BEFORE_LEN, stored, HASH_HEX_LEN) == 0;
    return ours ? at + BEFORE_LEN : 0;
}

/* Another program may keep what it likes under this name: that is not checked. */
static int check_checksum(struct reader *r) {
    const char *stored = safetensors_meta_get(r->file, CHECKSUM);
    size_t at = stored != NULL ? find_digits(r, stored) : 0;
    if (at == 0) {
        return ERR_OK;
    }
    char digest[HASH_HEX_LEN + 1];
    struct hash *hash = hash_new();
    hash_add(hash, r->length, LENGTH_BYTES);
    hash_add(hash, r->header, at);
    hash_add(hash, ZEROS, HASH_HEX_LEN);
    hash_add(hash, r->header + at + HASH_HEX_LEN, r->header_len - at - HASH_HEX_LEN);
    hash_add(hash, r->file->data, r->data_len);
    hash_finish(hash, digest);
    r->file->checked = strcmp(digest, stored) == 0;
    return r->file->checked ? ERR_OK : corrupt(r, "its checksum does not fit its content");
}

int safetensors_open(struct safetensors **file, const char *path, struct err *err) {
    struct reader r = {.path = path, .fd = -1, .file = mem_zalloc(1, sizeof *r.file), .err = err};
    int rc = open_file(&r);
    rc = rc == ERR_OK ? read_header(&r) : rc;
    rc = rc == ERR_OK ? read_entries(&r) : rc;
    rc = rc == ERR_OK ? read_data(&r) : rc;
    rc = rc == ERR_OK ? check_checksum(&r) : rc;
    if (r.fd >= 0) {
        (void)close(r.fd); // only read
    }
    free(r.header);
    if (rc == ERR_OK) {
        *file = r.file;
    } else {
        safetensors_close(r.file);
    }
    return rc;
}

bool safetensors_is_checked(const struct safetensors *file) {
    return file->checked;
}

void safetensors_close(struct safetensors *file) {
    if (file != NULL) {
        json_free(file->doc);
        free(file->entries);
        free(file->places);
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
