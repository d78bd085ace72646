/* From sweep files to a queue of trials: what is stored (asked with the sqlite3 program), what is
 * refused, and where a refusal points.  The trainer is a stand-in in Python. */
#include "tests/unit/runner/sweep_testing.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "runner/complaints.h"
#include "runner/plan.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Knows optimizer (name, lr; adam has 0.001), layers of at most 100 units, n, seed and epochs.  Its identity
 * leaves out what is at its default. */
static const char trainer_text[] =
    "#!/usr/bin/python3\n"
    "import sys, json\n"
    "assert sys.argv[1:3] == ['check', '--cache-dir'] and sys.argv[3].endswith('/cache')\n"
    "for line in sys.stdin:\n"
    "    c = json.loads(line)\n"
    "    errors = []\n"
    "    def bad(path, message): errors.append({'path': path, 'message': message})\n"
    "    for key in c:\n"
    "        if key not in ('optimizer', 'layers', 'n', 'seed', 'epochs'):\n"
    "            bad(key, 'unknown key \"%s\"' % key)\n"
    "    o = c.get('optimizer', 'adam')\n"
    "    o = dict(o) if isinstance(o, dict) else {'name': o}\n"
    "    for key in o:\n"
    "        if key not in ('name', 'lr'): bad('optimizer.' + key, 'unknown key \"%s\"' % key)\n"
    "    if o.get('lr') == 0.001: del o['lr']\n"
    "    for i, layer in enumerate(c.get('layers', [])):\n"
    "        if layer['units'] > 100: bad('layers[%d].units' % i, 'too wide')\n"
    "    if c.get('n') == 13: bad('', 'an unlucky config')\n"
    "    c['optimizer'] = o\n"
    "    epochs = c.pop('epochs', 10)\n"
    "    del c['seed']\n"
    "    answer = {'ok': False, 'errors': errors} if errors else "
    "{'ok': True, 'identity': c, 'epochs': epochs}\n"
    "    print(json.dumps(answer), flush=True)\n";

struct fixture {
    char dir[64];
    struct store *store;
    char *trainer;     // the stand-in
    struct buf listed; // "TRIAL LABEL PLAN EPOCHS_DONE; " of each trial
    char shown[1024];  // by the shell
};

