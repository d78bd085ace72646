/* Reading sweep files: every complaint at its place, and what is read from good ones. */
#include "tests/unit/runner/sweep_testing.h"

#include "base/json.h"
#include "base/mem.h"

/* Texts without line breaks are given without {"name": "t", ...} around them (14 columns in front). */
static const struct {
    const char *text, *complaint;
} bad[] = {
    // keys
    {"\"grids\": {}", "t:1:15: unknown key \"grids\"; did you mean \"grid\"?"},
    {"\"zzzzzz\": 1", "t:1:15: unknown key \"zzzzzz\"; known: name, description, config, grid"},
    {"\"objective\": {\"gaol\": \"minimize\"}",
     "t:1:29: unknown key \"gaol\" of \"objective\"; did you mean \"goal\"?"},
    {"\"order\": {\"name\": \"shuffled\", \"sed\": 1}",
     "t:1:45: unknown key \"sed\" of \"order\"; did you mean \"seed\"?"},
    {"\"timeout\": {\"epoch\": 1}",
     "t:1:27: unknown key \"epoch\" of \"timeout\"; did you mean \"epoch_s\"?"},
    {"\"limits\": {\"memory_gb\": 1}",
     "t:1:26: unknown key \"memory_gb\" of \"limits\"; did you mean \"memory_mb\"?"},
    {"\"timeouts\": {}", "t:1:15: unknown key \"timeouts\"; did you mean \"timeout\"?"},
    // types
    {"\"timeout\": 60", "t:1:15: \"timeout\" must be an object, not 60"},
    {"\"limits\": []", "t:1:15: \"limits\" must be an object, not a list"},
    {"\"timeout\": {\"epoch_s\": 0}",
     "t:1:27: \"epoch_s\" of \"timeout\" must be a number from 0.1 to 1e+09, not 0"},
    {"\"timeout\": {\"trial_s\": \"2h\"}",
     "t:1:27: \"trial_s\" of \"timeout\" must be a number from 0.1 to 1e+09, not \"2h\""},
    {"\"timeout\": {\"grace_s\": -1}",
     "t:1:27: \"grace_s\" of \"timeout\" must be a number from 0 to 1e+09, not -1"},
    {"\"limits\": {\"memory_mb\": 0.5}",
     "t:1:26: \"memory_mb\" of \"limits\" must be a number from 1 to 1e+09, not 0.5"},
    {"\"description\": 1", "t:1:15: \"description\" must be a string of one line, not 1"},
    {"\"config\": [1]", "t:1:15: \"config\" must be an object, not a list"},
    {"\"config\": {\"seed\": 1.5}",
     "t:1:26: \"seed\" must be an integer from 0 to 2^53 - 1, not 1.5"},
    {"\"config\": {\"seed\": -1}",
     "t:1:26: \"seed\" must be an integer from 0 to 2^53 - 1, not -1"},
    {"\"config\": {\"seed\": 9007199254740991}, \"replicates\": 2",
     "t:1:26: the seeds of 2 replicates would pass 2^53 - 1"},
    {"\"grid\": []", "t:1:15: \"grid\" must be an object of axes, not a list"},
    {"\"replicates\": 0", "t:1:15: \"replicates\" must be an integer from 1 to 100000, not 0"},
    {"\"replicates\": 100001",
     "t:1:15: \"replicates\" must be an integer from 1 to 100000, not 100001"},
    {"\"replicates\": \"3\"",
     "t:1:15: \"replicates\" must be an integer from 1 to 100000, not \"3\""},
    {"\"retries\": -1", "t:1:15: \"retries\" must be an integer from 0 to 1000, not -1"},
    {"\"retries\": true", "t:1:15: \"retries\" must be an integer from 0 to 1000, not true"},
    {"\"objective\": 3", "t:1:15: the metric of \"objective\" must be a metric's name, not 3"},
    {"\"objective\": {\"metric\": null}",
     "t:1:29: the metric of \"objective\" must be a metric's name, not null"},
    {"\"objective\": {\"goal\": \"max\"}",
     "t:1:29: \"goal\" must be \"maximize\" or \"minimize\", not \"max\""},
    {"\"order\": \"random\"", "t:1:15: \"order\" must be \"grid\" or \"shuffled\", not \"random\""},
    {"\"order\": {\"seed\": 1}", "t:1:15: \"order\" needs a \"name\": \"grid\" or \"shuffled\""},
    {"\"order\": {\"name\": \"grid\", \"seed\": 1}",
     "t:1:41: \"seed\" is for the order \"shuffled\""},
    {"\"order\": {\"name\": \"shuffled\", \"seed\": -3}",
     "t:1:45: \"seed\" must be an integer from 0 to 2^53 - 1, not -3"},
    // axes
    {"\"grid\": {\"a\": 1}", "t:1:24: axis \"a\" must be a list of values, not 1"},
    {"\"grid\": {\"a\": {\"values\": [1]}}",
     "t:1:24: axis \"a\" must be a list of values, not an object"},
    {"\"grid\": {\"a\": []}", "t:1:24: axis \"a\" has no values"},
    {"\"grid\": {\"a\": [{\"b\": {\"values\": []}}]}",
     "t:1:31: {\"values\": []} would make no value at all"},
    {"\"grid\": {\"a\": [{\"values\": 3}]}",
     "t:1:30: \"values\" must be a list of what to multiply with"},
    {"\"grid\": {\"a\": [{\"values\": [1], \"b\": 2}]}",
     "t:1:30: {\"values\": [...]} stands for one value: no other key may be beside it"},
    {"\"grid\": {\"\": [1]}", "t:1:24: \"\" is no path into the config"},
    {"\"grid\": {\".a\": [1]}", "t:1:24: \".a\" is no path into the config"},
    {"\"grid\": {\"a.\": [1]}", "t:1:24: \"a.\" is no path into the config"},
    {"\"grid\": {\"a..b\": [1]}", "t:1:24: \"a..b\" is no path into the config"},
    {"\"config\": {\"epochs\": 5}, \"grid\": {\"epochs.x\": [1]}",
     "t:1:49: axis \"epochs.x\": \"epochs\" is a number, not an object"},
    {"\"config\": {\"a\": {\"b\": [1]}}, \"grid\": {\"a.b.c\": [1]}",
     "t:1:53: axis \"a.b.c\": \"a.b\" is a list, not an object"},
    {"\"grid\": {\"a\": [1, 2, 1.0]}", "t:1:36: axis \"a\" has the value 1 twice"},
    {"\"grid\": {\"a\": [\"x\", {\"name\": \"x\"}]}",
     "t:1:35: axis \"a\" has the value {\"name\": \"x\"} twice"},
    {"\"grid\": {\"a\": [{\"lr\": {\"values\": [0.10, 1e-1]}}]}",
     "t:1:30: axis \"a\" has the value {\"lr\": 0.1} twice"},
    {"\"grid\": {\"a\": [{\"b\": 1, \"c\": 2}, {\"c\": 2, \"b\": 1}]}",
     "t:1:48: axis \"a\" has the value {\"c\": 2, \"b\": 1} twice"},
    {"\"grid\": {\"o\": [\"sgd\", {\"name\": \"adam\", \"lr\": 1}], \"o.lr\": [1, 2]}",
     "t:1:65: axis \"o.lr\" would overwrite the \"lr\" that adam of axis \"o\" has"},
    {"\"grid\": {\"o.name\": [\"sgd\", \"adam\"], \"o\": [\"x\"]}",
     "t:1:24: axis \"o.name\" would overwrite the \"name\" that x of axis \"o\" has"},
    {"\"grid\": {\"o\": [\"sgd\", 3], \"o.lr\": [1]}",
     "t:1:41: axis \"o.lr\": \"o\" is a number, not an object"},
    {"\"grid\": {\"o\": [{\"a\": 3}], \"o.a.b\": [1]}",
     "t:1:41: axis \"o.a.b\": \"o.a\" is a number, not an object"},
    {"\"grid\": {\"seed\": [1, \"x\"]}",
     "t:1:36: a seed must be an integer from 0 to 2^53 - replicates, not \"x\""},
    {"\"grid\": {\"seed.x\": [1]}", "t:1:24: axis \"seed.x\": \"seed\" is a number"},
    // excludes
    {"\"exclude\": {}", "t:1:15: \"exclude\" must be a list of objects, not an object"},
    {"\"exclude\": [1]",
     "t:1:27: an entry of \"exclude\" must be an object of paths and values, not 1"},
    {"\"exclude\": [{}]", "t:1:27: an empty entry would exclude every point"},
    {"\"grid\": {\"activation\": [\"tanh\"]}, \"exclude\": [{\"activaton\": \"tanh\"}]",
     "t:1:62: no point has a \"activaton\" to exclude; did you mean \"activation\"?"},
    {"\"grid\": {\"o\": [{\"name\": \"sgd\", \"lr\": 1}]}, \"exclude\": [{\"o.lrr\": 1}]",
     "t:1:71: no point has a \"o.lrr\" to exclude; did you mean \"o.lr\"?"},
    {"\"grid\": {\"a\": [\"tanh\", \"relu\"]}, \"exclude\": [{\"a\": \"tnah\"}]",
     "t:1:61: no point has \"a\": \"tnah\"; did you mean \"tanh\"?"},
    {"\"grid\": {\"a\": [1, 2]}, \"exclude\": [{\"a\": \"1\"}]",
     "t:1:51: no point has \"a\": \"1\"; there are: 1, 2"},
    {"\"grid\": {\"o\": [{\"name\": \"sgd\", \"lr\": 1}]}, \"exclude\": [{\"o\": \"sgd\"}]",
     "t:1:71: no point has \"o\": \"sgd\"; to match every object of this name, write \"o.name\""},
    // trainer
    {"\"trainer\": \"train.sh\"", "t:1:15: \"trainer\" must be a list of the program"},
    {"\"trainer\": []", "t:1:15: \"trainer\" is empty"},
    {"\"trainer\": [\"a\", \"\"]",
     "t:1:32: an argument of \"trainer\" must be a string that is not empty, not \"\""},
    {"\"trainer\": [\"a\", 5]",
     "t:1:32: an argument of \"trainer\" must be a string that is not empty, not 5"},
    {"\"trainer\": [\"a\", \"{confg}\"]", "t:1:32: unknown placeholder {confg}; did you mean "
                                          "\"config\"? ({{confg}} is the text {confg})"},
    {"\"grid\": {\"o.lr\": [1]}, \"trainer\": [\"a\", \"-x{o.lt}\"]",
     "t:1:55: unknown placeholder {o.lt}; did you mean \"o.lr\"?"},
};

