/* besom-trainer - trains one network as its config says; the worker of a sweep, and usable by hand. */
#include "base/buf.h"
#include "base/diag.h"
#include "base/fs.h"
#include "base/mem.h"
#include "trainer/commands.h"
#include "trainer/numerics.h"

#include <argp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "besom-trainer " BESOM_VERSION; // glibc looks for this name

static const struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"train", "train a network, from its latest checkpoint on", cmd_train},
    {"eval", "load a checkpoint and compare its stored loss and accuracy", cmd_eval},
    {"inspect", "show the tensors, metadata and history of a checkpoint", cmd_inspect},
    {"list", "list the checkpoints of a folder, or find the latest", cmd_list},
    {"export", "write a checkpoint's weights for PyTorch", cmd_export},
    {"probe", "show what each layer makes of the data right after initialization", cmd_probe},
    {"check", "say whether configs can be trained, and what identifies them", cmd_check},
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static int help(void) {
    (void)puts("Examples:\n" // command_finish() tells of a failure
               "  besom-trainer train config.json              train; the same command goes on\n"
               "  besom-trainer eval DIR/cp-0005.safetensors   load and evaluate\n"
               "  besom-trainer list DIR                       the checkpoints of a folder\n"
               "  besom-trainer check *.json                   what is wrong with these configs\n"
               "\n"
               "Usage: besom-trainer COMMAND [ARGUMENT...]\n"
               "\n"
               "Commands:");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        (void)printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    (void)puts("\n`besom-trainer COMMAND --help' tells more, besom-trainer(1) the config's keys.\n"
               "Exit status: 0 done, 1 failed, 2 misuse or a bad config, 71 out of memory,\n"
               "74 storage failed, 85 saved on request: call again to go on.");
    return command_finish(STATUS_DONE);
}

static int misuse(const char *word) {
    const char *names[COMMAND_COUNT];
    for (int i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i].name;
    }
    struct buf text = {0};
    if (word == NULL) {
        buf_puts(&text, "a command is needed: train, eval, inspect, list, export, probe or check");
    } else {
        buf_printf(&text, "unknown command \"%s\"", word);
        diag_suggest(&text, word, names, COMMAND_COUNT);
    }
    (void)fprintf(stderr, "besom-trainer: %s\nTry `besom-trainer --help'.\n", buf_text(&text));
    buf_release(&text);
    return STATUS_MISUSE;
}

/* And what its results hang on besides the configs. */
static int version(void) {
    struct buf kernels = {0}, numerics = {0};
    numerics_pin();
    command_describe_kernels(&kernels);
    numerics_describe(&numerics);
    (void)printf("%s\n%s\n%s\n", argp_program_version, buf_text(&numerics),
                 buf_text(&kernels)); // command_finish() tells
    buf_release(&kernels);
    buf_release(&numerics);
    return command_finish(STATUS_DONE);
}

static bool is_any(const char *word, const char *a, const char *b) {
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char **argv) {
    fs_fill_standard_descriptors();
    (void)signal(SIGPIPE, SIG_IGN); // a closed pipe is an error of the write that meets it
    argp_err_exit_status = STATUS_MISUSE;
    if (argc < 2) {
        return misuse(NULL);
    }
    if (is_any(argv[1], "--help", "-h") || strcmp(argv[1], "help") == 0) {
        return help();
    }
    if (is_any(argv[1], "--version", "-V")) {
        return version();
    }
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            char *name = mem_printf("besom-trainer %s", argv[1]);
            argv[1] = name; // argp and getopt begin their messages with it
            int status = commands[i].run(argc - 1, argv + 1);
            free(name);
            return status;
        }
    }
    return misuse(argv[1]);
}
