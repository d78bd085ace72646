/* One round of a check.
 *
 *     begin --> attempt --> ended by us --> attempt --> ... --> done --> check_lane_is_done()
 *                  |                                              ^
 *                  +-- died, hangs: a finding --------------------+
 */
#include "runner/check_internal.h"

#include "base/json.h"
#include "base/mem.h"
#include "results/store.h"
#include "runner/check_watch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_MAX = 1 << 20, BARREN_MAX = 3 };

static void start_attempt(struct check_lane *lane);

static double seconds_since_start(const struct check_lane *lane) {
    return (double)(uv_hrtime() - lane->attempt.start_ns) * 1e-9;
}

static struct check_where where_of(const struct check_lane *lane) {
    return (struct check_where){.round = lane->round,
                                .attempt = lane->round == 0 ? lane->run : lane->attempt.number,
                                .how = buf_text(&lane->how)};
}

/* ---- ending an attempt ---- */

/* "killed at 0.31 s (epoch 2, state.json made)" */
static void note_stop(struct check_lane *lane, const char *verb, const char *detail) {
    buf_printf(&lane->how, "%s%s at %.3f s (epoch %d%s)", lane->how.len > 0 ? ", " : "", verb,
               seconds_since_start(lane), check_curve_last(&lane->told), detail);
}

/* SIGTERM: allowed to save and leave with status 85, or to die. */
static void ask_to_stop(struct check_lane *lane, const char *detail) {
    worker_signal(lane->worker, SIGTERM);
    lane->attempt.asked = true;
    note_stop(lane, "asked to stop", detail);
    lane->check->judge->terms++;
}

static void kill_attempt(struct check_lane *lane) {
    check_hold_kill(&lane->hold); // first, as every microsecond counts
    worker_signal(lane->worker, SIGQUIT);
    lane->attempt.killed = true;
}

static void kill_for(struct check_lane *lane, const char *detail) {
    kill_attempt(lane);
    note_stop(lane, "killed", detail);
    lane->check->judge->kills++;
}

static bool is_ending(const struct check_lane *lane) {
    const struct check_attempt *a = &lane->attempt;
    return a->killed || a->asked || a->timed_out || lane->worker == NULL;
}

static void hold(struct check_lane *lane) {
    check_hold(&lane->hold, &lane->check->holder, worker_pid(lane->worker));
}

static void on_stop(uv_timer_t *timer) {
    struct check_lane *lane = timer->data;
    if (is_ending(lane)) {
        return;
    }
    if (lane->attempt.stop.kind != CHECK_AT_TIME) {
        hold(lane); // half of the way to its first line
    } else if (lane->kind == CHECK_ROUND_TERM) {
        ask_to_stop(lane, "");
    } else {
        kill_for(lane, "");
    }
}

static void on_timeout(uv_timer_t *timer) {
    struct check_lane *lane = timer->data;
    if (lane->worker != NULL && !lane->attempt.killed) {
        kill_attempt(lane);
        lane->attempt.timed_out = true;
    }
}

/* ---- what an attempt says ---- */

/* As if it had been told to a runner that died before it stored it. */
static void lose_line(struct check_lane *lane) {
    const struct check_attempt *a = &lane->attempt;
    if (lane->kind == CHECK_ROUND_LOST && a->latest > a->done) {
        lane->lost[a->number - 1] = a->latest; // of the first CHECK_KILLS attempts
    }
}

/* Did its kill lose a line?  Also when the kill came too late and it left by itself: the runner that would have
 * stored the line was dead by then, and starts it once more. */
static bool has_lost_line(const struct check_lane *lane) {
    int i = lane->attempt.number - 1;
    return i < CHECK_KILLS && lane->lost[i] != 0;
}

static void is_told_again(struct check_lane *lane, int epoch) {
    for (int i = 0; i < CHECK_KILLS; i++) {
        lane->lost[i] = lane->lost[i] == epoch ? 0 : lane->lost[i];
    }
}

