/* trainer/data_split.c - which images are for training, for validation and for the test.
 *
 *     training images   [ ----------- train ----------- | -- validation -- ]    as they lie in their files
 *
 * Unbalanced parts are ranges.  Balanced ones take equally many of each class that occurs, the first of
 * each for training and test, the last for validation, and are lists of indexes in ascending order. */
#include "trainer/data_internal.h"

#include "base/err.h"
#include "base/mem.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* ---- ranges ---- */

static int limit(struct split *split, int count, const char *key, struct err *err) {
    if (count > split->count) {
        return err_set(err, ERR_RANGE, "dataset.%s: %d samples are wanted, but there are %d", key,
                       count, split->count);
    }
    if (count > 0) {
        split->count = count;
    }
    return ERR_OK;
}

/* How many of `n` training images `validation` asks for. */
static int count_validation(double validation, int n, int *count, struct err *err) {
    double wanted = validation < 1 ? round(validation * n) : validation;
    if (validation > 0 && wanted < 1) {
        return err_set(err, ERR_RANGE, "dataset.validation: %g of %d training images is none",
                       validation, n);
    }
    if (wanted >= n) {
        return err_set(err, ERR_RANGE,
                       "dataset.validation: %.0f of %d training images leave none to train on",
                       wanted, n);
    }
    *count = (int)wanted;
    return ERR_OK;
}

static int split_ranges(struct dataset *set, int train, int validation, int test, struct err *err) {
    struct split *all = &set->train;
    int left = all->count - validation;
    size_t size = data_sample_size(set->type, set->shape);
    if (validation > 0) {
        set->validation = (struct split){
            .images = (const uint8_t *)all->images + (size_t)left * size,
            .labels = all->labels + left,
            .count = validation,
        };
    }
    all->count = left;
    int rc = limit(all, train, "train", err);
    return rc == ERR_OK ? limit(&set->test, test, "test", err) : rc;
}

/* ---- balanced ---- */

/* How many images of each class are still free. */
struct stock {
    int of[DATA_CLASS_MAX];
    int classes; // that occur
    int rarest;  // how many the rarest of them has
    int rarest_class;
};

static struct stock count_stock(const struct split *split, const bool *taken) {
    struct stock stock = {.rarest = INT_MAX};
    bool occurs[DATA_CLASS_MAX] = {false};
    for (int i = 0; i < split->count; i++) {
        occurs[split->labels[i]] = true;
        stock.of[split->labels[i]] += !taken[i];
    }
    for (int c = 0; c < DATA_CLASS_MAX; c++) {
        stock.classes += occurs[c];
        if (occurs[c] && stock.of[c] < stock.rarest) {
            stock.rarest = stock.of[c];
            stock.rarest_class = c;
        }
    }
    return stock;
}

/* Equally many of each class; 0: as many as there are of the rarest. */
static int check_balance(const struct stock *stock, int count, const char *key, int *each,
                         struct err *err) {
    *each = count > 0 ? count / stock->classes : stock->rarest;
    if (count % stock->classes != 0) {
        int below = count - count % stock->classes;
        return err_set(err, ERR_RANGE,
                       "dataset.%s: %d is no multiple of the %d classes, which \"balanced\" needs: "
                       "%d or %d would be",
                       key, count, stock->classes, below > 0 ? below : 2 * stock->classes,
                       below + stock->classes);
    }
    if (*each > stock->rarest || *each == 0) {
        return err_set(
            err, ERR_RANGE,
            "dataset.%s: %d images of each class are wanted, but of class %d there are %d", key,
            *each > 0 ? *each : 1, stock->rarest_class, stock->rarest);
    }
    return ERR_OK;
}

/* Puts `each` images of each class into `out`, the first of them or the last, and marks them as taken. */
static int take(const struct split *split, bool *taken, int each, bool last, uint32_t *out) {
    int left[DATA_CLASS_MAX], count = 0;
    for (int c = 0; c < DATA_CLASS_MAX; c++) {
        left[c] = each;
    }
    bool *now = mem_zalloc((size_t)split->count, sizeof *now);
    for (int n = 0; n < split->count; n++) {
        int i = last ? split->count - 1 - n : n;
        now[i] = !taken[i] && left[split->labels[i]]-- > 0;
    }
    for (int i = 0; i < split->count; i++) {
        if (now[i]) {
            taken[i] = true;
            out[count++] = (uint32_t)i;
        }
    }
    free(now);
    return count;
}

static int choose(const struct split *from, bool *taken, int count, const char *key, bool last,
                  struct split *part, uint32_t *out, struct err *err) {
    struct stock stock = count_stock(from, taken);
    int each;
    int rc = check_balance(&stock, count, key, &each, err);
    if (rc == ERR_OK) {
        int taken_count = take(from, taken, each, last, out);
        *part = (struct split){from->images, from->labels, out, taken_count};
    }
    return rc;
}

static int split_balanced(struct dataset *set, int train, int validation, int test, bool is_share,
                          struct err *err) {
    const struct split all = set->train, all_test = set->test;
    size_t count = (size_t)all.count, test_count = (size_t)all_test.count;
    bool *taken = mem_zalloc(count + test_count, sizeof *taken);
    set->chosen = mem_zalloc(count + test_count, sizeof *set->chosen);
    uint32_t *next = set->chosen;
    int rc = ERR_OK;
    if (validation > 0) {
        int classes = count_stock(&all, taken).classes;
        if (is_share) { // nobody can know the multiples of a share
            validation = validation < classes ? classes : validation - validation % classes;
        }
        rc = choose(&all, taken, validation, "validation", true, &set->validation, next, err);
        next += set->validation.count;
    }
    if (rc == ERR_OK) {
        rc = choose(&all, taken, train, "train", false, &set->train, next, err);
        next += set->train.count; // of a failure: not used
    }
    if (rc == ERR_OK) {
        rc = choose(&all_test, taken + count, test, "test", false, &set->test, next, err);
    }
    free(taken);
    return rc;
}

int data_split(struct dataset *set, const struct dataset_spec *spec, struct err *err) {
    bool made = spec->kind != DATASET_FILES; // so many are there already
    int train = made ? 0 : spec->train, test = made ? 0 : spec->test, validation = 0;
    int rc = count_validation(spec->validation, set->train.count, &validation, err);
    if (rc != ERR_OK) {
        return rc;
    }
    return spec->balanced ? split_balanced(set, train, validation, test, spec->validation < 1, err)
                          : split_ranges(set, train, validation, test, err);
}
