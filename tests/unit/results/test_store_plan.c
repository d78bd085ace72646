/* Planning: which trials are made, shared, continued, extended, left; attempts and recovery. */
#include "results/store.h"

#include "base/mem.h"
#include "tests/unit/results/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double THREE[] = {0.5, 0.7, 0.6};

static const char ADAM[] = "{\"optimizer\":\"adam\"}", SGD[] = "{\"optimizer\":\"sgd\"}";

static void expect_plan(struct store_planned planned, int64_t trial, enum store_plan plan,
                        int epochs_done) {
    assert_int_equal(planned.trial, trial);
    assert_string_equal(store_plan_names[planned.plan], store_plan_names[plan]);
    assert_int_equal(planned.epochs_done, epochs_done);
}

/* What a preview says of the point "a", without writing. */
static struct store_planned preview(struct fixture *f, int64_t epochs) {
    char *config = epochs == 0 ? mem_strdup("{\"key\":\"a\"}") // as point() makes it
                               : mem_printf("{\"epochs\":%lld,\"key\":\"a\"}", (long long)epochs);
    struct store_point p = {.key = "a0000000000000000000000000000000",
                            .label = "adam",
                            .params = ADAM,
                            .config = config,
                            .epochs = epochs};
    struct store_planned planned = {0};
    char *before = mem_strdup(shell(f, "SELECT * FROM trial;"));
    expect_ok(f, store_preview_point(f->store, &p, &planned, &f->err));
    expect_shell(f, "SELECT * FROM trial;", before);
    free(before);
    free(config);
    return planned;
}

/* Plans the sweep "s" with the one point "a" again, asking for `epochs`; a preview has to say the same. */
static struct store_planned plan_again(struct fixture *f, int64_t epochs) {
    struct store_planned seen = preview(f, epochs);
    int64_t id = sweep(f, "s", "[\"optimizer\"]", "val_accuracy", true);
    struct store_planned planned = point(f, id, "a", "adam", ADAM, 1, epochs);
    end_plan(f, id);
    assert_string_equal(store_plan_names[seen.plan], store_plan_names[planned.plan]);
    assert_int_equal(seen.epochs_done, planned.epochs_done);
    return planned;
}

/* ---- what becomes of a point ---- */

static void points_are_new_once_and_keep_their_trial(void **state) {
    struct fixture *f = *state;
    for (int round = 0; round < 2; round++) {
        int64_t id = sweep(f, "s", "[\"optimizer\"]", "val_accuracy", true);
        expect_plan(point(f, id, "a", "adam", ADAM, 1, 3), 1, PLAN_NEW, 0);
        expect_plan(point(f, id, "b", "sgd", SGD, 1, 3), 2, PLAN_NEW, 0);
        end_plan(f, id);
        assert_int_equal(id, 1);
    }
    expect_shell(f, "SELECT trial, key, label, status, replicate, seed, epochs FROM trials;",
                 "1|a0000000000000000000000000000000|adam|pending|1|1|3\n"
                 "2|b0000000000000000000000000000000|sgd|pending|1|1|3\n");
}

static void a_complete_trial_is_done(void **state) {
    struct fixture *f = *state;
    expect_plan(plan_again(f, 3), 1, PLAN_NEW, 0);
    run_complete(f, 1, 3, THREE);
    expect_plan(plan_again(f, 3), 1, PLAN_DONE, 3);
    expect_shell(f, "SELECT status FROM trials;", "complete\n");
}

static void asking_for_more_epochs_extends(void **state) {
    struct fixture *f = *state;
    (void)plan_again(f, 3);
    run_complete(f, 1, 3, THREE);
    expect_plan(plan_again(f, 5), 1, PLAN_EXTEND, 3);
    expect_shell(f, "SELECT status, epochs, config FROM trials;",
                 "pending|5|{\"epochs\":5,\"key\":\"a\"}\n");
    expect_plan(plan_again(f, 5), 1, PLAN_EXTEND, 3); // planned again before it was started
}

