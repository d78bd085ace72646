#include "base/diag.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/cmd.h"
#include "cli/live.h"
#include "cli/options.h"
#include "cli/print.h"
#include "cli/room_wait.h"
#include "cli/summary.h"
#include "cli/term.h"
#include "results/compare.h"
#include "results/snapshot.h"
#include "runner/plan.h"
#include "runner/run.h"
#include "runner/sweep.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char doc[] =
    "Runs what is not done of a sweep.  Run again, it goes on where it was: done trials stay done, "
    "interrupted ones continue from their checkpoints, raised epochs extend finished ones.\n\n"
    "  besom run sweeps/quickstart.json\n"
    "  besom run -j 4 --out /data/mine sweep.json\n"
    "  besom run --halt soon,fail=10% sweep.json    no new trials once 10% failed\n\n"
    "Ctrl-C asks the workers to save their state and leaves; a second one, or SIGTERM after "
    "it, kills them.  Either way nothing that was shown is lost.\n\nOptions:";

struct run_args {
    const char *sweep;
    struct run_options run;
    bool retry_failed, dry_run;
};

enum { KEY_RETRIES = 0x2000, KEY_HALT, KEY_RETRY_FAILED, KEY_DRY_RUN };

static const struct argp_option list[] = {
    {"jobs", 'j', "N", 0, "workers at a time (the processors that this process may use)", 1},
    {"retries", KEY_RETRIES, "N", 0,
     "attempts of a dying trial that may bring nothing new (2, or the sweep file's)", 1},
    {"halt", KEY_HALT, "POLICY", 0,
     "never, or WHEN,fail=N or WHEN,fail=P% with WHEN soon (start no more) or now (stop those "
     "running too)",
     1},
    {"retry-failed", KEY_RETRY_FAILED, 0, 0, "run failed trials again", 1},
    {"dry-run", KEY_DRY_RUN, 0, 0, "show what would run, and start nothing (besom plan)", 1},
    {0},
};

