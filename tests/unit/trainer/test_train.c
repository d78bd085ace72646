/* The training loop: interruption and resumption at every point, what is saved when, what fails. */
#include "tests/unit/trainer/train_testing.h"

/* 100 images in batches of 48: the last one is partial.  Dropout, a schedule, L2 and an optimizer with
 * two state vectors take part. */
static const char small[] =
    "\"model\": {\"layers\": [\"flatten\", {\"type\": \"dense\", \"units\": 20, "
    "\"activation\": \"prelu\"}, \"dropout\", {\"type\": \"dense\", \"units\": "
    "10}]}, \"batch_size\": 48, \"epochs\": 3, \"l2\": 0.001, \"schedule\": "
    "\"exponential\"";
static const char last[] = "cp-0003.safetensors";

/* Running statistics are part of the state.  100 images in batches of 33: the last has one image, of which
 * the second batch_norm gets a single value. */
static const char normed[] =
    "\"model\": {\"layers\": [{\"type\": \"conv2d\", \"channels\": 4, \"kernel\": 5, \"stride\": "
    "3}, \"batch_norm\", \"activation\", {\"type\": \"residual\", \"layers\": [{\"type\": "
    "\"conv2d\", \"channels\": 6, \"kernel\": 3, \"stride\": 2}, \"batch_norm\"], \"shortcut\": "
    "[{\"type\": \"avgpool\", \"kernel\": 3, \"stride\": 2}, {\"type\": \"conv2d\", \"channels\": "
    "6, "
    "\"kernel\": 1}]}, \"globalavgpool\", {\"type\": \"dense\", \"units\": 8}, \"batch_norm\", "
    "{\"type\": \"dense\", \"units\": 10}]}, \"loss\": {\"label_smoothing\": 0.1}, "
    "\"batch_size\": 33, \"epochs\": 3";

static void interrupted_at_any_batch_it_ends_as_if_it_had_not_been(void **state) {
    (void)state;
    check_interruptions(small, last, 12); // 3 epochs of 3 batches and an evaluation
}

static void interrupted_with_running_statistics_it_ends_as_if_it_had_not_been(void **state) {
    (void)state;
    check_interruptions(normed, last, 18); // 3 epochs of 4 batches and an evaluation of 2
}

static void a_batch_that_cannot_be_normalized_is_refused(void **state) {
    (void)state;
    struct run run = train("\"model\": \"mlp\", \"batch_norm\": true, \"batch_size\": 1", "one", 0);
    assert_int_equal(run.rc, ERR_RANGE);
    assert_non_null(strstr(run.err.msg, "batch_size must be at least 2"));
    assert_non_null(strstr(run.out, "\"reason\": \"unusable\""));
    free(run.out);
}

static void interrupted_again_and_again_it_ends_as_if_it_had_not_been(void **state) {
    (void)state;
    train_to(TRAIN_DONE, small, "whole", 0);
    int stops = 0;
    for (;;) {
        struct run run = train(small, "often", 2); // one batch at a time
        assert_int_equal(run.rc, ERR_OK);
        enum train_result result = run.result;
        free(run.out);
        if (result == TRAIN_DONE) {
            break;
        }
        assert_int_equal(result, TRAIN_SAVED);
        assert_true(++stops < 100); // there is progress
    }
    assert_true(stops >= 9);
    assert_same_file("whole", "often", last);
}

static void a_convolution_with_momentum_resumes_bit_for_bit(void **state) {
    (void)state;
    static const char lenet[] =
        "\"model\": \"lenet5\", \"optimizer\": {\"name\": \"momentum\", \"lr\": "
        "0.05}, \"batch_size\": 32, \"epochs\": 2, \"dropout\": 0.1";
    train_to(TRAIN_DONE, lenet, "whole", 0);
    train_to(TRAIN_SAVED, lenet, "cut", 3);
    train_to(TRAIN_DONE, lenet, "cut", 0);
    assert_same_file("whole", "cut", "cp-0002.safetensors");
}

static void more_epochs_go_on_from_the_last_checkpoint(void **state) {
    (void)state;
    static const char four[] = "\"model\": \"logistic\", \"batch_size\": 32, \"epochs\": 4";
    static const char two[] = "\"model\": \"logistic\", \"batch_size\": 32, \"epochs\": 2";
    train_to(TRAIN_DONE, four, "whole", 0);
    train_to(TRAIN_DONE, two, "extended", 0);
    struct run rest = train(four, "extended", 0);
    assert_int_equal(rest.rc, ERR_OK);
    assert_non_null(strstr(rest.out, "\"event\": \"start\", \"from_epoch\": 2, "));
    assert_same_file("whole", "extended", "cp-0004.safetensors");
    free(rest.out);
}

