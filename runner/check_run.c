#include "runner/check_run.h"

#include "base/mem.h"
#include "runner/check_internal.h"
#include "runner/loop.h"
#include "runner/program.h"

#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what lanes ask ---- */

void check_fail(struct check *check, const struct err *err) {
    if (!check->failed) {
        check->failed = true;
        check->err = *err;
    }
}

bool check_is_over(const struct check *check) {
    return check->failed || check->result->signal != 0 || check->judge->found;
}

static void emit(struct check *c, const struct check_event *event) {
    if (c->observer != NULL) {
        c->observer(c->observer_context, event);
    }
}

/* ---- folders ---- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    (void)remove(path); // the folder above will complain
    return 0;
}

void check_remove_tree(const char *path) {
    enum { DESCRIPTORS = 16 };
    (void)nftw(path, remove_entry, DESCRIPTORS, FTW_DEPTH | FTW_PHYS); // it may be gone already
}

static void remove_round(const struct check *c, const char *key) {
    if (!c->options->keep) {
        char *path = mem_printf("%s/trials/%s", c->site.out_dir, key);
        check_remove_tree(path);
        free(path);
    }
}

/* ---- the order of things ---- */

static void give_round(struct check_lane *lane) {
    struct check *c = lane->check;
    if (!check_is_over(c) && c->next_round <= c->rounds) {
        check_lane_begin(lane, c->next_round++, 0);
    }
}

static void begin_rounds(struct check *c) {
    int planned = c->options->rounds;
    c->rounds = planned > 0 ? planned : check_plan_count(c->profile.seconds);
    c->next_round = 1;
    c->result->rounds = c->rounds;
    emit(c, &(struct check_event){.kind = CHECK_ROUNDS_NEXT,
                                  .rounds = c->rounds,
                                  .epochs = c->profile.epochs,
                                  .seconds =
                                      check_plan_seconds(&c->profile, c->rounds) / c->lane_count,
                                  .good = true});
    for (int i = 0; i < c->lane_count; i++) {
        give_round(&c->lanes[i]);
    }
}

void check_lane_is_done(struct check_lane *lane, double seconds) {
    struct check *c = lane->check;
    const struct check_event event = {.kind = lane->round == 0 ? CHECK_RUN_DONE : CHECK_ROUND_DONE,
                                      .round = lane->round == 0 ? lane->run : lane->round,
                                      .rounds = c->rounds,
                                      .epochs = c->judge->reference.count,
                                      .seconds = seconds,
                                      .changes = lane->attempt.changes,
                                      .how = buf_text(&lane->how),
                                      .good = !c->judge->found,
                                      .attempts = lane->attempt.number};
    remove_round(c, lane->key);
    if (!c->failed && c->result->signal == 0) {
        emit(c, &event);
    }
    if (check_is_over(c)) {
        for (int i = 0; i < c->lane_count; i++) {
            check_lane_kill(&c->lanes[i]);
        }
    } else if (lane->round > 0) {
        give_round(lane);
    } else if (lane->run == 1) {
        check_lane_begin(lane, 0, 2);
    } else {
        begin_rounds(c);
    }
}

static bool is_busy(const struct check *c) {
    for (int i = 0; i < c->lane_count; i++) {
        if (c->lanes[i].busy) {
            return true;
        }
    }
    return false;
}

/* ---- signals ---- */

static void signal_all(struct check *c, int number) {
    for (int i = 0; i < c->lane_count; i++) {
        check_lane_signal(&c->lanes[i], number);
    }
}

static void on_signal(uv_signal_t *handle, int number) {
    struct check *c = handle->data;
    if (number == SIGTSTP) {
        signal_all(c, SIGTSTP);
        (void)raise(SIGSTOP); // comes back when somebody continues us
        uv_update_time(&c->loop);
        signal_all(c, SIGCONT);
        return;
    }
    c->result->signal = number;
    for (int i = 0; i < c->lane_count; i++) {
        check_lane_kill(&c->lanes[i]);
    }
}

static int start_signals(struct check *c, struct err *err) {
    static const int numbers[CHECK_SIGNALS] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP};
    int rc = 0;
    for (int i = 0; i < CHECK_SIGNALS && rc == 0; i++) {
        struct sigaction action;
        bool ignored = sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler == SIG_IGN;
        rc = ignored && numbers[i] != SIGTERM
                 ? 0 // nohup means it
                 : uv_signal_start(&c->signals[i], on_signal, numbers[i]);
    }
    return rc == 0 ? ERR_OK : err_io(err, -rc, "catch signals"); // libuv negates errno
}

/* ---- the whole ---- */

static int open_check(struct check *c, struct err *err) {
    int rc = loop_init(&c->loop, err);
    if (rc != ERR_OK) {
        return rc;
    }
    for (int i = 0; i < CHECK_SIGNALS; i++) {
        (void)uv_signal_init(&c->loop, &c->signals[i]); // a new loop: succeeds
        c->signals[i].data = c;
    }
    c->lane_count = c->options->jobs < 1                ? 1
                    : c->options->jobs > CHECK_JOBS_MAX ? CHECK_JOBS_MAX
                                                        : c->options->jobs;
    c->lanes = mem_zalloc((size_t)c->lane_count, sizeof *c->lanes);
    for (int i = 0; i < c->lane_count; i++) {
        check_lane_init(&c->lanes[i], c, i);
    }
    return ERR_OK;
}

static void close_check(struct check *c) {
    for (int i = 0; i < CHECK_SIGNALS; i++) {
        uv_close((uv_handle_t *)&c->signals[i], NULL);
    }
    for (int i = 0; i < c->lane_count; i++) {
        check_lane_close(&c->lanes[i]);
    }
    (void)uv_run(&c->loop, UV_RUN_DEFAULT); // until all are closed
    (void)uv_loop_close(&c->loop);          // fails with open handles only
    for (int i = 0; i < c->lane_count; i++) {
        check_lane_release(&c->lanes[i]);
    }
    free(c->lanes);
    free(c->told_s);
    free(c->changes);
    wire_record_release(&c->line);
}

static int run(struct check *c, struct err *err) {
    int rc = start_signals(c, err);
    if (rc != ERR_OK) {
        return rc;
    }
    check_lane_begin(&c->lanes[0], 0, 1);
    while (is_busy(c)) {
        (void)uv_run(&c->loop, UV_RUN_ONCE); // tells whether handles are active: they are
    }
    if (c->failed) {
        *err = c->err;
        return err->code;
    }
    return ERR_OK;
}

int check_run(const struct check_options *options, check_observer_fn *observer, void *context,
              struct check_result *result, struct err *err) {
    char *shim = NULL;
    int rc = program_find(&shim, "besom-shim", err);
    if (rc != ERR_OK) {
        return rc;
    }
    *result = (struct check_result){0};
    check_resume_init(&result->judge, options->tolerance,
                      options->epochs_promised ? options->epochs : 0);
    struct check *c = mem_zalloc(1, sizeof *c);
    c->options = options;
    c->result = result;
    c->judge = &result->judge;
    c->observer = observer;
    c->observer_context = context;
    c->site =
        (struct launch_site){.out_dir = options->dir, .shim = shim, .trainer = options->trainer};
    rc = open_check(c, err);
    if (rc == ERR_OK) {
        rc = run(c, err);
        close_check(c);
    }
    free(c);
    free(shim);
    if (rc != ERR_OK) {
        check_resume_release(&result->judge);
    }
    return rc;
}
