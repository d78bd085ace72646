/* Whole sweeps with trainers that are shell scripts.  The path of besom-shim is SHIM, that
 * of docs/protocol.md PROTOCOL. */
#include "runner/run.h"

#include "base/diag.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/wire.h"
#include "results/query.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

struct fixture {
    char dir[32];
    struct store *store, *reader;
    int lock_fd;
    struct run_result result;
    struct err err;

    // what the observer saw
    int started, trial_started, epochs, died, ended, warnings, stopping, finished, ticks, statuses;
    int early; // epochs or verdicts that the reader could not see when they were shown
    int running_max;
    enum trial_status last_status;
    char last_message[512], last_reason[64], warning[512];
    double best, eta_at_first_epoch;
    int paused, resumed;
    void (*on_epoch)(struct fixture *f);
    void (*on_paused)(struct fixture *f), (*on_started)(struct fixture *f);
    bool lose_trainer;   // after planning
    int signal_at_epoch; // raised when an epoch is shown, each time
    int64_t complete_at_end, failed_at_end, paused_at_end, total;
};

static void check(int rc, const struct err *err) {
    if (rc != ERR_OK) {
        fail_msg("%s", err->msg);
    }
}

static int setup(void **state) {
    struct fixture *f = mem_zalloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/test_run.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(chdir(f->dir), 0);
    f->lock_fd = -1;
    *state = f;
    return 0;
}

static void close_store(struct fixture *f) {
    struct err err;
    check(store_close(f->store, &err), &err);
    check(store_close(f->reader, &err), &err);
    f->store = f->reader = NULL;
    if (f->lock_fd >= 0) {
        (void)close(f->lock_fd);
        f->lock_fd = -1;
    }
}

static int teardown(void **state) {
    struct fixture *f = *state;
    close_store(f);
    char *command = mem_printf("rm -rf %s", f->dir);
    int rc = system(command);
    free(command);
    free(f);
    return rc;
}

static void write_file(const char *name, const char *text, mode_t mode) {
    FILE *file = fopen(name, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(name, mode), 0);
}

static void write_trainer(const char *script) {
    char *text = mem_printf("#!/bin/sh\n%s", script);
    write_file("trainer.sh", text, 0755);
    free(text);
}

/* The first column of the first row as a number, -1 without a row. */
static int64_t ask(struct fixture *f, const char *sql) {
    struct query q;
    struct err err;
    check(query_open(&q, f->reader, sql, &err), &err);
    int64_t n = query_next(&q, &err) > 0 ? query_int(&q, 0) : -1;
    query_close(&q);
    return n;
}

static int64_t ask_trial(struct fixture *f, const char *sql, int64_t trial, int epoch) {
    struct query q;
    struct err err;
    check(query_open(&q, f->reader, sql, &err), &err);
    query_bind_int(&q, 1, trial);
    query_bind_int(&q, 2, epoch);
    int64_t n = query_next(&q, &err) > 0 ? query_int(&q, 0) : -1;
    query_close(&q);
    return n;
}

static void see_epoch(struct fixture *f, const struct run_event *event,
                      const struct run_view *view) {
    f->early += ask_trial(f, "SELECT count(*) FROM value WHERE trial = ?1 AND epoch = ?2",
                          event->trial, event->epoch) < 1;
    assert_int_equal(event->record->epoch, event->epoch);
    if (f->epochs++ == 0) {
        f->eta_at_first_epoch = view->eta_s;
    }
    if (f->on_epoch != NULL) {
        f->on_epoch(f);
    }
    if (f->signal_at_epoch != 0) {
        (void)kill(getpid(), f->signal_at_epoch);
    }
}

static void see_end(struct fixture *f, const struct run_event *event) {
    f->ended++;
    f->last_status = event->status;
    (void)snprintf(f->last_reason, sizeof f->last_reason, "%s",
                   event->reason == NULL ? "-" : event->reason);
    (void)snprintf(f->last_message, sizeof f->last_message, "%s",
                   event->message == NULL ? "-" : event->message);
    f->early += ask_trial(f, "SELECT status = 'running' AND ?2 = 0 FROM trial WHERE id = ?1",
                          event->trial, 0) != 0;
}

