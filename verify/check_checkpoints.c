/* The checkpoints of a trial's folder, by docs/checkpoint-format.md, and what they say against the database. */
#include "verify/checks.h"
#include "verify/facts.h"
#include "verify/hash128.h"
#include "verify/report.h"
#include "verify/tensorfile.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file by its name, cp-EPOCH.safetensors or cp-EPOCH+STEP.safetensors. */
struct named {
    char *name;
    int64_t epoch, step;
    bool good, weights; // once it was read
};

/* The folder's checkpoints, and what the first good one says that all must say. */
struct folder {
    const struct checking *c;
    const struct facts *f;
    struct named *file; // the newest first
    int count, good;
    char *identity, *dataset, *config, *init_from;
};

static bool is_same(const char *a, const char *b) {
    return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

/* ---- names ---- */

/* `width` digits, more only where the number needs them; *end is behind them. */
static bool read_padded(const char *text, int width, int64_t *number, const char **end) {
    size_t digits = strspn(text, "0123456789");
    if (digits < (size_t)width || digits > 18 || (digits > (size_t)width && text[0] == '0')) {
        return false;
    }
    *number = strtoll(text, NULL, 10); // digits, and it fits
    *end = text + digits;
    return true;
}

static bool read_name(const char *name, int64_t *epoch, int64_t *step) {
    const char *at;
    *step = 0;
    if (strncmp(name, "cp-", 3) != 0 || !read_padded(name + 3, 4, epoch, &at)) {
        return false;
    }
    if (*at == '+' && (!read_padded(at + 1, 6, step, &at) || *step == 0)) {
        return false;
    }
    return strcmp(at, ".safetensors") == 0;
}

static int newest_first(const void *a, const void *b) {
    const struct named *x = a, *y = b;
    return x->epoch != y->epoch ? (x->epoch < y->epoch) - (x->epoch > y->epoch)
                                : (x->step < y->step) - (x->step > y->step);
}

static void list_files(struct folder *folder, int folder_fd) {
    DIR *dir = check_names(folder_fd);
    if (dir == NULL) {
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct named named = {0};
        if (read_name(entry->d_name, &named.epoch, &named.step)) {
            named.name = checked_copy(entry->d_name);
            GROW(folder->file, folder->count);
            folder->file[folder->count++] = named;
        }
    }
    (void)closedir(dir); // only read
    if (folder->count > 0) {
        qsort(folder->file, (size_t)folder->count, sizeof *folder->file, newest_first);
    }
}

/* ---- one file by itself ---- */

static int64_t meta_number(const struct tensorfile *file, const char *name) {
    const char *text = tensorfile_meta(file, name);
    size_t len = text == NULL ? 0 : strlen(text);
    bool good = len > 0 && len <= 18 && strspn(text, "0123456789") == len;
    return good ? strtoll(text, NULL, 10) : -1; // digits, and it fits
}

static void check_position(const struct folder *folder, const struct named *named,
                           const struct tensorfile *file, const struct place *place) {
    struct verify_report *report = folder->c->report;
    int64_t epoch = meta_number(file, "epoch"), step = meta_number(file, "step");
    const char *partial = tensorfile_meta(file, "partial");
    if (epoch != named->epoch || step != named->step) {
        report_bad(report, VERIFY_CHECKPOINTS, place,
                   "holds epoch %s, batch %s: its name says %" PRId64 " and %" PRId64,
                   tensorfile_meta(file, "epoch"), tensorfile_meta(file, "step"), named->epoch,
                   named->step);
    }
    if (partial != NULL && (strcmp(partial, "{}") == 0) != (named->step == 0)) {
        report_bad(report, VERIFY_CHECKPOINTS, place, "batch %" PRId64 ", but partial is %s",
                   named->step, partial);
    }
    if (meta_number(file, "optimizer_steps") < 0) {
        report_bad(report, VERIFY_CHECKPOINTS, place, "optimizer_steps is no count");
    }
}

static bool starts_with(const char *text, const char *beginning) {
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* The name of the tensor that `name` belongs to: of optimizer.SLOT.NAME and ema.NAME the NAME; NULL else. */
static const char *owner_of(const char *name) {
    if (starts_with(name, "ema.")) {
        return name + strlen("ema.");
    }
    const char *dot =
        starts_with(name, "optimizer.") ? strchr(name + strlen("optimizer."), '.') : NULL;
    return dot != NULL ? dot + 1 : NULL;
}

static void check_shapes(const struct folder *folder, const struct tensorfile *file,
                         const struct place *place) {
    for (int i = 0; i < file->count; i++) {
        const struct tensor *t = &file->tensor[i];
        const char *owner = owner_of(t->name);
        const struct tensor *of = owner == NULL ? NULL : tensorfile_find(file, owner);
        if (owner != NULL && of == NULL) {
            report_bad(folder->c->report, VERIFY_CHECKPOINTS, place, "tensor %s: there is no %s",
                       t->name, owner);
        } else if (of != NULL &&
                   (of->dims != t->dims || memcmp(of->dim, t->dim, sizeof t->dim) != 0)) {
            report_bad(folder->c->report, VERIFY_CHECKPOINTS, place,
                       "tensor %s: its shape is not that of %s", t->name, owner);
        }
    }
}

/* Whether all metadata that a checkpoint needs are there, and its identity is the hash of its config. */
static bool check_metadata(const struct folder *folder, const struct tensorfile *file,
                           const struct place *place) {
    static const char *const needed[] = {"identity",   "dataset", "config",
                                         "epoch",      "step",    "optimizer_steps",
                                         "best_epoch", "history", "partial"};
    struct verify_report *report = folder->c->report;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (tensorfile_meta(file, needed[i]) == NULL) {
            report_bad(report, VERIFY_CHECKPOINTS, place, "has no metadata %s", needed[i]);
            return false;
        }
    }
    if (file->checksum == CHECKSUM_NONE) {
        report_bad(report, VERIFY_CHECKPOINTS, place, "has no checksum");
    }
    char hash[HASH128_DIGITS + 1];
    hash128_text(hash, tensorfile_meta(file, "config"));
    if (strcmp(hash, tensorfile_meta(file, "identity")) != 0) {
        report_bad(report, VERIFY_IDENTITY, place, "identity %s is not the hash of its config, %s",
                   tensorfile_meta(file, "identity"), hash);
    }
    return true;
}

/* ---- whose it is ---- */

static void check_owner(struct folder *folder, const struct tensorfile *file,
                        const struct place *place) {
    const struct {
        const char *name;
        char **known;
    } same[] = {{"identity", &folder->identity},
                {"dataset", &folder->dataset},
                {"config", &folder->config},
                {"init_from", &folder->init_from}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        const char *is = tensorfile_meta(file, same[i].name);
        if (folder->good == 0) {
            *same[i].known = checked_copy(is);
        } else if (!is_same(is, *same[i].known)) {
            report_bad(folder->c->report, VERIFY_IDENTITY, place,
                       "its %s is %s, that of a newer file of the folder %s", same[i].name,
                       is != NULL ? is : "none", *same[i].known != NULL ? *same[i].known : "none");
        }
    }
    cJSON *config = cJSON_Parse(tensorfile_meta(file, "config"));
    const cJSON *seed = cJSON_GetObjectItemCaseSensitive(config, "seed");
    double number = cJSON_IsNumber(seed) ? seed->valuedouble : 1; // the default is left out
    if (number != (double)folder->f->seed) {
        report_bad(folder->c->report, VERIFY_IDENTITY, place,
                   "is of seed %.17g, the trial's is %" PRId64, number, folder->f->seed);
    }
    cJSON_Delete(config);
    if (folder->f->by_besom) {
        check_key_of(folder->c, folder->f, tensorfile_meta(file, "config"), place->file);
    }
}

/* ---- history ---- */

/* A metric of a record: a number, or the words that JSON has no number for. */
static bool read_metric(const cJSON *json, double *number) {
    static const struct {
        const char *word;
        double number;
    } words[] = {{"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}};
    if (cJSON_IsNumber(json)) {
        *number = json->valuedouble; // by strtod()
        return true;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (cJSON_IsString(json) && strcmp(json->valuestring, words[i].word) == 0) {
            *number = words[i].number;
            return true;
        }
    }
    return false;
}

static bool has_bits(double number, int64_t bits) {
    double stored;
    int64_t own;
    memcpy(&stored, &bits, sizeof stored);
    memcpy(&own, &number, sizeof own);
    return own == bits || (isnan(number) && isnan(stored));
}

static int values_at(const struct facts *f, int64_t epoch) {
    int count = 0;
    for (int i = 0; i < f->value_count && f->value[i].epoch <= epoch; i++) {
        count += f->value[i].epoch == epoch;
    }
    return count;
}

static void compare_record(const struct folder *folder, const cJSON *record, int64_t epoch,
                           const char *path) {
    struct verify_report *report = folder->c->report;
    const struct facts *f = folder->f;
    int count = 0;
    for (const cJSON *m = record->child; m != NULL; m = m->next) {
        const struct place place = {
            .trial = f->trial, .epoch = epoch, .metric = m->string, .file = path};
        if (strcmp(m->string, "epoch") == 0) {
            continue;
        }
        double number;
        const struct fact_value *v =
            facts_value(f, epoch, metrics_find(folder->c->metrics, m->string));
        count++;
        if (!read_metric(m, &number)) {
            report_bad(report, VERIFY_HISTORY, &place, "is no number");
        } else if (v == NULL) {
            report_bad(report, VERIFY_HISTORY, &place, "is %.17g, and not in the database", number);
        } else if (!has_bits(number, v->bits)) {
            double stored;
            memcpy(&stored, &v->bits, sizeof stored);
            report_bad(report, VERIFY_HISTORY, &place, "is %.17g, in the database %.17g", number,
                       stored);
        }
    }
    int stored = values_at(f, epoch);
    if (stored > count) {
        const struct place place = {.trial = f->trial, .epoch = epoch, .file = path};
        report_bad(report, VERIFY_HISTORY, &place, "has %d metrics, the database %d", count,
                   stored);
    }
}

/* The record of an epoch that the database does not have: lost, unless the epochs simply did not get that far. */
static void judge_missing(const struct folder *folder, int64_t epoch, const struct place *place) {
    const struct facts *f = folder->f;
    if (f->complete || epoch < facts_last_epoch(f)) {
        report_bad(folder->c->report, VERIFY_HISTORY, place,
                   "is in the checkpoint, but its row is lost from the database");
    } else if (!f->under_way) {
        report_note(
            folder->c->report, place,
            "is in the checkpoint, not yet in the database; the next attempt tells it again");
    }
}

static int64_t best_of(const cJSON *history, bool *known) {
    double best = 0;
    int64_t epoch = 0, best_epoch = 0;
    *known = true;
    for (const cJSON *r = history->child; r != NULL; r = r->next) {
        double number = NAN;
        epoch++;
        *known = *known &&
                 read_metric(cJSON_GetObjectItemCaseSensitive(r, "val_accuracy"), &number) &&
                 !isnan(number);
        if (best_epoch == 0 || number > best) {
            best = number;
            best_epoch = epoch;
        }
    }
    return best_epoch;
}

static void compare_history(const struct folder *folder, const cJSON *history, const char *path) {
    int64_t epoch = 0;
    for (const cJSON *r = history->child; r != NULL; r = r->next) {
        const cJSON *number = cJSON_GetObjectItemCaseSensitive(r, "epoch");
        const struct place place = {.trial = folder->f->trial, .epoch = ++epoch, .file = path};
        if (!cJSON_IsObject(r) || !cJSON_IsNumber(number) || number->valuedouble != (double)epoch) {
            report_bad(folder->c->report, VERIFY_HISTORY, &place,
                       "its record is not there in its place");
        } else if (!facts_has_epoch(folder->f, epoch)) {
            judge_missing(folder, epoch, &place);
        } else {
            compare_record(folder, r, epoch, path);
        }
    }
    report_count(folder->c->report, VERIFY_HISTORY, epoch);
}

static void check_history(const struct folder *folder, const struct named *named,
                          const struct tensorfile *file, const struct place *place) {
    cJSON *history = cJSON_Parse(tensorfile_meta(file, "history"));
    struct verify_report *report = folder->c->report;
    if (!cJSON_IsArray(history)) {
        report_bad(report, VERIFY_HISTORY, place, "its history is no list");
    } else {
        int count = cJSON_GetArraySize(history);
        bool known;
        int64_t best = best_of(history, &known);
        if (count != named->epoch) {
            report_bad(report, VERIFY_HISTORY, place, "has the records of %d epochs", count);
        }
        if (known && best != meta_number(file, "best_epoch")) {
            report_bad(report, VERIFY_HISTORY, place, "best_epoch is %s, its history says %" PRId64,
                       tensorfile_meta(file, "best_epoch"), best);
        }
        compare_history(folder, history, place->file);
    }
    cJSON_Delete(history);
}

/* ---- all of a folder ---- */

static void check_file(struct folder *folder, struct named *named, int folder_fd) {
    struct verify_report *report = folder->c->report;
    char *path = checked_printf("trials/%s/%s", folder->f->key, named->name);
    const struct place place = {.trial = folder->f->trial, .file = path};
    struct tensorfile file;
    bool good = tensorfile_read(&file, folder_fd, named->name);
    const char *format = tensorfile_meta(&file, "format");
    bool ours = format != NULL && strcmp(format, "besom-checkpoint 1") == 0;
    if (!file.gone &&
        (ours || folder->f->by_besom)) { // else of a trainer with such names of its own
        report_count(report, VERIFY_CHECKPOINTS, 1);
        report_count(report, VERIFY_IDENTITY, 1);
        report->checkpoints++;
        if (!good) {
            report_bad(report, VERIFY_CHECKPOINTS, &place, "%s", file.problem);
        } else if (!ours) {
            report_bad(report, VERIFY_CHECKPOINTS, &place, "its format is %s",
                       format != NULL ? format : "none");
        } else if (check_metadata(folder, &file, &place)) {
            check_position(folder, named, &file, &place);
            check_shapes(folder, &file, &place);
            check_owner(folder, &file, &place);
            check_history(folder, named, &file, &place);
            named->good = true;
            named->weights = is_same(tensorfile_meta(&file, "content"), "weights");
            folder->good++;
        }
    }
    tensorfile_release(&file);
    free(path);
}

/* What the config says of checkpoints; defaults from docs/trainer.md. */
struct retention {
    int64_t keep;
    bool best, weights;
};

static struct retention read_retention(const char *config) {
    struct retention r = {.keep = 2, .best = true};
    cJSON *json = cJSON_Parse(config);
    const cJSON *checkpoint = cJSON_GetObjectItemCaseSensitive(json, "checkpoint");
    const cJSON *keep = cJSON_GetObjectItemCaseSensitive(checkpoint, "keep");
    const cJSON *best = cJSON_GetObjectItemCaseSensitive(checkpoint, "best");
    const cJSON *content = cJSON_GetObjectItemCaseSensitive(checkpoint, "content");
    r.keep = cJSON_IsNumber(keep) ? (int64_t)keep->valuedouble : r.keep;
    r.best = cJSON_IsBool(best) ? cJSON_IsTrue(best) : r.best;
    r.weights = is_same(cJSON_GetStringValue(content), "weights");
    cJSON_Delete(json);
    return r;
}

static const struct named *find_file(const struct folder *folder, int64_t epoch) {
    for (int i = 0; i < folder->count; i++) {
        if (folder->file[i].epoch == epoch && folder->file[i].step == 0) {
            return &folder->file[i];
        }
    }
    return NULL;
}

/* The epoch with the best val_accuracy, the earliest; 0 when there is a NaN or none. */
static int64_t best_epoch(const struct folder *folder) {
    int64_t metric = metrics_find(folder->c->metrics, "val_accuracy"), epoch = 0;
    double best = 0;
    for (int i = 0; i < folder->f->value_count; i++) {
        const struct fact_value *v = &folder->f->value[i];
        double number;
        memcpy(&number, &v->bits, sizeof number);
        if (v->metric == metric && isnan(number)) {
            return 0;
        }
        if (v->metric == metric && (epoch == 0 || number > best)) {
            best = number;
            epoch = v->epoch;
        }
    }
    return epoch;
}

static void check_kept(const struct folder *folder, const char *config) {
    const struct facts *f = folder->f;
    struct verify_report *report = folder->c->report;
    struct retention r = read_retention(config);
    const struct place place = {.trial = f->trial};
    if (find_file(folder, f->epochs_done) == NULL) {
        report_bad(report, VERIFY_RETENTION, &place,
                   "it is complete, but there is no cp-%04" PRId64 ".safetensors", f->epochs_done);
    }
    if (r.keep > 0 && folder->count > r.keep + r.best) {
        report_bad(report, VERIFY_RETENTION, &place, "has %d checkpoints, kept are %" PRId64 "%s",
                   folder->count, r.keep, r.best ? " and the best" : "");
    }
    int64_t best = r.best && f->attempt_count == 1 ? best_epoch(folder) : 0; // by one config
    if (best > 0 && find_file(folder, best) == NULL) {
        report_bad(report, VERIFY_RETENTION, &place,
                   "epoch %" PRId64 " is its best, and there is no cp-%04" PRId64 ".safetensors",
                   best, best);
    }
    for (int i = 0; i < folder->count; i++) {
        if (folder->file[i].good && folder->file[i].weights != r.weights) {
            char *path = checked_printf("trials/%s/%s", f->key, folder->file[i].name);
            const struct place file = {.trial = f->trial, .file = path};
            report_bad(report, VERIFY_RETENTION, &file, "is of %s, the config asks for %s",
                       r.weights ? "the whole state" : "weights alone",
                       r.weights ? "weights alone" : "the whole state");
            free(path);
        }
    }
    report_count(report, VERIFY_RETENTION, 1);
}

void check_checkpoints(const struct checking *c, const struct facts *f, int folder_fd,
                       const char *config) {
    struct folder folder = {.c = c, .f = f};
    list_files(&folder, folder_fd);
    for (int i = 0; i < folder.count; i++) {
        check_file(&folder, &folder.file[i], folder_fd);
    }
    if (f->complete && f->by_besom) {
        check_kept(&folder, config);
    }
    for (int i = 0; i < folder.count; i++) {
        free(folder.file[i].name);
    }
    free(folder.file);
    free(folder.identity);
    free(folder.dataset);
    free(folder.config);
    free(folder.init_from);
}