static void on_change(void *context, const char *name, const char *what) {
    struct check_lane *lane = context;
    struct check_attempt *a = &lane->attempt;
    a->changes++;
    if (is_ending(lane) || a->stop.kind != CHECK_AT_CHANGE || !a->open) {
        return;
    }
    if (++a->changes_open < a->stop.change) {
        hold(lane);
        return;
    }
    kill_attempt(lane); // before anything else
    lose_line(lane);
    char *detail = mem_printf(", %s %s", name, what);
    note_stop(lane, "killed", detail);
    lane->check->judge->kills++;
    free(detail);
}

/* Keeps what the uninterrupted run looked like. */
static void profile_line(struct check_lane *lane, int epoch) {
    struct check *c = lane->check;
    if (lane->run == 1 && c->first_line_s == 0.0) {
        c->first_line_s = seconds_since_start(lane);
    }
    if (lane->run != 2 || epoch != c->profile.epochs + 1) {
        return;
    }
    if (epoch >= c->profile_cap) {
        c->profile_cap = 2 * epoch + 16;
        c->told_s = mem_resize(c->told_s, (size_t)c->profile_cap, sizeof *c->told_s);
        c->changes = mem_resize(c->changes, (size_t)c->profile_cap, sizeof *c->changes);
        c->told_s[0] = 0.0;
    }
    c->profile.epochs = epoch;
    c->told_s[epoch] = seconds_since_start(lane);
    c->changes[epoch - 1] = lane->attempt.changes - lane->attempt.changes_open;
    lane->attempt.changes_open = lane->attempt.changes;
}

static void note_begin(struct check_lane *lane, int epoch) {
    struct check_attempt *a = &lane->attempt;
    if (a->first == 0) {
        a->first = epoch;
        a->first_s = seconds_since_start(lane);
        a->changes_at_first = a->changes;
    }
    if (epoch <= a->done && epoch > a->last) {
        a->last = epoch;
        a->last_s = seconds_since_start(lane);
        a->changes_at_last = a->changes;
    }
}

static void stop_at_line(struct check_lane *lane, int epoch) {
    struct check_attempt *a = &lane->attempt;
    if (is_ending(lane)) {
        return;
    }
    bool is_line = a->stop.kind == CHECK_AT_LINE && epoch >= a->stop.epoch;
    if (is_line && lane->kind == CHECK_ROUND_TERM) {
        ask_to_stop(lane, ", right after its line");
    } else if (is_line) {
        kill_for(lane, ", right after its line");
    } else if (a->stop.kind == CHECK_AT_CHANGE && epoch >= a->stop.epoch) {
        a->open = true;
    }
    bool is_moment = a->stop.kind == CHECK_AT_CHANGE || a->stop.kind == CHECK_AT_LINE;
    if (is_moment && epoch >= a->hold_epoch && !is_ending(lane)) {
        hold(lane);
    }
}

static void take_epoch(struct check_lane *lane, const struct wire_record *record) {
    const struct check_where where = where_of(lane);
    bool again = check_curve_find(&lane->told, record->epoch) != NULL;
    profile_line(lane, record->epoch);
    note_begin(lane, record->epoch);
    lane->attempt.latest = record->epoch;
    is_told_again(lane, record->epoch);
    check_curve_add(&lane->told, record);
    stop_at_line(lane, record->epoch);
    check_resume_told(lane->check->judge, &where, record, again);
    if (check_is_over(lane->check)) {
        check_lane_kill(lane); // what is known will not change any more
    }
}

static void take_event(struct check_lane *lane, const struct wire_record *record) {
    struct check_attempt *a = &lane->attempt;
    int64_t from;
    if (strcmp(record->event, "start") == 0) {
        const struct cJSON *value = json_get(record->object, "from_epoch");
        if (value != NULL && json_integer(value, 0, WIRE_EPOCH_MAX, &from)) {
            a->from_epoch = (int)from;
        }
    } else if (strcmp(record->event, "done") == 0) {
        const struct cJSON *stopped = json_get(record->object, "stopped");
        a->stopped = stopped != NULL && json_type(stopped) == JSON_STRING;
    } else if (strcmp(record->event, "failed") == 0) {
        const struct cJSON *message = json_get(record->object, "message");
        bool said = message != NULL && json_type(message) == JSON_STRING;
        a->failed_event = true;
        (void)snprintf(a->failed_message, sizeof a->failed_message, "it said that it failed%s%s",
                       said ? ": " : "", said ? json_text(message) : ""); // a long one is cut
    }
}

