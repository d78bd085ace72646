#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/num.h"
#include "base/spark.h"
#include "trainer/commands.h"
#include "trainer/numerics.h"
#include "trainer/probe.h"

#include <argp.h>
#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { OPTION_CACHE_DIR = 256, OPTION_JSON, OPTION_SAMPLES, OPTION_DATA };

static const struct argp_option options[] = {
    {"data", OPTION_DATA, "WHAT", 0,
     "images: those of the data set that epochs are evaluated with (default); unit-normal: "
     "independent normal numbers in their place",
     0},
    {"samples", OPTION_SAMPLES, "N", 0, "How many of them (default: 1000)", 0},
    {"json", OPTION_JSON, NULL, 0, "Print one JSON object", 0},
    {"cache-dir", OPTION_CACHE_DIR, "DIR", 0, command_cache_dir_help, 0},
    {0},
};

static const char doc[] =
    "Examples:\n"
    "  besom-trainer probe                            five initializations\n"
    "  besom-trainer probe a.json b.json              what each CONFIG begins with\n"
    "  besom-trainer probe a.json --data unit-normal\n"
    "\n"
    "Initializes the network of each CONFIG, runs samples through it and back, and shows how each "
    "layer's outputs are spread, without training anything. Outputs that keep their spread from "
    "layer to layer are what to look for.\v"
    "Without CONFIG it shows ten layers of 500 units on unit-normal data: tanh and relu with "
    "normal, "
    "xavier and he weights. Histograms of the same kind of layer have the same range.";

/* The experiment without CONFIG. */
static const char *const experiment[] = {
    "{\"model\": \"deep10\", \"activation\": \"tanh\", \"init\": {\"name\": \"normal\", \"std\": "
    "0.02}}",
    "{\"model\": \"deep10\", \"activation\": \"tanh\", \"init\": {\"name\": \"normal\", \"std\": "
    "1}}",
    "{\"model\": \"deep10\", \"activation\": \"tanh\", \"init\": \"xavier_normal\"}",
    "{\"model\": \"deep10\", \"activation\": \"relu\", \"init\": \"xavier_normal\"}",
    "{\"model\": \"deep10\", \"activation\": \"relu\", \"init\": \"he_normal\"}",
};
enum { EXPERIMENT_COUNT = sizeof experiment / sizeof *experiment };

