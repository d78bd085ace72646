#include "verify/tensorfile.h"

#include "verify/hash128.h"
#include "verify/report.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t file_max = INT64_C(16) << 30, header_max = INT64_C(64) << 20;
static const char checksum_mark[] = "\"checksum\":\"";

#define PROBLEM(file, ...) ((file)->problem = checked_printf(__VA_ARGS__), false)

/* ---- bytes ---- */

static bool read_all(int fd, void *to, size_t len) {
    char *at = to;
    while (len > 0) {
        ssize_t n = read(fd, at, len);
        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* The checksum over length, header and the rest that `fd` still has, the digits in the header being zeros. */
static bool verify_checksum(struct tensorfile *file, int fd, const unsigned char length[8],
                            char *header, size_t header_len) {
    char *digits = strstr(header, checksum_mark);
    if (digits == NULL || strlen(digits) < sizeof checksum_mark - 1 + HASH128_DIGITS + 1) {
        return true;
    }
    digits += sizeof checksum_mark - 1;
    char stored[HASH128_DIGITS + 1] = {0}, computed[HASH128_DIGITS + 1];
    memcpy(stored, digits, HASH128_DIGITS);
    if (strspn(stored, "0123456789abcdef") != HASH128_DIGITS || digits[HASH128_DIGITS] != '"') {
        return true; // other metadata of that name
    }
    memset(digits, '0', HASH128_DIGITS);
    struct hash128 hash;
    hash128_init(&hash);
    hash128_add(&hash, length, 8);
    hash128_add(&hash, header, header_len);
    enum { PART = 1 << 20 };
    char *part = checked_alloc(PART);
    int64_t left = file->size - 8 - (int64_t)header_len;
    bool good = true;
    while (left > 0 && good) {
        size_t n = left < PART ? (size_t)left : PART;
        good = read_all(fd, part, n);
        hash128_add(&hash, part, good ? n : 0);
        left -= (int64_t)n;
    }
    free(part);
    hash128_finish(&hash, computed);
    memcpy(digits, stored, HASH128_DIGITS);
    if (!good) {
        return PROBLEM(file, "it cannot be read to its end");
    }
    file->checksum = strcmp(stored, computed) == 0 ? CHECKSUM_TRUE : CHECKSUM_FALSE;
    return file->checksum == CHECKSUM_TRUE ||
           PROBLEM(file, "its checksum is %s, its bytes give %s", stored, computed);
}

/* ---- form ---- */

static bool is_count(const cJSON *value, int64_t *count) {
    double number = cJSON_IsNumber(value) ? value->valuedouble : -1;
    bool is = number >= 0 && number <= 9007199254740992.0 && number == floor(number);
    *count = is ? (int64_t)number : 0;
    return is;
}

static bool read_tensor(struct tensorfile *file, const cJSON *json) {
    struct tensor t = {.name = json->string};
    const char *dtype = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "dtype"));
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(json, "shape");
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(json, "data_offsets");
    int64_t width = dtype == NULL               ? 0
                    : strcmp(dtype, "F32") == 0 ? 4
                    : strcmp(dtype, "I64") == 0 ? 8
                                                : 0;
    if (width == 0 || !cJSON_IsArray(shape) || cJSON_GetArraySize(shape) > 4 ||
        cJSON_GetArraySize(offsets) != 2 || !is_count(cJSON_GetArrayItem(offsets, 0), &t.begin) ||
        !is_count(cJSON_GetArrayItem(offsets, 1), &t.end)) {
        return PROBLEM(file, "tensor %s: no dtype, shape and data_offsets as they should be",
                       t.name);
    }
    int64_t want = width;
    for (const cJSON *d = shape->child; d != NULL; d = d->next) {
        int64_t dim;
        if (!is_count(d, &dim) || dim > file_max) {
            return PROBLEM(file, "tensor %s: its shape has a bad number", t.name);
        }
        t.dim[t.dims++] = dim;
        want = dim != 0 && want > file_max / dim ? file_max + 1 : want * dim;
    }
    if (t.end - t.begin != want) {
        return PROBLEM(file, "tensor %s: has %" PRId64 " bytes, its shape needs %" PRId64, t.name,
                       t.end - t.begin, want);
    }
    GROW(file->tensor, file->count);
    file->tensor[file->count++] = t;
    return true;
}

static int by_begin(const void *a, const void *b) {
    const struct tensor *x = a, *y = b;
    int order = (x->begin > y->begin) - (x->begin < y->begin);
    return order != 0 ? order : (x->end > y->end) - (x->end < y->end);
}

