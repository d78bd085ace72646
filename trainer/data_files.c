/* trainer/data_files.c - the formats, and how a folder is told to hold one: by the names of its files.
 *
 * Any file of a format tells it; the others must then be there as well.  Every file may be gzipped. */
#include "trainer/data_internal.h"

#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char DATASETS[] = "/usr/share/datasets";

enum keys { KEY_SPLIT = 1, KEY_LABELS = 2, KEY_CSV = 4 };

struct format {
    const char *what;
    const char *names[DATA_FILE_MAX]; // "%s" is EMNIST's split
    unsigned keys;                    // of `dataset` that are for this format
    data_decode_fn *decode;
};

static const struct format formats[] = {
    {"mnist",
     {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
      "t10k-labels-idx1-ubyte"},
     0,
     data_decode_mnist},
    {"emnist",
     {"emnist-%s-train-images-idx3-ubyte", "emnist-%s-train-labels-idx1-ubyte",
      "emnist-%s-test-images-idx3-ubyte", "emnist-%s-test-labels-idx1-ubyte"},
     KEY_SPLIT,
     data_decode_emnist},
    {"cifar-10",
     {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
      "data_batch_5.bin", "test_batch.bin"},
     0,
     data_decode_cifar10},
    {"cifar-100", {"train.bin", "test.bin"}, KEY_LABELS, data_decode_cifar100},
    {"npy",
     {"train-images.npy", "train-labels.npy", "test-images.npy", "test-labels.npy"},
     0,
     data_decode_npy},
    {"csv", {"train.csv", "test.csv"}, KEY_CSV, data_decode_csv},
};
enum { FORMAT_COUNT = sizeof formats / sizeof *formats };

/* ---- folders ---- */

