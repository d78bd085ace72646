/* trainer/data_csv.c - two tables of numbers. */
#include "trainer/csv.h"

#include "base/err.h"
#include "trainer/data_internal.h"

#include <string.h>

enum file { TRAIN, TEST, FILES };

/* Columns in another order would be other features. */
static int check_names(const struct csv csv[FILES], const struct data_source *s, struct err *err) {
    if (csv[TRAIN].features != csv[TEST].features) {
        return err_set(err, ERR_RANGE, "%s has %d columns, but %s has %d", s->path[TRAIN],
                       csv[TRAIN].features + 1, s->path[TEST], csv[TEST].features + 1);
    }
    if (csv[TRAIN].label != csv[TEST].label) {
        return err_set(err, ERR_RANGE, "the label is column %d of %s, but column %d of %s",
                       csv[TRAIN].label + 1, s->path[TRAIN], csv[TEST].label + 1, s->path[TEST]);
    }
    if (csv[TRAIN].names == NULL || csv[TEST].names == NULL) {
        return ERR_OK;
    }
    for (int i = 0; i <= csv[TRAIN].features; i++) {
        if (strcmp(csv[TRAIN].names[i], csv[TEST].names[i]) != 0) {
            return err_set(err, ERR_RANGE, "column %d is \"%s\" in %s, but \"%s\" in %s", i + 1,
                           csv[TRAIN].names[i], s->path[TRAIN], csv[TEST].names[i], s->path[TEST]);
        }
    }
    return ERR_OK;
}

static int choose_shape(struct shape *shape, int features, const struct data_source *s,
                        struct err *err) {
    const struct shape *said = &s->spec->csv_shape;
    *shape = said->C > 0 ? *said : (struct shape){features, 1, 1};
    if ((int64_t)shape->C * shape->H * shape->W != features) {
        return err_set(err, ERR_RANGE,
                       "%s has %d columns beside the label, and \"shape\" [%d, %d, %d] needs %lld",
                       s->path[TRAIN], features, shape->C, shape->H, shape->W,
                       (long long)((int64_t)shape->C * shape->H * shape->W));
    }
    return ERR_OK;
}

static struct data_part take(struct csv *csv) {
    const struct data_part part = {csv->values, csv->labels, csv->rows};
    csv->values = NULL;
    csv->labels = NULL;
    return part;
}

int data_decode_csv(struct data_raw *raw, const struct data_source *s, struct err *err) {
    struct csv csv[FILES] = {0};
    int rc = ERR_OK;
    for (int i = 0; i < FILES && rc == ERR_OK; i++) {
        rc = csv_load(&csv[i], s->path[i], &s->spec->label, err);
    }
    rc = rc == ERR_OK ? check_names(csv, s, err) : rc;
    rc = rc == ERR_OK ? choose_shape(&raw->shape, csv[TRAIN].features, s, err) : rc;
    if (rc == ERR_OK) {
        raw->type = DATA_FLOAT32;
        raw->train = take(&csv[TRAIN]);
        raw->test = take(&csv[TEST]);
    }
    for (int i = 0; i < FILES; i++) {
        csv_release(&csv[i]);
    }
    return rc == ERR_OK ? data_count_classes(raw, 1, s, err) : rc;
}