static void observe(void *context, const struct run_event *event, const struct run_view *view) {
    struct fixture *f = context;
    f->running_max = view->running > f->running_max ? view->running : f->running_max;
    f->best = view->has_best ? view->best : (double)NAN;
    f->complete_at_end = view->complete;
    f->failed_at_end = view->failed;
    f->paused_at_end = view->paused;
    f->total = view->total;
    switch (event->kind) {
    case RUN_STARTED:
        f->started++;
        if (f->on_started != NULL) {
            f->on_started(f);
        }
        break;
    case RUN_TRIAL_STARTED:
        f->trial_started++;
        break;
    case RUN_EPOCH:
        see_epoch(f, event, view);
        break;
    case RUN_ATTEMPT_DIED:
        f->died++;
        break;
    case RUN_TRIAL_ENDED:
        see_end(f, event);
        break;
    case RUN_WARNING:
        f->warnings++;
        (void)snprintf(f->warning, sizeof f->warning, "%s", event->message);
        break;
    case RUN_PAUSED:
        f->paused++;
        (void)snprintf(f->warning, sizeof f->warning, "%s", event->message);
        if (f->on_paused != NULL) {
            f->on_paused(f);
        }
        break;
    case RUN_RESUMED:
        f->resumed++;
        break;
    case RUN_STOPPING:
        f->stopping++;
        break;
    case RUN_TICK:
        f->ticks++;
        break;
    case RUN_STATUS:
        f->statuses++;
        break;
    case RUN_FINISHED:
        f->finished++;
        break;
    }
}

/* Loads, plans and runs a sweep whose file is `text`, in the folder "out". */
static int try_run(struct fixture *f, const char *text, int jobs, const char *halt) {
    struct sweep sweep;
    struct diag diag = {0};
    struct plan plan;
    struct err err;
    struct run_options options = {.out_dir = "out", .jobs = jobs, .retries = -1, .shim = SHIM};
    const struct plan_options plan_options = {.out_dir = "out"};
    int recovered;
    write_file("sweep.json", text, 0644);
    check(run_parse_halt(&options.halt, halt, &err), &err);
    check(sweep_load(&sweep, "sweep.json", &diag, &err), &err);
    if (diag.count > 0) {
        fail_msg("%s", buf_text(&diag.text));
    }
    if (f->store == NULL) {
        check(run_open("out", NULL, &f->store, &f->lock_fd, &recovered, &err), &err);
        check(store_open(&f->reader, "out", STORE_READ, &err), &err);
    }
    check(plan_make(&plan, f->store, &sweep, &plan_options, &diag, NULL, NULL, &err), &err);
    if (f->lose_trainer) {
        assert_int_equal(unlink("trainer.sh"), 0);
    }
    int rc = run_sweep(f->store, &sweep, &plan, &options, observe, f, &f->result, &f->err);
    plan_release(&plan);
    sweep_release(&sweep);
    diag_release(&diag);
    return rc;
}

static void run(struct fixture *f, const char *text, int jobs, const char *halt) {
    check(try_run(f, text, jobs, halt), &f->err);
    assert_int_equal(f->early, 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM trial WHERE status = 'running'"), 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM attempt WHERE ended_at IS NULL"), 0);
}

static const char three[] = "{\"name\": \"s\", \"config\": {\"epochs\": 3},"
                            " \"grid\": {\"x\": [1, 2, 3, 4]}, \"retries\": 1,"
                            " \"trainer\": [\"./trainer.sh\", \"{x}\", \"{seed}\"]}";
static const char one[] = "{\"name\": \"s\", \"config\": {\"epochs\": 2}, \"retries\": 1,"
                          " \"trainer\": [\"./trainer.sh\"]}";
