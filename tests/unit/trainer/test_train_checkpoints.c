/* What a training leaves in its folder: checkpoints by epochs and by batches, whole or of weights, and the
 * end before the last epoch; interrupted and killed at every point. */
#include "tests/unit/trainer/train_testing.h"

#include "trainer/checkpoint.h"
#include "trainer/safetensors.h"
#include "trainer/weights.h"

#include <sys/wait.h>

/* ---- deaths ---- */

/* Trains in a process of its own that dies at the stop_at'th question; false when it was done before. */
static bool may_die(const char *keys, const char *dir, long stop_at) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct run run =
            train_with(keys, dir, (struct countdown){.stop_at = stop_at, .dies = true});
        _exit(run.rc == ERR_OK && run.result == TRAIN_DONE ? 1 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
    return WEXITSTATUS(status) == 0;
}

static void train_and_die(const char *keys, const char *dir, long stop_at) {
    assert_true(may_die(keys, dir, stop_at));
}

/* Every file but the lock, byte for byte. */
static void assert_same_folder(const char *a, const char *b) {
    char *command = mem_printf("cd %s && diff -r -x .lock %s %s >&2", root, a, b);
    if (system(command) != 0) {
        fail_msg("%s and %s differ", a, b);
    }
    free(command);
}

static void assert_logged(const char *dir, const char *text) {
    struct buf log = {0};
    struct err err;
    char *path = mem_printf("%s/%s.log", root, dir);
    assert_int_equal(fs_read(path, 1 << 20, &log, &err), ERR_OK);
    if (strstr(buf_text(&log), text) == NULL) {
        fail_msg("the log says \"%s\"", buf_text(&log));
    }
    buf_release(&log);
    free(path);
}

/* ---- tests ---- */

/* 100 images in batches of 48: the last one is partial.  Dropout, a schedule, L2 and an optimizer with
 * two state vectors take part. */
static const char small[] =
    "\"model\": {\"layers\": [\"flatten\", {\"type\": \"dense\", \"units\": 20, "
    "\"activation\": \"prelu\"}, \"dropout\", {\"type\": \"dense\", \"units\": "
    "10}]}, \"batch_size\": 48, \"epochs\": 3, \"l2\": 0.001, \"schedule\": "
    "\"exponential\"";
static const char last[] = "cp-0003.safetensors";

/* small, with a `checkpoint` and whatever else. */
static char *small_with(const char *more) {
    return mem_printf("%s, %s", small, more);
}

/* Of 9 batches in all. */
static const char *const schedules_of_checkpoints[] = {
    "\"checkpoint\": {\"every_batches\": 2}",
    "\"checkpoint\": {\"every_batches\": 1, \"keep\": 0, \"initial\": true}",
    "\"checkpoint\": {\"every\": 0, \"every_batches\": 4, \"keep\": 3, \"best\": false}",
    "\"checkpoint\": {\"every\": 2, \"keep\": 0, \"best\": false}",
    "\"checkpoint\": {\"every\": 0, \"keep\": 0}",
    "\"checkpoint\": {\"content\": \"weights\"}, \"ema\": 0.5, \"inspect\": {\"every\": 1}",
    "\"checkpoint\": {\"content\": \"weights\", \"every_batches\": 2, \"keep\": 0, \"initial\": "
    "true}",
    "\"checkpoint\": {\"content\": \"weights\", \"every\": 2, \"keep\": 1, \"best\": false}",
};
enum { SCHEDULES = sizeof schedules_of_checkpoints / sizeof *schedules_of_checkpoints };

