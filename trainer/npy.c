#include "trainer/npy.h"

#include "base/err.h"
#include "base/mem.h"
#include "trainer/data_internal.h"
#include "trainer/stream.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *descr, *name;
    size_t size;
} types[NPY_TYPE_COUNT] = {
    [NPY_U1] = {"|u1", "uint8", 1},   [NPY_I1] = {"|i1", "int8", 1},
    [NPY_U2] = {"<u2", "uint16", 2},  [NPY_I2] = {"<i2", "int16", 2},
    [NPY_U4] = {"<u4", "uint32", 4},  [NPY_I4] = {"<i4", "int32", 4},
    [NPY_U8] = {"<u8", "uint64", 8},  [NPY_I8] = {"<i8", "int64", 8},
    [NPY_F4] = {"<f4", "float32", 4},
};

const char *npy_type_name(enum npy_type type) {
    return types[type].name;
}

size_t npy_item_size(enum npy_type type) {
    return types[type].size;
}

/* ---- the header: a parser over (text, length) that never reads past it ---- */

struct parser {
    const char *path;
    const char *text;
    size_t len, at;
};

static int fail(const struct parser *p, const char *what, struct err *err) {
    return err_set(err, ERR_PARSE, "%s: header, character %zu: %s", p->path, p->at + 1, what);
}

static char peek(struct parser *p) {
    while (p->at < p->len && p->text[p->at] == ' ') {
        p->at++;
    }
    return p->at < p->len ? p->text[p->at] : '\0';
}

static bool accept(struct parser *p, char c) {
    if (peek(p) != c) {
        return false;
    }
    p->at++;
    return true;
}

static int expect(struct parser *p, char c, struct err *err) {
    char what[] = "expected 'x'";
    what[sizeof what - 3] = c;
    return accept(p, c) ? ERR_OK : fail(p, what, err);
}

enum { STRING_MAX = 32 };

/* A string without escapes or control characters. */
static int read_string(struct parser *p, char out[STRING_MAX], struct err *err) {
    char quote = peek(p);
    if (quote != '\'' && quote != '"') {
        return fail(p, "expected a string", err);
    }
    size_t start = ++p->at;
    while (p->at < p->len && p->text[p->at] != quote) {
        char c = p->text[p->at];
        if (c < ' ' || c > '~' || c == '\\') {
            return fail(p, "a character that does not belong into a string here", err);
        }
        p->at++;
    }
    if (p->at == p->len) {
        return fail(p, "a string without an end", err);
    }
    size_t len = p->at++ - start;
    if (len >= STRING_MAX) {
        return fail(p, "a string that is too long", err);
    }
    memcpy(out, p->text + start, len);
    out[len] = '\0';
    return ERR_OK;
}

static int read_descr(struct parser *p, struct npy *npy, struct err *err) {
    char descr[STRING_MAX];
    if (peek(p) == '[') {
        return err_set(err, ERR_RANGE, "%s: a structured array; images and labels are plain ones",
                       p->path);
    }
    int rc = read_string(p, descr, err);
    if (rc != ERR_OK) {
        return rc;
    }
    for (int i = 0; i < NPY_TYPE_COUNT; i++) {
        if (strcmp(descr, types[i].descr) == 0) {
            npy->type = (enum npy_type)i;
            return ERR_OK;
        }
    }
    return err_set(
        err, ERR_RANGE,
        "%s: elements of type '%s', not uint8 or float32 for images, or an integer type for "
        "labels, little-endian; astype() converts them",
        p->path, descr);
}

static int read_order(struct parser *p, struct err *err) {
    static const char yes[] = "True", no[] = "False";
    (void)peek(p); // skips blanks
    size_t left = p->len - p->at;
    if (left >= strlen(no) && memcmp(p->text + p->at, no, strlen(no)) == 0) {
        p->at += strlen(no);
        return ERR_OK;
    }
    if (left >= strlen(yes) && memcmp(p->text + p->at, yes, strlen(yes)) == 0) {
        return err_set(err, ERR_RANGE,
                       "%s: in Fortran order; numpy.ascontiguousarray() makes it C order", p->path);
    }
    return fail(p, "expected True or False", err);
}