static bool is_folder(const char *name) {
    return strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static char *folder_of(const char *name) {
    if (!is_folder(name)) {
        return mem_printf("%s/%s", DATASETS, name);
    }
    char *resolved = realpath(name, NULL); // one cache file, whatever the folder is called
    return resolved != NULL ? resolved : mem_strdup(name);
}

/* A format's file name, with EMNIST's split in its place. */
static char *file_name(const char *pattern, enum emnist_split split) {
    const char *hole = strstr(pattern, "%s");
    return hole == NULL ? mem_strdup(pattern)
                        : mem_printf("%.*s%s%s", (int)(hole - pattern), pattern,
                                     emnist_names[split], hole + 2);
}

/* The path and the stamp of FOLDER/NAME or FOLDER/NAME.gz. */
static int find_file(const char *folder, const char *name, char **path, struct file_stamp *stamp,
                     struct err *err) {
    static const char *const endings[] = {"", ".gz"};
    for (int e = 0; e < 2; e++) {
        char *tried = mem_printf("%s/%s%s", folder, name, endings[e]);
        int rc = file_stamp_of(tried, stamp, err);
        if (rc == ERR_OK) {
            *path = tried;
            return ERR_OK;
        }
        free(tried);
        if (rc != ERR_NOT_FOUND) { // it is there, but cannot be looked at
            return rc;
        }
    }
    return err_set(err, ERR_NOT_FOUND, "no %s[.gz] in %s", name, folder);
}

static bool has_any(const char *folder, const struct format *format, enum emnist_split split) {
    bool found = false;
    for (int i = 0; i < DATA_FILE_MAX && format->names[i] != NULL && !found; i++) {
        char *name = file_name(format->names[i], split), *path = NULL;
        struct file_stamp stamp;
        struct err err;
        found = find_file(folder, name, &path, &stamp, &err) != ERR_NOT_FOUND;
        free(path);
        free(name);
    }
    return found;
}

/* ---- which format ---- */

/* The one split of EMNIST that the folder holds; EMNIST_UNSAID when it holds none. */
static int find_split(const char *folder, const struct format *format, enum emnist_split *split,
                      struct err *err) {
    struct buf names = {0};
    int count = 0;
    for (int i = 0; i < EMNIST_COUNT; i++) {
        if (has_any(folder, format, (enum emnist_split)i)) {
            *split = (enum emnist_split)i;
            buf_printf(&names, "%s\"%s\"", count++ > 0 ? ", " : "", emnist_names[i]);
        }
    }
    int rc = ERR_OK;
    if (count == 0) {
        *split = EMNIST_UNSAID;
    } else if (count > 1) {
        rc = err_set(err, ERR_RANGE,
                     "%s holds several splits of EMNIST: \"split\" must be one of %s", folder,
                     buf_text(&names));
    }
    buf_release(&names);
    return rc;
}

/* The set that a misspelt name means; NULL when there is none near. */
static const char *meant_set(const char *name) {
    static const char *const installed[] = {"fashion-mnist", "mnist"};
    const char *names[DATASET_SYNTHETIC_COUNT + 2];
    memcpy(names, dataset_names, DATASET_SYNTHETIC_COUNT * sizeof *names);
    memcpy(names + DATASET_SYNTHETIC_COUNT, installed, sizeof installed);
    const char *nearest =
        is_folder(name) ? NULL : diag_nearest(name, names, sizeof names / sizeof *names);
    return nearest != NULL && strcmp(nearest, name) != 0 ? nearest : NULL;
}

static int complain_nothing(const char *name, const char *folder, struct err *err) {
    const char *meant = meant_set(name);
    if (meant != NULL) {
        return err_set(err, ERR_NOT_FOUND, "no files of a known format in %s; did you mean \"%s\"?",
                       folder, meant);
    }
    if (strcmp(name, "fashion-mnist") == 0) {
        return err_set(err, ERR_NOT_FOUND,
                       "no train-images-idx3-ubyte[.gz] in %s; apt-get install "
                       "dataset-fashion-mnist puts it there",
                       folder);
    }
    struct buf firsts = {0};
    for (int i = 0; i < FORMAT_COUNT; i++) {
        const char *separator = i == 0 ? "" : i == FORMAT_COUNT - 1 ? " nor " : ", ";
        char *first = file_name(formats[i].names[0], EMNIST_BALANCED);
        buf_printf(&firsts, "%s%s", separator, first);
        free(first);
    }
    int rc =
        err_set(err, ERR_NOT_FOUND,
                "neither %s in %s; a data set is \"fashion-mnist\", \"mnist\", \"blobs\", "
                "\"spirals\", \"sparse\" or a folder (with a '/') that holds MNIST's, EMNIST's, "
                "CIFAR's, NumPy's or CSV files",
                buf_text(&firsts), folder);
    buf_release(&firsts);
    return rc;
}

static int find_format(const struct dataset_spec *spec, const char *folder,
                       const struct format **found, enum emnist_split *split, struct err *err) {
    const struct format *fallback = NULL;
    *found = NULL;
    *split = spec->split;
    for (int i = 0; i < FORMAT_COUNT; i++) {
        const struct format *format = &formats[i];
        bool holds;
        if (!(format->keys & KEY_SPLIT)) {
            holds = has_any(folder, format, EMNIST_UNSAID);
        } else if (spec->split != EMNIST_UNSAID) {
            holds = has_any(folder, format, spec->split);
        } else {
            int rc = find_split(folder, format, split, err);
            if (rc != ERR_OK) {
                return rc;
            }
            holds = *split != EMNIST_UNSAID;
        }
        if (holds && *found != NULL) {
            return err_set(
                err, ERR_RANGE,
                "%s holds files of two formats, %s and %s: give each a folder of its own", folder,
                (*found)->what, format->what);
        }
        *found = holds ? format : *found;
        fallback = format->keys & KEY_SPLIT ? format : fallback;
    }
    if (*found == NULL && spec->split != EMNIST_UNSAID) {
        *found = fallback; // whose files are missing is clear
    }
    return *found != NULL ? ERR_OK : complain_nothing(spec->name, folder, err);
}

/* Keys that say something about another format are mistakes. */
static int check_keys(const struct dataset_spec *spec, const struct format *format,
                      const char *folder, struct err *err) {
    const struct {
        unsigned key;
        bool said;
        const char *name, *owner;
    } keys[] = {
        {KEY_SPLIT, spec->split != EMNIST_UNSAID, "split", "EMNIST"},
        {KEY_LABELS, spec->coarse, "labels", "CIFAR-100"},
        {KEY_CSV, spec->label.name != NULL || spec->label.column > 0, "label", "CSV files"},
        {KEY_CSV, spec->csv_shape.C > 0, "shape", "CSV files"},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (keys[i].said && !(format->keys & keys[i].key)) {
            return err_set(err, ERR_RANGE, "\"%s\" is for %s, and %s holds %s", keys[i].name,
                           keys[i].owner, folder, format->what);
        }
    }
    return ERR_OK;
}

/* ---- the files ---- */

static char *variant_of(const struct dataset_spec *spec, const struct format *format,
                        enum emnist_split split) {
    struct buf text = {0};
    buf_puts(&text, format->what);
    if (format->keys & KEY_SPLIT) {
        buf_printf(&text, " %s", emnist_names[split]);
    }
    if (format->keys & KEY_LABELS) {
        buf_puts(&text, spec->coarse ? " coarse" : " fine");
    }
    if (format->keys & KEY_CSV) {
        const struct shape *shape = &spec->csv_shape;
        buf_printf(&text, " %d %dx%dx%d %s", spec->label.column, shape->C, shape->H, shape->W,
                   spec->label.name != NULL ? spec->label.name : "");
    }
    return buf_detach(&text);
}

static int find_in(struct data_source *source, const struct dataset_spec *spec, struct err *err) {
    source->spec = spec;
    source->folder = folder_of(spec->name);
    const struct format *format = NULL;
    enum emnist_split split = EMNIST_UNSAID;
    int rc = find_format(spec, source->folder, &format, &split, err);
    rc = rc == ERR_OK ? check_keys(spec, format, source->folder, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    source->decode = format->decode;
    source->split = split;
    source->variant = variant_of(spec, format, split);
    while (source->count < DATA_FILE_MAX && format->names[source->count] != NULL && rc == ERR_OK) {
        int i = source->count++;
        char *name = file_name(format->names[i], split);
        rc = find_file(source->folder, name, &source->path[i], &source->stamp[i], err);
        free(name);
    }
    return rc;
}

int data_find(struct data_source *source, const struct dataset_spec *spec, struct err *err) {
    assert(spec->kind == DATASET_FILES);
    struct data_source found = {0};
    int rc = find_in(&found, spec, err);
    if (rc != ERR_OK) {
        data_source_release(&found);
        return err_wrap(err, "dataset \"%s\"", spec->name);
    }
    *source = found;
    return ERR_OK;
}

void data_source_release(struct data_source *source) {
    for (int i = 0; i < DATA_FILE_MAX; i++) {
        free(source->path[i]);
    }
    free(source->folder);
    free(source->variant);
    *source = (struct data_source){0};
}