static void the_folder_in_the_end_knows_of_no_interruption(void **state) {
    (void)state;
    for (int i = 0; i < SCHEDULES; i++) {
        char *keys = small_with(schedules_of_checkpoints[i]), whole[32], dir[32];
        (void)snprintf(whole, sizeof whole, "whole%d", i);
        struct run undisturbed = train(keys, whole, 0);
        assert_int_equal(undisturbed.rc, ERR_OK);
        char *expected = records_of(undisturbed.out);
        for (long stop_at = 1; stop_at <= undisturbed.asked; stop_at++) {
            for (int dies = 0; dies <= 1; dies++) {
                (void)snprintf(dir, sizeof dir, "%s%d-%ld", dies ? "die" : "stop", i, stop_at);
                if (dies) {
                    train_and_die(keys, dir, stop_at);
                } else {
                    train_to(TRAIN_SAVED, keys, dir, stop_at);
                }
                struct run rest = train(keys, dir, 0);
                assert_int_equal(rest.rc, ERR_OK);
                assert_int_equal(rest.result, TRAIN_DONE);
                char *records = records_of(rest.out);
                assert_string_equal(records, expected);
                assert_same_folder(whole, dir);
                free(records);
                free(rest.out);
            }
        }
        free(expected);
        free(undisturbed.out);
        free(keys);
    }
}

static void nor_of_many_interruptions_and_deaths(void **state) {
    (void)state;
    for (int i = 0; i < SCHEDULES; i++) {
        char *keys = small_with(schedules_of_checkpoints[i]), whole[32], dir[32];
        (void)snprintf(whole, sizeof whole, "whole%d", i);
        (void)snprintf(dir, sizeof dir, "often%d", i);
        train_to(TRAIN_DONE, keys, whole, 0);
        enum train_result result = TRAIN_SAVED;
        for (int round = 0; result == TRAIN_SAVED; round++) {
            assert_true(round < 100); // there is progress
            if (round % 2 == 1) {
                (void)may_die(keys, dir, 2); // or is done, as the round then shows
            }
            struct run run = train(keys, dir, 2); // one batch at a time
            assert_int_equal(run.rc, ERR_OK);
            result = run.result;
            free(run.out);
        }
        assert_same_folder(whole, dir);
        free(keys);
    }
}

static void a_killed_training_goes_on_from_a_batch(void **state) {
    (void)state;
    char *keys = small_with("\"checkpoint\": {\"every_batches\": 2}");
    train_and_die(keys, "batch", 4); // in front of batch 4 of 4, the evaluation
    assert_true(exists("batch", "cp-0000+000002.safetensors"));
    struct run rest = train(keys, "batch", 0);
    assert_int_equal(rest.rc, ERR_OK);
    struct run all = train(keys, "all", 0);
    assert_int_equal(rest.asked, all.asked - 2);
    free(rest.out);
    free(all.out);
    free(keys);
}

static void batches_are_counted_over_all_epochs(void **state) {
    (void)state;
    char *keys = small_with("\"checkpoint\": {\"every\": 0, \"every_batches\": 4, \"keep\": 0, "
                            "\"best\": false, \"initial\": true}");
    train_to(TRAIN_DONE, keys, "count", 0);
    char *command = mem_printf("cd %s/count && test \"$(echo cp-*)\" = \"cp-0000.safetensors "
                               "cp-0001+000001.safetensors cp-0002+000002.safetensors "
                               "cp-0003.safetensors\"",
                               root);
    assert_int_equal(system(command), 0);
    free(command);
    free(keys);
}

static void of_weights_alone_only_a_finished_training_is_resumed(void **state) {
    (void)state;
    char *keys = small_with("\"checkpoint\": {\"content\": \"weights\"}");
    train_and_die(keys, "weights", 6); // in the second epoch
    assert_true(exists("weights", "cp-0001.safetensors"));
    struct run rest = train(keys, "weights", 0);
    assert_non_null(strstr(rest.out, "\"from_epoch\": 0"));
    assert_logged("weights", "cp-0001.safetensors holds weights alone");
    assert_logged("weights", "from the beginning");
    struct run again = train(keys, "weights", 0);
    assert_int_equal(again.asked, 0); // it is done: nothing is computed
    assert_non_null(strstr(again.out, "{\"event\": \"done\"}"));
    char *a = records_of(rest.out), *b = records_of(again.out);
    assert_string_equal(a, b);
    free(a);
    free(b);
    free(rest.out);
    free(again.out);
    free(keys);
}

/* Patience that ends it in the middle: the loss of a constant rate of 0 never improves. */
static const char patient[] =
    "\"model\": \"logistic\", \"epochs\": 9, \"batch_size\": 48, \"optimizer\": {\"name\": "
    "\"sgd\", \"lr\": 1e-30}, \"checkpoint\": {\"every\": 2, \"best\": false}, \"stop\": "
    "{\"patience\": 2}";

