/* What makes a run stop or wait: its policy, signals, want of descriptors and of room, a storage that fails. */
#include "tests/unit/runner/run_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

/* ---- halting ---- */

static void terminate_itself(struct fixture *f) {
    (void)f;
    (void)kill(getpid(), SIGTERM);
}

static void stop_once(struct fixture *f) {
    f->on_stopping = NULL;
    terminate_itself(f);
}

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

static void a_signal_while_it_halts_is_told_of_and_ends_it_as_a_signal(void **state) {
    struct fixture *f = *state;
    write_trainer(
        "[ $1 = 2 ] && exit 1; trap 'sleep 0.3; exit 85' TERM; while :; do sleep 0.05; done");
    f->on_stopping = stop_once;
    run(f, eight, 2, "now,fail=1");
    assert_true(f->result.halted);
    assert_int_equal(f->result.signal, SIGTERM);
    assert_int_equal(f->stopping, 2);
    assert_non_null(strstr(f->stopping_why, "stopping already"));
    assert_int_equal(f->result.paused, 1);
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
                  "trap 'exit 85' TERM; touch up.$1\n"
                  "while [ \"$(echo up.*)\" = up.$1 ]; do sleep 0.02; done\n" // both run
                  "while [ $e -lt 3 ]; do e=$((e + 1)); sleep 0.1; echo $e >$cp\n"
                  "echo \"{\\\"epoch\\\": $e, \\\"val_accuracy\\\": 0.5}\"\n"
                  "while [ ! -e again ]; do sleep 0.02; done; done");
    f->signal_at_epoch = SIGTERM;
    run(f, three, 2, "never");
    assert_int_equal(f->result.signal, SIGTERM);
    assert_int_equal(f->result.paused, 2);
    assert_int_equal(f->stopping, 1);
    assert_int_equal(f->paused_at_end, 2);
    assert_int_equal(f->trial_started, 2);
    assert_int_equal(ask(f, "SELECT count(*) FROM failures WHERE reason = 'interrupted'"), 2);
    f->signal_at_epoch = 0;
    write_file("again", "", 0644);
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

static void a_signal_before_anything_has_started_starts_nothing(void **state) {
    struct fixture *f = *state;
    write_trainer("trap 'exit 85' TERM; while :; do sleep 0.05; done"); // if it was late
    f->on_started = terminate_itself;
    run(f, three, 2, "never");
    assert_int_equal(f->result.signal, SIGTERM);
    assert_int_equal(f->result.failed, 0);
    assert_int_equal(f->stopping, 1);
    assert_int_equal(f->result.paused, 2);
    assert_int_equal(ask(f, "SELECT count(*) FROM trial WHERE status = 'paused'"), 2);
}

/* A shim that does not react is killed itself, and the kernel kills the trainer with it. */
static void a_shim_that_hangs_is_killed_with_its_trainer(void **state) {
    struct fixture *f = *state;
    write_trainer("trap '' TERM; echo $$ >pid; kill -STOP $PPID\n"
                  "echo '{\"epoch\": 1, \"val_accuracy\": 0.5}'; while :; do sleep 0.1; done");
    f->signal_at_epoch = SIGTERM;
    uint64_t start = uv_hrtime();
    run(f,
        "{\"name\": \"s\", \"config\": {\"epochs\": 9}, \"timeout\": {\"grace_s\": 0.2},"
        " \"trainer\": [\"./trainer.sh\"]}",
        1, "never");
    assert_true(uv_hrtime() - start >= RUN_KILL_GRACE_MS * UINT64_C(1000000));
    assert_int_equal(f->last_status, TRIAL_PAUSED);
    assert_int_equal(ask(f, "SELECT signal FROM failures"), SIGKILL);
    assert_int_equal(system("! grep -qs trainer /proc/$(cat pid)/cmdline"), 0);
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

static void who_waits_for_descriptors_can_be_stopped(void **state) {
    struct fixture *f = *state;
    write_trainer("exit 1");
    f->on_started = take_descriptors;
    f->on_paused = terminate_itself;
    int rc = try_run(f, one, 1, "never");
    limit_descriptors(0);
    check(rc, &f->err);
    assert_int_equal(f->result.signal, SIGTERM);
    assert_int_equal(f->result.paused, 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM trial WHERE status = 'paused'"), 1);
}

static void without_descriptors_for_an_event_loop_nothing_starts(void **state) {
    struct fixture *f = *state;
    write_trainer("exit 1");
    f->on_planned = take_descriptors;
    int rc = try_run(f, one, 1, "never");
    limit_descriptors(0);
    assert_int_equal(rc, ERR_EXHAUSTED);
    assert_non_null(strstr(f->err.msg, "start the event loop: "));
    assert_non_null(strstr(f->err.msg, "Too many open files"));
    assert_int_equal(f->started, 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM attempt"), 0);
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

/* ---- a storage that fails ---- */

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
    const struct CMUnitTest tests[] = {
        RUN_CASE(halt_soon_starts_no_more_and_lets_the_running_end),
        RUN_CASE(halt_now_stops_the_running_ones),
        RUN_CASE(a_signal_while_it_halts_is_told_of_and_ends_it_as_a_signal),
        RUN_CASE(halt_by_share_counts_of_the_whole_sweep),
        cmocka_unit_test(halt_policies_are_read_strictly),
        RUN_CASE(a_signal_lets_workers_save_and_the_next_run_goes_on),
        RUN_CASE(a_second_interrupt_kills),
        RUN_CASE(a_signal_before_anything_has_started_starts_nothing),
        RUN_CASE(a_shim_that_hangs_is_killed_with_its_trainer),
        RUN_CASE(usr1_asks_for_the_status),
        RUN_CASE(ignored_signals_stay_ignored),
        RUN_CASE(a_stopped_run_stops_its_workers_and_the_pause_is_no_time),
        RUN_CASE(want_of_descriptors_is_waited_for_and_no_fault_of_the_trial),
        RUN_CASE(who_waits_for_descriptors_can_be_stopped),
        RUN_CASE(without_descriptors_for_an_event_loop_nothing_starts),
        RUN_CASE(a_trainer_that_waits_for_room_is_told_of),
        RUN_CASE(a_failed_storage_ends_the_run_and_its_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
