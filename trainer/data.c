#include "trainer/data.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "trainer/data_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- sets in memory ---- */

void data_raw_release(struct data_raw *raw) {
    free(raw->train.images);
    free(raw->train.labels);
    free(raw->test.images);
    free(raw->test.labels);
    *raw = (struct data_raw){0};
}

size_t data_sample_size(enum data_type type, struct shape shape) {
    size_t item = type == DATA_UINT8 ? sizeof(uint8_t) : sizeof(float);
    return item * (size_t)shape.C * (size_t)shape.H * (size_t)shape.W;
}

int data_count_classes(struct data_raw *raw, int least, const struct data_source *source,
                       struct err *err) {
    const struct data_part *parts[] = {&raw->train, &raw->test};
    int classes = least;
    for (int p = 0; p < 2; p++) {
        for (int i = 0; i < parts[p]->count; i++) {
            int label = parts[p]->labels[i];
            classes = label >= classes ? label + 1 : classes;
        }
    }
    if (classes < 2) {
        return err_set(err, ERR_RANGE, "%s: all labels are 0: there is nothing to tell apart",
                       source->folder);
    }
    raw->classes = classes;
    return ERR_OK;
}

int data_check_finite(const struct data_raw *raw, const struct data_part *part, const char *path,
                      struct err *err) {
    if (raw->type != DATA_FLOAT32) {
        return ERR_OK;
    }
    size_t features = data_sample_size(raw->type, raw->shape) / sizeof(float);
    const float *values = part->images;
    for (size_t i = 0; i < (size_t)part->count * features; i++) {
        if (!isfinite(values[i])) {
            char text[NUM_TEXT_MAX];
            (void)num_format(text, (double)values[i]); // only the text is of use
            return err_set(err, ERR_RANGE, "%s: value %zu of image %zu is %s", path, i % features,
                           i / features, text);
        }
    }
    return ERR_OK;
}

/* ---- sets to use ---- */

static int open_synthetic(struct dataset *set, const struct dataset_spec *spec, struct err *err) {
    struct data_raw *made = mem_zalloc(1, sizeof *made);
    int rc = data_make(made, spec, err);
    if (rc != ERR_OK) {
        free(made);
        return rc;
    }
    *set = (struct dataset){
        .train = {.images = made->train.images,
                  .labels = made->train.labels,
                  .count = made->train.count},
        .test = {.images = made->test.images,
                 .labels = made->test.labels,
                 .count = made->test.count},
        .shape = made->shape,
        .type = made->type,
        .classes = made->classes,
        .made = made,
    };
    data_content_hash(set->hash, made);
    return ERR_OK;
}

static int open_whole(struct dataset *set, const struct dataset_spec *spec, const char *cache_dir,
                      struct err *err) {
    if (spec->kind != DATASET_FILES) {
        return open_synthetic(set, spec, err);
    }
    struct data_source source = {0};
    int rc = data_find(&source, spec, err);
    rc = rc == ERR_OK ? data_map_cache(set, &source, cache_dir, err) : rc;
    data_source_release(&source);
    return rc;
}

/* Before anything is taken from it: which part that is is no matter of its identity. */
static int check_fingerprint(const struct dataset *set, const struct dataset_spec *spec,
                             struct err *err) {
    if (spec->fingerprint[0] == '\0' || strcmp(spec->fingerprint, set->hash) == 0) {
        return ERR_OK;
    }
    return err_set(err, ERR_DIFFERS,
                   "dataset.fingerprint: the data set %s is another one: %s is wanted, and its "
                   "content is %s",
                   spec->name, spec->fingerprint, set->hash);
}

int dataset_open(struct dataset *set, const struct dataset_spec *spec, const char *cache_dir,
                 struct err *err) {
    struct dataset opened = {0};
    int rc = open_whole(&opened, spec, cache_dir, err);
    rc = rc == ERR_OK ? check_fingerprint(&opened, spec, err) : rc;
    rc = rc == ERR_OK ? data_split(&opened, spec, err) : rc;
    rc = rc == ERR_OK ? data_normalize(&opened, &spec->normalize, err) : rc;
    if (rc != ERR_OK) {
        dataset_close(&opened);
        return rc;
    }
    *set = opened;
    return ERR_OK;
}

void dataset_close(struct dataset *set) {
    if (set->map != NULL) {
        (void)munmap(set->map, set->map_len); // ours, whole
    }
    if (set->made != NULL) {
        data_raw_release(set->made);
        free(set->made);
    }
    free(set->chosen);
    free(set->mean);
    free(set->std);
    *set = (struct dataset){0};
}

const struct split *dataset_val(const struct dataset *set) {
    return set->validation.count > 0 ? &set->validation : &set->test;
}
