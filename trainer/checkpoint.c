#include "trainer/checkpoint.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "trainer/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char FORMAT[] = "besom-checkpoint 1";
static const char OPTIMIZER[] = "optimizer.";
const char CHECKPOINT_EMA[] = "ema.";
static const char INIT_FROM[] = "init_from";
static const char CONTENT[] = "content"; // absent in a whole one

const char *const checkpoint_content_names[CHECKPOINT_CONTENT_COUNT] = {"whole", "weights"};

enum { POSITION_MAX = 1000000000 };

/* ---- names ---- */

void checkpoint_name(char out[64], struct position at) {
    if (at.step == 0) {
        (void)snprintf(out, 64, "cp-%04d.safetensors", at.epoch); // fits
    } else {
        (void)snprintf(out, 64, "cp-%04d+%06d.safetensors", at.epoch, at.step); // fits
    }
}

bool checkpoint_parse_name(const char *name, struct position *at) {
    struct position p = {0, 0};
    if (sscanf(name, "cp-%9d+%9d", &p.epoch, &p.step) < 1) {
        return false;
    }
    // Only what checkpoint_name() makes is a checkpoint's name.
    char again[64];
    if (p.epoch < 0 || p.step < 0) {
        return false;
    }
    checkpoint_name(again, p);
    if (strcmp(again, name) != 0) {
        return false;
    }
    *at = p;
    return true;
}

/* ---- saving ---- */

struct tensors {
    struct safetensors_entry *entry;
    float **home; // where each lives, for restoring
    char **owned; // names that are made up here
    int count, owned_count;
};

static struct safetensors_entry entry_of(const struct net_tensor *t, const char *name,
                                         const float *data) {
    struct safetensors_entry entry = {
        .name = name, .dim_count = t->dim_count, .data = data, .len = t->len};
    for (int d = 0; d < t->dim_count; d++) {
        entry.dims[d] = t->dims[d];
    }
    return entry;
}

/* A part of a vector over all parameters, under the name `owned`. */
static void add_part(struct tensors *list, char *owned, float *vector, const struct net *net,
                     const struct net_tensor *t) {
    float *part = vector + (t->value - net_tensor(net, 0)->value);
    list->owned[list->owned_count++] = owned;
    list->home[list->count] = part;
    list->entry[list->count++] = entry_of(t, owned, part);
}

/* How many of the tensors are parameters: the first ones. */
static int parameter_count(const struct net *net) {
    int count = net_tensor_count(net);
    while (count > 0 && net_tensor(net, count - 1)->is_buffer) {
        count--;
    }
    return count;
}

/* The network's tensors, then for each state vector of the optimizer, then for the average, a part for
 * each parameter.  `optim` and `ema` may be NULL. */
static struct tensors list_tensors(const struct net *net, const struct optim *optim,
                                   const struct ema *ema) {
    int count = net_tensor_count(net), parameters = parameter_count(net);
    int slots = optim != NULL ? optim_slot_count(optim->spec.kind) : 0;
    size_t most = (size_t)(count * (2 + slots)) + 1;
    struct tensors list = {.entry = mem_zalloc(most, sizeof *list.entry),
                           .home = mem_zalloc(most, sizeof *list.home),
                           .owned = mem_zalloc(most, sizeof *list.owned)};
    for (int i = 0; i < count; i++) {
        const struct net_tensor *t = net_tensor(net, i);
        list.home[list.count] = t->value;
        list.entry[list.count++] = entry_of(t, t->name, t->value);
    }
    for (int s = 0; s < slots; s++) {
        const char *slot = optim_slot_name(optim->spec.kind, s);
        for (int i = 0; i < parameters; i++) {
            const struct net_tensor *t = net_tensor(net, i);
            add_part(&list, mem_printf("%s%s.%s", OPTIMIZER, slot, t->name), optim->state[s], net,
                     t);
        }
    }
    for (int i = 0; ema != NULL && ema->average != NULL && i < parameters; i++) {
        const struct net_tensor *t = net_tensor(net, i);
        add_part(&list, mem_printf("%s%s", CHECKPOINT_EMA, t->name), ema->average, net, t);
    }
    return list;
}

static void tensors_release(struct tensors *list) {
    for (int i = 0; i < list->owned_count; i++) {
        free(list->owned[i]);
    }
    free(list->owned);
    free(list->home);
    free(list->entry);
}