static int read_dim(struct parser *p, struct npy *npy, struct err *err) {
    char c = peek(p);
    if (c < '0' || c > '9') {
        return fail(p, "expected a dimension", err);
    }
    uint64_t dim = 0;
    while (p->at < p->len && p->text[p->at] >= '0' && p->text[p->at] <= '9') {
        dim = dim > UINT32_MAX ? dim : dim * 10 + (uint64_t)(p->text[p->at] - '0');
        p->at++;
    }
    uint64_t max = npy->dim_count == 0 ? DATA_COUNT_MAX : DATA_FEATURE_MAX;
    if (npy->dim_count == NPY_DIM_MAX) {
        return err_set(err, ERR_RANGE, "%s: more than %d dimensions", p->path, NPY_DIM_MAX);
    }
    if (dim < 1 || dim > max) {
        return err_set(err, ERR_RANGE, "%s: dimension %d is %llu%s, not from 1 to %llu", p->path,
                       npy->dim_count + 1, (unsigned long long)dim,
                       dim > UINT32_MAX ? " or more" : "", (unsigned long long)max);
    }
    npy->dims[npy->dim_count++] = (int)dim;
    return ERR_OK;
}

/* (60000, 28, 28) or (60000,) */
static int read_shape(struct parser *p, struct npy *npy, struct err *err) {
    int rc = expect(p, '(', err);
    bool comma = true;
    while (rc == ERR_OK && !accept(p, ')')) {
        if (!comma) {
            return fail(p, "expected ',' or ')'", err);
        }
        rc = read_dim(p, npy, err);
        comma = accept(p, ',');
    }
    if (rc == ERR_OK && npy->dim_count == 1 && !comma) {
        return fail(p, "expected ',' in a tuple of one", err);
    }
    if (rc == ERR_OK && npy->dim_count == 0) {
        return err_set(err, ERR_RANGE, "%s: a single number, not an array", p->path);
    }
    return rc;
}

enum member { DESCR = 1, ORDER = 2, SHAPE = 4, ALL = 7 };

