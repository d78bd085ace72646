#include "trainer/weights.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "trainer/checkpoint_folder.h"
#include "trainer/net.h"
#include "trainer/safetensors.h"

#include <stdlib.h>
#include <string.h>

static const struct table_key init_from_keys[] = {
    {.name = "path",
     .type = TABLE_TEXT,
     .offset = offsetof(struct init_from_spec, path),
     .text = ""},
    {.name = "strict",
     .type = TABLE_BOOL,
     .offset = offsetof(struct init_from_spec, strict),
     .value = true},
};
const struct table init_from_table = {.what = "init_from",
                                      .name_key = "path",
                                      .keys = init_from_keys,
                                      .key_count =
                                          (int)(sizeof init_from_keys / sizeof *init_from_keys)};

static bool is_average(const char *name) {
    return strncmp(name, CHECKPOINT_EMA, strlen(CHECKPOINT_EMA)) == 0;
}

static bool is_weight(const char *name) {
    return checkpoint_is_weight(name) && !is_average(name);
}

static bool same_shape(const struct safetensors_entry *entry, const struct net_tensor *tensor) {
    bool same = entry->dim_count == tensor->dim_count;
    for (int d = 0; same && d < tensor->dim_count; d++) {
        same = entry->dims[d] == tensor->dims[d];
    }
    return same;
}

/* ---- export ---- */

/* The average of the parameter `name`; NULL when there is none. */
static const struct safetensors_entry *find_average(const struct safetensors *file,
                                                    const char *name) {
    char *full = mem_printf("%s%s", CHECKPOINT_EMA, name);
    const struct safetensors_entry *found = safetensors_find(file, full);
    free(full);
    return found;
}

int weights_export(const struct checkpoint *checkpoint, bool averaged, const char *dir,
                   const char *name, struct err *err) {
    if (averaged && !checkpoint_has_average(checkpoint)) {
        return err_set(err, ERR_NOT_FOUND,
                       "it holds no averaged weights: its config has no \"ema\"");
    }
    const struct safetensors *file = checkpoint_file(checkpoint);
    int count = 0;
    struct safetensors_entry *entries =
        mem_zalloc((size_t)safetensors_count(file) + 1, sizeof *entries);
    for (int i = 0; i < safetensors_count(file); i++) {
        const struct safetensors_entry *entry = safetensors_at(file, i);
        if (is_weight(entry->name)) {
            const struct safetensors_entry *average =
                averaged ? find_average(file, entry->name) : NULL; // buffers have none
            entries[count] = *entry;
            entries[count++].data = average != NULL ? average->data : entry->data;
        }
    }
    const struct safetensors_meta meta = {"format", "pt"}; // as torch's own files say
    int rc = safetensors_write(dir, name, entries, count, &meta, 1, err);
    free(entries);
    return rc;
}

/* ---- init_from ---- */

struct weights {
    struct safetensors *file;
    char *path; // owned
    char hash[HASH_HEX_LEN + 1];
};

static int by_name(const void *a, const void *b) {
    return strcmp((*(const struct safetensors_entry *const *)a)->name,
                  (*(const struct safetensors_entry *const *)b)->name);
}

static void hash_weights(struct weights *weights) {
    int count = 0, all = safetensors_count(weights->file);
    const struct safetensors_entry **sorted = mem_zalloc((size_t)all + 1, sizeof *sorted);
    for (int i = 0; i < all; i++) {
        const struct safetensors_entry *entry = safetensors_at(weights->file, i);
        if (is_weight(entry->name)) {
            sorted[count++] = entry;
        }
    }
    qsort(sorted, (size_t)count, sizeof *sorted, by_name);
    struct hash *hash = hash_new();
    for (int i = 0; i < count; i++) {
        const struct safetensors_entry *entry = sorted[i];
        hash_add(hash, entry->name, strlen(entry->name) + 1);
        hash_add(hash, entry->dims, (size_t)entry->dim_count * sizeof *entry->dims);
        hash_add(hash, entry->data, entry->len * sizeof *entry->data);
    }
    hash_finish(hash, weights->hash);
    free(sorted);
}

int weights_open(struct weights **weights, const char *path, struct err *err) {
    struct weights *w = mem_zalloc(1, sizeof *w);
    int rc = checkpoint_latest_path(&w->path, path, err);
    rc = rc == ERR_OK ? safetensors_open(&w->file, w->path, err) : rc;
    if (rc != ERR_OK) {
        weights_close(w);
        return rc;
    }
    hash_weights(w);
    *weights = w;
    return ERR_OK;
}

void weights_close(struct weights *weights) {
    if (weights != NULL) {
        safetensors_close(weights->file);
        free(weights->path);
        free(weights);
    }
}

const char *weights_hash(const struct weights *weights) {
    return weights->hash;
}

const char *weights_path(const struct weights *weights) {
    return weights->path;
}

