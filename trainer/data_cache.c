/* trainer/data_cache.c - from a decoded set to its cache file, and from there to a mapping. */
#include "trainer/data_internal.h"

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ALIGN = 64, LOCK_WAIT_MS = 120000, PIECE = 1 << 20 };
enum part {
    TRAIN_IMAGES,
    TRAIN_LABELS,
    TEST_IMAGES,
    TEST_LABELS,
    PARTS,
    CHECKS = PARTS,
    ALL_PARTS
};

/* The cache file: this header, then at 64-byte boundaries the four parts in their order, and a fifth one: the
 * hashes of their pieces of 1 MiB, part by part.  So a trial that takes the first images of many looks at
 * the pieces that those lie in, and not at all. */
struct header {
    char magic[16];
    uint32_t endian; // 0x01020304 as this machine writes it
    uint32_t type;   // enum data_type
    uint32_t classes;
    uint32_t train, test; // samples
    uint32_t C, H, W;
    uint32_t source_count, reserved;
    struct file_stamp source[DATA_FILE_MAX];
    char variant[HASH_HEX_LEN]; // hash of which set of the folder it is
    uint64_t offset[ALL_PARTS], len[ALL_PARTS];
    char content[HASH_HEX_LEN]; // of shape, images and labels
    char check[HASH_HEX_LEN];   // of this header with zeros here
};
static const char MAGIC[16] = "besom-images 5\n";

