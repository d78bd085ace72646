/* How trials and sweeps end, in what folder, and how long they will take. */
#include "tests/unit/runner/run_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

/* ---- ends ---- */

static void a_sweep_of_shell_scripts_completes(void **state) {
    struct fixture *f = *state;
    write_trainer(
        "for e in 1 2 3; do echo \"{\\\"epoch\\\": $e, \\\"val_accuracy\\\": 0.$1$e}\"; done");
    run(f, three, 2, "never");
    assert_int_equal(f->result.complete, 4);
    assert_int_equal(f->result.failed, 0);
    assert_int_equal(f->epochs, 12);
    assert_int_equal(f->ended, 4);
    assert_int_equal(f->started, 1);
    assert_int_equal(f->finished, 1);
    assert_int_equal(f->complete_at_end, 4);
    assert_int_equal(f->total, 4);
    assert_true(f->best == 0.43);
    assert_int_equal(ask(f, "SELECT count(*) FROM curves"), 12);
    // again: nothing is left to do
    run(f, three, 2, "never");
    assert_int_equal(f->epochs, 12);
    assert_int_equal(f->result.complete, 0);
    assert_int_equal(f->complete_at_end, 4);
}

static void jobs_bound_the_workers_at_a_time(void **state) {
    struct fixture *f = *state;
    write_trainer(
        "mkdir running.$BESOM_SLOT || exit 9; sleep 0.15\n"
        "until [ -s seen ] || [ $(ls -d running.* | wc -l) -ge $(cat jobs) ]; do sleep 0.02; done\n"
        "ls -d running.* | wc -l >>seen; rmdir running.$BESOM_SLOT\n"
        "for e in 1 2 3; do echo \"{\\\"epoch\\\": $e, \\\"val_accuracy\\\": 0.5}\"; done");
    write_file("jobs", "3", 0644);
    run(f, three, 3, "never");
    assert_int_equal(f->running_max, 3);
    assert_int_equal(f->died, 0);
    assert_int_equal(system("[ $(sort -n seen | tail -1) = 3 ]"), 0);
    close_store(f);
    assert_int_equal(system("rm -rf out seen"), 0);
    f->running_max = 0;
    write_file("jobs", "1", 0644);
    run(f, three, 1, "never");
    assert_int_equal(f->running_max, 1);
    assert_int_equal(system("[ $(sort -n seen | tail -1) = 1 ]"), 0);
}

static void a_failing_trial_is_retried_and_stops_nothing_else(void **state) {
    struct fixture *f = *state;
    write_trainer(
        "[ $1 = 2 ] && { echo cannot go on >&2; exit 3; }\n"
        "for e in 1 2 3; do echo \"{\\\"epoch\\\": $e, \\\"val_accuracy\\\": 0.5}\"; done");
    run(f, three, 2, "never");
    assert_int_equal(f->result.complete, 3);
    assert_int_equal(f->result.failed, 1);
    assert_int_equal(f->died, 1); // one retry
    assert_int_equal(ask(f, "SELECT count(*) FROM failures WHERE reason = 'exit'"
                            " AND exit_status = 3 AND log_tail LIKE '%cannot go on%'"),
                     2);
}

static void a_trial_that_gets_on_is_retried_for_as_long_as_it_does(void **state) {
    struct fixture *f = *state;
    write_trainer("cp=$BESOM_CHECKPOINT_DIR/epoch; e=$(($(cat $cp 2>/dev/null || echo 0) + 1))\n"
                  "echo $e >$cp; echo \"{\\\"epoch\\\": $e, \\\"val_accuracy\\\": 0.5}\"\n"
                  "[ $e = 6 ] && exit 0; kill -KILL $$");
    run(f,
        "{\"name\": \"s\", \"config\": {\"epochs\": 6}, \"retries\": 0,"
        " \"trainer\": [\"./trainer.sh\"]}",
        1, "never");
    assert_int_equal(f->last_status, TRIAL_COMPLETE);
    assert_int_equal(f->died, 5);
    assert_int_equal(ask(f, "SELECT attempts FROM trial"), 6);
    assert_int_equal(ask(f, "SELECT count(*) FROM failures WHERE signal = 9"), 5);
}