static void it_stops_by_patience_with_a_final_checkpoint(void **state) {
    (void)state;
    struct run run = train(patient, "patient", 0);
    assert_int_equal(run.rc, ERR_OK);
    assert_int_equal(run.result, TRAIN_DONE);
    assert_non_null(strstr(run.out, "{\"epoch\": 3, "));
    assert_null(strstr(run.out, "{\"epoch\": 4, "));
    assert_non_null(strstr(run.out, "\n{\"event\": \"done\", \"stopped\": \"patience\"}\n"));
    assert_true(exists("patient", "cp-0003.safetensors"));
    struct run again = train(patient, "patient", 0);
    assert_int_equal(again.asked, 0);
    assert_non_null(strstr(again.out, "{\"event\": \"done\", \"stopped\": \"patience\"}\n"));
    for (long stop_at = 1; stop_at <= run.asked; stop_at++) {
        char dir[32];
        (void)snprintf(dir, sizeof dir, "patient%ld", stop_at);
        if (stop_at % 2 == 0) {
            train_and_die(patient, dir, stop_at);
        } else {
            train_to(TRAIN_SAVED, patient, dir, stop_at);
        }
        train_to(TRAIN_DONE, patient, dir, 0);
        assert_same_folder("patient", dir);
    }
    free(run.out);
    free(again.out);
}

/* As if it had been asked for so much patience from the beginning. */
static void with_more_patience_it_goes_on(void **state) {
    (void)state;
    char *more = mem_strdup(patient);
    char *at = strstr(more, "\"patience\": 2");
    assert_non_null(at);
    at[strlen("\"patience\": ")] = '4';
    train_to(TRAIN_DONE, more, "whole", 0);
    train_to(TRAIN_DONE, patient, "raised", 0);
    struct run rest = train(more, "raised", 0);
    assert_int_equal(rest.rc, ERR_OK);
    assert_non_null(strstr(rest.out, "\"from_epoch\": 3"));
    assert_non_null(strstr(rest.out, "{\"epoch\": 5, "));
    assert_null(strstr(rest.out, "{\"epoch\": 6, "));
    assert_same_folder("whole", "raised");
    free(rest.out);
    free(more);
}

static void it_stops_at_a_target(void **state) {
    (void)state;
    struct run run = train("\"model\": \"mlp\", \"epochs\": 20, \"batch_size\": 16, \"stop\": "
                           "{\"metric\": \"val_accuracy\", \"target\": 0.5}",
                           "target", 0);
    assert_int_equal(run.rc, ERR_OK);
    assert_non_null(strstr(run.out, "{\"event\": \"done\", \"stopped\": \"target\"}\n"));
    assert_null(strstr(run.out, "{\"epoch\": 20, "));
    free(run.out);
}

static void it_stops_when_its_seconds_are_over(void **state) {
    (void)state;
    static const char keys[] =
        "\"model\": \"logistic\", \"epochs\": 3, \"checkpoint\": {\"every\": "
        "0, \"best\": false}, \"stop\": {\"seconds\": 1e-6}";
    struct run run = train(keys, "seconds", 0);
    assert_int_equal(run.rc, ERR_OK);
    assert_non_null(strstr(run.out, "{\"event\": \"done\", \"stopped\": \"time\"}\n"));
    assert_null(strstr(run.out, "{\"epoch\": 2, "));
    assert_true(exists("seconds", "cp-0001.safetensors"));
    assert_true(exists("seconds", "time.json"));
    // Without the limit it goes on, and ends with the bits of one that never had it.
    static const char all[] = "\"model\": \"logistic\", \"epochs\": 3, \"checkpoint\": {\"every\": "
                              "0, \"best\": false}";
    train_to(TRAIN_DONE, all, "seconds", 0);
    train_to(TRAIN_DONE, all, "unlimited", 0);
    assert_same_file("seconds", "unlimited", last);
    assert_false(exists("seconds", "cp-0001.safetensors")); // it was not its turn
    assert_false(exists("unlimited", "time.json"));
    free(run.out);
}

