#include "base/diag.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "trainer/augment.h"
#include "trainer/commands.h"
#include "trainer/config.h"
#include "trainer/data.h"
#include "trainer/evaluate.h"
#include "trainer/net.h"
#include "trainer/weights.h"

#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_CACHE_DIR = 256 };

static const struct argp_option options[] = {
    {"cache-dir", OPTION_CACHE_DIR, "DIR", 0, command_cache_dir_help, 0},
    {0},
};

static const char doc[] =
    "Examples:\n"
    "  besom-trainer check config.json\n"
    "  echo '{\"optimizer\": \"adm\"}' | besom-trainer check\n"
    "\n"
    "Says what is wrong with each FILE.  Without one, reads a config a line from stdin and answers "
    "each with a line: its identity, number of epochs and the fingerprint of its data, or its "
    "errors.\v"
    "Everything is looked at that a training needs: keys, ranges, the data set (which is decoded "
    "into "
    "the cache), and whether the layers fit together.";

struct arguments {
    const char *cache_dir;
    char **files; // borrowed from argv
    int file_count;
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_CACHE_DIR:
        arguments->cache_dir = arg;
        return 0;
    case ARGP_KEY_ARGS:
        arguments->files = state->argv + state->next;
        arguments->file_count = state->argc - state->next;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- data sets, each opened once ---- */

struct opened {
    char *identity;     // owned: of the config's `dataset`
    struct dataset set; // its sizes; its arrays are gone: there may be as many sets as trials
    int rc;             // of dataset_open()
    struct err err;     // why it could not be opened
};

/* Likewise the files of init_from. */
struct opened_weights {
    char *path; // owned
    struct weights *weights;
    int rc; // of weights_open()
    struct err err;
};

struct checker {
    char *cache_dir;      // owned
    struct opened **sets; // owned, and each of them
    int set_count;
    struct opened_weights **weights; // owned, and each of them
    int weights_count;
};

static int open_sizes(struct dataset *sizes, const struct dataset_spec *spec, const char *cache_dir,
                      struct err *err) {
    struct dataset set;
    int rc = dataset_open(&set, spec, cache_dir, err);
    if (rc == ERR_OK) {
        *sizes = (struct dataset){.train.count = set.train.count,
                                  .validation.count = set.validation.count,
                                  .test.count = set.test.count,
                                  .shape = set.shape,
                                  .type = set.type,
                                  .classes = set.classes};
        memcpy(sizes->hash, set.hash, sizeof set.hash);
        dataset_close(&set);
    }
    return rc;
}

static const struct opened *open_once(struct checker *checker, const struct config *config) {
    struct buf identity = {0};
    const struct cJSON *member = json_get(config->identity, "dataset");
    if (member != NULL) { // else all of it is at its defaults
        json_print_canonical(&identity, member);
    }
    for (int i = 0; i < checker->set_count; i++) {
        if (strcmp(checker->sets[i]->identity, buf_text(&identity)) == 0) {
            buf_release(&identity);
            return checker->sets[i];
        }
    }
    struct opened *opened = mem_zalloc(1, sizeof *opened);
    opened->identity = buf_detach(&identity);
    opened->rc = open_sizes(&opened->set, &config->dataset, checker->cache_dir, &opened->err);
    checker->sets =
        mem_resize(checker->sets, (size_t)checker->set_count + 1, sizeof *checker->sets);
    checker->sets[checker->set_count++] = opened;
    return opened;
}

static const struct opened_weights *open_weights_once(struct checker *checker, const char *path) {
    for (int i = 0; i < checker->weights_count; i++) {
        if (strcmp(checker->weights[i]->path, path) == 0) {
            return checker->weights[i];
        }
    }
    struct opened_weights *opened = mem_zalloc(1, sizeof *opened);
    opened->path = mem_strdup(path);
    opened->rc = weights_open(&opened->weights, path, &opened->err);
    checker->weights =
        mem_resize(checker->weights, (size_t)checker->weights_count + 1, sizeof *checker->weights);
    checker->weights[checker->weights_count++] = opened;
    return opened;
}

static void checker_release(struct checker *checker) {
    for (int i = 0; i < checker->weights_count; i++) {
        weights_close(checker->weights[i]->weights);
        free(checker->weights[i]->path);
        free(checker->weights[i]);
    }
    free(checker->weights);
    for (int i = 0; i < checker->set_count; i++) {
        free(checker->sets[i]->identity);
        free(checker->sets[i]);
    }
    free(checker->sets);
    free(checker->cache_dir);
}

/* ---- checking ---- */

/* Whether the network can begin with the weights that it shall begin with. */
static int check_weights(struct checker *checker, const struct config *config,
                         const struct layer_spec *layers, int count, const struct dataset *set,
                         struct err *err) {
    if (config->init_from.path[0] == '\0') {
        return ERR_OK;
    }
    const struct opened_weights *opened = open_weights_once(checker, config->init_from.path);
    if (opened->rc != ERR_OK) {
        *err = opened->err;
        return opened->rc;
    }
    struct net *net = NULL; // for the names and shapes of its tensors: the smallest batch will do
    int rc = net_new(&net, layers, count, set->shape, set->classes, &config->loss, 1, err);
    rc = rc == ERR_OK ? weights_check(opened->weights, net, config->init_from.strict, err) : rc;
    net_free(net);
    return rc;
}

/* What only the data can tell.  Returns the path of what is wrong, NULL when all is well. */
static const char *check_data(struct checker *checker, const struct config *config,
                              struct err *err) {
    const struct opened *opened = open_once(checker, config);
    if (opened->rc != ERR_OK) {
        *err = opened->err;
        return "dataset";
    }
    const struct dataset *set = &opened->set;
    struct layer_spec *layers = NULL;
    int count = 0;
    config_layers(config, set->classes, &layers, &count);
    int rc = net_check(layers, count, set->shape, set->classes,
                       batch_size_for(config->batch_size, set), NULL, NULL, err);
    const char *path = "model";
    if (rc == ERR_OK) {
        path = "batch_size";
        rc = net_check_training(layers, count, set->shape, set->classes,
                                training_batch(config->batch_size, set), err);
    }
    if (rc == ERR_OK && check_weights(checker, config, layers, count, set, err) != ERR_OK) {
        rc = err->code;
        path = "init_from";
    }
    free(layers);
    rc = rc == ERR_OK ? augment_check(&config->augment, set->shape, &path, err) : rc;
    return rc == ERR_OK ? NULL : path;
}

/* The value at a path of members, or the last one that is there on the way to it. */
static const struct cJSON *value_at(const struct cJSON *json, const char *path) {
    char *names = mem_strdup(path), *rest = names;
    for (char *name = strsep(&rest, "."); name != NULL; name = strsep(&rest, ".")) {
        const struct cJSON *member = json_type(json) == JSON_OBJECT ? json_get(json, name) : NULL;
        if (member == NULL) {
            break;
        }
        json = member;
    }
    free(names);
    return json;
}

/* What is said of one key of a data set begins with it, "dataset.train: ...": takes it off the message and
 * returns it, kept in `key`.  Else what is said is of the whole. */
static const char *take_key(char key[64], const char **message) {
    size_t len = strspn(*message, "abcdefghijklmnopqrstuvwxyz_.");
    if (strncmp(*message, "dataset.", strlen("dataset.")) != 0 || len >= 64 ||
        strncmp(*message + len, ": ", 2) != 0) {
        return "dataset";
    }
    memcpy(key, *message, len);
    key[len] = '\0';
    *message += len + 2;
    return key;
}

/* ERR_FULL: nothing is wrong with the config, but its data cannot be decoded on a full disk. */
static int check_config(struct checker *checker, struct config *config, const struct cJSON *json,
                        config_complain_fn *complain, void *context) {
    if (config_parse(config, json, complain, context) != ERR_OK) {
        return ERR_RANGE;
    }
    struct err err;
    const char *path = check_data(checker, config, &err);
    if (path == NULL) {
        return ERR_OK;
    }
    char key[64];
    const char *message = err.msg;
    path = strcmp(path, "dataset") == 0 ? take_key(key, &message) : path;
    complain(context, &(struct config_complaint){path, message, value_at(json, path)});
    return err.code == ERR_FULL ? ERR_FULL : ERR_RANGE;
}

/* ---- for programs: a line for a line ---- */

static void append_error(void *context, const struct config_complaint *complaint) {
    struct cJSON *error = json_new_object();
    json_set(error, "path", json_new_string(complaint->path));
    json_set(error, "message", json_new_string(complaint->message));
    json_append(context, error);
}

static struct cJSON *answer(struct checker *checker, const char *text, size_t len) {
    struct cJSON *errors = json_new_array(), *answer = json_new_object();
    struct json_doc *json = NULL;
    struct config config = {0};
    struct err err;
    int rc = json_parse(&json, "config", text, len, JSON_STRICT, &err);
    if (rc != ERR_OK) {
        append_error(errors, &(struct config_complaint){"", err.msg, NULL});
    } else {
        rc = check_config(checker, &config, json_root(json), append_error, errors);
    }
    json_set(answer, "ok", json_new_bool(rc == ERR_OK));
    if (rc == ERR_OK) {
        json_set(answer, "identity", json_copy(config.identity));
        json_set(answer, "epochs", json_new_number(config.epochs));
        json_set(answer, "fingerprint", json_new_string(open_once(checker, &config)->set.hash));
        json_delete(errors);
    } else {
        json_set(answer, "errors", errors);
    }
    if (rc == ERR_FULL) {
        json_set(answer, "reason", json_new_string("disk full"));
    }
    config_release(&config);
    json_free(json);
    return answer;
}

static int answer_lines(struct checker *checker) {
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    struct buf out = {0};
    bool good = true;
    while (good && (len = getline(&line, &cap, stdin)) >= 0) {
        bool ended = len > 0 && line[len - 1] == '\n';
        struct cJSON *reply = answer(checker, line, (size_t)len - ended);
        buf_clear(&out);
        json_print(&out, reply);
        buf_putc(&out, '\n');
        json_delete(reply);
        good = fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    }
    int status = STATUS_DONE;
    if (ferror(stdin)) {
        (void)fprintf(stderr, "besom-trainer: read stdin: %s\n", strerror(errno));
        status = STATUS_STORAGE;
    }
    buf_release(&out);
    free(line);
    return status;
}

/* ---- for people ---- */

static int check_file(struct checker *checker, const char *path) {
    struct json_doc *json = NULL;
    struct err err;
    if (json_load(&json, path, JSON_COMMENTS, &err) != ERR_OK) {
        return command_fail(&err);
    }
    struct diag diag = {0};
    struct complaint_list list = {&diag, json};
    struct config config;
    int rc = check_config(checker, &config, json_root(json), command_complain, &list);
    diag_finish(&diag);
    if (rc == ERR_OK) {
        (void)printf("%s: ok, dataset %s\n", path, // command_finish() tells of a failure
                     open_once(checker, &config)->set.hash);
    } else {
        (void)fputs(buf_text(&diag.text), stderr); // nowhere left to report a failure
    }
    diag_release(&diag);
    config_release(&config);
    json_free(json);
    return rc == ERR_OK ? STATUS_DONE : rc == ERR_FULL ? STATUS_STORAGE : STATUS_MISUSE;
}

int cmd_check(int argc, char **argv) {
    const struct argp argp = {options, parse, "[FILE...]", doc, NULL, NULL, NULL};
    struct arguments arguments = {0};
    command_parse(&argp, argc, argv, &arguments);

    struct checker checker = {.cache_dir = command_cache_dir(arguments.cache_dir)};
    int status = arguments.file_count == 0 ? answer_lines(&checker) : STATUS_DONE;
    for (int i = 0; i < arguments.file_count; i++) {
        int one = check_file(&checker, arguments.files[i]);
        status = one > status ? one : status;
    }
    checker_release(&checker);
    return command_finish(status);
}