static void repeating_the_same_epochs_is_no_progress(void **state) {
    struct fixture *f = *state;
    write_trainer("echo '{\"epoch\": 1, \"val_accuracy\": 0.5}'; exit 1");
    run(f, one, 1, "never");
    assert_int_equal(f->last_status, TRIAL_FAILED);
    assert_int_equal(ask(f, "SELECT attempts FROM trial"), 3); // the first brought an epoch
    assert_int_equal(f->epochs, 1);
}

static void other_values_every_time_are_no_progress_either(void **state) {
    struct fixture *f = *state;
    write_trainer("echo \"{\\\"epoch\\\": 1, \\\"val_accuracy\\\": 0.$BESOM_ATTEMPT}\"; exit 1");
    run(f, one, 1, "never");
    assert_int_equal(f->last_status, TRIAL_FAILED);
    assert_int_equal(ask(f, "SELECT attempts FROM trial"), 3);
    assert_int_equal(ask(f, "SELECT count(*) FROM superseded"), 2);
}

static void saved_means_call_again(void **state) {
    struct fixture *f = *state;
    write_trainer("cp=$BESOM_CHECKPOINT_DIR/epoch; e=$(($(cat $cp 2>/dev/null || echo 0) + 1))\n"
                  "echo $e >$cp; echo \"{\\\"epoch\\\": $e, \\\"val_accuracy\\\": 0.5}\"\n"
                  "[ $e = 2 ] || exit 85");
    run(f, one, 1, "never");
    assert_int_equal(f->last_status, TRIAL_COMPLETE);
    assert_int_equal(f->died, 0);
    assert_int_equal(f->trial_started, 2);
}

static void too_few_epochs_are_not_complete(void **state) {
    struct fixture *f = *state;
    write_trainer("echo '{\"epoch\": 1, \"val_accuracy\": 0.5}'; echo '{\"event\": \"done\"}'");
    run(f, one, 1, "never");
    assert_int_equal(f->last_status, TRIAL_FAILED);
    assert_string_equal(f->last_reason, "incomplete");
}

static void a_trainer_that_stops_early_completes(void **state) {
    struct fixture *f = *state;
    write_trainer("echo '{\"epoch\": 1, \"val_accuracy\": 0.5}'\n"
                  "echo '{\"event\": \"done\", \"stopped\": \"pat\\u001bience\"}'");
    run(f, one, 1, "never");
    assert_int_equal(f->last_status, TRIAL_COMPLETE);
    assert_int_equal(f->trial_started, 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM trials WHERE status = 'complete' AND epochs = 2"
                            " AND epochs_done = 1 AND stopped = 'pat ience'"),
                     1);     // no escape for the terminal
    run(f, one, 1, "never"); // nothing is left to do
    assert_int_equal(ask(f, "SELECT count(*) FROM attempt"), 1);
}

static void a_skipped_epoch_fails_at_once(void **state) {
    struct fixture *f = *state;
    write_trainer("for e in 1 3; do echo \"{\\\"epoch\\\": $e, \\\"val_accuracy\\\": 0.5}\"; done");
    run(f, open_ended, 1, "never");
    assert_int_equal(f->last_status, TRIAL_FAILED);
    assert_string_equal(f->last_reason, "missing epochs");
    assert_int_equal(f->trial_started, 1);
}

