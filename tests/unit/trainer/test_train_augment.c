/* Trainings with augmentation: interrupted, on what they see and on what they do not, with mixed targets. */
#include "tests/unit/trainer/train_testing.h"

#include <math.h>

/* 100 images in batches of 48: the last one is partial. */
static const char all_on[] =
    "\"model\": {\"layers\": [{\"type\": \"conv2d\", \"channels\": 3, \"kernel\": 5, "
    "\"stride\": 3}, \"activation\", \"dropout\", \"flatten\", {\"type\": \"dense\", "
    "\"units\": 10}]}, \"batch_size\": 48, \"epochs\": 3, \"augment\": {\"crop\": 2, "
    "\"horizontal_flip\": 0.5, \"rotation\": 15, \"brightness\": 0.2, \"contrast\": 0.2, "
    "\"noise\": 0.05, \"cutout\": 6, \"mixup\": 0.4}";

static void interrupted_at_any_batch_it_goes_on_with_the_same_images(void **state) {
    (void)state;
    check_interruptions(all_on, "cp-0003.safetensors",
                        12); // 3 epochs of 3 batches and an evaluation
}

/* Training images mirrored by the config, beside training images that are mirrored. */
static void what_augment_changes_is_what_is_trained_on_and_not_what_is_evaluated(void **state) {
    (void)state;
    static const char plain[] = "\"model\": \"mlp\", \"batch_size\": 48, \"epochs\": 2";
    char *keys = mem_printf("%s, \"augment\": {\"horizontal_flip\": 1}", plain);
    struct run unchanged = train(plain, "unchanged", 0), augmented = train(keys, "augmented", 0);
    char *images = mem_printf("%s/data/train-images-idx3-ubyte", root), *data = folder("data");
    struct buf file = {0};
    struct err err;
    assert_int_equal(fs_read(images, 1 << 20, &file, &err), ERR_OK);
    for (size_t row = 16; row < file.len; row += 28) {
        for (size_t a = row, b = row + 27; a < b; a++, b--) {
            const char held = file.data[a];
            file.data[a] = file.data[b];
            file.data[b] = held;
        }
    }
    put_file(data, "train-images-idx3-ubyte", &file);
    struct run mirrored = train(plain, "mirrored", 0);
    char *expected = records_of(mirrored.out), *records = records_of(augmented.out);
    char *other = records_of(unchanged.out);
    assert_string_equal(records, expected);
    assert_string_not_equal(records, other);
    free(other);
    free(expected);
    free(records);
    free(unchanged.out);
    free(augmented.out);
    free(mirrored.out);
    free(keys);
    free(images);
    free(data);
    buf_release(&file);
}

/* Of the last epoch. */
static double metric_of(const struct run *run, const char *name) {
    char *key = mem_printf("\"%s\": ", name);
    const char *found = NULL;
    for (const char *at = run->out; (at = strstr(at, key)) != NULL;) {
        found = at += strlen(key);
    }
    double value = 0;
    assert_non_null(found);
    assert_int_equal(sscanf(found, "%lf", &value), 1);
    free(key);
    return value;
}

/* With so small an alpha the share is 0 or 1: a batch is itself, or itself in another order.  When the
 * targets go along, losses and gradients are the same but for the order of their sums. */
static void mixed_targets_go_along_with_mixed_samples(void **state) {
    (void)state;
    static const char plain[] = "\"model\": \"logistic\", \"batch_size\": 16, \"epochs\": 8, "
                                "\"optimizer\": {\"name\": \"sgd\", \"lr\": 0.1}";
    char *keys = mem_printf("%s, \"augment\": {\"mixup\": 1e-6}", plain);
    struct run unmixed = train(plain, "unmixed", 0), mixed = train(keys, "mixed", 0);
    static const char *const same[] = {"train_loss", "val_loss", "grad_norm"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        const double expected = metric_of(&unmixed, same[i]), is = metric_of(&mixed, same[i]);
        if (!(fabs(is - expected) <= 1e-5 * expected)) {
            fail_msg("%s is %.9g, expected %.9g", same[i], is, expected);
        }
    }
    // counted against the labels that have the share, also where that is 0
    assert_true(metric_of(&mixed, "train_accuracy") < metric_of(&unmixed, "train_accuracy") - 0.2);
    free(unmixed.out);
    free(mixed.out);
    free(keys);
}

static void augmentations_that_do_not_fit_the_data_are_refused(void **state) {
    (void)state;
    char *data = folder("data");
    struct buf images = {0};
    put_be32(&images, 0x803);
    put_be32(&images, TRAIN);
    put_be32(&images, 1);
    put_be32(&images, 1);
    for (int i = 0; i < TRAIN; i++) {
        buf_putc(&images, (char)i);
    }
    put_file(data, "train-images-idx3-ubyte", &images);
    images.data[7] = TEST; // how many there are
    images.len -= TRAIN - TEST;
    put_file(data, "t10k-images-idx3-ubyte", &images);
    struct run run = train("\"model\": \"logistic\", \"augment\": {\"rotation\": 5}", "turned", 0);
    assert_int_equal(run.rc, ERR_RANGE);
    assert_non_null(strstr(run.err.msg, "augment.rotation: is for images"));
    free(run.out);
    train_to(TRAIN_DONE, "\"model\": \"logistic\", \"epochs\": 1, \"augment\": {\"noise\": 0.1}",
             "noisy", 0);
    free(data);
    buf_release(&images);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TRAIN_CASE(interrupted_at_any_batch_it_goes_on_with_the_same_images),
        TRAIN_CASE(what_augment_changes_is_what_is_trained_on_and_not_what_is_evaluated),
        TRAIN_CASE(mixed_targets_go_along_with_mixed_samples),
        TRAIN_CASE(augmentations_that_do_not_fit_the_data_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