static void asking_for_fewer_epochs_again_completes(void **state) {
    struct fixture *f = *state;
    (void)plan_again(f, 3);
    run_complete(f, 1, 3, THREE);
    (void)plan_again(f, 5);
    expect_plan(plan_again(f, 3), 1, PLAN_DONE, 3);
    expect_shell(f, "SELECT status, epochs FROM trials;", "complete|3\n");
}

static void asking_for_fewer_epochs_than_done_changes_nothing(void **state) {
    struct fixture *f = *state;
    (void)plan_again(f, 3);
    run_complete(f, 1, 3, THREE);
    expect_plan(plan_again(f, 2), 1, PLAN_DONE, 3);
    expect_shell(f, "SELECT status, epochs, epochs_done, config FROM trials;",
                 "complete|3|3|{\"epochs\":3,\"key\":\"a\"}\n");
}

/* As run_complete(), of 3 epochs, by a trainer that said that it is enough. */
static void run_stopped(struct fixture *f, int number) {
    attempt(f, 1, number);
    for (int e = 1; e <= 3; e++) {
        (void)put_epoch(f, 1, number, e, "val_accuracy 0.5", true, &(enum store_epoch_result){0});
    }
    const struct store_end ended = {
        .status = TRIAL_COMPLETE, .exit_status = 0, .stopped = "patience"};
    begin(f);
    expect_ok(f, store_end_attempt(f->store, 1, number, &ended, &f->err));
    commit(f);
}

static void a_trial_that_stopped_early_is_done(void **state) {
    struct fixture *f = *state;
    (void)plan_again(f, 5);
    run_stopped(f, 1);
    expect_shell(f, "SELECT status, epochs_done, epochs, stopped FROM trials;",
                 "complete|3|5|patience\n");
    expect_plan(plan_again(f, 5), 1, PLAN_DONE, 3);
    expect_plan(plan_again(f, 4), 1, PLAN_DONE, 3); // fewer than at that time
    expect_plan(plan_again(f, 2), 1, PLAN_DONE, 3);
    expect_shell(f, "SELECT status, epochs, stopped FROM trials;", "complete|5|patience\n");
}

static void one_that_stopped_early_goes_on_for_more_epochs(void **state) {
    struct fixture *f = *state;
    (void)plan_again(f, 5);
    run_stopped(f, 1);
    expect_plan(plan_again(f, 6), 1, PLAN_EXTEND, 3);
    expect_shell(f, "SELECT status, epochs, stopped FROM trials;", "pending|6|NULL\n");
    expect_plan(plan_again(f, 6), 1, PLAN_EXTEND, 3); // it has not been started since
    attempt(f, 1, 2);
    expect_shell(f, "SELECT status, stopped FROM trials;", "running|NULL\n");
    end(f, 1, 2, TRIAL_COMPLETE, NULL); // this time it did not say so
    expect_shell(f, "SELECT status, stopped FROM trials;", "complete|NULL\n");
}

/* The key is what the trainer's check calls the same training; the config can still have another `stop`. */
static void one_that_stopped_early_is_asked_again_when_its_config_changed(void **state) {
    struct fixture *f = *state;
    static const char *const configs[] = {"{\"epochs\":5,\"stop\":{\"patience\":2}}",
                                          "{\"epochs\":4,\"stop\":{\"patience\":2}}",
                                          "{\"epochs\":4,\"stop\":{\"patience\":3}}"};
    static const enum store_plan plans[] = {PLAN_DONE, PLAN_DONE, PLAN_EXTEND};
    struct store_point point = {.key = "a0000000000000000000000000000000",
                                .ordinal = 1,
                                .label = "adam",
                                .params = "{}",
                                .config = configs[0],
                                .replicate = 1,
                                .seed = 1,
                                .epochs = 5};
    struct store_planned planned;
    int64_t id = sweep(f, "s", "[]", "val_accuracy", true);
    expect_ok(f, store_put_point(f->store, id, &point, &planned, &f->err));
    end_plan(f, id);
    run_stopped(f, 1);
    for (int i = 0; i < 3; i++) {
        point.config = configs[i];
        point.epochs = i == 0 ? 5 : 4;
        expect_ok(f, store_preview_point(f->store, &point, &planned, &f->err));
        assert_int_equal(planned.plan, plans[i]);
        id = sweep(f, "s", "[]", "val_accuracy", true);
        expect_ok(f, store_put_point(f->store, id, &point, &planned, &f->err));
        end_plan(f, id);
        assert_int_equal(planned.plan, plans[i]);
    }
}

