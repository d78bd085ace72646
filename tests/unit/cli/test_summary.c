/* A plan in words. */
#include "cli/summary.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sweep_axis axes[] = {{.path = "optimizer", .count = 5},
                                   {.path = "init", .count = 1},
                                   {.path = "dataset.train", .count = 3}};

static char *text; // what was printed
static size_t text_len;

static void expect(const struct summary *summary, const struct sweep *sweep,
                   const struct plan *plan, const char *expected) {
    FILE *out = open_memstream(&text, &text_len);
    assert_non_null(out);
    summary_print(summary, sweep, plan, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, expected);
    free(text);
}

static void add(struct summary *summary, struct plan *plan, enum store_plan what, int done,
                int64_t epochs, int times) {
    for (int i = 0; i < times; i++) {
        const struct store_point point = {.epochs = epochs};
        const struct store_planned planned = {.plan = what, .epochs_done = done};
        summary_add(summary, &point, &planned);
        plan->count[what]++;
        plan->total++;
    }
}

static void a_first_run_says_what_is_multiplied(void **state) {
    (void)state;
    const struct sweep sweep = {
        .name = "s", .description = "about this", .axes = axes, .axis_count = 3, .replicates = 2};
    struct plan plan = {.excluded = 1, .merged = 4};
    struct summary summary = {0};
    add(&summary, &plan, PLAN_NEW, 0, 3, 25);
    expect(&summary, &sweep, &plan,
           "sweep s: 5 optimizers x 1 init x 3 values of dataset.train x 2 replicates - 1 excluded "
           "- 4 the same as others = 25 trials of 3 epochs\nabout this\n");
    assert_int_equal(summary.epochs_left, 75);
}

static void a_name_that_ends_in_s_gets_no_other(void **state) {
    (void)state;
    struct sweep_axis loss[] = {axes[0]};
    char path[] = "loss";
    loss[0].path = path;
    const struct sweep sweep = {.name = "s", .axes = loss, .axis_count = 1, .replicates = 1};
    struct plan plan = {0};
    struct summary summary = {0};
    add(&summary, &plan, PLAN_NEW, 0, 3, 5);
    expect(&summary, &sweep, &plan, "sweep s: 5 values of loss = 5 trials of 3 epochs\n");
}

static void resuming_says_what_it_goes_on_with(void **state) {
    (void)state;
    const struct sweep sweep = {.name = "s", .axes = axes, .axis_count = 1, .replicates = 1};
    struct plan plan = {0};
    struct summary summary = {0};
    add(&summary, &plan, PLAN_DONE, 3, 3, 23);
    add(&summary, &plan, PLAN_CONTINUE, 2, 3, 2);
    add(&summary, &plan, PLAN_NEW, 0, 3, 50);
    expect(&summary, &sweep, &plan,
           "sweep s: 5 optimizers = 75 trials of 3 epochs\n"
           "23 done, 2 continued from epoch 2, 50 new\n");
    assert_int_equal(summary.epochs_left, 2 + 150);

    add(&summary, &plan, PLAN_CONTINUE, 0, 4, 1);
    add(&summary, &plan, PLAN_EXTEND, 3, 4, 1);
    add(&summary, &plan, PLAN_FAILED, 1, 4, 1);
    expect(&summary, &sweep, &plan,
           "sweep s: 5 optimizers = 78 trials of 3 to 4 epochs\n"
           "23 done, 3 continued from epochs 0 to 2, 1 extended, 1 failed before (--retry-failed "
           "runs them again), 50 new\n");
    assert_int_equal(summary.epochs_left, 2 + 150 + 4 + 1);
}

static void a_sweep_of_one_point_has_nothing_to_multiply(void **state) {
    (void)state;
    const struct sweep sweep = {.name = "one", .replicates = 1};
    struct plan plan = {0};
    struct summary summary = {0};
    add(&summary, &plan, PLAN_NEW, 0, 0, 1);
    expect(&summary, &sweep, &plan, "sweep one: 1 trial\n");
}

static void the_next_commands_can_be_pasted(void **state) {
    (void)state;
    struct compare_axis axis = {.path = mem_strdup("optimizer.lr")};
    const struct compare compare = {.axes = &axis, .axis_count = 1};
    FILE *out = open_memstream(&text, &text_len);
    assert_non_null(out);
    struct summary_next next = {.program = "besom", .path = "my sweep.json", .out_dir = "it's out"};
    summary_next(&compare, "s", &next, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(
        text,
        "\nNext:  besom curves s --by optimizer.lr --out 'it'\\''s out'  the learning curves\n"
        "       besom run 'my sweep.json' --out 'it'\\''s out'         again, after adding values, "
        "replicates or epochs\n"
        "       sqlite3 'it'\\''s out/results.db' \"SELECT * FROM leaderboard LIMIT 10\"\n");
    free(text);

    next = (struct summary_next){
        .program = "./besom", .path = "s.json", .out_dir = "besom-out", .failed = true};
    out = open_memstream(&text, &text_len);
    assert_non_null(out);
    summary_next(&compare, "s", &next, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(
        text, "\nNext:  ./besom status s -s failed          why they failed\n"
              "       ./besom curves s --by optimizer.lr  the learning curves\n"
              "       ./besom run s.json                  again, after adding values, "
              "replicates or epochs\n"
              "       sqlite3 besom-out/results.db \"SELECT * FROM leaderboard LIMIT 10\"\n");
    free(text);
    free(axis.path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_run_says_what_is_multiplied),
        cmocka_unit_test(a_name_that_ends_in_s_gets_no_other),
        cmocka_unit_test(resuming_says_what_it_goes_on_with),
        cmocka_unit_test(a_sweep_of_one_point_has_nothing_to_multiply),
        cmocka_unit_test(the_next_commands_can_be_pasted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
