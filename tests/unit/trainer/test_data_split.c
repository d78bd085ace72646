/* What is taken from a set: validation, limits, balance, normalization; sets that are made; EMNIST. */
#include "tests/unit/trainer/data_testing.h"

#include "base/buf.h"

#include <math.h>

/* ---- a set of bytes, image i of class i % classes, its pixels i, 2 i, ... ---- */

static void put_idx(const char *name, int count, const int *sides, const uint8_t *data,
                    size_t len) {
    struct buf file = {0};
    const uint8_t magic[] = {0, 0, 8, sides != NULL ? 3 : 1};
    buf_put(&file, magic, sizeof magic);
    const int dims[] = {count, sides != NULL ? sides[0] : 0, sides != NULL ? sides[1] : 0};
    for (int d = 0; d < (sides != NULL ? 3 : 1); d++) {
        const uint8_t bytes[] = {0, 0, (uint8_t)(dims[d] >> 8), (uint8_t)dims[d]};
        buf_put(&file, bytes, sizeof bytes);
    }
    buf_put(&file, data, len);
    put(name, file.data, file.len);
    buf_release(&file);
}

static void put_part(const char *images_name, const char *labels_name, const uint8_t *labels,
                     int count) {
    static const int sides[] = {1, 2};
    uint8_t images[512];
    for (int i = 0; i < count; i++) {
        images[2 * i] = (uint8_t)i;
        images[2 * i + 1] = (uint8_t)(2 * i);
    }
    put_idx(images_name, count, sides, images, 2 * (size_t)count);
    put_idx(labels_name, count, NULL, labels, (size_t)count);
}

static const uint8_t train_labels[] = {0, 1, 2, 0, 0, 1, 2, 2, 1, 0, 1, 2, 0, 1, 2, 2};
static const uint8_t test_labels[] = {0, 0, 1, 2, 2, 1};

static void put_set(void) {
    put_part("train-images-idx3-ubyte", "train-labels-idx1-ubyte", train_labels, 16);
    put_part("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", test_labels, 6);
}

/* The part consists of these images, in this order. */
static void assert_part(const struct split *split, const int *images, int count) {
    assert_int_equal(split->count, count);
    for (int i = 0; i < count; i++) {
        size_t row = split->index != NULL ? split->index[i] : (size_t)i;
        assert_int_equal(((const uint8_t *)split->images)[2 * row], images[i]);
    }
}

static void validation_is_split_off_the_end(void **state) {
    (void)state;
    put_set();
    struct dataset set;
    struct dataset_spec spec = folder_spec();
    spec.validation = 4;
    spec.train = 3;
    open_good(&set, &spec);
    assert_part(&set.train, (const int[]){0, 1, 2}, 3);
    assert_part(&set.validation, (const int[]){12, 13, 14, 15}, 4);
    assert_int_equal(set.validation.labels[1], 1);
    assert_int_equal(set.test.count, 6);
    assert_ptr_equal(dataset_val(&set), &set.validation);
    dataset_close(&set);

    spec.validation = 0.25; // of all the training images, not of those that are used
    open_good(&set, &spec);
    assert_part(&set.validation, (const int[]){12, 13, 14, 15}, 4);
    dataset_close(&set);
    spec.validation = 0;
    open_good(&set, &spec);
    assert_int_equal(set.validation.count, 0);
    assert_ptr_equal(dataset_val(&set), &set.test);
    dataset_close(&set);
    spec.train = 13;
    spec.validation = 4;
    open_bad(&spec, ERR_RANGE, "dataset.train: 13 samples are wanted, but there are 12");
    spec.validation = 16;
    open_bad(&spec, ERR_RANGE, "dataset.validation: 16 of 16 training images leave none");
    spec.validation = 0.01;
    open_bad(&spec, ERR_RANGE, "dataset.validation: 0.01 of 16 training images is none");
}

