/* Rows of `layers`, as the sqlite3 program shows them. */
#include "results/store.h"

#include "base/mem.h"
#include "tests/unit/results/store_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void put(struct fixture *f, int at_epoch, const char *name, double first, bool replace) {
    char bins[] = "[1,2]", gradient_bins[] = "[3]", *copy = mem_strdup(name);
    struct store_layer layer = {.epoch = at_epoch,
                                .position = 2,
                                .name = copy,
                                .histogram = bins,
                                .gradient_histogram = gradient_bins};
    for (int i = 0; i < STORE_LAYER_NUMBER_COUNT; i++) {
        layer.number[i] = first + i; // the names' order: mean is the first, update_ratio the last
    }
    begin(f);
    expect_ok(f, store_put_layer(f->store, 1, &layer, replace, &f->err));
    commit(f);
    free(copy);
}

static void each_number_has_its_column(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    put(f, 0, "0 conv2d", 1, false);
    expect_shell(f,
                 "SELECT trial, epoch, layer, position, mean, std, min, max, dead, saturated,"
                 " histogram, histogram_low, histogram_high, gradient_mean, gradient_std,"
                 " gradient_histogram, gradient_low, gradient_high, update_ratio FROM layers;",
                 "1|0|0 conv2d|2|1.0|2.0|3.0|4.0|5.0|6.0|[1,2]|7.0|8.0|9.0|10.0|[3]|11.0|12.0"
                 "|13.0\n");
}

static void what_is_not_known_is_null(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    char name[] = "x";
    struct store_layer layer = {.epoch = 3, .position = -1, .name = name};
    for (int i = 0; i < STORE_LAYER_NUMBER_COUNT; i++) {
        layer.number[i] = (double)NAN;
    }
    layer.number[STORE_LAYER_max] = (double)INFINITY;
    begin(f);
    expect_ok(f, store_put_layer(f->store, 1, &layer, false, &f->err));
    commit(f);
    expect_shell(f,
                 "SELECT layer, position, mean, max, update_ratio, histogram, gradient_histogram"
                 " FROM layers;",
                 "x|NULL|NULL|Inf|NULL|NULL|NULL\n");
}

static void a_row_that_is_there_stays_or_is_replaced(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    put(f, 1, "a", 1, false);
    put(f, 1, "a", 5, false);
    expect_shell(f, "SELECT mean FROM layers;", "1.0\n");
    put(f, 1, "a", 5, true);
    put(f, 1, "b", 7, true);
    put(f, 2, "a", 8, true);
    expect_shell(f, "SELECT epoch, layer, mean FROM layers;", "1|a|5.0\n1|b|7.0\n2|a|8.0\n");
}

/* An epoch that a trainer without a promise measures otherwise takes the later ones along; what it told of its
 * layers came before it, and is new. */
static void superseded_epochs_take_their_layers_along(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 3);
    for (int e = 1; e <= 3; e++) {
        put(f, e, "a", e, true);
        epoch(f, 1, 1, e, "val_accuracy 0.5");
    }
    put(f, 2, "a", 20, true);
    enum store_epoch_result result;
    expect_ok(f, put_epoch(f, 1, 2, 2, "val_accuracy 0.25", false, &result));
    assert_int_equal(result, STORE_SUPERSEDED);
    expect_shell(f, "SELECT epoch, mean FROM layers;", "1|1.0\n2|20.0\n");
}

static void outside_a_transaction_it_is_refused(void **state) {
    struct fixture *f = *state;
    one_running_trial(f, 1);
    char name[] = "x";
    const struct store_layer layer = {.name = name};
    expect_code(f, store_put_layer(f->store, 1, &layer, false, &f->err), ERR_RANGE);
    expect_message(f, "transaction");
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_STORE(each_number_has_its_column),
        WITH_STORE(what_is_not_known_is_null),
        WITH_STORE(a_row_that_is_there_stays_or_is_replaced),
        WITH_STORE(superseded_epochs_take_their_layers_along),
        WITH_STORE(outside_a_transaction_it_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
