/* What trainers may say and what they are given, also those of docs/protocol.md, whose path is PROTOCOL. */
#include "tests/unit/runner/run_fixture.h"

#include "base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- hostile output ---- */

static void malformed_lines_are_warned_of_once(void **state) {
    struct fixture *f = *state;
    write_trainer("echo '{\"epoch\": 1, \"val_accuracy\": 0.5}'\n"
                  "echo '{\"epoch\": -1}'; echo '{broken'; echo '{\"epoch\": 1e30}'\n"
                  "echo '{\"event\": \"unheard-of\"}'; echo plain\n"
                  "echo '{\"epoch\": 2, \"val_accuracy\": 0.5}'");
    run(f, one, 1, "never");
    assert_int_equal(f->last_status, TRIAL_COMPLETE);
    assert_int_equal(f->warnings, 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM epoch"), 2);
    assert_int_equal(system("grep -q '^{broken$' out/trials/*/log"), 0);
}

static void a_flood_of_records_is_held_back_and_kept(void **state) {
    struct fixture *f = *state;
    write_trainer("awk 'BEGIN {for (e = 1; e <= 20000; e++) printf \"{\\\"epoch\\\": %d, "
                  "\\\"loss\\\": %d}\\n\", e, e}'");
    run(f, open_ended, 1, "never");
    assert_int_equal(f->last_status, TRIAL_COMPLETE);
    assert_int_equal(ask(f, "SELECT count(*) FROM epoch"), 20000);
    assert_int_equal(f->epochs, 20000);
}

/* While another program holds the database nothing can be stored: the trainer has to wait at its pipe. */
static void lock_database_for_a_second(struct fixture *f) {
    write_file("hold.sh", "touch locked; sleep 1; ls flooded >early 2>/dev/null; exit 0", 0755);
    assert_int_equal(system("sqlite3 out/results.db 'BEGIN IMMEDIATE' '.shell sh ./hold.sh' &"), 0);
    f->on_epoch = NULL;
}

static void a_trainer_waits_while_nothing_can_be_stored(void **state) {
    struct fixture *f = *state;
    write_trainer("echo '{\"epoch\": 1, \"loss\": 1}'; while [ ! -e locked ]; do sleep 0.02; done\n"
                  "awk 'BEGIN {for (e = 2; e <= 20000; e++) printf \"{\\\"epoch\\\": %d, "
                  "\\\"loss\\\": %d}\\n\", e, e}'; touch flooded");
    f->on_epoch = lock_database_for_a_second;
    run(f, open_ended, 1, "never");
    assert_int_equal(f->last_status, TRIAL_COMPLETE);
    assert_int_equal(f->epochs, 20000);
    assert_int_equal(system("test -e early && test ! -s early"), 0);
}

static void other_numerics_are_warned_of(void **state) {
    struct fixture *f = *state;
    write_trainer("echo \"{\\\"event\\\": \\\"start\\\", \\\"from_epoch\\\": 0, \\\"numerics\\\": "
                  "\\\"blas $BESOM_ATTEMPT\\\"}\"\n"
                  "echo \"{\\\"epoch\\\": $BESOM_ATTEMPT, \\\"val_accuracy\\\": 0.5}\"\n"
                  "[ $BESOM_ATTEMPT = 2 ]");
    run(f, one, 1, "never");
    assert_int_equal(f->last_status, TRIAL_COMPLETE);
    assert_int_equal(f->warnings, 1);
    assert_non_null(strstr(f->warning, "\"blas 1\" before, \"blas 2\" now"));
}

static void another_program_is_warned_of_once_a_trial(void **state) {
    struct fixture *f = *state;
    write_trainer("p=x-1; [ $BESOM_ATTEMPT = 1 ] || p=x-2\n"
                  "echo \"{\\\"event\\\": \\\"start\\\", \\\"program\\\": \\\"$p\\\"}\"\n"
                  "echo \"{\\\"epoch\\\": $BESOM_ATTEMPT, \\\"val_accuracy\\\": 0.5}\"\n"
                  "[ $BESOM_ATTEMPT = 4 ]");
    run(f, one, 1, "never");
    assert_int_equal(f->last_status, TRIAL_COMPLETE);
    assert_int_equal(f->warnings, 1);
    assert_non_null(
        strstr(f->warning, "goes on with another program: \"x-1\" before, \"x-2\" now"));
}

static void bits_that_differ_are_put_down_to_what_has_changed(void **state) {
    struct fixture *f = *state;
    write_trainer(
        "echo \"{\\\"event\\\": \\\"start\\\", \\\"deterministic\\\": true, \\\"numerics\\\": "
        "\\\"blas $BESOM_ATTEMPT\\\"}\"\n"
        "echo \"{\\\"epoch\\\": 1, \\\"val_accuracy\\\": 0.$BESOM_ATTEMPT}\"\nfalse");
    run(f, one, 1, "never");
    assert_int_equal(f->last_status, TRIAL_FAILED);
    assert_string_equal(f->last_reason, "nondeterministic");
    assert_non_null(strstr(f->last_message,
                           "gives val_accuracy 0.2, stored is 0.1; its numerics have "
                           "changed (\"blas 1\" before, \"blas 2\" now), the likely "
                           "cause: run it as it began, by --retry-failed "
                           "and without the checkpoints made since, or anew with another --out"));
}

/* ---- what a trainer is given ---- */

static void environment_files_and_placeholders_are_as_documented(void **state) {
    struct fixture *f = *state;
    write_trainer("env | grep -E '^BESOM_|_NUM_THREADS=' | sort >env; printf '%s\\n' \"$@\" >args\n"
                  "cat \"$BESOM_CONFIG\" >config; echo 1 >\"$BESOM_CHECKPOINT_DIR/x\"\n"
                  "echo '{\"epoch\": 1, \"val_accuracy\": 0.5}'");
    (void)setenv("OMP_NUM_THREADS", "7", 1);
    (void)unsetenv("OPENBLAS_NUM_THREADS");
    (void)unsetenv("MKL_NUM_THREADS");
    run(f,
        "{\"name\": \"s\", \"config\": {\"epochs\": 1, \"opt\": {\"lr\": 0.1}, \"seed\": 5},"
        " \"trainer\": [\"./trainer.sh\", \"{config}\", \"{checkpoint_dir}\", \"t{trial}\","
        " \"{seed}\", \"--lr={opt.lr}\"]}",
        1, "never");
    (void)unsetenv("OMP_NUM_THREADS");
    assert_int_equal(f->last_status, TRIAL_COMPLETE);
    assert_int_equal(
        system("key=$(ls out/trials); dir=$(pwd -P)/out\n"
               "{ echo BESOM_ATTEMPT=1; echo BESOM_CACHE_DIR=$dir/cache;"
               " echo BESOM_CHECKPOINT_DIR=$dir/trials/$key;"
               " echo BESOM_CONFIG=$dir/trials/$key/config.json; echo BESOM_SEED=5;"
               " echo BESOM_SLOT=1; echo BESOM_TRIAL=1; echo MKL_NUM_THREADS=1;"
               " echo OMP_NUM_THREADS=7; echo OPENBLAS_NUM_THREADS=1; } | cmp - env\n"),
        0);
    assert_int_equal(system("key=$(ls out/trials); dir=$(pwd -P)/out/trials/$key\n"
                            "printf '%s\\n' $dir/config.json $dir t1 5 --lr=0.1 | cmp - args\n"),
                     0);
    assert_int_equal(system("echo '{\"epochs\":1,\"opt\":{\"lr\":0.1},\"seed\":5}' | cmp - config"),
                     0);
    assert_int_equal(system("cmp config out/trials/*/config.json && test -s out/trials/*/x"), 0);
}

/* The trainer and the sweep file of docs/protocol.md in that language, as they stand there. */
static char *take_from_docs(const char *language, const char *file) {
    char *command = mem_printf("awk '/^```/ {on = $0 == \"```%s\"; next} on' " PROTOCOL " >%s"
                               " && chmod +x %s && sed -n 's/^# sweep file: //p' %s >example.json",
                               language, file, file, file);
    assert_int_equal(system(command), 0);
    free(command);
    static char text[1024];
    FILE *example = fopen("example.json", "re");
    assert_non_null(example);
    text[fread(text, 1, sizeof text - 1, example)] = '\0';
    (void)fclose(example);
    assert_int_equal(text[0], '{');
    return text;
}

static void the_documented_shell_trainer_works(void **state) {
    struct fixture *f = *state;
    run(f, take_from_docs("sh", "train.sh"), 2, "never");
    assert_int_equal(f->result.complete, 2);
    assert_int_equal(ask(f, "SELECT count(*) FROM curves"), 6);
}

static void the_documented_python_trainer_works_and_resumes(void **state) {
    struct fixture *f = *state;
    char *text = take_from_docs("python", "train.py");
    char *epochs = strstr(text, "\"epochs\": 20}"); // so few are done before a signal can come
    assert_non_null(epochs);
    memmove(epochs + 13, epochs + 12, strlen(epochs + 12) + 1);
    memcpy(epochs, "\"epochs\": 400", 13);
    f->signal_at_epoch = SIGTERM;
    run(f, text, 2, "never");
    assert_int_equal(f->result.signal, SIGTERM);
    f->signal_at_epoch = 0;
    run(f, text, 2, "never");
    assert_int_equal(f->result.failed, 0);
    assert_int_equal(f->complete_at_end, 2);
    assert_int_equal(ask(f, "SELECT count(*) FROM curves"), 800);
    assert_int_equal(ask(f, "SELECT max(from_epoch) > 0 FROM attempt"), 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM superseded"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN_CASE(malformed_lines_are_warned_of_once),
        RUN_CASE(a_flood_of_records_is_held_back_and_kept),
        RUN_CASE(a_trainer_waits_while_nothing_can_be_stored),
        RUN_CASE(other_numerics_are_warned_of),
        RUN_CASE(another_program_is_warned_of_once_a_trial),
        RUN_CASE(bits_that_differ_are_put_down_to_what_has_changed),
        RUN_CASE(environment_files_and_placeholders_are_as_documented),
        RUN_CASE(the_documented_shell_trainer_works),
        RUN_CASE(the_documented_python_trainer_works_and_resumes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