static void every_fault_is_told_with_its_place(void **state) {
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *text = mem_printf("{\"name\": \"t\", %s}", bad[i].text);
        struct sweep sweep;
        struct diag diag = {0};
        struct err err;
        if (sweep_parse(&sweep, "t", text, &diag, &err) != ERR_OK) {
            fail_msg("%s: %s", text, err.msg);
        }
        size_t len = strlen(bad[i].complaint);
        if (diag.count != 1 || strncmp(buf_text(&diag.text), bad[i].complaint, len) != 0) {
            print_error("%s\n   got %d: %s\nwanted 1: %s\n", text, diag.count, buf_text(&diag.text),
                        bad[i].complaint);
            wrong++;
        }
        diag_release(&diag);
        sweep_release(&sweep);
        free(text);
    }
    assert_int_equal(wrong, 0);
}

static void check_complaints(const char *text, const char *wanted) {
    struct sweep sweep;
    struct diag diag = {0};
    struct err err;
    assert_int_equal(sweep_parse(&sweep, "t", text, &diag, &err), ERR_OK);
    assert_string_equal(buf_text(&diag.text), wanted);
    diag_release(&diag);
    sweep_release(&sweep);
}

static void names_are_checked(void **state) {
    (void)state;
    check_complaints("[]", "t:1:1: a sweep file must be an object, not a list\n");
    check_complaints("{}", "t:1:1: a sweep needs a \"name\"\n");
    check_complaints("{\"name\": \"A\"}",
                     "t:1:2: \"name\" must be 1 to 63 of the characters a-z 0-9 - _, not \"A\"\n");
    check_complaints("{\"name\": \"\"}",
                     "t:1:2: \"name\" must be 1 to 63 of the characters a-z 0-9 - _, not \"\"\n");
    char longest[64], text[100];
    memset(longest, 'x', sizeof longest);
    longest[63] = '\0';
    (void)snprintf(text, sizeof text, "{\"name\": \"%s\"}", longest);
    check_complaints(text, "");
    (void)snprintf(text, sizeof text, "{\"name\": \"%sx\"}", longest);
    struct sweep sweep;
    struct diag diag = {0};
    struct err err;
    assert_int_equal(sweep_parse(&sweep, "t", text, &diag, &err), ERR_OK);
    assert_int_equal(diag.count, 1);
    diag_release(&diag);
    sweep_release(&sweep);
}

