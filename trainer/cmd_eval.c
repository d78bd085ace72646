#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "trainer/checkpoint_folder.h"
#include "trainer/commands.h"
#include "trainer/config.h"
#include "trainer/data.h"
#include "trainer/evaluate.h"
#include "trainer/history.h"
#include "trainer/numerics.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_CACHE_DIR = 256, OPTION_JSON };

static const struct argp_option options[] = {
    {"json", OPTION_JSON, NULL, 0, "Print one JSON object", 0},
    {"cache-dir", OPTION_CACHE_DIR, "DIR", 0, command_cache_dir_help, 0},
    {0},
};

static const char doc[] =
    "Examples:\n"
    "  besom-trainer eval besom-train/3f0c2a91b7de/cp-0005.safetensors\n"
    "  besom-trainer eval besom-train/3f0c2a91b7de\n"
    "\n"
    "Builds the network that CHECKPOINT holds, runs the test images (and those of "
    "validation) through it, and says whether loss "
    "and accuracy are exactly the stored ones.\v"
    "CHECKPOINT may be a folder: its latest one is meant.  Exit status 1 when they differ.";

struct arguments {
    const char *path, *cache_dir;
    bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_CACHE_DIR:
        arguments->cache_dir = arg;
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    default:
        return command_one_argument(key, arg, state, "CHECKPOINT", &arguments->path);
    }
}

/* What was computed, and what the file says. */
struct outcome {
    struct position at;
    struct metric {
        const char *name;
        double computed, stored;
    } metrics[4]; // val_loss, val_accuracy; with validation images also test_loss, test_accuracy
    int count;
    bool has_stored; // not in the middle of an epoch
    bool equal;
    enum command_numerics numerics;
};

/* Of the parts of a set. */
struct parts_stats {
    struct net_stats val, test; // test of no samples: val is of the test images
};

static void note_complaint(void *context, const struct config_complaint *complaint) {
    struct err *err = context; // the last one stays
    (void)err_set(err, ERR_VERSION, "this version cannot read its config: %s: %s", complaint->path,
                  complaint->message);
}

static int read_config(struct config *config, const char *text, struct err *err) {
    struct json_doc *json = NULL;
    int rc = json_parse(&json, "config", text, strlen(text), JSON_STRICT, err);
    if (rc == ERR_OK) {
        rc = config_parse(config, json_root(json), note_complaint, err) == ERR_OK ? ERR_OK
                                                                                  : ERR_VERSION;
    }
    json_free(json);
    return rc;
}

static int open_data(struct dataset *set, const struct config *config, const char *cache_dir,
                     const char *expected_hash, struct err *err) {
    int rc = dataset_open(set, &config->dataset, cache_dir, err);
    if (rc == ERR_OK && strcmp(set->hash, expected_hash) != 0) {
        rc = err_set(err, ERR_DIFFERS, "data set %s: its content is %s now, and was %s in training",
                     config->dataset.name, set->hash, expected_hash);
    }
    return rc;
}

static int compute(const struct checkpoint *checkpoint, const struct config *config,
                   const struct dataset *set, struct parts_stats *stats, struct err *err) {
    struct layer_spec *layers = NULL;
    const struct split *val = dataset_val(set);
    int count = 0, size = batch_size_for(config->batch_size, set);
    config_layers(config, set->classes, &layers, &count);
    struct net *net = NULL;
    int rc = net_new(&net, layers, count, set->shape, set->classes, &config->loss, size, err);
    rc = rc == ERR_OK ? checkpoint_restore_average(checkpoint, net, err) : rc;
    if (rc == ERR_OK) {
        struct batch batch;
        batch_init(&batch, size, set, false);
        (void)evaluate(net, set, val, &batch, NULL, NULL, &stats->val); // nothing can stop it
        if (val != &set->test) {
            (void)evaluate(net, set, &set->test, &batch, NULL, NULL, &stats->test); // likewise
        }
        batch_release(&batch);
    }
    net_free(net);
    free(layers);
    return rc;
}

static void add_metric(struct outcome *outcome, const char *name, double computed, double stored) {
    outcome->metrics[outcome->count++] = (struct metric){name, computed, stored};
    outcome->equal = outcome->equal && num_same_bits(computed, stored);
}

static int compare(const struct checkpoint_state *state, const struct parts_stats *stats,
                   struct outcome *outcome, struct err *err) {
    struct history history = {0};
    int rc = history_parse(&history, state->history, err);
    if (rc != ERR_OK) {
        return rc;
    }
    bool has_stored = state->at.step == 0 && history.count > 0 && history.count == state->at.epoch;
    const struct record none = {0},
                        *last = has_stored ? &history.records[history.count - 1] : &none;
    outcome->at = state->at;
    outcome->has_stored = outcome->equal = has_stored;
    add_metric(outcome, "val_loss", stats_loss(&stats->val), last->val_loss);
    add_metric(outcome, "val_accuracy", stats_accuracy(&stats->val), last->val_accuracy);
    if (stats->test.samples > 0) {
        add_metric(outcome, "test_loss", stats_loss(&stats->test), last->test_loss);
        add_metric(outcome, "test_accuracy", stats_accuracy(&stats->test), last->test_accuracy);
    }
    history_release(&history);
    return ERR_OK;
}