static int setup(void **state) {
    struct fixture *f = mem_zalloc(1, sizeof *f);
    struct err err;
    (void)strcpy(f->dir, "/tmp/test_plan.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    if (store_open(&f->store, f->dir, STORE_WRITE, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    f->trainer = mem_printf("%s/besom-trainer", f->dir);
    FILE *file = fopen(f->trainer, "w");
    assert_non_null(file);
    assert_true(fputs(trainer_text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(f->trainer, 0755), 0);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    struct err err;
    assert_int_equal(store_close(f->store, &err), ERR_OK);
    char *command = mem_printf("rm -r %s", f->dir);
    assert_int_equal(system(command), 0);
    free(command);
    free(f->trainer);
    buf_release(&f->listed);
    free(f);
    return 0;
}

/* What the sqlite3 program prints, rows joined by ';'. */
static const char *shell(struct fixture *f, const char *sql) {
    char *command = mem_printf("sqlite3 %s/results.db \"%s\" | tr '\\n' ';'", f->dir, sql);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t len = fread(f->shown, 1, sizeof f->shown - 1, pipe);
    f->shown[len] = '\0';
    assert_int_equal(pclose(pipe), 0);
    free(command);
    return f->shown;
}

static void list(void *context, const struct store_point *point,
                 const struct store_planned *planned) {
    struct fixture *f = context;
    buf_printf(&f->listed, "%lld %s/%d %s %d; ", (long long)planned->trial, point->label,
               point->replicate, store_plan_names[planned->plan], planned->epochs_done);
}

enum { OWN = 1, DRY = 2, RETRY = 4, NO_STORE = 8 };

/* Plans `{"name": "t", <trainer>, <rest>}`; the trainer is the stand-in with OWN, else `true`. */
static int plan(struct fixture *f, int flags, const char *rest, struct plan *out, struct diag *diag,
                struct err *err) {
    char *text = mem_printf("\"trainer\": [\"%s\", \"train\"],\n%s",
                            flags & OWN ? f->trainer : "true", rest);
    struct sweep sweep;
    load_rest(&sweep, text);
    free(text);
    const struct plan_options options = {
        .out_dir = f->dir, .retry_failed = flags & RETRY, .dry_run = flags & DRY};
    buf_clear(&f->listed);
    int rc =
        plan_make(out, flags & NO_STORE ? NULL : f->store, &sweep, &options, diag, list, f, err);
    sweep_release(&sweep);
    return rc;
}

/* A plan that must work; `listed` is what it lists. */
static void plan_good(struct fixture *f, int flags, const char *rest, const char *listed) {
    struct plan made;
    struct diag diag = {0};
    struct err err = {0};
    if (plan(f, flags, rest, &made, &diag, &err) != ERR_OK) {
        fail_msg("%s: %s %s", rest, err.msg, buf_text(&diag.text));
    }
    assert_string_equal(buf_text(&f->listed), listed);
    int64_t total = 0;
    for (int i = 0; i < PLAN_COUNT; i++) {
        total += made.count[i];
    }
    assert_int_equal(made.total, total);
    int64_t to_run = total - made.count[PLAN_DONE] - made.count[PLAN_FAILED];
    assert_int_equal(made.queue_count, flags & DRY ? 0 : to_run);
    plan_release(&made);
}

static void plan_refused(struct fixture *f, int flags, const char *rest, const char *complaints) {
    struct plan made;
    struct diag diag = {0};
    struct err err = {0};
    int rc = plan(f, flags, rest, &made, &diag, &err);
    if (rc == ERR_OK || strcmp(buf_text(&diag.text), complaints) != 0) {
        fail_msg("%s\n   got %d:\n%swanted:\n%s(%s)", rest, rc, buf_text(&diag.text), complaints,
                 err.msg);
    }
    assert_int_equal(made.queue_count, 0);
    assert_null(made.queue);
    diag_release(&diag);
    assert_string_equal(shell(f, "SELECT count(*) FROM trials; SELECT count(*) FROM sweep"),
                        "0;0;");
}

/* ---- */

static void every_point_becomes_a_trial(void **state) {
    struct fixture *f = *state;
    plan_good(f, 0, "\"grid\": {\"a\": [\"x\", \"y\"]}, \"replicates\": 2",
              "1 x/1 new 0; 2 x/2 new 0; 3 y/1 new 0; 4 y/2 new 0; ");
    assert_string_equal(
        shell(f, "SELECT trial, label, replicate, seed, params, config, epochs FROM trials "
                 "WHERE sweep = 't' ORDER BY trial LIMIT 2"),
        "1|x|1|1|{\"a\": \"x\"}|{\"a\":\"x\",\"seed\":1}|;"
        "2|x|2|2|{\"a\": \"x\"}|{\"a\":\"x\",\"seed\":2}|;");
    assert_string_equal(shell(f, "SELECT axes, trainer, goal FROM sweep"),
                        "[\"a\"]|[\"true\", \"train\"]|maximize;");
    // a value more in front, one gone: the rest keeps its numbers
    plan_good(f, 0, "\"grid\": {\"a\": [\"z\", \"y\"]}, \"replicates\": 2",
              "5 z/1 new 0; 6 z/2 new 0; 3 y/1 new 0; 4 y/2 new 0; ");
    assert_string_equal(shell(f, "SELECT count(*) FROM trials"), "4;");
}

static void excluded_points_are_counted_and_not_stored(void **state) {
    struct fixture *f = *state;
    struct plan made;
    struct diag diag = {0};
    struct err err;
    assert_int_equal(plan(f, 0,
                          "\"grid\": {\"a\": [1, 2, 3]}, \"replicates\": 2, "
                          "\"exclude\": [{\"a\": 2}]",
                          &made, &diag, &err),
                     ERR_OK);
    assert_int_equal(made.excluded, 2);
    assert_int_equal(made.total, 4);
    assert_int_equal(made.queue_count, 4);
    plan_release(&made);
    assert_string_equal(shell(f, "SELECT label FROM trials ORDER BY trial"), "a=1;a=1;a=3;a=3;");
}

static void points_that_are_one_trial_are_planned_once(void **state) {
    struct fixture *f = *state;
    static const char rest[] = "\"grid\": {\"optimizer\": [\"adam\", {\"name\": \"adam\", \"lr\": "
                               "0.001}, {\"name\": \"adam\", \"lr\": 0.01}]}";
    for (int flags = OWN; flags <= (OWN | DRY); flags += DRY) {
        struct plan made;
        struct diag diag = {0};
        struct err err;
        assert_int_equal(plan(f, flags, rest, &made, &diag, &err), ERR_OK);
        assert_string_equal(buf_text(&f->listed), "1 adam/1 new 0; 2 adam lr=0.01/1 new 0; ");
        assert_int_equal(made.merged, 1);
        assert_int_equal(made.total, 2);
        assert_int_equal(made.queue_count, flags & DRY ? 0 : 2);
        plan_release(&made);
    }
    // the epochs are those of the check's answer
    assert_string_equal(shell(f, "SELECT trial, label, epochs FROM trials ORDER BY trial"),
                        "1|adam|10;2|adam lr=0.01|10;");
    // seeds 1, 2 and 2, 3
    plan_good(f, 0, "\"grid\": {\"seed\": [1, 2]}, \"replicates\": 2",
              "3 seed=1/1 new 0; 4 seed=1/2 new 0; 5 seed=2/2 new 0; ");
}

static void complaints_are_told_once_at_their_place(void **state) {
    struct fixture *f = *state;
    // the stand-in's path is as long as it is: complaints are in lines of their own
    plan_refused(f, OWN,
                 "\"config\": {\"epoch\": 3},\n"
                 "\"grid\": {\"optimizer\": [\"adam\",\n"
                 "    {\"name\": \"sgd\", \"lrr\": {\"values\": [1, 2]}}],\n"
                 "  \"n\": [12, 13]}",
                 "t:2:12: epoch: unknown key \"epoch\" (in 6 of 6 trials, first \"adam n=12\")\n"
                 "t:2:1: an unlucky config (in 3 of 6 trials, first \"adam n=13\")\n"
                 "t:4:40: optimizer.lrr: unknown key \"lrr\" (in 4 of 6 trials, first \"sgd lrr=1 "
                 "n=12\")\n");
}

static void a_complaint_finds_the_multiplied_value(void **state) {
    struct fixture *f = *state;
    plan_refused(f, OWN,
                 "\"grid\": {\"layers\": [\n"
                 "  [{\"units\": 5}, {\"units\": {\"values\": [10,\n"
                 "     1000, 20]}}],\n"
                 "  {\"values\": [\n"
                 "     [{\"units\": 101}]]}]}",
                 "t:4:6: layers[1].units: too wide (in 1 of 4 trials, first \"layers=[{units=5},"
                 "{units=1000}]\")\n"
                 "t:6:8: layers[0].units: too wide (in 1 of 4 trials, first \"layers=[{units=101}]"
                 "\")\n");
}

static void many_complaints_are_cut(void **state) {
    struct fixture *f = *state;
    struct buf rest = {0};
    buf_puts(&rest, "\"config\": {\"optimizer\": \"sgd\"}, \"grid\": {");
    for (int i = 0; i < 30; i++) {
        buf_printf(&rest, "%s\"optimizer.k%d\": [1]", i > 0 ? ", " : "", i);
    }
    buf_puts(&rest, "}");
    struct plan made;
    struct diag diag = {0};
    struct err err;
    assert_int_equal(plan(f, OWN, buf_text(&rest), &made, &diag, &err), ERR_RANGE);
    assert_string_equal(err.msg, "30 complaints about the configs of sweep \"t\"");
    assert_int_equal(diag.count, 30);
    diag_release(&diag);
    buf_release(&rest);
}

static void a_placeholder_without_value_is_refused(void **state) {
    struct fixture *f = *state;
    struct sweep sweep;
    load_rest(&sweep, "\"trainer\": [\"true\", \"{o.lr}\"],\n\"grid\": {\"o\": [{\"lr\": 1}, "
                      "\"adam\"]}");
    struct plan made;
    struct diag diag = {0};
    struct err err;
    const struct plan_options options = {.out_dir = f->dir};
    assert_int_equal(plan_make(&made, f->store, &sweep, &options, &diag, NULL, NULL, &err),
                     ERR_RANGE);
    assert_string_equal(buf_text(&diag.text),
                        "t:2:27: o.lr: nothing is there for the trainer's placeholder (in 1 of 2 "
                        "trials, first \"adam\")\n");
    diag_release(&diag);
    sweep_release(&sweep);
}

static void a_sweep_of_nothing_is_refused(void **state) {
    struct fixture *f = *state;
    plan_refused(f, 0, "\"grid\": {\"a\": [1]},\n\"exclude\": [{\"a\": 1}]",
                 "t:3:1: every point is excluded\n");
}

static void a_trainer_that_is_not_there_is_refused(void **state) {
    struct fixture *f = *state;
    struct sweep sweep;
    load_rest(&sweep, "\"trainer\": [\"no-such-program-at-all\"]");
    struct plan made;
    struct diag diag = {0};
    struct err err;
    const struct plan_options options = {.out_dir = f->dir};
    assert_int_equal(plan_make(&made, f->store, &sweep, &options, &diag, NULL, NULL, &err),
                     ERR_NOT_FOUND);
    assert_string_equal(buf_text(&diag.text), "t:1:15: the trainer no-such-program-at-all: no such "
                                              "program in the folders of PATH\n");
    diag_release(&diag);
    sweep_release(&sweep);
}

static void write_check(const struct fixture *f, const char *rest) {
    FILE *file = fopen(f->trainer, "w");
    assert_non_null(file);
    assert_true(fprintf(file,
                        "#!/bin/sh\nread x\n"
                        "echo '{\"ok\": true, \"identity\": {}, \"epochs\": 1}'\n%s\n",
                        rest) > 0);
    assert_int_equal(fclose(file), 0);
}

/* No complaint about the config: the same may be planned when there is room. */
static void a_check_that_meets_a_full_disk_tells_that(void **state) {
    struct fixture *f = *state;
    write_check(f, "read x; echo '{\"ok\": false, \"reason\": \"disk full\", \"errors\": "
                   "[{\"path\": \"dataset\", \"message\": \"write it: no room\"}]}'");
    struct plan made;
    struct diag diag = {0};
    struct err err;
    assert_int_equal(plan(f, OWN, "\"grid\": {\"a\": [1, 2]}", &made, &diag, &err), ERR_FULL);
    assert_string_equal(err.msg, "write it: no room");
    assert_int_equal(diag.count, 0);
    assert_string_equal(shell(f, "SELECT count(*) FROM trial; SELECT count(*) FROM sweep"), "0;0;");
}

static void a_check_that_breaks_stores_nothing(void **state) {
    struct fixture *f = *state;
    write_check(f, "echo libfoo is missing >&2\nexit 9");
    struct plan made;
    struct diag diag = {0};
    struct err err;
    assert_int_equal(plan(f, OWN, "\"grid\": {\"a\": [1, 2]}", &made, &diag, &err), ERR_PARSE);
    char *wanted = mem_printf("%s check left with status 9 instead of answering: libfoo is missing",
                              f->trainer);
    assert_string_equal(err.msg, wanted);
    free(wanted);
    assert_int_equal(diag.count, 0);
    assert_string_equal(shell(f, "SELECT count(*) FROM trial; SELECT count(*) FROM sweep"), "0;0;");
    // and the store can be planned into again
    plan_good(f, 0, "\"grid\": {\"a\": [1]}", "1 a=1/1 new 0; ");
}

static char *nine_of_epochs(int epochs) {
    return mem_printf(
        "\"grid\": {\"a\": [0, 1, 2, 3, 4, 5, 6, 7, 8]}, \"config\": {\"epochs\": %d}", epochs);
}

/* Trials of every status, planned with fewer, as many and more epochs: a dry run says what a run does. */
static void a_dry_run_says_what_a_run_would_do(void **state) {
    struct fixture *f = *state;
    char *rest = nine_of_epochs(5);
    plan_good(f, DRY | NO_STORE, rest,
              "0 a=0/1 new 0; 0 a=1/1 new 0; 0 a=2/1 new 0; 0 a=3/1 new 0; 0 a=4/1 new 0; "
              "0 a=5/1 new 0; 0 a=6/1 new 0; 0 a=7/1 new 0; 0 a=8/1 new 0; ");
    plan_good(f, 0, rest,
              "1 a=0/1 new 0; 2 a=1/1 new 0; 3 a=2/1 new 0; 4 a=3/1 new 0; 5 a=4/1 new 0; "
              "6 a=5/1 new 0; 7 a=6/1 new 0; 8 a=7/1 new 0; 9 a=8/1 new 0; ");
    free(rest);
    (void)shell(f,
                "UPDATE trial SET status = 'complete', epochs_done = 5, attempts = 1 WHERE id = 1;"
                "UPDATE trial SET status = 'failed', epochs_done = 2, attempts = 3 WHERE id = 2;"
                "UPDATE trial SET status = 'failed', attempts = 3 WHERE id = 3;"
                "UPDATE trial SET status = 'paused', epochs_done = 3, attempts = 1 WHERE id = 4;"
                "UPDATE trial SET status = 'running', epochs_done = 4, attempts = 1 WHERE id = 5;"
                "UPDATE trial SET status = 'pruned', epochs_done = 1, attempts = 1 WHERE id = 6;"
                "UPDATE trial SET status = 'pending', attempts = 1 WHERE id = 7;"
                "UPDATE trial SET epochs_done = 5, attempts = 1 WHERE id = 8;"
                "INSERT INTO attempt (trial, attempt, slot, started_at, ended_at) "
                "SELECT id, 1, 1, 0, 1 FROM trial WHERE id IN (1, 8)");
    static const struct {
        int epochs, flags;
        const char *listed;
    } cases[] = {
        {5, 0,
         "1 a=0/1 done 5; 2 a=1/1 failed 2; 3 a=2/1 failed 0; 4 a=3/1 continue 3; 5 a=4/1 continue "
         "4; 6 a=5/1 done 1; 7 a=6/1 continue 0; 8 a=7/1 done 5; 9 a=8/1 new 0; "},
        {4, 0,
         "1 a=0/1 done 5; 2 a=1/1 failed 2; 3 a=2/1 failed 0; 4 a=3/1 continue 3; 5 a=4/1 continue "
         "4; 6 a=5/1 done 1; 7 a=6/1 continue 0; 8 a=7/1 done 5; 9 a=8/1 new 0; "},
        {8, 0,
         "1 a=0/1 extend 5; 2 a=1/1 failed 2; 3 a=2/1 failed 0; 4 a=3/1 continue 3; 5 a=4/1 "
         "continue 4; 6 a=5/1 done 1; 7 a=6/1 continue 0; 8 a=7/1 extend 5; 9 a=8/1 new 0; "},
        {8, RETRY,
         "1 a=0/1 extend 5; 2 a=1/1 continue 2; 3 a=2/1 new 0; 4 a=3/1 continue 3; 5 a=4/1 "
         "continue 4; 6 a=5/1 done 1; 7 a=6/1 continue 0; 8 a=7/1 extend 5; 9 a=8/1 new 0; "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rest = nine_of_epochs(cases[i].epochs);
        plan_good(f, cases[i].flags | DRY, rest, cases[i].listed);
        plan_good(f, cases[i].flags, rest, cases[i].listed);
        free(rest);
    }
    assert_string_equal(shell(f, "SELECT group_concat(status) FROM trial WHERE id IN (2, 3)"),
                        "pending,pending;");
}

static void a_dry_run_stores_nothing(void **state) {
    struct fixture *f = *state;
    plan_good(f, OWN | DRY, "\"grid\": {\"n\": [1, 2]}", "0 n=1/1 new 0; 0 n=2/1 new 0; ");
    assert_string_equal(shell(f, "SELECT count(*) FROM trial; SELECT count(*) FROM sweep"), "0;0;");
}

static void the_queue_is_in_the_order_of_the_sweep(void **state) {
    struct fixture *f = *state;
    plan_good(f, 0, "\"grid\": {\"n\": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}",
              "1 n=0/1 new 0; 2 n=1/1 new 0; 3 n=2/1 new 0; 4 n=3/1 new 0; 5 n=4/1 new 0; 6 n=5/1 "
              "new 0; 7 n=6/1 new 0; 8 n=7/1 new 0; 9 n=8/1 new 0; 10 n=9/1 new 0; ");
    struct plan made;
    struct diag diag = {0};
    struct err err;
    assert_int_equal(
        plan(f, 0,
             "\"grid\": {\"n\": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}, \"order\": {\"name\": "
             "\"shuffled\", \"seed\": 2}",
             &made, &diag, &err),
        ERR_OK);
    static const int order[] = {7, 5, 1, 6, 8, 9, 2, 0, 3, 4}; // as in test_grid
    assert_int_equal(made.queue_count, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(made.queue[i], order[i] + 1);
    }
    plan_release(&made);
}

/* The place of what a config has, for paths of every kind. */
static void every_path_has_a_place(void **state) {
    (void)state;
    struct sweep sweep;
    load_good(&sweep, "{\"name\": \"t\",\n"
                      " \"config\": {\n"
                      "  \"a\": {\"b\": [1, {\"c\": 2}]},\n"
                      "  \"m\": \"mlp\"\n"
                      " },\n"
                      " \"grid\": {\n"
                      "  \"x.y\": [ 1,\n"
                      "   {\"k\": 2} ],\n"
                      "  \"m.lr\": [3]\n"
                      " }}");
    static const struct {
        int ordinal;
        const char *path;
        int line, column;
    } cases[] = {
        {0, "", 2, 2},         {0, "a", 3, 3},          {0, "a.b", 3, 9},
        {0, "a.b[0]", 3, 15},  {0, "a.b[1].c", 3, 19},  {0, "a.b[1].zz", 3, 18},
        {0, "a.zz", 3, 3},     {0, "zz", 2, 2},         {0, "m", 4, 3},
        {0, "m.lr", 9, 12},    {0, "m.momentum", 4, 3}, {0, "x.y", 7, 12},
        {1, "x.y", 8, 4},      {1, "x.y.k", 8, 5},      {1, "x.y.z", 8, 4},
        {0, "x", 7, 3},        {0, "a.b[99]", 3, 9},    {0, "a.b[", 3, 9},
        {0, "x.y.k.l", 7, 12},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int line, column;
        json_where(sweep.doc, complaints_place(&sweep, cases[i].ordinal, cases[i].path), &line,
                   &column);
        if (line != cases[i].line || column != cases[i].column) {
            fail_msg("%s: got %d:%d, wanted %d:%d", cases[i].path, line, column, cases[i].line,
                     cases[i].column);
        }
    }
    sweep_release(&sweep);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_point_becomes_a_trial),
        TEST(excluded_points_are_counted_and_not_stored),
        TEST(points_that_are_one_trial_are_planned_once),
        TEST(complaints_are_told_once_at_their_place),
        TEST(a_complaint_finds_the_multiplied_value),
        TEST(many_complaints_are_cut),
        TEST(a_placeholder_without_value_is_refused),
        TEST(a_sweep_of_nothing_is_refused),
        TEST(a_trainer_that_is_not_there_is_refused),
        TEST(a_check_that_meets_a_full_disk_tells_that),
        TEST(a_check_that_breaks_stores_nothing),
        TEST(a_dry_run_says_what_a_run_would_do),
        TEST(a_dry_run_stores_nothing),
        TEST(the_queue_is_in_the_order_of_the_sweep),
        cmocka_unit_test(every_path_has_a_place),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