static uint64_t aligned(uint64_t offset) {
    return (offset + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- identities ---- */

static void hash_content(char out[HASH_HEX_LEN + 1], const struct header *h,
                         const void *const parts[PARTS]) {
    const uint32_t shape[] = {h->classes, h->train, h->test, h->C, h->H, h->W};
    struct hash *hash = hash_new();
    hash_add(hash, shape, sizeof shape);
    if (h->type != DATA_UINT8) { // bytes came first, and their sets keep the identity that they had
        hash_add(hash, &h->type, sizeof h->type);
    }
    for (int i = 0; i < PARTS; i++) {
        hash_add(hash, parts[i], h->len[i]);
    }
    hash_finish(hash, out);
}

static void hash_header(char out[HASH_HEX_LEN], const struct header *h) {
    struct header blank = *h;
    memset(blank.check, 0, sizeof blank.check);
    char hex[HASH_HEX_LEN + 1];
    hash_hex(hex, &blank, sizeof blank);
    memcpy(out, hex, HASH_HEX_LEN);
}

static void hash_variant(char out[HASH_HEX_LEN], const struct data_source *s) {
    char hex[HASH_HEX_LEN + 1];
    hash_hex(hex, s->variant, strlen(s->variant));
    memcpy(out, hex, HASH_HEX_LEN);
}

/* What the header says about the content. */
static struct header describe(const struct data_raw *raw, const void *parts[PARTS]) {
    struct header h;
    memset(&h, 0, sizeof h); // also any padding: it is written and hashed
    h.type = raw->type;
    h.classes = (uint32_t)raw->classes;
    h.train = (uint32_t)raw->train.count;
    h.test = (uint32_t)raw->test.count;
    h.C = (uint32_t)raw->shape.C;
    h.H = (uint32_t)raw->shape.H;
    h.W = (uint32_t)raw->shape.W;
    size_t size = data_sample_size(raw->type, raw->shape);
    h.len[TRAIN_IMAGES] = h.train * size;
    h.len[TRAIN_LABELS] = h.train;
    h.len[TEST_IMAGES] = h.test * size;
    h.len[TEST_LABELS] = h.test;
    parts[TRAIN_IMAGES] = raw->train.images;
    parts[TRAIN_LABELS] = raw->train.labels;
    parts[TEST_IMAGES] = raw->test.images;
    parts[TEST_LABELS] = raw->test.labels;
    return h;
}

void data_content_hash(char out[HASH_HEX_LEN + 1], const struct data_raw *raw) {
    const void *parts[PARTS];
    struct header h = describe(raw, parts);
    hash_content(out, &h, parts);
}

/* ---- pieces ---- */

struct piece_check {
    char hex[HASH_HEX_LEN];
};

static size_t piece_count(uint64_t len) {
    return (len + PIECE - 1) / PIECE;
}

static void hash_piece(struct piece_check *out, const void *part, uint64_t len, size_t i) {
    char hex[HASH_HEX_LEN + 1];
    const uint64_t left = len - i * PIECE;
    hash_hex(hex, (const uint8_t *)part + i * PIECE, left < PIECE ? left : PIECE);
    memcpy(out->hex, hex, HASH_HEX_LEN);
}

/* Of all parts; on the heap. */
static struct piece_check *hash_pieces(const struct header *h, const void *const parts[PARTS],
                                       size_t *count) {
    struct piece_check *checks = NULL;
    *count = 0;
    for (int p = 0; p < PARTS; p++) {
        size_t pieces = piece_count(h->len[p]);
        checks = mem_resize(checks, *count + pieces, sizeof *checks);
        for (size_t i = 0; i < pieces; i++) {
            hash_piece(&checks[(*count)++], parts[p], h->len[p], i);
        }
    }
    return checks;
}

/* How many bytes from its beginning on a trial of this source may read of a part. */
static uint64_t bytes_used(const struct header *h, const struct dataset_spec *spec,
                           enum part part) {
    const bool is_train = part == TRAIN_IMAGES;
    const uint64_t there = is_train ? h->train : h->test,
                   wanted = (uint64_t)(is_train ? spec->train : spec->test);
    bool is_first = (is_train || part == TEST_IMAGES) && wanted > 0 && wanted < there &&
                    !spec->balanced && !(is_train && spec->validation > 0);
    return is_first ? h->len[part] / there * wanted : h->len[part];
}

/* Whether the pieces that the spec has a trial read are as they were written. */
static bool are_pieces_valid(const uint8_t *map, const struct header *h,
                             const struct dataset_spec *spec) {
    const struct piece_check *checks = (const void *)(map + h->offset[CHECKS]);
    for (int p = 0; p < PARTS; p++) {
        size_t used = piece_count(bytes_used(h, spec, (enum part)p));
        for (size_t i = 0; i < used; i++) {
            struct piece_check check;
            hash_piece(&check, map + h->offset[p], h->len[p], i);
            if (memcmp(&check, &checks[i], sizeof check) != 0) {
                return false;
            }
        }
        checks += piece_count(h->len[p]);
    }
    return true;
}

/* ---- making ---- */

/* All but the checks of the pieces and of itself. */
static struct header make_header(const struct data_source *s, const struct data_raw *raw,
                                 const void *parts[PARTS]) {
    struct header h = describe(raw, parts);
    char content[HASH_HEX_LEN + 1];
    memcpy(h.magic, MAGIC, sizeof h.magic);
    h.endian = 0x01020304;
    h.source_count = (uint32_t)s->count;
    memcpy(h.source, s->stamp, sizeof h.source);
    hash_variant(h.variant, s);
    hash_content(content, &h, parts);
    memcpy(h.content, content, sizeof h.content);
    return h;
}

static void finish_header(struct header *h, size_t checks) {
    h->len[CHECKS] = checks * sizeof(struct piece_check);
    uint64_t offset = sizeof *h;
    for (int i = 0; i < ALL_PARTS; i++) {
        h->offset[i] = aligned(offset);
        offset = h->offset[i] + h->len[i];
    }
    hash_header(h->check, h);
}

static int make_cache(const struct data_source *s, const char *dir, const char *name,
                      struct err *err) {
    static const char zeros[ALIGN];
    struct data_raw raw = {0};
    int rc = s->decode(&raw, s, err);
    if (rc == ERR_OK) {
        const void *data[ALL_PARTS];
        struct header h = make_header(s, &raw, data);
        size_t count;
        struct piece_check *checks = hash_pieces(&h, data, &count);
        data[CHECKS] = checks;
        finish_header(&h, count);
        struct fs_part parts[1 + 2 * ALL_PARTS] = {{&h, sizeof h}};
        uint64_t at = sizeof h;
        for (int i = 0; i < ALL_PARTS; i++) {
            parts[1 + 2 * i] = (struct fs_part){zeros, h.offset[i] - at};
            parts[2 + 2 * i] = (struct fs_part){data[i], h.len[i]};
            at = h.offset[i] + h.len[i];
        }
        rc = fs_write_cache(dir, name, parts, 1 + 2 * ALL_PARTS, err);
        free(checks);
    }
    data_raw_release(&raw);
    return rc;
}

/* ---- using ---- */

/* true when the mapped bytes are a cache file of these sources, whole, and unchanged where it is to be read */
static bool is_valid(const uint8_t *map, size_t len, const struct data_source *s) {
    struct header h;
    if (len < sizeof h) {
        return false;
    }
    memcpy(&h, map, sizeof h);
    char check[HASH_HEX_LEN + 1], variant[HASH_HEX_LEN];
    hash_header(check, &h);
    hash_variant(variant, s);
    if (memcmp(h.magic, MAGIC, sizeof h.magic) != 0 || h.endian != 0x01020304 ||
        memcmp(check, h.check, sizeof h.check) != 0 || h.source_count != (uint32_t)s->count ||
        memcmp(h.source, s->stamp, sizeof h.source) != 0 ||
        memcmp(h.variant, variant, sizeof h.variant) != 0) {
        return false;
    }
    uint64_t pieces = 0;
    for (int i = 0; i < ALL_PARTS;
         i++) { // the header is as it was written: its sums do not overflow
        if (h.offset[i] > len || h.len[i] > len - h.offset[i]) {
            return false; // the file was cut
        }
        pieces += i < PARTS ? piece_count(h.len[i]) : 0;
    }
    return h.len[CHECKS] == pieces * sizeof(struct piece_check) &&
           are_pieces_valid(map, &h, s->spec);
}

static void fill(struct dataset *set, void *map, size_t len) {
    const uint8_t *bytes = map;
    struct header h;
    memcpy(&h, map, sizeof h);
    *set = (struct dataset){.train = {.images = bytes + h.offset[TRAIN_IMAGES],
                                      .labels = bytes + h.offset[TRAIN_LABELS],
                                      .count = (int)h.train},
                            .test = {.images = bytes + h.offset[TEST_IMAGES],
                                     .labels = bytes + h.offset[TEST_LABELS],
                                     .count = (int)h.test},
                            .shape = {(int)h.C, (int)h.H, (int)h.W},
                            .type = (enum data_type)h.type,
                            .classes = (int)h.classes,
                            .map = map,
                            .map_len = len};
    memcpy(set->hash, h.content, HASH_HEX_LEN);
    set->hash[HASH_HEX_LEN] = '\0';
}

/* Maps the cache file; *valid tells whether it could be used and is now in `set`. */
static int map_cache(struct dataset *set, const char *path, const struct data_source *s,
                     bool *valid, struct err *err) {
    *valid = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? ERR_OK : err_io(err, errno, "open %s", path);
    }
    struct stat st;
    void *map = MAP_FAILED;
    int rc = ERR_OK;
    if (fstat(fd, &st) != 0) {
        rc = err_io(err, errno, "stat %s", path);
    } else if (st.st_size > 0) {
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED) {
            rc = err_io(err, errno, "map %s", path);
        }
    }
    (void)close(fd); // the mapping holds the file
    if (map != MAP_FAILED) {
        size_t len = (size_t)st.st_size;
        *valid = is_valid(map, len, s);
        if (*valid) {
            fill(set, map, len);
        } else {
            (void)munmap(map, len); // ours, whole
        }
    }
    return rc;
}