static void an_interrupted_trial_continues(void **state) {
    struct fixture *f = *state;
    (void)plan_again(f, 3);
    attempt(f, 1, 1);
    epoch(f, 1, 1, 1, "val_accuracy 0.5");
    end(f, 1, 1, TRIAL_PAUSED, "interrupted");
    expect_plan(plan_again(f, 3), 1, PLAN_CONTINUE, 1);
    expect_shell(f, "SELECT status, error FROM trials;", "paused|NULL\n");
}

static void an_extension_that_was_interrupted_continues(void **state) {
    struct fixture *f = *state;
    (void)plan_again(f, 3);
    run_complete(f, 1, 3, THREE);
    (void)plan_again(f, 5);
    attempt(f, 1, 2);
    epoch(f, 1, 2, 4, "val_accuracy 0.8");
    end(f, 1, 2, TRIAL_PAUSED, "interrupted");
    expect_plan(plan_again(f, 5), 1, PLAN_CONTINUE, 4);
    expect_plan(plan_again(f, 2), 1, PLAN_CONTINUE, 4);
    expect_shell(f, "SELECT status, epochs FROM trials;", "paused|4\n");
}

static void a_failed_trial_stays_failed_until_reset(void **state) {
    struct fixture *f = *state;
    (void)plan_again(f, 3);
    attempt(f, 1, 1);
    end(f, 1, 1, TRIAL_FAILED, "exit");
    expect_plan(plan_again(f, 3), 1, PLAN_FAILED, 0);
    expect_shell(f, "SELECT status, error FROM trials;", "failed|message of attempt 1\n");
    begin(f);
    expect_ok(f, store_reset_failed(f->store, 1, &f->err));
    commit(f);
    expect_shell(f, "SELECT status, error FROM trials;", "pending|NULL\n");
    expect_plan(plan_again(f, 3), 1, PLAN_CONTINUE, 0);
}

static void only_failed_trials_can_be_reset(void **state) {
    struct fixture *f = *state;
    (void)plan_again(f, 3);
    run_complete(f, 1, 3, THREE);
    begin(f);
    expect_code(f, store_reset_failed(f->store, 1, &f->err), ERR_NOT_FOUND);
    expect_code(f, store_reset_failed(f->store, 99, &f->err), ERR_NOT_FOUND);
    store_rollback(f->store);
}

static void without_a_number_of_epochs_complete_is_done(void **state) {
    struct fixture *f = *state;
    (void)plan_again(f, 0);
    run_complete(f, 1, 3, THREE);
    expect_plan(plan_again(f, 0), 1, PLAN_DONE, 3);
    expect_shell(f, "SELECT status, epochs, epochs_done FROM trials;", "complete|NULL|3\n");
}

static void two_points_of_one_key_are_one_trial(void **state) {
    struct fixture *f = *state;
    int64_t id = sweep(f, "s", "[\"optimizer\"]", "val_accuracy", true);
    assert_false(point(f, id, "a", "adam", ADAM, 1, 3).repeated);
    struct store_planned second =
        point(f, id, "a", "same", "{\"optimizer\":{\"name\":\"adam\"}}", 1, 3);
    assert_true(second.repeated);
    assert_int_equal(second.trial, 1);
    end_plan(f, id);
    expect_shell(f, "SELECT trial, label FROM trials;", "1|adam\n");
}