static int read_member(struct parser *p, struct npy *npy, unsigned *seen, struct err *err) {
    static const char *const names[] = {"descr", "fortran_order", "shape"};
    char name[STRING_MAX];
    int rc = read_string(p, name, err);
    unsigned member = 0;
    for (int i = 0; i < 3 && rc == ERR_OK; i++) {
        member |= strcmp(name, names[i]) == 0 ? 1u << i : 0;
    }
    if (rc == ERR_OK && (member == 0 || (*seen & member))) {
        rc = fail(p, member == 0 ? "an unknown key" : "a repeated key", err);
    }
    rc = rc == ERR_OK ? expect(p, ':', err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    *seen |= member;
    return member == DESCR   ? read_descr(p, npy, err)
           : member == ORDER ? read_order(p, err)
                             : read_shape(p, npy, err);
}

static int read_header(struct parser *p, struct npy *npy, struct err *err) {
    unsigned seen = 0;
    bool comma = true;
    int rc = expect(p, '{', err);
    while (rc == ERR_OK && !accept(p, '}')) {
        if (!comma) {
            return fail(p, "expected ',' or '}'", err);
        }
        rc = read_member(p, npy, &seen, err);
        comma = accept(p, ',');
    }
    if (rc == ERR_OK && seen != ALL) {
        rc = fail(p, "one of 'descr', 'fortran_order', 'shape' is missing", err);
    }
    if (rc == ERR_OK && p->at < p->len && peek(p) == '\n') {
        p->at++;
    }
    if (rc == ERR_OK && p->at < p->len) {
        rc = fail(p, "something behind the dict", err);
    }
    return rc;
}

/* ---- the file ---- */

/* Reads what is in front of the header; *len is the header's length, *before that of the rest. */
static int read_prefix(struct stream *s, size_t *len, size_t *before, struct err *err) {
    static const uint8_t magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    uint8_t bytes[8] = {0}, size[4] = {0};
    int rc = stream_need(s, bytes, sizeof bytes, "the header", err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (memcmp(bytes, magic, sizeof magic) != 0) {
        return err_set(err, ERR_PARSE, "%s: not a .npy file: it starts with %02x %02x %02x %02x",
                       stream_path(s), bytes[0], bytes[1], bytes[2], bytes[3]);
    }
    if ((bytes[6] != 1 && bytes[6] != 2) || bytes[7] != 0) {
        return err_set(err, ERR_VERSION, "%s: version %d.%d of the format, not 1.0 or 2.0",
                       stream_path(s), bytes[6], bytes[7]);
    }
    size_t size_len = bytes[6] == 1 ? 2 : 4;
    rc = stream_need(s, size, size_len, "the header", err);
    *len = size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
    *before = sizeof bytes + size_len;
    if (rc == ERR_OK && *len > NPY_HEADER_MAX) {
        rc = err_set(err, ERR_RANGE, "%s: a header of %zu bytes, more than %d", stream_path(s),
                     *len, NPY_HEADER_MAX);
    }
    return rc;
}

static int read_array(struct stream *s, struct npy *npy, struct err *err) {
    size_t header = 0, before = 0;
    int rc = read_prefix(s, &header, &before, err);
    if (rc != ERR_OK) {
        return rc;
    }
    char *text = mem_zalloc(header + 1, 1);
    rc = stream_need(s, text, header, "the header", err);
    struct parser parser = {stream_path(s), text, header, 0};
    rc = rc == ERR_OK ? read_header(&parser, npy, err) : rc;
    free(text);
    if (rc != ERR_OK) {
        return rc;
    }
    uint64_t sample = 1; // at most 2^66 before the check: in steps
    for (int d = 1; d < npy->dim_count; d++) {
        sample *= (uint64_t)npy->dims[d];
        if (sample > DATA_FEATURE_MAX) {
            return err_set(err, ERR_RANGE, "%s: more than %d elements an image", stream_path(s),
                           DATA_FEATURE_MAX);
        }
    }
    npy->len = (size_t)(sample * (uint64_t)npy->dims[0]);
    uint64_t bytes = npy->len * npy_item_size(npy->type);
    rc = stream_expect(s, before + header + bytes, "the array", "its dimensions make", err);
    if (rc != ERR_OK) {
        return rc;
    }
    uint8_t *data = NULL;
    rc = stream_need_new(s, &data, bytes, "the array", err);
    npy->data = data;
    return rc == ERR_OK ? stream_end(s, "the array", err) : rc;
}

int npy_load(struct npy *npy, const char *path, struct err *err) {
    struct npy read = {.dims = {1, 1, 1, 1}};
    struct stream *s = NULL;
    int rc = stream_open(&s, path, err);
    rc = rc == ERR_OK ? read_array(s, &read, err) : rc;
    stream_close(s);
    if (rc == ERR_OK) {
        *npy = read;
    } else {
        npy_release(&read);
    }
    return rc;
}

void npy_release(struct npy *npy) {
    free(npy->data);
    *npy = (struct npy){0};
}

/* ---- elements ---- */

/* The bits of element i, extended by its sign. */
static uint64_t element(const struct npy *npy, size_t i, bool *negative) {
    size_t size = npy_item_size(npy->type);
    const uint8_t *bytes = (const uint8_t *)npy->data + i * size;
    uint64_t value = 0;
    *negative = types[npy->type].name[0] == 'i' && (bytes[size - 1] & 0x80) != 0;
    for (size_t b = sizeof value; b > 0; b--) {
        value = value << 8 | (b <= size ? bytes[b - 1] : *negative ? 0xff : 0);
    }
    return value;
}

bool npy_integer(const struct npy *npy, size_t i, uint64_t max, uint64_t *value) {
    assert(npy->type != NPY_F4 && i < npy->len);
    bool negative;
    uint64_t bits = element(npy, i, &negative);
    if (negative || bits > max) {
        return false;
    }
    *value = bits;
    return true;
}

void npy_format(const struct npy *npy, size_t i, char out[32]) {
    bool negative;
    uint64_t bits = element(npy, i, &negative);
    if (negative) {
        (void)snprintf(out, 32, "-%llu", (unsigned long long)(0 - bits)); // fits
    } else {
        (void)snprintf(out, 32, "%llu", (unsigned long long)bits); // likewise
    }
}
