#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/wire.h"
#include "trainer/commands.h"
#include "trainer/config.h"
#include "trainer/train.h"

#include <argp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_CHECKPOINT_DIR = 256, OPTION_CACHE_DIR };

static const struct argp_option options[] = {
    {"checkpoint-dir", OPTION_CHECKPOINT_DIR, "DIR", 0,
     "Where checkpoints are, and go to (default: $BESOM_CHECKPOINT_DIR, or a folder of the "
     "config's "
     "own in besom-train/)",
     0},
    {"cache-dir", OPTION_CACHE_DIR, "DIR", 0, command_cache_dir_help, 0},
    {0},
};

static const char doc[] = "Examples:\n"
                          "  besom-trainer train config.json\n"
                          "  besom-trainer train config.json --checkpoint-dir runs/first\n"
                          "\n"
                          "Trains as CONFIG (default: $BESOM_CONFIG) says, from the latest valid "
                          "checkpoint on, and prints "
                          "a JSON object for each epoch.\v"
                          "SIGTERM or SIGINT make it save and leave with status 85; the same "
                          "command then goes on with the "
                          "next batch.";

struct arguments {
    const char *config, *checkpoint_dir, *cache_dir;
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_CHECKPOINT_DIR:
        arguments->checkpoint_dir = arg;
        return 0;
    case OPTION_CACHE_DIR:
        arguments->cache_dir = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_error(state, "one CONFIG is enough: \"%s\"", arg);
        }
        arguments->config = arg;
        return 0;
    case ARGP_KEY_END:
        if (arguments->config == NULL) {
            arguments->config = getenv(WIRE_ENV_CONFIG);
        }
        if (arguments->config == NULL) {
            argp_error(state, "no CONFIG is given, and $" WIRE_ENV_CONFIG " is not set");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static volatile sig_atomic_t stop_wanted; // a handler can reach nothing else

static void on_signal(int number) {
    (void)number;
    stop_wanted = 1;
}

static bool is_stop_wanted(void *context) {
    (void)context;
    return stop_wanted;
}

static void asked_to_stop(sigset_t *set) {
    (void)sigemptyset(set); // these cannot fail with valid arguments
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGHUP);
    (void)sigaddset(set, SIGINT);
}

static void catch_signals(void) {
    // SA_RESTART: a line that is being written is written to its end
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    (void)sigaction(SIGTERM, &action, NULL); // these cannot fail with valid arguments
    (void)sigaction(SIGHUP, &action, NULL);
    action.sa_flags |= (int)SA_RESETHAND; // a second Ctrl-C does not wait
    (void)sigaction(SIGINT, &action, NULL);
    sigset_t held;
    asked_to_stop(&held);
    (void)sigprocmask(SIG_UNBLOCK, &held, NULL); // what came while the program was executed again
}

/* So that an interrupted training ends with the bits of one that was not: what the processor and the
 * environment would have chosen now gives way to what was chosen at its beginning. */
static void compute_as_begun(const struct config *config, const char *path,
                             const char *checkpoint_dir, const char *cache_dir) {
    const char *const words[] = {"besom-trainer",
                                 "train",
                                 "--checkpoint-dir",
                                 checkpoint_dir,
                                 "--cache-dir",
                                 cache_dir,
                                 "--",
                                 path,
                                 NULL};
    // A request to stop that comes meanwhile is met by the program that is executed again.
    sigset_t held, before;
    asked_to_stop(&held);
    (void)sigprocmask(SIG_BLOCK, &held, &before); // cannot fail with valid arguments
    if (stop_wanted) {
        (void)raise(SIGTERM); // stays pending
    }
    // It begins now where nothing is known; what is wrong with the file train_run() tells.
    (void)command_compute_as_begun(checkpoint_dir, config->key, "goes on", words);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

/* A folder for each config, so that no two trials ever meet in one. */
static char *default_checkpoint_dir(const struct config *config) {
    const char *given = getenv(WIRE_ENV_CHECKPOINT_DIR);
    if (given != NULL && *given != '\0') {
        return mem_strdup(given);
    }
    char *dir = mem_printf("besom-train/%.12s", config->key);
    (void)fprintf(stderr, "besom-trainer: checkpoints in %s\n", dir); // a note
    return dir;
}

/* An error of the config at `path`, or of data that it names, says which config that is. */
static void name_config(struct err *err, const char *path) {
    if (err->code == ERR_RANGE || err->code == ERR_PARSE || err->code == ERR_NOT_FOUND) {
        (void)err_wrap(err, "%s", path);
    }
}

static int run(const struct config *config, const char *path, const char *checkpoint_dir,
               const char *cache_dir) {
    const struct train_options train = {.checkpoint_dir = checkpoint_dir,
                                        .cache_dir = cache_dir,
                                        .program = argp_program_version,
                                        .out = stdout,
                                        .log = stderr,
                                        .stop = is_stop_wanted};
    enum train_result result;
    struct err err;
    if (fs_mkdirs(checkpoint_dir, &err) != ERR_OK) {
        return command_fail(&err);
    }
    command_choose_kernels(cache_dir);
    compute_as_begun(config, path, checkpoint_dir, cache_dir);
    if (train_run(config, &train, &result, &err) != ERR_OK) {
        name_config(&err, path);
        return command_fail(&err);
    }
    switch (result) {
    case TRAIN_DONE:
        return command_finish(STATUS_DONE);
    case TRAIN_SAVED:
        return command_finish(WIRE_EXIT_SAVED);
    case TRAIN_DIVERGED:
        return command_fail(&err);
    case TRAIN_UNHEARD:
        break;
    }
    return STATUS_FAILED;
}

int cmd_train(int argc, char **argv) {
    const struct argp argp = {options, parse, "[CONFIG]", doc, NULL, NULL, NULL};
    struct arguments arguments = {0};
    command_parse(&argp, argc, argv, &arguments);
    catch_signals();

    struct config config;
    int status = command_load_config(&config, arguments.config);
    if (status == STATUS_DONE) {
        char *cache = command_cache_dir(arguments.cache_dir);
        char *dir = arguments.checkpoint_dir != NULL ? mem_strdup(arguments.checkpoint_dir)
                                                     : default_checkpoint_dir(&config);
        status = run(&config, arguments.config, dir, cache);
        free(dir);
        free(cache);
    }
    config_release(&config);
    return status;
}