int checkpoint_save(const char *dir, const struct checkpoint_state *state, const struct net *net,
                    const struct optim *optim, const struct ema *ema, struct err *err) {
    char name[64], epoch[32], step[32], best[32], steps[32];
    checkpoint_name(name, state->at);
    (void)snprintf(epoch, sizeof epoch, "%d", state->at.epoch);           // fit
    (void)snprintf(step, sizeof step, "%d", state->at.step);              // fit
    (void)snprintf(best, sizeof best, "%d", state->best_epoch);           // fit
    (void)snprintf(steps, sizeof steps, "%lld", (long long)optim->steps); // fit
    const bool whole = state->content == CHECKPOINT_WHOLE;
    enum { BASIC = 10 };
    struct safetensors_meta meta[BASIC + 3] = {
        {"format", FORMAT},
        {"identity", state->identity},
        {"dataset", state->dataset},
        {"config", state->config},
        {"history", state->history},
        {"partial", state->partial},
        {"epoch", epoch},
        {"step", step},
        {"best_epoch", best},
        {"optimizer_steps", steps},
    };
    int meta_count = BASIC;
    if (!whole) {
        meta[meta_count++] =
            (struct safetensors_meta){CONTENT, checkpoint_content_names[state->content]};
    }
    if (state->layers != NULL) {
        meta[meta_count++] = (struct safetensors_meta){"layers", state->layers};
    }
    if (state->init_from != NULL) {
        meta[meta_count++] = (struct safetensors_meta){INIT_FROM, state->init_from};
    }
    struct tensors list = list_tensors(net, whole ? optim : NULL, ema);
    int rc = safetensors_write(dir, name, list.entry, list.count, meta, meta_count, err);
    tensors_release(&list);
    return rc; // the caller says what was being saved, the error which file
}

/* ---- opening ---- */

struct checkpoint {
    struct safetensors *file;
    struct checkpoint_state state;
    int64_t optimizer_steps;
};

static const char *text_of(const struct safetensors *file, const char *key, bool *complete) {
    const char *text = safetensors_meta_get(file, key);
    *complete = *complete && text != NULL;
    return text != NULL ? text : "";
}

static int64_t number_of(const struct safetensors *file, const char *key, bool *complete) {
    int64_t value = 0;
    if (!num_parse_int(text_of(file, key, complete), 0, INT64_MAX, &value)) {
        *complete = false;
    }
    return value;
}

static bool read_content(const struct safetensors *file, enum checkpoint_content *content) {
    const char *text = safetensors_meta_get(file, CONTENT);
    *content = text == NULL ? CHECKPOINT_WHOLE : CHECKPOINT_WEIGHTS;
    return text == NULL || strcmp(text, checkpoint_content_names[CHECKPOINT_WEIGHTS]) == 0;
}

static int read_state(struct checkpoint *c, const char *path, struct err *err) {
    const char *format = safetensors_meta_get(c->file, "format");
    if (format == NULL || strncmp(format, FORMAT, strlen("besom-checkpoint ")) != 0) {
        return err_set(err, ERR_VERSION, "%s: not a besom checkpoint", path);
    }
    if (strcmp(format, FORMAT) != 0) {
        return err_set(err, ERR_VERSION,
                       "%s: written by another version: \"%s\", this one reads "
                       "\"%s\"",
                       path, format, FORMAT);
    }
    if (!safetensors_is_checked(c->file)) {
        return err_set(err, ERR_CORRUPT, "%s: without a checksum", path);
    }
    bool complete = true;
    int64_t epoch = number_of(c->file, "epoch", &complete);
    int64_t step = number_of(c->file, "step", &complete);
    int64_t best = number_of(c->file, "best_epoch", &complete);
    c->optimizer_steps = number_of(c->file, "optimizer_steps", &complete);
    c->state = (struct checkpoint_state){
        .at = {(int)epoch, (int)step},
        .identity = text_of(c->file, "identity", &complete),
        .dataset = text_of(c->file, "dataset", &complete),
        .config = text_of(c->file, "config", &complete),
        .history = text_of(c->file, "history", &complete),
        .partial = text_of(c->file, "partial", &complete),
        .best_epoch = (int)best,
        .layers = safetensors_meta_get(c->file, "layers"),
        .init_from = safetensors_meta_get(c->file, INIT_FROM),
    };
    complete = read_content(c->file, &c->state.content) && complete;
    if (!complete || epoch > POSITION_MAX || step > POSITION_MAX || best > epoch) {
        return err_set(err, ERR_CORRUPT, "%s: its metadata is incomplete or out of range", path);
    }
    return ERR_OK;
}

int checkpoint_open(struct checkpoint **checkpoint, const char *path, struct err *err) {
    struct checkpoint *c = mem_zalloc(1, sizeof *c);
    int rc = safetensors_open(&c->file, path, err);
    rc = rc == ERR_OK ? read_state(c, path, err) : rc;
    if (rc == ERR_OK) {
        *checkpoint = c;
    } else {
        checkpoint_close(c);
    }
    return rc;
}

void checkpoint_close(struct checkpoint *checkpoint) {
    if (checkpoint != NULL) {
        safetensors_close(checkpoint->file);
        free(checkpoint);
    }
}

const struct checkpoint_state *checkpoint_state(const struct checkpoint *checkpoint) {
    return &checkpoint->state;
}

const struct safetensors *checkpoint_file(const struct checkpoint *checkpoint) {
    return checkpoint->file;
}