/* ---- from the weights of another ---- */

/* `before`, the path of `name` in the test's folder, `after` */
static char *in_root(const char *before, const char *name, const char *after) {
    return mem_printf("%s%s/%s%s", before, root, name, after);
}

static struct checkpoint *open_in(const char *dir, const char *name) {
    struct checkpoint *checkpoint = NULL;
    struct err err;
    char *path = mem_printf("%s/%s/%s", root, dir, name);
    if (checkpoint_open(&checkpoint, path, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    free(path);
    return checkpoint;
}

static void export_to(const char *dir, const char *name, const char *to, bool averaged) {
    struct checkpoint *checkpoint = open_in(dir, name);
    struct err err;
    if (weights_export(checkpoint, averaged, root, to, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    checkpoint_close(checkpoint);
}

/* small with other numbers of units in its hidden layer, and with what comes after its layers */
static char *sized(int units, const char *more) {
    return mem_printf("\"model\": {\"layers\": [\"flatten\", {\"type\": \"dense\", \"units\": %d, "
                      "\"activation\": \"prelu\"}, {\"type\": \"dense\", \"units\": 10}]}, "
                      "\"batch_size\": 48, \"epochs\": 2, \"checkpoint\": {\"initial\": true, "
                      "\"keep\": 0}%s",
                      units, more);
}

static void it_begins_with_the_weights_of_a_file_or_a_folder(void **state) {
    (void)state;
    char *first = sized(20, ", \"ema\": 0.5");
    train_to(TRAIN_DONE, first, "first", 0);
    export_to("first", "cp-0002.safetensors", "w.safetensors", false);
    export_to("first", "cp-0002.safetensors", "w2.safetensors", true);
    static const char *const sources[] = {"w.safetensors", "first", "first/cp-0002.safetensors"};
    for (int i = 0; i < 3; i++) {
        char *from = in_root(", \"seed\": 7, \"init_from\": \"", sources[i], "\""),
             *keys = sized(20, from);
        char dir[32];
        (void)snprintf(dir, sizeof dir, "from%d", i);
        train_to(TRAIN_DONE, keys, dir, 0);
        export_to(dir, "cp-0000.safetensors", "w3.safetensors", false);
        char *command = mem_printf("cd %s && cmp w.safetensors w3.safetensors && ! cmp -s "
                                   "w2.safetensors w3.safetensors",
                                   root);
        assert_int_equal(system(command), 0); // all of it, and to the bit
        assert_logged(dir, "5 of 5 tensors are from");
        for (long stop_at = 1; stop_at <= 3; stop_at += 2) {
            char cut[64];
            (void)snprintf(cut, sizeof cut, "from%d-%ld", i, stop_at);
            train_and_die(keys, cut, stop_at);
            train_to(TRAIN_SAVED, keys, cut, stop_at);
            train_to(TRAIN_DONE, keys, cut, 0);
            assert_same_folder(dir, cut);
        }
        free(command);
        free(keys);
        free(from);
    }
    free(first);
}

static void other_weights_than_it_began_with_are_refused(void **state) {
    (void)state;
    char *first = sized(20, "");
    train_to(TRAIN_DONE, first, "first", 0);
    export_to("first", "cp-0002.safetensors", "w.safetensors", false);
    char *from = in_root(", \"init_from\": \"", "w.safetensors", "\""), *keys = sized(20, from);
    train_to(TRAIN_SAVED, keys, "second", 4);
    export_to("first", "cp-0001.safetensors", "w.safetensors", false);
    struct run run = train(keys, "second", 0);
    assert_int_equal(run.rc, ERR_DIFFERS);
    assert_non_null(
        strstr(run.err.msg, "does not hold the weights that the checkpoints began with"));
    assert_non_null(strstr(run.out, "{\"event\": \"failed\", \"reason\": \"differs\""));
    free(run.out);
    export_to("first", "cp-0002.safetensors", "w.safetensors", false);
    train_to(TRAIN_DONE, keys, "second", 0);
    free(first);
    free(from);
    free(keys);
}

static void what_does_not_fit_is_refused_or_drawn(void **state) {
    (void)state;
    char *first = sized(20, "");
    train_to(TRAIN_DONE, first, "first", 0);
    export_to("first", "cp-0002.safetensors", "w.safetensors", false);
    char *strict = in_root(", \"init_from\": \"", "w.safetensors", "\""),
         *wider = sized(30, strict);
    struct run run = train(wider, "strict", 0);
    assert_int_equal(run.rc, ERR_RANGE);
    assert_non_null(
        strstr(run.err.msg, "tensor \"1.weight\" is 20 x 784, and 30 x 784 in this network"));
    assert_non_null(strstr(run.out, "\"reason\": \"unusable\""));
    free(run.out);

    char *loose =
        in_root(", \"init_from\": {\"path\": \"", "w.safetensors", "\", \"strict\": false}");
    char *keys = sized(30, loose), *drawn = sized(30, "");
    train_to(TRAIN_DONE, keys, "loose", 0);
    assert_logged("loose", "1 of 5 tensors are from");
    assert_logged("loose",
                  "as init draws them: \"1.weight\", \"1.bias\", \"2.weight\", \"3.weight\"");
    assert_logged("loose",
                  "of the file not used: \"1.weight\", \"1.bias\", \"2.weight\", \"3.weight\"");
    train_to(TRAIN_DONE, drawn, "drawn", 0);
    struct checkpoint *ours = open_in("loose", "cp-0000.safetensors"),
                      *theirs = open_in("drawn", "cp-0000.safetensors"),
                      *source = open_in("first", "cp-0002.safetensors");
    static const char *const names[] = {"1.weight", "1.bias", "2.weight", "3.weight", "3.bias"};
    for (int i = 0; i < 5; i++) {
        const struct safetensors_entry *a = safetensors_find(checkpoint_file(ours), names[i]);
        const struct safetensors_entry *b =
            safetensors_find(checkpoint_file(i == 4 ? source : theirs), names[i]);
        assert_int_equal(a->len, b->len);
        assert_memory_equal(a->data, b->data, a->len * sizeof(float));
    }
    checkpoint_close(ours);
    checkpoint_close(theirs);
    checkpoint_close(source);

    char *none = in_root("\"model\": \"lenet5\", \"init_from\": {\"path\": \"", "w.safetensors",
                         "\", \"strict\": false}");
    run = train(none, "none", 0);
    assert_int_equal(run.rc, ERR_RANGE);
    assert_non_null(strstr(run.err.msg, "no tensor has name and shape of one of this network"));
    free(run.out);
    free(none);
    free(first);
    free(strict);
    free(wider);
    free(loose);
    free(keys);
    free(drawn);
}

static void a_tensor_too_few_or_too_many_is_named(void **state) {
    (void)state;
    static const float zeros[20 * 784];
    const struct safetensors_entry tensors[] = {
        {"1.weight", 2, {20, 784}, zeros, 20 * (size_t)784},
        {"1.bias", 1, {20}, zeros, 20},
        {"2.weight", 1, {20}, zeros, 20},
        {"3.weight", 2, {10, 20}, zeros, 200},
        {"3.bias", 1, {10}, zeros, 10},
        {"4.bias", 1, {10}, zeros, 10},
        {"optimizer.exp_avg.3.bias", 1, {10}, zeros, 10}, // neither these are weights
        {"ema.3.bias", 1, {10}, zeros, 10},
    };
    char *from = in_root(", \"init_from\": \"", "x.safetensors", "\""), *keys = sized(20, from);
    struct err err;
    assert_int_equal(safetensors_write(root, "x.safetensors", tensors, 8, NULL, 0, &err), ERR_OK);
    struct run run = train(keys, "many", 0);
    assert_int_equal(run.rc, ERR_RANGE);
    assert_non_null(strstr(run.err.msg, "tensor \"4.bias\" has no place in this network"));
    free(run.out);
    assert_int_equal(safetensors_write(root, "x.safetensors", tensors, 4, NULL, 0, &err), ERR_OK);
    run = train(keys, "few", 0);
    assert_int_equal(run.rc, ERR_RANGE);
    assert_non_null(strstr(run.err.msg, "has no tensor \"3.bias\""));
    free(run.out);
    assert_int_equal(safetensors_write(root, "x.safetensors", tensors, 5, NULL, 0, &err), ERR_OK);
    train_to(TRAIN_DONE, keys, "right", 0);
    free(from);
    free(keys);
}

static void a_file_that_is_not_there_is_named(void **state) {
    (void)state;
    char *from = in_root(", \"init_from\": \"", "nowhere", "\""), *keys = sized(20, from);
    struct run run = train(keys, "missing", 0);
    assert_int_equal(run.rc, ERR_NOT_FOUND);
    assert_non_null(strstr(run.err.msg, "init_from: "));
    assert_non_null(strstr(run.err.msg, "/nowhere"));
    free(run.out);
    char *empty = folder("nowhere");
    run = train(keys, "missing", 0);
    assert_int_equal(run.rc, ERR_NOT_FOUND);
    assert_non_null(strstr(run.err.msg, "no valid checkpoint"));
    free(run.out);
    free(empty);
    free(from);
    free(keys);
}

static void without_averages_none_are_exported(void **state) {
    (void)state;
    char *keys = sized(20, "");
    train_to(TRAIN_DONE, keys, "plain", 0);
    struct checkpoint *checkpoint = open_in("plain", "cp-0002.safetensors");
    struct err err;
    assert_int_equal(weights_export(checkpoint, true, root, "e.safetensors", &err), ERR_NOT_FOUND);
    assert_false(exists(".", "e.safetensors"));
    checkpoint_close(checkpoint);
    free(keys);
}

/* The hash is that of the weights, in whichever file, and of nothing else. */
static void the_hash_of_weights_is_theirs_alone(void **state) {
    (void)state;
    char *keys = sized(20, ", \"ema\": 0.5");
    train_to(TRAIN_DONE, keys, "run", 0);
    export_to("run", "cp-0002.safetensors", "w.safetensors", false);
    export_to("run", "cp-0002.safetensors", "e.safetensors", true);
    static const char *const names[] = {"w.safetensors", "run/cp-0002.safetensors", "run",
                                        "e.safetensors", "run/cp-0001.safetensors"};
    char hashes[5][HASH_HEX_LEN + 1];
    for (int i = 0; i < 5; i++) {
        struct weights *weights = NULL;
        struct err err;
        char *path = mem_printf("%s/%s", root, names[i]);
        assert_int_equal(weights_open(&weights, path, &err), ERR_OK);
        strcpy(hashes[i], weights_hash(weights));
        weights_close(weights);
        free(path);
    }
    assert_string_equal(hashes[1], hashes[0]);
    assert_string_equal(hashes[2], hashes[0]);
    assert_string_not_equal(hashes[3], hashes[0]);
    assert_string_not_equal(hashes[4], hashes[0]);
    free(keys);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TRAIN_CASE(the_folder_in_the_end_knows_of_no_interruption),
        TRAIN_CASE(nor_of_many_interruptions_and_deaths),
        TRAIN_CASE(a_killed_training_goes_on_from_a_batch),
        TRAIN_CASE(batches_are_counted_over_all_epochs),
        TRAIN_CASE(of_weights_alone_only_a_finished_training_is_resumed),
        TRAIN_CASE(it_stops_by_patience_with_a_final_checkpoint),
        TRAIN_CASE(with_more_patience_it_goes_on),
        TRAIN_CASE(it_stops_at_a_target),
        TRAIN_CASE(it_stops_when_its_seconds_are_over),
        TRAIN_CASE(it_begins_with_the_weights_of_a_file_or_a_folder),
        TRAIN_CASE(other_weights_than_it_began_with_are_refused),
        TRAIN_CASE(what_does_not_fit_is_refused_or_drawn),
        TRAIN_CASE(a_tensor_too_few_or_too_many_is_named),
        TRAIN_CASE(a_file_that_is_not_there_is_named),
        TRAIN_CASE(without_averages_none_are_exported),
        TRAIN_CASE(the_hash_of_weights_is_theirs_alone),
    };
    return cmocka_run_group_tests_name("train_checkpoints", tests, NULL, NULL);
}