static void on_line(void *context, const char *text, size_t len, bool cut) {
    struct check_lane *lane = context;
    struct wire_record *record = &lane->check->line;
    if (cut) {
        return;
    }
    wire_parse(record, text, len);
    if (record->kind == WIRE_EPOCH) {
        take_epoch(lane, record);
    } else if (record->kind == WIRE_EVENT) {
        take_event(lane, record);
    }
}

/* ---- how it ended ---- */

static void finish_round(struct check_lane *lane) {
    lane->busy = false;
    check_lane_is_done(lane, seconds_since_start(lane));
}

static void tell_begin(struct check_lane *lane) {
    const struct check *c = lane->check;
    const struct check_attempt *a = &lane->attempt;
    if (lane->kind != CHECK_ROUND_KILL || lane->round == 0 || a->number == 1) {
        return;
    }
    bool known = a->last >= 1 && a->last <= c->profile.epochs && a->first == 1;
    const struct check_begin begin = {
        .done = a->done,
        .first = a->first,
        .last = a->last,
        .from_epoch = a->from_epoch,
        .changes = a->changes_at_last - a->changes_at_first,
        .seconds = a->last_s - a->first_s,
        .expected_s = known ? c->profile.told_s[a->last] - c->profile.told_s[1] : 0.0,
        .has_files = a->had_files};
    check_resume_began(lane->check->judge, &begin);
}

static void profile_end(struct check_lane *lane) {
    struct check *c = lane->check;
    if (lane->round == 0 && lane->run == 1) {
        c->first_run_s = seconds_since_start(lane);
    }
    if (lane->round != 0 || lane->run != 2 || c->profile.epochs == 0) {
        return;
    }
    c->profile.seconds = seconds_since_start(lane);
    c->profile.told_s = c->told_s;
    c->profile.changes = c->changes;
    c->changes[c->profile.epochs] = lane->attempt.changes - lane->attempt.changes_open;
    c->result->seconds = c->profile.seconds;
    c->result->changes = lane->attempt.changes;
}

static void done(struct check_lane *lane) {
    if (lane->kind == CHECK_ROUND_EXTEND && lane->round > 0 && !lane->extended) {
        lane->extended = true;
        buf_printf(&lane->how, "trained to epoch %d, then epochs raised to %d",
                   lane->check->options->extend_from, lane->check->options->epochs);
        lane->check->judge->extensions++;
        start_attempt(lane);
        return;
    }
    const struct check_where where = where_of(lane);
    profile_end(lane);
    for (int i = 0; i < CHECK_KILLS; i++) {
        if (lane->lost[i] != 0) {
            check_resume_lost(lane->check->judge, &where, lane->lost[i]);
        }
    }
    check_resume_done(lane->check->judge, &where, &lane->told, lane->attempt.stopped);
    finish_round(lane);
}

static void died(struct check_lane *lane, const struct worker_end *end, const char *message) {
    const struct check_where where = where_of(lane);
    check_resume_died(lane->check->judge, &where, end->exit_status, end->signal, message,
                      end->tail);
    finish_round(lane);
}

/* Status 85 without our asking is allowed, as long as it gets on. */
static void saved(struct check_lane *lane, const struct worker_end *end) {
    bool progress = check_curve_contiguous(&lane->told) > lane->attempt.done;
    lane->barren = progress ? 0 : lane->barren + 1;
    if (lane->barren > BARREN_MAX) {
        died(lane, end, "it left with status 85 again and again, without a new epoch between");
        return;
    }
    start_attempt(lane);
}

static bool told_all(const struct check_lane *lane) {
    return lane->told.count >= lane->check->judge->reference.count;
}