/* The state knows of an epoch that was never told: no attempt that goes on from it would tell it. */
static void a_state_beyond_a_missing_epoch_is_put_aside(void **state) {
    struct fixture *f = *state;
    write_trainer("cd $BESOM_CHECKPOINT_DIR\n"
                  "[ $BESOM_ATTEMPT = 1 ] && echo 1 >n && mkdir sub && echo >sub/x && exit 3\n"
                  "n=$(cat n 2>/dev/null || echo 0)\n"
                  "while [ $n -lt 2 ]; do n=$((n + 1)); echo $n >n\n"
                  "echo \"{\\\"epoch\\\": $n, \\\"val_accuracy\\\": 0.$n}\"; done");
    run(f, one, 1, "never");
    assert_int_equal(f->last_status, TRIAL_COMPLETE);
    assert_int_equal(f->trial_started, 3);
    assert_int_equal(ask(f, "SELECT sum(epoch * 10 + attempt) FROM epoch"), 13 + 22);
    assert_int_equal(ask(f, "SELECT count(*) FROM attempt WHERE reason = 'missing epochs'"
                            " AND class = 'protocol' AND message LIKE"
                            " 'epoch 1 is missing, the last is 2: the trial begins again%'"),
                     1);
    assert_int_equal(system("cd out/trials/*/ && test \"$(cat aside-1/n n)\" = \"2\n2\" &&"
                            " test -f aside-1/sub/x && test ! -e sub && test ! -e .aside &&"
                            " test -f log && test -f config.json && test ! -e aside-2"),
                     0);
}

/* One that does so always is begun afresh as often as `retries` says, and by --retry-failed. */
static void a_trainer_that_always_skips_an_epoch_fails_in_the_end(void **state) {
    struct fixture *f = *state;
    write_trainer(
        "cd $BESOM_CHECKPOINT_DIR\n"
        "echo '{\"epoch\": 2, \"val_accuracy\": 0.5}'; echo >state; ls -d aside* >>seen; true");
    run(f, one, 1, "never");
    assert_int_equal(f->last_status, TRIAL_FAILED);
    assert_string_equal(f->last_reason, "missing epochs");
    assert_non_null(strstr(f->last_message, "with --retry-failed the trial begins again"));
    assert_int_equal(f->trial_started, 2); // `one` has one retry
    check(store_begin(f->store, &f->err), &f->err);
    check(store_reset_failed(f->store, 1, &f->err), &f->err);
    check(store_commit(f->store, &f->err), &f->err);
    run(f, one, 1, "never");
    assert_int_equal(f->last_status, TRIAL_FAILED);
    assert_int_equal(f->trial_started, 3);
    assert_int_equal(system("cd out/trials/*/ && test -f aside-2/seen && test ! -e aside-3"), 0);
}

static void what_a_killed_runner_had_half_put_aside_is_put_aside(void **state) {
    struct fixture *f = *state;
    write_trainer(
        "cd $BESOM_CHECKPOINT_DIR\n"
        "[ $BESOM_ATTEMPT = 1 ] && mkdir .aside && echo >.aside/a && echo >b && exit 3\n"
        "[ -e aside-1/a ] && [ -e aside-1/b ] && [ ! -e b ] && [ ! -e .aside ] || exit 4\n"
        "for e in 1 2; do echo \"{\\\"epoch\\\": $e, \\\"val_accuracy\\\": 0.5}\"; done");
    run(f, one, 1, "never");
    assert_int_equal(f->last_status, TRIAL_COMPLETE);
    assert_int_equal(f->trial_started, 2);
}

static void without_a_count_of_epochs_status_zero_completes(void **state) {
    struct fixture *f = *state;
    write_trainer(
        "for e in 1 2 3 4 5; do echo \"{\\\"epoch\\\": $e, \\\"val_accuracy\\\": 0.5}\"; done");
    run(f, open_ended, 1, "never");
    assert_int_equal(f->last_status, TRIAL_COMPLETE);
    assert_int_equal(f->epochs, 5);
}

static void a_trainer_that_says_failed_is_not_called_again(void **state) {
    struct fixture *f = *state;
    write_trainer("echo '{\"epoch\": 1, \"val_accuracy\": \"nan\"}'\n"
                  "echo '{\"event\": \"failed\", \"reason\": \"diverged\", \"message\": \"loss is "
                  "\\u001b[31mnan\"}'; exit 1");
    run(f, one, 1, "never");
    assert_int_equal(f->trial_started, 1);
    assert_string_equal(f->last_reason, "diverged");
    assert_string_equal(f->last_message, "loss is  [31mnan");  // no escape for the terminal
    assert_int_equal(ask(f, "SELECT count(*) FROM epoch"), 1); // its rows are kept
}