static void balanced_parts_have_equally_many_of_each_class(void **state) {
    (void)state;
    put_set();
    struct dataset set;
    struct dataset_spec spec = folder_spec();
    spec.balanced = true;
    spec.train = 6;
    spec.test = 3;
    open_good(&set, &spec);
    assert_part(&set.train, (const int[]){0, 1, 2, 3, 5, 6}, 6); // the first two of each
    assert_part(&set.test, (const int[]){0, 2, 3}, 3);
    dataset_close(&set);

    spec.validation = 3; // the last of each
    open_good(&set, &spec);
    assert_part(&set.validation, (const int[]){12, 13, 15}, 3);
    assert_part(&set.train, (const int[]){0, 1, 2, 3, 5, 6}, 6);
    dataset_close(&set);

    spec.train = spec.test = 0; // as many as the rarest has: 4 of 0 and 1 are left
    open_good(&set, &spec);
    assert_int_equal(set.train.count, 12);
    assert_part(&set.train, (const int[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 12);
    assert_part(&set.test, (const int[]){0, 1, 2, 3, 4, 5}, 6);
    dataset_close(&set);

    spec.validation = 0.3; // 5 images, of which 3 can be balanced
    open_good(&set, &spec);
    assert_part(&set.validation, (const int[]){12, 13, 15}, 3);
    dataset_close(&set);
}

static void what_cannot_be_balanced_is_said_with_the_way_out(void **state) {
    (void)state;
    put_set();
    struct dataset_spec spec = folder_spec();
    spec.balanced = true;
    spec.train = 7;
    open_bad(&spec, ERR_RANGE,
             "dataset.train: 7 is no multiple of the 3 classes, which \"balanced\" needs: 6 or 9 "
             "would be");
    spec.train = 2;
    open_bad(&spec, ERR_RANGE,
             "2 is no multiple of the 3 classes, which \"balanced\" needs: 6 or 3");
    spec.train = 18;
    open_bad(&spec, ERR_RANGE,
             "dataset.train: 6 images of each class are wanted, but of class 0 there are 5");
    spec.train = 0;
    spec.validation = 15;
    open_bad(&spec, ERR_RANGE, "dataset.train: 1 images of each class are wanted, but of class 0");
}

/* ---- normalization ---- */

static void bytes_are_measured_exactly(void **state) {
    (void)state;
    put_set();
    struct dataset set;
    struct dataset_spec spec = folder_spec();
    spec.normalize.kind = NORMALIZE_COMPUTED;
    spec.train = 5;
    open_good(&set, &spec);
    double sum = 0, squares = 0; // the pixels i and 2 i of images 0 to 4
    for (int i = 0; i < 5; i++) {
        sum += (i + 2 * i) / 255.0;
    }
    for (int i = 0; i < 5; i++) {
        squares += pow(i / 255.0 - sum / 10, 2) + pow(2 * i / 255.0 - sum / 10, 2);
    }
    assert_true(fabs((double)set.mean[0] - sum / 10) < 1e-8);
    assert_true(fabs((double)set.std[0] - sqrt(squares / 10)) < 1e-8);
    dataset_close(&set);

    spec.train = 3;
    spec.balanced = true; // of those that are used: 0, 1, 2
    open_good(&set, &spec);
    assert_true(fabs((double)set.mean[0] - 9.0 / 6 / 255) < 1e-9);
    dataset_close(&set);
}

static void floats_are_measured_channel_by_channel(void **state) {
    (void)state;
    put_text("train.csv", "0,1,5,10,20\n1,3,5,30,40\n"); // 2 channels of 1 x 2
    put_text("test.csv", "0,0,0,0,0\n");
    struct dataset set;
    struct dataset_spec spec = folder_spec();
    spec.normalize.kind = NORMALIZE_COMPUTED;
    spec.csv_shape = (struct shape){2, 1, 2};
    open_good(&set, &spec);
    assert_true(set.mean[0] == 3.5f);
    assert_true(set.mean[1] == 25);
    assert_true(fabs((double)set.std[0] - sqrt((6.25 + 2.25 + 0.25 + 2.25) / 4)) < 1e-7);
    assert_true(fabs((double)set.std[1] - sqrt(125)) < 1e-6);
    dataset_close(&set);
    spec.csv_shape = (struct shape){0};
    open_good(&set, &spec); // features: one of them never changes
    assert_true(set.mean[1] == 5);
    assert_true(set.std[1] == 1);
    assert_true(set.std[2] == 10);
    dataset_close(&set);
}

static void given_numbers_are_for_each_channel_or_for_all(void **state) {
    (void)state;
    put_text("train.csv", "0,1,5,10\n1,3,5,30\n");
    put_text("test.csv", "0,0,0,0\n");
    struct dataset set;
    struct dataset_spec spec = folder_spec();
    float mean[] = {1, 2, 3}, std[] = {4, 5};
    spec.normalize = (struct normalize_spec){NORMALIZE_GIVEN, {mean, 3}, {std, 1}};
    open_good(&set, &spec);
    assert_memory_equal(set.mean, mean, sizeof mean);
    assert_memory_equal(set.std, ((const float[]){4, 4, 4}), 3 * sizeof(float));
    dataset_close(&set);
    spec.normalize.std.count = 2;
    open_bad(&spec, ERR_RANGE,
             "dataset.normalize.std: 2 numbers for 3 channels; one for each or one for all");
}

/* The constants that everybody normalizes Fashion-MNIST with. */
static void fashion_mnist_has_the_published_mean_and_std(void **state) {
    (void)state;
    if (access("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz", R_OK) != 0) {
        skip();
    }
    struct dataset set;
    struct dataset_spec spec = folder_spec();
    spec.name = (char[]){"fashion-mnist"};
    spec.normalize.kind = NORMALIZE_COMPUTED;
    spec.balanced = true;
    spec.validation = 5000;
    open_good(&set, &spec);
    assert_int_equal(set.train.count, 55000);
    assert_true(fabs((double)set.mean[0] - 0.2860) < 0.0005);
    assert_true(fabs((double)set.std[0] - 0.3530) < 0.0005);
    // The identity that checkpoints have stored since the first version.
    assert_string_equal(set.hash, "77a0a59453305ee9224e5280ae26a929");
    dataset_close(&set);
}

/* ---- sets that are made ---- */

static struct dataset_spec made_spec(enum dataset_kind kind) {
    return (struct dataset_spec){.kind = kind,
                                 .name = (char *)(uintptr_t)dataset_names[kind],
                                 .train = 300,
                                 .test = 200,
                                 .classes = 3,
                                 .features = 40,
                                 .std = 0.5,
                                 .noise = 0.2,
                                 .density = 0.1,
                                 .seed = 1};
}

static void a_made_set_depends_on_its_seed_alone(void **state) {
    (void)state;
    for (int kind = 0; kind < DATASET_SYNTHETIC_COUNT; kind++) {
        struct dataset_spec spec = made_spec((enum dataset_kind)kind);
        struct dataset first, again, more, other;
        open_good(&first, &spec);
        open_good(&again, &spec);
        assert_string_equal(first.hash, again.hash);
        size_t features = (size_t)first.shape.C;
        assert_int_equal(features, kind == DATASET_SPIRALS ? 2 : 40);
        assert_int_equal(first.type, DATA_FLOAT32);
        assert_int_equal(first.classes, 3);
        assert_int_equal(first.test.count, 200);
        assert_memory_equal(first.train.images, again.train.images, 300 * features * sizeof(float));
        assert_memory_not_equal(first.train.images, first.test.images, features * sizeof(float));
        spec.train = 500; // the first samples stay what they are
        open_good(&more, &spec);
        assert_memory_equal(first.train.images, more.train.images, 300 * features * sizeof(float));
        assert_memory_equal(first.train.labels, more.train.labels, 300);
        assert_memory_equal(first.test.images, more.test.images, 200 * features * sizeof(float));
        spec.seed = 2;
        open_good(&other, &spec);
        assert_memory_not_equal(first.train.images, other.train.images, features * sizeof(float));
        assert_string_not_equal(first.hash, other.hash);
        dataset_close(&first);
        dataset_close(&again);
        dataset_close(&more);
        dataset_close(&other);
    }
    char *made = mem_printf("test ! -e %s", cache); // in memory only
    assert_int_equal(system(made), 0);
    free(made);
}

static void blobs_lie_around_their_centres(void **state) {
    (void)state;
    struct dataset_spec spec = made_spec(DATASET_BLOBS);
    spec.train = 30000;
    struct dataset set;
    open_good(&set, &spec);
    double centre[3][40] = {{0}}, spread = 0, apart = 0;
    const float *x = set.train.images;
    for (int i = 0; i < 30000; i++) {
        assert_int_equal(set.train.labels[i], i % 3);
        for (int f = 0; f < 40; f++) {
            centre[i % 3][f] += (double)x[40 * i + f] / 10000;
        }
    }
    for (int i = 0; i < 30000; i++) {
        for (int f = 0; f < 40; f++) {
            spread += pow((double)x[40 * i + f] - centre[i % 3][f], 2) / (30000.0 * 40);
        }
    }
    for (int f = 0; f < 40; f++) {
        apart += pow(centre[0][f] - centre[1][f], 2) / 40;
    }
    assert_true(fabs(sqrt(spread) - 0.5) < 0.005); // std
    assert_in_range((int)(100 * apart), 100, 400); // of two normal numbers: 2 on average
    dataset_close(&set);
}

static void spirals_turn_once_from_the_origin(void **state) {
    (void)state;
    struct dataset_spec spec = made_spec(DATASET_SPIRALS);
    spec.noise = 0;
    struct dataset set;
    open_good(&set, &spec);
    const float *x = set.train.images;
    for (int i = 0; i < 300; i++) {
        double t = hypot((double)x[2 * i], (double)x[2 * i + 1]);
        double angle = 2 * 3.141592653589793 * (t + i % 3 / 3.0);
        assert_true(t < 1);
        assert_true(fabs((double)x[2 * i] - t * cos(angle)) < 1e-5);
        assert_true(fabs((double)x[2 * i + 1] - t * sin(angle)) < 1e-5);
    }
    dataset_close(&set);
}

static void sparse_features_are_rare_with_a_heavy_tail(void **state) {
    (void)state;
    struct dataset_spec spec = made_spec(DATASET_SPARSE);
    spec.train = 20000;
    spec.features = 100;
    struct dataset set;
    open_good(&set, &spec);
    const float *x = set.train.images;
    double seen[100] = {0}, harmonic = 0;
    int labels[3] = {0};
    for (int i = 0; i < 20000; i++) {
        labels[set.train.labels[i]]++;
        for (int f = 0; f < 100; f++) {
            assert_true(x[100 * i + f] == 0 || x[100 * i + f] == 1);
            seen[f] += (double)x[100 * i + f] / 20000;
        }
    }
    for (int f = 100; f > 0; f--) {
        harmonic += 1.0 / f;
    }
    for (int f = 0; f < 100; f++) { // within 5 standard deviations of the documented probability
        double p = fmin(1, 0.1 * 100 / (harmonic * (f + 1)));
        assert_true(fabs(seen[f] - p) <= 5 * sqrt(p * (1 - p) / 20000) + 1e-9);
    }
    for (int k = 0; k < 3; k++) {
        assert_in_range(labels[k], 1000, 15000); // none is all there is
    }
    dataset_close(&set);
}

static void a_made_set_can_be_split_and_must_be_small(void **state) {
    (void)state;
    struct dataset_spec spec = made_spec(DATASET_BLOBS);
    spec.validation = 0.2;
    struct dataset set;
    open_good(&set, &spec);
    assert_int_equal(set.train.count, 240);
    assert_int_equal(set.validation.count, 60);
    dataset_close(&set);
    spec.features = 65536;
    spec.train = 10000000;
    open_bad(&spec, ERR_RANGE, "10000000 and 200 samples of 65536 features are more than 2048 MiB");
}

/* ---- EMNIST, and folders that hold several things ---- */

static void put_emnist(const char *split, uint8_t label) {
    char name[4][64];
    static const char *const kinds[] = {"train-images-idx3", "train-labels-idx1",
                                        "test-images-idx3", "test-labels-idx1"};
    for (int i = 0; i < 4; i++) {
        (void)snprintf(name[i], sizeof name[i], "emnist-%s-%s-ubyte", split, kinds[i]);
    }
    put_part(name[0], name[1], (const uint8_t[]){1, label}, 2);
    put_part(name[2], name[3], &label, 1);
}

static void a_split_of_emnist_is_found_or_chosen(void **state) {
    (void)state;
    struct dataset set;
    struct dataset_spec spec = folder_spec();
    put_emnist("letters", 26);
    open_good(&set, &spec); // the only one
    assert_int_equal(set.classes, 27);
    assert_int_equal(set.train.count, 2);
    dataset_close(&set);
    put_emnist("byclass", 61);
    open_bad(&spec, ERR_RANGE,
             "holds several splits of EMNIST: \"split\" must be one of \"byclass\", \"letters\"");
    spec.split = EMNIST_BYCLASS;
    open_good(&set, &spec);
    assert_int_equal(set.classes, 62);
    dataset_close(&set);
    spec.split = EMNIST_DIGITS;
    open_bad(&spec, ERR_NOT_FOUND, "no emnist-digits-train-images-idx3-ubyte[.gz] in");
    put_emnist("digits", 10);
    open_bad(&spec, ERR_RANGE,
             "emnist-digits-train-labels-idx1-ubyte: label 1 is 10, not from 0 to 9");
}

static void a_folder_holds_one_format(void **state) {
    (void)state;
    put_set();
    put_text("train.csv", "0,1\n");
    const struct dataset_spec spec = folder_spec();
    open_bad(&spec, ERR_RANGE, "holds files of two formats, mnist and csv: give each a folder");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(validation_is_split_off_the_end),
        CASE(balanced_parts_have_equally_many_of_each_class),
        CASE(what_cannot_be_balanced_is_said_with_the_way_out),
        CASE(bytes_are_measured_exactly),
        CASE(floats_are_measured_channel_by_channel),
        CASE(given_numbers_are_for_each_channel_or_for_all),
        CASE(fashion_mnist_has_the_published_mean_and_std),
        CASE(a_made_set_depends_on_its_seed_alone),
        CASE(blobs_lie_around_their_centres),
        CASE(spirals_turn_once_from_the_origin),
        CASE(sparse_features_are_rare_with_a_heavy_tail),
        CASE(a_made_set_can_be_split_and_must_be_small),
        CASE(a_split_of_emnist_is_found_or_chosen),
        CASE(a_folder_holds_one_format),
    };
    return cmocka_run_group_tests_name("data_split", tests, NULL, NULL);
}