/* Two points that differ in their epochs alone: planned again, nothing has changed. */
static void of_two_points_of_one_key_the_first_says_how_it_is_run(void **state) {
    struct fixture *f = *state;
    for (int again = 0; again < 2; again++) {
        int64_t id = sweep(f, "s", "[\"epochs\"]", "val_accuracy", true);
        expect_plan(point(f, id, "a", "epochs=3", "{\"epochs\":3}", 1, 3), 1,
                    again ? PLAN_DONE : PLAN_NEW, again ? 3 : 0);
        assert_true(point(f, id, "a", "epochs=5", "{\"epochs\":5}", 1, 5).repeated);
        end_plan(f, id);
        expect_shell(f, "SELECT label, config, epochs FROM trials;",
                     "epochs=3|{\"epochs\":3,\"key\":\"a\"}|3\n");
        if (!again) {
            run_complete(f, 1, 3, THREE);
        }
    }
    expect_shell(f, "SELECT status FROM trials;", "complete\n");
}

/* ---- sweeps ---- */

static void a_point_that_the_sweep_has_no_more_leaves_but_is_kept(void **state) {
    struct fixture *f = *state;
    int64_t id = sweep(f, "s", "[\"optimizer\"]", "val_accuracy", true);
    (void)point(f, id, "a", "adam", ADAM, 1, 3);
    (void)point(f, id, "b", "sgd", SGD, 1, 3);
    end_plan(f, id);
    run_complete(f, 1, 3, THREE);
    run_complete(f, 2, 3, THREE);

    id = sweep(f, "s", "[\"optimizer\"]", "val_accuracy", true);
    (void)point(f, id, "b", "sgd", SGD, 1, 3);
    end_plan(f, id);
    expect_shell(f,
                 "SELECT trial FROM trials; SELECT trial FROM sweep_s;"
                 "SELECT best_trial FROM leaderboard; SELECT DISTINCT trial FROM curves;",
                 "2\n2\n2\n1\n2\n");
    expect_plan(plan_again(f, 3), 1, PLAN_DONE, 3); // and comes back, while 2 leaves
    expect_shell(f, "SELECT trial, label FROM trials;", "1|adam\n");
}

static void a_shared_trial_counts_in_both_sweeps(void **state) {
    struct fixture *f = *state;
    (void)plan_again(f, 3);
    run_complete(f, 1, 3, THREE);
    int64_t id = sweep(f, "other-one", "[\"rule\"]", "val_accuracy", true);
    expect_plan(point(f, id, "a", "ADAM", "{\"rule\":\"ADAM\"}", 2, 3), 1, PLAN_DONE, 3);
    end_plan(f, id);
    expect_shell(f,
                 "SELECT sweep, trial, label, replicate, params, best_value FROM trials ORDER BY 1;"
                 "SELECT sweep, n, mean, best_trial FROM leaderboard ORDER BY 1;"
                 "SELECT * FROM sweep_other_one;"
                 "SELECT rule, epoch, avg(value) FROM curves JOIN sweep_other_one USING (trial)"
                 " GROUP BY 1, 2;"
                 "SELECT DISTINCT sweep FROM curves;",
                 "other-one|1|ADAM|2|{\"rule\":\"ADAM\"}|0.7\n"
                 "s|1|adam|1|{\"optimizer\":\"adam\"}|0.7\n"
                 "other-one|1|0.7|1\n"
                 "s|1|0.7|1\n"
                 "1|complete|ADAM|2|0.7|0.6\n"
                 "ADAM|1|0.5\nADAM|2|0.7\nADAM|3|0.6\n"
                 "s\n");
}

