#include "trainer/data.h"

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "trainer/idx.h"
#include "trainer/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char DATASETS[] = "/usr/share/datasets";

enum { CLASSES = 10, PARTS = 4, ALIGN = 64, LOCK_WAIT_MS = 120000 };
enum part { TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS };

static const char *const file_names[PARTS] = {
    [TRAIN_IMAGES] = "train-images-idx3-ubyte",
    [TRAIN_LABELS] = "train-labels-idx1-ubyte",
    [TEST_IMAGES] = "t10k-images-idx3-ubyte",
    [TEST_LABELS] = "t10k-labels-idx1-ubyte",
};

/* The cache file: this header, then at 64-byte boundaries the four parts in their order. */
struct header {
    char magic[16];
    uint32_t endian; // 0x01020304 as this machine writes it
    uint32_t classes;
    uint32_t train, test; // samples
    uint32_t C, H, W;
    uint32_t reserved;
    struct file_stamp source[PARTS];
    uint64_t offset[PARTS], len[PARTS];
    char content[HASH_HEX_LEN]; // of shape, images and labels
    char check[HASH_HEX_LEN];   // of this header with zeros here
};
static const char MAGIC[16] = "besom-images 2\n";

/* ---- the four files ---- */

struct sources {
    char *path[PARTS];           // owned
    struct file_stamp id[PARTS]; // when it is the same, so is the content
};

static void sources_release(struct sources *s) {
    for (int i = 0; i < PARTS; i++) {
        free(s->path[i]);
    }
}

static int find_source(struct sources *s, int part, const char *name, const char *dir,
                       struct err *err) {
    static const char *const endings[] = {"", ".gz"};
    for (int e = 0; e < 2; e++) {
        char *path = mem_printf("%s/%s%s", dir, file_names[part], endings[e]);
        int rc = file_stamp_of(path, &s->id[part], err);
        if (rc == ERR_OK) {
            s->path[part] = path;
            return ERR_OK;
        }
        free(path);
        if (rc != ERR_NOT_FOUND) { // it is there, but cannot be looked at
            return err_wrap(err, "dataset \"%s\"", name);
        }
    }
    if (strcmp(name, "fashion-mnist") == 0) {
        return err_set(err, ERR_NOT_FOUND,
                       "dataset \"%s\": no %s[.gz] in %s; apt-get install dataset-fashion-mnist "
                       "puts it there",
                       name, file_names[part], dir);
    }
    return err_set(
        err, ERR_NOT_FOUND,
        "dataset \"%s\": no %s[.gz] in %s; a data set is \"fashion-mnist\", \"mnist\" or a "
        "folder (with a '/') that holds MNIST's four files",
        name, file_names[part], dir);
}