static int integer(const struct argp_state *state, const char *option, const char *arg, int min,
                   int max) {
    int64_t n;
    if (!num_parse_int(arg, min, max, &n)) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "a number from %d to %d", min, max);
        options_bad(state, option, arg, wanted);
    }
    return (int)n;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct run_args *args = state->input;
    struct err err;
    switch (key) {
    case 'j':
        args->run.jobs = integer(state, "--jobs", arg, 1, RUN_SLOT_MAX);
        return 0;
    case KEY_RETRIES:
        args->run.retries = integer(state, "--retries", arg, 0, 1000);
        return 0;
    case KEY_HALT:
        if (run_parse_halt(&args->run.halt, arg, &err) != ERR_OK) {
            argp_error(state, "--halt: %s", err.msg);
        }
        return 0;
    case KEY_RETRY_FAILED:
        args->retry_failed = true;
        return 0;
    case KEY_DRY_RUN:
        args->dry_run = true;
        return 0;
    case ARGP_KEY_ARG:
        options_take(state, &args->sweep, arg, "sweep");
        return 0;
    case ARGP_KEY_END:
        if (args->sweep == NULL) {
            argp_error(state, "which sweep? besom init writes one to start from");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_load_sweep(struct sweep *sweep, const char *path) {
    struct diag diag = {0};
    struct err err;
    int status = EXIT_DONE;
    if (sweep_load(sweep, path, &diag, &err) != ERR_OK) {
        fprintf(stderr, "besom: %s\n", err.msg);
        status = EXIT_MISUSE;
    } else if (diag.count > 0) {
        diag_finish(&diag);
        (void)fputs(buf_text(&diag.text), stderr); // nowhere else to tell
        sweep_release(sweep);
        status = EXIT_MISUSE;
    }
    diag_release(&diag);
    return status;
}

int cmd_make_plan(struct plan *plan, struct summary *summary, struct store *store,
                  const struct sweep *sweep, const struct plan_options *options, struct err *err) {
    struct diag diag = {0};
    int rc = plan_make(plan, store, sweep, options, &diag, summary_add, summary, err);
    if (diag.count > 0) {
        diag_finish(&diag);
        (void)fputs(buf_text(&diag.text), stderr); // nowhere else to tell
        plan_release(plan);
        rc = err_set(err, ERR_RANGE, "nothing was started");
    }
    diag_release(&diag);
    return rc;
}

/* The answer at the end: the best points, what the axes do, and what to type next. */
static void print_answer(struct store *store, const struct sweep *sweep,
                         const struct run_args *args, const struct run_result *result,
                         const char *out, const struct plan *plan) {
    char took[32];
    struct err err;
    struct compare compare = {0};
    const struct options plain = {.format = TABLE_TEXT};
    int64_t before = plan->count[PLAN_DONE], now = result->complete;
    fprintf(stderr, "%lld trial%s complete", (long long)(before + now),
            before + now == 1 ? "" : "s");
    if (before > 0 && now > 0) {
        fprintf(stderr, ", %lld of them", (long long)now);
    }
    if (now > 0) {
        fprintf(stderr, " in %s", term_duration(took, result->seconds));
    }
    fprintf(stderr, " (%lld failed).", (long long)(result->failed + plan->count[PLAN_FAILED]));
    if (compare_load(&compare, store, sweep->name, NULL, &err) != ERR_OK) {
        fprintf(stderr, "\nnothing to compare by: %s\n",
                err.msg); // the objective's metric never came
        return;
    }
    if (compare.point_count > 0) {
        fprintf(stderr, " Best by %s:\n", compare.metric);
        print_leaderboard(&compare, 5, plain.format, stderr);
    } else {
        fprintf(stderr, "\n");
    }
    for (int a = 0; a < compare.axis_count && compare.point_count > 0; a++) {
        fprintf(stderr, "\n");
        print_axis(&compare, &compare.axes[a], plain.format, stderr);
    }
    const struct summary_next next = {.program = cmd_program,
                                      .path = args->sweep,
                                      .out_dir = out,
                                      .failed = result->failed + plan->count[PLAN_FAILED] > 0};
    summary_next(&compare, sweep->name, &next, stderr);
    compare_release(&compare);
}

static int exit_status(const struct run_result *result, const struct plan *plan) {
    if (result->signal != 0) {
        return EXIT_SIGNAL + result->signal;
    }
    return result->failed > 0 || plan->count[PLAN_FAILED] > 0 || result->halted ? EXIT_TRIAL_FAILED
                                                                                : EXIT_DONE;
}

/* A run: what it was asked for, and the folder once that is ours. */
struct job {
    const struct run_args *args;
    const struct options *options;
    struct sweep sweep;
    struct store *store;
    int lock_fd;
    struct store_patience patience;
    struct plan plan;
    struct summary summary;
    bool refused; // the sweep: nothing of it was stored
};

static enum live_voice voice_of(const struct options *options) {
    return options->format == TABLE_JSON ? LIVE_JSON
           : term_animates(stderr)       ? LIVE_ANIMATED
                                         : LIVE_PLAIN;
}

static int patiently(struct job *job, room_step_fn *step, struct err *err) {
    return room_wait(job->options->out, voice_of(job->options), step, job, err);
}

/* Everything between the plan and the end, in a folder that is ours. */
static int run_planned(struct job *job) {
    struct store *store = job->store;
    const struct sweep *sweep = &job->sweep;
    const struct plan *plan = &job->plan;
    const struct run_args *args = job->args;
    const struct options *options = job->options;
    bool quiet = options->quiet, json = options->format == TABLE_JSON;
    if (!quiet && !json) {
        summary_print(&job->summary, sweep, plan, stderr);
    }
    struct run_result result = {0};
    struct err err;
    if (plan->queue_count > 0) {
        int jobs = args->run.jobs > 0 ? args->run.jobs : run_default_jobs();
        if (!quiet && !json) {
            fprintf(
                stderr,
                "%d worker%s, results in %s/. Ctrl-C at any time; the same command goes on.\n\n",
                jobs, jobs == 1 ? "" : "s", options->out);
        }
        struct live live = {.voice = voice_of(options), .quiet = quiet};
        int rc = run_sweep(store, sweep, plan, &args->run, live_observe, &live, &result, &err);
        if (rc != ERR_OK) {
            return cmd_fail(&err);
        }
    }
    if (result.signal != 0 && !json) {
        fprintf(stderr,
                "stopped: %lld trial%s complete in this run, %lld to be continued.\n"
                "Everything shown is kept; the same command goes on.\n",
                (long long)result.complete, result.complete == 1 ? "" : "s",
                (long long)result.paused);
    } else if (!quiet && !json) {
        print_answer(store, sweep, args, &result, options->out, plan);
    }
    return exit_status(&result, plan);
}

/* ---- steps that may have to wait for room ---- */

/* The folder's lock is kept from one try to the next, and nothing else: a plan that met a full disk was rolled back. */
static int open_and_plan(void *context, struct err *err) {
    struct job *job = context;
    int recovered; // of no use here
    int rc =
        run_open(job->options->out, &job->patience, &job->store, &job->lock_fd, &recovered, err);
    if (rc != ERR_OK) {
        return rc;
    }
    const struct plan_options plan_options = {.out_dir = job->options->out,
                                              .retry_failed = job->args->retry_failed};
    job->summary = (struct summary){0};
    rc = cmd_make_plan(&job->plan, &job->summary, job->store, &job->sweep, &plan_options, err);
    if (rc == ERR_FULL) {
        struct err ignored; // that the disk is full is told
        (void)store_close(job->store, &ignored);
        job->store = NULL;
    }
    return rc;
}

/* What besom rebuild needs: the plan, and what an earlier run did not come to write. */
static int keep_copies(void *context, struct err *err) {
    struct job *job = context;
    struct snapshots *snapshots = snapshots_new(job->store);
    int rc = snapshots_put_sweep(snapshots, job->plan.sweep_id, err);
    rc = rc >= 0 ? snapshots_catch_up(snapshots, NULL, err) : rc;
    snapshots_free(snapshots);
    return rc;
}

static int settle(void *context, struct err *err) {
    return store_settle(((struct job *)context)->store, err);
}

/* A large database takes a while to be checked, and nothing else would be said meanwhile. */
static void say_check(const struct options *options) {
    const double large = 500e6; // bytes: seconds, on a slow disk
    char *path = mem_printf("%s/results.db", options->out);
    struct stat st;
    if (!options->quiet && options->format != TABLE_JSON && stat(path, &st) == 0 &&
        (double)st.st_size > large) {
        fprintf(stderr, "besom: checking %s (%.1f GB) before anything is added to it\n", path,
                (double)st.st_size / 1e9);
    }
    free(path);
}

static int run_job(struct job *job) {
    struct err err;
    say_check(job->options);
    if (patiently(job, open_and_plan, &err) != ERR_OK) {
        int status = cmd_fail(&err);
        job->refused = status == EXIT_MISUSE && job->store != NULL;
        return status;
    }
    int kept = patiently(job, keep_copies, &err);
    if (kept == ERR_DIFFERS) { // a copy that would be lost
        err.code = ERR_CORRUPT;
        return cmd_fail(&err);
    }
    if (kept < 0) {
        fprintf(stderr,
                "besom: warning: the copies of the results for besom rebuild are not up to date, "
                "the results are: %s\n",
                err.msg);
    }
    int status = run_planned(job);
    // Who was asked to stop, or has met a disk that fails, does not wait.
    if ((status == EXIT_DONE || status == EXIT_TRIAL_FAILED) &&
        patiently(job, settle, &err) != ERR_OK) {
        status = cmd_fail(&err);
    }
    return status;
}

int cmd_run(int argc, char **argv) {
    struct run_args args = {.run = {.retries = -1}};
    struct options options = {0};
    const struct argp argp = {list, parse, "SWEEP", doc, NULL, NULL, NULL};
    options_parse(&argp, OPTION_OUT | OPTION_JSON | OPTION_COLOR | OPTION_QUIET, argc, argv,
                  &options, &args);
    if (args.dry_run) {
        return cmd_plan_sweep(args.sweep, args.retry_failed, &options);
    }
    args.run.out_dir = options.out;
    (void)signal(SIGPIPE, SIG_IGN); // a sweep outlives whoever looked at it

    bool said = false, fresh = access(options.out, F_OK) != 0;
    struct job job = {
        .args = &args, .options = &options, .lock_fd = -1, .patience = cmd_patience(&said)};
    int status = cmd_load_sweep(&job.sweep, args.sweep);
    if (status != EXIT_DONE) {
        return status;
    }
    status = run_job(&job);
    struct err err;
    plan_release(&job.plan);
    sweep_release(&job.sweep);
    if (store_close(job.store, &err) != ERR_OK && status != EXIT_STORAGE &&
        !(job.refused && err.code == ERR_FULL)) { // as a rule, told already
        status = cmd_fail(&err);
    }
    if (fresh && job.refused) {
        run_discard(options.out);
    }
    if (job.lock_fd >= 0) {
        (void)close(job.lock_fd); // releases the folder; nothing was written through it
    }
    return status;
}