static void sweeps_whose_views_would_be_one_are_refused(void **state) {
    struct fixture *f = *state;
    int64_t id = sweep(f, "a-b", "[]", "loss", false);
    end_plan(f, id);
    begin(f);
    struct store_sweep clash = {.name = "a_b",
                                .spec = "{}",
                                .axes = "[]",
                                .trainer = "[]",
                                .metric = "loss",
                                .maximize = false};
    expect_code(f, store_put_sweep(f->store, &clash, &id, &f->err), ERR_RANGE);
    expect_message(f, "a-b");
    expect_message(f, "sweep_a_b");
    store_rollback(f->store);
    expect_shell(f, "SELECT name FROM sweep;", "a-b\n");
}

/* Names that the schema itself uses, for its tables or views. */
static void any_name_of_a_sweep_makes_a_view(void **state) {
    struct fixture *f = *state;
    static const char *const names[] = {"trial", "metric", "x", "1", "-", "_x", "sqlite"};
    for (int i = 0; i < 7; i++) {
        int64_t id = sweep(f, names[i], "[\"optimizer\"]", "val_accuracy", true);
        (void)point(f, id, "a", "adam", ADAM, 1, 3);
        end_plan(f, id);
        char *view = mem_printf("SELECT optimizer FROM \"sweep_%s\";", i == 4 ? "_" : names[i]);
        expect_shell(f, view, "adam\n");
        free(view);
    }
}

static void planning_the_same_again_writes_no_rows_but_the_sweeps(void **state) {
    struct fixture *f = *state;
    (void)plan_again(f, 3);
    char *before = mem_strdup(shell(f, "SELECT * FROM trial; SELECT * FROM member;"
                                       "SELECT * FROM cell; PRAGMA schema_version;"));
    (void)plan_again(f, 3);
    expect_shell(f,
                 "SELECT * FROM trial; SELECT * FROM member;"
                 "SELECT * FROM cell; PRAGMA schema_version;",
                 before);
    free(before);
}

static void a_plan_that_is_rolled_back_leaves_nothing(void **state) {
    struct fixture *f = *state;
    int64_t id = sweep(f, "s", "[\"optimizer\"]", "val_accuracy", true);
    (void)point(f, id, "a", "adam", ADAM, 1, 3);
    store_rollback(f->store);
    expect_shell(f,
                 "SELECT count(*) FROM trial; SELECT count(*) FROM sweep;"
                 "SELECT count(*) FROM sqlite_schema WHERE name = 'sweep_s';",
                 "0\n0\n0\n");
    expect_plan(plan_again(f, 3), 1, PLAN_NEW, 0); // no name is remembered that is gone
    run_complete(f, 1, 3, THREE);
    expect_shell(f, "SELECT * FROM sweep_s;", "1|complete|adam|1|0.7|0.6\n");
}

static void points_come_only_into_the_sweep_being_planned(void **state) {
    struct fixture *f = *state;
    (void)plan_again(f, 3);
    begin(f);
    struct store_point p = {.key = "k", .label = "l", .params = "{}", .config = "{}"};
    struct store_planned planned;
    expect_code(f, store_put_point(f->store, 77, &p, &planned, &f->err), ERR_RANGE);
    store_rollback(f->store);
}

/* ---- jobs, attempts, recovery ---- */

static void a_job_has_what_a_worker_needs(void **state) {
    struct fixture *f = *state;
    int64_t id = sweep(f, "s", "[\"optimizer\"]", "val_accuracy", true);
    (void)point(f, id, "abc", "adam", ADAM, 4, 3);
    end_plan(f, id);
    attempt(f, 1, 1);
    epoch(f, 1, 1, 1, "val_accuracy 0.5");
    struct store_job job;
    expect_ok(f, store_get_job(f->store, id, 1, &job, &f->err));
    assert_int_equal(job.trial, 1);
    assert_int_equal(job.seed, 4);
    assert_int_equal(job.replicate, 4);
    assert_int_equal(job.attempts, 1);
    assert_int_equal(job.epochs, 3);
    assert_int_equal(job.epochs_done, 1);
    assert_string_equal(job.key, "abc00000000000000000000000000000");
    assert_string_equal(job.label, "adam");
    assert_string_equal(job.config, "{\"epochs\":3,\"key\":\"abc\"}");
    store_job_release(&job);
    expect_code(f, store_get_job(f->store, id, 2, &job, &f->err), ERR_NOT_FOUND);
    expect_code(f, store_get_job(f->store, 9, 1, &job, &f->err), ERR_NOT_FOUND);
}