static int open_or_make(struct dataset *set, const struct data_source *s, const char *cache_dir,
                        const char *name, struct err *err) {
    char *path = mem_printf("%s/%s", cache_dir, name), *lock = mem_printf("%s.lock", path);
    bool valid;
    int lock_fd = -1;
    int rc = map_cache(set, path, s, &valid, err);
    if (rc == ERR_OK && !valid) {
        rc = fs_mkdirs(cache_dir, err);
        // one at a time makes the file; whoever waited finds it made
        rc = rc == ERR_OK ? fs_lock_wait(lock, LOCK_WAIT_MS, NULL, NULL, &lock_fd, err) : rc;
        rc = rc == ERR_OK ? map_cache(set, path, s, &valid, err) : rc;
        if (rc == ERR_OK && !valid) {
            rc = make_cache(s, cache_dir, name, err);
            rc = rc == ERR_OK ? map_cache(set, path, s, &valid, err) : rc;
        }
        if (rc == ERR_OK && !valid) {
            rc = err_set(err, ERR_CORRUPT, "%s: does not read back as it was written", path);
        }
        if (lock_fd >= 0) {
            (void)close(lock_fd); // lets the next one in
        }
    }
    free(lock);
    free(path);
    return rc;
}

/* "fashion-mnist-1f0c9a2e.cache": the last part of the folder, and a hash of all of it and the variant */
static char *cache_name(const struct data_source *s) {
    char hex[HASH_HEX_LEN + 1];
    struct hash *hash = hash_new();
    hash_add(hash, s->folder, strlen(s->folder) + 1); // the NUL tells where the other begins
    hash_add(hash, s->variant, strlen(s->variant));
    hash_finish(hash, hex);
    const char *slash = strrchr(s->folder, '/');
    return mem_printf("%.64s-%.8s.cache", slash != NULL ? slash + 1 : s->folder, hex);
}

int data_map_cache(struct dataset *set, const struct data_source *source, const char *cache_dir,
                   struct err *err) {
    char *name = cache_name(source);
    int rc = open_or_make(set, source, cache_dir, name, err);
    free(name);
    return rc;
}