static const char open_ended[] = "{\"name\": \"s\", \"config\": {}, \"retries\": 1,"
                                 " \"trainer\": [\"./trainer.sh\"]}";

/* ---- want of descriptors ---- */

static void limit_descriptors(rlim_t count) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count == 0 ? limit.rlim_max : count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void take_descriptors(struct fixture *f) {
    (void)f;
    int next = dup(0);
    assert_true(next > 0);
    (void)close(next);
    limit_descriptors((rlim_t)next);
}

static void give_descriptors(struct fixture *f) {
    (void)f;
    limit_descriptors(0);
}

static void want_of_descriptors_is_waited_for_and_no_fault_of_the_trial(void **state) {
    struct fixture *f = *state;
    write_trainer("echo '{\"epoch\": 1, \"val_accuracy\": 0.5}'\n"
                  "echo '{\"epoch\": 2, \"val_accuracy\": 0.5}'");
    f->on_started = take_descriptors;
    f->on_paused = give_descriptors;
    run(f, one, 1, "never");
    assert_int_equal(f->paused, 1);
    assert_int_equal(f->resumed, 1);
    assert_non_null(strstr(f->warning, "Too many open files"));
    assert_int_equal(f->died, 0);
    assert_int_equal(f->result.complete, 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM attempt"), 1);
}

static void stop_waiting(struct fixture *f) {
    (void)f;
    (void)kill(getpid(), SIGTERM);
}

static void who_waits_for_descriptors_can_be_stopped(void **state) {
    struct fixture *f = *state;
    write_trainer("exit 1");
    f->on_started = take_descriptors;
    f->on_paused = stop_waiting;
    int rc = try_run(f, one, 1, "never");
    limit_descriptors(0);
    check(rc, &f->err);
    assert_int_equal(f->result.signal, SIGTERM);
    assert_int_equal(f->result.paused, 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM trial WHERE status = 'paused'"), 1);
}

static void a_trainer_that_waits_for_room_is_told_of(void **state) {
    struct fixture *f = *state;
    write_trainer("echo '{\"event\": \"waiting\", \"reason\": \"disk full\"}'\nsleep 0.2\n"
                  "[ \"$BESOM_ATTEMPT\" = 1 ] && exit 3\n" // then nobody waits any more
                  "echo '{\"event\": \"resumed\"}'\n"
                  "echo '{\"epoch\": 1, \"val_accuracy\": 0.5}'\n"
                  "echo '{\"epoch\": 2, \"val_accuracy\": 0.5}'");
    run(f, one, 1, "never");
    assert_int_equal(f->paused, 2);
    assert_int_equal(f->resumed, 2);
    assert_non_null(strstr(f->warning, "no space left on the disk of out: paused"));
    assert_int_equal(f->result.complete, 1);
}

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
        "ls -d running.* | wc -l >>seen; rmdir running.$BESOM_SLOT\n"
        "for e in 1 2 3; do echo \"{\\\"epoch\\\": $e, \\\"val_accuracy\\\": 0.5}\"; done");
    run(f, three, 3, "never");
    assert_int_equal(f->running_max, 3);
    assert_int_equal(f->died, 0);
    assert_int_equal(system("[ $(sort -n seen | tail -1) = 3 ]"), 0);
    assert_int_equal(system("rm -rf out seen"), 0);
    close_store(f);
    f->running_max = 0;
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

/* ---- halting ---- */

static const char eight[] = "{\"name\": \"s\", \"config\": {\"epochs\": 1},"
                            " \"grid\": {\"x\": [1, 2, 3, 4, 5, 6, 7, 8]}, \"retries\": 0,"
                            " \"trainer\": [\"./trainer.sh\", \"{x}\"]}";

static void halt_soon_starts_no_more_and_lets_the_running_end(void **state) {
    struct fixture *f = *state;
    write_trainer("[ $1 = 2 ] && exit 1; sleep 0.4; echo '{\"epoch\": 1, \"val_accuracy\": 0.5}'");
    run(f, eight, 2, "soon,fail=1");
    assert_true(f->result.halted);
    assert_int_equal(f->result.failed, 1);
    assert_int_equal(f->result.complete, 1);
    assert_int_equal(f->trial_started, 2);
    assert_int_equal(f->stopping, 1);
}

static void halt_now_stops_the_running_ones(void **state) {
    struct fixture *f = *state;
    write_trainer("[ $1 = 2 ] && exit 1; trap 'exit 85' TERM; while :; do sleep 0.05; done");
    run(f, eight, 2, "now,fail=1");
    assert_true(f->result.halted);
    assert_int_equal(f->result.failed, 1);
    assert_int_equal(f->result.paused, 1);
    assert_int_equal(f->result.signal, 0);
}

static void halt_by_share_counts_of_the_whole_sweep(void **state) {
    struct fixture *f = *state;
    write_trainer("exit 1");
    run(f, eight, 1, "soon,fail=50%");
    assert_int_equal(f->result.failed, 4);
}

static void halt_policies_are_read_strictly(void **state) {
    (void)state;
    static const char *const good[] = {"never", "soon,fail=1", "now,fail=30", "soon,fail=2.5%",
                                       "now,fail=100%"};
    static const char *const bad[] = {"",
                                      "soon",
                                      "soon,fail=",
                                      "soon,fail=0",
                                      "now,fail=-1",
                                      "soon,fail=x",
                                      "soon,fail=101%",
                                      "now,fail=0%",
                                      "never,fail=1",
                                      "soon,fail=%",
                                      "soon,fail=nan%",
                                      "soon,fail=1e400%"};
    struct run_halt halt;
    struct err err;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(run_parse_halt(&halt, good[i], &err), ERR_OK);
    }
    assert_int_equal(halt.when, HALT_NOW);
    assert_true(halt.percent == 100.0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(run_parse_halt(&halt, bad[i], &err), ERR_RANGE);
    }
}