static enum command_numerics compute_as_trained(const struct arguments *arguments, const char *path,
                                                const char *cache_dir, const char *trial) {
    const char *slash = strrchr(path, '/');
    char *dir = slash == NULL ? mem_strdup(".") : mem_printf("%.*s", (int)(slash - path) + 1, path);
    const char *const text[] = {
        "besom-trainer", "eval", "--cache-dir", cache_dir, "--", path, NULL};
    const char *const json[] = {"besom-trainer", "eval", "--cache-dir", cache_dir,
                                "--json",        "--",   path,          NULL};
    enum command_numerics numerics =
        command_compute_as_begun(dir, trial, "is evaluated", arguments->json ? json : text);
    free(dir);
    return numerics;
}

static int evaluate_file(const struct arguments *arguments, struct outcome *outcome,
                         struct err *err) {
    struct checkpoint *checkpoint = NULL;
    struct config config = {0};
    struct dataset set = {0};
    struct parts_stats stats = {0};
    char *cache = command_cache_dir(arguments->cache_dir);
    char *path = NULL;
    int rc = checkpoint_latest_path(&path, arguments->path, err);
    rc = rc == ERR_OK ? checkpoint_open(&checkpoint, path, err) : rc;
    if (rc == ERR_OK) {
        const struct checkpoint_state *state = checkpoint_state(checkpoint);
        command_choose_kernels(cache);
        outcome->numerics = compute_as_trained(arguments, path, cache, state->identity);
        rc = read_config(&config, state->config, err);
        rc = rc == ERR_OK ? open_data(&set, &config, cache, state->dataset, err) : rc;
        rc = rc == ERR_OK ? compute(checkpoint, &config, &set, &stats, err) : rc;
        rc = rc == ERR_OK ? compare(state, &stats, outcome, err) : rc;
        if (rc != ERR_OK) {
            (void)err_wrap(err, "%s", path);
        }
    }
    dataset_close(&set);
    config_release(&config);
    checkpoint_close(checkpoint);
    free(path);
    free(cache);
    return rc;
}

static void print_metrics(struct buf *out, const struct outcome *outcome, bool stored) {
    for (int i = 0; i < outcome->count; i++) {
        const struct metric *metric = &outcome->metrics[i];
        buf_printf(out, "%s\"%s\": ", i == 0 ? "" : ", ", metric->name);
        buf_json_number(out, stored ? metric->stored : metric->computed);
    }
}

static void print_json(const struct outcome *outcome) {
    struct buf out = {0};
    buf_printf(&out, "{\"at_epoch\": %d, \"step\": %d, ", outcome->at.epoch, outcome->at.step);
    print_metrics(&out, outcome, false);
    if (outcome->has_stored) {
        buf_puts(&out, ", \"stored\": {");
        print_metrics(&out, outcome, true);
        buf_printf(&out, "}, \"equal\": %s}", outcome->equal ? "true" : "false");
    } else {
        buf_puts(&out, ", \"stored\": null}");
    }
    (void)puts(buf_text(&out)); // command_finish() tells of a failure
    buf_release(&out);
}

static void print_line(const char *name, double computed, double stored, bool has_stored) {
    char number[NUM_TEXT_MAX], other[NUM_TEXT_MAX];
    (void)num_format(number, computed); // only the text is of use
    (void)num_format(other, stored);
    (void)printf("%-13s %-20s", name, number);
    if (has_stored && num_same_bits(computed, stored)) {
        (void)printf(" equals the stored one");
    } else if (has_stored) {
        (void)printf(" DIFFERS from the stored %s", other);
    }
    (void)putchar('\n');
}

static void print_text(const struct outcome *outcome) {
    (void)printf("epoch         %d", outcome->at.epoch); // command_finish() tells of a failure
    if (outcome->at.step > 0) {
        (void)printf(" and %d batches of the next", outcome->at.step);
    }
    if (!outcome->has_stored) {
        (void)printf(": nothing is stored to compare with");
    }
    (void)putchar('\n');
    for (int i = 0; i < outcome->count; i++) {
        const struct metric *metric = &outcome->metrics[i];
        print_line(metric->name, metric->computed, metric->stored, outcome->has_stored);
    }
}

/* Why it may be so, where command_compute_as_begun() had nothing to tell. */
static void explain_difference(void) {
    struct buf text = {0};
    buf_puts(&text, "besom-trainer: this is computed with ");
    numerics_describe(&text);
    buf_puts(&text,
             "; what it was trained with, which the last bits depend on, is not known: there is no "
             "origin.json of the training beside the checkpoint");
    (void)fprintf(stderr, "%s\n", buf_text(&text)); // a note
    buf_release(&text);
}

int cmd_eval(int argc, char **argv) {
    const struct argp argp = {options, parse, "CHECKPOINT", doc, NULL, NULL, NULL};
    struct arguments arguments = {0};
    command_parse(&argp, argc, argv, &arguments);

    numerics_pin();
    struct outcome outcome = {0};
    struct err err;
    if (evaluate_file(&arguments, &outcome, &err) != ERR_OK) {
        return command_fail(&err);
    }
    if (arguments.json) {
        print_json(&outcome);
    } else {
        print_text(&outcome);
    }
    if (!outcome.has_stored || outcome.equal) {
        return command_finish(STATUS_DONE);
    }
    if (outcome.numerics == COMMAND_NUMERICS_UNKNOWN) {
        explain_difference();
    }
    return command_finish(STATUS_FAILED);
}