/* ---- against a network ---- */

static const struct net_tensor *find_tensor(const struct net *net, const char *name) {
    for (int i = 0; i < net_tensor_count(net); i++) {
        if (strcmp(net_tensor(net, i)->name, name) == 0) {
            return net_tensor(net, i);
        }
    }
    return NULL;
}

static void put_shape(struct buf *out, int dim_count, int64_t (*dim)(const void *of, int d),
                      const void *of) {
    for (int d = 0; d < dim_count; d++) {
        buf_printf(out, "%s%lld", d == 0 ? "" : " x ", (long long)dim(of, d));
    }
}

static int64_t entry_dim(const void *entry, int d) {
    return ((const struct safetensors_entry *)entry)->dims[d];
}

static int64_t tensor_dim(const void *tensor, int d) {
    return ((const struct net_tensor *)tensor)->dims[d];
}

static int complain_shape(const struct weights *weights, const struct net_tensor *tensor,
                          const struct safetensors_entry *entry, struct err *err) {
    struct buf theirs = {0}, ours = {0};
    put_shape(&theirs, entry->dim_count, entry_dim, entry);
    put_shape(&ours, tensor->dim_count, tensor_dim, tensor);
    int rc = err_set(err, ERR_RANGE, "%s: tensor \"%s\" is %s, and %s in this network",
                     weights->path, tensor->name, buf_text(&theirs), buf_text(&ours));
    buf_release(&theirs);
    buf_release(&ours);
    return rc;
}

static int check_all(const struct weights *weights, const struct net *net, struct err *err) {
    for (int i = 0; i < net_tensor_count(net); i++) {
        const struct net_tensor *tensor = net_tensor(net, i);
        const struct safetensors_entry *entry = safetensors_find(weights->file, tensor->name);
        if (entry == NULL) {
            return err_set(err, ERR_RANGE, "%s: has no tensor \"%s\"; \"strict\": false draws it",
                           weights->path, tensor->name);
        }
        if (!same_shape(entry, tensor)) {
            return complain_shape(weights, tensor, entry, err);
        }
    }
    for (int i = 0; i < safetensors_count(weights->file); i++) {
        const char *name = safetensors_at(weights->file, i)->name;
        if (is_weight(name) && find_tensor(net, name) == NULL) {
            return err_set(
                err, ERR_RANGE,
                "%s: tensor \"%s\" has no place in this network; \"strict\": false leaves "
                "it out",
                weights->path, name);
        }
    }
    return ERR_OK;
}

/* The file's tensor for one of the network; NULL when there is none that fits. */
static const struct safetensors_entry *fitting(const struct weights *weights,
                                               const struct net_tensor *tensor) {
    const struct safetensors_entry *entry = safetensors_find(weights->file, tensor->name);
    return entry != NULL && same_shape(entry, tensor) ? entry : NULL;
}

int weights_check(const struct weights *weights, const struct net *net, bool strict,
                  struct err *err) {
    if (strict) {
        return check_all(weights, net, err);
    }
    for (int i = 0; i < net_tensor_count(net); i++) {
        if (fitting(weights, net_tensor(net, i)) != NULL) {
            return ERR_OK;
        }
    }
    return err_set(err, ERR_RANGE, "%s: no tensor has name and shape of one of this network",
                   weights->path);
}

static void put_item(struct buf *list, const char *name) {
    buf_puts(list, list->len > 0 ? ", " : "");
    buf_json_string(list, name, strlen(name)); // names of a file from elsewhere
}

void weights_apply(const struct weights *weights, struct net *net, struct buf *note) {
    struct buf drawn = {0}, unused = {0};
    int taken = 0, count = net_tensor_count(net);
    for (int i = 0; i < count; i++) {
        const struct net_tensor *tensor = net_tensor(net, i);
        const struct safetensors_entry *entry = fitting(weights, tensor);
        if (entry != NULL) {
            memcpy(tensor->value, entry->data, tensor->len * sizeof *tensor->value);
            taken++;
        } else {
            put_item(&drawn, tensor->name);
        }
    }
    for (int i = 0; i < safetensors_count(weights->file); i++) {
        const struct safetensors_entry *entry = safetensors_at(weights->file, i);
        const struct net_tensor *tensor = find_tensor(net, entry->name);
        if (is_weight(entry->name) && (tensor == NULL || !same_shape(entry, tensor))) {
            put_item(&unused, entry->name);
        }
    }
    buf_printf(note, "%d of %d tensors are from %s", taken, count, weights->path);
    if (drawn.len > 0) {
        buf_printf(note, "; as init draws them: %s", buf_text(&drawn));
    }
    if (unused.len > 0) {
        buf_printf(note, "; of the file not used: %s", buf_text(&unused));
    }
    buf_release(&drawn);
    buf_release(&unused);
}