static void a_finished_training_repeats_its_records_and_is_done(void **state) {
    (void)state;
    static const char keys[] = "\"model\": \"logistic\", \"epochs\": 2";
    struct run first = train(keys, "done", 0), again = train(keys, "done", 0);
    assert_int_equal(first.rc, ERR_OK);
    assert_int_equal(again.rc, ERR_OK);
    assert_int_equal(again.result, TRAIN_DONE);
    assert_int_equal(again.asked, 0); // no batch
    char *a = records_of(first.out), *b = records_of(again.out);
    assert_string_equal(a, b);
    assert_null(strstr(again.out, "seconds")); // repeated records have no timings
    assert_non_null(strstr(again.out, "{\"event\": \"done\"}\n"));
    free(a);
    free(b);
    free(first.out);
    free(again.out);
}

static void it_learns(void **state) {
    (void)state;
    struct run run = train("\"model\": \"mlp\", \"epochs\": 8, \"batch_size\": 16", "learn", 0);
    assert_int_equal(run.rc, ERR_OK);
    const char *record = strstr(run.out, "{\"epoch\": 8");
    assert_non_null(record);
    double accuracy = 0;
    const char *at = strstr(record, "\"val_accuracy\": ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"val_accuracy\": %lf", &accuracy), 1);
    if (accuracy < 0.8) { // the bars are easy
        fail_msg("val_accuracy is %g after 8 epochs", accuracy);
    }
    free(run.out);
}

static void checkpoints_are_made_when_due_and_surplus_is_dropped(void **state) {
    (void)state;
    train_to(TRAIN_DONE,
             "\"model\": \"logistic\", \"epochs\": 5, \"checkpoint\": {\"every\": 2, \"keep\": 0, "
             "\"best\": false}",
             "every", 0);
    static const bool due[6] = {false, false, true, false, true, true};
    for (int epoch = 1; epoch <= 5; epoch++) {
        char name[64];
        (void)snprintf(name, sizeof name, "cp-%04d.safetensors", epoch);
        assert_int_equal(exists("every", name), due[epoch]);
    }
    train_to(
        TRAIN_DONE,
        "\"model\": \"logistic\", \"epochs\": 5, \"checkpoint\": {\"keep\": 1, \"best\": false}",
        "keep", 0);
    assert_false(exists("keep", "cp-0004.safetensors"));
    assert_true(exists("keep", "cp-0005.safetensors"));
}

static void surplus_of_a_trainer_that_died_early_is_dropped_on_resuming(void **state) {
    (void)state;
    train_to(TRAIN_DONE, "\"model\": \"logistic\", \"epochs\": 4, \"checkpoint\": {\"keep\": 0}",
             "surplus", 0);
    train_to(
        TRAIN_DONE,
        "\"model\": \"logistic\", \"epochs\": 4, \"checkpoint\": {\"keep\": 1, \"best\": false}",
        "surplus", 0);
    assert_false(exists("surplus", "cp-0001.safetensors"));
    assert_false(exists("surplus", "cp-0003.safetensors"));
    assert_true(exists("surplus", "cp-0004.safetensors"));
}

static void a_loss_that_is_not_finite_fails_as_diverged(void **state) {
    (void)state;
    struct run run =
        train("\"model\": \"lenet5\", \"optimizer\": {\"name\": \"sgd\", \"lr\": 1e10}, "
              "\"batch_size\": 8",
              "diverged", 0);
    assert_int_equal(run.rc, ERR_OK);
    assert_int_equal(run.result, TRAIN_DIVERGED);
    assert_int_equal(run.err.code, ERR_DIVERGED);
    assert_non_null(strstr(run.err.msg, "the loss of epoch 1, batch "));
    assert_null(strstr(run.err.msg, "-nan")); // the sign of no number says nothing
    assert_non_null(strstr(
        run.out, "{\"event\": \"failed\", \"reason\": \"diverged\", \"message\": \"the loss of"));
    assert_null(strstr(run.out, "\"done\""));
    free(run.out);
}