static void judge_end(struct check_lane *lane, const struct worker_end *end) {
    const struct check_attempt *a = &lane->attempt;
    const struct check_where where = where_of(lane);
    if (a->timed_out) {
        double timeout_s = (double)uv_timer_get_repeat(&lane->timeout_timer) * 1e-3;
        check_resume_hung(lane->check->judge, &where, timeout_s, end->tail);
        finish_round(lane);
    } else if (a->failed_event) {
        died(lane, end, a->failed_message);
    } else if (end->exit_status == 0 && (!a->asked || told_all(lane)) && !has_lost_line(lane)) {
        done(lane); // a kill may come too late
    } else if (a->asked || has_lost_line(lane) || (a->killed && end->exit_status < 0)) {
        start_attempt(lane);
    } else if (end->exit_status == WIRE_EXIT_SAVED) {
        saved(lane, end);
    } else {
        died(lane, end, NULL);
    }
}

static void on_ended(void *context, const struct worker_end *end) {
    struct check_lane *lane = context;
    lane->worker = NULL;
    (void)uv_timer_stop(&lane->stop_timer); // these always succeed
    (void)uv_timer_stop(&lane->timeout_timer);
    check_watch_stop(lane->watch);
    lane->watch = NULL;
    check_hold_release(&lane->hold, &lane->check->holder);
    if (check_is_over(lane->check)) {
        finish_round(lane);
    } else {
        tell_begin(lane);
        judge_end(lane, end);
    }
    free(end->tail);
}

/* ---- starting an attempt ---- */

/* Until when it is to be done; the timer's repeat tells what it was. */
static void start_timeout(struct check_lane *lane) {
    const struct check *c = lane->check;
    double seconds = c->options->timeout_s;
    if (seconds <= 0.0 && lane->round > 0) {
        seconds = 30.0 + 10.0 * c->profile.seconds; // it is slower beside others
    }
    if (seconds > 0.0) {
        uint64_t ms = (uint64_t)(seconds * 1e3) + 1;
        (void)uv_timer_start(&lane->timeout_timer, on_timeout, ms, ms); // not closing
    }
}

/* Taking hold of a trainer takes a millisecond, more on a busy machine: it is done well before the moment. */
static int epoch_to_hold_from(const struct check_profile *profile, int epoch) {
    static const double ahead_s = 0.25;
    int from = epoch;
    while (from > 0 && profile->told_s[epoch] - profile->told_s[from] < ahead_s) {
        from--;
    }
    return from;
}

/* Of a quick trainer, changes and lines come so fast that only one that is held shows which of them belong to
 * which epoch.  A slow one needs no hold, and could be slower by it. */
static void hold_to_profile(struct check_lane *lane) {
    static const double quick_s = 10.0;
    const struct check *c = lane->check;
    if (lane->run == 2 && c->first_run_s < quick_s) {
        uint64_t ms = (uint64_t)(c->first_line_s / 2.0 * 1e3);
        (void)uv_timer_start(&lane->stop_timer, on_stop, ms, 0); // not closing
    }
}

static void start_stop(struct check_lane *lane) {
    const struct check *c = lane->check;
    struct check_attempt *a = &lane->attempt;
    a->stop = lane->round == 0 ? (struct check_stop){.kind = CHECK_GO_ON}
                               : check_plan_stop(&c->profile, c->options->draw_seed, lane->round,
                                                 lane->kind, a->number, a->done);
    if (lane->round == 0) {
        hold_to_profile(lane);
    }
    double after_s = a->stop.after_s;
    if (a->stop.kind == CHECK_AT_CHANGE || a->stop.kind == CHECK_AT_LINE) {
        a->open = a->stop.epoch <= a->done;
        a->hold_epoch = epoch_to_hold_from(&c->profile, a->stop.epoch);
        after_s = c->profile.told_s[1] / 2.0;
    }
    bool from_start = a->hold_epoch <= a->done;
    if (a->stop.kind == CHECK_AT_TIME || (a->stop.kind != CHECK_GO_ON && from_start)) {
        (void)uv_timer_start(&lane->stop_timer, on_stop, (uint64_t)(after_s * 1e3), 0);
    }
}