/* ---- signals ---- */

static void a_signal_lets_workers_save_and_the_next_run_goes_on(void **state) {
    struct fixture *f = *state;
    write_trainer("cp=$BESOM_CHECKPOINT_DIR/epoch; e=$(cat $cp 2>/dev/null || echo 0)\n"
                  "trap 'exit 85' TERM\n"
                  "while [ $e -lt 3 ]; do e=$((e + 1)); sleep 0.1; echo $e >$cp\n"
                  "echo \"{\\\"epoch\\\": $e, \\\"val_accuracy\\\": 0.5}\"; done");
    f->signal_at_epoch = SIGTERM;
    run(f, three, 2, "never");
    assert_int_equal(f->result.signal, SIGTERM);
    assert_int_equal(f->result.paused, 2);
    assert_int_equal(f->stopping, 1);
    assert_int_equal(f->paused_at_end, 2);
    assert_int_equal(f->trial_started, 2);
    assert_int_equal(ask(f, "SELECT count(*) FROM failures WHERE reason = 'interrupted'"), 2);
    f->signal_at_epoch = 0;
    run(f, three, 2, "never");
    assert_int_equal(f->result.signal, 0);
    assert_int_equal(f->result.complete, 4);
    assert_int_equal(f->paused_at_end, 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM epoch"), 12);
}

static void a_second_interrupt_kills(void **state) {
    struct fixture *f = *state;
    write_trainer("trap '' TERM INT\n"
                  "echo '{\"epoch\": 1, \"val_accuracy\": 0.5}'; sleep 0.3\n"
                  "echo '{\"epoch\": 2, \"val_accuracy\": 0.5}'; while :; do sleep 0.1; done");
    f->signal_at_epoch = SIGINT; // at each of the two epochs
    uint64_t start = uv_hrtime();
    run(f, "{\"name\": \"s\", \"config\": {\"epochs\": 9}, \"trainer\": [\"./trainer.sh\"]}", 1,
        "never");
    assert_true(uv_hrtime() - start < UINT64_C(10000000000));
    assert_int_equal(f->result.signal, SIGINT);
    assert_int_equal(f->last_status, TRIAL_PAUSED);
    assert_int_equal(ask(f, "SELECT signal FROM failures"), SIGKILL);
}

static void usr1_asks_for_the_status(void **state) {
    struct fixture *f = *state;
    write_trainer("echo '{\"epoch\": 1, \"val_accuracy\": 0.5}'; sleep 0.2\n"
                  "echo '{\"epoch\": 2, \"val_accuracy\": 0.5}'; sleep 0.2");
    f->signal_at_epoch = SIGUSR1;
    run(f, one, 1, "never");
    assert_int_equal(f->statuses, 2);
    assert_int_equal(f->last_status, TRIAL_COMPLETE);
    assert_true(f->ticks >= 2);
}

static void ignored_signals_stay_ignored(void **state) {
    struct fixture *f = *state;
    write_trainer("echo '{\"epoch\": 1, \"val_accuracy\": 0.5}'; sleep 0.2\n"
                  "echo '{\"epoch\": 2, \"val_accuracy\": 0.5}'");
    void (*before)(int) = signal(SIGHUP, SIG_IGN);
    f->signal_at_epoch = SIGHUP;
    run(f, one, 1, "never");
    (void)signal(SIGHUP, before);
    assert_int_equal(f->result.signal, 0);
    assert_int_equal(f->last_status, TRIAL_COMPLETE);
}

/* Stops `runner` for a second, once the trainer's first tick is written. */
static void stop_for_a_second(pid_t runner) {
    struct stat ticks = {0};
    for (int i = 0; i < 3000 && (stat("ticks", &ticks) != 0 || ticks.st_size == 0); i++) {
        (void)usleep(10000);
    }
    (void)kill(runner, SIGTSTP);
    (void)usleep(1000000);
    (void)kill(runner, SIGCONT);
}

static void a_stopped_run_stops_its_workers_and_the_pause_is_no_time(void **state) {
    struct fixture *f = *state;
    write_trainer("echo '{\"epoch\": 1, \"val_accuracy\": 0.5}'\n"
                  "for i in $(seq 30); do date +%s%N >>ticks; sleep 0.05; done\n"
                  "echo '{\"epoch\": 2, \"val_accuracy\": 0.5}'");
    pid_t runner = getpid(), helper = fork();
    assert_true(helper >= 0);
    if (helper == 0) {
        stop_for_a_second(runner);
        _exit(0);
    }
    uint64_t start = uv_hrtime();
    run(f, one, 1, "never");
    double took = (double)(uv_hrtime() - start) * 1e-9;
    (void)waitpid(helper, NULL, 0);
    assert_true(took > 2.5); // 30 ticks and the pause
    assert_true(f->result.seconds < took - 0.7);
    // the longest gap between two ticks is the pause
    assert_int_equal(system("awk 'NR > 1 && $1 - last > max {max = $1 - last} {last = $1}"
                            " END {exit max < 7e8}' ticks"),
                     0);
}

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
    memmove(epochs + 14, epochs + 12, strlen(epochs + 12) + 1);
    memcpy(epochs, "\"epochs\": 4000", 14);
    f->signal_at_epoch = SIGTERM;
    run(f, text, 2, "never");
    assert_int_equal(f->result.signal, SIGTERM);
    f->signal_at_epoch = 0;
    run(f, text, 2, "never");
    assert_int_equal(f->result.failed, 0);
    assert_int_equal(f->complete_at_end, 2);
    assert_int_equal(ask(f, "SELECT count(*) FROM curves"), 8000);
    assert_int_equal(ask(f, "SELECT max(from_epoch) > 0 FROM attempt"), 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM superseded"), 0);
}

/* ---- the folder and the time ---- */

static void a_second_run_in_the_same_folder_is_refused(void **state) {
    struct fixture *f = *state;
    struct store *store;
    int fd, recovered;
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

static void a_failed_storage_ends_the_run_and_its_workers(void **state) {
    struct fixture *f = *state;
    write_trainer("echo $$ >pid; e=0; while :; do e=$((e + 1)); sleep 0.01\n"
                  "echo \"{\\\"epoch\\\": $e, \\\"val_accuracy\\\": 0.5}\"; done");
    (void)signal(SIGXFSZ, SIG_IGN);
    pid_t child = fork(); // the limit is for it alone
    assert_true(child >= 0);
    if (child == 0) {
        // bytes a file: the write-ahead log gets there first
        const struct rlimit limit = {400 << 10, 400 << 10};
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        int rc = try_run(f, open_ended, 1, "never");
        _exit(rc == ERR_IO || rc == ERR_FULL ? 74 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 74);
    assert_int_equal(system("pid=$(cat pid); ! grep -qs trainer /proc/$pid/cmdline"), 0);
    // what was committed is there
    struct err err;
    int recovered;
    check(run_open("out", NULL, &f->store, &f->lock_fd, &recovered, &err), &err);
    assert_int_equal(recovered, 1);
    check(store_open(&f->reader, "out", STORE_READ, &err), &err);
    assert_true(ask(f, "SELECT count(*) FROM epoch") > 5);
    assert_int_equal(ask(f, "SELECT count(*) FROM trial WHERE status = 'paused'"), 1);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_sweep_of_shell_scripts_completes),
        CASE(want_of_descriptors_is_waited_for_and_no_fault_of_the_trial),
        CASE(who_waits_for_descriptors_can_be_stopped),
        CASE(a_trainer_that_waits_for_room_is_told_of),
        CASE(jobs_bound_the_workers_at_a_time),
        CASE(a_failing_trial_is_retried_and_stops_nothing_else),
        CASE(a_trial_that_gets_on_is_retried_for_as_long_as_it_does),
        CASE(repeating_the_same_epochs_is_no_progress),
        CASE(other_values_every_time_are_no_progress_either),
        CASE(saved_means_call_again),
        CASE(too_few_epochs_are_not_complete),
        CASE(a_trainer_that_stops_early_completes),
        CASE(a_skipped_epoch_fails_at_once),
        CASE(without_a_count_of_epochs_status_zero_completes),
        CASE(a_trainer_that_says_failed_is_not_called_again),
        CASE(a_broken_promise_of_bits_fails_the_trial),
        CASE(a_program_that_is_not_there_stops_the_run_before_it_starts),
        CASE(halt_soon_starts_no_more_and_lets_the_running_end),
        CASE(halt_now_stops_the_running_ones),
        CASE(halt_by_share_counts_of_the_whole_sweep),
        cmocka_unit_test(halt_policies_are_read_strictly),
        CASE(a_signal_lets_workers_save_and_the_next_run_goes_on),
        CASE(a_second_interrupt_kills),
        CASE(usr1_asks_for_the_status),
        CASE(ignored_signals_stay_ignored),
        CASE(a_stopped_run_stops_its_workers_and_the_pause_is_no_time),
        CASE(malformed_lines_are_warned_of_once),
        CASE(a_flood_of_records_is_held_back_and_kept),
        CASE(a_trainer_waits_while_nothing_can_be_stored),
        CASE(other_numerics_are_warned_of),
        CASE(another_program_is_warned_of_once_a_trial),
        CASE(bits_that_differ_are_put_down_to_what_has_changed),
        CASE(environment_files_and_placeholders_are_as_documented),
        CASE(the_documented_shell_trainer_works),
        CASE(the_documented_python_trainer_works_and_resumes),
        CASE(a_second_run_in_the_same_folder_is_refused),
        CASE(eta_is_epochs_left_times_seconds_an_epoch),
        CASE(a_failed_storage_ends_the_run_and_its_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