/* One behind the other, without gap or overlap, to the end of the file. */
static bool check_offsets(struct tensorfile *file, int64_t data_len) {
    if (file->count > 0) {
        qsort(file->tensor, (size_t)file->count, sizeof *file->tensor, by_begin);
    }
    int64_t at = 0;
    for (int i = 0; i < file->count; i++) {
        if (file->tensor[i].begin != at) {
            return PROBLEM(file,
                           "tensor %s: begins at %" PRId64 ", what is before it ends at %" PRId64,
                           file->tensor[i].name, file->tensor[i].begin, at);
        }
        at = file->tensor[i].end;
    }
    return at == data_len ||
           PROBLEM(file, "its tensors end at %" PRId64 ", its bytes at %" PRId64, at, data_len);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool check_names(struct tensorfile *file, const cJSON *object) {
    int count = cJSON_GetArraySize(object), n = 0;
    const char **names = checked_alloc(((size_t)count + 1) * sizeof *names);
    for (const cJSON *m = object->child; m != NULL; m = m->next) {
        names[n++] = m->string;
    }
    qsort(names, (size_t)n, sizeof *names, by_text);
    const char *twice = NULL;
    for (int i = 1; i < n; i++) {
        twice = strcmp(names[i - 1], names[i]) == 0 ? names[i] : twice;
    }
    free(names);
    return twice == NULL || PROBLEM(file, "its header has %s twice", twice);
}

static bool read_header(struct tensorfile *file, const char *text, int64_t data_len) {
    file->header = cJSON_ParseWithOpts(text, NULL, 1);
    if (!cJSON_IsObject(file->header)) {
        return PROBLEM(file, "its header is no JSON object");
    }
    if (!check_names(file, file->header)) {
        return false;
    }
    for (const cJSON *m = file->header->child; m != NULL; m = m->next) {
        bool meta = strcmp(m->string, "__metadata__") == 0;
        if (!cJSON_IsObject(m) || !(meta ? check_names(file, m) : read_tensor(file, m))) {
            return file->problem != NULL ? false : PROBLEM(file, "%s is no object", m->string);
        }
        for (const cJSON *s = meta ? m->child : NULL; s != NULL; s = s->next) {
            if (!cJSON_IsString(s)) {
                return PROBLEM(file, "metadata %s is no string", s->string);
            }
        }
    }
    return check_offsets(file, data_len);
}

/* ---- reading ---- */

static bool read_open(struct tensorfile *file, int fd) {
    struct stat st;
    unsigned char length[8];
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return PROBLEM(file, "it is no regular file");
    }
    file->size = st.st_size;
    if (file->size > file_max) {
        return PROBLEM(file, "it has %" PRId64 " bytes, more than a checkpoint may", file->size);
    }
    if (!read_all(fd, length, sizeof length)) {
        return PROBLEM(file, "it has %" PRId64 " bytes, not even a header's length", file->size);
    }
    uint64_t header_len = 0;
    for (int i = 7; i >= 0; i--) {
        header_len = header_len << 8 | length[i];
    }
    if (header_len > (uint64_t)header_max || header_len > (uint64_t)(file->size - 8)) {
        return PROBLEM(file, "its header should have %" PRIu64 " bytes, the file has %" PRId64,
                       header_len, file->size);
    }
    char *header = checked_alloc((size_t)header_len + 1);
    bool good = read_all(fd, header, (size_t)header_len) && strlen(header) == header_len;
    good = good ? read_header(file, header, file->size - 8 - (int64_t)header_len)
                : PROBLEM(file, "its header cannot be read, or is no text");
    good = good && verify_checksum(file, fd, length, header, (size_t)header_len);
    free(header);
    return good;
}

bool tensorfile_read(struct tensorfile *file, int dir_fd, const char *name) {
    *file = (struct tensorfile){0};
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        file->gone = errno == ENOENT;
        return PROBLEM(file, "it cannot be opened: %s", strerror(errno));
    }
    bool good = read_open(file, fd);
    (void)close(fd); // only read
    return good;
}

void tensorfile_release(struct tensorfile *file) {
    cJSON_Delete(file->header);
    free(file->tensor);
    free(file->problem);
    *file = (struct tensorfile){0};
}

const char *tensorfile_meta(const struct tensorfile *file, const char *name) {
    const cJSON *meta = cJSON_GetObjectItemCaseSensitive(file->header, "__metadata__");
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, name));
}

const struct tensor *tensorfile_find(const struct tensorfile *file, const char *name) {
    for (int i = 0; i < file->count; i++) {
        if (strcmp(file->tensor[i].name, name) == 0) {
            return &file->tensor[i];
        }
    }
    return NULL;
}