static bool is_folder(const char *name) {
    return strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static char *folder_of(const char *name) {
    if (!is_folder(name)) {
        return mem_printf("%s/%s", DATASETS, name);
    }
    char *resolved = realpath(name, NULL); // one cache file, whatever the folder is called
    return resolved != NULL ? resolved : mem_strdup(name);
}

static int find_sources(struct sources *s, const char *name, const char *dir, struct err *err) {
    int rc = ERR_OK;
    for (int i = 0; i < PARTS && rc == ERR_OK; i++) {
        rc = find_source(s, i, name, dir, err);
    }
    return rc;
}

/* ---- decoding ---- */

static int check_labels(const struct idx *labels, const char *path, struct err *err) {
    for (int i = 0; i < labels->dims[0]; i++) {
        if (labels->data[i] >= CLASSES) {
            return err_set(err, ERR_RANGE, "%s: label %d is %d, not from 0 to %d", path, i,
                           labels->data[i], CLASSES - 1);
        }
    }
    return ERR_OK;
}

static int check_pair(const struct sources *s, const struct idx *images, const struct idx *labels,
                      int part, struct err *err) {
    if (images->dims[0] != labels->dims[0]) {
        return err_set(err, ERR_RANGE, "%s has %d images, but %s has %d labels", s->path[part],
                       images->dims[0], s->path[part + 1], labels->dims[0]);
    }
    return check_labels(labels, s->path[part + 1], err);
}

static int decode(const struct sources *s, struct idx idx[PARTS], struct err *err) {
    int rc = ERR_OK;
    for (int i = 0; i < PARTS && rc == ERR_OK; i++) {
        rc = idx_load(&idx[i], s->path[i], i % 2 == 0 ? 3 : 1, err);
    }
    rc = rc == ERR_OK ? check_pair(s, &idx[TRAIN_IMAGES], &idx[TRAIN_LABELS], TRAIN_IMAGES, err)
                      : rc;
    rc = rc == ERR_OK ? check_pair(s, &idx[TEST_IMAGES], &idx[TEST_LABELS], TEST_IMAGES, err) : rc;
    for (int d = 1; d < 3 && rc == ERR_OK; d++) {
        if (idx[TRAIN_IMAGES].dims[d] != idx[TEST_IMAGES].dims[d]) {
            rc =
                err_set(err, ERR_RANGE, "%s has images of %dx%d, but %s of %dx%d",
                        s->path[TRAIN_IMAGES], idx[TRAIN_IMAGES].dims[1], idx[TRAIN_IMAGES].dims[2],
                        s->path[TEST_IMAGES], idx[TEST_IMAGES].dims[1], idx[TEST_IMAGES].dims[2]);
        }
    }
    return rc;
}

/* ---- the cache file ---- */

static uint64_t aligned(uint64_t offset) {
    return (offset + ALIGN - 1) / ALIGN * ALIGN;
}

static void hash_content(char out[HASH_HEX_LEN], const struct header *h,
                         const void *const parts[PARTS]) {
    char hex[HASH_HEX_LEN + 1];
    const uint32_t shape[] = {h->classes, h->train, h->test, h->C, h->H, h->W};
    struct hash *hash = hash_new();
    hash_add(hash, shape, sizeof shape);
    for (int i = 0; i < PARTS; i++) {
        hash_add(hash, parts[i], h->len[i]);
    }
    hash_finish(hash, hex);
    memcpy(out, hex, HASH_HEX_LEN);
}

static void hash_header(char out[HASH_HEX_LEN], const struct header *h) {
    struct header blank = *h;
    memset(blank.check, 0, sizeof blank.check);
    char hex[HASH_HEX_LEN + 1];
    hash_hex(hex, &blank, sizeof blank);
    memcpy(out, hex, HASH_HEX_LEN);
}

static struct header make_header(const struct sources *s, const struct idx idx[PARTS]) {
    struct header h;
    memset(&h, 0, sizeof h); // also any padding: it is written and hashed
    memcpy(h.magic, MAGIC, sizeof h.magic);
    h.endian = 0x01020304;
    h.classes = CLASSES;
    h.train = (uint32_t)idx[TRAIN_IMAGES].dims[0];
    h.test = (uint32_t)idx[TEST_IMAGES].dims[0];
    h.C = 1;
    h.H = (uint32_t)idx[TRAIN_IMAGES].dims[1];
    h.W = (uint32_t)idx[TRAIN_IMAGES].dims[2];
    uint64_t offset = sizeof h;
    const void *parts[PARTS];
    for (int i = 0; i < PARTS; i++) {
        h.source[i] = s->id[i];
        h.offset[i] = aligned(offset);
        h.len[i] = idx[i].len;
        offset = h.offset[i] + h.len[i];
        parts[i] = idx[i].data;
    }
    hash_content(h.content, &h, parts);
    hash_header(h.check, &h);
    return h;
}

static int make_cache(const struct sources *s, const char *dir, const char *name, struct err *err) {
    static const char zeros[ALIGN];
    struct idx idx[PARTS] = {0};
    int rc = decode(s, idx, err);
    if (rc == ERR_OK) {
        struct header h = make_header(s, idx);
        struct fs_part parts[1 + 2 * PARTS] = {{&h, sizeof h}};
        uint64_t at = sizeof h;
        for (int i = 0; i < PARTS; i++) {
            parts[1 + 2 * i] = (struct fs_part){zeros, h.offset[i] - at};
            parts[2 + 2 * i] = (struct fs_part){idx[i].data, idx[i].len};
            at = h.offset[i] + h.len[i];
        }
        rc = fs_write_atomic(dir, name, parts, 1 + 2 * PARTS, err);
    }
    for (int i = 0; i < PARTS; i++) {
        idx_release(&idx[i]);
    }
    return rc;
}

/* true when the mapped bytes are a cache file of these sources, whole and unchanged */
static bool is_valid(const uint8_t *map, size_t len, const struct sources *s) {
    struct header h;
    if (len < sizeof h) {
        return false;
    }
    memcpy(&h, map, sizeof h);
    char check[HASH_HEX_LEN];
    hash_header(check, &h);
    if (memcmp(h.magic, MAGIC, sizeof h.magic) != 0 || h.endian != 0x01020304 ||
        memcmp(check, h.check, sizeof check) != 0 ||
        memcmp(h.source, s->id, sizeof h.source) != 0) {
        return false;
    }
    const void *parts[PARTS];
    for (int i = 0; i < PARTS; i++) { // the header is as it was written: its sums do not overflow
        if (h.offset[i] > len || h.len[i] > len - h.offset[i]) {
            return false; // the file was cut
        }
        parts[i] = map + h.offset[i];
    }
    hash_content(check, &h, parts);
    return memcmp(check, h.content, sizeof check) == 0;
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
                            .classes = (int)h.classes,
                            .map = map,
                            .map_len = len};
    memcpy(set->hash, h.content, HASH_HEX_LEN);
    set->hash[HASH_HEX_LEN] = '\0';
}

