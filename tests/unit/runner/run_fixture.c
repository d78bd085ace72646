#include "tests/unit/runner/run_fixture.h"

#include "base/diag.h"
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

const char three[] = "{\"name\": \"s\", \"config\": {\"epochs\": 3},"
                     " \"grid\": {\"x\": [1, 2, 3, 4]}, \"retries\": 1,"
                     " \"trainer\": [\"./trainer.sh\", \"{x}\", \"{seed}\"]}";
const char one[] = "{\"name\": \"s\", \"config\": {\"epochs\": 2}, \"retries\": 1,"
                   " \"trainer\": [\"./trainer.sh\"]}";
const char open_ended[] = "{\"name\": \"s\", \"config\": {}, \"retries\": 1,"
                          " \"trainer\": [\"./trainer.sh\"]}";

void check(int rc, const struct err *err) {
    if (rc != ERR_OK) {
        fail_msg("%s", err->msg);
    }
}

/* A trainer is given what whoever runs the test has in the environment, and these are besom's own. */
static void forget_variables(void) {
    for (char **variable = environ; *variable != NULL;) {
        if (strncmp(*variable, "BESOM_", 6) != 0) {
            variable++;
            continue;
        }
        char *name = mem_printf("%.*s", (int)strcspn(*variable, "="), *variable);
        (void)unsetenv(name);
        free(name);
        variable = environ; // it has moved up
    }
}

int run_setup(void **state) {
    struct fixture *f = mem_zalloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/test_run.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(chdir(f->dir), 0);
    forget_variables();
    (void)signal(SIGINT, SIG_DFL); // what a script starts in its background has it ignored
    f->lock_fd = -1;
    *state = f;
    return 0;
}

void close_store(struct fixture *f) {
    struct err err;
    check(store_close(f->store, &err), &err);
    check(store_close(f->reader, &err), &err);
    f->store = f->reader = NULL;
    if (f->lock_fd >= 0) {
        (void)close(f->lock_fd);
        f->lock_fd = -1;
    }
}

int run_teardown(void **state) {
    struct fixture *f = *state;
    close_store(f);
    char *command = mem_printf("rm -rf %s", f->dir);
    int rc = system(command);
    free(command);
    free(f);
    return rc;
}

void write_file(const char *name, const char *text, mode_t mode) {
    FILE *file = fopen(name, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(name, mode), 0);
}

void write_trainer(const char *script) {
    char *text = mem_printf("#!/bin/sh\n%s", script);
    write_file("trainer.sh", text, 0755);
    free(text);
}

int64_t ask(struct fixture *f, const char *sql) {
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
        (void)snprintf(f->stopping_why, sizeof f->stopping_why, "%s", event->message);
        if (f->on_stopping != NULL) {
            f->on_stopping(f);
        }
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

int try_run(struct fixture *f, const char *text, int jobs, const char *halt) {
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
    if (f->on_planned != NULL) {
        f->on_planned(f);
    }
    int rc = run_sweep(f->store, &sweep, &plan, &options, observe, f, &f->result, &f->err);
    plan_release(&plan);
    sweep_release(&sweep);
    diag_release(&diag);
    return rc;
}

void run(struct fixture *f, const char *text, int jobs, const char *halt) {
    check(try_run(f, text, jobs, halt), &f->err);
    assert_int_equal(f->early, 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM trial WHERE status = 'running'"), 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM attempt WHERE ended_at IS NULL"), 0);
}
