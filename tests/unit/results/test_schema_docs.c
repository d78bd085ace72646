/* docs/schema.md against a database that the store has filled: each ```sql block runs in the sqlite3 program
 * and shows rows, and each view's table lists the columns that it has, in their order. */
#include "results/store.h"

#include "base/buf.h"
#include "base/fs.h"
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

enum { QUERIES_MIN = 12, REPLICATES = 2, EPOCHS = 3 };

/* A part of sweeps/quickstart.json, each value as it stands there: 4 optimizers x 2 activations x 1 init, but
 * 2 replicates of 3 epochs; accuracies rise, then fall at the last epoch.  The last trial fails with a NaN. */
enum { OPTIMIZERS = 4 };
static const char *const optimizers[OPTIMIZERS] = {
    "{ \"name\": \"adam\", \"lr\": 0.001 }", "{ \"name\": \"momentum\", \"lr\": 0.02 }",
    "{ \"name\": \"adagrad\", \"lr\": 0.02 }", "{ \"name\": \"sgd\", \"lr\": 0.05 }"};

static void fill(struct fixture *f) {
    static const char *const activations[] = {"tanh", "relu"};
    int64_t id =
        sweep(f, "quickstart", "[\"optimizer\",\"activation\",\"init\"]", "val_accuracy", true);
    int trials = 0;
    for (int i = 0; i < OPTIMIZERS * 2 * REPLICATES; i++) {
        char key[8], params[160], label[64];
        const char *activation = activations[i / REPLICATES % 2];
        (void)snprintf(key, sizeof key, "%c", (char)('a' + i));
        (void)snprintf(label, sizeof label, "optimizer %d %s he_normal", i / 4, activation);
        (void)snprintf(params, sizeof params,
                       "{\"optimizer\":%s,\"activation\":\"%s\",\"init\":\"he_normal\"}",
                       optimizers[i / (2 * REPLICATES)], activation);
        (void)point(f, id, key, label, params, 1 + i % REPLICATES, EPOCHS);
        trials++;
    }
    end_plan(f, id);
    for (int trial = 1; trial <= trials; trial++) {
        attempt(f, trial, 1);
        for (int e = 1; e <= EPOCHS; e++) {
            char metrics[160];
            double accuracy = 0.9 - 0.02 * trial - (e == 2 ? 0 : 0.1 / e);
            (void)snprintf(metrics, sizeof metrics,
                           trial == trials ? "train_loss nan val_loss inf val_accuracy %g"
                                           : "train_loss 1 val_loss 2 val_accuracy %g",
                           accuracy);
            epoch(f, trial, 1, e, metrics);
        }
        end(f, trial, 1, trial == trials ? TRIAL_FAILED : TRIAL_COMPLETE,
            trial == trials ? "diverged" : NULL);
    }
    (void)shell(
        f, "INSERT INTO layer (trial, epoch, layer, position, std, dead, saturated, gradient_std,"
           " histogram, histogram_low, histogram_high)"
           " VALUES (1, 0, '0 conv2d', 0, 0.5, 0.75, 0.95, 0.001, '[1,2]', -1, 1);");
}

static char *read_text(struct fixture *f, const char *path) {
    struct buf text = {0};
    expect_ok(f, fs_read(path, 1 << 20, &text, &f->err));
    return buf_detach(&text);
}

static char *read_page(struct fixture *f) {
    return read_text(f, SCHEMA_MD);
}

static void the_queries_are_asked_of_the_sweep_that_is_shipped(void **state) {
    struct fixture *f = *state;
    char *quickstart = read_text(f, QUICKSTART_JSON);
    for (int i = 0; i < OPTIMIZERS; i++) {
        if (strstr(quickstart, optimizers[i]) == NULL) {
            fail_msg("%s has no %s", QUICKSTART_JSON, optimizers[i]);
        }
    }
    free(quickstart);
}

static void every_query_runs_and_shows_rows(void **state) {
    struct fixture *f = *state;
    fill(f);
    char *page = read_page(f), *at = page;
    int queries = 0;
    while ((at = strstr(at, "\n```sql\n")) != NULL) {
        at += strlen("\n```sql\n");
        char *after = strstr(at, "\n```");
        assert_non_null(after);
        char *sql = mem_printf(".bail on\n%.*s\n", (int)(after - at), at);
        const char *shown = shell(f, sql);
        bool empty = shown[0] == '\0' || strncmp(shown, "0|NULL", 6) == 0; // or counts nothing
        if (empty || strstr(shown, "rror") != NULL) {
            print_error("%s-- shows \"%s\"\n", sql, shown);
            fail();
        }
        free(sql);
        at = after + 1;
        queries++;
    }
    free(page);
    if (queries < QUERIES_MIN) {
        print_error("%d queries, expected at least %d\n", queries, QUERIES_MIN);
        fail();
    }
}

/* "| `sweep` | the sweep's name |" between `## view` and the next heading -> "sweep ..." */
static char *documented_columns(const char *page, const char *view) {
    char *heading = mem_printf("\n## %s\n", view);
    const char *at = strstr(page, heading);
    assert_non_null(at);
    at += strlen(heading);
    free(heading);
    const char *section_end = strstr(at, "\n## ");
    struct buf names = {0};
    while ((at = strstr(at, "\n| `")) != NULL && at < section_end) {
        at += strlen("\n| `");
        if (names.len > 0) {
            buf_putc(&names, ' ');
        }
        buf_put(&names, at, strcspn(at, "`"));
    }
    buf_putc(&names, '\n');
    return buf_detach(&names);
}

static void every_view_is_documented_column_by_column(void **state) {
    struct fixture *f = *state;
    char *page = read_page(f);
    char *views = mem_strdup(shell(f, "SELECT name FROM sqlite_schema WHERE type = 'view';"));
    int count = 0;
    char *rest = NULL;
    for (char *view = strtok_r(views, "\n", &rest); view != NULL;
         view = strtok_r(NULL, "\n", &rest)) {
        char *columns = documented_columns(page, view);
        char *sql =
            mem_printf("SELECT group_concat(name, ' ') FROM pragma_table_info('%s');", view);
        expect_shell(f, sql, columns);
        free(sql);
        free(columns);
        count++;
    }
    assert_int_equal(count, 6);
    free(views);
    free(page);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_STORE(the_queries_are_asked_of_the_sweep_that_is_shipped),
        WITH_STORE(every_query_runs_and_shows_rows),
        WITH_STORE(every_view_is_documented_column_by_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