static void all_faults_are_told_at_once_line_by_line(void **state) {
    (void)state;
    check_complaints("{ // a comment\n"
                     "  \"name\": \"t\",\n"
                     "  \"replicats\": 3,\n"
                     "  \"retries\": 2000,\n"
                     "  \"grid\": {\n"
                     "    \"a\": [],\n"
                     "    \"b\": 1\n"
                     "  }\n"
                     "}\n",
                     "t:3:3: unknown key \"replicats\"; did you mean \"replicates\"?\n"
                     "t:6:5: axis \"a\" has no values\n"
                     "t:7:5: axis \"b\" must be a list of values, not 1\n"
                     "t:4:3: \"retries\" must be an integer from 0 to 1000, not 2000\n");
}

static void what_is_not_json_is_an_error_with_its_place(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"name\": \"t\",}", "t:1:14: "},
        {"{\n  \"name\": \"t\",\n  \"name\": \"u\"\n}", "t:3:3: repeated name \"name\""},
        {"{\"name\": \"t\"", "t:1:13: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sweep sweep;
        struct diag diag = {0};
        struct err err;
        assert_int_equal(sweep_parse(&sweep, "t", cases[i].text, &diag, &err), ERR_PARSE);
        if (strncmp(err.msg, cases[i].message, strlen(cases[i].message)) != 0) {
            fail_msg("%s: got %s", cases[i].text, err.msg);
        }
        sweep_release(&sweep); // empty, as after a failure of sweep_load()
    }
    struct sweep sweep;
    struct diag diag = {0};
    struct err err;
    assert_int_equal(sweep_load(&sweep, "/nonexistent/x.json", &diag, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.msg, "/nonexistent/x.json"));
}

