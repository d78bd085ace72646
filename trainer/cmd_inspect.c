#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "trainer/checkpoint_folder.h"
#include "trainer/commands.h"
#include "trainer/history.h"
#include "trainer/safetensors.h"

#include <argp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_JSON = 256 };

static const struct argp_option options[] = {
    {"json", OPTION_JSON, NULL, 0, "Print one JSON object", 0},
    {0},
};

static const char doc[] =
    "Examples:\n"
    "  besom-trainer inspect besom-train/3f0c2a91b7de/cp-0005.safetensors\n"
    "\n"
    "Shows the tensors, the metadata and the history of a checkpoint, or of any "
    "safetensors file of float32 tensors.\v"
    "CHECKPOINT may be a folder: its latest one is meant.";

struct arguments {
    const char *path;
    bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    default:
        return command_one_argument(key, arg, state, "CHECKPOINT", &arguments->path);
    }
}

/* ---- --json ---- */

static struct cJSON *tensor_json(const struct safetensors_entry *tensor) {
    struct cJSON *object = json_new_object(), *shape = json_new_array();
    for (int i = 0; i < tensor->dim_count; i++) {
        json_append(shape, json_new_number((double)tensor->dims[i]));
    }
    json_set(object, "name", json_new_string(tensor->name));
    json_set(object, "shape", shape);
    json_set(object, "elements", json_new_number((double)tensor->len));
    return object;
}

/* The metadata as it is, every value a string: also what looks like JSON. */
static void print_json(const struct safetensors *file) {
    struct cJSON *root = json_new_object(), *tensors = json_new_array(), *meta = json_new_object();
    for (int i = 0; i < safetensors_count(file); i++) {
        json_append(tensors, tensor_json(safetensors_at(file, i)));
    }
    for (int i = 0; i < safetensors_meta_count(file); i++) {
        struct safetensors_meta entry = safetensors_meta_at(file, i);
        json_set(meta, entry.key, json_new_string(entry.value));
    }
    json_set(root, "tensors", tensors);
    json_set(root, "metadata", meta);
    const char *history = safetensors_meta_get(file, "history");
    struct json_doc *records = NULL;
    struct err err;
    if (history != NULL &&
        json_parse(&records, "history", history, strlen(history), JSON_STRICT, &err) == ERR_OK) {
        json_set(root, "history", json_copy(json_root(records)));
    }
    struct buf out = {0};
    json_print_pretty(&out, root);
    (void)puts(buf_text(&out)); // command_finish() tells of a failure
    buf_release(&out);
    json_free(records);
    json_delete(root);
}

/* ---- for people ---- */

/* Control characters of a file from elsewhere do not reach the terminal. */
static void print_plain(const char *text) {
    for (const char *c = text; *c != '\0'; c++) {
        (void)putchar((unsigned char)*c < ' ' || *c == 127 ? '?' : *c);
    }
}

static void print_tensors(const struct safetensors *file) {
    size_t total = 0;
    (void)puts("tensors");
    for (int i = 0; i < safetensors_count(file); i++) {
        const struct safetensors_entry *tensor = safetensors_at(file, i);
        struct buf shape = {0};
        for (int d = 0; d < tensor->dim_count; d++) {
            buf_printf(&shape, "%s%lld", d == 0 ? "" : " x ", (long long)tensor->dims[d]);
        }
        (void)printf("  %-20s %10zu  ", buf_text(&shape), tensor->len);
        print_plain(tensor->name);
        (void)putchar('\n');
        total += tensor->len;
        buf_release(&shape);
    }
    (void)printf("  %-20s %10zu  (%zu bytes)\n", "", total, total * sizeof(float));
}

static void print_metadata(const struct safetensors *file) {
    int count = safetensors_meta_count(file);
    (void)puts(count > 0 ? "metadata" : "no metadata");
    for (int i = 0; i < count; i++) {
        struct safetensors_meta entry = safetensors_meta_at(file, i);
        if (strcmp(entry.key, "history") != 0) { // a table of its own
            (void)fputs("  ", stdout);
            print_plain(entry.key);
            (void)printf("%*s ", (int)(strlen(entry.key) < 16 ? 16 - strlen(entry.key) : 0), "");
            print_plain(entry.value);
            (void)putchar('\n');
        }
    }
}

static void print_number(double value) {
    char text[NUM_TEXT_MAX];
    (void)num_human(text, value, 4); // only the text is of use
    (void)printf(" %14s", text);
}

static void print_history(const struct safetensors *file) {
    const char *text = safetensors_meta_get(file, "history");
    struct history history = {0};
    struct err err;
    if (text == NULL || history_parse(&history, text, &err) != ERR_OK) {
        return; // of another program: it was not promised
    }
    bool has_test = history.count > 0 && history.records[0].has_test;
    (void)printf("history\n  epoch");
#define X(name) (void)printf(" %14s", #name);
    HISTORY_METRICS(X)
    if (has_test) {
        HISTORY_TEST_METRICS(X)
    }
#undef X
    (void)putchar('\n');
    for (int i = 0; i < history.count; i++) {
        (void)printf("  %5d", history.records[i].epoch);
#define X(name) print_number(history.records[i].name);
        HISTORY_METRICS(X)
        if (has_test) {
            HISTORY_TEST_METRICS(X)
        }
#undef X
        (void)putchar('\n');
    }
    history_release(&history);
}

int cmd_inspect(int argc, char **argv) {
    const struct argp argp = {options, parse, "CHECKPOINT", doc, NULL, NULL, NULL};
    struct arguments arguments = {0};
    command_parse(&argp, argc, argv, &arguments);

    struct safetensors *file = NULL;
    struct err err;
    char *path = NULL;
    int rc = checkpoint_latest_path(&path, arguments.path, &err);
    rc = rc == ERR_OK ? safetensors_open(&file, path, &err) : rc;
    free(path);
    if (rc != ERR_OK) {
        return command_fail(&err);
    }
    if (arguments.json) {
        print_json(file);
    } else {
        print_tensors(file);
        print_metadata(file);
        print_history(file);
    }
    safetensors_close(file);
    return command_finish(STATUS_DONE);
}