static void an_attempt_is_begun_once_and_ended_once_begun(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3);
    struct store_end e = {.status = TRIAL_FAILED, .reason = "exit", .exit_status = 1};
    begin(f);
    expect_code(f, store_begin_attempt(f->store, 1, 1, 1, &f->err), ERR_RANGE);
    expect_code(f, store_begin_attempt(f->store, 99, 1, 1, &f->err), ERR_NOT_FOUND);
    expect_code(f, store_end_attempt(f->store, 1, 7, &e, &f->err), ERR_NOT_FOUND);
    expect_code(f, store_put_start(f->store, 1, 7, 0, "x", "y", &f->err), ERR_NOT_FOUND);
    store_rollback(f->store);
    expect_shell(f, "SELECT status, attempts FROM trials;", "running|1\n");
}

static void the_start_event_is_kept_with_the_attempt(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3);
    begin(f);
    expect_ok(
        f, store_put_start(f->store, 1, 1, 2, "OpenBLAS 0.3.21 Haswell", "trainer 1.2", &f->err));
    commit(f);
    expect_shell(f, "SELECT from_epoch, numerics, program FROM attempt;",
                 "2|OpenBLAS 0.3.21 Haswell|trainer 1.2\n");
}

static struct store_job job_of(struct fixture *f, int64_t sweep_id, int64_t trial) {
    struct store_job job;
    expect_ok(f, store_get_job(f->store, sweep_id, trial, &job, &f->err));
    return job;
}

static void expect_job(struct fixture *f, int64_t sweep_id, int barren, double ran_s) {
    struct store_job job = job_of(f, sweep_id, 1);
    assert_int_equal(job.barren, barren);
    assert_true(job.ran_s == ran_s);
    store_job_release(&job);
}

static void how_an_attempt_failed_is_kept(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3);
    const struct store_end e = {.status = TRIAL_PAUSED,
                                .reason = "signal",
                                .signal = 9,
                                .exit_status = -1,
                                .class = "memory",
                                .peak_mb = 12.5,
                                .seconds = 1.5,
                                .barren = 1};
    begin(f);
    expect_ok(f, store_end_attempt(f->store, 1, 1, &e, &f->err));
    commit(f);
    expect_shell(f,
                 "SELECT reason, class FROM failures;"
                 "SELECT peak_mb, seconds, barren FROM attempt;",
                 "signal|memory\n12.5|1.5|1\n");
    attempt(f, 1, 2);
    end(f, 1, 2, TRIAL_COMPLETE, NULL);
    expect_shell(f, "SELECT class, peak_mb FROM attempt WHERE attempt = 2;", "NULL|NULL\n");
}

/* An attempt that the runner did not live to judge hands on the count before it. */
static void barren_attempts_are_counted_until_the_trial_begins_anew(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3); // sweep 1, attempt 1
    struct store_end e = {
        .status = TRIAL_PAUSED, .reason = "exit", .exit_status = 1, .seconds = 2.0, .barren = 1};
    begin(f);
    expect_ok(f, store_end_attempt(f->store, 1, 1, &e, &f->err));
    commit(f);
    expect_job(f, 1, 1, 2.0);

    int count;
    attempt(f, 1, 2);
    begin(f);
    expect_ok(f, store_recover(f->store, &count, &f->err));
    commit(f);
    expect_job(f, 1, 1, 2.0); // it told no epoch: not known how long it ran
    attempt(f, 1, 3);
    epoch(f, 1, 3, 1, "val_accuracy 0.5");
    (void)shell(f, "UPDATE epoch SET at = (SELECT started_at FROM attempt WHERE attempt = 3) + 8;");
    begin(f);
    expect_ok(f, store_recover(f->store, &count, &f->err));
    commit(f);
    expect_job(f, 1, 1, 10.0); // until its epoch

    attempt(f, 1, 4);
    e.status = TRIAL_FAILED;
    e.barren = 2;
    begin(f);
    expect_ok(f, store_end_attempt(f->store, 1, 4, &e, &f->err));
    expect_ok(f, store_reset_failed(f->store, 1, &f->err));
    commit(f);
    expect_job(f, 1, 0, 12.0);
    attempt(f, 1, 5);
    begin(f);
    expect_ok(f, store_recover(f->store, &count, &f->err));
    commit(f);
    expect_job(f, 1, 0, 12.0); // reset for good
}

