/* Whole sweeps with trainers that are shell scripts, in a folder of their own, and what run.h's observer saw of them.
 * The path of besom-shim is SHIM. */
#ifndef TESTS_UNIT_RUNNER_RUN_FIXTURE_H
#define TESTS_UNIT_RUNNER_RUN_FIXTURE_H

#include "runner/run.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fixture {
    char dir[32];
    struct store *store, *reader;
    int lock_fd;
    struct run_result result;
    struct err err;

    // what the observer saw
    int started, trial_started, epochs, died, ended, warnings, stopping, finished, ticks, statuses;
    int early; // epochs or verdicts that the reader could not see when they were shown
    int running_max;
    enum trial_status last_status;
    char last_message[512], last_reason[64], warning[512], stopping_why[256];
    double best, eta_at_first_epoch;
    int paused, resumed;
    void (*on_epoch)(struct fixture *f);
    void (*on_paused)(struct fixture *f), (*on_started)(struct fixture *f);
    void (*on_stopping)(struct fixture *f), (*on_planned)(struct fixture *f);
    bool lose_trainer;   // after planning
    int signal_at_epoch; // raised when an epoch is shown, each time
    int64_t complete_at_end, failed_at_end, paused_at_end, total;
};

/* For cmocka's setup and teardown: *state is the fixture, its folder the working directory, and no BESOM_* is in
 * the environment. */
int run_setup(void **state);
int run_teardown(void **state);
#define RUN_CASE(name) cmocka_unit_test_setup_teardown(name, run_setup, run_teardown)

/* Fails the test with the message when `rc` is not ERR_OK. */
void check(int rc, const struct err *err);

void write_file(const char *name, const char *text, mode_t mode);
void write_trainer(const char *script); // trainer.sh

/* Loads, plans and runs a sweep whose file is `text`, in the folder "out".  run() requires that it worked, and
 * that whatever was shown was stored before. */
int try_run(struct fixture *f, const char *text, int jobs, const char *halt);
void run(struct fixture *f, const char *text, int jobs, const char *halt);
void close_store(struct fixture *f); // the next run opens it again

/* The first column of the first row as a number, -1 without a row. */
int64_t ask(struct fixture *f, const char *sql);

/* Sweeps of trainer.sh with one retry: four trials of 3 epochs, one of 2, one of as many as it says. */
extern const char three[], one[], open_ended[];

#endif