static void a_broken_promise_of_bits_fails_the_trial(void **state) {
    struct fixture *f = *state;
    write_trainer("echo '{\"event\": \"start\", \"from_epoch\": 0, \"deterministic\": true}'\n"
                  "echo \"{\\\"epoch\\\": 1, \\\"val_accuracy\\\": 0.$BESOM_ATTEMPT}\"\n"
                  "[ $BESOM_ATTEMPT = 1 ] && exit 1\n"
                  "echo '{\"epoch\": 2, \"val_accuracy\": 0.5}'; sleep 20");
    uint64_t start = uv_hrtime();
    run(f, one, 1, "never");
    assert_true(uv_hrtime() - start < UINT64_C(10000000000)); // it was killed
    assert_string_equal(f->last_reason, "nondeterministic");
    assert_non_null(strstr(f->last_message, "0.1"));
    assert_non_null(strstr(f->last_message, "0.2"));
    assert_int_equal(ask(f, "SELECT count(*) FROM value"), 1); // the first one stands alone
}

static void a_program_that_is_not_there_stops_the_run_before_it_starts(void **state) {
    struct fixture *f = *state;
    write_trainer("exit 0");
    f->lose_trainer = true;
    int rc = try_run(f, one, 1, "never");
    assert_int_equal(rc, ERR_NOT_FOUND);
    assert_non_null(strstr(f->err.msg, "trainer.sh"));
    assert_int_equal(ask(f, "SELECT count(*) FROM attempt"), 0);
}

/* ---- the folder and the time ---- */

static void a_second_run_in_the_same_folder_is_refused(void **state) {
    struct fixture *f = *state;
    struct store *store;
    int fd = -1, recovered;
    struct err err;
    check(run_open("out", NULL, &f->store, &f->lock_fd, &recovered, &err), &err);
    assert_int_equal(recovered, 0);
    assert_int_equal(run_open("out", NULL, &store, &fd, &recovered, &err), ERR_BUSY);
    assert_non_null(strstr(err.msg, "out"));
}

static void eta_is_epochs_left_times_seconds_an_epoch(void **state) {
    struct fixture *f = *state;
    write_trainer("for e in 1 2 3; do sleep 0.2; echo \"{\\\"epoch\\\": $e, \\\"val_accuracy\\\": "
                  "0.5}\"; done");
    run(f, three, 2, "never");
    // at the first epoch 11 are left, of some 0.2 s each, for two workers
    assert_true(f->eta_at_first_epoch > 11 * 0.2 / 2);
    assert_true(f->eta_at_first_epoch < 11 * 0.9 / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN_CASE(a_sweep_of_shell_scripts_completes),
        RUN_CASE(jobs_bound_the_workers_at_a_time),
        RUN_CASE(a_failing_trial_is_retried_and_stops_nothing_else),
        RUN_CASE(a_trial_that_gets_on_is_retried_for_as_long_as_it_does),
        RUN_CASE(repeating_the_same_epochs_is_no_progress),
        RUN_CASE(other_values_every_time_are_no_progress_either),
        RUN_CASE(saved_means_call_again),
        RUN_CASE(too_few_epochs_are_not_complete),
        RUN_CASE(a_trainer_that_stops_early_completes),
        RUN_CASE(a_skipped_epoch_fails_at_once),
        RUN_CASE(a_state_beyond_a_missing_epoch_is_put_aside),
        RUN_CASE(a_trainer_that_always_skips_an_epoch_fails_in_the_end),
        RUN_CASE(what_a_killed_runner_had_half_put_aside_is_put_aside),
        RUN_CASE(without_a_count_of_epochs_status_zero_completes),
        RUN_CASE(a_trainer_that_says_failed_is_not_called_again),
        RUN_CASE(a_broken_promise_of_bits_fails_the_trial),
        RUN_CASE(a_program_that_is_not_there_stops_the_run_before_it_starts),
        RUN_CASE(a_second_run_in_the_same_folder_is_refused),
        RUN_CASE(eta_is_epochs_left_times_seconds_an_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
