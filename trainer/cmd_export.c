#include "base/err.h"
#include "base/mem.h"
#include "trainer/checkpoint_folder.h"
#include "trainer/commands.h"
#include "trainer/weights.h"

#include <argp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_AVERAGED = 256 };

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Where the weights go; replaced as a whole when it is there", 0},
    {"averaged", OPTION_AVERAGED, NULL, 0,
     "The averaged weights of a training with `ema', which are those that it evaluates", 0},
    {0},
};

static const char doc[] =
    "Examples:\n"
    "  besom-trainer export besom-train/3f0c2a91b7de -o weights.safetensors\n"
    "  besom-trainer export besom-train/3f0c2a91b7de -o w.safetensors --averaged\n"
    "\n"
    "Writes the weights and buffers of a checkpoint, or of a folder's latest, under the names that "
    "PyTorch's nn.Sequential of the same layers gives them: for load_state_dict(), or for "
    "`init_from'.\v"
    "The same weights give the same bytes.  docs/checkpoint-format.md lists the names.";

struct arguments {
    const char *path, *output;
    bool averaged;
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case 'o':
        arguments->output = arg;
        return 0;
    case OPTION_AVERAGED:
        arguments->averaged = true;
        return 0;
    case ARGP_KEY_END:
        if (arguments->path != NULL && arguments->output == NULL) {
            argp_error(state, "-o FILE says where the weights shall go");
        }
        break;
    default:
        break;
    }
    return command_one_argument(key, arg, state, "CHECKPOINT", &arguments->path);
}

static int export_file(const struct arguments *arguments, struct err *err) {
    struct checkpoint *checkpoint = NULL;
    char *path = NULL, *dir = mem_strdup(arguments->output);
    char *slash = strrchr(dir, '/');
    const char *name = slash == NULL ? arguments->output : arguments->output + (slash - dir) + 1;
    if (slash != NULL) {
        slash[slash == dir] = '\0'; // "/x" is in "/"
    }
    int rc = *name == '\0' ? err_set(err, ERR_RANGE, "%s: names no file", arguments->output)
                           : checkpoint_latest_path(&path, arguments->path, err);
    rc = rc == ERR_OK ? checkpoint_open(&checkpoint, path, err) : rc;
    if (rc == ERR_OK) {
        rc = weights_export(checkpoint, arguments->averaged, slash == NULL ? "." : dir, name, err);
        if (rc == ERR_NOT_FOUND) {
            (void)err_wrap(err, "%s", path);
            err->code = ERR_DIFFERS; // the command is right, the checkpoint is not such a one
        }
    }
    checkpoint_close(checkpoint);
    free(path);
    free(dir);
    return rc;
}

int cmd_export(int argc, char **argv) {
    const struct argp argp = {options, parse, "CHECKPOINT", doc, NULL, NULL, NULL};
    struct arguments arguments = {0};
    command_parse(&argp, argc, argv, &arguments);

    struct err err;
    return export_file(&arguments, &err) == ERR_OK ? command_finish(STATUS_DONE)
                                                   : command_fail(&err);
}