static void a_small_file_gets_the_defaults(void **state) {
    (void)state;
    struct sweep sweep;
    load_good(&sweep, "{\"name\": \"a-b_3\"}");
    assert_string_equal(sweep.name, "a-b_3");
    assert_null(sweep.description);
    assert_int_equal(json_count(sweep.config), 0);
    assert_int_equal(sweep.axis_count, 0);
    assert_int_equal(sweep.points, 1);
    assert_int_equal(sweep.replicates, 1);
    assert_int_equal(sweep.seed, 1);
    assert_string_equal(sweep.metric, "val_accuracy");
    assert_true(sweep.maximize);
    assert_int_equal(sweep.retries, 2);
    assert_true(sweep.timeout.epoch_s == 0.0 && sweep.timeout.trial_s == 0.0);
    assert_true(sweep.timeout.grace_s == 30.0);
    assert_true(sweep.memory_mb == 0.0);
    assert_false(sweep.shuffled);
    assert_string_equal(sweep.trainer[0], "besom-trainer");
    assert_string_equal(sweep.trainer[1], "train");
    assert_null(sweep.trainer[2]);
    assert_true(sweep_uses_besom_trainer(&sweep));
    sweep_release(&sweep);
}

static void every_key_is_read(void **state) {
    (void)state;
    struct sweep sweep;
    const char *text =
        "{\"name\": \"t\", \"description\": \"d\", \"config\": {\"seed\": 7},\n"
        "\"grid\": {\"a.b\": [1, 2, 3], \"c\": [\"x\", {\"y\": {\"values\": [1, 2]}}]},\n"
        "\"exclude\": [{\"a.b\": 1, \"c\": \"x\"}], \"replicates\": 4,\n"
        "\"objective\": {\"metric\": \"val_loss\", \"goal\": \"minimize\"},\n"
        "\"trainer\": [\"sh\", \"-c\", \"x {config} {a.b} {c} {c.y}\"], \"retries\": 0,\n"
        "\"timeout\": {\"epoch_s\": 600, \"trial_s\": 7200.5, \"grace_s\": 0},\n"
        "\"limits\": {\"memory_mb\": 2000},\n"
        "\"order\": {\"name\": \"shuffled\", \"seed\": 9007199254740991}}";
    load_good(&sweep, text);
    assert_string_equal(sweep.text, text);
    assert_string_equal(sweep.description, "d");
    assert_int_equal(sweep.seed, 7);
    assert_int_equal(sweep.axis_count, 2);
    assert_string_equal(sweep.axes[0].path, "a.b");
    assert_int_equal(sweep.axes[0].count, 3);
    assert_int_equal(sweep.axes[1].count, 3);
    assert_int_equal(sweep.points, 9);
    assert_int_equal(sweep.exclude_count, 1);
    assert_int_equal(sweep.excludes[0].count, 2);
    assert_int_equal(sweep.replicates, 4);
    assert_string_equal(sweep.metric, "val_loss");
    assert_false(sweep.maximize);
    assert_int_equal(sweep.retries, 0);
    assert_true(sweep.timeout.epoch_s == 600.0 && sweep.timeout.trial_s == 7200.5);
    assert_true(sweep.timeout.grace_s == 0.0);
    assert_true(sweep.memory_mb == 2000.0);
    assert_true(sweep.shuffled);
    assert_int_equal(sweep.order_seed, 9007199254740991);
    assert_string_equal(sweep.trainer[2], "x {config} {a.b} {c} {c.y}");
    assert_false(sweep_uses_besom_trainer(&sweep));
    sweep_release(&sweep);
}