/* Maps the cache file; *valid tells whether it could be used and is now in `set`. */
static int map_cache(struct dataset *set, const char *path, const struct sources *s, bool *valid,
                     struct err *err) {
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

/* One at a time makes the file; whoever waited finds it made. */
static int lock_cache(const char *path, int *fd, struct err *err) {
    int rc = fs_lock(path, fd, err);
    for (int waited = 0; rc == ERR_BUSY && waited < LOCK_WAIT_MS; waited += 20) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); // cut: sooner again
        rc = fs_lock(path, fd, err);
    }
    return rc;
}

static int open_or_make(struct dataset *set, const struct sources *s, const char *cache_dir,
                        const char *name, struct err *err) {
    char *path = mem_printf("%s/%s", cache_dir, name), *lock = mem_printf("%s.lock", path);
    bool valid;
    int lock_fd = -1;
    int rc = map_cache(set, path, s, &valid, err);
    if (rc == ERR_OK && !valid) {
        rc = fs_mkdirs(cache_dir, err);
        rc = rc == ERR_OK ? lock_cache(lock, &lock_fd, err) : rc;
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

/* "fashion-mnist-1f0c9a2e.cache": the last part of the folder, and a hash of all of it */
static char *cache_name(const char *folder) {
    char hex[HASH_HEX_LEN + 1];
    hash_hex(hex, folder, strlen(folder));
    const char *slash = strrchr(folder, '/');
    return mem_printf("%.64s-%.8s.cache", slash != NULL ? slash + 1 : folder, hex);
}

static int open_whole(struct dataset *set, const char *name, const char *cache_dir,
                      struct err *err) {
    struct sources sources = {0};
    char *folder = folder_of(name);
    int rc = find_sources(&sources, name, folder, err);
    if (rc == ERR_OK) {
        char *cache = cache_name(folder);
        rc = open_or_make(set, &sources, cache_dir, cache, err);
        free(cache);
    }
    free(folder);
    sources_release(&sources);
    return rc;
}

static int limit(struct split *split, int count, const char *what, struct err *err) {
    if (count > split->count) {
        return err_set(err, ERR_RANGE, "dataset.%s: %d samples are wanted, but there are %d", what,
                       count, split->count);
    }
    if (count > 0) {
        split->count = count;
    }
    return ERR_OK;
}

int dataset_open(struct dataset *set, const struct dataset_spec *spec, const char *cache_dir,
                 struct err *err) {
    struct dataset opened = {0};
    int rc = open_whole(&opened, spec->name, cache_dir, err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = limit(&opened.train, spec->train, "train", err);
    rc = rc == ERR_OK ? limit(&opened.test, spec->test, "test", err) : rc;
    if (rc != ERR_OK) {
        dataset_close(&opened);
        return rc;
    }
    *set = opened;
    return ERR_OK;
}

void dataset_close(struct dataset *set) {
    if (set->map != NULL) {
        (void)munmap(set->map, set->map_len); // ours, whole
    }
    free(set->mean);
    free(set->std);
    *set = (struct dataset){0};
}

const struct split *dataset_val(const struct dataset *set) {
    return set->validation.count > 0 ? &set->validation : &set->test;
}
