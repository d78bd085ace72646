#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "trainer/checkpoint_folder.h"
#include "trainer/commands.h"
#include "trainer/history.h"

#include <argp.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { OPTION_JSON = 256, OPTION_LATEST };

static const struct argp_option options[] = {
    {"json", OPTION_JSON, NULL, 0, "Print a JSON array", 0},
    {"latest", OPTION_LATEST, NULL, 0,
     "Print the path of the newest valid one alone; status 1 when there is none", 0},
    {0},
};

static const char doc[] =
    "Examples:\n"
    "  besom-trainer list besom-train/3f0c2a91b7de\n"
    "  besom-trainer eval \"$(besom-trainer list --latest besom-train/3f0c2a91b7de)\"\n"
    "\n"
    "Lists the checkpoints of a folder, the oldest first: what each holds, or why it is not "
    "valid.\v"
    "Each file is read whole and its checksum verified.";

struct arguments {
    const char *dir;
    bool json, latest;
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case OPTION_LATEST:
        arguments->latest = true;
        return 0;
    case ARGP_KEY_END:
        if (arguments->json && arguments->latest) {
            argp_error(state, "--latest prints a path, not JSON");
        }
        break;
    default:
        break;
    }
    return command_one_argument(key, arg, state, "DIR", &arguments->dir);
}

/* A file of the folder. */
struct item {
    char name[64];
    struct position at;
    long long bytes;               // -1: cannot be told
    double val_loss, val_accuracy; // NaN, has_values false: not at the end of an epoch
    bool has_values, valid;
    enum checkpoint_content content;
    struct err err; // when it is not valid
};

static void read_values(struct item *item, const struct checkpoint_state *state) {
    struct history history = {0};
    if (history_parse(&history, state->history, &item->err) != ERR_OK) {
        item->valid = false;
    } else if (state->at.step == 0 && history.count > 0) {
        const struct record *last = &history.records[history.count - 1];
        item->has_values = true;
        item->val_loss = last->val_loss;
        item->val_accuracy = last->val_accuracy;
    }
    history_release(&history);
}

static struct item look_at(const char *dir, struct position at) {
    struct item item = {.at = at, .bytes = -1};
    checkpoint_name(item.name, at);
    char *path = mem_printf("%s/%s", dir, item.name);
    struct stat st;
    if (stat(path, &st) == 0) { // what is wrong with the file is said by opening it
        item.bytes = (long long)st.st_size;
    }
    free(path);
    struct checkpoint *checkpoint = NULL;
    item.valid = checkpoint_open_at(&checkpoint, dir, at, NULL, &item.err) == ERR_OK;
    if (item.valid) {
        item.content = checkpoint_state(checkpoint)->content;
        read_values(&item, checkpoint_state(checkpoint));
    }
    checkpoint_close(checkpoint);
    return item;
}

/* ---- --json ---- */

static struct cJSON *item_json(const struct item *item) {
    struct cJSON *object = json_new_object();
    json_set(object, "file", json_new_string(item->name));
    json_set(object, "epoch", json_new_number(item->at.epoch));
    json_set(object, "step", json_new_number(item->at.step));
    json_set(object, "val_loss",
             item->has_values ? json_new_number(item->val_loss) : json_new_null());
    json_set(object, "val_accuracy",
             item->has_values ? json_new_number(item->val_accuracy) : json_new_null());
    json_set(object, "content",
             item->valid ? json_new_string(checkpoint_content_names[item->content])
                         : json_new_null());
    json_set(object, "bytes",
             item->bytes < 0 ? json_new_null() : json_new_number((double)item->bytes));
    json_set(object, "valid", json_new_bool(item->valid));
    if (!item->valid) {
        json_set(object, "error", json_new_string(item->err.msg));
    }
    return object;
}

static void print_json(const char *dir, const struct checkpoint_list *list) {
    struct cJSON *array = json_new_array();
    for (int i = list->count - 1; i >= 0; i--) {
        struct item item = look_at(dir, list->at[i]);
        json_append(array, item_json(&item));
    }
    struct buf out = {0};
    json_print_pretty(&out, array);
    (void)puts(buf_text(&out)); // command_finish() tells of a failure
    buf_release(&out);
    json_delete(array);
}

/* ---- for people ---- */

static void print_item(const struct item *item) {
    (void)printf("%-28s %6d %7d", item->name, item->at.epoch, item->at.step);
    if (!item->valid) {
        (void)printf("  not valid: %s\n", item->err.msg);
        return;
    }
    char loss[NUM_TEXT_MAX] = "-", accuracy[NUM_TEXT_MAX] = "-";
    if (item->has_values) {
        (void)num_human(loss, item->val_loss, 4); // only the text is of use
        (void)num_human(accuracy, item->val_accuracy, 4);
    }
    (void)printf(" %10s %13s %8s %12lld\n", loss, accuracy, checkpoint_content_names[item->content],
                 item->bytes);
}

static void print_text(const char *dir, const struct checkpoint_list *list) {
    if (list->count == 0) {
        (void)printf("no checkpoints in %s\n", dir); // command_finish() tells of a failure
        return;
    }
    (void)printf("%-28s %6s %7s %10s %13s %8s %12s\n", "file", "epoch", "step", "val_loss",
                 "val_accuracy", "content", "bytes");
    for (int i = list->count - 1; i >= 0; i--) {
        struct item item = look_at(dir, list->at[i]);
        print_item(&item);
    }
}

int cmd_list(int argc, char **argv) {
    const struct argp argp = {options, parse, "DIR", doc, NULL, NULL, NULL};
    struct arguments arguments = {0};
    command_parse(&argp, argc, argv, &arguments);

    struct err err;
    struct stat st;
    if (stat(arguments.dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        (void)err_set(&err, ERR_NOT_FOUND, "%s: no such folder", arguments.dir);
        return command_fail(&err);
    }
    if (arguments.latest) {
        char *path = NULL;
        if (checkpoint_latest_path(&path, arguments.dir, &err) != ERR_OK) {
            (void)fprintf(stderr, "besom-trainer: %s\n",
                          err.msg); // nowhere left to report a failure
            return err.code == ERR_NOT_FOUND ? STATUS_FAILED : STATUS_STORAGE;
        }
        (void)puts(path); // command_finish() tells of a failure
        free(path);
        return command_finish(STATUS_DONE);
    }
    struct checkpoint_list list;
    if (checkpoint_list_read(&list, arguments.dir, &err) != ERR_OK) {
        return command_fail(&err);
    }
    if (arguments.json) {
        print_json(arguments.dir, &list);
    } else {
        print_text(arguments.dir, &list);
    }
    checkpoint_list_release(&list);
    return command_finish(STATUS_DONE);
}