static void the_goal_follows_the_metric_unless_said(void **state) {
    (void)state;
    static const struct {
        const char *rest;
        bool maximize;
    } cases[] = {
        {"\"objective\": \"val_loss\"", false},
        {"\"objective\": \"val_accuracy\"", true},
        {"\"objective\": \"top5_Error\"", false},
        {"\"objective\": {\"metric\": \"train_loss\"}", false},
        {"\"objective\": {\"metric\": \"train_loss\", \"goal\": \"maximize\"}", true},
        {"\"objective\": {\"goal\": \"minimize\"}", false},
        {"\"objective\": {\"goal\": \"minimize\", \"metric\": \"f1\"}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sweep sweep;
        load_rest(&sweep, cases[i].rest);
        if (sweep.maximize != cases[i].maximize) {
            fail_msg("%s: maximize is %d", cases[i].rest, sweep.maximize);
        }
        sweep_release(&sweep);
    }
}

static void check_one_complaint(const char *text, const char *part) {
    struct sweep sweep;
    struct diag diag = {0};
    struct err err;
    assert_int_equal(sweep_parse(&sweep, "t", text, &diag, &err), ERR_OK);
    if (diag.count != 1 || strstr(buf_text(&diag.text), part) == NULL) {
        fail_msg("got %d: %s\nwanted one with: %s", diag.count, buf_text(&diag.text), part);
    }
    diag_release(&diag);
    sweep_release(&sweep);
}

/* 10^30 and beyond a double: refused in words, with no overflow and at once. */
static void a_grid_too_large_is_refused_with_its_sizes(void **state) {
    (void)state;
    struct buf text = {0};
    for (int axes = 30; axes <= 64; axes += 34) {
        buf_clear(&text);
        buf_puts(&text, "{\"name\": \"t\", \"grid\": {");
        for (int a = 0; a < axes; a++) {
            buf_printf(&text, "%s\"x%d\": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]", a > 0 ? ", " : "", a);
        }
        buf_puts(&text, "}}");
        check_one_complaint(buf_text(&text), axes == 30 ? "x28 10 x x29 10 = about 1.0e+30 trials"
                                                        : "= about 1.0e+64 trials, at most");
    }
    buf_release(&text);
    check_one_complaint("{\"name\": \"t\", \"replicates\": 100000, \"grid\": {\"a\": [{\"values\": "
                        "[1, 2, 3, 4]}, 5, {\"values\": [6, 7, 8, 9, 10]}], \"b\": [1, 2, 3, 4, 5,"
                        " 6, 7, 8, 9, 10, 11]}}",
                        "t:1:37: the grid is too large: a 10 x b 11 x replicates 100000 = 11000000 "
                        "trials, at most 10000000");
}

/* Nested values multiply: 10^8 within one axis must not be expanded before it is refused. */
static void an_axis_too_long_is_refused_before_it_is_made(void **state) {
    (void)state;
    struct buf text = {0};
    buf_puts(&text, "{\"name\": \"t\", \"grid\": {\"a\": [{");
    for (int m = 0; m < 60; m++) {
        buf_printf(&text, "%s\"k%d\": {\"values\": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}", m ? ", " : "",
                   m);
    }
    buf_puts(&text, "}]}}");
    check_one_complaint(buf_text(&text), "t:1:24: axis \"a\" has more than 100000 values");
    buf_release(&text);
}

static void the_shipped_sweeps_are_good(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int trials;
    } shipped[] = {
        {"smoke", 4}, {"quickstart", 75}, {"initializations", 42}}; // notes: tests/findings
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++) {
        char *path = mem_printf("%s/%s.json", SWEEPS, shipped[i].name);
        struct sweep sweep;
        struct diag diag = {0};
        struct err err = {0};
        if (sweep_load(&sweep, path, &diag, &err) != ERR_OK || diag.count > 0) {
            fail_msg("%s: %s %s", path, err.msg, buf_text(&diag.text));
        }
        assert_string_equal(sweep.name, shipped[i].name);
        assert_int_equal(sweep.points * sweep.replicates, shipped[i].trials);
        assert_true(sweep_uses_besom_trainer(&sweep));
        sweep_release(&sweep);
        free(path);
    }
}

static void the_largest_grid_is_taken(void **state) {
    (void)state;
    struct sweep sweep;
    load_rest(&sweep, "\"replicates\": 100000, \"grid\": {\"a\": [0,1,2,3,4,5,6,7,8,9], "
                      "\"b\": [0,1,2,3,4,5,6,7,8,9]}");
    assert_int_equal(sweep.points * sweep.replicates, SWEEP_TRIALS_MAX);
    sweep_release(&sweep);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_is_told_with_its_place),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(all_faults_are_told_at_once_line_by_line),
        cmocka_unit_test(what_is_not_json_is_an_error_with_its_place),
        cmocka_unit_test(a_small_file_gets_the_defaults),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(the_goal_follows_the_metric_unless_said),
        cmocka_unit_test(a_grid_too_large_is_refused_with_its_sizes),
        cmocka_unit_test(an_axis_too_long_is_refused_before_it_is_made),
        cmocka_unit_test(the_largest_grid_is_taken),
        cmocka_unit_test(the_shipped_sweeps_are_good),
    };
    return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