static int spawn(struct check_lane *lane, struct err *err) {
    struct check *c = lane->check;
    const struct check_options *o = c->options;
    bool is_short = lane->round > 0 && lane->kind == CHECK_ROUND_EXTEND && !lane->extended;
    char *config = mem_strdup(is_short ? o->config_extend : o->config), label[] = "check";
    struct store_job job = {.trial = 1, .seed = o->seed, .label = label, .config = config};
    (void)snprintf(job.key, sizeof job.key, "%s", lane->key); // fits
    struct launch launch;
    const struct launch_place place = {.attempt = lane->attempt.number, .slot = lane->index + 1};
    int rc = launch_prepare(&launch, &c->site, &job, &place, err);
    free(config);
    if (rc != ERR_OK) {
        return rc;
    }
    lane->attempt.had_files = launch_has_state(launch.dir);
    rc = check_watch_start(&lane->watch, &c->loop, launch.dir, on_change, lane, err);
    if (rc == ERR_OK) {
        const struct worker_spec spec = {.argv = launch.argv,
                                         .env = launch.env,
                                         .log_path = launch.log_path,
                                         .attempt = lane->attempt.number,
                                         .log_limit = LOG_MAX,
                                         .reports = true};
        const struct worker_calls calls = {on_line, on_ended, lane};
        lane->attempt.start_ns = uv_hrtime();
        check_holder_loosen(&c->holder);
        rc = worker_start(&lane->worker, &c->loop, &spec, &calls, err);
        check_holder_tighten(&c->holder);
    }
    launch_release(&launch);
    return rc;
}

static void start_attempt(struct check_lane *lane) {
    struct err err;
    int number = lane->attempt.number + 1;
    lane->attempt = (struct check_attempt){
        .number = number, .from_epoch = -1, .done = check_curve_contiguous(&lane->told)};
    if (spawn(lane, &err) != ERR_OK) {
        check_watch_stop(lane->watch);
        lane->watch = NULL;
        check_fail(lane->check, &err);
        finish_round(lane);
        return;
    }
    uv_update_time(&lane->check->loop); // timers count from now
    start_stop(lane);
    start_timeout(lane);
}

/* ---- the lane ---- */

/* A trainer that makes as many epochs as its config says, may be asked for more. */
static bool can_extend(const struct check *c) {
    return c->options->config_extend != NULL && c->profile.epochs == c->options->epochs;
}

void check_lane_begin(struct check_lane *lane, int round, int run) {
    const struct check *c = lane->check;
    lane->busy = true;
    lane->round = round;
    lane->run = run;
    lane->kind = round == 0 ? CHECK_ROUND_KILL : check_plan_round(round, c->rounds, can_extend(c));
    lane->extended = false;
    lane->barren = 0;
    memset(lane->lost, 0, sizeof lane->lost);
    lane->attempt.number = 0;
    buf_clear(&lane->how);
    check_curve_release(&lane->told);
    (void)snprintf(lane->key, sizeof lane->key, round == 0 ? "run-%d" : "round-%04d",
                   round == 0 ? run : round); // fits
    start_attempt(lane);
}

void check_lane_init(struct check_lane *lane, struct check *check, int index) {
    *lane = (struct check_lane){.check = check, .index = index};
    (void)uv_timer_init(&check->loop, &lane->stop_timer); // these always succeed
    (void)uv_timer_init(&check->loop, &lane->timeout_timer);
    lane->stop_timer.data = lane->timeout_timer.data = lane;
}

void check_lane_close(struct check_lane *lane) {
    uv_close((uv_handle_t *)&lane->stop_timer, NULL);
    uv_close((uv_handle_t *)&lane->timeout_timer, NULL);
}

void check_lane_release(struct check_lane *lane) {
    check_curve_release(&lane->told);
    buf_release(&lane->how);
}

void check_lane_kill(struct check_lane *lane) {
    if (lane->worker != NULL) {
        kill_attempt(lane);
    }
}

void check_lane_signal(struct check_lane *lane, int number) {
    if (lane->worker != NULL) {
        worker_signal(lane->worker, number);
        if (number == SIGCONT && uv_is_active((uv_handle_t *)&lane->timeout_timer)) {
            (void)uv_timer_again(&lane->timeout_timer); // it stood still meanwhile; repeats
        }
    }
}