static void what_a_killed_runner_left_open_is_closed(void **state) {
    struct fixture *f = *state;
    int64_t id = sweep(f, "s", "[\"optimizer\"]", "val_accuracy", true);
    for (int i = 0; i < 3; i++) {
        static const char *const keys[] = {"a", "b", "c"};
        (void)point(f, id, keys[i], keys[i], ADAM, i + 1, 3);
    }
    end_plan(f, id);
    run_complete(f, 1, 3, THREE);
    attempt(f, 2, 1);
    end(f, 2, 1, TRIAL_PENDING, "exit");
    attempt(f, 2, 2);
    attempt(f, 3, 1);
    int count = -1;
    for (int round = 0; round < 2; round++) {
        begin(f);
        expect_ok(f, store_recover(f->store, &count, &f->err));
        commit(f);
        assert_int_equal(count, round == 0 ? 2 : 0);
        expect_shell(f,
                     "SELECT trial, status FROM trials;"
                     "SELECT trial, attempt, reason, class FROM failures;",
                     "1|complete\n2|paused\n3|paused\n"
                     "2|1|exit|NULL\n2|2|runner died|lost\n3|1|runner died|lost\n");
    }
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_STORE(how_an_attempt_failed_is_kept),
        WITH_STORE(barren_attempts_are_counted_until_the_trial_begins_anew),
        WITH_STORE(points_are_new_once_and_keep_their_trial),
        WITH_STORE(a_complete_trial_is_done),
        WITH_STORE(asking_for_more_epochs_extends),
        WITH_STORE(a_trial_that_stopped_early_is_done),
        WITH_STORE(one_that_stopped_early_goes_on_for_more_epochs),
        WITH_STORE(one_that_stopped_early_is_asked_again_when_its_config_changed),
        WITH_STORE(asking_for_fewer_epochs_again_completes),
        WITH_STORE(asking_for_fewer_epochs_than_done_changes_nothing),
        WITH_STORE(an_interrupted_trial_continues),
        WITH_STORE(an_extension_that_was_interrupted_continues),
        WITH_STORE(a_failed_trial_stays_failed_until_reset),
        WITH_STORE(only_failed_trials_can_be_reset),
        WITH_STORE(without_a_number_of_epochs_complete_is_done),
        WITH_STORE(two_points_of_one_key_are_one_trial),
        WITH_STORE(of_two_points_of_one_key_the_first_says_how_it_is_run),
        WITH_STORE(a_point_that_the_sweep_has_no_more_leaves_but_is_kept),
        WITH_STORE(a_shared_trial_counts_in_both_sweeps),
        WITH_STORE(sweeps_whose_views_would_be_one_are_refused),
        WITH_STORE(any_name_of_a_sweep_makes_a_view),
        WITH_STORE(planning_the_same_again_writes_no_rows_but_the_sweeps),
        WITH_STORE(a_plan_that_is_rolled_back_leaves_nothing),
        WITH_STORE(points_come_only_into_the_sweep_being_planned),
        WITH_STORE(a_job_has_what_a_worker_needs),
        WITH_STORE(an_attempt_is_begun_once_and_ended_once_begun),
        WITH_STORE(the_start_event_is_kept_with_the_attempt),
        WITH_STORE(what_a_killed_runner_left_open_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