/* ---- weights alone, out of a whole one ---- */

bool checkpoint_is_weight(const char *name) {
    return strncmp(name, OPTIMIZER, strlen(OPTIMIZER)) != 0;
}

int checkpoint_strip(const struct checkpoint *checkpoint, const char *dir, struct err *err) {
    const struct safetensors *file = checkpoint->file;
    int tensors = 0, metas = 0;
    struct safetensors_entry *entry =
        mem_zalloc((size_t)safetensors_count(file) + 1, sizeof *entry);
    struct safetensors_meta *meta =
        mem_zalloc((size_t)safetensors_meta_count(file) + 1, sizeof *meta);
    for (int i = 0; i < safetensors_count(file); i++) {
        if (checkpoint_is_weight(safetensors_at(file, i)->name)) {
            entry[tensors++] = *safetensors_at(file, i);
        }
    }
    for (int i = 0; i < safetensors_meta_count(file); i++) {
        struct safetensors_meta m = safetensors_meta_at(file, i);
        if (strcmp(m.key, "checksum") != 0 && strcmp(m.key, CONTENT) != 0) { // both are new
            meta[metas++] = m;
        }
    }
    meta[metas++] =
        (struct safetensors_meta){CONTENT, checkpoint_content_names[CHECKPOINT_WEIGHTS]};
    char name[64];
    checkpoint_name(name, checkpoint->state.at);
    int rc = safetensors_write(dir, name, entry, tensors, meta, metas, err);
    free(entry);
    free(meta);
    return rc;
}

/* ---- restoring ---- */

static int check_tensor(const struct safetensors *file, const struct safetensors_entry *wanted,
                        struct err *err) {
    const struct safetensors_entry *found = safetensors_find(file, wanted->name);
    if (found == NULL) {
        return err_set(err, ERR_CORRUPT, "the checkpoint has no tensor \"%s\"", wanted->name);
    }
    bool same = found->dim_count == wanted->dim_count;
    for (int d = 0; same && d < wanted->dim_count; d++) {
        same = found->dims[d] == wanted->dims[d];
    }
    return same ? ERR_OK
                : err_set(err, ERR_CORRUPT, "the checkpoint's tensor \"%s\" has another shape",
                          wanted->name);
}

static bool is_listed(const struct tensors *list, const char *name) {
    for (int i = 0; i < list->count; i++) {
        if (strcmp(list->entry[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool begins_with(const char *name, const char *prefix) {
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* What is left over is an error, but for whole parts that the caller does not want. */
static int check_tensors(const struct safetensors *file, const struct tensors *list,
                         bool with_optimizer, bool with_average, struct err *err) {
    int rc = ERR_OK;
    for (int i = 0; i < list->count && rc == ERR_OK; i++) {
        rc = check_tensor(file, &list->entry[i], err);
    }
    for (int i = 0; i < safetensors_count(file) && rc == ERR_OK; i++) {
        const char *name = safetensors_at(file, i)->name;
        bool left_out = (!with_optimizer && !checkpoint_is_weight(name)) ||
                        (!with_average && begins_with(name, CHECKPOINT_EMA));
        if (!left_out && !is_listed(list, name)) {
            rc = err_set(err, ERR_CORRUPT,
                         "the checkpoint's tensor \"%s\" has no place in the "
                         "network",
                         name);
        }
    }
    return rc;
}

int checkpoint_restore(const struct checkpoint *checkpoint, struct net *net, struct optim *optim,
                       struct ema *ema, struct err *err) {
    struct tensors list = list_tensors(net, optim, ema);
    int rc = check_tensors(checkpoint->file, &list, optim != NULL, ema != NULL, err);
    for (int i = 0; i < list.count && rc == ERR_OK; i++) {
        const struct safetensors_entry *entry = &list.entry[i];
        memcpy(list.home[i], safetensors_find(checkpoint->file, entry->name)->data,
               entry->len * sizeof(float));
    }
    if (rc == ERR_OK && optim != NULL) {
        optim->steps = checkpoint->optimizer_steps;
    }
    tensors_release(&list);
    return rc;
}

bool checkpoint_has_average(const struct checkpoint *checkpoint) {
    for (int i = 0; i < safetensors_count(checkpoint->file); i++) {
        if (begins_with(safetensors_at(checkpoint->file, i)->name, CHECKPOINT_EMA)) {
            return true;
        }
    }
    return false;
}

int checkpoint_restore_average(const struct checkpoint *checkpoint, struct net *net,
                               struct err *err) {
    struct ema ema;
    const struct ema_spec spec = {.decay = checkpoint_has_average(checkpoint) ? 0.5 : 0}; // unused
    ema_init(&ema, &spec, net_param_count(net));
    int rc = checkpoint_restore(checkpoint, net, NULL, &ema, err);
    if (rc == ERR_OK) {
        ema_swap(&ema, net_params(net));
    }
    ema_release(&ema);
    return rc;
}
