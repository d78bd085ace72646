#include "trainer/idx.h"

#include "base/err.h"
#include "trainer/stream.h"

#include <stdlib.h>

enum { MAGIC_LEN = 4, TYPE_UBYTE = 8 };

static int check_magic(const char *path, const uint8_t magic[MAGIC_LEN], int dim_count,
                       struct err *err) {
    if (magic[0] != 0 || magic[1] != 0) {
        return err_set(err, ERR_PARSE, "%s: not an IDX file: it starts with %02x %02x %02x %02x",
                       path, magic[0], magic[1], magic[2], magic[3]);
    }
    if (magic[2] != TYPE_UBYTE) {
        return err_set(err, ERR_PARSE, "%s: elements of type 0x%02x, not unsigned bytes (0x08)",
                       path, magic[2]);
    }
    if (magic[3] != dim_count) {
        return err_set(err, ERR_RANGE, "%s: an array of %d dimension%s, not of %d", path, magic[3],
                       magic[3] == 1 ? "" : "s", dim_count);
    }
    return ERR_OK;
}

static int read_dims(struct stream *s, struct idx *idx, struct err *err) {
    uint8_t bytes[4 * IDX_DIM_MAX] = {0};
    int rc = stream_need(s, bytes, 4 * (size_t)idx->dim_count, "the header", err);
    idx->len = 1;
    for (int i = 0; i < idx->dim_count && rc == ERR_OK; i++) {
        const uint8_t *b = bytes + 4 * (size_t)i;
        uint32_t dim = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        uint32_t max = i == 0 ? IDX_COUNT_MAX : IDX_SIDE_MAX;
        if (dim < 1 || dim > max) {
            rc = err_set(err, ERR_RANGE, "%s: dimension %d is %u, not from 1 to %u", stream_path(s),
                         i + 1, dim, max);
        } else {
            idx->dims[i] = (int)dim;
            idx->len *= dim; // at most 10^7 * 2^20
        }
    }
    return rc;
}

static int read_array(struct stream *s, struct idx *idx, int dim_count, struct err *err) {
    uint8_t magic[MAGIC_LEN] = {0};
    int rc = stream_need(s, magic, MAGIC_LEN, "the header", err);
    rc = rc == ERR_OK ? check_magic(stream_path(s), magic, dim_count, err) : rc;
    rc = rc == ERR_OK ? read_dims(s, idx, err) : rc;
    rc = rc == ERR_OK ? stream_expect(s, idx->len + MAGIC_LEN + 4 * (uint64_t)dim_count,
                                      "the array", "its dimensions make", err)
                      : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    rc = stream_need_new(s, &idx->data, idx->len, "the array", err);
    return rc == ERR_OK ? stream_end(s, "the array", err) : rc;
}

int idx_load(struct idx *idx, const char *path, int dim_count, struct err *err) {
    struct idx read = {.dim_count = dim_count, .dims = {1, 1, 1}};
    struct stream *s = NULL;
    int rc = stream_open(&s, path, err);
    rc = rc == ERR_OK ? read_array(s, &read, dim_count, err) : rc;
    stream_close(s);
    if (rc == ERR_OK) {
        *idx = read;
    } else {
        idx_release(&read);
    }
    return rc;
}

void idx_release(struct idx *idx) {
    free(idx->data);
    *idx = (struct idx){0};
}