static void a_folder_of_another_trial_is_refused(void **state) {
    (void)state;
    train_to(TRAIN_DONE, "\"model\": \"logistic\", \"epochs\": 1", "shared", 0);
    struct run run = train("\"model\": \"logistic\", \"epochs\": 1, \"seed\": 2", "shared", 0);
    assert_int_equal(run.rc, ERR_DIFFERS);
    assert_non_null(strstr(run.err.msg, "holds checkpoints of another trial"));
    free(run.out);
}

static void other_data_than_the_checkpoints_is_refused(void **state) {
    (void)state;
    static const char one[] = "\"model\": \"logistic\", \"epochs\": 1";
    static const char two[] = "\"model\": \"logistic\", \"epochs\": 2";
    train_to(TRAIN_DONE, one, "data-changed", 0);
    char *data = folder("data");
    write_set(data, 77);
    free(data);
    struct run run = train(two, "data-changed", 0);
    assert_int_equal(run.rc, ERR_DIFFERS);
    assert_non_null(strstr(run.err.msg, "is not the one that this training began with"));
    assert_non_null(strstr(run.out, "{\"event\": \"failed\", \"reason\": \"differs\""));
    free(run.out);
}

static void other_data_is_refused_before_there_is_a_checkpoint(void **state) {
    (void)state;
    static const char keys[] = "\"model\": \"logistic\", \"epochs\": 2";
    train_to(TRAIN_SAVED, keys, "data-early", 1);
    char *dir = folder("data-early"), *data = folder("data");
    char *clear = mem_printf("rm -f %s/cp-*; ls %s", dir, dir);
    assert_int_equal(system(clear), 0); // as if it had been killed before the first
    assert_true(exists("data-early", "origin.json"));
    write_set(data, 77);
    struct run run = train(keys, "data-early", 0);
    assert_int_equal(run.rc, ERR_DIFFERS);
    assert_non_null(strstr(run.err.msg, "is not the one that this training began with"));
    free(run.out);
    // another config begins anew in that folder, with the data as they are
    train_to(TRAIN_DONE, "\"model\": \"logistic\", \"epochs\": 1, \"seed\": 5", "data-early", 0);
    free(clear);
    free(data);
    free(dir);
}

static void layers_that_do_not_fit_the_images_are_refused(void **state) {
    (void)state;
    struct run run = train(
        "\"model\": {\"layers\": [\"flatten\", {\"type\": \"dense\", \"units\": 9}]}", "misfit", 0);
    assert_int_equal(run.rc, ERR_RANGE);
    free(run.out);
}

static void asked_to_stop_while_it_waits_for_the_folder_it_leaves(void **state) {
    (void)state;
    char *dir = folder("locked"), *path = mem_printf("%s/.lock", dir);
    int fd = -1;
    struct err err;
    assert_int_equal(fs_lock(path, &fd, &err), ERR_OK);
    train_to(TRAIN_SAVED, small, "locked", 2);
    (void)close(fd);
    train_to(TRAIN_DONE, small, "locked", 0);
    free(path);
    free(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TRAIN_CASE(interrupted_at_any_batch_it_ends_as_if_it_had_not_been),
        TRAIN_CASE(interrupted_with_running_statistics_it_ends_as_if_it_had_not_been),
        TRAIN_CASE(a_batch_that_cannot_be_normalized_is_refused),
        TRAIN_CASE(interrupted_again_and_again_it_ends_as_if_it_had_not_been),
        TRAIN_CASE(a_convolution_with_momentum_resumes_bit_for_bit),
        TRAIN_CASE(more_epochs_go_on_from_the_last_checkpoint),
        TRAIN_CASE(a_finished_training_repeats_its_records_and_is_done),
        TRAIN_CASE(it_learns),
        TRAIN_CASE(checkpoints_are_made_when_due_and_surplus_is_dropped),
        TRAIN_CASE(surplus_of_a_trainer_that_died_early_is_dropped_on_resuming),
        TRAIN_CASE(a_loss_that_is_not_finite_fails_as_diverged),
        TRAIN_CASE(a_folder_of_another_trial_is_refused),
        TRAIN_CASE(other_data_than_the_checkpoints_is_refused),
        TRAIN_CASE(other_data_is_refused_before_there_is_a_checkpoint),
        TRAIN_CASE(layers_that_do_not_fit_the_images_are_refused),
        TRAIN_CASE(asked_to_stop_while_it_waits_for_the_folder_it_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