struct arguments {
    char **paths; // borrowed from argv
    int path_count;
    const char *cache_dir;
    bool json, unit_normal;
    int samples;
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *arguments = state->input;
    int64_t samples;
    switch (key) {
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case OPTION_CACHE_DIR:
        arguments->cache_dir = arg;
        return 0;
    case OPTION_SAMPLES:
        if (!num_parse_int(arg, 1, PROBE_SAMPLES_MAX, &samples)) {
            argp_error(state, "--samples must be an integer from 1 to %d, not \"%s\"",
                       PROBE_SAMPLES_MAX, arg);
        }
        arguments->samples = (int)samples;
        return 0;
    case OPTION_DATA:
        arguments->unit_normal = strcmp(arg, "unit-normal") == 0;
        if (!arguments->unit_normal && strcmp(arg, "images") != 0) {
            argp_error(state, "--data must be images or unit-normal, not \"%s\"", arg);
        }
        return 0;
    case ARGP_KEY_ARGS:
        arguments->paths = state->argv + state->next;
        arguments->path_count = state->argc - state->next;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- for people ---- */

/* "tanh" of "3 tanh": layers of a kind share the range of their histograms. */
static const char *kind_of(const struct look_layer *layer) {
    return strrchr(layer->name, ' ') + 1;
}

static void range_of(const struct look *look, const char *kind, double *low, double *high) {
    *low = INFINITY;
    *high = -INFINITY;
    for (int i = 0; i < look->count; i++) {
        if (strcmp(kind_of(&look->layers[i]), kind) == 0) {
            *low = fmin(*low, look->layers[i].output.low);
            *high = fmax(*high, look->layers[i].output.high);
        }
    }
}

static void put_number(struct buf *out, double value) {
    char text[NUM_TEXT_MAX];
    (void)num_human(text, value, 3); // only the text is of use
    buf_printf(out, " %8s", text);
}

/* "100%"; what is not all or nothing is not shown as such. */
static void put_share(struct buf *out, double share) {
    if (isnan(share)) {
        buf_printf(out, " %4s", "-");
    } else if (share > 0 && share < 0.01) {
        buf_printf(out, " %4s", "<1%");
    } else {
        buf_printf(out, " %3.0f%%", share == 1 ? 100.0 : fmin(floor(100 * share + 0.5), 99));
    }
}

/* Columns: of the names, and of what is left of the terminal for histograms. */
struct widths {
    int name, histogram;
};

static void put_row(struct buf *out, const struct look *look, const struct look_layer *layer,
                    const struct widths *widths) {
    buf_printf(out, "  %-*s", widths->name, layer->name);
    put_number(out, layer->output.mean);
    put_number(out, layer->output.std);
    put_number(out, layer->output.min);
    put_number(out, layer->output.max);
    put_share(out, layer->dead);
    put_share(out, layer->saturated);
    if (layer->gradient.count > 0) {
        put_number(out, layer->gradient.std);
    } else {
        buf_printf(out, " %8s", "-");
    }
    double counts[LOOK_BINS], low, high;
    for (int i = 0; i < LOOK_BINS; i++) {
        counts[i] = (double)layer->output.bins[i];
    }
    range_of(look, kind_of(layer), &low, &high);
    buf_putc(out, ' ');
    spark_put(out, &(struct spark_bins){counts, LOOK_BINS, layer->output.low, layer->output.high},
              low, high, widths->histogram, strcmp(nl_langinfo(CODESET), "UTF-8") == 0);
    buf_putc(out, '\n');
}

/* A line for each kind of layer: "  histograms of tanh are from -1 to 1" */
static void put_ranges(struct buf *out, const struct look *look) {
    for (int i = 0; i < look->count; i++) {
        const char *kind = kind_of(&look->layers[i]);
        int first = 0;
        while (strcmp(kind_of(&look->layers[first]), kind) != 0) {
            first++;
        }
        if (first == i) {
            char from[NUM_TEXT_MAX], to[NUM_TEXT_MAX];
            double low, high;
            range_of(look, kind, &low, &high);
            (void)num_human(from, low, 3); // only the text is of use
            (void)num_human(to, high, 3);
            buf_printf(out, "  histograms of %s are from %s to %s\n", kind, from, to);
        }
    }
}

static struct widths measure(const struct look *look) {
    enum { NUMBERS = 59, COLUMNS = 80, NAME_LEAST = 11, HISTOGRAM_LEAST = 10 };
    struct widths widths = {.name = NAME_LEAST};
    for (int i = 0; i < look->count; i++) {
        int len = (int)strlen(look->layers[i].name);
        widths.name = len > widths.name ? len : widths.name;
    }
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    int left = (known ? size.ws_col : COLUMNS) - NUMBERS - widths.name;
    widths.histogram = left < HISTOGRAM_LEAST ? HISTOGRAM_LEAST
                       : left > LOOK_BINS     ? LOOK_BINS
                                              : left;
    return widths;
}

static void put_table(struct buf *out, const char *title, const struct probe *probe,
                      bool unit_normal) {
    const struct widths widths = measure(&probe->look);
    buf_printf(out, "%s, %d %s\n", title, probe->samples,
               unit_normal ? "unit-normal samples" : "images");
    buf_printf(out, "  %-*s %8s %8s %8s %8s %4s %4s %8s\n", widths.name, "layer", "mean", "std",
               "min", "max", "dead", "sat.", "grad.std");
    for (int i = 0; i < probe->look.count; i++) {
        put_row(out, &probe->look, &probe->look.layers[i], &widths);
    }
    put_ranges(out, &probe->look);
}

/* ---- --json ---- */

static void put_json(struct buf *out, const char *name, const struct config *config,
                     const struct probe *probe, bool unit_normal) {
    buf_puts(out, "{\"file\": ");
    if (name == NULL) {
        buf_puts(out, "null");
    } else {
        buf_json_string(out, name, strlen(name));
    }
    buf_printf(out, ", \"config\": %s, \"data\": \"%s\", \"samples\": %d, \"layers\": [",
               config->canonical, unit_normal ? "unit-normal" : "images", probe->samples);
    for (int i = 0; i < probe->look.count; i++) {
        buf_puts(out, i == 0 ? "\n" : ",\n");
        look_print(out, &probe->look.layers[i], 0);
    }
    buf_puts(out, "]}");
}

/* ---- the whole ---- */

/* `path` NULL: config `number` of the experiment. */
static int load_config(struct config *config, const char *path, int number) {
    if (path != NULL) {
        return command_load_config(config, path);
    }
    struct json_doc *json = NULL;
    struct err err;
    const char *text = experiment[number];
    struct complaint_list nobody = {0}; // there is nothing to complain of
    int rc = json_parse(&json, "experiment", text, strlen(text), JSON_STRICT, &err);
    rc = rc == ERR_OK ? config_parse(config, json_root(json), command_complain, &nobody) : rc;
    json_free(json);
    return rc == ERR_OK ? STATUS_DONE : STATUS_FAILED;
}

static int probe_one(struct buf *out, const struct arguments *arguments, const char *path,
                     int number, const char *cache) {
    struct config config = {0};
    struct probe probe = {0};
    int status = load_config(&config, path, number);
    bool unit_normal = arguments->unit_normal || path == NULL;
    if (status == STATUS_DONE) {
        const struct probe_options how = {.samples = arguments->samples,
                                          .unit_normal = unit_normal,
                                          .no_data = path == NULL,
                                          .cache_dir = cache};
        struct err err;
        if (probe_take(&probe, &config, &how, &err) != ERR_OK) {
            if (path != NULL) {
                (void)err_wrap(&err, "%s", path);
            }
            status = command_fail(&err);
        } else if (arguments->json) {
            put_json(out, path, &config, &probe, unit_normal);
        } else {
            put_table(out, path != NULL ? path : experiment[number], &probe, unit_normal);
        }
    }
    probe_release(&probe);
    config_release(&config);
    return status;
}

int cmd_probe(int argc, char **argv) {
    const struct argp argp = {options, parse, "[CONFIG...]", doc, NULL, NULL, NULL};
    struct arguments arguments = {.samples = PROBE_SAMPLES};
    command_parse(&argp, argc, argv, &arguments);

    (void)setlocale(LC_CTYPE, ""); // for block characters; without it there are plain ones
    numerics_pin();
    char *cache = command_cache_dir(arguments.cache_dir);
    command_choose_kernels(cache);
    struct buf out = {0};
    int status = STATUS_DONE,
        count = arguments.path_count > 0 ? arguments.path_count : EXPERIMENT_COUNT;
    buf_puts(&out, arguments.json ? "{\"probes\": [" : "");
    for (int i = 0; i < count && status == STATUS_DONE; i++) {
        if (i > 0) {
            buf_puts(&out, arguments.json ? ",\n" : "\n");
        }
        status = probe_one(&out, &arguments, arguments.path_count > 0 ? arguments.paths[i] : NULL,
                           i, cache);
    }
    buf_puts(&out, arguments.json ? "]}\n" : "");
    if (status == STATUS_DONE) {
        (void)fputs(buf_text(&out), stdout); // command_finish() tells of a failure
    }
    buf_release(&out);
    free(cache);
    return command_finish(status);
}
