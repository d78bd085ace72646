/* Image sets: what is refused, and a cache that is never believed without a look. */
#include "trainer/data.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char root[64], data[80], cache[80];

static const uint8_t train_images[] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0,
                                       1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 255}; // 3 of 1 x 2
static const uint8_t train_labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 0, 9, 4};
static const uint8_t test_images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 7, 8, 9, 10};
static const uint8_t test_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 2};

static void put_file(const char *name, const void *bytes, size_t len) {
    char path[160];
    (void)snprintf(path, sizeof path, "%s/%s", data, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(close(fd), 0);
}

static void put_set(void) {
    put_file("train-images-idx3-ubyte", train_images, sizeof train_images);
    put_file("train-labels-idx1-ubyte", train_labels, sizeof train_labels);
    put_file("t10k-images-idx3-ubyte", test_images, sizeof test_images);
    put_file("t10k-labels-idx1-ubyte", test_labels, sizeof test_labels);
}

static int set_up(void **state) {
    (void)state;
    strcpy(root, "/tmp/test_data.XXXXXX");
    if (mkdtemp(root) == NULL) {
        return -1;
    }
    (void)snprintf(data, sizeof data, "%s/data", root);
    (void)snprintf(cache, sizeof cache, "%s/cache/below", root);
    if (mkdir(data, 0755) != 0) {
        return -1;
    }
    put_set();
    return 0;
}

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *fmt, ...) {
    char command[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    if (system(command) != 0) {
        fail_msg("failed: %s", command);
    }
}

static int tear_down(void **state) {
    (void)state;
    run("chmod -R u+w %s && rm -r %s", root, root);
    return 0;
}

/* A spec with all at its defaults; the name stays the caller's. */
static struct dataset_spec spec_of(const char *name) {
    return (struct dataset_spec){
        .kind = DATASET_FILES, .name = (char *)(uintptr_t)name, .split = EMNIST_UNSAID};
}

static void open_set(struct dataset *set, const char *name) {
    struct err err;
    const struct dataset_spec spec = spec_of(name);
    *set = (struct dataset){0};
    if (dataset_open(set, &spec, cache, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
}

static void assert_refused(const char *name, int code, const char *text) {
    struct dataset set = {0};
    struct err err = {0};
    const struct dataset_spec spec = spec_of(name);
    int rc = dataset_open(&set, &spec, cache, &err);
    if (rc != code || strstr(err.msg, text) == NULL) {
        fail_msg("%s \"%s\", expected %s \"%s\"", err_name(rc), err.msg, err_name(code), text);
    }
    assert_null(set.map); // written on success only
    dataset_close(&set);
}

static void assert_content(const struct dataset *set) {
    assert_int_equal(set->train.count, 3);
    assert_int_equal(set->test.count, 2);
    assert_int_equal(set->shape.C, 1);
    assert_int_equal(set->shape.H, 1);
    assert_int_equal(set->shape.W, 2);
    assert_int_equal(set->classes, 10);
    assert_memory_equal(set->train.images, train_images + 16, 6);
    assert_memory_equal(set->train.labels, train_labels + 8, 3);
    assert_memory_equal(set->test.images, test_images + 16, 4);
    assert_memory_equal(set->test.labels, test_labels + 8, 2);
    assert_int_equal((uintptr_t)set->train.images % 64, 0);
    assert_int_equal((uintptr_t)set->train.labels % 64, 0);
    assert_int_equal((uintptr_t)set->test.images % 64, 0);
    assert_int_equal((uintptr_t)set->test.labels % 64, 0);
}

/* The one file in the cache folder whose name ends in `ending`. */
static char *cache_file(const char *ending) {
    DIR *d = opendir(cache);
    assert_non_null(d);
    char *found = NULL;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        size_t len = strlen(e->d_name), end = strlen(ending);
        if (len > end && strcmp(e->d_name + len - end, ending) == 0) {
            assert_null(found);
            found = mem_printf("%s/%s", cache, e->d_name);
        }
    }
    (void)closedir(d);
    assert_non_null(found);
    return found;
}

static struct stat cache_stat(void) {
    char *path = cache_file(".cache");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    free(path);
    return st;
}

/* Every making puts a new file in the place of the old one. */
static bool is_made_again(const char *name) {
    struct stat before = cache_stat();
    char *path = cache_file(".cache"), *held = mem_printf("%s/held", root);
    assert_int_equal(link(path, held), 0); // so that the inode's number is not given again
    struct dataset set;
    open_set(&set, name);
    dataset_close(&set);
    struct stat after = cache_stat();
    assert_int_equal(unlink(held), 0);
    free(held);
    free(path);
    return before.st_ino != after.st_ino;
}

/* ---- sets ---- */

static void the_four_files_become_a_set(void **state) {
    (void)state;
    struct dataset set;
    open_set(&set, data);
    assert_content(&set);
    dataset_close(&set);
    assert_null(set.map);
    dataset_close(&set); // again is fine
}

static void the_content_decides_its_hash(void **state) {
    (void)state;
    struct dataset set;
    open_set(&set, data);
    char first[HASH_HEX_LEN + 1];
    strcpy(first, set.hash);
    assert_int_equal(strspn(first, "0123456789abcdef"), HASH_HEX_LEN);
    dataset_close(&set);

    run("gzip %s/t*", data); // other files, another place, another time, the same content
    run("mv %s %s.moved && mkdir %s && mv %s.moved %s/x", data, data, data, data, data);
    char *moved = mem_printf("%s/x", data);
    open_set(&set, moved);
    assert_content(&set);
    assert_string_equal(set.hash, first);
    dataset_close(&set);
    free(moved);

    put_set();
    uint8_t other[sizeof test_labels];
    memcpy(other, test_labels, sizeof other);
    other[9] = 3;
    put_file("t10k-labels-idx1-ubyte", other, sizeof other);
    open_set(&set, data);
    assert_string_not_equal(set.hash, first);
    dataset_close(&set);
}

static void a_limit_takes_the_first_samples(void **state) {
    (void)state;
    struct dataset set = {0};
    struct err err;
    struct dataset_spec spec = spec_of(data);
    spec.train = 2;
    spec.test = 3;
    assert_int_equal(dataset_open(&set, &spec, cache, &err), ERR_RANGE);
    assert_string_equal(err.msg, "dataset.test: 3 samples are wanted, but there are 2");
    assert_null(set.map);
    spec.test = 1;
    assert_int_equal(dataset_open(&set, &spec, cache, &err), ERR_OK);
    assert_int_equal(set.train.count, 2);
    assert_int_equal(set.test.count, 1);
    assert_memory_equal(set.train.images, train_images + 16, 4);
    dataset_close(&set);
}

static void what_is_missing_is_named(void **state) {
    (void)state;
    run("rm %s/t10k-labels-idx1-ubyte", data);
    assert_refused(data, ERR_NOT_FOUND, "no t10k-labels-idx1-ubyte[.gz] in /tmp/test_data.");
    assert_refused("no-such-set", ERR_NOT_FOUND, "in /usr/share/datasets/no-such-set");
    assert_refused("fashion-mnsit", ERR_NOT_FOUND,
                   "in /usr/share/datasets/fashion-mnsit; did you mean \"fashion-mnist\"?");
    assert_refused("spiral", ERR_NOT_FOUND, "did you mean \"spirals\"?");
    assert_refused("./no-such-folder", ERR_NOT_FOUND,
                   "neither train-images-idx3-ubyte, emnist-balanced-train-images-idx3-ubyte, "
                   "data_batch_1.bin, train.bin, train-images.npy nor train.csv in");
    run("mkdir %s/t10k-labels-idx1-ubyte", data);
    assert_refused(data, ERR_IO, "t10k-labels-idx1-ubyte: not a regular file");
}

static void labels_and_images_must_fit_together(void **state) {
    (void)state;
    static const uint8_t ten[] = {0, 0, 8, 1, 0, 0, 0, 3, 0, 10, 4};
    put_file("train-labels-idx1-ubyte", ten, sizeof ten);
    assert_refused(data, ERR_RANGE, "train-labels-idx1-ubyte: label 1 is 10, not from 0 to 9");
    static const uint8_t two[] = {0, 0, 8, 1, 0, 0, 0, 2, 0, 4};
    put_file("train-labels-idx1-ubyte", two, sizeof two);
    assert_refused(data, ERR_RANGE, "has 3 images, but");
    put_set();
    static const uint8_t turned[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 7, 8, 9, 10};
    put_file("t10k-images-idx3-ubyte", turned, sizeof turned);
    assert_refused(data, ERR_RANGE, "has images of 1x2, but");
    put_set();
    put_file("train-images-idx3-ubyte", train_images, sizeof train_images - 1);
    assert_refused(data, ERR_PARSE, "train-images-idx3-ubyte: truncated");
    put_file("train-images-idx3-ubyte", train_labels, sizeof train_labels);
    assert_refused(data, ERR_RANGE, "train-images-idx3-ubyte: an array of 1 dimension");
}

/* The set of the Debian package, when it is installed: facts from its paper and page. */
static void fashion_mnist_is_as_published(void **state) {
    (void)state;
    if (access("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz", R_OK) != 0) {
        assert_refused("fashion-mnist", ERR_NOT_FOUND, "apt-get install dataset-fashion-mnist");
        return;
    }
    struct dataset set;
    open_set(&set, "fashion-mnist");
    assert_int_equal(set.train.count, 60000);
    assert_int_equal(set.test.count, 10000);
    assert_int_equal(set.shape.H, 28);
    assert_int_equal(set.shape.W, 28);
    int train[10] = {0}, test[10] = {0};
    for (int i = 0; i < 60000; i++) {
        train[set.train.labels[i]]++;
    }
    for (int i = 0; i < 10000; i++) {
        test[set.test.labels[i]]++;
    }
    for (int c = 0; c < 10; c++) { // balanced: 7,000 images a class
        assert_int_equal(train[c], 6000);
        assert_int_equal(test[c], 1000);
    }
    double sum = 0;
    for (size_t i = 0; i < 60000 * 784; i++) {
        sum += ((const uint8_t *)set.train.images)[i];
    }
    double mean = sum / (60000.0 * 784 * 255);
    if (mean < 0.2855 || mean > 0.2865) { // 0.2860, the constant everybody normalizes with
        fail_msg("the mean of the training images is %g", mean);
    }
    dataset_close(&set);
}

/* ---- the cache ---- */

static void the_cache_is_used_again(void **state) {
    (void)state;
    struct dataset set;
    open_set(&set, data);
    dataset_close(&set);
    assert_false(is_made_again(data));
    char *indirect = mem_printf("%s/../data/.", data); // the same folder
    assert_false(is_made_again(indirect));
    free(indirect);
    run("rm %s/*.lock", cache); // a good cache needs no lock: it may be read-only
    assert_false(is_made_again(data));
    run("test $(ls -A %s | wc -l) = 1", cache);
}

static void a_source_that_changed_makes_the_cache_again(void **state) {
    (void)state;
    struct dataset set;
    open_set(&set, data);
    dataset_close(&set);
    run("touch -d '2001-01-01 00:00:00.5' %s/train-labels-idx1-ubyte", data);
    assert_true(is_made_again(data));
    assert_false(is_made_again(data));
    run("touch -d '2001-01-01 00:00:00.500000001' %s/train-labels-idx1-ubyte", data);
    assert_true(is_made_again(data));
    run("gzip -n %s/t10k-images-idx3-ubyte", data);
    assert_true(is_made_again(data));
    open_set(&set, data);
    assert_content(&set);
    dataset_close(&set);
}

static void a_source_replaced_under_its_old_time_and_size_is_noticed(void **state) {
    (void)state;
    struct dataset set;
    open_set(&set, data);
    char before[HASH_HEX_LEN + 1];
    strcpy(before, set.hash);
    dataset_close(&set);
    // as an archive unpacks it, or cp -p: in place, and by a new file
    run("cd %s && f=train-labels-idx1-ubyte && cp -p $f old && printf '\\1' |"
        " dd of=$f bs=1 seek=8 conv=notrunc status=none && touch -r old $f && ! cmp -s $f old &&"
        " test \"$(stat -c '%%s %%y' $f)\" = \"$(stat -c '%%s %%y' old)\"",
        data);
    open_set(&set, data);
    assert_string_not_equal(set.hash, before);
    dataset_close(&set);
    run("mv %s/old %s/train-labels-idx1-ubyte", data, data);
    open_set(&set, data);
    assert_string_equal(set.hash, before);
    dataset_close(&set);
}

static void only_the_content_of_a_given_fingerprint_is_taken(void **state) {
    (void)state;
    struct dataset set = {0};
    struct err err;
    open_set(&set, data);
    struct dataset_spec spec = spec_of(data);
    strcpy(spec.fingerprint, set.hash);
    dataset_close(&set);
    spec.train = 2; // which part is taken is another matter
    assert_int_equal(dataset_open(&set, &spec, cache, &err), ERR_OK);
    dataset_close(&set);
    char *text = mem_printf("%.32s is wanted, and its content is %.32s",
                            "00000000000000000000000000000000", spec.fingerprint);
    strcpy(spec.fingerprint, "00000000000000000000000000000000");
    assert_int_equal(dataset_open(&set, &spec, cache, &err), ERR_DIFFERS);
    assert_non_null(strstr(err.msg, text));
    free(text);
    assert_null(set.map);
}

/* Between the parts are up to 63 bytes that nobody reads; each other bit matters. */
static void a_cache_with_a_flipped_bit_is_not_used(void **state) {
    (void)state;
    struct dataset set;
    open_set(&set, data);
    size_t offsets[4][2] = {{(size_t)((const char *)set.train.images - (const char *)set.map), 6},
                            {(size_t)((const char *)set.train.labels - (const char *)set.map), 3},
                            {(size_t)((const char *)set.test.images - (const char *)set.map), 4},
                            {(size_t)((const char *)set.test.labels - (const char *)set.map), 2}};
    size_t header = offsets[0][0];
    while (((const char *)set.map)[header - 1] == 0) { // it ends in digits
        header--;
    }
    assert_in_range(header, offsets[0][0] - 63, offsets[0][0]);
    dataset_close(&set);
    const size_t checks = (offsets[3][0] + 2 + 63) / 64 * 64, end = (size_t)cache_stat().st_size;
    assert_int_equal(end, checks + 4 * (size_t)HASH_HEX_LEN); // a piece each
    for (size_t at = 0; at < end; at++) {
        bool used = at < header || at >= checks;
        for (int i = 0; i < 4; i++) {
            used = used || (at >= offsets[i][0] && at < offsets[i][0] + offsets[i][1]);
        }
        if (!used) {
            continue;
        }
        char *path = cache_file(".cache");
        int fd = open(path, O_RDWR | O_CLOEXEC);
        uint8_t byte;
        assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
        byte ^= (uint8_t)(1 << at % 8);
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
        (void)close(fd);
        free(path);
        if (!is_made_again(data)) {
            fail_msg("byte %zu was changed, and the cache was used", at);
        }
    }
    open_set(&set, data);
    assert_content(&set);
    dataset_close(&set);
}

/* What a trial does not read may be damaged for all that it is concerned; whoever reads it notices. */
static void the_images_that_are_taken_are_looked_at(void **state) {
    (void)state;
    enum { COUNT = 5000, TEST = 3000, SIZE = 28 * 28, MIB = 1 << 20 }; // 4 and 3 pieces
    const size_t len = 16 + (size_t)COUNT * SIZE;
    uint8_t *images = mem_zalloc(len, 1);
    uint8_t labels[8 + COUNT] = {0, 0, 8, 1, 0, 0, COUNT >> 8, COUNT & 255};
    const uint8_t header[16] = {0, 0, 8, 3,  0, 0, COUNT >> 8, COUNT & 255,
                                0, 0, 0, 28, 0, 0, 0,          28};
    memcpy(images, header, sizeof header);
    put_file("train-images-idx3-ubyte", images, len);
    put_file("train-labels-idx1-ubyte", labels, sizeof labels);
    images[6] = labels[6] = TEST >> 8;
    images[7] = labels[7] = TEST & 255;
    put_file("t10k-images-idx3-ubyte", images, 16 + (size_t)TEST * SIZE);
    put_file("t10k-labels-idx1-ubyte", labels, 8 + TEST);
    free(images);
    static const struct {
        int train, test;
        double validation;
        bool balanced, is_test;
        size_t byte; // of the images of that part, which is damaged
        bool made;
    } cases[] = {
        {0, 0, 0, false, false, (size_t)COUNT * SIZE - 1, true},
        {0, 0, 0, false, true, (size_t)TEST * SIZE - 1, true},
        {1, 1, 0, false, false, 0, true},
        {1, 1, 0, false, true, SIZE - 1, true},
        {1338, 1, 0, false, false, MIB,
         true}, // the first byte of the second piece is of image 1337
        {1337, 1, 0, false, false, MIB, false},
        {1337, 1, 0, true, false, MIB, true}, // which images those are the labels say
        {1337, 1, 0.1, false, false, (size_t)COUNT * SIZE - 1, true}, // validation is at the end
        {1, 1338, 0, false, true, MIB, true},
        {1, 1337, 0, false, true, MIB, false},
        {1, 1337, 0.1, false, true, MIB, false}, // of the training images
        {1, 0, 0, false, true, (size_t)TEST * SIZE - 1, true},
        {COUNT, TEST, 0, false, false, (size_t)COUNT * SIZE - 1, true},
    };
    struct dataset set;
    open_set(&set, data);
    char hash[HASH_HEX_LEN + 1];
    strcpy(hash, set.hash);
    const uint8_t *map = set.map;
    const off_t parts[2] = {(const uint8_t *)set.train.images - map,
                            (const uint8_t *)set.test.images - map};
    dataset_close(&set);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = cache_file(".cache");
        int fd = open(path, O_RDWR | O_CLOEXEC);
        const off_t at = parts[cases[i].is_test] + (off_t)cases[i].byte;
        assert_int_equal(pwrite(fd, "\1", 1, at), 1);
        struct stat before = cache_stat();
        struct dataset_spec spec = spec_of(data);
        spec.train = cases[i].train;
        spec.test = cases[i].test;
        spec.validation = cases[i].validation;
        spec.balanced = cases[i].balanced;
        struct err err;
        if (dataset_open(&set, &spec, cache, &err) != ERR_OK) {
            fail_msg("case %zu: %s", i, err.msg);
        }
        assert_string_equal(set.hash, hash);
        dataset_close(&set);
        if ((cache_stat().st_ino != before.st_ino) != cases[i].made) {
            fail_msg("case %zu: %s", i, cases[i].made ? "the cache was used" : "it was made again");
        }
        (void)close(fd); // held, so that the inode's number is not given again
        free(path);
        open_set(&set, data);
        const uint8_t *image = cases[i].is_test ? set.test.images : set.train.images;
        assert_int_equal(image[cases[i].byte], 0); // whoever reads all has it mended
        dataset_close(&set);
    }
}

static void a_cache_that_was_cut_is_not_used(void **state) {
    (void)state;
    enum {
        COUNT = 20,
        LEN = 16 + COUNT * 28 * 28
    }; // several pages: beyond the end of the file is SIGBUS
    uint8_t images[LEN] = {0, 0, 8, 3, 0, 0, 0, COUNT, 0, 0, 0, 28, 0, 0, 0, 28};
    uint8_t labels[8 + COUNT] = {0, 0, 8, 1, 0, 0, 0, COUNT};
    put_file("train-images-idx3-ubyte", images, sizeof images);
    put_file("train-labels-idx1-ubyte", labels, sizeof labels);
    put_file("t10k-images-idx3-ubyte", images, sizeof images);
    put_file("t10k-labels-idx1-ubyte", labels, sizeof labels);
    struct dataset set;
    open_set(&set, data);
    dataset_close(&set);
    off_t whole = cache_stat().st_size;
    for (off_t len = 0; len < whole; len += len < 300 ? 37 : 1021) {
        char *path = cache_file(".cache");
        assert_int_equal(truncate(path, len), 0);
        free(path);
        if (!is_made_again(data)) {
            fail_msg("cut to %lld bytes, and the cache was used", (long long)len);
        }
    }
    assert_int_equal(cache_stat().st_size, whole);
}

static void a_cache_that_cannot_be_made_is_an_error_that_names_it(void **state) {
    (void)state;
    run("mkdir %s/cache && touch %s", root, cache); // a file where the folder should be
    assert_refused(data, ERR_IO, cache);
    run("rm %s && ln -s /proc %s", cache, cache); // nobody, root included, makes files there
    assert_refused(data, ERR_IO, cache);
}

static void nothing_but_the_cache_and_its_lock_is_left(void **state) {
    (void)state;
    struct dataset set;
    open_set(&set, data);
    dataset_close(&set);
    put_file("t10k-labels-idx1-ubyte", test_images, sizeof test_images);
    assert_refused(data, ERR_RANGE, "an array of 3 dimensions");
    run("test $(ls -A %s | wc -l) = 2", cache);
    char *name = cache_file(".cache"), *lock = cache_file(".cache.lock");
    assert_int_equal(strncmp(strrchr(name, '/'), "/data-", 6), 0);
    assert_int_equal(strlen(strrchr(name, '/')), strlen("/data-01234567.cache"));
    free(name);
    free(lock);
}

static void several_processes_at_once_all_get_the_set(void **state) {
    (void)state;
    enum { ROUNDS = 5, PROCESSES = 6 };
    for (int round = 0; round < ROUNDS; round++) {
        run("rm -rf %s", cache);
        int gate[2];
        assert_int_equal(pipe(gate), 0);
        pid_t children[PROCESSES];
        for (int i = 0; i < PROCESSES; i++) {
            children[i] = fork();
            if (children[i] == 0) {
                char byte;
                (void)close(gate[1]);
                (void)!read(gate[0], &byte, 1); // the end of the pipe: all at once
                struct dataset set;
                struct err err;
                const struct dataset_spec spec = spec_of(data);
                int rc = dataset_open(&set, &spec, cache, &err);
                if (rc != ERR_OK) {
                    print_error("%s\n", err.msg);
                }
                _exit(rc == ERR_OK && memcmp(set.train.images, train_images + 16, 6) == 0 ? 0 : 1);
            }
        }
        (void)close(gate[0]);
        (void)close(gate[1]);
        for (int i = 0; i < PROCESSES; i++) {
            int status = -1;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_int_equal(status, 0);
        }
    }
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(the_four_files_become_a_set),
        CASE(the_content_decides_its_hash),
        CASE(a_limit_takes_the_first_samples),
        CASE(what_is_missing_is_named),
        CASE(labels_and_images_must_fit_together),
        CASE(fashion_mnist_is_as_published),
        CASE(the_cache_is_used_again),
        CASE(a_source_that_changed_makes_the_cache_again),
        CASE(a_source_replaced_under_its_old_time_and_size_is_noticed),
        CASE(only_the_content_of_a_given_fingerprint_is_taken),
        CASE(a_cache_with_a_flipped_bit_is_not_used),
        CASE(the_images_that_are_taken_are_looked_at),
        CASE(a_cache_that_was_cut_is_not_used),
        CASE(a_cache_that_cannot_be_made_is_an_error_that_names_it),
        CASE(nothing_but_the_cache_and_its_lock_is_left),
        CASE(several_processes_at_once_all_get_the_set),
    };
    return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
